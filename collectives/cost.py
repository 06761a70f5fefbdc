"""The cost of a schedule on a fabric: synchronous steps of fluid transfers."""

import numpy as np
from numpy.typing import ArrayLike

from topo_sim.base import CollectiveError, UsageError
from topo_sim.collectives.bounds import LowerBound, check_seconds, lower_bound
from topo_sim.collectives.groups import placed
from topo_sim.collectives.result import CollectiveCost, CostProfile
from topo_sim.collectives.router import Router
from topo_sim.collectives.schedule import Schedule
from topo_sim.collectives.solving import network_of, solve_steps
from topo_sim.topo import Fabric

__all__ = ["cost", "cost_profile"]


def cost_profile(
    schedule: Schedule,
    fabric: Fabric,
    *,
    routing: str | None = None,
    overhead: float = 0.0,
    seed: int = 0,
    ranks: ArrayLike | None = None,
    bound: LowerBound | None = None,
    router: Router | None = None,
) -> CostProfile:
    """Solve a schedule on a fabric once, for all sizes.

    Parameters
    ----------
    schedule, fabric, routing, overhead, seed, ranks
        As in `cost`.
    bound : LowerBound, optional
        If already known.
    router : Router, optional
        To share paths among schedules; replaces `routing` and `seed`.

    Returns
    -------
    CostProfile

    Raises
    ------
    CollectiveError, RoutingError, UsageError
        As `cost` does.

    Examples
    --------
    >>> from topo_sim.collectives import build_schedule
    >>> from topo_sim.topo import single_switch
    >>> fabric = single_switch(4, bandwidth=1e9, latency=1e-6)
    >>> profile = cost_profile(build_schedule("all_reduce", "ring", 4, 0), fabric)
    >>> round(profile.time(0) * 1e6), round(profile.time(1e6) * 1e6)
    (12, 1512)
    """
    if ranks is not None:
        fabric = placed(fabric, ranks)
        if np.size(ranks) != schedule.ranks:
            raise CollectiveError(
                f"ranks: found {np.size(ranks)}, expected the {schedule.ranks} of the schedule"
            )
    if schedule.ranks > fabric.ranks:
        raise CollectiveError(
            f"{fabric.name} has {fabric.ranks} endpoints, expected at least {schedule.ranks} for the schedule"
        )
    check_seconds(overhead, "overhead")
    router = Router(fabric, routing, seed) if router is None else router
    if router.fabric is not fabric:
        raise UsageError(f"router: routes on {router.fabric.name}, expected {fabric.name}")
    last = schedule.ranks + schedule.reducers - 1
    if any(np.any((ends < 0) | (ends > last)) for s in schedule.steps for ends in (s.source, s.target)):
        raise CollectiveError(f"{schedule!r}: a step names a rank below 0 or above {last}")
    if bound is None:
        bound = lower_bound(
            schedule.collective, fabric, schedule.ranks, overhead=overhead, in_network=schedule.in_network
        )
    fronts, busy = solve_steps(schedule, network_of(router, schedule), overhead)
    repeats = np.array([step.repeat for step in schedule.steps], dtype=np.int64)
    return CostProfile(schedule, fabric, router.routing, repeats, fronts, busy / fabric.capacity, bound)


def cost(
    schedule: Schedule,
    fabric: Fabric,
    *,
    routing: str | None = None,
    overhead: float = 0.0,
    seed: int = 0,
    ranks: ArrayLike | None = None,
) -> CollectiveCost:
    """Time a schedule on a fabric.

    Parameters
    ----------
    schedule : Schedule
        Its ranks are the first endpoints of the fabric, in their order, unless `ranks` says otherwise.
    fabric : Fabric
    routing : str, optional
        Default: the fabric's own.
    overhead : float, s
        Per message: the messages that a rank sends in a step leave it one `overhead` apart, and all
        wait for the last.
    seed : int
        For hashed routings.
    ranks : array_like of int, optional
        Endpoint that plays each rank of the schedule. Several groups at once: see
        `topo_sim.collectives.on_groups`.

    Returns
    -------
    CollectiveCost

    Raises
    ------
    CollectiveError
        If the fabric has too few endpoints, or a step names a rank that the schedule does not have.
    RoutingError
        If ranks are not connected, or the routing does not fit the fabric.
    UsageError
        If `overhead` is no finite number of 0 or more.

    Notes
    -----
    Steps are synchronous: a step starts when the one before it has ended, and ends when its last
    transfer has arrived: overhead, plus the latency of the path (the mean over a split flow), plus the
    time to send its bytes at max-min fair rates, shared again whenever a transfer ends. Combining costs
    nothing. Steps that differ only in chunks or in scale are solved once.

    Examples
    --------
    A ring over 4 ranks sends 6 steps of a quarter of the vector: 6 * (2 us + 250 us).

    >>> from topo_sim.collectives import build_schedule
    >>> from topo_sim.topo import single_switch
    >>> fabric = single_switch(4, bandwidth=1e9, latency=1e-6)
    >>> result = cost(build_schedule("all_reduce", "ring", 4, 1e6), fabric)
    >>> round(result.time * 1e6), round(result.busbw / 1e9, 3), round(result.fraction, 3)
    (1512, 0.992, 0.993)
    """
    return cost_profile(schedule, fabric, routing=routing, overhead=overhead, seed=seed, ranks=ranks).at()
