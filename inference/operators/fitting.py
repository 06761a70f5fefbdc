"""Fit the constants of the time model to measured operators, and say how far off they are on others."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.inference.measured.reading import Measured
from topo_sim.inference.operators.device import Device
from topo_sim.inference.operators.efficiency import CONSTANTS, SHARES, Efficiency
from topo_sim.inference.operators.operator import Array
from topo_sim.inference.operators.times import operator_time

__all__ = ["WIDE", "fit_efficiency", "predict", "splits", "transfers"]

Mask = NDArray[np.bool_]

WIDE = 2.0
"""Spread of the logarithm of a constant that the measurements alone shall decide."""

_HALVES = 5
_LEAST = 3  # rows to fit
_ERROR = 0.05  # expected error of the logarithm of a time


def predict(rows: Measured, device: Device, efficiency: Efficiency) -> Array:
    """Model the times of measured rows.

    Parameters
    ----------
    rows : Measured
    device : Device
    efficiency : Efficiency

    Returns
    -------
    ndarray of float64, shape (N,), s
    """
    found = np.empty(len(rows))
    for index, op in rows.operators():
        found[index] = operator_time(op, device, efficiency).time
    return found


def fit_efficiency(rows: Measured, device: Device, start: Efficiency, spread: float = WIDE) -> Efficiency:
    """Fit the constants to measured times.

    Parameters
    ----------
    rows : Measured
    device : Device
        What they were measured on.
    start : Efficiency
        Where to start, and the prior: constants that the measurements do not tell about stay there.
    spread : float
        Of the prior, in the logarithm: how far constants may go without much being paid.

    Returns
    -------
    Efficiency

    Raises
    ------
    UsageError
        If the spread is not above 0.

    Notes
    -----
    Least squares on log(modelled / measured) / 0.05 under the loss soft_l1, so that a few odd rows count
    little, plus (constant - prior) / spread on logarithms; shares stay below 1.
    """
    from scipy.optimize import least_squares

    if not 0 < spread < float("inf"):
        raise UsageError(f"found a spread of {spread}, expected a number above 0")
    prior = start.vector()
    measured = np.log(rows.times)
    groups = rows.operators()
    found = np.empty(len(rows))

    def residual(vector: Array) -> Array:
        constants = start.moved(vector)
        for index, op in groups:
            found[index] = operator_time(op, device, constants).time
        return np.concatenate([(np.log(found) - measured) / _ERROR, (vector - prior) / spread])

    most = np.array([0.0 if name in SHARES else np.inf for name in CONSTANTS])
    first = np.minimum(prior, most - 1e-6)
    step = [1e-3] * len(CONSTANTS)
    result = least_squares(residual, first, bounds=(-np.inf, most), loss="soft_l1", diff_step=step)
    return start.moved(result.x)


def splits(rows: Measured, seed: int = 0) -> Mapping[str, Mask]:
    """Ways to hold back part of the rows: at random, by model, shard size, operator, tokens, duration.

    Parameters
    ----------
    rows : Measured
    seed : int
        Of the random halves.

    Returns
    -------
    dict from str to ndarray of bool, shape (N,)
        Rows that are not fitted. Splits that would leave too little to fit or nothing to test are left out.
    """
    found = {}
    halves = np.random.default_rng(seed)
    for i in range(_HALVES):
        found[f"random half {i + 1}"] = halves.permutation(len(rows)) < len(rows) // 2
    for what, values in (("model", rows.model), ("TP", rows.tp), ("operator", rows.op)):
        for value in np.unique(values[rows.op != "copy"]):
            found[f"{what} {value} left out"] = values == value
    for low, high in ((1, 64), (65, 512), (513, 10**9)):
        name = f"{low} to {high} rows left out" if high < 10**9 else f"more than {low - 1} rows left out"
        found[name] = (rows.m >= low) & (rows.m <= high) & (rows.batch == 0) & (rows.op != "copy")
    quarter, most = np.quantile(rows.times, (0.25, 0.75))
    found["the shortest quarter left out"] = rows.times <= quarter
    found["the longest quarter left out"] = rows.times >= most
    return {name: held for name, held in found.items() if held.any() and (~held).sum() >= _LEAST}


def transfers(rows: Measured) -> Mapping[str, tuple[Mask, Mask]]:
    """Harder ways to hold back rows: fit one shard size of one model alone, test the others of other models.

    Parameters
    ----------
    rows : Measured

    Returns
    -------
    dict from str to (ndarray of bool, ndarray of bool), shape (N,)
        Rows that are fitted, and rows that are tested.
    """
    found = {}
    known = rows.op != "copy"
    for model in np.unique(rows.model[known]):
        for tp in np.unique(rows.tp[known]):
            fitted = (rows.model == model) & (rows.tp == tp) & known
            tested = (rows.model != model) & (rows.tp != tp) & known
            if fitted.sum() >= len(CONSTANTS) and tested.any():
                found[f"{model} TP {tp} alone, the others tested"] = fitted, tested
    return found
