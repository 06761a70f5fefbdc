"""The lines of nccl-tests text: freed of what launchers put before them, and cut into tests."""

import re

__all__ = ["clean_lines", "name_line", "split_tests", "text_columns"]

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_PREFIX = re.compile(
    r"\[[^\]\s]*,\d+\](?:<std\w+>)?:? ?"  # mpirun --tag-output
    r"|\[\d+\] "  # mpirun -prepend-rank
    r"|\s*\d+:(?=[\s#]|$) ?"  # srun --label
    r"|\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]?:?(?:\s|$)"
    r"|\[?\d\d:\d\d:\d\d(?:[.,]\d+)?\]?:?(?:\s|$)"
)
_MOST_PREFIXES = 4
_COMMAND, _STARTING, _THREADS, _COLUMNS, _ROW = range(5)


def clean_lines(text: str) -> list[str]:
    r"""Take colours, ranks and times of day from the start of every line.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of str

    Examples
    --------
    >>> clean_lines("[1,0]<stdout>:# nThread 1\n0:   8  2 float\n2024-01-01T00:00:00Z # done")
    ['# nThread 1', '  8  2 float', '# done']
    """
    lines = _COLOUR.sub("", text).splitlines()
    for i, line in enumerate(lines):
        for _ in range(_MOST_PREFIXES):
            found = _PREFIX.match(line)
            if not found:
                break
            line = line[found.end() :]
        lines[i] = line
    return lines


def text_columns(line: str) -> list[str] | None:
    """Names of the columns, if this is the header that has them.

    Parameters
    ----------
    line : str

    Returns
    -------
    list of str or None

    Examples
    --------
    >>> text_columns("# size count type time algbw busbw")
    ['size', 'count', 'type', 'time', 'algbw', 'busbw']
    """
    names = line.lstrip("#").split()
    is_header = line.startswith("#") and {"size", "count", "time", "algbw", "busbw"} <= set(names)
    return names if is_header else None


def _kind(line: str) -> int | None:
    if line.startswith("#"):
        if "Collective test starting" in line:
            return _STARTING
        if re.match(r"#\s*nThread\b", line):
            return _THREADS
        return _COLUMNS if text_columns(line) else None
    if re.search(r"[a-z_]+_perf\b", line):
        return _COMMAND
    cells = line.split()
    return _ROW if len(cells) > 1 and cells[0].isdecimal() and cells[1].isdecimal() else None


def split_tests(lines: list[str]) -> list[range]:
    """Cut a log into the tests that wrote it.

    Parameters
    ----------
    lines : list of str
        Clean.

    Returns
    -------
    list of range
        Lines of each test, from 0.

    Notes
    -----
    A test begins where its header starts anew ("Collective test starting", "nThread", the columns), or at
    the command line before that.

    Examples
    --------
    >>> head = "# size count time algbw busbw"
    >>> split_tests(["./all_reduce_perf", head, "8 2 1 1 1", "./all_gather_perf", head, "8 2 1 1 1"])
    [range(0, 3), range(3, 6)]
    """
    starts, seen, command = [0], _COMMAND, None
    for i, line in enumerate(lines):
        kind = _kind(line)
        if kind is None:
            continue
        if kind == _COMMAND:
            command = i if command is None else command
            continue
        if kind != _ROW and seen >= kind:
            starts.append(i if command is None else command)
        seen, command = max(kind, seen) if kind == _ROW else kind, None
    return [range(a, b) for a, b in zip(starts, [*starts[1:], len(lines)], strict=True)]


def name_line(lines: list[str]) -> str:
    """Line of a test that says which one it is.

    Parameters
    ----------
    lines : list of str
        Of one test.

    Returns
    -------
    str
        Empty if there is none.

    Examples
    --------
    >>> name_line(["./all_reduce_perf", "# Collective test starting: all_gather_perf"])
    '# Collective test starting: all_gather_perf'
    """
    head = next((i for i, line in enumerate(lines) if text_columns(line)), len(lines))
    said = [line for line in lines[:head] if _kind(line) == _STARTING]
    said = said or [line for line in lines[:head] if _kind(line) == _COMMAND]
    return said[-1] if said else next((line for line in lines if re.search(r"[a-z_]+_perf\b", line)), "")
