"""Exact optima of collectives on any fabric, with the cut that proves each."""

from topo_sim.collectives.optimum.front import find_optimum, optimum
from topo_sim.collectives.optimum.result import BindingCut, Optimum

__all__ = ["BindingCut", "Optimum", "find_optimum", "optimum"]
