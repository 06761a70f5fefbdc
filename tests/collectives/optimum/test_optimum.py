"""Exact optima: known values, all cuts of small graphs one by one, certificates, and what cannot be known."""

import dataclasses
import sys
from fractions import Fraction
from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topo_sim.base import CollectiveError, RoutingError, UnknownNameError, UsageError
from topo_sim.collectives import lower_bound
from topo_sim.collectives.optimum import find_optimum, optimum
from topo_sim.collectives.optimum.cuts import broadcast_rate, gather_feasible, gather_rate
from topo_sim.collectives.optimum.network import Solver, make_network
from topo_sim.topo import (
    Fabric,
    circuit_switched,
    fat_tree,
    full_mesh,
    grouped,
    leaf_spine,
    load_fabric,
    max_concurrent_flow,
    mesh,
    single_switch,
    torus,
)

GB = 10**9


def two_servers(**options):
    inside = {"generator": "single_switch", "bandwidth": 300e9, "latency": 0}
    between = {"generator": "single_switch", "bandwidth": 25e9, "latency": 0}
    return grouped(2, 8, inside=inside, between=between, **options)


def every_cut(fabric, ranks, rate_of):
    """Least `rate_of(capacity leaving, ranks inside, root inside)` over all sets that part the ranks."""
    mine = fabric.endpoints[:ranks].tolist()
    others = [n for n in range(len(fabric.kind)) if n not in mine and fabric.forwards[n]]
    nodes = mine + others
    links = [
        (u, v, Fraction(c))
        for u, v, c in zip(
            fabric.link_source.tolist(), fabric.link_target.tolist(), fabric.capacity.tolist(), strict=True
        )
        if u in nodes and v in nodes
    ]
    best = None
    for count in range(1, len(nodes)):
        for chosen in combinations(nodes, count):
            inside = set(chosen)
            held = len(inside & set(mine))
            if 0 < held < ranks:
                out = sum((c for u, v, c in links if u in inside and v not in inside), Fraction(0))
                found = rate_of(out, held, mine[0] in inside)
                best = found if best is None or found < best else best
    return best


def random_fabric(seed, switches=True, balanced=True):
    """A connected fabric of few nodes with unequal links; every switch can send what it receives."""
    rng = np.random.default_rng(seed)
    ranks = int(rng.integers(2, 6))
    hubs = int(rng.integers(0, 4)) if switches else 0
    graph = nx.MultiDiGraph()
    graph.add_nodes_from((f"g{i}" for i in range(ranks)), kind="gpu")
    graph.add_nodes_from((f"s{i}" for i in range(hubs)), kind="switch")
    names = list(graph)
    order = rng.permutation(len(names))
    capacities = [0.5, 1.0, 2.0, 3.0, 7.0]
    rings = [order] + [rng.permutation(len(names))[: rng.integers(2, len(names) + 1)] for _ in range(3)]
    for ring in rings:  # rings keep every node in balance
        rate = float(rng.choice(capacities))
        for a, b in zip(ring, np.roll(ring, -1), strict=True):
            graph.add_edge(names[a], names[b], bandwidth=rate, latency=0.0)
    for _ in range(int(rng.integers(0, 4))):
        low = ranks if balanced else len(names)
        a, b = rng.choice(low, 2, replace=False)
        graph.add_edge(names[a], names[b], bandwidth=float(rng.choice(capacities)), latency=0.0)
    return Fabric.from_graph(graph, endpoints_forward=bool(rng.integers(0, 2)))


class TestKnownValues:
    def test_two_servers_of_eight(self):
        fabric = two_servers()
        assert optimum("all_gather", fabric) == Fraction(1040, 3) * GB
        assert optimum("reduce_scatter", fabric) == Fraction(1040, 3) * GB
        assert optimum("all_reduce", fabric) == Fraction(520, 3) * GB
        # All that leaves a server: 8 * 25 GB/s.
        assert optimum("broadcast", fabric) == 200 * GB

    @pytest.mark.parametrize(
        ("dims", "algbw"), [((4, 4), Fraction(64, 15)), ((6, 6), Fraction(144, 35)), ((8,), Fraction(16, 7))]
    )
    def test_tori(self, dims, algbw):
        fabric = torus(dims, bandwidth=1.0)
        assert optimum("all_gather", fabric) == algbw
        assert optimum("all_reduce", fabric) == algbw / 2
        assert optimum("broadcast", fabric) == 2 * len(dims)

    def test_type_and_thirds(self):
        found = optimum("all_gather", torus((4, 4), bandwidth=1 / 3))
        assert isinstance(found, Fraction)
        assert found == Fraction(1 / 3) * Fraction(64, 15)  # of the float, not of a third

    def test_capacities_beyond_64_bits_stay_exact(self):
        graph = nx.cycle_graph(5)
        for i, (_, _, data) in enumerate(graph.edges(data=True)):
            data["bandwidth"] = [1e-12, 1 / 3, 1e18, np.pi, 1e9][i]
        fabric = Fabric.from_graph(graph)
        for name, rate_of in RATES.items():
            assert optimum(name, fabric) == every_cut(fabric, 5, lambda *cut, f=rate_of: f(5, *cut)), name

    @pytest.mark.parametrize("p", [2, 3, 7, 33])
    def test_one_switch(self, p):
        fabric = single_switch(p, bandwidth=1.0)
        assert optimum("all_gather", fabric) == Fraction(p, p - 1)
        assert optimum("all_to_all", fabric) == Fraction(p, p - 1)
        assert optimum("broadcast", fabric) == 1

    def test_large_but_alike_from_everywhere(self):
        assert optimum("all_gather", torus((16, 16, 16), bandwidth=1.0)) == Fraction(6 * 4096, 4095)
        assert optimum("all_gather", fat_tree(16, bandwidth=1.0)) == Fraction(1024, 1023)

    def test_a_slow_cable_is_seen_on_a_torus(self):
        graph = torus((4, 4), bandwidth=1.0).graph
        edge = next(iter(graph.edges(data=True)))
        edge[2]["bandwidth"] = 0.5
        assert optimum("all_gather", Fabric.from_graph(graph)) == Fraction(16, 15) * Fraction(7, 2)


RATES = {
    "all_gather": lambda p, out, held, root: Fraction(p) * out / held,
    "reduce_scatter": lambda p, out, held, root: Fraction(p) * out / (p - held),
    "broadcast": lambda p, out, held, root: out if root else Fraction(10**9) * 10**30,
}


@given(st.integers(0, 2**32 - 1))
def test_all_cuts_of_small_fabrics_one_by_one(seed):
    fabric = random_fabric(seed)
    p = fabric.ranks
    for name, rate_of in RATES.items():
        found = find_optimum(name, fabric)
        assert found.exact
        assert found.algbw == every_cut(fabric, p, lambda *cut, f=rate_of: f(p, *cut)), name


@given(st.integers(0, 2**32 - 1))
def test_fewer_ranks_than_endpoints(seed):
    fabric = random_fabric(seed)
    p = fabric.ranks
    if p < 3:
        return
    try:
        found = find_optimum("all_gather", fabric, p - 1)
    except RoutingError:
        assert not fabric.endpoints_forward
        return
    assert found.upper == every_cut(fabric, p - 1, lambda out, held, _: (p - 1) * out / held)


@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(RATES)))
def test_the_cut_proves_the_rate_and_the_flows_reach_it(seed, name):
    fabric = random_fabric(seed)
    found = find_optimum(name, fabric)
    (cut,) = found.cuts
    links = np.array(cut.links, dtype=int)
    inside = np.isin(np.arange(len(fabric.kind)), cut.inside)
    ends = (fabric.link_source[links], fabric.link_target[links])
    a, b = ends[::-1] if name == "reduce_scatter" else ends
    assert inside[a].all()
    assert not inside[b].any()
    assert cut.capacity == sum(Fraction(c) for c in fabric.capacity[links].tolist())
    p = fabric.ranks
    sent = 1 if name == "broadcast" else Fraction(cut.ranks_inside, p)
    assert found.algbw == cut.capacity / sent
    assert cut.ranks_inside + cut.ranks_outside == p
    # The other direction by networkx: at that rate every rank can be sent all there is.
    graph = nx.DiGraph()
    scale = found.algbw.denominator * p * 2
    for u, v, c in zip(
        fabric.link_source.tolist(), fabric.link_target.tolist(), fabric.capacity.tolist(), strict=True
    ):
        u, v = (v, u) if name == "reduce_scatter" else (u, v)
        known = graph.get_edge_data(u, v, {"capacity": 0})["capacity"]
        graph.add_edge(u, v, capacity=known + int(Fraction(c) * scale))
    roots = fabric.endpoints[:1] if name == "broadcast" else fabric.endpoints
    for root in roots.tolist():
        graph.add_edge("all", root, capacity=int(found.algbw * scale / len(roots)))
    for v in fabric.endpoints.tolist():
        assert nx.maximum_flow_value(graph, "all", v) == found.algbw * scale


@given(st.integers(0, 2**32 - 1))
def test_maximum_flow_against_networkx(seed):
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(2, 9)), int(rng.integers(1, 30))
    source, target = rng.integers(0, n, m), rng.integers(0, n, m)
    amount = rng.integers(0, 20, m) * (2**60 if rng.integers(0, 2) else 1)
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n))
    for u, v, c in zip(source.tolist(), target.tolist(), amount.astype(object).tolist(), strict=True):
        known = graph.get_edge_data(u, v, {"capacity": 0})["capacity"]
        graph.add_edge(u, v, capacity=known + abs(c))
    room = np.array([abs(c) for c in amount.astype(object).tolist()], dtype=object)
    solver = Solver(n, source, target)
    value = nx.maximum_flow_value(graph, 0, n - 1)
    assert solver.run(room, 0, n - 1, 2**80) == value
    # Smallest least cut, conserved flow, nothing over capacity; and a limit stops it there.
    inside = solver.reached
    assert sum(room[inside[source] & ~inside[target]].tolist()) == value
    left = solver.residual.reshape(-1, 2)
    assert (left >= 0).all()
    assert (left.sum(axis=1) == room).all()
    assert solver.run(room, 0, n - 1, value // 2) == value // 2


@given(st.integers(0, 2**32 - 1))
def test_feasible_up_to_the_rate_and_not_beyond(seed):
    fabric = random_fabric(seed)
    network = make_network(fabric, fabric.ranks)
    rate = gather_rate(network).rate
    assert gather_feasible(network, rate.numerator // rate.denominator)
    assert not gather_feasible(network, rate.numerator // rate.denominator + 1)


class TestSwitchesOutOfBalance:
    def graph(self):
        """A root sends to a switch that could pass on twice as much as it gets."""
        graph = nx.DiGraph()
        graph.add_nodes_from("rab", kind="gpu")
        graph.add_node("s", kind="switch")
        graph.add_edges_from([("r", "s"), ("s", "a"), ("s", "b"), ("a", "r"), ("b", "r")], bandwidth=1.0)
        return Fabric.from_graph(graph)

    def test_an_interval_and_no_single_number(self):
        found = find_optimum("broadcast", self.graph())
        assert not found.exact
        assert 0 <= found.lower < found.upper == 1
        assert "cannot send as much as it receives" in found.method
        with pytest.raises(CollectiveError, match="broadcast on graph: found an optimum between"):
            optimum("broadcast", self.graph())

    @given(st.integers(0, 2**32 - 1))
    def test_both_ends_hold(self, seed):
        fabric = random_fabric(seed, balanced=False)
        p = fabric.ranks
        found = find_optimum("all_gather", fabric)
        assert found.lower <= found.upper
        assert found.upper == every_cut(fabric, p, lambda out, held, _: p * out / held)
        network = make_network(fabric, p)
        trimmed = network.trimmed()
        assert trimmed.balanced
        if network.balanced:
            assert found.exact
        kept = dict(zip(zip(network.source, network.target, strict=True), network.amount, strict=True))
        for u, v, c in zip(trimmed.source, trimmed.target, trimmed.amount, strict=True):
            assert 0 < c <= kept[u, v]


class TestAllToAll:
    @pytest.mark.parametrize(
        "fabric",
        [
            torus((4, 4), bandwidth=1.0),
            torus((5, 3), bandwidth=1.0),
            torus((4, 4, 2), bandwidth=1.0),
            mesh((3, 4), bandwidth=1.0),
            torus(7, bandwidth=1.0),
            fat_tree(4, oversubscription=[1, 2], bandwidth=1.0),
            leaf_spine(3, 4, 2, bandwidth=1.0),
            single_switch(5, planes=3, bandwidth=1.0),
        ],
        ids=lambda f: f.name,
    )
    def test_closed_forms_are_the_concurrent_flow(self, fabric):
        found = find_optimum("all_to_all", fabric)
        assert found.exact
        assert found.method.startswith("closed form")
        plain = dataclasses.replace(fabric, structure=None)
        flow = max_concurrent_flow(plain, method="lp")
        p = fabric.ranks
        assert float(found.algbw) == pytest.approx(flow.theta * p / (p - 1), rel=1e-7)

    def test_an_interval_elsewhere(self):
        graph = nx.random_regular_graph(3, 40, seed=1)  # too large for a linear program
        found = find_optimum("all_to_all", Fabric.from_graph(graph, bandwidth=1.0))
        assert not found.exact
        assert 0 < found.lower < found.upper < found.lower * Fraction(102, 100)
        assert "approximation" in found.method
        assert found.to_dict()["algbw_fraction_B_per_s"] is None

    def test_ranks_relay_where_endpoints_do_not_forward(self):
        """A path of GPUs over two-port servers: without relays the far ones could not talk at all."""
        graph = nx.Graph()
        graph.add_nodes_from("abc", kind="gpu")
        graph.add_nodes_from("xy", kind="switch")
        graph.add_edges_from([("a", "x"), ("b", "x"), ("b", "y"), ("c", "y")], bandwidth=1.0)
        fabric = Fabric.from_graph(graph)
        assert not fabric.endpoints_forward
        # Into c: 2/3 of the size of each, over one link.
        found = find_optimum("all_to_all", fabric)
        assert float(found.upper) == pytest.approx(1.5, rel=1e-6)
        assert optimum("all_gather", fabric) == Fraction(3, 2)

    def test_unequal_axes(self):
        fabric = torus((4, 4), bandwidth=1.0)
        capacity = fabric.capacity.copy()
        capacity[: 2 * fabric.structure.cables[0]] = 0.25
        slow = dataclasses.replace(fabric, capacity=capacity)
        assert optimum("all_to_all", slow) == Fraction(1, 2)
        capacity[0] = 0.125
        uneven = find_optimum("all_to_all", dataclasses.replace(fabric, capacity=capacity))
        assert "closed form" not in uneven.method
        assert uneven.upper < Fraction(1, 2)


class TestRelation:
    @pytest.mark.parametrize("name", ["all_gather", "reduce_scatter", "broadcast", "all_to_all"])
    @pytest.mark.parametrize(
        "fabric",
        [two_servers(), load_fabric("polaris-8"), circuit_switched(16, 2), full_mesh(6), mesh((3, 5))],
        ids=lambda f: f.family,
    )
    def test_never_above_what_the_bound_allows(self, name, fabric):
        found = find_optimum(name, fabric)
        for exact in (False, True):
            assert lower_bound(name, fabric, exact=exact).pace <= found.pace * (1 + 1e-8)

    @given(st.integers(0, 2**32 - 1))
    def test_the_bound_is_the_optimum_where_all_cuts_are_tried(self, seed):
        fabric = random_fabric(seed)
        for name in RATES:
            assert lower_bound(name, fabric).pace == pytest.approx(find_optimum(name, fabric).pace, rel=1e-9)

    def test_all_reduce_bound_may_lie_below_reduce_scatter_and_all_gather_in_turn(self):
        """A thin leaf sends and receives at once, which the two halves in turn cannot."""
        graph = nx.complete_graph(4)
        nx.set_edge_attributes(graph, 100.0, "bandwidth")
        graph.add_edge(0, 4, bandwidth=1.0)
        fabric = Fabric.from_graph(graph)
        assert optimum("all_reduce", fabric) == Fraction(5, 8)
        assert lower_bound("all_reduce", fabric).pace == pytest.approx(1.0)


class TestBadInput:
    @pytest.mark.parametrize("ranks", [0, -1, 5, 2.5, True, "3"])
    def test_ranks(self, ranks):
        with pytest.raises(UsageError):
            optimum("all_gather", single_switch(4), ranks)

    def test_one_rank(self):
        with pytest.raises(UsageError, match="one rank sends nothing"):
            optimum("all_gather", single_switch(1))

    def test_unknown_collective(self):
        with pytest.raises(UnknownNameError, match="all_gather"):
            optimum("all_gathr", single_switch(4))

    def test_unreachable(self):
        fabric = Fabric.from_graph(nx.DiGraph([(0, 1), (1, 2)]), name="oneway")
        for name in ("all_gather", "reduce_scatter", "all_reduce"):
            with pytest.raises(RoutingError, match="oneway: no path between"):
                optimum(name, fabric)
        assert optimum("broadcast", fabric) > 0

    def test_too_large_is_said(self, monkeypatch):
        monkeypatch.setattr(sys.modules[find_optimum.__module__], "WORK", 2000)
        fabric = load_fabric("superpod-h100-64")
        found = find_optimum("all_gather", fabric)
        assert (found.lower, found.exact) == (0, False)
        assert "of 64 ranks and structural bound" in found.method
        assert found.upper >= Fraction(3200, 7) * GB
        assert find_optimum("broadcast", fabric).upper >= 400 * GB


def test_root_other_than_first():
    network = make_network(mesh((2, 3), bandwidth=1.0), 6)
    assert broadcast_rate(network, root=1).rate == 2
