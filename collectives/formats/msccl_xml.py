"""MSCCL's XML, in the form that its runtimes read: writing a program, and reading one fault by fault."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

from topo_sim.base.files.faults import Faults, show
from topo_sim.base.files.reading import read_bytes
from topo_sim.collectives.collective import COLLECTIVES, Collective
from topo_sim.collectives.formats.program import (
    MSCCL_NAMES,
    RECEIVING,
    SENDING,
    Block,
    Op,
    Place,
    Program,
    buffer_sizes,
)

__all__ = ["parse_program", "program_text", "read_program"]

_MOST_BYTES = 2**40
_MOST_CHUNKS = 4_000_000
_KINDS = ("nop", "s", "r", "rcs", "rrs", "rrc", "rrcs", "cpy", "re")
_INTEGER = re.compile(r"-?[0-9]{1,9}\Z")


def program_text(program: Program) -> str:
    """Write a program as XML.

    Parameters
    ----------
    program : Program

    Returns
    -------
    str
        With the attributes outofplace, minBytes and maxBytes, which runtimes ask for.
    """
    root = ElementTree.Element(
        "algo",
        name=program.name,
        proto=program.protocol,
        nchannels=str(max((b.channel + 1 for gpu in program.gpus for b in gpu), default=1)),
        nchunksperloop=str(program.chunks),
        ngpus=str(program.ranks),
        coll=MSCCL_NAMES[program.collective.name],
        inplace=str(int(program.in_place)),
        outofplace=str(int(not program.in_place)),
        minBytes="0",
        maxBytes=str(_MOST_BYTES),
    )
    sizes = buffer_sizes(program.collective, program.ranks, program.chunks)
    for rank, blocks in enumerate(program.gpus):
        chunks = dict(zip(("i_chunks", "o_chunks", "s_chunks"), (*sizes, program.scratch[rank]), strict=True))
        gpu = ElementTree.SubElement(root, "gpu", {"id": str(rank), **_texts(chunks)})
        awaited = {op.after for block in blocks for op in block.ops if op.after}
        for number, block in enumerate(blocks):
            about = {"id": number, "send": block.send, "recv": block.recv, "chan": block.channel}
            tb = ElementTree.SubElement(gpu, "tb", _texts(about))
            for s, op in enumerate(block.ops):
                ElementTree.SubElement(tb, "step", _step(s, op, (number, s) in awaited))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _texts(values: dict[str, int]) -> dict[str, str]:
    return {key: str(value) for key, value in values.items()}


def _step(number: int, op: Op, awaited: bool) -> dict[str, str]:
    wait = op.after or (-1, -1)
    return {
        "s": str(number),
        "type": op.kind,
        "srcbuf": op.source.buffer,
        "srcoff": str(op.source.offset),
        "dstbuf": op.target.buffer,
        "dstoff": str(op.target.offset),
        "cnt": str(op.count),
        "depid": str(wait[0]),
        "deps": str(wait[1]),
        "hasdep": str(int(awaited)),
        **({"round": str(op.round)} if op.kind in SENDING else {}),
    }


@dataclass
class _Element:
    tag: str
    given: dict[str, str]
    line: int
    inside: "list[_Element]" = field(default_factory=list)


def _tree(data: bytes, faults: Faults) -> _Element:
    """Parse XML into elements that know their lines; no document types, so no entities."""
    parser = expat.ParserCreate()
    top = _Element("", {}, 0)
    stack = [top]

    def start(tag: str, given: dict[str, str]) -> None:
        element = _Element(tag, given, parser.CurrentLineNumber)
        stack[-1].inside.append(element)
        stack.append(element)

    def refuse(*_: Any) -> None:
        raise faults.refuse((), "found a document type, expected plain XML", parser.CurrentLineNumber)

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: stack.pop()
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        what = expat.errors.messages[error.code] if error.code in expat.errors.messages else str(error)
        raise faults.refuse((), f"found XML that cannot be read ({what})", error.lineno) from None
    return top.inside[0]


class _Reader:
    """Reads attributes of elements, and notes what is wrong with them."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults

    def text(self, element: _Element, name: str, known: Callable[[str], bool], expected: str) -> str:
        """Read an attribute that must be known."""
        value = element.given.get(name)
        if value is None or not known(value):
            self.fault(element, name, f"found {show(value)}, expected {expected}")
            return ""
        return value

    def number(
        self, element: _Element, name: str, low: int, high: int | None = None, default: int | None = None
    ) -> int:
        """Read an integer from `low` to `high`, or the default where there is none."""
        value = element.given.get(name)
        if value is None and default is not None:
            return default
        if value is not None and _INTEGER.match(value):
            number = int(value)
            if number >= low and (high is None or number <= high):
                return number
        limit = f"at least {low}" if high is None else f"from {low} to {high}"
        self.fault(element, name, f"found {show(value)}, expected an integer {limit}")
        return low

    def fault(self, element: _Element, name: str, text: str) -> None:
        """Note a fault of an attribute, or of the element as a whole."""
        self.faults.add((element.tag, name) if name else (element.tag,), text, element.line)

    def inside(self, element: _Element, tag: str) -> list[_Element]:
        """Return the elements inside, which must all be of one kind."""
        for each in element.inside:
            if each.tag != tag:
                new = ", the newer form; expected the form with <step>" if each.tag == "op" else ""
                self.faults.add((each.tag,), f"found <{each.tag}>{new or f', expected <{tag}>'}", each.line)
        return [each for each in element.inside if each.tag == tag]


def read_program(path: str | Path) -> Program:
    """Read a program from a file.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    Program

    Raises
    ------
    FaultsError
        One line per fault, with file, line and attribute.
    """
    faults = Faults(str(path))
    return parse_program(read_bytes(Path(path), faults), faults)


def parse_program(data: bytes, faults: Faults) -> Program:
    """Read a program from XML; every fault goes to `faults`, which is then raised.

    Parameters
    ----------
    data : bytes
    faults : Faults
        Named after the file.

    Returns
    -------
    Program
    """
    root = _tree(data, faults)
    reader = _Reader(faults)
    if root.tag != "algo":
        raise faults.refuse((), f"found <{root.tag}>, expected <algo>", root.line)
    names = {theirs.replace("_", ""): COLLECTIVES[ours] for ours, theirs in MSCCL_NAMES.items()}
    coll = reader.text(
        root, "coll", lambda v: v.lower().replace("_", "") in names, ", ".join(sorted(MSCCL_NAMES.values()))
    )
    ranks = reader.number(root, "ngpus", 1, 100_000)
    chunks = reader.number(root, "nchunksperloop", 1)
    flags = [reader.number(root, name, 0, 1, default=0) for name in ("inplace", "outofplace")]
    faults.stop()
    collective = names[coll.lower().replace("_", "")]
    _check_chunks(reader, root, collective, ranks, chunks)
    gpus = reader.inside(root, "gpu")
    for at, gpu in enumerate(gpus):
        if reader.number(gpu, "id", 0) != at:
            reader.fault(gpu, "id", f"found {gpu.given['id']}, expected {at}")
    if len(gpus) != ranks:
        reader.fault(root, "ngpus", f"found {ranks}, expected the {len(gpus)} <gpu> that there are")
    sizes = buffer_sizes(collective, ranks, chunks)
    scratch = [reader.number(gpu, "s_chunks", 0, default=0) for gpu in gpus]
    blocks = [_blocks(reader, gpu, rank, ranks, (*sizes, scratch[rank])) for rank, gpu in enumerate(gpus)]
    faults.stop()
    return Program(
        root.given.get("name", "msccl"),
        collective,
        ranks,
        chunks,
        flags == [1, 0],
        blocks,
        scratch,
        root.given.get("proto", "Simple"),
    )


def _check_chunks(reader: _Reader, root: _Element, collective: Collective, ranks: int, chunks: int) -> None:
    """Refuse more chunks than fit in memory, and note what the collective cannot be cut into."""
    unit = collective.granularity(ranks) // collective.volume(ranks)
    if chunks * ranks > _MOST_CHUNKS:
        raise reader.faults.refuse(
            ("algo", "nchunksperloop"),
            f"found {chunks} chunks on {ranks} ranks, expected at most {_MOST_CHUNKS:,} in all",
            root.line,
        )
    if chunks % unit:
        reader.fault(root, "nchunksperloop", f"found {chunks}, expected a multiple of {unit}")


def _blocks(
    reader: _Reader, gpu: _Element, rank: int, ranks: int, sizes: tuple[int, int, int]
) -> list[Block]:
    elements = reader.inside(gpu, "tb")
    steps = [reader.inside(element, "step") for element in elements]
    counts = [len(inside) for inside in steps]
    found, taken = [], set()
    for at, element in enumerate(elements):
        if reader.number(element, "id", 0) != at:
            reader.fault(element, "id", f"found {element.given['id']}, expected {at}")
        send, receive = (reader.number(element, name, -1, ranks - 1) for name in ("send", "recv"))
        block = Block(send, receive, reader.number(element, "chan", 0, default=0), line=element.line)
        for way, peer in (("send", block.send), ("recv", block.recv)):
            if peer == rank:
                reader.fault(element, way, f"found {peer}, expected another than the block's own rank")
            if peer >= 0 and (way, peer, block.channel) in taken:
                what = f"found {peer} on channel {block.channel} again"
                reader.fault(element, way, f"{what}, expected one thread block per peer, way and channel")
            taken.add((way, peer, block.channel))
        for s, step in enumerate(steps[at]):
            block.ops.append(_op(reader, step, s, block, (at, counts), sizes))
        found.append(block)
    return found


def _op(
    reader: _Reader,
    step: _Element,
    number: int,
    block: Block,
    where: tuple[int, list[int]],
    sizes: tuple[int, int, int],
) -> Op:
    if reader.number(step, "s", 0) != number:
        reader.fault(step, "s", f"found {step.given['s']}, expected {number}")
    kind = reader.text(step, "type", _KINDS.__contains__, f"one of {', '.join(_KINDS)}")
    for which, peer, kinds in (("send", block.send, SENDING), ("recv", block.recv, RECEIVING)):
        if kind in kinds and peer < 0:
            reader.fault(step, "type", f'found "{kind}" in a thread block with {which}="-1", expected a peer')
    at, counts = where
    depid = reader.number(step, "depid", -1, len(counts) - 1, default=-1)
    after = None
    if depid >= 0:
        after = (depid, reader.number(step, "deps", 0, counts[depid] - 1 if counts[depid] else 0))
        if depid == at and after[1] >= number:
            reader.fault(step, "deps", f"found {after[1]} of its own thread block, expected an earlier step")
    if kind in ("nop", ""):
        return Op(kind, Place("i", -1), Place("i", -1), 0, after, step.line)
    count = reader.number(step, "cnt", 1)
    reads = kind in ("s", "cpy", "re")
    target = _place(reader, step, "dst", sizes, count, needed=kind != "s")
    source = _place(reader, step, "src", sizes, count, needed=reads)
    return Op(kind, source, target, count, after, step.line, reader.number(step, "round", 0, default=0))


def _place(
    reader: _Reader, step: _Element, way: str, sizes: tuple[int, int, int], count: int, *, needed: bool
) -> Place:
    if not needed:  # it names memory of another rank, or none
        return Place("i", -1)
    buffer = reader.text(step, f"{way}buf", ("i", "o", "s").__contains__, "i, o or s")
    if not buffer:
        return Place("i", -1)
    size = sizes["ios".index(buffer)]
    offset = reader.number(step, f"{way}off", 0)
    if offset + count > size:
        what = f"found chunks {offset} to {offset + count - 1} of {buffer}"
        reader.fault(step, f"{way}off", f"{what}, expected less than its {size}")
    return Place(buffer, offset)
