"""One maximum-weight matching per epoch."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from topo_sim.optics.scheduling.plan import Plan, gather
from topo_sim.optics.scheduling.problem import Problem
from topo_sim.optics.scheduling.registry import bytes_per_slot, scheduler

__all__ = ["max_weight"]


@scheduler(
    "max_weight",
    about="the matching of the most remaining bytes, again in every epoch until all is drained",
    source="Farrington et al. (Helios) and Wang et al. (c-Through), SIGCOMM 2010",
    epoch=None,
)
def max_weight(problem: Problem, epoch: float | None = None) -> Plan:
    """Hold the matching with the most remaining bytes for an epoch, and choose again.

    Parameters
    ----------
    problem : Problem
    epoch : float, s, optional
        How long circuits stand. Default: nine times `delta`, so that nine tenths of the time have light, but
        no less than 1/(2N) of what the busiest line needs.

    Returns
    -------
    Plan

    Notes
    -----
    Under skew small entries wait for the large ones: most epochs serve few of them, and many come last. An
    epoch ends early where all its circuits are done; one that repeats the matching before costs no change.

    Examples
    --------
    >>> max_weight(Problem([[0, 3, 1], [1, 0, 3], [3, 1, 0]], rate=1.0), epoch=9.0).targets.tolist()
    [[1, 2, 0], [2, 0, 1]]
    """
    default = max(9 * problem.delta * problem.rate, problem.busiest / (2 * problem.ranks))
    most = bytes_per_slot(problem, epoch, default, "max_weight: epoch")
    left, parts = problem.units.copy(), []
    amount = problem.to_units(most) if problem.busiest else 1
    rows = np.arange(problem.ranks)
    while left.any():
        _, target = linear_sum_assignment(left, maximize=True)
        sent = np.minimum(left[rows, target], amount)
        left[rows, target] -= sent
        parts.append((target, int(sent.max())))
    return gather(parts, problem.ranks)
