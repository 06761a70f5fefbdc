"""Circuits as topology files say: ports, times and what the wiring sets; and the commands that read them."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from topo_sim.base import FlowError, UsageError
from topo_sim.cli import main
from topo_sim.collectives.reconfiguration import Circuits, circuit_profile, rotation
from topo_sim.optics import CircuitSchedule, load_optics, run_circuits, schedule_of
from topo_sim.optics.circuit_hardware import circuit_hardware, switch_hardware
from topo_sim.optics.scheduling import Problem, rotors, schedule_demand
from topo_sim.studies import tune
from topo_sim.topo.files import load_topology

ANY = """
topo_sim: 1
name: small
optics: {circuit_switch: piezo}
fabric: {generator: circuit_switched, endpoints: 8, ports: 2, bandwidth: 5 GB/s, latency: 300 ns, medium: cpo}
"""
BANKS = """
topo_sim: 1
name: banks
optics: {circuit_switch: piezo}
fabric: {generator: circuit_banks, endpoints: 16, strides: [1, 3], radix: 8, bandwidth: 5 GB/s, medium: cpo}
"""
ROTOR = """
topo_sim: 1
name: turning
fabric: {generator: rotor, endpoints: 8, ports: 2, slot: 50 us, reconfiguration: 5 us, bandwidth: 5 GB/s}
"""
PART = """
topo_sim: 1
name: part
fabric:
  nodes:
    - {name: g, count: 4}
    - {name: sw, kind: switch}
    - {name: mirrors, kind: ocs, circuits: [[g0, g1], [g1, g0]]}
  links:
    - {source: g0, target: sw, bandwidth: 10 GB/s, latency: 100 ns}
    - {source: g1, target: sw, bandwidth: 10 GB/s, latency: 100 ns}
    - {source: g2, target: sw, bandwidth: 10 GB/s, latency: 100 ns}
    - {source: g3, target: sw, bandwidth: 10 GB/s, latency: 100 ns}
    - {source: g0, target: mirrors, bandwidth: 10 GB/s, latency: 100 ns}
    - {source: g1, target: mirrors, bandwidth: 10 GB/s, latency: 100 ns}
"""


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def data(*arguments):
    result = run(*arguments, "--format", "json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    return found["results"]


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in (("any", ANY), ("banks", BANKS), ("rotor", ROTOR)):
        (tmp_path / f"{name}.yaml").write_text(text)


def test_a_rotor_file_gives_its_hardware_and_not_its_mean():
    topology = load_topology("rotornet-128")
    found = circuit_hardware(topology)
    assert (found.ports, found.rate, found.hop) == (4, 112.5e9 / 4, 200e-9)
    assert (found.slot, found.reconfiguration, found.sets, found.level) == (200e-6, 20e-6, "cycle", "file")
    assert schedule_of(topology.fabric).capacity.tolist() == [found.rate] * 4
    assert circuit_hardware(topology, switch="piezo", level="low").reconfiguration == pytest.approx(10e-3)


def test_a_rotor_file_is_scheduled_in_its_slots_by_schedulers_that_turn():
    found = data("optics", "schedule", "rotor.yaml", "--demand", "all_to_all")
    assert (found["planes"], found["rate_B_per_s"], found["delta_s"]) == (2, 5e9, 5e-6)
    done = {one["scheduler"]: one for one in found["schedules"]}
    assert set(done) == {"rotor", "rotor_vlb", "opera"}
    assert {one["options"]["slot"] for one in done.values()} == {50e-6}
    # 64 MiB over 7 peers, 45 us of light a slot at 5 GB/s: so many slots of 2 planes each.
    slots = np.ceil(2**26 / 7 / (45e-6 * 5e9)) * 7 / 2
    assert done["rotor"]["makespan_s"] == pytest.approx(slots * 50e-6, rel=0.02)
    refused = run("optics", "schedule", "rotor.yaml", "-s", "bvn")
    assert refused.exit_code == 2
    assert "fixed matchings" in refused.output
    assert run("optics", "breakeven", "rotor.yaml").exit_code == 2
    free = data("optics", "breakeven", "rotor.yaml", "--any-matching", "--size", "1MiB")
    assert (free["ports"], free["rate_B_per_s"], free["assumed_any_matching"]) == (2, 10e9, True)


def test_planes_time_and_base_of_a_file_that_takes_any_matching():
    piezo = load_optics().circuit_switch("piezo")
    found = data("optics", "schedule", "any.yaml", "-s", "solstice")
    assert (found["planes"], found["rate_B_per_s"]) == (2, 5e9)
    assert found["delta_s"] == piezo.reconfiguration()
    high = data("optics", "schedule", "any.yaml", "-s", "solstice", "--level", "high")
    assert high["delta_s"] == piezo.reconfiguration("high")
    best = data("optics", "breakeven", "any.yaml", "--size", "1MiB")
    assert best["base"] == "small as set"
    assert best["circuits_change"]
    assert piezo.reconfiguration() in [cell["reconfiguration_s"] for cell in best["sizes"][0]["cells"]]
    # What holds still is no worse than what compare says of the same file, alpha apart.
    (point,) = tune(load_topology("any.yaml").fabric, "all_reduce", [2.0**20]).points
    still = data("optics", "breakeven", "any.yaml", "--size", "1MiB", "--alpha", "0 s", "--delta", "1 s")
    assert still["sizes"][0]["cells"][0]["time_s"] == pytest.approx(point.first.time, rel=1e-9)


def test_a_file_whose_wiring_sets_no_matching_at_will_is_not_scheduled():
    refused = run("optics", "schedule", "banks.yaml", "-s", "bvn")
    assert refused.exit_code == 2
    assert "one switch" in refused.output
    assert "any matching" in refused.output
    held = data("optics", "breakeven", "banks.yaml", "--size", "1MiB", "--delta", "0 s")
    assert not held["circuits_change"]
    assert {cell["reconfigurations"] for cell in held["sizes"][0]["cells"]} == {0}
    assert run("optics", "breakeven", "banks.yaml", "--base", "ring").exit_code == 2
    free = data("optics", "schedule", "banks.yaml", "-s", "bvn", "--any-matching")
    assert free["assumed_any_matching"]
    assert free["planes"] == 4


def test_wiring_is_read_from_the_graph(tmp_path):
    (tmp_path / "part.yaml").write_text(PART)
    found = circuit_hardware(load_topology("part.yaml"))
    assert (found.sets, found.ports, found.rate) == ("part", 2, 10e9)
    held = data("optics", "breakeven", "part.yaml", "--size", "1MB", "--collective", "all_reduce")
    assert (held["circuits_change"], held["base"]) == (False, "part as set")
    assert run("optics", "schedule", "part.yaml", "-s", "bvn").exit_code == 2
    assert circuit_hardware(load_topology("banks.yaml")).sets == "banks"
    found = circuit_hardware(load_topology("any.yaml"))
    assert (found.sets, found.ports, found.rate, found.hop) == ("any", 2, 5e9, 300e-9)
    assert circuit_hardware(load_topology("lite-torus")).sets == "none"
    crowded = circuit_hardware(load_topology("lite-circuits"), switch="mems_palomar")
    assert "at most 128" in crowded.limit
    with pytest.raises(UsageError, match="expected switches that set any matching"):
        crowded.require_any()


def test_switches_stand_for_a_time_at_every_level():
    palomar = load_optics().circuit_switch("mems_palomar")
    for level in ("low", "typical", "high"):
        found = data(
            "optics", "schedule", "--ranks", 8, "-s", "bvn", "--switch", "mems_palomar", "--level", level
        )
        assert found["delta_s"] == palomar.reconfiguration(level)
        best = data(
            "optics", "breakeven", "--ranks", 8, "--size", "1MB", "--switch", "mems_palomar", "--level", level
        )
        cells = best["sizes"][0]["cells"]
        assert [cell["reconfiguration_s"] for cell in cells] == [palomar.reconfiguration(level)]
    assert switch_hardware(palomar, ranks=128).limit == ""
    assert switch_hardware(palomar, ranks=129).limit
    assert switch_hardware(load_optics().circuit_switch("robotic"), ranks=8).sets == "one"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--switch", "piezo", "--delta", "1 us"], "--delta beside"),
        (["--level", "high"], "without --switch or FILE"),
        (["--switch", "piezzo"], "piezo"),
        (["--switch", "generic"], "no reconfiguration time"),
        (["--switch", "robotic"], "one circuit after the other"),
    ],
)
@pytest.mark.parametrize("command", [["schedule", "--ranks", "8"], ["breakeven", "--ranks", "8"]])
def test_contradictions_are_refused(command, options, text):
    result = run("optics", *command, *options)
    assert result.exit_code == 2, result.output
    assert text in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_policies_stand_side_by_side():
    base = ["optics", "breakeven", "--ranks", 16, "--size", "1MB", "--delta", "4 us"]
    found = data(
        *base, "--ports", 4, *(x for n in ("never", "always", "overlap", "best") for x in ("--policy", n))
    )
    times = {row["asked_policy"]: row["time_s"] for row in found["plans"]}
    assert times["overlap"] < times["always"] * (1 - 1e-6)
    assert times["best"] <= min(times.values()) * (1 + 1e-12)
    assert {row["policy"] for row in found["plans"] if row["asked_policy"] == "best"} <= {
        "optimal",
        "overlap",
    }
    assert "overlap" in run(*base, "--ports", 4, "--policy", "overlap").output
    exact = data(*base)["sizes"][0]["cells"][0]["time_s"]
    (row,) = data(*base, "--policy", "optimal")["plans"]
    assert row["time_s"] == pytest.approx(exact, rel=1e-12)
    assert run(*base, "--policy", "sometimes").exit_code == 2
    assert run(*base, "--policy", "never", "--picture", "a.png").exit_code == 2


def test_opera_needs_no_more_memory_for_more_planes(monkeypatch):
    rng = np.random.default_rng(3)
    for planes, ranks in ((2, 5), (20, 12)):
        problem = Problem(rng.random((ranks, ranks)) * 1e8, 5e10 / planes, 2e-6, planes)
        found = []
        for cells in (2**40, 1):
            monkeypatch.setattr(rotors, "_CELLS", cells)
            found.append(schedule_demand(problem, "opera", slot=1e-5))
        assert found[0].makespan == found[1].makespan
        assert np.array_equal(found[0].circuits, found[1].circuits)
    monkeypatch.undo()
    block = next(iter(rotors._pieces(Problem(np.ones((8, 8)), 1e9, 1e-6, 1024), 1e-3, True)))
    assert len(block[0]) * 1024 <= 2 * rotors._CELLS


def test_more_periods_than_can_be_counted_are_refused():
    turn = CircuitSchedule([[[1, 2, 0]]], [1.0], capacity=1.0, cyclic=True)
    assert run_circuits(turn, [(0, 1)], [1e15]).finish[0] == 1e15
    for size, start in ((1e19, 0.0), (1.0, 1e19), (1e308, 1e308)):
        with pytest.raises(FlowError, match="periods"):
            run_circuits(turn, [(0, 1)], [size], start)
    with pytest.raises(FlowError, match="periods"):
        run_circuits(turn, [(0, 1)] * 20, [1e15] * 20)


@pytest.mark.parametrize("option", [["--rate", "1e300 B/s"], ["--size", "1e-300 B"]])
def test_what_is_lost_beside_a_change_is_refused(option):
    result = run("optics", "schedule", "--ranks", 8, *option)
    assert result.exit_code == 2
    assert "rate: found" in result.output
    assert "is wrong" not in result.output
    for scheduler in ("opera", "rotor", "rotor_vlb", "bvn", "eclipse"):
        schedule_demand(Problem([[0, 1], [1, 0]], rate=1e14, delta=1.0), scheduler)


def test_steps_that_shift_are_planned_as_their_transfers_say():
    """The same rotation with its ranks' messages in another order has no step known as a shift at once."""
    from dataclasses import replace

    schedule = rotation(12, 0.0, 1)
    mixed = tuple(
        replace(
            step, source=step.source[::-1].copy(), target=step.target[::-1].copy(), fraction=step.fraction
        )
        for step in schedule.steps
    )
    circuits = Circuits(hop=2e-7)
    plain = circuit_profile(schedule, circuits)
    other = circuit_profile(replace(schedule, steps=mixed), circuits)
    assert np.allclose(plain.step_times(1e6), other.step_times(1e6), rtol=1e-12)
    assert [one.name for one in plain.candidates] == [one.name for one in other.candidates]
    assert all(np.array_equal(a.key, b.key) for a, b in zip(plain.candidates, other.candidates, strict=True))


@pytest.mark.parametrize("value", ["x", 1, None, 0.5])
def test_first_free_is_true_or_false(value):
    with pytest.raises(UsageError, match="first_free"):
        Circuits(first_free=value)


def test_a_chart_says_what_its_bars_are():
    from topo_sim.report.circuits import plot_circuits

    swap = CircuitSchedule([[[1, 0, -1], [2, -1, 0]]], [1.0], capacity=1.0)
    (axes,) = plot_circuits(swap).axes
    assert any("as high as the share of ports" in text.get_text() for text in axes.texts)
    assert "a plane lit 100.0% and a port 66.7% of the time" in axes.get_title(loc="left")


def test_one_of_a_kind_has_no_plural():
    text = run("optics", "breakeven", "--ranks", 1).output
    assert "1 rank," in text
    assert "1 ranks" not in text
    text = run("optics", "schedule", "--ranks", 1, "-s", "bvn").output
    assert "1 ranks" not in text
    assert "1 peers" not in run("optics", "schedule", "--ranks", 2, "-s", "bvn").output
