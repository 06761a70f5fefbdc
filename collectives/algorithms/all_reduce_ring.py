"""All-reduce on a ring: reduce-scatter, then all-gather."""

from topo_sim.collectives.algorithms.patterns import ring
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
        p.
    steps : list of Step
        Two, each run p - 1 times: in step s of the reduce-scatter rank r sends chunk r - s to r + 1, so
        that it comes to own chunk r + 1; in step s of the all-gather it sends chunk r + 1 - s.

    Examples
    --------
    >>> build(4)
    (4, [<Step: 4 transfers, run 3 times>, <Step: 4 transfers, run 3 times>])
    """
    return p, [ring(p, first=0, reduce=True), ring(p, first=1, reduce=False)]


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
    >>> closed_form(4, 1e6, 0.0, 1e-9)
    0.0015
    """
    return 2 * (p - 1) * (alpha + size * beta / p)


register(
    Algorithm(
        collective="all_reduce",
        name="ring",
        summary="reduce-scatter, then all-gather, from neighbour to neighbour; optimal bandwidth for any p",
        formula="2(p-1) alpha + 2(p-1)/p n beta",
        build=build,
        closed_form=closed_form,
        reference="Patarasuk, Yuan, Bandwidth optimal all-reduce algorithms for clusters of workstations, "
        "JPDC 69(2), 2009",
    )
)
