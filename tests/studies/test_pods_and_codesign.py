"""Studies of pods and co-design, their tables and pictures, and their commands."""

import csv
import io
import json

import numpy as np
import pytest
from click.testing import CliRunner

from topo_sim.base import UsageError
from topo_sim.cli import main
from topo_sim.optics.pods import Pod
from topo_sim.report import codesign_tables, plot_codesign, plot_pod, pod_tables, to_text
from topo_sim.studies import pod_goodput, study_codesign, study_pod
from topo_sim.topo import metrics, twisted_torus


def run(*arguments):
    return CliRunner().invoke(main, ["optics", *map(str, arguments)])


@pytest.fixture(scope="module")
def pod():
    return study_pod(
        Pod(), ["4x8x8_twisted", "4x4x4"], chips=256, failed_cubes=[0, 63, 0], failed_switches=["z5"]
    )


def test_pod(pod):
    assert [one.name for one in pod.shapes] == ["4x4x16", "4x8x8", "4x8x8_twisted", "4x4x4"]
    twisted = pod.shapes[2]
    assert (twisted.diameter, round(twisted.mean_hops, 4)) == (6, 4.3294)
    assert twisted.theta / pod.shapes[1].theta == pytest.approx(1.391, abs=5e-4)
    assert twisted.mean_hops == pytest.approx(metrics(twisted_torus((4, 8, 8))).hops.mean)
    assert [(swap.cube, swap.by) for swap in pod.swaps] == [(0, 5), (63, None)]
    assert pod.placement.failed_cubes == (0, 63)
    assert [row["cubes"] for row in pod.placed()] == ["5 1 2 3", "4"]
    assert [one.lost for one in pod.damage] == [4, 1]
    assert json.loads(json.dumps(pod.to_dict()))["pod"]["circuit_switches"] == 48
    text = to_text(pod_tables(pod), 200)
    assert "cube 0 failed: cube 5 takes its place in 4x8x8_twisted" in text
    assert "4 of 192" in text


def test_goodput_with_and_without_circuits():
    rows = pod_goodput(Pod(), 0.99, draws=12, seed=1)
    assert [row.cubes for row in rows] == [1, 2, 4, 8, 16, 32, 64]
    works = np.random.default_rng(1).random((12, 64)) < 0.99**16
    for row in rows:
        # On the same draws any cubes serve at least as many slices as contiguous ones.
        assert row.fixed <= (works.sum(axis=1) // row.cubes * row.cubes / 64).mean() + 1e-12
    assert rows[0].fixed == pytest.approx(works.mean())
    assert rows[4].circuits == pytest.approx(0.747, abs=1e-3)
    assert rows[4].fixed < 0.6
    assert pod_goodput(Pod(), 0.99, draws=12, seed=1) == rows
    assert pod_goodput(Pod(cubes=65, radix=138), 0.9, draws=0)[0].fixed is None
    with pytest.raises(UsageError, match="found 65, expected at most 64"):
        pod_goodput(Pod(cubes=65, radix=138), 0.9, draws=1)


def test_codesign():
    found = study_codesign("stencil", endpoints=16, ports=4)
    times = found.mixes()
    assert times.shape == (5, 101)
    design = found.design
    # At this job's own proportion the map gives this job's own times.
    share = design.all_reduce_bound / design.bound
    for split, row in zip(design.splits, times, strict=True):
        assert np.interp(share, found.shares, row) == pytest.approx(split.time / design.bound)
    assert [row["best"] for row in found.rows()].count(True) == 1
    assert f"{design.best.rings} + {design.best.matchings}  best" in to_text(codesign_tables(found), 200)


def test_codesign_without_a_phase():
    found = study_codesign("permutation", endpoints=6, ports=2, all_reduce=0.0)
    assert np.isnan(found.mixes()[:, 50]).all()
    plot_codesign(found)
    codesign_tables(study_codesign("stencil", endpoints=4, ports=1, all_reduce=0.0, demand_size=0.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"demand": "longest_matching"}, "follows from a fabric"),
        ({"endpoints": 1}, "endpoints: found 1"),
        ({"endpoints": 257}, "endpoints: found 257"),
        ({"ports": 0}, "ports: found 0"),
        ({"demand_size": -1.0}, "demand_size: found -1.0"),
        ({"demand_size": float("nan")}, "demand_size: found nan"),
        ({"endpoint_rate": 0.0}, "rate: found 0.0"),
    ],
)
def test_bad_codesign(change, message):
    with pytest.raises(UsageError, match=message):
        study_codesign(**({"demand": "stencil", "endpoints": 4, "ports": 2} | change))


@pytest.mark.parametrize("size", [1e-300, 1e-101, 1e101])
def test_sizes_that_no_arithmetic_holds(size, recwarn):
    for change in ({"demand_size": size}, {"all_reduce": size}, {"endpoint_rate": size}):
        with pytest.raises(UsageError, match=r"expected .*1e-100 to 1e\+100"):
            study_codesign(**({"demand": "stencil", "endpoints": 4, "ports": 2} | change))
    assert not recwarn.list
    done = run("codesign", "--endpoints", 4, "--ports", 2, "--rate", 0)
    assert "rate: found 0.0, expected a number from 1e-100" in done.output


def test_sizes_at_the_edge_make_no_noise(recwarn):
    for size in (1e-99, 1e99):
        sizes = {"demand_size": size, "all_reduce": size}
        found = study_codesign("stencil", endpoints=4, ports=2, **sizes).design
        assert 0 < found.bound <= found.best.time < np.inf
    assert not recwarn.list


def test_many_strides_stay_narrow():
    text = to_text(codesign_tables(study_codesign("stencil", endpoints=12, ports=12)), 500)
    assert "1x3 5x3 7x3 11x3" in text
    assert max(map(len, text.splitlines())) < 160


def test_a_full_pod_has_no_free_cube():
    done = run("pods", "--slice", "16x16x16", "--slice", "4x4x4")
    assert done.exit_code == 0, done.output
    words = [" ".join(line.split()) for line in done.output.splitlines()]
    assert "free none" in words
    assert any("refused: 1 cube asked for, too few free" in line for line in words)


def test_a_failed_switch_is_never_passed_over():
    done = run("pods", "--fail-switch", "z1")
    assert done.exit_code == 2
    assert "switch: found z1 failed and no slice" in done.output
    done = run("pods", "--cubes", 1, "--slice", "4x4x4", "--fail-cube", 0, "--fail-switch", "z1")
    assert done.exit_code == 0
    assert "z1 failed: no slice is placed" in done.output
    assert "in 1 cube of side 4" in done.output


def test_pictures(pod, tmp_path):
    for figure in (
        plot_pod(pod),
        plot_pod(study_pod(Pod(cubes=3), ["4x4x4"], availability=[0.9], draws=2)),
        plot_pod(study_pod(Pod(cubes=2), availability=[0.9, 1.0], draws=0)),
        plot_pod(study_pod(Pod(cubes=1))),
        plot_codesign(study_codesign("all_to_all", endpoints=5, ports=2)),
    ):
        figure.savefig(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 5_000


def test_commands(tmp_path):
    result = run("pods", "--chips", 128, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["slice"] for row in rows] == ["4x4x8", "4x4x8_twisted"]
    assert float(rows[1]["all_to_all_theta_B_per_s"]) / float(
        rows[0]["all_to_all_theta_B_per_s"]
    ) == pytest.approx(1.745, abs=1e-3)
    picture = tmp_path / "c.svg"
    result = run("codesign", "--endpoints", 8, "--ports", 2, "--picture", picture, "--format", "json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)["results"]
    assert found["best_over_bound"] >= 1
    assert "Circuits of the best split" in picture.read_text()
    demand = tmp_path / "d.csv"
    demand.write_text("source,target,amount\n0,1,1000000\n")
    result = run(
        *("codesign", "--endpoints", 3, "--ports", 1, "--demand", demand),
        *("--demand-size", "1 B", "--all-reduce", "0 B", "--rate", "1 MB/s", "--format", "json"),
    )
    assert json.loads(result.stdout)["results"]["splits"][0]["time_s"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("pods --slice 4x4x6", "expected three multiples of 4"),
        ("pods --slice 16x16x32", "takes 128 cubes"),
        ("pods --cubes 65", "expected at least 138"),
        ("pods --chips 100", "expected a multiple of 64"),
        ("pods --fail-cube 64", "cube: found 64"),
        ("pods --fail-switch q1", "switch: found 'q1'"),
        ("pods --rate 0GB/s", "rate: found 0.0"),
        ("pods --rate 5GB", "--rate"),
        ("pods --picture a.jpg", "--picture"),
        ("codesign --demand no_such", "unknown"),
        ("codesign --ports 0", "ports: found 0"),
        ("codesign --endpoints 0", "endpoints: found 0"),
        ("codesign --all-reduce 5 --rate x", "--rate"),
        ("codesign --all-reduce=-5B", "--all-reduce"),
        ("codesign --picture no/such/folder/a.png", "folder"),
    ],
)
def test_bad_commands(line, message):
    result = run(*line.split())
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
