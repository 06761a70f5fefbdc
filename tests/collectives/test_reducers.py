"""Sums made in switches: which switches, what they take, their bound, and what is refused."""

import dataclasses

import networkx as nx
import numpy as np
import pytest

from topo_sim.base import CollectiveError, FaultsError
from topo_sim.collectives import (
    ALGORITHMS,
    build_schedule,
    cost,
    cost_profile,
    lower_bound,
    replay,
    shape_options,
)
from topo_sim.collectives.models import COST_MODELS
from topo_sim.collectives.reducers import SwitchRouter, find_reducers
from topo_sim.collectives.router import Router
from topo_sim.collectives.step import Step
from topo_sim.studies import cost_table
from topo_sim.topo import Fabric, fat_tree, grouped, leaf_spine, load_fabric, single_switch, torus

SWITCHED = [(c, n) for c, names in ALGORITHMS.items() for n, entry in names.items() if entry.switches]
every = pytest.mark.parametrize(("collective", "name"), SWITCHED)
ALPHA, BETA = 3e-6, 2e-9


@every
class TestOneSwitch:
    @pytest.mark.parametrize("planes", [1, 3])
    def test_equals_the_closed_form(self, collective, name, planes):
        entry = ALGORITHMS[collective][name]
        for p in (1, 2, 3, 4, 7, 12, 33, 64):
            fabric = single_switch(
                p, planes=planes, bandwidth=1 / BETA / planes, latency=ALPHA / 2, reduces=entry.switches
            )
            for segments in (1, 2, 5, 64):
                schedule = build_schedule(collective, name, p, 1e6, segments=segments)
                profile = cost_profile(schedule, fabric)
                for size in (0.0, 1.0, 1e6, 1e12):
                    expected = entry.closed_form(p, size, ALPHA, BETA, segments=segments)
                    assert profile.time(size) == pytest.approx(expected, rel=1e-9, abs=0)
                    assert profile.time(size) >= profile.bound.time(size) * (1 - 1e-9)

    def test_dropping_any_transfer_is_found(self, collective, name):
        schedule = build_schedule(collective, name, 3, 100.0, segments=1)
        for number, step in enumerate(schedule.steps):
            indptr, ids = step.chunks()
            for i in range(len(step)):
                keep = np.delete(np.arange(len(step)), i)
                rows = [ids[indptr[k] : indptr[k + 1]] for k in keep]
                lists = np.cumsum([0, *map(len, rows)]), np.concatenate([np.zeros(0, np.int64), *rows])
                fields = {
                    f: getattr(step, f)[keep] for f in ("source", "target", "fraction", "reduce", "shift")
                }
                fewer = (dataclasses.replace(step, **fields, chunks=lambda p=lists: p),) if len(keep) else ()
                steps = (*schedule.steps[:number], *fewer, *schedule.steps[number + 1 :])
                with pytest.raises(CollectiveError):
                    replay(dataclasses.replace(schedule, steps=steps))

    def test_overhead_is_paid_by_ranks_alone(self, collective, name):
        entry = ALGORITHMS[collective][name]
        fabric = single_switch(4, latency=ALPHA / 2, reduces=entry.switches)
        schedule = build_schedule(collective, name, 4, 0.0, segments=1)
        sending = sum(np.bincount(s.source[s.source < 4], minlength=1).max() for s in schedule.steps)
        expected = schedule.step_count * ALPHA / 2 + sending * 1e-6
        assert cost(schedule, fabric, overhead=1e-6).time == pytest.approx(expected)


def test_beats_what_ranks_can_do_and_says_so():
    fabric = load_fabric("dgx-h100")
    assert shape_options(("all_reduce", "nvls"), fabric) == {}
    assert shape_options(("all_reduce", "sharp"), fabric) is None
    result = cost(build_schedule("all_reduce", "nvls", 8, 2**36, segments=1000), fabric)
    # (1 + 1/8) n over 450 GB/s, whereas ranks alone need 2 * 7/8 n: busbw is above the link rate.
    assert result.algbw == pytest.approx(450e9 / (1 + 1 / 8), rel=0.01)
    assert result.busbw > 450e9
    assert result.in_network
    assert result.to_dict()["in_network"] is True
    assert result.bound.endswith("switches combining")
    assert result.lower_bound < lower_bound("all_reduce", fabric).time(2**36)
    table = cost_table(fabric, "all_reduce", [2**30])
    assert table.labels[0] == "nvls(segments=64)"
    assert {c.algorithm for c in table.costs if c.in_network} == {"nvls"}


def test_every_server_of_a_pod_sums_up_for_itself():
    fabric = load_fabric("superpod-h100-64")
    assert np.count_nonzero(fabric.reducing("nvls")) == 32
    schedule = build_schedule("all_reduce", "nvls", 8, 1e9)
    inside = cost(schedule, fabric, ranks=range(16, 24))
    assert inside.time == pytest.approx(cost(schedule, fabric).time)
    with pytest.raises(
        CollectiveError, match="no switch that combines by nvls and is joined to all of the 8 ranks"
    ):
        cost(schedule, fabric, ranks=range(4, 12))
    assert shape_options(("all_reduce", "nvls"), fabric) is None
    assert shape_options(("all_reduce", "nvls"), fabric, 8) == {}


class TestTree:
    @pytest.mark.parametrize(
        ("fabric", "tree"),
        [
            (leaf_spine(4, 8, 2, uplink_bandwidth="200 GB/s", reduces="sharp"), (8, 4)),
            (fat_tree(4, reduces="sharp"), (2, 2, 4)),
            (fat_tree(6, levels=2, reduces="sharp"), (3, 6)),
        ],
        ids=repr,
    )
    def test_full_bisection_gives_nearly_the_port_rate(self, fabric, tree):
        assert shape_options(("all_reduce", "sharp"), fabric) == {"tree": tree}
        schedule = build_schedule("all_reduce", "sharp", fabric.ranks, 1e10, segments=500, tree=tree)
        result = cost(schedule, fabric)
        assert result.algbw == pytest.approx(50e9, rel=0.02)
        assert result.fraction == pytest.approx(1.0, abs=0.02)

    def test_levels_are_nodes_of_the_tree(self):
        fabric = leaf_spine(2, 2, 2, reduces="sharp")
        schedule = build_schedule("all_reduce", "sharp", 4, 8, tree="2x2", segments=1)
        replay(schedule)
        assert [nodes.tolist() for nodes in find_reducers(schedule, fabric)] == [[4], [5], [6, 7]]
        # Four hops of 500 ns, and the whole vector over a port each way, the same up and down.
        assert cost(schedule, fabric).time == pytest.approx(4 * 500e-9 + 8 * (2 / 50e9 + 2 / 100e9))

    def test_a_tree_that_the_fabric_does_not_have(self):
        schedule = build_schedule("all_reduce", "sharp", 8, 8, tree=(4, 2))
        with pytest.raises(CollectiveError, match="joined to all of the 4 ranks"):
            cost(schedule, leaf_spine(4, 2, 2, reduces="sharp"))
        with pytest.raises(CollectiveError, match="joined to all of the 2 switches"):
            cost(schedule, single_switch(8, reduces="sharp"))


class TestRefused:
    @every
    def test_no_switch_that_combines(self, collective, name):
        for fabric in (
            single_switch(4),
            torus(4),
            single_switch(4, reduces="sharp" if name == "nvls" else "nvls"),
        ):
            assert shape_options((collective, name), fabric) is None
            with pytest.raises(CollectiveError, match=r'needs switches that combine by .*: set "reduces"'):
                cost(build_schedule(collective, name, 4, 8), fabric)

    @every
    def test_models_that_do_not_know_them(self, collective, name):
        fabric = single_switch(4, reduces=ALGORITHMS[collective][name].switches)
        schedule = build_schedule(collective, name, 4, 8)
        for name in ("loggp", "alpha-beta"):
            with pytest.raises(CollectiveError, match=f"cost model {name} does not cover sums in switches"):
                COST_MODELS[name].times(schedule, fabric, [1e6])
        assert COST_MODELS["step"].times(schedule, fabric, [8.0])[0] == cost(schedule, fabric).time

    def test_a_link_one_way_only(self):
        graph = nx.DiGraph()
        graph.add_node("a")
        graph.add_node("b")
        graph.add_node("s", kind="switch", reduces="sharp")
        graph.add_edges_from([("a", "s"), ("s", "a"), ("b", "s"), ("a", "b"), ("b", "a")])
        with pytest.raises(CollectiveError, match="joined to all of the 2 ranks"):
            cost(build_schedule("all_reduce", "sharp", 2, 8), Fabric.from_graph(graph))

    @pytest.mark.parametrize(
        "node",
        [
            {"kind": "gpu", "reduces": "nvls"},
            {"kind": "switch", "reduces": "magic"},
            {"kind": "switch", "reduces": True},
        ],
    )
    def test_bad_attributes(self, node):
        graph = nx.Graph([(0, 1)])
        graph.add_node(0, **node)
        with pytest.raises(FaultsError, match="reduces: found"):
            Fabric.from_graph(graph)

    def test_bad_generator_parameter(self):
        with pytest.raises(FaultsError, match="reduces: found 'sum'"):
            single_switch(4, reduces="sum")


def test_reductions_survive_graphs_and_groups():
    fabric = grouped(2, 2, inside={"generator": "single_switch", "reduces": "nvls"})
    again = Fabric.from_graph(fabric.graph)
    assert again.reducing("nvls").sum() == fabric.reducing("nvls").sum() == 2
    assert again.reducing("sharp").sum() == 0
    clos = leaf_spine(2, 2, 2, reduces="sharp")
    assert Fabric.from_graph(clos.graph).reducing("sharp").tolist() == clos.reducing("sharp").tolist()
    assert single_switch(4).reduces is None


def unequal_planes(rng, ranks, planes, kind):
    """Ranks joined to every plane by a cable of their own speed, or several."""
    graph = nx.MultiDiGraph()
    for plane in range(planes):
        graph.add_node(f"s{plane}", kind="switch", reduces=kind)
    least = np.full((ranks, planes), np.inf)
    for rank in range(ranks):
        graph.add_node(rank, kind="gpu")
        for plane in range(planes):
            ways = [(rank, f"s{plane}"), (f"s{plane}", rank)]
            for ends in ways:
                speeds = rng.integers(1, 6, int(rng.integers(1, 3))).astype(float)
                least[rank, plane] = min(least[rank, plane], speeds.sum())
                for speed in speeds:
                    graph.add_edge(*ends, bandwidth=speed, latency=0)
    return Fabric.from_graph(graph), least.min(axis=0)


class TestUnequalPlanes:
    """One byte goes to one switch, from every rank: the slowest link to a switch decides what it takes."""

    def test_three_ranks_with_crossed_speeds(self):
        graph = nx.Graph()
        graph.add_nodes_from("ST", kind="switch", reduces="sharp")
        for gpu, (s, t) in {"a": (5, 1), "b": (5, 1), "c": (1, 5)}.items():
            graph.add_node(gpu, kind="gpu")
            graph.add_edge(gpu, "S", bandwidth=s * 1e9, latency=0)
            graph.add_edge(gpu, "T", bandwidth=t * 1e9, latency=0)
        schedule = build_schedule("all_reduce", "sharp", 3, 1e9, segments=64)
        found = cost(schedule, Fabric.from_graph(graph))
        # Half over each switch, at 1 GB/s; up and down again takes 65 of 64 segments.
        assert found.time == pytest.approx(0.5 * 65 / 64)
        assert found.time >= found.lower_bound

    @every
    def test_random_planes_are_not_faster_than_any_division(self, collective, name):
        kind = ALGORITHMS[collective][name].switches
        for seed in range(25):
            rng = np.random.default_rng(seed)
            ranks, planes = int(rng.integers(2, 6)), int(rng.integers(1, 4))
            fabric, least = unequal_planes(rng, ranks, planes, kind)
            found = cost(build_schedule(collective, name, ranks, 1.0, segments=256), fabric)
            assert found.time >= found.lower_bound * (1 - 1e-9)
            if name == "sharp":  # at most the least rate of each switch, added up
                assert 1 / least.sum() <= found.time <= 1 / least.sum() * 257 / 256 * (1 + 1e-9)

    def test_rows_divide_alike_for_all_ranks(self):
        for seed in range(10):
            rng = np.random.default_rng(seed)
            for kind in ("nvls", "sharp"):
                fabric, _ = unequal_planes(rng, 4, 3, kind)
                schedule = build_schedule("all_reduce", kind, 4, 1.0, segments=1)
                paths = SwitchRouter(Router(fabric), schedule)
                for step in schedule.steps:
                    parts = []
                    for i in range(len(step)):
                        one = Step(step.source[[i]], step.target[[i]], 0.0, False, step.chunks)
                        row = paths(one)
                        near = fabric.link_source if step.source[i] >= 4 else fabric.link_target
                        parts.append(np.bincount(near[row.links], row.share, len(fabric.kind)))
                    assert np.allclose(parts, parts[0])
                    assert np.isclose(parts[0].sum(), 1)

    def test_planes_of_leaves_and_spines(self):
        """A slow plane of leaves is given less, through its spine as well."""
        graph = nx.Graph()
        for plane, speed in enumerate((3.0, 1.0)):
            graph.add_node(f"spine{plane}", kind="switch", reduces="sharp")
            for leaf in range(2):
                graph.add_node(f"leaf{plane}.{leaf}", kind="switch", reduces="sharp")
                graph.add_edge(f"leaf{plane}.{leaf}", f"spine{plane}", bandwidth=10.0, latency=0)
                for gpu in (2 * leaf, 2 * leaf + 1):
                    graph.add_node(gpu, kind="gpu")
                    graph.add_edge(gpu, f"leaf{plane}.{leaf}", bandwidth=speed, latency=0)
        fabric = Fabric.from_graph(graph)
        schedule = build_schedule("all_reduce", "sharp", 4, 1.0, segments=1000, tree=(2, 2))
        found = cost(schedule, fabric)
        assert found.time == pytest.approx(1 / 4, rel=0.01)
