"""Lower bounds: known values, which cut is named, and that they hold whatever the partition."""

import dataclasses

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive
from topo_sim.base import CollectiveError, RoutingError, UsageError
from topo_sim.collectives import COLLECTIVES
from topo_sim.collectives.bounds import LowerBound, lower_bound
from topo_sim.topo import (
    Fabric,
    circuit_switched,
    fat_tree,
    full_mesh,
    grouped,
    leaf_spine,
    load_fabric,
    single_switch,
    torus,
)


def bound(name, fabric, ranks=None, **options):
    return lower_bound(COLLECTIVES[name], fabric, ranks, **options)


class TestOneSwitch:
    @pytest.mark.parametrize("p", [2, 3, 4, 7, 16])
    def test_matches_the_textbook(self, p):
        fabric = single_switch(p, bandwidth=1.0, latency=0)
        part = (p - 1) / p
        expected = {
            "all_reduce": 2 * part,
            "reduce_scatter": part,
            "all_gather": part,
            "broadcast": 1.0,
            "all_to_all": part,
            "reduce": 1.0,
            "all_to_all_v": part,
            "send_recv": 1.0,
            "barrier": 0.0,
        }
        assert {name: bound(name, fabric).time(1.0) for name in COLLECTIVES} == pytest.approx(expected)

    def test_more_endpoints_than_ranks_change_nothing(self):
        for name in COLLECTIVES:
            few = bound(name, single_switch(4, bandwidth=1.0))
            assert bound(name, single_switch(9, bandwidth=1.0), 4) == few

    def test_planes_add_up(self):
        fabric = single_switch(4, planes=3, bandwidth=1.0, latency=0)
        assert bound("all_reduce", fabric).time(1.0) == pytest.approx(0.5)


class TestCuts:
    def test_shared_ports_of_a_node(self):
        """Four GPUs share two ports of 25 GB/s: half of an all-to-all leaves the node, 2n over 50 GB/s."""
        fabric = load_fabric("polaris-8")
        assert bound("all_to_all", fabric).pace == pytest.approx(2 / 50e9)
        assert bound("all_gather", fabric).pace == pytest.approx(0.5 / 50e9)
        assert bound("all_reduce", fabric).pace == pytest.approx(1 / 50e9)

    def test_two_nodes_of_eight(self):
        """Two servers of 8 GPUs with a slow port each: all-gather's exact optimum is known."""
        fabric = grouped(
            2,
            8,
            inside={"generator": "single_switch", "bandwidth": 300.0, "latency": 0},
            between={"generator": "single_switch", "bandwidth": 25.0, "latency": 0},
        )
        # ForestColl: algbw 346.667 = 16 * 325 / 15, all but one GPU against the last one.
        assert 1 / bound("all_gather", fabric).pace == pytest.approx(16 * 325 / 15)

    @pytest.mark.parametrize(("side", "algbw"), [(4, 64 / 15), (6, 4 * 36 / 35)])
    def test_all_gather_on_a_torus(self, side, algbw):
        fabric = torus((side, side), bandwidth=1.0, latency=0)
        assert 1 / bound("all_gather", fabric).pace == pytest.approx(algbw)
        assert 1 / bound("all_reduce", fabric).pace == pytest.approx(algbw / 2)

    @pytest.mark.parametrize(("k", "axes"), [(4, 1), (4, 2), (4, 3), (6, 2), (8, 2), (5, 2), (7, 1)])
    def test_all_to_all_on_a_cubic_torus(self, k, axes):
        fabric = torus((k,) * axes, bandwidth=1.0, latency=0)
        effective = k if k % 2 == 0 else (k * k - 1) / k
        # One byte per pair.
        assert bound("all_to_all", fabric).time(k**axes) == pytest.approx(k**axes * effective / 8)

    def test_all_to_all_on_a_long_torus_is_held_by_its_long_axis(self):
        found = bound("all_to_all", torus((4, 4, 8), bandwidth=1.0, latency=0))
        # theta = 0.9922 sent by each of 128 nodes.
        assert found.time(128) == pytest.approx(127 / 0.9921875)
        assert found.reason == "half cut across axis 2"

    def test_subtrees_of_a_tapered_tree(self):
        fabric = fat_tree(4, oversubscription=[1, 2], bandwidth=1.0, latency=0)
        found = bound("all_to_all", fabric)
        # A pod: 4 endpoints to 12 others over 2 uplinks.
        assert found.reason == "uplinks of a subtree of tier 2"
        assert found.pace == pytest.approx(4 * 12 / 16 / 2)

    def test_groups_joined_faster_inside(self):
        graph = nx.Graph()
        for g in range(3):
            members = [(g, i) for i in range(4)]
            graph.add_edges_from((u, v, {"bandwidth": 100.0}) for u in members for v in members if u < v)
            graph.add_edge((g, 0), ((g + 1) % 3, 0), bandwidth=1.0)
        found = bound("all_reduce", Fabric.from_graph(graph))
        assert found.reason == "links between groups joined faster inside"
        # All-reduce among three takes 2 * (3 - 1) vectors sent, over the six links between the groups.
        assert found.pace == pytest.approx(4 / 6)
        # In an all-gather a group of 4 has to send its third over two links, but take in two thirds.
        assert bound("all_gather", Fabric.from_graph(graph)).pace == pytest.approx(2 / 3 / 2)

    def test_switch_uplinks_without_structure(self):
        fabric = dataclasses.replace(leaf_spine(2, 4, 1, bandwidth=1.0), structure=None)
        found = bound("all_to_all", fabric)
        assert found.reason == "uplinks of a switch"
        assert found.pace == pytest.approx(4 * 4 / 8)
        assert found.pace == bound("all_to_all", leaf_spine(2, 4, 1, bandwidth=1.0)).pace

    def test_all_links_together(self):
        found = bound("all_to_all", circuit_switched(16, 2, bandwidth=1.0))
        assert found.reason == "all links together, over shortest paths"
        assert found.pace == pytest.approx(16 * 64 / 16 / 32)

    def test_broadcast_has_to_leave_the_root_and_reach_everyone(self):
        line = nx.DiGraph()
        for u, v, rate in ((0, 1, 4.0), (1, 2, 2.0), (2, 0, 1.0)):
            line.add_edge(u, v, bandwidth=rate)
        # Into rank 1 at 4, into rank 2 at 2; the link back to the root matters to nobody.
        assert bound("broadcast", Fabric.from_graph(line)).pace == pytest.approx(0.5)


class TestLatency:
    def test_farthest_pair_and_first_message(self):
        fabric = torus((4, 4), bandwidth=1.0, latency=1.0)
        found = bound("all_reduce", fabric)
        assert (found.latency, found.first) == (4.0, 1.0)
        assert (found.time(0.0), found.tight(0.0)) == (4.0, "latency of the farthest pair")
        assert found.time(1e6) == pytest.approx(1.0 + 1e6 * 15 / 32)
        assert found.tight(1e6) != "latency of the farthest pair"

    def test_one_rank_is_what_binds_one_rank(self):
        fabric = single_switch(4, latency=1e-6)
        assert lower_bound("all_reduce", fabric, 1).tight(1e6) == "one rank"
        assert lower_bound("all_reduce", fabric, 1).tight(0.0) == "one rank"
        # No latency, no bytes: still the pair, for a group with something to say.
        assert bound("all_reduce", single_switch(4, latency=0)).tight(0.0) == "latency of the farthest pair"

    def test_overhead_counts_once(self):
        fabric = single_switch(4, latency=1.0)
        assert bound("all_reduce", fabric, overhead=0.5).latency == 2.5
        assert bound("all_reduce", fabric, overhead=0.5).first == 2.5

    def test_broadcast_starts_at_rank_0(self):
        graph = nx.path_graph(4)
        nx.set_edge_attributes(graph, 1.0, "latency")
        graph.edges[2, 3]["latency"] = 5.0
        relabelled = nx.relabel_nodes(graph, {0: "b", 1: "a", 2: "c", 3: "d"})
        ordered = nx.Graph()
        ordered.add_nodes_from("abcd")
        ordered.add_edges_from(relabelled.edges(data=True))
        fabric = Fabric.from_graph(ordered)
        assert bound("broadcast", fabric).latency == 6.0
        assert bound("all_reduce", fabric).latency == 7.0

    def test_may_take_a_longer_way_that_is_quicker(self):
        graph = nx.cycle_graph(3)
        nx.set_edge_attributes(graph, 1.0, "latency")
        graph.edges[0, 2]["latency"] = 9.0
        assert bound("all_reduce", Fabric.from_graph(graph)).latency == 2.0

    def test_one_rank(self):
        assert bound("all_reduce", full_mesh(4), 1) == LowerBound(0.0, 0.0, 0.0, "one rank")
        assert bound("all_reduce", single_switch(1)).time(1e9) == 0.0


def test_unreachable_ranks():
    fabric = Fabric.from_graph(nx.DiGraph([(0, 1), (1, 2)]), name="oneway")
    with pytest.raises(RoutingError, match="oneway: no path for 1 -> 0"):
        bound("all_reduce", fabric)
    # Only the root has to be heard.
    assert bound("broadcast", fabric).pace > 0


@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(COLLECTIVES)))
def test_no_cut_holds_more_than_the_worst_of_all_cuts(seed, name):
    """The cuts that are tried are some of all cuts: enumerate the rest."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 6))
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from((i, (i + 1) % n) for i in range(n))
    graph.add_edges_from(rng.choice(n, 2, replace=False).tolist() for _ in range(n))
    for _, _, data in graph.edges(data=True):
        data.update(bandwidth=float(rng.integers(1, 4)), latency=0.0)
    fabric = Fabric.from_graph(graph)
    collective = COLLECTIVES[name]
    worst = 0.0
    for mask in range(1, 2**n - 1):
        inside = np.array([mask >> i & 1 for i in range(n)], dtype=bool)
        out = fabric.capacity[inside[fabric.link_source] & ~inside[fabric.link_target]].sum()
        leaves = collective.leaves(np.array([float(inside.sum())]), n, inside[:1])[0]
        worst = max(worst, leaves / out)
    ports = collective.sent(n) / fabric.capacity.sum()
    if name == "all_reduce":  # parts of any partition, as if each were one rank
        for label in np.ndindex(*[n] * n):
            label, parts = np.array(label), len(set(label))
            across = label[fabric.link_source] != label[fabric.link_target]
            if parts > 1:
                worst = max(worst, collective.sent(parts) / fabric.capacity[across].sum())
    hops = sum(d * count for d, count in naive.endpoint_hops(fabric).items())
    distance = hops / n / fabric.capacity.sum() if name == "all_to_all" else 0.0
    assert bound(name, fabric).pace <= max(worst, ports, distance) * (1 + 1e-12)


@pytest.mark.parametrize(
    "arguments", [{"ranks": 5}, {"ranks": 0}, {"ranks": -1}, {"ranks": 2.5}, {"overhead": float("nan")}]
)
def test_bad_arguments(arguments):
    with pytest.raises((CollectiveError, UsageError)):
        lower_bound(COLLECTIVES["all_reduce"], single_switch(4), **arguments)
