"""All-reduce on NCCL's double binary tree, pipelined."""

from topo_sim.collectives.algorithms.registry import Algorithm, register
from topo_sim.collectives.algorithms.trees import all_reduce_pipeline, double_tree
from topo_sim.collectives.step import Step

__all__ = ["build", "closed_form", "double_tree"]

SEGMENTS = 8
"""Default number of segments per tree."""


def build(p: int, segments: int = SEGMENTS) -> tuple[int, list[Step]]:
    """Build the schedule.

    Parameters
    ----------
    p : int
        Number of ranks, at least 2.
    segments : int
        Pieces that each tree's half of the vector is cut into.

    Returns
    -------
    chunks : int
        2 * segments, the first half for the first tree.
    steps : list of Step
        2 D + segments - 1 of them, repetitions included, where D is the depth of the trees: a rank at
        depth d sends segment j to its parent in step D - d + j and to its children in step D + d + j.
        Steps in which the same ranks send are kept once.

    Examples
    --------
    >>> build(2, segments=4)
    (8, [<Step: 2 transfers>, <Step: 4 transfers, run 3 times>, <Step: 2 transfers>])
    """
    pipeline = all_reduce_pipeline(double_tree(p), segments)
    return pipeline.chunks, pipeline.steps()


def closed_form(p: int, size: float, alpha: float, beta: float, segments: int = SEGMENTS) -> float:
    """Time on one ideal switch, from the loads of the ports.

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
        Pieces that each tree's half of the vector is cut into.

    Returns
    -------
    float, s
        Time.

    Notes
    -----
    A segment takes ``size / (2 segments)`` bytes. A rank at depth d with c children sends one from step
    D - d on (unless it is the root) and c from step D + d on; it receives c from step D - d - 1 on and
    one from step D + d - 1 on (unless it is the root); all of them during `segments` steps. Summed over
    both trees that is the load of its port, out and in; a step takes alpha plus beta times the largest.
    Loads change in O(D) steps only, so this takes O(p D) time. When the pipeline is full, an inner node
    of one tree that is a leaf of the other sends 4 segments per step, hence about 2 n beta in all.

    Examples
    --------
    Two ranks, one segment: each half goes up in one step and down in the next.

    >>> closed_form(2, 1e6, 0.0, 1e-9, segments=1)
    0.001
    >>> round(closed_form(64, 1e6, 0.0, 1e-9, segments=1000) / (2 * 1e6 * 1e-9), 4)
    1.0045
    """
    return all_reduce_pipeline(double_tree(p), segments).time(alpha, size * beta) if p > 1 else 0.0


register(
    Algorithm(
        collective="all_reduce",
        name="double_binary_tree",
        summary="NCCL's two binary trees, half the vector each, pipelined: few steps, full bandwidth",
        formula="(2D+s-1) alpha + L/(2s) n beta, D = depth, s = segments, L = sum over steps of the largest "
        "port load in segments (about 4s); nearly 2 log2(p) alpha + 2 n beta",
        build=build,
        closed_form=closed_form,
        reference="NVIDIA NCCL src/graph/trees.cc; Sanders, Speck, Traff, Two-tree algorithms, ParCo 2009",
        options={"segments": SEGMENTS},
        tunable={"segments": (4, 16)},
    )
)
