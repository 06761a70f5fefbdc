"""What tuning gives: ranges of sizes with the fastest algorithm of each."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives import CollectiveCost, LowerBound

__all__ = ["TunedRange", "Tuning"]


@dataclass(frozen=True)
class TunedRange:
    """Sizes at which one algorithm with one set of options is the fastest.

    Parameters
    ----------
    label : str
        Algorithm and options.
    options : dict
    first, last : CollectiveCost
        At the smallest size and at the largest.
    """

    label: str
    options: dict[str, Any]
    first: CollectiveCost
    last: CollectiveCost


@dataclass(frozen=True)
class Tuning:
    """The fastest algorithms of one collective on one fabric.

    Parameters
    ----------
    fabric, collective, model, routing : str
    ranks : int
    ranges : tuple of TunedRange
        From the lowest size to the highest, without gaps.
    points : tuple of TunedRange
        The winners at the sizes that were asked for, each with its cost twice; empty if ranges were.
    sizes : ndarray of float64, shape (N,), B
        At which `curves` are given.
    curves : dict from str to ndarray of float64, shape (N,), s
        Time of every algorithm that wins somewhere, with the best of its options.
    bounds : dict from bool to LowerBound
        What is never beaten where switches combine (True) or do not, for the algorithms that win.
    tried : int
        Algorithms with options that were considered.
    left_out : tuple of str
        What the model did not cover, and why.
    """

    fabric: str
    collective: str
    model: str
    routing: str
    ranks: int
    ranges: tuple[TunedRange, ...]
    points: tuple[TunedRange, ...]
    sizes: NDArray[np.float64]
    curves: dict[str, NDArray[np.float64]]
    bounds: dict[bool, LowerBound]
    tried: int
    left_out: tuple[str, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per range, or per size if sizes were asked for.

        Returns
        -------
        list of dict
        """
        if self.points:
            return [_point_row(point) for point in self.points]
        return [_range_row(one) for one in self.ranges]

    def to_dict(self) -> dict[str, Any]:
        """Nested dictionary with units in the keys.

        Returns
        -------
        dict
        """
        head = {
            "fabric": self.fabric,
            "collective": self.collective,
            "model": self.model,
            "routing": self.routing,
            "ranks": self.ranks,
            "tried": self.tried,
            "left_out": list(self.left_out),
        }
        ranges = [_range_row(one) | {"options": _plain(one.options)} for one in self.ranges]
        points = [_point_row(one) | {"options": _plain(one.options)} for one in self.points]
        return head | ({"sizes": points} if self.points else {"ranges": ranges})


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _range_row(one: TunedRange) -> dict[str, Any]:
    row: dict[str, Any] = {
        "collective": one.first.collective,
        "fabric": one.first.fabric,
        "ranks": one.first.ranks,
        "low_B": int(one.first.size),
        "high_B": int(one.last.size),
        "algorithm": one.label,
    }
    for end, cost in (("low", one.first), ("high", one.last)):
        row |= {
            f"time_at_{end}_s": cost.time,
            f"algbw_at_{end}_B_per_s": _finite(cost.algbw),
            f"busbw_at_{end}_B_per_s": _finite(cost.busbw),
            f"bound_at_{end}_s": cost.lower_bound,
            f"fraction_of_bound_at_{end}": cost.fraction,
        }
    return row | {"bound": one.last.bound, "model": one.first.model}


def _point_row(point: TunedRange) -> dict[str, Any]:
    row = point.first.to_dict() | {"algorithm": point.label}
    row.pop("bottleneck")
    return row
