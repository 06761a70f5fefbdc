"""Collectives on fabrics whose circuits change: when to reconfigure between steps, and what it costs."""

from topo_sim.collectives.reconfiguration.circuits import Circuits, circuit_bound
from topo_sim.collectives.reconfiguration.configurations import (
    Configuration,
    bidirectional_ring,
    configuration,
    ring,
)
from topo_sim.collectives.reconfiguration.lines import PlanLine, plan_lines
from topo_sim.collectives.reconfiguration.plan import ReconfigurationPlan
from topo_sim.collectives.reconfiguration.planning import circuit_profiles, plan_collective
from topo_sim.collectives.reconfiguration.policies import POLICIES, Choices, Decision
from topo_sim.collectives.reconfiguration.profile import BASES, CircuitProfile, circuit_profile
from topo_sim.collectives.reconfiguration.schedules import SUITED, bruck, rotation, schedules_on_circuits
from topo_sim.collectives.reconfiguration.slots import PlaneSlots, plan_slots, planes_of

__all__ = [
    "BASES",
    "POLICIES",
    "SUITED",
    "Choices",
    "CircuitProfile",
    "Circuits",
    "Configuration",
    "Decision",
    "PlanLine",
    "PlaneSlots",
    "ReconfigurationPlan",
    "bidirectional_ring",
    "bruck",
    "circuit_bound",
    "circuit_profile",
    "circuit_profiles",
    "configuration",
    "plan_collective",
    "plan_lines",
    "plan_slots",
    "planes_of",
    "ring",
    "rotation",
    "schedules_on_circuits",
]
