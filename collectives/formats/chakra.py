"""Chakra execution traces: one file per rank, of the messages that it sends and receives."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from topo_sim.base.files.faults import Faults
from topo_sim.base.files.reading import read_bytes
from topo_sim.collectives.formats.messages import Event, events, list_messages
from topo_sim.collectives.formats.wire import (
    delimited,
    fields,
    integers,
    number_field,
    packed_field,
    split,
    text_field,
)
from topo_sim.collectives.schedule import Schedule

__all__ = ["Trace", "TraceNode", "chakra_traces", "parse_trace", "read_trace"]

VERSION = "0.0.4"
SEND, RECEIVE = 5, 6
_INT32, _INT64, _BOOL, _STRING = 7, 9, 27, 29
_NUMBERS = (_INT32, _INT64, 11, 13)  # int32, int64, uint32, uint64


@dataclass(frozen=True)
class TraceNode:
    """One node of a trace.

    Parameters
    ----------
    id : int
    name : str
    type : int
        As in the schema: 4 computation, 5 send, 6 receive, 7 collective.
    after : tuple of int
        Nodes whose data it needs.
    attributes : dict
        Those that are a number, a truth value or text.
    """

    id: int
    name: str
    type: int
    after: tuple[int, ...] = ()
    attributes: dict[str, int | bool | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Trace:
    """What one rank does.

    Parameters
    ----------
    version : str
        Of the schema.
    nodes : tuple of TraceNode
    """

    version: str
    nodes: tuple[TraceNode, ...]


def _attribute(name: str, kind: int, value: int) -> bytes:
    return text_field(10, text_field(1, name) + number_field(kind, value))


def _node(number: int, rank: int, event: Event) -> bytes:
    way = "SEND" if event.sends else "RECV"
    ends = (rank, event.peer) if event.sends else (event.peer, rank)
    name = f"COMM_{way}_NODE_{ends[0]}_{ends[1]}_{event.tag}"
    return delimited(
        (number_field(1, number) if number else b"")
        + text_field(2, name)
        + number_field(3, SEND if event.sends else RECEIVE)
        + packed_field(5, event.after)
        + _attribute("is_cpu_op", _BOOL, 0)
        + _attribute("comm_size", _INT64, event.size)
        + _attribute("comm_src", _INT32, ends[0])
        + _attribute("comm_dst", _INT32, ends[1])
        + _attribute("comm_tag", _INT32, event.tag)
    )


def chakra_traces(schedule: Schedule) -> Iterator[bytes]:
    """Write a schedule as one trace per rank.

    Parameters
    ----------
    schedule : Schedule
        At the size that its messages are to have.

    Yields
    ------
    bytes
        The file of the next rank.

    Raises
    ------
    CollectiveError
        If its chunks are no whole bytes, or there are too many messages.

    Notes
    -----
    Nodes are sends and receives; each needs all that its rank did in the step before. Reductions take no
    time and leave no node. These are the files that ASTRA-sim takes as a custom collective.

    References
    ----------
    Sridharan et al., "Chakra: advancing performance benchmarking and co-design using standardized
    execution traces", 2023; its ``et_def.proto``.

    Examples
    --------
    >>> from topo_sim.collectives import build_schedule
    >>> last = list(chakra_traces(build_schedule("broadcast", "binomial_tree", 2, 8)))[1]
    >>> parse_trace(last, Faults("a.1.et")).nodes[0].attributes["comm_size"]
    8
    """
    head = delimited(text_field(1, VERSION))
    for rank, found in enumerate(events(list_messages(schedule), schedule.ranks)):
        yield head + b"".join(_node(number, rank, event) for number, event in enumerate(found))


def read_trace(path: str | Path) -> Trace:
    """Read a trace.

    Parameters
    ----------
    path : str or path
        The file of one rank.

    Returns
    -------
    Trace

    Raises
    ------
    FaultsError
        With the byte at which it is malformed.
    """
    faults = Faults(str(path))
    return parse_trace(read_bytes(Path(path), faults), faults)


def parse_trace(data: bytes, faults: Faults) -> Trace:
    """Read a trace from bytes; raises `FaultsError` named after the file of `faults`."""
    version, nodes = "", []
    for number, (start, message) in enumerate(split(data, faults)):
        if number:
            nodes.append(_read_node(message, faults, start))
            continue
        for key, value in fields(message, faults, start):
            version = _text(value, faults, start) if key == 1 else version
    if not data:
        raise faults.refuse(("byte 0",), "found nothing, expected a trace")
    known = {node.id for node in nodes}
    for node in nodes:
        for earlier in node.after:
            if earlier not in known:
                faults.add((f"node {node.id}",), f"found a need of node {earlier}, expected one of the file")
    if len(known) < len(nodes):
        faults.add((), "found two nodes of one id, expected every id once")
    faults.stop()
    return Trace(version, tuple(nodes))


def _text(value: int | bytes, faults: Faults, at: int) -> str:
    try:
        if isinstance(value, bytes):
            return value.decode()
    except UnicodeDecodeError:
        pass
    raise faults.refuse((f"byte {at}",), "found a field of another kind, expected UTF-8 text")


def _message(value: int | bytes, faults: Faults, at: int) -> bytes:
    if isinstance(value, bytes):
        return value
    raise faults.refuse((f"byte {at}",), "found a number, expected a message")


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _read_node(message: bytes, faults: Faults, at: int) -> TraceNode:
    number, kind, name = 0, 0, ""
    after: list[int] = []
    attributes: dict[str, int | bool | str] = {}
    for key, value in fields(message, faults, at):
        if key in (1, 3):
            if not isinstance(value, int):
                raise faults.refuse((f"byte {at}",), f"found field {key} as text, expected a number")
            number, kind = (value, kind) if key == 1 else (number, value)
        elif key == 2:
            name = _text(value, faults, at)
        elif key == 5:
            after += integers(value, faults, at)
        elif key == 10:
            attributes |= _read_attribute(_message(value, faults, at), faults, at)
    return TraceNode(number, name, kind, tuple(after), attributes)


def _read_attribute(message: bytes, faults: Faults, at: int) -> dict[str, int | bool | str]:
    name = ""
    found: int | bool | str | None = None
    for key, value in fields(message, faults, at):
        if key == 1:
            name = _text(value, faults, at)
        elif key == _STRING:
            found = _text(value, faults, at)
        elif key == _BOOL:
            found = bool(value)
        elif key in _NUMBERS and isinstance(value, int):
            found = _signed(value)
    return {} if found is None else {name: found}
