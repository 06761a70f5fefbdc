"""Light: link media, energy, loss budgets, circuit switches, circuit scheduling, reconfigurable fabrics."""

from topo_sim.optics.budget import Budget, Term, average_to_oma, link_budget, most_passes
from topo_sim.optics.catalogue import CircuitSwitch, Medium, Optics, PacketSwitch, load_optics
from topo_sim.optics.path_energy import BitPath, circuit_path, packet_path
from topo_sim.optics.power import Energy, FabricPower, fabric_power

__all__ = [
    "BitPath",
    "Budget",
    "CircuitSwitch",
    "Energy",
    "FabricPower",
    "Medium",
    "Optics",
    "PacketSwitch",
    "Term",
    "average_to_oma",
    "circuit_path",
    "fabric_power",
    "link_budget",
    "load_optics",
    "most_passes",
    "packet_path",
]
