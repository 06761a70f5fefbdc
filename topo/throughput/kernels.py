"""The compiled loops of the concurrent-flow approximation: shortest-path trees and one sweep over sources.

They share one file since the on-disk cache does not notice edits across files.
"""

import numpy as np

from topo_sim.base.jit import kernel

__all__ = ["price", "spread_first", "sweep", "tree_load"]


@kernel
def _push(keys, items, size, key, item):
    at = size
    while at > 0:
        above = (at - 1) >> 1
        if keys[above] <= key:
            break
        keys[at], items[at] = keys[above], items[above]
        at = above
    keys[at], items[at] = key, item
    return size + 1


@kernel
def _pop(keys, items, size):
    """Take the least entry off; it is left behind the end of the heap."""
    size -= 1
    key, item = keys[size], items[size]
    keys[size], items[size] = keys[0], items[0]
    at = 0
    while True:
        below = 2 * at + 1
        if below >= size:
            break
        if below + 1 < size and keys[below + 1] < keys[below]:
            below += 1
        if keys[below] >= key:
            break
        keys[at], items[at] = keys[below], items[below]
        at = below
    if size > 0:
        keys[at], items[at] = key, item
    return size


@kernel
def _tree(root, forwards, out_ptr, arc_target, length, distance, parent, order, keys, items):
    """Dijkstra from `root`; arcs are sorted by source. Returns how many nodes are reached, in `order`."""
    distance[:] = np.inf
    distance[root], parent[root] = 0.0, -1
    size, count = _push(keys, items, 0, 0.0, root), 0
    while size > 0:
        size = _pop(keys, items, size)
        node = items[size]
        if keys[size] > distance[node]:
            continue
        order[count] = node
        count += 1
        if node != root and not forwards[node]:
            continue
        for arc in range(out_ptr[node], out_ptr[node + 1]):
            other = arc_target[arc]
            far = distance[node] + length[arc]
            if far < distance[other]:
                distance[other], parent[other] = far, arc
                size = _push(keys, items, size, far, other)
    return count


@kernel
def _collect(order, count, parent, arc_source, amount, touched):
    """Send `amount` down the tree; the flow on the arc into a node ends in ``amount[node]``."""
    used = 0
    for at in range(count - 1, 0, -1):
        node = order[at]
        if amount[node] > 0:
            touched[used] = node
            used += 1
            before = arc_source[parent[node]]
            amount[before] += amount[node]
    return used


@kernel
def price(sources, site, wanted, forwards, out_ptr, arc_target, length):
    """Sum of demand times distance at the given lengths: alpha(l) of the dual bound; inf if cut off."""
    nodes = forwards.size
    distance, parent, order = np.empty(nodes), np.empty(nodes, np.int64), np.empty(nodes, np.int64)
    keys, items = np.empty(length.size + 1), np.empty(length.size + 1, np.int64)
    total = 0.0
    for s in range(sources.size):
        row = sources[s]
        _tree(site[row], forwards, out_ptr, arc_target, length, distance, parent, order, keys, items)
        for t in range(site.size):
            if wanted[row, t] > 0:
                total += wanted[row, t] * distance[site[t]]
    return total


@kernel
def tree_load(root, amount, forwards, out_ptr, arc_source, arc_target, length, distance, load):
    """Set `load` to that of `amount` (per node) sent along the shortest-path tree of `root`."""
    nodes = forwards.size
    parent, order, touched = np.empty(nodes, np.int64), np.empty(nodes, np.int64), np.empty(nodes, np.int64)
    keys, items = np.empty(length.size + 1), np.empty(length.size + 1, np.int64)
    count = _tree(root, forwards, out_ptr, arc_target, length, distance, parent, order, keys, items)
    used = _collect(order, count, parent, arc_source, amount, touched)
    load[:] = 0.0
    for i in range(used):
        load[parent[touched[i]]] = amount[touched[i]]


@kernel
def spread_first(
    site, wanted, forwards, out_ptr, in_ptr, in_arcs, arc_source, arc_target, length, capacity, flow, load
):
    """Start: every source over all its shortest paths, by capacity where arcs into a node tie."""
    nodes = forwards.size
    distance, parent, order = np.empty(nodes), np.empty(nodes, np.int64), np.empty(nodes, np.int64)
    keys, items = np.empty(length.size + 1), np.empty(length.size + 1, np.int64)
    amount = np.zeros(nodes)
    for s in range(site.size):
        root = site[s]
        count = _tree(root, forwards, out_ptr, arc_target, length, distance, parent, order, keys, items)
        amount[:] = 0.0
        for t in range(site.size):
            amount[site[t]] = wanted[s, t]
        for at in range(count - 1, 0, -1):
            node = order[at]
            if amount[node] <= 0:
                continue
            room, bound = 0.0, distance[node] * (1 + 1e-12)
            for i in range(in_ptr[node], in_ptr[node + 1]):
                other = arc_source[in_arcs[i]]
                if (other == root or forwards[other]) and distance[other] + length[in_arcs[i]] <= bound:
                    room += capacity[in_arcs[i]]
            for i in range(in_ptr[node], in_ptr[node + 1]):
                arc = in_arcs[i]
                other = arc_source[arc]
                if (other == root or forwards[other]) and distance[other] + length[arc] <= bound:
                    part = amount[node] * capacity[arc] / room
                    flow[s, arc] = part
                    load[arc] += part
                    amount[other] += part


@kernel
def _sort(flow, out_ptr, arc_target, entering, order):
    """Topological order of all nodes under one source's flow; fewer are sorted where it runs in a cycle."""
    entering[:] = 0
    for a in range(flow.size):
        if flow[a] > 0:
            entering[arc_target[a]] += 1
    head, tail = 0, 0
    for node in range(entering.size):
        if entering[node] == 0:
            order[tail] = node
            tail += 1
    while head < tail:
        node = order[head]
        head += 1
        for a in range(out_ptr[node], out_ptr[node + 1]):
            if flow[a] > 0:
                entering[arc_target[a]] -= 1
                if entering[arc_target[a]] == 0:
                    order[tail] = arc_target[a]
                    tail += 1
    return tail


@kernel
def _cancel(flow, load, in_ptr, in_arcs, arc_source, entering, back, stamp):
    """Take one cycle out of a source's flow, among the nodes that could not be sorted."""
    node = 0
    while entering[node] <= 0:
        node += 1
    stamp[:] = -1
    while stamp[node] < 0:
        stamp[node] = 1
        for i in range(in_ptr[node], in_ptr[node + 1]):
            if flow[in_arcs[i]] > 0 and entering[arc_source[in_arcs[i]]] > 0:
                back[node] = in_arcs[i]
        node = arc_source[back[node]]
    least, at = flow[back[node]], arc_source[back[node]]
    while at != node:
        least, at = min(least, flow[back[at]]), arc_source[back[at]]
    at = node
    while True:
        arc = back[at]
        load[arc] -= least
        flow[arc] = 0.0 if flow[arc] <= least else flow[arc] - least
        at = arc_source[arc]
        if at == node:
            break


@kernel
def _shift(node, mark, parent, before, stamp, flow, load, length, capacity, arc_source, eta, full):
    """Move flow to `node` from its longest used path to its shortest, from where the two part: Newton."""
    at = node
    while at >= 0:
        stamp[at] = mark
        at = arc_source[parent[at]] if parent[at] >= 0 else -1
    gain, bend, most, at = 0.0, 0.0, np.inf, node
    while True:
        arc = before[at]
        most = min(most, flow[arc])
        gain += length[arc]
        bend += length[arc] * eta / capacity[arc]
        at = arc_source[arc]
        if stamp[at] == mark:
            break
        if before[at] < 0:
            return  # what rounding left behind: no flow comes in
    fork, at = at, node
    while at != fork:
        arc = parent[at]
        gain -= length[arc]
        bend += length[arc] * eta / capacity[arc]
        most = min(most, 2 * capacity[arc] / eta)
        at = arc_source[arc]
    moved = min(most, gain / bend)
    if not moved > 0:
        return
    for side in range(2):
        at = node
        while at != fork:
            arc = parent[at] if side else before[at]
            if side:
                flow[arc] += moved
                load[arc] += moved
            else:
                part = moved if flow[arc] - moved > 1e-14 * load[arc] else flow[arc]
                flow[arc] -= part
                load[arc] -= moved
            level = eta * (load[arc] / capacity[arc] - full)
            length[arc] = (np.exp(min(level, 300.0)) + 1e-12) / capacity[arc]
            at = arc_source[arc]


@kernel
def sweep(turn, site, forwards, out_ptr, in_ptr, in_arcs, arc_source, arc_target, capacity, eta, flow, load):
    """Let each source in turn shift flow from long to short paths under exponential lengths.

    ``flow[s]`` is the flow of source s per arc, without cycles; `load` is their sum. The length of an arc
    is exp(eta load / capacity) / capacity, up to a factor. Returns the largest load / capacity.
    """
    nodes, arcs = forwards.size, capacity.size
    distance, parent, order = np.empty(nodes), np.empty(nodes, np.int64), np.empty(nodes, np.int64)
    keys, items = np.empty(arcs + 1), np.empty(arcs + 1, np.int64)
    longest, before = np.zeros(nodes), np.full(nodes, -1, np.int64)
    entering, stamp, length, full = np.empty(nodes, np.int64), np.empty(nodes, np.int64), np.empty(arcs), 0.0
    for a in range(arcs):
        full = max(full, load[a] / capacity[a])
    for a in range(arcs):
        length[a] = (np.exp(eta * (load[a] / capacity[a] - full)) + 1e-12) / capacity[a]
    for k in range(turn.size):
        s, root = turn[k], site[turn[k]]
        _tree(root, forwards, out_ptr, arc_target, length, distance, parent, order, keys, items)
        while _sort(flow[s], out_ptr, arc_target, entering, order) < nodes:
            _cancel(flow[s], load, in_ptr, in_arcs, arc_source, entering, before, stamp)
        longest[:], before[:], stamp[:] = 0.0, -1, -1
        for i in range(nodes):
            node = order[i]
            for a in range(out_ptr[node], out_ptr[node + 1]):
                if flow[s, a] > 0 and longest[node] + length[a] > longest[arc_target[a]]:
                    longest[arc_target[a]] = longest[node] + length[a]
                    before[arc_target[a]] = a
        for i in range(nodes - 1, -1, -1):
            node = order[i]
            if (
                before[node] >= 0
                and before[node] != parent[node]
                and longest[node] > distance[node] * (1 + 1e-9)
            ):
                _shift(node, i, parent, before, stamp, flow[s], load, length, capacity, arc_source, eta, full)
    top = 0.0
    for a in range(arcs):
        top = max(top, load[a] / capacity[a])
    return top
