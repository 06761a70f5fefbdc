"""Demands: traffic matrices, by name or from a file."""

from topo_sim.topo.demands.demand import Demand
from topo_sim.topo.demands.patterns import DEMANDS, make_demand
from topo_sim.topo.demands.reading import read_demand

__all__ = ["DEMANDS", "Demand", "make_demand", "read_demand"]
