"""Pipelined trees: broadcast or all-reduce in segments, and the loads that they put on ports."""

from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.step import ChunkLists, Step, runs

__all__ = [
    "Pipeline",
    "all_reduce_pipeline",
    "best_segments",
    "binary_tree",
    "broadcast_pipeline",
    "chain",
    "double_tree",
    "two_trees",
]


def chain(p: int) -> NDArray[np.int32]:
    """Parents in a chain: rank r hangs on rank r - 1.

    Examples
    --------
    >>> chain(4).tolist()
    [[-1, 0, 1, 2]]
    """
    return np.arange(-1, p - 1, dtype=np.int32)[np.newaxis]


def binary_tree(p: int) -> NDArray[np.int32]:
    """Parents in a complete binary tree: rank r hangs on rank (r - 1) // 2.

    Examples
    --------
    >>> binary_tree(6).tolist()
    [[-1, 0, 0, 1, 1, 2]]
    """
    parents = (np.arange(p, dtype=np.int32) - 1) // 2
    return parents[np.newaxis].astype(np.int32)


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


def two_trees(p: int) -> NDArray[np.int32]:
    """Parents in two binary trees over ranks 1 to p - 1, with rank 0 above both.

    Examples
    --------
    >>> two_trees(5).tolist()
    [[-1, 0, 3, 1, 3], [-1, 2, 4, 2, 0]]
    """
    inner = double_tree(p - 1)
    return np.concatenate([np.full((2, 1), -1), np.where(inner < 0, 0, inner + 1)], axis=1).astype(np.int32)


def best_segments(depth: int, size: float, alpha: float, beta: float, most: int = 1_000_000) -> int:
    """Segments that minimise ``(depth - 1 + k) (alpha + size beta / k)``.

    Parameters
    ----------
    depth : int
        Steps that one segment takes; p - 1 in a chain over p ranks.
    size : float, B
        The vector.
    alpha : float, s
        Per step.
    beta : float, s/B
        Of a port.
    most : int
        At most so many.

    Returns
    -------
    int
        The better neighbour of sqrt((depth - 1) size beta / alpha), at least 1.

    Examples
    --------
    >>> best_segments(63, 1e6, 1e-6, 1e-9)  # sqrt(62 * 1000) = 249
    249
    """
    if depth < 2 or size * beta <= 0:
        return 1
    if alpha <= 0 or (depth - 1) * size * beta >= alpha * float(most) ** 2:
        return most
    low = max(1, isqrt(int((depth - 1) * size * beta / alpha)))
    return min((low, low + 1), key=lambda k: (depth - 1 + k) * (alpha + size * beta / k))


def _depths(parents: NDArray[np.int32]) -> NDArray[np.int64]:
    """Distance to the root of each tree, int64[trees, p], by doubling jumps."""
    trees, p = parents.shape
    up = np.where(parents < 0, np.arange(p), parents)
    depth = (parents >= 0).astype(np.int64)
    row = np.arange(trees)[:, np.newaxis]
    while True:
        further = depth + depth[row, up]
        if np.array_equal(further, depth):
            return depth
        depth, up = further, up[row, up]


@dataclass(frozen=True)
class Pipeline:
    """Transfers that each start at some step and send one segment per step from then on.

    Parameters
    ----------
    source, target : ndarray of int32, shape (n,)
        Ranks.
    begin : ndarray of int64, shape (n,)
        First step.
    first : ndarray of int64, shape (n,)
        First chunk; the others follow it.
    reduce : ndarray of bool, shape (n,)
        Whether the target combines.
    segments, trees : int
        Segments per tree; all chunks together make the vector.

    Examples
    --------
    >>> line = broadcast_pipeline(chain(3), segments=4)
    >>> line.chunks, line.steps()
    (4, [<Step: 1 transfer>, <Step: 2 transfers, run 3 times>, <Step: 1 transfer>])
    >>> line.time(1.0, 0.0)  # p - 2 + 4 steps
    5.0
    """

    source: NDArray[np.int32]
    target: NDArray[np.int32]
    begin: NDArray[np.int64]
    first: NDArray[np.int64]
    reduce: NDArray[np.bool_]
    segments: int
    trees: int

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return self.trees * self.segments

    def _spans(self) -> list[tuple[int, int, NDArray[np.intp]]]:
        """Find the runs of steps in which the same transfers are busy: begin, end, which."""
        change = np.union1d(self.begin, self.begin + self.segments)
        order = np.argsort(self.begin, kind="stable")
        sorted_begin = self.begin[order]
        low = np.searchsorted(sorted_begin, change[:-1] - self.segments, side="right")
        high = np.searchsorted(sorted_begin, change[:-1], side="right")
        rows = zip(change[:-1].tolist(), change[1:].tolist(), low.tolist(), high.tolist(), strict=True)
        return [(now, until, np.sort(order[a:b])) for now, until, a, b in rows]

    def steps(self) -> list[Step]:
        """Write the steps of the schedule.

        Returns
        -------
        list of Step
        """
        return [
            Step(
                self.source[on],
                self.target[on],
                1 / self.chunks,
                self.reduce[on],
                _at(self.first[on] + now - self.begin[on]),
                repeat=until - now,
                shift=1,
                cycle=self.segments,
            )
            for now, until, on in self._spans()
        ]

    def time(self, alpha: float, whole: float) -> float:
        """Work out the time on one ideal switch, from the loads of the ports.

        Parameters
        ----------
        alpha : float, s
            Per step.
        whole : float, s
            To send the whole vector through a port.

        Returns
        -------
        float, s
        """
        count = busiest = 0
        for now, until, on in self._spans():
            most = max(int(np.bincount(ends[on]).max()) for ends in (self.source, self.target))
            count += until - now
            busiest += (until - now) * most
        return count * alpha + busiest / self.chunks * whole


def _at(first: NDArray[np.int64]) -> ChunkLists:
    return runs(lambda: first)


def broadcast_pipeline(parents: NDArray[np.int32], segments: int) -> Pipeline:
    """Broadcast from rank 0 over trees, an equal part of the vector over each.

    Parameters
    ----------
    parents : ndarray of int32, shape (trees, p)
        Parent of each rank in each tree, -1 at the root, which is rank 0.
    segments : int
        Pieces that each tree's part is cut into.

    Returns
    -------
    Pipeline

    Examples
    --------
    >>> broadcast_pipeline(binary_tree(3), 2).begin.tolist()
    [0, 0]
    """
    depth = _depths(parents)
    tree, child = np.nonzero(parents >= 0)
    return Pipeline(
        parents[tree, child],
        child.astype(np.int32),
        depth[tree, child] - 1,
        tree * segments,
        np.zeros(len(tree), dtype=np.bool_),
        segments,
        len(parents),
    )


def all_reduce_pipeline(parents: NDArray[np.int32], segments: int) -> Pipeline:
    """All-reduce over trees: each segment goes up, and at once down again.

    Parameters
    ----------
    parents : ndarray of int32, shape (trees, p)
        Parent of each rank in each tree, -1 at the root.
    segments : int
        Pieces that each tree's part is cut into.

    Returns
    -------
    Pipeline
        A rank at depth d sends segment j up in step D - d + j, and its parent sends it down in step
        D + d - 1 + j, D the depth of the trees.

    Examples
    --------
    >>> all_reduce_pipeline(chain(3), 1).begin.tolist()
    [1, 0, 2, 3]
    """
    depth = _depths(parents)
    deepest = int(depth.max())
    tree, child = np.nonzero(parents >= 0)
    parent, level = parents[tree, child], depth[tree, child]
    ends = (child.astype(np.int32), parent)
    return Pipeline(
        np.concatenate(ends),
        np.concatenate(ends[::-1]),
        np.concatenate([deepest - level, deepest + level - 1]),
        np.concatenate([tree, tree]) * segments,
        np.repeat([True, False], len(child)),
        segments,
        len(parents),
    )
