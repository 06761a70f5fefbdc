"""Energy of a block of GPUs over a day."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base.errors import UsageError
from topo_sim.gpus.power.curves import LoadCurve
from topo_sim.gpus.power.gating import POWER_POLICIES, Block, cluster_power, on_ahead
from topo_sim.gpus.power.parts import Parts

__all__ = ["Day", "live_a_day"]

Array = NDArray[np.float64]
_HOUR = 3600.0
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Day:
    """A day of a block of GPUs under a policy.

    Parameters
    ----------
    power : ndarray of float, shape (steps,) or (steps, draws), W
        Without what waking up takes.
    on : ndarray of int64, likewise
        GPUs that are on.
    waking : float or ndarray of float, shape (draws,), J
        Energy of GPUs while they wake up.
    woken : float or ndarray of float
        GPUs switched on in a day.
    energy : float or ndarray of float, J
        Of the whole day.
    """

    power: Array
    on: NDArray[np.int64]
    waking: Any
    woken: Any
    energy: Any


def live_a_day(
    block: Block, parts: Parts, curve: LoadCurve, policy: str, values: Mapping[str, Any], scale: float = 1.0
) -> Day:
    """Run a block of GPUs through a day.

    Parameters
    ----------
    block : Block
    parts : Parts
        Of one GPU.
    curve : LoadCurve
    policy : str
        A key of `POWER_POLICIES`.
    values : mapping from str to float or array of float, shape (draws,)
    scale : float
        Load at 1, in the unit of `block.work`.

    Returns
    -------
    Day

    Raises
    ------
    UsageError, UnknownNameError
        If the policy is unknown, the load too large, or GPUs are switched in steps shorter than they need
        to wake up.

    Notes
    -----
    A GPU that is switched on draws its static power, memory and light included, for the time it needs to
    wake up, ahead of its step, and does nothing. The day repeats, so what is on at midnight counts.

    Examples
    --------
    >>> flat = {"least_voltage": 1, "knee": 0, "leakage": 0, "least_clock": 0.1, "wake_time": 60.0,
    ...     "between_bursts": 1, "compute in use": 1, "memory in use": 1, "network in use": 1}
    >>> parts = Parts(30, 0, 70, 0, 0, 0, 0, 10, 1)
    >>> day = live_a_day(Block(4, 0.25), parts, LoadCurve.of("two", [0, 12], [0.2, 0.9]), "gate", flat)
    >>> day.on.tolist(), day.waking  # 3 GPUs x 30 W x 60 s
    ([1, 4], 5400.0)
    """
    load = curve.loads * scale
    shaped = any(np.ndim(value) for value in values.values())
    load = load[:, None] if shaped else load
    choice = POWER_POLICIES[policy](block, parts, load, values)
    power = np.asarray(cluster_power(block, parts, load, choice, values), dtype=np.float64)
    seconds = curve.lengths * _HOUR
    started = on_ahead(block, choice.on)
    gated = choice.rest == "gated"
    longest = float(np.max(values["wake_time"]))
    if gated and started.any() and longest > seconds.min() * (1 + _ROUNDING):
        raise UsageError(
            f"{curve.name}: found steps of {seconds.min():g} s where GPUs need up to {longest:g} s to wake "
            "up, expected longer steps, or a shorter wake_time in a file of models"
        )
    woken = started.sum(axis=0) * float(gated)
    static = parts.static + parts.refresh + parts.light_static
    waking = woken * static * values["wake_time"]
    energy = np.tensordot(seconds, power, axes=(0, 0)) + waking
    on = np.minimum(choice.on * block.unit, block.count)
    whole = (lambda v: float(v)) if not shaped else np.asarray
    return Day(power, on, whole(waking), whole(woken), whole(energy))
