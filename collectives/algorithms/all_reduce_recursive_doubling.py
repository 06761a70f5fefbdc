"""All-reduce by recursive doubling: fewest steps, whole vectors."""

import numpy as np

from topo_sim.collectives.algorithms.patterns import floor_log2, fold, whole_vector
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
        In step s position i of the core exchanges the whole vector with position i xor 2^s. Ranks beyond a
        power of two hand their vector to a neighbour first, and get the result last.

    Examples
    --------
    >>> [(s.source.tolist(), s.target.tolist()) for s in build(3)[1]]
    [([0], [1]), ([1, 2], [2, 1]), ([1], [0])]
    """
    core, folded, hosts = fold(p)
    position = np.arange(len(core))
    steps = [
        whole_vector(core, core[position ^ (1 << k)], reduce=True, chunks=1) for k in range(floor_log2(p))
    ]
    if len(folded):
        steps.insert(0, whole_vector(folded, hosts, reduce=True, chunks=1))
        steps.append(whole_vector(hosts, folded, reduce=False, chunks=1))
    return 1, steps


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
    >>> closed_form(4, 1e6, 0.0, 1e-9), closed_form(5, 1e6, 0.0, 1e-9)
    (0.002, 0.004)
    """
    doublings = floor_log2(p)
    folding = 2 if p > 1 << doublings else 0
    return (doublings + folding) * (alpha + size * beta)


register(
    Algorithm(
        collective="all_reduce",
        name="recursive_doubling",
        summary="pairs at distance 1, 2, 4, ... exchange whole vectors; fewest steps, for small sizes",
        formula="floor(log2 p) (alpha + n beta), and 2 (alpha + n beta) more unless p is a power of two",
        build=build,
        closed_form=closed_form,
        reference="Thakur, Rabenseifner, Gropp, Optimization of collective communication operations in "
        "MPICH, IJHPCA 19(1), 2005",
    )
)
