"""From thread blocks to a schedule: run the program once, see what every message holds, and order them."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from topo_sim.base import CollectiveError
from topo_sim.base.files.faults import Faults
from topo_sim.collectives.formats.msccl_races import find_race
from topo_sim.collectives.formats.program import RECEIVING, SENDING, Op, Place, Program
from topo_sim.collectives.replay import replay
from topo_sim.collectives.schedule import Schedule
from topo_sim.collectives.step import Step

__all__ = ["schedule_of"]

_MOST_PASSES = 10_000
_Value = tuple[int, int]
"""A chunk, and the ranks whose contributions it holds, as bits."""


@dataclass
class _Message:
    source: int
    target: int
    values: list[_Value]
    depth: int = 0
    floor: int = 0


@dataclass
class _Node:
    """An operation in its place in the program."""

    rank: int
    block: int
    step: int
    op: Op
    before: list[int] = field(default_factory=list)
    incoming: int = -1  # the operation that sends what this one receives


@dataclass
class _Run:
    program: Program
    faults: Faults
    nodes: list[_Node] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    messages: dict[int, _Message] = field(default_factory=dict)

    def refuse(self, node: _Node, text: str) -> Exception:
        """Return the error that an operation is at fault."""
        return self.faults.refuse(("gpu", node.rank, "tb", node.block, "step"), text, node.op.line or None)


def schedule_of(program: Program, faults: Faults) -> Schedule:
    """Work out the schedule of a program, and prove that it does its collective.

    Parameters
    ----------
    program : Program
    faults : Faults
        Named after the file.

    Returns
    -------
    Schedule
        Of size 0; read its cost at any size.

    Raises
    ------
    FaultsError
        If sends and receives do not match, operations wait for each other, two steps meet at a chunk and
        nothing says which comes first, a chunk is read that is not there, different
        chunks are reduced, or an output is wrong in the end.
    CollectiveError
        If a rank keeps several versions of a chunk at once, which a schedule cannot say.

    Notes
    -----
    Each message goes in the first step in which it can, but not before its round, if the file says one:
    after what its thread block did before, and after what that waited for; what a rank still sends without
    the message's contributions goes no later. Copies and reductions inside a rank take no time. A receiver
    that reduces reads and writes the chunks at its destination.

    Examples
    --------
    >>> from topo_sim.collectives import build_schedule
    >>> from topo_sim.collectives.formats.msccl_write import program_of
    >>> ring = build_schedule("all_reduce", "ring", 4, 0)
    >>> schedule_of(program_of(ring), Faults("a.xml"))
    <Schedule: all_reduce/all_reduce_ring_4, 4 ranks, 0 B, 6 steps, 24 messages>
    """
    run = _Run(program, faults)
    _build(run)
    _sort(run)
    _check_races(run)
    memory = _execute(run)
    _check_outputs(run, memory)
    _order(run)
    schedule = _schedule(run)
    try:
        replay(schedule)
    except CollectiveError as error:
        raise CollectiveError(
            f"{faults.file}: the program is no schedule of one version per chunk and rank ({error})"
        ) from None
    return schedule


def _build(run: _Run) -> None:
    """List the operations, what each must wait for, and which send meets which receive."""
    first: dict[tuple[int, int], int] = {}
    for rank, blocks in enumerate(run.program.gpus):
        for number, block in enumerate(blocks):
            first[rank, number] = len(run.nodes)
            run.nodes += [_Node(rank, number, s, op) for s, op in enumerate(block.ops)]
    sends: dict[tuple[int, int, int], list[int]] = {}
    receives: dict[tuple[int, int, int], list[int]] = {}
    for rank, blocks in enumerate(run.program.gpus):
        for number, block in enumerate(blocks):
            for s, op in enumerate(block.ops):
                at = first[rank, number] + s
                if s:
                    run.nodes[at].before.append(at - 1)
                if op.after:
                    run.nodes[at].before.append(first[rank, op.after[0]] + op.after[1])
                if op.kind in SENDING:
                    sends.setdefault((rank, block.send, block.channel), []).append(at)
                if op.kind in RECEIVING:
                    receives.setdefault((block.recv, rank, block.channel), []).append(at)
    for key in sorted(sends.keys() | receives.keys()):
        _match(run, key, sends.get(key, []), receives.get(key, []))


def _match(run: _Run, key: tuple[int, int, int], sent: list[int], received: list[int]) -> None:
    if len(sent) != len(received):
        node = run.nodes[(sent or received)[-1]]
        what = f"found {len(sent)} sends and {len(received)} receives from {key[0]} to {key[1]}"
        raise run.refuse(node, f"{what} on channel {key[2]}, expected as many")
    for a, b in zip(sent, received, strict=True):
        counts = run.nodes[a].op.count, run.nodes[b].op.count
        if counts[0] != counts[1]:
            what = f"found {counts[1]} chunks received where rank {key[0]} sends {counts[0]}"
            raise run.refuse(run.nodes[b], f"{what}, expected as many")
        run.nodes[b].incoming = a


def _sort(run: _Run) -> None:
    """Order the operations so that each follows what it waits for."""
    waits = [len(node.before) + (node.incoming >= 0) for node in run.nodes]
    after: list[list[int]] = [[] for _ in run.nodes]
    for at, node in enumerate(run.nodes):
        for earlier in [*node.before, *([node.incoming] if node.incoming >= 0 else [])]:
            after[earlier].append(at)
    ready = deque(at for at, count in enumerate(waits) if not count)
    while ready:
        at = ready.popleft()
        run.order.append(at)
        for later in after[at]:
            waits[later] -= 1
            if not waits[later]:
                ready.append(later)
    if len(run.order) < len(run.nodes):
        stuck = next(node for at, node in enumerate(run.nodes) if waits[at])
        raise run.refuse(stuck, "found operations that wait for each other, expected one that can start")


def _check_races(run: _Run) -> None:
    """Hold every read and write of a chunk against every write of it."""
    before = [[*n.before, *([n.incoming] if n.incoming >= 0 else [])] for n in run.nodes]
    ops = [(node.rank, node.op) for node in run.nodes]
    race = find_race(ops, before, run.order, lambda rank, place: _home(run.program, rank, place))
    if race is None:
        return
    first, second = run.nodes[race.first], run.nodes[race.second]
    did, does = ("written" if writes else "read" for writes in race.writes)
    raise run.refuse(
        second,
        f"found chunk {race.place.offset} of {race.place.buffer} {does} in step {second.step}, and {did} by "
        f"tb {first.block} step {first.step} of the same gpu in no order with it, expected a depid "
        "and deps that order them",
    )


def _home(program: Program, rank: int, place: Place) -> Place:
    """Where a place lies if input and output are the same memory."""
    if not program.in_place or place.buffer == "s":
        return place
    own = program.chunks // program.ranks
    name = program.collective.name
    if name == "all_gather":
        return Place("o", place.offset + (rank * own if place.buffer == "i" else 0))
    if name == "reduce_scatter" and place.buffer == "o":
        return Place("i", place.offset + rank * own)
    return Place("i", place.offset)


def _inputs(program: Program, rank: int) -> dict[Place, _Value]:
    """Return what a rank holds before."""
    name, chunks = program.collective.name, program.chunks
    own, mine = chunks // program.ranks, 1 << rank
    if name == "all_gather":
        held = [(k, rank * own + k) for k in range(own)]
    elif name == "all_to_all":
        held = [(k, rank * chunks + k) for k in range(chunks)]
    else:
        held = [(k, k) for k in range(chunks if name != "broadcast" or rank == 0 else 0)]
    return {_home(program, rank, Place("i", k)): (chunk, mine) for k, chunk in held}


def _execute(run: _Run) -> list[dict[Place, _Value]]:
    """Run every operation once, in order, on chunks and contributors."""
    program = run.program
    memory = [_inputs(program, rank) for rank in range(program.ranks)]
    for at in run.order:
        node, op = run.nodes[at], run.nodes[at].op
        if op.kind == "nop":
            continue
        held = memory[node.rank]
        if op.kind in RECEIVING:
            values = run.messages[node.incoming].values
        else:
            values = _load(run, node, held, op.source)
        if op.kind in ("rrs", "rrc", "rrcs", "re"):
            values = _combine(run, node, _load(run, node, held, op.target), values)
        if op.kind not in ("s", "rrs"):
            for i, value in enumerate(values):
                place = _home(program, node.rank, Place(op.target.buffer, op.target.offset + i))
                held[place] = value
        if op.kind in SENDING:
            peer = program.gpus[node.rank][node.block].send
            run.messages[at] = _Message(node.rank, peer, values, floor=op.round)
    return memory


def _load(run: _Run, node: _Node, held: dict[Place, _Value], place: Place) -> list[_Value]:
    values = []
    for i in range(node.op.count):
        value = held.get(_home(run.program, node.rank, Place(place.buffer, place.offset + i)))
        if value is None:
            what = f"found chunk {place.offset + i} of {place.buffer} read before anything is there"
            raise run.refuse(node, f"{what}, expected data")
        values.append(value)
    return values


def _combine(run: _Run, node: _Node, ours: list[_Value], theirs: list[_Value]) -> list[_Value]:
    if not run.program.collective.reduces:
        raise run.refuse(
            node, f'found "{node.op.kind}" in {run.program.collective.title}, expected no reduction'
        )
    for (a, _), (b, _) in zip(ours, theirs, strict=True):
        if a != b:
            raise run.refuse(node, f"found chunk {b} reduced into chunk {a}, expected the same chunk")
    for (chunk, mine), (_, more) in zip(ours, theirs, strict=True):
        if mine & more:
            rank = (mine & more).bit_length() - 1
            what = f"found rank {rank}'s contribution to chunk {chunk} reduced twice"
            raise run.refuse(node, f"{what}, expected each once")
    return [(chunk, mine | more) for (chunk, mine), (_, more) in zip(ours, theirs, strict=True)]


def _check_outputs(run: _Run, memory: list[dict[Place, _Value]]) -> None:
    program, p = run.program, run.program.ranks
    name, chunks = program.collective.name, program.chunks
    own, everyone = chunks // p, (1 << p) - 1
    for rank, held in enumerate(memory):
        for k in range(own if name == "reduce_scatter" else chunks):
            chunk = {"reduce_scatter": rank * own + k, "all_to_all": 0}.get(name, k)
            if name == "all_to_all":
                source, j = divmod(k, own)
                chunk = (source * p + rank) * own + j
            value = held.get(_home(program, rank, Place("o", k)))
            if value is None or value[0] != chunk or (program.collective.reduces and value[1] != everyone):
                found = "nothing" if value is None else f"chunk {value[0]} of {value[1].bit_count()} ranks"
                whole = f" of all {p} ranks" if program.collective.reduces else ""
                what = f"found {found} in chunk {k} of the output, expected chunk {chunk}{whole}"
                raise run.faults.refuse(("gpu", rank), f"after the last step: {what}")


def _holds(run: _Run) -> dict[int, list[int]]:
    """For each message, those that leave its target without its contributions: it may not come before."""
    if not run.program.collective.reduces:
        return {}
    sent: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for key, message in run.messages.items():
        for chunk, mask in message.values:
            sent.setdefault((message.source, chunk), []).append((key, mask))
    return {
        key: [
            other
            for chunk, mask in message.values
            for other, version in sent.get((message.target, chunk), [])
            if mask & ~version
        ]
        for key, message in run.messages.items()
    }


def _order(run: _Run) -> None:
    """Give each message the first step that it can go in."""
    holds = _holds(run)
    for _ in range(min(len(run.messages), _MOST_PASSES) + 2):
        free = [0] * len(run.nodes)  # first step in which something may follow
        for at in run.order:
            node = run.nodes[at]
            start = max((free[b] for b in node.before), default=0)
            if node.incoming >= 0:
                start = max(start, run.messages[node.incoming].depth + 1)
            if at in run.messages:
                message = run.messages[at]
                message.depth = max(start, message.floor)
                start = message.depth + 1
            free[at] = start
        moved = False
        for key, others in holds.items():
            least = max((run.messages[other].depth for other in others), default=0)
            if run.messages[key].depth < least:
                run.messages[key].floor, moved = least, True
        if not moved:
            return
    raise CollectiveError(
        f"{run.faults.file}: the program is no schedule of one version per chunk and rank: what a rank still "
        "sends leaves out what has already come"
    )


def _schedule(run: _Run) -> Schedule:
    """Write the messages as steps."""
    program = run.program
    collective, p = program.collective, program.ranks
    chunks = int(program.chunks * collective.volume(p))
    state: list[dict[int, int]] = [dict(_inputs(program, rank).values()) for rank in range(p)]
    by_depth: dict[int, list[_Message]] = {}
    for message in run.messages.values():
        by_depth.setdefault(message.depth, []).append(message)
    steps = []
    for _, messages in sorted(by_depth.items()):
        flags = [_reduces(run, state, message) for message in messages]
        steps.append(_step(messages, flags, collective.volume(p) / chunks))
        for message, reduce in zip(messages, flags, strict=True):
            held = state[message.target]
            for chunk, mask in message.values:
                held[chunk] = (held.get(chunk, 0) | mask) if reduce else mask
    name = program.name if program.name.isprintable() and program.name else "msccl"
    return Schedule(collective, name, p, 0.0, chunks, tuple(steps))


def _reduces(run: _Run, state: list[dict[int, int]], message: _Message) -> bool:
    """Whether what a message brings is to be combined with what its target holds."""
    if not run.program.collective.reduces:
        return False
    held = state[message.target]
    apart = [chunk in held and not held[chunk] & mask for chunk, mask in message.values]
    if any(apart) and not all(apart):
        raise CollectiveError(
            f"{run.faults.file}: a message from {message.source} to {message.target} is reduced in part, "
            "expected all of it or none"
        )
    return all(apart)


def _step(messages: list[_Message], reduce: list[bool], each: float) -> Step:
    counts = [len(message.values) for message in messages]
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    ids = np.array([chunk for message in messages for chunk, _ in message.values], dtype=np.int64)
    return Step(
        [message.source for message in messages],
        [message.target for message in messages],
        np.array(counts) * each,
        reduce,
        lambda: (indptr, ids),
    )
