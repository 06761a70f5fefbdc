"""All-reduce by BlueConnect: rings over one factor of p after the other, on a shrinking vector."""

from topo_sim.collectives.algorithms.grid_rings import one_way, ring_stages
from topo_sim.collectives.algorithms.registry import Algorithm, register
from topo_sim.collectives.algorithms.shapes import grid_dims
from topo_sim.collectives.step import Step

__all__ = ["build", "closed_form"]


def build(p: int, dims: object = None) -> tuple[int, list[Step]]:
    """Build the schedule.

    Parameters
    ----------
    p : int
        Number of ranks, at least 2.
    dims : tuple of int, str or None
        Sides of the grid of ranks, the first one fastest; None: two that are as close as they come.

    Returns
    -------
    chunks : int
        p.
    steps : list of Step
        Ring reduce-scatters over the first side, the second, ... and ring all-gathers backwards.

    Examples
    --------
    >>> [(s.repeat, s.fraction[0].item()) for s in build(8, dims=(4, 2))[1]]
    [(3, 0.25), (1, 0.125), (1, 0.125), (3, 0.25)]
    """
    sides = grid_dims(dims, p)
    parts = one_way(sides)
    return p, ring_stages(sides, parts, reduce=True) + ring_stages(sides, parts, reduce=False)


def closed_form(p: int, size: float, alpha: float, beta: float, dims: object = None) -> float:
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
    dims : tuple of int, str or None
        Sides of the grid of ranks, the first one fastest; None: two that are as close as they come.

    Returns
    -------
    float, s
        Time.

    Examples
    --------
    >>> closed_form(8, 1e6, 1.0, 0.0, dims=(4, 2)), closed_form(8, 1e6, 0.0, 1e-9, dims=(4, 2))
    (8.0, 0.00175)
    """
    total, share = 0.0, 1.0
    for k in grid_dims(dims, p):
        share /= k
        total += 2 * (k - 1) * (alpha + share * size * beta)
    return total


register(
    Algorithm(
        collective="all_reduce",
        name="blueconnect",
        summary="rings over one level after the other on a shrinking vector, for levels of unequal speed",
        formula="sum over i of 2(p_i-1) alpha + 2(p_i-1)/(p_1...p_i) n beta, p = p_1 ... p_d",
        build=build,
        closed_form=closed_form,
        reference="Cho, Finkler, Serrano, Kung, Hunter, BlueConnect: decomposing all-reduce for deep "
        "learning on heterogeneous network hierarchy, SysML 2019",
        options={"dims": None},
    )
)
