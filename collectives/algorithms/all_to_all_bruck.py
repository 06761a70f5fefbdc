"""All-to-all by Bruck's algorithm: few steps, more bytes."""

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError
from topo_sim.collectives.algorithms.registry import Algorithm, register
from topo_sim.collectives.step import ChunkLists, Step

__all__ = ["build", "closed_form"]

RADIX = 2
"""Default base of the digits of a distance."""


def build(p: int, radix: int = RADIX) -> tuple[int, list[Step]]:
    """Build the schedule.

    Parameters
    ----------
    p : int
        Number of ranks, at least 2.
    radix : int
        Base of the digits by which chunks travel, at least 2.

    Returns
    -------
    chunks : int
        p * p.
    steps : list of Step
        For every digit k and value v from 1 to radix - 1, every rank sends to rank + v radix^k all chunks
        that it holds and whose distance has that digit.

    Raises
    ------
    CollectiveError
        If the radix is below 2.

    Examples
    --------
    >>> chunks, steps = build(3)
    >>> [(s.target.tolist(), round(s.fraction[0].item(), 4)) for s in steps]
    [([1, 2, 0], 0.3333), ([2, 0, 1], 0.3333)]
    """
    return p * p, [_hop(p, far, unit, radix) for far, unit in _moves(p, radix)]


def closed_form(p: int, size: float, alpha: float, beta: float, radix: int = RADIX) -> float:
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
    radix : int
        Base of the digits by which chunks travel, at least 2.

    Returns
    -------
    float, s
        Time.

    Examples
    --------
    >>> closed_form(4, 1e6, 0.0, 1e-9)
    0.001
    """
    moves = _moves(p, radix)
    carried = sum(len(_distances(p, far, unit, radix)) for far, unit in moves)
    return len(moves) * alpha + carried / p * size * beta


def _moves(p: int, radix: int) -> list[tuple[int, int]]:
    """How far chunks move in each step, and the value of the digit that this clears."""
    if radix < 2:
        raise CollectiveError(f"all_to_all/bruck: radix must be at least 2, not {radix}")
    moves, unit = [], 1
    while unit < p:
        moves += [(value * unit, unit) for value in range(1, radix) if value * unit < p]
        unit *= radix
    return moves


def _distances(p: int, far: int, unit: int, radix: int) -> NDArray[np.int64]:
    """Distances below p with the digit that a step clears."""
    distance = np.arange(p)
    return distance[distance // unit % radix * unit == far]


def _hop(p: int, far: int, unit: int, radix: int) -> Step:
    rank = np.arange(p, dtype=np.int32)
    distance = _distances(p, far, unit, radix)
    return Step(rank, np.roll(rank, -far), len(distance) / p, False, _travelling(p, distance, unit))


def _travelling(p: int, distance: NDArray[np.int64], unit: int) -> ChunkLists:
    """Chunks that every rank sends in a step: they have come as far as the lower digits of their distance."""

    def lists() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        origin = (np.arange(p)[:, np.newaxis] - distance % unit) % p
        ids = origin * p + (origin + distance) % p
        return np.arange(p + 1) * len(distance), ids.ravel()

    return lists


register(
    Algorithm(
        collective="all_to_all",
        name="bruck",
        summary="chunks travel by the digits of their distance; fewest steps, log2(p)/2 times the bytes",
        formula="S alpha + c/p n beta, S = (r-1) log_r(p) steps for radix r, c = digits above 0 in 0 to p-1; "
        "c/p = log2(p)/2 for radix 2 and powers of two",
        build=build,
        closed_form=closed_form,
        reference="Bruck, Ho, Kipnis, Upfal, Weathersby, Efficient algorithms for all-to-all communications "
        "in multiport message-passing systems, TPDS 8(11), 1997",
        options={"radix": RADIX},
        tunable={"radix": (2, 4)},
    )
)
