"""The transfers of all steps of a schedule, in rows of one table."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError
from topo_sim.collectives.schedule import Schedule
from topo_sim.collectives.step import Step

__all__ = ["StepTraffic", "step_traffic"]

Row = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], float, int]


@dataclass(frozen=True)
class StepTraffic:
    """Who sends how much to whom in every step.

    Parameters
    ----------
    ranks : int
    indptr : ndarray of int64, shape (S + 1,)
        Where the transfers of each step begin; those of a step are sorted by source, then target, and what
        goes between the same two ranks is one transfer.
    source, target : ndarray of int64, shape (T,)
    amount : ndarray of float64, shape (T,)
        The largest of a step counts as 1.
    scale : ndarray of float64, shape (S,)
        How large that is, per byte of size.
    messages : ndarray of int64, shape (S,)
        Most messages that a rank sends in the step.
    shift : ndarray of int64, shape (S,)
        Distance s if every rank r sends as much to ``(r + s) % ranks``, and to no other, else 0.
    """

    ranks: int
    indptr: NDArray[np.int64]
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    amount: NDArray[np.float64]
    scale: NDArray[np.float64]
    messages: NDArray[np.int64]
    shift: NDArray[np.int64]

    def ends(self, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Read the sources and targets of a step.

        Parameters
        ----------
        step : int

        Returns
        -------
        source, target : ndarray of int64
        """
        part = slice(self.indptr[step], self.indptr[step + 1])
        return self.source[part], self.target[part]

    def take(self, steps: NDArray[np.intp]) -> "StepTraffic":
        """Keep some steps.

        Parameters
        ----------
        steps : ndarray of int
            Rising.

        Returns
        -------
        StepTraffic
        """
        count = np.diff(self.indptr)
        kept = np.repeat(np.isin(np.arange(len(count)), steps), count)
        return StepTraffic(
            self.ranks,
            np.append(0, np.cumsum(count[steps])),
            self.source[kept],
            self.target[kept],
            self.amount[kept],
            self.scale[steps],
            self.messages[steps],
            self.shift[steps],
        )


def step_traffic(schedule: Schedule) -> StepTraffic:
    """Collect the transfers of a schedule, each stored step once.

    Parameters
    ----------
    schedule : Schedule

    Returns
    -------
    StepTraffic

    Raises
    ------
    CollectiveError
        If switches combine in it, or a step names a rank that there is not.

    Examples
    --------
    >>> from topo_sim.collectives import build_schedule
    >>> traffic = step_traffic(build_schedule("all_to_all", "bruck", 4, 0))
    >>> traffic.shift.tolist(), traffic.scale.tolist()
    ([1, 2], [0.5, 0.5])
    """
    if schedule.in_network:
        raise CollectiveError(
            f"{schedule.label} combines in switches, expected an algorithm in which ranks do: circuits carry "
            "light and combine nothing"
        )
    p = schedule.ranks
    source, target = (np.empty(schedule.transfer_count, dtype=np.int64) for _ in range(2))
    amount = np.empty(schedule.transfer_count)
    indptr, scale, shift = [0], [], []
    for step in schedule.steps:
        here, there, part, largest, far = _row(step, schedule)
        last = indptr[-1] + len(here)
        source[indptr[-1] : last], target[indptr[-1] : last], amount[indptr[-1] : last] = here, there, part
        indptr.append(last)
        scale.append(largest)
        shift.append(far)
    return StepTraffic(
        p,
        np.array(indptr, dtype=np.int64),
        source[: indptr[-1]],
        target[: indptr[-1]],
        amount[: indptr[-1]],
        np.array(scale, dtype=np.float64),
        np.array([np.bincount(step.source).max() for step in schedule.steps], dtype=np.int64),
        np.array(shift, dtype=np.int64),
    )


def _row(step: Step, schedule: Schedule) -> Row:
    """Source, target and amount of the transfers of a step, their scale and their shift."""
    p = schedule.ranks
    source, target = step.source.astype(np.int64), step.target.astype(np.int64)
    if min(source.min(), target.min()) < 0 or max(source.max(), target.max()) >= p:
        raise CollectiveError(f"{schedule!r}: a step names a rank below 0 or above {p - 1}")
    key, amount = source * p + target, step.fraction
    if not np.all(key[1:] > key[:-1]):
        key, place = np.unique(key, return_inverse=True)
        amount = np.bincount(place.ravel(), amount, len(key)).astype(np.float64)
        source, target = np.divmod(key, p)
    largest = float(amount.max())
    far = (target - source) % p
    amount = amount / largest if largest else amount
    alike = bool(len(key) == p and np.all(far == far[0]) and np.ptp(amount) < 1e-12)
    if alike and largest:
        amount = np.ones(p)
    return source, target, amount, largest, int(far[0]) if alike else 0
