"""Fabrics of real circuit switches: ports, wiring, links; tori of cubes against plain tori."""

from collections import Counter

import networkx as nx
import numpy as np
import pytest

from topo_sim.base import FaultsError
from topo_sim.topo import Fabric, bisection, circuit_banks, cube_torus, load_fabric, torus, twisted_torus
from topo_sim.topo.generators.circuit_banks import banks_of


def ends(fabric):
    return sorted(zip(fabric.link_source.tolist(), fabric.link_target.tolist(), strict=True))


@pytest.mark.parametrize(
    ("n", "strides", "radix"), [(24, (1, 5), 12), (24, (1, 7, 8), 48), (9, (2,), 2), (10, (1, 5), 8)]
)
def test_links_are_those_of_the_wiring(n, strides, radix):
    fabric = circuit_banks(n, strides, radix=radix, bandwidth=2.0, latency=1e-6)
    expected = sorted(
        pair for s in strides for i in range(n) for pair in ((i, (i + s) % n), ((i + s) % n, i))
    )
    assert ends(fabric) == expected
    graph = fabric.graph
    compiled = Fabric.from_graph(graph)
    assert ends(compiled) == expected
    assert (compiled.circuit_switches, compiled.cables) == (fabric.circuit_switches, fabric.cables)
    assert set(compiled.capacity) == {2.0}
    assert np.allclose(compiled.latency, 1e-6)
    for node, kind in graph.nodes(data="kind"):
        ports = graph.degree(node)
        assert ports <= radix if kind == "ocs" else ports == 2 * len(strides)


@pytest.mark.parametrize(("name", "switches"), [("lite-circuits-1024", 32), ("lite-circuits-4096", 128)])
def test_shipped_circuits(name, switches):
    fabric = load_fabric(name)
    graph = fabric.graph
    ocs = [node for node, kind in graph.nodes(data="kind") if kind == "ocs"]
    assert len(ocs) == fabric.circuit_switches == switches
    assert {graph.degree(node) for node in ocs} == {256}  # of 300
    # Set anew, the four planes lead to different classes of endpoints, each way.
    per_plane = switches // 4
    strides = fabric.parameters["strides"]
    classes = [s % per_plane for s in strides] + [-s % per_plane for s in strides]
    assert len(set(classes)) == (8 if per_plane > 8 else 4)
    out = np.bincount(fabric.link_source, fabric.capacity, minlength=len(fabric.kind))[: fabric.ranks]
    assert out == pytest.approx(112.5e9)
    # Every ring is one ring through all endpoints.
    for plane, stride in enumerate(strides):
        cables = slice(2 * plane * fabric.ranks, 2 * (plane + 1) * fabric.ranks)
        pairs = zip(fabric.link_source[cables].tolist(), fabric.link_target[cables].tolist(), strict=True)
        ring = nx.Graph(pairs)
        assert set(dict(ring.degree()).values()) == {2}, stride
        assert nx.is_connected(ring)


def test_banks():
    assert [banks_of(n, r) for n, r in ((1024, 2048), (1024, 2047), (7, 4), (12, 8))] == [1, 2, 7, 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"endpoints": 2}, "endpoints: found 2"),
        ({"endpoints": 8, "strides": (2, 4)}, "found 2 as a common divisor"),
        ({"endpoints": 8, "strides": (8,)}, "strides: found 8"),
        ({"endpoints": 8, "strides": (0,)}, "strides: found 0"),
        ({"endpoints": 8, "strides": (1.0,)}, "strides: found 1.0"),
        ({"endpoints": 8, "strides": ()}, "found 0 values"),
        ({"endpoints": 8, "strides": "1"}, "expected a list"),
        ({"endpoints": 8, "strides": (1,), "radix": 1}, "radix: found 1"),
        ({"endpoints": 8, "strides": (1,), "bandwidth": "0 GB/s"}, "bandwidth"),
        ({"endpoints": 10**9, "strides": (1,)}, "expected at most 50,000,000"),
    ],
)
def test_bad_banks(arguments, message):
    with pytest.raises(FaultsError, match=message):
        circuit_banks(**arguments)


@pytest.mark.parametrize(
    ("dims", "side", "twisted"),
    [
        ((4, 4, 4), 4, False),
        ((4, 8, 12), 4, False),
        ((4, 4, 8), 4, True),
        ((8, 4, 8), 4, True),
        ((3, 6), 3, False),
    ],
)
def test_cube_torus_is_a_torus(dims, side, twisted):
    made = (twisted_torus if twisted else torus)(dims, latency="1 us")
    fabric = cube_torus(dims, side=side, twisted=twisted)
    for name in ("link_source", "link_target", "capacity", "latency"):
        assert np.array_equal(getattr(fabric, name), getattr(made, name)), name
    assert (fabric.structure, fabric.routing) == (made.structure, made.routing)
    assert fabric.cables == made.cables + fabric.links // side // 2  # two fibres per light path
    assert fabric.exact_bisection == made.exact_bisection
    optical = fabric.medium == fabric.media.index("pluggable")
    assert Counter(optical.tolist()) == {True: fabric.links // side, False: fabric.links // side * (side - 1)}
    coordinates = np.unravel_index(np.arange(fabric.ranks), dims, order="F")
    for link in np.flatnonzero(~optical).tolist():  # inside a cube
        u, v = fabric.link_source[link], fabric.link_target[link]
        assert all(x[u] // side == x[v] // side for x in coordinates)


@pytest.mark.parametrize(
    ("dims", "side", "twisted"),
    [((4, 4, 4), 4, False), ((8, 4, 12), 4, False), ((4, 4, 8), 4, True), ((3, 6), 3, False)],
)
def test_light_of_a_cube_torus_passes_the_switches_of_its_pod(dims, side, twisted):
    fabric = cube_torus(dims, side=side, twisted=twisted, bandwidth=2.0, latency=1e-6, between_latency=3e-6)
    graph, axes, cubes = fabric.graph, len(dims), fabric.ranks // side ** len(dims)
    assert list(graph) == list(fabric.names)
    compiled = Fabric.from_graph(graph)
    assert (compiled.circuit_switches, compiled.cables) == (fabric.circuit_switches, fabric.cables)
    assert fabric.circuit_switches == axes * side ** (axes - 1)
    columns = ("link_source", "link_target", "capacity", "latency")
    each = [sorted(zip(*(getattr(f, c).tolist() for c in columns), strict=True)) for f in (compiled, fabric)]
    assert np.allclose(each[0], each[1], rtol=1e-12)
    at = np.array(np.unravel_index(np.arange(fabric.ranks), dims, order="F")).T
    seen = set()
    for node, data in graph.nodes(data=True):
        if data["kind"] == "gpu":
            assert graph.degree(node) == 2 * axes
            continue
        assert graph.degree(node) == len(data["circuits"]) == 2 * cubes  # ports: upper and lower faces
        # One axis and one place on the face: all that a switch of a TPU v4 pod joins.
        pairs = [(int(a[3:]), int(b[3:])) for a, b in data["circuits"][::2]]
        assert [(int(b[3:]), int(a[3:])) for a, b in data["circuits"][1::2]] == pairs
        inside = {tuple(at[u] % side) for u, _ in pairs}, {tuple(at[v] % side) for _, v in pairs}
        (up,), (down,) = inside
        axis = next(d for d in range(axes) if up[d] != down[d])
        assert (up[axis], down[axis]) == (side - 1, 0)
        rest = tuple(x for d, x in enumerate(up) if d != axis)
        assert rest == tuple(x for d, x in enumerate(down) if d != axis)
        seen.add((axis, rest))
    assert len(seen) == fabric.circuit_switches


@pytest.mark.parametrize("cube", ["4x4x4", "4x4x8", "4x4x8-twisted", "8x8x16", "8x8x16-twisted", "16x16x16"])
def test_shipped_slices_of_tpu_v4(cube):
    fabric = load_fabric(f"tpu-v4-{cube}")
    assert fabric.circuit_switches == 48
    optical = fabric.medium == fabric.media.index("pluggable")
    assert optical.sum() == 2 * 48 * fabric.ranks // 64  # 48 light paths per cube
    assert fabric.cables == fabric.links // 2 + optical.sum() // 2


def test_bisection_does_not_see_circuit_switches():
    found = bisection(cube_torus((4, 4, 8), twisted=True))
    assert found == bisection(twisted_torus((4, 4, 8)))
    assert found.low > 0


def test_cube_torus_latencies():
    fabric = cube_torus((4, 4, 4), latency="1 us", between_latency="2 us", endpoint_bandwidth=6.0)
    assert sorted(Counter(fabric.latency.tolist()).items()) == [(1e-6, 288), (2e-6, 96)]
    assert set(fabric.capacity) == {1.0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dims": (4, 6)}, "dims: found 6, expected multiples of 4"),
        ({"dims": (4, 4), "twisted": True}, "expected a short and a long axis"),
        ({"dims": (4,)}, "found 1 values"),
        ({"dims": (4, 0)}, "dims: found 0"),
        ({"dims": (2, 4), "side": 2}, "side: found 2"),
        ({"dims": (4, 4), "twisted": "no"}, "twisted: found 'no'"),
    ],
)
def test_bad_cube_tori(arguments, message):
    with pytest.raises(FaultsError, match=message):
        cube_torus(**arguments)
