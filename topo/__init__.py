"""Fabrics: the class, generators, topology files, routing and metrics."""

from topo_sim.topo.demands import DEMANDS, Demand, make_demand
from topo_sim.topo.fabric import Fabric
from topo_sim.topo.files import load_fabric, load_topology, save_fabric
from topo_sim.topo.generators import (
    GENERATORS,
    circuit_banks,
    circuit_switched,
    cube_torus,
    fat_tree,
    full_mesh,
    grouped,
    leaf_spine,
    mesh,
    product,
    rotor,
    single_switch,
    torus,
    twisted_torus,
    xpander,
)
from topo_sim.topo.loads import link_loads
from topo_sim.topo.metrics import Bisection, FabricMetrics, bisection, metrics
from topo_sim.topo.routing import ROUTINGS, route
from topo_sim.topo.throughput import ConcurrentFlow, max_concurrent_flow

__all__ = [
    "DEMANDS",
    "GENERATORS",
    "ROUTINGS",
    "Bisection",
    "ConcurrentFlow",
    "Demand",
    "Fabric",
    "FabricMetrics",
    "bisection",
    "circuit_banks",
    "circuit_switched",
    "cube_torus",
    "fat_tree",
    "full_mesh",
    "grouped",
    "leaf_spine",
    "link_loads",
    "load_fabric",
    "load_topology",
    "make_demand",
    "max_concurrent_flow",
    "mesh",
    "metrics",
    "product",
    "rotor",
    "route",
    "save_fabric",
    "single_switch",
    "torus",
    "twisted_torus",
    "xpander",
]
