"""The compiled loops of routing: breadth-first search on any graph, arithmetic on Clos and grid.

They share one file since the on-disk cache does not notice edits across files. All of them number
flows 0..n-1 and return links in compressed rows; a row of -1 marks a flow with no route.
"""

import numpy as np

from topo_sim.base.jit import kernel

__all__ = ["clos_single", "clos_split", "grid_single", "hash_values", "search_single", "search_split"]


@kernel
def _mix(x):
    """Scramble 64 bits (the finaliser of splitmix64)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@kernel
def _flow_key(seed, source, target, label):
    key = _mix(np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15))
    key = _mix(key ^ np.uint64(source))
    key = _mix(key ^ (np.uint64(target) << np.uint64(20)))
    return _mix(key ^ (np.uint64(label) << np.uint64(40)))


@kernel
def hash_values(sources, targets, labels, seed):
    """Hash every flow to 64 bits."""
    out = np.empty(sources.size, np.uint64)
    for f in range(sources.size):
        out[f] = _flow_key(seed, sources[f], targets[f], labels[f])
    return out


@kernel
def _choose(key, node, count):
    """Pick one of `count` next hops at a node: the same flow always picks the same one."""
    if count == 1:
        return 0
    return int(_mix(key ^ np.uint64(node)) >> np.uint64(11)) % count


@kernel
def _grow(array, needed):
    bigger = np.empty(max(needed, 2 * array.size), array.dtype)
    bigger[: array.size] = array
    return bigger


@kernel
def _distances(root, forwards, in_ptr, in_links, link_source, wanted, pending, seen, distance, queue, epoch):
    """Hops to `root` of every node up to the farthest of the `pending` nodes marked in `wanted`."""
    seen[root], distance[root] = epoch, 0
    queue[0] = root
    head, tail = 0, 1
    if wanted[root] == epoch:
        pending -= 1
    while head < tail and pending > 0:
        node = queue[head]
        head += 1
        if node != root and not forwards[node]:
            continue
        for i in range(in_ptr[node], in_ptr[node + 1]):
            other = link_source[in_links[i]]
            if seen[other] != epoch:
                seen[other], distance[other] = epoch, distance[node] + 1
                queue[tail] = other
                tail += 1
                if wanted[other] == epoch:
                    pending -= 1
    return tail


@kernel
def _next_hops(
    queue, reached, forwards, out_ptr, out_links, link_target, seen, distance, epoch, start, stop, hops
):
    """List the links from each of the `reached` nodes that lie on a shortest path to queue[0].

    Node n has ``hops[start[n]:stop[n]]``.
    """
    root, used = queue[0], 0
    for i in range(reached):
        node = queue[i]
        start[node] = used
        for e in range(out_ptr[node], out_ptr[node + 1]):
            link = out_links[e]
            other = link_target[link]
            near = seen[other] == epoch and distance[other] == distance[node] - 1
            if near and (other == root or forwards[other]):
                hops[used] = link
                used += 1
        stop[node] = used
    return used


@kernel
def _mark(order, first, targets, sources, wanted, epoch):
    """Mark the sources of the flows to one target; returns the flows' end and how many are marked."""
    last, pending = first, 0
    while last < order.size and targets[order[last]] == targets[order[first]]:
        source = sources[order[last]]
        if wanted[source] != epoch:
            wanted[source] = epoch
            pending += 1
        last += 1
    return last, pending


@kernel
def search_single(
    sources, targets, labels, order, seed, hashed,
    forwards, in_ptr, in_links, out_ptr, out_links, link_source, link_target,
):  # fmt: skip
    """One shortest path per flow: the first link at each hop, or a hashed one.

    `order` sorts flows by target. Returns row starts, row lengths (-1 without route) and links.
    """
    nodes = forwards.size
    seen, wanted = np.full(nodes, -1, np.int32), np.full(nodes, -1, np.int32)
    distance, queue = np.zeros(nodes, np.int32), np.empty(nodes, np.int32)
    start, stop = np.empty(nodes, np.int32), np.empty(nodes, np.int32)
    hops = np.empty(link_source.size, np.int32)
    begin, length = np.zeros(sources.size, np.int64), np.zeros(sources.size, np.int64)
    links = np.empty(4 * sources.size + 16, np.int32)
    used, first, epoch = 0, 0, 0
    while first < order.size:
        root = targets[order[first]]
        last, pending = _mark(order, first, targets, sources, wanted, epoch)
        reached = _distances(
            root, forwards, in_ptr, in_links, link_source, wanted, pending, seen, distance, queue, epoch
        )
        _next_hops(
            queue,
            reached,
            forwards,
            out_ptr,
            out_links,
            link_target,
            seen,
            distance,
            epoch,
            start,
            stop,
            hops,
        )
        for i in range(first, last):
            f = order[i]
            node = sources[f]
            begin[f] = used
            if seen[node] != epoch:
                length[f] = -1
                continue
            key = _flow_key(seed, node, root, labels[f])
            length[f] = distance[node]
            if used + distance[node] > links.size:
                links = _grow(links, used + distance[node])
            while node != root:
                count = stop[node] - start[node]
                links[used] = hops[start[node] + (_choose(key, node, count) if hashed else 0)]
                node = link_target[links[used]]
                used += 1
        first = last
        epoch += 1
    return begin, length, links[:used]


@kernel
def _keep_widest(queue, reached, link_target, capacity, start, stop, hops, width):
    """Of the next links of each node keep those that lie on a widest way to queue[0].

    A way is as wide as its least capacity; `width` is filled in. Nodes of `queue` are by distance.
    """
    width[queue[0]] = np.inf
    for i in range(1, reached):
        node = queue[i]
        best, kept = 0.0, start[node]
        for e in range(start[node], stop[node]):
            best = max(best, min(capacity[hops[e]], width[link_target[hops[e]]]))
        width[node] = best
        for e in range(start[node], stop[node]):
            if min(capacity[hops[e]], width[link_target[hops[e]]]) == best:
                hops[kept] = hops[e]
                kept += 1
        stop[node] = kept


@kernel
def _weigh(queue, reached, link_target, capacity, start, stop, hops, width, weight):
    """Weigh the next links of each node by what they and the ways behind them can take, in all `width`."""
    width[queue[0]] = np.inf
    for i in range(1, reached):
        node = queue[i]
        width[node] = 0.0
        for e in range(start[node], stop[node]):
            weight[e] = min(capacity[hops[e]], width[link_target[hops[e]]])
            width[node] += weight[e]


@kernel
def search_split(
    sources, targets, order, capacity, weighted, forwards, in_ptr, in_links, out_ptr, out_links, link_source,
    link_target,
):  # fmt: skip
    """All shortest paths of each flow, split evenly over the next links at every hop.

    As `search_single`, with the share of each link beside it. With capacities (else an empty array) only
    the widest of the shortest paths; or, `weighted`, all of them in proportion to their capacity.
    """
    nodes = forwards.size
    seen, wanted = np.full(nodes, -1, np.int32), np.full(nodes, -1, np.int32)
    distance, queue = np.zeros(nodes, np.int32), np.empty(nodes, np.int32)
    visited, amount = np.full(nodes, -1, np.int64), np.zeros(nodes)
    front = np.empty(nodes, np.int32)
    start, stop = np.empty(nodes, np.int32), np.empty(nodes, np.int32)
    hops, width = np.empty(link_source.size, np.int32), np.zeros(nodes)
    weight = np.empty(link_source.size if weighted else 0)
    begin, length = np.zeros(sources.size, np.int64), np.zeros(sources.size, np.int64)
    links, shares = np.empty(4 * sources.size + 16, np.int32), np.empty(4 * sources.size + 16)
    used, first, epoch = 0, 0, 0
    while first < order.size:
        root = targets[order[first]]
        last, pending = _mark(order, first, targets, sources, wanted, epoch)
        reached = _distances(
            root, forwards, in_ptr, in_links, link_source, wanted, pending, seen, distance, queue, epoch
        )
        most = _next_hops(
            queue,
            reached,
            forwards,
            out_ptr,
            out_links,
            link_target,
            seen,
            distance,
            epoch,
            start,
            stop,
            hops,
        )
        if weighted:
            _weigh(queue, reached, link_target, capacity, start, stop, hops, width, weight)
        elif capacity.size:
            _keep_widest(queue, reached, link_target, capacity, start, stop, hops, width)
        for i in range(first, last):
            f = order[i]
            begin[f] = used
            if seen[sources[f]] != epoch:
                length[f] = -1
                continue
            if used + most > links.size:
                links, shares = _grow(links, used + most), _grow(shares, used + most)
            front[0] = sources[f]
            visited[sources[f]], amount[sources[f]] = f, 1.0
            head, tail = 0, 1
            while head < tail:
                node = front[head]
                head += 1
                if node == root:
                    break
                count = stop[node] - start[node]
                part = amount[node] / max(count, 1)
                for c in range(count):
                    if weighted:
                        part = amount[node] * (weight[start[node] + c] / width[node])
                    links[used], shares[used] = hops[start[node] + c], part
                    other = link_target[hops[start[node] + c]]
                    if visited[other] != f:
                        visited[other], amount[other] = f, 0.0
                        front[tail] = other
                        tail += 1
                    amount[other] += part
                    used += 1
            length[f] = used - begin[f]
        first = last
        epoch += 1
    return begin, length, links[:used], shares[:used]


@kernel
def _meeting_level(source, target, down):
    level = 0
    while source != target:
        source, target = source // down[level], target // down[level]
        level += 1
    return level


@kernel
def clos_single(sources, targets, labels, seed, hashed, down, up, trunk, roots, level_base, cable_base):
    """Up to the lowest common level, then down: as `search_single` on a Clos, by arithmetic."""
    indptr = np.zeros(sources.size + 1, np.int64)
    for f in range(sources.size):
        indptr[f + 1] = indptr[f] + 2 * _meeting_level(sources[f], targets[f], down)
    links = np.empty(indptr[-1], np.int32)
    for f in range(sources.size):
        top = (indptr[f + 1] - indptr[f]) // 2
        key = _flow_key(seed, sources[f], targets[f], labels[f])
        subtree, root, used = sources[f], 0, indptr[f]
        for level in range(top):
            width = up[level] * trunk[level]
            node = subtree * roots[level] + root
            b = _choose(key, node + level_base[level], width) if hashed else 0
            links[used] = 2 * (cable_base[level] + node * width + b)
            used += 1
            subtree, root = subtree // down[level], root * up[level] + b // trunk[level]
        for level in range(top - 1, -1, -1):
            node = subtree * roots[level + 1] + root + level_base[level + 1]
            below = targets[f]
            for i in range(level):
                below //= down[i]
            digit, root, subtree = root % up[level], root // up[level], below
            t = _choose(key, node, trunk[level]) if hashed else 0
            lower = subtree * roots[level] + root
            cable = cable_base[level] + lower * up[level] * trunk[level] + digit * trunk[level] + t
            links[used] = 2 * cable + 1
            used += 1
    return indptr, links


@kernel
def clos_split(sources, targets, down, up, trunk, roots, cable_base):
    """All shortest paths in a Clos, split evenly at every hop; rows as in `search_split`."""
    entries = np.zeros(down.size + 1, np.int64)
    paths = 1
    for level in range(down.size):
        paths *= up[level]
        entries[level + 1] = entries[level] + 2 * paths * trunk[level]
    indptr = np.zeros(sources.size + 1, np.int64)
    for f in range(sources.size):
        indptr[f + 1] = indptr[f] + entries[_meeting_level(sources[f], targets[f], down)]
    links, shares = np.empty(indptr[-1], np.int32), np.empty(indptr[-1])
    for f in range(sources.size):
        top = _meeting_level(sources[f], targets[f], down)
        source, target, used = sources[f], targets[f], indptr[f]
        for level in range(top):
            width = up[level] * trunk[level]
            share = 1.0 / (roots[level] * width)
            for root in range(roots[level]):
                for b in range(width):
                    cable = cable_base[level] + (source * roots[level] + root) * width + b
                    links[used], shares[used] = 2 * cable, share
                    cable = cable_base[level] + (target * roots[level] + root) * width + b
                    links[used + 1], shares[used + 1] = 2 * cable + 1, share
                    used += 2
            source, target = source // down[level], target // down[level]
    return indptr, links, shares


@kernel
def grid_single(sources, targets, dims, strides, rings, cable_base):
    """Dimension order on a torus or mesh: the shorter way round each axis in turn, up on a tie."""
    axes = dims.size
    indptr = np.zeros(sources.size + 1, np.int64)
    for f in range(sources.size):
        hops = 0
        for d in range(axes):
            ahead = targets[f] // strides[d] % dims[d] - sources[f] // strides[d] % dims[d]
            hops += min(abs(ahead), dims[d] - abs(ahead)) if rings[d] else abs(ahead)
        indptr[f + 1] = indptr[f] + hops
    links = np.empty(indptr[-1], np.int32)
    for f in range(sources.size):
        node, used = sources[f], indptr[f]
        for d in range(axes):
            k, stride = dims[d], strides[d]
            x, goal = node // stride % k, targets[f] // stride % k
            ahead = (goal - x) % k if rings[d] else goal - x
            upward = 2 * ahead <= k if rings[d] else ahead > 0
            while x != goal:
                if upward:
                    lower, x = node, (x + 1) % k
                    node = lower + stride if x > 0 else lower - (k - 1) * stride
                else:
                    node = node - stride if x > 0 else node + (k - 1) * stride
                    lower, x = node, (x - 1) % k
                index = lower
                if not rings[d]:
                    block = lower // (stride * k)
                    index = lower - block * stride
                links[used] = 2 * (cable_base[d] + index) + (0 if upward else 1)
                used += 1
    return indptr, links
