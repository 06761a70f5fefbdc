"""The compiled event loop: flows start when they are due and their parents have ended, share, and end.

Edits across files go unnoticed by the on-disk cache of compiled code: clear it (tests use a fresh one) after
editing heap_kernels.py, state_kernels.py or reshare_kernels.py. Parts of this
loop serve `optics/circuit_kernels.py`, too.
"""

from collections import namedtuple

import numpy as np

from topo_sim.base.jit import borrowed, kernel
from topo_sim.topo.flow.heap_kernels import heap_drop, heap_new, heap_set, heap_view
from topo_sim.topo.flow.reshare_kernels import arrive, depart, reshare
from topo_sim.topo.flow.state_kernels import new_state, state_view, sum_afresh

__all__ = ["Work", "end_flows", "free_children", "next_end", "run_flows"]

# The sums that links keep are made afresh after so many events, against the drift of rounding.
RESUM = 4096
# No bin of time is narrower, s.
TINY = 1e-300

# What a run is given: per flow bytes, start, latency after the last byte, what must pass between its last
# parent and its start, and its children (`child` from `by_parent` on; `heard`: 1 if a child waits for the
# arrival, 0 if for the last byte to be sent); a tolerance, relative to the time.
Work = namedtuple("Work", "size start latency delay by_parent child heard tolerance")
# What links have carried: per bin of `width[0]` s and link, bytes; the rate on each link since `since`.
Trace = namedtuple("Trace", "carried width rate since")


@kernel
def next_end(number, s, due):
    """Say when the next flow of the group of a link ends."""
    on, more = s.link[number], s.more[number]
    if more.many > 0:
        left = s.flow[s.group[more.begin]].target - more.grown
        heap_set(number, more.since + max(left, 0.0) / on.level, due.node, due.items, due.count)
    else:
        heap_drop(number, due.node, due.items, due.count)


@kernel
def _look_ahead(now, s, due, trace):
    """Say of each touched link when the next flow of its group ends; book what it has carried so far."""
    for i in range(s.count[0]):
        number = s.touched[i]
        on = s.link[number]
        next_end(number, s, due)
        if trace.width.size > 0:
            _book(number, now, trace)
            trace.rate[number] = on.others + (on.claim * on.level if s.more[number].many > 0 else 0.0)
    s.count[0] = 0
    s.count[1] += 1


@kernel
def _book(link, now, trace):
    """Put what a link has carried since it was last looked at into the bins of time."""
    if now == 0.0:
        return
    if trace.width[0] == 0.0:
        trace.width[0] = max(now / trace.carried.shape[0], TINY)
    while trace.width[0] * trace.carried.shape[0] < now:  # bins grow twice as wide: join neighbours
        for b in range(trace.carried.shape[0]):
            for other in range(trace.rate.size):
                amount = trace.carried[b, other]
                trace.carried[b, other] = 0.0
                trace.carried[b // 2, other] += amount
        trace.width[0] *= 2.0
    width, begin = trace.width[0], trace.since[link]
    trace.since[link] = now
    if trace.rate[link] <= 0.0:
        return
    b = min(int(begin / width), trace.carried.shape[0] - 1)
    while begin < now:
        end = min(now, (b + 1) * width) if b + 1 < trace.carried.shape[0] else now
        trace.carried[b, link] += trace.rate[link] * max(end - begin, 0.0)
        begin = end
        b += 1


@kernel
def end_flows(until, now, s, due, finish, ended):
    """End the flows that are due; returns how many, listed in `ended`."""
    gone, node, items, count = 0, due.node, due.items, due.count
    while count[0] > 0 and node[items[0]].key <= until:
        number = items[0]
        f = s.group[s.more[number].begin]
        finish[f] = node[number].key
        ended[gone] = f
        gone += 1
        depart(f, now, s)
        next_end(number, s, due)
    return gone


@kernel
def free_children(f, work, waiting, begin, finish, coming):
    """Let the flows that waited for f alone be the next to start."""
    if work.child.size == 0:
        return
    for k in range(work.by_parent[f], work.by_parent[f + 1]):
        child = work.child[k]
        waiting[child] -= 1
        wait = work.latency[f] * work.heard[k] + work.delay[child]
        begin[child] = max(begin[child], finish[f] + wait)
        if waiting[child] == 0:
            heap_set(child, begin[child], coming.node, coming.items, coming.count)


@kernel
def _start_flows(now, until, s, work, waiting, begin, finish, coming):
    """Start the flows that are due; returns how many now run. Those without bytes or links end at once."""
    running, node, items, count = 0, coming.node, coming.items, coming.count
    while count[0] > 0 and node[items[0]].key <= until:
        f = items[0]
        heap_drop(f, node, items, count)
        if work.size[f] > 0.0 and s.indptr[f + 1] > s.indptr[f]:
            begin[f] = now
            arrive(f, s)
            running += 1
        else:
            finish[f] = begin[f]
            free_children(f, work, waiting, begin, finish, coming)
    return running


@kernel
def _run(s, due, coming, waiting, ended, work, trace, begin, finish):
    """Go from event to event; returns how many there were (-1: time overflowed) and the links visited."""
    epoch, settled = 0, 0
    while due.count[0] > 0 or coming.count[0] > 0:
        now = due.node[due.items[0]].key if due.count[0] > 0 else np.inf
        if coming.count[0] > 0:
            now = min(now, coming.node[coming.items[0]].key)
        if not now < np.inf:
            return -1, settled
        until = now * (1.0 + work.tolerance)
        gone = end_flows(until, now, s, due, finish, ended)
        for i in range(gone):
            free_children(ended[i], work, waiting, begin, finish, coming)
        came = _start_flows(now, until, s, work, waiting, begin, finish, coming)
        if gone + came > 0:
            epoch += 1
            settled += reshare(now, s)
            _look_ahead(now, s, due, trace)
            if epoch % RESUM == 0:
                sum_afresh(now, s)
    return epoch, settled


@kernel
def run_flows(indptr, links, share, capacity, work, trace, begin, finish):
    """Run flows to their ends; fills `begin` and `finish` with the times of their first and last bytes, s.

    All capacities must be finite. Events within the tolerance (relative to the time) of the next one count
    as simultaneous. Flows that wait for each other in a circle never start: their `finish` stays NaN.
    Returns how often bandwidth was shared anew (-1: a time overflowed) and how many links were visited.
    """
    state = new_state(indptr, links, share, capacity, work.size, int(trace.width.size > 0))
    due, coming = heap_new(capacity.size), heap_new(work.size.size)
    waiting, ended = np.zeros(work.size.size, np.int32), np.empty(work.size.size, np.int32)
    for k in range(work.child.size):
        waiting[work.child[k]] += 1
    for f in range(work.size.size):
        begin[f], finish[f] = work.start[f], np.nan
        if waiting[f] == 0:
            heap_set(f, begin[f], coming.node, coming.items, coming.count)
    work = Work(
        borrowed(work.size), borrowed(work.start), borrowed(work.latency), borrowed(work.delay),
        borrowed(work.by_parent), borrowed(work.child), borrowed(work.heard), work.tolerance,
    )  # fmt: skip
    events, settled = _run(
        state_view(state), heap_view(due), heap_view(coming), borrowed(waiting), borrowed(ended), work,
        trace, borrowed(begin), borrowed(finish),
    )  # fmt: skip
    # Used once more, so that what the views saw lives until here.
    state.count[0], due.count[0], coming.count[0], waiting[:0], ended[:0] = 0, 0, 0, 0, 0
    return events, settled
