"""Read nccl-tests output: the text it prints, its JSON report, or a table in CSV."""

import codecs
import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from topo_sim.base import FaultsError
from topo_sim.collectives.measured.lines import clean_lines, name_line, split_tests, text_columns
from topo_sim.collectives.measured.rows import (
    Measurement,
    check_row,
    collective_name,
    names_another,
    ratio_fault,
    recover_ranks,
    tolerance,
)

__all__ = ["Log", "read_log"]

_LARGEST = 64 * 2**20
_FEWEST = 6  # cells of a row of text
_MOST_DIGITS = 10  # of a number of ranks
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


_Group = tuple[int, str, str, int]
"""Part of the file, system, collective, ranks: rows that stand or fall together."""


class _CellError(Exception):
    """A cell is at fault, and that has been noted."""


@dataclass
class _Reader:
    """Rows and faults as they come."""

    path: str
    rows: list[Measurement] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    part: int = 0
    groups: dict[int, _Group] = field(default_factory=dict)
    told: dict[_Group, list[tuple[int, str | None]]] = field(default_factory=dict)

    def fault(self, line: int, text: str) -> None:
        self.faults.append(f"{self.path}: line {line}: {text}")

    def _number(self, line: int, name: str, raw: Any) -> float | None:
        """Read a number, NaN if it is at fault."""
        if raw in (None, "") or (name == "wrong" and str(raw).upper() == "N/A"):
            return None
        try:
            return float(raw)
        except (TypeError, ValueError, OverflowError):
            point = " with a decimal point" if re.fullmatch(r"\d+,\d+", str(raw)[:40]) else ""
            self.fault(line, f'{name}: found "{str(raw)[:40]}", expected a number{point}')
            raise _CellError from None

    def refuse_groups(self) -> None:
        """Leave out what most rows of a test contradict: its ranks, or its collective."""
        for group, told in self.told.items():
            wrong = [(line, text) for line, text in told if text is not None]
            if 2 * len(wrong) <= len(told):
                continue
            mine = [row for row in self.rows if self.groups[row.line] == group]
            self.rows = [row for row in self.rows if self.groups[row.line] != group]
            texts = {f"{self.path}: line {line}: {text}" for line, text in wrong}
            self.faults = [fault for fault in self.faults if fault not in texts]
            line, text = wrong[-1]
            count = len(mine) + len(wrong)
            self.fault(
                line, f"{text}, as in {len(wrong)} of {len(told)} rows; left out are all {count} of the test"
            )

    def add(self, line: int, values: Mapping[str, Any], collective: str, ranks: int | None) -> None:
        """Check a row and keep it, or say why not."""
        names = ("size", "time", "algbw", "busbw", "wrong")
        try:
            numbers = {name: self._number(line, name, values.get(name)) for name in names}
        except _CellError:
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
        group = self.part, str(values.get("system") or ""), collective, ranks
        self.groups[line] = group
        if algbw and busbw is not None and math.isfinite(tolerance(algbw, 1.0)):
            ratio = ratio_fault(collective, ranks, algbw, busbw)
            if fault is None or fault == ratio:
                self.told.setdefault(group, []).append((line, ratio))
        if fault is None and numbers["wrong"]:
            fault = f"found {numbers['wrong']:g} wrong results, expected none"
        if fault is not None:
            self.fault(line, fault)
            return
        system, note = str(values.get("system") or ""), str(values.get("note") or "")
        self.rows.append(Measurement(self.path, line, system, collective, ranks, size, time * 1e-6, note))

    def done(self) -> Log:
        self.refuse_groups()
        if not self.rows:
            faults = self.faults or [
                f"{self.path}: found no row of measurements, expected nccl-tests text, JSON or CSV"
            ]
            raise FaultsError(faults)
        return Log(self.path, tuple(self.rows), tuple(self.faults))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _delimiter(first: str) -> str | None:
    """Find what separates the cells of a header, if this is one."""
    wanted = {*_COLUMNS["size"], *_COLUMNS["time"]}
    found = max(",;\t", key=first.count)
    return found if wanted & {_plain(cell) for cell in first.split(found)} else None


def _read_csv(text: str, out: _Reader, delimiter: str) -> None:
    table = csv.reader(io.StringIO(text), delimiter=delimiter)
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
        if given and not (given.isdecimal() and len(given) < _MOST_DIGITS):
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


def _read_text(lines: list[str], out: _Reader) -> None:
    tests = split_tests(lines)
    named = [collective_name(name_line([lines[i] for i in test])) is not None for test in tests]
    for part, test in enumerate(tests):
        out.part = part
        _read_test(lines, test, out, Path(out.path).name if not any(named) else "")


def _read_test(lines: list[str], test: range, out: _Reader, name: str) -> None:
    """Read the lines of one test; `name` names it where they do not."""
    mine = [lines[i] for i in test]
    ranks = {int(m[1]) for line in mine if (m := re.match(r"#\s+Rank\s+(\d{1,9})\s", line))}
    devices = Counter(m[1] for line in mine if (m := re.search(r"\[0x[0-9a-f]+\]\s+(.+?)\s*$", line)))
    system = f"{len(ranks)}x {devices.most_common(1)[0][0]}" if devices else ""
    said = name_line(mine)
    collective = collective_name(said) or collective_name(name)
    other = names_another(said)
    rows = list(_text_rows(mine, test.start + 1, out))
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


def _text_rows(lines: list[str], first: int, out: _Reader) -> Iterator[tuple[int, list[str], int]]:
    """Line, cells and column of the out-of-place time of every row."""
    columns, swapped = None, False
    for number, line in enumerate(lines, start=first):
        if "out-of-place" in line and "in-place" in line:
            swapped = line.index("out-of-place") > re.sub("out-of-place", " " * 12, line).index("in-place")
        if line.startswith("#"):
            columns = text_columns(line) or columns
            continue
        cells = line.split()
        if columns is None or not all(cell.isdecimal() for cell in cells[:2]) or not cells:
            continue
        if len(cells) < _FEWEST:
            out.fault(number, f"found {len(cells)} cells, expected a whole row of the {len(columns)} columns")
            continue
        times = [i for i, name in enumerate(columns) if name == "time"]
        yield number, cells, times[1] if swapped and len(times) > 1 else times[0]


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
        raw = Path(path).read_bytes()
    except OSError as error:
        raise FaultsError([f"{name}: cannot be read ({error.strerror}), expected a log"]) from None
    out, text = _Reader(name), _decoded(raw, name)
    start, lines = text.lstrip(), clean_lines(text)
    delimiter = _delimiter(start.partition("\n")[0])
    if any(text_columns(line) for line in lines):
        _read_text(lines, out)
    elif start.startswith(("{", "[")):
        _read_json(start, out)
    elif not start.startswith("#") and (delimiter or "," in start.partition("\n")[0]):
        try:
            _read_csv(start, out, delimiter or ",")
        except csv.Error as error:
            out.fault(1, f"found broken CSV ({error}), expected a table")
    else:
        _read_text(lines, out)
    return out.done()


def _decoded(raw: bytes, name: str) -> str:
    """Text of a file in UTF-8, or in UTF-16 that says so."""
    wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = raw.decode("utf-16" if wide else "utf-8-sig", errors="replace")
    if "\0" in text:
        raise FaultsError(
            [f"{name}: found bytes of 0, expected text in UTF-8, or in UTF-16 with a byte order mark"]
        )
    return text


def _read_json(text: str, out: _Reader) -> None:
    try:
        _of_json(json.loads(text), out)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        what = type(error).__name__
        what = "a number of too many digits" if what == "ValueError" else what
        out.fault(line, f"found broken JSON ({what}), expected a whole report")
