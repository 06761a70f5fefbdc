"""Reduce-scatter in two levels or more: inside groups, then across them."""

from topo_sim.collectives.algorithms.grid_rings import one_way, ring_stages
from topo_sim.collectives.algorithms.registry import Algorithm, register
from topo_sim.collectives.algorithms.shapes import group_dims
from topo_sim.collectives.step import Step

__all__ = ["build", "closed_form"]


def build(p: int, group: object = None) -> tuple[int, list[Step]]:
    """Build the schedule.

    Parameters
    ----------
    p : int
        Number of ranks, at least 2.
    group : tuple of int, int, str or None
        Ranks in a group (and groups in a group of groups, ...); None: a divisor of p near its root.

    Returns
    -------
    chunks : int
        p.
    steps : list of Step
        Ring reduce-scatter inside every group, then across groups among the ranks of equal place, on what is
        left. With two group sizes there are three levels.

    Examples
    --------
    >>> [(s.repeat, s.fraction[0].item()) for s in build(8, group=4)[1]]
    [(3, 0.25), (1, 0.125)]
    """
    sides = group_dims(group, p)
    return p, ring_stages(sides, one_way(sides), reduce=True)


def closed_form(p: int, size: float, alpha: float, beta: float, group: object = None) -> float:
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
    group : tuple of int, int, str or None
        Ranks in a group (and groups in a group of groups, ...); None: a divisor of p near its root.

    Returns
    -------
    float, s
        Time.

    Examples
    --------
    >>> closed_form(8, 1e6, 1.0, 0.0, group=4), closed_form(8, 1e6, 0.0, 1e-9, group=4)
    (4.0, 0.000875)
    """
    total, share = 0.0, 1.0
    for k in group_dims(group, p):
        share /= k
        total += (k - 1) * (alpha + share * size * beta)
    return total


register(
    Algorithm(
        collective="reduce_scatter",
        name="hierarchical",
        summary="rings inside groups, then across them on what is left",
        formula="(g-1) alpha + (q-1) alpha + (g-1)/g n beta + (q-1)/q n/g beta, q groups of g; again so "
        "for more levels",
        build=build,
        closed_form=closed_form,
        reference="Thakur, Rabenseifner, Gropp, Optimization of collective communication operations in "
        "MPICH, IJHPCA 19(1), 2005, applied level by level",
        options={"group": None},
    )
)
