"""Routing: from pairs of endpoints to the links that their flows cross."""

from topo_sim.topo.routing import dimension_order, ecmp, ecmp_split, shortest, valiant  # noqa: F401
from topo_sim.topo.routing.common import ROUTINGS, Routing, route

__all__ = ["ROUTINGS", "Routing", "route"]
