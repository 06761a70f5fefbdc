"""The compiled searches behind distances."""

import numpy as np

from topo_sim.base.jit import kernel

__all__ = ["hop_counts", "hop_rows", "least_latency"]


@kernel
def hop_counts(roots, is_endpoint, forwards, out_ptr, out_links, link_target, counts):
    """Add to `counts` the number of endpoints at each distance from each root."""
    nodes = forwards.size
    seen, distance = np.full(nodes, -1, np.int64), np.zeros(nodes, np.int64)
    queue = np.empty(nodes, np.int64)
    for i in range(roots.size):
        root = roots[i]
        queue[0], seen[root], distance[root] = root, i, 0
        head, tail = 0, 1
        while head < tail:
            node = queue[head]
            head += 1
            if is_endpoint[node]:
                counts[distance[node]] += 1
            if node != root and not forwards[node]:
                continue
            for e in range(out_ptr[node], out_ptr[node + 1]):
                other = link_target[out_links[e]]
                if seen[other] != i:
                    seen[other], distance[other] = i, distance[node] + 1
                    queue[tail] = other
                    tail += 1


@kernel
def hop_rows(roots, forwards, out_ptr, out_links, link_target, rows):
    """Set ``rows[i, node]`` to the hops from root i to each node; what is out of reach keeps its -1."""
    queue = np.empty(forwards.size, np.int64)
    for i in range(roots.size):
        root = roots[i]
        queue[0], rows[i, root] = root, 0
        head, tail = 0, 1
        while head < tail:
            node = queue[head]
            head += 1
            if node != root and not forwards[node]:
                continue
            for e in range(out_ptr[node], out_ptr[node + 1]):
                other = link_target[out_links[e]]
                if rows[i, other] < 0:
                    rows[i, other] = rows[i, node] + 1
                    queue[tail] = other
                    tail += 1


@kernel
def least_latency(root, forwards, out_ptr, out_links, link_target, latency, best):
    """Least latency from `root` to every node, by label correcting with a circular queue."""
    nodes = forwards.size
    waiting = np.zeros(nodes, np.bool_)
    queue = np.empty(nodes + 1, np.int64)
    best[:] = np.inf
    best[root] = 0.0
    queue[0], head, tail = root, 0, 1
    while head != tail:
        node = queue[head]
        head = (head + 1) % (nodes + 1)
        waiting[node] = False
        if node != root and not forwards[node]:
            continue
        for e in range(out_ptr[node], out_ptr[node + 1]):
            link = out_links[e]
            other = link_target[link]
            if best[node] + latency[link] < best[other]:
                best[other] = best[node] + latency[link]
                if not waiting[other]:
                    waiting[other] = True
                    queue[tail] = other
                    tail = (tail + 1) % (nodes + 1)
