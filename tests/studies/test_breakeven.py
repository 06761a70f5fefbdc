"""Break-even maps: exact crossovers, cells against plans, pictures, and what is refused."""

import csv
import io
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from topo_sim.base import UnknownNameError, UsageError
from topo_sim.cli import main
from topo_sim.collectives.reconfiguration import Circuits, PlanLine, plan_collective
from topo_sim.report import breakeven_table, plot_breakeven, to_text
from topo_sim.studies import SizeLines, breakeven, circuits_of, tune
from topo_sim.topo import load_fabric, single_switch, torus

TWO = ["ring", "halving_doubling"]


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_halving_and_doubling_break_even_at_the_published_time():
    """Where the ring's bytes decide, 10.36 us whatever the size; the 126 - 12 us of steps over 11 changes."""
    found = breakeven("all_reduce", 64, Circuits(alpha=1e-6), [1e6, 1e8, 1e10], [1e-6, 20e-6], algorithms=TWO)
    for at in found.asked:
        assert at.crossover == pytest.approx(114e-6 / 11, rel=1e-9)
        assert found.winners(at) == ["halving_doubling on circuits", "ring on the static ring"]


@pytest.mark.parametrize(("collective", "ranks", "ports"), [("all_reduce", 16, 1), ("all_to_all", 12, 3)])
def test_cells_are_the_best_plans_and_crossovers_lie_between_them(collective, ranks, ports):
    circuits = Circuits(ports, hop=4e-7)
    deltas = [0.0, 3e-8, 2e-6, 5e-5, 1e-2]
    found = breakeven(collective, ranks, circuits, [0.0, 1e4, 1e7], deltas)
    for at in found.asked:
        times = at.times(found.deltas)
        for delta, time in zip(deltas, times.tolist(), strict=True):
            (plan,) = plan_collective(
                collective, ranks, [at.size], circuits.switching_in(delta), policy="optimal"
            )
            assert time == pytest.approx(plan.time, rel=1e-11)
        for delta, (one, other) in zip(at.changes, pairwise(at.lines), strict=True):
            assert one.time(delta) == pytest.approx(other.time(delta), rel=1e-9)
        edge = at.crossover
        assert 0 < edge < np.inf
        assert at.lines[-2].time(edge * 0.999) < at.static.work < at.lines[-2].time(edge * 1.001)
        ranges = found.ranges(at)
        assert ranges[0][1] == 0.0
        assert ranges[-1][2] == np.inf
        assert all(a[2] == b[1] and a[0] != b[0] for a, b in pairwise(ranges))
    for row in found.rows():
        assert not row["below_bound"]
        assert row["speedup"] >= 1 - 1e-12
        assert (row["reconfigurations"] == 0) == (row["speedup"] == pytest.approx(1.0, rel=1e-9))


def test_a_packet_fabric_stands_to_choice_with_its_own_bound():
    fabric = single_switch(16, bandwidth=100e9, latency=250e-9)
    found = breakeven("all_reduce", 16, Circuits(hop=5e-7), [1e6], [1e-9, 1e-3], against=[fabric])
    (tuned,) = tune(fabric, "all_reduce", [1e6], overhead=1e-6).points
    assert found.winners(found.asked[0])[1] == fabric.name
    row = found.rows()[1]
    assert row["time_s"] == pytest.approx(tuned.first.time, rel=1e-9)
    assert row["lower_bound_s"] == pytest.approx(tuned.first.lower_bound, rel=1e-9)
    assert not row["below_bound"]


def test_without_a_base_nothing_holds_still_for_free():
    found = breakeven("all_reduce", 16, Circuits(), [1e6], [1e-6], base=None)
    assert found.asked[0].static is None
    assert found.asked[0].crossover == np.inf
    (row,) = found.rows()
    assert row["speedup"] is None
    assert row["crossover_s"] is None
    assert "never" in to_text(breakeven_table(found), 200)
    plot_breakeven(breakeven("all_reduce", 16, Circuits(), [1e6], [1e-6], base=None, per_octave=2))


def test_holding_still_may_win_at_once():
    at = SizeLines(1.0, (PlanLine(1.0, 0.0, 0, "ring"),), 0.5, {})
    assert (at.crossover, at.changes) == (0.0, [])
    found = breakeven("all_reduce", 16, Circuits(), [1e6], [0.0], algorithms=["ring"])
    assert found.asked[0].crossover == 0.0
    assert "at once" in to_text(breakeven_table(found), 200)


@pytest.mark.parametrize("ranks", [1, 2, 3, 6])
@pytest.mark.parametrize("collective", ["all_reduce", "all_to_all", "all_gather", "broadcast"])
def test_any_number_of_ranks_can_be_mapped(collective, ranks):
    found = breakeven(collective, ranks, sizes=[0.0, 1e6], deltas=[0.0, 1e-6], per_octave=2)
    assert len(found.rows()) == 4
    assert to_text(breakeven_table(found), 200)
    plot_breakeven(found)
    if ranks == 1:
        assert {row["time_s"] for row in found.rows()} == {0.0}


def test_hiding_everything_leaves_nothing_to_wait_for():
    found = breakeven("all_reduce", 16, Circuits(hidden=1.0), [1e6], [0.0, 1.0])
    times = [row["time_s"] for row in found.rows()]
    assert times[0] == times[1]


def test_circuits_take_the_place_of_a_fabrics_cables():
    circuits = circuits_of(torus((4, 4), bandwidth="25 GB/s", latency="1 us"), alpha=2e-6)
    assert (circuits.ports, circuits.rate, circuits.hop, circuits.alpha) == (4, 100e9, 1e-6, 2e-6)
    lite = load_fabric("lite-circuits")
    circuits = circuits_of(lite)
    assert circuits.rate == pytest.approx(lite.capacity[lite.link_source == lite.endpoints[0]].sum())


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"sizes": []}, UsageError, "sizes: found"),
        ({"sizes": [float("inf")]}, UsageError, "sizes: found"),
        ({"deltas": []}, UsageError, "deltas: found"),
        ({"deltas": [-1e-9]}, UsageError, "deltas: found"),
        ({"deltas": [float("nan")]}, UsageError, "deltas: found"),
        ({"collective": "all_reduse"}, UnknownNameError, 'did you mean "all_reduce"'),
        ({"against": [single_switch(8)]}, UsageError, "has 8 endpoints, expected at least the 64"),
        ({"base": "bidirectional_ring"}, UsageError, "expected at most 1, one a port"),
    ],
)
def test_what_cannot_be_mapped_is_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        breakeven(**arguments)


def test_command_in_all_formats():
    line = ["optics", "breakeven", "--ranks", 16, "--size", "1MiB", "--delta", "1 us", "--delta", "1 ms"]
    table = run(*line)
    assert table.exit_code == 0, table.stderr
    assert "static from" in table.stdout
    document = json.loads(run(*line, "--format", "json").stdout)
    (at,) = document["results"]["sizes"]
    rows = list(csv.DictReader(io.StringIO(run(*line, "--format", "csv").stdout)))
    assert [float(row["time_s"]) for row in rows] == [cell["time_s"] for cell in at["cells"]]
    assert at["ranges"][-1]["to_s"] is None
    assert at["crossover_s"] == at["ranges"][-1]["from_s"]
    assert document["results"]["hop_s"] == 5e-7


def test_command_draws(tmp_path):
    line = ["optics", "breakeven", "--ranks", 8, "--size", "64KiB", "--size", "16MiB"]
    result = run(*line, "--picture", "map.png", "--picture", "map.svg", "--picture", "map.pdf")
    assert result.exit_code == 0, result.stderr
    assert Path("map.png").read_bytes().startswith(b"\x89PNG")
    assert "reconfiguration time" in Path("map.svg").read_text()
    run(*line, "--picture", "again.png")
    assert Path("again.png").read_bytes() == Path("map.png").read_bytes()


def test_options_override_the_file():
    line = ["optics", "breakeven", "lite-circuits", "--size", "1MiB", "--delta", "1us", "--format", "json"]
    plain = json.loads(run(*line, "--ranks", 8).stdout)["results"]
    assert (plain["ranks"], plain["ports"]) == (8, circuits_of(load_fabric("lite-circuits")).ports)
    changed = [*line, "--ranks", 8, "--ports", 2, "--rate", "1 GB/s", "--hop", "0 s", "--hidden", "50%"]
    found = json.loads(run(*changed).stdout)["results"]
    assert [found[key] for key in ("ports", "rate_B_per_s", "hop_s", "hidden")] == [2, 1e9, 0.0, 0.5]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ranks", "0"], "--ranks"),
        (["--rate", "0 GB/s"], "rate: found 0.0, expected a finite number of B/s above 0"),
        (["--rate", "5 s"], "--rate"),
        (["--alpha", "-1 us"], "--alpha"),
        (["--hop", "nan"], "--hop"),
        (["--hidden", "2"], "hidden: found 2.0, expected a share from 0 to 1"),
        (["--size", "-1"], "--size"),
        (["--delta", "1 GB"], "--delta"),
        (["--collective", "alltoall"], "unknown collective"),
        (["--algorithm", "nvls"], "combines in switches"),
        (["--base", "bidirectional_ring"], "expected at most 1, one a port"),
        (["--against", "no-such-file"], "no-such-file"),
        (["--against", "dgx-h100"], "has 8 endpoints, expected at least the 64"),
        (["--set", "rate=1GB/s"], "--set"),
        (["--picture", "map.txt"], "--picture"),
        (["no-such-file"], "no-such-file"),
    ],
)
def test_command_refuses_in_one_line(arguments, message):
    result = run("optics", "breakeven", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
