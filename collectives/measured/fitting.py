"""Fit the constants of the calibrated model to measured times."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.models.calibrated import predict
from topo_sim.collectives.models.constants import Constants, describe, prior_constants
from topo_sim.collectives.models.layout import Layout

__all__ = ["LARGE", "Series", "fit_constants"]

LARGE = 16 * 2**20
"""Sizes from here on count as large, B."""

_SLACK_LARGE, _SLACK_SMALL = 0.05, 0.15  # expected error of the logarithm
_LONG = 20  # sizes from which a series counts in full
_WEIGHT = 3.0  # of a whole series, in units of the error of one constant


@dataclass(frozen=True)
class Series:
    """Measured times of one collective on one machine.

    Parameters
    ----------
    system : str
    fabric : str
    network : str
    layout : Layout
    collective : str
    sizes : ndarray of float64, shape (N,), B
    times : ndarray of float64, shape (N,), s
    outlier : ndarray of bool, shape (N,)
        Which times are known to be wrong; they are neither fitted nor counted.
    generation : str, optional
    """

    system: str
    fabric: str
    network: str
    layout: Layout
    collective: str
    sizes: NDArray[np.float64]
    times: NDArray[np.float64]
    outlier: NDArray[np.bool_]
    generation: str | None = None

    def predicted(self, constants: Constants) -> NDArray[np.float64]:
        """Give the times of the model.

        Parameters
        ----------
        constants : Constants

        Returns
        -------
        ndarray of float64, shape (N,), s
        """
        known = constants.of(self.network)
        return predict(self.layout, self.collective, self.sizes, known, self.generation)

    def part(self, keep: NDArray[np.bool_]) -> "Series":
        """Keep some of the sizes.

        Parameters
        ----------
        keep : ndarray of bool, shape (N,)

        Returns
        -------
        Series
        """
        kept = self.sizes[keep], self.times[keep], self.outlier[keep]
        return Series(
            self.system, self.fabric, self.network, self.layout, self.collective, *kept, self.generation
        )


def fit_constants(series: Sequence[Series]) -> tuple[Constants, tuple[str, ...]]:
    """Fit constants to measured times, drawn to the priors.

    Parameters
    ----------
    series : sequence of Series
        Without any, the priors come back.

    Returns
    -------
    Constants
    tuple of str
        Names of those that the measurements could move.

    Notes
    -----
    Least squares on log(predicted / measured) with loss ``soft_l1``, so that a few wild times count
    little; a time may be off by 15 % below 16 MiB and by 5 % from there on, every series weighs the same
    however many sizes it has, and a constant pays for leaving its prior. Constants of a kind of network
    that no series runs on stay at their priors.
    """
    kinds = {s.network for s in series if s.layout.nodes > 1}
    names = tuple(
        name
        for name, c in describe().items()
        if series and c.spread > 0 and ("." not in name or name.partition(".")[0] in kinds)
    )
    prior = prior_constants()
    if not names:
        return prior, ()
    start = np.array([prior.values[name] for name in names])
    spread = np.array([describe()[name].spread for name in names])
    parts = [s.part(~s.outlier) for s in series]
    parts = [s for s in parts if len(s.sizes)]

    def at(z: NDArray[np.float64]) -> Constants:
        values = start * np.exp(z * spread)
        return prior.changed(dict(zip(names, values.tolist(), strict=True)), "fitted")

    def misfit(z: NDArray[np.float64]) -> NDArray[np.float64]:
        constants, found = at(z), []
        for s in parts:
            slack = np.where(s.sizes >= LARGE, _SLACK_LARGE, _SLACK_SMALL)
            error = np.log(s.predicted(constants) / s.times) / slack
            robust = 2 * np.sign(error) * np.sqrt(np.sqrt(1 + (error / 2) ** 2) - 1) * np.sqrt(2)
            found.append(robust * _WEIGHT / np.sqrt(max(len(s.sizes), _LONG)))
        return np.concatenate([*found, z])

    from scipy.optimize import least_squares  # a quarter of a second to import

    z = least_squares(misfit, np.zeros(len(names)), method="trf", xtol=1e-10, ftol=1e-10).x
    return at(z), names
