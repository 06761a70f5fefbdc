"""Schedules of collectives: who sends what to whom, when, and the proof that it adds up."""

from topo_sim.collectives.algorithms.registry import ALGORITHMS, Algorithm
from topo_sim.collectives.algorithms.trees import best_segments
from topo_sim.collectives.bounds import LowerBound, lower_bound
from topo_sim.collectives.collective import COLLECTIVES, Collective
from topo_sim.collectives.cost import cost, cost_profile
from topo_sim.collectives.fitting import shape_options
from topo_sim.collectives.groups import concurrent, on_groups, placed
from topo_sim.collectives.optimum import Optimum, find_optimum, optimum
from topo_sim.collectives.replay import replay
from topo_sim.collectives.result import BusyLink, CollectiveCost, CostProfile
from topo_sim.collectives.router import Router
from topo_sim.collectives.schedule import Schedule, all_to_all_v, build_schedule
from topo_sim.collectives.step import ChunkLists, Step, runs
from topo_sim.collectives.synthesis import SYNTHESIZED, SYNTHESIZERS, synthesize

__all__ = [
    "ALGORITHMS",
    "COLLECTIVES",
    "SYNTHESIZED",
    "SYNTHESIZERS",
    "Algorithm",
    "BusyLink",
    "ChunkLists",
    "Collective",
    "CollectiveCost",
    "CostProfile",
    "LowerBound",
    "Optimum",
    "Router",
    "Schedule",
    "Step",
    "all_to_all_v",
    "best_segments",
    "build_schedule",
    "concurrent",
    "cost",
    "cost_profile",
    "find_optimum",
    "lower_bound",
    "on_groups",
    "optimum",
    "placed",
    "replay",
    "runs",
    "shape_options",
    "synthesize",
]
