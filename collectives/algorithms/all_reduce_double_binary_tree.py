"""All-reduce on NCCL's double binary tree, pipelined."""

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.algorithms.registry import Algorithm, register
from topo_sim.collectives.step import ChunkLists, Step, runs

__all__ = ["build", "closed_form", "double_tree"]

SEGMENTS = 8
"""Default number of segments per tree."""


def double_tree(p: int) -> NDArray[np.int32]:
    """Parents in NCCL's two binary trees.

    Parameters
    ----------
    p : int
        Number of ranks.

    Returns
    -------
    numpy.ndarray, int32[2, p]
        Parent of each rank in the first and in the second tree; -1 at the root.

    Notes
    -----
    First tree: with b the lowest set bit of r, the parent of r is ``(r xor b) | 2b``, or ``r xor b`` if
    that is no rank; rank 0 is the root and has one child. Second tree: rank r plays p - 1 - r if p is
    even, and r - 1 if it is odd. So for even p every rank is a leaf in one of the trees.

    References
    ----------
    NVIDIA NCCL, ``src/graph/trees.cc``. Sanders, Speck, Traff, Two-tree algorithms for full bandwidth
    broadcast, reduction and scan, Parallel Computing 2009.

    Examples
    --------
    >>> double_tree(4).tolist()
    [[-1, 2, 0, 2], [1, 3, 1, -1]]
    """
    rank = np.arange(p, dtype=np.int64)
    lowest = rank & -rank
    parent = (rank ^ lowest) | lowest << 1
    parent = np.where(parent < p, parent, rank ^ lowest)
    parent[0] = -1
    if p % 2:
        other = np.where(parent < 0, -1, (parent + 1) % p)[rank - 1]
    else:
        other = np.where(parent < 0, -1, p - 1 - parent)[::-1]
    return np.stack([parent, other]).astype(np.int32)


def _depths(parents: NDArray[np.int32]) -> NDArray[np.int32]:
    """Distance to the root of each tree, int32[2, p]."""
    depth = np.zeros_like(parents)
    for tree in range(2):
        above = parents[tree]
        while (above >= 0).any():
            depth[tree] += above >= 0
            above = np.where(above >= 0, parents[tree][above], -1)
    return depth


def build(p: int, segments: int = SEGMENTS) -> tuple[int, list[Step]]:
    """Build the schedule.

    Parameters
    ----------
    p : int
        Number of ranks, at least 2.
    segments : int
        Pieces that each tree's half of the vector is cut into.

    Returns
    -------
    chunks : int
        2 * segments, the first half for the first tree.
    steps : list of Step
        2 D + segments - 1 of them, repetitions included, where D is the depth of the trees: a rank at
        depth d sends segment j to its parent in step D - d + j and to its children in step D + d + j.
        Steps in which the same ranks send are kept once.

    Examples
    --------
    >>> build(2, segments=4)
    (8, [<Step: 2 transfers>, <Step: 4 transfers, run 3 times>, <Step: 2 transfers>])
    """
    parents = double_tree(p)
    depth = _depths(parents)
    deepest = int(depth.max())
    tree, child = np.nonzero(parents >= 0)
    parent, level = parents[tree, child], depth[tree, child]

    source = np.concatenate([child, parent]).astype(np.int32)
    target = np.concatenate([parent, child]).astype(np.int32)
    begin = np.concatenate([deepest - level, deepest + level - 1])
    half = np.concatenate([tree, tree]) * segments
    upwards = np.arange(len(source)) < len(child)

    steps = []
    change = np.union1d(begin, begin + segments)
    for now, until in zip(change[:-1].tolist(), change[1:].tolist(), strict=True):
        on = np.flatnonzero((begin <= now) & (now < begin + segments))
        steps.append(
            Step(
                source[on],
                target[on],
                1 / (2 * segments),
                upwards[on],
                _segments(half[on] + now - begin[on]),
                repeat=until - now,
                shift=1,
                cycle=segments,
            )
        )
    return 2 * segments, steps


def _segments(first: NDArray[np.int64]) -> ChunkLists:
    return runs(lambda: first)


def closed_form(p: int, size: float, alpha: float, beta: float, segments: int = SEGMENTS) -> float:
    """Time on one ideal switch, from the loads of the ports.

    Parameters
    ----------
    p : int
        Number of ranks.
    size : float, B
        The vector.
    alpha : float, s
        Per step.
    beta : float, s/B
        Of a port, each way.
    segments : int
        Pieces that each tree's half of the vector is cut into.

    Returns
    -------
    float, s
        Time.

    Notes
    -----
    A segment takes ``size / (2 segments)`` bytes. A rank at depth d with c children sends one from step
    D - d on (unless it is the root) and c from step D + d on; it receives c from step D - d - 1 on and
    one from step D + d - 1 on (unless it is the root); all of them during `segments` steps. Summed over
    both trees that is the load of its port, out and in; a step takes alpha plus beta times the largest.
    Loads change in O(D) steps only, so this takes O(p D) time. When the pipeline is full, an inner node
    of one tree that is a leaf of the other sends 4 segments per step, hence about 2 n beta in all.

    Examples
    --------
    Two ranks, one segment: each half goes up in one step and down in the next.

    >>> closed_form(2, 1e6, 0.0, 1e-9, segments=1)
    0.001
    >>> round(closed_form(64, 1e6, 0.0, 1e-9, segments=1000) / (2 * 1e6 * 1e-9), 4)
    1.0045
    """
    if p == 1:
        return 0.0
    parents = double_tree(p)
    depth = _depths(parents)
    steps = 2 * int(depth.max()) + segments - 1
    return steps * alpha + _busiest(parents, depth, segments) * size * beta / (2 * segments)


def _busiest(parents: NDArray[np.int32], depth: NDArray[np.int32], segments: int) -> int:
    """Sum over the steps of the largest number of segments at a port, in either direction."""
    deepest = int(depth.max())
    upper = (parents >= 0).astype(np.int64)
    lower = np.stack([np.bincount(row[row >= 0], minlength=len(row)) for row in parents])
    # Out and in: the first step and the segments per step of every tree and rank.
    directions = (
        ((deepest - depth, upper), (deepest + depth, lower)),
        ((deepest - depth - 1, lower), (deepest + depth - 1, upper)),
    )
    begins = np.arange(2 * deepest)
    change = np.union1d(begins, begins + segments)
    total = 0
    for now, until in zip(change[:-1].tolist(), change[1:].tolist(), strict=True):
        largest = 0
        for flows in directions:
            load = np.zeros(parents.shape[1], dtype=np.int64)
            for begin, count in flows:
                load += (count * ((begin <= now) & (now < begin + segments))).sum(axis=0)
            largest = max(largest, int(load.max()))
        total += (until - now) * largest
    return total


register(
    Algorithm(
        collective="all_reduce",
        name="double_binary_tree",
        summary="NCCL's two binary trees, half the vector each, pipelined: few steps, full bandwidth",
        formula="(2D+s-1) alpha + L/(2s) n beta, D = depth, s = segments, L = sum over steps of the largest "
        "port load in segments (about 4s); nearly 2 log2(p) alpha + 2 n beta",
        build=build,
        closed_form=closed_form,
        reference="NVIDIA NCCL src/graph/trees.cc; Sanders, Speck, Traff, Two-tree algorithms, ParCo 2009",
        options={"segments": SEGMENTS},
        tunable={"segments": (4, 16)},
    )
)
