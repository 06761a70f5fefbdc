"""What a topology is asked for by: a path or a shipped name, and ``@name=value`` behind it."""

import os
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from topo_sim.base import FaultsError
from topo_sim.base.files.faults import Faults, show, suggest
from topo_sim.base.files.reading import parse

__all__ = ["Reference", "list_shipped", "resolve", "with_settings"]

SUFFIXES = (".yaml", ".yml", ".json")
_SETTING = re.compile(r"@(?=\s*[A-Za-z_]\w*\s*=)", re.ASCII)
_NEXT = re.compile(r",(?=\s*[A-Za-z_]\w*\s*=)", re.ASCII)

Reference = str | os.PathLike[str]


def _folder() -> Path:
    return Path(str(resources.files("topo_sim") / "topologies"))


def list_shipped() -> list[str]:
    """Return the names of the topology files that come with the package.

    Returns
    -------
    list of str
        Sorted; `load_topology` takes each.

    Examples
    --------
    >>> "lite-torus" in list_shipped()
    True
    """
    return sorted(path.stem for path in _folder().iterdir() if path.suffix in SUFFIXES)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def _find(text: str) -> tuple[Path, str]:
    """Find the path of a file or shipped topology, and what to call it in errors."""
    shipped = list_shipped()
    if not _is_file(text) and text in shipped:
        path = next(path for path in _folder().iterdir() if path.stem == text and path.suffix in SUFFIXES)
        return path, path.name
    try:
        if text and Path(text).exists():
            return Path(text), text
    except (OSError, ValueError):
        pass
    what = "the file: found no such file, expected the path of a topology file or the name of a shipped one"
    hint = suggest(Path(text.replace("\0", "")).stem, shipped)
    raise FaultsError([f"{show(text)[1:-1] or 'no name'}: {what}: {hint}"])


def _read_settings(text: str, settings: str) -> dict[str, Any]:
    """Read ``name=value,name=value``; values are YAML."""
    given: dict[str, Any] = {}
    faults = Faults(text)
    for setting in _NEXT.split(settings):
        name, _, value = (part.strip() for part in setting.partition("="))
        if name in given:
            faults.add((f"@{name}",), "given twice, expected once")
        try:
            given[name] = parse(value, Faults(name))
        except FaultsError:
            given[name] = value
    faults.stop()
    return given


def resolve(reference: Reference) -> tuple[Path, str, dict[str, Any]]:
    """Find the file that a reference means, and the parameters that it sets.

    Parameters
    ----------
    reference : str or path
        A path, or the name of a shipped topology. A string may go on with ``@name=value,name=value``;
        where that leaves a choice, the longest part that exists is the file.

    Returns
    -------
    path : Path
    file : str
        What to call the file in errors.
    parameters : dict

    Raises
    ------
    FaultsError
        If there is no such file.

    Examples
    --------
    >>> resolve("lite-torus@rate=225 GB/s")[1:]
    ('lite-torus.yaml', {'rate': '225 GB/s'})
    """
    text = os.fspath(reference) if isinstance(reference, (str, bytes, os.PathLike)) else reference
    if not isinstance(text, str):
        raise FaultsError([f"reference: found {show(text)}, expected a path or a name as text"])
    if isinstance(reference, os.PathLike) or _is_file(text):
        return (*_find(text), {})
    cuts = [match.start() for match in _SETTING.finditer(text)]
    shipped = list_shipped()
    cut = next(
        (c for c in reversed(cuts) if text[:c] in shipped or _is_file(text[:c])), min(cuts, default=None)
    )
    if cut is None:
        return (*_find(text), {})
    path, file = _find(text[:cut])
    return path, file, _read_settings(file, text[cut + 1 :])


def with_settings(name: str, parameters: Mapping[str, Any]) -> str:
    """Append parameters to a name, as `resolve` reads them.

    Examples
    --------
    >>> with_settings("lite-torus", {"rate": "225 GB/s", "n": 8})
    'lite-torus@rate=225 GB/s,n=8'
    """
    settings = [
        f"{key}={value if isinstance(value, str) else show_value(value)}" for key, value in parameters.items()
    ]
    return f"{name}@{','.join(settings)}" if settings else name


def show_value(value: Any) -> str:
    """Write a parameter's value as YAML flow, on one line."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(show_value(inner) for inner in value)}]"
    return show(value)
