"""Twisted tori: neighbours, distances, published throughputs, refusals."""

import networkx as nx
import numpy as np
import pytest

import naive
import naive_flow
from topo_sim.base import FaultsError
from topo_sim.topo import metrics, route, torus, twisted_torus
from topo_sim.topo.throughput import max_concurrent_flow


@pytest.mark.parametrize(
    ("dims", "twist"), [((3, 4), None), ((4, 4, 8), None), ((3, 5, 4), 2), ((8, 3, 8), 1)]
)
def test_neighbours(dims, twist):
    fabric = twisted_torus(dims, twist=twist)
    expected = naive_flow.twisted(dims, min(dims) if twist is None else twist)
    number = {at: sum(x * int(np.prod(dims[:d])) for d, x in enumerate(at)) for at in expected}
    wanted = sorted(tuple(sorted((number[u], number[v]))) for u, v in expected.edges())
    ends = zip(fabric.link_source[::2].tolist(), fabric.link_target[::2].tolist(), strict=True)
    assert sorted(tuple(sorted(pair)) for pair in ends) == wanted
    assert fabric.cables == len(dims) * fabric.ranks


# Shape, theta, diameter, mean hops: regular torus 0.9922, 0.9961, 0.9688.
TABLE = [((4, 4, 8), 1.7318, 6, 3.4646), ((4, 8, 8), 1.3859, 6, 4.3294), ((4, 8), 1.4762, 4, 2.7097)]


@pytest.mark.parametrize(("dims", "theta", "diameter", "mean"), TABLE)
def test_published_values(dims, theta, diameter, mean):
    fabric = twisted_torus(dims, bandwidth=1.0)
    found = metrics(fabric)
    assert found.hops.diameter == diameter
    assert found.hops.mean == pytest.approx(mean, abs=5e-5)
    flow = max_concurrent_flow(fabric)
    assert flow.theta == pytest.approx(theta, abs=5e-5)
    assert flow.method == "symmetry"
    assert flow.gap < 1e-9
    assert flow.bounds.volume == pytest.approx(flow.theta, rel=1e-9)  # these twists meet it


def test_no_twist_is_a_torus():
    plain, twisted = torus((3, 4)), twisted_torus((3, 4), twist=0)
    assert naive.link_multiset(plain) == naive.link_multiset(twisted)
    assert np.array_equal(plain.link_target, twisted.link_target)


def test_alike_from_everywhere():
    fabric = twisted_torus((3, 3, 4))
    ways = {tuple(sorted(naive.distances(fabric, node).values())) for node in range(fabric.ranks)}
    assert len(ways) == 1
    assert nx.is_connected(nx.Graph(fabric.graph))
    assert len(route(fabric, [0], [5])[0]) >= 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (((4,),), "dims: found 1 values, expected 2 to 16"),
        (((2, 4),), "dims: found 2, expected integers of at least 3"),
        (((4, 4),), "expected a short and a long axis"),
        (((4, 8), 8), "twist: found 8, expected an integer from 0 to 7"),
        ((7,), "dims: found 7, expected a list"),
    ],
)
def test_refusals(arguments, text):
    with pytest.raises(FaultsError, match=text.replace("(", r"\(")):
        twisted_torus(arguments[0], twist=arguments[1] if len(arguments) > 1 else None)
