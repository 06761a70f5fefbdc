"""What a GPU costs to make: dies that work, and the whole bill of its package."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base.errors import UnknownNameError, UsageError
from topo_sim.base.files import Range
from topo_sim.base.registry import nearest
from topo_sim.gpus.catalogue import Gpu
from topo_sim.gpus.harvest import Salvage, die_yield, harvested
from topo_sim.gpus.prices import Bill, Prices
from topo_sim.gpus.wafer import FORMULAS, Wafer, dies_by_formula, place_dies
from topo_sim.gpus.yields import YieldModel, yield_model

__all__ = [
    "LINES",
    "Costing",
    "cheap_end",
    "cost_inputs",
    "die_cost",
    "dies_per_wafer",
    "package_bill",
    "salvage_of",
]

Values = Mapping[str, Any]
LINES = (
    *("dies", "memory", "interposer", "substrate", "links"),
    *("test and assembly", "lost in assembly", "cooling"),
)
_CHEAP_WHEN_HIGH = ("placement_yield", "final_test", "SM share", "liquid_above")
_INSIDE = ("cpo",)  # link media whose engines sit in the package
_GIGABIT = 1.25e8
_CM2 = 1e-4


@dataclass(frozen=True)
class Costing:
    """How dies are counted and what is thrown away.

    Parameters
    ----------
    model : YieldModel
    salvage : bool
        Whether dies with enough working SMs are sold.
    count : str
        "placement", or a key of `FORMULAS`.
    wafer : Wafer
    """

    model: YieldModel = field(default_factory=lambda: yield_model("poisson"))
    salvage: bool = True
    count: str = "placement"
    wafer: Wafer = field(default_factory=Wafer)


def salvage_of(gpu: Gpu, share: float | None = None) -> Salvage | None:
    """Say what of a GPU's die may be broken, where its record tells.

    Parameters
    ----------
    gpu : Gpu
    share : float, optional
        Of the die that SMs take. Default: the record's typical one.

    Returns
    -------
    Salvage or None

    Raises
    ------
    UsageError
        If its SMs do not divide among its dies.

    Examples
    --------
    >>> from topo_sim.gpus.catalogue import load_gpus
    >>> salvage_of(load_gpus()["b200"])
    Salvage(share=0.6, made=80, needed=74)
    """
    if gpu.sms_made is None or gpu.sm_share is None:
        return None
    dies, made, needed = int(gpu.dies.typical), int(gpu.sms_made.typical), int(gpu.sms.typical)
    if made % dies or needed % dies:
        raise UsageError(f"{gpu.name}: found {needed} of {made} SMs on {dies} dies, expected as many on each")
    return Salvage(gpu.sm_share.typical if share is None else share, made // dies, needed // dies)


def dies_per_wafer(gpu: Gpu, costing: Costing) -> float:
    """Count the compute dies of a GPU on a wafer.

    Parameters
    ----------
    gpu : Gpu
    costing : Costing

    Returns
    -------
    float

    Raises
    ------
    UsageError
        If the die is larger than the reticle, or the formula leaves none.

    Examples
    --------
    >>> from topo_sim.gpus.catalogue import load_gpus
    >>> [dies_per_wafer(load_gpus()[name], Costing()) for name in ("h100", "lite")]
    [67.0, 294.0]
    """
    width, height = gpu.sides("dies per wafer")
    placed = place_dies(width, height, costing.wafer)  # also refuses what no reticle holds
    if costing.count == "placement":
        return float(placed.dies)
    if costing.count not in FORMULAS:
        near = nearest(costing.count, ["placement", *FORMULAS])
        raise UnknownNameError(f'unknown count of dies per wafer "{costing.count}": {near}')
    whole = math.sqrt(gpu.need("die_area", "dies per wafer").typical / (width * height))
    count = dies_by_formula(costing.count, width * whole, height * whole, costing.wafer)
    if count <= 0:
        raise UsageError(f"{gpu.name}: found no dies on a wafer by {costing.count}, expected at least one")
    return count


def cost_inputs(gpus: Iterable[Gpu], prices: Prices, bill: Bill) -> dict[str, Range]:
    """Collect the ranges that the bills of some GPUs rest on, by name; GPUs share them where they can.

    Parameters
    ----------
    gpus : iterable of Gpu
    prices : Prices
    bill : Bill

    Returns
    -------
    dict from str to Range

    Examples
    --------
    >>> from topo_sim.gpus.catalogue import load_gpus
    >>> from topo_sim.gpus.prices import load_prices
    >>> prices = load_prices()
    >>> inputs = cost_inputs([load_gpus()["h100"]], prices, prices.bill())
    >>> [name for name in inputs if name not in type(prices.bill()).model_fields]
    ['wafer n5', 'defects n5', 'links copper', 'SM share 50..70 %']
    """
    found: dict[str, Range] = {}
    for gpu in gpus:
        process, link = prices.process(gpu), prices.link(gpu)
        found[f"wafer {process.name}"] = process.wafer
        found[f"defects {process.name}"] = process.defect_density
        found[f"links {link.name}"] = link.per_gbps
        if gpu.sm_share:
            found[_share_name(gpu.sm_share)] = gpu.sm_share
    for name in type(bill).model_fields:
        value = getattr(bill, name)
        if isinstance(value, Range):
            found[name] = value
    return found


def _share_name(share: Range) -> str:
    ends = f"{share.low * 100:g}" if share.exact else f"{share.low * 100:g}..{share.high * 100:g}"
    return f"SM share {ends} %"


def cheap_end(name: str, level: str) -> str:
    """Say which end of an input makes a bill of some level: yields are high where costs are low.

    Examples
    --------
    >>> cheap_end("hbm_per_gb", "low"), cheap_end("final_test", "low")
    ('low', 'high')
    """
    if name.startswith(_CHEAP_WHEN_HIGH):
        return {"low": "high", "high": "low"}.get(level, level)
    return level


def _die(gpu: Gpu, prices: Prices, values: Values, costing: Costing) -> Any:
    """Cost of one die that works."""
    process = prices.process(gpu).name
    area = gpu.need("die_area", "the cost of its dies").typical
    density = values[f"defects {process}"]
    salvage = salvage_of(gpu) if costing.salvage else None
    if salvage is None or gpu.sm_share is None:
        good = die_yield(costing.model, area, density)
    else:
        share = values[_share_name(gpu.sm_share)]
        x, part = np.broadcast_arrays(
            np.atleast_1d(np.asarray(area * density, dtype=np.float64)), np.asarray(share)
        )
        good = harvested(costing.model, x, part, salvage.made, salvage.needed)
        good = good if np.ndim(density) or np.ndim(share) else float(good[0])
    if not np.all(good > 0):
        worst = float(np.max(density)) / 1e4
        raise UsageError(
            f"{gpu.name}: found no die that works at {worst:g} defects per cm2, expected fewer defects"
        )
    return values[f"wafer {process}"] / (dies_per_wafer(gpu, costing) * good)


def die_cost(gpu: Gpu, prices: Prices, values: Values, costing: Costing | None = None) -> Any:
    """Cost of one compute die that works.

    Parameters
    ----------
    gpu : Gpu
    prices : Prices
    values : mapping from str to float or array of float
        For every name of `cost_inputs`.
    costing : Costing, optional

    Returns
    -------
    float or array of float, $

    Examples
    --------
    >>> from topo_sim.gpus.catalogue import load_gpus
    >>> from topo_sim.gpus.prices import load_prices
    >>> gpus, prices = load_gpus(), load_prices()
    >>> values = {k: r.typical for k, r in cost_inputs([gpus["h100"]], prices, prices.bill()).items()}
    >>> plain = Costing(salvage=False, count="classic")
    >>> round(die_cost(gpus["h100"], prices, values, plain))  # 16,988 $ / (60.5 x .443)
    634
    """
    return _die(gpu, prices, values, costing or Costing())


def _interposers(area: Any, diameter: float = 0.3, edge: float = 3e-3) -> Any:
    """Interposers of an area that one wafer makes, by the classic formula."""
    width = diameter - 2 * edge
    return np.maximum(np.pi * width * (width / (4 * area) - 1 / np.sqrt(2 * area)), 0.5)


def package_bill(
    gpu: Gpu, prices: Prices, values: Values, costing: Costing | None = None
) -> dict[str, NDArray[np.float64] | float]:
    """Cost of every part of one package, by line.

    Parameters
    ----------
    gpu : Gpu
    prices : Prices
    values : mapping from str to float or array of float
        For every name of `cost_inputs`.
    costing : Costing, optional

    Returns
    -------
    dict from line of `LINES` to float or array of float, $

    Raises
    ------
    UsageError, UnknownNameError
        If the record lacks something, or the prices do.

    Notes
    -----
    - dies: wafer / (dies per wafer x yield), for each.
    - memory: by the GB. Interposer: its area is that of dies and stacks times a margin; interposers per wafer
      by the classic formula; none where the record says so. Substrate: by area, margin over that.
    - links: by Gb/s out of the package in one direction, at the GPU's own end; switches are not in the bill.
    - test and assembly: a fixed share of an H100's, and the rest in proportion to the area of the dies.
    - lost: dies, stacks and one optical engine are placed at one yield each, and a final test takes its
      share; what is lost takes all that is in the package along. Links outside the package and cooling not.
    - cooling: by W of TDP, liquid above a power.

    Examples
    --------
    >>> from topo_sim.gpus.catalogue import load_gpus
    >>> from topo_sim.gpus.prices import load_prices
    >>> gpus, prices = load_gpus(), load_prices()
    >>> values = {k: r.typical for k, r in cost_inputs([gpus["h100"]], prices, prices.bill()).items()}
    >>> package_bill(gpus["h100"], prices, values)["memory"]  # 80 GB at 15 $
    1200.0
    """
    bill: dict[str, Any] = {}
    dies = gpu.dies.typical
    bill["dies"] = dies * die_cost(gpu, prices, values, costing)
    bill["memory"] = gpu.memory.typical / 1e9 * values["hbm_per_gb"]
    stacks = gpu.need("hbm_stacks", "the cost of its package").typical
    silicon = dies * gpu.need("die_area", "the cost of its package").typical
    area = (silicon + stacks * values["hbm_footprint"]) * values["interposer_margin"]
    bill["interposer"] = 0.0 * area
    if gpu.packaging == "interposer":
        bill["interposer"] = values["interposer_wafer"] / _interposers(area)
    bill["substrate"] = area * values["substrate_margin"] / _CM2 * values["substrate_per_cm2"]
    link = prices.link(gpu).name
    bill["links"] = gpu.network_bandwidth.typical / _GIGABIT * values[f"links {link}"]
    fixed = values["fixed_share"]
    size = fixed + (1 - fixed) * silicon / values["reference_area"]
    bill["test and assembly"] = values["test_and_assembly"] * size
    engines = 1 if link.startswith(_INSIDE) else 0
    good = values["placement_yield"] ** (dies + stacks + engines) * values["final_test"]
    if not np.all(good > 0):
        raise UsageError(
            f"{gpu.name}: found no package of {dies + stacks:g} dies and stacks that passes at this "
            "placement_yield and final_test, expected higher ones"
        )
    inside = sum(bill[line] for line in ("dies", "memory", "interposer", "substrate", "test and assembly"))
    inside = inside + (bill["links"] if engines else 0.0)
    bill["lost in assembly"] = inside * (1 / good - 1)
    watts = gpu.need("tdp", "the cost of its cooling").typical
    wet = np.asarray(watts > values["liquid_above"])
    per_watt: Any = np.where(wet, values["liquid_per_watt"], values["air_per_watt"])
    bill["cooling"] = watts * per_watt[()]
    return {line: bill[line] for line in LINES}
