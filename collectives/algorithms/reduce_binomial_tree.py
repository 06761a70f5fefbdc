"""Reduce on a binomial tree."""

from topo_sim.collectives.algorithms.patterns import binomial_reduce, ceil_log2
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
        1.
    steps : list of Step
        ceil(log2 p) steps up the tree, with whole vectors.

    Examples
    --------
    >>> [(s.source.tolist(), s.target.tolist()) for s in build(3)[1]]
    [([1], [0]), ([2], [0])]
    """
    return 1, binomial_reduce(p)


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
    >>> closed_form(5, 1e6, 1.0, 0.0), closed_form(4, 1e6, 0.0, 1e-9)
    (3.0, 0.002)
    """
    return ceil_log2(p) * (alpha + size * beta)


register(
    Algorithm(
        collective="reduce",
        name="binomial_tree",
        summary="whole vectors up a binomial tree; fewest steps",
        formula="ceil(log2 p) (alpha + n beta)",
        build=build,
        closed_form=closed_form,
        reference="Thakur, Rabenseifner, Gropp, Optimization of collective communication operations in "
        "MPICH, IJHPCA 19(1), 2005",
    )
)
