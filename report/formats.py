"""JSON and CSV, and writing files whole or not at all."""

import csv
import io
import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from topo_sim import __version__
from topo_sim.base import UsageError

__all__ = ["SCHEMA_VERSION", "check_writable", "to_csv", "to_json", "write_bytes", "write_text"]

SCHEMA_VERSION = 1


def _plain(value: Any) -> Any:
    """Replace what JSON cannot hold: infinite numbers and NaN become null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def to_json(command: str, inputs: Mapping[str, Any], results: Any) -> str:
    """Write results as JSON, with what made them.

    Parameters
    ----------
    command : str
        The command's name.
    inputs : mapping
        Its arguments.
    results : dict or list
        Numbers unrounded, units in the keys.

    Returns
    -------
    str

    Examples
    --------
    >>> print(to_json("info", {"file": "a.yaml"}, {"time_s": float("inf")}))  # doctest: +ELLIPSIS
    {
      "schema_version": 1,
      "program": "topo-sim",
      ...
    """
    document = {
        "schema_version": SCHEMA_VERSION,
        "program": "topo-sim",
        "version": __version__,
        "command": command,
        "inputs": dict(inputs),
        "results": results,
    }
    return json.dumps(_plain(document), indent=2, allow_nan=False) + "\n"


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write flat rows as CSV, with a header.

    Parameters
    ----------
    rows : sequence of mapping
        All with the same keys.

    Returns
    -------
    str

    Examples
    --------
    >>> print(to_csv([{"a": 1, "b": None}]))
    a,b
    1,
    <BLANKLINE>
    """
    buffer = io.StringIO()
    if rows:
        writer = csv.DictWriter(buffer, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(_plain(row) for row in rows)
    return buffer.getvalue()


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file through a temporary one beside it, so that a killed run leaves the old one whole.

    Symbolic links are followed; pipes and devices are written to directly.

    Parameters
    ----------
    path : str or Path
    content : bytes

    Raises
    ------
    UsageError
        If it cannot be written.
    """
    target = Path(path)
    try:
        target = target.resolve() if target.is_symlink() else target
        if target.exists() and not target.is_file():
            target.write_bytes(content)  # a pipe or device: nothing to keep whole
            return
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            os.chmod(name, mode)
            os.replace(name, target)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}), expected a writable file") from None


def check_writable(path: str | Path) -> None:
    """Raise `UsageError` if there is no folder to write `path` in."""
    folder = Path(path).parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(f"{path}: cannot be written (no such folder, or read-only)")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: str | Path, text: str) -> None:
    """Write text as UTF-8, as `write_bytes` does."""
    write_bytes(path, text.encode())
