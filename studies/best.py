"""The best algorithm of a collective on a fabric, at every size."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.collectives import (
    ALGORITHMS,
    COLLECTIVES,
    CollectiveCost,
    CostProfile,
    Router,
    Schedule,
    build_schedule,
    cost_profile,
    lower_bound,
)
from topo_sim.collectives.candidates import candidates
from topo_sim.topo import Fabric

Progress = Callable[[int, int, str], None]

__all__ = [
    "Progress",
    "best_costs",
    "candidates",
    "carries_bytes",
    "check_sizes",
    "cost_row",
    "profiles",
    "schedules_for",
]


def check_sizes(sizes: Sequence[float]) -> NDArray[np.float64]:
    """Check message sizes.

    Parameters
    ----------
    sizes : sequence of float, B

    Returns
    -------
    ndarray of float64
        Sorted, each once.

    Raises
    ------
    UsageError
        If there is none, or one is negative or not finite.
    """
    array = np.unique(np.asarray(sizes, dtype=np.float64))
    if array.size == 0 or not np.isfinite(array).all() or array[0] < 0:
        raise UsageError(f"sizes: found {list(sizes)!r}, expected finite numbers of bytes of 0 or more")
    return array


def cost_row(cost: CollectiveCost) -> dict[str, Any]:
    """Flat dictionary of a cost; a collective that carries no bytes has no bandwidths.

    Parameters
    ----------
    cost : CollectiveCost

    Returns
    -------
    dict

    Examples
    --------
    >>> from topo_sim.collectives import cost
    >>> from topo_sim.topo import single_switch
    >>> found = cost(build_schedule("barrier", "dissemination", 4, 8.0), single_switch(4))
    >>> found.to_dict()["algbw_B_per_s"] is None, cost_row(found)["algbw_B_per_s"] is None
    (False, True)
    """
    found = cost.to_dict()
    if not carries_bytes(cost.collective):
        found |= {"algbw_B_per_s": None, "busbw_B_per_s": None}
    return found


def carries_bytes(collective: str) -> bool:
    """Whether the time of a collective depends on its size, as that of a barrier does not.

    Parameters
    ----------
    collective : str

    Returns
    -------
    bool
    """
    return collective not in COLLECTIVES or COLLECTIVES[collective].busbw_factor(2) > 0


@dataclass(frozen=True)
class Planned:
    """A candidate that is not built yet, with the terms of its closed form."""

    name: str
    options: Mapping[str, Any]
    steps: int
    load: float
    in_network: bool


def _planned(
    fabric: Fabric, collective: str, algorithms: Sequence[str] | None, ranks: int | None
) -> tuple[int, list[Planned]]:
    """List the candidates of a collective on so many ranks of a fabric."""
    p = fabric.ranks if ranks is None else ranks
    if p > fabric.ranks:
        raise UsageError(f"{fabric.name} has {fabric.ranks} endpoints, expected at least the {p} ranks")
    found = []
    for name, options in candidates(collective, algorithms, p, fabric):
        entry = ALGORITHMS[collective][name]
        steps, load = entry.terms(p, entry.resolve(options, p)) if p > 1 else (0, 0.0)
        found.append(Planned(name, options, steps, load, bool(entry.switches)))
    if not found:
        names = ", ".join(sorted(ALGORITHMS[collective]))
        raise UsageError(
            f"{collective} on {p} ranks: none of {', '.join(algorithms or ())} fits; choose from {names}"
        )
    return p, found


def _fastest_port(fabric: Fabric) -> float:
    """Most that any endpoint sends or receives, B/s."""
    ends = np.isin([fabric.link_source, fabric.link_target], fabric.endpoints)
    sums = (
        np.bincount(nodes[on], fabric.capacity[on]).max(initial=0.0)
        for nodes, on in zip((fabric.link_source, fabric.link_target), ends, strict=True)
    )
    return float(max(sums)) or np.inf


def schedules_for(
    fabric: Fabric, collective: str, algorithms: Sequence[str] | None = None, ranks: int | None = None
) -> list[Schedule]:
    """Build the schedule of every candidate algorithm of a collective on a fabric.

    Parameters
    ----------
    fabric : Fabric
    collective : str
    algorithms : sequence of str, optional
        Default: all.
    ranks : int, optional
        Default: all endpoints.

    Returns
    -------
    list of Schedule
        In the order of the registry, at size 0.

    Raises
    ------
    UsageError
        If there are not so many endpoints, or no algorithm is left.
    """
    p, tried = _planned(fabric, collective, algorithms, ranks)
    return [build_schedule(collective, plan.name, p, 0, **plan.options) for plan in tried]


def profiles(
    fabric: Fabric,
    collective: str,
    *,
    algorithms: Sequence[str] | None = None,
    ranks: int | None = None,
    overhead: float = 0.0,
    router: Router | None = None,
    progress: Progress | None = None,
    sizes: NDArray[np.float64] | None = None,
) -> list[CostProfile]:
    """Solve every candidate algorithm of a collective on a fabric.

    Parameters
    ----------
    fabric : Fabric
    collective : str
    algorithms : sequence of str, optional
        Default: all.
    ranks : int, optional
        Default: all endpoints.
    overhead : float, s
        Per message.
    router : Router, optional
        How to route. Default: as the fabric says.
    progress : callable, optional
        Called with (done, total, what).
    sizes : ndarray of float, B, optional
        Leave out, unbuilt, what cannot be the fastest at any of these sizes: an algorithm takes the first
        latency of every step, and the bound's time per byte or that of its own busiest ports.

    Returns
    -------
    list of CostProfile
        In the order of the registry; with `sizes`, by number of steps.

    Raises
    ------
    UsageError
        If no algorithm is left.
    """
    p, tried = _planned(fabric, collective, algorithms, ranks)
    router = Router(fabric) if router is None else router
    bounds = {
        inside: lower_bound(collective, fabric, p, overhead=overhead, in_network=inside)
        for inside in {plan.in_network for plan in tried}
    }
    if sizes is not None:
        tried.sort(key=lambda plan: plan.steps)
    found: list[CostProfile] = []
    port = _fastest_port(fabric)
    fastest = np.full(0 if sizes is None else len(sizes), np.inf)
    for done, plan in enumerate(tried):
        if progress:
            progress(done, len(tried), f"{collective}: {plan.name}")
        bound = bounds[plan.in_network]
        if sizes is not None and found:
            each = bound.first - (overhead if plan.in_network else 0.0)  # switches add no overhead
            pace = bound.pace if plan.in_network else max(bound.pace, plan.load / port)
            if np.all(plan.steps * each + pace * sizes >= fastest):
                continue
        schedule = build_schedule(collective, plan.name, p, 0, **plan.options)
        found.append(cost_profile(schedule, fabric, overhead=overhead, bound=bound, router=router))
        if sizes is not None:
            fastest = np.minimum(fastest, [found[-1].time(size) for size in sizes])
    return found


def best_costs(found: Sequence[CostProfile], sizes: Sequence[float]) -> list[CollectiveCost]:
    """Pick the fastest profile at each size; the first of equals.

    Parameters
    ----------
    found : sequence of CostProfile
    sizes : sequence of float, B

    Returns
    -------
    list of CollectiveCost
        One per size.
    """
    return [min(found, key=lambda profile: profile.time(size)).at(size) for size in sizes]
