"""Exchanges between changing partners, where each doubles the ranks that a rank has heard of."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.step import ChunkLists, Step

__all__ = ["butterfly"]


def butterfly(partners: NDArray[np.int32], reduce: bool) -> list[Step]:
    """Reduce-scatter or all-gather by exchanges, several parts of the data at once.

    Parameters
    ----------
    partners : ndarray of int32, shape (parts, steps, p)
        Partner of every rank in each step; p is 2^steps.
    reduce : bool
        Reduce-scatter, with the steps in order, or all-gather, with the steps backwards.

    Returns
    -------
    list of Step
        Rank r ends (or starts) with chunk ``r * parts + c`` of each part c.

    Notes
    -----
    In the reduce-scatter, a rank hands over what its partner is going to answer for: the blocks of all
    ranks that the partner reaches by the steps to come.

    Examples
    --------
    >>> xor = np.array([[np.arange(4) ^ 2, np.arange(4) ^ 1]], dtype=np.int32)
    >>> steps = butterfly(xor, reduce=True)
    >>> [(s.fraction[0].item(), s.carried(0, 4)[1].tolist()) for s in steps]
    [(0.5, [2, 3, 3, 2, 0, 1, 1, 0]), (0.25, [1, 0, 3, 2])]
    """
    parts, count, p = partners.shape
    source = np.tile(np.arange(p, dtype=np.int32), parts)
    order = range(count) if reduce else reversed(range(count))
    return [
        Step(source, partners[:, s].ravel(), 1 / (parts << (s + 1)), reduce, _handed(partners, s, reduce))
        for s in order
    ]


def _handed(partners: NDArray[np.int32], step: int, reduce: bool) -> ChunkLists:
    def lists() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        parts, _, p = partners.shape
        rows = []
        for c, row in enumerate(partners):
            reach = _reach(row[step + 1 :], p)
            rows.append((reach[row[step]] if reduce else reach) * parts + c)
        ids = np.concatenate(rows)
        return np.arange(len(ids) + 1) * ids.shape[1], ids.ravel()

    return lists


def _reach(partners: Sequence[NDArray[np.int32]] | NDArray[np.int32], p: int) -> NDArray[np.int64]:
    """Ranks that each rank reaches by some steps, one row per rank."""
    reach = np.arange(p)[:, np.newaxis]
    for row in partners[::-1]:
        reach = np.concatenate([reach, reach[row]], axis=1)
    return reach
