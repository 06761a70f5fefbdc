"""Grow one tree of a packing, never taking what the trees still to come will need.

Calls the kernel of `topo_sim.collectives.optimum.kernels`: clear the on-disk cache after editing that.
"""

from topo_sim.base.jit import kernel
from topo_sim.collectives.optimum.kernels import max_flow

__all__ = ["grow_tree"]

TRIED = 4


@kernel
def grow_tree(
    indptr, arcs, head, room, work, base, wide, weight, others, inside, depth, parent, banned, limit, level,
    queue, at, path,
):  # fmt: skip
    """Add arcs to a tree of some weight until it spans all ranks, or has to be split.

    Arcs as for `max_flow`; the first ``base`` arc pairs join ranks, the arc of pair i running from
    ``head[2 * i + 1]`` to ``head[2 * i]``. The last node is a hub: pair ``wide + v`` leads from it to rank v,
    and what other trees still need is in ``room`` from there. Those trees weigh ``others`` together.

    An arc (x, y) may be taken for as much as a flow from the hub, joined to x without limit, to y exceeds
    ``others``. Arcs nearest to the root come first. `inside`, `depth`, `parent`, `room` are updated.

    Returns -1 when the tree spans; -2 if no arc can be taken (then there is no packing); else the pair of
    an arc that can be taken for only ``limit[0]``, less than the weight: the caller splits the tree.
    """
    hub, ranks = len(indptr) - 2, len(inside)
    while True:
        spans = True
        for v in range(ranks):
            spans = spans and inside[v]
        if spans:
            return -1
        partial, most, tried = -2, 0, 0
        taken = -1
        while taken < 0 and tried < TRIED:
            best, key = -1, 0
            for i in range(base):
                x, y = head[2 * i + 1], head[2 * i]
                if inside[x] and not inside[y] and room[2 * i] > 0 and banned[i] == 0:
                    mine = depth[x] * 2 * weight - min(room[2 * i], weight)
                    if best < 0 or mine < key:
                        best, key = i, mine
            if best < 0:
                break
            x, y = head[2 * best + 1], head[2 * best]
            wanted = min(room[2 * best], weight)
            work[:] = room
            work[2 * (wide + x)] = others + weight
            found = max_flow(
                indptr, arcs, head, work, hub, y, others + wanted, level, queue, at, path
            ) - others  # fmt: skip
            if found >= weight:
                taken = best
            else:
                banned[best] = 1  # for good: what it leaves only shrinks
                if found > 0:
                    banned[best] = 2
                    tried += 1
                    if found > most:
                        partial, most = best, found
        for i in range(base):
            if banned[i] == 2:
                banned[i] = 0
        if taken < 0:
            limit[0] = most
            return partial
        x, y = head[2 * taken + 1], head[2 * taken]
        room[2 * taken] -= weight
        inside[y], parent[y], depth[y] = True, x, depth[x] + 1
