"""What the case study gives: the best deployment of every case, and what collectives take."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["IDEAL", "NOT_COVERED", "CasePoint", "CaseStudy", "CollectiveRow", "Key"]

IDEAL = "ideal"
NOT_COVERED = "the whole-pass roofline covers dense models alone: --operators calibrated covers all"
"""Why the roofline has no answer for a model with experts or latent attention."""

Key = tuple[str, str, str, str, str, float]


@dataclass(frozen=True)
class CasePoint:
    """The best deployment of one case.

    Parameters
    ----------
    model, phase, gpu, network, operators : str
    overlap : float
    gpus, batch : int
        0 where nothing fits in memory and time.
    layout : str
    time : float, s
    per_sm : float, 1/s
        Tokens per second and SM.
    per_dollar, per_watt : float or None
        Tokens per second and $ of GPUs, and per J of GPUs.
    normalised, dollar_normalised, watt_normalised : float or None
        Over the reference in the same case: its own fabric where this one is on a fabric.
    network_share : float
        Of the time: communication that nothing hides.
    miss : str
        Why there is no deployment, empty where there is one.
    """

    model: str
    phase: str
    gpu: str
    network: str
    operators: str
    overlap: float
    gpus: int
    batch: int
    layout: str
    time: float
    per_sm: float
    per_dollar: float | None
    per_watt: float | None
    network_share: float
    normalised: float | None = None
    dollar_normalised: float | None = None
    watt_normalised: float | None = None
    miss: str = ""

    @property
    def key(self) -> Key:
        """What names the case."""
        return self.model, self.phase, self.gpu, self.network, self.operators, self.overlap

    def to_dict(self) -> dict[str, Any]:
        """Plain data, units in the keys."""
        return {
            **{name: getattr(self, name) for name in ("model", "phase", "gpu", "network", "operators")},
            "overlap": self.overlap,
            "gpus": self.gpus,
            "batch": self.batch,
            "layout": self.layout,
            "time_s": self.time if self.gpus else None,
            "tokens_per_s_per_sm": self.per_sm,
            "tokens_per_s_per_usd": self.per_dollar,
            "tokens_per_J": self.per_watt,
            "network_share": self.network_share,
            "per_sm_over_reference": self.normalised,
            "per_usd_over_reference": self.dollar_normalised,
            "per_J_over_reference": self.watt_normalised,
            "miss": self.miss,
        }


@dataclass(frozen=True)
class CollectiveRow:
    """An all-reduce of the largest group on one fabric: the ring and what the tool picks.

    Parameters
    ----------
    fabric : str
    rate : float, B/s
        Of one GPU.
    group, groups : int
    size : float, B
    ring, best : float, s
    algorithm : str
    """

    fabric: str
    rate: float
    group: int
    groups: int
    size: float
    ring: float
    best: float
    algorithm: str

    def to_dict(self) -> dict[str, Any]:
        """Plain data, units in the keys."""
        return {
            "fabric": self.fabric,
            "rate_B_per_s": self.rate,
            "group": self.group,
            "groups": self.groups,
            "size_B": self.size,
            "ring_s": self.ring,
            "best_s": self.best,
            "algorithm": self.algorithm,
        }


@dataclass(frozen=True)
class CaseStudy:
    """All cases.

    Parameters
    ----------
    models, gpus, networks : tuple of str
        `IDEAL` first; the first GPU is the reference.
    points : mapping from Key to CasePoint
    collectives : tuple of CollectiveRow
    notes : tuple of str
    """

    models: tuple[str, ...]
    gpus: tuple[str, ...]
    networks: tuple[str, ...]
    points: Mapping[Key, CasePoint]
    collectives: tuple[CollectiveRow, ...]
    notes: tuple[str, ...]

    @property
    def reference(self) -> str:
        """The GPU that all are compared with."""
        return self.gpus[0]

    def point(
        self, model: str, phase: str, gpu: str, network: str, operators: str, overlap: float
    ) -> CasePoint:
        """Look up a case."""
        return self.points[model, phase, gpu, network, operators, overlap]

    def rows(self) -> list[dict[str, Any]]:
        """Return one flat row per case."""
        return [point.to_dict() for point in self.points.values()]

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "reference": self.reference,
            "points": self.rows(),
            "collectives": [row.to_dict() for row in self.collectives],
            "notes": list(self.notes),
        }
