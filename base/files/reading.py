"""From bytes to plain data: YAML and JSON, with every trap of both closed.

Mappings have text keys, each once; numbers are what they look like (YAML 1.2 rules, so ``on`` and
``010`` are text and ``1e9`` is a number); nesting, size and aliases are bounded.
"""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from topo_sim.base.files.faults import Faults, Place, show

__all__ = [
    "MAX_ALIASES",
    "MAX_BYTES",
    "MAX_DEPTH",
    "Resolver",
    "as_mapping",
    "parse",
    "read_bytes",
    "read_text",
]

MAX_BYTES = 64 * 2**20
MAX_DEPTH = 64
MAX_ALIASES = 8
MAX_DIGITS = 300
_SURROGATE = re.compile("[\ud800-\udfff]")

_LibyamlParser: Any = getattr(yaml.cyaml, "CParser", object) if yaml.__with_libyaml__ else object
_TAG = "tag:yaml.org,2002:"


class Resolver(BaseResolver):
    """YAML 1.2 core scalars, except that a number with a leading zero is text."""


Resolver.add_implicit_resolver(_TAG + "null", re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""])
Resolver.add_implicit_resolver(_TAG + "bool", re.compile(r"(?:[Tt]rue|TRUE|[Ff]alse|FALSE)\Z"), list("tTfF"))
Resolver.add_implicit_resolver(_TAG + "int", re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z"), list("-+0123456789"))
Resolver.add_implicit_resolver(
    _TAG + "float",
    re.compile(
        r"(?:[-+]?(?:(?:0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+|(?:0|[1-9][0-9]*)(?=[eE]))(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
    ),
    list("-+.0123456789"),
)


class _Bounded(Composer, Resolver):
    """A composer of YAML nodes that bounds nesting and aliases."""

    check_event: Any
    peek_event: Any

    def __init__(self) -> None:
        Composer.__init__(self)
        Resolver.__init__(self)
        self._depth = self._aliases = 0
        self._open: set[str] = set()

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose one node."""
        event = self.peek_event()
        anchor = event.anchor
        if self.check_event(yaml.AliasEvent):
            self._aliases += 1
            if anchor in self._open:
                raise yaml.MarkedYAMLError(
                    None, None, f"alias *{anchor} lies inside its own anchor", event.start_mark
                )
            if self._aliases > MAX_ALIASES:
                problem = (
                    f"found more than {MAX_ALIASES} aliases, expected parameters and $name in their place"
                )
                raise yaml.MarkedYAMLError(None, None, problem, event.start_mark)
            return super().compose_node(parent, index)
        if self._depth >= MAX_DEPTH:
            problem = f"found more than {MAX_DEPTH} levels of nesting"
            raise yaml.MarkedYAMLError(None, None, problem, event.start_mark)
        self._depth += 1
        if anchor is not None:
            self._open.add(anchor)
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1
            self._open.discard(anchor)


class _PythonLoader(_Bounded, Reader, Scanner, Parser):
    """Parses in Python: for installations of PyYAML without libyaml."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        _Bounded.__init__(self)


class _LibyamlLoader(_Bounded, _LibyamlParser):  # type: ignore[misc]
    """Parses with libyaml, several times faster."""

    def __init__(self, text: str) -> None:
        _LibyamlParser.__init__(self, text)
        _Bounded.__init__(self)


def _integer(text: str) -> int | float:
    """Read an integer; one of more digits than any quantity has counts as infinite."""
    return int(text) if len(text) <= MAX_DIGITS else float("inf")


def _text(text: str, place: Place, faults: Faults) -> str:
    """Refuse half a surrogate pair, which an escape can make and no file can hold."""
    if not text.isascii() and _SURROGATE.search(text):
        faults.add(place, "found half a surrogate pair, expected Unicode text")
    return text


def _scalar(node: yaml.ScalarNode, place: Place, faults: Faults) -> Any:
    tag, text = node.tag.removeprefix(_TAG), node.value
    try:
        if tag == "str":
            return _text(text, place, faults)
        if tag == "null":
            return None
        if tag == "bool":
            return {"true": True, "false": False}[text.lower()]
        if tag == "int":
            return _integer(text)
        if tag == "float":
            return float(re.sub(r"\.(?=inf|nan)", "", text.lower()))
    except (KeyError, ValueError):
        faults.add(place, f"found {show(text)} tagged !!{tag}, which it is not")
        return None
    faults.add(place, f"found the tag {show(node.tag)}, expected plain YAML")
    return None


def _build(node: yaml.Node, place: Place, faults: Faults) -> Any:
    """Turn a YAML node into plain data, noting its line and every fault."""
    faults.lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, place, faults)
    if node.tag not in (_TAG + "seq", _TAG + "map"):
        faults.add(place, f"found the tag {show(node.tag)}, expected plain YAML")
        return None
    if isinstance(node, yaml.SequenceNode):
        return [_build(child, (*place, i), faults) for i, child in enumerate(node.value)]
    data: dict[str, Any] = {}
    for key, child in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            faults.add(place, "found a list or mapping as a key, expected text", line)
        elif key.value in data:
            faults.add((*place, key.value), f'duplicate key "{key.value}", expected every key once', line)
        else:
            faults.lines[(*place, key.value)] = line
            data[key.value] = _build(child, (*place, key.value), faults)
    return data


def _parse_yaml(text: str, faults: Faults) -> Any:
    try:
        loader = _PythonLoader(text) if _LibyamlParser is object else _LibyamlLoader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (f"column {mark.column + 1}",) if mark else ()
        problem = error.problem or error.context or "broken"
        raise faults.refuse(
            place, f"{problem}, expected valid YAML", mark.line + 1 if mark else None
        ) from None
    except yaml.YAMLError as error:
        raise faults.refuse((), f"{str(error).splitlines()[0]}, expected valid YAML") from None
    return None if node is None else _build(node, (), faults)


class _Object(dict[str, Any]):
    """A JSON object that remembers the keys it was given twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(key for key, _ in pairs) if len(self) < len(pairs) else {}
        self.twice = [key for key, count in counts.items() if count > 1]


def _unwrap(value: Any, place: Place, faults: Faults) -> Any:
    """Turn `_Object` into dict, noting duplicate keys and too deep nesting."""
    if len(place) > MAX_DEPTH:
        raise faults.refuse(place[:3], f"found more than {MAX_DEPTH} levels of nesting")
    if isinstance(value, list):
        return [_unwrap(inner, (*place, i), faults) for i, inner in enumerate(value)]
    if isinstance(value, _Object):
        for key in value.twice:
            faults.add((*place, key), f'duplicate key "{key}", expected every key once')
        return {key: _unwrap(inner, (*place, key), faults) for key, inner in value.items()}
    return _text(value, place, faults) if isinstance(value, str) else value


def _parse_json(text: str, faults: Faults) -> Any:
    try:
        data = json.loads(text, object_pairs_hook=_Object, parse_int=_integer)
    except json.JSONDecodeError as error:
        place = (f"column {error.colno}",)
        raise faults.refuse(place, f"{error.msg}, expected valid JSON", error.lineno) from None
    except RecursionError:
        raise faults.refuse((), f"found more than {MAX_DEPTH} levels of nesting") from None
    return _unwrap(data, (), faults)


def _looks_like_json(text: str) -> bool:
    if not text.lstrip().startswith("{"):
        return False
    try:
        json.loads(text, parse_int=float)
    except (ValueError, RecursionError):
        return False
    return True


def parse(text: str, faults: Faults) -> Any:
    r"""Parse the text of a file, by its content.

    Parameters
    ----------
    text : str
        YAML or JSON.
    faults : Faults
        Named after the file; takes what can be collected, and the lines of YAML places.

    Returns
    -------
    object
        dict, list, str, int, float, bool or None.

    Raises
    ------
    FaultsError
        If it cannot be parsed at all.

    Examples
    --------
    >>> parse("rate: 1e9\nforward: on\nsize: 010", Faults("a.yaml"))
    {'rate': 1000000000.0, 'forward': 'on', 'size': '010'}
    """
    if "\0" in text:
        raise faults.refuse((), "found a NUL character, expected text")
    if text.lstrip().startswith("<"):
        raise faults.refuse(
            (), "found XML, expected YAML or JSON (a GraphML file is named there: fabric: graph: FILE)"
        )
    if faults.file.lower().endswith(".json") or _looks_like_json(text):
        return _parse_json(text, faults)
    return _parse_yaml(text, faults)


def read_bytes(path: Path, faults: Faults, place: Place = ()) -> bytes:
    """Read a file of bounded size.

    Parameters
    ----------
    path : Path
        What to read.
    faults : Faults
        Where to note what goes wrong.
    place : tuple of str and int
        Where the path is given, if not by the caller.

    Returns
    -------
    bytes

    Raises
    ------
    FaultsError
        If it cannot be read, or is larger than `MAX_BYTES`.
    """
    name = f"{show(path.name)}: " if place else ""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise faults.refuse(place, f"{name}cannot be read: {reason}, expected a readable file") from None
    if len(data) > MAX_BYTES:
        raise faults.refuse(place, f"{name}found more than {MAX_BYTES >> 20} MiB, expected less")
    return data


def read_text(path: Path, faults: Faults, place: Place = ()) -> str:
    """Read a UTF-8 file of bounded size, as `read_bytes` does."""
    data = read_bytes(path, faults, place)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        name = f"{show(path.name)}: " if place else ""
        found = f"found byte 0x{data[error.start]:02x} at offset {error.start}"
        raise faults.refuse(place, f"{name}{found}, expected UTF-8 text") from None


def as_mapping(data: Any, faults: Faults, expected: str = "topo_sim: 1") -> dict[str, Any]:
    """Return `data`, or raise `FaultsError` if the top level of the file is no mapping."""
    if isinstance(data, dict):
        return data
    raise faults.refuse((), f"found {show(data)}, expected a mapping with {expected}")
