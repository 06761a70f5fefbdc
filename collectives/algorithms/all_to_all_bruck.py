"""All-to-all by Bruck's algorithm, radix 2: few steps, more bytes."""

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.algorithms.patterns import ceil_log2
from topo_sim.collectives.algorithms.registry import Algorithm, register
from topo_sim.collectives.step import ChunkLists, Step

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
        p * p.
    steps : list of Step
        In step k every rank sends to rank + 2^k all chunks that it holds and that still have to go a
        distance with bit k set.

    Examples
    --------
    >>> chunks, steps = build(3)
    >>> [(s.target.tolist(), round(s.fraction[0].item(), 4)) for s in steps]
    [([1, 2, 0], 0.3333), ([2, 0, 1], 0.3333)]
    """
    return p * p, [_hop(p, k) for k in range(ceil_log2(p))]


def closed_form(p: int, size: float, alpha: float, beta: float) -> float:
    """Time on one ideal switch.

    Parameters
    ----------
    p : int
        Number of ranks.
    size : float, B
        What one rank holds to send, a p-th of it for every rank.
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
    0.001
    """
    steps = ceil_log2(p)
    carried = sum(_distances_with_bit(p, k) for k in range(steps))
    return steps * alpha + carried / p * size * beta


def _distances_with_bit(p: int, k: int) -> int:
    """Count the numbers below p that have bit k set."""
    return (p >> (k + 1) << k) + max(0, p % (2 << k) - (1 << k))


def _hop(p: int, k: int) -> Step:
    rank = np.arange(p, dtype=np.int32)
    share = _distances_with_bit(p, k) / p
    return Step(rank, np.roll(rank, -(1 << k)), share, False, _travelling(p, k))


def _travelling(p: int, k: int) -> ChunkLists:
    """Chunks that rank r sends in step k: they have come as far as the lower bits of their distance."""

    def lists() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        distance = np.flatnonzero(np.arange(p) >> k & 1)
        origin = (np.arange(p)[:, np.newaxis] - (distance & ((1 << k) - 1))) % p
        ids = origin * p + (origin + distance) % p
        return np.arange(p + 1) * len(distance), ids.ravel()

    return lists


register(
    Algorithm(
        collective="all_to_all",
        name="bruck",
        summary="chunks travel by the bits of their distance; fewest steps, log2(p)/2 times the bytes",
        formula="ceil(log2 p) alpha + c/p n beta, c = set bits in 0, ..., p-1; "
        "c/p = log2(p)/2 for powers of two",
        build=build,
        closed_form=closed_form,
        reference="Bruck, Ho, Kipnis, Upfal, Weathersby, Efficient algorithms for all-to-all communications "
        "in multiport message-passing systems, TPDS 8(11), 1997",
    )
)
