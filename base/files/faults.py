"""Faults of a file: where each one is, and how it reads."""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from topo_sim.base.errors import FaultsError
from topo_sim.base.registry import nearest

__all__ = ["MAX_FAULTS", "Faults", "Place", "plain", "show", "suggest"]

MAX_FAULTS = 100
MAX_TEXT = 600
Place = tuple[str | int, ...]


def show(value: object) -> str:
    """Write a value as it stands in a file, on one line and not too long.

    Parameters
    ----------
    value : object
        What was found.

    Returns
    -------
    str

    Examples
    --------
    >>> show(True), show("8"), show(None), show([1, 2]), show(float("inf"))
    ('true', '"8"', 'nothing', 'a list', 'a number that is not finite')
    """
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, float) and not math.isfinite(value):
        return "a number that is not finite"
    if isinstance(value, (str, bool, int, float)):
        short = value[:60] + "..." if isinstance(value, str) and len(value) > 60 else value
        text = json.dumps(short, ensure_ascii=False)
        return text if len(text) <= 80 else f"{text[:20]}... ({len(text)} characters)"
    return f"a value of type {type(value).__name__}"


def suggest(name: str, choices: Collection[str]) -> str:
    """Say which of many choices was probably meant, without ever listing hundreds of them.

    Parameters
    ----------
    name : str
        What was given.
    choices : collection of str
        What exists.

    Returns
    -------
    str
        A half sentence.

    Examples
    --------
    >>> suggest("leaf", ["leaf0", "gpu0"])
    'did you mean "leaf0"?'
    >>> suggest("x", [f"gpu{i}" for i in range(256)])
    'there are 256, from "gpu0" to "gpu255"'
    """
    if len(choices) <= 12:
        return nearest(name, choices)
    listed = list(choices)
    close = get_close_matches(name, listed[:2000], n=2)
    if close:
        return nearest(name, close)
    return f'there are {len(listed)}, from "{listed[0]}" to "{listed[-1]}"'


def _on_one_line(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


@dataclass
class Faults:
    """The faults of one file while it is being read.

    Parameters
    ----------
    file : str
        What to call the file.
    lines : dict
        Line of each place, where the format tells.
    found : list of str
        One line per fault so far.
    places : set
        Where they are.
    left_out : int
        Faults that are not in `found`, since it holds `MAX_FAULTS`.

    Examples
    --------
    >>> faults = Faults("a.yaml", {("links",): 4})
    >>> faults.add(("links", 3, "bandwidth"), 'found "fast", expected a rate')
    >>> faults.found
    ['a.yaml:4: links[3].bandwidth: found "fast", expected a rate']
    """

    file: str
    lines: dict[Place, int] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)
    places: set[Place] = field(default_factory=set)
    left_out: int = 0

    @staticmethod
    def path(place: Sequence[str | int]) -> str:
        """Write a place as ``links[3].bandwidth``."""
        text = ""
        for part in place:
            text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
        return text

    def add(self, place: Place, text: str, line: int | None = None) -> None:
        """Note one fault.

        Parameters
        ----------
        place : tuple of str and int
            Keys and indices from the top of the file.
        text : str
            What was found and what was expected.
        line : int, optional
            Default: the line of the place, or of the nearest one around it.
        """
        self.places.add(place)
        if len(self.found) >= MAX_FAULTS:
            self.left_out += 1
            return
        around = (place[:n] for n in range(len(place), 0, -1))
        line = line or next((self.lines[outer] for outer in around if outer in self.lines), None)
        file = f"{self.file}:{line}" if line else self.file
        if len(text) > MAX_TEXT:
            text = f"{text[:MAX_TEXT]}..."
        self.found.append(_on_one_line(f"{file}: {self.path(place) or 'the file'}: {text}"))

    @property
    def text(self) -> list[str]:
        """Every fault, and how many were left out."""
        if not self.left_out:
            return list(self.found)
        return [
            *self.found,
            f"{self.file}: the file: {self.left_out} more faults, the first {MAX_FAULTS} are listed",
        ]

    def stop(self) -> None:
        """Raise `FaultsError` if there is any fault."""
        if self.found:
            raise FaultsError(self.text)

    def refuse(self, place: Place, text: str, line: int | None = None) -> FaultsError:
        """Note one fault and return the error to raise."""
        self.add(place, text, line)
        return FaultsError(self.text)

    def within(self, file: str) -> "Faults":
        """Return a collector for another file, whose faults join this one's."""
        return Faults(file, found=self.found)


def plain(value: Any) -> Any:
    """Turn tuples into lists and NumPy values into Python's, at any depth.

    Examples
    --------
    >>> plain({"dims": (4, 8)})
    {'dims': [4, 8]}
    """
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return plain(value.tolist()) if hasattr(value, "tolist") else value
