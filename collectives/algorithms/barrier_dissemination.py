"""Barrier by dissemination: after log2(p) rounds everybody has heard of everybody."""

import numpy as np

from topo_sim.collectives.algorithms.gathers import offsets
from topo_sim.collectives.algorithms.patterns import ceil_log2
from topo_sim.collectives.algorithms.registry import Algorithm, register
from topo_sim.collectives.step import Step

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
        p tokens without bytes.
    steps : list of Step
        In step s rank r tells rank r + 2^s of all that it has heard of.

    Examples
    --------
    >>> [s.target.tolist() for s in build(3)[1]]
    [[1, 2, 0], [2, 0, 1]]
    """
    rank = np.arange(p, dtype=np.int32)
    return p, [
        Step(rank, np.roll(rank, -(1 << s)), 0.0, False, offsets(p, -np.arange(1 << s)))
        for s in range(ceil_log2(p))
    ]


def closed_form(p: int, size: float, alpha: float, beta: float) -> float:
    """Time on one ideal switch.

    Parameters
    ----------
    p : int
        Number of ranks.
    size : float, B
        Does not matter.
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
    >>> closed_form(5, 0.0, 1.0, 1.0)
    3.0
    """
    return ceil_log2(p) * alpha


register(
    Algorithm(
        collective="barrier",
        name="dissemination",
        summary="in round s rank r tells r + 2^s all that it knows; any p",
        formula="ceil(log2 p) alpha",
        build=build,
        closed_form=closed_form,
        reference="Hensgen, Finkel, Manber, Two algorithms for barrier synchronization, IJPP 17(1), 1988",
    )
)
