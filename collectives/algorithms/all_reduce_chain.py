"""All-reduce along a chain, pipelined: up to rank 0 and back."""

from topo_sim.collectives.algorithms.registry import Algorithm, register
from topo_sim.collectives.algorithms.trees import all_reduce_pipeline, chain
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
    >>> build(3, segments=2)[1]
    [<Step: 1 transfer>, <Step: 2 transfers>, <Step: 2 transfers>, <Step: 2 transfers>, <Step: 1 transfer>]
    """
    pipeline = all_reduce_pipeline(chain(p), segments)
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
    >>> closed_form(3, 1e6, 1.0, 0.0, segments=2), closed_form(2, 1e6, 0.0, 1e-9, segments=1)
    (5.0, 0.002)
    """
    if p == 1:
        return 0.0
    steps = 2 * (p - 1) + segments - 1
    both = segments - 1 if p > 2 and segments > 2 else 0
    return steps * alpha + (steps + both) / segments * size * beta


register(
    Algorithm(
        collective="all_reduce",
        name="chain",
        summary="segments go along a chain to rank 0 and back; suits few ranks and long vectors",
        formula="(2(p-1)+k-1) alpha + (2(p-1)+2(k-1))/k n beta for k > 2 segments and p > 2",
        build=build,
        closed_form=closed_form,
        reference="Sanders, Speck, Traff, Two-tree algorithms for full bandwidth broadcast, reduction and "
        "scan, ParCo 35(12), 2009",
        options={"segments": SEGMENTS},
        tunable={"segments": (8, 64)},
    )
)
