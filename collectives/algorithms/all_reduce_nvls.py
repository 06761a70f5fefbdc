"""All-reduce with sums read from the switch and stores that it copies to all (NVLink SHARP)."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.algorithms.registry import Algorithm, Plan, register
from topo_sim.collectives.step import Step

__all__ = ["build", "closed_form"]

SEGMENTS = 8
"""Default number of segments."""


def build(p: int, segments: int = SEGMENTS) -> Plan:
    """Build the schedule.

    Parameters
    ----------
    p : int
        Number of ranks, at least 2.
    segments : int
        Pieces that the vector is cut into.

    Returns
    -------
    Plan
        Two reducers in the switch, one that sums and one that copies, and k + 3 steps: in step j all ranks
        put segment j at the disposal of the switch, in the next one every rank reads the sum of its p-th
        of it, in the next stores it, and in the last the switch sends the stores to all.

    Examples
    --------
    >>> plan = build(2, segments=1)
    >>> [(s.source.tolist(), s.target.tolist(), s.fraction[0].item()) for s in plan.steps]
    [([0, 1], [2, 2], 1.0), ([2, 2], [0, 1], 0.5), ([0, 1], [3, 3], 0.5), ([3, 3], [0, 1], 1.0)]
    """
    rank = np.arange(p, dtype=np.int32)
    summing, copying = np.full(p, p, dtype=np.int32), np.full(p, p + 1, dtype=np.int32)
    moves = [(rank, summing, p), (summing, rank, 1), (rank, copying, 1), (copying, rank, p)]
    steps = []
    for change, until in _spans(segments):
        on = [move for move in range(4) if move <= change < move + segments]
        steps.append(_step(p, segments, [(*moves[move], change - move) for move in on], until - change))
    return Plan(p * segments, steps, reducers=2)


def closed_form(p: int, size: float, alpha: float, beta: float, segments: int = SEGMENTS) -> float:
    """Time on one ideal switch.

    Parameters
    ----------
    p : int
        Number of ranks.
    size : float, B
        The vector.
    alpha : float, s
        Per step.
    beta : float, s/B
        Of a port, each way.
    segments : int
        Pieces that the vector is cut into.

    Returns
    -------
    float, s
        Time.

    Examples
    --------
    >>> closed_form(4, 1e6, 0.0, 1e-9, segments=1)
    0.0025
    >>> round(closed_form(4, 1e6, 0.0, 1e-9, segments=1000), 6)  # (1 + 1/4) n beta
    0.001253
    """
    if p == 1:
        return 0.0
    total = 0.0
    for now, until in _spans(segments):
        on = [move <= now < move + segments for move in range(4)]
        busiest = max(on[0] + on[2] / p, on[1] / p + on[3])
        total += (until - now) * (alpha / 2 + busiest * size * beta / segments)
    return total


def _spans(segments: int) -> list[tuple[int, int]]:
    """Find the runs of steps in which the same moves are busy."""
    change = sorted({move + at for move in range(4) for at in (0, segments)})
    return list(pairwise(change))


def _step(
    p: int,
    segments: int,
    moves: list[tuple[NDArray[np.int32], NDArray[np.int32], int, int]],
    repeat: int,
) -> Step:
    """Run some moves (source, target, parts per transfer, segment) side by side."""
    counts = np.repeat([parts for _, _, parts, _ in moves], p)

    def carried() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        ids = [
            segment * p + (np.tile(np.arange(p), p) if parts == p else np.arange(p))
            for _, _, parts, segment in moves
        ]
        return np.append(0, np.cumsum(counts)), np.concatenate(ids)

    return Step(
        np.concatenate([move[0] for move in moves]),
        np.concatenate([move[1] for move in moves]),
        counts / (p * segments),
        np.concatenate([move[1] == p for move in moves]),
        carried,
        repeat=repeat,
        shift=p,
    )


register(
    Algorithm(
        collective="all_reduce",
        name="nvls",
        summary="each rank reads the sum of its part from the switch and stores it to all: (1 + 1/p) n beta",
        formula="(k+3) alpha/2 + about (1+1/p+1/k) n beta, k segments",
        build=build,
        closed_form=closed_form,
        reference="NVIDIA NCCL, NVLS (multimem load-reduce and store), src/device/all_reduce.h",
        options={"segments": SEGMENTS},
        tunable={"segments": (1, 8, 64)},
        switches="nvls",
    )
)
