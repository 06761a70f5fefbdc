"""Flows over circuits that come and go, against exact fractions and closed forms."""

import numpy as np
import pytest

from naive_circuits import run_naively
from topo_sim.base import FlowError
from topo_sim.optics.circuit_run import run_circuits
from topo_sim.optics.circuit_schedule import CircuitSchedule


def random_schedule(rng):
    slots, planes, ports = rng.integers(1, 6), rng.integers(1, 4), rng.integers(2, 6)
    targets = rng.permuted(np.tile(np.arange(ports), (slots, planes, 1)), axis=2)
    targets[rng.random(targets.shape) < 0.2] = -1
    durations = rng.integers(0 if slots > 1 else 1, 4, slots).astype(float)
    durations[0] += durations.sum() == 0
    return CircuitSchedule(
        targets, durations, rng.integers(1, 4, planes).astype(float), cyclic=bool(rng.random() < 0.7)
    )


def random_flows(rng, schedule):
    """Flows of one to three hops over pairs of ports that are lit at some time, some after others."""
    lit = np.argwhere(schedule.served > 0).tolist()
    hops = []
    for _ in range(rng.integers(1, 8)):
        way = list(lit[rng.integers(len(lit))])
        for _ in range(rng.integers(0, 3) if rng.random() < 0.4 else 0):
            onward = [j for i, j in lit if i == way[-1] and j not in way]
            if onward:
                way.append(onward[rng.integers(len(onward))])
        hops.append(way)
    n = len(hops)
    size = rng.integers(0, 40, n) * (rng.random(n) < 0.9)
    rows = [(f, int(rng.integers(f))) for f in range(1, n) if rng.random() < 0.4]
    cut = int(rng.integers(len(rows) + 1))
    return {
        "hops": hops,
        "size": size.astype(float).tolist(),
        "start": (rng.integers(0, 12, n) / 2).tolist(),
        "latency": (rng.integers(0, 3, n) / 4).tolist(),
        "delay": (rng.integers(0, 3, n) / 4).tolist(),
        "after": rows[:cut],
        "behind": rows[cut:],
    }


@pytest.mark.parametrize("seed", range(150))
def test_equals_exact_fractions(seed):
    rng = np.random.default_rng(seed)
    schedule = random_schedule(rng)
    if not schedule.served.any():
        pytest.skip("all dark")
    flows = random_flows(rng, schedule)
    sent, carried = run_naively(schedule, **flows, most=3000)
    if None in sent:
        with pytest.raises(FlowError, match=r"expected (more time|one)|schedule ends"):
            run_circuits(schedule, **flows)
        return
    run = run_circuits(schedule, **flows, record=True)
    exact = np.array([float(s) for s in sent]) + flows["latency"]
    np.testing.assert_allclose(run.finish, exact, rtol=1e-11, atol=1e-11)
    check_record(run, flows, carried)


def check_record(run, flows, carried):
    """Bytes are conserved, no circuit carries more than it can, and each slot carries what the twin says."""
    schedule = run.schedule
    hops = sum(size * (len(way) - 1) for size, way in zip(flows["size"], flows["hops"], strict=True))
    assert run.carried.sum() == pytest.approx(hops, rel=1e-11)
    assert not run.carried[schedule.targets < 0].any()
    room = schedule.capacity[:, None] * run.lasted[:, None, None]
    assert (run.carried <= room * (1 + 1e-11) + 1e-9).all()
    for slot in range(schedule.slots):
        for i in range(schedule.ports):
            row = schedule.targets[slot, :, i]
            for j in np.unique(row[row >= 0]).tolist():
                mine = run.carried[slot, row == j, i].sum()
                assert mine == pytest.approx(float(carried.get((slot, (i, j)), 0)), rel=1e-11, abs=1e-9)


@pytest.mark.parametrize("seed", range(30))
def test_skipped_periods_change_nothing(seed):
    """Large flows: thousands of periods, of which the engine works through few."""
    rng = np.random.default_rng(1000 + seed)
    schedule = random_schedule(rng)
    schedule = CircuitSchedule(schedule.targets, schedule.durations, schedule.capacity, cyclic=True)
    if not schedule.served.any():
        pytest.skip("all dark")
    flows = random_flows(rng, schedule)
    flows["size"] = [size * 37 for size in flows["size"]]
    sent, carried = run_naively(schedule, **flows, most=20_000)
    if None in sent:
        pytest.skip("never lit at once")
    run = run_circuits(schedule, **flows, record=True)
    exact = np.array([float(s) for s in sent]) + flows["latency"]
    np.testing.assert_allclose(run.finish, exact, rtol=1e-11, atol=1e-11)
    check_record(run, flows, carried)


def test_many_periods_are_right_to_the_last_one():
    """A flow that fills its slots exactly, a million times, ends with a slot and not a period later."""
    pair = CircuitSchedule([[[1, 0]], [[-1, -1]]], [0.1, 0.2], 0.7, cyclic=True)
    run = run_circuits(pair, [(0, 1)], [0.7 * 0.1 * 1e6])
    assert run.finish[0] == pytest.approx(0.3 * (1e6 - 1) + 0.1, rel=1e-12)
    assert run.edges < 20
