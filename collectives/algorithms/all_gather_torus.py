"""All-gather on the rings of a torus, all axes and both directions at once (bucket algorithm)."""

from topo_sim.collectives.algorithms.grid_rings import both_ways, ring_stages
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
        p times the pieces of all parts: two parts per axis.
    steps : list of Step
        A ring all-gather per axis; every part of the data starts on another axis, so that all links of a
        torus work.

    Examples
    --------
    >>> [(len(s), s.repeat, s.fraction[0].item()) for s in build(16, dims=(4, 4))[1]]
    [(64, 3, 0.015625), (64, 3, 0.0625)]
    """
    sides = grid_dims(dims, p)
    parts = both_ways(sides)
    steps = ring_stages(sides, parts, reduce=False)
    return p * sum(part.pieces for part in parts), steps


def closed_form(p: int, size: float, alpha: float, beta: float, dims: object = None) -> float:
    """Time on one ideal switch.

    Parameters
    ----------
    p : int
        Number of ranks.
    size : float, B
        The gathered vector.
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
    >>> closed_form(16, 1e6, 1.0, 0.0, dims=(4, 4)), closed_form(16, 16.0, 0.0, 1.0, dims=(4, 4))
    (6.0, 15.0)
    """
    longer = [k for k in grid_dims(dims, p) if k > 1]
    steps = len(longer) * (max(longer, default=1) - 1)
    return steps * alpha + (p - 1) / p * size * beta


register(
    Algorithm(
        collective="all_gather",
        name="torus",
        summary="rings along all axes of a torus and both ways round at once; optimal where all sides are"
        " equal",
        formula="D (K-1) alpha + (p-1)/p n beta, D axes, K the longest; (p-1)/p n beta/(2D) where every "
        "direction has a port",
        build=build,
        closed_form=closed_form,
        reference="Jain, Sabharwal, Optimal bucket algorithms for large MPI collectives on torus "
        "interconnects, ICS 2010",
        options={"dims": None},
    )
)
