"""Broadcast along a chain, pipelined."""

from topo_sim.collectives.algorithms.registry import Algorithm, register
from topo_sim.collectives.algorithms.trees import broadcast_pipeline, chain
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
        Every rank passes on segment after segment; steps with the same senders are kept once.

    Examples
    --------
    >>> build(3, segments=4)
    (4, [<Step: 1 transfer>, <Step: 2 transfers, run 3 times>, <Step: 1 transfer>])
    """
    pipeline = broadcast_pipeline(chain(p), segments)
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
    >>> closed_form(3, 1e6, 1.0, 0.0, segments=4), closed_form(3, 1e6, 0.0, 1e-9, segments=4)
    (5.0, 0.00125)
    """
    return (p - 2 + segments) * (alpha + size * beta / segments) if p > 1 else 0.0


register(
    Algorithm(
        collective="broadcast",
        name="chain",
        summary="segments go along a chain; the longer the vector, the closer to n beta",
        formula="(p-2+k) (alpha + n beta/k), k segments; best k = sqrt((p-2) n beta/alpha)",
        build=build,
        closed_form=closed_form,
        reference="Sanders, Speck, Traff, Two-tree algorithms for full bandwidth broadcast, reduction and "
        "scan, ParCo 35(12), 2009",
        options={"segments": SEGMENTS},
        tunable={"segments": (8, 64)},
    )
)
