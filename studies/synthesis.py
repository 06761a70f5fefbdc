"""A schedule made for a fabric, beside the bound and the optimum."""

from dataclasses import dataclass
from typing import Any

from topo_sim.collectives import (
    CollectiveCost,
    Optimum,
    Router,
    Schedule,
    cost_profile,
    find_optimum,
    synthesize,
)
from topo_sim.topo import Fabric

__all__ = ["Synthesis", "synthesize_schedule"]

GOOD = 0.8


@dataclass(frozen=True)
class Synthesis:
    """A synthesized schedule and what it takes.

    Parameters
    ----------
    schedule : Schedule
    cost : CollectiveCost
        At the size that it was made for.
    optimum : Optimum or None
        For large sizes; None for one rank.
    asked : tuple of str
        What was asked for and not chosen: "method", "chunks", "routing".
    """

    schedule: Schedule
    cost: CollectiveCost
    optimum: Optimum | None
    asked: tuple[str, ...] = ()

    @property
    def share_of_optimum(self) -> float | None:
        """Algbw over the optimum; None where there is none, or nothing is sent."""
        if self.optimum is None or not self.cost.size:
            return None
        return self.cost.algbw / float(self.optimum.upper)

    @property
    def hint(self) -> str | None:
        """What to try where less than 80 % of the optimum is reached; else None."""
        share = self.share_of_optimum
        if share is None or share >= GOOD:
            return None
        if self.cost.fraction >= GOOD:
            return "latency holds it back at this size: a larger one comes nearer to the optimum"
        if self.asked:
            return f"far from the optimum: try without {', '.join(f'--{name}' for name in self.asked)}"
        return "far from the optimum: try --method trees with more --chunks, or a larger --size"

    def rows(self) -> list[dict[str, Any]]:
        """One flat row.

        Returns
        -------
        list of dict
        """
        row = self.cost.to_dict()
        busiest = row.pop("bottleneck")
        options = ",".join(f"{name}={value}" for name, value in self.schedule.options.items())
        upper = None if self.optimum is None else float(self.optimum.upper)
        more = {
            "options": options,
            "messages": self.schedule.message_count,
            "optimum_algbw_B_per_s": upper,
            "share_of_optimum": self.share_of_optimum,
            "hint": self.hint,
            "busiest_link": busiest[0]["name"] if busiest else None,
        }
        return [row | more]

    def to_dict(self) -> dict[str, Any]:
        """Nested dictionary with units in the keys.

        Returns
        -------
        dict
        """
        return {
            **self.cost.to_dict(),
            "options": dict(self.schedule.options),
            "messages": self.schedule.message_count,
            "optimum": None if self.optimum is None else self.optimum.to_dict(),
            "share_of_optimum": self.share_of_optimum,
            "hint": self.hint,
        }


def synthesize_schedule(
    fabric: Fabric,
    collective: str,
    *,
    size: float = 2.0**30,
    ranks: int | None = None,
    method: str | None = None,
    chunks: int | None = None,
    routing: str | None = None,
    seed: int = 0,
) -> Synthesis:
    """Make a schedule for a fabric and cost it there.

    Parameters
    ----------
    fabric, collective, size, ranks, method, chunks, routing, seed
        As in `topo_sim.collectives.synthesize`.

    Returns
    -------
    Synthesis

    Examples
    --------
    >>> from topo_sim.topo import torus
    >>> result = synthesize_schedule(torus((4, 4, 4)), "all_gather", method="greedy")
    >>> result.schedule.step_count, round(result.cost.fraction, 2)
    (11, 0.95)
    """
    schedule = synthesize(
        collective, fabric, ranks, size=size, method=method, chunks=chunks, seed=seed, routing=routing
    )
    chosen = str(schedule.options.get("routing", routing or fabric.routing))
    found = cost_profile(schedule, fabric, router=Router(fabric, chosen, seed)).at(size)
    best = find_optimum(collective, fabric, schedule.ranks) if schedule.ranks > 1 else None
    given = {"method": method, "chunks": chunks, "routing": routing}
    return Synthesis(schedule, found, best, tuple(name for name, value in given.items() if value is not None))
