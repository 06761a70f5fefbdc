"""All-reduce by recursive halving, then doubling (Rabenseifner)."""

from topo_sim.collectives.algorithms.patterns import doubling, floor_log2, fold, halving, whole_vector
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
        q = 2^floor(log2 p).
    steps : list of Step
        Reduce-scatter by recursive halving and all-gather by recursive doubling over q ranks. Ranks beyond a
        power of two hand their vector to a neighbour first, and get the result last.

    Examples
    --------
    >>> [(s.target.tolist(), s.fraction[0].item()) for s in build(4)[1]]
    [([2, 3, 0, 1], 0.5), ([1, 0, 3, 2], 0.25), ([1, 0, 3, 2], 0.25), ([2, 3, 0, 1], 0.5)]
    """
    core, folded, hosts = fold(p)
    chunks = len(core)
    steps = halving(core) + doubling(core)
    if len(folded):
        steps.insert(0, whole_vector(folded, hosts, reduce=True, chunks=chunks))
        steps.append(whole_vector(hosts, folded, reduce=False, chunks=chunks))
    return chunks, steps


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
    (0.0015, 0.0035)
    """
    halvings = floor_log2(p)
    q = 1 << halvings
    folding = 2 * (alpha + size * beta) if p > q else 0.0
    return 2 * halvings * alpha + 2 * (q - 1) / q * size * beta + folding


register(
    Algorithm(
        collective="all_reduce",
        name="halving_doubling",
        summary="reduce-scatter by halving, all-gather by doubling; few steps, optimal for powers of two",
        formula="2 log2(q) alpha + 2(q-1)/q n beta, q = 2^floor(log2 p), "
        "and 2 (alpha + n beta) more unless p = q",
        build=build,
        closed_form=closed_form,
        reference="Thakur, Rabenseifner, Gropp, Optimization of collective communication operations in "
        "MPICH, IJHPCA 19(1), 2005",
    )
)
