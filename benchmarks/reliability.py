"""Lives of clusters: 100,000 GPU-years under every policy, with a fixed seed.

    python benchmarks/reliability.py [--quick]

Compile time is left out (a short life runs first). A row says the time of one thread, events per second, and
goodput with half of its 95 % interval. Exits 1 if 100,000 GPU-years take 10 s or more.
"""

import argparse
import sys
import time

from topo_sim.gpus.reliability import (
    POLICIES,
    YEAR,
    Cluster,
    Job,
    load_failure_rates,
    replay,
    simulate_life,
)

LIMIT = 10.0
RATE = 0.111 / YEAR  # failures of an H100 in the Llama 3 record
JOB = Job(interval=3600.0, write=60.0, restart=300.0)


def clusters(policy):
    """One cluster of 256 in groups of 32, and one job on 16,384 GPUs."""
    spares = POLICIES[policy].spares
    base = {"rate": RATE, "repair": 72 * 3600.0, "crash_rate": 0.062 / YEAR}
    yield "256 GPUs, groups of 32", Cluster(count=256, group=32, spares=4 * spares, **base), 12.2, 32
    yield "16,384 GPUs, one group", Cluster(count=16384, group=16384, spares=64 * spares, **base), 0.763, 8


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the GPU-years")
    share = 0.1 if parser.parse_args().quick else 1.0
    slow = False
    print(f"{'cluster':24} {'policy':12} {'GPU-years':>10} {'events':>8} {'s':>8} {'events/s':>10}  goodput")
    for policy in POLICIES:
        for name, cluster, years, replicas in clusters(policy):
            simulate_life(cluster, policy, JOB, years=0.01, replicas=1)
            begin = time.perf_counter()
            life = simulate_life(cluster, policy, JOB, years=years * share, replicas=replicas, seed=1)
            seconds = time.perf_counter() - begin
            slow |= share == 1.0 and seconds >= LIMIT
            events = life.counted("events").sum()
            goodput = f"{life.goodput.mean:.5f} +- {life.goodput.half:.5f}"
            print(f"{name:24} {policy:12} {life.device_years:10,.0f} {events:8,.0f} {seconds:8.3f} "
                  f"{events / seconds:10,.0f}  {goodput}")  # fmt: skip
    begin = time.perf_counter()
    found = replay(load_failure_rates().record("llama3-405b"), replicas=200, seed=1)
    seconds, total = time.perf_counter() - begin, found.interruptions
    print(f"Llama 3 record, 200 lives: {total.mean:.1f} +- {total.half:.1f}, "
          f"deviation {total.deviation:.1f}, {seconds:.2f} s")  # fmt: skip
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
