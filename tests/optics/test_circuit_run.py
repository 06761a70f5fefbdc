"""Flows over circuits that come and go, against exact fractions and closed forms."""

import numpy as np
import pytest

from naive_circuits import run_naively
from topo_sim.base import DemandError, FlowError
from topo_sim.optics import CircuitSchedule, direct_flows, fabric_at, run_circuits, valiant_flows
from topo_sim.topo.flow import Paths, simulate


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


@pytest.mark.parametrize("seed", range(90))
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


@pytest.mark.parametrize("seed", range(12))
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


@pytest.mark.parametrize("seed", range(25))
def test_uneven_numbers_equal_exact_fractions(seed):
    """Durations, sizes and rates that binary fractions cannot hold, and flows that end anywhere."""
    rng = np.random.default_rng(2000 + seed)
    whole = random_schedule(rng)
    if not whole.served.any():
        pytest.skip("all dark")
    schedule = CircuitSchedule(
        whole.targets,
        whole.durations * rng.uniform(0.5, 1.5, whole.slots),
        whole.capacity * rng.uniform(0.5, 1.5, whole.planes),
        cyclic=True,
    )
    flows = random_flows(rng, schedule)
    flows["size"] = [size * rng.uniform(0.5, 1.5) for size in flows["size"]]
    sent, carried = run_naively(schedule, **flows, most=1500)
    if None in sent:
        pytest.skip("never lit at once")
    run = run_circuits(schedule, **flows, record=True)
    exact = np.array([float(s) for s in sent]) + flows["latency"]
    np.testing.assert_allclose(run.finish, exact, rtol=1e-9)
    check_record(run, flows, carried)


class TestClosedForms:
    """Section by section of the notes on circuit scheduling: N ranks, B in all per rank, M bytes per rank."""

    ranks, rate, alpha = 64, 100e9, 1e-6

    @pytest.mark.parametrize(
        ("ports", "row"),
        [
            (1, {0: 1047.38, 1e-6: 1110.38, 3.7e-6: 1280.47, 20e-6: 2307.38, 1e-3: 64047.38}),
            (4, {0: 1016.00, 1e-6: 1032.00, 3.7e-6: 1075.20, 20e-6: 1336.00, 1e-3: 17016.00}),
        ],
    )
    def test_all_to_all_by_rotating_permutations(self, ports, row):
        """Ceil((N - 1) / d) configurations of alpha + delta + d M / (N B) each, to the digits printed."""
        n, size = self.ranks, 1e8
        shifts = (np.arange(n) + np.arange(1, n)[:, None]) % n
        steps = -(-(n - 1) // ports)
        rotations = np.full((steps * ports, n), -1)
        rotations[: n - 1] = shifts
        hold = self.alpha + ports * size / (n * self.rate)
        source, target = np.nonzero(~np.eye(n, dtype=bool))
        hops = np.stack([source, target], axis=1)
        for delta, printed in row.items():
            schedule = CircuitSchedule.all_stop(
                rotations.reshape(steps, ports, n), np.full(steps, hold), delta, capacity=self.rate / ports
            )
            run = run_circuits(schedule, hops, np.full(len(hops), size / n), latency=self.alpha, record=True)
            assert round(run.makespan * 1e6, 2) == printed
            formula = steps * (self.alpha + delta + ports * size / (n * self.rate))
            last = ports - (n - 1) % ports if (n - 1) % ports else 0
            assert last in (0, 1)
            assert run.makespan == pytest.approx(formula, rel=1e-12)
            assert run.carried.sum() == pytest.approx((n - 1) * size)

    @pytest.mark.parametrize("stagger", [False, True])
    def test_a_rotor_serves_all_to_all_at_its_duty(self, stagger):
        n, slot, delta = 17, 10e-6, 1e-6
        how = {"slot": slot, "delta": delta, "capacity": self.rate, "stagger": stagger}
        schedule = CircuitSchedule.rotor(n, 4, **how)
        flows = direct_flows(np.full((n, n), 100 * self.rate * (slot - delta)))
        run = run_circuits(schedule, flows.hops, flows.size, record=True)
        assert run.sent == pytest.approx(100 * schedule.period, rel=0.01)
        assert run.use == pytest.approx(1.0, rel=0.01)
        assert run.edges < 20 * schedule.slots

    @pytest.mark.parametrize("planes", [1, 3])
    def test_valiant_gets_half_of_the_rate_at_worst(self, planes):
        """Everyone sends to one other: straight 1 / (N - 1) of the rate, by way of all others 1 / 2."""
        n, slot, delta, cycles = 10, 10e-6, 1e-6, 40
        schedule = CircuitSchedule.rotor(n, planes, slot=slot, delta=delta, capacity=self.rate)
        demand = np.zeros((n, n))
        total = cycles * (n - 1) * self.rate * (slot - delta) * planes
        demand[np.arange(n), (np.arange(n) + 3) % n] = total
        best = total / (planes * self.rate * (slot - delta) / slot)
        straight, spread = direct_flows(demand), valiant_flows(demand)
        alone = run_circuits(schedule, straight.hops, straight.size).makespan
        over_all = run_circuits(schedule, spread.hops, spread.size, after=spread.after, record=True)
        assert alone == pytest.approx((n - 1) * best, rel=1 / cycles)
        assert over_all.makespan == pytest.approx(2 * best, rel=2 / cycles)
        hops = (1 + 2 * (n - 2)) / (n - 1)
        assert over_all.carried.sum() == pytest.approx(hops * n * total)

    def test_a_configuration_that_stays_is_an_ordinary_fabric(self):
        """One slot for ever: the same times as `simulate` on the fabric of that slot."""
        rng = np.random.default_rng(3)
        targets = rng.permuted(np.tile(np.arange(12), (1, 3, 1)), axis=2)
        schedule = CircuitSchedule(targets, [1.0], [1.0, 2.0, 3.0], cyclic=True)
        fabric = fabric_at(schedule, 0, require_connected=False)
        pairs = {}
        for link, ends in enumerate(zip(fabric.link_source, fabric.link_target, strict=True)):
            pairs.setdefault((int(ends[0]), int(ends[1])), []).append(link)
        hops = [pair for pair, links in pairs.items() if len(links) == 1]
        size = rng.uniform(1, 50, 3 * len(hops))
        start = rng.uniform(0, 20, 3 * len(hops))
        paths = Paths.from_lists([pairs[pair] for pair in hops * 3])
        want = simulate(paths, fabric.capacity, size, start)
        run = run_circuits(schedule, hops * 3, size, start)
        np.testing.assert_allclose(run.finish, want.finish, rtol=1e-11)
        np.testing.assert_allclose(run.start, want.start, rtol=1e-11)


class TestRefused:
    swap = CircuitSchedule([[[1, 0, -1, -1]], [[-1, -1, 3, 2]]], [1.0, 1.0], 1.0, cyclic=True)
    once = CircuitSchedule([[[1, 2, -1]], [[-1, -1, 0]]], [1.0, 1.0], 1.0)

    def test_circuits_that_never_come(self):
        with pytest.raises(FlowError, match=r"flow 1 \(ranks 0 to 2\): no slot joins rank 0 to rank 2"):
            run_circuits(self.swap, [(0, 1), (0, 2)], [1.0, 1.0])
        turns = CircuitSchedule([[[1, -1, -1]], [[-1, 2, -1]]], [1.0, 1.0], 1.0, cyclic=True)
        with pytest.raises(
            FlowError, match=r"flow 0 \(ranks 0 to 1 to 2\): found no slot in which all circuits"
        ):
            run_circuits(turns, [(0, 1, 2)], [1.0])
        waits = run_circuits(turns, [(0, 1), (1, 2)], [1.0, 1.0], after=[(1, 0)])
        assert waits.finish.tolist() == [1.0, 2.0]

    def test_a_stuck_flow_does_not_hide_behind_late_ones(self):
        turns = CircuitSchedule([[[1, -1, -1]], [[-1, 2, -1]]], [1.0, 1.0], 1.0, cyclic=True)
        with pytest.raises(FlowError, match=r"flow 0 .* found no slot"):
            run_circuits(turns, [(0, 1, 2), (0, 1), (0, 1)], [1.0, 2.5, 1.0], [0, 0, 1e9])

    def test_a_schedule_that_ends_too_early(self):
        with pytest.raises(FlowError, match=r"flow 0 \(ranks 0 to 1\): found bytes left when .* ends at 2"):
            run_circuits(self.once, [(0, 1), (2, 0)], [1.5, 1.0])
        with pytest.raises(FlowError, match="bytes left when the schedule ends"):
            run_circuits(self.once, [(0, 1)], [0.5], [3.0])
        assert run_circuits(self.once, [(0, 1), (2, 0)], [1.0, 1.0]).finish.tolist() == [1.0, 2.0]

    def test_circles(self):
        with pytest.raises(FlowError, match="wait for each other in a circle"):
            run_circuits(self.swap, [(0, 1), (1, 0)], [1.0, 1.0], after=[(0, 1), (1, 0)])

    def test_too_many_slots(self):
        rng = np.random.default_rng(0)
        start = np.cumsum(rng.uniform(0, 3, 500))
        with pytest.raises(FlowError, match="most_edges: found flows that need more than 100 slots"):
            run_circuits(self.swap, [(0, 1)] * 500, np.ones(500), start, most_edges=100)

    @pytest.mark.parametrize(
        "given",
        [
            {"size": [1e19]},
            {"size": [1e300]},
            {"size": [1.0], "start": [1e19]},
            {"size": [1.0], "start": [1e300]},
            {"size": [1e16, 1e16], "hops": [(0, 1), (1, 0)]},
        ],
    )
    def test_more_periods_than_can_be_counted(self, given):
        ring = CircuitSchedule([[[1, 0]], [[-1, -1]]], [1.0, 1.0], capacity=1.0, cyclic=True)
        with pytest.raises(FlowError, match=r"may take .* periods of 2 s, expected at most 9.01e\+15"):
            run_circuits(ring, **({"hops": [(0, 1)]} | given))

    def test_very_many_periods_end(self):
        ring = CircuitSchedule([[[1, 2, 0]]], [1.0], capacity=1.0, cyclic=True)
        assert run_circuits(ring, [(0, 1)], [1e15]).makespan == 1e15
        once = CircuitSchedule([[[1, 2, 0]]], [1e20], capacity=1.0)
        assert run_circuits(once, [(0, 1)], [1e19]).makespan == pytest.approx(1e19)

    @pytest.mark.parametrize(
        ("hops", "message"),
        [
            ([(0, 4)], r"hops\[0\]: found ranks \[0, 4\]"),
            ([(0, 1), (2, 2)], r"hops\[1\]: found ranks \[2, 2\]"),
            ([(0, 1, 0)], r"hops\[0\]"),
            ([(0, -1)], r"hops\[0\]"),
            ([(0, -1, 1)], r"hops\[0\]"),
            ([(0, -2)], r"hops\[0\]"),
            ([(0,)], "hops: found shape"),
            ([(0.0, 1.0)], "hops: found shape .* of float64"),
            ([0, 1], "hops: found shape"),
            ([[0, 1], "ab"], "hops"),
        ],
    )
    def test_hops(self, hops, message):
        with pytest.raises(FlowError, match=message):
            run_circuits(self.swap, hops, np.ones(len(hops)))

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"size": [-1.0]}, "size"),
            ({"size": [np.nan]}, "size"),
            ({"size": [1.0, 2.0]}, "size"),
            ({"start": [np.inf]}, "start"),
            ({"latency": [-1.0]}, "latency"),
            ({"tolerance": 1.0}, "tolerance: found 1.0"),
            ({"most_edges": 0}, "most_edges: found 0"),
            ({"after": [(0, 1)]}, "after"),
        ],
    )
    def test_numbers(self, given, message):
        with pytest.raises(FlowError, match=message):
            run_circuits(self.swap, [(0, 1)], **{"size": [1.0], **given})

    def test_no_record_no_use(self):
        run = run_circuits(self.swap, [(0, 1)], [1.0])
        with pytest.raises(FlowError, match="use: found a run without a record"):
            _ = run.use

    def test_nothing_to_do(self):
        empty = run_circuits(self.swap, [], [])
        assert (empty.makespan, empty.periods) == (0.0, 0.0)
        none = run_circuits(self.swap, [(0, 2), (0, 1)], [0.0, 0.0], [5.0, 0.0], after=[(1, 0)])
        assert none.finish.tolist() == [5.0, 5.0]

    @pytest.mark.parametrize(
        ("demand", "message"),
        [([[0, -1], [0, 0]], "demand"), ([[0, 1]], "expected a square"), ([[0, np.inf], [0, 0]], "demand")],
    )
    def test_demands(self, demand, message):
        for make in (direct_flows, valiant_flows):
            with pytest.raises(DemandError, match=message):
                make(demand)

    def test_too_many_flows(self):
        with pytest.raises(DemandError, match="expected at most 20,000,000"):
            valiant_flows(np.ones((300, 300)))


def test_a_late_flow_finds_the_right_slot_without_going_through_all_before():
    pair = CircuitSchedule([[[1, 0]], [[-1, -1]]], [1.0, 3.0], 1.0, cyclic=True)
    run = run_circuits(pair, [(0, 1)] * 3, [0.5, 0.5, 0.5], [0.0, 4e6 + 2.0, 4e9 + 0.25])
    assert run.finish.tolist() == [0.5, 4e6 + 4.5, 4e9 + 0.75]
    assert run.start.tolist() == [0.0, 4e6 + 4.0, 4e9 + 0.25]
    assert run.edges < 20
