"""The compiled event loop of flows over circuits that come and go.

Flows share by the kernels of `topo/flow`, which see circuits with light only: a flow one of whose circuits is
dark is *parked* with the bytes that it has left, and comes back when all of them are lit. Edits there go
unnoticed by the on-disk cache of compiled code: clear it after editing.
"""

import numpy as np

from topo_sim.base.jit import borrowed, kernel
from topo_sim.optics.circuit_state_kernels import (
    ABSENT,
    BUSY,
    DONE,
    ENDED,
    HERE,
    IDLE,
    MEASURED,
    PARKED,
    PASSED,
    QUIET,
    SENDING,
    SLOT,
    TOO_LONG,
    TURN,
    Story,
    book,
    circuits_view,
    light,
    link,
    repeat_record,
    story_view,
)  # fmt: skip
from topo_sim.topo.flow.event_kernels import Work, end_flows, free_children, next_end
from topo_sim.topo.flow.heap_kernels import heap_drop, heap_new, heap_set, heap_view
from topo_sim.topo.flow.reshare_kernels import arrive, depart, reshare, set_capacity
from topo_sim.topo.flow.state_kernels import new_state, state_view, sum_afresh

__all__ = ["run_over_circuits"]

RESUM = 4096


@kernel
def _park(f, now, s, t, work, finish):
    """Stop a flow that sends; if no bytes are left but for rounding, it has ended."""
    level = s.link[s.tight[f]].level
    depart(f, now, s)
    t.phase[f] = PARKED
    t.clock[BUSY] -= 1
    left = s.flow[f].target
    if t.kept[f] == 0.0 and left <= work.tolerance * max(work.size[f], level * now):
        finish[f] = now
        t.phase[f] = ENDED
        t.ended[t.over[0]] = f
        t.over[0] += 1


@kernel
def _send(f, now, s, t, begin):
    """Let a flow that has light everywhere send."""
    if t.phase[f] == ABSENT or begin[f] > now:
        begin[f] = now
    t.phase[f] = SENDING
    t.clock[BUSY] += 1
    arrive(f, s)


@kernel
def _relight(number, value, now, s, c, t, work, begin, finish):
    """Give a link other light; flows on it stop or send."""
    old = t.light[number]
    if old == value:
        return
    t.light[number] = value
    if value > 0.0:
        set_capacity(number, value, s)
    if old > 0.0 and value > 0.0:
        return
    for k in range(c.by_link[number], c.by_link[number + 1]):
        f = c.users[k]
        if value == 0.0:
            t.dark[f] += 1
            if t.phase[f] == SENDING:
                _park(f, now, s, t, work, finish)
        else:
            t.dark[f] -= 1
            if t.dark[f] == 0 and t.phase[f] == PARKED:
                _send(f, now, s, t, begin)


@kernel
def _turn(new, now, s, c, t, work, begin, finish):
    """Change from the slot that is on to another: first what goes dark, then what lights up."""
    old = t.clock[SLOT]
    t.clock[SLOT] = new
    for lights in range(2):
        for p in range(c.targets.shape[1]):
            for i in range(c.targets.shape[2]):
                a = c.targets[old, p, i] if old >= 0 else -1
                b = c.targets[new, p, i] if new >= 0 else -1
                if a == b:
                    continue
                for j in (a, b):
                    number = link(i, j, c) if j >= 0 else -1
                    if number >= 0:
                        value = light(new, i, j, c)
                        if (value > 0.0) == (lights == 1):
                            _relight(number, value, now, s, c, t, work, begin, finish)


@kernel
def _look_ahead(now, s, t, due):
    """Say of each touched link when the next flow of its group ends, and what it carries from now on."""
    for i in range(s.count[0]):
        number = s.touched[i]
        next_end(number, s, due)
        if t.carried.size > 0:
            on = s.link[number]
            t.moved[number] += t.rate[number] * (now - t.since[number])
            t.since[number] = now
            t.rate[number] = on.claim * on.level if s.more[number].many > 0 else 0.0
            if t.light[number] > 0.0 and s.more[number].length > 0:
                t.rate[number] += on.others
    s.count[0] = 0
    s.count[1] += 1


@kernel
def _leap(now, next_start, s, c, t):
    """Skip periods that repeat the measured one; returns the number of them."""
    length = c.edge[c.edge.size - 1]
    skipped = np.inf
    for f in range(t.phase.size):
        if t.phase[f] == PARKED and t.chunk[f] > s.flow[f].target:
            left = t.kept[f] + s.flow[f].target
            skipped = min(skipped, np.floor(left / (t.chunk[f] - s.flow[f].target)) - 1.0)
    if next_start < np.inf:
        skipped = min(skipped, np.floor((next_start - now) / length) - 1.0)
    if not 1.0 <= skipped < np.inf:
        return 0
    for f in range(t.phase.size):
        if t.phase[f] == PARKED:
            t.kept[f] -= skipped * (t.chunk[f] - s.flow[f].target)
    repeat_record(skipped, t)
    return int(skipped)


@kernel
def _new_period(now, next_start, s, c, t, work, finish):
    """At the begin of a period: park all, skip periods that would repeat the last, measure the next one.

    What a flow sends in a period is measured from a small amount of bytes handed out, not as the difference
    of two large ones: it is multiplied by the number of periods skipped.
    """
    for f in range(t.phase.size):
        if t.phase[f] == SENDING:
            _park(f, now, s, t, work, finish)
    if t.over[0] > 0:
        t.clock[QUIET] = 0
    for number in range(t.rate.size):
        t.rate[number] = 0.0
    skipped = _leap(now, next_start, s, c, t) if t.clock[QUIET] + t.clock[MEASURED] == 2 else 0
    t.clock[TURN] += skipped
    repeat_record(0.0, t)
    for f in range(t.phase.size):
        if t.phase[f] == PARKED:
            left = s.flow[f].target + t.kept[f]
            t.chunk[f] = min(left, 2.0 * c.most[f]) if c.most[f] > 0.0 else left
            t.kept[f] = left - t.chunk[f]
            s.flow[f].target = t.chunk[f]
    t.clock[QUIET], t.clock[MEASURED] = 1, 1


@kernel
def _next_edge(c, t):
    """Say when the slot that is on ends."""
    if t.clock[SLOT] < 0:
        return np.inf
    return t.clock[TURN] * c.edge[c.edge.size - 1] + c.edge[t.clock[SLOT] + 1]


@kernel
def _pass_edge(edge, next_start, s, c, t, work, begin, finish):
    """Go on to the next slot that lasts; returns when it begins, later than `edge` if periods are skipped."""
    slots, slot, now = c.edge.size - 1, t.clock[SLOT], edge
    book(edge, c, t)
    t.clock[PASSED] += 1
    t.clock[IDLE] = t.clock[IDLE] + 1 if t.clock[BUSY] == 0 else 0
    new = slot + 1
    while new < slots and c.edge[new + 1] == c.edge[new]:
        new += 1
    if new == slots and c.cyclic == 0:
        new = -1
    elif new == slots:
        new = 0
        while c.edge[new + 1] == c.edge[new]:
            new += 1
        t.clock[TURN] += 1
        _new_period(edge, next_start, s, c, t, work, finish)
        now = t.clock[TURN] * c.edge[slots]
        for number in range(t.since.size):
            t.since[number] = now
    _turn(new, now, s, c, t, work, begin, finish)
    if new <= slot:
        for f in range(t.phase.size):
            if t.phase[f] == PARKED and t.dark[f] == 0:
                _send(f, now, s, t, begin)
    return now


@kernel
def _seek(when, s, c, t, work, begin, finish):
    """Turn to the slot that is on at a time at which no flow sends."""
    slots, length = c.edge.size - 1, c.edge[c.edge.size - 1]
    book(when, c, t)
    turn = np.floor(when / length) if c.cyclic == 1 else 0.0
    while turn * length > when:
        turn -= 1.0
    while c.cyclic == 1 and (turn + 1.0) * length <= when:
        turn += 1.0
    new = np.searchsorted(c.edge, when - turn * length, side="right") - 1
    t.clock[QUIET], t.clock[MEASURED], t.clock[IDLE] = 0, 0, 0
    t.clock[TURN] = int(turn)
    if new >= slots:
        new = slots - 1
        while c.edge[new + 1] == c.edge[new]:
            new -= 1
        new = new if c.cyclic == 1 else -1
    _turn(new, when, s, c, t, work, begin, finish)


@kernel
def _start_flows(now, until, s, t, work, waiting, begin, finish, coming):
    """Let the flows in that are due; returns how many. Those without bytes end at once."""
    came, node, items, count = 0, coming.node, coming.items, coming.count
    while count[0] > 0 and node[items[0]].key <= until:
        f = items[0]
        heap_drop(f, node, items, count)
        if work.size[f] == 0.0:
            finish[f], t.phase[f] = begin[f], ENDED
            free_children(f, work, waiting, begin, finish, coming)
            continue
        came += 1
        t.clock[HERE] += 1
        if t.dark[f] == 0:
            _send(f, now, s, t, begin)
        else:
            t.phase[f], begin[f] = PARKED, np.inf
    return came


@kernel
def _settle_ended(gone, s, t, work, waiting, begin, finish, coming):
    """Note flows as ended, and let their children be the next to start."""
    for k in range(gone):
        f = t.ended[k]
        if t.phase[f] == SENDING:
            t.clock[BUSY] -= 1
        t.phase[f] = ENDED
        t.clock[HERE] -= 1
        free_children(f, work, waiting, begin, finish, coming)
    t.over[0] = 0


@kernel
def _run(s, c, t, due, coming, waiting, work, begin, finish, most_edges):
    """Go from event to event; returns how the run ended and how often bandwidth was shared anew."""
    epoch, now, fresh = 0, 0.0, True
    while t.clock[HERE] > 0 or coming.count[0] > 0:
        if t.clock[PASSED] > most_edges:
            return TOO_LONG, epoch
        next_start = coming.node[coming.items[0]].key if coming.count[0] > 0 else np.inf
        edge = _next_edge(c, t)
        hopeless = t.clock[BUSY] == 0 and (t.clock[IDLE] > c.edge.size or t.clock[SLOT] < 0)
        if t.clock[HERE] == 0 or hopeless:
            if next_start == np.inf:
                break
            if fresh or next_start >= edge:
                fresh = False
                _seek(max(next_start, now), s, c, t, work, begin, finish)
                edge = _next_edge(c, t)
            edge = np.inf if hopeless and c.cyclic == 0 else edge
        end = due.node[due.items[0]].key if due.count[0] > 0 else np.inf
        now = min(min(end, next_start), edge)
        until = now * (1.0 + work.tolerance)
        gone = end_flows(until, now, s, due, finish, t.ended)
        _settle_ended(gone, s, t, work, waiting, begin, finish, coming)
        if edge <= until:
            t.clock[QUIET] = 0 if gone > 0 else t.clock[QUIET]
            next_start = coming.node[coming.items[0]].key if coming.count[0] > 0 else np.inf
            now = _pass_edge(edge, next_start, s, c, t, work, begin, finish)
            until = now * (1.0 + work.tolerance)
            gone += t.over[0]
            _settle_ended(t.over[0], s, t, work, waiting, begin, finish, coming)
        came = _start_flows(now, until, s, t, work, waiting, begin, finish, coming)
        if gone + came > 0:
            t.clock[QUIET], t.clock[IDLE] = 0, 0
        if s.count[0] > 0 or s.queue.count[0] > 0:
            epoch += 1
            reshare(now, s)
            _look_ahead(now, s, t, due)
            if epoch % RESUM == 0:
                sum_afresh(now, s)
    book(now, c, t)
    return DONE, epoch


@kernel
def _work_view(w):
    """See what is to be done without counting references; its owner has to keep it alive."""
    return Work(
        borrowed(w.size), borrowed(w.start), borrowed(w.latency), borrowed(w.delay), borrowed(w.by_parent),
        borrowed(w.child), borrowed(w.heard), w.tolerance,
    )  # fmt: skip


@kernel
def run_over_circuits(indptr, links, c, work, most_edges, begin, finish, carried):
    """Run flows over circuits; fills when each begins to send, when its last byte is sent, and records.

    What never ends keeps a `finish` of NaN. Returns how the run ended, how often bandwidth was shared anew,
    how many edges of slots were passed, and what each flow was doing at the end.
    """
    flows, count = work.size.size, c.head.size
    recorded = int(carried.size > 0)
    s = new_state(indptr, links, np.zeros(0), np.ones(count), work.size, recorded)
    due, coming = heap_new(count), heap_new(flows)
    waiting = np.zeros(flows, np.int32)
    t = Story(
        np.zeros(count), np.zeros(count), np.zeros(count), np.zeros(count), np.zeros(flows, np.int32),
        np.zeros(flows, np.int8), np.zeros(flows), np.zeros(flows), np.empty(flows, np.int32),
        carried, np.zeros_like(carried), np.zeros(8, np.int64), np.zeros(1, np.int64),
    )  # fmt: skip
    for f in range(flows):
        t.dark[f] = indptr[f + 1] - indptr[f]
    for k in range(work.child.size):
        waiting[work.child[k]] += 1
    for f in range(flows):
        begin[f], finish[f] = work.start[f], np.nan
        if waiting[f] == 0:
            heap_set(f, begin[f], coming.node, coming.items, coming.count)
    t.clock[SLOT] = -1
    state, story, queues = s, t, (due, coming)
    s, due, coming = state_view(state), heap_view(due), heap_view(coming)
    c, t, work = circuits_view(c), story_view(story), _work_view(work)
    start, end = borrowed(begin), borrowed(finish)
    how, epochs = _run(s, c, t, due, coming, borrowed(waiting), work, start, end, most_edges)
    # Used once more, so that what the views saw lives until here.
    state.count[0], queues[0].count[0], queues[1].count[0], waiting[:0] = 0, 0, 0, 0
    return how, epochs, story.clock[PASSED], story.phase
