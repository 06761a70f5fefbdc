"""What holds a collective back on a fabric: the cut, the optimum, the best algorithm, the busiest links."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from topo_sim.base import UsageError
from topo_sim.collectives import CollectiveCost, LowerBound, Optimum, Router, find_optimum, lower_bound
from topo_sim.collectives.optimum import BindingCut
from topo_sim.studies.best import Progress, best_costs, check_sizes, profiles
from topo_sim.studies.compare import check_names
from topo_sim.topo import Fabric

__all__ = ["CutStory", "Explanation", "explain"]

NAMED = 4


@dataclass(frozen=True)
class CutStory:
    """A binding cut in words.

    Parameters
    ----------
    collective : str
        Whose data has to cross it.
    side : str
        The smaller of its two sides, by ranks and switches.
    direction : {"into", "out of"}
        Which way data crosses the boundary of that side.
    links : tuple of str
        Kinds of links that cross: how many of what capacity.
    examples : tuple of str
        Some of them by name.
    cut : BindingCut
    """

    collective: str
    side: str
    direction: str
    links: tuple[str, ...]
    examples: tuple[str, ...]
    cut: BindingCut


@dataclass(frozen=True)
class Explanation:
    """What a collective could reach, what it reaches, and why.

    Parameters
    ----------
    fabric : str
    best : tuple of CollectiveCost
        Of the fastest algorithm, one per size.
    optimum : Optimum
        For large sizes.
    bound : LowerBound
        At any size.
    cuts : tuple of CutStory
    """

    fabric: str
    best: tuple[CollectiveCost, ...]
    optimum: Optimum
    bound: LowerBound
    cuts: tuple[CutStory, ...]

    def share(self, cost: CollectiveCost) -> float:
        """Algbw of a cost over the optimum."""
        return cost.algbw / float(self.optimum.upper)

    @property
    def note(self) -> str | None:
        """What to know about the share of the optimum; None where all fastest algorithms stay below it."""
        if not any(cost.in_network for cost in self.best):
            return None
        names = ", ".join(sorted({cost.algorithm for cost in self.best if cost.in_network}))
        return (
            f"{names}: sums in switches lie outside this optimum, in which ranks combine, and may exceed it"
        )

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per size.

        Returns
        -------
        list of dict
        """
        rows = []
        for cost in self.best:
            row = cost.to_dict()
            busiest = row.pop("bottleneck")
            first = self.cuts[0] if self.cuts else None
            more = {
                "optimum_algbw_B_per_s": float(self.optimum.upper),
                "optimum_exact": self.optimum.exact,
                "share_of_optimum": self.share(cost) if cost.size else None,
                "cut": f"{first.direction} {first.side}" if first else None,
                "note": self.note if cost.in_network else None,
                "cut_links": len(first.cut.links) if first else None,
                "busiest_link": busiest[0]["name"] if busiest else None,
            }
            rows.append(row | more)
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Nested dictionary with units in the keys.

        Returns
        -------
        dict
        """
        return {
            "optimum": self.optimum.to_dict(),
            "cuts": [
                {"collective": c.collective, "side": c.side, "direction": c.direction}
                | {"links": list(c.links), "examples": list(c.examples)}
                for c in self.cuts
            ],
            "note": self.note,
            "latency_bound_s": self.bound.latency,
            "best": [
                cost.to_dict() | {"share_of_optimum": self.share(cost) if cost.size else None}
                for cost in self.best
            ],
        }


def explain(
    fabric: Fabric,
    collective: str,
    sizes: Sequence[float],
    *,
    ranks: int | None = None,
    routing: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Explanation:
    """Find what holds a collective back on a fabric.

    Parameters
    ----------
    fabric : Fabric
    collective : str
    sizes : sequence of float, B
    ranks : int, optional
        The first so many endpoints, 2 or more. Default: all.
    routing : str, optional
        Default: the fabric's own.
    seed : int
        For hashed routings.
    progress : callable, optional
        Called with (done, total, what).

    Returns
    -------
    Explanation

    Raises
    ------
    RoutingError
        If ranks are not connected.
    UsageError
        If a size or the number of ranks cannot be used.

    Examples
    --------
    >>> from topo_sim.topo import load_fabric
    >>> found = explain(load_fabric("polaris-8"), "all_gather", [2**30])
    >>> found.optimum.algbw / 10**9, found.cuts[0].direction, found.cuts[0].links
    (Fraction(100, 1), 'out of', ('2 of 25 GB/s',))
    """
    values = check_sizes(sizes)
    check_names([collective], None)
    p = fabric.ranks if ranks is None else ranks
    if p < 2:
        raise UsageError(f"{fabric.name}: found {p} rank, expected 2 or more: one rank sends nothing")
    if progress:
        progress(0, 2, f"{collective}: optimum")
    best = find_optimum(collective, fabric, ranks)
    found = profiles(
        fabric, collective, ranks=ranks, router=Router(fabric, routing, seed), progress=progress, sizes=values
    )
    return Explanation(
        fabric.name,
        tuple(best_costs(found, values.tolist())),
        best,
        lower_bound(collective, fabric, p),
        tuple(_story(fabric, p, cut) for cut in best.cuts),
    )


def _story(fabric: Fabric, ranks: int, cut: BindingCut) -> CutStory:
    inside = np.isin(np.arange(len(fabric.kind)), cut.inside)
    out_of = cut.ranks_inside <= cut.ranks_outside
    mine = inside if out_of else ~inside
    backwards = cut.collective in ("reduce_scatter", "reduce")
    names = [fabric.names[n] for n in fabric.endpoints[:ranks].tolist() if mine[n]]
    used = np.zeros(len(fabric.kind), dtype=bool)
    used[fabric.link_source] = used[fabric.link_target] = True
    hubs = int(np.count_nonzero(mine & used & (fabric.kind != 0)))
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    side = f"{', '.join(names[:NAMED])}{more}"
    side += f" with {hubs} switch{'es' if hubs > 1 else ''}" if hubs else ""
    return CutStory(
        cut.collective,
        side,
        "out of" if out_of != backwards else "into",
        tuple(_kinds(fabric, cut.links)),
        tuple(fabric.link_name(link) for link in cut.links[:NAMED]),
        cut,
    )


def _kinds(fabric: Fabric, links: Sequence[int]) -> list[str]:
    """How many links of which capacity, the most first."""
    from topo_sim.base import format_quantity

    values, counts = np.unique(fabric.capacity[list(links)], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [f"{counts[i]:,} of {format_quantity(float(values[i]), 'rate')}" for i in order]
