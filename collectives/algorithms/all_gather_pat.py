"""All-gather by NCCL's PAT: a binomial tree per rank, farthest ranks first."""

from topo_sim.collectives.algorithms.gathers import pat_gather, pat_messages
from topo_sim.collectives.algorithms.registry import Algorithm, register
from topo_sim.collectives.step import Step

__all__ = ["build", "closed_form"]

AGGREGATION = 64
"""Default of the most blocks in a message."""


def build(p: int, aggregation: int = AGGREGATION) -> tuple[int, list[Step]]:
    """Build the schedule.

    Parameters
    ----------
    p : int
        Number of ranks, at least 2.
    aggregation : int
        Most blocks in a message.

    Returns
    -------
    chunks : int
        p.
    steps : list of Step
        Over falling distances 2^k every rank passes on all blocks that it has, at most `aggregation` in a
        step.

    Examples
    --------
    >>> [(s.target.tolist(), s.fraction[0].item()) for s in build(4)[1]]
    [([2, 3, 0, 1], 0.25), ([1, 2, 3, 0], 0.5)]
    """
    return p, pat_gather(p, aggregation)


def closed_form(p: int, size: float, alpha: float, beta: float, aggregation: int = AGGREGATION) -> float:
    """Time on one ideal switch.

    Parameters
    ----------
    p : int
        Number of ranks.
    size : float, B
        The gathered vector.
    alpha : float, s
        Per step.
    beta : float, s/B
        Of a port, each way.
    aggregation : int
        Most blocks in a message.

    Returns
    -------
    float, s
        Time.

    Examples
    --------
    >>> closed_form(8, 1.0, 1.0, 0.0, aggregation=8), closed_form(8, 1.0, 1.0, 0.0, aggregation=1)
    (3.0, 7.0)
    """
    return len(pat_messages(p, aggregation)) * alpha + (p - 1) / p * size * beta


register(
    Algorithm(
        collective="all_gather",
        name="pat",
        summary="NCCL's trees of all ranks at once: log2(p) steps while messages fit the buffers, then "
        "linear",
        formula="T alpha + (p-1)/p n beta, T = sum over k of ceil(B_k/a), B_k = blocks passed on over "
        "distance 2^k, a = aggregation",
        build=build,
        closed_form=closed_form,
        reference="Jeaugey, PAT: a new algorithm for all-gather and reduce-scatter operations at scale, "
        "2025 (arXiv 2506.20252)",
        options={"aggregation": AGGREGATION},
    )
)
