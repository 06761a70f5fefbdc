"""Read nccl-tests output: the text it prints, its JSON report, or a table in CSV."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from topo_sim.base import FaultsError
from topo_sim.collectives.measured.rows import (
    Measurement,
    check_row,
    collective_name,
    names_another,
    recover_ranks,
)

__all__ = ["Log", "read_log"]

_LARGEST = 64 * 2**20
_COLUMNS = {
    "size": ("bytes", "size", "sizeb", "sizebytes", "nbytes"),
    "time": ("timeus", "time", "outofplacetime", "outofplacetimeus", "ooptime", "ooptimeus"),
    "algbw": ("algbwgbps", "algbw", "algbwgbs", "outofplacealgbw", "oopalgbw"),
    "busbw": ("busbwgbps", "busbw", "busbwgbs", "outofplacebusbw", "oopbusbw"),
    "ranks": ("ngpus", "ranks", "nranks", "gpus", "n"),
    "collective": ("collective", "op", "test", "operation", "name"),
    "system": ("hardware", "system", "cluster", "machine"),
    "note": ("note", "notes", "comment"),
    "wrong": ("wrong", "nwrong", "outofplacewrong"),
}


@dataclass(frozen=True)
class Log:
    """What a file holds.

    Parameters
    ----------
    path : str
    rows : tuple of Measurement
        The rows that are sound.
    faults : tuple of str
        One line for each row left out: file, line, found, expected.
    """

    path: str
    rows: tuple[Measurement, ...]
    faults: tuple[str, ...] = ()


@dataclass
class _Reader:
    """Rows and faults as they come."""

    path: str
    rows: list[Measurement] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def fault(self, line: int, text: str) -> None:
        self.faults.append(f"{self.path}: line {line}: {text}")

    def add(self, line: int, values: Mapping[str, Any], collective: str, ranks: int | None) -> None:
        """Check a row and keep it, or say why not."""
        numbers: dict[str, float | None] = {}
        for name in ("size", "time", "algbw", "busbw", "wrong"):
            raw = values.get(name)
            if name == "wrong" and str(raw).upper() == "N/A":
                raw = None
            try:
                numbers[name] = None if raw in (None, "") else float(raw)
            except (TypeError, ValueError):
                self.fault(line, f'{name}: found "{str(raw)[:40]}", expected a number')
                return
        size, time = numbers["size"], numbers["time"]
        if size is None or time is None:
            self.fault(line, f"found no {'size' if size is None else 'time'}, expected one")
            return
        if size == 0:
            return  # nccl-tests prints rows of sizes that round to nothing
        algbw, busbw = numbers["algbw"], numbers["busbw"]
        if ranks is None and algbw is not None and busbw is not None:
            ranks = recover_ranks(collective, algbw, busbw)
        if ranks is None:
            self.fault(line, "found no number of ranks, expected one, or a busbw and algbw that tell it")
            return
        fault = check_row(collective, ranks, size, time, algbw, busbw)
        if fault is None and numbers["wrong"]:
            fault = f"found {numbers['wrong']:g} wrong results, expected none"
        if fault is not None:
            self.fault(line, fault)
            return
        system, note = str(values.get("system") or ""), str(values.get("note") or "")
        self.rows.append(Measurement(self.path, line, system, collective, ranks, size, time * 1e-6, note))

    def done(self) -> Log:
        if not self.rows:
            faults = self.faults or [
                f"{self.path}: found no row of measurements, expected nccl-tests text, JSON or CSV"
            ]
            raise FaultsError(faults)
        return Log(self.path, tuple(self.rows), tuple(self.faults))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _read_csv(text: str, out: _Reader) -> None:
    table = csv.reader(io.StringIO(text))
    header = [_plain(cell) for cell in next(table)]
    where = {
        key: next(header.index(name) for name in names if name in header)
        for key, names in _COLUMNS.items()
        if any(name in header for name in names)
    }
    if missing := [key for key in ("size", "time") if key not in where]:
        out.fault(1, f"found no column for {' and '.join(missing)}, expected bytes and time_us")
        return
    for cells in table:
        line = table.line_num
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            out.fault(line, f"found {len(cells)} cells, expected {len(header)} as in the header")
            continue
        values = {key: cells[i].strip() for key, i in where.items()}
        said = values.get("collective", out.path)
        collective = collective_name(said)
        if collective is None:
            out.fault(line, f'found collective "{said[:60]}", expected all_reduce, all_gather or the like')
            continue
        given = values.get("ranks")
        if given and not given.isdigit():
            out.fault(line, f'found "{given[:40]}" ranks, expected a whole number')
            continue
        out.add(line, values, collective, int(given) if given else None)


def _of_json(data: Any, out: _Reader) -> None:
    results = data.get("results") if isinstance(data, Mapping) else None
    if not isinstance(results, list):
        out.fault(1, "found no list of results, expected the report that nccl-tests writes with -J")
        return
    config = data.get("config")
    found = config.get("devices") if isinstance(config, Mapping) else None
    devices: list[Any] = found if isinstance(found, list) else []
    given = data.get("args")
    args: list[Any] = given if isinstance(given, list) else []
    hints = [str(a) for a in args[:1]] + [out.path]
    system = str(devices[0].get("device_info", "")) if devices and isinstance(devices[0], Mapping) else ""
    for i, row in enumerate(results, start=1):
        if not isinstance(row, Mapping):
            out.fault(i, f"found {type(row).__name__}, expected an object with size and out_of_place")
            continue
        said = [str(row.get("experiment_name", "")), *hints]
        collective = next((name for text in said if (name := collective_name(text))), None)
        body = row.get("out_of_place")
        if collective is None or not isinstance(body, Mapping):
            lacks = "collective's name" if collective is None else "out_of_place result"
            out.fault(i, f"found no {lacks}, expected one")
            continue
        values = {
            "size": row.get("size"),
            "time": body.get("time"),
            "algbw": body.get("alg_bw"),
            "busbw": body.get("bus_bw"),
            "wrong": body.get("nwrong"),
            "system": system,
        }
        out.add(i, values, collective, len(devices) or None)


def _text_columns(line: str) -> list[str] | None:
    """Names of the columns, if this is the header that has them."""
    names = line.lstrip("#").split()
    return names if {"size", "count", "time", "algbw", "busbw"} <= set(names) else None


def _read_text(text: str, out: _Reader) -> None:
    lines = text.splitlines()
    ranks = {int(m[1]) for line in lines if (m := re.match(r"#\s+Rank\s+(\d+)\s", line))}
    devices = Counter(m[1] for line in lines if (m := re.search(r"\[0x[0-9a-f]+\]\s+(.+?)\s*$", line)))
    system = f"{len(ranks)}x {devices.most_common(1)[0][0]}" if devices else ""
    said = next((line for line in lines if re.search(r"[a-z_]+_perf\b", line)), "")
    collective = collective_name(said) or collective_name(Path(out.path).name)
    other = names_another(said)
    rows, columns, first, swapped = [], None, 0, False
    for number, line in enumerate(lines, start=1):
        if "out-of-place" in line and "in-place" in line:
            swapped = line.index("out-of-place") > re.sub("out-of-place", " " * 12, line).index("in-place")
        if line.startswith("#"):
            columns = _text_columns(line) or columns
            continue
        cells = line.split()
        if columns is None or len(cells) < 6 or not (cells[0].isdigit() and cells[1].isdigit()):
            continue
        times = [i for i, name in enumerate(columns) if name == "time"]
        first = times[1] if swapped and len(times) > 1 else times[0]
        rows.append((number, cells, first))
    if rows and (collective is None or (other and collective_name(said) is None)):
        found = f'found test "{other}"' if other else "found no collective's name"
        out.fault(rows[0][0], f"{found}, expected all_reduce_perf, all_gather_perf or the like in the log")
        return
    for number, cells, at in rows:
        if len(cells) < at + 3:
            out.fault(number, f"found {len(cells)} columns, expected at least {at + 3}")
            continue
        values: dict[str, Any] = {"size": cells[0], "system": system}
        values |= dict(zip(("time", "algbw", "busbw", "wrong"), cells[at : at + 4], strict=False))
        out.add(number, values, str(collective), _ranks_of(rows, str(collective), ranks))


def _ranks_of(rows: list[Any], collective: str, listed: set[int]) -> int | None:
    """Count the ranks: as listed, else what most rows tell."""
    if listed:
        return len(listed)
    votes: Counter[int] = Counter()
    for _, cells, at in rows:
        try:
            found = recover_ranks(collective, float(cells[at + 1]), float(cells[at + 2]))
        except (IndexError, ValueError):
            continue
        if found:
            votes[found] += 1
    return votes.most_common(1)[0][0] if votes else None


def read_log(path: str | Path) -> Log:
    """Read measurements, whatever form they have.

    Parameters
    ----------
    path : str or Path
        What nccl-tests printed, the JSON report that it wrote (``-J``), or CSV with a header that names
        at least bytes and time (us); columns for ranks, collective, algbw, busbw (GB/s) and hardware are
        used where they are.

    Returns
    -------
    Log
        Out-of-place times. The number of ranks is what the log lists, and is held against busbw/algbw;
        where none is listed, busbw/algbw tells it. Rows that cannot be true are left out, each with a
        line that says why; rows of 0 bytes are left out silently.

    Raises
    ------
    FaultsError
        If the file cannot be read, or has no sound row.

    References
    ----------
    NVIDIA/nccl-tests: ``src/util.cu`` (text and JSON), ``doc/PERFORMANCE.md`` (bandwidths).
    """
    name = str(path)
    try:
        if Path(path).stat().st_size > _LARGEST:
            raise FaultsError([f"{name}: found more than 64 MiB, expected a log"])
        text = Path(path).read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise FaultsError([f"{name}: cannot be read ({error.strerror}), expected a log"]) from None
    out = _Reader(name)
    start = text.lstrip()
    if start.startswith(("{", "[")):
        try:
            _of_json(json.loads(start), out)
        except (json.JSONDecodeError, RecursionError) as error:
            line = getattr(error, "lineno", 1)
            out.fault(line, f"found broken JSON ({type(error).__name__}), expected a whole report")
    elif "," in start.partition("\n")[0] and not start.startswith("#"):
        try:
            _read_csv(start, out)
        except csv.Error as error:
            out.fault(1, f"found broken CSV ({error}), expected a table")
    else:
        _read_text(text, out)
    return out.done()
