"""Yield where some parts of a die may be broken, for every yield model: n units, of which m must work."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import betainc, erfcinv, erfinv, gammainccinv, gammaincinv

from topo_sim.base.errors import UsageError
from topo_sim.gpus.yields import MOST_DEFECTS, YieldModel, check_area, check_density

__all__ = ["Salvage", "densities", "density_for_gain", "die_yield", "harvested"]

Array = NDArray[np.float64]
_Quantile = Callable[[Array, Array], Array]
_STEP = 1 / 12  # of the rule, in its own variable: errors stay below 1e-6, mostly far below
_SPAN = 3.6
_BLOCK = 2**22  # values held at once


@dataclass(frozen=True)
class Salvage:
    """What of a die may be broken.

    Parameters
    ----------
    share : float
        Of the die's area that the units take; a defect elsewhere loses the die.
    made, needed : int
        Units on the die, and how many of them must work.

    Raises
    ------
    UsageError
        If the share is not from 0 to 1, or more are needed than there are.

    Examples
    --------
    >>> Salvage(0.6, 144, 145)
    Traceback (most recent call last):
    topo_sim.base.errors.UsageError: salvage: found 145 SMs needed of 144, expected 1 to 144
    """

    share: float
    made: int
    needed: int

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise UsageError(f"salvage: found a share of {self.share:g} of the die, expected 0 to 1")
        if self.made < 1 or not 1 <= self.needed <= self.made:
            raise UsageError(
                f"salvage: found {self.needed} SMs needed of {self.made}, expected 1 to {max(self.made, 1)}"
            )


def _triangle_low(u: Array, v: Array) -> Array:
    return np.sqrt(u)


def _triangle_high(u: Array, v: Array) -> Array:
    return 2 - np.sqrt(v)


def _levy(u: Array, v: Array) -> Array:
    return 0.25 / np.where(u < 0.5, erfcinv(u), erfinv(v)) ** 2


def _gamma(shape: float, scale: float) -> _Quantile:
    def quantile(u: Array, v: Array) -> Array:
        return scale * np.where(u < 0.5, gammaincinv(shape, u), gammainccinv(shape, v))

    return quantile


def _pieces(model: YieldModel) -> Sequence[tuple[float, _Quantile]]:
    """Quantiles of the density over its mean, of u and v = 1 - u, in pieces with their weights."""
    settings = model.settings
    if model.name == "murphy":
        return [(0.5, _triangle_low), (0.5, _triangle_high)]
    if model.name == "rectangular":
        return [(1.0, lambda u, v: 2 * u)]
    if model.name == "moore":
        return [(1.0, _levy)]
    if model.name == "seeds":
        return [(1.0, _gamma(1.0, 1.0))]
    if model.name == "bose_einstein":
        layers = settings["layers"]
        return [(1.0, _gamma(layers, 1.0 if settings["per_layer"] else 1 / layers))]
    if model.name == "negative_binomial":
        return [(1.0, _gamma(settings["a"], 1 / settings["a"]))]
    return [(1.0, lambda u, v: np.ones_like(u))]


@lru_cache(maxsize=64)
def _rule(name: str, settings: tuple[tuple[str, float], ...]) -> tuple[Array, Array]:
    """Densities (over their mean) and weights that integrate over the law of a model."""
    if name == "poisson":
        return np.ones(1), np.ones(1)
    step = _STEP / 3 if name == "moore" else _STEP  # its tail falls slowest
    t = np.arange(-_SPAN, _SPAN + step / 2, step)
    s = math.pi / 2 * np.sinh(t)
    u, v = 1 / (1 + np.exp(-2 * s)), 1 / (1 + np.exp(2 * s))
    weight = step * math.pi / 2 * np.cosh(t) / (2 * np.cosh(s) ** 2)
    weight /= weight.sum()
    pieces = _pieces(YieldModel(name, dict(settings)))
    nodes = np.concatenate([quantile(u, v) for _, quantile in pieces])
    return nodes, np.concatenate([share * weight for share, _ in pieces])


def densities(model: YieldModel, u: Any) -> Array:
    """Draw defect densities of dies, as multiples of the mean.

    Parameters
    ----------
    model : YieldModel
    u : array of float
        Even draws in (0, 1).

    Returns
    -------
    array of float, like `u`

    Examples
    --------
    >>> from topo_sim.gpus.yields import yield_model
    >>> densities(yield_model("rectangular"), [0.25]).tolist()
    [0.5]
    """
    u = np.asarray(u, dtype=np.float64)
    pieces = _pieces(model)
    if len(pieces) == 1:
        return np.asarray(pieces[0][1](u, 1 - u))
    low, high = (quantile for _, quantile in pieces)
    return np.where(u < 0.5, low(np.minimum(2 * u, 1), 1 - 2 * u), high(2 * u - 1, np.minimum(2 - 2 * u, 1)))


def die_yield(model: YieldModel, area: Any, density: Any, salvage: Salvage | None = None) -> Any:
    """Share of dies that can be sold.

    Parameters
    ----------
    model : YieldModel
    area : float, m2
        Of the die.
    density : float or array of float, 1/m2
        Mean density of defects.
    salvage : Salvage, optional
        Default: every defect loses the die.

    Returns
    -------
    float or array of float
        Like `density`.

    Raises
    ------
    UsageError
        If the area is not above 0, or a density negative or not finite.

    Notes
    -----
    With density D, SM share f, n SMs and p = exp(-D A f / n), a die is good with probability
    exp(-D A (1-f)) P[Binomial(n, p) >= m]. That is exact for the Poisson model; for the others it is averaged
    over the law of D that the model stands for: a triangle (Murphy), even (rectangular), Levy (Moore),
    exponential (Seeds), gamma (negative binomial, Bose-Einstein), by the double exponential rule in the
    quantile of D. D is one number for all of a die, so that defects cluster by dies, not within them.

    References
    ----------
    H. Takahasi and M. Mori, Double exponential formulas for numerical integration, 1974.

    Examples
    --------
    >>> from topo_sim.gpus.yields import yield_model
    >>> poisson = yield_model("poisson")
    >>> h100 = die_yield(poisson, 814e-6, 0.1e4, Salvage(0.6, 144, 132))
    >>> lite = die_yield(poisson, 203.5e-6, 0.1e4, Salvage(0.6, 36, 33))
    >>> round(h100, 3), round(lite, 3), round(lite / h100, 2)
    (0.722, 0.922, 1.28)
    """
    check_area(area)
    try:
        mean = np.atleast_1d(np.asarray(density, dtype=np.float64))
    except (TypeError, ValueError):
        raise UsageError(f"defect density: found {density!r}, expected numbers of 1/m2") from None
    for wrong in mean[~((mean >= 0) & (mean <= MOST_DEFECTS))][:1]:
        check_density(float(wrong))
    if salvage is None or salvage.share == 0:
        found = model(area * mean)
    else:
        found = harvested(
            model, area * mean, np.full(mean.shape, salvage.share), salvage.made, salvage.needed
        )
    return found if np.ndim(density) else float(found[0])


def harvested(model: YieldModel, x: Array, share: Array, made: int, needed: int) -> Array:
    """As `die_yield`, for arrays of x = area x density and of shares, which are not checked.

    Parameters
    ----------
    model : YieldModel
    x, share : array of float, of one shape
        Area x density; share of the die that the units take.
    made, needed : int
        Units on the die, and how many of them must work.

    Returns
    -------
    array of float, like `x`

    Examples
    --------
    >>> from topo_sim.gpus.yields import yield_model
    >>> harvested(yield_model("poisson"), np.array([0.0]), np.array([0.6]), 36, 33).tolist()
    [1.0]
    """
    nodes, weights = _rule(model.name, tuple(sorted(model.settings.items())))
    found = np.empty(x.shape)
    step = max(1, _BLOCK // nodes.size)
    for first in range(0, x.size, step):
        part = slice(first, first + step)
        expected = x[part, None] * nodes
        elsewhere = np.exp(-expected * (1 - share[part, None]))
        works = np.exp(-expected * share[part, None] / made)
        found[part] = (elsewhere * betainc(needed, made - needed + 1, works)) @ weights
    return found


def density_for_gain(
    model: YieldModel,
    gain: float,
    area: float,
    reference: float,
    salvage: Salvage | None = None,
    reference_salvage: Salvage | None = None,
) -> float | None:
    """Find the defect density at which one die yields so many times another.

    Parameters
    ----------
    model : YieldModel
    gain : float
        Yield of the die over that of the reference, above 1.
    area, reference : float, m2
        Of the die and of the reference.
    salvage, reference_salvage : Salvage, optional

    Returns
    -------
    float or None, 1/m2
        The least such density; None if there is none.

    Raises
    ------
    UsageError
        If the gain is not above 1.

    Examples
    --------
    >>> from topo_sim.gpus.yields import yield_model
    >>> round(density_for_gain(yield_model("poisson"), 1.8, 203.5e-6, 814e-6) / 1e4, 4)
    0.0963
    >>> density_for_gain(yield_model("seeds"), 5.0, 203.5e-6, 814e-6) is None  # never above 4
    True
    """
    if not (math.isfinite(gain) and gain > 1):
        raise UsageError(f"gain: found {gain:g}, expected a finite number above 1")
    check_area(area), check_area(reference)

    def of(size: float, density: Array, parts: Salvage | None) -> Array:
        if parts is None or parts.share == 0:
            return model(size * density)
        return harvested(model, size * density, np.full(density.shape, parts.share), parts.made, parts.needed)

    def excess(log_density: Any) -> Any:
        density = np.exp(np.atleast_1d(log_density))
        mine, theirs = of(area, density, salvage), of(reference, density, reference_salvage)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(theirs > 1e-280, mine / theirs, np.nan) - gain

    grid = np.linspace(math.log(1e-15 / reference), math.log(500 / reference), 800)
    values = excess(grid)
    above = np.flatnonzero(values[1:] >= 0)
    if not above.size:
        return None
    k = int(above[0])
    return math.exp(brentq(lambda t: excess(t)[0], grid[k], grid[k + 1], xtol=1e-13))
