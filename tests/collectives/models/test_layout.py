"""Machines are seen in a fabric, and what leaves them is a flow."""

import networkx as nx
import numpy as np
import pytest

from topo_sim.base import CollectiveError
from topo_sim.collectives.models.layout import layout_of
from topo_sim.topo import Fabric, grouped, single_switch
from topo_sim.topo.files import load_fabric


@pytest.mark.parametrize(
    ("name", "nodes", "seats", "local", "out", "ports", "kind"),
    [
        ("dgx-h100", 1, 8, 450e9, 0, 0, "hopper"),
        ("p5", 1, 8, 450e9, 0, 0, "hopper"),
        ("p5-16", 2, 8, 450e9, 400e9, 8, "hopper"),
        ("dgx-a100-16", 2, 8, 300e9, 200e9, 8, "ampere"),
        ("polaris-8", 2, 4, 300e9, 50e9, 2, "ampere"),
        ("polaris-32", 8, 4, 300e9, 50e9, 2, "ampere"),
        ("b200-8", 1, 8, 900e9, 0, 0, "blackwell"),
        ("b200-16", 2, 8, 900e9, 360e9, 8, "blackwell"),
        ("superpod-h100-64", 8, 8, 450e9, 400e9, 8, "hopper"),
        ("lite-grouped", 64, 4, 112.5e9, 50e9, 4, "volta"),
        ("lite-flat-switch", 1, 256, 112.5e9, 0, 0, "volta"),
    ],
)
def test_machines_of_shipped_fabrics(name, nodes, seats, local, out, ports, kind):
    found = layout_of(load_fabric(name))
    assert (found.nodes, found.per_node, found.ports, found.generation) == (nodes, seats, ports, kind)
    assert found.local_rate == pytest.approx(local)
    assert found.node_rate == pytest.approx(out)


def test_a_shared_port_limits_what_leaves_a_machine():
    """Four GPUs with 25 GB/s of PCIe each share two ports of 25 GB/s."""
    fabric = load_fabric("polaris-8")
    mine = fabric.endpoints[:4]
    own = np.isin(fabric.link_source, mine) & ~np.isin(fabric.link_target, fabric.endpoints)
    assert fabric.capacity[own].sum() == 100e9
    assert layout_of(fabric).node_rate == pytest.approx(50e9)


def test_without_media_wide_bundles_are_the_machine():
    graph = nx.MultiGraph()
    graph.add_nodes_from(range(8), kind="gpu")
    graph.add_nodes_from(["a", "b", "net"], kind="switch")
    for i in range(8):
        for _ in range(18):
            graph.add_edge(i, "a" if i < 4 else "b", bandwidth=25e9)
        graph.add_edge(i, "net", bandwidth=50e9)
    found = layout_of(Fabric.from_graph(graph))
    assert (found.nodes, found.per_node, found.ports) == (2, 4, 4)
    assert found.local_rate == pytest.approx(450e9)
    assert found.node_rate == pytest.approx(200e9)


def test_some_of_the_ranks_and_blocks_of_them():
    fabric = load_fabric("superpod-h100-64")
    assert layout_of(fabric, 8).nodes == 1
    uneven = layout_of(fabric, 12)
    assert (uneven.nodes, uneven.per_node) == (2, 8)
    lone = layout_of(fabric, 1)
    assert (lone.nodes, lone.per_node, lone.local_rate, lone.far) == (1, 1, 0, 0)
    flat = layout_of(single_switch(16, bandwidth="50 GB/s"), per_node=1)
    assert (flat.nodes, flat.per_node, flat.node_rate) == (16, 1, 50e9)


def test_latencies_are_those_of_the_quickest_links():
    fabric = grouped(
        2,
        2,
        inside={"generator": "full_mesh", "bandwidth": 9e11, "latency": 2e-7, "medium": "copper"},
        between={"generator": "single_switch", "bandwidth": 5e10, "latency": 3e-6, "medium": "pluggable"},
    )
    found = layout_of(fabric)
    assert found.near == pytest.approx(2e-7)
    assert found.far == pytest.approx(6e-6)


@pytest.mark.parametrize(
    "settings",
    [
        {"ranks": 0},
        {"ranks": 9},
        {"per_node": 0},
        {"per_node": 9},
        {"per_node": 3},
        {"per_node": "x"},
        {"per_node": 2.0},
        {"ranks": 6, "per_node": 4},
    ],
)
def test_groups_that_do_not_exist_are_refused(settings):
    with pytest.raises(CollectiveError, match=r"expected 1 to that|expected a divisor of the"):
        layout_of(load_fabric("dgx-h100"), **settings)
