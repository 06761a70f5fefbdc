"""Share of dies that work, by the classical models of defects: one function each, of x = area x density.

Every model is a mixture: defects of a die are Poisson with a density that varies from die to die, and the
model is the law of that density (`topo_sim.gpus.harvest` draws on it). Yield is its Laplace transform.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base.errors import UsageError
from topo_sim.base.registry import Registry, nearest

__all__ = [
    "DEFAULT_MODELS",
    "MOST_DEFECTS",
    "YIELDS",
    "YieldModel",
    "check_area",
    "check_density",
    "yield_model",
]

Array = NDArray[np.float64]
YIELDS: Registry[Callable[..., Array]] = Registry("yield model")
_SETTINGS: Mapping[str, Mapping[str, float]] = {
    "bose_einstein": {"layers": 10.0, "per_layer": 0.0},
    "negative_binomial": {"a": 3.0},
}
_MOST = 1e6
MOST_DEFECTS = 1e10  # 1/m2, or a million per cm2: not one die of a square millimetre would work
DEFAULT_MODELS = (
    *("poisson", "murphy", "rectangular", "moore", "seeds", "bose_einstein@layers=10"),
    *("negative_binomial@a=3", "negative_binomial@a=10"),
)


def _mean_of_exponential(x: Array) -> Array:
    """(1 - exp(-x)) / x, which is 1 at 0."""
    return np.where(x > 0, -np.expm1(-x) / np.where(x > 0, x, 1.0), 1.0)


@YIELDS.register("poisson")
def poisson(x: Array) -> Array:
    """One density everywhere: exp(-x)."""
    return np.exp(-x)


@YIELDS.register("murphy")
def murphy(x: Array) -> Array:
    """Densities in a triangle from 0 to twice the mean: ((1 - exp(-x)) / x)^2."""
    return _mean_of_exponential(x) ** 2


@YIELDS.register("rectangular")
def rectangular(x: Array) -> Array:
    """Densities even from 0 to twice the mean: (1 - exp(-2x)) / (2x)."""
    return _mean_of_exponential(2 * x)


@YIELDS.register("moore")
def moore(x: Array) -> Array:
    """Densities of a Levy law, whose mean is infinite: exp(-sqrt(x))."""
    return np.exp(-np.sqrt(x))


@YIELDS.register("seeds")
def seeds(x: Array) -> Array:
    """Exponential densities: 1 / (1 + x)."""
    return 1 / (1 + x)


@YIELDS.register("bose_einstein")
def bose_einstein(x: Array, layers: float = 10.0, per_layer: float = 0.0) -> Array:
    """N critical layers with exponential densities each: (1 + x/N)^-N, or (1 + x)^-N if x is per layer."""
    return np.exp(-layers * np.log1p(x if per_layer else x / layers))


@YIELDS.register("negative_binomial")
def negative_binomial(x: Array, a: float = 3.0) -> Array:
    """Gamma densities of shape a, the smaller the more clustered: (1 + x/a)^-a."""
    return np.exp(-a * np.log1p(x / a))


@dataclass(frozen=True)
class YieldModel:
    """A yield model with its settings.

    Parameters
    ----------
    name : str
        A key of `YIELDS`.
    settings : mapping from str to float
        Of its own; complete.

    Examples
    --------
    >>> yield_model("negative_binomial@a=2")(1.0).item()
    0.4444444444444444
    """

    name: str
    settings: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, x: Any) -> Array:
        """Share of dies without a defect, for x = area x density."""
        return YIELDS[self.name](np.asarray(x, dtype=np.float64), **self.settings)

    @property
    def label(self) -> str:
        """Name and settings, as `yield_model` reads them."""
        usual = _SETTINGS.get(self.name, {})
        keep = {key: value for key, value in self.settings.items() if value or usual[key]}
        text = ",".join(f"{key}={value:g}" for key, value in keep.items())
        return f"{self.name}@{text}" if text else self.name

    @property
    def formula(self) -> str:
        """What it assumes, and its formula."""
        return (YIELDS[self.name].__doc__ or "").partition("\n")[0]


def yield_model(text: str) -> YieldModel:
    """Read a yield model and its settings.

    Parameters
    ----------
    text : str
        "NAME" or "NAME@SETTING=VALUE,...": `negative_binomial@a=3` (the shape a, above 0),
        `bose_einstein@layers=10,per_layer=1` (the number of critical layers; whether the density is that of
        each layer, or, without, of all together).

    Returns
    -------
    YieldModel

    Raises
    ------
    UnknownNameError
        If there is no such model.
    UsageError
        If it has no such setting, or not that value.

    Notes
    -----
    Bose-Einstein with the density of all layers together is the negative binomial with a = N.

    References
    ----------
    SemiAnalysis, die-yield-calculator, `src/config/yieldModels.ts`: the first six, Bose-Einstein per layer;
    ECO-CHIP and UCLA's chiplet cost model: the negative binomial, with a = 10 and a = 2.

    Examples
    --------
    >>> yield_model("murphy")(0.814).round(3).item(), yield_model("murphy").label
    (0.468, 'murphy')
    """
    name, _, rest = text.strip().partition("@")
    YIELDS[name]  # raises where there is none
    settings = dict(_SETTINGS.get(name, {}))
    for pair in filter(None, (part.strip() for part in rest.split(","))):
        key, _, value = (part.strip() for part in pair.partition("="))
        if key not in settings:
            raise UsageError(f'{name} has no setting "{key}": {nearest(key, settings)}')
        settings[key] = _setting(name, key, value)
    return YieldModel(name, settings)


def _setting(model: str, key: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if key == "per_layer":
        if value not in ("0", "1"):
            raise UsageError(f"{model}: found per_layer={value or 'nothing'}, expected 0 or 1")
    elif not 0 < number <= _MOST or (key == "layers" and number != int(number)):
        what = "a whole number" if key == "layers" else "a number"
        raise UsageError(
            f"{model}: found {key}={value or 'nothing'}, expected {what} above 0 and at most {_MOST:g}"
        )
    return number


def check_area(area: Any, what: str = "area") -> float:
    """Return an area, m2, or refuse one that no die has."""
    usable = isinstance(area, Real) and not isinstance(area, bool)
    if not (usable and math.isfinite(area) and area > 0):
        found = f"{float(area) * 1e6:g} mm2" if usable else repr(area)
        raise UsageError(f"{what}: found {found}, expected an area above 0")
    return float(area)


def check_density(density: Any) -> float:
    """Return a defect density, 1/m2, or refuse one that no wafer has."""
    usable = isinstance(density, Real) and not isinstance(density, bool)
    if not (usable and 0 <= density <= MOST_DEFECTS):
        found = f"{float(density) / 1e4:g} /cm2" if usable else repr(density)
        raise UsageError(f"defect density: found {found}, expected 0 to {MOST_DEFECTS / 1e4:g} /cm2")
    return float(density)
