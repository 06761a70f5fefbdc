"""Products of rings, full meshes and switches: counts, distances and every refusal."""

import networkx as nx
import numpy as np
import pytest

from topo_sim.base import FaultsError
from topo_sim.topo import Fabric, full_mesh, metrics, product, route, single_switch, torus

ARRAYS = ("kind", "link_source", "link_target", "capacity", "latency")
ONE = {"ring": nx.cycle_graph, "full_mesh": nx.complete_graph}


@pytest.mark.parametrize(
    ("shapes", "dims"),
    [(["ring"], [2]), (["ring", "full_mesh"], [5, 3]), (["full_mesh", "ring", "ring"], [2, 4, 3])],
)
def test_without_switches_it_is_the_cartesian_product(shapes, dims):
    fabric = product(shapes, dims)
    wanted = nx.Graph()
    wanted.add_node(())
    for shape, n in zip(shapes, dims, strict=True):
        wanted = nx.cartesian_product(wanted, ONE[shape](n) if n > 2 else nx.path_graph(2))
    graph = nx.Graph(fabric.graph)
    assert graph.number_of_edges() == fabric.cables == wanted.number_of_edges()
    assert nx.is_isomorphic(graph, wanted)


@pytest.mark.parametrize("dims", [(2, 3), (4, 4), (2, 2, 5), (3, 4, 2)])
def test_of_rings_it_is_the_torus(dims):
    ours, theirs = product(["ring"] * len(dims), dims), torus(dims)
    assert all(np.array_equal(getattr(ours, name), getattr(theirs, name)) for name in ARRAYS)
    assert ours.routing == theirs.routing
    assert metrics(ours).hops.mean == metrics(theirs).hops.mean


def test_of_one_axis_it_is_the_plain_fabric():
    for ours, theirs in (
        (product(["full_mesh"], [6]), full_mesh(6)),
        (product(["switch"], [6]), single_switch(6)),
    ):
        assert nx.is_isomorphic(nx.Graph(ours.graph), nx.Graph(theirs.graph))
        assert ours.endpoints_forward == theirs.endpoints_forward


def test_switches_of_every_row():
    fabric = product(["switch", "switch"], [3, 4], bandwidth=[1.0, 2.0], latency=[1.0, 3.0])
    assert (fabric.ranks, fabric.switches, fabric.cables) == (12, 4 + 3, 24)
    paths = route(fabric, [0, 0, 0], [2, 9, 11])
    assert paths.sum(fabric.latency) == pytest.approx([2.0, 6.0, 8.0])
    assert paths.sum(np.ones(fabric.links)) == pytest.approx([2, 2, 4])
    out = np.bincount(fabric.link_source, fabric.capacity, len(fabric.kind))
    assert np.allclose(out[:12], 3.0)
    again = Fabric.from_graph(fabric.graph)
    assert (again.ranks, again.links, again.endpoints_forward) == (12, 48, False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shapes": ["ring"]}, "shapes: found 1 values, expected the 2 of dims"),
        ({"shapes": ["ring", "star"]}, "shapes: found 'star', expected one of ring, full_mesh, switch"),
        ({"dims": [4, 1]}, "dims: found 1, expected integers of at least 2"),
        ({"dims": []}, "dims: found 0 values"),
        ({"dims": [2, 2.5]}, "dims: found 2.5"),
        ({"dims": [2, 10**9]}, "expected at most"),
        ({"bandwidth": [1.0]}, "bandwidth: found 1 values, expected 1 or 2|found 1 values"),
        ({"bandwidth": ["1 GB/s", "1 GB"]}, "bandwidth: "),
        ({"latency": [1, -1]}, "latency: "),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(FaultsError, match=message):
        product(**arguments)
