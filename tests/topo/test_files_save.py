"""Saving topologies and fabrics loses nothing, whatever is in them."""

import json
import os
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from topo_sim.base import FaultsError
from topo_sim.topo import Fabric, circuit_switched, fat_tree, full_mesh, grouped, single_switch, torus
from topo_sim.topo.files import list_shipped, load_fabric, load_topology, save_fabric, save_topology

ARRAYS = ("kind", "endpoints", "link_source", "link_target", "capacity", "latency")


def write(folder, fabric, name="a.yaml", **more):
    path = folder / name
    path.write_text(yaml.safe_dump({"topo_sim": 1, **more, "fabric": fabric}), encoding="utf-8")
    return path


def media(fabric):
    return [fabric.media[m] for m in fabric.medium.tolist()]


def assert_same(one, other):
    for array in ARRAYS:
        assert np.array_equal(getattr(one, array), getattr(other, array)), array
    assert media(one) == media(other)
    assert one.names == other.names
    assert (one.name, one.cables, one.routing) == (other.name, other.cables, other.routing)
    assert one.endpoints_forward == other.endpoints_forward


@pytest.mark.parametrize("suffix", [".yaml", ".yml", ".json"])
@pytest.mark.parametrize("name", list_shipped())
def test_shipped_files_survive_saving(tmp_path, name, suffix):
    topology = load_topology(name)
    save_topology(topology, tmp_path / f"copy{suffix}")
    again = load_topology(tmp_path / f"copy{suffix}")
    assert again.document == topology.document
    assert again.written == topology.written
    assert_same(again.fabric, topology.fabric)
    save_fabric(topology.fabric, tmp_path / f"fabric{suffix}")
    assert_same(load_fabric(tmp_path / f"fabric{suffix}"), topology.fabric)


RATES = st.sampled_from(["50 GB/s", "400 Gb/s", "1e9", 12.5e9, 10**9, 1e300, 1e-3]) | st.floats(1e-9, 1e18)
TIMES = st.sampled_from(["500 ns", "1.2 us", 0, 3e-7]) | st.floats(0, 10)
SCALARS = st.sampled_from(
    ["010", "1e9", "on", "no", "1:30", "null", "~", "0x10", "a: b", "- x", "é ✓", "'", "1_0"]
)
OPTIONS = st.fixed_dictionaries({}, optional={"bandwidth": RATES, "latency": TIMES, "medium": SCALARS})
TEXTS = SCALARS | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SINGLE = st.one_of(
    st.builds(
        lambda d: {"generator": "torus", "dims": d}, st.lists(st.integers(1, 4), min_size=1, max_size=3)
    ),
    st.builds(lambda k: {"generator": "fat_tree", "k": 2 * k}, st.integers(1, 3)),
    st.builds(
        lambda n, p: {"generator": "single_switch", "endpoints": n, "planes": p},
        st.just(8),
        st.integers(1, 3),
    ),
    st.builds(
        lambda n, s: {"generator": "circuit_switched", "endpoints": n, "seed": s},
        st.just(8),
        st.integers(0, 9),
    ),
)
BOTH = st.builds(lambda spec, options: spec | options, SINGLE, OPTIONS)
EIGHT = st.builds(
    lambda options, n: {"generator": "full_mesh", "endpoints": n} | options, OPTIONS, st.just(8)
)
GROUPED = st.builds(
    lambda inside, between: {
        "generator": "grouped",
        "groups": 1,
        "size": 8,
        "inside": inside,
        "between": between,
    },
    EIGHT,
    EIGHT,
)
NODES = [{"name": "g", "count": 3}, {"name": "s", "kind": "switch"}, {"name": "t", "kind": "switch"}]
LINK = st.builds(
    lambda ends, options, count: {"source": ends[0], "target": ends[1], **options, "count": count},
    st.sampled_from([("g0", "s"), ("s", "g1"), ("t", "s"), ("g2", "t"), ("g0", "t"), ("g1", "g2")]),
    OPTIONS,
    st.integers(1, 3),
)
STAR = [{"source": f"g{i}", "target": "s", "medium": "star"} for i in range(3)]
EXPLICIT = st.builds(
    lambda links, back: {"nodes": NODES, "links": STAR + links + back},
    st.lists(LINK, max_size=5, unique_by=lambda link: (link["source"], link["target"])),
    st.lists(st.just({"source": "t", "target": "s", "directed": True}), max_size=1),
)
DOCUMENTS = st.fixed_dictionaries(
    {"topo_sim": st.just(1), "fabric": BOTH | GROUPED | EXPLICIT},
    optional={
        "name": SCALARS,
        "description": TEXTS,
        "source": TEXTS,
        "routing": st.sampled_from(["ecmp", "shortest"]),
        "endpoint_is": st.just({"h100_equivalents": 0.25}),
    },
)


@given(DOCUMENTS, st.sampled_from([".yaml", ".json"]))
def test_any_document_survives_saving(tmp_path_factory, document, suffix):
    folder = tmp_path_factory.getbasetemp()
    first, second, third = (folder / f"{n}{suffix}" for n in ("first", "second", "third"))
    (folder / "first.json").write_text(json.dumps(document), encoding="utf-8")
    topology = load_topology(folder / "first.json")
    save_topology(topology, first)
    save_topology(load_topology(first), second)
    again = load_topology(second)
    assert first.read_bytes() == second.read_bytes()
    assert again.document == topology.document
    assert_same(again.fabric, topology.fabric)
    save_fabric(topology.fabric, third)
    assert_same(load_fabric(third), topology.fabric)


def test_quantities_keep_their_text(tmp_path):
    path = tmp_path / "t.yaml"
    save_fabric(torus((4,), bandwidth="0.4 Tb/s", latency="1500 ps"), path)
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert written["fabric"] == {
        "generator": "torus",
        "dims": [4],
        "bandwidth": "0.4 Tb/s",
        "latency": "1500 ps",
    }


def test_fabrics_given_as_parts_are_saved_as_generators(tmp_path):
    fabric = grouped(4, 4, inside=full_mesh(4, bandwidth="1 GB/s"), between=fat_tree(4, latency="2 us"))
    save_fabric(fabric, tmp_path / "g.yaml")
    again = load_fabric(tmp_path / "g.yaml")
    assert again.family == "grouped"
    assert_same(again, fabric)


def test_fabrics_of_graphs_are_saved_by_nodes_and_links(tmp_path):
    graph = nx.MultiGraph(name="net")
    graph.add_node("s", kind="switch")
    graph.add_edges_from([(0, "s"), ("s", 1), (0, 1), (0, 1)], bandwidth=1e9 / 3)
    graph.add_edge(0, 1, bandwidth="7 Gb/s")
    fabric = Fabric.from_graph(graph, routing="shortest")
    save_fabric(fabric, tmp_path / "g.json")
    again = load_fabric(tmp_path / "g.json")
    assert_same(again, fabric)
    mixed = grouped(1, 2, inside=fabric, between=single_switch(2))
    save_fabric(mixed, tmp_path / "m.yaml")
    assert sorted(load_fabric(tmp_path / "m.yaml").capacity) == sorted(mixed.capacity)


def test_fabrics_with_circuits_are_saved(tmp_path):
    made = circuit_switched(6, 3, light_paths="random_regular", seed=1)
    save_fabric(made, tmp_path / "generated.yaml")
    assert_same(load_fabric(tmp_path / "generated.yaml"), made)
    fabric = Fabric.from_graph(made.graph, name="graph")
    save_fabric(fabric, tmp_path / "graph.yaml")
    assert_same(load_fabric(tmp_path / "graph.yaml"), fabric)


def test_directed_graphs_are_saved(tmp_path):
    graph = nx.DiGraph([(0, 1), (1, 2), (2, 0), (0, 2)])
    fabric = Fabric.from_graph(graph)
    save_fabric(fabric, tmp_path / "d.yaml")
    assert_same(load_fabric(tmp_path / "d.yaml"), fabric)


def test_a_changed_generated_fabric_is_not_saved_as_its_generator(tmp_path):
    fabric = torus((4,))
    slower = replace(fabric, capacity=fabric.capacity / 2)
    save_fabric(slower, tmp_path / "slower.yaml")
    again = load_fabric(tmp_path / "slower.yaml")
    assert again.family == "graph"
    assert sorted(again.capacity) == sorted(slower.capacity)


def test_names_that_text_cannot_tell_apart_are_refused():
    with pytest.raises(FaultsError, match='found 2 nodes named "1"'):
        Fabric.from_graph(nx.Graph([(1, "1")]))


def test_bandwidth_that_a_graph_left_to_its_caller_is_saved(tmp_path):
    graph = nx.Graph([(0, "o"), ("o", 1)])
    graph.nodes["o"].update(kind="ocs", circuits=[(0, 1), (1, 0)])
    fabric = Fabric.from_graph(graph, bandwidth=7)
    save_fabric(fabric, tmp_path / "a.yaml")
    assert_same(load_fabric(tmp_path / "a.yaml"), fabric)


def test_graph_files_are_found_after_saving_elsewhere(tmp_path):
    nx.write_graphml(nx.cycle_graph(3), tmp_path / "g.graphml")
    topology = load_topology(write(tmp_path, {"graph": "g.graphml"}))
    (tmp_path / "sub").mkdir()
    save_topology(topology, tmp_path / "sub" / "a.yaml")
    assert_same(load_fabric(tmp_path / "sub" / "a.yaml"), topology.fabric)
    save_topology(topology, tmp_path / "b.yaml")
    assert load_topology(tmp_path / "b.yaml").document == topology.document


def test_saving_replaces_in_one_step_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a.yaml"
    path.write_text("before", encoding="utf-8")
    with pytest.raises(FaultsError, match=r"expected \.yaml"):
        save_fabric(torus((4,)), tmp_path / "a.txt")
    with pytest.raises(FaultsError, match="cannot be written"):
        save_fabric(torus((4,)), tmp_path / "none" / "a.yaml")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(FaultsError, match="No space left"):
        save_fabric(torus((4,)), path)
    assert path.read_text(encoding="utf-8") == "before"
    assert os.listdir(tmp_path) == ["a.yaml"]


@pytest.mark.parametrize(
    "text", ["\x85", "a\u2028b", "\ufeff", "\t", "\r\n", "a\n\nb \n", " ", "\x00", "\x7f", "😀"]
)
def test_every_character_survives_saving(tmp_path, text):
    (tmp_path / "a.json").write_text(
        json.dumps({"topo_sim": 1, "description": text, "fabric": {"generator": "torus"}}), encoding="utf-8"
    )
    save_topology(load_topology(tmp_path / "a.json"), tmp_path / "b.yaml")
    assert load_topology(tmp_path / "b.yaml").description == text


def test_yaml_1_1_readers_see_the_same_text(tmp_path):
    fabric = torus((4,), medium="1e9")
    save_fabric(fabric, tmp_path / "a.yaml")
    assert yaml.safe_load((tmp_path / "a.yaml").read_text(encoding="utf-8"))["fabric"]["medium"] == "1e9"
    assert load_fabric(tmp_path / "a.yaml").media == ("1e9",)
