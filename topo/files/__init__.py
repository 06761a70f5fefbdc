"""Topology files: what users write to describe a fabric, checked, loaded and saved."""

from topo_sim.topo.files.astra import AstraNetwork, astra_network, load_astra, save_astra
from topo_sim.topo.files.load import Topology, load_fabric, load_topology, validate_file
from topo_sim.topo.files.reference import list_shipped
from topo_sim.topo.files.save import save_fabric, save_topology

__all__ = [
    "AstraNetwork",
    "Topology",
    "astra_network",
    "list_shipped",
    "load_astra",
    "load_fabric",
    "load_topology",
    "save_astra",
    "save_fabric",
    "save_topology",
    "validate_file",
]
