"""Reduce on two binary trees at once, half the vector each, pipelined."""

from topo_sim.collectives.algorithms.gathers import turned_round
from topo_sim.collectives.algorithms.registry import Algorithm, register
from topo_sim.collectives.algorithms.trees import broadcast_pipeline, two_trees
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
        Those of the broadcast, backwards.

    Examples
    --------
    >>> chunks, steps = build(5, segments=4)
    >>> chunks, sum(step.repeat for step in steps)
    (8, 6)
    """
    pipeline = broadcast_pipeline(two_trees(p), segments)
    return pipeline.chunks, turned_round(pipeline.steps(), pipeline.chunks)


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
    >>> closed_form(2, 1e6, 0.0, 1e-9, segments=1)
    0.001
    """
    return broadcast_pipeline(two_trees(p), segments).time(alpha, size * beta) if p > 1 else 0.0


register(
    Algorithm(
        collective="reduce",
        name="double_tree",
        summary="two binary trees with half the vector each: few steps and nearly n beta",
        formula="(D+k-1) alpha + L/(2k) n beta, D = depth, k segments, L = sum over steps of the largest "
        "port load in segments (about 2k)",
        build=build,
        closed_form=closed_form,
        reference="Sanders, Speck, Traff, Two-tree algorithms for full bandwidth broadcast, reduction and "
        "scan, ParCo 35(12), 2009",
        options={"segments": SEGMENTS},
        tunable={"segments": (4, 16)},
    )
)
