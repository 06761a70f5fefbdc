"""The fabric itself: it cannot change, says what it is, checks ranks, and is cheap to hold."""

import dataclasses
import subprocess
import sys

import networkx as nx
import numpy as np
import pytest

import naive
from topo_sim.base import UsageError
from topo_sim.topo import (
    Fabric,
    circuit_switched,
    fat_tree,
    full_mesh,
    grouped,
    leaf_spine,
    mesh,
    rotor,
    single_switch,
    torus,
)
from topo_sim.topo.fabric import csr_by

ARRAYS = ("kind", "endpoints", "link_source", "link_target", "capacity", "latency", "medium")


@pytest.mark.parametrize("fabric", [torus((3, 2)), Fabric.from_graph(nx.path_graph(3))], ids=repr)
class TestImmutable:
    @pytest.mark.parametrize("attribute", ARRAYS)
    def test_arrays(self, fabric, attribute):
        with pytest.raises(ValueError, match="read-only"):
            getattr(fabric, attribute)[0] = 1

    def test_attributes(self, fabric):
        with pytest.raises(dataclasses.FrozenInstanceError):
            fabric.name = "other"

    def test_graph(self, fabric):
        graph = fabric.graph
        size = len(graph)
        graph.add_node("new")
        for node in list(graph):
            graph.nodes[node]["kind"] = "changed"
        assert len(fabric.graph) == size
        assert "changed" not in {kind for _, kind in fabric.graph.nodes(data="kind")}


def test_keeps_copies_of_arrays():
    capacity = np.ones(2)
    fabric = dataclasses.replace(torus(2), capacity=capacity)
    capacity[:] = 7.0
    assert fabric.capacity.tolist() == [1.0, 1.0]


def test_keeps_a_copy_of_the_graph():
    graph = nx.cycle_graph(4)
    fabric = Fabric.from_graph(graph)
    graph.remove_node(0)
    assert len(fabric.graph) == len(fabric.names) == 4


@pytest.mark.parametrize(
    ("fabric", "text"),
    [
        (torus((4, 2)), "<Fabric torus(dims=(4, 2)): 8 endpoints, 0 switches, 12 cables>"),
        (fat_tree(), "<Fabric fat_tree(): 16 endpoints, 20 switches, 48 cables>"),
        (
            circuit_switched(4, 2),
            "<Fabric circuit_switched(endpoints=4, ports=2): "
            "4 endpoints, 0 switches, 2 circuit switches, 8 cables>",
        ),
        (Fabric.from_graph(nx.cycle_graph(3), name="r"), "<Fabric r: 3 endpoints, 0 switches, 3 cables>"),
    ],
)
def test_repr(fabric, text):
    assert repr(fabric) == text


@pytest.mark.parametrize(
    "fabric",
    [
        fat_tree(4, bandwidth=[1e9, 2e9, 3e9], latency=1e-6),
        fat_tree(6, oversubscription=3, levels=2),
        fat_tree(down=(3, 2), up=(2, 3)),
        leaf_spine(3, 2, 2, trunk=2, uplink_bandwidth="100 GB/s"),
        torus((4, 3, 2)),
        torus((1, 5)),
        mesh((3, 4), medium="cpo"),
        full_mesh(5),
        single_switch(5, planes=3),
        circuit_switched(9, 4),
        circuit_switched(2, 3),
        circuit_switched(8, 3, light_paths="random_regular", seed=4),
        circuit_switched(6, light_paths=[[(0, 1), (2, 5)], [(4, 3)], []]),
        rotor(6, 2),
        rotor(2, 1),
        grouped(3, 2),
        grouped(4, 1, forward=False),
        grouped(2, 4, inside={"generator": "torus", "dims": 4}, between={"generator": "circuit_switched"}),
        grouped(
            2,
            4,
            inside={"generator": "single_switch", "medium": "pcb"},
            between={"generator": "fat_tree", "down": (4, 2), "up": (1, 2)},
            attach="block",
        ),
    ],
    ids=repr,
)
def test_graph_round_trip(fabric):
    again = Fabric.from_graph(fabric.graph)
    assert naive.link_multiset(again) == naive.link_multiset(fabric)
    assert again.name == fabric.name
    assert again.cables == fabric.cables
    assert again.names == fabric.names
    assert again.kind.tolist() == fabric.kind.tolist()
    assert again.endpoints.tolist() == fabric.endpoints.tolist()
    assert again.endpoints_forward == fabric.endpoints_forward


@pytest.mark.parametrize(
    "fabric", [fat_tree(4), torus((3, 4)), circuit_switched(8, 3), grouped(3, 3)], ids=repr
)
def test_adjacency_lists_every_link_once_and_in_order(fabric):
    for (indptr, links), ends in (
        (fabric.out_links, fabric.link_source),
        (fabric.in_links, fabric.link_target),
    ):
        assert sorted(links.tolist()) == list(range(fabric.links))
        for node in range(len(fabric.kind)):
            mine = links[indptr[node] : indptr[node + 1]].tolist()
            assert mine == np.flatnonzero(ends == node).tolist()


def test_csr_by_an_empty_key():
    indptr, indices = csr_by(np.zeros(0, np.int64), 3)
    assert indptr.tolist() == [0, 0, 0, 0]
    assert indices.size == 0


def test_who_forwards():
    assert fat_tree(4).forwards.tolist() == [False] * 16 + [True] * 20
    assert torus(3).forwards.all()
    switched = circuit_switched(4, 2)
    assert switched.forwards.tolist() == [True] * 4 + [False] * 2


def test_link_name():
    fabric = fat_tree(4)
    assert fabric.link_name(0) == "gpu0->edge0"
    assert fabric.link_name(fabric.links - 1) == "core3->aggregation7"


class TestRankArray:
    @pytest.mark.parametrize("good", [0, [0, 3], [], np.array([3], np.uint8), (1, 1)])
    def test_accepts(self, good):
        found = torus(4).rank_array(good)
        assert found.dtype == np.int64
        assert found.tolist() == np.atleast_1d(good).tolist()

    @pytest.mark.parametrize(
        ("bad", "message"),
        [
            ([4], r"who: found rank 4, torus\(dims=4\) has ranks 0 to 3"),
            ([0, -1], "found rank -1"),
            ([0.0], "found float64 values, expected integer ranks"),
            ([True], "found bool values"),
            (["a"], "expected integer ranks"),
            ([[0, 1]], r"found an array of shape \(1, 2\), expected one dimension"),
            ([np.nan], "found float64"),
        ],
    )
    def test_refuses(self, bad, message):
        with pytest.raises(UsageError, match=message):
            torus(4).rank_array(bad, "who")


BIG = """
import sys, tracemalloc
from topo_sim.topo import fat_tree
tracemalloc.start()
fabric = fat_tree(64)
peak = tracemalloc.get_traced_memory()[1]
assert (fabric.ranks, fabric.switches, fabric.cables) == (65536, 5120, 196608)
assert "networkx" not in sys.modules
print(peak)
"""


def test_a_big_fabric_is_cheap_and_needs_no_networkx():
    answer = subprocess.run([sys.executable, "-c", BIG], capture_output=True, text=True, check=True)
    assert int(answer.stdout) < 200e6


def test_adjacency_is_read_only():
    fabric = torus(3)
    assert not any(array.flags.writeable for pair in (fabric.out_links, fabric.in_links) for array in pair)
