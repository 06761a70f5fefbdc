"""LogGP: messages that leave and enter each rank one after the other, o and g apart."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.models.machine import check_ranks, per_byte, port_rates, router_for, seconds
from topo_sim.collectives.models.registry import CostModel, register
from topo_sim.collectives.schedule import Schedule
from topo_sim.collectives.step import Step
from topo_sim.topo import Fabric

__all__ = ["loggp"]

Port = tuple[NDArray[np.float64], NDArray[np.float64]]


def _port(rank: NDArray[np.int32], fraction: NDArray[np.float64], pace: Any, apart: float) -> Port:
    """How long each transfer's port works: a fixed part, and a part per byte of size."""
    count = np.bincount(rank)
    carried = np.bincount(rank, fraction) * (pace if np.ndim(pace) == 0 else pace[: len(count)])
    fixed = (count[rank] - 1.0) * apart
    return np.asarray(fixed, dtype=np.float64), np.asarray(carried[rank], dtype=np.float64)


def _step_times(
    step: Step,
    latency: NDArray[np.float64] | float,
    paces: tuple[Any, Any],
    overhead: float,
    gap: float,
    sizes: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Time of one step at every size."""
    fraction, apart = np.ascontiguousarray(step.fraction), max(gap, overhead)
    ports = [
        _port(rank, fraction, pace, apart)
        for rank, pace in zip((step.source, step.target), paces, strict=True)
    ]
    fixed = latency + 2 * overhead
    return np.array([max(float((fixed + d + n * c).max()) for d, c in ports) for n in sizes.tolist()])


def _evaluate(
    schedule: Schedule,
    fabric: Fabric,
    sizes: NDArray[np.float64],
    *,
    L: Any,  # noqa: N803 (the model's own names)
    o: Any,
    g: Any,
    G: Any,  # noqa: N803
    overhead: Any,
    routing: str | None,
    seed: int,
) -> NDArray[np.float64]:
    check_ranks(schedule, fabric)
    total = np.zeros(len(sizes))
    if not schedule.steps:
        return total
    each = seconds(overhead, "overhead")
    half, gap = each / 2 + seconds(o, "o"), each + seconds(g, "g")
    delay = None if L is None else seconds(L, "L")
    if G is None:
        paces: tuple[Any, Any] = tuple(1.0 / rate for rate in port_rates(fabric, schedule.ranks))  # type: ignore[assignment]
    else:
        paces = (per_byte(G, "G"),) * 2
    router = None if delay is not None else router_for(schedule, fabric, routing, seed)
    for step in schedule.steps:
        latency = delay if router is None else router(step).sum(fabric.latency)
        total += step.repeat * _step_times(step, latency, paces, half, gap, sizes)  # type: ignore[arg-type]
    return total


loggp = register(
    CostModel(
        name="loggp",
        summary="steps of messages that leave and enter each rank one by one; L and G from the fabric",
        evaluate=_evaluate,
        reference="Alexandrov, Ionescu, Schauser, Scheiman, LogGP: incorporating long messages into the "
        "LogP model, SPAA 1995",
        groups=True,
        settings={"L": None, "o": 0.0, "g": 0.0, "G": None, "overhead": 0.0, "routing": None, "seed": 0},
    )
)
"""A message of n bytes takes L + 2o + nG; the next of the same rank starts max(g, o) after its last byte.

A step ends when its last message has been received, the messages of each rank in the best order: L + 2o plus
the time that the busier of the two ports works. The first byte costs G too, unlike in the paper, so that a
message may be cut at will. An `overhead` per message counts as half of it in o, the whole in g.
"""
