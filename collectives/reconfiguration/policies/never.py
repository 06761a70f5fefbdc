"""One configuration for all steps."""

import numpy as np

from topo_sim.collectives.reconfiguration.policies.registry import Choices, Decision, register, settle

__all__ = ["never"]


@register("never", "hold what is set when the steps begin; if nothing is, the best one for all steps")
def never(choices: Choices) -> Decision:
    """Hold one configuration.

    Parameters
    ----------
    choices : Choices

    Returns
    -------
    Decision
        That of the initial candidate, or of the one with the least total if there is none.

    Raises
    ------
    CollectiveError
        If it cannot carry every step.

    Examples
    --------
    >>> never(Choices(np.array([[1.0, 5.0], [5.0, 1.0]]), np.array([2.0, 2.0]), initial=0)).time
    6.0
    """
    if not choices.cost.size:
        return settle(choices, np.zeros(0, dtype=np.int64), "never")
    one = choices.initial if choices.initial >= 0 else int(np.argmin(choices.cost.sum(axis=0)))
    return settle(choices, np.full(len(choices.cost), one, dtype=np.int64), "never")
