"""Pods: cubes of chips whose faces meet in circuit switches, and the slices cut from them (TPU v4)."""

from topo_sim.optics.pods.damage import SliceDamage, switch_damage
from topo_sim.optics.pods.fragments import blocks, goodput, most_blocks
from topo_sim.optics.pods.placement import Placed, Placement, Swap, place, swap_cube
from topo_sim.optics.pods.pod import Pod
from topo_sim.optics.pods.slices import Slice, read_slice, shapes
from topo_sim.optics.pods.wiring import cable_ends, check_configuration, configure, pod_graph, port_pairs

__all__ = [
    "Placed",
    "Placement",
    "Pod",
    "Slice",
    "SliceDamage",
    "Swap",
    "blocks",
    "cable_ends",
    "check_configuration",
    "configure",
    "goodput",
    "most_blocks",
    "place",
    "pod_graph",
    "port_pairs",
    "read_slice",
    "shapes",
    "swap_cube",
    "switch_damage",
]
