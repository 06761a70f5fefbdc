"""The compiled loop behind link loads: per target, split what comes in over the next links."""

import numpy as np

from topo_sim.base.jit import kernel

__all__ = ["split_loads"]


@kernel
def split_loads(
    roots, scale, base, row_ptr, row_node, row_amount,
    forwards, in_ptr, in_links, out_ptr, out_links, link_source, link_target, load,
):  # fmt: skip
    """Add to `load` what nodes send to each root, split evenly over all next links at every hop.

    Node n sends ``base[n] * scale[i]`` to root i, plus its entries in row i. Returns the first root
    (as index) and a node that sends to it without a path, or (-1, -1).
    """
    nodes = forwards.size
    seen, distance = np.full(nodes, -1, np.int64), np.zeros(nodes, np.int64)
    queue, amount = np.empty(nodes, np.int64), np.zeros(nodes)
    hops = np.empty(link_target.size, np.int64)
    for i in range(roots.size):
        root = roots[i]
        for n in range(nodes):
            amount[n] = base[n] * scale[i]
        for e in range(row_ptr[i], row_ptr[i + 1]):
            amount[row_node[e]] += row_amount[e]
        queue[0], seen[root], distance[root] = root, i, 0
        head, tail = 0, 1
        while head < tail:
            node = queue[head]
            head += 1
            if node != root and not forwards[node]:
                continue
            for e in range(in_ptr[node], in_ptr[node + 1]):
                other = link_source[in_links[e]]
                if seen[other] != i:
                    seen[other], distance[other] = i, distance[node] + 1
                    queue[tail] = other
                    tail += 1
        for n in range(nodes):
            if seen[n] != i and amount[n] > 0:
                return i, n
        for at in range(tail - 1, 0, -1):
            node = queue[at]
            if amount[node] == 0:
                continue
            count = 0
            for e in range(out_ptr[node], out_ptr[node + 1]):
                other = link_target[out_links[e]]
                near = seen[other] == i and distance[other] == distance[node] - 1
                if near and (other == root or forwards[other]):
                    hops[count] = out_links[e]
                    count += 1
            for c in range(count):
                load[hops[c]] += amount[node] / count
                amount[link_target[hops[c]]] += amount[node] / count
    return -1, -1
