"""From plain data to a `Document`: parameters filled in, then every fault of the schema at once."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from topo_sim.base.files.faults import Faults, Place, show, suggest
from topo_sim.topo.files.models import Document, document_model, owner

__all__ = ["check_document", "describe", "fill_in", "override"]

_EXPECTED = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "string_too_short": "text that is not empty",
    "string_too_long": "text of at most {max_length} characters",
    "string_pattern_mismatch": "a name of letters, digits and _ that starts with no digit",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
}


def describe(error: Mapping[str, Any], around: Place = ()) -> tuple[Place, str]:
    """Turn one pydantic error into a place and a text.

    Parameters
    ----------
    error : mapping
        Of ``ValidationError.errors()``.
    around : tuple of str and int
        Where the model that was checked stands in a `Document`.

    Returns
    -------
    place : tuple of str and int
    text : str
    """
    kind, context = error["type"], error.get("ctx", {})
    location = (*around, *(part for part in error["loc"] if part != "[key]"))
    model, place = owner(location)
    if kind == "found":
        return (*place, *context.get("at", ())), str(context["text"])
    if kind == "quantity":
        text, value = str(context["text"]), error["input"]
        plain = isinstance(value, (str, int, float)) and not isinstance(value, bool)
        return place, text if plain else f"found {show(value)}, expected {text.partition('expected ')[2]}"
    if kind == "extra_forbidden":
        key = str(place[-1])
        return place, f"unknown key {show(key)}: {suggest(key, model.model_fields)}"
    if kind == "missing":
        return place, f"missing, expected {model.model_fields[str(place[-1])].description}"
    if kind in ("too_short", "too_long"):
        return place, f"found a list of {context['actual_length']}, expected a pair [from, to]"
    if kind == "literal_error":
        context = {"expected": context["expected"].replace("'", '"')}
    either = " or a list" if location[-1] == "<value>" else ""
    expected = _EXPECTED[kind].format(**context) if kind in _EXPECTED else f"another value ({error['msg']})"
    return place, f"found {show(error['input'])}, expected {expected}{either}"


def override(data: dict[str, Any], given: Mapping[str, Any], faults: Faults) -> dict[str, Any]:
    """Return the data of a file with the values of some of its parameters replaced.

    Parameters
    ----------
    data : dict
        The file, not changed.
    given : mapping
        Value by parameter; an unknown name is a fault.
    faults : Faults

    Returns
    -------
    dict
    """
    declared = data.get("parameters")
    known = declared if isinstance(declared, dict) else {}
    for name in given:
        if name not in known:
            faults.add(("parameters", name), f"unknown parameter {show(name)}: {suggest(name, known)}")
    values = {name: given.get(name, value) for name, value in known.items()}
    return {**data, "parameters": values} if given and known else data


def fill_in(data: dict[str, Any], faults: Faults) -> dict[str, Any]:
    """Return the data of a file with every ``$name`` inside its fabric and its optics replaced.

    Parameters
    ----------
    data : dict
        The file, not changed.
    faults : Faults
        Takes unknown names, and parameters that nothing refers to.

    Returns
    -------
    dict

    Examples
    --------
    >>> fill_in({"parameters": {"n": 8}, "fabric": {"endpoints": "$n"}}, Faults("a.yaml"))["fabric"]
    {'endpoints': 8}
    """
    declared = data.get("parameters")
    known = declared if isinstance(declared, dict) else {}
    used: set[str] = set()

    def fill(value: Any, place: Place) -> Any:
        if isinstance(value, dict):
            return {key: fill(inner, (*place, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [fill(inner, (*place, i)) for i, inner in enumerate(value)]
        if not isinstance(value, str) or not value.startswith("$"):
            return value
        name = value[1:]
        used.add(name)
        if name not in known:
            faults.add(
                place, f"found {show(value)}, expected a parameter of this file: {suggest(name, known)}"
            )
        return known.get(name, value)

    filled = dict(data)
    filled.update((key, fill(data[key], (key,))) for key in ("fabric", "optics") if key in data)
    for name in known:
        if name not in used and "fabric" in data:
            faults.add(("parameters", name), f"used nowhere, expected {show('$' + name)} inside fabric")
    return filled


def check_document(data: dict[str, Any], faults: Faults) -> Document:
    """Check a file against the schema.

    Parameters
    ----------
    data : dict
        The file as `fill_in` returns it.
    faults : Faults
        Takes every fault.

    Returns
    -------
    Document

    Raises
    ------
    FaultsError
        With these and all earlier faults.

    Examples
    --------
    >>> data = {"topo_sim": 1, "fabric": {"generator": "torus", "dims": [4, "8"]}}
    >>> check_document(data, Faults("a.yaml"))
    Traceback (most recent call last):
    topo_sim.base.errors.FaultsError: a.yaml: fabric.dims[1]: found "8", expected an integer
    """
    try:
        document = document_model().model_validate(data)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            place, text = describe(each)
            unfilled = (
                isinstance(each["input"], str) and each["input"].startswith("$") and place in faults.places
            )
            if not unfilled:  # else the fault is that $name refers to nothing
                faults.add(place, text)
        faults.stop()
        raise
    faults.stop()
    return document
