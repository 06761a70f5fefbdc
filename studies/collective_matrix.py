"""Matrices of bytes for an all-to-all-v, from files."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.collectives import Schedule, build_schedule
from topo_sim.studies.best import schedules_for
from topo_sim.topo import Fabric

__all__ = ["read_matrix", "schedules_of_matrix"]

_LARGEST = 2**30  # bytes of a file


def read_matrix(path: str | Path) -> NDArray[np.float64]:
    r"""Read the bytes that each rank sends to each other.

    Parameters
    ----------
    path : str or Path
        ``.csv``, a row of numbers for every rank; ``.json``, a list of such rows; or ``.npy``.

    Returns
    -------
    ndarray of float64, shape (p, p), B

    Raises
    ------
    UsageError
        If the file cannot be read, or is no square matrix of finite numbers of 0 or more.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.csv"
    ...     _ = path.write_text("0,8\n2,0\n")
    ...     read_matrix(path).tolist()
    [[0.0, 8.0], [2.0, 0.0]]
    """
    file = Path(path)
    readers = {".csv": _csv, ".json": _json, ".npy": _npy}
    if file.suffix.lower() not in readers:
        raise UsageError(f'{file}: found the suffix "{file.suffix}", expected .csv, .json or .npy')
    try:
        if file.stat().st_size > _LARGEST:
            raise UsageError(f"{file}: found more than 1 GiB, expected a matrix")
        given = readers[file.suffix.lower()](file)
        matrix = np.asarray(given, dtype=np.float64)
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror or error}), expected a matrix") from None
    except (TypeError, ValueError, OverflowError, EOFError, RecursionError, csv.Error) as error:
        what = " ".join(str(error).split())[:80]
        raise UsageError(f"{file}: found no numbers ({what}), expected a row of bytes per rank") from None
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise UsageError(f"{file}: found shape {matrix.shape}, expected a row and a column for every rank")
    bad = np.argwhere(~(np.isfinite(matrix) & (matrix >= 0)))
    if len(bad):
        i, j = bad[0].tolist()
        raise UsageError(f"{file}: row {i}, column {j}: found {matrix[i, j]}, expected bytes of 0 or more")
    return matrix


def _csv(file: Path) -> Any:
    text = file.read_text(encoding="utf-8-sig")
    first = text.partition("\n")[0]
    rows = csv.reader(text.splitlines(), delimiter=max(",;\t", key=first.count))
    return [[float(cell) for cell in row] for row in rows if any(cell.strip() for cell in row)]


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8-sig"))


def _npy(file: Path) -> Any:
    found = np.load(file, allow_pickle=False)
    if not isinstance(found, np.ndarray) or np.iscomplexobj(found):
        raise ValueError("no array of real numbers")
    return found


def schedules_of_matrix(
    fabric: Fabric,
    collective: str,
    matrix: NDArray[np.float64],
    algorithms: Sequence[str] | None = None,
    ranks: int | None = None,
) -> list[Schedule]:
    """Build the schedule of every algorithm of an all-to-all-v for given bytes.

    Parameters
    ----------
    fabric : Fabric
    collective : str
    matrix : ndarray of float64, shape (p, p), B
    algorithms : sequence of str, optional
        Default: all.
    ranks : int, optional
        If given, p.

    Returns
    -------
    list of Schedule
        At size 0: all entries grow with the size, which is the largest sum of a row.

    Raises
    ------
    UsageError
        If the collective is another, or the matrix has not as many rows as there are ranks.

    Examples
    --------
    >>> from topo_sim.topo import single_switch
    >>> schedules_of_matrix(single_switch(3), "all_to_all_v", np.ones((3, 3)), ["direct"])
    [<Schedule: all_to_all_v/direct, matrix=3x3 matrix, 3 ranks, 0 B, 1 step, 6 messages>]
    """
    if collective != "all_to_all_v":
        raise UsageError(f"matrix: found the collective {collective}, expected all_to_all_v")
    p = len(matrix)
    if ranks not in (None, p) or p > fabric.ranks:
        wanted = (
            f"at most the {fabric.ranks} of {fabric.name}" if ranks in (None, p) else f"the {ranks} ranks"
        )
        raise UsageError(f"matrix: found {p} rows, expected {wanted}")
    return [
        build_schedule(collective, one.algorithm, p, 0, **{**one.options, "matrix": matrix})
        for one in schedules_for(fabric, collective, algorithms, p)
    ]
