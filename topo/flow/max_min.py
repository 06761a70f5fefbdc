"""Max-min fair rates: the front door."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.topo.flow.kernels import water_fill
from topo_sim.topo.flow.paths import Paths, check_capacity, check_values, transpose

__all__ = ["max_min_rates"]

_NO_SHARE = np.zeros(0)


def solver_arrays(paths: Paths, links: int) -> tuple[Any, ...]:
    """Arrays that describe `paths` to the kernels: rows by flow, shares, rows by link."""
    by_link, flows, _ = transpose(paths, links)
    share = _NO_SHARE if paths.share is None else paths.share
    return paths.indptr, paths.links, share, by_link, flows


def max_min_rates(
    paths: Paths, capacity: ArrayLike, weights: ArrayLike | None = None
) -> NDArray[np.float64]:
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
    scratch = [np.empty(limits.size) for _ in range(2)]
    users, level = np.empty(limits.size, np.int64), np.empty(limits.size)
    heap = np.empty(limits.size, np.int64)
    water_fill(*solver_arrays(paths, limits.size), weight, limits, rate, *scratch, users, level, heap)
    return rate
