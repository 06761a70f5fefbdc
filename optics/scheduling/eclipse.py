"""Eclipse: the most bytes per second of circuit time, greedily."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from topo_sim.base import UsageError
from topo_sim.optics.scheduling.plan import Plan, gather
from topo_sim.optics.scheduling.problem import Problem
from topo_sim.optics.scheduling.registry import scheduler

__all__ = ["Choices", "eclipse"]

_FINEST = 32


class Choices:
    """The best pair of a length t and a matching M, again and again while the demand shrinks.

    Parameters
    ----------
    left : ndarray of int64, shape (n, n)
        Remaining demand; the caller takes from it.
    pause : float
        Time of a change, in the time that a circuit takes for one unit.
    gap : float
        How far below the best ratio a choice may be, as a share of it.

    Notes
    -----
    A choice is worth sum over M of min(t, left), divided by t + pause. For a given M the best t is one of
    its entries. For a given t the best M is a maximum-weight matching, worth f(t), where f(t) rises and
    f(t) / t falls with t: so lengths a factor of 1 + gap / 2 apart miss no more than half of the gap.
    Demands only shrink, so an old f(t) bounds the new one from above, and only lengths whose old bound is
    above the best choice by the other half are looked at again (lazy greedy).
    """

    def __init__(self, left: NDArray[np.int64], pause: float, gap: float) -> None:
        self.left, self.pause, self.gap = left, pause, gap / 2
        high = float(left.max())
        low = min(max(pause * self.gap, 1.0), high)  # shorter ones are nearly all change: this one is as good
        count = int(np.ceil(np.log(high / low) / np.log1p(self.gap))) + 1
        self.lengths = np.ceil(np.geomspace(high, low, count))
        self.worth = np.array([self._upper(t) for t in self.lengths])

    def _upper(self, t: float) -> float:
        cut = np.minimum(self.left, t)
        return float(min(cut.max(axis=0).sum(), cut.max(axis=1).sum()))

    def best(self) -> tuple[NDArray[np.int64], int]:
        """Choose a matching and its length in units."""
        top, found, length = -1.0, np.zeros(0, np.int64), 1
        rows = np.arange(len(self.left))
        fresh = np.zeros(len(self.lengths), dtype=bool)
        while True:
            ratio = np.where(fresh, -1.0, self.worth / (self.lengths + self.pause))
            k = int(np.argmax(ratio))
            if ratio[k] <= top * (1 + self.gap):
                return found, length
            self.worth[k] = min(self.worth[k], self._upper(self.lengths[k]))  # far cheaper than a matching
            if self.worth[k] / (self.lengths[k] + self.pause) <= top * (1 + self.gap):
                continue
            cut = np.minimum(self.left, self.lengths[k])
            _, target = linear_sum_assignment(cut, maximize=True)
            worth, t = float(cut[rows, target].sum()), self.lengths[k]
            np.minimum(self.worth, worth * np.maximum(self.lengths / t, 1.0), out=self.worth)
            fresh[k] = True
            entries = np.sort(self.left[rows, target])[::-1].astype(np.float64)
            entries = entries[entries > 0]
            most = len(entries)
            smaller = np.cumsum(entries[::-1])[::-1]  # an entry and all that are no larger
            carried = np.arange(most) * entries + smaller
            value = carried / (entries + self.pause)
            at = int(np.argmax(value))
            if value[at] > top:
                top, found, length = float(value[at]), target, int(entries[at])


@scheduler(
    "eclipse",
    about="greedily the matching and length that carry the most bytes per second, change included",
    source="Venkatakrishnan et al., Costly circuits, submodular schedules, SIGMETRICS 2016",
    gap=0.2,
    horizon=None,
)
def eclipse(problem: Problem, gap: float = 0.2, horizon: float | None = None) -> Plan:
    """Take the pair of a length and a matching with the best ratio of bytes to time until all is served.

    Parameters
    ----------
    problem : Problem
    gap : float
        Each choice is within this share of the best one.
    horizon : float, s, optional
        With a packet fabric: no circuits after this time, the rest goes over packets. Without: the
        configuration that would cross it is cut there, and the rest is served after it.

    Returns
    -------
    Plan

    Notes
    -----
    What is carried within a horizon is a submodular function of the choices, so greedy choices carry a fixed
    share of the most that is possible; the published share is 1 - e^-(1 - gap). Where a change takes next to
    nothing, choices are made as if it took 1/(32 N) of what the busiest line needs: else they would get
    arbitrarily short.

    Examples
    --------
    >>> plan = eclipse(Problem([[0, 9, 0], [1, 0, 8], [9, 1, 0]], rate=1.0, delta=1.0))
    >>> plan.targets[0].tolist()
    [1, 2, 0]
    """
    if gap >= 1:
        raise UsageError(f"eclipse: gap: found {gap:g}, expected less than 1")
    left, parts = problem.units.copy(), []
    if not left.any():
        return gather([], problem.ranks)
    pause = problem.pause
    choices = Choices(left, max(pause, problem.units_busiest / (_FINEST * problem.ranks)), gap)
    rows, now = np.arange(problem.ranks), -pause if problem.first_free else 0.0
    end = math.inf if horizon is None else problem.scale(horizon * problem.rate) * problem.planes
    while left.any():
        target, length = choices.best()
        room = end - now - pause
        if room < length:
            if problem.packet_rate > 0 and room < 1:
                break
            length = int(room) if room >= 1 else length
            end = end if problem.packet_rate > 0 else math.inf
        sent = np.minimum(left[rows, target], length)
        left[rows, target] -= sent
        now += pause + length
        parts.append((target, length))
    return gather(parts, problem.ranks)
