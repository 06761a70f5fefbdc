"""All-reduce along a tree of switches that sum up on the way and copy on the way back (SHARP)."""

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.algorithms.registry import Algorithm, Plan, register
from topo_sim.collectives.algorithms.shapes import tree_levels
from topo_sim.collectives.algorithms.trees import Pipeline

__all__ = ["build", "closed_form"]

SEGMENTS = 8
"""Default number of segments."""


def build(p: int, segments: int = SEGMENTS, tree: object = None) -> Plan:
    """Build the schedule.

    Parameters
    ----------
    p : int
        Number of ranks, at least 2.
    segments : int
        Pieces that the vector is cut into.
    tree : tuple of int, int, str or None
        Ranks under a first-level switch, such switches under one of the second level, and so on; None: all
        ranks under one switch.

    Returns
    -------
    Plan
        A reducer per switch of the tree, first level first, and 2 h + k - 1 steps for a tree of height h:
        segment after segment goes up, a level per step, and from the root at once down again.

    Examples
    --------
    >>> plan = build(4, segments=1, tree=(2, 2))
    >>> plan.reducers, [(s.source.tolist(), s.target.tolist()) for s in plan.steps[:2]]
    (3, [([0, 1, 2, 3], [4, 4, 5, 5]), ([4, 5], [6, 6])])
    """
    levels = tree_levels(tree, p)
    lower, upper, height = _edges(p, levels)
    high = len(levels)
    pipeline = Pipeline(
        np.concatenate([lower, upper]),
        np.concatenate([upper, lower]),
        np.concatenate([height, 2 * high - 1 - height]),
        np.zeros(2 * len(lower), dtype=np.int64),
        np.repeat([True, False], len(lower)),
        segments,
        1,
    )
    return Plan(segments, pipeline.steps(), reducers=int(upper.max()) + 1 - p)


def closed_form(
    p: int, size: float, alpha: float, beta: float, segments: int = SEGMENTS, tree: object = None
) -> float:
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
    tree : tuple of int, int, str or None
        Ranks under a first-level switch, such switches under one of the second level, and so on; None: all
        ranks under one switch.

    Returns
    -------
    float, s
        Time.

    Examples
    --------
    >>> closed_form(4, 1e6, 0.0, 1e-9, segments=1000), closed_form(4, 1e6, 1.0, 0.0, segments=1)
    (0.001001, 1.0)
    """
    high = len(tree_levels(tree, p))
    return (2 * high + segments - 1) * (alpha / 2 + size * beta / segments) if p > 1 else 0.0


def _edges(p: int, levels: tuple[int, ...]) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """Lower end, upper end and level of the lower end of every edge of the tree."""
    lower, upper, height = [], [], []
    first, count = 0, p
    for level, below in enumerate(levels):
        lower.append(first + np.arange(count))
        upper.append(first + count + np.arange(count) // below)
        height.append(np.full(count, level))
        first, count = first + count, count // below
    return (
        np.concatenate(lower).astype(np.int32),
        np.concatenate(upper).astype(np.int32),
        np.concatenate(height),
    )


register(
    Algorithm(
        collective="all_reduce",
        name="sharp",
        summary="sums up a tree of switches, copies down again: nearly n beta, so busbw may exceed the link",
        formula="(2h+k-1) (alpha/2 + n beta/k), tree of height h, k segments",
        build=build,
        closed_form=closed_form,
        reference="Graham et al., Scalable hierarchical aggregation protocol (SHArP), COMHPC 2016",
        options={"segments": SEGMENTS, "tree": None},
        tunable={"segments": (1, 8, 64)},
        switches="sharp",
    )
)
