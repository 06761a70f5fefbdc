"""Fabrics: the class, generators, topology files, routing and metrics."""

from topo_sim.topo.fabric import Fabric
from topo_sim.topo.generators import (
    GENERATORS,
    circuit_switched,
    fat_tree,
    full_mesh,
    grouped,
    leaf_spine,
    mesh,
    single_switch,
    torus,
)
from topo_sim.topo.routing import ROUTINGS, route

__all__ = [
    "GENERATORS",
    "ROUTINGS",
    "Fabric",
    "circuit_switched",
    "fat_tree",
    "full_mesh",
    "grouped",
    "leaf_spine",
    "mesh",
    "route",
    "single_switch",
    "torus",
]
