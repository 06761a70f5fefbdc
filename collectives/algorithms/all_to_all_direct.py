"""All-to-all in one step: everybody sends to everybody at once."""

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError
from topo_sim.collectives.algorithms.registry import Algorithm, register
from topo_sim.collectives.step import Step, runs

__all__ = ["build", "closed_form"]

MOST_RANKS = 20_000


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
        One, of p (p - 1) transfers; the fabric shares out its bandwidth.

    Examples
    --------
    >>> chunks, (step,) = build(3)
    >>> step.source.tolist(), step.target.tolist(), step.carried(0, 9)[1].tolist()
    ([0, 0, 1, 1, 2, 2], [1, 2, 2, 0, 0, 1], [1, 2, 5, 3, 6, 7])
    """
    if p > MOST_RANKS:
        raise CollectiveError(
            f"all_to_all/direct on {p} ranks has {p * (p - 1):,} transfers, which do not fit in memory; "
            f'it can have at most {MOST_RANKS} ranks: use "pairwise" or "bruck"'
        )
    rank = np.arange(p, dtype=np.int32)
    source = np.repeat(rank, p - 1)
    target = (rank[:, np.newaxis] + rank[1:]).ravel()
    target %= np.int32(p)

    def carried() -> NDArray[np.int64]:
        return source.astype(np.int64) * p + target

    return p * p, [Step(source, target, 1 / p, False, runs(carried))]


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
    return alpha + (p - 1) / p * size * beta if p > 1 else 0.0


register(
    Algorithm(
        collective="all_to_all",
        name="direct",
        summary="all p(p-1) transfers at once; every byte travels once, any p",
        formula="alpha + (p-1)/p n beta",
        build=build,
        closed_form=closed_form,
        reference="Thakur, Rabenseifner, Gropp, Optimization of collective communication operations in "
        "MPICH, IJHPCA 19(1), 2005",
    )
)
