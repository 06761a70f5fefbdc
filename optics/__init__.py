"""Light: link media, energy, loss budgets, circuit switches, circuit scheduling, reconfigurable fabrics."""

from topo_sim.optics.budget import Budget, Term, average_to_oma, link_budget, most_passes
from topo_sim.optics.catalogue import CircuitSwitch, Medium, Optics, PacketSwitch, load_optics
from topo_sim.optics.circuit_flows import CircuitFlows, direct_flows, valiant_flows
from topo_sim.optics.circuit_run import CircuitRun, run_circuits
from topo_sim.optics.circuit_schedule import CircuitSchedule
from topo_sim.optics.fabrics import fabric_at, schedule_of
from topo_sim.optics.layers import OcsLayer
from topo_sim.optics.path_energy import BitPath, circuit_path, packet_path
from topo_sim.optics.power import Energy, FabricPower, fabric_power

__all__ = [
    "BitPath",
    "Budget",
    "CircuitFlows",
    "CircuitRun",
    "CircuitSchedule",
    "CircuitSwitch",
    "Energy",
    "FabricPower",
    "Medium",
    "OcsLayer",
    "Optics",
    "PacketSwitch",
    "Term",
    "average_to_oma",
    "circuit_path",
    "direct_flows",
    "fabric_at",
    "fabric_power",
    "link_budget",
    "load_optics",
    "most_passes",
    "packet_path",
    "run_circuits",
    "schedule_of",
    "valiant_flows",
]
