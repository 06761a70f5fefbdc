"""Data races of a program of thread blocks: two steps at one chunk, one of them a write, in no order."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from topo_sim.collectives.formats.program import Op, Place

__all__ = ["Race", "accesses", "find_race"]

_BATCH = 4096


class Race(NamedTuple):
    """Two steps that meet at a place, and nothing says which comes first.

    Parameters
    ----------
    first, second : int
        Operations, by number.
    place : Place
    writes : tuple of bool
        Whether the first writes, and the second.
    """

    first: int
    second: int
    place: Place
    writes: tuple[bool, bool]


def accesses(op: Op) -> Iterator[tuple[Place, bool]]:
    """List the places that an operation reads, then those that it writes.

    Parameters
    ----------
    op : Op

    Yields
    ------
    place : Place
    writes : bool

    Examples
    --------
    >>> here = Place("i", 0)
    >>> [writes for _, writes in accesses(Op("rrcs", here, here))]
    [False, True]
    """
    reads = [op.source] if op.kind in ("s", "cpy", "re") else []
    reads += [op.target] if op.kind in ("rrs", "rrc", "rrcs", "re") else []
    writes = [op.target] if op.kind in ("r", "rcs", "rrc", "rrcs", "cpy", "re") else []
    for places, is_write in ((reads, False), (writes, True)):
        for place in places:
            for i in range(op.count):
                yield Place(place.buffer, place.offset + i), is_write


def find_race(
    ops: Sequence[tuple[int, Op]],
    before: Sequence[Sequence[int]],
    order: Sequence[int],
    home: Callable[[int, Place], Place],
) -> Race | None:
    """Look for two operations at one place, one of them a write, that are in no order.

    Parameters
    ----------
    ops : sequence of (int, Op)
        Rank and operation.
    before : sequence of sequence of int
        For each operation those that it waits for: of its thread block, by dependence, by message.
    order : sequence of int
        All operations, each after those that it waits for.
    home : callable
        Where a place of a rank lies in memory.

    Returns
    -------
    Race or None
        The earliest in the order.

    Notes
    -----
    In the order given, every read must follow the write before it, and every write the reads and the write
    before it; then all are ordered. Which operations a given one follows is worked out for 4,096 of them
    at a time, as bits: O(operations^2 / 64) in all.

    References
    ----------
    Lamport, "Time, clocks, and the ordering of events in a distributed system", CACM 21(7), 1978.

    Examples
    --------
    Two thread blocks write chunk 0, and none waits for the other:

    >>> write = Op("cpy", Place("i", 0), Place("o", 0))
    >>> find_race([(0, write), (0, write)], [[], []], [0, 1], lambda rank, place: place).place
    Place(buffer='o', offset=0)
    >>> find_race([(0, write), (0, write)], [[], [0]], [0, 1], lambda rank, place: place) is None
    True
    """
    wanted = _meetings(ops, before, order, home)
    position = {at: i for i, at in enumerate(order)}
    sources = sorted({race.first for race in wanted}, key=position.__getitem__)
    found: list[Race] = []
    for low in range(0, len(sources), _BATCH):
        bit = {at: 1 << i for i, at in enumerate(sources[low : low + _BATCH])}
        follows = [0] * len(ops)
        for at in order:
            seen = bit.get(at, 0)
            for earlier in before[at]:
                seen |= follows[earlier]
            follows[at] = seen
        found += [race for race in wanted if race.first in bit and not follows[race.second] & bit[race.first]]
    return min(found, key=lambda race: (position[race.second], position[race.first]), default=None)


def _meetings(
    ops: Sequence[tuple[int, Op]],
    before: Sequence[Sequence[int]],
    order: Sequence[int],
    home: Callable[[int, Place], Place],
) -> list[Race]:
    """Pairs of operations that must be in order, those left out that wait for each other directly."""
    written: dict[tuple[int, Place], int] = {}
    read: dict[tuple[int, Place], list[int]] = {}
    wanted: dict[tuple[int, int], Race] = {}

    def meet(first: int, second: int, place: Place, writes: tuple[bool, bool]) -> None:
        if first != second and first not in before[second]:
            wanted.setdefault((first, second), Race(first, second, place, writes))

    for at in order:
        rank, op = ops[at]
        for place, writes in accesses(op):
            key = rank, home(rank, place)
            if key in written:
                meet(written[key], at, place, (True, writes))
            if not writes:
                read.setdefault(key, []).append(at)
                continue
            for earlier in read.pop(key, ()):
                meet(earlier, at, place, (False, True))
            written[key] = at
    return list(wanted.values())
