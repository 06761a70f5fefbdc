"""All-reduce on one binary tree, pipelined."""

from topo_sim.collectives.algorithms.registry import Algorithm, register
from topo_sim.collectives.algorithms.trees import all_reduce_pipeline, binary_tree
from topo_sim.collectives.step import Step

__all__ = ["build", "closed_form"]

SEGMENTS = 8
"""Default number of segments."""


def build(p: int, segments: int = SEGMENTS) -> tuple[int, list[Step]]:
    """Build the schedule.

    Parameters
    ----------
    p : int
        Number of ranks, at least 2.
    segments : int
        Pieces that the vector is cut into.

    Returns
    -------
    chunks : int
        `segments` per tree.
    steps : list of Step
        Every segment climbs to the root and at once comes down again; steps with the same senders are kept
        once.

    Examples
    --------
    >>> build(3, segments=4)
    (4, [<Step: 2 transfers>, <Step: 4 transfers, run 3 times>, <Step: 2 transfers>])
    """
    pipeline = all_reduce_pipeline(binary_tree(p), segments)
    return pipeline.chunks, pipeline.steps()


def closed_form(p: int, size: float, alpha: float, beta: float, segments: int = SEGMENTS) -> float:
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
    segments : int
        Pieces that the vector is cut into.

    Returns
    -------
    float, s
        Time.

    Examples
    --------
    >>> closed_form(3, 1e6, 1.0, 0.0, segments=4), closed_form(3, 1e6, 0.0, 1e-9, segments=1)
    (5.0, 0.004)
    """
    return all_reduce_pipeline(binary_tree(p), segments).time(alpha, size * beta) if p > 1 else 0.0


register(
    Algorithm(
        collective="all_reduce",
        name="binary_tree",
        summary="segments go up a complete binary tree and down again; few steps, about 3 n beta",
        formula="(2D+k-1) alpha + L/k n beta, D = floor(log2 p), k segments, L = sum over steps of the "
        "largest port load in segments (about 3k)",
        build=build,
        closed_form=closed_form,
        reference="Sanders, Speck, Traff, Two-tree algorithms for full bandwidth broadcast, reduction and "
        "scan, ParCo 35(12), 2009",
        options={"segments": SEGMENTS},
        tunable={"segments": (4, 16)},
    )
)
