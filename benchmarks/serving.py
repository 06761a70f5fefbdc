"""Serving runs: 100,000 requests through one pool and two, with and without failures, with a fixed seed.

    python benchmarks/serving.py [--quick]

Compile time is left out (a short run comes first). A row says the time of one thread, set-up included, events
per second and what came of the requests; the last lines hold one server against the M/D/1 queue. Exits 1 if
100,000 requests take 30 s or more, a request beats its bound, or both sides of Little's law differ.
"""

import argparse
import math
import sys
import time

import numpy as np

from topo_sim.inference.serving import PassTable, Pool, Requests, Rules, find_workload, simulate_serving
from topo_sim.studies.serving import Question, serve_model
from topo_sim.studies.serving_cluster import Failures

LIMIT = 30.0
FABRIC = "lite-flat-switch"
FAIL = Failures(rate=0.3 / 3600, repair=600.0, spares=8, restart=30.0)
CASES = {
    "two pools, conversation": ("conversation", 60.0, {"instances": (14, 10)}, Rules(), None),
    "two pools, failures": ("conversation", 60.0, {"instances": (14, 10)}, Rules(), FAIL),
    "two pools, coding": ("coding", 60.0, {"instances": (18, 4)}, Rules(), None),
    "one pool, whole prompts": ("conversation", 60.0, {"instances": 24}, Rules(), None),
    "one pool, chunks of 512": ("conversation", 60.0, {"instances": 24}, Rules(chunk=512), None),
}


def queue(n, load, service=1.0):
    """Mean wait of one server with fixed service, and that of Pollaczek and Khinchine."""
    gaps = np.random.default_rng(7).exponential(service / load, n)
    table = PassTable([1, 2], [1, 2], [[service] * 2] * 2, [1], [1], [[1.0]], 10**6)
    requests = Requests(np.cumsum(gaps), np.full(n, 8), np.ones(n, np.int64))
    done = simulate_serving(requests, Pool(table, 1), rules=Rules(most_tokens=8))
    return float((done.ttft - service).mean()), load * service / (2 * (1 - load))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a fiftieth of the requests")
    quick = parser.parse_args().quick
    count, bad = 2_000 if quick else 100_000, False
    print(f"{'llama3-70b, TP 8, ' + FABRIC:28} {'requests':>9} {'tokens':>11} {'events':>10} {'s':>7} "
          f"{'events/s':>11} {'in limits':>10} {'TTFT p99':>9} {'TBT p99':>8}")  # fmt: skip
    for name, (workload, rate, how, rules, failures) in CASES.items():
        for n in (200, count):
            asked = Question(
                find_workload(workload), rate=rate, count=n, rules=rules, failures=failures, seed=1
            )
            begin = time.perf_counter()
            run = serve_model("llama3-70b", asked, FABRIC, tp=8, **how)
            seconds = time.perf_counter() - begin
        served, (integrated, summed) = run.served, run.served.little
        bad |= not quick and seconds >= LIMIT
        bad |= run.beaten > 0 or not math.isclose(integrated, summed, rel_tol=1e-9)
        print(f"{name:28} {n:9,} {served.made.sum():11,} {served.events:10,} {seconds:7.2f} "
              f"{served.events / seconds:11,.0f} {run.attained:10.1%} {run.percentiles('ttft')['p99']:8.3f}s "
              f"{1e3 * run.gaps['p99']:6.1f}ms")  # fmt: skip
    for load in (0.5, 0.8, 0.95):
        found, exact = queue(10 * count, load)
        print(f"M/D/1 at load {load}: mean wait {found:.4f}, closed form {exact:.4f}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
