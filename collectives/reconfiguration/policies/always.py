"""Every step on its own configuration."""

import numpy as np

from topo_sim.collectives.reconfiguration.policies.registry import Choices, Decision, register, settle

__all__ = ["always"]


@register(
    "always",
    "give every transfer of every step its own circuit",
    "LUMORPH, arXiv 2501.18169",
)
def always(choices: Choices) -> Decision:
    """Set the matched configuration of every step.

    Parameters
    ----------
    choices : Choices

    Returns
    -------
    Decision
        A step without a matched configuration takes the candidate that carries it fastest. Nothing is
        changed, and nothing paid, where a step needs the configuration of the step before.

    Examples
    --------
    >>> cost = np.array([[1.0, 5.0], [5.0, 1.0]])
    >>> always(Choices(cost, np.array([2.0, 2.0]), initial=0, matched=np.array([0, 1]))).time
    4.0
    """
    if not choices.cost.size:
        return settle(choices, np.zeros(0, dtype=np.int64), "always")
    fastest = np.argmin(choices.cost, axis=1)
    matched = choices.matched if len(choices.matched) else fastest
    return settle(choices, np.where(matched >= 0, matched, fastest).astype(np.int64), "always")
