"""Planes in groups that take steps in turn: some switch while others carry."""

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError
from topo_sim.collectives.reconfiguration.plan_kernels import best_groups
from topo_sim.collectives.reconfiguration.policies.registry import Choices, Decision, register

__all__ = ["overlap"]


@register(
    "overlap",
    "groups of planes take the steps in turn, and switch while the others carry",
    "SWOT, arXiv 2510.19322 (the idea; the model here is simpler)",
)
def overlap(choices: Choices) -> Decision:
    """Divide the planes into groups that take the steps in turn.

    Parameters
    ----------
    choices : Choices

    Returns
    -------
    Decision

    Raises
    ------
    CollectiveError
        If a step has no matched configuration.

    Notes
    -----
    Every step runs on its matched configuration. Steps in a row with the same one are a *phase*, which the
    same planes carry. The phases are cut into segments. In a segment, the d planes form g groups of
    ``d // g`` or one more, and phase i is carried by group ``i mod g``: it begins when the phase before has
    ended and its group has changed, which it started to do when its own last phase had ended (in a segment's
    first turn: when the segment began). Between segments all planes have ended. The least time over all cuts
    and all g, a g for each segment, is found exactly: O(P^2 d) for P phases.

    With segments of one phase and g = 1 this is the policy ``always``, so it is never worse. No way to use
    the planes can take less than all the phases with all the planes, and the first change: it is within
    ``(P - 1)`` changes of any, and within one where changes are hidden.

    A step in which a rank has more than one circuit is carried by all the planes.

    Examples
    --------
    Two planes, three phases of 4 s by both planes or 8 s by one. With changes of 6 s, 3 (6 + 4) = 30 s by
    both; in turn only the first change is waited for: 6 + 3 * 8 = 30 s. With changes of 8 s: 36 and 32 s.

    >>> def three(change):
    ...     work, own = np.full(3, 4.0), np.arange(3)
    ...     cost = np.where(np.eye(3) > 0, 4.0, np.inf)
    ...     return Choices(cost, np.full(3, change), -1, own, np.ones(3, int), 2, np.zeros(3), work)
    >>> overlap(three(6.0)).time, overlap(three(8.0)).time
    (30.0, 32.0)
    """
    if np.any(choices.matched < 0):
        i = int(np.flatnonzero(choices.matched < 0)[0])
        raise CollectiveError(
            f'policy "overlap": in step {i} a rank has more partners than its {choices.planes} ports, '
            'expected a circuit for each; use the policy "optimal"'
        )
    steps = len(choices.matched)
    phase = np.cumsum(np.diff(choices.matched, prepend=-2) != 0) - 1
    begins = np.flatnonzero(np.diff(phase, prepend=-1))
    count = len(begins)

    def per_phase(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(phase, values, count).astype(np.float64)

    most = np.where(choices.degree[begins] == 1, choices.planes, 1).astype(np.int64)
    groups, start = np.ones(count, dtype=np.int64), np.arange(count)
    ready = bool(steps) and choices.initial == choices.matched[0]
    time = 0.0
    if steps:
        time = best_groups(
            per_phase(choices.fixed),
            per_phase(choices.work),
            choices.switch[begins],
            ready,
            most,
            choices.planes,
            groups,
            start,
        )
    switched = np.zeros(steps, dtype=np.bool_)
    switched[begins] = True
    if ready:
        switched[0] = False
    return Decision(choices.matched, switched, float(time), groups[phase], begins[start[phase]])
