"""Schedules of circuits from the command line, and the study behind them."""

import csv
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from topo_sim.base import DemandError, UnknownNameError, UsageError
from topo_sim.cli import main
from topo_sim.optics.scheduling import SCHEDULERS
from topo_sim.report.circuit_scheduling import plot_delta_sweep
from topo_sim.studies.catalogue import catalogue
from topo_sim.studies.circuit_scheduling import schedule_circuits, sweep_delta
from topo_sim.topo import single_switch, torus


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*arguments):
    return CliRunner().invoke(main, ["optics", "schedule", *map(str, arguments)])


def results(*arguments):
    done = run(*arguments, "--format", "json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)["results"]


def test_table_and_formats():
    text = run("--ranks", 16).stdout
    assert all(name in text for name in SCHEDULERS)
    assert "certificate checked" in text
    rows = list(csv.DictReader(io.StringIO(run("--ranks", 16, "--format", "csv").stdout)))
    found = results("--ranks", 16)
    assert [row["scheduler"] for row in rows] == list(SCHEDULERS)
    for row, one in zip(rows, found["schedules"], strict=True):
        assert float(row["makespan_s"]) == one["makespan_s"] >= one["bound_s"] * (1 - 1e-9) > 0
        assert one["certificate"]["unserved"] <= 1e-9
        assert one["certificate"]["circuit_load"] <= 1 + 1e-9
        assert one["certificate"]["matchings"] is True
    assert found["busiest_line_B"] >= 64 * 2**20


def test_listed():
    rows = catalogue("schedulers")["schedulers"]
    assert [row["name"] for row in rows] == list(SCHEDULERS)
    assert all(row["about"] and row["reference"] for row in rows)


def test_demands_from_files_are_bytes():
    Path("pairs.csv").write_text("source,target,amount\n0,1,3e9\n1,2,1e9\n2,2,7e9\n")
    np.save("matrix.npy", [[5, 3e9, 0], [0, 0, 1e9], [0, 0, 7e9]])
    for file in ("pairs.csv", "matrix.npy"):
        found = results("--ranks", 3, "--demand", file, "--rate", "1GB/s", "--delta", "1s", "-s", "bvn")
        assert found["demand_B"] == 4e9
        assert found["schedules"][0]["makespan_s"] == pytest.approx(4.0)
    twice = results("--ranks", 3, "--demand", "pairs.csv", "--size", "2B", "-s", "bvn")
    assert twice["demand_B"] == 8e9


def test_rate_follows_the_fabric():
    found = schedule_circuits(torus((4, 4), bandwidth=10e9), "stencil", schedulers=["bvn"], planes=2)
    assert found.problem.rate == pytest.approx(20e9)  # four links of 10 GB/s over two planes
    assert schedule_circuits(single_switch(4, bandwidth=5e9), schedulers=["bvn"]).problem.rate == 5e9
    assert schedule_circuits(ranks=4, schedulers=["bvn"]).problem.rate == 50e9


def test_options_reach_their_schedulers():
    line = ["--ranks", 8, "-s", "rotor", "-s", "rotor_vlb", "-s", "eclipse"]
    found = results(*line, "--option", "slot=50us", "--option", "eclipse.gap=0.5")
    assert [one["options"] for one in found["schedules"]] == [
        {"slot": 50e-6},
        {"slot": 50e-6},
        {"gap": 0.5, "horizon": None},
    ]


def test_knobs_arrive():
    found = results(
        *("--ranks", 8, "--planes", 2, "--packet-rate", "5GB/s", "--stop", "port", "--first-free"),
        *("--delta", "3.7us", "--rate", "100GB/s", "-s", "solstice", "--size", "1GiB"),
    )
    assert (found["planes"], found["packet_rate_B_per_s"], found["stop"]) == (2, 5e9, "port")
    assert (found["first_free"], found["delta_s"], found["rate_B_per_s"]) == (True, 3.7e-6, 1e11)
    assert 0 < found["schedules"][0]["packet_share"] < 1


def test_solstice_and_eclipse_are_below_bvn_in_the_picture():
    sweep = sweep_delta(schedule_circuits(ranks=24, schedulers=["bvn", "solstice", "eclipse"]))
    costly = sweep.deltas >= 1e-6
    assert costly.sum() >= 6
    for name in ("solstice", "eclipse"):
        assert np.all(sweep.makespans[name][costly] < sweep.makespans["bvn"][costly])
    for times in sweep.makespans.values():
        assert np.all(times >= sweep.direct * (1 - 1e-9))
    axes = plot_delta_sweep(sweep).axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    labels = [line.get_label() for line in axes.lines]
    assert {"bvn", "solstice", "eclipse", "bound, direct circuits"} <= set(labels)
    assert "bound, with relays" not in labels


def test_charts_show_the_fastest():
    done = run("--ranks", 8, "--chart", "chart.svg")
    assert done.exit_code == 0, done.stderr
    text = Path("chart.svg").read_text()
    fastest = sorted(results("--ranks", 8)["schedules"], key=lambda one: one["makespan_s"])
    assert all(f"{one['scheduler']}: {one['configurations']:,} conf" in text for one in fastest[:4])
    empty = run("--ranks", 1, "--chart", "none.png")
    assert (empty.exit_code, len(empty.stderr.splitlines())) == (2, 1)
    assert "no schedule has any circuits" in empty.stderr


@pytest.mark.parametrize("ranks", [1, 2])
def test_pictures_of_little(ranks):
    done = run("--ranks", ranks, "--picture", "a.png", "--picture", "a.svg")
    assert done.exit_code == 0, done.stderr
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected one of them"),
        (["lite-torus", "--ranks", "4"], "expected one of them"),
        (["--ranks", "4", "--scheduler", "solstise"], 'did you mean "solstice"'),
        (["--ranks", "4", "--demand", "expert"], 'did you mean "experts"'),
        (["--ranks", "4", "--demand", "no.csv"], "cannot be read"),
        (["--ranks", "4", "--delta", "-1us"], "--delta"),
        (["--ranks", "4", "--delta", "nan"], "--delta"),
        (["--ranks", "4", "--rate", "0"], "rate: found 0"),
        (["--ranks", "4", "--size", "1 GB/s"], "--size"),
        (["--ranks", "4", "--size", "1e305"], "beyond 1e300"),
        (["--ranks", "4", "--option", "gap"], "NAME=VALUE"),
        (["--ranks", "4", "--option", "gapp=1"], 'option "gapp"'),
        (["--ranks", "4", "--option", "bvn.gap=1"], 'unknown option "gap"'),
        (["--ranks", "4", "--option", "slot=1ns"], "a change takes 2e-05 s"),
        (["--ranks", "4", "--option", "slot=1GB"], "--option slot"),
        (["--ranks", "4", "--picture", "a.bmp"], ".png"),
        (["nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_bad_input_is_one_line(arguments, message):
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.output


def test_study_refuses():
    with pytest.raises(UsageError, match="at most 2,048"):
        schedule_circuits(ranks=2049)
    with pytest.raises(UnknownNameError):
        schedule_circuits(ranks=4, schedulers=["none"])
    with pytest.raises(DemandError, match="finite"):
        schedule_circuits(ranks=2, demand=[[0, math.nan], [0, 0]])
    progress = []
    schedule_circuits(ranks=2, schedulers=["bvn", "tms"], progress=lambda *done: progress.append(done))
    assert progress == [(0, 2, "bvn"), (1, 2, "tms")]
