"""Runs of flows: against plain loops, certificates of the books, and circles, chains and other hard cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive
from plain_events import plain_ends
from topo_sim.base import FlowError
from topo_sim.topo import fat_tree, route, single_switch, torus
from topo_sim.topo.flow import Paths, max_min_rates, simulate
from topo_sim.topo.flow.simulation import run_events


def random_paths(rng, flows, links, longest, shares=False):
    lists = [rng.integers(0, links, rng.integers(1, longest + 1)) for _ in range(flows)]
    plain = Paths.from_lists(lists)
    if not shares:
        return plain
    return Paths(plain.indptr, plain.links, rng.choice([1e-3, 0.25, 0.3, 0.5, 1.0], plain.links.size))


@given(
    st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 25), st.booleans(), st.booleans(), st.booleans()
)
def test_ends_equal_those_of_the_plain_loop(seed, flows, links, spread, shares, level):
    """Duplicate links, zero sizes and all sorts of ties included."""
    rng = np.random.default_rng(seed)
    paths = random_paths(rng, flows, links, 5, shares)
    capacity = rng.integers(1, 4, links).astype(float) if level else rng.uniform(1, 5, links)
    size = rng.uniform(0, 3, flows) if spread else rng.integers(0, 3, flows).astype(float)
    start = rng.uniform(0, 2, flows) * rng.integers(0, 2)
    found = run_events(paths, capacity, size, start, 1e-12)
    np.testing.assert_allclose(found, plain_ends(paths, capacity, size, start), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("flows", "links"), [(700, 40), (500, 500)])
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("shares", [False, True])
def test_events_that_touch_many_flows(flows, links, late, shares):
    rng = np.random.default_rng(flows + late)
    paths, capacity = random_paths(rng, flows, links, 6, shares), rng.uniform(1, 3, links)
    size, start = rng.uniform(0.5, 1.5, flows), rng.uniform(0, 5, flows) * late
    found = run_events(paths, capacity, size, start, 1e-12)
    np.testing.assert_allclose(found, plain_ends(paths, capacity, size, start), rtol=1e-9)


def test_shares_and_capacities_over_many_decades():
    rng = np.random.default_rng(9)
    plain = random_paths(rng, 200, 30, 5)
    paths = Paths(plain.indptr, plain.links, 10.0 ** rng.uniform(-6, 0, plain.links.size))
    capacity, size = 10.0 ** rng.uniform(-3, 3, 30), 10.0 ** rng.uniform(-3, 3, 200)
    found = run_events(paths, capacity, size, np.zeros(200), 1e-12)
    np.testing.assert_allclose(found, plain_ends(paths, capacity, size), rtol=1e-8)


@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
def test_units_do_not_matter(scale):
    rng = np.random.default_rng(2)
    paths, capacity, size = random_paths(rng, 80, 20, 4), rng.uniform(1, 3, 20), rng.uniform(1, 2, 80)
    expected = run_events(paths, capacity, size, np.zeros(80), 1e-12)
    found = run_events(paths, capacity * scale, size * scale, np.zeros(80), 1e-12)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("fabric", "routing"),
    [
        (torus((4, 4, 4), bandwidth=1.0), None),
        (fat_tree(8, bandwidth=1.0), "ecmp"),
        (fat_tree(4, bandwidth=1.0), "ecmp_split"),
    ],
)
def test_events_on_fabrics(fabric, routing):
    rng = np.random.default_rng(3)
    target = rng.permutation(fabric.ranks)
    source = np.flatnonzero(target != np.arange(fabric.ranks))
    paths, size = route(fabric, source, target[source], routing), rng.uniform(0.5, 1.5, len(source))
    found = run_events(paths, fabric.capacity.copy(), size, np.zeros(len(size)), 1e-12)
    np.testing.assert_allclose(found, plain_ends(paths, fabric.capacity.copy(), size), rtol=1e-9)


def test_a_path_that_crosses_a_link_twice():
    paths = Paths.from_lists([[0, 0], [0], [1, 0, 1]])
    sizes, capacity = np.array([1.0, 2.0, 1.0]), np.array([6.0, 1.0])
    expected = [float(t) for t in naive.completion(naive.rows(paths), capacity, sizes, [0.0] * 3)]
    assert run_events(paths, capacity, sizes, np.zeros(3), 1e-12).tolist() == pytest.approx(expected)


def test_a_long_life_loses_no_digits():
    """A link that is never idle for 100,000 flows in a row beside one that shares it from time to time."""
    flows = 100_000
    paths = Paths.from_lists([[0]] * flows)
    after = np.stack([np.arange(2, flows), np.arange(flows - 2)], axis=1)  # two at a time, always
    run = simulate(paths, [2.0], np.full(flows, 1.0), after=after)
    np.testing.assert_allclose(run.finish, 1.0 + np.arange(flows) // 2, rtol=1e-12)
    assert run.reshares == flows // 2 + 1


def naive_run(paths, capacity, size, start, latency, parents, delay):
    """Look for the next start or end among all flows, over and over."""
    flows = len(paths)
    arrived, begun, left = np.full(flows, np.nan), np.full(flows, np.nan), size.astype(float).copy()
    now = 0.0
    while np.isnan(arrived).any():
        due = np.full(flows, np.inf)
        for f in range(flows):
            if np.isnan(begun[f]) and not np.isnan(arrived[parents[f]]).any():
                due[f] = max([start[f], *(arrived[parents[f]] + delay[f])])
        active = np.flatnonzero(~np.isnan(begun) & (left > 0))
        rates = max_min_rates(paths.take(active), capacity) if active.size else np.zeros(0)
        until = min([now + t for t in left[active] / rates] + [due.min()])
        assert until < np.inf
        left[active] -= rates * (until - now)
        now = until
        for f in active:
            if left[f] <= 1e-9 * size[f]:
                left[f], arrived[f] = 0.0, now + latency[f]
        for f in np.flatnonzero(due <= now * (1 + 1e-12)):
            begun[f] = due[f]
            if size[f] == 0:
                arrived[f] = due[f] + latency[f]
    return begun, arrived


@given(st.integers(0, 10**6), st.integers(2, 14))
def test_dependencies_equal_those_of_the_naive_run(seed, flows):
    rng = np.random.default_rng(seed)
    paths, capacity = random_paths(rng, flows, 4, 3), rng.uniform(1, 3, 4)
    size, start = rng.choice([0.0, 0.7, 1.0, 1.9], flows), rng.choice([0.0, 0.0, 1.3], flows)
    latency, delay = rng.choice([0.0, 0.2, 0.5], flows), rng.choice([0.0, 0.1, 1.0], flows)
    order = rng.permutation(flows)  # parents come earlier in this order, whatever their numbers
    parents = [np.zeros(0, int)] * flows
    for i in range(1, flows):
        parents[order[i]] = order[rng.choice(i, rng.integers(0, min(i, 3) + 1), replace=False)]
    after = [(f, p) for f in range(flows) for p in parents[f].tolist()]
    run = simulate(paths, capacity, size, start, latency, after=after, delay=delay)
    begun, arrived = naive_run(paths, capacity, size, start, latency, parents, delay)
    np.testing.assert_allclose(run.start, begun, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(run.finish, arrived, rtol=1e-7, atol=1e-9)


def test_behind_waits_for_the_last_byte_and_after_for_its_arrival():
    paths = Paths.from_lists([[0], [0], [0]])
    run = simulate(
        paths, [1.0], [1.0, 2.0, 3.0], latency=5.0, behind=[(1, 0)], after=[(2, 1)], delay=[0, 0.25, 0]
    )
    assert run.start.tolist() == [0.0, 1.25, 8.25]
    assert run.finish.tolist() == [6.0, 8.25, 16.25]


def test_ring_all_reduce_takes_its_closed_form():
    p, n, alpha, bandwidth = 12, 1e6, 1e-6, 1e9
    fabric = single_switch(p, bandwidth=bandwidth, latency=alpha / 2)
    source = np.tile(np.arange(p), 2 * (p - 1))
    paths = route(fabric, source, (source + 1) % p)
    flow = np.arange(p, source.size)
    after = np.stack([flow, flow - p - flow % p + (flow % p - 1) % p], axis=1)
    latency = paths.sum(fabric.latency)
    run = simulate(paths, fabric.capacity, np.full(source.size, n / p), latency=latency, after=after)
    assert run.makespan == pytest.approx(2 * (p - 1) * (alpha + n / p / bandwidth), rel=1e-12)
    assert run.reshares == 2 * (p - 1) * 2  # every step starts, ends, and arrives later


@given(st.integers(0, 10**6), st.integers(1, 40), st.sampled_from([1, 2, 7, 64]), st.booleans())
def test_links_carry_what_flows_send(seed, flows, bins, shares):
    rng = np.random.default_rng(seed)
    paths, capacity = random_paths(rng, flows, 8, 4, shares), rng.uniform(1, 3, 8)
    size, start = rng.uniform(0, 2, flows), rng.uniform(0, 4, flows)
    run = simulate(paths, capacity, size, start, bins=bins)
    np.testing.assert_allclose(run.carried.sum(axis=0), paths.load(size, 8), rtol=1e-9, atol=1e-9)
    busy = run.utilisation(capacity)
    assert busy.shape == (bins, 8)
    assert (busy >= 0).all()
    assert (busy <= 1 + 1e-9).all()
    if size.any():
        assert run.edges[-1] >= run.makespan * (1 - 1e-12)
        assert run.edges[bins // 2] <= run.makespan or bins == 1 or run.edges[-1] <= 2 * run.makespan


def test_what_is_carried_when():
    run = simulate(Paths.from_lists([[0], [0, 1]]), [2.0, 9.0], [2.0, 6.0], start=[0.0, 1.0], bins=4)
    assert run.finish.tolist() == [1.0, 4.0]
    assert run.edges.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert run.carried.tolist() == [[2.0, 0.0], [2.0, 2.0], [2.0, 2.0], [2.0, 2.0]]
    assert "shared anew 3 times" in run.assumptions
    assert repr(run) == "<FlowRun: 2 flows, 3 re-shares, 4 s>"


def test_links_without_limit_hold_nothing_back():
    paths = Paths.from_lists([[0, 1], [1], []])
    run = simulate(paths, [2.0, np.inf], [4.0, 5.0, 6.0], start=[0.0, 3.0, 1.0])
    assert run.finish.tolist() == [2.0, 3.0, 1.0]


def test_nothing_to_run():
    run = simulate(Paths.from_lists([]), [1.0], [], bins=3)
    assert run.finish.size == 0
    assert run.makespan == 0.0
    assert run.reshares == 0


@pytest.mark.parametrize(
    ("after", "match"),
    [
        ([(0, 1), (1, 0)], "3 flows that wait for each other"),
        ([(0, 0)], "circle"),
        ([(0, 3)], r"after\[0\]: found flows \[0, 3\]"),
        ([(0, 1), (-1, 0)], r"after\[1\]: found flows \[-1, 0\]"),
        ([(0,), (1, 2)], "different length"),
        ([0, 1], "rows of two"),
        ([(0.0, 1.0)], "rows of two"),
    ],
)
def test_refuses_dependencies(after, match):
    pairs = [*after, (2, 0)] if match.startswith("3") else after
    with pytest.raises(FlowError, match=match):
        simulate(Paths.from_lists([[0]] * 3), [1.0], 1.0, after=pairs)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"size": np.nan}, "size"),
        ({"size": -1.0}, "size"),
        ({"delay": -1.0}, "delay"),
        ({"delay": [1.0, 2.0, 3.0]}, "delay"),
        ({"latency": np.inf}, "latency"),
        ({"start": np.nan}, "start"),
        ({"bins": -1}, "bins"),
        ({"bins": 1.5}, "bins"),
        ({"bins": True}, "bins"),
        ({"bins": None}, "bins"),
        ({"bins": "a"}, "bins"),
        ({"bins": np.inf}, "bins"),
        ({"bins": [3]}, "bins"),
        ({"tolerance": 0.1}, "tolerance"),
        ({"tolerance": np.nan}, "tolerance"),
        ({"tolerance": "a"}, "tolerance"),
        ({"tolerance": [1e-12]}, "tolerance"),
        ({"tolerance": True}, "tolerance"),
        ({"size": 1e308, "capacity": [1e-10]}, "longer than any"),
        ({"capacity": [5e-324]}, "longer than any"),
        ({"latency": 1e308, "start": 1e308}, "longer than any"),
        ({"latency": 1e308, "start": 1e308, "after": [(1, 0)]}, "longer than any"),
    ],
)
def test_refuses(given, match):
    arguments = {"paths": Paths.from_lists([[0], [0]]), "capacity": [1.0], "size": 1.0, **given}
    with pytest.raises(FlowError, match=match):
        simulate(**arguments)


def test_ends_within_the_tolerance_are_one_event():
    paths, size = Paths.from_lists([[0], [1]]), [1.0, 1.0 + 1e-9]
    assert simulate(paths, [1.0, 1.0], size).reshares == 3
    assert simulate(paths, [1.0, 1.0], size, tolerance=1e-8).reshares == 2


def test_numbers_of_flows_of_any_whole_type():
    paths = Paths.from_lists([[0], [0]])
    for kind in (np.uint64, np.int8, np.int32):
        assert simulate(paths, [1.0], 1.0, after=np.array([[0, 1]], kind)).finish.tolist() == [2.0, 1.0]


def test_bins_of_the_shortest_times():
    run = simulate(Paths.from_lists([[0]]), [1.0], [5e-324], bins=4)
    assert run.finish.tolist() == [5e-324]


def test_flows_begin_with_the_event_that_they_are_counted_to():
    paths = Paths.from_lists([[0], [0]])
    run = simulate(paths, [1.0], [1e-6, 1e-6], [1.0, 1.0005], tolerance=1e-3)
    assert run.start.tolist() == [1.0, 1.0]
    np.testing.assert_allclose(run.finish, 1.000002, rtol=1e-12)
    run = simulate(paths, [1.0], [1e-6, 1e-6], [1.0, 1.0005])
    np.testing.assert_allclose(run.finish, [1.000001, 1.000501], rtol=1e-12)


class TestUtilisation:
    def test_needs_bins(self):
        with pytest.raises(FlowError, match="without bins"):
            simulate(Paths.from_lists([[0]]), [1.0], 1.0).utilisation([1.0])

    @pytest.mark.parametrize("capacity", [[1.0, 2.0], [0.0], [np.nan], "x"])
    def test_refuses(self, capacity):
        run = simulate(Paths.from_lists([[0]]), [1.0], 1.0, bins=2)
        with pytest.raises(FlowError, match="capacity"):
            run.utilisation(capacity)

    def test_of_nothing(self):
        run = simulate(Paths.from_lists([[0]]), [1.0], 0.0, bins=2)
        assert run.utilisation(1.0).tolist() == [[0.0], [0.0]]
