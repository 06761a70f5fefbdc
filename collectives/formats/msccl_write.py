"""From a schedule to thread blocks: one per peer, direction and channel, with dependencies between them."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError
from topo_sim.collectives.formats.program import MSCCL_NAMES, Block, Op, Place, Program
from topo_sim.collectives.schedule import Schedule
from topo_sim.collectives.step import Step

__all__ = ["program_of"]

_MOST_MESSAGES = 1_000_000
_Key = tuple[str, int, int]
_LOCAL: _Key = ("local", -1, 0)
_NOWHERE = Place("i", -1)


class _Gpu:
    """One rank while its program is being written."""

    def __init__(self, rank: int, schedule: Schedule, in_place: bool) -> None:
        self.rank, self.ranks, self.in_place = rank, schedule.ranks, in_place
        self.collective, self.chunks = schedule.collective.name, schedule.chunks
        self.blocks: dict[_Key, Block] = {}
        self.slots: dict[int, int] = {}
        scattered = self.collective == "reduce_scatter" and not in_place
        self.scratch = self.chunks if scattered else 0
        self.before: dict[_Key, int] = {}  # last operations of the last step that it took part in
        self.now: dict[_Key, int] = {}
        self.sent: set[int] = set()
        self.writers: dict[int, tuple[_Key, int]] = {}

    def place(self, chunk: int) -> Place:
        """Where a chunk lives."""
        if self.collective == "all_to_all":
            each = self.chunks // self.ranks**2
            pair, j = divmod(chunk, each)
            source, target = divmod(pair, self.ranks)
            if source == self.rank:
                return Place("i", target * each + j)
            if target == self.rank:
                return Place("o", source * each + j)
            if chunk not in self.slots:
                self.slots[chunk] = self.room(1).offset
            return Place("s", self.slots[chunk])
        if self.in_place:
            return Place("o" if self.collective == "all_gather" else "i", chunk)
        return Place("s" if self.collective == "reduce_scatter" else "o", chunk)

    def room(self, count: int) -> Place:
        """Take fresh scratch."""
        self.scratch += count
        return Place("s", self.scratch - count)

    def add(self, key: _Key, op: Op, after: Iterable[tuple[_Key, int]] = ()) -> int:
        """Append an operation that waits for others; all but one wait is a nop before it."""
        if key not in self.blocks:
            way, peer, channel = key
            self.blocks[key] = Block(peer if way == "s" else -1, peer if way == "r" else -1, channel)
        waits = dict(self.before) if key not in self.now else {}
        for block, step in after:
            waits[block] = max(step, waits.get(block, -1))
        waits.pop(key, None)
        ops, order = self.blocks[key].ops, list(self.blocks)
        named = [(order.index(block), step) for block, step in waits.items()]
        ops += [Op("nop", _NOWHERE, _NOWHERE, 0, wait) for wait in named[:-1]]
        ops.append(replace(op, after=named[-1] if named else None))
        self.now[key] = len(ops) - 1
        return len(ops) - 1

    def end_step(self) -> None:
        """Let what follows wait for what this step did."""
        if self.now:
            self.before, self.now = self.now, {}
        self.sent, self.writers = set(), {}

    def send(self, peer: int, channel: int, ids: list[int], number: int) -> None:
        """Send chunks, packed into scratch first if they do not lie side by side."""
        key, places = ("s", peer, channel), [self.place(k) for k in ids]
        start = places[0]
        if not _side_by_side(places):
            start = self.room(len(ids))
            for done, first, count in _runs(places):
                self.add(key, Op("cpy", first, Place("s", start.offset + done), count))
        self.add(key, Op("s", start, start, len(ids), round=number))
        self.sent.update(ids)

    def receive(self, peer: int, channel: int, ids: list[int], reduce: bool) -> None:
        """Receive chunks: in place, or into scratch where that would change what is being sent."""
        key, places = ("r", peer, channel), [self.place(k) for k in ids]
        earlier = [self.writers[k] for k in ids if k in self.writers]
        conflict = not self.sent.isdisjoint(ids)
        if _side_by_side(places) and not conflict:
            step = self.add(key, Op("rrc" if reduce else "r", places[0], places[0], len(ids)), earlier)
        else:
            start = self.room(len(ids))
            self.add(key, Op("r", start, start, len(ids)))
            reads = [(block, at) for block, at in self.now.items() if block[0] == "s"] if conflict else []
            for done, first, count in _runs(places):
                op = Op("re" if reduce else "cpy", Place("s", start.offset + done), first, count)
                step = self.add(key, op, [*reads, *earlier])
        self.writers.update(dict.fromkeys(ids, (key, step)))

    def copy_in(self) -> None:
        """Bring the input to where it is worked on."""
        own = self.chunks // self.ranks
        target, count = {
            "all_reduce": (Place("o", 0), self.chunks),
            "broadcast": (Place("o", 0), self.chunks if self.rank == 0 else 0),
            "all_gather": (Place("o", self.rank * own), own),
            "reduce_scatter": (Place("s", 0), self.chunks),
            "all_to_all": (Place("o", self.rank * own // self.ranks), own // self.ranks),
        }[self.collective]
        first = self.rank * count if self.collective == "all_to_all" else 0
        if count:
            self.add(_LOCAL, Op("cpy", Place("i", first), target, count))
            if self.collective == "all_to_all":
                self.now = {}  # nothing waits for what a rank keeps
            self.end_step()

    def copy_out(self) -> None:
        """Bring the result to the output."""
        own = self.chunks // self.ranks
        if self.collective == "reduce_scatter":
            self.add(_LOCAL, Op("cpy", Place("s", self.rank * own), Place("o", 0), own))


def _side_by_side(places: list[Place]) -> bool:
    return all(a.buffer == b.buffer and a.offset + 1 == b.offset for a, b in pairwise(places))


def _runs(places: list[Place]) -> Iterator[tuple[int, Place, int]]:
    """Cut places into runs that lie side by side: how many came before, the first, how many."""
    start = 0
    for end in range(1, len(places) + 1):
        if end == len(places) or not _side_by_side(places[end - 1 : end + 1]):
            yield start, places[start], end - start
            start = end


def program_of(schedule: Schedule, *, in_place: bool = True, name: str | None = None) -> Program:
    """Write a schedule as a program of thread blocks.

    Parameters
    ----------
    schedule : Schedule
        Its size does not matter.
    in_place : bool
        Whether input and output are the same memory. All-to-all always has two.
    name : str, optional
        Default: collective and algorithm.

    Returns
    -------
    Program

    Raises
    ------
    CollectiveError
        If there are more than a million messages, or MSCCL has no such collective.

    Notes
    -----
    A rank starts a step when all that it did in the step before has ended. Every transfer is one message:
    chunks that are scattered are packed into scratch, and unpacked from it. Several transfers between two
    ranks in one step go over channels of their own. What arrives for a chunk that the rank is sending in
    the same step waits in scratch. A program has no steps across ranks, so a send also says which step it
    belongs to: readers that do not know the attribute ``round`` leave it out.

    Examples
    --------
    >>> from topo_sim.collectives import build_schedule
    >>> program = program_of(build_schedule("all_reduce", "ring", 4, 0))
    >>> [[op.kind for op in block.ops] for block in program.gpus[0]]
    [['s', 's', 's', 's', 's', 's'], ['rrc', 'rrc', 'rrc', 'r', 'r', 'r']]
    """
    collective, p = schedule.collective, schedule.ranks
    if collective.name not in MSCCL_NAMES:
        raise CollectiveError(
            f"msccl: found {collective.name}, expected one of {', '.join(sorted(MSCCL_NAMES))}"
        )
    if schedule.in_network or schedule.weights is not None:
        raise CollectiveError(
            f"msccl: {schedule!r} has sums in switches or unequal chunks, expected equal chunks between ranks"
        )
    if schedule.message_count > _MOST_MESSAGES:
        raise CollectiveError(
            f"msccl: {schedule!r} has {schedule.message_count} messages, expected {_MOST_MESSAGES} at most"
        )
    in_place = in_place and collective.name != "all_to_all"
    gpus = [_Gpu(rank, schedule, in_place) for rank in range(p)]
    if not in_place:
        for gpu in gpus:
            gpu.copy_in()
    number = 0
    for step in schedule.steps:
        for repetition in range(step.repeat):
            _run(gpus, step, step.carried(repetition, schedule.chunks), number)
            number += 1
    if not in_place:
        for gpu in gpus:
            gpu.copy_out()
    return Program(
        name or f"{collective.name}_{schedule.algorithm}_{p}",
        collective,
        p,
        int(schedule.chunks // collective.volume(p)),
        in_place,
        [list(gpu.blocks.values()) for gpu in gpus],
        [gpu.scratch for gpu in gpus],
    )


def _run(
    gpus: list[_Gpu], step: Step, carried: tuple[NDArray[np.int64], NDArray[np.int64]], number: int
) -> None:
    """Add one step: first what is sent, then what arrives."""
    indptr, ids = carried
    lists = [part.tolist() for part in np.split(ids, indptr[1:-1])]
    sources, targets, combines = step.source.tolist(), step.target.tolist(), step.reduce.tolist()
    seen: dict[tuple[int, int], int] = {}
    channels = []
    for pair in zip(sources, targets, strict=True):
        channels.append(seen.get(pair, 0))
        seen[pair] = channels[-1] + 1
    for s, t, channel, chunks in zip(sources, targets, channels, lists, strict=True):
        gpus[s].send(t, channel, chunks, number)
    for s, t, channel, chunks, combine in zip(sources, targets, channels, lists, combines, strict=True):
        gpus[t].receive(s, channel, chunks, combine)
    for rank in {*sources, *targets}:
        gpus[rank].end_step()
