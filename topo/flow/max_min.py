"""Max-min fair rates: the front door."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.topo.flow.kernels import water_fill
from topo_sim.topo.flow.paths import Paths, check_capacity, check_values, transpose

__all__ = ["max_min_rates"]


class SolverArrays(NamedTuple):
    """What the kernels know of paths: rows by flow, shares (empty: all 1), rows by link."""

    indptr: NDArray[np.int64]
    links: NDArray[np.int32]
    share: NDArray[np.float64]
    by_link: NDArray[np.int64]
    flows: NDArray[np.int32]


def solver_arrays(paths: Paths, links: int) -> SolverArrays:
    """Lay out `paths` for the kernels."""
    by_link, flows, _ = transpose(paths, links)
    return SolverArrays(paths.indptr, paths.links, paths.given_share, by_link, flows)


def max_min_rates(paths: Paths, capacity: ArrayLike, weights: ArrayLike | None = None) -> NDArray[np.float64]:
    """Share link bandwidth among flows so that no rate can grow without shrinking a smaller one.

    Parameters
    ----------
    paths : Paths
        The links of each flow; with shares, link l carries ``share * rate`` of the flow.
    capacity : array_like of float, shape (links,), B/s
        More than 0; infinity never limits.
    weights : array_like of float, shape (flows,), optional
        More than 0; the rate per weight is made fair. Default: 1.

    Returns
    -------
    ndarray of float64, shape (flows,), B/s
        Infinite for a flow that crosses no limited link.

    Raises
    ------
    FlowError
        If an array does not fit, or holds a negative, zero or NaN capacity or weight.

    See Also
    --------
    check_max_min : verifies the answer.

    Notes
    -----
    Exact water-filling, O(entries * log links). The answer is unique.

    References
    ----------
    Bertsekas and Gallager, "Data Networks", 2nd edition, section 6.5.2.

    Examples
    --------
    Flow 0 crosses both links, flows 1 and 2 one each: link 1 is shared by 0 and 2.

    >>> paths = Paths.from_lists([[0, 1], [0], [1]])
    >>> max_min_rates(paths, [10.0, 4.0]).tolist()
    [2.0, 8.0, 2.0]
    """
    limits = check_capacity(paths, capacity)
    flows = len(paths)
    weight = np.ones(flows) if weights is None else check_values(weights, "weights", flows, positive=True)
    rate = np.full(flows, -1.0)
    p, width = solver_arrays(paths, limits.size), limits.size
    left, claim, fresh, level = (np.empty(width) for _ in range(4))
    users, heap = np.empty(width, np.int64), np.empty(width, np.int64)
    rows = (p.indptr, p.links, p.share, p.by_link, p.flows)
    water_fill(*rows, weight, limits, rate, left, claim, fresh, users, level, heap)
    return rate
