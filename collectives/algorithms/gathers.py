"""All-gathers in few steps for any number of ranks, and how to turn a schedule round."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.algorithms.patterns import ceil_log2
from topo_sim.collectives.step import ChunkLists, Step

__all__ = ["bruck_gather", "offsets", "pat_gather", "pat_messages", "turned_round"]


def offsets(p: int, distance: NDArray[np.int64], ahead: int = 0) -> ChunkLists:
    """Let rank r carry the blocks ``(r + ahead + distance) % p``.

    Examples
    --------
    >>> offsets(3, np.array([0, 1]))()[1].tolist()
    [0, 1, 1, 2, 2, 0]
    """

    def lists() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        ids = (np.arange(p)[:, np.newaxis] + ahead + distance) % p
        return np.arange(p + 1) * len(distance), ids.ravel()

    return lists


def bruck_gather(p: int) -> list[Step]:
    """All-gather: in step s every rank sends its 2^s blocks (at last, as many as lack) to rank - 2^s.

    Parameters
    ----------
    p : int
        Number of ranks and of chunks.

    Returns
    -------
    list of Step
        ceil(log2 p) steps.

    Examples
    --------
    >>> [(s.target.tolist(), s.carried(0, 3)[1].tolist()) for s in bruck_gather(3)]
    [([2, 0, 1], [0, 1, 2]), ([1, 2, 0], [0, 1, 2])]
    """
    rank = np.arange(p, dtype=np.int32)
    steps = []
    for s in range(ceil_log2(p)):
        count = min(1 << s, p - (1 << s))
        steps.append(Step(rank, np.roll(rank, 1 << s), count / p, False, offsets(p, np.arange(count))))
    return steps


def pat_messages(p: int, aggregation: int) -> list[tuple[int, NDArray[np.int64]]]:
    """Distance of every step of PAT, and which blocks it carries: how far each has come.

    Examples
    --------
    >>> [(distance, blocks.tolist()) for distance, blocks in pat_messages(6, 8)]
    [(4, [0]), (2, [0]), (1, [0, 2, 4])]
    >>> [(distance, blocks.tolist()) for distance, blocks in pat_messages(6, 2)][2:]
    [(1, [0, 2]), (1, [4])]
    """
    messages = []
    for k in reversed(range(ceil_log2(p))):
        come = np.arange(0, p - (1 << k), 2 << k)
        messages += [(1 << k, come[i : i + aggregation]) for i in range(0, len(come), aggregation)]
    return messages


def pat_gather(p: int, aggregation: int) -> list[Step]:
    """All-gather on one binomial tree per rank, farthest ranks first, few blocks per message.

    Parameters
    ----------
    p : int
        Number of ranks and of chunks.
    aggregation : int
        Most blocks in a message.

    Returns
    -------
    list of Step

    Examples
    --------
    >>> [s.target.tolist() for s in pat_gather(4, 8)]
    [[2, 3, 0, 1], [1, 2, 3, 0]]
    """
    rank = np.arange(p, dtype=np.int32)
    return [
        Step(rank, np.roll(rank, -distance), len(come) / p, False, offsets(p, -come))
        for distance, come in pat_messages(p, aggregation)
    ]


def turned_round(steps: Sequence[Step], chunks: int, reduce: bool = True) -> list[Step]:
    """Run a schedule backwards: what was copied from one to many is reduced from many to one.

    Parameters
    ----------
    steps : sequence of Step
        A broadcast, scatter or all-gather in which every rank receives every chunk once.
    chunks : int
        Number of chunks of the schedule.
    reduce : bool
        Whether targets combine.

    Returns
    -------
    list of Step
        The reduce or reduce-scatter.

    Examples
    --------
    >>> [(s.source.tolist(), s.target.tolist()) for s in turned_round(bruck_gather(3), 3)]
    [([1, 2, 0], [0, 1, 2]), ([2, 0, 1], [0, 1, 2])]
    """
    return [
        Step(
            step.target,
            step.source,
            step.fraction if step.fraction.strides != (0,) else step.fraction[0],
            reduce,
            _last(step, chunks),
            repeat=step.repeat,
            shift=-step.shift,
            cycle=step.cycle,
        )
        for step in reversed(steps)
    ]


def _last(step: Step, chunks: int) -> ChunkLists:
    return lambda: step.carried(step.repeat - 1, chunks)
