"""The least time over all choices, by dynamic programming."""

import numpy as np

from topo_sim.collectives.reconfiguration.plan_kernels import optimal_choice
from topo_sim.collectives.reconfiguration.policies.registry import Choices, Decision, register, settle

__all__ = ["optimal"]


@register(
    "optimal",
    "the least total over all choices, exactly",
    "Harvest, arXiv 2602.09188; PCCL, arXiv 2509.15450",
)
def optimal(choices: Choices) -> Decision:
    """Choose a candidate for every step so that the total is the least.

    Parameters
    ----------
    choices : Choices

    Returns
    -------
    Decision

    Notes
    -----
    Dynamic programming over the steps; its state is the candidate that is set. The best way to have
    candidate c set at step i either held it at step i - 1, or changed to it from the candidate that was best
    there, whichever that was: O(S C) time, one bit (stored as a byte) per step and candidate.

    Of ways that take equally long it is one with the fewest changes.

    Examples
    --------
    Changing once, at the start, pays over two steps:

    >>> optimal(Choices(np.array([[3.0, 1.0], [3.0, 1.0]]), np.array([3.0, 3.0]), initial=0)).time
    5.0
    """
    choice = np.zeros(len(choices.cost), dtype=np.int64)
    if len(choice):
        optimal_choice(choices.cost, choices.switch, choices.initial, choice)
    return settle(choices, choice, "optimal")
