"""Things chosen by name: one decorator to enter them, one place to look them up."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import TypeVar

from topo_sim.base.errors import UnknownNameError

__all__ = ["Registry", "nearest"]

T = TypeVar("T")


def nearest(name: str, choices: Iterable[str]) -> str:
    """Say which of the choices was probably meant, or list them all.

    Parameters
    ----------
    name : str
        What was given.
    choices : iterable of str
        What exists.

    Returns
    -------
    str
        A half sentence to end an error message with.

    Examples
    --------
    >>> nearest("tours", ["torus", "mesh"])
    'did you mean "torus"?'
    >>> nearest("x", ["torus", "mesh"])
    'choose from mesh, torus'
    """
    names = sorted(choices)
    close = get_close_matches(name, names, n=2, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(f'"{c}"' for c in close) + "?"
    return "choose from " + ", ".join(names) if names else "there is none"


class Registry(Mapping[str, T]):
    """A mapping from names to entries that refuses duplicates and helps with typing errors.

    Parameters
    ----------
    kind : str
        What the entries are, in the singular, for messages ("generator", "routing").

    Examples
    --------
    >>> colours = Registry("colour")
    >>> @colours.register("red")
    ... def red():
    ...     return 0xFF0000
    >>> colours["red"]()
    16711680
    >>> colours["rod"]
    Traceback (most recent call last):
    topo_sim.base.errors.UnknownNameError: unknown colour "rod": did you mean "red"?
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Enter the decorated object under `name`.

        Parameters
        ----------
        name : str
            Its name; a name that is taken raises ``ValueError``.

        Returns
        -------
        callable
            A decorator that returns its argument unchanged.
        """

        def enter(entry: T) -> T:
            self.add(name, entry)
            return entry

        return enter

    def add(self, name: str, entry: T) -> None:
        """Enter `entry` under `name`; a name that is taken raises ``ValueError``."""
        if name in self._entries:
            raise ValueError(f'{self.kind} "{name}" is registered twice')
        self._entries[name] = entry

    def __getitem__(self, name: str) -> T:
        try:
            return self._entries[name]
        except (KeyError, TypeError):
            raise UnknownNameError(
                f'unknown {self.kind} "{name}": {nearest(str(name), self._entries)}'
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
