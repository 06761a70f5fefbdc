"""Proof that rates are max-min fair."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import FlowError
from topo_sim.topo.flow.arrays import as_number
from topo_sim.topo.flow.max_min import scaled_weights, with_caps
from topo_sim.topo.flow.paths import Paths, check_capacity, check_values

__all__ = ["check_max_min"]


def check_max_min(
    paths: Paths,
    capacity: ArrayLike,
    rates: ArrayLike,
    weights: ArrayLike | None = None,
    caps: ArrayLike | None = None,
    *,
    tolerance: float = 1e-9,
) -> NDArray[np.int64]:
    """Verify the certificate of max-min fairness, and return it.

    Rates are max-min fair exactly when no link carries more than its capacity and every flow has a
    bottleneck: a full link on which no flow has a larger rate per weight. A cap is a link of the flow's own.

    Parameters
    ----------
    paths : Paths
    capacity : array_like of float, shape (links,), B/s
    rates : array_like of float, shape (flows,), B/s
        To be verified.
    weights : array_like of float, shape (flows,), optional
        As given to `max_min_rates`.
    caps : array_like of float, shape (flows,), B/s, optional
        As given to `max_min_rates`.
    tolerance : float
        Relative slack for all comparisons, 0 to 0.001.

    Returns
    -------
    ndarray of int64, shape (flows,)
        A bottleneck link of each flow; -1 for a flow that crosses no limited link and has no cap, -2 for
        one that only its cap holds back.

    Raises
    ------
    FlowError
        Naming the first link that is over capacity, flow that is over its cap, or flow that has no
        bottleneck; or if an argument is wrong.

    Examples
    --------
    >>> check_max_min(Paths.from_lists([[0, 1], [0], [1]]), [10.0, 4.0], [2.0, 8.0, 2.0]).tolist()
    [1, 0, 1]
    >>> check_max_min(Paths.from_lists([[0], [0]]), [10.0], [4.0, 5.0])
    Traceback (most recent call last):
    topo_sim.base.errors.FlowError: flow 0 has no bottleneck: rate 4 could grow
    >>> check_max_min(Paths.from_lists([[0], [0]]), [10.0], [3.0, 7.0], caps=[3.0, 9.0]).tolist()
    [-2, 0]
    """
    limits = check_capacity(paths, capacity)
    flows, links = len(paths), limits.size
    rate = check_values(rates, "rates", flows, infinite=True)
    weight = scaled_weights(weights, flows)
    slack = as_number(tolerance, "tolerance", 0.0, 1e-3)
    if caps is not None:
        paths, limits = with_caps(paths, limits, caps)
    flow = np.repeat(np.arange(flows), np.diff(paths.indptr))
    limited = np.isfinite(limits[paths.links])
    bounded = np.zeros(flows, dtype=bool)
    bounded[flow[limited]] = True
    if np.any(np.isfinite(rate) & ~bounded) or np.any(~np.isfinite(rate) & bounded):
        where = int(np.argmax(np.isfinite(rate) != bounded))
        raise FlowError(f"flow {where}: found rate {rate[where]:g}, expected a finite rate where limited")
    load = paths.load(np.where(bounded, rate, 0.0), limits.size)
    over = load > limits * (1 + slack)
    if over.any():
        link = int(np.argmax(over))
        if link >= links:
            where = int(flow[np.flatnonzero(paths.links == link)[0]])
            raise FlowError(f"flow {where}: found rate {rate[where]:g}, its cap is {limits[link]:g}")
        raise FlowError(f"link {link}: carries {load[link]:g}, capacity is {limits[link]:g}")
    bottleneck = _bottlenecks(
        paths, flow, load >= limits * (1 - slack), np.where(bounded, rate, 0.0) / weight, slack
    )
    missing = bounded & (bottleneck < 0)
    if missing.any():
        where = int(np.argmax(missing))
        raise FlowError(f"flow {where} has no bottleneck: rate {rate[where]:g} could grow")
    bottleneck[bottleneck >= links] = -2
    return bottleneck


def _bottlenecks(
    paths: Paths, flow: NDArray[np.int64], full: NDArray[np.bool_], level: NDArray[np.float64], slack: float
) -> NDArray[np.int64]:
    """First full link of each flow on which no flow has a higher level, -1 where there is none."""
    highest = np.zeros(full.size)
    np.maximum.at(highest, paths.links, level[flow])
    good = full[paths.links] & (level[flow] >= highest[paths.links] * (1 - slack))
    bottleneck = np.full(len(paths), -1, dtype=np.int64)
    bottleneck[flow[good][::-1]] = paths.links[good][::-1]
    return bottleneck
