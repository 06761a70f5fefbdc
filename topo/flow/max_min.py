"""Max-min fair rates: the front door."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import FlowError
from topo_sim.topo.flow.kernels import water_fill
from topo_sim.topo.flow.paths import Paths, check_capacity, check_values, transpose
from topo_sim.topo.flow.plain_kernels import plain_rates

__all__ = ["max_min_rates"]

# So many links and more need numbers of 32 bits; half the memory is read with 16.
NARROW = 65_535
# The least double that has all its digits.
LEAST = float(np.finfo(np.float64).tiny)


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


def max_min_rates(
    paths: Paths, capacity: ArrayLike, weights: ArrayLike | None = None, caps: ArrayLike | None = None
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
    caps : array_like of float, shape (flows,), B/s, optional
        Most that each flow can use, more than 0; infinity for no cap. Default: none.

    Returns
    -------
    ndarray of float64, shape (flows,), B/s
        Infinite for a flow that crosses no limited link and has no cap.

    Raises
    ------
    FlowError
        If an array does not fit, or holds a negative, zero or NaN capacity, weight or cap; or if numbers
        are so far apart that rates or what links carry per weight would leave the range of a double.

    See Also
    --------
    check_max_min : verifies the answer.

    Notes
    -----
    Exact water-filling. The answer is unique. Whole flows of equal weight are settled in rounds where
    links carry few of them, O(entries) a round, and otherwise as the general case: links are filled
    one by one, lowest level first, O(entries + links log links). A cap is a link of the flow's own.

    References
    ----------
    Bertsekas and Gallager, "Data Networks", 2nd edition, section 6.5.2.

    Examples
    --------
    Flow 0 crosses both links, flows 1 and 2 one each: link 1 is shared by 0 and 2.

    >>> paths = Paths.from_lists([[0, 1], [0], [1]])
    >>> max_min_rates(paths, [10.0, 4.0]).tolist()
    [2.0, 8.0, 2.0]
    >>> max_min_rates(paths, [10.0, 4.0], caps=[1.0, 5.0, np.inf]).tolist()
    [1.0, 5.0, 3.0]
    """
    limits = check_capacity(paths, capacity)
    if caps is not None:
        paths, limits = with_caps(paths, limits, caps)
    flows, width = len(paths), limits.size
    rate = np.empty(flows)
    if weights is None and paths.share is None:
        kind = np.empty(1, np.uint16 if width < NARROW else np.uint32)
        plain_rates(kind, paths.indptr, paths.links, limits, rate, np.empty(flows, np.int32))
        # A capacity over a number of flows is never infinite.
        return rate if rate.min(initial=1.0) > 0 else _in_range(rate, paths, limits)
    rate.fill(-1.0)
    weight = scaled_weights(weights, flows)
    _check_parts(paths, weight)
    p = solver_arrays(paths, width)
    left, claim, fresh, level = (np.empty(width) for _ in range(4))
    users, heap = np.empty(width, np.int64), np.empty(width, np.int64)
    rows = (p.indptr, p.links, p.share, p.by_link, p.flows)
    water_fill(*rows, weight, limits, rate, left, claim, fresh, users, level, heap)
    return _in_range(rate, paths, limits)


def scaled_weights(weights: ArrayLike | None, flows: int) -> NDArray[np.float64]:
    """Scale weights by a power of two so that the largest is between 1/2 and 1.

    Only their ratios count. A power of two leaves every digit of weights and rates as it was, and no sum
    of weights overflows.

    Parameters
    ----------
    weights : array_like of float, shape (flows,), optional
        More than 0. Default: 1.
    flows : int

    Returns
    -------
    ndarray of float64, shape (flows,)

    Raises
    ------
    FlowError
        If a weight is not finite and more than 0, or less than 2e-308 times the largest.

    Examples
    --------
    >>> scaled_weights([3.0, 12.0], 2).tolist()
    [0.1875, 0.75]
    """
    if weights is None:
        return np.ones(flows)
    weight = check_values(weights, "weights", flows, positive=True)
    if flows:
        weight = np.ldexp(weight, -int(np.frexp(weight.max())[1]))
        if weight.min() < LEAST:
            where = int(np.argmin(weight))
            raise FlowError(f"weights[{where}]: found less than 2e-308 of the largest, expected more")
    return weight


def _check_parts(paths: Paths, weight: NDArray[np.float64]) -> None:
    """Refuse flows whose part of a link, per unit of fair rate, leaves the range of a double."""
    if paths.share is None:
        return
    flow = np.repeat(np.arange(len(paths)), np.diff(paths.indptr))
    part = weight[flow] * paths.share
    if part.size and part.min() < LEAST:
        where = int(np.argmin(part))
        raise FlowError(
            f"share[{where}]: found {paths.share[where]:g}, expected more: times its weight "
            "over the largest it leaves the range of a double"
        )


def _in_range(rate: NDArray[np.float64], paths: Paths, capacity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Refuse rates that fell to 0, or became infinite or NaN where they are limited."""
    if rate.min(initial=1.0) > 0 and rate.max(initial=1.0) < np.inf:
        return rate
    wrong = ~(rate > 0)
    endless = ~np.isfinite(rate)
    if endless.any():
        limited = np.isfinite(capacity)[paths.links]
        bounded = np.zeros(len(paths), dtype=bool)
        bounded[np.repeat(np.arange(len(paths)), np.diff(paths.indptr))[limited]] = True
        wrong |= endless & bounded
    if wrong.any():
        raise FlowError(
            f"flow {int(np.argmax(wrong))}: its rate leaves the range of a double, expected capacities, "
            "weights and shares less far apart"
        )
    return rate


def with_caps(
    paths: Paths, capacity: NDArray[np.float64], caps: ArrayLike
) -> tuple[Paths, NDArray[np.float64]]:
    """Give every capped flow a link of its own, of that capacity.

    Parameters
    ----------
    paths : Paths
    capacity : ndarray of float64, shape (links,), B/s
    caps : array_like of float, shape (flows,), B/s

    Returns
    -------
    paths : Paths
        With one more entry per capped flow.
    capacity : ndarray of float64, shape (links + capped flows,), B/s

    Raises
    ------
    FlowError
        If a cap is NaN or not more than 0.
    """
    cap = check_values(caps, "caps", len(paths), positive=True, infinite=True)
    capped = np.flatnonzero(np.isfinite(cap))
    indptr = np.zeros(len(paths) + 1, dtype=np.int64)
    np.cumsum(np.isfinite(cap), out=indptr[1:])
    own = Paths.trusted(indptr, (capacity.size + np.arange(capped.size)).astype(np.int32))
    return paths.join(own), np.concatenate([capacity, cap[capped]])
