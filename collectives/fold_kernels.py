"""The compiled loops of costing steps of many transfers."""

import numpy as np

from topo_sim.base.jit import kernel

__all__ = ["fold_clos", "same_everywhere", "touches"]


@kernel
def fold_clos(source, target, down, base):
    """Bundles that each flow crosses: of level l, the one below and the one above its two subtrees.

    `base` says where the bundles of each level begin. Returns row starts and bundles.
    """
    indptr = np.zeros(source.size + 1, np.int64)
    for f in range(source.size):
        here, there, count = source[f], target[f], 0
        level = 0
        while here != there:
            here, there = here // down[level], there // down[level]
            level += 1
            count += 2
        indptr[f + 1] = indptr[f] + count
    bundles = np.empty(indptr[-1], np.int32)
    for f in range(source.size):
        here, there, used = source[f], target[f], indptr[f]
        level = 0
        while here != there:
            bundles[used] = 2 * (base[level] + here)
            bundles[used + 1] = 2 * (base[level] + there) + 1
            here, there = here // down[level], there // down[level]
            level += 1
            used += 2
    return indptr, bundles


@kernel
def touches(indptr, links, marked, delay, least):
    """Whether any flow with at least a given delay crosses a marked link."""
    for f in range(indptr.size - 1):
        if delay[f] >= least:
            for i in range(indptr[f], indptr[f + 1]):
                if marked[links[i]]:
                    return True
    return False


@kernel
def same_everywhere(source, target, dims, strides, seen):
    """Whether every node of a torus has the same displacements; `seen` is int16[nodes, nodes] of zeros."""
    nodes = seen.shape[0]
    for f in range(source.size):
        apart = 0
        for d in range(dims.size):
            ahead = target[f] // strides[d] % dims[d] - source[f] // strides[d] % dims[d]
            apart += (ahead + dims[d] if ahead < 0 else ahead) * strides[d]
        if seen[apart, source[f]] == 32767:
            return False
        seen[apart, source[f]] += 1
    for apart in range(nodes):
        for node in range(1, nodes):
            if seen[apart, node] != seen[apart, 0]:
                return False
    return True
