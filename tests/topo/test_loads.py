"""Link loads of whole matrices against routes of single flows."""

import networkx as nx
import numpy as np
import pytest

import naive_flow
from topo_sim.base import RoutingError, UnknownNameError
from topo_sim.topo import (
    Fabric,
    circuit_switched,
    fat_tree,
    full_mesh,
    grouped,
    leaf_spine,
    mesh,
    route,
    single_switch,
    torus,
    twisted_torus,
)
from topo_sim.topo.demands import DEMANDS, Demand, make_demand
from topo_sim.topo.loads import link_loads
from topo_sim.topo.routing.valiant import middles

FABRICS = [
    torus((3, 4)),
    mesh((4, 2)),
    twisted_torus((3, 4)),
    fat_tree(4),
    fat_tree(down=(3, 2), up=(2, 2)),
    leaf_spine(3, 3, 2),
    single_switch(5, planes=2),
    circuit_switched(9, 4),
    grouped(3, 2, inside=full_mesh(2), between=single_switch(6)),
    grouped(3, 4, inside=single_switch(4), between=single_switch(12)),
    Fabric.from_graph(nx.petersen_graph()),
    Fabric.from_graph(nx.MultiDiGraph([(0, 1), (0, 1), (1, 2), (2, 0), (2, 1), (1, 0)])),
]
SMALL = [f for f in FABRICS if f.ranks <= 12]
every = pytest.mark.parametrize("fabric", FABRICS, ids=repr)


@every
@pytest.mark.parametrize("demand", [*DEMANDS])
def test_loads_are_those_of_the_routes(fabric, demand):
    made = make_demand(fabric, demand, seed=2)
    source, target, amount = made.pairs()
    for routing in ("ecmp_split", "ecmp", "shortest"):
        expected = route(fabric, source, target, routing, seed=5).load(amount, fabric.links)
        assert link_loads(fabric, made, routing, seed=5) == pytest.approx(expected, rel=1e-12, abs=1e-15)
    assert np.array_equal(link_loads(fabric, made, "spray"), link_loads(fabric, made))


@pytest.mark.parametrize("fabric", SMALL, ids=repr)
def test_loads_against_the_naive_twins(fabric):
    demand = Demand(fabric.ranks, [0, 1, 2], [2, 0, 1], [1.0, 0.5, 2.0], uniform=0.125)
    pairs = demand.pairs()
    assert link_loads(fabric, demand) == pytest.approx(naive_flow.loads(fabric, *pairs), rel=1e-12)
    expected = naive_flow.valiant_loads(fabric, middles(fabric).tolist(), *pairs)
    assert link_loads(fabric, demand, "valiant") == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_valiant_on_a_torus_is_two_uniform_halves():
    fabric = torus((3, 4))
    demand = make_demand(fabric, "permutation", seed=1)
    uniform = link_loads(fabric, "all_to_all", "ecmp_split") * 11 / 12
    assert link_loads(fabric, demand, "valiant") == pytest.approx(2 * uniform, rel=1e-12)
    many = [
        route(fabric, *demand.entries[:2], "valiant", seed=seed).load(demand.entries[2], fabric.links)
        for seed in range(400)
    ]
    assert np.mean(many, axis=0) == pytest.approx(2 * uniform, rel=0.25)


@every
def test_conservation(fabric):
    demand = make_demand(fabric, "hot_spots", seed=4)
    balance = np.zeros(len(fabric.kind))
    balance[fabric.endpoints] = demand.received - demand.sent
    for routing in ("ecmp_split", "valiant"):
        load = link_loads(fabric, demand, routing)
        into = np.bincount(fabric.link_target, load, len(balance))
        out = np.bincount(fabric.link_source, load, len(balance))
        assert into - out == pytest.approx(balance, abs=1e-12)


def test_65536_endpoints():
    load = link_loads(fat_tree(64), "all_to_all")
    assert load.max() == 1.0  # the endpoints' own links
    # An edge switch holds 32 endpoints and has 32 uplinks.
    assert np.unique(load)[-2] == pytest.approx((65536 - 32) / 65535, rel=1e-12)


def test_refusals_and_progress():
    apart = Fabric.from_graph(nx.Graph([(0, 1), (2, 3)]))
    for routing in ("ecmp_split", "ecmp"):
        with pytest.raises(RoutingError, match="no path"):
            link_loads(apart, "all_to_all", routing)
    with pytest.raises(UnknownNameError):
        link_loads(torus(4), "all_to_all", "none")
    calls = []
    link_loads(torus((4, 4)), "all_to_all", "ecmp", progress=lambda *call: calls.append(call))
    link_loads(torus((4, 4)), "all_to_all", progress=lambda *call: calls.append(call))
    assert [done == total for done, total, _ in calls] == [True, True]


def test_a_matrix_of_ones_is_all_to_all():
    fabric = torus((3, 4))
    expected = link_loads(fabric, "all_to_all") * 11
    assert link_loads(fabric, np.ones((12, 12))) == pytest.approx(expected, rel=1e-12)
    uneven = np.arange(144.0).reshape(12, 12)
    pairs = Demand(12, *np.divmod(np.arange(144), 12), uneven.ravel())
    for routing in ("ecmp_split", "valiant", "ecmp"):
        found = link_loads(fabric, uneven, routing)
        assert found.tolist() == link_loads(fabric, pairs, routing).tolist()
