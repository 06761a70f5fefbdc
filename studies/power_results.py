"""What a study of power finds: packages, days, swings, and all of them together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base.files import LEVELS, Range
from topo_sim.gpus.catalogue import Gpu
from topo_sim.gpus.power import Cooled, Day, LoadCurve
from topo_sim.studies.gpu_cost import Spread
from topo_sim.studies.power_blocks import PowerQuestion

__all__ = ["KWH", "POINTS", "GpuDay", "PackagePower", "PowerComparison", "PowerSwing"]

Array = NDArray[np.float64]
KWH = 3.6e6
POINTS = 1001


@dataclass(frozen=True)
class PackagePower:
    """Power of one package.

    Parameters
    ----------
    gpu : Gpu
    parts : mapping from level to mapping from part to float, W
        At the load and clock asked for.
    idle, gated, full : mapping from level to float, W
        Without work (modules included), switched off, everything in full use at the rated clock.
    cap_clock : float or None
        Highest clock within the cap asked for; None without a cap.
    """

    gpu: Gpu
    parts: Mapping[str, Mapping[str, float]]
    idle: Mapping[str, float]
    gated: Mapping[str, float]
    full: Mapping[str, float]
    cap_clock: float | None

    def total(self, level: str = "typical") -> float:
        """Power at the load and clock asked for, W."""
        return sum(self.parts[level].values())

    def to_dict(self) -> dict[str, Any]:
        """Plain data, units in the keys."""
        return {
            "gpu": self.gpu.name,
            "tdp_w": self.gpu.need("tdp", "its power").typical,
            "parts_w": {level: dict(parts) for level, parts in self.parts.items()},
            "total_w": {level: self.total(level) for level in LEVELS},
            "idle_w": dict(self.idle),
            "gated_w": dict(self.gated),
            "full_w": dict(self.full),
            "clock_within_cap": self.cap_clock,
        }


@dataclass(frozen=True)
class GpuDay:
    """A block of GPUs over a day under one policy.

    Parameters
    ----------
    gpu : str
    count : int
    policy : str
    energy : mapping from level to float, kWh
        Every input at that level.
    drawn : Spread, kWh
    saving : mapping from level to float
        Share of the reference's energy under the same policy that is saved; negative where more is used.
    saving_drawn : Spread
    over_all_on : mapping from level to float
        Share saved of what the reference draws with everything on.
    day : Day
        Typical.
    load_power : ndarray of float, W
        Typical, at loads from 0 to 1.
    """

    gpu: str
    count: int
    policy: str
    energy: Mapping[str, float]
    drawn: Spread
    saving: Mapping[str, float]
    saving_drawn: Spread
    over_all_on: Mapping[str, float]
    day: Day
    load_power: Array

    def row(self) -> dict[str, Any]:
        """Flat row, units in the keys."""
        return {
            "gpu": self.gpu,
            "gpus": self.count,
            "policy": self.policy,
            **{f"energy_{level}_kwh": self.energy[level] for level in LEVELS},
            **self.drawn.to_dict("_kwh"),
            **{f"saving_{level}": self.saving[level] for level in LEVELS},
            "saving_p5": self.saving_drawn.p5,
            "saving_p95": self.saving_drawn.p95,
            **{f"saving_over_all_on_{level}": self.over_all_on[level] for level in LEVELS},
            "least_on": int(self.day.on.min()),
            "most_on": int(self.day.on.max()),
            "woken_per_day": self.day.woken,
            "waking_kwh": self.day.waking / KWH,
        }


@dataclass(frozen=True)
class PowerSwing:
    """What one input does to a saving, all others typical.

    Parameters
    ----------
    name : str
    value : Range
    saving : tuple of float
        With the input low and high.
    """

    name: str
    value: Range
    saving: tuple[float, float]


@dataclass(frozen=True)
class PowerComparison:
    """Power of several GPUs; the first is the reference.

    Parameters
    ----------
    question : PowerQuestion
    curve : LoadCurve
    packages : tuple of PackagePower
    days : tuple of GpuDay
    swings : tuple of PowerSwing
        Of the second GPU's saving under `swing_policy`, largest first; none for one GPU.
    swing_policy : str
    by_size : mapping from (gpu, policy) to tuple of (reference GPUs, saving)
        Typical saving over the same policy of the reference, for blocks of other sizes.
    cooling : tuple of Cooled
    """

    question: PowerQuestion
    curve: LoadCurve
    packages: tuple[PackagePower, ...]
    days: tuple[GpuDay, ...]
    swings: tuple[PowerSwing, ...]
    swing_policy: str
    by_size: Mapping[tuple[str, str], tuple[tuple[int, float], ...]]
    cooling: tuple[Cooled, ...]
    loads: Array = field(default_factory=lambda: np.linspace(0, 1, POINTS))

    @property
    def reference(self) -> Gpu:
        """The first GPU."""
        return self.packages[0].gpu

    def day(self, gpu: str, policy: str) -> GpuDay:
        """Return the day of a GPU under a policy."""
        return next(each for each in self.days if (each.gpu, each.policy) == (gpu, policy))

    def rows(self) -> list[dict[str, Any]]:
        """Return a flat row per GPU and policy."""
        return [day.row() for day in self.days]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, units in the keys."""
        return {
            "reference": self.reference.name,
            "curve": {
                "name": self.curve.name,
                "hours": self.curve.hours.tolist(),
                "loads": self.curve.loads.tolist(),
            },
            "packages": [package.to_dict() for package in self.packages],
            "days": [
                day.row() | {"power_w": day.day.power.tolist(), "on": day.day.on.tolist()}
                for day in self.days
            ],
            "swing_policy": self.swing_policy,
            "inputs": [
                {
                    "input": swing.name,
                    **{level: swing.value.at(level) for level in LEVELS},
                    "mark": swing.value.mark,
                    "source": swing.value.source,
                    "saving_low": swing.saving[0],
                    "saving_high": swing.saving[1],
                }
                for swing in self.swings
            ],
            "by_size": [
                {"gpu": gpu, "policy": policy, "reference_gpus": n, "saving": saving}
                for (gpu, policy), points in self.by_size.items()
                for n, saving in points
            ],
            "cooling": [
                {
                    "gpu": each.gpu,
                    "cooling": each.cooling,
                    "sink": each.sink,
                    "package_w": each.package,
                    "density_w_per_m2": each.density,
                    "junction_c": each.junction,
                    "allowed_w": {level: each.allowed.at(level) for level in LEVELS},
                    "clock": each.clock,
                    "clock_bound": each.clock_bound,
                    "gpus_per_rack": dict(zip(LEVELS, each.per_rack, strict=True)),
                    "racks": dict(zip(LEVELS, each.racks, strict=True)),
                }
                for each in self.cooling
            ],
        }
