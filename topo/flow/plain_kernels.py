"""Compiled water-filling for the common case: whole flows of equal weight.

Two ways that are exact both, for two kinds of problem. Where links carry few flows, most links are the
tightest one for all their flows at once, and a few rounds over all flows settle them (`_round`). Where
links carry many, links must be taken one by one, lowest level first (`_fill`).
"""

import numpy as np

from topo_sim.base.jit import kernel

__all__ = ["plain_rates"]

# A round must settle this share of the flows for another one to be worth it; rounds are not even
# tried where links carry more flows than this on average.
WORTH_A_ROUND = 0.2
CROWDED = 16.0


@kernel
def _sift_down(key, link, size, i):
    """Restore the heap of (key, link) below position i."""
    low_key, low_link = key[i], link[i]
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        if child + 1 < size and key[child + 1] < key[child]:
            child += 1
        if key[child] >= low_key:
            break
        key[i], link[i] = key[child], link[child]
        i = child
    key[i], link[i] = low_key, low_link


@kernel
def _round(indptr, links, left, users, active, count, low, level, slack, rate, tight):
    """Fix the flows on every link whose level is the lowest on all paths that cross it.

    Levels only rise as flows are fixed, so such a link is a bottleneck of all its flows now. Returns
    how many flows of `active` remain, moved to its front.
    """
    for link in range(level.size):
        level[link] = max(left[link], 0.0) / users[link] if users[link] > 0 else np.inf
        slack[link] = 0
    for i in range(count):
        first, last = indptr[active[i]], indptr[active[i] + 1]
        least = np.inf
        for e in range(first, last):
            least = min(least, level[links[e]])
        low[i] = least
        for e in range(first, last):
            if level[links[e]] > least:
                slack[links[e]] = 1
    kept = 0
    for i in range(count):
        f = active[i]
        first, last = indptr[f], indptr[f + 1]
        held = low[i] == np.inf
        for e in range(first, last):
            if slack[links[e]] == 0 and level[links[e]] < np.inf:
                held = True
                tight[f] = links[e]
                break
        if held:
            rate[f] = low[i]
            for e in range(first, last):
                left[links[e]] -= low[i]
                users[links[e]] -= 1
        else:
            active[kept] = f
            kept += 1
    return kept


@kernel
def _pack(indptr, links, active, count, idle):
    """Copy the rows of the active flows; to equal length if that wastes little, with `idle` as filler.

    Returns the rows, their starts (empty if of equal length) and their length (0 if not equal).
    """
    widest, entries = 0, 0
    for i in range(count):
        width = indptr[active[i] + 1] - indptr[active[i]]
        widest = max(widest, width)
        entries += width
    stride = widest if widest * count < 1.4 * entries else 0
    rows = np.empty(stride * count if stride > 0 else entries, np.int32)
    begin = np.empty(0 if stride > 0 else count + 1, np.int64)
    used = 0
    for i in range(count):
        if stride == 0:
            begin[i] = used
        for e in range(indptr[active[i]], indptr[active[i] + 1]):
            rows[used] = links[e]
            used += 1
        while stride > 0 and used < (i + 1) * stride:
            rows[used] = idle
            used += 1
    if stride == 0:
        begin[count] = used
    return rows, begin, stride


@kernel
def _rows_by_link(rows, begin, stride, count, state, width):
    """Flows of each link, from rows as `_pack` makes them."""
    by_link = np.zeros(width + 1, np.int64)
    for link in range(width):
        by_link[link + 1] = by_link[link] + np.int64(state[2 * link + 1])
    place = by_link[:width].copy()
    flows = np.empty(by_link[width], np.int32)
    for i in range(count):
        first = i * stride if stride > 0 else begin[i]
        last = first + stride if stride > 0 else begin[i + 1]
        for e in range(first, last):
            link = rows[e]
            if link < width:
                flows[place[link]] = i
                place[link] += 1
    return by_link, flows


@kernel
def _bucket(left, users, scale, buckets):
    """Bucket of a link by its users per capacity left: the more, the lower its level, the sooner."""
    if left <= 0.0:
        return 0
    return min(max(int(buckets - users / left * scale), 0), buckets - 1)


@kernel
def _queue(state, buckets):
    """Sort links into buckets of falling users per capacity; returns heads, nexts and the scale."""
    width = state.size // 2 - 1
    highest = 0.0
    for link in range(width):
        if state[2 * link] > 0.0:
            highest = max(highest, state[2 * link + 1] / state[2 * link])
    scale = buckets / highest if highest > 0.0 else 0.0
    head, after = np.full(buckets, -1, np.int32), np.empty(width, np.int32)
    for link in range(width):
        if state[2 * link + 1] > 0.0 and state[2 * link] < np.inf:
            b = _bucket(state[2 * link], state[2 * link + 1], scale, buckets)
            after[link], head[b] = head[b], link
    return head, after, scale


@kernel
def _fix_flows(link, now, rows, begin, stride, active, state, by_link, flows, fixed, rate, tight):
    """Give the flows on a link that have no rate yet the rate `now`."""
    for j in range(by_link[link], by_link[link + 1]):
        i = flows[j]
        if fixed[i] == 0:
            fixed[i] = 1
            rate[active[i]], tight[active[i]] = now, link
            first = i * stride if stride > 0 else begin[i]
            last = first + stride if stride > 0 else begin[i + 1]
            for e in range(first, last):
                state[2 * rows[e]] -= now
                state[2 * rows[e] + 1] -= 1.0


@kernel
def _fill(rows, begin, stride, active, count, state, rate, tight):
    """Fill links one by one, lowest level first; `state` holds (left, users) per link.

    A link's capacity left and its users lie side by side, and rows at a computed place, so that fixing
    a flow touches few lines of memory. Links wait in buckets; only those of the current bucket are in a
    heap, and one whose level has risen past it moves on without being sifted.
    """
    width = state.size // 2 - 1
    by_link, flows = _rows_by_link(rows, begin, stride, count, state, width)
    fixed = np.zeros(count, np.uint8)
    buckets = width // 4 + 1
    head, after, scale = _queue(state, buckets)
    key, heap = np.empty(width), np.empty(width, np.int32)
    for b in range(buckets):
        size, link = 0, head[b]
        while link >= 0:
            later = after[link]
            if state[2 * link + 1] > 0.0:
                to = _bucket(state[2 * link], state[2 * link + 1], scale, buckets)
                if to > b:
                    after[link], head[to] = head[to], link
                else:
                    key[size], heap[size] = max(state[2 * link], 0.0) / state[2 * link + 1], link
                    size += 1
            link = later
        for i in range(size // 2 - 1, -1, -1):
            _sift_down(key, heap, size, i)
        while size > 0:
            link = heap[0]
            if state[2 * link + 1] > 0.0:
                now = state[2 * link] / state[2 * link + 1]
                if now > key[0]:
                    to = _bucket(state[2 * link], state[2 * link + 1], scale, buckets)
                    if to <= b:
                        key[0] = now
                        _sift_down(key, heap, size, 0)
                        continue
                    after[link], head[to] = head[to], link
                else:
                    _fix_flows(
                        link, key[0], rows, begin, stride, active, state, by_link, flows, fixed, rate, tight
                    )
            size -= 1
            key[0], heap[0] = key[size], heap[size]
            if size > 0:
                _sift_down(key, heap, size, 0)
    for i in range(count):
        if fixed[i] == 0:
            rate[active[i]] = np.inf


@kernel
def plain_rates(indptr, links, capacity, rate, tight):
    """Max-min rates of whole flows of equal weight; fills `rate`, and `tight` with a bottleneck of each.

    A flow that crosses no limited link gets an infinite rate and -1.
    """
    width, count = capacity.size, 0
    users, used = np.zeros(width, np.int32), 0
    for e in range(links.size):
        users[links[e]] += 1
    for link in range(width):
        used += users[link] > 0
    left = capacity.copy()
    active = np.empty(indptr.size - 1, np.int32)
    for f in range(indptr.size - 1):
        rate[f], tight[f] = np.inf, -1
        if indptr[f + 1] > indptr[f]:
            active[count] = f
            count += 1
    if links.size < CROWDED * used:
        low, level, slack = np.empty(count), np.empty(width), np.empty(width, np.uint8)
        while count > 0:
            kept = _round(indptr, links, left, users, active, count, low, level, slack, rate, tight)
            settled = count - kept
            count = kept
            if settled < WORTH_A_ROUND * count:
                break
    if count == 0:
        return
    rows, begin, stride = _pack(indptr, links, active, count, width)
    state = np.zeros(2 * width + 2)
    for link in range(width):
        state[2 * link], state[2 * link + 1] = left[link], users[link]
    _fill(rows, begin, stride, active, count, state, rate, tight)
