"""The serving run from event to event: arrivals, passes, transfers of KV, failures.

It calls `batch_kernels.py` and `state_kernels.py`: clear the cache of compiled code after editing those.
"""

import numpy as np

from topo_sim.base.jit import inlined, kernel
from topo_sim.inference.serving.batch_kernels import (
    assign,
    blocks_for,
    fill_chunks,
    fill_whole,
    fits,
    grow,
    need_of,
)
from topo_sim.inference.serving.state_kernels import (
    BOTH,
    DECODE,
    DECODING,
    FILLING,
    FINISHED,
    HANDOVER,
    LEAST_OCTAVE,
    PASS_ENDS,
    PER_OCTAVE,
    PREFILL,
    REFUSED,
    TRANSFER,
    TRANSFER_ENDS,
    WAITING,
    advance,
    borrow,
    dequeue,
    drop,
    forget,
    move,
    pass_time,
    poke,
    pop,
    push,
)

__all__ = ["serve"]


@inlined
def _pool_of(s, instance):
    return 1 if s.run[0].split == 1 and instance >= s.run[0].first_decode else 0


@kernel
def _arrive(s, r):
    s.run[0].active += 1
    most = s.instance[0].blocks
    if s.run[0].split == 1:
        most = min(most, s.instance[s.run[0].first_decode].blocks)
    if blocks_for(s, s.request[r].prompt + s.request[r].output) > most:
        s.run[0].active -= 1
        move(s, r, REFUSED)
    else:
        assign(s, r, 0, WAITING)


@inlined
def _start(s, i):
    """Begin the next pass of an instance, if there is work."""
    if s.instance[i].up == 0 or s.instance[i].busy == 1:
        return
    tokens, squares, longest, batch, positions = 0, 0.0, 0, 0, 0
    whole = s.instance[i].role == PREFILL or (s.instance[i].role == BOTH and s.run[0].chunk == 0)
    if whole and s.queue[i].head >= 0:
        tokens, squares, longest = fill_whole(s, i)
    if s.instance[i].role != PREFILL and tokens == 0:
        batch, positions = grow(s, i)
        if s.instance[i].role == BOTH and s.run[0].chunk > 0:
            tokens, squares = fill_chunks(s, i, s.run[0].chunk - batch)
    if tokens + batch == 0:
        return
    pool = _pool_of(s, i)
    s.instance[i].busy, s.instance[i].began, s.instance[i].in_pass = 1, s.run[0].now, s.instance[i].count
    s.run[0].passes += 1
    if batch > 0:
        s.batch_counts[pool, batch] += 1
    time = pass_time(s, pool, tokens, squares, longest, batch, positions)
    push(s, s.run[0].now + time, PASS_ENDS, i)


@kernel
def _send(s, j):
    """Begin the transfers that a decode instance has room for; one at a time at either end."""
    while s.queue[j].head >= 0 and s.instance[j].count + s.instance[j].incoming < s.run[0].most_batch:
        r = s.queue[j].head
        need, i = need_of(s, j, r), s.request[r].source
        if not fits(s, j, need):
            return
        dequeue(s, j)
        s.instance[j].free -= need
        s.request[r].held = need
        s.instance[j].incoming += 1
        move(s, r, TRANSFER)
        k = j - s.run[0].first_decode
        size = s.run[0].kv_bytes * (s.request[r].prompt + s.request[r].made - 1)
        begin = max(s.run[0].now, max(s.instance[i].sends_until, s.instance[j].receives_until))
        end = begin + size / s.links[0, i, k]
        s.instance[i].sends_until, s.instance[j].receives_until = end, end
        push(s, end + s.links[1, i, k], TRANSFER_ENDS, r)


@kernel
def _receive(s, r):
    i, j = s.request[r].source, s.request[r].home
    s.instance[i].free += s.request[r].kept
    s.request[r].kept, s.request[r].source = 0, -1
    s.instance[j].incoming -= 1
    s.members[j, s.instance[j].count] = r
    s.instance[j].count += 1
    move(s, r, DECODING)
    poke(s, i)
    poke(s, j)


@inlined
def _bin(s):
    return min(int(s.run[0].now / s.run[0].bin_width), s.sent.shape[0] - 1)


@inlined
def _token(s, r, b):
    """Send a token of an answer; return whether it was the last."""
    now = s.run[0].now
    s.sent[b] += 1
    s.request[r].made += 1
    if s.request[r].made == 1:
        s.request[r].first = now
    else:
        gap = now - s.request[r].last
        s.request[r].longest_gap = max(s.request[r].longest_gap, gap)
        if r >= s.run[0].warmup:
            s.run[0].gap_sum += gap
            place = int((np.log2(gap) - LEAST_OCTAVE) * PER_OCTAVE) if gap > 0.0 else 0
            s.gaps[min(max(place, 0), s.gaps.shape[0] - 1)] += 1
    s.request[r].last = now
    return s.request[r].made == s.request[r].output


@kernel
def _leave(s, i, r):
    """End a request's stay in a batch: it is finished, or goes to the other pool with its KV kept here."""
    s.instance[i].load -= s.request[r].charged
    if s.request[r].made == s.request[r].output:
        s.instance[i].free += s.request[r].held
        s.request[r].held = 0
        s.request[r].finish = s.run[0].now
        s.run[0].active -= 1
        move(s, r, FINISHED)
    else:
        s.request[r].kept, s.request[r].held, s.request[r].source = s.request[r].held, 0, i
        assign(s, r, 1, HANDOVER)


@inlined
def _end_pass(s, i):
    s.instance[i].busy = 0
    s.instance[i].busy_time += s.run[0].now - s.instance[i].began
    b, stay = _bin(s), 0
    for k in range(s.instance[i].count):
        r = s.members[i, k]
        leaves = False
        if k < s.instance[i].in_pass and s.request[r].take != 0:
            prefilled = False
            if s.request[r].take > 0:
                s.request[r].done += s.request[r].take
                prefilled = s.request[r].done == s.request[r].target
            if s.request[r].take < 0 or prefilled:
                leaves = _token(s, r, b) or s.instance[i].role == PREFILL
                if prefilled and not leaves:
                    move(s, r, DECODING)
        if leaves:
            _leave(s, i, r)
        else:
            s.members[i, stay] = r
            stay += 1
    s.instance[i].count = stay
    poke(s, i)


@inlined
def _lose(s, r):
    """Start a request over whose KV is gone; the tokens that were sent stay sent."""
    s.request[r].restarts += 1
    s.request[r].held, s.request[r].kept, s.request[r].source = 0, 0, -1
    assign(s, r, 0, WAITING)


@kernel
def _fail(s, i):
    """Stop an instance: requests whose KV it holds start over, others in its queue go elsewhere."""
    s.instance[i].up = 0
    if s.instance[i].busy == 1:
        s.instance[i].busy = 0
        s.instance[i].busy_time += s.run[0].now - s.instance[i].began
    forget(s, i)
    s.queue[i].head, s.queue[i].tail = -1, -1
    s.instance[i].count, s.instance[i].incoming, s.instance[i].load, s.instance[i].free = (
        0,
        0,
        0,
        s.instance[i].blocks,
    )
    s.instance[i].sends_until, s.instance[i].receives_until = 0.0, 0.0
    for r in range(s.run[0].arrived):
        phase, home = s.request[r].phase, s.request[r].home
        if phase == WAITING and home == i:
            assign(s, r, 0, WAITING)
        elif phase in (FILLING, DECODING) and home == i:
            _lose(s, r)
        elif phase in (HANDOVER, TRANSFER):
            if s.request[r].source == i:
                if home >= 0:
                    s.instance[home].load -= s.request[r].charged
                if phase == HANDOVER:
                    drop(s, home if home >= 0 else s.instance.shape[0] + 1, r)
                else:
                    s.instance[home].incoming -= 1
                    s.instance[home].free += s.request[r].held
                    poke(s, home)
                _lose(s, r)
            elif home == i:
                s.request[r].held = 0
                assign(s, r, 1, HANDOVER)


@kernel
def _revive(s, i):
    """Let an instance that was down serve again, first what waits for its pool."""
    s.instance[i].up = 1
    pool = _pool_of(s, i)
    queue = s.instance.shape[0] + pool
    while s.queue[queue].head >= 0:
        r = dequeue(s, queue)
        assign(s, r, pool, s.request[r].phase)
    poke(s, i)


@inlined
def _settle(s):
    """Look at every instance that is listed, in order."""
    while s.run[0].todo_head < s.run[0].todo_tail:
        i = s.todo[s.run[0].todo_head % s.todo.shape[0]]
        s.run[0].todo_head += 1
        s.instance[i].listed = 0
        if s.instance[i].role == DECODE and s.instance[i].up == 1 and s.queue[i].head >= 0:
            _send(s, i)
        _start(s, i)


@inlined
def _next(s):
    """Find the next event: its time, and whether it is an outage (0), an arrival (1) or of the heap (2)."""
    time, which = np.inf, -1
    if s.run[0].outage < s.outage.shape[0]:
        time, which = s.outage[s.run[0].outage].time, 0
    if s.run[0].arrived < s.request.shape[0] and s.request[s.run[0].arrived].arrival < time:
        time, which = s.request[s.run[0].arrived].arrival, 1
    if s.run[0].heap > 0 and s.heap[0].time < time:
        time, which = s.heap[0].time, 2
    return time, which


@kernel
def serve(state, most):
    """Run until all requests are served, the horizon is reached, or so many events are done.

    Parameters
    ----------
    state : ServingState
    most : int
        Events of this call.

    Returns
    -------
    bool
        Whether the run is at its end.
    """
    s = borrow(state)
    for _ in range(most):
        time, which = _next(s)
        if s.run[0].arrived == s.request.shape[0] and s.run[0].active == 0:
            return True
        if which < 0 or time > s.run[0].horizon:
            advance(s, s.run[0].horizon)
            return True
        advance(s, time)
        s.run[0].events += 1
        if which == 0:
            k = s.run[0].outage
            s.run[0].outage += 1
            if s.outage[k].up == 1:
                _revive(s, s.outage[k].instance)
            else:
                _fail(s, s.outage[k].instance)
        elif which == 1:
            s.run[0].arrived += 1
            _arrive(s, s.run[0].arrived - 1)
        else:
            kind, item = pop(s)
            if kind == PASS_ENDS:
                _end_pass(s, item)
            else:
                _receive(s, item)
        _settle(s)
    return False
