"""Switches that receive more than they send: what is cut off, and what is left."""

from fractions import Fraction

import networkx as nx
import numpy as np
import pytest

from topo_sim.base import CollectiveError
from topo_sim.collectives import ALGORITHMS, SYNTHESIZED, build_schedule, cost, replay, synthesize
from topo_sim.collectives.optimum import find_optimum, optimum, trimming
from topo_sim.collectives.optimum.cuts import gather_rate
from topo_sim.collectives.optimum.network import make_network
from topo_sim.collectives.optimum.trimming import balanced_part
from topo_sim.topo import Fabric, torus

GB = 10**9


def one_way(seed):
    """Ranks and switches on a directed cycle, with more one-way links of unequal speed."""
    rng = np.random.default_rng(seed)
    ranks, switches = int(rng.integers(2, 6)), int(rng.integers(1, 4))
    graph = nx.MultiDiGraph()
    names = [f"g{i}" for i in range(ranks)] + [f"s{i}" for i in range(switches)]
    for name in names:
        graph.add_node(name, kind="gpu" if name[0] == "g" else "switch")
    order = rng.permutation(names).tolist()
    ends = list(zip(order, order[1:] + order[:1], strict=True))
    ends += [rng.choice(names, 2, replace=False).tolist() for _ in range(rng.integers(0, 2 * len(names)))]
    for u, v in ends:
        graph.add_edge(u, v, bandwidth=float(rng.choice([1.0, 2.0, 3.3, 5.0])) * GB, latency=0)
    return Fabric.from_graph(graph, endpoints_forward=True)


def minimal():
    graph = nx.DiGraph()
    graph.add_nodes_from(["g0", "g1"], kind="gpu")
    graph.add_node("s0", kind="switch")
    for u, v, speed in (("g0", "s0", 2), ("g1", "g0", 3), ("s0", "g1", 1), ("s0", "g0", 3)):
        graph.add_edge(u, v, bandwidth=speed * GB, latency=0)
    return Fabric.from_graph(graph, endpoints_forward=True)


@pytest.mark.parametrize("collective", SYNTHESIZED)
def test_a_needed_link_is_not_cut(collective):
    fabric = minimal()
    assert optimum("all_gather", fabric) == 2 * GB
    assert optimum("broadcast", fabric) == GB
    schedule = synthesize(collective, fabric, size=1e9, method="trees")
    replay(schedule)
    assert cost(schedule, fabric).algbw == pytest.approx(float(find_optimum(collective, fabric).upper))


@pytest.mark.parametrize("seed", range(40))
def test_one_way_switches(seed):
    """No schedule beats the lower end either, as no switch copies; trees are made of every fabric."""
    fabric = one_way(seed)
    for collective in ("all_gather", "reduce_scatter", "broadcast"):
        found = find_optimum(collective, fabric)
        assert 0 < found.lower <= found.upper
        for name, entry in ALGORITHMS[collective].items():
            try:
                entry.check_ranks(fabric.ranks)
            except CollectiveError:
                continue
            reached = cost(build_schedule(collective, name, fabric.ranks, 1e9), fabric).algbw
            assert reached <= float(found.lower) * (1 + 1e-5)
    for collective in SYNTHESIZED:
        schedule = synthesize(collective, fabric, size=1e9, method="trees", chunks=2)
        replay(schedule)
        assert cost(schedule, fabric).algbw <= float(find_optimum(collective, fabric).upper) * (1 + 1e-9)


@pytest.mark.parametrize("limit", [40_000, 0])
def test_the_part_fits_and_balances(limit, monkeypatch):
    monkeypatch.setattr(trimming, "VARIABLES_UP_TO", limit)
    for seed in range(30):
        network = make_network(one_way(seed), one_way(seed).ranks)
        whole = gather_rate(network).rate * network.unit
        part = balanced_part(network)
        assert part.balanced
        most = dict(zip(zip(network.source, network.target, strict=True), network.amount, strict=True))
        for u, v, amount in zip(part.source, part.target, part.amount, strict=True):
            assert 0 < amount * part.unit <= most[u, v] * network.unit
        assert gather_rate(part).rate * part.unit <= whole


def test_fractions_that_are_not_small_are_rounded_down(monkeypatch):
    monkeypatch.setattr(trimming, "DENOMINATORS_UP_TO", 1)
    for seed in range(20):
        fabric = one_way(seed)
        network = make_network(fabric, fabric.ranks)
        part = balanced_part(network)
        assert part.balanced
        rate = gather_rate(part).rate * part.unit
        monkeypatch.setattr(trimming, "DENOMINATORS_UP_TO", 5040)
        fine = balanced_part(network)
        monkeypatch.setattr(trimming, "DENOMINATORS_UP_TO", 1)
        assert rate >= gather_rate(fine).rate * fine.unit * Fraction(9999, 10000)


def test_what_is_in_balance_is_left_alone():
    network = make_network(torus((3, 3)), 9)
    assert balanced_part(network) is network
