"""Plans of whole collectives: bounds, parts, odd numbers of ranks, and what is refused."""

import numpy as np
import pytest

from topo_sim.base import CollectiveError, UnknownNameError, UsageError
from topo_sim.collectives import all_to_all_v, build_schedule, replay
from topo_sim.collectives.reconfiguration import (
    POLICIES,
    SUITED,
    Circuits,
    bruck,
    circuit_bound,
    circuit_profile,
    circuit_profiles,
    plan_collective,
    plan_lines,
    rotation,
    schedules_on_circuits,
)

SIZES = (0.0, 1.0, 65536.0, 1e6, 2.0**30)


@pytest.mark.parametrize("ports", [1, 2, 3, 6])
@pytest.mark.parametrize("ranks", [1, 2, 3, 5, 8, 13, 16])
def test_rotations_and_bruck_do_an_all_to_all(ranks, ports):
    replay(rotation(ranks, 1e6, ports))
    for radix in (2, 3, 4, ports + 1):
        schedule = bruck(ranks, 1e6, radix, ports)
        replay(schedule)
        assert schedule.bytes_sent == pytest.approx(bruck(ranks, 1e6, radix).bytes_sent, rel=1e-12)
    digits = next(n for n in range(10) if (ports + 1) ** n >= ranks)
    assert len(bruck(ranks, 1e6, ports + 1, ports).steps) == digits
    assert len(rotation(ranks, 1e6, ports).steps) == -(-(ranks - 1) // ports)


@pytest.mark.parametrize("ports", [1, 2, 5])
@pytest.mark.parametrize("ranks", [1, 2, 3, 6, 8, 12])
@pytest.mark.parametrize("collective", [*SUITED, "broadcast", "reduce", "send_recv", "barrier"])
def test_no_plan_is_below_its_bound_and_its_parts_add_up(collective, ranks, ports):
    circuits = Circuits(ports, 100e9, 1e-6, 3e-6, hop=2e-7)
    for profile in circuit_profiles(collective, ranks, circuits):
        for size in SIZES:
            found = {}
            for policy in POLICIES:
                try:
                    plan = profile.plan(size, policy)
                except CollectiveError:
                    assert policy in ("overlap", "never")
                    continue
                found[policy] = plan.time
                assert not plan.below_bound
                assert plan.lower_bound <= plan.time * (1 + 1e-12)
                parts = plan.alpha_time + plan.hop_time + plan.byte_time + plan.reconfiguration_time
                assert parts == pytest.approx(plan.time, rel=1e-9, abs=1e-18)
                assert plan.moved >= plan.bytes_sent * (1 - 1e-12)
                if policy != "overlap":
                    waits = plan.reconfigurations * circuits.reconfiguration
                    assert plan.reconfiguration_time == pytest.approx(waits, abs=1e-12)
                    assert plan.dark_time == pytest.approx(waits, abs=1e-12)
                    sums = float(plan.step_times @ plan.repeats) + plan.reconfiguration_time
                    assert sums == pytest.approx(plan.time, rel=1e-9)
            assert found["optimal"] <= min(v for k, v in found.items() if k != "overlap") * (1 + 1e-12)
            if "overlap" in found:
                assert found["overlap"] <= found["always"] * (1 + 1e-12)
                if ports == 1:
                    assert found["overlap"] == pytest.approx(found["always"], rel=1e-12)


def test_bound_is_reached():
    circuits = Circuits(4, 100e9, 1e-6, 0.0)
    (plan,) = plan_collective("all_to_all", 5, [1e12], circuits)
    assert plan.fraction == pytest.approx(1.0, rel=1e-9)
    (plan,) = plan_collective(
        "all_gather", 8, [0.0], Circuits(reconfiguration=0.0), algorithms=["recursive_doubling"]
    )
    assert plan.time == plan.lower_bound == pytest.approx(3e-6)


def test_rounds_of_the_bound_grow_with_the_ports():
    times = [circuit_bound("all_reduce", 64, Circuits(ports)).time(0) for ports in (1, 3, 7, 63)]
    assert [round(time * 1e6) for time in times] == [6, 3, 2, 1]
    assert circuit_bound("reduce", 64, Circuits()).time(0) == 1e-6
    with pytest.raises(UsageError, match="ranks: found 0"):
        circuit_bound("all_reduce", 0, Circuits())


@pytest.mark.parametrize("ranks", [1, 2, 6, 7, 12])
def test_ranks_that_are_no_power_of_two_are_planned(ranks):
    for collective in SUITED:
        plans = plan_collective(collective, ranks, SIZES, Circuits(reconfiguration=1e-6))
        assert [plan.size for plan in plans] == list(SIZES)
        assert all(np.isfinite(plan.time) for plan in plans)
        times = [plan.time for plan in plans]
        assert times == sorted(times)
        if ranks == 1:
            assert times == [0.0] * len(SIZES)
            assert {plan.reconfigurations for plan in plans} == {0}


def test_turning_round_keeps_the_last_pairing():
    plan = circuit_profile(build_schedule("all_reduce", "halving_doubling", 16, 1e9), Circuits()).plan()
    assert plan.configurations[3] == plan.configurations[4] == "pairs 1 apart"
    assert plan.switched.tolist() == [True] * 4 + [False] + [True] * 3
    assert plan.reconfigurations == 7


def test_the_first_configuration_may_be_free_or_set():
    schedule = build_schedule("all_reduce", "halving_doubling", 16, 1e9)
    paid = circuit_profile(schedule, Circuits(), base=None).plan()
    free = circuit_profile(schedule, Circuits(first_free=True), base=None).plan()
    assert paid.time - free.time == pytest.approx(20e-6)
    assert paid.reconfigurations == free.reconfigurations == 7
    on_ring = circuit_profile(build_schedule("all_reduce", "ring", 16, 1e9), Circuits()).plan()
    unset = circuit_profile(build_schedule("all_reduce", "ring", 16, 1e9), Circuits(), base=None).plan()
    assert (on_ring.reconfigurations, unset.reconfigurations) == (0, 1)


@pytest.mark.parametrize("hidden", [0.0, 0.25, 1.0])
def test_hidden_reconfigurations_are_not_waited_for(hidden):
    schedule = build_schedule("all_reduce", "halving_doubling", 16, 1e9)
    plan = circuit_profile(schedule, Circuits(hidden=hidden)).plan(policy="always")
    assert plan.reconfiguration_time == pytest.approx(7 * 20e-6 * (1 - hidden), abs=1e-15)
    assert plan.dark_time == pytest.approx(7 * 20e-6)


def test_more_hiding_is_never_slower():
    schedule = build_schedule("all_to_all", "bruck", 32, 1e7)
    times = [circuit_profile(schedule, Circuits(hidden=h)).plan().time for h in np.linspace(0, 1, 9)]
    assert times == sorted(times, reverse=True)


def test_best_of_all_algorithms_is_the_least():
    circuits = Circuits(3, reconfiguration=5e-6, hop=5e-7)
    profiles = circuit_profiles("all_to_all", 24, circuits)
    for plan in plan_collective("all_to_all", 24, SIZES, circuits, profiles=profiles):
        times = [p.plan(plan.size, policy).time for p in profiles for policy in ("optimal", "overlap")]
        assert plan.time <= min(times) * (1 + 1e-12)
    with pytest.raises(UsageError, match="solved for"):
        plan_collective("all_to_all", 24, SIZES, Circuits(2), profiles=profiles)


@pytest.mark.parametrize(("collective", "ranks"), [("all_reduce", 16), ("all_to_all", 12), ("all_gather", 9)])
def test_lines_are_the_optimum_at_every_reconfiguration_time(collective, ranks):
    rng = np.random.default_rng(1)
    circuits = Circuits(2, hop=3e-7, hidden=0.25)
    profiles = circuit_profiles(collective, ranks, circuits)
    for size in (0.0, 1e5, 1e8):
        lines = plan_lines(profiles, size)
        waits = [line.waits for line in lines]
        assert waits == sorted(waits, reverse=True)
        assert len(set(waits)) == len(waits)
        assert lines[-1].reconfigurations == 0
        for delta in [0.0, 1e3, *10 ** rng.uniform(-9, -1, 40)]:
            best = min(profile.plan(size, "optimal", delta).time for profile in profiles)
            assert min(line.time(delta) for line in lines) == pytest.approx(best, rel=1e-11)


def test_uneven_all_to_all_is_planned():
    rng = np.random.default_rng(2)
    traffic = rng.uniform(0, 1e6, (6, 6)) * (rng.random((6, 6)) < 0.7)
    schedule = all_to_all_v(traffic, "pairwise")
    plan = circuit_profile(schedule, Circuits(reconfiguration=0.0), base="ring").plan(policy="always")
    off = traffic * ~np.eye(6, dtype=bool)
    shifts = [max(off[r, (r + s) % 6] for r in range(6)) for s in range(1, 6)]
    assert plan.byte_time == pytest.approx(sum(shifts) / 100e9, rel=1e-9)
    assert not plan.below_bound


@pytest.mark.parametrize(
    ("arguments", "options", "error", "match"),
    [
        (("all_reduce", 8, [1e6]), {"policy": "optimum"}, UnknownNameError, 'did you mean "optimal"'),
        (("all_redue", 8, [1e6]), {}, UnknownNameError, 'did you mean "all_reduce"'),
        (("all_reduce", 8, [1e6]), {"algorithms": ["rings"]}, UsageError, 'did you mean "ring"'),
        (("all_reduce", 6, [1e6]), {"algorithms": ["swing"]}, CollectiveError, "cannot run on 6 ranks"),
        (("all_reduce", 8, [1e6]), {"algorithms": ["nvls"]}, CollectiveError, "combines in switches"),
        (("all_reduce", 0, [1e6]), {}, CollectiveError, "ranks must be a whole number"),
        (("all_reduce", 2.5, [1e6]), {}, CollectiveError, "ranks must be a whole number"),
        (("all_reduce", 8, [-1]), {}, UsageError, "size: found -1"),
        (("all_reduce", 8, [float("nan")]), {}, UsageError, "size: found nan"),
        (("all_reduce", 8, 1e6), {}, UsageError, "expected a list of sizes"),
        (("all_to_all", 8192, [1e6]), {"algorithms": ["rotation"]}, CollectiveError, 'use "bruck" instead'),
    ],
)
def test_what_cannot_be_planned_is_refused(arguments, options, error, match):
    with pytest.raises(error, match=match):
        plan_collective(*arguments, Circuits(), **options)


def test_ports_of_schedules_are_checked():
    for make in (rotation, lambda n, m, ports: bruck(n, m, 2, ports)):
        for ports in (0, -1, True, 1.5):
            with pytest.raises(CollectiveError, match="ports: found"):
                make(8, 1e6, ports)
    with pytest.raises(CollectiveError, match="radix must be at least 2"):
        bruck(8, 1e6, 1)
    assert [s.algorithm for s in schedules_on_circuits("all_reduce", 6, 1)] == list(SUITED["all_reduce"])


def test_a_plan_says_what_it_takes_with_units():
    (plan,) = plan_collective("all_reduce", 16, [1e8], Circuits(reconfiguration=1e-6, hop=1e-7))
    row = plan.to_dict()
    assert row["time_s"] == plan.time
    assert row["reconfigurations"] == 7
    assert row["busbw_B_per_s"] == pytest.approx(1e8 / plan.time * 30 / 16)
    (nothing,) = plan_collective("all_reduce", 1, [0.0], Circuits())
    assert nothing.to_dict()["algbw_B_per_s"] is None
    assert (nothing.busbw, nothing.fraction) == (0.0, 1.0)
