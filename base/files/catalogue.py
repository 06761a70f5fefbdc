"""Catalogues: named records in YAML files that ship with the package and that users extend."""

from collections.abc import Iterable, Mapping
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from topo_sim.base.files.faults import Faults, Place, show, suggest
from topo_sim.base.files.reading import as_mapping, parse, read_text

__all__ = ["Record", "read_catalogue"]

R = TypeVar("R", bound="Record")
_LIKE = "like"


class Record(BaseModel):
    """What every record of a catalogue has: a name, what it is, and where its numbers come from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    about: str = ""
    source: str = ""


def _describe(error: Mapping[str, Any], model: type[BaseModel]) -> str:
    kind = error["type"]
    if kind in ("range", "quantity"):
        return str(error.get("ctx", {}).get("text", error["msg"]))
    if kind == "extra_forbidden":
        return (
            f"unknown key {show(str(error['loc'][-1]))}: {suggest(str(error['loc'][-1]), model.model_fields)}"
        )
    if kind == "missing":
        about = model.model_fields[str(error["loc"][-1])].description or "a value"
        return f"missing, expected {about}"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    return f"found {show(error['input'])}, expected another value ({error['msg']})"


def _merge(
    name: str, given: Any, known: Mapping[str, Mapping[str, Any]], place: Place, faults: Faults
) -> dict[str, Any] | None:
    """Lay what is given over the record of the same name, or over the one that it is `like`."""
    if not isinstance(given, Mapping):
        faults.add(place, f"found {show(given)}, expected a mapping with the fields of {name}")
        return None
    base: Mapping[str, Any] = known.get(name, {})
    if _LIKE in given:
        like = given[_LIKE]
        if not isinstance(like, str) or like not in known:
            near = suggest(str(like), list(known))
            faults.add((*place, _LIKE), f"found {show(like)}, expected the name of a record: {near}")
            return None
        base = known[like]
    return {**base, **{key: value for key, value in given.items() if key != _LIKE}, "name": name}


def read_catalogue(
    sections: Mapping[str, type[R]],
    package: str,
    shipped: str,
    files: Iterable[str | PathLike[str]] = (),
) -> dict[str, dict[str, R]]:
    """Read records by section and name: those that ship, then those of the user's files over them.

    Parameters
    ----------
    sections : mapping from str to type of Record
        What a section of the file holds.
    package, shipped : str
        Package that holds the shipped file, and the file's name in it.
    files : iterable of path
        Of the user, in order. A record of a known name changes the fields that it gives; one that is
        `like: NAME` starts from that record; any other must be whole.

    Returns
    -------
    dict from section to dict from name to Record

    Raises
    ------
    FaultsError
        With every fault of the first file that has any.

    Examples
    --------
    >>> class Colour(Record):
    ...     wavelength: float
    >>> read_catalogue({"colours": Colour}, "topo_sim.base.files", "none.yaml")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    topo_sim.base.errors.FaultsError: none.yaml: the file: cannot be read: ...
    """
    plain: dict[str, dict[str, dict[str, Any]]] = {section: {} for section in sections}
    found: dict[str, dict[str, R]] = {section: {} for section in sections}
    inside = Path(str(resources.files(package) / shipped))
    for path in (inside, *(Path(file) for file in files)):
        faults = Faults(path.name if path is inside else str(path))
        data = as_mapping(parse(read_text(path, faults), faults), faults, f"one of {', '.join(sections)}")
        for section, records in data.items():
            if section not in sections:
                faults.add((section,), f"unknown key {show(section)}: {suggest(section, list(sections))}")
            elif not isinstance(records, Mapping):
                faults.add((section,), f"found {show(records)}, expected a mapping from names to records")
            else:
                _read_section(section, records, sections[section], plain[section], found[section], faults)
        faults.stop()
    return found


def _read_section(
    section: str,
    records: Mapping[str, Any],
    model: type[R],
    plain: dict[str, dict[str, Any]],
    found: dict[str, R],
    faults: Faults,
) -> None:
    """Enter the records of one section of one file."""
    for name, given in records.items():
        whole = _merge(name, given, plain, (section, name), faults)
        if whole is None:
            continue
        try:
            found[name] = model.model_validate(whole)
            plain[name] = whole
        except ValidationError as error:
            for each in error.errors():
                faults.add((section, name, *each["loc"]), _describe(each, model))
