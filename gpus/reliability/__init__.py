"""Failures of GPUs and what they cost: rates of parts, spares, checkpoints, a cluster's life."""

from topo_sim.gpus.reliability.checkpoints import (
    best_interval,
    checkpoint_efficiency,
    daly_interval,
    young_interval,
)
from topo_sim.gpus.reliability.checks import YEAR
from topo_sim.gpus.reliability.cluster import Cluster, Job, SharedPart
from topo_sim.gpus.reliability.life import Estimate, Life, simulate_life
from topo_sim.gpus.reliability.policies import POLICIES, Policy
from topo_sim.gpus.reliability.rates import (
    ENDS,
    FailureRates,
    Incidents,
    Part,
    gpu_rate,
    load_failure_rates,
    scaled_rate,
)
from topo_sim.gpus.reliability.replay import Replay, replay
from topo_sim.gpus.reliability.spares import (
    availability,
    expected_groups_lost,
    fleet_availability,
    series_availability,
    shortage,
    spares_needed,
    unavailability,
)
from topo_sim.gpus.reliability.timeline import outages

__all__ = [
    "ENDS",
    "POLICIES",
    "YEAR",
    "Cluster",
    "Estimate",
    "FailureRates",
    "Incidents",
    "Job",
    "Life",
    "Part",
    "Policy",
    "Replay",
    "SharedPart",
    "availability",
    "best_interval",
    "checkpoint_efficiency",
    "daly_interval",
    "expected_groups_lost",
    "fleet_availability",
    "gpu_rate",
    "load_failure_rates",
    "outages",
    "replay",
    "scaled_rate",
    "series_availability",
    "shortage",
    "simulate_life",
    "spares_needed",
    "unavailability",
    "young_interval",
]
