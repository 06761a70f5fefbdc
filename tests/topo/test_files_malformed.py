"""No file, however broken, does anything but list its faults, each with its place."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topo_malformed_cases import MALFORMED
from topo_sim.base import FaultsError
from topo_sim.base.files import reading
from topo_sim.topo.files import load_topology, validate_file

LINE = re.compile(r"[^\s:]+(:\d+)?: \S.*?: \S.*")


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content)
    return path


def test_ids_are_unique_and_many():
    assert len({case[0] for case in MALFORMED}) == len(MALFORMED) >= 80


@pytest.mark.parametrize(
    ("name", "content", "fragment"), [c[1:] for c in MALFORMED], ids=[c[0] for c in MALFORMED]
)
def test_every_malformed_file_is_refused_by_its_faults(tmp_path, monkeypatch, name, content, fragment):
    write(tmp_path, name, content)
    monkeypatch.chdir(tmp_path)
    faults = validate_file(name)
    assert faults
    for fault in faults:
        assert LINE.fullmatch(fault), fault
        assert re.match(rf"{re.escape(name)}(:\d+)?: ", fault), fault
        assert fault.isprintable()
        assert len(fault) < 800
    assert any(fragment in fault for fault in faults), faults
    with pytest.raises(FaultsError):
        load_topology(name)


YAML_ONLY = [case[1:] for case in MALFORMED if case[1].endswith(".yaml") and len(case[2]) < 2**20]


@pytest.mark.parametrize(("name", "content", "fragment"), YAML_ONLY)
def test_the_parser_in_python_refuses_the_same(tmp_path, monkeypatch, name, content, fragment):
    monkeypatch.setattr(reading, "_LibyamlParser", object)
    faults = validate_file(write(tmp_path, name, content))
    assert any(fragment in fault for fault in faults), faults


GRAPHML = '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">{}</graphml>'
EDGE = '<graph edgedefault="undirected"><node id="a"/><node id="b"/>{}</graph>'.replace(
    "{}", '<edge source="a" target="{}">{}</edge>'
)
LAUGHS = '<!DOCTYPE l [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;">]>'

GRAPHS = [
    ("graphml_broken", "g.graphml", "<graphml><graph>", "expected valid XML"),
    ("graphml_empty", "g.graphml", "", "expected valid XML"),
    ("graphml_entities", "g.graphml", LAUGHS + GRAPHML.format("&b;"), "found a document type or entity"),
    (
        "graphml_external",
        "g.graphml",
        '<!DOCTYPE g SYSTEM "x.dtd">' + GRAPHML.format(""),
        "found a document type",
    ),
    ("graphml_no_graph", "g.graphml", GRAPHML.format(""), "found 0 graphs"),
    ("graphml_two_graphs", "g.graphml", GRAPHML.format("<graph/><graph/>"), "found 2 graphs"),
    ("graphml_deep", "g.graphml", "<a>" * 5000, "levels of nesting"),
    (
        "graphml_node_twice",
        "g.graphml",
        GRAPHML.format('<graph><node id="a"/><node id="a"/></graph>'),
        "again",
    ),
    ("graphml_dangling", "g.graphml", GRAPHML.format(EDGE.format("c", "")), 'edge a - c.target: found "c"'),
    ("graphml_loop", "g.graphml", GRAPHML.format(EDGE.format("a", "")), "at both ends"),
    (
        "graphml_unknown_data",
        "g.graphml",
        GRAPHML.format(EDGE.format("b", '<data key="k">1</data>')),
        "GraphML",
    ),
    (
        "graphml_hyperedge",
        "g.graphml",
        GRAPHML.format('<graph edgedefault="undirected"><hyperedge/></graph>'),
        "hyper",
    ),
    (
        "graphml_rate",
        "g.graphml",
        GRAPHML.format(
            '<key id="k" for="edge" attr.name="bandwidth" attr.type="string"/>'
            + EDGE.format("b", '<data key="k">400 Gb</data>')
        ),
        'edge a - b.bandwidth: "400 Gb" is a size',
    ),
    (
        "graphml_integer",
        "g.graphml",
        GRAPHML.format(
            '<key id="k" for="edge" attr.name="bandwidth" attr.type="int"/>'
            + EDGE.format("b", f'<data key="k">{"9" * 5000}</data>')
        ),
        "expected valid GraphML",
    ),
    (
        "graphml_near_miss",
        "g.graphml",
        GRAPHML.format(
            '<key id="k" for="edge" attr.name="bandwith" attr.type="int"/>'
            + EDGE.format("b", '<data key="k">1</data>')
        ),
        'unknown key "bandwith": did you mean "bandwidth"?',
    ),
    ("node_link_list", "g.json", "[]", "expected a mapping with nodes and edges"),
    ("node_link_empty", "g.json", "", "expected valid JSON"),
    (
        "node_link_no_edges",
        "g.json",
        '{"nodes": [{"id": 0}]}',
        'missing, expected a list of edges under "edges"',
    ),
    (
        "node_link_both",
        "g.json",
        '{"nodes": [{"id": 0}], "edges": [], "links": []}',
        "found both edges and links",
    ),
    ("node_link_no_nodes", "g.json", '{"edges": []}', "nodes: missing"),
    ("node_link_nodes", "g.json", '{"nodes": {}, "edges": []}', "nodes: found a mapping, expected a list"),
    ("node_link_node", "g.json", '{"nodes": [1], "edges": []}', "nodes[0]: found 1, expected a mapping"),
    ("node_link_no_id", "g.json", '{"nodes": [{}], "edges": []}', "nodes[0].id: missing"),
    ("node_link_bad_id", "g.json", '{"nodes": [{"id": true}], "edges": []}', "nodes[0].id: found true"),
    (
        "node_link_same_id",
        "g.json",
        '{"nodes": [{"id": 1}, {"id": "1"}], "edges": []}',
        'found "1" as in nodes[0]',
    ),
    (
        "node_link_no_end",
        "g.json",
        '{"nodes": [{"id": 0}], "links": [{"source": 0}]}',
        "links[0].target: missing",
    ),
    (
        "node_link_dangling",
        "g.json",
        '{"nodes": [{"id": 0}], "links": [{"source": 0, "target": 1}]}',
        'links[0].target: found "1"',
    ),
    (
        "node_link_twice",
        "g.json",
        '{"nodes": [{"id": 0}, {"id": 1}], "links": [%s, %s]}' % (('{"source": 0, "target": 1}',) * 2),
        "expected it once",
    ),
    (
        "node_link_rate",
        "g.json",
        '{"nodes": [{"id": 0}, {"id": 1}], "edges": [{"source": 0, "target": 1, "bandwidth": NaN}]}',
        "edges[0].bandwidth",
    ),
    ("node_link_flag", "g.json", '{"nodes": [{"id": 0}], "edges": [], "directed": 1}', "directed: found 1"),
    ("node_link_kind", "g.json", '{"nodes": [{"id": 0, "kind": 3}], "edges": []}', "nodes[0].kind: found 3"),
    (
        "node_link_disconnected",
        "g.json",
        '{"nodes": [{"id": 0}, {"id": 1}], "edges": []}',
        "no path from 0 to 1",
    ),
]


@pytest.mark.parametrize(("name", "content", "fragment"), [c[1:] for c in GRAPHS], ids=[c[0] for c in GRAPHS])
def test_every_malformed_graph_is_refused_by_its_faults(tmp_path, monkeypatch, name, content, fragment):
    write(tmp_path, name, content.encode())
    write(tmp_path, "a.yaml", f"topo_sim: 1\nfabric: {{graph: {name}}}\n".encode())
    monkeypatch.chdir(tmp_path)
    faults = validate_file("a.yaml")
    assert any(fragment in fault for fault in faults), faults
    assert all(LINE.fullmatch(fault) and fault.startswith(("a.yaml", name)) for fault in faults), faults


@pytest.mark.parametrize(
    ("reference", "fragment"),
    [
        ("lite-tours", 'did you mean "lite-torus"'),
        ("no/such/file.yaml", "no such file"),
        ("", "no such file"),
        ("a\0b", "no such file"),
        ("x" * 5000, "no such file"),
        (".", "cannot be read"),
        ("lite-torus@rat=1 GB/s", 'unknown parameter "rat": did you mean "rate"?'),
        ("lite-torus@rate=1 GB/s,rate=2 GB/s", "given twice"),
        ("lite-torus@rate=", "found nothing"),
        ("lite-torus@rate=[1, 2", '"[1, 2" is no quantity'),
        ("lite-torus@rate=400 Gb", "is a size"),
        ("lite-torus@rate={a: 1}", "found a mapping"),
        ("lite-torus@rate", "no such file"),
        ("dgx-h100@rate=1", 'unknown parameter "rate": there is none'),
    ],
)
def test_bad_references_are_refused(reference, fragment):
    faults = validate_file(reference)
    assert any(fragment in fault for fault in faults), faults


def test_unreadable_file(tmp_path, monkeypatch):
    path = write(tmp_path, "a.yaml", b"topo_sim: 1\n")
    monkeypatch.setattr(
        "pathlib.Path.open", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied"))
    )
    assert "cannot be read: Permission denied" in validate_file(path)[0]


def test_a_flood_of_faults_is_cut_short(tmp_path):
    nodes = ", ".join("{nam: x}" for _ in range(500))
    faults = validate_file(
        write(tmp_path, "a.yaml", f"topo_sim: 1\nfabric: {{nodes: [{nodes}], links: []}}".encode())
    )
    assert len(faults) == 101
    assert "900 more faults" in faults[-1]


def test_all_faults_of_a_file_come_at_once(tmp_path, monkeypatch):
    content = b"""\
topo_sim: 1
nmae: both
routing: ecpm
fabric:
  nodes:
    - {name: a, kind: gpu}
    - {name: b, knd: gpu}
  links:
    - {source: a, target: b, bandwidth: 400 Gb}
    - {source: a, target: b, bandwidth: 50 GB/s, bandwidth: 60 GB/s}
"""
    write(tmp_path, "a.yaml", content)
    monkeypatch.chdir(tmp_path)
    assert sorted(fault.split(": ")[:2] for fault in validate_file("a.yaml")) == [
        ["a.yaml:10", "fabric.links[1].bandwidth"],
        ["a.yaml:2", "nmae"],
        ["a.yaml:3", "routing"],
        ["a.yaml:7", "fabric.nodes[1].knd"],
        ["a.yaml:9", "fabric.links[0].bandwidth"],
    ]


SEED = b"topo_sim: 1\nfabric:\n  nodes: [{name: a}, {name: b}]\n  links: [{source: a, target: b, count: 2}]\n"


@given(
    st.lists(st.tuples(st.integers(0, len(SEED) - 1), st.integers(0, 255)), max_size=4),
    st.integers(0, len(SEED)),
)
def test_damaged_bytes_never_raise_anything_else(tmp_path_factory, damage, length):
    content = bytearray(SEED)
    for place, byte in damage:
        content[place] = byte
    path = write(tmp_path_factory.getbasetemp(), "damaged.yaml", bytes(content[:length]))
    assert isinstance(validate_file(path), list)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["torus", "$x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["generator", "dims", "nodes", "links", "graph", "bandwidth", "inside", "circuits", "name"]
)


@given(st.dictionaries(KEYS, VALUES, max_size=4), st.dictionaries(st.text(max_size=3), VALUES, max_size=2))
def test_arbitrary_values_never_raise_anything_else(tmp_path_factory, fabric, parameters):
    import json

    data = {"topo_sim": 1, "parameters": parameters, "fabric": fabric}
    path = write(tmp_path_factory.getbasetemp(), "arbitrary.json", json.dumps(data).encode())
    assert isinstance(validate_file(path), list)
