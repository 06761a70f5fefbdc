"""Turn plans into schedules."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.collective import COLLECTIVES
from topo_sim.collectives.schedule import Schedule
from topo_sim.collectives.step import ChunkLists, Step
from topo_sim.collectives.synthesis.greedy import Plan

__all__ = ["merged_step", "plan_steps", "to_schedule"]


def merged_step(
    ranks: int,
    unit: float,
    source: NDArray[np.int64],
    target: NDArray[np.int64],
    chunk: NDArray[np.int64],
    reduce: bool,
    repeat: int = 1,
    shift: int = 0,
) -> Step:
    """One step; what goes from one rank to another is one transfer, of several chunks.

    Parameters
    ----------
    ranks : int
    unit : float
        Fraction of the size in one chunk.
    source, target, chunk : ndarray of int64
        One row per chunk sent.
    reduce : bool
        Whether targets combine.
    repeat : int
        How often it runs.
    shift : int
        By how much every chunk advances each time.

    Returns
    -------
    Step
    """
    order = np.lexsort((chunk, target, source))
    pair = source[order] * ranks + target[order]
    first = np.flatnonzero(np.diff(pair, prepend=-1))
    counts = np.diff(np.append(first, len(pair)))
    return Step(
        pair[first] // ranks,
        pair[first] % ranks,
        counts * unit,
        reduce,
        _lists(np.append(first, len(pair)).astype(np.int64), chunk[order].astype(np.int64)),
        repeat=repeat,
        shift=shift,
    )


def _lists(indptr: NDArray[np.int64], ids: NDArray[np.int64]) -> ChunkLists:
    return lambda: (indptr, ids)


def plan_steps(plan: Plan, reduce: bool) -> list[Step]:
    """One step per round.

    Parameters
    ----------
    plan : Plan
    reduce : bool
        Whether it gathers by combining.

    Returns
    -------
    list of Step
    """
    begin = np.append(0, plan.end[:-1])
    return [
        merged_step(plan.ranks, 1 / plan.chunks, plan.source[a:b], plan.target[a:b], plan.chunk[a:b], reduce)
        for a, b in zip(begin.tolist(), plan.end.tolist(), strict=True)
    ]


def to_schedule(
    collective: str,
    algorithm: str,
    ranks: int,
    size: float,
    chunks: int,
    steps: list[Step],
    options: Mapping[str, Any],
) -> Schedule:
    """Make a schedule of steps.

    Parameters
    ----------
    collective, algorithm : str
    ranks : int
    size : float, B
    chunks : int
        All together.
    steps : list of Step
    options : mapping
        What the steps were made with.

    Returns
    -------
    Schedule
    """
    return Schedule(COLLECTIVES[collective], algorithm, ranks, size, chunks, tuple(steps), dict(options))
