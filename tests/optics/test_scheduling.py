"""Schedulers of circuits: certificates, bounds, and odd demands."""

import math
from dataclasses import replace

import numpy as np
import pytest

import naive_optics
from topo_sim.base import DemandError, TopoSimError, UnknownNameError, UsageError
from topo_sim.optics.scheduling import (
    SCHEDULERS,
    STOPS,
    Problem,
    direct_bound,
    relayed_bound,
    schedule_demand,
)

NO_TIME = [{"rate": 1e300}, {"demand": 1e-300}, {"rate": 1e120, "demand": 1e-90}, {"packet_rate": 1e300}]
RELAYING = ["opera", "rotor_vlb"]
FITTED = [name for name in SCHEDULERS if name not in (*RELAYING, "rotor")]


def draw(n, seed, density=1.0, high=9):
    rng = np.random.default_rng(seed)
    demand = rng.integers(1, high, (n, n)) * (rng.random((n, n)) < density)
    np.fill_diagonal(demand, 0)
    return demand.astype(float)


def sparse(n, peers, seed):
    rng = np.random.default_rng(seed)
    demand = np.zeros((n, n))
    for i in range(n):
        others = rng.choice(np.delete(np.arange(n), i), peers, replace=False)
        demand[i, others] = rng.random(peers) + 0.1
    return demand * 1e7


@pytest.fixture(params=[*SCHEDULERS])
def name(request):
    return request.param


def test_registry():
    assert sorted(SCHEDULERS) == [
        *("bvn", "eclipse", "max_weight", "opera", "rotor", "rotor_vlb", "solstice", "tms")
    ]
    assert all(s.summary and s.reference for s in SCHEDULERS.values())
    assert [n for n, s in SCHEDULERS.items() if s.relays] == RELAYING


KNOBS = [
    {},
    {"stop": "all", "first_free": True},
    {"stop": "port"},
    {"stop": "port", "first_free": True, "planes": 2},
    {"planes": 3, "stop": "all"},
    {"planes": 3, "stop": "plane", "packet_rate": 0.5},
    {"packet_rate": 0.7},
    {"packet_rate": 0.7, "stop": "port"},
    {"packet_rate": 1e9},
    {"delta": 0.0, "planes": 2},
]


@pytest.mark.parametrize("knobs", KNOBS, ids=str)
@pytest.mark.parametrize("density", [0.4, 1.0])
def test_served_above_the_bound_and_playable(name, knobs, density):
    """The certificate by itself, and again by playing the slots that come out, byte by byte."""
    for seed in range(3):
        demand = draw(6, seed, density)
        problem = Problem(demand, **({"rate": 2.0, "delta": 0.3} | knobs))
        done = schedule_demand(problem, name)
        found = done.verify()
        assert found.unserved <= 1e-9
        assert found.circuit_load <= 1 + 1e-9
        assert done.makespan >= done.bound * (1 - 1e-9) > 0
        assert relayed_bound(problem) <= direct_bound(problem) * (1 + 1e-12)
        assert 0 <= done.dark_share < 1
        assert 0 <= done.duty <= 1 + 1e-9
        circuits = done.circuit_schedule()
        if circuits is None:
            assert done.packet_share == pytest.approx(1)
            continue
        targets, durations = circuits.targets.tolist(), circuits.durations.tolist()
        assert circuits.period == pytest.approx(done.run.end)
        assert done.run.end <= done.makespan * (1 + 1e-9)
        assert naive_optics.dark_between(targets, durations, problem.delta, problem.first_free)
        if name not in RELAYING:
            carried, last = naive_optics.carry(targets, durations, problem.rate, demand)
            assert np.all(np.array(carried) >= done.circuits * (1 - 1e-9))
            assert last <= done.makespan * (1 + 1e-9)


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("delta", [0.0, 0.25, 40.0])
def test_bound_is_the_plain_one(stop, delta):
    for seed in range(5):
        demand = draw(5, seed, 0.5)
        found = direct_bound(Problem(demand, 2.0, delta, stop=stop))
        assert found == pytest.approx(naive_optics.bound(demand.tolist(), 2.0, delta, stop == "port"))


@pytest.mark.parametrize("delta", [0.0, 0.5, 3.0])
def test_schedulers_against_the_optimum_of_three_ranks(delta):
    for seed in range(2):
        demand = draw(3, seed, 0.8, high=6)
        best = naive_optics.optimum(demand.tolist(), 1.0, delta)
        assert best == pytest.approx(naive_optics.optimum_by_program(demand.tolist(), 1.0, delta))
        problem = Problem(demand, 1.0, delta)
        assert direct_bound(problem) <= best * (1 + 1e-9)
        for name in [*FITTED, "rotor"]:
            assert schedule_demand(problem, name).makespan >= best * (1 - 1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_schedulers_against_the_optimum_of_four_ranks(seed):
    demand = draw(4, seed, 0.7, high=6)
    best = naive_optics.optimum_by_program(demand.tolist(), 1.0, 1.0)
    problem = Problem(demand, 1.0, 1.0)
    found = {name: schedule_demand(problem, name).makespan for name in [*FITTED, "rotor"]}
    assert direct_bound(problem) <= best * (1 + 1e-5)
    assert min(found.values()) >= best * (1 - 1e-5)
    assert min(found.values()) <= best * 1.35  # the best of them is not far off


def test_free_changes_let_bvn_reach_the_bound():
    for n, seed in ((2, 0), (5, 1), (16, 2), (33, 3)):
        done = schedule_demand(Problem(draw(n, seed, 0.7), 1e9), "bvn")
        assert done.makespan == pytest.approx(done.bound, rel=1e-9)


def test_rotation_serves_all_to_all_by_the_closed_form():
    """(N - 1) delta + ((N - 1) / N) M / B of the reference: 2307.38 us at 20 us, and with four ports 1336."""
    each = 1e8 / 64
    demand = np.full((64, 64), each)
    for name in ("bvn", "eclipse", "max_weight", "rotor", "tms"):
        done = schedule_demand(Problem(demand, 100e9, 20e-6), name)
        assert done.makespan * 1e6 == pytest.approx(63 * 20 + 984.375, rel=1e-6)
        assert done.gap == pytest.approx(0.0, abs=1e-6)
        assert done.configurations == 63
    halves = schedule_demand(Problem(demand, 100e9, 20e-6), "solstice")
    assert halves.configurations == 126  # one power of two and the rest of it, rounded up
    four = schedule_demand(Problem(demand, 25e9, 20e-6, planes=4, stop="all"), "bvn")
    assert four.makespan * 1e6 == pytest.approx(16 * (20 + 62.5), rel=1e-6)  # 1336 less 16 alpha of 1 us


@pytest.mark.parametrize("peers", [4, 8])
def test_solstice_and_eclipse_beat_bvn_on_sparse_demands(peers):
    for seed in range(3):
        for delta in (2e-6, 20e-6, 200e-6):
            problem = Problem(sparse(32, peers, seed), 50e9, delta)
            slow = schedule_demand(problem, "bvn")
            for name in ("solstice", "eclipse"):
                fast = schedule_demand(problem, name)
                assert fast.makespan < slow.makespan
                assert fast.configurations < slow.configurations


def test_a_packet_fabric_and_planes_help():
    problem = Problem(sparse(16, 6, 0), 50e9, 20e-6)
    for name in FITTED:
        alone = schedule_demand(problem, name).makespan
        hybrid = schedule_demand(replace(problem, packet_rate=5e9), name)
        assert hybrid.makespan <= alone * (1 + 1e-9)
        assert 0 < hybrid.packet_share < 1
        assert schedule_demand(replace(problem, planes=2), name).makespan < alone
        assert schedule_demand(replace(problem, stop="port"), name).makespan <= alone * (1 + 1e-9)
        first = schedule_demand(replace(problem, first_free=True), name).makespan
        assert first == pytest.approx(alone - problem.delta)


@pytest.mark.parametrize("size", [1.0, 1e3, 1e12])
@pytest.mark.parametrize("delta", [0.0, 1e-9, 1e-3, 10.0])
def test_sizes_and_times_over_many_orders(name, size, delta):
    demand = draw(5, 1, 0.6) * size / 8
    demand[0, 1], demand[1, 0] = 1.0, 1e12  # one byte beside a terabyte
    done = schedule_demand(Problem(demand, 50e9, delta), name)
    assert done.verify().unserved <= 1e-9
    assert done.makespan >= done.bound * (1 - 1e-9)


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e250])
def test_extreme_amounts(name, scale):
    done = schedule_demand(Problem(draw(4, 2) * scale, max(scale, 1e-200)), name)
    assert done.makespan >= done.bound * (1 - 1e-9) > 0


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("planes", [1, 2, 5])
@pytest.mark.parametrize("stop", STOPS)
def test_nothing_and_little_to_send(name, n, planes, stop):
    for packet_rate in (0.0, 0.1):
        nothing = schedule_demand(
            Problem(np.eye(n) * 7, 1.0, 1.0, planes=planes, stop=stop, packet_rate=packet_rate), name
        )
        assert (nothing.makespan, nothing.bound, nothing.gap, nothing.configurations) == (0, 0, 0, 0)
        assert nothing.circuit_schedule() is None
        if n > 1:
            one = np.zeros((n, n))
            one[0, 1] = 3.0
            done = schedule_demand(
                Problem(one, 1.0, 1.0, planes=planes, stop=stop, packet_rate=packet_rate), name
            )
            assert done.makespan >= done.bound * (1 - 1e-9) > 0


def test_the_diagonal_counts_for_nothing(name):
    demand = draw(5, 3)
    full = demand + np.eye(5) * 1e6
    assert (
        schedule_demand(Problem(full, 1.0, 0.1), name).makespan
        == schedule_demand(Problem(demand, 1.0, 0.1), name).makespan
    )


@pytest.mark.parametrize(
    ("demand", "message"),
    [
        ([[0, math.nan], [0, 0]], r"demand\[0, 1\]: found nan"),
        ([[0, -1], [0, 0]], "found -1"),
        ([[0, math.inf], [0, 0]], "found inf"),
        ([[0, 1]], r"shape \(1, 2\)"),
        ([], "shape"),
        ("12", "no numbers"),
        ([[0, 1e301], [0, 0]], "beyond 1e300"),
        (np.zeros((2049, 2049), np.int8), "at most 2048"),
    ],
)
def test_demands_that_are_none(demand, message):
    with pytest.raises(DemandError, match=message):
        Problem(demand, 1.0)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"rate": 0.0}, "rate: found 0"),
        ({"rate": math.nan}, "rate"),
        ({"rate": -1.0}, "rate"),
        ({"rate": math.inf}, "rate"),
        ({"delta": -1e-9}, "delta"),
        ({"delta": math.nan}, "delta"),
        ({"planes": 0}, "planes"),
        ({"planes": 1.5}, "planes"),
        ({"planes": True}, "planes"),
        ({"packet_rate": -1.0}, "packet rate"),
        ({"stop": "ports"}, 'did you mean "port"'),
        ({"first_free": 1}, "first_free"),
        ({"rate": 1e-300, "demand": [[0, 1e10], [0, 0]]}, "below 1e300 s"),
    ],
)
def test_knobs_that_are_none(knobs, message):
    with pytest.raises(UsageError, match=message):
        Problem(**({"demand": [[0, 1], [1, 0]], "rate": 1.0} | knobs))


def test_options_are_checked():
    problem = Problem([[0, 1], [1, 0]], 1.0, 0.1)
    with pytest.raises(UnknownNameError, match='did you mean "solstice"'):
        schedule_demand(problem, "solstise")
    for name, options, message in (
        ("bvn", {"gap": 0.1}, 'unknown option "gap"'),
        ("eclipse", {"gap": 1.0}, "less than 1"),
        ("eclipse", {"gap": 0.0}, "found 0"),
        ("eclipse", {"horizon": math.nan}, "horizon"),
        ("rotor", {"slot": 0.05}, "a change takes 0.1 s"),
        ("rotor", {"slot": 0.1}, "at least 0.1001 s"),
        ("rotor_vlb", {"slot": 0.1 + 1e-9}, "at least 0.1001 s"),
        ("max_weight", {"epoch": 1e-9}, "at least"),
        ("tms", {"rounds": -1.0}, "rounds"),
    ):
        with pytest.raises(UsageError, match=message):
            schedule_demand(problem, name, **options)
    with pytest.raises(UsageError, match=r"at least 0\.0051 s for this demand"):
        schedule_demand(Problem([[0, 1e3], [1, 0]], 1.0, 1e-4), "rotor", slot=1e-3)
    with pytest.raises(UsageError, match="found list"):
        schedule_demand([[0, 1]], "bvn")


def test_verify_finds_every_kind_of_fault():
    problem = Problem(draw(5, 4), 1.0, 0.2)
    good = schedule_demand(problem, "bvn")
    run, times = good.run, good.run.times
    twice = times.targets.copy()
    twice[0, 0], twice[0, 1] = 3, 3
    wrong = {
        "is not served": replace(run, circuits=run.circuits * 0.999),
        "of its rate": replace(run, times=replace(times, live=times.live * 0.9)),
        "two circuits to one rank": replace(
            run, times=replace(times, targets=twice), circuits=run.circuits * 0, packets=run.circuits * 0
        ),
        "without a pause": replace(
            run, times=replace(times, start=times.start - np.arange(len(times.start)) * 0.1)
        ),
        "not paid for": replace(run, times=replace(times, start=times.start - 0.2)),
        "below the bound": replace(run, end=good.bound * 0.5),
    }
    for message, bad in wrong.items():
        with pytest.raises(TopoSimError, match=message):
            replace(good, run=bad).verify()
    hybrid = schedule_demand(replace(problem, packet_rate=0.5), "bvn")
    assert hybrid.packets.any()
    assert hybrid.verify().packet_load <= 1 + 1e-9
    loose = schedule_demand(replace(problem, stop="port"), "bvn")
    early = replace(loose.run, times=replace(loose.run.times, start=loose.run.times.start * 0.9))
    with pytest.raises(TopoSimError, match=r"pause|paid"):
        replace(loose, run=early).verify()
    relays = schedule_demand(problem, "rotor_vlb")
    lost = replace(relays.run.relays, passed=relays.run.relays.passed * 0.9)
    with pytest.raises(TopoSimError, match="not served"):
        replace(relays, run=replace(relays.run, relays=lost)).verify()


def test_the_same_again(name):
    problem = Problem(sparse(12, 5, 1), 50e9, 1e-6, planes=2, packet_rate=1e9)
    first, second = (schedule_demand(problem, name) for _ in range(2))
    assert first.to_dict() == second.to_dict()


@pytest.mark.parametrize("change", NO_TIME)
def test_times_too_short_to_share_are_refused(change):
    given = {"rate": 1e9, "demand": 1e6} | change
    demand = (1 - np.eye(8)) * given.pop("demand") / 8
    with pytest.raises(UsageError, match="expected a time of at least 1e-200 s"):
        Problem(demand, **given)


@pytest.mark.parametrize("name", sorted(SCHEDULERS))
@pytest.mark.parametrize("given", [{"rate": 1e180}, {"rate": 1e-180}, {"rate": 1e180, "delta": 1e-190}])
def test_times_at_the_edge_make_schedules(name, given):
    problem = Problem(draw(6, 1), **given)
    done = schedule_demand(problem, name)  # checks every certificate
    assert done.makespan >= done.bound * (1 - 1e-9) > 0
