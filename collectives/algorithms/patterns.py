"""Moves that several algorithms are made of: rings, exchanges of blocks, folding, binomial trees."""

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError
from topo_sim.collectives.step import ChunkLists, Step, runs

__all__ = [
    "binomial_broadcast",
    "binomial_reduce",
    "binomial_scatter",
    "ceil_log2",
    "doubling",
    "exact_log2",
    "floor_log2",
    "fold",
    "halving",
    "ring",
    "whole_vector",
]


def floor_log2(p: int) -> int:
    """Return the largest k with 2^k <= p, for p >= 1.

    Examples
    --------
    >>> [floor_log2(p) for p in (1, 2, 3, 4, 5)]
    [0, 1, 1, 2, 2]
    """
    return p.bit_length() - 1


def ceil_log2(p: int) -> int:
    """Return the smallest k with 2^k >= p, for p >= 1.

    Examples
    --------
    >>> [ceil_log2(p) for p in (1, 2, 3, 4, 5)]
    [0, 1, 2, 2, 3]
    """
    return (p - 1).bit_length()


def exact_log2(p: int) -> int:
    """Return k with 2^k = p; raise `CollectiveError` if there is none.

    Examples
    --------
    >>> exact_log2(8)
    3
    """
    if p & (p - 1):
        raise CollectiveError(f"the closed form needs a power of two of ranks, not {p}")
    return floor_log2(p)


def ring(p: int, first: int, reduce: bool) -> Step:
    """Every rank passes on a chunk to the next, p - 1 times round the ring.

    Parameters
    ----------
    p : int
        Number of ranks and of chunks.
    first : int
        Rank r starts with chunk ``(r + first) % p``, goes on with the one before it, and so on.
    reduce : bool
        Whether chunks are combined on the way.

    Returns
    -------
    Step
        One step, repeated p - 1 times.

    Examples
    --------
    >>> step = ring(3, first=0, reduce=True)
    >>> step.target.tolist(), [step.carried(j, 3)[1].tolist() for j in range(step.repeat)]
    ([1, 2, 0], [[0, 1, 2], [2, 0, 1]])
    """
    rank = np.arange(p, dtype=np.int32)
    return Step(
        rank,
        np.roll(rank, -1),
        1 / p,
        reduce,
        runs(lambda: np.roll(np.arange(p), -first)),
        repeat=p - 1,
        shift=-1,
    )


def halving(core: NDArray[np.int32]) -> list[Step]:
    """Reduce-scatter by recursive halving: position i of `core` ends with block i of as many chunks.

    Parameters
    ----------
    core : numpy.ndarray, int32[q]
        The ranks that take part, a power of two of them.

    Returns
    -------
    list of Step
        log2(q) steps; the first exchanges halves of the vector over the largest distance.

    Examples
    --------
    >>> [(s.target.tolist(), s.fraction[0].item()) for s in halving(np.arange(4))]
    [([2, 3, 0, 1], 0.5), ([1, 0, 3, 2], 0.25)]
    """
    q = len(core)
    return [_exchange(core, 1 << k, partner=True, reduce=True) for k in reversed(range(floor_log2(q)))]


def doubling(core: NDArray[np.int32]) -> list[Step]:
    """All-gather by recursive doubling: position i of `core` starts with block i of as many chunks.

    Parameters
    ----------
    core : numpy.ndarray, int32[q]
        The ranks that take part, a power of two of them.

    Returns
    -------
    list of Step
        log2(q) steps; the last exchanges halves of the vector over the largest distance.

    Examples
    --------
    >>> [(s.target.tolist(), s.fraction[0].item()) for s in doubling(np.arange(4))]
    [([1, 0, 3, 2], 0.25), ([2, 3, 0, 1], 0.5)]
    """
    return [_exchange(core, 1 << k, partner=False, reduce=False) for k in range(floor_log2(len(core)))]


def _exchange(core: NDArray[np.int32], distance: int, partner: bool, reduce: bool) -> Step:
    """Pairs at a distance exchange aligned runs of that many chunks: the partner's or their own."""
    q = len(core)
    position = np.arange(q)
    other = position ^ distance

    def first() -> NDArray[np.int64]:
        return (other if partner else position) & -distance

    return Step(core, core[other], distance / q, reduce, runs(first, distance))


def fold(p: int) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Set aside as few ranks as leave a power of two of them.

    Parameters
    ----------
    p : int
        Number of ranks.

    Returns
    -------
    core : numpy.ndarray, int32[q]
        The ranks that stay, q = 2^floor(log2 p) of them.
    folded : numpy.ndarray, int32[p - q]
        The ranks that are set aside: 0, 2, 4, ...
    hosts : numpy.ndarray, int32[p - q]
        Their neighbours 1, 3, 5, ... in the core, who stand in for them.

    References
    ----------
    Thakur, Rabenseifner, Gropp, Optimization of collective communication in MPICH, IJHPCA 2005.

    Examples
    --------
    >>> core, folded, hosts = fold(6)
    >>> core.tolist(), folded.tolist(), hosts.tolist()
    ([1, 3, 4, 5], [0, 2], [1, 3])
    """
    surplus = p - (1 << floor_log2(p))
    folded = np.arange(0, 2 * surplus, 2, dtype=np.int32)
    rest = np.arange(2 * surplus, p, dtype=np.int32)
    return np.concatenate([folded + np.int32(1), rest]), folded, folded + np.int32(1)


def whole_vector(source: NDArray[np.int32], target: NDArray[np.int32], reduce: bool, chunks: int) -> Step:
    """Send all chunks, in one step.

    Parameters
    ----------
    source, target : numpy.ndarray, int32[T]
        Ranks.
    reduce : bool
        Whether the target combines.
    chunks : int
        Number of chunks of the schedule.

    Returns
    -------
    Step
        T transfers of the whole size.

    Examples
    --------
    >>> whole_vector(np.array([1]), np.array([0]), reduce=True, chunks=4).carried(0, 4)[1].tolist()
    [0, 1, 2, 3]
    """
    return Step(source, target, 1.0, reduce, runs(lambda: np.zeros(len(source)), chunks))


def binomial_reduce(p: int) -> list[Step]:
    """Reduce one chunk to rank 0: distances 1, 2, 4, ...

    Parameters
    ----------
    p : int
        Number of ranks.

    Returns
    -------
    list of Step
        ceil(log2 p) steps; in step k the ranks whose lowest set bit is 2^k send.

    Examples
    --------
    >>> [(s.source.tolist(), s.target.tolist()) for s in binomial_reduce(5)]
    [([1, 3], [0, 2]), ([2], [0]), ([4], [0])]
    """
    steps = []
    for k in range(ceil_log2(p)):
        source = np.arange(1 << k, p, 2 << k, dtype=np.int32)
        steps.append(whole_vector(source, source - np.int32(1 << k), reduce=True, chunks=1))
    return steps


def binomial_broadcast(p: int) -> list[Step]:
    """Broadcast one chunk from rank 0: the reduction backwards.

    Parameters
    ----------
    p : int
        Number of ranks.

    Returns
    -------
    list of Step
        ceil(log2 p) steps.

    Examples
    --------
    >>> [(s.source.tolist(), s.target.tolist()) for s in binomial_broadcast(5)]
    [([0], [4]), ([0], [2]), ([0, 2], [1, 3])]
    """
    return [whole_vector(s.target, s.source, reduce=False, chunks=1) for s in reversed(binomial_reduce(p))]


def binomial_scatter(p: int) -> list[Step]:
    """Scatter p chunks from rank 0 down a binomial tree: rank r ends with chunk r.

    Parameters
    ----------
    p : int
        Number of ranks and of chunks.

    Returns
    -------
    list of Step
        ceil(log2 p) steps; in that over distance 2^k, multiples of 2^(k+1) hand on up to 2^k chunks.

    Examples
    --------
    >>> [(s.target.tolist(), s.carried(0, 5)[1].tolist()) for s in binomial_scatter(5)]
    [([4], [4]), ([2], [2, 3]), ([1, 3], [1, 3])]
    """
    steps = []
    for k in reversed(range(ceil_log2(p))):
        source = np.arange(0, p - (1 << k), 2 << k, dtype=np.int32)
        target = source + np.int32(1 << k)
        counts = np.minimum(1 << k, p - target)
        steps.append(Step(source, target, counts / p, False, _consecutive(target, counts)))
    return steps


def _consecutive(first: NDArray[np.int32], counts: NDArray[np.int64]) -> ChunkLists:
    """Let every transfer carry a run of its own length."""

    def lists() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        indptr = np.append(0, np.cumsum(counts))
        ids = np.arange(indptr[-1]) + np.repeat(first - indptr[:-1], counts)
        return indptr, ids

    return lists
