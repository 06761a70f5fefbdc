"""Power density, what air and liquid take away, the clock they permit, and the racks that GPUs need."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from topo_sim.base.errors import UsageError
from topo_sim.base.files import Range
from topo_sim.gpus.catalogue import Gpu
from topo_sim.gpus.power.clocks import clock_for_cap
from topo_sim.gpus.power.models import Beside, Cooling
from topo_sim.gpus.power.parts import Parts

__all__ = ["Cooled", "cooled", "junction", "most_power", "racks_for"]

_MM2 = 1e6


def _opposite(level: str) -> str:
    return {"low": "high", "high": "low"}.get(level, level)


def most_power(cooling: Cooling, area: float, sink: float = 1.0, level: str = "typical") -> float:
    """Power at which a package's junction reaches the most it may have.

    Parameters
    ----------
    cooling : Cooling
    area : float, m2
        Of its compute dies.
    sink : float
        Size of its sink over that of an H100: resistance is the inverse of size.
    level : {"low", "typical", "high"}
        Of the power: low takes hot air, a poor sink and a cool limit together.

    Returns
    -------
    float, W

    Raises
    ------
    UsageError
        If area or sink is no number above 0.

    Notes
    -----
    T = inlet + P (sink resistance / size + spreading / area): one sink, one uniform die.

    Examples
    --------
    Full-size sinks under quarter dies carry half an H100 each:

    >>> from topo_sim.gpus.power.models import load_power
    >>> air = load_power().cooler("air")
    >>> [round(most_power(air, area * 1e-6, sink)) for area, sink in ((814, 1), (203.5, 1), (203.5, 0.25))]
    [764, 384, 191]
    """
    for name, value in (("die area", area), ("sink", sink)):
        if not (isinstance(value, (int, float)) and 0 < value < math.inf):
            raise UsageError(f"{name}: found {value!r}, expected a number above 0")
    bad = _opposite(level)
    room = cooling.most_c.at(level) - cooling.inlet_c.at(bad)
    spread = cooling.spread_k_mm2_per_w.at(bad) / (area * _MM2)
    return room / (cooling.sink_k_per_w.at(bad) / sink + spread)


def junction(cooling: Cooling, power: float, area: float, sink: float = 1.0) -> float:
    """Temperature of a package's junction at a power, degrees Celsius, with typical cooling.

    Examples
    --------
    >>> from topo_sim.gpus.power.models import load_power
    >>> round(junction(load_power().cooler("air"), 700.0, 814e-6), 1)
    82.2
    """
    room = cooling.most_c.typical - cooling.inlet_c.typical
    return cooling.inlet_c.typical + room * power / most_power(cooling, area, sink)


def racks_for(count: int, watts: float, limit: float) -> tuple[int, int]:
    """Racks for some GPUs, and GPUs in one rack.

    Parameters
    ----------
    count : int
    watts : float, W
        Of one GPU with its share of the server.
    limit : float, W
        Of one rack.

    Returns
    -------
    racks, per_rack : int

    Raises
    ------
    UsageError
        If there are no GPUs, or one is more than a rack holds.

    Examples
    --------
    >>> racks_for(64, 1274.0, 30e3)
    (3, 23)
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise UsageError(f"GPUs: found {count!r}, expected a whole number of at least 1")
    if not 0 < watts < math.inf or not watts <= limit:
        raise UsageError(f"rack: found {limit:g} W for GPUs of {watts:g} W, expected at least one GPU's")
    per_rack = math.floor(limit / watts * (1 + 1e-12))
    return -(-count // per_rack), per_rack


@dataclass(frozen=True)
class Cooled:
    """How one GPU is cooled.

    Parameters
    ----------
    gpu : str
    cooling : str
    package : float, W
        At full load, link modules included.
    density : float or None, W/m2
        TDP over the area of its compute dies.
    sink : float
        Size of its sink over that of an H100.
    junction : float, degrees Celsius
        At full load.
    allowed : Range, W
        What the cooling takes from one package: by the junction, or by what is sold.
    clock : float or None
        Highest one at full load, over the rated clock; None where the least one is too much.
    clock_bound : {"junction", "package", "clock"}
        What stops it: the temperature, the largest package sold, or the highest clock there is.
    racks, per_rack : tuple of int
        For the GPUs of the block, at the rack's low, typical and high limit.
    """

    gpu: str
    cooling: str
    package: float
    density: float | None
    sink: float
    junction: float
    allowed: Range
    clock: float | None
    clock_bound: str
    racks: tuple[int, int, int]
    per_rack: tuple[int, int, int]


def cooled(
    gpu: Gpu,
    parts: Parts,
    values: Mapping[str, float],
    cooling: Cooling,
    beside: Beside,
    count: int,
    sink: float = 1.0,
) -> Cooled:
    """Say how one kind of GPU is cooled.

    Parameters
    ----------
    gpu : Gpu
    parts : Parts
        Typical ones.
    values : mapping from str to float
        Typical ones.
    cooling : Cooling
    beside : Beside
        What a server draws besides, in proportion to the TDP of its GPUs.
    count : int
        GPUs to put into racks.
    sink : float
        Size of each one's sink over that of an H100.

    Returns
    -------
    Cooled

    Raises
    ------
    UsageError
        If a number is out of bounds, or one GPU is more than a rack holds.
    """
    area = gpu.need("die_area", "its cooling").typical * gpu.dies.typical
    low, typical, high = (
        min(most_power(cooling, area, sink, level), cooling.most_per_package.at(level))
        for level in ("low", "typical", "high")
    )
    try:
        clock = clock_for_cap(parts, typical, values)
    except UsageError:
        clock = None
    package = float(parts.full)
    watts = package + gpu.need("tdp", "its cooling").typical * beside.share.typical
    racks = [racks_for(count, watts, cooling.rack.at(level)) for level in ("low", "typical", "high")]
    sold = most_power(cooling, area, sink) > cooling.most_per_package.typical
    bound = "package" if sold else "junction"
    if clock is not None and clock >= values["most_clock"]:
        bound = "clock"
    return Cooled(
        gpu=gpu.name,
        cooling=cooling.name,
        package=package,
        density=gpu.power_density,
        sink=sink,
        junction=junction(cooling, package, area, sink),
        allowed=Range(low, typical, high, "junction or package limit", "computed"),
        clock=clock,
        clock_bound=bound,
        racks=(racks[0][0], racks[1][0], racks[2][0]),
        per_rack=(racks[0][1], racks[1][1], racks[2][1]),
    )
