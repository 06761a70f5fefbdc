"""Send/recv: every rank sends to the next one."""

import numpy as np

from topo_sim.collectives.algorithms.registry import Algorithm, register
from topo_sim.collectives.step import Step, runs

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
        One; the last rank sends to rank 0.

    Examples
    --------
    >>> build(3)[1][0].target.tolist()
    [1, 2, 0]
    """
    rank = np.arange(p, dtype=np.int32)
    return p, [Step(rank, np.roll(rank, -1), 1.0, False, runs(lambda: rank))]


def closed_form(p: int, size: float, alpha: float, beta: float) -> float:
    """Time on one ideal switch.

    Parameters
    ----------
    p : int
        Number of ranks.
    size : float, B
        What every rank sends.
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
    >>> closed_form(3, 1e6, 1.0, 1e-9)
    1.001
    """
    return alpha + size * beta if p > 1 else 0.0


register(
    Algorithm(
        collective="send_recv",
        name="direct",
        summary="one message from every rank to the next",
        formula="alpha + n beta",
        build=build,
        closed_form=closed_form,
        reference="NVIDIA nccl-tests, sendrecv",
    )
)
