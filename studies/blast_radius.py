"""What failures of a fabric's parts take away: the results, with rates and expected loss."""

from dataclasses import dataclass
from typing import Any

from topo_sim.base.files import Range
from topo_sim.gpus.reliability import YEAR

__all__ = ["Blast", "Interval", "Resilience"]

Interval = tuple[float, float]


@dataclass(frozen=True)
class Blast:
    """A class of alike parts: how often one fails, and what it takes away.

    Parameters
    ----------
    part : str
        Name in the catalogue of failure rates.
    example : str
        One of them.
    count, solved : int
        Parts of the class, and how many failures of them were solved.
    symmetric : bool
        Whether the others are proven to be equal to those solved.
    rate : Range, 1/s
        Failures of one part; for a GPU from the end "area" to the end "package".
    repair : float, s
    lost : float
        Endpoints dead or cut off from most others: mean over those solved; `worst_lost` the most.
    worst_lost : int
    injection_lost : float
        Share of the capacity out of all endpoints.
    stopped, worst_stopped : float, int
        Groups with a member that is dead or cut off from another member.
    idle : float
        Share of the endpoints in groups that stop.
    theta : (float, float), optional
        All-to-all throughput per endpoint that is left, over that before: least and greatest of the bounds.
    group_theta : (float, float), optional
        Likewise for all-to-all inside every group that is left, all at once.
    bandwidth_lost : (float, float), optional
        Share of the all-to-all throughput summed over endpoints, those left counted with no more than before.
    """

    part: str
    example: str
    count: int
    solved: int
    symmetric: bool
    rate: Range
    repair: float
    lost: float
    worst_lost: int
    injection_lost: float
    stopped: float
    worst_stopped: int
    idle: float
    theta: Interval | None
    group_theta: Interval | None
    bandwidth_lost: Interval | None

    def expected(self, share: float, level: str = "typical") -> float:
        """Share lost on average to failures of this class: parts x rate x repair x what one takes away."""
        return self.count * self.rate.at(level) * self.repair * share

    def row(self) -> dict[str, Any]:
        """Flat row with units in the keys."""
        row: dict[str, Any] = {
            "part": self.part,
            "example": self.example,
            "count": self.count,
            "solved": self.solved,
            "all_alike_by_symmetry": self.symmetric,
            "rate_low_per_year": self.rate.low * YEAR,
            "rate_per_year": self.rate.typical * YEAR,
            "rate_high_per_year": self.rate.high * YEAR,
            "repair_s": self.repair,
            "endpoints_lost": self.lost,
            "endpoints_lost_worst": self.worst_lost,
            "injection_lost": self.injection_lost,
            "groups_stopped": self.stopped,
            "groups_stopped_worst": self.worst_stopped,
            "endpoints_idle": self.idle,
        }
        for name, pair in (
            ("throughput_left", self.theta),
            ("group_throughput_left", self.group_theta),
            ("bandwidth_lost", self.bandwidth_lost),
        ):
            low, high = pair if pair is not None else (None, None)
            row |= {f"{name}_low": low, f"{name}_high": high}
        row["expected_idle"] = self.expected(self.idle)
        row["expected_idle_low"] = self.expected(self.idle, "low")
        row["expected_idle_high"] = self.expected(self.idle, "high")
        middle = sum(self.bandwidth_lost) / 2 if self.bandwidth_lost is not None else None
        row["expected_bandwidth_lost"] = None if middle is None else self.expected(middle)
        return row


@dataclass(frozen=True)
class Resilience:
    """Every class of parts of a fabric, with rate and blast.

    Parameters
    ----------
    fabric : str
    endpoints, group : int
    theta : (float, float), optional, B/s
        All-to-all throughput per endpoint of the whole fabric.
    gap : float
        Proven gap at which throughputs stop.
    seed : int
        Of the parts that are drawn where not all are alike.
    blasts : list of Blast
    """

    fabric: str
    endpoints: int
    group: int
    theta: Interval | None
    gap: float
    seed: int
    blasts: list[Blast]

    def expected_idle(self, level: str = "typical") -> float:
        """Share of the endpoints that stand on average, if nothing replaces what failed."""
        return sum(blast.expected(blast.idle, level) for blast in self.blasts)

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per class.

        Returns
        -------
        list of dict
        """
        return [blast.row() for blast in self.blasts]

    def to_dict(self) -> dict[str, Any]:
        """Everything, with units in the keys.

        Returns
        -------
        dict
        """
        low, high = self.theta if self.theta is not None else (None, None)
        return {
            "fabric": self.fabric,
            "endpoints": self.endpoints,
            "group": self.group,
            "throughput_low_B_per_s": low,
            "throughput_high_B_per_s": high,
            "gap": self.gap,
            "seed": self.seed,
            "expected_idle": self.expected_idle(),
            "expected_idle_low": self.expected_idle("low"),
            "expected_idle_high": self.expected_idle("high"),
            "parts": self.rows(),
        }
