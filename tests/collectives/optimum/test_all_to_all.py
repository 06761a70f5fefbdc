"""All-to-all: fewer ranks than endpoints, and intervals that close."""

import dataclasses
from fractions import Fraction

import networkx as nx
import numpy as np
import pytest

from topo_sim.collectives import build_schedule, cost
from topo_sim.collectives.optimum import find_optimum, optimum
from topo_sim.topo import Fabric, full_mesh, load_fabric, mesh, torus
from topo_sim.topo.throughput.symmetry import cayley


def _subset(fabric, ranks):
    """The same fabric whose other endpoints are switches: they forward, too."""
    graph = nx.MultiDiGraph()
    first = set(fabric.endpoints[:ranks].tolist())
    for node in range(len(fabric.kind)):
        graph.add_node(node, kind="gpu" if node in first else "switch")
    ends = zip(fabric.link_source.tolist(), fabric.link_target.tolist(), fabric.capacity, strict=True)
    for u, v, capacity in ends:
        graph.add_edge(u, v, bandwidth=capacity)
    return Fabric.from_graph(graph, endpoints_forward=True)


@pytest.mark.parametrize(
    ("fabric", "ranks"),
    [(full_mesh(6), 3), (torus((4, 4)), 2), (torus((4, 4)), 5), (mesh((3, 3)), 4)],
    ids=str,
)
def test_endpoints_outside_the_ranks_only_forward(fabric, ranks):
    found, twin = (
        find_optimum("all_to_all", fabric, ranks),
        find_optimum("all_to_all", _subset(fabric, ranks)),
    )
    assert 0 < found.lower <= found.upper
    assert found.lower <= twin.upper
    assert twin.lower <= found.upper
    reached = cost(build_schedule("all_to_all", "direct", ranks, 1e9), fabric, routing="ecmp_split").algbw
    assert reached <= float(found.upper) * (1 + 1e-9)


def test_every_number_of_ranks_of_a_small_torus_and_its_command():
    fabric = torus((3, 3), bandwidth=1.0)
    for ranks in range(2, 10):
        assert find_optimum("all_to_all", fabric, ranks).lower > 0
    found = find_optimum("all_to_all", load_fabric("lite-torus"), 8)
    assert 0 < found.lower <= found.upper < found.lower * Fraction(102, 100)


def test_nodes_that_are_no_ranks_are_no_group():
    fabric = torus((4, 4))
    assert cayley(fabric) is not None
    assert cayley(dataclasses.replace(fabric, endpoints=fabric.endpoints[:8], structure=None)) is None


def test_a_flow_that_meets_an_exact_bound_is_one_number():
    assert optimum("all_to_all", full_mesh(5, bandwidth=1.0)) == Fraction(5)  # 4 links out for 4/5
    assert optimum("all_to_all", load_fabric("dgx-h100")) == Fraction(450 * 10**9 * 8, 7)
    # Hops on a ring of 8: 16 from each rank, 2 links out of each.
    plain = Fabric.from_graph(nx.cycle_graph(8), bandwidth=1.0, endpoints_forward=True)
    assert optimum("all_to_all", plain) == Fraction(1)
    # The bridge of a lollipop: 2 ranks behind it send 3/5 each. Links that the flow fills are the cut.
    bridge = Fabric.from_graph(nx.lollipop_graph(3, 2), bandwidth=1.0)
    assert optimum("all_to_all", bridge) == Fraction(5, 6)
    assert "reached to 1e-9" in find_optimum("all_to_all", plain).method


def test_exact_bounds_hold_on_random_graphs():
    """The upper end is never below what a schedule reaches, nor a lower end above the upper."""
    rng = np.random.default_rng(4)
    exact = 0
    for _ in range(25):
        size = int(rng.integers(3, 7))
        graph = nx.DiGraph()
        order = rng.permutation(size).tolist()
        pairs = list(zip(order, order[1:] + order[:1], strict=True))
        pairs += [tuple(rng.choice(size, 2, replace=False).tolist()) for _ in range(2 * size)]
        for node in range(size):
            graph.add_node(node, kind="gpu" if node < max(2, size - 2) else "switch")
        for u, v in pairs:
            graph.add_edge(u, v, bandwidth=float(rng.integers(1, 6)), latency=0)
        fabric = Fabric.from_graph(graph, endpoints_forward=True)
        found = find_optimum("all_to_all", fabric)
        exact += found.exact
        assert 0 < found.lower <= found.upper
        assert found.upper <= found.lower * Fraction(103, 100)
        best = cost(build_schedule("all_to_all", "direct", fabric.ranks, 1.0), fabric).algbw
        assert best <= float(found.upper) * (1 + 1e-9)
    assert exact > 0
