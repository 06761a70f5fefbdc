"""The flow engine against SimGrid, on the same paths, in one run.

    python benchmarks/versus_simgrid.py [--quick] [--only NAME ...] [--limit SECONDS] [--format table|json]

Compiles `simgrid_flows.cpp` against the installed library (Debian: libsimgrid-dev), hands it the paths of
each instance and compares the answers flow by flow. SimGrid runs as plain max-min: no latency, no
cross-traffic, no TCP model. Its time is that of the run alone; building its platform is a column apart.
Exits 2 where SimGrid is not installed, 1 where the answers differ.
"""

import argparse
import json
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from flow import SLOW, select, timed, warm_up
from flow import ours as independent
from instances import INSTANCES, QUICK, QUICK_RINGS, RINGS, Problem, ring_order

from topo_sim.topo.flow import simulate

HERE = Path(__file__).resolve().parent
# SimGrid compares to absolute and relative precisions: this is what it can be asked for.
OPTIONS = (
    "network/model:CM02", "network/crosstraffic:0", "network/TCP-gamma:0", "network/weight-S:0",
    "network/bandwidth-factor:1", "network/latency-factor:1", "network/loopback-lat:0",
    "maxmin/precision:1e-9", "surf/precision:1e-9",
)  # fmt: skip
AGREED = 1e-7


def ours(problem: Problem):
    """Rates, or finish times; of flows that wait for each other, what waits for what is part of the work."""
    if not problem.ranks:
        return independent(problem)
    return simulate(problem.paths, problem.capacity, problem.size, after=ring_order(problem)).finish


def compile_peer(folder: Path) -> Path | None:
    """Build the C++ program; None where there is no compiler or no SimGrid."""
    compiler, program = shutil.which("g++"), folder / "simgrid_flows"
    if compiler is None:
        return None
    command = [
        compiler,
        "-O2",
        "-std=c++17",
        str(HERE / "simgrid_flows.cpp"),
        "-lsimgrid",
        "-o",
        str(program),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr.splitlines()[0] if done.stderr else "g++ failed", file=sys.stderr)
        return None
    return program


def write_problem(problem: Problem, path: Path) -> None:
    """In the layout that the C++ program reads."""
    paths, flows = problem.paths, len(problem.paths)
    size = np.zeros(flows) if problem.size is None else problem.size
    with path.open("wb") as out:
        np.array([flows, problem.capacity.size, paths.links.size, problem.ranks], np.int64).tofile(out)
        for array, kind in (
            (paths.indptr, np.int64),
            (paths.links, np.int32),
            (problem.capacity, float),
            (size, float),
        ):
            array.astype(kind, copy=False).tofile(out)


def run_peer(program: Path, problem: Problem, limit: float, repeat: int):
    """What SimGrid says of a problem: its line of JSON with the shortest run, and the answers.

    (None, None) where it does not finish in time, ("crashed", None) where it dies.
    """
    given, answer = program.parent / "problem", program.parent / "answer"
    write_problem(problem, given)
    mode = "max_min" if problem.size is None else "ring" if problem.ranks else "events"
    command = [str(program), mode, str(given), str(answer), *(f"--cfg={option}" for option in OPTIONS)]
    best = None
    for _ in range(repeat):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
        except subprocess.TimeoutExpired:
            return best, None if best is None else np.fromfile(answer)
        if done.returncode:
            print(done.stderr[-300:], file=sys.stderr)
            return "crashed", None
        said = json.loads(done.stdout.splitlines()[-1])
        best = said if best is None or said["run"] < best["run"] else best
        if said["run"] > SLOW:
            break
    return best, np.fromfile(answer)


def compare(name: str, problem: Problem, program: Path, limit: float, repeat: int) -> dict:
    """One row: both on one problem, flow by flow."""
    seconds, mine = timed(ours, problem)
    for _ in range(repeat - 1):
        if seconds < SLOW:
            seconds = min(seconds, timed(ours, problem)[0])
    said, theirs = run_peer(program, problem, limit, repeat)
    row = {"name": name, "flows": len(problem.paths), "ours": seconds, "simgrid": None, "set_up": None}
    row |= {"steps": None, "ratio": None, "difference": None, "note": "", "good": True}
    if theirs is None:
        row["note"] = "crashed" if said == "crashed" else f"gave up after {limit:g} s"
        row["at_least"] = None if said == "crashed" else limit / seconds
        return row
    difference = float(np.max(np.abs(theirs / mine - 1.0), initial=0.0))
    row |= {
        "simgrid": said["run"],
        "set_up": said["set_up"],
        "steps": said["steps"],
        "version": said["version"],
    }
    row |= {"ratio": said["run"] / seconds, "difference": difference, "good": difference <= AGREED}
    if not math.isfinite(difference) or difference > AGREED:
        row["note"] = "DIFFERENT"
    return row


def table(rows: list[dict]) -> str:
    """Markdown."""
    lines = ["| instance | flows | ours s | SimGrid run s | ratio | set-up s | time steps | difference |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for row in rows:
        if row["simgrid"] is None:
            more = f"> {row['at_least']:.0f}" if row.get("at_least") else "-"
            tail = f"{row['note']} | {more} | | | "
        else:
            tail = (
                f"{row['simgrid']:.4g} | {row['ratio']:.3g} | {row['set_up']:.2g} | {row['steps'] or ''} | "
            )
            tail += f"{row['difference']:.0e} {row['note']}"
        lines.append(f"| {row['name']} | {row['flows']} | {row['ours']:.4g} | {tail} |")
    return "\n".join(lines)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny instances: do the answers agree?")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="instances whose names contain one of these"
    )
    parser.add_argument("--limit", type=float, default=60.0, metavar="SECONDS", help="for one run of SimGrid")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="runs of each (default: 3)")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    return parser.parse_args()


def main() -> int:
    asked = read_arguments()
    pool = {**QUICK, **QUICK_RINGS} if asked.quick else {**INSTANCES, **RINGS}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        program = compile_peer(Path(folder))
        if program is None:
            print("SimGrid is not installed here (Debian: libsimgrid-dev, g++)", file=sys.stderr)
            return 2
        for kind in ("max_min", "events"):
            warm_up(kind)
        names = select(pool, asked.only)
        for at, name in enumerate(names, 1):
            print(f"[{at}/{len(names)}] {name}", file=sys.stderr, flush=True)
            rows.append(compare(name, pool[name].build(), program, asked.limit, asked.repeat))
    if asked.format == "json":
        print(json.dumps(rows, indent=2))
    else:
        versions = {row["version"] for row in rows if "version" in row}
        print(f"SimGrid {', '.join(sorted(versions)) or '(no run ended)'}; ratio: its run over ours\n")
        print(table(rows))
    return 0 if all(row["good"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
