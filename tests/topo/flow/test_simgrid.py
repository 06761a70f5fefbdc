"""Completion times against SimGrid, flow by flow: only where the system's Python has it."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from topo_sim.topo import fat_tree, leaf_spine, route, torus
from topo_sim.topo.flow import completion_times

# Plain max-min: no latency, no cross-traffic, no TCP model. A pair of endpoints has one static route.
SIMULATE = """
import json, sys
from simgrid import Actor, Comm, Engine, LinkInRoute, NetZone, this_actor

problem = json.load(sys.stdin)
options = ["network/model:CM02", "network/crosstraffic:0", "network/TCP-gamma:0", "network/weight-S:0",
           "network/bandwidth-factor:1", "network/latency-factor:1", "maxmin/precision:1e-9"]
engine = Engine(["compare"] + ["--cfg=" + option for option in options])
zone = NetZone.create_full_zone("zone")
hosts = [zone.create_host(f"h{i}", 1e9) for i in range(problem["hosts"])]
links = [zone.create_link(f"l{i}", c).seal() for i, c in enumerate(problem["capacity"])]
seen = set()
for source, target, path in zip(problem["source"], problem["target"], problem["paths"]):
    if (source, target) not in seen:
        seen.add((source, target))
        ends = hosts[source].netpoint, hosts[target].netpoint
        zone.add_route(*ends, None, None, [LinkInRoute(links[link]) for link in path], False)
zone.seal()
finish = [0.0] * len(problem["source"])

def send(f):
    this_actor.sleep_for(problem["start"][f])
    Comm.sendto_async(hosts[problem["source"][f]], hosts[problem["target"][f]], problem["size"][f]).wait()
    finish[f] = Engine.clock

for f in range(len(finish)):
    Actor.create(f"f{f}", hosts[problem["source"][f]], send, f)
engine.run()
print(json.dumps(finish))
"""


def run_simgrid(problem):
    """Finish times by SimGrid, which lives in a Python of its own."""
    for candidate in ("/usr/bin/python3", "python3"):
        python = shutil.which(candidate)
        if python and not subprocess.run([python, "-c", "import simgrid"], capture_output=True).returncode:
            break
    else:
        pytest.skip("no Python here imports simgrid")
    answer = subprocess.run(
        [python, "-c", SIMULATE], input=json.dumps(problem), capture_output=True, text=True, timeout=60
    )
    assert answer.returncode == 0, answer.stderr
    return np.array(json.loads(answer.stdout.splitlines()[-1]))


@pytest.mark.simgrid
@pytest.mark.parametrize(
    ("fabric", "routing"),
    [
        (fat_tree(4, bandwidth=1e9), "ecmp"),
        (torus((4, 4, 2), bandwidth=1e9), "dimension_order"),
        (leaf_spine(4, 4, 2, bandwidth=1e9, uplink_bandwidth=0.7e9), "ecmp"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("late", [False, True], ids=["together", "staggered"])
def test_finish_times_equal(fabric, routing, late):
    rng = np.random.default_rng(5)
    flows = 150
    source = rng.integers(0, fabric.ranks, flows)
    target = (source + rng.integers(1, fabric.ranks, flows)) % fabric.ranks
    size = rng.integers(10**8, 10**10, flows)
    start = rng.uniform(0.0, 20.0, flows) if late else np.zeros(flows)
    paths = route(fabric, source, target, routing, seed=1)
    theirs = run_simgrid(
        {
            "hosts": fabric.ranks,
            "capacity": fabric.capacity.tolist(),
            "source": source.tolist(),
            "target": target.tolist(),
            "paths": [paths[f].tolist() for f in range(flows)],
            "size": size.tolist(),
            "start": start.tolist(),
        }
    )
    np.testing.assert_allclose(completion_times(paths, fabric.capacity, size, start), theirs, rtol=1e-8)
