"""The flow engine against the plain lazy heap, in one run.

    python benchmarks/flow.py [--quick] [--only NAME ...] [--repeat N] [--format table|json] [--fresh]

Every instance runs in a process of its own. The two solvers take turns; the time of each is its shortest.
The engine's rates must pass the certificate of max-min fairness; its finish times must equal those of
the plain event loop (of its first events only, on instances where that loop takes minutes). Exits 1 if
a check fails.
"""

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "tests"))

# After the path is set: the bar is kept beside the tests.
from instances import INSTANCES, QUICK, Instance, Problem  # noqa: E402

from plain_heap import plain_completion, plain_max_min  # noqa: E402
from topo_sim.base import FlowError  # noqa: E402
from topo_sim.topo.flow import Paths, check_max_min, completion_times, max_min_rates  # noqa: E402

TOLERANCE = 1e-12
AGREED = 1e-9
# Seconds past which a solver is not run again: one turn has to do.
SLOW = 5.0


def peak_mib() -> float:
    """Most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(function, *arguments):
    """Seconds, and what the function returned."""
    begin = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - begin, result


def ours(problem: Problem):
    if problem.size is None:
        return max_min_rates(problem.paths, problem.capacity)
    return completion_times(problem.paths, problem.capacity, problem.size)


def plain(problem: Problem, first: int):
    """Rates, or finish times (infinite past the first events); and the number of events."""
    rows = problem.paths.indptr, problem.paths.links, problem.capacity
    if problem.size is None:
        return plain_max_min(*rows), 1
    return plain_completion(*rows, problem.size, TOLERANCE, first)


def warm_up(kind: str) -> tuple[float, float]:
    """Seconds that each solver's first call on a tiny problem takes: compiling, or loading what was."""
    size = None if kind == "max_min" else np.array([1.0, 2.0, 3.0])
    problem = Problem(Paths.from_lists([[0], [0, 1], [1]]), np.array([1.0, 2.0]), size)
    seconds = timed(ours, problem)[0]
    if size is None:
        # Links beyond what 16 bits can number are handled by a kernel of their own.
        seconds += timed(ours, Problem(problem.paths, np.ones(70_000)))[0]
    else:
        # Symmetry is only looked for in larger problems.
        alike = Paths(np.arange(5001), np.zeros(5000, np.int32))
        seconds += timed(ours, Problem(alike, np.ones(1), np.tile([1.0, 2.0], 2500)))[0]
    return seconds, timed(plain, problem, 0)[0]


def certified(problem: Problem, answer) -> bool:
    """Whether rates carry the certificate of max-min fairness. Finish times have none."""
    try:
        check_max_min(problem.paths, problem.capacity, answer)
    except FlowError as error:
        print(error, file=sys.stderr)
        return False
    return True


def measure(instance: Instance, repeat: int) -> dict:
    """Build an instance, run both solvers on it in turns, and compare what they say."""
    first_call, _ = warm_up(instance.kind)
    build, problem = timed(instance.build)
    before = peak_mib()
    seconds, answer = timed(ours, problem)
    row = {
        "name": instance.name,
        "flows": len(problem.paths),
        "links": problem.capacity.size,
        "first_call": first_call,
        "build": build,
        "peak_built": before,
        "peak": peak_mib(),
    }
    theirs = math.inf
    for turn in range(repeat):
        if turn and seconds < SLOW:
            seconds = min(seconds, timed(ours, problem)[0])
        if turn == 0 or theirs < SLOW:
            took, (expected, events) = timed(plain, problem, instance.first)
            theirs = min(theirs, took)
    ended = np.isfinite(expected)
    difference = float(np.max(np.abs(answer[ended] / expected[ended] - 1.0), initial=0.0))
    whole = bool(ended.all())
    row |= {"events": events, "ours": seconds, "plain": theirs if whole else None}
    row |= {"ratio": theirs / seconds if whole else None, "difference": difference, "whole": whole}
    fair = certified(problem, answer) if problem.size is None else True
    row["checked"] = "certificate" if problem.size is None else "all ends" if whole else f"{ended.sum()} ends"
    row["good"] = fair and difference <= AGREED
    return row


COLUMNS = (
    ("instance", 36), ("flows", 10), ("ours s", 9), ("plain s", 9), ("ratio", 7), ("difference", 11),
    ("checked", 13), ("re-shares", 10), ("MiB", 7), ("built MiB", 10), ("first call s", 13),
)  # fmt: skip


def cells(row: dict) -> list[str]:
    """One line of the table."""
    return [
        row["name"],
        str(row["flows"]),
        f"{row['ours']:.4g}",
        f"{row['plain']:.4g}" if row["whole"] else "-",
        f"{row['ratio']:.1f}" if row["whole"] else "-",
        f"{row['difference']:.0e}",
        row["checked"] if row["good"] else "WRONG",
        str(row["events"]) if row["whole"] else "-",
        f"{row['peak']:.0f}",
        f"{row['peak_built']:.0f}",
        f"{row['first_call']:.2f}",
    ]


def table(rows: list[dict]) -> str:
    """Markdown."""
    lines = [[title for title, _ in COLUMNS], ["-" * (width - 2) for _, width in COLUMNS], *map(cells, rows)]
    return "\n".join(
        "| "
        + " | ".join(cell.ljust(width - 2) for cell, (_, width) in zip(line, COLUMNS, strict=True))
        + " |"
        for line in lines
    )


def in_a_process(name: str, repeat: int, cache: str | None) -> dict:
    """Measure one instance in a process of its own, so that its peak memory is its own."""
    environment = os.environ | ({"NUMBA_CACHE_DIR": cache} if cache else {})
    command = [sys.executable, str(Path(__file__).resolve()), "--worker", name, "--repeat", str(repeat)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{name}: failed")
    return json.loads(done.stdout.splitlines()[-1])


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny instances: do the checks pass?")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="instances whose names contain one of these"
    )
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="turns (default: 3)")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    parser.add_argument(
        "--fresh", action="store_true", help="compile anew: the first calls say how long that takes"
    )
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    return parser.parse_args()


def select(pool: dict[str, Instance], only: list[str] | None) -> list[str]:
    """Names that contain one of `only`; an exact name stands for itself alone."""
    names = [n for n in pool if not only or any(o == n or (o not in pool and o in n) for o in only)]
    if not names:
        raise SystemExit(f"no such instance: choose from {', '.join(pool)}")
    return names


def main() -> int:
    asked = read_arguments()
    if asked.worker:
        print(json.dumps(measure((INSTANCES | QUICK)[asked.worker], asked.repeat)))
        return 0
    names = select(QUICK if asked.quick else INSTANCES, asked.only)
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        for at, name in enumerate(names, 1):
            print(f"[{at}/{len(names)}] {name}", file=sys.stderr, flush=True)
            rows.append(in_a_process(name, asked.repeat, cache if asked.fresh else None))
    print(json.dumps(rows, indent=2) if asked.format == "json" else table(rows))
    return 0 if all(row["good"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
