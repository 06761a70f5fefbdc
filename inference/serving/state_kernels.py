"""State of a serving run, and what its kernels share: heap of events, queues, clocks, times of passes."""

from typing import NamedTuple

import numpy as np

from topo_sim.base.jit import borrowed, inlined, kernel

__all__ = ["EVENT", "INSTANCE", "OUTAGE", "PHASES", "QUEUE", "REQUEST", "RUN", "ServingState"]

# Where a request is. KV lies at `home` in prefill and decode, at `source` in handover and transfer.
PHASES = ("to come", "waiting", "prefill", "handover", "transfer", "decode", "finished", "refused")
TO_COME, WAITING, FILLING, HANDOVER, TRANSFER, DECODING, FINISHED, REFUSED = range(len(PHASES))
BOTH, PREFILL, DECODE = range(3)  # what an instance does
PASS_ENDS, TRANSFER_ENDS = range(2)
PER_OCTAVE, LEAST_OCTAVE, OCTAVES = 256, -30, 52  # bins of gaps between tokens, from 2^-30 s on


_REQUEST_TIMES = "arrival first last finish longest_gap"  # first and last token sent so far
_REQUEST_COUNTS = (
    "prompt output made phase",  # tokens, those sent, and where it is
    "home source",  # instance that has it in its queue or batch; prefill instance that holds its KV
    "held kept charged",  # blocks at home and at the source, tokens that it counts in the load of its home
    "target done take",  # tokens to prefill, those that are, and those of this pass; take -1 to decode
    "after restarts preempted",  # the next in its queue; how often its KV was lost, and given up
)
_INSTANCE_TIMES = "began sends_until receives_until busy_time"
_INSTANCE_COUNTS = (
    "role up busy listed blocks free margin",  # margin: blocks that letting in leaves free
    "load count in_pass incoming",  # of the batch so many are in the pass under way
)
_RUN_TIMES = "now horizon bin_width kv_bytes gap_sum"
_RUN_COUNTS = (
    "chunk block most_tokens most_batch reserve round_robin first_decode split",
    "arrived outage heap sequence todo_head todo_tail events passes active warmup",
)


def _record(times: str, *counts: str) -> np.dtype[np.void]:
    numbers = [(name, "f8") for name in times.split()]
    return np.dtype(numbers + [(name, "i8") for text in counts for name in text.split()])


REQUEST = _record(_REQUEST_TIMES, *_REQUEST_COUNTS)
INSTANCE = _record(_INSTANCE_TIMES, *_INSTANCE_COUNTS)
QUEUE = _record("", "head tail turn")
OUTAGE = _record("time", "instance up")
EVENT = _record("time", "sequence kind item")
RUN = _record(_RUN_TIMES, *_RUN_COUNTS)


class ServingState(NamedTuple):
    """Arrays of one run; the kernel changes them."""

    request: np.ndarray  # one REQUEST each, by arrival
    instance: np.ndarray  # one INSTANCE each, by pool
    members: np.ndarray  # (instances, most of a batch) requests of its batch, oldest first
    queue: np.ndarray  # QUEUE of each instance, and of two pools for when nothing of them is up
    outage: np.ndarray  # OUTAGE each, by time
    heap: np.ndarray  # EVENT each: all that is to come but arrivals and outages
    todo: np.ndarray  # instances to look at before the next event
    tokens: np.ndarray  # grids and times of passes, one layer per pool
    lengths: np.ndarray
    prefill: np.ndarray
    batches: np.ndarray
    contexts: np.ndarray
    decode: np.ndarray
    links: np.ndarray  # (2, prefill, decode instances): B/s, s
    run: np.ndarray  # one RUN: numbers, and what is counted
    in_phase: np.ndarray  # requests in each phase
    areas: np.ndarray  # (bins, phases) time-integral of requests in each
    sent: np.ndarray  # tokens per bin
    gaps: np.ndarray  # gaps between tokens by size
    batch_counts: np.ndarray  # (pools, sizes) decode passes


@inlined
def advance(s, now):
    """Move the clock, and integrate how many requests are where; the last bin takes what comes after."""
    width, bins = s.run[0].bin_width, s.areas.shape[0]
    at = s.run[0].now
    while at < now:
        b = min(int(at / width), bins - 1)
        end = now if b == bins - 1 else min(now, (b + 1) * width)
        if end <= at:  # rounding put the border of a bin on its wrong side
            b, end = b + 1, min(now, (b + 2) * width)
        for phase in range(WAITING, FINISHED):
            s.areas[b, phase] += s.in_phase[phase] * (end - at)
        at = end
    s.run[0].now = now


@inlined
def move(s, r, phase):
    s.in_phase[s.request[r].phase] -= 1
    s.in_phase[phase] += 1
    s.request[r].phase = phase


@inlined
def _before(s, a, b):
    if s.heap[a].time != s.heap[b].time:
        return s.heap[a].time < s.heap[b].time
    return s.heap[a].sequence < s.heap[b].sequence


@inlined
def _swap(s, a, b):
    s.heap[a].time, s.heap[b].time = s.heap[b].time, s.heap[a].time
    s.heap[a].sequence, s.heap[b].sequence = s.heap[b].sequence, s.heap[a].sequence
    s.heap[a].kind, s.heap[b].kind = s.heap[b].kind, s.heap[a].kind
    s.heap[a].item, s.heap[b].item = s.heap[b].item, s.heap[a].item


@inlined
def _rise(s, i):
    while i > 0 and _before(s, i, (i - 1) // 2):
        _swap(s, i, (i - 1) // 2)
        i = (i - 1) // 2


@inlined
def push(s, time, kind, item):
    """Add an event; of two at one time the one that was added first comes first."""
    i = s.run[0].heap
    s.heap[i].time, s.heap[i].sequence = time, s.run[0].sequence
    s.heap[i].kind, s.heap[i].item = kind, item
    s.run[0].heap += 1
    s.run[0].sequence += 1
    _rise(s, i)


@inlined
def pop(s):
    """Take the first event off the heap: its kind and its item."""
    kind, item = s.heap[0].kind, s.heap[0].item
    s.run[0].heap -= 1
    n, i = s.run[0].heap, 0
    _swap(s, 0, n)
    while True:
        child = 2 * i + 1
        if child >= n:
            break
        if child + 1 < n and _before(s, child + 1, child):
            child += 1
        if not _before(s, child, i):
            break
        _swap(s, i, child)
        i = child
    return kind, item


@inlined
def forget(s, instance):
    """Take the events of an instance off the heap: its pass, and transfers from it and to it."""
    n, s.run[0].heap = s.run[0].heap, 0
    for i in range(n):
        kind, item = s.heap[i].kind, s.heap[i].item
        if kind == PASS_ENDS:
            gone = item == instance
        else:
            gone = s.request[item].home == instance or s.request[item].source == instance
        if not gone:
            k = s.run[0].heap
            _swap(s, k, i)
            s.run[0].heap += 1
            _rise(s, k)


@inlined
def enqueue(s, queue, r):
    s.request[r].after = -1
    if s.queue[queue].head < 0:
        s.queue[queue].head = r
    else:
        s.request[s.queue[queue].tail].after = r
    s.queue[queue].tail = r


@inlined
def enqueue_first(s, queue, r):
    s.request[r].after = s.queue[queue].head
    s.queue[queue].head = r
    if s.request[r].after < 0:
        s.queue[queue].tail = r


@inlined
def dequeue(s, queue):
    r = s.queue[queue].head
    s.queue[queue].head = s.request[r].after
    return r


@inlined
def drop(s, queue, r):
    """Take a request out of the middle of a queue."""
    before, at = -1, s.queue[queue].head
    while at != r:
        before, at = at, s.request[at].after
    if before < 0:
        s.queue[queue].head = s.request[r].after
    else:
        s.request[before].after = s.request[r].after
    if s.queue[queue].tail == r:
        s.queue[queue].tail = before


@inlined
def poke(s, instance):
    """List an instance to be looked at before the next event."""
    if s.instance[instance].listed == 0:
        s.instance[instance].listed = 1
        s.todo[s.run[0].todo_tail % s.todo.shape[0]] = instance
        s.run[0].todo_tail += 1


@inlined
def _cell(grid, x):
    """Find the cell of a grid that holds x: its index, and how far into it; below the grid the first."""
    n = grid.shape[0]
    if n == 1 or x <= grid[0]:
        return 0, 0.0
    low, high = 0, n - 2
    while low < high:
        middle = (low + high + 1) // 2
        if grid[middle] <= x:
            low = middle
        else:
            high = middle - 1
    return low, (x - grid[low]) / (grid[low + 1] - grid[low])


@kernel
def read_table(xs, ys, table, x, y):
    """Interpolate between the four points around; beyond the last ones, go on in a straight line."""
    i, u = _cell(xs, x)
    j, v = _cell(ys, y)
    i1, j1 = min(i + 1, xs.shape[0] - 1), min(j + 1, ys.shape[0] - 1)
    low = table[i, j] + u * (table[i1, j] - table[i, j])
    if v == 0.0:
        return low
    high = table[i, j1] + u * (table[i1, j1] - table[i, j1])
    return low + v * (high - low)


@inlined
def prefill_time(s, pool, tokens, squares):
    """Time a pass over so many new tokens, from the sum of squares of its prompts."""
    return read_table(s.tokens, s.lengths, s.prefill[pool], tokens, squares / tokens)


@inlined
def decode_time(s, pool, batch, positions):
    return read_table(s.batches, s.contexts, s.decode[pool], batch, positions / batch)


@inlined
def pass_time(s, pool, tokens, squares, longest, batch, positions):
    """Time a pass of prompts, of decoding, or of both at once.

    Matrices see all tokens; the attention of decoding is what its positions add to an empty cache. No pass is
    shorter than its decoding, or than its longest whole prompt, alone.
    """
    if tokens == 0:
        return decode_time(s, pool, batch, positions)
    time = prefill_time(s, pool, tokens, squares)
    if longest > 0:
        time = max(time, prefill_time(s, pool, longest, longest * longest))
    if batch == 0:
        return time
    alone = decode_time(s, pool, batch, positions)
    empty = decode_time(s, pool, batch, batch * s.contexts[0])
    both = prefill_time(s, pool, tokens + batch, squares) + (alone - empty)
    return max(time, max(alone, both))


@inlined
def borrow(s):
    """See the state without counting references: short kernels pass it on at every event."""
    return ServingState(
        borrowed(s.request),
        borrowed(s.instance),
        borrowed(s.members),
        borrowed(s.queue),
        borrowed(s.outage),
        borrowed(s.heap),
        borrowed(s.todo),
        borrowed(s.tokens),
        borrowed(s.lengths),
        borrowed(s.prefill),
        borrowed(s.batches),
        borrowed(s.contexts),
        borrowed(s.decode),
        borrowed(s.links),
        borrowed(s.run),
        borrowed(s.in_phase),
        borrowed(s.areas),
        borrowed(s.sent),
        borrowed(s.gaps),
        borrowed(s.batch_counts),
    )
