"""Max-min fair rates: the front door."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import FlowError
from topo_sim.topo.flow.kernels import water_fill
from topo_sim.topo.flow.paths import Paths, as_numbers, check_capacity, check_values, transpose
from topo_sim.topo.flow.plain_kernels import plain_rates

__all__ = ["max_min_rates"]

# So many links and more need numbers of 32 bits; half the memory is read with 16.
NARROW = 65_535


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
        If an array does not fit, or holds a negative, zero or NaN capacity, weight or cap.

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
        return rate
    rate.fill(-1.0)
    weight = np.ones(flows) if weights is None else check_values(weights, "weights", flows, positive=True)
    p = solver_arrays(paths, width)
    left, claim, fresh, level = (np.empty(width) for _ in range(4))
    users, heap = np.empty(width, np.int64), np.empty(width, np.int64)
    rows = (p.indptr, p.links, p.share, p.by_link, p.flows)
    water_fill(*rows, weight, limits, rate, left, claim, fresh, users, level, heap)
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
    cap = as_numbers(caps, "caps")
    cap = np.full(len(paths), cap) if cap.ndim == 0 else cap
    if cap.shape != (len(paths),) or not np.all(cap > 0):
        raise FlowError(f"caps: found shape {cap.shape}, expected {len(paths)} numbers of more than 0")
    capped = np.flatnonzero(np.isfinite(cap))
    indptr = np.zeros(len(paths) + 1, dtype=np.int64)
    np.cumsum(np.isfinite(cap), out=indptr[1:])
    own = Paths.trusted(indptr, (capacity.size + np.arange(capped.size)).astype(np.int32))
    return paths.join(own), np.concatenate([capacity, cap[capped]])
