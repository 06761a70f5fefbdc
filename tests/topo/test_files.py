"""Topology files: what ships, the three forms, parameters, connectivity and the published schema."""

import json
import subprocess
import sys
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from topo_sim.base import FaultsError
from topo_sim.topo import (
    GENERATORS,
    Fabric,
    torus,
)
from topo_sim.topo.files import (
    list_shipped,
    load_fabric,
    load_topology,
    validate_file,
)
from topo_sim.topo.files.connect import connected_by_construction, find_unreachable
from topo_sim.topo.files.models import document_model
from topo_sim.topo.files.schema import json_schema

ROOT = Path(__file__).parents[2]
ARRAYS = ("kind", "endpoints", "link_source", "link_target", "capacity", "latency")
EQUAL_COMPUTE = (
    "superpod-h100-64",
    "lite-grouped",
    "lite-flat-switch",
    "lite-fat-tree",
    "lite-torus",
    "lite-circuits",
)


def write(folder, fabric, name="a.yaml", **more):
    path = folder / name
    path.write_text(yaml.safe_dump({"topo_sim": 1, **more, "fabric": fabric}), encoding="utf-8")
    return path


def media(fabric):
    return [fabric.media[m] for m in fabric.medium.tolist()]


# What ships


def test_everything_that_ships_is_listed():
    assert list_shipped() == sorted(path.stem for path in (ROOT / "topologies").glob("*.yaml"))
    assert {*EQUAL_COMPUTE, "dgx-h100", "tpu-v4-4x4x4", "polaris-8"} <= set(list_shipped())


@pytest.mark.parametrize("name", list_shipped())
def test_shipped_files_are_valid_and_say_where_they_are_from(name):
    topology = load_topology(name)
    assert validate_file(name) == []
    assert topology.name == topology.fabric.name == name
    assert topology.description
    assert topology.source
    assert find_unreachable(topology.fabric) is None
    assert (ROOT / "topologies" / f"{name}.yaml").read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("name", EQUAL_COMPUTE)
def test_the_compared_fabrics_have_equal_compute_and_injection(name):
    topology = load_topology(name)
    fabric = topology.fabric
    assert fabric.ranks * topology.h100_equivalents == 64
    out = np.bincount(fabric.link_source, weights=fabric.capacity, minlength=len(fabric.kind))[
        fabric.endpoints
    ]
    share = 450e9 * topology.h100_equivalents
    nic = {"superpod-h100-64": 50e9, "lite-grouped": 12.5e9}.get(name, 0.0)
    assert out == pytest.approx(np.full(fabric.ranks, share + nic))


def test_the_fat_tree_uses_sixteen_ports_and_loses_nothing():
    fabric = load_fabric("lite-fat-tree")
    ports = np.bincount(fabric.link_source, minlength=len(fabric.kind))[fabric.kind == 1]
    assert ports.max() == 16
    assert fabric.exact_bisection == pytest.approx(128 * 112.5e9)


def test_real_machines_have_the_bandwidth_of_their_makers():
    dgx, polaris, cube = (load_fabric(name) for name in ("dgx-h100", "polaris-8", "tpu-v4-4x4x4"))
    assert np.bincount(dgx.link_source, weights=dgx.capacity)[dgx.endpoints].tolist() == [450e9] * 8
    assert np.bincount(dgx.link_source)[dgx.kind == 1].tolist() == [40, 40, 32, 32]
    assert (
        np.bincount(polaris.link_source, weights=polaris.capacity)[polaris.endpoints].tolist() == [325e9] * 8
    )
    assert not polaris.endpoints_forward
    assert cube.exact_bisection == 2 * 16 * 50e9


def test_loading_what_a_generator_makes_needs_no_graph_library():
    code = (
        "import sys; from topo_sim.topo.files import load_fabric; load_fabric('lite-torus'); "
        "assert 'networkx' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Parameters


def test_parameters_by_keyword_and_by_suffix():
    base, keyword = load_topology("lite-torus"), load_topology("lite-torus", rate="225 GB/s")
    suffix = load_topology("lite-torus@rate=225 GB/s")
    assert keyword.name == suffix.name == "lite-torus@rate=225 GB/s"
    assert keyword.parameters == {"rate": "225 GB/s"}
    assert keyword.document == suffix.document != base.document
    assert np.array_equal(keyword.fabric.capacity, suffix.fabric.capacity)
    assert np.allclose(keyword.fabric.capacity, 2 * base.fabric.capacity)


def test_parameters_of_every_type_reach_every_depth(tmp_path):
    fabric = {
        "generator": "grouped",
        "groups": "$groups",
        "size": 4,
        "forward": "$forward",
        "inside": {"generator": "torus", "dims": "$dims", "bandwidth": "$rate"},
        "between": {"generator": "fat_tree", "down": [4, "$top"], "up": [1, 2]},
    }
    values = {"groups": 4, "forward": True, "dims": [2, 2], "rate": 1e9, "top": 4}
    path = write(tmp_path, fabric, parameters=values)
    assert load_fabric(path).ranks == 16
    changed = load_topology(f"{path}@groups=2, dims=[4], top=2,rate=2e9,forward=false")
    assert changed.fabric.ranks == 8
    assert not changed.fabric.endpoints_forward
    assert changed.name == "a@groups=2,dims=[4],top=2,rate=2000000000.0,forward=false"
    assert load_topology(f"{path}@{changed.name.partition('@')[2]}").document == changed.document


def test_paths_may_hold_the_suffix_sign(tmp_path):
    folder = tmp_path / "user@rate=3"
    folder.mkdir()
    fabric = {"generator": "torus", "dims": [4], "bandwidth": "$rate"}
    path = write(folder, fabric, parameters={"rate": 1})
    assert load_topology(str(path)).parameters == {"rate": 1}
    assert load_topology(f"{path}@rate=5").parameters == {"rate": 5}
    assert load_topology(path, rate=7).parameters == {"rate": 7}


def test_a_file_goes_before_a_shipped_name_and_a_folder_does_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lite-torus").mkdir()
    assert load_fabric("lite-torus").ranks == 256
    write(tmp_path, {"generator": "torus", "dims": [4]}, name="dgx-h100")
    assert load_fabric("dgx-h100").ranks == 4


# The three forms


def test_a_generated_fabric_equals_the_call(tmp_path):
    loaded = load_fabric(write(tmp_path, {"generator": "torus", "dims": [4, 2], "latency": "1 us"}))
    made = torus([4, 2], latency="1 us")
    assert all(np.array_equal(getattr(loaded, a), getattr(made, a)) for a in ARRAYS)
    assert loaded.structure == made.structure
    assert loaded.parameters == made.parameters
    assert loaded.name == "a"


@pytest.mark.parametrize("name", sorted(GENERATORS))
def test_every_generator_has_a_form_with_its_defaults(tmp_path, name):
    assert load_fabric(write(tmp_path, {"generator": name})).family == name


def test_a_new_generator_is_a_new_form(monkeypatch):
    def ring(endpoints: int = 4, *, lengths: list[float] | None = None) -> Fabric:
        return torus(endpoints)

    monkeypatch.setitem(GENERATORS._entries, "ring", ring)
    fabric = {"generator": "ring", "lengths": [1.5]}
    assert document_model().model_validate({"topo_sim": 1, "fabric": fabric}).fabric.lengths == [1.5]


def test_an_explicit_fabric_of_counts_defaults_and_directions(tmp_path):
    fabric = {
        "bandwidth": "8 Gb/s",
        "medium": "copper",
        "nodes": [{"name": "g", "count": 2}, {"name": "s", "kind": "switch"}],
        "links": [
            {"source": "g0", "target": "s", "count": 3},
            {"source": "g1", "target": "s", "directed": True, "latency": 2e-6, "medium": "cpo"},
            {"source": "s", "target": "g1", "directed": True, "bandwidth": 5},
        ],
    }
    loaded = load_fabric(write(tmp_path, fabric, routing="shortest"))
    rows = [
        (loaded.link_name(i), float(loaded.capacity[i]), float(loaded.latency[i]), media(loaded)[i])
        for i in range(loaded.links)
    ]
    assert sorted(rows) == sorted(
        [("g0->s", 1e9, 5e-7, "copper")] * 3
        + [("s->g0", 1e9, 5e-7, "copper")] * 3
        + [("g1->s", 1e9, 2e-6, "cpo"), ("s->g1", 5.0, 5e-7, "copper")]
    )
    assert loaded.cables == 4
    assert loaded.routing == "shortest"
    assert not loaded.endpoints_forward


def test_circuits_become_links(tmp_path):
    ring = [["g0", "g1"], ["g1", "g2"], ["g2", "g0"]]
    fabric = {
        "nodes": [{"name": "g", "count": 3}, {"name": "o", "kind": "ocs", "circuits": ring}],
        "links": [{"source": f"g{i}", "target": "o", "latency": "100 ns"} for i in range(3)],
        "endpoints_forward": True,
    }
    loaded = load_fabric(write(tmp_path, fabric))
    assert [loaded.link_name(i) for i in range(3)] == ["g0->g1", "g1->g2", "g2->g0"]
    assert np.allclose(loaded.latency, 2e-7)


@pytest.mark.parametrize("key", ["edges", "links"])
def test_node_link_json_under_either_key(tmp_path, key):
    graph = nx.cycle_graph(4)
    nx.set_edge_attributes(graph, "400 Gb/s", "bandwidth")
    graph.add_node("s", kind="switch", colour="red")
    graph.add_edge(0, "s", weight=3)
    data = nx.node_link_data(graph, edges=key)
    (tmp_path / "g.json").write_text(json.dumps(data), encoding="utf-8")
    loaded = load_fabric(
        write(tmp_path, {"graph": "g.json", "bandwidth": "1 GB/s", "endpoints_forward": True})
    )
    assert loaded.ranks == 4
    assert sorted(set(loaded.capacity.tolist())) == [1e9, 50e9]
    assert loaded.names == ("0", "1", "2", "3", "s")


def test_node_link_multigraph_keeps_parallel_and_directed_edges(tmp_path):
    graph = nx.MultiDiGraph([(0, 1), (0, 1), (1, 0)])
    (tmp_path / "g.json").write_text(json.dumps(nx.node_link_data(graph, edges="edges")), encoding="utf-8")
    loaded = load_fabric(write(tmp_path, {"graph": "g.json"}))
    assert sorted(loaded.link_name(i) for i in range(3)) == ["0->1", "0->1", "1->0"]


@pytest.mark.parametrize("kind", [nx.MultiGraph, nx.DiGraph])
def test_graphml(tmp_path, kind):
    graph = kind()
    graph.add_nodes_from(["a", "b"])
    graph.add_node("s", kind="switch")
    both = [("a", "s"), ("b", "s")] + ([("s", "a"), ("s", "b")] if graph.is_directed() else [("a", "s")])
    graph.add_edges_from(both, bandwidth=2e9, latency="1 us", medium="cpo")
    nx.write_graphml(graph, tmp_path / "g.graphml")
    loaded = load_fabric(write(tmp_path, {"graph": "g.graphml"}))
    assert loaded.links == (4 if graph.is_directed() else 6)
    assert set(media(loaded)) == {"cpo"}
    assert set(loaded.capacity.tolist()) == {2e9}


# Connectivity


@given(st.integers(2, 7), st.data())
def test_unreachable_endpoints_are_found_as_by_searching_from_each(n, data):
    pairs = st.tuples(st.integers(0, n + 1), st.integers(0, n + 1)).filter(lambda pair: pair[0] != pair[1])
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n), kind="gpu")
    graph.add_nodes_from((n, n + 1), kind="switch")
    graph.add_edges_from(data.draw(st.lists(pairs, max_size=4 * n)))
    fabric = Fabric.from_graph(graph, endpoints_forward=data.draw(st.booleans()))

    def reached(source):
        seen, ahead = {source}, [source]
        while ahead:
            node = ahead.pop()
            if node == source or fabric.forwards[node]:
                ahead += [v for v in graph[node] if v not in seen]
                seen |= set(graph[node])
        return seen

    missing = {s: set(range(n)) - reached(s) for s in range(n)}
    found = find_unreachable(fabric)
    if found is None:
        assert not any(missing.values())
    else:
        source, target, count = found
        assert target in missing[source]
        assert count == len(missing[source])


def test_an_endpoint_that_shares_its_neighbours_with_one_that_it_does_not_reach():
    graph = nx.DiGraph()
    graph.add_nodes_from((0, 1))
    graph.add_node(2, kind="switch")
    graph.add_edges_from([(0, 2), (1, 2), (2, 1)])
    assert find_unreachable(Fabric.from_graph(graph, endpoints_forward=True)) == (1, 0, 1)


@pytest.mark.parametrize("name", sorted(GENERATORS))
def test_fabrics_connected_by_construction_are_connected(name):
    fabric = GENERATORS[name]()
    assert connected_by_construction(fabric)
    assert find_unreachable(fabric) is None


# Schema and reference


def test_the_published_schema_is_current():
    published = (ROOT / "docs" / "topology.schema.json").read_text(encoding="utf-8")
    assert json.loads(published) == json_schema()
    module = [sys.executable, "-W", "error", "-m", "topo_sim.topo.files.schema"]
    assert subprocess.run(module, check=True, capture_output=True, text=True).stdout == published


def test_the_schema_has_every_generator_and_allows_references():
    schema = json_schema()
    assert set(GENERATORS) <= set(schema["$defs"])
    dims = schema["$defs"]["torus"]["properties"]["dims"]
    assert {"$ref": "#/$defs/reference"} in dims["anyOf" if "anyOf" in dims else "oneOf"]
    assert dims["description"].startswith("Length of each axis")


def documented():
    text = (ROOT / "docs" / "topology-files.md").read_text(encoding="utf-8")
    return [block.partition("```")[0] for block in text.split("```yaml\n")[1:]]


@pytest.mark.parametrize("block", documented())
def test_examples_of_the_reference_load(tmp_path, block):
    nx.write_graphml(nx.cycle_graph(4), tmp_path / "cluster.graphml")
    path = tmp_path / "example.yaml"
    path.write_text(block if block.startswith("topo_sim") else f"topo_sim: 1\n{block}", encoding="utf-8")
    assert validate_file(path) == []


@pytest.mark.parametrize("reference", [3, None, b"lite-torus", ["lite-torus"]])
def test_a_reference_that_is_no_text(reference):
    with pytest.raises(FaultsError, match="expected a path or a name as text"):
        load_fabric(reference)


def test_the_generators_faults_are_told_beside_an_unknown_key(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("topo_sim: 1\nfabric: {generator: torus, dims: [4, -1], bandwith: 3 GB/s}\n")
    with pytest.raises(FaultsError) as caught:
        load_fabric(path)
    assert len(caught.value.faults) == 2
    assert "fabric.bandwith: unknown key" in str(caught.value)
    assert "fabric.dims: found -1" in str(caught.value)
