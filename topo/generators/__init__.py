"""Fabrics by family: one generator per family, all in one registry."""

from topo_sim.topo.generators.circuit_banks import circuit_banks
from topo_sim.topo.generators.circuit_switched import circuit_switched
from topo_sim.topo.generators.clos import fat_tree, leaf_spine, single_switch
from topo_sim.topo.generators.common import GENERATORS
from topo_sim.topo.generators.cube_torus import cube_torus
from topo_sim.topo.generators.full_mesh import full_mesh
from topo_sim.topo.generators.grid import mesh, torus
from topo_sim.topo.generators.grouped import grouped
from topo_sim.topo.generators.product import product
from topo_sim.topo.generators.rotor import rotor
from topo_sim.topo.generators.twisted import twisted_torus
from topo_sim.topo.generators.xpander import xpander

__all__ = [
    "GENERATORS",
    "circuit_banks",
    "circuit_switched",
    "cube_torus",
    "fat_tree",
    "full_mesh",
    "grouped",
    "leaf_spine",
    "mesh",
    "product",
    "rotor",
    "single_switch",
    "torus",
    "twisted_torus",
    "xpander",
]
