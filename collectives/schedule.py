"""Schedules: who sends what to whom, and when. `build_schedule` is the front door."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import CollectiveError, format_quantity
from topo_sim.collectives.algorithms.registry import ALGORITHMS, Plan, option_text
from topo_sim.collectives.collective import COLLECTIVES, Collective
from topo_sim.collectives.step import Step

__all__ = ["Schedule", "Step", "all_to_all_v", "build_schedule"]

_MOST_RANKS = 2**26


@dataclass(frozen=True, eq=False, repr=False)
class Schedule:
    """An algorithm for a collective, worked out for given ranks and a given size.

    Parameters
    ----------
    collective : Collective
        What it does.
    algorithm : str
        How: a name in ``ALGORITHMS[collective.name]``, or any other for a schedule made by hand.
    ranks : int
        Number of ranks, p.
    size : float, B
        Size as nccl-tests counts it.
    chunks : int
        Number of chunks that the data is cut into.
    steps : tuple of Step
        One after the other; runs of alike steps are kept once, with a repeat count.
    options : mapping
        Options of the algorithm, defaults included.
    weights : ndarray of float64, shape (chunks,), optional
        Bytes of each chunk, per byte of size. Default: all equal.
    reducers : int
        Switches that combine or copy, numbered from `ranks` on: transfers may lead to and from them. Which
        switches of a fabric they are is said by `topo_sim.collectives.reducers`.

    Raises
    ------
    CollectiveError
        If the collective cannot be cut into that many chunks.

    Examples
    --------
    >>> schedule = build_schedule("all_reduce", "ring", ranks=4, size=4096)
    >>> schedule
    <Schedule: all_reduce/ring, 4 ranks, 4 KiB, 6 steps, 24 messages>
    >>> schedule.bytes_sent  # 4 ranks, each 2 * 3/4 of the size
    24576.0
    """

    collective: Collective
    algorithm: str
    ranks: int
    size: float
    chunks: int
    steps: tuple[Step, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    weights: NDArray[np.float64] | None = None
    reducers: int = 0

    def __post_init__(self) -> None:
        if self.weights is not None and self.weights.shape != (self.chunks,):
            raise CollectiveError(
                f"weights: found shape {self.weights.shape}, expected one number for each of the "
                f"{self.chunks} chunks"
            )
        unit = self.collective.granularity(self.ranks)
        if self.chunks < 1 or self.chunks % unit:
            raise CollectiveError(
                f"{self.collective.title} over {self.ranks} ranks needs a multiple of {unit} chunks, "
                f"not {self.chunks}"
            )

    @property
    def in_network(self) -> bool:
        """Whether switches combine or copy."""
        return self.reducers > 0

    @property
    def label(self) -> str:
        """Name of the algorithm, with its options in brackets."""
        options = ",".join(self._given)
        return self.algorithm + (f"({options})" if options else "")

    @property
    def _given(self) -> list[str]:
        """Options that have a value, as text."""
        return [f"{name}={option_text(value)}" for name, value in self.options.items() if value is not None]

    @property
    def step_count(self) -> int:
        """Number of steps, repetitions included."""
        return sum(step.repeat for step in self.steps)

    @property
    def transfer_count(self) -> int:
        """Number of transfers that are stored, each once however often its step repeats."""
        return sum(len(step) for step in self.steps)

    @property
    def message_count(self) -> int:
        """Number of transfers that happen, repetitions included."""
        return sum(len(step) * step.repeat for step in self.steps)

    @property
    def bytes_sent(self) -> float:
        """Bytes that all ranks send together, repetitions included."""
        return self.size * math.fsum(float(step.fraction.sum()) * step.repeat for step in self.steps)

    def __repr__(self) -> str:
        counts = (
            f"{n} {noun}{'' if n == 1 else 's'}"
            for n, noun in ((self.step_count, "step"), (self.message_count, "message"))
        )
        options = "".join(f", {option}" for option in self._given)
        return (
            f"<Schedule: {self.collective.name}/{self.algorithm}{options}, "
            f"{self.ranks} rank{'' if self.ranks == 1 else 's'}, {format_quantity(self.size, 'size')}, "
            f"{', '.join(counts)}>"
        )


def build_schedule(collective: str, algorithm: str, ranks: int, size: float, **options: Any) -> Schedule:
    """Work out an algorithm for given ranks and a given size.

    Parameters
    ----------
    collective : str
        A name in `COLLECTIVES`.
    algorithm : str
        A name in ``ALGORITHMS[collective]``.
    ranks : int
        Number of ranks, at least 1. A single rank has nothing to do: no steps.
    size : float, B
        Size as nccl-tests counts it: the whole vector; for all-to-all, what one rank sends. Chunks are
        fluid, so it may be 0, or too small to cut into whole bytes.
    **options
        Options of the algorithm, for example ``segments=64``.

    Returns
    -------
    Schedule
        Its steps; nothing about time, which is a matter of the fabric.

    Raises
    ------
    UnknownNameError
        If there is no such collective or algorithm.
    CollectiveError
        If the ranks, the size or an option cannot be used.

    Examples
    --------
    >>> build_schedule("all_reduce", "ring", ranks=1_000_000, size=2**30)
    <Schedule: all_reduce/ring, 1000000 ranks, 1 GiB, 1999998 steps, 1999998000000 messages>
    >>> build_schedule("all_reduce", "rng", ranks=4, size=8)
    Traceback (most recent call last):
    topo_sim.base.errors.UnknownNameError: unknown all_reduce algorithm "rng": did you mean "ring"?
    """
    chosen = COLLECTIVES[collective]
    entry = ALGORITHMS[collective][algorithm]
    ranks, size = _checked_ranks(ranks), _checked_size(size)
    entry.check_ranks(ranks)
    settings = entry.resolve(options, ranks)
    if ranks == 1:
        return Schedule(chosen, algorithm, ranks, size, chosen.granularity(1), (), settings)
    made = entry.build(ranks, **settings)
    plan = made if isinstance(made, Plan) else Plan(*made)
    return Schedule(
        plan.collective or chosen,
        algorithm,
        ranks,
        size,
        plan.chunks,
        tuple(plan.steps),
        settings,
        plan.weights,
        plan.reducers,
    )


def all_to_all_v(matrix: ArrayLike, algorithm: str = "direct") -> Schedule:
    """Work out an all-to-all of given bytes, as mixture-of-experts routing makes them.

    Parameters
    ----------
    matrix : array_like of float, shape (p, p), B
        Bytes from each rank (row) to each other; what stands on the diagonal stays where it is.
    algorithm : str
        A name in ``ALGORITHMS["all_to_all_v"]``.

    Returns
    -------
    Schedule
        Its size is the largest sum of a row; at another size, all entries grow in proportion.

    Raises
    ------
    CollectiveError
        If it is no square matrix of finite numbers of 0 or more.

    Examples
    --------
    >>> from topo_sim.collectives import cost
    >>> from topo_sim.topo import single_switch
    >>> schedule = all_to_all_v([[0, 3e9, 0], [1e9, 0, 1e9], [2e9, 0, 5e9]])
    >>> schedule
    <Schedule: all_to_all_v/direct, matrix=3x3 matrix, 3 ranks, 6.519 GiB, 1 step, 4 messages>
    >>> cost(schedule, single_switch(3, bandwidth=1e9, latency=0)).time
    3.0
    """
    try:
        given = np.asarray(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        raise CollectiveError(f"matrix: found {str(matrix)[:60]!r}, expected numbers of bytes") from None
    if given.ndim != 2 or given.shape[0] != given.shape[1] or not given.size:
        raise CollectiveError(
            f"matrix: found shape {given.shape}, expected a row and a column for every rank"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        most = float(given.sum(axis=1).max())
    size = most if np.isfinite(most) and most >= 0 else 0.0  # what is wrong with it is said by the algorithm
    if len(given) == 1 and size != most:
        raise CollectiveError(f"matrix: found {given[0, 0]}, expected a finite number of bytes of 0 or more")
    return build_schedule("all_to_all_v", algorithm, len(given), size, matrix=given)


def _checked_ranks(ranks: object) -> int:
    if isinstance(ranks, bool) or not isinstance(ranks, Integral) or not 1 <= int(ranks) <= _MOST_RANKS:
        raise CollectiveError(f"ranks must be a whole number from 1 to {_MOST_RANKS}, not {ranks!r}")
    return int(ranks)


def _checked_size(size: object) -> float:
    number = math.nan
    if not isinstance(size, bool) and isinstance(size, Real):
        try:
            number = float(size)
        except OverflowError:
            number = math.inf
    if not (math.isfinite(number) and number >= 0):
        raise CollectiveError(f"size must be a finite number of bytes, 0 or more, not {str(size)[:80]!r}")
    return number
