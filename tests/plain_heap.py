"""The bar for speed: the plain lazy heap, and the plain event loop around it, compiled and nothing more.

This is what one writes first, and what a good engine must leave behind: a heap of links keyed by what
each leaves per flow. Keys only grow as flows are fixed, so a key that is out of date when it is popped
is put back. Exact for whole flows of equal weight; 64-bit indices, and the rows by link are made inside,
as part of the work.
"""

import heapq

import numpy as np
from numba import njit

__all__ = ["plain_completion", "plain_max_min"]


@njit(cache=True, nogil=True)
def plain_max_min(indptr, links, capacity):
    """Max-min rates of flows that each cross a link; flow f crosses ``links[indptr[f]:indptr[f + 1]]``."""
    flows, width = indptr.size - 1, capacity.size
    users = np.zeros(width, np.int64)
    for e in range(links.size):
        users[links[e]] += 1
    by_link = np.zeros(width + 1, np.int64)
    for link in range(width):
        by_link[link + 1] = by_link[link] + users[link]
    place, crossing = by_link[:-1].copy(), np.empty(links.size, np.int64)
    for f in range(flows):
        for e in range(indptr[f], indptr[f + 1]):
            crossing[place[links[e]]] = f
            place[links[e]] += 1
    left, rate = capacity.copy(), np.full(flows, -1.0)
    heap = [(left[link] / users[link], link) for link in range(width) if users[link] > 0]
    heapq.heapify(heap)
    while heap:
        key, link = heapq.heappop(heap)
        if users[link] == 0:
            continue
        now = left[link] / users[link]
        if now > key:
            heapq.heappush(heap, (now, link))
            continue
        for i in range(by_link[link], by_link[link + 1]):
            f = crossing[i]
            if rate[f] < 0:
                rate[f] = now
                for e in range(indptr[f], indptr[f + 1]):
                    left[links[e]] -= now
                    users[links[e]] -= 1
    return rate


@njit(cache=True, nogil=True)
def plain_completion(indptr, links, capacity, size, tolerance, most_events):
    """Finish times of flows that start together: share, go on to the next end, share all again.

    Stops after `most_events` ends (0: never); flows still running then have no finish time (infinite).
    Returns the finish times and the number of events.
    """
    flows = size.size
    remaining, finish = size.copy(), np.full(flows, np.inf)
    active = np.arange(flows)
    now, events = 0.0, 0
    while active.size > 0 and (most_events == 0 or events < most_events):
        begin = np.zeros(active.size + 1, np.int64)
        for i in range(active.size):
            begin[i + 1] = begin[i] + indptr[active[i] + 1] - indptr[active[i]]
        rows = np.empty(begin[-1], np.int64)
        for i in range(active.size):
            for j in range(begin[i + 1] - begin[i]):
                rows[begin[i] + j] = links[indptr[active[i]] + j]
        rate = plain_max_min(begin, rows, capacity)
        step = np.inf
        for i in range(active.size):
            step = min(step, remaining[active[i]] / rate[i])
        until, kept = now + step, 0
        for i in range(active.size):
            f = active[i]
            if now + remaining[f] / rate[i] <= until * (1.0 + tolerance):
                finish[f] = until
            else:
                remaining[f] -= rate[i] * step
                active[kept] = f
                kept += 1
        active, now = active[:kept].copy(), until
        events += 1
    return finish, events
