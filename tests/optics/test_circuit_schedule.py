"""Circuit schedules: what they refuse, what they count, and the schedules that the constructors make."""

from math import gcd

import numpy as np
import pytest

from topo_sim.base import TopologyError
from topo_sim.optics import CircuitSchedule, OcsLayer, fabric_at, schedule_of
from topo_sim.optics.cabling import lay_cables
from topo_sim.optics.changing import rotor_matchings
from topo_sim.optics.floorplan import FloorPlan
from topo_sim.optics.matchings import connected, first_gap
from topo_sim.topo import circuit_switched, load_fabric, metrics, rotor


def counted_naively(schedule):
    """Served bytes, reconfigurations, dark time and lit port-seconds by plain loops."""
    n, planes = schedule.ports, schedule.planes
    served, changes = np.zeros((n, n)), [0] * planes
    dark, lit = [0.0] * planes, 0.0
    for s, seconds in enumerate(schedule.durations.tolist()):
        for p in range(planes):
            row = schedule.targets[s, p].tolist()
            last = [-1] * n if s == 0 and not schedule.cyclic else schedule.targets[s - 1, p].tolist()
            changes[p] += any(j >= 0 and j != k for j, k in zip(row, last, strict=True))
            dark[p] += seconds * all(j < 0 for j in row)
            for i, j in enumerate(row):
                if j >= 0:
                    served[i, j] += seconds * schedule.capacity[p]
                    lit += seconds
    return served, changes, dark, lit


def random_targets(rng, slots=6, planes=3, ports=5):
    targets = rng.permuted(np.tile(np.arange(ports), (slots, planes, 1)), axis=2)
    targets[rng.random(targets.shape) < 0.3] = -1
    targets[rng.random((slots, planes)) < 0.2] = -1
    return targets


class TestCounting:
    @pytest.mark.parametrize("seed", range(10))
    @pytest.mark.parametrize("block", [1, 1 << 22])
    def test_equals_plain_loops(self, seed, block, monkeypatch):
        """Also where slots are worked on in small blocks."""
        monkeypatch.setattr("topo_sim.optics.matchings.BLOCK", block)
        rng = np.random.default_rng(seed)
        schedule = CircuitSchedule(
            random_targets(rng), rng.uniform(0, 2, 6), [1.0, 2.0, 4.0], cyclic=bool(seed % 2)
        )
        served, changes, dark, lit = counted_naively(schedule)
        np.testing.assert_allclose(schedule.served, served)
        assert schedule.reconfigurations.tolist() == changes
        np.testing.assert_allclose(schedule.dark_time, dark)
        assert schedule.occupancy == pytest.approx(lit / (schedule.period * 3 * 5))
        assert schedule.duty == pytest.approx(1 - np.mean(dark) / schedule.period)
        assert schedule.occupancy <= schedule.duty <= 1

    @pytest.mark.parametrize("seed", range(30))
    def test_connected_equals_walking(self, seed):
        rng = np.random.default_rng(seed)
        targets = random_targets(rng, slots=8).astype(np.int32)
        for joined, planes in zip(connected(targets), targets, strict=True):
            reach = np.linalg.matrix_power(np.eye(5) + sum_of(planes), 5) > 0
            assert joined == reach.all()
            if not joined:
                a, b = first_gap(planes)
                assert not reach[a, b]

    def test_which_slot_is_on(self):
        once = CircuitSchedule([[[1, 0]]] * 3, [1.0, 0.0, 2.0], 1.0)
        assert [once.at(t) for t in (0, 0.5, 1, 2.9, 3)] == [0, 0, 2, 2, -1]
        again = CircuitSchedule(once.targets, once.durations, 1.0, cyclic=True)
        assert [again.at(t) for t in (3, 4, 3e9 + 1.5)] == [0, 2, 2]
        with pytest.raises(TopologyError, match="time: found -1"):
            once.at(-1)

    def test_is_frozen_and_keeps_its_own_arrays(self):
        given = np.array([[[1, 0]]], np.int32)
        durations = np.array([1.0])
        schedule = CircuitSchedule(given, durations, 1.0)
        given[:], durations[:] = -1, 5
        assert (schedule.targets.tolist(), schedule.period) == ([[[1, 0]]], 1.0)
        with pytest.raises(ValueError, match="read-only"):
            schedule.targets[0, 0, 0] = -1


def sum_of(planes):
    matrix = np.zeros((planes.shape[1],) * 2)
    for plane in planes:
        for i, j in enumerate(plane.tolist()):
            matrix[i, j] += j >= 0
    return matrix


class TestRefused:
    @pytest.mark.parametrize(
        ("targets", "message"),
        [
            ([[[1, 0, -1]], [[2, 2, 0]]], "slot 1, plane 0: ports 0 and 1 both send to port 2"),
            ([[[1, 0, -1], [-1, 0, 0]]], "slot 0, plane 1: ports 1 and 2 both send to port 0"),
            ([[[1, 3, 0]]], "slot 0, plane 0: port 1 is joined to 3, expected a port from 0 to 2"),
            ([[[1, -2, 0]]], "port 1 is joined to -2"),
            (np.array([[[1, 2**40, 0]]]), "port 1 is joined to 1099511627776"),
            (np.array([[[1, 255, 0]]], np.uint8), "port 1 is joined to 255"),
            ([[[1.0, 0.0]]], "found float64 values, expected integers"),
            ([[[True, False]]], "found bool values"),
            ([[1, 0]], r"found shape \(1, 2\)"),
            ([[[0]]], r"found shape \(1, 1, 1\)"),
            ([], "found shape"),
            ([[[1, 0], [1]]], "rows of different lengths"),
        ],
    )
    def test_circuits(self, targets, message):
        with pytest.raises(TopologyError, match=message):
            CircuitSchedule(targets, [1.0] * len(targets), 1.0)

    @pytest.mark.parametrize(
        ("durations", "capacity", "message"),
        [
            ([1.0, 1.0], 1.0, r"durations: found shape \(2,\), expected \(1,\)"),
            ([-1.0], 1.0, r"durations\[0\]: found -1.0"),
            ([np.nan], 1.0, r"durations\[0\]: found nan"),
            ([np.inf], 1.0, r"durations\[0\]: found inf"),
            ([0.0], 1.0, "durations: found 0 s in all"),
            (["1 s"], 1.0, "durations: found values that are no numbers"),
            ([1.0], 0.0, "capacity: found 0.0"),
            ([1.0], [1.0, 2.0], "capacity: found shape"),
            ([1.0], [np.inf], r"capacity\[0\]: found inf"),
            ([1.0], None, "capacity: found values that are no numbers"),
        ],
    )
    def test_numbers(self, durations, capacity, message):
        with pytest.raises(TopologyError, match=message):
            CircuitSchedule([[[1, 0]]], durations, capacity)

    def test_a_port_joined_to_itself_is_dark(self):
        assert CircuitSchedule([[[0, 2, 1]]], [1.0], 1.0).targets.tolist() == [[[-1, 2, 1]]]

    def test_ranks_left_apart(self):
        pairs = CircuitSchedule.all_stop([[1, 0, 3, 2], [2, 3, 0, 1]], [1, 1], 0.5, capacity=1.0)
        pairs.require_connected()
        with pytest.raises(TopologyError, match="slot 1: no circuits lead from rank 0 to rank 2"):
            pairs.require_connected(slot=1)
        one_way = CircuitSchedule([[[1, 2, -1]]], [1.0], 1.0)
        with pytest.raises(TopologyError, match="no circuits lead from rank 1 to rank 0"):
            one_way.require_connected()


class TestPauses:
    two = np.array([[[1, 2, 0], [2, 0, 1]], [[1, 2, 0], [1, 0, -1]]])

    @pytest.mark.parametrize(
        ("make", "during"),
        [
            (CircuitSchedule.all_stop, [[-1, -1, -1], [-1, -1, -1]]),
            (CircuitSchedule.per_plane, [[1, 2, 0], [-1, -1, -1]]),
            (CircuitSchedule.per_port, [[1, 2, 0], [-1, 0, -1]]),
        ],
    )
    def test_what_goes_dark(self, make, during):
        schedule = make(self.two, [3.0, 4.0], 0.5, capacity=1.0)
        assert schedule.durations.tolist() == [0.5, 3.0, 0.5, 4.0]
        assert schedule.targets[2].tolist() == during
        assert (schedule.targets[0] == -1).all()
        free = make(self.two, [3.0, 4.0], 0.5, capacity=1.0, first_free=True)
        assert free.durations.tolist() == [3.0, 0.5, 4.0]
        round_again = make(self.two, [3.0, 4.0], 0.5, capacity=1.0, cyclic=True)
        assert round_again.targets[0, 1].tolist() != [2, 0, 1]
        assert round_again.period == 8.0

    def test_nothing_changes_nothing_pauses(self):
        same = CircuitSchedule.all_stop([[1, 0]] * 3, [1, 1, 1], 0.5, capacity=1.0, cyclic=True)
        assert (same.durations.tolist(), same.reconfigurations.tolist()) == ([1, 1, 1], [0])
        assert CircuitSchedule.all_stop([[1, 0]], [1], 0, capacity=1.0).slots == 1

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"delta": -1.0}, "delta"),
            ({"delta": float("nan")}, "delta"),
            ({"durations": [1.0]}, r"durations: found shape \(1,\), expected \(2,\): one per configuration"),
            ({"first_free": True, "cyclic": True}, "first_free: found it with a cyclic schedule"),
            ({"configurations": [[1, -1, 1], [1, 2, 0]]}, "both send to port 1"),
        ],
    )
    def test_refused(self, given, message):
        usual = {"configurations": [[1, 0], [1, 0]], "durations": [1, 1], "delta": 0.1, "capacity": 1.0}
        with pytest.raises(TopologyError, match=message):
            CircuitSchedule.all_stop(**{**usual, **given})

    def test_side_by_side(self):
        rng = np.random.default_rng(5)
        parts = [
            CircuitSchedule(random_targets(rng, 4, 1), rng.integers(1, 5, 4).astype(float), c)
            for c in (1.0, 3.0)
        ]
        both = CircuitSchedule.stack(parts)
        np.testing.assert_allclose(both.served, sum(part.served for part in parts))
        for time in np.linspace(0, both.period, 50, endpoint=False):
            for plane, part in enumerate(parts):
                slot = part.at(time)
                want = part.targets[slot, 0] if slot >= 0 else np.full(5, -1)
                assert (both.targets[both.at(time), plane] == want).all()
        with pytest.raises(TopologyError, match="schedules: found different ports or kinds"):
            CircuitSchedule.stack([parts[0], CircuitSchedule([[[1, 0]]], [1.0], 1.0)])
        pair = [CircuitSchedule([[[1, 0]]], [t], 1.0, cyclic=True) for t in (1.0, 2.0)]
        with pytest.raises(TopologyError, match="schedules: found periods of 1 and 2 s"):
            CircuitSchedule.stack(pair)
        with pytest.raises(TopologyError, match="schedules: found something else"):
            CircuitSchedule.stack([])


class TestRotor:
    @pytest.mark.parametrize("ports", [2, 3, 4, 7, 12, 64])
    @pytest.mark.parametrize("symmetric", [False, True])
    def test_matchings_join_every_pair_once(self, ports, symmetric):
        if symmetric and ports % 2:
            with pytest.raises(TopologyError, match="expected an even number"):
                rotor_matchings(ports, symmetric=True)
            return
        shown = rotor_matchings(ports, symmetric=symmetric)
        pairs = np.zeros((ports, ports), int)
        for row in shown.tolist():
            assert sorted(row) == list(range(ports))
            pairs[np.arange(ports), row] += 1
            assert not symmetric or all(row[row[i]] == i for i in range(ports))
        assert (pairs == 1 - np.eye(ports, dtype=int)).all()

    @pytest.mark.parametrize(("ports", "planes"), [(8, 1), (8, 3), (9, 4), (16, 5), (5, 4), (6, 7)])
    @pytest.mark.parametrize("stagger", [False, True])
    @pytest.mark.parametrize("symmetric", [False, True])
    def test_duty_and_rates_are_the_closed_forms(self, ports, planes, stagger, symmetric):
        """Duty (s - delta) / s; per pair C (1 - delta / s) / (N - 1) and plane."""
        if symmetric and ports % 2:
            return
        slot, delta, rate = 10.0, 1.0, 7.0
        how = {"slot": slot, "delta": delta, "capacity": rate, "stagger": stagger, "symmetric": symmetric}
        schedule = CircuitSchedule.rotor(ports, planes, **how)
        assert schedule.duty == pytest.approx((slot - delta) / slot)
        assert schedule.occupancy == pytest.approx(schedule.duty)
        mean = schedule.served / schedule.period
        want = planes * rate * (1 - delta / slot) / (ports - 1)
        np.testing.assert_allclose(mean[~np.eye(ports, dtype=bool)], want)
        steps = (ports - 1) // gcd(ports - 1, planes)
        assert schedule.period == pytest.approx(steps * slot)
        if steps > 1:
            assert (schedule.reconfigurations == steps).all()
        dark = (schedule.lit == 0).sum(axis=1)
        assert dark.max() == (1 if stagger else planes)

    def test_opera_stays_connected_while_one_rotor_turns(self):
        """Five of six rotors always shine and join all: what Opera's short flows need."""
        schedule = CircuitSchedule.rotor(
            36, 7, slot=7e-5, delta=1e-6, capacity=1e9, stagger=True, symmetric=True
        )
        assert schedule.connected_slots.all()

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"ports": 1}, "ports: found 1"),
            ({"ports": 2.0}, "ports: found 2.0"),
            ({"planes": 0}, "planes: found 0"),
            ({"delta": 10.0}, "delta: found 10 s, expected less than 10 s: the slot"),
            ({"delta": 5.0, "planes": 2, "stagger": True}, "delta: found 5 s, expected less than 5 s"),
            ({"slot": float("inf")}, "slot"),
            ({"slot": 0.0, "delta": 0.0}, "delta: found 0 s, expected less than 0 s"),
            ({"ports": 100_000}, r"rotor: found .* entries"),
        ],
    )
    def test_refused(self, given, message):
        usual = {"ports": 8, "planes": 1, "slot": 10.0, "delta": 1.0, "capacity": 1.0}
        with pytest.raises(TopologyError, match=message):
            CircuitSchedule.rotor(**{**usual, **given})


class TestFabrics:
    def test_one_configuration_is_the_fabric_of_the_generator(self):
        """Four rings as circuits: the same links as `circuit_switched` makes."""
        made = circuit_switched(16, 4, bandwidth=2e9, latency=1e-6)
        targets = np.full((4, 16), -1)
        for link in range(made.links):
            targets[link // 16, made.link_source[link]] = made.link_target[link]
        schedule = CircuitSchedule(targets[None], [1.0], 2e9)
        mine = fabric_at(schedule, 0, latency="1 us")
        for name in ("link_source", "link_target", "capacity", "latency", "kind"):
            assert getattr(mine, name).tolist() == getattr(made, name).tolist()
        assert mine.cables == made.cables
        assert metrics(mine).hops.diameter == metrics(made).hops.diameter
        assert mine.graph.nodes["ocs0"]["circuits"] == made.graph.nodes["ocs0"]["circuits"]

    def test_planes_have_their_own_rates(self):
        fabric = fabric_at(CircuitSchedule([[[1, 0], [1, 0]]], [1.0], [1e9, 3e9]), 0)
        assert fabric.capacity.tolist() == [1e9, 1e9, 3e9, 3e9]

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"slot": 2}, "slot: found 2, expected a whole number from 0 to 1"),
            ({"slot": -1}, "slot: found -1"),
            ({"slot": 0}, "slot 0: no circuits lead from rank 0 to rank 1"),
            ({"slot": 1, "latency": -1.0}, "latency: "),
        ],
    )
    def test_refused(self, given, message):
        ring = CircuitSchedule.all_stop([[1, 2, 0]], [1.0], 0.5, capacity=1e9)
        with pytest.raises(TopologyError, match=message):
            fabric_at(ring, **given)

    @pytest.mark.parametrize("name", ["rotornet-128", "sirius-128"])
    def test_shipped_rotors_are_the_mean_of_their_schedules(self, name):
        fabric = load_fabric(name)
        schedule = schedule_of(fabric)
        mean = schedule.served / schedule.period
        np.testing.assert_allclose(mean[fabric.link_source, fabric.link_target], fabric.capacity)

    def test_mean_wait_is_that_of_the_schedule(self):
        """Waits counted over one period, in ten thousand moments."""
        fabric = rotor(13, 3, slot=10.0, reconfiguration=2.0, latency=0.0)
        schedule = schedule_of(fabric)
        moments = (np.arange(10_000) + 0.5) * schedule.period / 10_000
        slots = np.searchsorted(schedule.edges, moments, side="right") - 1
        lit = np.tile((schedule.targets[:, :, 0] == 5).any(axis=1), 2)
        begins = np.concatenate([schedule.edges[:-1], schedule.edges[:-1] + schedule.period])
        waits = [
            0.0 if lit[s] else begins[s:][lit[s:]][0] - t
            for s, t in zip(slots.tolist(), moments.tolist(), strict=True)
        ]
        assert np.mean(waits) == pytest.approx(fabric.latency[0], rel=1e-3)

    def test_rotors_have_fibres_and_every_pair_goes_through_one(self):
        """Not a cable between every two endpoints: what power, floor plan and light path are counted from."""
        fabric = rotor(6, 2, medium="cpo")
        cabling = lay_cables(fabric, FloorPlan(endpoints_per_rack=2, racks_per_row=3))
        assert cabling.fibres == {6: 6, 7: 6}
        assert cabling.fibre_media == {"cpo": 12}
        assert sorted(set(cabling.circuit.tolist())) == [6, 7]
        assert np.isfinite(cabling.length).all()

    def test_no_rotor_no_schedule(self):
        with pytest.raises(TopologyError, match="expected one of the generator rotor"):
            schedule_of(circuit_switched(4, 2))


class TestLayers:
    def test_tpu_v4_pod(self):
        """48 switches of 136 ports for 64 cubes: every port but the spare ones in use."""
        pod = OcsLayer(128, 48, radix=136, spare=8)
        assert (pod.switches, pod.fibres, pod.free_ports, pod.groups) == (48, 6144, 0, 1)

    def test_too_many_fibres_say_how_many_switches_it_takes(self):
        with pytest.raises(
            TopologyError, match=r"found 256 fibres to a plane, expected at most 128 .* 16 in all"
        ):
            OcsLayer(256, 8, radix=136, spare=8)
        split = OcsLayer(300, 2, radix=128, split=True)
        assert (split.switches, split.free_ports) == (6, 168)

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"endpoints": 1}, "endpoints: found 1"),
            ({"planes": 0}, "planes: found 0"),
            ({"radix": 1.5}, "radix: found 1.5"),
            ({"spare": -1}, "spare: found -1"),
            ({"spare": 15}, "spare: found 15, expected at most 14 of 16"),
        ],
    )
    def test_refused(self, given, message):
        with pytest.raises(TopologyError, match=message):
            OcsLayer(**{"endpoints": 8, "planes": 1, "radix": 16, "spare": 0, **given})

    def test_circuits_that_cannot_be_set(self):
        ring = CircuitSchedule([[[1, 2, 3, 0]]], [1.0], 1.0)
        with pytest.raises(TopologyError, match="from port 1 to port 2, expected one within a switch"):
            OcsLayer(4, 1, radix=2, split=True).require_fit(ring)
        with pytest.raises(TopologyError, match="from port 0 to port 1, expected one back as well"):
            OcsLayer(4, 1, radix=4, duplex=True).require_fit(ring)
        pairs = CircuitSchedule([[[1, 0, 3, 2]], [[-1, -1, 3, 2]]], [1.0, 1.0], 1.0)
        OcsLayer(4, 1, radix=2, split=True, duplex=True).require_fit(pairs)
        with pytest.raises(TopologyError, match="found 1 planes of 4 ports, expected 2 of 4"):
            OcsLayer(4, 2, radix=4).require_fit(pairs)
