"""All-gather by recursive doubling."""

import numpy as np

from topo_sim.collectives.algorithms.patterns import doubling, exact_log2
from topo_sim.collectives.algorithms.registry import Algorithm, register
from topo_sim.collectives.step import Step

__all__ = ["build", "closed_form"]


def build(p: int) -> tuple[int, list[Step]]:
    """Build the schedule.

    Parameters
    ----------
    p : int
        Number of ranks, at least 2 and a power of two.

    Returns
    -------
    chunks : int
        p.
    steps : list of Step
        In step s rank r sends rank r xor 2^s all that it holds.

    Examples
    --------
    >>> [(s.target.tolist(), s.fraction[0].item()) for s in build(4)[1]]
    [([1, 0, 3, 2], 0.25), ([2, 3, 0, 1], 0.5)]
    """
    return p, doubling(np.arange(p, dtype=np.int32))


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
    0.00075
    """
    return exact_log2(p) * alpha + (p - 1) / p * size * beta


register(
    Algorithm(
        collective="all_gather",
        name="recursive_doubling",
        summary="pairs at distance 1, 2, 4, ... exchange all that they hold; few steps and optimal bandwidth",
        formula="log2(p) alpha + (p-1)/p n beta",
        build=build,
        closed_form=closed_form,
        reference="Thakur, Rabenseifner, Gropp, Optimization of collective communication operations in "
        "MPICH, IJHPCA 19(1), 2005",
        power_of_two=True,
        instead="ring",
    )
)
