"""Bandwidth sharing: arrays in, arrays out."""

from topo_sim.topo.flow.certificate import check_max_min
from topo_sim.topo.flow.completion import completion_times
from topo_sim.topo.flow.max_min import max_min_rates
from topo_sim.topo.flow.paths import Paths
from topo_sim.topo.flow.simulation import FlowRun, simulate
from topo_sim.topo.flow.symmetry import Quotient, quotient

__all__ = [
    "FlowRun",
    "Paths",
    "Quotient",
    "check_max_min",
    "completion_times",
    "max_min_rates",
    "quotient",
    "simulate",
]
