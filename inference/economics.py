"""What a GPU costs and draws, for tokens per second per dollar and per watt."""

from functools import cache

from topo_sim.base import TopoSimError
from topo_sim.gpus import Gpu
from topo_sim.gpus.cost import cheap_end, cost_inputs, package_bill
from topo_sim.gpus.power import PowerBook, load_power
from topo_sim.gpus.power.clocks import draw_of
from topo_sim.gpus.power.parts import Setting, at_level, power_inputs, power_parts
from topo_sim.gpus.prices import Prices, load_prices
from topo_sim.optics.catalogue import Optics, load_optics

__all__ = ["gpu_cost", "gpu_watts"]


def gpu_cost(gpu: Gpu, level: str = "typical") -> float | None:
    """Tell what one package costs to make, with its end of the links and its cooling.

    Parameters
    ----------
    gpu : Gpu
    level : {"low", "typical", "high"}

    Returns
    -------
    float or None, $
        None where the catalogue does not know enough of the GPU. Switches and fibres are not in it.

    Examples
    --------
    >>> from topo_sim.gpus import load_gpus
    >>> 0 < gpu_cost(load_gpus()["lite"]) < gpu_cost(load_gpus()["h100"])
    True
    """
    prices = _prices()
    try:
        inputs = cost_inputs([gpu], prices, prices.bill())
        values = {name: value.at(cheap_end(name, level)) for name, value in inputs.items()}
        return float(sum(float(line) for line in package_bill(gpu, prices, values).values()))
    except TopoSimError:
        return None


def gpu_watts(gpu: Gpu, activity: str = "full", level: str = "typical") -> float | None:
    """Tell what one GPU draws under lasting load at its rated clock, with its end of the links.

    Parameters
    ----------
    gpu : Gpu
    activity : {"full", "prefill", "decode"}
        What of it is in use.
    level : {"low", "typical", "high"}
        Of every range that the power rests on.

    Returns
    -------
    float or None, W
        None where the catalogue does not know enough of the GPU. Switches are not in it.

    Raises
    ------
    UnknownNameError
        If the activity is unknown.

    Examples
    --------
    >>> from topo_sim.gpus import load_gpus
    >>> gpu_watts(load_gpus()["h100"])  # its thermal design power: electrical links are within
    700.0
    >>> round(gpu_watts(load_gpus()["lite"]))  # a quarter of that, with light in the place of copper
    173
    """
    _power().activity(activity)  # an unknown one is a mistake, not a gap in the catalogue
    try:
        setting = Setting.of([gpu], _power(), activity=activity, optics=_optics())
        values = at_level(power_inputs([gpu], setting), level)
        return round(float(draw_of(power_parts(gpu, setting, values), 1.0, 1.0, values)), 6)
    except TopoSimError:
        return None


@cache
def _prices() -> Prices:
    return load_prices()


@cache
def _optics() -> Optics:
    return load_optics()


@cache
def _power() -> PowerBook:
    return load_power()
