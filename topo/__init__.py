"""Fabrics: the class, generators, topology files, routing and metrics."""

from topo_sim.topo.fabric import Fabric
from topo_sim.topo.files import load_fabric, load_topology, save_fabric
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
from topo_sim.topo.metrics import Bisection, FabricMetrics, bisection, metrics
from topo_sim.topo.routing import ROUTINGS, route

__all__ = [
    "GENERATORS",
    "ROUTINGS",
    "Bisection",
    "Fabric",
    "FabricMetrics",
    "bisection",
    "circuit_switched",
    "fat_tree",
    "full_mesh",
    "grouped",
    "leaf_spine",
    "load_fabric",
    "load_topology",
    "mesh",
    "metrics",
    "route",
    "save_fabric",
    "single_switch",
    "torus",
]
