"""The catalogue of light: link media, circuit switches and packet switches, with ranges and sources."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from os import PathLike
from typing import TypeVar

from topo_sim.base import UnknownNameError, nearest
from topo_sim.base.files import Record, read_catalogue
from topo_sim.optics.devices import CircuitSwitch, PacketSwitch
from topo_sim.optics.medium import Medium

__all__ = ["CircuitSwitch", "Medium", "Optics", "PacketSwitch", "load_optics"]

R = TypeVar("R", bound=Record)
_SECTIONS: Mapping[str, type[Record]] = {
    "media": Medium,
    "circuit_switches": CircuitSwitch,
    "packet_switches": PacketSwitch,
}


def _look_up(records: Mapping[str, R], name: str, kind: str) -> R:
    if name not in records:
        raise UnknownNameError(f'unknown {kind} "{name}": {nearest(name, records)}')
    return records[name]


@dataclass(frozen=True)
class Optics:
    """All records of the catalogue.

    Parameters
    ----------
    media : mapping from str to Medium
    circuit_switches : mapping from str to CircuitSwitch
    packet_switches : mapping from str to PacketSwitch

    Examples
    --------
    >>> load_optics().circuit_switch("piezzo")
    Traceback (most recent call last):
    topo_sim.base.errors.UnknownNameError: unknown circuit switch "piezzo": did you mean "piezo"?
    """

    media: Mapping[str, Medium]
    circuit_switches: Mapping[str, CircuitSwitch]
    packet_switches: Mapping[str, PacketSwitch]

    def medium(self, name: str) -> Medium:
        """Look up a medium; raises `UnknownNameError` with the nearest names."""
        return _look_up(self.media, name, "medium")

    def circuit_switch(self, name: str) -> CircuitSwitch:
        """Look up a circuit switch; raises `UnknownNameError` with the nearest names."""
        return _look_up(self.circuit_switches, name, "circuit switch")

    def packet_switch(self, name: str) -> PacketSwitch:
        """Look up a packet switch; raises `UnknownNameError` with the nearest names."""
        return _look_up(self.packet_switches, name, "packet switch")


def load_optics(files: Iterable[str | PathLike[str]] = ()) -> Optics:
    """Read the catalogue of light.

    Parameters
    ----------
    files : iterable of path
        Of the user, in the form of ``optics/catalogue.yaml``: a record changes the fields that it gives,
        or starts one `like` another.

    Returns
    -------
    Optics

    Raises
    ------
    FaultsError
        With every fault of the first file that has any.

    Examples
    --------
    >>> sorted(load_optics().media)[:4]
    ['active_optical', 'copper', 'copper_active', 'cpo']
    """
    given = list(files)
    return _read(given) if given else _shipped()


@cache
def _shipped() -> Optics:
    return _read(())


def _read(files: Iterable[str | PathLike[str]]) -> Optics:
    found = read_catalogue(_SECTIONS, "topo_sim.optics", "catalogue.yaml", files)
    return Optics(**{each.name: found[each.name] for each in fields(Optics)})  # type: ignore[arg-type]
