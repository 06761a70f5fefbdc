"""Cost models of collectives: how long a schedule takes on a fabric, by different rules. One per file."""

from topo_sim.collectives.models import (  # noqa: F401  (register themselves)
    alpha_beta,
    astra,
    calibrated,
    fluid,
    loggp,
    nccl,
    step,
)
from topo_sim.collectives.models.registry import COST_MODELS, CostModel

__all__ = ["COST_MODELS", "CostModel"]
