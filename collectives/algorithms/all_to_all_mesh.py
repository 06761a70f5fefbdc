"""All-to-all along one axis of a grid after the other: few, long messages."""

import numpy as np

from topo_sim.collectives.algorithms.grid_exchange import exchanged
from topo_sim.collectives.algorithms.grid_rings import neighbour
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
        p * p.
    steps : list of Step
        Along each axis in turn, k - 1 shifts: every rank sends to the one s further on all chunks that must
        get to its coordinate there.

    Examples
    --------
    >>> [(s.target.tolist(), s.fraction[0].item()) for s in build(4)[1]]
    [([1, 0, 3, 2], 0.5), ([2, 3, 0, 1], 0.5)]
    """
    sides = grid_dims(dims, p)
    rank = np.arange(p, dtype=np.int32)
    return p * p, [
        Step(rank, neighbour(sides, axis, s), 1 / k, False, exchanged(sides, axis, [s]))
        for axis, k in enumerate(sides)
        for s in range(1, k)
    ]


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
    >>> closed_form(16, 1e6, 1.0, 0.0), closed_form(16, 1e6, 0.0, 1e-9)
    (6.0, 0.0015)
    """
    return sum((k - 1) * (alpha + size * beta / k) for k in grid_dims(dims, p))


register(
    Algorithm(
        collective="all_to_all",
        name="mesh",
        summary="along one axis of a grid after the other: sqrt(p) times fewer messages, each byte sent "
        "twice",
        formula="sum over i of (p_i-1) (alpha + n beta/p_i), p = p_1 ... p_d; 2(sqrt(p)-1) (alpha + n "
        "beta/sqrt(p)) on a square",
        build=build,
        closed_form=closed_form,
        reference="Kumar, Kale, Scaling all-to-all multicast on fat-tree networks, ICPADS 2004 (two-"
        "dimensional mesh strategy)",
        options={"dims": None},
    )
)
