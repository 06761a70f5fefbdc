"""Hops and bisection against plain searches and full enumeration."""

import dataclasses
import sys

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from topo_sim.topo import (
    Bisection,
    Fabric,
    bisection,
    circuit_switched,
    fat_tree,
    full_mesh,
    grouped,
    leaf_spine,
    mesh,
    metrics,
    single_switch,
    torus,
)
from topo_sim.topo.distances import hop_sum, hops, latencies_from
from topo_sim.topo.large_cuts import spectral_bound

SMALL = [
    *(
        torus(dims, bandwidth=1.0)
        for dims in (2, 3, 4, 5, 8, (2, 2), (3, 2), (3, 3), (4, 2), (4, 3), (2, 2, 2))
    ),
    *(mesh(dims, bandwidth=1.0) for dims in (2, 3, 6, (3, 2), (3, 3), (4, 2), (2, 5))),
    *(full_mesh(n, bandwidth=1.0) for n in (2, 5, 6)),
    *(single_switch(n, planes=2, bandwidth=1.0) for n in (2, 5, 6)),
    fat_tree(2, bandwidth=1.0),
    fat_tree(4, levels=2, bandwidth=[1.0, 0.6]),
    fat_tree(down=(3, 2), up=(1, 2), bandwidth=1.0),
    fat_tree(down=(2, 2, 2), up=(2, 1, 1), bandwidth=[1.0, 2.0, 1.5]),
    leaf_spine(2, 3, 1, bandwidth=1.0),
    leaf_spine(4, 2, 1, bandwidth=1.0, uplink_bandwidth=1.5),
    leaf_spine(3, 2, 2, bandwidth=1.0),
    leaf_spine(3, 3, 1, bandwidth=1.0),
    circuit_switched(7, 2, bandwidth=1.0),
    circuit_switched(8, 3, bandwidth=1.0),
    circuit_switched(6, light_paths=[[(0, 1), (2, 3), (4, 5)], [(1, 2), (3, 4)]], bandwidth=1.0),
    circuit_switched(8, 3, light_paths="random_regular", bandwidth=1.0),
    grouped(2, 3, inside=full_mesh(3, bandwidth=2.0), between=single_switch(6, bandwidth=1.0)),
    grouped(3, 2, inside=full_mesh(2, bandwidth=2.0), between=single_switch(6, bandwidth=1.0)),
    grouped(4, 2, inside=full_mesh(2, bandwidth=5.0), between=leaf_spine(2, 4, 1, bandwidth=1.0)),
    Fabric.from_graph(nx.petersen_graph(), bandwidth=1.0),
    Fabric.from_graph(nx.DiGraph([(0, 1), (1, 2), (2, 0), (0, 3), (3, 0)]), bandwidth=1.0),
    Fabric.from_graph(nx.MultiGraph([(0, 1), (0, 1), (1, 2), (2, 3), (3, 0)]), bandwidth=1.0),
]
every = pytest.mark.parametrize("fabric", SMALL, ids=repr)


@every
class TestBisection:
    def test_closed_form_is_exact_and_bounds_hold_it(self, fabric):
        exact = naive.bisection(fabric)
        found = bisection(fabric)
        assert found.low <= exact * (1 + 1e-9)
        assert exact <= found.high * (1 + 1e-9)
        if fabric.exact_bisection is not None:
            assert found == Bisection(fabric.exact_bisection, fabric.exact_bisection, "closed form")
            computed = bisection(dataclasses.replace(fabric, exact_bisection=None))
            assert "closed form" not in computed.method
            assert computed.low <= exact * (1 + 1e-9)
            assert exact <= computed.high * (1 + 1e-9)


@st.composite
def connected(draw):
    """A random connected fabric with switches, both ways or one way only, and unequal capacities."""
    n = draw(st.integers(3, 7))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    graph = nx.DiGraph() if draw(st.booleans()) else nx.Graph()
    graph.add_nodes_from(range(n))
    for i in range(n):
        graph.add_edge(i, (i + 1) % n)
    for _ in range(draw(st.integers(0, n))):
        u, v = rng.choice(n, 2, replace=False).tolist()
        graph.add_edge(u, v)
    for u, v in graph.edges:
        graph.edges[u, v].update(bandwidth=float(rng.integers(1, 5)), latency=float(rng.integers(0, 3)))
    kinds = ["switch" if i >= 2 and rng.random() < 0.3 else "gpu" for i in range(n)]
    nx.set_node_attributes(graph, dict(enumerate(kinds)), "kind")
    return Fabric.from_graph(graph, endpoints_forward=True)


@settings(max_examples=40)
@given(connected())
def test_bisection_bounds_hold_on_any_graph(fabric):
    exact, found = naive.bisection(fabric), bisection(fabric)
    assert found.low <= exact * (1 + 1e-9)
    assert exact <= found.high * (1 + 1e-9)


@pytest.mark.parametrize("fabric", [torus((8, 8)), fat_tree(8), leaf_spine(8, 8, 4)], ids=repr)
def test_bisection_is_found_again_without_the_closed_form(fabric):
    found = bisection(dataclasses.replace(fabric, exact_bisection=None))
    assert found.low <= fabric.exact_bisection * (1 + 1e-9)
    assert found.high == pytest.approx(fabric.exact_bisection)


def test_bisection_of_a_big_fabric_is_an_interval():
    fabric = dataclasses.replace(torus((64, 64), bandwidth=1.0), exact_bisection=None)
    found = bisection(fabric)
    assert found.low == pytest.approx(128.0)
    assert found.high == 128.0
    assert found.method.startswith("all-to-all that fits <= bisection <= best cut found")
    tree = dataclasses.replace(fat_tree(24, bandwidth=1.0), exact_bisection=None)
    assert 0 < bisection(tree).low <= bisection(tree).high == 24**3 / 8


def test_bisection_of_a_big_random_graph(monkeypatch):
    graph = nx.random_regular_graph(8, 2200, seed=1)
    found = bisection(Fabric.from_graph(graph, bandwidth=1.0))
    assert found.method.startswith("lambda_2 N/4 <= bisection")
    low = np.sort(np.linalg.eigvalsh(nx.laplacian_matrix(graph).toarray().astype(float)))[1] * 2200 / 4
    assert low * 0.999 <= found.low <= low * (1 + 1e-9)
    monkeypatch.setitem(sys.modules, "pymetis", None)
    without = bisection(Fabric.from_graph(graph, bandwidth=1.0))
    assert "install pymetis for better" in without.method
    assert found.low == without.low
    assert found.low < found.high <= without.high


def test_no_spectral_bound_where_directions_differ():
    graph = nx.DiGraph(nx.cycle_graph(6))
    graph.remove_edge(0, 1)
    assert spectral_bound(Fabric.from_graph(graph)) == 0.0
    assert spectral_bound(fat_tree(4)) == 0.0


def test_bisection_of_one_endpoint_is_nothing():
    assert bisection(single_switch(1)) == Bisection(0.0, 0.0, "one endpoint")
    assert bisection(torus((1, 1))) == Bisection(0.0, 0.0, "one endpoint")


def check_hops(fabric):
    expected, found = naive.endpoint_hops(fabric), hops(fabric)
    pairs = fabric.ranks * (fabric.ranks - 1)
    assert found.exact
    assert found.unreachable * max(pairs, 1) == pytest.approx(expected.pop(None, 0), abs=1e-9)
    counts = np.zeros(max(expected, default=0) + 1)
    for distance, count in expected.items():
        counts[distance] = count
    np.testing.assert_allclose(found.counts * max(pairs, 1), counts, atol=1e-9)
    assert found.diameter == max(expected, default=0)
    if expected:
        total = sum(distance * count for distance, count in expected.items())
        assert found.mean == pytest.approx(total / sum(expected.values()))
    relayed = naive.endpoint_hops(dataclasses.replace(fabric, endpoints_forward=True))
    relayed.pop(None, None)
    assert hop_sum(fabric, fabric.ranks) == pytest.approx(sum(d * n for d, n in relayed.items()))


@every
def test_hops(fabric):
    check_hops(fabric)
    check_hops(dataclasses.replace(fabric, structure=None))


@pytest.mark.parametrize(
    "fabric",
    [
        single_switch(1),
        torus((1, 1)),
        torus((5, 4, 3)),
        mesh((2, 3, 4)),
        fat_tree(4, levels=4, oversubscription=2),
        Fabric.from_graph(nx.empty_graph(3)),
        Fabric.from_graph(nx.disjoint_union(nx.cycle_graph(4), nx.cycle_graph(3))),
        Fabric.from_graph(nx.DiGraph([(0, 1), (1, 2)])),
        Fabric.from_graph(nx.path_graph(3), endpoints_forward=False),
    ],
    ids=repr,
)
def test_hops_of_odd_cases(fabric):
    check_hops(fabric)


def test_hops_of_many_endpoints_come_from_a_sample():
    ring = dataclasses.replace(torus(5000), structure=None)
    found = hops(ring)
    assert not found.exact
    assert found.diameter == 2500
    assert found.mean == pytest.approx(2500 * 2500 / 4999)


@given(connected(), st.integers(1, 7))
def test_hop_sum_of_some_ranks(fabric, ranks):
    ranks = min(ranks, fabric.ranks)
    nodes = fabric.endpoints[:ranks].tolist()
    expected = sum(naive.distances(fabric, u)[v] for u in nodes for v in nodes)
    assert hop_sum(fabric, ranks) == pytest.approx(expected)


@given(connected())
def test_latencies(fabric):
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(fabric.kind)))
    columns = (fabric.link_source, fabric.link_target, fabric.latency)
    graph.add_weighted_edges_from(zip(*(column.tolist() for column in columns), strict=True))
    found = latencies_from(fabric, np.arange(fabric.ranks))
    for rank, node in enumerate(fabric.endpoints.tolist()):
        expected = nx.single_source_dijkstra_path_length(graph, node)
        assert found[rank].tolist() == [expected[e] for e in fabric.endpoints.tolist()]


def test_latencies_do_not_pass_through_endpoints_that_do_not_forward():
    line = Fabric.from_graph(nx.path_graph(3), latency=1.0, endpoints_forward=False)
    assert latencies_from(line, np.array([0, 1])).tolist() == [[0.0, 1.0, np.inf], [1.0, 0.0, 1.0]]


def test_metrics_as_a_dictionary():
    fabric = fat_tree(4, bandwidth=2.0)
    found = metrics(fabric)
    assert found.bisection_per_endpoint == (2.0, 2.0)
    assert found.to_dict() == {
        "endpoints": 16,
        "switches": 20,
        "circuit_switches": 0,
        "cables": 48,
        "links": 96,
        "injection_B_per_s": 2.0,
        "diameter_hops": 6,
        "mean_hops": pytest.approx((1 * 2 + 2 * 4 + 12 * 6) / 15),
        "hops_exact": True,
        "bisection_low_B_per_s": 16.0,
        "bisection_high_B_per_s": 16.0,
        "bisection_per_endpoint_low_B_per_s": 2.0,
        "bisection_per_endpoint_high_B_per_s": 2.0,
        "bisection_method": "closed form",
    }
    assert single_switch(1).ranks == 1
    assert metrics(single_switch(1)).bisection_per_endpoint == (0.0, 0.0)


UNCONNECTED = [
    (Fabric.from_graph(nx.disjoint_union(nx.cycle_graph(4), nx.cycle_graph(4)), bandwidth=1.0), 0.0),
    (Fabric.from_graph(nx.disjoint_union(nx.path_graph(1), nx.cycle_graph(3)), bandwidth=1.0), 2.0),
    (Fabric.from_graph(nx.empty_graph(3)), 0.0),
    (Fabric.from_graph(nx.DiGraph([(0, 1)]), bandwidth=1.0), 0.0),
    (Fabric.from_graph(nx.path_graph(3), bandwidth=1.0, endpoints_forward=False), 1.0),
]


@pytest.mark.parametrize(("fabric", "exact"), UNCONNECTED, ids=repr)
def test_bisection_where_not_all_pairs_are_connected(fabric, exact):
    assert naive.bisection(fabric) == exact
    found = bisection(fabric)
    assert found.low <= exact <= found.high


@pytest.mark.parametrize("fabric", [torus((3, 5)), torus((7, 3, 2))], ids=repr)
def test_nothing_is_unreachable_in_a_torus(fabric):
    assert hops(fabric).unreachable == 0.0
