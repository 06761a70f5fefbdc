"""Birkhoff and von Neumann: a demand as a sum of matchings."""

from topo_sim.optics.scheduling.plan import Plan, gather
from topo_sim.optics.scheduling.problem import Problem
from topo_sim.optics.scheduling.registry import scheduler
from topo_sim.optics.scheduling.slicing import slices, stuff

__all__ = ["bvn"]


@scheduler(
    "bvn",
    about="pad to equal line sums and take perfect matchings off: optimal where changes are free",
    source="Birkhoff 1946, von Neumann 1953; Chang et al., INFOCOM 2000",
)
def bvn(problem: Problem) -> Plan:
    """Decompose the demand into matchings, each as long as its smallest entry.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    Plan
        At most N^2 - 2N + 2 configurations; their lengths sum to the largest line sum.

    Notes
    -----
    Any perfect matching on the support will do for the theorem. Here each lies on entries of at least half
    the best smallest entry, so the long ones come first and there are few: on amounts of 50 bits, about 22 N
    for dense demands at N = 256 where theory allows N^2.

    Examples
    --------
    >>> plan = bvn(Problem([[0, 3, 1], [1, 0, 3], [3, 1, 0]], rate=1.0))
    >>> plan.targets.tolist()
    [[1, 2, 0], [2, 0, 1]]
    """
    return gather(slices(stuff(problem.units), whole=True), problem.ranks)
