"""Demands from files: a list as CSV, a matrix as .npy."""

import csv
import math
from pathlib import Path

import numpy as np

from topo_sim.base import DemandError
from topo_sim.topo.demands.demand import Demand

__all__ = ["read_demand"]

MOST_FAULTS = 20
HEADER = ["source", "target", "amount"]


def read_demand(path: str | Path, ranks: int) -> Demand:
    r"""Read a traffic matrix.

    Parameters
    ----------
    path : str or Path
        ``.csv`` with the header ``source,target,amount`` and one pair of ranks per line, or ``.npy`` with
        a matrix of shape (ranks, ranks), row by row what each rank sends. The diagonal counts for nothing.
    ranks : int
        Endpoints of the fabric.

    Returns
    -------
    Demand

    Raises
    ------
    DemandError
        If the file cannot be read; lists every wrong line (the first 20).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "pair.csv"
    ...     _ = path.write_text("source,target,amount\n0,1,2.5\n")
    ...     read_demand(path, 2).sent.tolist()
    [2.5, 0.0]
    """
    file = Path(path)
    try:
        if file.suffix.lower() == ".npy":
            return _read_matrix(file, ranks)
        if file.suffix.lower() == ".csv":
            return _read_list(file, ranks)
    except OSError as error:
        raise DemandError(f"{file}: cannot be read ({error.strerror or error})") from None
    raise DemandError(f'{file}: found the suffix "{file.suffix}", expected .csv or .npy')


def _read_matrix(file: Path, ranks: int) -> Demand:
    try:
        matrix = np.load(file, allow_pickle=False)
    except (ValueError, EOFError):
        raise DemandError(
            f"{file}: is no NumPy file of numbers, expected one that numpy.save wrote"
        ) from None
    if not isinstance(matrix, np.ndarray) or matrix.shape != (ranks, ranks):
        shape = getattr(matrix, "shape", "an archive")
        raise DemandError(f"{file}: found shape {shape}, expected ({ranks}, {ranks}), one row per rank")
    try:
        return Demand.from_matrix(matrix, file.stem)
    except DemandError as error:
        raise DemandError(f"{file}: {error}") from None


def _read_list(file: Path, ranks: int) -> Demand:
    faults: list[str] = []
    source: list[int] = []
    target: list[int] = []
    amount: list[float] = []
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            lines = csv.reader(stream)
            header = [cell.strip() for cell in next(lines, [])]
            if header != HEADER:
                raise DemandError(
                    f"{file}: line 1: found {','.join(header)!r}, expected {','.join(HEADER)!r}"
                )
            for row in lines:
                if not row or len(faults) > MOST_FAULTS:
                    continue
                found = _read_row(row, ranks, f"{file}: line {lines.line_num}", faults)
                if found is not None:
                    source.append(found[0])
                    target.append(found[1])
                    amount.append(found[2])
    except (UnicodeDecodeError, csv.Error) as error:
        raise DemandError(f"{file}: is no CSV text ({error}), expected source,target,amount") from None
    if faults:
        more = ["... and more"] if len(faults) > MOST_FAULTS else []
        raise DemandError("\n".join(faults[:MOST_FAULTS] + more))
    return Demand(
        ranks, np.array(source, np.int64), np.array(target, np.int64), np.array(amount), name=file.stem
    )


def _read_row(row: list[str], ranks: int, place: str, faults: list[str]) -> tuple[int, int, float] | None:
    """Read one line; on a fault say so and return None."""
    if len(row) != len(HEADER):
        faults.append(f"{place}: found {len(row)} values, expected source,target,amount")
        return None
    ends = []
    for name, cell in zip(HEADER[:2], row[:2], strict=True):
        text = cell.strip()
        good = text.isascii() and text.isdigit() and len(text) < 19 and int(text) < ranks
        if not good:
            faults.append(f"{place}: {name}: found {text!r}, expected a rank, 0 to {ranks - 1}")
            return None
        ends.append(int(text))
    try:
        value = float(row[2])
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        faults.append(f"{place}: amount: found {row[2].strip()!r}, expected a finite number of 0 or more")
        return None
    return ends[0], ends[1], value
