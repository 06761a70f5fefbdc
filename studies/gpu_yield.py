"""Yield of GPUs' dies, side by side: every model, with and without salvage, and one wafer of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from topo_sim.base import UsageError
from topo_sim.gpus.catalogue import Gpu
from topo_sim.gpus.cost import salvage_of
from topo_sim.gpus.harvest import Salvage, density_for_gain, die_yield
from topo_sim.gpus.reticle import fit_sides
from topo_sim.gpus.wafer import Wafer, place_dies
from topo_sim.gpus.wafer_map import WaferMap, draw_wafer
from topo_sim.gpus.yields import DEFAULT_MODELS, YieldModel, check_area, yield_model

__all__ = ["Die", "YieldComparison", "YieldRow", "compare_yields", "die_of", "die_of_area", "draw_wafers"]


@dataclass(frozen=True)
class Die:
    """A die to be made.

    Parameters
    ----------
    name : str
    area : float, m2
    sides : tuple of float, m
        Width and height; about a square where nothing is known of its shape.
    salvage : Salvage or None
        What of it may be broken.
    """

    name: str
    area: float
    sides: tuple[float, float]
    salvage: Salvage | None = None


def die_of(gpu: Gpu) -> Die:
    """Return the compute die of a GPU."""
    area = gpu.need("die_area", "its yield").typical
    return Die(gpu.name, area, gpu.sides("its yield"), salvage_of(gpu))


def die_of_area(area: float) -> Die:
    """Return a die of which nothing is known but its area, m2: square, or as wide as the reticle.

    Raises
    ------
    UsageError
        If there is no such die, or none that the reticle holds.
    """
    check_area(area, "--area")
    return Die(f"{area * 1e6:g} mm2", area, fit_sides(area))


@dataclass(frozen=True)
class YieldRow:
    """One die under one model.

    Parameters
    ----------
    die : Die
    model : YieldModel
    plain : float
        Share of dies without a defect.
    salvaged : float or None
        Share that can be sold with broken SMs; None where nothing is known of its SMs.
    gain, gain_salvaged : float or None
        Over the reference; None for the reference itself.
    density_for_gain, density_for_gain_salvaged : float or None, 1/m2
        Least defect density at which the die has the gain asked for.
    """

    die: Die
    model: YieldModel
    plain: float
    salvaged: float | None
    gain: float | None
    gain_salvaged: float | None
    density_for_gain: float | None
    density_for_gain_salvaged: float | None

    def to_dict(self) -> dict[str, Any]:
        """Flat row, units in the keys."""
        return {
            "die": self.die.name,
            "area_m2": self.die.area,
            "model": self.model.label,
            "yield": self.plain,
            "yield_salvaged": self.salvaged,
            "gain": self.gain,
            "gain_salvaged": self.gain_salvaged,
            "density_for_gain_per_m2": self.density_for_gain,
            "density_for_gain_salvaged_per_m2": self.density_for_gain_salvaged,
        }


@dataclass(frozen=True)
class YieldComparison:
    """Yields of several dies under several models; the first die is the reference.

    Parameters
    ----------
    dies : tuple of Die
    density : float, 1/m2
        Mean density of defects.
    wanted : float
        Gain that densities were sought for.
    rows : tuple of YieldRow
        By model, then die.
    """

    dies: tuple[Die, ...]
    density: float
    wanted: float
    rows: tuple[YieldRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, units in the keys."""
        return {
            "reference": self.dies[0].name,
            "density_per_m2": self.density,
            "gain_wanted": self.wanted,
            "rows": [row.to_dict() for row in self.rows],
        }


def _row(
    die: Die, reference: Die, model: YieldModel, density: float, wanted: float, salvage: bool
) -> YieldRow:
    mine = die.salvage if salvage else None
    theirs = reference.salvage if salvage else None
    plain = die_yield(model, die.area, density)
    salvaged = die_yield(model, die.area, density, mine) if mine else None
    if die is reference:
        return YieldRow(die, model, plain, salvaged, None, None, None, None)
    both = mine is not None and theirs is not None
    base = die_yield(model, reference.area, density)
    sold = die_yield(model, reference.area, density, theirs) if both else None
    at = density_for_gain(model, wanted, die.area, reference.area)
    at_sold = density_for_gain(model, wanted, die.area, reference.area, mine, theirs) if both else None
    gain = plain / base if base > 0 else None
    gain_sold = salvaged / sold if sold and salvaged is not None else None
    return YieldRow(die, model, plain, salvaged, gain, gain_sold, at, at_sold)


def compare_yields(
    dies: Sequence[Die],
    density: float = 1e3,
    models: Sequence[str] = DEFAULT_MODELS,
    wanted: float = 1.8,
    salvage: bool = True,
) -> YieldComparison:
    """Compare the yield of dies under several models.

    Parameters
    ----------
    dies : sequence of Die
        The first is the reference.
    density : float, 1/m2
        Mean density of defects.
    models : sequence of str
        As `yield_model` reads them.
    wanted : float
        A gain to find the density for.
    salvage : bool
        Whether to count dies with broken SMs too.

    Returns
    -------
    YieldComparison

    Raises
    ------
    UsageError, UnknownNameError
        If there is no die, or two alike, or a number or name is wrong.

    Examples
    --------
    >>> from topo_sim.gpus import load_gpus
    >>> dies = [die_of(load_gpus()[name]) for name in ("h100", "lite")]
    >>> row = compare_yields(dies, models=["poisson"]).rows[1]
    >>> round(row.gain, 2), round(row.gain_salvaged, 2)
    (1.84, 1.28)
    """
    names = [die.name for die in dies]
    if not dies or len(set(names)) < len(names):
        raise UsageError(f"dies: found {', '.join(names) or 'none'}, expected at least one, and none twice")
    read: dict[str, YieldModel] = {}
    for text in models:
        model = yield_model(text)
        read[model.label] = model
    if not read:
        raise UsageError("models: found none, expected at least one")
    rows = [_row(die, dies[0], model, density, wanted, salvage) for model in read.values() for die in dies]
    return YieldComparison(tuple(dies), density, wanted, tuple(rows))


def draw_wafers(
    dies: Sequence[Die],
    density: float = 1e3,
    model: str = "poisson",
    salvage: bool = True,
    seed: int = 0,
    wafer: Wafer | None = None,
) -> list[WaferMap]:
    """Draw one wafer of each die.

    Parameters
    ----------
    dies : sequence of Die
    density : float, 1/m2
    model : str
    salvage : bool
    seed : int
    wafer : Wafer, optional

    Returns
    -------
    list of WaferMap

    Raises
    ------
    UsageError
        If a die is larger than the reticle.

    Examples
    --------
    >>> from topo_sim.gpus import load_gpus
    >>> [m.placement.dies for m in draw_wafers([die_of(load_gpus()[n]) for n in ("h100", "lite")])]
    [67, 294]
    """
    chosen = yield_model(model)
    return [
        draw_wafer(place_dies(*die.sides, wafer), chosen, density, die.salvage if salvage else None, seed)
        for die in dies
    ]
