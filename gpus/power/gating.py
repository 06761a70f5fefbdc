"""A cluster at partial load: which GPUs are on, at which clock, and what that draws, by policy."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base.errors import UsageError
from topo_sim.base.registry import Registry
from topo_sim.gpus.power.clocks import draw_of, lowest_clock
from topo_sim.gpus.power.parts import Parts

__all__ = ["POWER_POLICIES", "Block", "Choice", "cluster_power", "fewest", "on_ahead"]

Array = NDArray[np.float64]
Values = Mapping[str, Any]
_ROUNDING = 1e-9
_MOST_GPUS = 10_000_000


@dataclass(frozen=True)
class Block:
    """GPUs of one type that share a load.

    Parameters
    ----------
    count : int
    work : float
        What one of them does at most at its rated clock; the load is in the same unit.
    unit : int
        GPUs that are switched together.
    least : int
        GPUs that stay on whatever the load, for what they hold in memory; rounded up to whole units.
    headroom : float
        Share of the load that is kept free on top, where GPUs are switched.

    Raises
    ------
    UsageError
        If a number is out of bounds.

    Examples
    --------
    >>> Block(0, 1.0)
    Traceback (most recent call last):
    topo_sim.base.errors.UsageError: GPUs: found 0, expected 1 to 10,000,000
    """

    count: int
    work: float
    unit: int = 1
    least: int = 1
    headroom: float = 0.0

    def __post_init__(self) -> None:
        for name, value, most in (("GPUs", self.count, _MOST_GPUS), ("unit", self.unit, self.count)):
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
                raise UsageError(f"{name}: found {value!r}, expected 1 to {most:,}")
        if not isinstance(self.least, int) or not 0 <= self.least <= self.count:
            raise UsageError(f"GPUs that stay on: found {self.least!r}, expected 0 to {self.count:,}")
        if not 0 < self.work < math.inf:
            raise UsageError(f"work: found {self.work!r}, expected a number above 0")
        if not 0 <= self.headroom < math.inf:
            raise UsageError(f"headroom: found {self.headroom!r}, expected a share of 0 or more")

    @property
    def units(self) -> int:
        """Units, the last of which may be smaller."""
        return -(-self.count // self.unit)


def fewest(block: Block, load: Any) -> NDArray[np.int64]:
    """Fewest units that carry a load, at least one.

    Parameters
    ----------
    block : Block
    load : float or array of float

    Returns
    -------
    ndarray of int64

    Raises
    ------
    UsageError
        If all GPUs together cannot carry it.

    Examples
    --------
    Four quarters carry 0.6 of the whole with three on; switched in pairs, with four:

    >>> int(fewest(Block(4, 0.25), 0.6)), int(fewest(Block(4, 0.25, unit=2), 0.6))
    (3, 2)
    """
    whole = np.asarray(load, dtype=np.float64)
    if not np.all((whole >= 0) & (whole <= block.count * block.work * (1 + _ROUNDING))):
        raise UsageError(f"load: found {np.max(whole):g}, expected 0 to {block.count * block.work:g}")
    wanted = np.minimum(whole * (1 + block.headroom), block.count * block.work)
    gpus = np.ceil(wanted / block.work * (1 - _ROUNDING))
    return np.maximum(np.ceil(np.maximum(gpus, block.least) / block.unit), 1).astype(np.int64)


@dataclass(frozen=True)
class Choice:
    """What a policy does at a load.

    Parameters
    ----------
    on : ndarray of int64
        Units that carry the load, evenly.
    slow : bool
        Whether they run at the lowest clock that carries it; else at the rated clock.
    rest : {"idle", "gated"}
        What the others do.
    """

    on: NDArray[np.int64]
    slow: bool
    rest: str


def _gpus_on(block: Block, units: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.minimum(units * block.unit, block.count)


def cluster_power(block: Block, parts: Parts, load: Any, choice: Choice, values: Values) -> Any:
    """Power of all GPUs of a block, W.

    Parameters
    ----------
    block : Block
    parts : Parts
        Of one GPU.
    load : float or array of float
    choice : Choice
    values : mapping from str to float or array of float

    Returns
    -------
    float or array of float

    Examples
    --------
    >>> flat = {"least_voltage": 1, "knee": 0, "leakage": 0, "least_clock": 0.1, "between_bursts": 1,
    ...     "compute in use": 1, "memory in use": 1, "network in use": 1}
    >>> parts = Parts(30, 0, 70, 0, 0, 0, 0, 10, 1)  # 30 W static, 70 W of compute, 1 W gated
    >>> choice = Choice(np.array(3), slow=False, rest="gated")
    >>> float(cluster_power(Block(4, 0.25), parts, 0.6, choice, flat))  # 3 x (30 + 0.8 x 70) + 1
    259.0
    """
    on = _gpus_on(block, choice.on)
    each = np.minimum(np.asarray(load) / (on * block.work), 1.0)
    clock = np.minimum(lowest_clock(each, values), 1.0) if choice.slow else 1.0
    rest = parts.idle + parts.light_static if choice.rest == "idle" else parts.gated
    found = on * draw_of(parts, each, clock, values) + (block.count - on) * rest
    return float(found) if np.ndim(found) == 0 else found


_Policy = Callable[[Block, Parts, Any, Values], Choice]
POWER_POLICIES: Registry[_Policy] = Registry("power policy")


def _all(block: Block, load: Any) -> NDArray[np.int64]:
    return np.full(np.shape(load), block.units, dtype=np.int64)


@POWER_POLICIES.register("all_on")
def all_on(block: Block, parts: Parts, load: Any, values: Values) -> Choice:
    """Spread the load over all GPUs, at the rated clock."""
    fewest(block, load)  # refuses what they cannot carry
    return Choice(_all(block, load), slow=False, rest="idle")


@POWER_POLICIES.register("idle")
def idle(block: Block, parts: Parts, load: Any, values: Values) -> Choice:
    """Pack the load onto the fewest GPUs; the rest stay awake without work."""
    return Choice(fewest(block, load), slow=False, rest="idle")


@POWER_POLICIES.register("gate")
def gate(block: Block, parts: Parts, load: Any, values: Values) -> Choice:
    """Pack the load onto the fewest GPUs; switch the rest off."""
    return Choice(fewest(block, load), slow=False, rest="gated")


@POWER_POLICIES.register("dvfs")
def dvfs(block: Block, parts: Parts, load: Any, values: Values) -> Choice:
    """Spread the load over all GPUs, at the lowest clock that carries it."""
    fewest(block, load)
    return Choice(_all(block, load), slow=True, rest="idle")


@POWER_POLICIES.register("gate_dvfs")
def gate_dvfs(block: Block, parts: Parts, load: Any, values: Values) -> Choice:
    """Keep as many GPUs on as draw least, at the lowest clock that carries the load; switch the rest off.

    Notes
    -----
    Where GPUs are slowed down to carry their load they never rest, and the power of one is convex in its
    load, so that of k GPUs is convex in k: halving the choices by whether one unit more draws less finds the
    least. From as many GPUs on as carry the load at the least clock, each one more adds the same, so the
    least is at an end of those.
    """
    shape = np.broadcast_shapes(np.shape(load), np.shape(draw_of(parts, np.asarray(load) * 0.0, 1.0, values)))
    fewest_on = np.broadcast_to(fewest(block, load), shape)
    slowest = np.asarray(load) * values["compute in use"] / (values["least_clock"] * block.work * block.unit)
    resting = np.clip(np.ceil(slowest * (1 - _ROUNDING)), fewest_on, block.units).astype(np.int64)

    def power(units: NDArray[np.int64]) -> Array:
        choice = Choice(units, slow=True, rest="gated")
        return np.asarray(cluster_power(block, parts, load, choice, values))

    low, high = fewest_on.copy(), np.maximum(resting - 1, fewest_on)
    while np.any(low < high):
        middle = (low + high) // 2
        better = power(np.minimum(middle + 1, block.units)) < power(middle)
        searching = low < high
        low = np.where(searching & better, middle + 1, low)
        high = np.where(searching & ~better, middle, high)
    for other in (resting, np.full(shape, block.units, dtype=np.int64)):
        low = np.where(power(other) < power(low), other, low)
    return Choice(low, slow=True, rest="gated")


def on_ahead(block: Block, on: NDArray[np.int64]) -> NDArray[np.int64]:
    """GPUs that are switched on over a day that repeats, by step: none where fewer or as many are on.

    Parameters
    ----------
    block : Block
    on : ndarray of int64, shape (steps, ...)
        Units that are on.

    Returns
    -------
    ndarray of int64, like `on`

    Examples
    --------
    >>> on_ahead(Block(4, 0.25), np.array([1, 3, 4, 2])).tolist()
    [0, 2, 1, 0]
    """
    gpus = _gpus_on(block, on)
    return np.maximum(gpus - np.roll(gpus, 1, axis=0), 0)
