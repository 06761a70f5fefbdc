"""Throughput and link loads of whole matrices: every method on fixed instances, in one run.

    python benchmarks/throughput.py [--quick] [--lp-large]

Every row runs in a process of its own, so that its peak memory is its own; compile time is left out (a
small instance runs first). The linear program runs beside the approximation on the same instance:
"ratio" is its time over that of the row. ``--lp-large`` adds the linear program on 160 switches,
which takes minutes. Exits 1 if a proven gap is above the one asked for.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import networkx as nx

from topo_sim.topo import Fabric, fat_tree, link_loads, max_concurrent_flow, torus, twisted_torus


def random_regular(switches, degree):
    return Fabric.from_graph(nx.random_regular_graph(degree, switches, seed=1), bandwidth=1.0)


FABRICS = {
    "random regular (40, 8)": lambda: random_regular(40, 8),
    "random regular (80, 8)": lambda: random_regular(80, 8),
    "random regular (160, 8)": lambda: random_regular(160, 8),
    "random regular (1024, 16)": lambda: random_regular(1024, 16),
    "torus 4x4x8": lambda: torus((4, 4, 8), bandwidth=1.0),
    "twisted torus 8x8x16": lambda: twisted_torus((8, 8, 16), bandwidth=1.0),
    "torus 16x16x16": lambda: torus((16, 16, 16), bandwidth=1.0),
    "fat-tree k=64": lambda: fat_tree(64, bandwidth=1.0),
}
# Instance, demand, method, gap.
ROWS = [
    ("random regular (40, 8)", "all_to_all", "lp", 0.01),
    ("random regular (40, 8)", "all_to_all", "fptas", 0.01),
    ("torus 4x4x8", "all_to_all", "symmetry", 0.01),
    ("twisted torus 8x8x16", "all_to_all", "symmetry", 0.01),
    ("random regular (160, 8)", "all_to_all", "fptas", 0.01),
    ("fat-tree k=64", "all_to_all", "symmetry", 0.01),
    ("fat-tree k=64", "all_to_all", "ecmp_split loads", 0.01),
]
MORE = [
    ("random regular (80, 8)", "all_to_all", "lp", 0.01),
    ("random regular (80, 8)", "all_to_all", "fptas", 0.01),
    ("random regular (80, 8)", "permutation", "fptas", 0.02),
    ("random regular (1024, 16)", "all_to_all", "fptas", 0.02),
    ("torus 4x4x8", "hot_spots", "fptas", 0.01),
    ("torus 16x16x16", "all_to_all", "symmetry", 0.01),
    ("torus 16x16x16", "all_to_all", "ecmp_split loads", 0.01),
    ("fat-tree k=64", "permutation", "symmetry", 0.01),
]
LARGE = [("random regular (160, 8)", "all_to_all", "lp", 0.01)]


def measure(instance, demand, method, gap):
    """One row: build, warm up, run once, report."""
    fabric = FABRICS[instance]()
    if method == "ecmp_split loads":
        link_loads(torus((3, 3)), "hot_spots")
        begin = time.perf_counter()
        load = link_loads(fabric, demand)
        seconds = time.perf_counter() - begin
        theta, reached = float((fabric.capacity / load).min()), 0.0
    else:
        warm = torus((3, 3)) if method == "symmetry" else random_regular(10, 3)
        max_concurrent_flow(warm, "all_to_all", method)
        begin = time.perf_counter()
        flow = max_concurrent_flow(fabric, demand, method, gap)
        seconds = time.perf_counter() - begin
        theta, reached = flow.theta, flow.gap
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "theta": theta, "gap": reached, "peak_MiB": peak}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="only the rows of about a second")
    parser.add_argument("--lp-large", action="store_true", help="add the program on 160 switches (minutes)")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.row:
        print(json.dumps(measure(*json.loads(chosen.row))))
        return 0
    rows = ROWS + ([] if chosen.quick else MORE) + (LARGE if chosen.lp_large else [])
    results, failed = [], False
    for row in rows:
        line = subprocess.run(
            [sys.executable, __file__, "--row", json.dumps(row)], capture_output=True, text=True, check=True
        ).stdout
        results.append(json.loads(line.splitlines()[-1]))
        failed |= row[2] == "fptas" and results[-1]["gap"] > row[3] * (1 + 1e-9)
    program = {row[:2]: found["seconds"] for row, found in zip(rows, results, strict=True) if row[2] == "lp"}
    heading = ("instance", "demand", "method", "seconds", "theta", "gap", "MiB", "LP / this")
    print("{:<26}{:<13}{:<18}{:>9}{:>9}{:>9}{:>7}{:>11}".format(*heading))
    for (instance, demand, method, _), found in zip(rows, results, strict=True):
        lp = program.get((instance, demand))
        ratio = f"{lp / found['seconds']:.1f}" if lp else "-"
        print(
            f"{instance:<26}{demand:<13}{method:<18}{found['seconds']:>9.3f}{found['theta']:>9.4f}"
            f"{found['gap']:>9.1e}{found['peak_MiB']:>7.0f}{ratio:>11}"
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
