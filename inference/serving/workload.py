"""What a cluster is asked to serve: when requests arrive, and how long prompts and answers are."""

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from topo_sim.base import FaultsError, UsageError
from topo_sim.base.files import Faults, Record, read_catalogue, show, suggest
from topo_sim.base.files.reading import read_text

__all__ = ["Requests", "Workload", "find_workload", "load_workloads", "make_requests", "read_trace"]

MOST_REQUESTS = 10_000_000
MOST_TOKENS = 10_000_000
FINEST = 1e-9  # s, that a time is known to
_COLUMNS = ("arrival_s", "prompt_tokens", "output_tokens")


class Workload(Record):
    """Lengths of prompts and answers: lognormal, or fixed where the spread is 0.

    Parameters
    ----------
    prompt, output : int
        Medians, tokens.
    prompt_spread, output_spread : float
        Standard deviation of the logarithm.
    mark : str
        How sure the medians are.
    """

    prompt: int = Field(ge=1, le=MOST_TOKENS, description="median of prompts, tokens")
    prompt_spread: float = Field(0.0, ge=0, le=4, description="deviation of its logarithm")
    output: int = Field(ge=1, le=MOST_TOKENS, description="median of answers, tokens")
    output_spread: float = Field(0.0, ge=0, le=4, description="deviation of its logarithm")
    mark: str = ""


@dataclass(frozen=True)
class Requests:
    """Requests by arrival.

    Parameters
    ----------
    arrival : ndarray of float64, shape (N,), s
        From 0 on, not falling, and below 2^23 (97 days): beyond, numbers are more than 1 ns apart.
    prompt, output : ndarray of int64, shape (N,)
        Tokens, 1 or more.
    about : str

    Raises
    ------
    UsageError
        If an array does not hold such numbers, or there is no request.

    Examples
    --------
    >>> Requests([0.0, 1.0], [1500, 1500], [1, 1]).rate
    1.0
    """

    arrival: NDArray[np.float64]
    prompt: NDArray[np.int64]
    output: NDArray[np.int64]
    about: str = "given"

    def __post_init__(self) -> None:
        arrival = np.array(self.arrival, dtype=np.float64)
        if arrival.ndim != 1 or not 1 <= arrival.size <= MOST_REQUESTS:
            raise UsageError(f"found {arrival.size} requests, expected 1 to {MOST_REQUESTS:,}")
        if not np.all(np.isfinite(arrival) & (arrival >= 0)) or np.any(np.diff(arrival) < 0):
            raise UsageError("arrivals: found a time that is negative, not finite or before the last one")
        if np.spacing(arrival[-1]) > FINEST:
            raise UsageError(
                f"arrivals: found one at {arrival[-1]:.4g} s, where times are known to "
                f"{np.spacing(arrival[-1]):.2g} s, expected all before {2**23:,} s: 1 ns; a higher "
                f"rate, or parts of the trace"
            )
        object.__setattr__(self, "arrival", arrival)
        for name in ("prompt", "output"):
            found = np.array(getattr(self, name))
            whole = found.astype(np.int64) if found.dtype.kind in "iu" else np.zeros(0)
            if whole.shape != arrival.shape or np.any((whole < 1) | (whole > MOST_TOKENS)):
                raise UsageError(f"{name}: found no whole numbers from 1 on, expected one per request")
            object.__setattr__(self, name, whole)

    @property
    def count(self) -> int:
        """Number of requests."""
        return len(self.arrival)

    @property
    def rate(self) -> float:
        """Requests per second, from the first arrival to the last; infinite where all arrive at once."""
        span = float(self.arrival[-1] - self.arrival[0])
        return (self.count - 1) / span if span > 0 else math.inf

    @property
    def longest(self) -> int:
        """Most tokens that one of them comes to."""
        return int((self.prompt + self.output).max())


def load_workloads(files: Iterable[str | PathLike[str]] = ()) -> dict[str, Workload]:
    """Read the workloads that ship, a user's files over them.

    Examples
    --------
    >>> load_workloads()["coding"].prompt
    1500
    """
    sections: dict[str, type[Workload]] = {"workloads": Workload}
    return read_catalogue(sections, "topo_sim.inference.serving", "workloads.yaml", files)["workloads"]


def find_workload(name: str, files: Iterable[str | PathLike[str]] = ()) -> Workload:
    """Find a workload by name."""
    known = load_workloads(files)
    if name not in known:
        raise UsageError(f'unknown workload "{name}": {suggest(name, list(known))}')
    return known[name]


def _lengths(draws: np.random.Generator, median: int, spread: float, longest: int, n: int) -> ArrayLike:
    drawn = np.round(median * np.exp(spread * draws.standard_normal(n)))
    return np.clip(drawn, 1, longest).astype(np.int64)


def make_requests(
    workload: Workload, rate: float, count: int, *, longest: int = 8192, seed: int = 0
) -> Requests:
    """Draw requests that arrive as a Poisson process.

    Parameters
    ----------
    workload : Workload
    rate : float, 1/s
        Of requests.
    count : int
    longest : int
        Most tokens of a prompt, and of an answer; what is drawn beyond is cut to it.
    seed : int
        0 or more. Arrivals, prompts and answers draw from streams of their own, so that other rates
        stretch the same arrivals and other lengths leave them alone.

    Returns
    -------
    Requests

    Raises
    ------
    UsageError
        If a number is out of range.

    Examples
    --------
    >>> found = make_requests(load_workloads()["paper"], rate=10.0, count=10_000)
    >>> 9.5 < found.rate < 10.5, int(found.prompt.max())
    (True, 1500)
    """
    if not (rate > 0 and math.isfinite(rate)):
        raise UsageError(f"rate: found {rate} requests per second, expected a finite number above 0")
    if isinstance(count, bool) or not 1 <= count <= MOST_REQUESTS:
        raise UsageError(f"requests: found {count}, expected 1 to {MOST_REQUESTS:,}")
    for name in ("prompt", "output"):
        median = getattr(workload, name)
        if median > longest:
            raise UsageError(f"{name}: found a median of {median} tokens, expected at most {longest}")
    if seed < 0:
        raise UsageError(f"seed: found {seed}, expected 0 or more")
    when, prompts, outputs = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3))
    arrival = np.cumsum(when.standard_exponential(count)) / rate
    prompt = _lengths(prompts, workload.prompt, workload.prompt_spread, longest, count)
    output = _lengths(outputs, workload.output, workload.output_spread, longest, count)
    return Requests(arrival, np.asarray(prompt), np.asarray(output), workload.name)


def read_trace(file: str | PathLike[str]) -> Requests:
    """Read requests from a CSV file.

    Parameters
    ----------
    file : path
        With the columns arrival_s, prompt_tokens and output_tokens; others are left alone.

    Returns
    -------
    Requests
        Times from the first arrival on.

    Raises
    ------
    FaultsError
        With every fault, up to a number: missing columns, cells that are no numbers, negative times, times
        before the row above.
    """
    faults = Faults(str(file))
    text = read_text(Path(file), faults)
    faults.stop()
    try:
        found = _rows(csv.reader(io.StringIO(text), strict=True), faults)
    except csv.Error as error:
        raise faults.refuse((), f"is no CSV ({error}), expected {', '.join(_COLUMNS)}") from None
    faults.stop()
    array = np.array(found)
    if len(array) > MOST_REQUESTS:
        raise FaultsError([f"{file}: found {len(array):,} requests, expected at most {MOST_REQUESTS:,}"])
    tokens = array[:, 1:].astype(np.int64)
    return Requests(array[:, 0] - array[0, 0], tokens[:, 0], tokens[:, 1], Path(file).name)


def _rows(rows: Any, faults: Faults) -> list[list[float]]:
    """Read the rows of a trace: time and tokens."""
    head = [cell.strip() for cell in next(rows, [])]
    missing = [name for name in _COLUMNS if name not in head]
    if missing:
        faults.add((), f"no column {', '.join(missing)}, expected {', '.join(_COLUMNS)}", 1)
        faults.stop()
    for name in _COLUMNS:
        if head.count(name) > 1:
            faults.add((name,), f"found {head.count(name)} columns of that name, expected one", 1)
    faults.stop()
    at = [head.index(name) for name in _COLUMNS]
    found, before = [], 0.0
    for row in rows:
        if all(not cell.strip() for cell in row):
            continue
        count = len(faults.found) + faults.left_out
        values = _row(row, at, faults, rows.line_num)
        if len(faults.found) + faults.left_out == count:
            if values[0] < before:
                text = f"found {values[0]:g} after {before:g}, expected rows in order of time"
                faults.add(("arrival_s",), text, rows.line_num)
            before = max(before, values[0])
        found.append(values)
    if not found:
        faults.add((), "found no requests, expected at least one row")
    return found


def _row(row: list[str], at: list[int], faults: Faults, line: int) -> list[float]:
    values = [0.0, 0.0, 0.0]
    for i, (name, column) in enumerate(zip(_COLUMNS, at, strict=True)):
        cell = row[column].strip() if column < len(row) else ""
        try:
            values[i] = float(cell)
        except ValueError:
            faults.add((name,), f"found {show(cell)}, expected a number", line)
            continue
        if i == 0 and not (math.isfinite(values[0]) and values[0] >= 0):
            faults.add((name,), f"found {cell}, expected a time of 0 s or more", line)
        if i > 0 and not (1 <= values[i] <= MOST_TOKENS and values[i] % 1 == 0):
            faults.add((name,), f"found {cell}, expected a whole number from 1 to {MOST_TOKENS:,}", line)
    return values
