"""The catalogue of light, as a user asks for it: at one level, one record whole, over the edge of a die."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from topo_sim.base import UnknownNameError, UsageError, nearest
from topo_sim.base.files import LEVELS, Range, Ranged, Record
from topo_sim.optics import Medium, Optics, load_optics
from topo_sim.optics.shoreline import Shoreline, shoreline

__all__ = ["MediaCatalogue", "Number", "list_media", "numbers"]


@dataclass(frozen=True)
class Number:
    """One field of a record.

    Parameters
    ----------
    field, kind : str
        Its name, and what it is as in `parse_quantity`; a plain field has no kind.
    value : Range or str
    about : str
    """

    field: str
    kind: str
    value: Range | str
    about: str


def numbers(record: Record) -> list[Number]:
    """List what a record says, field by field; fields that are not known are left out.

    Parameters
    ----------
    record : Record

    Returns
    -------
    list of Number

    Examples
    --------
    >>> from topo_sim.optics import load_optics
    >>> [(n.field, n.kind, n.value.typical) for n in numbers(load_optics().medium("cpo"))[1:3]]
    [('port_rate', 'rate', 200000000000.0), ('energy_per_bit', 'energy per bit', 5.625e-12)]
    """
    found = []
    for name, info in type(record).model_fields.items():
        value = getattr(record, name)
        if name in ("name", "about") or value in (None, "", 0):
            continue
        marks = [*info.metadata, *_inner(info.annotation)]
        kind = next((mark.kind for mark in marks if isinstance(mark, Ranged)), "")
        found.append(
            Number(name, kind, value if isinstance(value, Range) else str(value), info.description or "")
        )
    return found


def _inner(annotation: Any) -> Iterator[Any]:
    """Metadata inside ``Annotated[...] | None``."""
    for arm in getattr(annotation, "__args__", ()):
        yield from getattr(arm, "__metadata__", ())


@dataclass(frozen=True)
class MediaCatalogue:
    """The catalogue, read at one level.

    Parameters
    ----------
    optics : Optics
    level : {"low", "typical", "high"}
    records : list of (str, Record)
        Section and record, of those asked for; all where none was.
    shorelines : list of (Shoreline, Shoreline)
        Of a die and of its four quarters, by medium.
    """

    optics: Optics
    level: str
    records: list[tuple[str, Record]]
    shorelines: list[tuple[Shoreline, Shoreline]]

    def to_dict(self) -> dict[str, Any]:
        """Everything in SI units.

        Returns
        -------
        dict
        """
        found: dict[str, Any] = {}
        for section, record in self.records:
            about: dict[str, Any] = {"about": record.about}
            for number in numbers(record):
                value = number.value
                about[number.field] = (
                    value
                    if isinstance(value, str)
                    else {level: value.at(level) for level in LEVELS}
                    | {"kind": number.kind, "mark": value.mark, "source": value.source}
                )
            found.setdefault(section, {})[record.name] = about
        found["shorelines"] = [[one.to_dict() for one in pair] for pair in self.shorelines]
        return found

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per number, in SI units.

        Returns
        -------
        list of dict
        """
        rows = []
        for section, record in self.records:
            for number in numbers(record):
                value = number.value
                plain = isinstance(value, str)
                levels = {level: value if plain else value.at(level) for level in LEVELS}  # type: ignore[union-attr]
                about = {
                    "mark": "" if plain else value.mark,  # type: ignore[union-attr]
                    "source": "" if plain else value.source,  # type: ignore[union-attr]
                }
                what = {"section": section, "name": record.name, "field": number.field, "kind": number.kind}
                rows.append(what | levels | about)
        return rows


def list_media(
    level: str = "typical",
    names: Sequence[str] = (),
    die: float | None = None,
    files: Sequence[str] = (),
) -> MediaCatalogue:
    """Read the catalogue of light.

    Parameters
    ----------
    level : {"low", "typical", "high"}
    names : sequence of str
        Of records to show; all where empty.
    die : float, m2, optional
        Area of a die whose shoreline is asked for.
    files : sequence of str
        Of the user, over what ships.

    Returns
    -------
    MediaCatalogue

    Raises
    ------
    UsageError, UnknownNameError, FaultsError
        If a level, a name or a file is not good.

    Examples
    --------
    >>> found = list_media(names=["cpo"], die=814e-6)
    >>> [record.name for _, record in found.records], len(found.shorelines)
    (['cpo'], 1)
    """
    if level not in LEVELS:
        raise UsageError(f'level: found "{level}", {nearest(level, LEVELS)}')
    optics = load_optics(files)
    sections: dict[str, Mapping[str, Record]] = {
        "media": optics.media,
        "circuit_switches": optics.circuit_switches,
        "packet_switches": optics.packet_switches,
    }
    every = [(section, record) for section, found in sections.items() for record in found.values()]
    known = [record.name for _, record in every]
    for name in names:
        if name not in known:
            raise UnknownNameError(f'unknown medium or switch "{name}": {nearest(name, known)}')
    shown = [(section, record) for section, record in every if not names or record.name in names]
    edges = []
    if die is not None:
        media = [record for _, record in shown if isinstance(record, Medium) and record.bandwidth_density]
        edges = [(shoreline(medium, die), shoreline(medium, die, parts=4)) for medium in media]
    return MediaCatalogue(optics, level, shown, edges)
