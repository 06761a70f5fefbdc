"""Synchronous steps of fluid transfers: the default."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.cost import cost_profile
from topo_sim.collectives.models.machine import seconds
from topo_sim.collectives.models.registry import CostModel, register
from topo_sim.collectives.schedule import Schedule
from topo_sim.topo import Fabric

__all__ = ["step"]


def _evaluate(
    schedule: Schedule, fabric: Fabric, sizes: NDArray[np.float64], *, overhead: Any, **settings: Any
) -> NDArray[np.float64]:
    profile = cost_profile(schedule, fabric, overhead=seconds(overhead, "overhead"), **settings)
    return np.array([profile.time(size) for size in sizes.tolist()])


step = register(
    CostModel(
        name="step",
        summary="synchronous steps; within a step, fluid transfers share links max-min fairly",
        evaluate=_evaluate,
        reference="topo_sim.collectives.cost",
        in_network=True,
        groups=True,
        settings={"routing": None, "overhead": 0.0, "seed": 0},
    )
)
"""A step starts when the last transfer of the one before has arrived."""
