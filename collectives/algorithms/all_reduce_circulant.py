"""All-reduce by Bruck's all-gather backwards, then forwards: optimal for any number of ranks."""

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
        A reduce-scatter to rank + 2^s with s falling, and an all-gather to rank - 2^s with s rising.

    Examples
    --------
    >>> [(s.source.tolist(), s.target.tolist()) for s in build(3)[1]][1:3]
    [([2, 0, 1], [0, 1, 2]), ([0, 1, 2], [2, 0, 1])]
    """
    gather = bruck_gather(p)
    return p, turned_round(gather, p) + gather


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
    (0.0016, 6.0)
    """
    return 2 * (ceil_log2(p) * alpha + (p - 1) / p * size * beta)


register(
    Algorithm(
        collective="all_reduce",
        name="circulant",
        summary="halving, then doubling, for any number of ranks: fewest bytes in 2 log2(p) steps",
        formula="2 ceil(log2 p) alpha + 2(p-1)/p n beta",
        build=build,
        closed_form=closed_form,
        reference="Traff, Optimal, non-pipelined reduce-scatter and allreduce algorithms, 2024 (arXiv "
        "2410.14234)",
    )
)
