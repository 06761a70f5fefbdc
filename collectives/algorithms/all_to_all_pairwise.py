"""All-to-all in p - 1 shifts."""

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
        p * p.
    steps : list of Step
        In step s, from 1 to p - 1, rank r sends its chunk for rank r + s there.

    Examples
    --------
    >>> chunks, steps = build(3)
    >>> chunks, [s.target.tolist() for s in steps], steps[0].carried(0, 9)[1].tolist()
    (9, [[1, 2, 0], [2, 0, 1]], [1, 5, 6])
    """
    rank = np.arange(p, dtype=np.int32)
    return p * p, [_shift(rank, s) for s in range(1, p)]


def closed_form(p: int, size: float, alpha: float, beta: float) -> float:
    """Time on one ideal switch.

    Parameters
    ----------
    p : int
        Number of ranks.
    size : float, B
        What one rank holds to send, a p-th of it for every rank.
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
    0.00075
    """
    return (p - 1) * (alpha + size * beta / p)


def _shift(rank: NDArray[np.int32], distance: int) -> Step:
    p = len(rank)
    target = np.roll(rank, -distance)
    return Step(rank, target, 1 / p, False, runs(lambda: rank.astype(np.int64) * p + target))


register(
    Algorithm(
        collective="all_to_all",
        name="pairwise",
        summary="step s is the permutation r -> r + s; every byte travels once, any p",
        formula="(p-1) alpha + (p-1)/p n beta",
        build=build,
        closed_form=closed_form,
        reference="Thakur, Rabenseifner, Gropp, Optimization of collective communication operations in "
        "MPICH, IJHPCA 19(1), 2005",
    )
)
