"""Light: link media, energy, loss budgets, circuit switches, circuit scheduling, reconfigurable fabrics."""

from topo_sim.optics.budget import Budget, Term, average_to_oma, link_budget, most_passes
from topo_sim.optics.catalogue import CircuitSwitch, Medium, Optics, PacketSwitch, load_optics

__all__ = [
    "Budget",
    "CircuitSwitch",
    "Medium",
    "Optics",
    "PacketSwitch",
    "Term",
    "average_to_oma",
    "link_budget",
    "load_optics",
    "most_passes",
]
