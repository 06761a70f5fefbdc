"""Reduce-scatter by Bruck's all-gather backwards: halving for any number of ranks."""

from topo_sim.collectives.algorithms.gathers import bruck_gather, turned_round
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
        p.
    steps : list of Step
        Those of the all-gather, backwards: in step s, from the last one on, every rank sends to rank + 2^s.

    Examples
    --------
    >>> [(s.source.tolist(), round(s.fraction[0].item(), 3)) for s in build(5)[1]][:2]
    [([1, 2, 3, 4, 0], 0.2), ([3, 4, 0, 1, 2], 0.4)]
    """
    return p, turned_round(bruck_gather(p), p)


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
    >>> closed_form(5, 1e6, 0.0, 1e-9), closed_form(5, 1e6, 1.0, 0.0)
    (0.0008, 3.0)
    """
    return ceil_log2(p) * alpha + (p - 1) / p * size * beta


register(
    Algorithm(
        collective="reduce_scatter",
        name="bruck",
        summary="halving for any number of ranks: fewest steps and fewest bytes",
        formula="ceil(log2 p) alpha + (p-1)/p n beta",
        build=build,
        closed_form=closed_form,
        reference="Traff, Optimal, non-pipelined reduce-scatter and allreduce algorithms, 2024 (arXiv "
        "2410.14234)",
    )
)
