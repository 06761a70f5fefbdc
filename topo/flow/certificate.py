"""Proof that rates are max-min fair."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import FlowError
from topo_sim.topo.flow.paths import Paths, as_numbers, check_capacity, check_values

__all__ = ["check_max_min"]


def check_max_min(
    paths: Paths,
    capacity: ArrayLike,
    rates: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    tolerance: float = 1e-9,
) -> NDArray[np.int64]:
    """Verify the certificate of max-min fairness, and return it.

    Rates are max-min fair exactly when no link carries more than its capacity and every flow has a
    bottleneck: a full link on which no flow has a larger rate per weight.

    Parameters
    ----------
    paths : Paths
    capacity : array_like of float, shape (links,), B/s
    rates : array_like of float, shape (flows,), B/s
        To be verified.
    weights : array_like of float, shape (flows,), optional
        As given to `max_min_rates`.
    tolerance : float
        Relative slack for all comparisons.

    Returns
    -------
    ndarray of int64, shape (flows,)
        A bottleneck link of each flow; -1 for a flow that crosses no limited link.

    Raises
    ------
    FlowError
        Naming the first link that is over capacity or flow that has no bottleneck.

    Examples
    --------
    >>> check_max_min(Paths.from_lists([[0, 1], [0], [1]]), [10.0, 4.0], [2.0, 8.0, 2.0]).tolist()
    [1, 0, 1]
    >>> check_max_min(Paths.from_lists([[0], [0]]), [10.0], [4.0, 5.0])
    Traceback (most recent call last):
    topo_sim.base.errors.FlowError: flow 0 has no bottleneck: rate 4 could grow
    """
    limits = check_capacity(paths, capacity)
    flows = len(paths)
    rate = as_numbers(rates, "rates")
    if rate.shape != (flows,) or np.isnan(rate).any() or (rate < 0).any():
        raise FlowError(f"rates: expected {flows} numbers of 0 or more")
    weight = np.ones(flows) if weights is None else check_values(weights, "weights", flows, positive=True)
    flow = np.repeat(np.arange(flows), np.diff(paths.indptr))
    limited = np.isfinite(limits[paths.links])
    bounded = np.zeros(flows, dtype=bool)
    bounded[flow[limited]] = True
    if np.any(np.isfinite(rate) & ~bounded) or np.any(~np.isfinite(rate) & bounded):
        where = int(np.argmax(np.isfinite(rate) != bounded))
        raise FlowError(f"flow {where}: found rate {rate[where]:g}, expected a finite rate where limited")
    load = paths.load(np.where(bounded, rate, 0.0), limits.size)
    over = load > limits * (1 + tolerance)
    if over.any():
        link = int(np.argmax(over))
        raise FlowError(f"link {link}: carries {load[link]:g}, capacity is {limits[link]:g}")
    level = np.where(bounded, rate, 0.0) / weight
    highest = np.zeros(limits.size)
    np.maximum.at(highest, paths.links, level[flow])
    full = load >= limits * (1 - tolerance)
    good = full[paths.links] & (level[flow] >= highest[paths.links] * (1 - tolerance))
    bottleneck = np.full(flows, -1, dtype=np.int64)
    bottleneck[flow[good][::-1]] = paths.links[good][::-1]
    missing = bounded & (bottleneck < 0)
    if missing.any():
        where = int(np.argmax(missing))
        raise FlowError(f"flow {where} has no bottleneck: rate {rate[where]:g} could grow")
    return bottleneck
