"""The benchmarks run, their checks pass, and their instances are the same every time. No time is asserted."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from naive import completion, max_min, rows
from plain_heap import plain_completion, plain_max_min
from topo_sim.topo.flow import Paths

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


def load_instances():
    spec = importlib.util.spec_from_file_location("benchmark_instances", BENCHMARKS / "instances.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


instances = load_instances()


def run(script, *options):
    command = [sys.executable, str(BENCHMARKS / script), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_quick_comparison_passes_its_checks():
    done = run("flow.py", "--quick", "--repeat", "1", "--format", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [row["name"] for row in found] == list(instances.QUICK)
    for row in found:
        assert row["good"]
        assert row["difference"] <= 1e-12
        assert row["peak"] >= row["peak_built"] > 0


def test_names_are_chosen_and_unknown_ones_refused():
    done = run("flow.py", "--quick", "--repeat", "1", "--only", "tiny-random")
    assert done.returncode == 0, done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()[2:]] == ["tiny-random"]
    refused = run("flow.py", "--only", "no-such-instance")
    assert refused.returncode == 1
    assert "fat-tree-32-pairs-1e6" in refused.stderr


@pytest.mark.simgrid
def test_quick_comparison_with_simgrid_agrees():
    done = run("versus_simgrid.py", "--quick", "--repeat", "1", "--format", "json")
    if done.returncode == 2:
        pytest.skip("SimGrid is not installed here")
    assert done.returncode == 0, done.stderr
    assert max(row["difference"] for row in json.loads(done.stdout)) <= 1e-9


@pytest.mark.parametrize("name", list(instances.QUICK))
def test_instances_are_deterministic(name):
    one, two = instances.QUICK[name].build(), instances.QUICK[name].build()
    assert np.array_equal(one.paths.indptr, two.paths.indptr)
    assert np.array_equal(one.paths.links, two.paths.links)
    assert np.array_equal(one.capacity, two.capacity)
    if one.size is not None:
        assert np.array_equal(one.size, two.size)
        assert np.array_equal(one.size, np.round(one.size))


def test_published_instance():
    """The sum of rates that SimGrid found on this instance."""
    problem = instances.INSTANCES["fat-tree-32-pairs-1e5"].build()
    rate = plain_max_min(problem.paths.indptr, problem.paths.links, problem.capacity)
    assert rate.sum() == pytest.approx(6811.948784, abs=1e-6)
    assert rate.min() == pytest.approx(1 / 29, rel=1e-12)


def test_distinct_sizes_differ():
    size = instances.permutation((4, 4), "distinct").size
    assert np.unique(size).size == size.size
    assert 500_000 <= size.min() <= size.max() <= 1_500_000


def test_split_flows_are_refused():
    with pytest.raises(ValueError, match="whole flows"):
        instances.Problem(Paths([0, 1], [0], [0.5]), np.ones(1))


@pytest.mark.parametrize("name", [n for n in instances.QUICK if "distinct" in n or "equal" in n])
def test_bar_is_exact(name):
    """The bar itself, against exact fractions."""
    problem = instances.QUICK[name].build()
    flows = rows(problem.paths)
    arrays = problem.paths.indptr, problem.paths.links, problem.capacity
    assert plain_max_min(*arrays) == pytest.approx([float(r) for r in max_min(flows, problem.capacity)])
    small = min(len(flows), 40)
    part = problem.paths.take(np.arange(small))
    expected = [
        float(t) for t in completion(flows[:small], problem.capacity, problem.size[:small], [0] * small)
    ]
    found, _ = plain_completion(part.indptr, part.links, problem.capacity, problem.size[:small], 1e-12, 0)
    assert found == pytest.approx(expected, rel=1e-12)


def test_bar_stops_where_it_is_told():
    arrays = np.array([0, 1, 2]), np.array([0, 0]), np.array([1.0])
    finish, events = plain_completion(*arrays, np.array([1.0, 3.0]), 1e-12, 1)
    assert (finish.tolist(), events) == ([2.0, np.inf], 1)


def test_quick_synthesis_passes_its_checks():
    done = run("synthesis.py", "--quick", "--format", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert all(row["good"] and 0 < row["share"] <= 1 + 1e-9 for row in found)
    steps = {row["fabric"]: row["steps"] for row in found if row["options"].get("chunks") == 1}
    assert (steps["torus 8x8"], steps["torus 4x4x4"]) == (16, 11)
    optima = {row["fabric"]: row["optimum_GB_per_s"] for row in found}
    assert optima["2 servers of A100"] == "1040/3"


def test_schedulers_of_circuits_run():
    done = run("schedulers.py", "--quick")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("| 16 |") == 8


def test_lives_of_clusters_run():
    done = run("reliability.py", "--quick")
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()
    assert len(rows) == 1 + 2 * 4 + 1
    assert "Llama 3" in rows[-1]


def test_serving_runs_keep_their_bounds():
    done = run("serving.py", "--quick")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("2,000") == 5
    assert done.stdout.count("M/D/1") == 3
