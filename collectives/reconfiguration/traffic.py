"""The transfers of all steps of a schedule, in rows of one table."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError
from topo_sim.collectives.schedule import Schedule

__all__ = ["StepTraffic", "step_traffic"]


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
        """Sources and targets of a step.

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
    rows, scale, messages, shift = [], [], [], []
    for step in schedule.steps:
        source, target = step.source.astype(np.int64), step.target.astype(np.int64)
        if min(source.min(), target.min()) < 0 or max(source.max(), target.max()) >= p:
            raise CollectiveError(f"{schedule!r}: a step names a rank below 0 or above {p - 1}")
        key, amount = source * p + target, step.fraction
        if not np.all(key[1:] > key[:-1]):
            key, place = np.unique(key, return_inverse=True)
            amount = np.bincount(place.ravel(), amount, len(key))
        largest = float(amount.max())
        source, target = np.divmod(key, p)
        far = (target - source) % p
        amount = amount / largest if largest else amount
        alike = len(key) == p and np.all(far == far[0]) and np.ptp(amount) < 1e-12
        amount = np.ones(p) if alike and largest else amount
        rows.append((source, target, amount))
        scale.append(largest)
        messages.append(int(np.bincount(step.source).max()))
        shift.append(int(far[0]) if alike else 0)
    columns = zip(*rows, strict=True) if rows else (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    source, target, amount = (np.concatenate(c) if rows else c for c in columns)
    return StepTraffic(
        p,
        np.append(0, np.cumsum([len(row[0]) for row in rows])).astype(np.int64),
        source,
        target,
        amount,
        np.array(scale),
        np.array(messages, dtype=np.int64),
        np.array(shift, dtype=np.int64),
    )
