"""The transfers of all steps of a schedule, in rows of one table."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError
from topo_sim.collectives.schedule import Schedule
from topo_sim.collectives.step import Step

__all__ = ["Rows", "StepTraffic", "step_traffic"]


class Rows(NamedTuple):
    """Transfers of some steps, one after the other; as in `StepTraffic`.

    Parameters
    ----------
    indptr, source, target : ndarray of int64
    amount : ndarray of float64
    """

    indptr: NDArray[np.int64]
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    amount: NDArray[np.float64]


Row = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], float, int]


@dataclass(frozen=True)
class StepTraffic:
    """Who sends how much to whom in every step.

    Parameters
    ----------
    ranks : int
    indptr : ndarray of int64, shape (S + 1,)
        Where the transfers of each step begin; those of a step are sorted by source, then target, and what
        goes between the same two ranks is one transfer. Steps with a `shift` say all by it, and keep none.
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
        far = int(self.shift[step])
        if far:
            rank = self._ranks
            return rank, np.concatenate([rank[far:], rank[:far]])
        part = slice(self.indptr[step], self.indptr[step + 1])
        return self.source[part], self.target[part]

    @cached_property
    def _ranks(self) -> NDArray[np.int64]:
        return np.arange(self.ranks)

    def rows(self, steps: NDArray[np.intp]) -> Rows:
        """Write out the transfers of some steps.

        Parameters
        ----------
        steps : ndarray of int

        Returns
        -------
        Rows

        Examples
        --------
        >>> from topo_sim.collectives import build_schedule
        >>> traffic = step_traffic(build_schedule("all_to_all", "bruck", 4, 0))
        >>> traffic.rows(np.array([1])).target.tolist()
        [2, 3, 0, 1]
        """
        if not len(steps):
            none = np.zeros(0, dtype=np.int64)
            return Rows(np.zeros(1, dtype=np.int64), none, none, np.zeros(0))
        ends = [self.ends(int(i)) for i in steps]
        amounts = [
            np.ones(self.ranks) if self.shift[i] else self.amount[self.indptr[i] : self.indptr[i + 1]]
            for i in steps
        ]
        return Rows(
            np.append(0, np.cumsum([len(one) for one in amounts])),
            np.concatenate([source for source, _ in ends]),
            np.concatenate([target for _, target in ends]),
            np.concatenate(amounts),
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
    rows = [_row(step, schedule) for step in schedule.steps]
    kept = [row for row in rows if not row[4]]

    def joined(i: int, kind: type) -> NDArray[Any]:
        return np.concatenate([row[i] for row in kept]) if kept else np.zeros(0, dtype=kind)

    return StepTraffic(
        p,
        np.append(0, np.cumsum([0 if row[4] else len(row[0]) for row in rows])).astype(np.int64),
        joined(0, np.int64),
        joined(1, np.int64),
        joined(2, np.float64),
        np.array([row[3] for row in rows], dtype=np.float64),
        np.array([np.bincount(step.source).max() for step in schedule.steps], dtype=np.int64),
        np.array([row[4] for row in rows], dtype=np.int64),
    )


def _row(step: Step, schedule: Schedule) -> Row:
    """Source, target and amount of the transfers of a step, their scale and their shift."""
    p = schedule.ranks
    if min(step.source.min(), step.target.min()) < 0 or max(step.source.max(), step.target.max()) >= p:
        raise CollectiveError(f"{schedule!r}: a step names a rank below 0 or above {p - 1}")
    if ahead := _shift(step, p):
        none = np.zeros(0, dtype=np.int64)
        return none, none, np.zeros(0), float(np.max(step.fraction)), ahead
    source, target = step.source.astype(np.int64), step.target.astype(np.int64)
    key, amount = source * p + target, step.fraction
    if not np.all(key[1:] > key[:-1]):
        key, place = np.unique(key, return_inverse=True)
        amount = np.bincount(place.ravel(), amount, len(key)).astype(np.float64)
        source, target = np.divmod(key, p)
    largest = float(amount.max())
    amount = amount / largest if largest else amount
    far = (target - source) % p
    alike = bool(len(key) == p and np.all(far == far[0]) and np.ptp(amount) < 1e-12)
    return source, target, amount, largest, int(far[0]) if alike else 0


def _shift(step: Step, ranks: int) -> int:
    """Distance of a plain step in which rank after rank sends as much to the one so far ahead, else 0."""
    source, target = step.source, step.target
    if len(source) != ranks or source[0] != 0 or np.any(source[1:] <= source[:-1]):
        return 0
    far = int(target[0])
    same = np.array_equal(target[: ranks - far], source[far:])
    ahead = same and np.array_equal(target[ranks - far :], source[:far])
    fraction = step.fraction
    return far if ahead and float(np.ptp(fraction)) <= 1e-12 * float(np.max(fraction)) else 0
