"""Schedules of circuits for a demand: one scheduler per file, and the bound that none beats."""

from topo_sim.optics.scheduling import (  # noqa: F401  (register themselves)
    bvn,
    eclipse,
    max_weight,
    opera,
    rotor,
    rotor_vlb,
    solstice,
    tms,
)
from topo_sim.optics.scheduling.bounds import direct_bound, relayed_bound
from topo_sim.optics.scheduling.problem import STOPS, Problem
from topo_sim.optics.scheduling.registry import SCHEDULERS, Scheduler
from topo_sim.optics.scheduling.schedule import Certificate, Scheduled, schedule_demand

__all__ = [
    "SCHEDULERS",
    "STOPS",
    "Certificate",
    "Problem",
    "Scheduled",
    "Scheduler",
    "direct_bound",
    "relayed_bound",
    "schedule_demand",
]
