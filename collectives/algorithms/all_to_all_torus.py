"""All-to-all on a torus, hop by hop in dimension order, all axes and both directions at once."""

from topo_sim.collectives.algorithms.grid_exchange import torus_exchange
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
        Two per pair of ranks and axis.
    steps : list of Step
        In each phase every part of the data travels along another axis; in its t-th step chunks that have to
        go t hops or more are handed on. Of those that go half way round, one half takes either way.

    Examples
    --------
    >>> [(len(s), s.fraction[0].item()) for s in build(4, dims=(4,))[1]]
    [(8, 0.375), (8, 0.125)]
    """
    sides = grid_dims(dims, p)
    parts = sum(k > 1 for k in sides)
    return 2 * parts * p * p, torus_exchange(sides)


def closed_form(p: int, size: float, alpha: float, beta: float, dims: object = None) -> float:
    """Time on one ideal switch.

    Parameters
    ----------
    p : int
        Number of ranks.
    size : float, B
        What one rank holds to send, a p-th of it for every rank.
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
    >>> closed_form(4, 1e6, 1.0, 0.0, dims=(4,)), closed_form(4, 1e6, 0.0, 1e-9, dims=(4,))
    (2.0, 0.001)
    """
    sides = [k for k in grid_dims(dims, p) if k > 1]
    steps = len(sides) * (max(sides, default=1) // 2)
    return steps * alpha + sum(k * k // 4 / k for k in sides) * size * beta


register(
    Algorithm(
        collective="all_to_all",
        name="torus",
        summary="hop by hop in dimension order on all axes and both ways at once: optimal on a torus",
        formula="D floor(K/2) alpha + sum over axes of floor(k^2/4)/k n beta, K the longest; n K beta/8 "
        "where every direction has a port ((K^2-1)/K for odd K)",
        build=build,
        closed_form=closed_form,
        reference="Basu et al., Efficient all-to-all collective communication schedules for direct-connect "
        "topologies, HPDC 2024 (arXiv 2309.13541)",
        options={"dims": None},
    )
)
