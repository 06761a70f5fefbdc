"""Plans laid out in time: whole, with a circuit for every transfer while it is sent, no port used twice."""

import numpy as np
import pytest

from topo_sim.base import UsageError
from topo_sim.collectives import build_schedule
from topo_sim.collectives.reconfiguration import (
    Circuits,
    circuit_profile,
    configuration,
    plan_slots,
    planes_of,
    rotation,
)
from topo_sim.optics import direct_flows, run_circuits
from topo_sim.topo import torus


def used_once(planes):
    for row in planes:
        lit = row[row >= 0]
        assert len(set(lit.tolist())) == len(lit)


@pytest.mark.parametrize("seed", range(30))
def test_planes_hold_every_circuit_equally_often(seed):
    rng = np.random.default_rng(seed)
    ranks = int(rng.integers(2, 14))
    joined = (rng.random((ranks, ranks)) < rng.uniform(0.1, 0.9)) & ~np.eye(ranks, dtype=bool)
    one = configuration("drawn", ranks, *np.nonzero(joined))
    ports = one.degree * int(rng.integers(1, 3)) + int(rng.integers(0, 3)) or 1
    planes = planes_of(one, ports)
    used_once(planes)
    count = np.zeros((ranks, ranks), dtype=int)
    for row in planes:
        np.add.at(count, (np.flatnonzero(row >= 0), row[row >= 0]), 1)
    assert np.array_equal(count, joined * (one.planes(ports) if one.degree else 0))


@pytest.mark.parametrize("policy", ["never", "always", "greedy", "optimal", "overlap"])
@pytest.mark.parametrize(("ports", "base"), [(1, "ring"), (3, None), (4, "ring")])
@pytest.mark.parametrize("size", [1e3, 1e7])
def test_slots_last_as_long_as_the_plan_and_carry_its_steps(policy, ports, base, size):
    circuits = Circuits(ports, 1e9, 1e-6, 5e-6, hop=1e-7)
    schedule = build_schedule("all_reduce", "halving_doubling", 8, size)
    if policy == "never" and base is None:
        schedule = build_schedule("all_reduce", "ring", 8, size)
    profile = circuit_profile(schedule, circuits, base=base)
    plan = profile.plan(policy=policy)
    slots = plan_slots(plan)
    assert slots.durations.sum() == pytest.approx(plan.time, rel=1e-9)
    assert slots.durations.min() > 0
    for planes in slots.targets:
        used_once(planes)
    dark = slots.durations[(slots.targets < 0).all(axis=(1, 2))].sum()
    assert dark <= plan.reconfiguration_time * (1 + 1e-9) + 1e-15
    if policy != "overlap":
        assert dark == pytest.approx(plan.reconfiguration_time, abs=1e-12)
    # Bytes that own circuits can carry while they are lit cover those that are sent.
    if policy in ("always", "overlap"):
        room = np.zeros((8, 8))
        for planes, lasts in zip(slots.targets, slots.durations, strict=True):
            for row in planes:
                lit = np.flatnonzero(row >= 0)
                room[lit, row[lit]] += lasts * circuits.port_rate
        sent = np.zeros((8, 8))
        for step in schedule.steps:
            np.add.at(sent, (step.source, step.target), step.fraction * step.repeat * size)
        assert np.all(room >= sent * (1 - 1e-9))


def test_a_plane_changes_while_others_carry():
    circuits = Circuits(2, 1e9, 1e-6, 50e-6)
    profile = circuit_profile(build_schedule("all_reduce", "halving_doubling", 16, 1e4), circuits, base=None)
    plan = profile.plan(policy="overlap")
    assert plan.groups.max() == 2
    targets = plan_slots(plan).targets
    lit = (targets >= 0).any(axis=2)
    assert (lit.sum(axis=1) == 1).any()


@pytest.mark.parametrize("policy", ["always", "optimal", "overlap"])
def test_circuits_over_time_serve_an_all_to_all(policy):
    """Flows over the circuits of a rotation, each as soon as it has light, end when the plan says."""
    circuits = Circuits(3, 1e9, 0.0, 2e-6)
    plan = circuit_profile(rotation(8, 8e5, 3), circuits, base=None).plan(policy=policy)
    schedule = plan.to_circuit_schedule()
    assert schedule.period == pytest.approx(plan.time, rel=1e-9)
    assert schedule.ports == 8
    assert schedule.planes == 3
    assert schedule.dark_time.mean() >= plan.reconfiguration_time * (1 - 1e-9)
    off = ~np.eye(8, dtype=bool)
    assert np.all(schedule.served[off] >= 1e5 * (1 - 1e-9))
    schedule.require_connected()
    flows = direct_flows(np.full((8, 8), 1e5))
    run = run_circuits(schedule, flows.hops, flows.size)
    assert run.finish.max() == pytest.approx(plan.time, rel=1e-9)


def test_what_cannot_be_laid_out_is_refused():
    circuits = Circuits(4, 200e9)
    on_torus = circuit_profile(
        build_schedule("all_reduce", "ring", 16, 1e6), circuits, base=torus((4, 4), bandwidth=50e9)
    )
    with pytest.raises(UsageError, match="is a fabric that was given"):
        plan_slots(on_torus.plan(policy="never"))
    with pytest.raises(UsageError, match="expected a time above 0"):
        plan_slots(circuit_profile(rotation(1, 1e6), circuits).plan())
    wide = circuit_profile(rotation(512, 1e9, 1), Circuits(1, reconfiguration=0.0), base=None).plan()
    many = circuit_profile(rotation(1024, 1e9, 1), Circuits(1), base=None)
    assert len(plan_slots(wide).durations) == 511
    plan = many.plan(policy="always")
    assert plan_slots(plan).durations.sum() == pytest.approx(plan.time, rel=1e-9)
