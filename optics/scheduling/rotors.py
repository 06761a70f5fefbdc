"""Fixed rotations of circuits, whatever the demand: what rotor, rotor_vlb and opera share."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.optics.scheduling.plan import Relays, Run
from topo_sim.optics.scheduling.problem import Problem
from topo_sim.optics.scheduling.rotor_kernels import turn
from topo_sim.optics.scheduling.timeline import SlotTimes

__all__ = ["rotate", "slot_length"]

_MOST_SLOTS = 200_000
_BLOCK = 1024
_CELLS = 2**23  # planes times moments of change, in what is looked at in one go
_FINEST = 16
_SHORTEST = 1e-3  # of a change: far shorter slots would be lost in the rounding of times
_ROUNDING = 1e-12  # so that what just fits into a slot does

Pieces = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]


def slot_length(problem: Problem, slot: float | None, busiest: float, needed: float) -> float:
    """Say how long rotors stand with light.

    Parameters
    ----------
    problem : Problem
    slot : float, s, or None
        From change to change, where the caller asks for one.
    busiest : float, B
        What would be served in one turn: slots need not last longer than that takes.
    needed : float, B
        What all turns of a pair carry at least, to refuse slots that would be too many.

    Returns
    -------
    float, s
        Without the dark time. By default nine times `delta`, within 1/16 and all of what one turn serves, and
        never less than a thousandth of `delta`.
    """
    most = busiest / problem.rate * (1 + _ROUNDING)
    if slot is None:
        return min(max(9 * problem.delta, most / _FINEST), most)
    live = slot - problem.delta
    if live < _SHORTEST * problem.delta or live <= 0:
        least = problem.delta * (1 + _SHORTEST)
        raise UsageError(
            f"slot: found {slot:g} s, expected at least {least:g} s: a change takes {problem.delta:g} s"
        )
    turns = needed / (live * problem.rate) * max(problem.ranks - 1, 1) / problem.planes
    if turns > _MOST_SLOTS:
        least = problem.delta + live * turns / _MOST_SLOTS
        raise UsageError(f"slot: found {slot:g} s, expected at least {least:.3g} s for this demand")
    return live


def _pieces(p: Problem, live: float, stagger: bool) -> Iterator[Pieces]:
    """Blocks of matchings that rotors hold: matching, plane, start and duration; without end."""
    planes = np.arange(p.planes)
    # Planes that change in turn make a moment each: every slot is planes**2 cells.
    block = max(2, min(_BLOCK, _CELLS // p.planes**2)) if stagger else _BLOCK
    late = -p.delta if p.first_free else 0.0
    slot, first = live + p.delta, 0
    while True:
        step = np.arange(first, first + block)[:, None]
        begin = np.broadcast_to(late + step * slot, (block, p.planes)).copy()
        if stagger and p.planes > 1:  # rotor q changes (q + 1) / planes of a slot after the start
            begin = np.where(step == 0, late, (step - 1) * slot + slot * (planes + 1) / p.planes)
        after = begin + slot
        if stagger and p.planes > 1:
            after = np.where(step == 0, slot * (planes + 1) / p.planes, begin + slot)
        start = begin + p.delta
        matching = (step * p.planes + planes) % (p.ranks - 1)
        lit = after > start
        yield (
            matching[lit], np.broadcast_to(planes, lit.shape)[lit], start[lit], (after - start)[lit]
        )  # fmt: skip
        first += block


def _intervals(
    pieces: Pieces, planes: int, since: float
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], float]:
    """Cut time where any rotor changes: shift of each plane, start and length; and where the block ends."""
    matching, plane, start, live = pieces
    end = start + live
    until = min(float(end[plane == q].max()) for q in np.unique(plane))
    edges = np.unique(np.concatenate([[since], start, end]))
    edges = edges[(edges >= since) & (edges <= until)]
    shift = np.zeros((max(edges.size - 1, 0), planes), dtype=np.int64)
    low = np.searchsorted(edges, np.maximum(start, since))
    high = np.searchsorted(edges, np.minimum(end, until))
    count = np.maximum(high - low, 0)
    piece = np.repeat(np.arange(start.size), count)
    row = np.arange(piece.size) - np.repeat(np.cumsum(count) - count - low, count)
    shift[row, plane[piece]] = matching[piece] + 1
    return shift, edges[:-1].copy(), np.diff(edges), until


def _joined(blocks: list[Pieces]) -> Pieces:
    matching, plane, start, live = (np.concatenate(one) for one in zip(*blocks, strict=True))
    return matching, plane, start, live


def rotate(problem: Problem, live: float, *, stagger: bool = False, relay: bool = False) -> Run:
    """Turn through the N - 1 rotations until the demand is served.

    Parameters
    ----------
    problem : Problem
    live : float, s
        How long a rotor stands with light, from one change to the next.
    stagger : bool
        Whether planes change in turn, ``slot / planes`` apart, not together.
    relay : bool
        Whether a rank may hand bytes for a third rank over to the one that it faces.

    Returns
    -------
    Run

    Notes
    -----
    In slot t plane q joins rank i to rank i + 1 + (t planes + q) mod (N - 1), as `CircuitSchedule.rotor`
    does. On a circuit go first bytes that wait there as a relay, then its own; into what room is left, own
    bytes for other ranks, in equal shares, as far as the rank opposite can pass them on in one turn of its
    own. What a relay takes in an interval between two changes leaves it in a later one.
    """
    n = problem.ranks
    if n > 1 and problem.planes % (n - 1) == 0:  # every rotor has one matching only and never turns
        live = problem.busiest / problem.rate * (1 + _ROUNDING)
    live = max(live, _SHORTEST * problem.delta)
    kept, state, end, excess = _turn(problem, live, stagger and problem.stop != "all", relay)
    rotations = ((np.arange(n) + np.arange(1, n)[:, None]) % n).astype(np.int32)
    matching, plane, begin, light = _joined(kept)
    on = begin < end * (1 - _ROUNDING)
    times = SlotTimes(
        rotations, matching[on], plane[on], begin[on], np.minimum(light, end - begin + _ROUNDING * end)[on]
    )
    own, left, direct, given, taken, passed, handed = state
    relays = Relays(given, taken, passed, left, handed, direct + handed + passed, excess) if relay else None
    return Run(times, direct + given, own.copy(), end, relays)


def _turn(
    p: Problem, live: float, stagger: bool, relay: bool
) -> tuple[list[Pieces], NDArray[np.float64], float, float]:
    """Turn until all is served: what rotors held, the last state, when the last byte left, and excess."""
    kept: list[Pieces] = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))]
    state, spare = np.zeros((7, p.ranks, p.ranks)), np.zeros((p.planes, p.ranks))
    state[0] = p.bytes
    end, excess, since = 0.0, 0.0, 0.0
    blocks = _pieces(p, live, stagger)
    used = -1 if p.busiest else 0
    while used < 0:
        kept.append(next(blocks))
        shift, start, length, until = _intervals(_joined(kept[-2:]), p.planes, since)
        used, last, over = turn(
            shift, start, length, p.rate, p.packet_rate, relay, p.rate * live, state, spare
        )
        end, excess, since = max(end, last), max(excess, over), until
    return kept, state, end, excess
