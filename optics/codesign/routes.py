"""Coin-change routing: a distance between ranks as the sum of the fewest ring strides."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import RoutingError, UsageError
from topo_sim.topo.flow import Paths

__all__ = ["coin_change", "coin_change_paths"]

Ints = NDArray[np.int64]


def coin_change(ranks: int, strides: Sequence[int]) -> tuple[Ints, Ints]:
    """Find the fewest strides that sum to each distance round the ring.

    Parameters
    ----------
    ranks : int
    strides : sequence of int
        From 1 to ranks - 1 each.

    Returns
    -------
    count : ndarray of int64, shape (ranks,)
        Strides for each distance; -1 where none sum to it.
    last : ndarray of int64, shape (ranks,)
        Index of the last stride of each; -1 for distance 0 and where there is none.

    Raises
    ------
    UsageError
        If a stride is out of range.

    Notes
    -----
    Breadth first from 0 over sums modulo `ranks`; among equals the largest stride comes last, so that a
    way starts with its small steps. O(ranks * strides).

    References
    ----------
    Wang et al., "TopoOpt", NSDI 2023 (CoinChangeMod).

    Examples
    --------
    >>> count, last = coin_change(8, [1, 3])
    >>> count.tolist()
    [0, 1, 2, 1, 2, 3, 2, 3]
    """
    coins = np.asarray(strides, dtype=np.int64)
    if ((coins < 1) | (coins >= ranks)).any():
        raise UsageError(f"strides: found {list(strides)}, expected integers from 1 to {ranks - 1}")
    count = np.full(ranks, -1, dtype=np.int64)
    last = np.full(ranks, -1, dtype=np.int64)
    count[0], edge, steps = 0, np.zeros(1, dtype=np.int64), 0
    order = np.argsort(-coins, kind="stable")
    while edge.size and coins.size:
        steps += 1
        reached = []
        for coin in order:
            new = np.unique((edge + coins[coin]) % ranks)
            new = new[count[new] < 0]
            count[new], last[new] = steps, coin
            reached.append(new)
        edge = np.concatenate(reached)
    return count, last


def _coins_of(count: Ints, last: Ints, coins: Ints) -> Ints:
    """Index of each stride on the way of each distance, shape (ranks, most strides); -1 beyond the end."""
    ranks = len(count)
    rows = np.full((ranks, max(int(count.max()), 1)), -1, dtype=np.int64)
    rest = np.arange(ranks)
    for back in range(rows.shape[1]):
        open_ones = np.flatnonzero(count - back > 0)
        coin = last[rest[open_ones]]
        rows[open_ones, count[open_ones] - 1 - back] = coin
        rest[open_ones] = (rest[open_ones] - coins[coin]) % ranks
    return rows


def coin_change_paths(planes: Ints, strides: Sequence[int], source: Ints, target: Ints) -> Paths:
    """Route flows: over a circuit of their own where there is one, else round the rings.

    Parameters
    ----------
    planes : ndarray of int64, shape (planes, ranks)
        Where the circuit from each rank leads, to itself where a port is dark; the rings of `strides` come
        first, in their order.
    strides : sequence of int
    source, target : ndarray of int64, shape (flows,)

    Returns
    -------
    Paths
        Over circuits numbered plane * ranks + rank.

    Raises
    ------
    RoutingError
        If a flow has no circuit and there is no ring.

    Notes
    -----
    Flows with circuits on several planes take the first: one path per flow, as the paper routes them.

    Examples
    --------
    >>> planes = np.array([[1, 2, 3, 0], [2, 1, 0, 3]])
    >>> paths = coin_change_paths(planes, [1], np.array([0, 0]), np.array([2, 3]))
    >>> paths[0].tolist(), paths[1].tolist()
    ([4], [0, 1, 2])
    """
    ranks = planes.shape[1]
    rings = len(strides)
    coins = np.asarray(strides, dtype=np.int64)
    direct = np.full(len(source), -1, dtype=np.int64)
    for plane in range(len(planes) - 1, rings - 1, -1):
        hit = (planes[plane, source] == target) & (source != target)
        direct[hit] = plane * ranks + source[hit]
    count, last = coin_change(ranks, strides)
    rows = _coins_of(count, last, coins)
    apart = (target - source) % ranks
    lost = np.flatnonzero((direct < 0) & (count[apart] < 0))
    if lost.size:
        raise RoutingError(
            f"found no ring and no circuit from rank {source[lost[0]]} to rank {target[lost[0]]}, "
            "expected one"
        )
    length = np.where(direct >= 0, 1, count[apart])
    indptr = np.zeros(len(source) + 1, dtype=np.int64)
    np.cumsum(length, out=indptr[1:])
    flow = np.repeat(np.arange(len(source)), length)
    place = np.arange(indptr[-1]) - indptr[flow]
    coin = rows[apart[flow], place]
    steps = np.where(rows >= 0, coins[rows] if rings else 0, 0)
    before = np.cumsum(steps, axis=1) - steps
    at = (source[flow] + before[apart[flow], place]) % ranks
    links = np.where(direct[flow] >= 0, direct[flow], coin * ranks + at)
    return Paths(indptr, links.astype(np.int32))
