"""The compiled loops: walks over paths, water-filling, colour refinement.

They live in one file since the on-disk cache does not notice edits across files.
"""

import numpy as np

from topo_sim.base.jit import kernel

__all__ = [
    "add_rows",
    "all_touch",
    "count_distinct",
    "recolour_flows",
    "recolour_links",
    "sum_rows",
    "take_rows",
    "water_fill",
]


@kernel
def take_rows(indptr, links, share, rows, new_indptr, new_links, new_share):
    """Copy rows of paths, in the order given, into arrays laid out by `new_indptr`."""
    for i in range(rows.size):
        first, last = indptr[rows[i]], indptr[rows[i] + 1]
        new_links[new_indptr[i] : new_indptr[i + 1]] = links[first:last]
        if share.size > 0:
            new_share[new_indptr[i] : new_indptr[i + 1]] = share[first:last]


@kernel
def sum_rows(indptr, links, share, value, total):
    """Sum a value per link along each path."""
    for f in range(indptr.size - 1):
        along = 0.0
        for e in range(indptr[f], indptr[f + 1]):
            along += value[links[e]] * (share[e] if share.size > 0 else 1.0)
        total[f] = along


@kernel
def add_rows(indptr, links, share, amount, total):
    """Add an amount per flow to each of its links."""
    for f in range(indptr.size - 1):
        for e in range(indptr[f], indptr[f + 1]):
            total[links[e]] += amount[f] * (share[e] if share.size > 0 else 1.0)


@kernel
def all_touch(indptr, links, marked):
    """Whether every path crosses a marked link."""
    for f in range(indptr.size - 1):
        touched = False
        for e in range(indptr[f], indptr[f + 1]):
            if marked[links[e]]:
                touched = True
                break
        if not touched:
            return False
    return True


@kernel
def _sift_down(level, heap, size, i):
    """Restore the heap below position i; `heap` holds links, ordered by `level`."""
    link = heap[i]
    key = level[link]
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        if child + 1 < size and level[heap[child + 1]] < level[heap[child]]:
            child += 1
        if level[heap[child]] >= key:
            break
        heap[i] = heap[child]
        i = child
    heap[i] = link


@kernel
def _claim(link, indptr, links, share, by_link, flows, weight, rate):
    """Sum the weight times share of the flows on a link that have no rate yet."""
    total, last = 0.0, -1
    for i in range(by_link[link], by_link[link + 1]):
        f = flows[i]
        if rate[f] < 0.0 and f != last:
            last = f
            for e in range(indptr[f], indptr[f + 1]):
                if links[e] == link:
                    total += weight[f] * (share[e] if share.size > 0 else 1.0)
    return total


@kernel
def water_fill(
    indptr, links, share, by_link, flows, weight, capacity, rate, left, claim, fresh, users, level, heap
):
    """Max-min rates of the flows whose entry in `rate` is negative; the others count as absent.

    Water rises over all links together; the link with the lowest level fills first and fixes its
    flows. Levels only rise, so a popped link whose key is stale is pushed down again (lazy heap).

    `by_link`, `flows` are the transpose of `indptr`, `links`; an empty `share` means 1 everywhere.
    `left`, `claim`, `fresh`, `users`, `level` (per link) and `heap` are scratch; a claim that has lost
    most of its digits by subtraction is summed afresh. Infinite capacity never fills;
    flows on nothing else get an infinite rate. O(entries * log links).
    """
    shared = share.size > 0
    left[:] = capacity
    claim[:] = 0.0
    fresh[:] = 0.0
    users[:] = 0
    for f in range(indptr.size - 1):
        if rate[f] < 0.0:
            for e in range(indptr[f], indptr[f + 1]):
                claim[links[e]] += weight[f] * (share[e] if shared else 1.0)
                users[links[e]] += 1
    size = 0
    for link in range(capacity.size):
        if users[link] > 0 and left[link] < np.inf:
            level[link] = left[link] / claim[link]
            fresh[link] = claim[link]
            heap[size] = link
            size += 1
    for i in range(size // 2 - 1, -1, -1):
        _sift_down(level, heap, size, i)
    while size > 0:
        link = heap[0]
        if users[link] > 0 and claim[link] < 1e-3 * fresh[link]:
            claim[link] = _claim(link, indptr, links, share, by_link, flows, weight, rate)
            fresh[link] = claim[link]
        now = max(left[link] / claim[link], level[link]) if users[link] > 0 else np.inf
        if now > level[link]:
            level[link] = now
            if now == np.inf:
                size -= 1
                heap[0] = heap[size]
            if size > 0:
                _sift_down(level, heap, size, 0)
            continue
        for i in range(by_link[link], by_link[link + 1]):
            f = flows[i]
            if rate[f] < 0.0:
                rate[f] = now * weight[f]
                for e in range(indptr[f], indptr[f + 1]):
                    other = links[e]
                    part = weight[f] * (share[e] if shared else 1.0)
                    left[other] -= now * part
                    claim[other] -= part
                    users[other] -= 1
        size -= 1
        heap[0] = heap[size]
        if size > 0:
            _sift_down(level, heap, size, 0)
    for f in range(indptr.size - 1):
        if rate[f] < 0.0:
            rate[f] = np.inf


@kernel
def _mix(x):
    """Scramble 64 bits (the finaliser of splitmix64)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@kernel
def count_distinct(values, table):
    """Count different values; `table` is scratch whose size is a power of two above their number."""
    mask, count = np.uint64(table.size - 1), 0
    table[:] = np.uint64(0)
    for i in range(values.size):
        value = values[i] | np.uint64(1)
        place = (values[i] >> np.uint64(20)) & mask
        while table[place] != np.uint64(0) and table[place] != value:
            place = (place + np.uint64(1)) & mask
        if table[place] == np.uint64(0):
            table[place] = value
            count += 1
    return count


@kernel
def recolour_links(indptr, links, share, flow_colour, link_colour, total):
    """Give each link a colour made of its own and the multiset of (flow colour, share) on it."""
    total[:] = np.uint64(0)
    shared = share.size > 0
    for f in range(indptr.size - 1):
        colour = _mix(flow_colour[f] + np.uint64(0x9E3779B97F4A7C15))
        for e in range(indptr[f], indptr[f + 1]):
            total[links[e]] += _mix(colour ^ share[e]) if shared else colour
    for link in range(total.size):
        link_colour[link] = _mix(link_colour[link] * np.uint64(3) + total[link])


@kernel
def recolour_flows(indptr, links, share, flow_colour, link_colour):
    """Give each flow a colour made of its own and the multiset of (link colour, share) that it crosses."""
    shared = share.size > 0
    for f in range(indptr.size - 1):
        total = np.uint64(0)
        for e in range(indptr[f], indptr[f + 1]):
            colour = _mix(link_colour[links[e]] + np.uint64(0x9E3779B97F4A7C15))
            total += _mix(colour ^ share[e]) if shared else colour
        flow_colour[f] = _mix(flow_colour[f] * np.uint64(3) + total)
