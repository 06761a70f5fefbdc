"""Circuits for what a job sends: matchings of largest weight, each demand discounted once it is served."""

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.optics.codesign.strides import check_count

__all__ = ["discounted_matchings", "hop_counts"]

MOST_RANKS = 2048


def hop_counts(planes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Count circuits on the shortest way between each two ranks.

    Parameters
    ----------
    planes : ndarray of int64, shape (planes, ranks)
        Where the circuit from each rank leads; to itself where a port is dark.

    Returns
    -------
    ndarray of float64, shape (ranks, ranks)
        Infinite where there is no way.

    Examples
    --------
    >>> hop_counts(np.array([[1, 2, 0]]))[0].tolist()
    [0.0, 1.0, 2.0]
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import shortest_path

    count = planes.shape[1]
    source = np.tile(np.arange(count), len(planes))
    graph = csr_array((np.ones(source.size), (source, planes.ravel())), shape=(count, count))
    graph.setdiag(0)
    graph.eliminate_zeros()
    hops: NDArray[np.float64] = shortest_path(graph, unweighted=True)
    return hops


def _fill(plane: NDArray[np.int64], planes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Join the ports that no demand wants, between ranks that are far apart so far."""
    from scipy.optimize import linear_sum_assignment

    count = len(plane)
    rank = np.arange(count)
    lit = plane != rank
    out, into = rank[~lit], np.setdiff1d(rank, plane[lit])
    if not out.size:
        return plane
    far = np.minimum(hop_counts(np.vstack([planes, plane])), count)[np.ix_(out, into)]
    row, column = linear_sum_assignment(far, maximize=True)
    filled = plane.copy()
    filled[out[row]] = into[column]
    return filled


def discounted_matchings(
    demand: NDArray[np.float64], count: int, rings: NDArray[np.int64] | None = None, discount: float = 0.5
) -> NDArray[np.int64]:
    """Choose circuits for a demand, one matching after the other.

    Parameters
    ----------
    demand : ndarray of float64, shape (ranks, ranks)
        Bytes from each rank to each, 0 or more; the diagonal counts for nothing.
    count : int
        How many matchings; 0 or more.
    rings : ndarray of int64, shape (rings, ranks), optional
        Circuits that are there already, as permutations.
    discount : float
        What is left of the weight of a pair for each circuit that it has got, from 0 to 1.

    Returns
    -------
    ndarray of int64, shape (count, ranks)
        Where the circuit from each rank leads; to itself where a port stays dark.

    Raises
    ------
    UsageError
        If the demand is no square matrix of finite numbers of 0 or more, or a number is out of range.

    Notes
    -----
    A port sends to one rank and receives from another, so a matching is an assignment (Jonker-Volgenant,
    O(ranks^3)), not one of an undirected graph. Ports that no demand wants are joined where the circuits
    so far leave ranks farthest apart: they shorten ways and cost nothing.

    References
    ----------
    Wang et al., "TopoOpt", NSDI 2023 (algorithm 1, TopologyFinder).

    Examples
    --------
    The pair 0 -> 1 is served first, then 0 -> 2; what is left of rank 1's ports could only meet itself:

    >>> demand = np.array([[0.0, 8.0, 7.0], [0.0, 0.0, 3.0], [1.0, 0.0, 0.0]])
    >>> discounted_matchings(demand, 2).tolist()
    [[1, 2, 0], [2, 1, 0]]
    """
    from scipy.optimize import linear_sum_assignment

    weight = np.array(demand, dtype=np.float64)
    if weight.ndim != 2 or weight.shape[0] != weight.shape[1] or not 2 <= len(weight) <= MOST_RANKS:
        raise UsageError(
            f"demand: found shape {weight.shape}, expected a square matrix of 2 to {MOST_RANKS} ranks"
        )
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise UsageError("demand: found an entry that is negative or not finite, expected bytes of 0 or more")
    if not 0 <= discount <= 1:
        raise UsageError(f"discount: found {discount!r}, expected a number from 0 to 1")
    ranks = len(weight)
    rank = np.arange(ranks)
    weight[rank, rank] = 0.0
    planes = np.zeros((0, ranks), dtype=np.int64) if rings is None else rings
    first = len(planes)
    for _ in range(check_count("count", count, 0)):
        _, column = linear_sum_assignment(weight, maximize=True)
        plane = np.where(weight[rank, column] > 0, column, rank)
        weight[rank, plane] *= discount
        planes = np.vstack([planes, _fill(plane, planes)])
    return planes[first:]
