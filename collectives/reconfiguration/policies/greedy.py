"""Before each step, what is best for that step alone."""

import numpy as np

from topo_sim.collectives.reconfiguration.plan_kernels import greedy_choice
from topo_sim.collectives.reconfiguration.policies.registry import Choices, Decision, register, settle

__all__ = ["greedy"]


@register("greedy", "reconfigure if that pays within the step")
def greedy(choices: Choices) -> Decision:
    """Reconfigure before a step if the step ends earlier by it.

    Parameters
    ----------
    choices : Choices

    Returns
    -------
    Decision

    Examples
    --------
    It stays twice, since changing never pays within one step:

    >>> greedy(Choices(np.array([[3.0, 1.0], [3.0, 1.0]]), np.array([3.0, 3.0]), initial=0)).time
    6.0
    """
    choice = np.zeros(len(choices.cost), dtype=np.int64)
    greedy_choice(choices.cost, choices.switch, choices.initial, choice)
    return settle(choices, choice, "greedy")
