"""Xpander: a lift of a complete graph, and the published bounds on its throughput."""

import networkx as nx
import numpy as np
import pytest

from topo_sim.base import FaultsError
from topo_sim.topo import max_concurrent_flow, xpander
from topo_sim.topo.throughput import worst_case_bound


@pytest.mark.parametrize(("degree", "lift", "hosts"), [(2, 1, 1), (2, 5, 2), (3, 4, 1), (4, 4, 4), (7, 9, 3)])
def test_is_a_lift_of_a_complete_graph(degree, lift, hosts):
    fabric = xpander(degree, lift=lift, endpoints_per_switch=hosts, seed=3)
    switches = lift * (degree + 1)
    assert (fabric.ranks, fabric.switches) == (switches * hosts, switches)
    assert fabric.cables == switches * hosts + switches * degree // 2
    graph = nx.Graph(fabric.graph)
    assert nx.is_connected(graph)
    between = {}
    for u, v in graph.edges:
        if u.startswith("switch") and v.startswith("switch"):
            groups = tuple(sorted(int(n.removeprefix("switch")) // lift for n in (u, v)))
            between.setdefault(groups, []).extend([u, v])
    # Between any two groups a perfect matching, inside a group nothing.
    assert len(between) == degree * (degree + 1) // 2
    for (a, b), ends in between.items():
        assert a != b
        assert len(ends) == len(set(ends)) == 2 * lift
    for n in range(fabric.ranks):
        assert list(graph[f"gpu{n}"]) == [f"switch{n // hosts}"]


def test_lift_of_one_is_the_complete_graph():
    fabric = xpander(5, lift=1, endpoints_per_switch=1, bandwidth=1.0)
    core = nx.Graph(fabric.graph).subgraph([n for n in fabric.names if n.startswith("switch")])
    assert nx.is_isomorphic(core, nx.complete_graph(6))
    assert max_concurrent_flow(fabric).theta == pytest.approx(1.0, rel=0.01)  # the ports are full


def test_seeds():
    same, again, other = (xpander(6, lift=6, seed=s) for s in (1, 1, 2))
    assert np.array_equal(same.link_target, again.link_target)
    assert not np.array_equal(same.link_target, other.link_target)


def test_rates():
    fabric = xpander(3, lift=2, bandwidth="1 GB/s", uplink_bandwidth="4 GB/s", latency="1 us")
    ports = fabric.kind[fabric.link_source] != fabric.kind[fabric.link_target]
    assert set(fabric.capacity[ports]) == {1e9}
    assert set(fabric.capacity[~ports]) == {4e9}


@pytest.mark.parametrize(
    ("degree", "lift", "hosts", "bound"),
    [(24, 40, 8, 0.9993), (26, 50, 6, 1.4416)],
)
def test_published_worst_case_bounds(degree, lift, hosts, bound):
    """Namyar et al., SIGCOMM 2021, 32-port switches; other draws than ours, so to three digits."""
    fabric = xpander(degree, lift=lift, endpoints_per_switch=hosts, bandwidth=1.0)
    assert fabric.switches == lift * (degree + 1)
    assert fabric.cables - fabric.ranks == fabric.switches * degree // 2
    assert worst_case_bound(fabric) == pytest.approx(bound, rel=2e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"degree": 1}, "degree: found 1, expected an integer of at least 2"),
        ({"degree": 2.5}, "degree: found 2.5"),
        ({"lift": 0}, "lift: found 0"),
        ({"endpoints_per_switch": -1}, "endpoints_per_switch: found -1"),
        ({"seed": -1}, "seed: found -1"),
        ({"lift": 10**9}, "expected at most"),
        ({"bandwidth": "3 GB"}, "bandwidth: "),
        ({"latency": -1}, "latency: "),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(FaultsError, match=message):
        xpander(**arguments)
