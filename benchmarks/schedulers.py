"""Schedulers of circuits on fixed demands: seconds, configurations and gap to the bound, in one run.

    python benchmarks/schedulers.py [--quick]

Circuits of 50 GB/s, 20 us per change, one plane. Each row is the least of three runs (one for 256 ranks);
"first call" is the first run of the process, which compiles kernels where the cache has none. Every schedule
is checked as always; the script fails if one is wrong.
"""

import argparse
import time

import numpy as np

from topo_sim.optics.scheduling import SCHEDULERS, Problem, schedule_demand


def demands(ranks):
    """The five demands, each about a megabyte per pair or its like in all."""
    rng = np.random.default_rng(0)
    peers = min(8, ranks - 1)
    uniform = rng.random((ranks, ranks)) * 1e6
    sparse = np.zeros((ranks, ranks))
    for i in range(ranks):
        others = rng.choice(np.delete(np.arange(ranks), i), peers, replace=False)
        sparse[i, others] = rng.random(peers) * ranks / 8 * 1e6
    skewed = rng.permutation(np.arange(1, ranks * ranks + 1.0) ** -1.2).reshape(ranks, ranks)
    np.fill_diagonal(skewed, 0.0)
    return {
        "uniform": uniform,
        "sparse": sparse,
        "zipf": skewed / skewed.sum() * ranks * ranks * 1e6,
        "permutation": np.roll(np.eye(ranks), 3, axis=1) * ranks * 1e6,
        "all-to-all": np.full((ranks, ranks), 1e6),
    }


def measure(problem, name, repeat):
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        done = schedule_demand(problem, name)
        best = min(best, time.perf_counter() - start)
    return best, done


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="16 ranks only")
    sizes = [16] if parser.parse_args().quick else [64, 256]
    small = Problem(np.ones((4, 4)), 50e9, 20e-6)
    for name in SCHEDULERS:
        print(f"first call  {name:11s} {measure(small, name, 1)[0]:8.2f} s")
    print("| ranks | scheduler | " + " | ".join(demands(4)) + " |")
    print("|---|---|" + "---|" * len(demands(4)))
    for ranks in sizes:
        problems = [Problem(demand, 50e9, 20e-6) for demand in demands(ranks).values()]
        for name in SCHEDULERS:
            cells = []
            for problem in problems:
                seconds, done = measure(problem, name, 1 if ranks > 64 else 3)
                cells.append(f"{seconds:.3f} s, {done.configurations:,}, {done.gap:.0%}")
            print(f"| {ranks} | `{name}` | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
