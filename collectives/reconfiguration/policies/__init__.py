"""When to reconfigure: one policy per file; importing this package registers them all."""

from topo_sim.collectives.reconfiguration.policies.always import always
from topo_sim.collectives.reconfiguration.policies.greedy import greedy
from topo_sim.collectives.reconfiguration.policies.never import never
from topo_sim.collectives.reconfiguration.policies.optimal import optimal
from topo_sim.collectives.reconfiguration.policies.overlap import overlap
from topo_sim.collectives.reconfiguration.policies.registry import POLICIES, Choices, Decision, Policy, settle

__all__ = [
    "POLICIES",
    "Choices",
    "Decision",
    "Policy",
    "always",
    "greedy",
    "never",
    "optimal",
    "overlap",
    "settle",
]
