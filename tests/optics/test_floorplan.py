"""Floor plans and cables, against a slow twin that places one node at a time."""

import networkx as nx
import numpy as np
import pytest

from topo_sim.base import UsageError
from topo_sim.optics import load_optics
from topo_sim.optics.cabling import lay_cables, link_latencies
from topo_sim.optics.floorplan import FloorPlan, stand
from topo_sim.topo import Fabric, circuit_switched, fat_tree, leaf_spine, single_switch, torus

PLAN = FloorPlan(endpoints_per_rack=4, racks_per_row=3, rows_per_hall=2, hall_gap="30 m")


def endpoint_place(rank, plan):
    rack = rank // plan.endpoints_per_rack
    row = rack // plan.racks_per_row
    hall = row // plan.rows_per_hall
    return rack % plan.racks_per_row * 0.6, row * 2.4 + hall * 30.0


def slow_length(a, b):
    if a == b:
        return 1.5
    return (abs(a[0] - b[0]) + abs(a[1] - b[1]) + 4.0) * 1.1


def slow_places(fabric, plan):
    """Endpoints by rank, then one level of switches after the other at lower medians."""
    place = {int(node): endpoint_place(rank, plan) for rank, node in enumerate(fabric.endpoints)}
    near = {node: [] for node in range(len(fabric.kind))}
    for a, b in zip(fabric.link_source.tolist(), fabric.link_target.tolist(), strict=True):
        near[a].append(b)
        near[b].append(a)
    while len(place) < len(fabric.kind):
        new = {}
        for node in set(near) - set(place):
            known = [place[other] for other in near[node] if other in place]
            if known:
                middle = (len(known) - 1) // 2
                new[node] = tuple(sorted(axis)[middle] for axis in zip(*known, strict=True))
        place |= new
    return place


@pytest.mark.parametrize(
    "fabric",
    [fat_tree(4), leaf_spine(6, 5, 3), torus((4, 8)), single_switch(30, planes=2)],
    ids=lambda f: f.name,
)
def test_lengths_against_the_slow_twin(fabric):
    place = slow_places(fabric, PLAN)
    found = lay_cables(fabric, PLAN).length
    ends = zip(fabric.link_source.tolist(), fabric.link_target.tolist(), strict=True)
    assert found == pytest.approx([slow_length(place[a], place[b]) for a, b in ends])


def test_a_switch_of_one_rack_stands_in_it_and_a_core_in_the_middle():
    fabric = leaf_spine(4, 4, 1)
    floor = stand(fabric, FloorPlan(endpoints_per_rack=4, racks_per_row=4))
    leaves = floor.x[16:20].round(6).tolist()
    assert leaves == [0.0, 0.6, 1.2, 1.8]
    assert floor.x[20] == pytest.approx(0.6)


def test_a_median_is_the_best_place():
    """No other rack makes the cables of a switch shorter in sum."""
    fabric = single_switch(24)
    plan = FloorPlan(endpoints_per_rack=2, racks_per_row=4)
    floor = stand(fabric, plan)
    way = [
        (np.abs(floor.x[:24] - x) + np.abs(floor.y[:24] - y)).sum()
        for x, y in {(a, b) for a in floor.x for b in floor.y}
    ]
    mine = (np.abs(floor.x[:24] - floor.x[24]) + np.abs(floor.y[:24] - floor.y[24])).sum()
    assert mine == pytest.approx(min(way))


def test_light_paths_are_two_fibres():
    fabric = circuit_switched(24, 3)
    cabling = lay_cables(fabric, PLAN)
    place = [endpoint_place(rank, PLAN) for rank in range(24)]
    centre = tuple(sorted(axis)[11] for axis in zip(*place, strict=True))
    ends = zip(fabric.link_source.tolist(), fabric.link_target.tolist(), strict=True)
    expected = [slow_length(place[a], centre) + slow_length(centre, place[b]) for a, b in ends]
    assert cabling.length == pytest.approx(expected)
    assert cabling.fibres == {24: 24, 25: 24, 26: 24}
    assert cabling.fibre_media == {"cpo": 72}
    assert sorted(set(cabling.circuit.tolist())) == [24, 25, 26]


def test_circuits_beside_cables_of_the_same_ends():
    graph = nx.MultiGraph()
    graph.add_nodes_from(["a", "b"], kind="gpu")
    graph.add_node("o", kind="ocs", circuits=[("a", "b"), ("b", "a")])
    graph.add_edge("a", "b", medium="copper")
    graph.add_edges_from([("a", "o"), ("b", "o")], medium="cpo")
    fabric = Fabric.from_graph(graph)
    cabling = lay_cables(fabric)
    media = [fabric.media[i] for i in fabric.medium]
    assert [(m, c >= 0) for m, c in zip(media, cabling.circuit, strict=True)] == [
        ("copper", False), ("copper", False), ("cpo", True), ("cpo", True),
    ]  # fmt: skip
    assert cabling.fibres == {2: 2}
    assert np.isnan(cabling.length).all()


def test_fibres_of_one_way_take_a_port_in_pairs():
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(["a", "b"], kind="gpu")
    graph.add_node("o", kind="ocs", circuits=[("a", "b"), ("b", "a")])
    graph.add_edges_from([("a", "o"), ("o", "a"), ("b", "o"), ("o", "b")], medium="cpo")
    assert lay_cables(Fabric.from_graph(graph)).fibres == {2: 2}


def test_a_switch_joined_to_nothing_has_no_place():
    graph = nx.Graph()
    graph.add_nodes_from([("a", {"kind": "gpu"}), ("b", {"kind": "gpu"}), ("s", {"kind": "switch"})])
    graph.add_edge("a", "b")
    with pytest.raises(UsageError, match="joined to nothing"):
        stand(Fabric.from_graph(graph), PLAN)


@pytest.mark.parametrize("level", ["low", "typical", "high"])
def test_latencies_are_those_of_the_medium(level):
    graph = nx.Graph()
    graph.add_nodes_from("abcd", kind="gpu")
    for (a, b), medium in zip(("ab", "bc", "cd"), ("copper", "cpo", "string"), strict=True):
        graph.add_edge(a, b, medium=medium)
    fabric, media = Fabric.from_graph(graph), load_optics().media
    length = lay_cables(fabric, PLAN).length
    found = link_latencies(fabric, length, media, level)
    for link, latency in enumerate(found.tolist()):
        name = fabric.media[fabric.medium[link]]
        if name == "string":
            assert np.isnan(latency)
        else:
            assert latency == pytest.approx(media[name].latency(float(length[link]), level))
