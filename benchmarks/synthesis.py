"""Exact optima and synthesized schedules on fixed fabrics: time taken, steps, share of the optimum.

    python benchmarks/synthesis.py [--quick] [--format table|json]

Compile time is left out (tiny fabrics run first). Every schedule is replayed, which is not timed; a schedule
that does not replay, is faster than its lower bound or takes more steps than the row allows makes the exit
code 1. "share" is algbw over the exact optimum, at 1 GiB.
"""

import argparse
import json
import sys
import time

import networkx as nx

from topo_sim.base import CollectiveError
from topo_sim.collectives import cost, find_optimum, replay, synthesize
from topo_sim.topo import Fabric, load_fabric, single_switch, torus

SIZE = 2.0**30


def servers(count, gpus=8):
    """Servers of 8 A100s, each 300 GB/s to the NVSwitch and 25 GB/s through a port to one switch over all."""
    graph = nx.Graph()
    for i in range(count):
        graph.add_nodes_from((f"gpu{i}.{j}" for j in range(gpus)), kind="gpu")
    for i in range(count):
        for j in range(gpus):
            graph.add_edge(f"gpu{i}.{j}", f"nvswitch{i}", bandwidth=300e9, latency=250e-9)
            graph.add_edge(f"gpu{i}.{j}", f"port{i}.{j}", bandwidth=25e9, latency=250e-9)
            graph.add_edge(f"port{i}.{j}", "switch", bandwidth=25e9, latency=250e-9)
    for node in graph:
        graph.nodes[node].setdefault("kind", "switch")
    return Fabric.from_graph(graph, name=f"{count} servers of A100")


def without_structure(*dims):
    """A torus given as a plain graph: nothing is known of its symmetry."""
    graph = torus(dims).graph
    for _, _, data in graph.edges(data=True):
        data.update(bandwidth="50 GiB/s", latency="500 ns")
    return Fabric.from_graph(nx.Graph(graph), name=f"torus {dims}, as a graph")


def grid(*dims):
    return torus(dims, bandwidth="50 GiB/s", latency="500 ns")


FABRICS = {
    "torus 4x4": lambda: grid(4, 4),
    "torus 8x8": lambda: grid(8, 8),
    "torus 8x8, as a graph": lambda: without_structure(8, 8),
    "torus 4x4x4": lambda: grid(4, 4, 4),
    "torus 4x4x4, as a graph": lambda: without_structure(4, 4, 4),
    "torus 16x16": lambda: grid(16, 16),
    "2 servers of A100": lambda: servers(2),
    "4 servers of A100": lambda: servers(4),
    "polaris-8": lambda: load_fabric("polaris-8"),
    "switch of 64": lambda: single_switch(64),
    "superpod-h100-64": lambda: load_fabric("superpod-h100-64"),
}
# Fabric, method, chunks, most steps (0: any).
ROWS = [
    ("torus 8x8", "greedy", 1, 16),
    ("torus 8x8", "greedy", 4, 63),
    ("torus 8x8, as a graph", "greedy", 1, 17),
    ("torus 4x4x4", "greedy", 1, 11),
    ("torus 4x4x4, as a graph", "greedy", 1, 11),
    ("2 servers of A100", "greedy", 8, 0),
    ("torus 4x4", "trees", None, 0),
    ("torus 8x8", "trees", None, 0),
    ("2 servers of A100", "trees", None, 0),
    ("polaris-8", "trees", None, 0),
]
MORE = [
    ("torus 16x16", "greedy", 1, 64),
    ("superpod-h100-64", "greedy", 2, 0),
    ("4 servers of A100", "trees", None, 0),
    ("torus 4x4x4", "trees", None, 0),
    ("switch of 64", "trees", None, 0),
    ("superpod-h100-64", "trees", None, 0),
]


def warm_up():
    for fabric in (grid(3, 3), servers(2, 2)):
        find_optimum("all_gather", fabric)
        for method in ("greedy", "trees"):
            cost(synthesize("all_gather", fabric, method=method), fabric)


def measure(name, method, chunks, most):
    """One row: the optimum, the schedule, its proof and its cost."""
    fabric = FABRICS[name]()
    begin = time.perf_counter()
    best = find_optimum("all_gather", fabric)
    found = time.perf_counter()
    schedule = synthesize("all_gather", fabric, size=SIZE, method=method, chunks=chunks)
    made = time.perf_counter()
    result = cost(schedule, fabric, routing=schedule.options["routing"])
    good = result.time >= result.lower_bound * (1 - 1e-12) and (not most or schedule.step_count <= most)
    try:
        replay(schedule)
    except CollectiveError as error:
        print(f"{name}: {error}", file=sys.stderr)
        good = False
    return {
        "fabric": name,
        "method": method,
        "options": {k: v for k, v in schedule.options.items() if k != "seed"},
        "optimum_GB_per_s": str(best.algbw / 10**9),
        "optimum_s": found - begin,
        "synthesis_s": made - found,
        "steps": schedule.step_count,
        "share": result.algbw / float(best.algbw),
        "good": bool(good),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="only the rows of about a second")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    chosen = parser.parse_args()
    warm_up()
    found = [measure(*row) for row in ROWS + ([] if chosen.quick else MORE)]
    if chosen.format == "json":
        print(json.dumps(found, indent=2))
    else:
        print("| fabric | method | optimum s | synthesis s | steps | share of optimum |")
        print("|---|---|---|---|---|---|")
        for row in found:
            options = ", ".join(f"{k} {v}" for k, v in row["options"].items())
            print(
                f"| {row['fabric']} | {row['method']} ({options}) | {row['optimum_s']:.4f} "
                f"| {row['synthesis_s']:.3f} | {row['steps']} | {row['share']:.3f} |"
            )
    return int(not all(row["good"] for row in found))


if __name__ == "__main__":
    sys.exit(main())
