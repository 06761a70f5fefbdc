"""The best plans at one size, as functions of the reconfiguration time."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from topo_sim.collectives.reconfiguration.plan import checked_size
from topo_sim.collectives.reconfiguration.policies import Choices, optimal
from topo_sim.collectives.reconfiguration.profile import CircuitProfile

__all__ = ["PlanLine", "plan_lines"]

SAME = 1e-12


@dataclass(frozen=True)
class PlanLine:
    """A plan whose time is ``work + waits * delta``, delta the reconfiguration time.

    Parameters
    ----------
    work : float, s
        Time without waiting for circuits.
    waits : float
        Reconfigurations that are waited for (a hidden part of one counts for nothing).
    reconfigurations : int
        How many there are.
    label : str
        Whose plan it is.

    Examples
    --------
    >>> PlanLine(2.0, 3.0, 3).time(0.5)
    3.5
    """

    work: float
    waits: float
    reconfigurations: int
    label: str = ""

    def time(self, delta: float) -> float:
        """Time at a reconfiguration time.

        Parameters
        ----------
        delta : float, s

        Returns
        -------
        float, s
        """
        return self.work + self.waits * delta


def plan_lines(
    profiles: Sequence[CircuitProfile], size: float, others: Sequence[PlanLine] = ()
) -> list[PlanLine]:
    """Find the least time over all plans as a function of the reconfiguration time, exactly.

    Parameters
    ----------
    profiles : sequence of CircuitProfile
        Of the algorithms to choose from; lines are labelled with these.
    size : float, B
    others : sequence of PlanLine
        That stand to choice beside them, such as the time of a fabric without circuits.

    Returns
    -------
    list of PlanLine
        From the one that is best at a reconfiguration time of 0 to the one that is best from some time on
        for ever: their minimum is the least time of the policy "optimal".

    Notes
    -----
    For every plan the time is linear in the reconfiguration time, so the least is concave and piecewise
    linear. Where two of its lines meet, the optimum is asked for: either it is no less, and they are
    neighbours, or it is a third line between them. So twice as many optima are solved as there are lines.

    References
    ----------
    Eisner and Severance, "Mathematical techniques for efficient record segmentation in large shared
    databases", JACM 23(4), 1976.

    Examples
    --------
    All-reduce over 4 ranks by halving and doubling, on a ring that is set or by 3 changes:

    >>> from topo_sim.collectives import build_schedule
    >>> from topo_sim.collectives.reconfiguration import Circuits, circuit_profile
    >>> schedule = build_schedule("all_reduce", "halving_doubling", 4, 0)
    >>> profile = circuit_profile(schedule, Circuits(rate=1e9, alpha=1e-6))
    >>> [(round(line.work * 1e6), line.reconfigurations) for line in plan_lines([profile], 1e6)]
    [(1504, 3), (3004, 0)]
    """
    n = checked_size(size)
    asked = [(profile.schedule.label, profile.choices(n, 1.0)) for profile in profiles]

    def best(delta: float) -> PlanLine:
        found = [_at(label, choices, delta) for label, choices in asked]
        return min([*found, *others], key=lambda line: (line.time(delta), line.waits))

    far = max((_beyond(choices) for _, choices in asked), default=1.0)
    return _between(best(0.0), best(far), best)


def _at(label: str, choices: Choices, delta: float) -> PlanLine:
    """Line of the best plan of one profile; its choices wait for the parts of a change of one second."""
    weights = choices.switch
    found = optimal(Choices(choices.cost, weights * delta, choices.initial))
    work = math.fsum(choices.cost[np.arange(len(found.choice)), found.choice].tolist())
    return PlanLine(work, float(weights[found.switched].sum()), int(found.switched.sum()), label)


def _beyond(choices: Choices) -> float:
    """Reconfiguration time from which on one change more costs more than any plan without."""
    finite = np.where(np.isfinite(choices.cost), choices.cost, 0.0)
    most = 2 * float(finite.max(axis=1, initial=0.0).sum())
    return most / float(choices.switch[choices.switch > 0].min(initial=1.0)) or 1.0


def _between(low: PlanLine, high: PlanLine, best: Callable[[float], PlanLine]) -> list[PlanLine]:
    """Lines of the envelope from one to another, by halving where they meet."""
    found, open_ends = [low], [high]
    while open_ends:
        left, right = found[-1], open_ends[-1]
        if right.waits >= left.waits or right.work <= left.work * (1 + SAME):
            if right.work <= left.work * (1 + SAME):  # never worse, so the left one is never needed
                found[-1] = right
            open_ends.pop()
            continue
        meet = (right.work - left.work) / (left.waits - right.waits)
        middle = best(meet)
        if middle.time(meet) < left.time(meet) * (1 - SAME):
            open_ends.append(middle)
        else:
            found.append(open_ends.pop())
    return found
