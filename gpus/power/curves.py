"""Load over a day: those that ship, and the user's CSV of hour and load."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from topo_sim.base.errors import UnknownNameError, UsageError
from topo_sim.base.files.faults import Faults
from topo_sim.base.files.reading import read_text
from topo_sim.base.registry import nearest
from topo_sim.gpus.power.models import PowerBook

__all__ = ["DAY", "LoadCurve", "check_day", "check_load", "find_curve", "read_curve"]

DAY = 24.0
_MOST_STEPS = 1440  # one a minute
_HEADER = ("hour", "load")


def check_load(value: float, name: str = "load") -> float:
    """Return a load if it lies from 0 to 1.

    Raises
    ------
    UsageError
        If it does not, or is no number.

    Examples
    --------
    >>> check_load(1.2)
    Traceback (most recent call last):
    topo_sim.base.errors.UsageError: load: found 1.2, expected 0 to 1, a share of what all GPUs can do
    """
    number = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
    if not 0 <= number <= 1:
        raise UsageError(f"{name}: found {value!r}, expected 0 to 1, a share of what all GPUs can do")
    return number


def check_day(hours: Sequence[float], loads: Sequence[float], name: str) -> None:
    """Refuse hours and loads that are no day.

    Raises
    ------
    UsageError
        If there are none, or not as many of one as of the other, hours do not rise from 0 and stay below 24,
        or a load does not lie from 0 to 1.
    """
    if not hours or len(hours) != len(loads):
        raise UsageError(
            f"{name}: found {len(hours)} hours and {len(loads)} loads, expected as many, at least one"
        )
    if len(hours) > _MOST_STEPS:
        raise UsageError(f"{name}: found {len(hours)} steps, expected at most {_MOST_STEPS}, one a minute")
    if hours[0] != 0:
        raise UsageError(f"{name}: found {hours[0]:g} as its first hour, expected 0")
    for before, after in pairwise(hours):
        if not before < after < DAY:
            raise UsageError(
                f"{name}: found hour {after:g} after {before:g}, expected hours that rise and stay below 24"
            )
    for hour, load in zip(hours, loads, strict=True):
        check_load(load, f"{name}: load at hour {hour:g}")


@dataclass(frozen=True, eq=False)
class LoadCurve:
    """Load over a day, constant from each hour to the next and the same every day.

    Parameters
    ----------
    name : str
    hours : ndarray of float, h
        From 0, rising, below 24.
    loads : ndarray of float
        Share of what all GPUs of the first type can do together.

    Examples
    --------
    >>> curve = LoadCurve.of("two", [0, 18], [0.2, 1.0])
    >>> curve.lengths.tolist(), round(curve.mean, 9)
    ([18.0, 6.0], 0.4)
    """

    name: str
    hours: NDArray[np.float64]
    loads: NDArray[np.float64]

    @classmethod
    def of(cls, name: str, hours: Sequence[float], loads: Sequence[float]) -> "LoadCurve":
        """Make a curve, or refuse; see `check_day`."""
        check_day(hours, loads, name)
        return cls(name, np.asarray(hours, dtype=np.float64), np.asarray(loads, dtype=np.float64))

    @property
    def lengths(self) -> NDArray[np.float64]:
        """Length of every step, h; together 24."""
        return np.diff(self.hours, append=DAY)

    @property
    def mean(self) -> float:
        """Mean load over the day."""
        return float(self.loads @ self.lengths / DAY)


def read_curve(path: str | PathLike[str]) -> LoadCurve:
    """Read a curve from a CSV with the columns hour and load.

    Parameters
    ----------
    path : path
        A header line, then a line per step.

    Returns
    -------
    LoadCurve

    Raises
    ------
    FaultsError, UsageError
        If the file cannot be read, or is no day.
    """
    name = str(path)
    faults = Faults(name)
    text = read_text(Path(path), faults)
    faults.stop()
    try:
        lines = list(enumerate(csv.reader(io.StringIO(text)), start=1))
    except csv.Error as error:
        raise UsageError(f"{name}: is no CSV ({error}), expected the columns hour and load") from None
    rows = [(line, row) for line, row in lines if any(cell.strip() for cell in row)]
    if not rows or tuple(cell.strip().casefold() for cell in rows[0][1]) != _HEADER:
        found = ",".join(rows[0][1])[:40] if rows else "nothing"
        raise UsageError(f'{name}: found {found} on its first line, expected "hour,load"')
    hours, loads = [], []
    for line, row in rows[1:]:
        try:
            hour, load = (float(cell) for cell in row)
        except ValueError:
            found = ",".join(row)[:40]
            raise UsageError(
                f'{name}: line {line}: found "{found}", expected two numbers, hour and load'
            ) from None
        hours.append(hour)
        loads.append(load)
    return LoadCurve.of(name, hours, loads)


def find_curve(name: str, book: PowerBook) -> LoadCurve:
    """Return a curve by name, or read it from a CSV.

    Parameters
    ----------
    name : str
        Of those in the book; anything with a dot or a slash is a file.
    book : PowerBook

    Returns
    -------
    LoadCurve

    Raises
    ------
    UnknownNameError, FaultsError, UsageError
        If there is no such curve or file, or it is no day.

    Examples
    --------
    >>> from topo_sim.gpus.power.models import load_power
    >>> round(find_curve("day", load_power()).mean, 3)
    0.49
    """
    if name in book.curves:
        record = book.curve(name)
        return LoadCurve.of(record.name, record.hours, record.loads)
    if "." in name or "/" in name:
        return read_curve(name)
    raise UnknownNameError(f'unknown curve "{name}": {nearest(name, book.curves)} (or a CSV file with a dot)')
