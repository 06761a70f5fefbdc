"""Schedules made for one fabric: filled greedily, or from spanning trees packed at the optimum."""

from topo_sim.collectives.synthesis.forest import Forest, find_forest, forest_steps
from topo_sim.collectives.synthesis.front import SYNTHESIZED, SYNTHESIZERS, synthesize
from topo_sim.collectives.synthesis.greedy import Plan, greedy_plan

__all__ = [
    "SYNTHESIZED",
    "SYNTHESIZERS",
    "Forest",
    "Plan",
    "find_forest",
    "forest_steps",
    "greedy_plan",
    "synthesize",
]
