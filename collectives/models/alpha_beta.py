"""The closed form of an algorithm: a latency per step and a time per byte of the busiest port."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError
from topo_sim.collectives.algorithms.registry import ALGORITHMS
from topo_sim.collectives.models.machine import check_ranks, per_byte, port_rates, router_for, seconds
from topo_sim.collectives.models.registry import CostModel, register
from topo_sim.collectives.schedule import Schedule
from topo_sim.topo import Fabric

__all__ = ["alpha_beta", "alpha_of", "beta_of"]


def alpha_of(schedule: Schedule, fabric: Fabric, routing: str | None = None, seed: int = 0) -> float:
    """Latency of the longest path that a schedule uses.

    Parameters
    ----------
    schedule : Schedule
    fabric : Fabric
    routing : str, optional
        Default: the fabric's own.
    seed : int

    Returns
    -------
    float, s
        The mean over a split flow, as everywhere.

    Examples
    --------
    >>> from topo_sim.collectives import build_schedule
    >>> from topo_sim.topo import single_switch
    >>> alpha_of(build_schedule("all_reduce", "ring", 4, 0), single_switch(4, latency=1e-6))
    2e-06
    """
    router = router_for(schedule, fabric, routing, seed)
    return max((float(router(step).sum(fabric.latency).max()) for step in schedule.steps), default=0.0)


def beta_of(fabric: Fabric, ranks: int) -> float:
    """Time per byte of the slowest rank, all its links together.

    Parameters
    ----------
    fabric : Fabric
    ranks : int

    Returns
    -------
    float, s/B
    """
    out, into = port_rates(fabric, ranks)
    return 1.0 / float(min(out.min(), into.min()))


def _evaluate(
    schedule: Schedule,
    fabric: Fabric,
    sizes: NDArray[np.float64],
    *,
    alpha: Any,
    beta: Any,
    overhead: Any,
    routing: str | None,
    seed: int,
) -> NDArray[np.float64]:
    check_ranks(schedule, fabric)
    name = schedule.collective.name
    if schedule.algorithm not in ALGORITHMS[name]:
        raise CollectiveError(
            f"alpha-beta: {name}/{schedule.algorithm} has no closed form, expected an algorithm of "
            "'topo-sim list algorithms'; try loggp or step"
        )
    if schedule.ranks < 2:
        return np.zeros(len(sizes))
    latency = alpha_of(schedule, fabric, routing, seed) if alpha is None else seconds(alpha, "alpha")
    pace = beta_of(fabric, schedule.ranks) if beta is None else per_byte(beta, "beta")
    latency += seconds(overhead, "overhead")
    form = ALGORITHMS[name][schedule.algorithm].closed_form
    return np.array([form(schedule.ranks, n, latency, pace, **schedule.options) for n in sizes.tolist()])


alpha_beta = register(
    CostModel(
        name="alpha-beta",
        summary="the algorithm's closed form on one ideal switch; alpha from the paths, beta from the ports",
        evaluate=_evaluate,
        reference="Hockney, The communication challenge for MPP, Parallel Computing 20(3), 1994",
        settings={"alpha": None, "beta": None, "overhead": 0.0, "routing": None, "seed": 0},
    )
)
"""Sees ports, not links: what shares a link inside the fabric does not slow down."""
