"""Maximum flow between two nodes of an integer network."""

from topo_sim.base.jit import kernel

__all__ = ["max_flow"]


@kernel
def max_flow(indptr, arcs, head, room, source, sink, limit, level, queue, at, path):
    """Send as much as fits from source to sink, up to `limit` (Dinic).

    Arc a leads to ``head[a]`` and has ``room[a]`` left; ``a ^ 1`` is its reverse. The arcs of node n are
    ``arcs[indptr[n]:indptr[n + 1]]``. `room` is left as the residual network. Unless the limit was reached,
    ``level >= 0`` marks the source's side of a least cut, the smallest one.

    ``level, queue, at, path`` are scratch, of a row per node. Works on Python integers too (uncompiled,
    `room` of dtype object), for capacities that do not fit into 64 bits.
    """
    sent = limit - limit
    while sent < limit:
        level[:] = -1
        level[source] = 0
        queue[0] = source
        first, last = 0, 1
        while first < last:  # breadth first: how far each node is
            node = queue[first]
            first += 1
            for i in range(indptr[node], indptr[node + 1]):
                a = arcs[i]
                if room[a] > 0 and level[head[a]] < 0:
                    level[head[a]] = level[node] + 1
                    queue[last] = head[a]
                    last += 1
        if level[sink] < 0:
            break
        at[:] = indptr[:-1]
        depth, node = 0, source
        while sent < limit:  # depth first, along arcs that lead one level on
            if node == sink:
                least = limit - sent
                for i in range(depth):
                    least = min(least, room[path[i]])
                sent += least
                back = depth
                for i in range(depth - 1, -1, -1):
                    room[path[i]] -= least
                    room[path[i] ^ 1] += least
                    if room[path[i]] == 0:
                        back = i
                if back == depth:  # only the limit can stop a path that fills no arc
                    break
                depth, node = back, head[path[back] ^ 1]
                continue
            while at[node] < indptr[node + 1]:
                a = arcs[at[node]]
                if room[a] > 0 and level[head[a]] == level[node] + 1:
                    break
                at[node] += 1
            if at[node] < indptr[node + 1]:
                path[depth] = arcs[at[node]]
                node = head[path[depth]]
                depth += 1
            elif depth:  # a dead end
                depth -= 1
                node = head[path[depth] ^ 1]
                at[node] += 1
            else:
                break
    return sent
