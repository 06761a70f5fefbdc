"""Fabrics from NetworkX graphs of every kind, and every fault that a graph can have, all at once."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive
from topo_sim.base import FaultsError
from topo_sim.topo import Fabric, route


def links_of(fabric):
    ends = zip(fabric.link_source.tolist(), fabric.link_target.tolist(), strict=True)
    return [fabric.link_name(i).split("->") for i, _ in enumerate(ends)]


class TestKindsOfGraph:
    def test_graph(self):
        fabric = Fabric.from_graph(nx.Graph([("a", "b"), ("b", "c")]))
        assert fabric.names == ("a", "b", "c")
        assert links_of(fabric) == [["a", "b"], ["b", "a"], ["b", "c"], ["c", "b"]]
        assert fabric.cables == 2
        assert fabric.name == "graph"

    def test_digraph(self):
        fabric = Fabric.from_graph(nx.DiGraph([(0, 1), (1, 2), (2, 1)], name="mine"))
        assert links_of(fabric) == [["0", "1"], ["1", "2"], ["2", "1"]]
        assert fabric.cables == 2
        assert fabric.name == "mine"

    def test_multigraph(self):
        fabric = Fabric.from_graph(nx.MultiGraph([(0, 1), (0, 1), (1, 0)]))
        assert (fabric.links, fabric.cables) == (6, 3)

    def test_multidigraph(self):
        fabric = Fabric.from_graph(nx.MultiDiGraph([(0, 1), (0, 1), (1, 0), (2, 1)]))
        assert (fabric.links, fabric.cables) == (4, 3)

    @given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
    def test_any_of_them_comes_back_as_it_was(self, seed, directed, parallel):
        rng = np.random.default_rng(seed)
        make = {(False, False): nx.Graph, (False, True): nx.MultiGraph, (True, False): nx.DiGraph}
        graph = make.get((directed, parallel), nx.MultiDiGraph)()
        graph.add_nodes_from(
            (f"n{i}", {"kind": ["gpu", "switch"][int(rng.integers(2))]}) for i in range(1, 6)
        )
        graph.add_node("n0")
        for _ in range(8):
            u, v = rng.choice(6, 2, replace=False)
            graph.add_edge(
                f"n{u}", f"n{v}", bandwidth=float(rng.integers(1, 9)), latency=float(rng.integers(2))
            )
        fabric = Fabric.from_graph(graph)
        expected = []
        for u, v, data in graph.edges(data=True):
            ways = [(u, v)] if directed else [(u, v), (v, u)]
            expected += [(*way, data["bandwidth"], data["latency"], "unspecified") for way in ways]
        assert naive.link_multiset(fabric) == sorted(expected)
        assert naive.link_multiset(Fabric.from_graph(fabric.graph)) == sorted(expected)
        gpus = [n for n, kind in graph.nodes(data="kind", default="gpu") if kind == "gpu"]
        assert [fabric.names[e] for e in fabric.endpoints] == gpus


class TestAttributes:
    def test_defaults(self):
        fabric = Fabric.from_graph(nx.path_graph(2))
        assert fabric.capacity.tolist() == [50e9, 50e9]
        assert fabric.latency.tolist() == pytest.approx([500e-9, 500e-9], rel=1e-15)
        assert fabric.media == ("unspecified",)
        assert fabric.routing == "ecmp_split"
        assert fabric.family == "graph"

    def test_given_defaults_yield_to_the_edges(self):
        graph = nx.path_graph(3)
        graph.edges[0, 1].update(bandwidth="400 Gb/s", latency="1 us", medium="cpo")
        fabric = Fabric.from_graph(graph, name="x", bandwidth="1 GB/s", latency=0, routing="ecmp")
        assert fabric.capacity.tolist() == [50e9, 50e9, 1e9, 1e9]
        assert fabric.latency.tolist() == [1e-6, 1e-6, 0.0, 0.0]
        assert [fabric.media[m] for m in fabric.medium] == ["cpo", "cpo", "unspecified", "unspecified"]
        assert (fabric.name, fabric.routing) == ("x", "ecmp")

    def test_numpy_numbers_are_numbers(self):
        graph = nx.path_graph(2)
        graph.edges[0, 1].update(bandwidth=np.int64(5), latency=np.float32(0.5))
        fabric = Fabric.from_graph(graph)
        assert (fabric.capacity[0], fabric.latency[0]) == (5.0, 0.5)

    @pytest.mark.parametrize(
        ("kinds", "forward"),
        [
            (["gpu", "gpu", "switch"], True),
            (["gpu", "switch", "gpu"], False),
            (["switch", "gpu", "switch"], False),
        ],
    )
    def test_endpoints_forward_where_they_are_joined_directly(self, kinds, forward):
        graph = nx.path_graph(3)
        nx.set_node_attributes(graph, dict(enumerate(kinds)), "kind")
        assert Fabric.from_graph(graph).endpoints_forward is forward
        assert Fabric.from_graph(graph, endpoints_forward=not forward).endpoints_forward is not forward

    def test_no_link_at_all(self):
        fabric = Fabric.from_graph(nx.empty_graph(2))
        assert (fabric.ranks, fabric.links, fabric.cables, fabric.media) == (2, 0, 0, ())


def switched_star(circuits, arms=4, make=nx.Graph, **attributes):
    graph = make()
    graph.add_nodes_from(range(arms))
    graph.add_node("ocs", kind="ocs", circuits=circuits)
    for i in range(arms):
        graph.add_edge(i, "ocs", **attributes)
    return graph


class TestCircuits:
    def test_become_links(self):
        graph = switched_star([(0, 1), (1, 2), (2, 0)], latency=1e-6)
        graph.edges[2, "ocs"].update(bandwidth=7.0, latency=3e-6)
        fabric = Fabric.from_graph(graph)
        assert links_of(fabric) == [["0", "1"], ["1", "2"], ["2", "0"]]
        assert fabric.capacity.tolist() == [50e9, 7.0, 7.0]
        assert fabric.latency.tolist() == pytest.approx([2e-6, 4e-6, 4e-6])
        assert (fabric.cables, fabric.circuit_switches, fabric.switches) == (4, 1, 0)
        assert fabric.endpoints_forward
        assert [fabric.link_name(i) for i in route(fabric, [0], [2])[0]] == ["0->1", "1->2"]

    def test_one_port_per_fibre(self):
        two = switched_star([(0, 1), (0, 2)], make=nx.MultiGraph)
        two.add_edge(0, "ocs")
        assert links_of(Fabric.from_graph(two)) == [["0", "1"], ["0", "2"]]
        with pytest.raises(FaultsError) as caught:
            Fabric.from_graph(switched_star([(0, 1), (0, 2), (3, 1)]))
        assert caught.value.faults == (
            "node ocs: circuits[1]: 0 has no free transmit port on ocs",
            "node ocs: circuits[2]: 1 has no free receive port on ocs",
        )

    def test_directed_fibres(self):
        graph = nx.DiGraph([(0, "ocs"), ("ocs", 1)])
        graph.add_node("ocs", kind="ocs", circuits=[(0, 1)])
        assert links_of(Fabric.from_graph(graph)) == [["0", "1"]]
        graph.nodes["ocs"]["circuits"] = [(1, 0)]
        with pytest.raises(FaultsError, match="1 has no free transmit port on ocs"):
            Fabric.from_graph(graph)

    def test_none_set(self):
        assert Fabric.from_graph(switched_star([])).links == 0
        graph = switched_star([])
        del graph.nodes["ocs"]["circuits"]
        assert Fabric.from_graph(graph).links == 0

    @pytest.mark.parametrize(
        ("circuits", "message"),
        [
            ("01", "node ocs: circuits: found '01', expected a list of"),
            ({0: 1}, "expected a list of"),
            ([(0, 0)], r"circuits\[0\]: found \(0, 0\), expected a pair \[from, to\] of different nodes"),
            ([(0,)], "expected a pair"),
            ([0], "expected a pair"),
            ([(0, 9)], r"circuits\[0\]: no node 9: choose from"),
            ([(0, "ocs")], "ocs has no free receive port on ocs"),
        ],
    )
    def test_bad(self, circuits, message):
        with pytest.raises(FaultsError, match=message):
            Fabric.from_graph(switched_star(circuits))

    def test_two_circuit_switches_in_a_row(self):
        graph = switched_star([])
        graph.add_node("more", kind="ocs")
        graph.add_edge("ocs", "more")
        with pytest.raises(FaultsError, match="link ocs - more: joins two circuit switches"):
            Fabric.from_graph(graph)


class TestFaults:
    def test_are_listed_all_at_once(self):
        graph = nx.MultiGraph()
        graph.add_node("a", kind="gpus")
        graph.add_node("b", kind=3)
        graph.add_edge("a", "a")
        graph.add_edge("a", "b", bandwidth="1 s", latency=-1.0)
        graph.add_edge("a", "b", bandwidth=0)
        with pytest.raises(FaultsError) as caught:
            Fabric.from_graph(graph, bandwidth="fast", latency=float("nan"))
        found = caught.value.faults
        expected = [
            "node a: kind: unknown kind 'gpus': did you mean \"gpu\"?",
            "node b: kind: unknown kind 3: choose from gpu, ocs, switch",
            'bandwidth: "fast" is no quantity',
            "latency: nan is not finite",
            "link a - a: joins a node to itself, expected two different nodes",
            'link a - b: bandwidth: "1 s" is a time, expected a rate',
            "link a - b: latency: found -1.0, expected a time of 0 or more",
            "link a - b: bandwidth: found 0, expected a rate of more than 0",
        ]
        assert len(found) == len(expected)
        for fault, start in zip(found, expected, strict=True):
            assert fault.startswith(start)

    @pytest.mark.parametrize("value", [0, -1, np.inf, np.nan, "", None, True, "1 m", [1]])
    def test_bandwidth(self, value):
        with pytest.raises(FaultsError, match=r"^link 0 - 1: bandwidth: "):
            Fabric.from_graph(nx.Graph([(0, 1, {"bandwidth": value})]))

    @pytest.mark.parametrize("graph", [nx.Graph(), nx.Graph([(0, 1)])])
    def test_no_endpoint(self, graph):
        nx.set_node_attributes(graph, "switch", "kind")
        with pytest.raises(FaultsError, match="nodes: no endpoint"):
            Fabric.from_graph(graph)

    @pytest.mark.parametrize("graph", [None, [(0, 1)], "graph", {0: [1]}])
    def test_no_graph(self, graph):
        with pytest.raises(FaultsError, match="expected a networkx graph"):
            Fabric.from_graph(graph)


def test_a_circuit_of_lists():
    with pytest.raises(FaultsError, match="circuits"):
        Fabric.from_graph(switched_star([[[0], 1]]))
