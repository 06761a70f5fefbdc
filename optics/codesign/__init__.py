"""Topology co-design: how many ports of each endpoint go to rings, how many to what a job sends."""

from topo_sim.optics.codesign.design import CoDesign, Split, co_design
from topo_sim.optics.codesign.matchings import discounted_matchings
from topo_sim.optics.codesign.routes import coin_change, coin_change_paths
from topo_sim.optics.codesign.strides import ring_permutations, select_strides, totient_strides

__all__ = [
    "CoDesign",
    "Split",
    "co_design",
    "coin_change",
    "coin_change_paths",
    "discounted_matchings",
    "ring_permutations",
    "select_strides",
    "totient_strides",
]
