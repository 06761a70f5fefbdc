"""Costs: closed forms on one switch, congestion known by hand, a naive twin, and what is refused."""

import dataclasses
import math
from importlib import import_module

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from topo_sim.base import CollectiveError, RoutingError, UsageError
from topo_sim.collectives import (
    ALGORITHMS,
    COLLECTIVES,
    Router,
    Schedule,
    Step,
    build_schedule,
    cost_profile,
    replay,
)
from topo_sim.collectives import cost as solve
from topo_sim.collectives.step import runs
from topo_sim.topo import (
    Fabric,
    circuit_switched,
    fat_tree,
    full_mesh,
    grouped,
    leaf_spine,
    load_fabric,
    route,
    single_switch,
    torus,
)

EVERY = [(collective, name) for collective, names in ALGORITHMS.items() for name in names]
# Those that switches do not take part in; the others are tested in test_reducers.py.
ALL = [pair for pair in EVERY if not ALGORITHMS[pair[0]][pair[1]].switches]
every = pytest.mark.parametrize(("collective", "name"), ALL)
room = import_module("topo_sim.collectives.solving")
ALPHA, BETA = 3e-6, 2e-9


def defined(collective, name, p):
    return not (ALGORITHMS[collective][name].power_of_two and p & (p - 1))


def by_hand(ranks, *steps, size=1.0):
    """A schedule of steps (sources, targets, fractions); it need not do anything sensible."""
    made = tuple(Step(*step, False, runs(lambda: [0])) for step in steps)
    return Schedule(COLLECTIVES["broadcast"], "by_hand", ranks, size, 1, made)


def ideal(ranks, **options):
    return single_switch(ranks, bandwidth=1.0, latency=0, **options)


@every
class TestIdealSwitch:
    def test_equals_the_closed_form(self, collective, name):
        entry = ALGORITHMS[collective][name]
        for p in (p for p in (*range(1, 18), 33, 64) if defined(collective, name, p)):
            fabric = single_switch(max(p, 2), bandwidth=1 / BETA, latency=ALPHA / 2)
            profile = cost_profile(build_schedule(collective, name, p, 1e6), fabric)
            for size in (0.0, 1.0, 4096.0, 1e6, 1e12):
                expected = entry.closed_form(p, size, ALPHA, BETA, **entry.options)
                assert profile.time(size) == pytest.approx(expected, rel=1e-9, abs=0)

    @pytest.mark.parametrize("p", [1, 2, 6, 8])
    def test_overhead_is_paid_per_message(self, collective, name, p):
        if not defined(collective, name, p):
            return
        schedule = build_schedule(collective, name, p, 0.0)
        fabric = single_switch(8, latency=ALPHA / 2)
        overhead = 1e-6
        most = sum(s.repeat * np.bincount(s.source).max() for s in schedule.steps)
        expected = schedule.step_count * ALPHA + most * overhead
        assert solve(schedule, fabric, overhead=overhead).time == pytest.approx(expected, rel=1e-12)


def test_overhead_delays_the_slowest_sender_only():
    schedule = by_hand(4, ([0, 0, 0, 1], [1, 2, 3, 2], 0.0))
    assert solve(schedule, ideal(4), overhead=2.0).time == 6.0
    # The rank with three messages has the short one; the single message is long.
    mixed = by_hand(4, ([0, 0, 0, 1], [1, 2, 3, 0], [0.0, 0.0, 0.0, 9.0]))
    assert solve(mixed, ideal(4), overhead=2.0).time == 11.0
    assert solve(mixed, ideal(4), overhead=4.0).time == 13.0


class TestCongestion:
    @pytest.mark.parametrize(("routing", "time"), [("dimension_order", 528.0), ("ecmp_split", 512.0)])
    def test_all_to_all_on_a_ring_of_64(self, routing, time):
        fabric = torus(64, bandwidth=1.0, latency=0)
        result = solve(build_schedule("all_to_all", "direct", 64, 64.0), fabric, routing=routing)
        assert result.time == pytest.approx(time, rel=1e-12)
        assert result.lower_bound == pytest.approx(512.0, rel=1e-12)
        assert result.fraction == pytest.approx(512.0 / time)

    def test_ring_on_an_8x8_torus_uses_links_of_its_own(self):
        fabric = torus((8, 8), bandwidth=1.0, latency=0)
        result = solve(build_schedule("all_reduce", "ring", 64, 64.0), fabric)
        # From the end of one row to the start of the next it takes two hops, one of them the row's own.
        assert result.time == pytest.approx(2 * 63 * 1.0)
        assert result.lower_bound == pytest.approx(63 / 2)

    @pytest.mark.parametrize("dims", [(4,), (4, 4), (8, 8), (4, 4, 4)])
    def test_all_to_all_on_a_cubic_torus_reaches_its_closed_form(self, dims):
        k, n = dims[0], math.prod(dims)
        fabric = torus(dims, bandwidth=1.0, latency=0)
        result = solve(build_schedule("all_to_all", "direct", n, float(n)), fabric, routing="ecmp_split")
        assert result.lower_bound == pytest.approx(n * k / 8, rel=1e-12)
        if len(dims) == 1:
            assert result.time == pytest.approx(n * k / 8, rel=1e-12)

    def test_recursive_doubling_collides_on_a_ring(self):
        fabric = torus(8, bandwidth=1.0, latency=0)
        schedule = build_schedule("all_reduce", "recursive_doubling", 8, 1.0)
        # Pairs at distance 1, 2 and 4: up to 1, 2 and 4 flows share a link.
        assert solve(schedule, fabric).time == pytest.approx(1 + 2 + 4)

    def test_oversubscription(self):
        fabric = leaf_spine(2, 4, 1, bandwidth=1.0, latency=0)
        result = solve(build_schedule("all_to_all", "direct", 8, 8.0), fabric)
        assert result.time == pytest.approx(16.0)
        assert result.lower_bound == pytest.approx(16.0)
        assert result.bound == "uplinks of a subtree of tier 1"
        assert result.busiest_count == 4
        assert result.bottleneck[0].name == "leaf0->spine0"

    def test_transfers_end_one_after_the_other(self):
        fabric = ideal(3)
        schedule = by_hand(3, ([0, 0], [1, 2], [1.0, 3.0]))
        assert solve(schedule, fabric).time == pytest.approx(4.0)


def twin(schedule, fabric, routing, overhead=0.0, seed=0):
    return naive.schedule_time(
        schedule, fabric, lambda s, t: naive.rows(route(fabric, s, t, routing, seed=seed)), overhead
    )


SMALL = [
    (torus((3, 2), latency=1e-6), "dimension_order"),
    (fat_tree(4, levels=2, bandwidth=[1e9, 3e8], latency=1e-6), "ecmp_split"),
    (fat_tree(4, levels=2, bandwidth=[1e9, 3e8]), "ecmp"),
    (leaf_spine(3, 2, 2, uplink_bandwidth="20 GB/s"), "valiant"),
    (circuit_switched(6, 2), "ecmp"),
    (Fabric.from_graph(nx.DiGraph([(i, (i + 1) % 6) for i in range(6)] + [(0, 3)])), "shortest"),
]


@pytest.mark.parametrize(("fabric", "routing"), SMALL, ids=repr)
@every
def test_matches_the_twin(collective, name, fabric, routing):
    for p in (2, 4, 5):
        if defined(collective, name, p):
            for size in (0.0, 1e5):
                schedule = build_schedule(collective, name, p, size)
                expected = twin(schedule, fabric, routing, 1e-7, seed=2)
                found = solve(schedule, fabric, routing=routing, overhead=1e-7, seed=2)
                assert found.time == pytest.approx(expected, rel=1e-9)


@st.composite
def steps(draw, ranks):
    count = draw(st.integers(1, 6))
    rank = st.integers(0, ranks - 1)
    source, target = (draw(st.lists(rank, min_size=count, max_size=count)) for _ in range(2))
    part = st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.5])
    return source, target, draw(st.one_of(part, st.lists(part, min_size=count, max_size=count)))


@given(
    st.lists(steps(5), min_size=1, max_size=4), st.sampled_from([0.0, 1.0, 1e9]), st.sampled_from([0.0, 1e-6])
)
def test_any_schedule_matches_the_twin(made, size, overhead):
    """Transfers to oneself, twice the same, of nothing: all count as they come."""
    fabric = fat_tree(4, bandwidth=1e9)
    schedule = by_hand(5, *made, *made[:1], size=size)
    found = solve(schedule, fabric, overhead=overhead)
    assert found.time == pytest.approx(twin(schedule, fabric, "ecmp_split", overhead), rel=1e-9, abs=1e-15)
    alone = [solve(by_hand(5, step, size=size), fabric, overhead=overhead).time for step in [*made, made[0]]]
    assert found.step_times.tolist() == pytest.approx(alone, rel=1e-12)


class TestProfile:
    @pytest.mark.parametrize(("fabric", "routing"), SMALL, ids=repr)
    def test_reads_any_size_as_if_solved_there(self, fabric, routing):
        for collective, name in ALL:
            p = 4 if fabric.ranks < 8 else 8
            profile = cost_profile(build_schedule(collective, name, p, 1.0), fabric, routing=routing)
            for size in (0.0, 1.0, 1e3, 1e6, 1e12):
                there = solve(build_schedule(collective, name, p, size), fabric, routing=routing)
                here = profile.at(size)
                assert here.time == pytest.approx(there.time, rel=1e-12)
                assert here.to_dict() == there.to_dict()

    def test_mixed_delays_keep_whoever_can_be_last(self):
        # A long way round for few bytes, and a short way for many.
        fabric = torus(8, bandwidth=1.0, latency=10.0)
        profile = cost_profile(by_hand(8, ([0, 4], [3, 5], [0.1, 1.0])), fabric)
        assert [profile.time(size) for size in (0.0, 10.0, 100.0)] == pytest.approx([30.0, 31.0, 110.0])

    def test_steps_that_differ_in_scale_are_solved_once(self, monkeypatch):
        calls = []
        original = room._solve
        monkeypatch.setattr(room, "_solve", lambda *args: calls.append(args) or original(*args))
        fabric = torus(8)
        step = ([0, 1], [1, 2], [0.5, 1.0])
        half = ([0, 1], [1, 2], [0.25, 0.5])
        other = ([0, 1], [1, 2], [0.5, 0.5])
        schedule = by_hand(8, step, half, other, step, size=1e9)
        found = solve(schedule, fabric)
        assert len(calls) == 2
        alone = [solve(by_hand(8, s, size=1e9), fabric).time for s in (step, half, other, step)]
        assert found.step_times.tolist() == pytest.approx(alone, rel=1e-12)
        assert found.time == pytest.approx(sum(alone))

    @pytest.mark.parametrize("routing", ["ecmp", "ecmp_split", "valiant"])
    def test_routing_step_by_step_changes_nothing(self, monkeypatch, routing):
        fabric = fat_tree(4, oversubscription=2)
        schedule = build_schedule("all_to_all", "bruck", 13, 1e6)
        at_once = solve(schedule, fabric, routing=routing, seed=3).to_dict()
        monkeypatch.setattr("topo_sim.collectives.router.ROUTE_AT_ONCE", 0)
        assert solve(schedule, fabric, routing=routing, seed=3).to_dict() == at_once

    @pytest.mark.parametrize("routing", ["ecmp", "ecmp_split", "valiant"])
    def test_a_shared_router_changes_nothing(self, routing):
        fabric = fat_tree(4, oversubscription=2)
        router = Router(fabric, routing, seed=3)
        for collective, name in [*ALL, *ALL[:3]]:
            schedule = build_schedule(collective, name, 16, 1e6)
            shared = cost_profile(schedule, fabric, router=router).at().to_dict()
            assert shared == solve(schedule, fabric, routing=routing, seed=3).to_dict()


class TestResult:
    def test_bandwidths(self):
        result = solve(
            build_schedule("all_reduce", "ring", 4, 4e9), single_switch(4, bandwidth=1e9, latency=0)
        )
        assert (result.time, result.algbw, result.busbw) == pytest.approx((6.0, 4e9 / 6, 1e9))
        assert (result.fraction, result.lower_bound) == pytest.approx((1.0, 6.0))
        assert result.step_times @ result.step_repeats == pytest.approx(6.0)
        assert (result.ranks, result.size, result.routing) == (4, 4e9, "ecmp_split")

    def test_one_rank_has_nothing_to_do(self):
        for collective, name in ALL:
            result = solve(build_schedule(collective, name, 1, 1e6), single_switch(1))
            assert (result.time, result.busbw, result.fraction, result.lower_bound) == (0.0, 0.0, 1.0, 0.0)
            assert result.algbw == math.inf
            assert result.bottleneck == ()
            assert result.to_dict()["algbw_B_per_s"] is None
            assert result.to_dict()["steps"] == 0

    def test_no_bytes_take_the_latency(self):
        result = solve(build_schedule("all_reduce", "ring", 4, 0.0), single_switch(4, latency=1e-6))
        assert result.time == pytest.approx(6 * 2e-6)
        assert (result.algbw, result.busbw, result.bottleneck, result.busiest_count) == (0.0, 0.0, (), 0)

    def test_no_time_at_all(self):
        result = solve(build_schedule("all_reduce", "ring", 4, 0.0), single_switch(4, latency=0))
        assert (result.time, result.fraction, result.to_dict()["busbw_B_per_s"]) == (0.0, 1.0, None)

    def test_bottleneck_is_the_busiest_first(self):
        fabric = torus(6, bandwidth=1.0, latency=0)
        schedule = by_hand(6, ([0, 1, 3], [2, 2, 4], [1.0, 2.0, 1.0]))
        result = solve(schedule, fabric)
        assert [(b.name, b.busy) for b in result.bottleneck] == [
            ("gpu1->gpu2", 3.0),
            ("gpu0->gpu1", 1.0),
            ("gpu3->gpu4", 1.0),
        ]
        assert (result.busiest_count, result.time) == (1, 3.0)
        assert [b.share for b in result.bottleneck] == pytest.approx([1.0, 1 / 3, 1 / 3])
        assert fabric.link_name(result.bottleneck[0].link) == "gpu1->gpu2"

    def test_no_link_is_busy_longer_than_the_schedule_takes(self):
        for collective, name in ALL:
            for fabric, routing in SMALL:
                profile = cost_profile(build_schedule(collective, name, 4, 1e6), fabric, routing=routing)
                assert profile.busy.max() * 1e6 <= profile.time(1e6) * (1 + 1e-9)

    @every
    def test_bytes_on_links_add_up(self, collective, name):
        fabric = full_mesh(4, bandwidth=2.0)
        schedule = build_schedule(collective, name, 4, 8.0)
        profile = cost_profile(schedule, fabric)
        assert (profile.busy * fabric.capacity).sum() * 8.0 == pytest.approx(schedule.bytes_sent)

    def test_hashed_routes_follow_the_seed(self):
        fabric = fat_tree(8)
        schedule = build_schedule("all_to_all", "direct", 128, 1e9)

        def times(seed):
            return [solve(schedule, fabric, routing="ecmp", seed=s).time for s in (seed, seed)]

        assert times(0)[0] == times(0)[1] != times(1)[0]


@st.composite
def fabrics(draw):
    """Random strongly connected fabrics: directed or not, with switches, unequal links."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = int(rng.integers(2, 10))
    graph = (nx.MultiDiGraph if rng.random() < 0.5 else nx.MultiGraph)()
    order = rng.permutation(n).tolist()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(zip(order, [*order[1:], order[0]], strict=True))
    graph.add_edges_from(rng.choice(n, 2, replace=False).tolist() for _ in range(int(rng.integers(0, n))))
    for _, _, data in graph.edges(data=True):
        data.update(bandwidth=float(rng.choice([1e9, 2e9, 5e9])), latency=float(rng.choice([0, 1e-6, 2e-5])))
    kinds = ["switch" if i > 1 and rng.random() < 0.3 else "gpu" for i in range(n)]
    nx.set_node_attributes(graph, dict(enumerate(kinds)), "kind")
    return Fabric.from_graph(graph, endpoints_forward=bool(rng.integers(0, 4)))


def two_homes():
    """Two endpoints that a third one, joined to both, can relay between much faster than their own link."""
    graph = nx.Graph()
    for ends, latency in (("as", 1e-7), ("sb", 1e-7), ("bt", 1e-7), ("tc", 1e-7), ("au", 5e-5), ("uc", 5e-5)):
        graph.add_edge(*ends, latency=latency, bandwidth=1e9)
    nx.set_node_attributes(graph, {n: "switch" if n in "stu" else "gpu" for n in graph}, "kind")
    return Fabric.from_graph(graph)


REGULAR = [
    torus((4, 2)), torus((3, 3)), fat_tree(4, oversubscription=2), leaf_spine(3, 3, 1), full_mesh(6),
    circuit_switched(8, 3), single_switch(8, planes=2), dataclasses.replace(torus((4, 2)), structure=None),
    two_homes(), grouped(3, 2, inside={"generator": "single_switch", "latency": 0}, attach="rail"),
]  # fmt: skip


@settings(max_examples=60)
@given(
    st.one_of(fabrics(), st.sampled_from(REGULAR)),
    st.sampled_from(ALL),
    st.sampled_from(["shortest", "ecmp", "ecmp_split", "valiant"]),
    st.sampled_from([0.0, 1e-6]),
    st.data(),
)
def test_never_beats_the_lower_bound(fabric, algorithm, routing, overhead, data):
    ranks = data.draw(st.integers(1, fabric.ranks))
    if not defined(*algorithm, ranks):
        return
    schedule = build_schedule(*algorithm, ranks, 1.0)
    try:
        profile = cost_profile(schedule, fabric, routing=routing, overhead=overhead, seed=ranks)
    except RoutingError:
        assert not fabric.endpoints_forward  # some pairs can then only be served by way of a third rank
        return
    for size in (0.0, 1.0, 1e4, 1e8):
        result = profile.at(size)
        assert result.time >= result.lower_bound * (1 - 1e-9)
        assert result.fraction <= 1 + 1e-9


def random_fabric(seed):
    """A random strongly connected fabric: endpoints and switches, unequal links, one way or both."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 14))
    graph = (nx.MultiDiGraph if seed % 2 else nx.MultiGraph)()
    order = rng.permutation(n).tolist()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(zip(order, [*order[1:], order[0]], strict=True))
    graph.add_edges_from(rng.choice(n, 2, replace=False).tolist() for _ in range(int(rng.integers(0, 2 * n))))
    for _, _, data in graph.edges(data=True):
        data.update(bandwidth=float(rng.choice([1e9, 2e9, 5e9])), latency=float(rng.choice([0, 1e-6, 2e-5])))
    kinds = ["switch" if i > 1 and rng.random() < 0.3 else "gpu" for i in range(n)]
    nx.set_node_attributes(graph, dict(enumerate(kinds)), "kind")
    return Fabric.from_graph(graph, endpoints_forward=True)


@pytest.mark.parametrize("seed", range(20))
def test_no_algorithm_beats_the_bound_on_random_fabrics(seed):
    fabric = random_fabric(seed)
    tried = set()
    for collective, name in ALL:
        for ranks in {fabric.ranks, 1 << (fabric.ranks.bit_length() - 1)}:
            if not defined(collective, name, ranks):
                continue
            profile = cost_profile(build_schedule(collective, name, ranks, 1.0), fabric, routing="ecmp_split")
            for size in (0.0, 1.0, 1e5, 1e9):
                assert profile.time(size) >= profile.bound.time(size) * (1 - 1e-9), (collective, name)
            tried.add((collective, name))
    assert tried == set(ALL)


@pytest.mark.parametrize("collective", ["broadcast", "all_reduce"])
@pytest.mark.parametrize("size", [8.0, 1024.0, 2.0**30])
def test_the_bound_allows_for_ranks_that_relay(collective, size):
    """A schedule by hand that goes through the node first and then along the rails, on a rail fabric."""
    fabric, ranks = load_fabric("superpod-h100-64"), range(8)
    if collective == "broadcast":
        inside = [(0, j) for j in range(1, 8)]
        across = [(j, 8 * g + j) for j in ranks for g in range(1, 8)]
    else:
        inside = [(8 * g + i, 8 * g + j) for g in ranks for i in ranks for j in ranks if i != j]
        across = [(8 * g + i, 8 * h + i) for g in ranks for h in ranks for i in ranks if g != h]
    steps = []
    for pairs in (inside, across):
        first = np.zeros(len(pairs), int)
        steps.append(Step(*zip(*pairs, strict=True), 1.0, collective != "broadcast", runs(first.copy)))
    schedule = Schedule(COLLECTIVES[collective], "by hand", 64, size, 1, tuple(steps))
    replay(schedule)
    assert solve(schedule, fabric).fraction <= 1 + 1e-9


class TestErrors:
    def test_too_few_endpoints(self):
        with pytest.raises(CollectiveError, match="has 4 endpoints, expected at least 5 for the schedule"):
            solve(build_schedule("all_reduce", "ring", 5, 1.0), ideal(4))

    def test_not_connected(self):
        fabric = Fabric.from_graph(nx.disjoint_union(nx.path_graph(2), nx.path_graph(2)), name="two")
        with pytest.raises(RoutingError, match="two: no path for 0 -> 2, expected all ranks to be connected"):
            solve(build_schedule("all_reduce", "ring", 4, 1.0), fabric)
        assert solve(build_schedule("all_reduce", "ring", 2, 0.0), fabric).time == pytest.approx(2 * 500e-9)

    def test_routing_that_does_not_fit(self):
        with pytest.raises(RoutingError, match="dimension_order"):
            solve(build_schedule("all_reduce", "ring", 4, 1.0), ideal(4), routing="dimension_order")

    @pytest.mark.parametrize("overhead", [-1e-9, math.nan, math.inf, "1 us", None, True])
    def test_overhead(self, overhead):
        with pytest.raises(UsageError, match="overhead: found"):
            solve(build_schedule("all_reduce", "ring", 4, 1.0), ideal(4), overhead=overhead)


@pytest.mark.parametrize("size", [-5.0, math.nan, math.inf, "x"])
def test_bad_sizes(size):
    profile = cost_profile(build_schedule("all_reduce", "ring", 4, 1.0), ideal(4))
    with pytest.raises((CollectiveError, UsageError), match="size"):
        profile.at(size)


@pytest.mark.parametrize("source", [4, -1])
def test_sources_that_do_not_exist(source):
    with pytest.raises((CollectiveError, UsageError)):
        solve(by_hand(4, ([source], [1], 1.0)), ideal(4))


@pytest.mark.parametrize("target", [4, -1])
def test_targets_that_do_not_exist(target):
    with pytest.raises((CollectiveError, UsageError)):
        solve(by_hand(4, ([0], [target], 1.0)), ideal(4))


def test_ranks_beyond_the_schedule():
    with pytest.raises((CollectiveError, UsageError)):
        solve(by_hand(2, ([0], [3], 1.0)), ideal(4))


def test_a_router_of_another_fabric():
    with pytest.raises((CollectiveError, UsageError)):
        cost_profile(build_schedule("all_reduce", "ring", 4, 1.0), ideal(4), router=Router(torus(4)))


def test_steps_of_different_length_are_told_apart():
    tiny = np.array([2, 3], dtype=np.int32).view(np.float64)[0]
    one, other = ([0, 1, 2], [3, 2, 3], 1.0), ([0, 1], [2, 3], [tiny, 1.0])
    fabric = torus(6, bandwidth=1.0, latency=0)
    alone = [solve(by_hand(6, step), fabric).time for step in (one, other)]
    assert solve(by_hand(6, one, other), fabric).step_times.tolist() == alone


def test_a_rank_that_cannot_send_is_found_wherever_it_is():
    graph = nx.DiGraph()
    graph.add_nodes_from([0, "mute", *range(1, 200)])
    graph.add_edges_from(nx.DiGraph(nx.cycle_graph(200)).edges)
    graph.add_edge(0, "mute")
    with pytest.raises(RoutingError, match="no path"):
        solve(build_schedule("all_reduce", "ring", 201, 1.0), Fabric.from_graph(graph))
