"""Catalogues: named records in YAML files that ship with the package and that users extend."""

from collections.abc import Iterable, Mapping
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from topo_sim.base.files.faults import Faults, Place, show, suggest
from topo_sim.base.files.reading import as_mapping, parse, read_text

__all__ = ["Record", "check", "extend", "read_catalogue"]

M = TypeVar("M", bound=BaseModel)
R = TypeVar("R", bound="Record")
_LIKE = "like"
_EXPECTED = {
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "int_type": "an integer",
    "string_type": "text",
    "bool_type": "true or false",
    "literal_error": "{expected}",
}


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
    if kind in _EXPECTED:
        expected = _EXPECTED[kind].format(**error.get("ctx", {})).replace("'", '"')
        return f"found {show(error['input'])}, expected {expected}"
    return f"found {show(error['input'])}, expected another value ({error['msg']})"


def check(model: type[M], data: Any, place: Place, faults: Faults) -> M | None:
    """Check plain data against a model, and note what is wrong.

    Parameters
    ----------
    model : type of pydantic model
    data : object
        As it stands in a file.
    place : tuple of str and int
        Where in the file.
    faults : Faults
        Takes every fault.

    Returns
    -------
    model, or None
        None where there is a fault.

    Examples
    --------
    >>> faults = Faults("a.yaml")
    >>> check(Record, {"nmae": "x"}, ("here",), faults), faults.found[1]
    (None, 'a.yaml: here.nmae: unknown key "nmae": did you mean "name"?')
    """
    if not isinstance(data, Mapping):
        faults.add(place, f"found {show(data)}, expected a mapping")
        return None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        for each in error.errors():
            faults.add((*place, *each["loc"]), _describe(each, model))
    return None


def _merge(
    name: str, given: Any, known: Mapping[str, Mapping[str, Any]], place: Place, faults: Faults
) -> dict[str, Any] | None:
    """Lay what is given over the record of the same name, or over the one that it is `like`."""
    if not isinstance(given, Mapping):
        faults.add(place, f"found {show(given)}, expected a mapping with the fields of {name}")
        return None
    if given.get("name", name) != name:
        faults.add((*place, "name"), f"found {show(given['name'])}, expected the key above it, {name}")
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
                model = sections[section]
                _read_section(records, model, plain[section], found[section], (section,), faults)
        faults.stop()
    return found


def _read_section(
    records: Mapping[str, Any],
    model: type[R],
    plain: dict[str, dict[str, Any]],
    found: dict[str, R],
    place: Place,
    faults: Faults,
) -> None:
    """Enter the records of one section of one file."""
    for name, given in records.items():
        whole = _merge(name, given, plain, (*place, name), faults)
        if whole is None:
            continue
        record = check(model, whole, (*place, name), faults)
        if record is not None:
            found[name], plain[name] = record, whole


def extend(
    records: Mapping[str, R], given: Any, model: type[R], place: Place, faults: Faults
) -> dict[str, R]:
    """Lay records that a file gives over those that are known.

    Parameters
    ----------
    records : mapping from str to Record
        What is known.
    given : object
        As a section of a catalogue: a mapping from names to fields, `like` included.
    model : type of Record
    place : tuple of str and int
        Where in the file.
    faults : Faults
        Takes every fault.

    Returns
    -------
    dict from str to Record
        Those that are sound.

    Examples
    --------
    >>> known = {"a": Record(name="a", about="first")}
    >>> extend(known, {"b": {"like": "a", "source": "us"}}, Record, (), Faults("x.yaml"))["b"].about
    'first'
    """
    found = dict(records)
    plain = {
        name: {field: getattr(record, field) for field in type(record).model_fields}
        for name, record in records.items()
    }
    if isinstance(given, Mapping):
        _read_section(given, model, plain, found, place, faults)
    else:
        faults.add(place, f"found {show(given)}, expected a mapping from names to records")
    return found
