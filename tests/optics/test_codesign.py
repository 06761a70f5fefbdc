"""Topology co-design: strides, coin change, matchings, splits, bounds."""

from collections import Counter
from dataclasses import replace
from itertools import permutations
from math import gcd

import networkx as nx
import numpy as np
import pytest

from topo_sim.base import RoutingError, UsageError
from topo_sim.optics.codesign import (
    co_design,
    coin_change,
    coin_change_paths,
    discounted_matchings,
    ring_permutations,
    select_strides,
    totient_strides,
)
from topo_sim.optics.codesign.matchings import hop_counts
from topo_sim.topo import make_demand, torus
from topo_sim.topo.demands import Demand


def job(ranks, name="permutation", size=1.0, seed=0):
    made = make_demand(torus(ranks), name, seed=seed)
    source, target, amount = made.entries
    return Demand(ranks, source, target, amount * size, made.uniform * size, name=name)


@pytest.mark.parametrize("ranks", [2, 3, 7, 12, 30, 64, 97])
def test_every_stride_is_one_ring(ranks):
    strides = totient_strides(ranks)
    assert strides.tolist() == [s for s in range(1, ranks) if gcd(s, ranks) == 1]
    for stride in strides:
        ring = nx.DiGraph(enumerate(ring_permutations(ranks, [int(stride)])[0].tolist()))
        assert nx.is_strongly_connected(ring)
    for count in range(5):
        chosen = select_strides(ranks, count)
        assert len(chosen) == count
        assert set(chosen) <= set(strides.tolist())
        assert len(set(chosen)) == min(count, len(strides))
        assert not count or chosen[0] == 1


def test_bad_strides():
    for ranks in (1, 0, 2.0, "8"):
        with pytest.raises(UsageError, match="ranks: found"):
            totient_strides(ranks)
    with pytest.raises(UsageError, match="count: found -1"):
        select_strides(8, -1)
    with pytest.raises(UsageError, match="expected integers from 1 to 7"):
        coin_change(8, [8])


@pytest.mark.parametrize(
    ("ranks", "strides"), [(8, [1, 3]), (12, [1, 5, 7]), (13, [2, 6]), (9, [3]), (5, [])]
)
def test_coin_change_is_shortest(ranks, strides):
    count, _ = coin_change(ranks, strides)
    graph = nx.DiGraph()
    graph.add_nodes_from(range(ranks))
    graph.add_edges_from((i, (i + s) % ranks) for i in range(ranks) for s in strides)
    hops = nx.single_source_shortest_path_length(graph, 0)
    assert count.tolist() == [hops.get(i, -1) for i in range(ranks)]


def test_coin_change_paths_arrive():
    ranks, strides = 12, [1, 5]
    planes = np.vstack([ring_permutations(ranks, strides), np.roll(np.arange(ranks), -6)])
    planes[2, 3] = 3  # dark
    source, target = (ends.ravel() for ends in np.indices((ranks, ranks)))
    paths = coin_change_paths(planes, strides, source, target)
    count, _ = coin_change(ranks, strides)
    for flow, (s, t) in enumerate(zip(source.tolist(), target.tolist(), strict=True)):
        at = s
        for link in paths[flow].tolist():
            plane, rank = divmod(link, ranks)
            assert rank == at
            at = int(planes[plane, rank])
        assert at == t
        direct = s != t and planes[2, s] == t
        assert len(paths[flow]) == (1 if direct else count[(t - s) % ranks])
    with pytest.raises(RoutingError, match="no ring and no circuit from rank 3 to rank 9"):
        coin_change_paths(planes[2:], [], np.array([0, 3]), np.array([6, 9]))


@pytest.mark.parametrize("seed", range(5))
def test_first_matching_is_heaviest(seed):
    demand = np.random.default_rng(seed).integers(0, 9, (5, 5)).astype(float)
    np.fill_diagonal(demand, 1e9)  # counts for nothing
    plane = discounted_matchings(demand, 1)[0]
    np.fill_diagonal(demand, 0.0)
    best = max(sum(demand[i, p] for i, p in enumerate(order)) for order in permutations(range(5)))
    assert demand[np.arange(5), plane].sum() == best


def test_matchings_use_every_port_once_and_discount():
    demand = np.zeros((6, 6))
    demand[0, 1] = 10
    planes = discounted_matchings(demand, 4, discount=1.0)
    assert (planes[:, 0] == 1).all()  # never discounted, always served
    for plane in planes:
        assert sorted(plane.tolist()) == list(range(6))
    demand[0, 2] = 6
    assert discounted_matchings(demand, 3)[:, 0].tolist() == [1, 2, 1]
    assert discounted_matchings(demand, 0).shape == (0, 6)


def test_idle_ports_become_shortcuts():
    rings = ring_permutations(8, [1])
    planes = discounted_matchings(np.zeros((8, 8)), 1, rings)
    assert planes[0].tolist() == [(i - 1) % 8 for i in range(8)]  # 7 hops before, 1 now
    assert hop_counts(np.vstack([rings, planes])).max() == 4


@pytest.mark.parametrize(
    ("demand", "more", "message"),
    [
        (np.zeros((2, 3)), {}, "found shape"),
        (np.zeros((1, 1)), {}, "found shape"),
        (np.full((2, 2), np.nan), {}, "negative or not finite"),
        (np.array([[0.0, -1.0], [0.0, 0.0]]), {}, "negative or not finite"),
        (np.zeros((2, 2)), {"discount": 2.0}, "discount: found 2.0"),
        (np.zeros((2, 2)), {"discount": float("nan")}, "discount: found nan"),
    ],
)
def test_bad_matchings(demand, more, message):
    with pytest.raises(UsageError, match=message):
        discounted_matchings(demand, 1, **more)


SPLITS = [
    (8, 3, "permutation", 1.0),
    (13, 4, "stencil", 4.0),
    (12, 4, "hot_spots", 0.2),
    (16, 2, "all_to_all", 1.0),
    (7, 1, "permutation", 1.0),
    (2, 3, "all_to_all", 1.0),
]


@pytest.mark.parametrize(("ranks", "ports", "name", "share"), SPLITS)
def test_best_split(ranks, ports, name, share):
    found = co_design(job(ranks, name, 1e9), share * 1e9, ports, 1e9)
    assert [split.rings for split in found.splits] == list(range(ports + 1))
    times = [split.time for split in found.splits]
    assert found.best.time == min(times) <= min(times[0], times[-1])
    assert all(found.bound <= time * (1 + 1e-9) for time in times)
    for split in found.splits:
        assert split.planes.shape == (ports, ranks)
        for plane in split.planes:
            assert sorted(plane.tolist()) == list(range(ranks))
        assert split.all_reduce_time <= split.rings_time * (1 + 1e-12)
        assert split.demand_least <= split.demand_time <= split.demand_least * 1.01 or np.isinf(
            split.demand_time
        )
        assert split.demand_time <= split.routed_time * 1.01  # no single paths beat the best splitting
    rings = found.splits[-1]
    assert rings.rings_time == pytest.approx(2 * (ranks - 1) / ranks * share / ports)
    assert found.all_reduce_bound == pytest.approx(rings.rings_time)
    fabric = found.fabric()
    assert fabric.circuit_switches == ports
    assert fabric.links == (found.best.planes != np.arange(ranks)).sum()


def test_one_matching_serves_a_permutation_at_once():
    found = co_design(job(8, size=1e9), 0.0, 1, 1e9)
    assert found.best.rings == 0
    assert found.best.time == pytest.approx(1.0)
    assert found.bound == pytest.approx(1.0)


def test_nothing_to_send():
    found = co_design(Demand(6, [], [], []), 1e9, 3, 1e9)
    assert found.best.rings == 3  # all of them for the rings
    assert found.best.time == found.bound == pytest.approx(2 * 5 / 6 / 3)
    idle = co_design(Demand(6, [], [], []), 0.0, 2, 1e9)
    assert [split.time for split in idle.splits] == [0.0] * 3
    assert idle.best.rings == 2  # among equals the one that joins all


def test_among_equals_the_most_rings_win():
    """Between two ranks every circuit is alike, whatever the last bits of the times say."""
    for ports in (3, 8):
        found = co_design(job(2, size=1e9), 1e9, ports, 1e9 / 3)
        assert found.best.rings == ports
    first, *others = found.splits
    noisy = replace(found, splits=(replace(first, demand_time=first.demand_time * (1 - 1e-12)), *others))
    assert noisy.best.rings == 8
    faster = replace(found, splits=(replace(first, demand_time=first.demand_time * (1 - 1e-6)), *others))
    assert faster.best.rings == 0


@pytest.mark.parametrize("ports", [1, 2, 5])
def test_coin_change_uses_all_circuits_between_two_ranks(ports):
    found = co_design(job(6, size=1e9), 0.0, ports, 1e9, discount=1.0)
    matched = found.splits[0]  # every matching serves the permutation
    assert (matched.planes == matched.planes[0]).all()
    assert matched.routed_time == pytest.approx(1 / ports)
    assert matched.routed_time == pytest.approx(matched.demand_time)


def test_coin_change_against_one_flow_after_the_other():
    demand = Demand(5, [0, 1, 2, 0], [2, 3, 0, 1], np.array([6.0, 3.0, 5.0, 4.0]))
    found = co_design(demand, 0.0, 4, 1.0)
    for split in found.splits[1:]:
        source, target, amount = demand.pairs()
        paths = coin_change_paths(split.planes, list(split.strides), source, target)
        load = Counter()
        for flow, size in enumerate(amount.tolist()):
            for circuit in paths[flow].tolist():
                plane, rank = divmod(circuit, 5)
                load[rank, int(split.planes[plane, rank])] += size
        alike = Counter((r, int(t)) for plane in split.planes for r, t in enumerate(plane))
        assert split.routed_time == pytest.approx(max(load[pair] / alike[pair] for pair in load))


def test_islands():
    """Two jobs that never meet: matchings alone serve them, but no all-reduce."""
    island = Demand(4, [0, 1, 2, 3], [1, 0, 3, 2], 1e9)
    found = co_design(island, 1e6, 1, 1e9)
    assert np.isinf(found.splits[0].time)
    assert np.isinf(found.splits[0].diameter)
    assert found.best.rings == 1
    assert co_design(island, 0.0, 1, 1e9).best.rings == 0


def test_bound_of_few_ports():
    """With one port the far ranks of a uniform demand are many hops away, on any circuits."""
    ranks = 8
    found = co_design(job(ranks, "all_to_all", 1e9), 0.0, 1, 1e9)
    mean = np.arange(1, ranks).mean()  # a directed ring: 1, 2, ..., 7 hops
    assert found.demand_bound == pytest.approx(mean)
    assert found.splits[1].demand_time == pytest.approx(mean)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ports": 0}, "ports: found 0"),
        ({"ports": 65}, "ports: found 65"),
        ({"ports": 1.5}, "ports: found 1.5"),
        ({"rate": 0.0}, "rate: found 0.0"),
        ({"rate": float("inf")}, "rate: found inf"),
        ({"all_reduce": -1.0}, "all_reduce: found -1.0"),
        ({"all_reduce": float("nan")}, "all_reduce: found nan"),
        ({"demand": [[0, 1], [1, 0]]}, "demand: found list"),
        ({"demand": Demand(1, [], [], [])}, "ranks: found 1"),
        ({"demand": Demand(300, [], [], [])}, "from 2 to 256"),
        ({"gap": 2.0}, "gap: found 2.0"),
    ],
)
def test_bad_jobs(change, message):
    arguments = {"demand": job(4), "all_reduce": 1.0, "ports": 2, "rate": 1.0} | change
    with pytest.raises(UsageError, match=message):
        co_design(**arguments)
