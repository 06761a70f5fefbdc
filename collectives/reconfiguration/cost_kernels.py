"""What steps cost on configurations whose paths are plain: own circuits, and rings."""

import numpy as np

from topo_sim.base.jit import kernel

__all__ = ["lay_rings", "on_own_circuits", "on_rings", "on_shifts"]


@kernel
def lay_rings(onward, other, slot, first, length, closed):
    """Give the links of rings and chains numbers that follow each other.

    ``onward[v]`` is where the circuit of rank v leads, -1 if nowhere; where rings go both ways, ``other[v]``
    is the second one, else -1. A link is numbered by the rank that it leaves: `slot`. The links of a part
    start at `first`, and there are `length` of them (chains: one for the last rank as well); ranks without
    circuits keep a length of 0.
    """
    ranks = len(onward)
    led_to = np.zeros(ranks, dtype=np.bool_)
    for v in range(ranks):
        if onward[v] >= 0:
            led_to[onward[v]] = True
        if other[v] >= 0:
            led_to[other[v]] = True
    seen = np.zeros(ranks, dtype=np.bool_)
    at = 0
    for chains in (True, False):
        for start in range(ranks):
            if seen[start] or onward[start] < 0 or (chains and led_to[start]):
                continue
            begin, before, v = at, -1, start
            while v >= 0 and not seen[v]:
                seen[v] = True
                slot[v], first[v] = at, begin
                at += 1
                ahead = onward[v]
                if other[v] >= 0 and ahead == before:
                    ahead = other[v]
                before, v = v, ahead
            v, before = start, -1
            for _ in range(at - begin):
                length[v], closed[v] = at - begin, not chains
                ahead = onward[v]
                if other[v] >= 0 and ahead == before:
                    ahead = other[v]
                before, v = v, ahead


@kernel
def _add(change, begin, end, low, high, amount):
    """Add to the links from begin up to end, which may lie beyond high: then on from low."""
    change[begin] += amount
    if end <= high:
        change[end] -= amount
    else:
        change[high] -= amount
        change[low] += amount
        change[low + end - high] -= amount


@kernel
def on_rings(indptr, source, target, amount, slot, first, length, closed, two, hops, load, moved):
    """Send steps along rings and chains, the short way round where there are two.

    The transfers of step i are ``indptr[i]`` up to ``indptr[i + 1]``. Each row of ``slot, first, length,
    closed`` is a configuration, `two` of which go both ways. Results, of a row per step: the longest way,
    the most on one link, and what all links together carry; ``hops`` is -1 where a transfer cannot arrive.
    """
    ranks = slot.shape[1]
    ahead, back = np.zeros(ranks + 1), np.zeros(ranks + 1)
    for i in range(len(indptr) - 1):
        for c in range(len(slot)):
            ahead[:] = 0.0
            back[:] = 0.0
            longest, total = 0, 0.0
            for e in range(indptr[i], indptr[i + 1]):
                s, t = source[e], target[e]
                size = length[c, s]
                if size == 0 or length[c, t] == 0 or first[c, s] != first[c, t]:
                    longest = -1
                    break
                way = slot[c, t] - slot[c, s]
                if way < 0 and not closed[c, s]:
                    longest = -1
                    break
                way = way + size if way < 0 else way
                low, here = first[c, s], slot[c, s]
                forth, part = way, amount[e]
                if two[c] and 2 * way >= size:
                    forth = size - way
                    part = amount[e] / 2 if 2 * way == size else 0.0
                    begin = here - forth + 1
                    begin = begin + size if begin < low else begin
                    _add(back, begin, begin + forth, low, low + size, amount[e] - part)
                if part > 0:
                    _add(ahead, here, here + way, low, low + size, part)
                longest = max(longest, forth)
                total += forth * amount[e]
            hops[i, c], moved[i, c] = longest, total
            most, one, another = 0.0, 0.0, 0.0
            for v in range(ranks):
                one += ahead[v]
                another += back[v]
                most = max(most, max(one, another))
            load[i, c] = most


@kernel
def on_shifts(steps, shift, scale, columns, stride, rate, ranks, hop, delay, pace, moved):
    """Send steps r -> r + shift along rings of a stride, where they lead there.

    Fills rows `steps` and columns `columns` of the matrices ``delay, pace, moved``; what is not filled stays.
    """
    count = len(stride)
    common, size, inverse = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    for c in range(count):
        # The inverse of stride / divisor modulo ranks / divisor, by Euclid.
        a, b, x, y = stride[c], ranks, 1, 0
        while b:
            q = a // b
            a, b, x, y = b, a - q * b, y, x - q * y
        common[c], size[c], inverse[c] = a, ranks // a, x % (ranks // a)
    for i in range(len(shift)):  # row by row, as matrices lie in memory
        row = steps[i]
        for c in range(count):
            a, far = common[c], shift[i]
            if a > 1:
                if far % a != 0:
                    continue
                far = far // a
            way = far * inverse[c] % size[c]
            column = columns[c]
            delay[row, column] = hop * way
            pace[row, column] = way * scale[i] / rate[c]
            moved[row, column] = way * scale[i] * ranks


@kernel
def on_own_circuits(indptr, key, amount, circuit_ptr, circuit_key, load, total):
    """Send each transfer over a circuit of its own: the most on one, -1 where there is none.

    Keys of both sides rise and number pairs of ranks, no two of a step alike.
    """
    for i in range(len(indptr) - 1):
        total[i] = 0.0
        for e in range(indptr[i], indptr[i + 1]):
            total[i] += amount[e]
        for c in range(len(circuit_ptr) - 1):
            most = 0.0
            at, last = circuit_ptr[c], circuit_ptr[c + 1]
            for e in range(indptr[i], indptr[i + 1]):
                while at < last and circuit_key[at] < key[e]:
                    at += 1
                if at == last or circuit_key[at] != key[e]:
                    most = -1.0
                    break
                most = max(most, amount[e])
            load[i, c] = most
