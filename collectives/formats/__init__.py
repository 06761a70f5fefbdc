"""Schedules in the formats of other tools: one per file, and a registry of those that can be written."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from topo_sim.base import CollectiveError, Registry
from topo_sim.base.files.faults import Faults
from topo_sim.base.files.reading import read_bytes
from topo_sim.collectives.formats.chakra import Trace, TraceNode, chakra_traces, read_trace
from topo_sim.collectives.formats.goal import goal_text
from topo_sim.collectives.formats.msccl_read import schedule_of
from topo_sim.collectives.formats.msccl_write import program_of
from topo_sim.collectives.formats.msccl_xml import parse_program, program_text
from topo_sim.collectives.schedule import Schedule

__all__ = [
    "FORMATS",
    "Format",
    "Trace",
    "TraceNode",
    "export_schedule",
    "load_schedule",
    "read_trace",
]


@dataclass(frozen=True)
class Format:
    """A way to write a schedule to files.

    Parameters
    ----------
    name : str
    summary : str
        What it is and who reads it.
    files : callable
        ``files(schedule)`` yields the suffix to add to the path, and the bytes, of each file.
    """

    name: str
    summary: str
    files: Callable[[Schedule], Iterator[tuple[str, bytes]]] = field(repr=False)


FORMATS: Registry[Format] = Registry("format")
"""The formats that schedules can be written in, by name."""


def _msccl(schedule: Schedule) -> Iterator[tuple[str, bytes]]:
    yield "", program_text(program_of(schedule)).encode()


def _chakra(schedule: Schedule) -> Iterator[tuple[str, bytes]]:
    for rank, data in enumerate(chakra_traces(schedule)):
        yield f".{rank}.et", data


def _goal(schedule: Schedule) -> Iterator[tuple[str, bytes]]:
    yield "", goal_text(schedule).encode()


for _format in (
    Format("msccl", "MSCCL XML, for MSCCL, RCCL and the converters of ASTRA-sim; of any size", _msccl),
    Format("chakra", "Chakra execution traces, PATH.0.et and so on, for ASTRA-sim", _chakra),
    Format("goal", "GOAL text, for LogGOPSim", _goal),
):
    FORMATS.add(_format.name, _format)


def export_schedule(schedule: Schedule, path: str | os.PathLike[str], to: str) -> list[Path]:
    """Write a schedule in the format of another tool.

    Parameters
    ----------
    schedule : Schedule
        At the size that messages are to have, where the format says sizes.
    path : str or path
        The file; for a format of several files, what their names begin with.
    to : str
        A name in `FORMATS`.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    UnknownNameError
        If there is no such format.
    CollectiveError
        If the format cannot say the schedule, or a file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from topo_sim.collectives import build_schedule
    >>> ring = build_schedule("all_reduce", "ring", 4, 1024)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in export_schedule(ring, f"{folder}/ring", "chakra")]
    ...     load_schedule(export_schedule(ring, f"{folder}/ring.xml", "msccl")[0])
    ['ring.0.et', 'ring.1.et', 'ring.2.et', 'ring.3.et']
    <Schedule: all_reduce/all_reduce_ring_4, 4 ranks, 0 B, 6 steps, 24 messages>
    """
    written = []
    for suffix, data in FORMATS[to].files(schedule):
        target = Path(f"{os.fspath(path)}{suffix}")
        beside = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            try:
                beside.write_bytes(data)
                beside.replace(target)
            finally:
                beside.unlink(missing_ok=True)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CollectiveError(
                f"{target}: cannot be written ({reason}), expected room and a place for it"
            ) from None
        written.append(target)
    return written


def load_schedule(path: str | os.PathLike[str]) -> Schedule:
    """Read a schedule from an MSCCL XML file, and prove it.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    Schedule
        Of size 0; read its cost at any size.

    Raises
    ------
    FaultsError
        One line per fault, with file, line and place.
    CollectiveError
        If it is no schedule of one version per chunk and rank.
    """
    faults = Faults(os.fspath(path))
    return schedule_of(parse_program(read_bytes(Path(path), faults), faults), faults)
