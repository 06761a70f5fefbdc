"""Broadcast as scatter and all-gather (van de Geijn)."""

from topo_sim.collectives.algorithms.patterns import binomial_scatter, ceil_log2, ring
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
        A binomial scatter of p blocks from rank 0, then a ring all-gather.

    Examples
    --------
    >>> chunks, steps = build(4)
    >>> [(s.source.tolist(), s.fraction[0].item(), s.repeat) for s in steps]
    [([0], 0.5, 1), ([0, 2], 0.25, 1), ([0, 1, 2, 3], 0.25, 3)]
    """
    return p, [*binomial_scatter(p), ring(p, first=0, reduce=False)]


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
    >>> closed_form(4, 1e6, 1.0, 0.0), closed_form(4, 1e6, 0.0, 1e-9)
    (5.0, 0.0015)
    """
    return (ceil_log2(p) + p - 1) * alpha + 2 * (p - 1) / p * size * beta


register(
    Algorithm(
        collective="broadcast",
        name="van_de_geijn",
        summary="scatter, then ring all-gather: 2 n beta at most, without segments",
        formula="(ceil(log2 p)+p-1) alpha + 2(p-1)/p n beta",
        build=build,
        closed_form=closed_form,
        reference="Barnett, Gupta, Payne, Shuler, van de Geijn, Watts, Interprocessor collective "
        "communication library, SHPCC 1994; Thakur, Rabenseifner, Gropp, Optimization of "
        "collective communication operations in MPICH, IJHPCA 19(1), 2005",
    )
)
