"""All-to-all in two levels: gather by rail inside the group, then along the rails."""

import numpy as np

from topo_sim.collectives.algorithms.grid_exchange import exchanged
from topo_sim.collectives.algorithms.grid_rings import neighbour
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
        p * p.
    steps : list of Step
        One per level: inside the group every rank sends to every other one all chunks for the ranks of that
        one's place in all groups; then the same across groups, among ranks of equal place.

    Examples
    --------
    >>> [(len(s), s.fraction[0].item()) for s in build(8, group=4)[1]]
    [(24, 0.25), (8, 0.5)]
    """
    sides = group_dims(group, p)
    rank = np.arange(p, dtype=np.int32)
    steps = []
    for axis, k in enumerate(sides):
        if k > 1:
            target = np.concatenate([neighbour(sides, axis, s) for s in range(1, k)])
            carried = exchanged(sides, axis, range(1, k))
            steps.append(Step(np.tile(rank, k - 1), target, 1 / k, False, carried))
    return p * p, steps


def closed_form(p: int, size: float, alpha: float, beta: float, group: object = None) -> float:
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
    group : tuple of int, int, str or None
        Ranks in a group (and groups in a group of groups, ...); None: a divisor of p near its root.

    Returns
    -------
    float, s
        Time.

    Examples
    --------
    >>> closed_form(8, 1e6, 1.0, 0.0, group=4), closed_form(8, 1e6, 0.0, 1e-9, group=4)
    (2.0, 0.00125)
    """
    return sum(alpha + (k - 1) / k * size * beta for k in group_dims(group, p) if k > 1)


register(
    Algorithm(
        collective="all_to_all",
        name="hierarchical",
        summary="by rail inside the group, then along the rails: nothing changes rail between groups",
        formula="2 alpha + ((g-1)/g + (q-1)/q) n beta, q groups of g; one term more for every further level",
        build=build,
        closed_form=closed_form,
        reference="NVIDIA NCCL 2.12, PXN: all-to-all by way of the GPU on the rail of the destination",
        options={"group": None},
    )
)
