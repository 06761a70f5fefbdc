"""Power against load and clock: voltage follows the clock down to a knee, and the inverse for a power cap."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from topo_sim.base.errors import UsageError
from topo_sim.gpus.power.parts import Parts

__all__ = ["busy_share", "check_clock", "clock_for_cap", "draw_of", "lowest_clock", "part_powers", "voltage"]

Values = Mapping[str, Any]
_STEPS = 60  # halvings: to the last digit


def check_clock(clock: float, values: Values) -> float:
    """Return a clock, a multiple of the rated one, if the GPU can run at it.

    Raises
    ------
    UsageError
        If it cannot, or it is no number.
    """
    number = float(clock) if isinstance(clock, (int, float)) and not isinstance(clock, bool) else math.nan
    least, most = float(np.min(values["least_clock"])), float(np.max(values["most_clock"]))
    if not least <= number <= most:
        raise UsageError(
            f"clock: found {clock!r}, expected {least:g} to {most:g}, a multiple of the rated clock"
        )
    return number


def voltage(clock: Any, values: Values) -> Any:
    """Voltage over that at the rated clock: linear above the knee, constant below.

    Parameters
    ----------
    clock : float or array of float
        Over the rated clock.
    values : mapping from str to float or array of float
        With least_voltage and knee.

    Returns
    -------
    float or array of float

    Examples
    --------
    >>> voltage(0.75, {"least_voltage": 0.5, "knee": 0.5}), voltage(0.2, {"least_voltage": 0.5, "knee": 0.5})
    (0.75, 0.5)
    """
    least, knee = values["least_voltage"], values["knee"]
    slope = (1 - least) / (1 - knee)
    found = least + slope * np.maximum(clock - knee, 0.0)
    return float(found) if np.ndim(found) == 0 else found


def lowest_clock(load: Any, values: Values) -> Any:
    """Lowest clock at which a GPU carries a load: that of its compute, or the least it can run at."""
    return np.maximum(load * values["compute in use"], values["least_clock"])


def busy_share(load: Any, clock: Any, values: Values) -> Any:
    """Share of the time that a GPU works: its load at the rated clock, more where compute is slowed down.

    Examples
    --------
    >>> busy_share(0.3, 0.5, {"compute in use": 1.0}), busy_share(0.3, 0.5, {"compute in use": 0.1})
    (0.6, 0.3)
    """
    found = np.minimum(load * np.maximum(values["compute in use"] / clock, 1.0), 1.0)
    return float(found) if np.ndim(found) == 0 else found


def _static(parts: Parts, busy: Any, square: Any, values: Values) -> Any:
    """Work out static power without refresh: in full while at work, towards idle power between bursts."""
    leakage = values["leakage"]
    awake = parts.static * (1 - leakage + leakage * square)
    gap = np.clip(awake + parts.refresh - parts.idle, 0.0, awake)
    rested = np.where(np.asarray(busy) > 0, 1 - values["between_bursts"], 1.0)
    return awake - (1 - busy) * rested * gap


def part_powers(parts: Parts, load: Any, clock: Any, values: Values, busy: Any = None) -> dict[str, Any]:
    """Power of every part of one GPU that works, W.

    Parameters
    ----------
    parts : Parts
    load : float or array of float
        Over what the GPU does at most at its rated clock.
    clock : float or array of float
        Over the rated clock, at least `lowest_clock`.
    values : mapping from str to float or array of float
    busy : float or array of float, optional
        Share of the time at work. Default: `busy_share`.

    Returns
    -------
    dict from str to float or array of float
        By the names of `PARTS`.

    Notes
    -----
    Compute draws C f V^2 for as long as it works: at load u a share u / f of the time, so P u V^2, whatever
    the clock, and energy falls with voltage alone. A share of the static power goes with V^2. Memory and
    links keep their own clocks, and nothing is in use for more than all of the time.

    Static power S is drawn in full while the GPU works. Between bursts it falls to I + b (S - I), I the idle
    power and b between_bursts; without any load to I.

    Examples
    --------
    >>> values = {"least_voltage": 0.5, "knee": 0, "leakage": 0, "between_bursts": 0.5, "compute in use": 1,
    ...     "memory in use": 1, "network in use": 1}
    >>> part_powers(Parts(0, 0, 100, 0, 0, 0, 0, 0, 0), 0.5, 0.5, values)["compute"]
    28.125

    200 W static and 100 W idle: half of the time at work, half at 150 W.

    >>> part_powers(Parts(200, 0, 0, 0, 0, 0, 0, 100, 0), 0.5, 1.0, values)["static"]
    175.0
    """
    square = voltage(clock, values) ** 2
    working = busy_share(load, clock, values) if busy is None else busy
    use = {name: np.minimum(load * values[f"{name} in use"], 1.0) for name in ("memory", "network")}
    found = {
        "static": _static(parts, working, square, values),
        "refresh": parts.refresh + 0.0 * square,
        "compute": parts.compute * (load * values["compute in use"]) * square,
        "memory": parts.memory * use["memory"],
        "network": parts.network * use["network"],
        "light": parts.light_static + parts.light_moving * use["network"],
    }
    return {name: float(value) if np.ndim(value) == 0 else value for name, value in found.items()}


def draw_of(parts: Parts, load: Any, clock: Any, values: Values) -> Any:
    """Power of one GPU that works, W: the sum of `part_powers`."""
    return sum(part_powers(parts, load, clock, values).values())


def clock_for_cap(parts: Parts, cap: float, values: Mapping[str, float], light: bool = True) -> float:
    """Highest clock at which full load stays within a power.

    Parameters
    ----------
    parts : Parts
    cap : float, W
    values : mapping from str to float
    light : bool
        Whether link modules count towards it.

    Returns
    -------
    float
        Over the rated clock; at most `most_clock`.

    Raises
    ------
    UsageError
        If the cap is no positive number, or the least clock draws more.

    Notes
    -----
    Full load at clock f is the load f, without a pause. Power rises with it, so halving finds the clock.

    Examples
    --------
    >>> cubic = {"least_voltage": 1e-9, "knee": 0.0, "leakage": 0.0, "least_clock": 0.1, "most_clock": 2.0,
    ...     "between_bursts": 0.5, "compute in use": 1.0, "memory in use": 1.0, "network in use": 1.0}
    >>> round(clock_for_cap(Parts(0, 0, 100, 0, 0, 0, 0, 0, 0), 800.0, cubic), 6)
    2.0
    >>> round(clock_for_cap(Parts(0, 0, 100, 0, 0, 0, 0, 0, 0), 12.5, cubic), 6)
    0.5
    """
    if not (isinstance(cap, (int, float)) and 0 < cap < math.inf):
        raise UsageError(f"power cap: found {cap!r}, expected W above 0")

    def draw(clock: float) -> float:
        found = part_powers(parts, clock, clock, values, busy=1.0)
        return sum(found.values()) - (0.0 if light else found["light"])

    low, high = values["least_clock"], values["most_clock"]
    if draw(low) > cap:
        raise UsageError(
            f"power cap: found {cap:.4g} W, expected at least {draw(low):.4g} W, what full load draws at the "
            f"least clock, {low:g} of the rated one"
        )
    if draw(high) <= cap:
        return float(high)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if draw(middle) <= cap else (low, middle)
    return float(low)
