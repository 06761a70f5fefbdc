"""Routing: from pairs of endpoints to the links that their flows cross."""

from topo_sim.topo.routing import (  # noqa: F401
    dimension_order,
    ecmp,
    ecmp_split,
    shortest,
    valiant,
    valiant_split,
    wcmp_split,
    widest_split,
)
from topo_sim.topo.routing.common import ROUTINGS, Routing, route

__all__ = ["ROUTINGS", "Routing", "route"]
