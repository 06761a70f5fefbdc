"""What a user runs: each study loads fabrics, calls the rooms below and returns results."""

from topo_sim.studies.collective import CollectiveTable, cost_table
from topo_sim.studies.compare import DEFAULT_FABRICS, Comparison, compare
from topo_sim.studies.sharing import PATTERNS, Sharing, share_bandwidth

__all__ = [
    "DEFAULT_FABRICS",
    "PATTERNS",
    "CollectiveTable",
    "Comparison",
    "Sharing",
    "compare",
    "cost_table",
    "share_bandwidth",
]
