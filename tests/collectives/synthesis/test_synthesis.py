"""Synthesized schedules: proven by replay, few steps, near the optimum, on every kind of fabric."""

import dataclasses
from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topo_sim.base import CollectiveError, RoutingError, UnknownNameError
from topo_sim.collectives import SYNTHESIZED, cost, find_optimum, lower_bound, optimum, replay, synthesize
from topo_sim.collectives.optimum.cuts import gather_feasible, gather_rate
from topo_sim.collectives.optimum.network import make_network
from topo_sim.collectives.synthesis import find_forest, forest_steps, greedy_plan
from topo_sim.collectives.synthesis.packing import pack_trees
from topo_sim.collectives.synthesis.schedules import to_schedule
from topo_sim.collectives.synthesis.splitting import without_switches
from topo_sim.topo import (
    Fabric,
    circuit_switched,
    fat_tree,
    full_mesh,
    grouped,
    leaf_spine,
    load_fabric,
    mesh,
    single_switch,
    torus,
    twisted_torus,
)

GB = 10**9
GIB = 2.0**30


def servers(count=2, gpus=8):
    """DGX-A100s: 300 GB/s to the NVSwitch, 25 GB/s per GPU through its own port to one switch over all."""
    graph = nx.Graph()
    for i in range(count):
        graph.add_nodes_from((f"gpu{i}.{j}" for j in range(gpus)), kind="gpu")
    for i in range(count):
        for j in range(gpus):
            graph.add_edge(f"gpu{i}.{j}", f"nvswitch{i}", bandwidth=300e9, latency=250e-9)
            graph.add_edge(f"gpu{i}.{j}", f"port{i}.{j}", bandwidth=25e9, latency=250e-9)
            graph.add_edge(f"port{i}.{j}", "switch", bandwidth=25e9, latency=250e-9)
    for node in graph:
        graph.nodes[node].setdefault("kind", "switch")
    return Fabric.from_graph(graph, name=f"{count} servers")


def plain(fabric):
    return dataclasses.replace(fabric, structure=None, routing="ecmp_split")


FABRICS = [
    torus((4, 4)),
    torus((3, 5)),
    torus((2, 3, 2)),
    twisted_torus((3, 3, 6)),
    mesh((3, 4)),
    full_mesh(5),
    single_switch(6),
    single_switch(5, planes=3),
    leaf_spine(3, 3, 2),
    fat_tree(4),
    circuit_switched(8, 2),
    load_fabric("polaris-8"),
    load_fabric("dgx-h100"),
    servers(2, 4),
]


@pytest.mark.parametrize("method", ["greedy", "trees"])
@pytest.mark.parametrize("collective", SYNTHESIZED)
@pytest.mark.parametrize("fabric", FABRICS, ids=lambda f: f.name)
def test_replays_and_never_beats_the_bound(fabric, collective, method):
    for chunks in (1, 3):
        schedule = synthesize(collective, fabric, size=2**20, method=method, chunks=chunks)
        replay(schedule)
        found = cost(schedule, fabric)
        assert 0 < found.lower_bound <= found.time * (1 + 1e-12)
        assert schedule.algorithm == method
        assert (schedule.ranks, schedule.size) == (fabric.ranks, 2**20)


class TestGreedy:
    @pytest.mark.parametrize("collective", ["all_gather", "reduce_scatter"])
    @pytest.mark.parametrize("make", [lambda f: f, plain], ids=["symmetric", "as any graph"])
    @pytest.mark.parametrize(
        ("dims", "steps"), [((8, 8), 16), ((4, 4, 4), 11), ((4, 4), 4), ((8,), 4), ((5, 5), 6)]
    )
    def test_tori_in_as_few_steps_as_links_allow(self, dims, steps, make, collective):
        schedule = synthesize(collective, make(torus(dims)), method="greedy", chunks=1)
        # With all links full in every round (24 chunks over 4 links) a plain greedy choice needs one more.
        slack = int(make is plain and dims == (5, 5))
        assert steps <= schedule.step_count <= steps + slack
        replay(schedule)

    def test_large_torus(self):
        schedule = synthesize("all_gather", torus((16, 16)), method="greedy")
        assert schedule.step_count == -(-255 // 4)

    def test_chunks_fill_the_last_round(self):
        fabric = torus((8, 8), latency=0)
        schedule = synthesize("all_gather", fabric, method="greedy", chunks=4)
        assert schedule.step_count == 63
        assert cost(schedule, fabric).fraction == pytest.approx(1.0)

    def test_a_switch_and_two_link_speeds(self):
        fabric = servers()
        schedule = synthesize("all_gather", fabric, size=GIB, method="greedy", chunks=8)
        replay(schedule)
        # Every foreign chunk enters a server over its slow ports about once.
        assert cost(schedule, fabric).fraction > 0.9
        crossing = sum(
            float(step.fraction[(step.source < 8) & (step.target >= 8)].sum()) for step in schedule.steps
        )
        assert 0.5 <= crossing < 0.6

    def test_one_slow_cable(self):
        graph = torus((4, 4), bandwidth=1.0, latency=0).graph
        next(iter(graph.edges(data=True)))[2]["bandwidth"] = 0.125
        fabric = Fabric.from_graph(graph)
        schedule = synthesize("all_gather", fabric, method="greedy", chunks=2)
        replay(schedule)
        # Used like the others it would take eight times as long.
        assert cost(schedule, fabric).fraction > 0.5

    def test_one_way_ring(self):
        fabric = Fabric.from_graph(nx.DiGraph([(i, (i + 1) % 5) for i in range(5)]))
        for collective in SYNTHESIZED:
            schedule = synthesize(collective, fabric, method="greedy")
            replay(schedule)
            assert schedule.step_count == (8 if collective == "all_reduce" else 4)

    def test_seed_decides(self):
        fabric = plain(torus((4, 5)))
        plans = [greedy_plan(fabric, 20, seed=seed) for seed in (0, 0, 1)]
        assert np.array_equal(plans[0].source, plans[1].source)
        assert not np.array_equal(plans[0].source, plans[2].source)

    def test_backwards_turns_everything_round(self):
        plan = greedy_plan(mesh((2, 3)), 6, backwards=True)
        back = plan.backwards
        begin = np.append(0, plan.end[:-1])
        last = slice(begin[-1], plan.end[-1])
        first = slice(0, back.end[0])
        assert np.array_equal(back.source[first], plan.target[last])
        assert np.array_equal(back.chunk[first], plan.chunk[last])
        assert back.rounds == plan.rounds
        again = back.backwards
        assert np.array_equal(again.source, plan.source)
        assert np.array_equal(again.end, plan.end)


def check_forest(forest, capacity, ranks):
    """Every tree spans, and together they weigh what they should and fit."""
    load = np.zeros((ranks, ranks), dtype=object)
    weight = np.zeros(ranks, dtype=int)
    for tree in forest:
        weight[tree.root] += tree.weight
        for v in range(ranks):
            hops, at = 0, v
            while tree.parent[at] >= 0:
                at, hops = int(tree.parent[at]), hops + 1
                assert hops < ranks
            assert (at, hops) == (tree.root, tree.depth[v])
            if v != tree.root:
                load[tree.parent[v], v] += tree.weight
    for (u, v), most in capacity.items():
        assert load[u, v] <= most
        load[u, v] = 0
    assert not load.any()
    return weight


def capacities(network):
    ends = zip(network.source.tolist(), network.target.tolist(), strict=True)
    return dict(zip(ends, network.amount.tolist(), strict=True))


class TestForest:
    def test_two_servers_of_eight(self):
        fabric = servers()
        forest = find_forest(fabric, 16)
        assert forest.trees == 13
        assert forest.algbw == forest.optimum == Fraction(1040, 3) * GB
        schedule = synthesize("all_gather", fabric, size=GIB, method="trees", chunks=64)
        replay(schedule)
        assert cost(schedule, fabric).fraction > 0.9

    def test_equal_hops_of_unequal_width(self):
        """Without ports of their own, GPUs reach each other in as many hops over the slow switch."""
        fabric = grouped(
            2,
            8,
            inside={"generator": "single_switch", "bandwidth": 300e9},
            between={"generator": "single_switch", "bandwidth": 25e9},
        )
        for method in ("greedy", "trees"):
            schedule = synthesize(
                "all_gather", fabric, size=GIB, method=method, chunks=32, routing="widest_split"
            )
            replay(schedule)
            result = cost(schedule, fabric, routing="widest_split")
            assert 0.9 < result.algbw / float(Fraction(1040, 3) * GB) <= 1
            # Even splitting sends half of what stays inside a server over its slow ports.
            assert cost(schedule, fabric, routing="ecmp_split").time > 5 * result.time
            assert cost(schedule, fabric).time == result.time

    def test_fraction_rises_with_size(self):
        fabric = servers()
        for collective in SYNTHESIZED:
            shares = []
            for size in (2.0**20, 2.0**25, 2.0**30):
                schedule = synthesize(collective, fabric, size=size, method="trees")
                shares.append(size / cost(schedule, fabric).time / float(optimum(collective, fabric)))
            assert shares == sorted(shares)
            assert 0.9 < shares[-1] <= 1 + 1e-9

    @pytest.mark.parametrize("fabric", FABRICS, ids=lambda f: f.name)
    def test_rate_is_the_optimum(self, fabric):
        forest = find_forest(fabric, fabric.ranks)
        assert forest.algbw == forest.optimum == optimum("all_gather", fabric)
        assert sum(tree.weight for tree in forest.packed) == forest.trees * fabric.ranks

    @given(st.integers(0, 2**32 - 1))
    @settings(max_examples=60)
    def test_random_fabrics_with_switches(self, seed):
        rng = np.random.default_rng(seed)
        ranks, hubs = int(rng.integers(2, 7)), int(rng.integers(0, 4))
        graph = nx.MultiDiGraph()
        graph.add_nodes_from(range(ranks), kind="gpu")
        graph.add_nodes_from(range(ranks, ranks + hubs), kind="switch")
        n = ranks + hubs
        for length in (n, *rng.integers(2, n + 1, 4)):  # rings keep switches in balance
            ring = rng.permutation(n)[:length].tolist()
            rate = float(rng.integers(1, 6))
            graph.add_edges_from(zip(ring, ring[1:] + ring[:1], strict=True), bandwidth=rate, latency=0.0)
        fabric = Fabric.from_graph(graph, endpoints_forward=False)
        network = make_network(fabric, ranks)
        rate = gather_rate(network).rate
        scaled = dataclasses.replace(network, amount=network.amount * rate.denominator)
        trees = rate.numerator
        left = without_switches(scaled, trees)
        assert left.nodes == ranks
        assert gather_feasible(left, trees)
        assert gather_rate(left).rate == trees  # no cut gained anything either
        forest = pack_trees(left, np.full(ranks, trees))
        weight = check_forest(forest, capacities(left), ranks)
        assert (weight == trees).all()

    def test_roots_of_unequal_weight(self):
        network = make_network(torus((3, 3), bandwidth=4.0), 9)
        scaled = dataclasses.replace(network, amount=network.amount * 4)
        weights = np.array([4, 0, 0, 7, 0, 0, 0, 0, 5])
        assert (check_forest(pack_trees(scaled, weights), capacities(scaled), 9) == weights).all()

    def test_too_many_trees(self):
        network = make_network(torus((3, 3), bandwidth=1.0), 9)
        with pytest.raises(CollectiveError, match="no arc that can be taken"):
            pack_trees(network, np.full(9, 2))

    def test_awkward_capacities_come_close(self):
        graph = nx.complete_graph(5)
        rng = np.random.default_rng(3)
        for _, _, data in graph.edges(data=True):
            data.update(bandwidth=float(rng.uniform(1, 10)), latency=0.0)
        fabric = Fabric.from_graph(graph)
        forest = find_forest(fabric, 5)
        assert forest.trees <= 64
        assert Fraction(9, 10) * forest.optimum < forest.algbw <= forest.optimum
        schedule = synthesize("all_gather", fabric, method="trees", chunks=32)
        replay(schedule)

    def test_unbalanced_switch_goes_by_what_it_can_pass_on(self):
        graph = nx.DiGraph()
        graph.add_nodes_from("rab", kind="gpu")
        graph.add_node("s", kind="switch")
        graph.add_edges_from([("r", "s"), ("s", "a"), ("s", "b"), ("a", "r"), ("b", "r")], bandwidth=1.0)
        graph.add_edges_from([("a", "b"), ("b", "a")], bandwidth=3.0)
        fabric = Fabric.from_graph(graph, endpoints_forward=False)
        forest = find_forest(fabric, 3)
        assert 0 < forest.algbw <= find_optimum("all_gather", fabric).upper
        schedule = synthesize("all_gather", fabric, method="trees", chunks=2)
        replay(schedule)

    @pytest.mark.parametrize("segments", [1, 2, 3, 4, 9])
    @pytest.mark.parametrize("backwards", [False, True])
    def test_pipeline(self, segments, backwards):
        forest = find_forest(mesh((2, 4)), 8, backwards=backwards)
        steps = forest_steps(forest, segments, backwards=backwards)
        assert sum(step.repeat for step in steps) == forest.depth + segments - 1
        assert len(steps) <= 2 * forest.depth + segments
        name = "reduce_scatter" if backwards else "all_gather"
        replay(to_schedule(name, "trees", 8, 8.0, 8 * forest.trees * segments, steps, {}))


class TestChoice:
    def test_takes_the_faster(self):
        for size in (2.0**16, GIB):
            fabric = mesh((3, 4))
            best = cost(synthesize("all_gather", fabric, size=size), fabric).time
            for method in ("greedy", "trees"):
                one = cost(synthesize("all_gather", fabric, size=size, method=method), fabric).time
                enough = lower_bound("all_gather", fabric).time(size) / 0.98
                assert best <= max(one * (1 + 1e-12), enough)

    def test_fewer_ranks(self):
        for method in ("greedy", "trees"):
            schedule = synthesize("all_reduce", torus((3, 3)), 4, method=method)
            assert schedule.ranks == 4
            replay(schedule)

    def test_one_rank_has_nothing_to_do(self):
        for method in (None, "greedy", "trees"):
            schedule = synthesize("all_gather", single_switch(1), method=method)
            assert schedule.step_count == 0
            replay(schedule)

    def test_size_zero_and_less_than_a_byte_each(self):
        for size in (0, 3):
            schedule = synthesize("all_reduce", torus((4, 4)), size=size)
            replay(schedule)
            assert cost(schedule, torus((4, 4))).time > 0

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"collective": "broadcast"}, 'cannot synthesize "broadcast"'),
            ({"collective": "nonsense"}, 'cannot synthesize "nonsense"'),
            ({"ranks": 0}, "ranks: found 0"),
            ({"ranks": 17}, "expected an integer from 1 to 16"),
            ({"ranks": True}, "ranks"),
            ({"chunks": 0}, "chunks: found 0"),
            ({"chunks": 1.5}, "chunks: found 1.5"),
            ({"seed": -1}, "seed: found -1"),
            ({"size": float("nan")}, "size must be"),
            ({"size": -1}, "size must be"),
        ],
    )
    def test_bad_input(self, arguments, message):
        with pytest.raises(CollectiveError, match=message):
            synthesize(**({"collective": "all_gather", "fabric": torus((4, 4))} | arguments))

    def test_unknown_method(self):
        with pytest.raises(UnknownNameError, match="greedy"):
            synthesize("all_gather", torus((4, 4)), method="gready")

    def test_unreachable(self):
        fabric = Fabric.from_graph(nx.DiGraph([(0, 1), (1, 2)]))
        for method in ("greedy", "trees"):
            with pytest.raises((CollectiveError, RoutingError)):
                synthesize("all_gather", fabric, method=method)

    def test_too_large(self):
        with pytest.raises(CollectiveError, match="take fewer ranks"):
            synthesize("all_gather", single_switch(512), method="greedy")
        with pytest.raises(CollectiveError, match="at most 128 to pack trees"):
            synthesize("all_gather", single_switch(512), method="trees")


def parallel(*speeds):
    """Two ranks with cables of unequal speed between them."""
    graph = nx.MultiGraph()
    for speed in speeds:
        graph.add_edge(0, 1, bandwidth=speed * 1e9, latency=0)
    return Fabric.from_graph(graph)


class TestRouting:
    @pytest.mark.parametrize("method", ["greedy", "trees", None])
    @pytest.mark.parametrize("collective", SYNTHESIZED)
    def test_parallel_cables_are_filled_in_proportion(self, collective, method):
        fabric = parallel(5, 1)
        schedule = synthesize(collective, fabric, method=method)
        replay(schedule)
        assert schedule.options["routing"] == "wcmp_split"
        found = cost(schedule, fabric, routing=schedule.options["routing"])
        assert found.algbw == pytest.approx(float(optimum(collective, fabric)))
        assert cost(schedule, fabric).algbw == pytest.approx(found.algbw / 3)

    def test_what_is_asked_for_is_taken(self):
        for name in ("ecmp_split", "widest_split", "shortest"):
            for method in ("greedy", "trees", None):
                schedule = synthesize("all_gather", parallel(5, 1), method=method, routing=name)
                assert schedule.options["routing"] == name

    def test_the_fabrics_own_stays_where_others_are_no_better(self):
        for fabric in FABRICS[:8]:
            assert synthesize("all_gather", fabric).options["routing"] == fabric.routing

    @pytest.mark.parametrize("method", ["greedy", "trees", None])
    def test_never_worse_than_the_fabrics_own_routing(self, method):
        for seed in range(12):
            rng = np.random.default_rng(seed)
            graph = nx.MultiGraph(nx.cycle_graph(6))
            graph.add_edges_from(rng.choice(6, 2, replace=False).tolist() for _ in range(6))
            for node in graph:
                graph.nodes[node]["kind"] = "gpu" if node < 4 else "switch"
            for _, _, data in graph.edges(data=True):
                data |= {"bandwidth": float(rng.integers(1, 9)) * 1e9, "latency": 0}
            fabric = Fabric.from_graph(graph, endpoints_forward=True)
            schedule = synthesize("all_gather", fabric, size=1e9, method=method)
            replay(schedule)
            mine = cost(schedule, fabric, routing=schedule.options["routing"])
            own = synthesize("all_gather", fabric, size=1e9, method=method, routing=fabric.routing)
            assert mine.time <= cost(own, fabric).time * (1 + 1e-9)
            assert mine.time >= mine.lower_bound * (1 - 1e-9)
