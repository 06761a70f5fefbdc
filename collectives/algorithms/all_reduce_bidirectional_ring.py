"""All-reduce on two rings at once, half the vector each way round."""

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.algorithms.registry import Algorithm, register
from topo_sim.collectives.step import Step, runs

__all__ = ["build", "closed_form"]


def build(p: int) -> tuple[int, list[Step]]:
    """Build the schedule.

    Parameters
    ----------
    p : int
        Number of ranks, at least 2.

    Returns
    -------
    chunks : int
        2p: half of them for either direction.
    steps : list of Step
        Two, each run p - 1 times: to the right as in the ring on chunks 0 to p - 1, to the left its mirror
        image on chunks p to 2p - 1.

    Examples
    --------
    >>> chunks, steps = build(4)
    >>> chunks, steps
    (8, [<Step: 8 transfers, run 3 times>, <Step: 8 transfers, run 3 times>])
    >>> steps[0].carried(1, 8)[1].tolist()
    [3, 0, 1, 2, 5, 6, 7, 4]
    """
    return 2 * p, [_both_ways(p, first=0, reduce=True), _both_ways(p, first=1, reduce=False)]


def closed_form(p: int, size: float, alpha: float, beta: float) -> float:
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

    Returns
    -------
    float, s
        Time.

    Examples
    --------
    >>> closed_form(4, 1e6, 0.0, 1e-9)
    0.0015
    """
    return 2 * (p - 1) * (alpha + size * beta / p)


def _both_ways(p: int, first: int, reduce: bool) -> Step:
    rank = np.arange(p, dtype=np.int32)
    right, left = np.roll(rank, -1), np.roll(rank, 1)

    def carried() -> NDArray[np.int64]:
        ids = np.arange(p)
        return np.concatenate([np.roll(ids, -first), p + np.roll(ids, first)])

    return Step(
        np.concatenate([rank, rank]),
        np.concatenate([right, left]),
        1 / (2 * p),
        reduce,
        runs(carried),
        repeat=p - 1,
        shift=np.repeat([-1, 1], p),
        cycle=p,
    )


register(
    Algorithm(
        collective="all_reduce",
        name="bidirectional_ring",
        summary="two rings, half the vector each way round; twice as fast where each way has a port",
        formula="2(p-1) alpha + 2(p-1)/p n beta; (p-1)/p n beta where each direction has a port",
        build=build,
        closed_form=closed_form,
        reference="Patarasuk, Yuan, Bandwidth optimal all-reduce algorithms for clusters of workstations, "
        "JPDC 69(2), 2009, on both directions of a full-duplex ring",
    )
)
