"""Routes: real, shortest, covering, deterministic; arithmetic on Clos and grid against the search."""

import dataclasses
from collections import defaultdict
from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from topo_sim.base import RoutingError, UnknownNameError, UsageError
from topo_sim.topo import (
    ROUTINGS,
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
)

CLOS = [
    fat_tree(2),
    fat_tree(4),
    fat_tree(6, oversubscription=3),
    fat_tree(4, levels=2),
    fat_tree(8, levels=1),
    fat_tree(4, levels=4, oversubscription=[2, 1, 2]),
    fat_tree(down=(3, 2, 2), up=(2, 3, 2)),
    leaf_spine(3, 4, 2, trunk=3),
    leaf_spine(1, 4, 2),
    single_switch(5, planes=3),
    single_switch(1),
]
GROUPED = grouped(
    2,
    3,
    inside={"generator": "single_switch"},
    between={"generator": "leaf_spine", "leaves": 3, "endpoints_per_leaf": 2, "spines": 2},
)
OTHERS = [
    torus(7),
    torus((4, 3)),
    torus((2, 2, 3)),
    mesh((3, 4)),
    full_mesh(5),
    circuit_switched(9, 3),
    circuit_switched(6, light_paths=[[(0, 1), (2, 3), (4, 5)], [(1, 2), (3, 4)]]),
    grouped(3, 2),
    GROUPED,
    Fabric.from_graph(nx.petersen_graph()),
    Fabric.from_graph(nx.MultiGraph([(0, 1), (0, 1), (1, 2), (2, 3), (3, 0), (2, 3)])),
    Fabric.from_graph(nx.DiGraph([(0, 1), (1, 2), (2, 0), (0, 3), (3, 0), (1, 3)])),
]  # fmt: skip
clos = pytest.mark.parametrize("fabric", CLOS, ids=repr)
all_fabrics = pytest.mark.parametrize("fabric", CLOS + OTHERS, ids=repr)


def pairs(fabric):
    """All ordered pairs of ranks, equal ones too."""
    return np.divmod(np.arange(fabric.ranks**2), fabric.ranks)


def unstructured(fabric):
    return dataclasses.replace(fabric, structure=None)


def check_real(fabric, source, target, path):
    """The links follow one another from one node to the other, through nodes that forward."""
    here = source
    for i, link in enumerate(path):
        assert fabric.link_source[link] == here
        assert i == 0 or fabric.forwards[here]
        here = fabric.link_target[link]
    assert here == target


def check_conserved(fabric, source, target, row):
    """What enters a node leaves it; one whole flow goes from one node to the other."""
    flow = defaultdict(float)
    for link, share in row:
        flow[int(fabric.link_source[link])] -= share
        flow[int(fabric.link_target[link])] += share
    left = {node: x for node, x in flow.items() if abs(x) > 1e-12}
    assert left == pytest.approx({source: -1.0, target: 1.0} if source != target else {})


@clos
class TestClosArithmetic:
    @pytest.mark.parametrize("routing", ["shortest", "ecmp"])
    @pytest.mark.parametrize("seed", [0, 7])
    def test_single_paths_equal_the_search(self, fabric, routing, seed):
        source, target = pairs(fabric)
        label = np.arange(len(source)) % 3
        fast = route(fabric, source, target, routing, seed=seed, label=label)
        slow = route(unstructured(fabric), source, target, routing, seed=seed, label=label)
        assert fast.indptr.tolist() == slow.indptr.tolist()
        assert fast.links.tolist() == slow.links.tolist()

    def test_split_paths_equal_the_search(self, fabric):
        source, target = pairs(fabric)
        fast = naive.rows(route(fabric, source, target, "ecmp_split"))
        slow = naive.rows(route(unstructured(fabric), source, target, "ecmp_split"))
        for a, b in zip(fast, slow, strict=True):
            assert dict(a) == pytest.approx(dict(b), rel=1e-14)
            assert len(a) == len(b) == len(dict(a))


@all_fabrics
class TestShortestPaths:
    def test_shortest_is_the_first_of_them(self, fabric):
        source, target = pairs(fabric)
        paths = route(fabric, source, target, "shortest")
        for f, (u, v) in enumerate(zip(source, target, strict=True)):
            u, v = fabric.endpoints[u], fabric.endpoints[v]
            assert tuple(paths[f].tolist()) == min(naive.shortest_paths(fabric, u, v))

    def test_ecmp_finds_all_of_them(self, fabric):
        source, target = pairs(fabric)
        found = defaultdict(set)
        draws = 150
        many = np.repeat(source, draws), np.repeat(target, draws)
        for seed in (0, 1):
            label = np.tile(np.arange(draws), len(source))
            paths = route(fabric, *many, "ecmp", seed=seed, label=label)
            table = np.split(paths.links, paths.indptr[1:-1])
            for u, v, path in zip(*(ends.tolist() for ends in many), table, strict=True):
                found[u, v].add(tuple(path.tolist()))
        for u, v in zip(source.tolist(), target.tolist(), strict=True):
            expected = set(naive.shortest_paths(fabric, int(fabric.endpoints[u]), int(fabric.endpoints[v])))
            assert found[u, v] <= expected
            if len(expected) <= 20:
                assert found[u, v] == expected

    def test_ecmp_split_splits_evenly_at_every_hop(self, fabric):
        source, target = pairs(fabric)
        paths = naive.rows(route(fabric, source, target, "ecmp_split"))
        for row, u, v in zip(paths, source, target, strict=True):
            u, v = int(fabric.endpoints[u]), int(fabric.endpoints[v])
            expected = naive.split(fabric, u, v) if u != v else {}
            assert len(row) == len(expected)
            assert dict(row) == pytest.approx({k: float(s) for k, s in expected.items()}, rel=1e-14)


@all_fabrics
@pytest.mark.parametrize("routing", sorted(ROUTINGS))
def test_every_path_is_real(fabric, routing):
    if routing == "dimension_order" and fabric.family not in ("torus", "mesh"):
        return
    source, target = pairs(fabric)
    paths = route(fabric, source, target, routing, seed=3)
    rows = naive.rows(paths)
    for rank, node in enumerate(fabric.endpoints.tolist()):
        hops = naive.distances(fabric, node)
        for f in np.flatnonzero(source == rank).tolist():
            goal = int(fabric.endpoints[target[f]])
            if routing == "valiant_split":
                check_conserved(fabric, node, goal, rows[f])
                continue
            if routing in ("ecmp_split", "widest_split", "wcmp_split"):
                check_conserved(fabric, node, goal, rows[f])
                assert sum(share for _, share in rows[f]) == pytest.approx(hops[goal])
                continue
            check_real(fabric, node, goal, paths[f])
            if routing != "valiant":
                assert len(paths[f]) == hops[goal]


def test_valiant_split_goes_evenly_by_way_of_all():
    """On a full mesh: the parts by way of the two ends go straight, the others over two links."""
    mesh = full_mesh(5)
    row = dict(naive.rows(route(mesh, [1], [3], "valiant_split"))[0])
    named = {mesh.link_name(link): share for link, share in row.items()}
    assert named.pop("gpu1->gpu3") == pytest.approx(2 / 5)
    ways = [f"gpu1->gpu{k}" for k in (0, 2, 4)] + [f"gpu{k}->gpu3" for k in (0, 2, 4)]
    assert named == pytest.approx(dict.fromkeys(ways, 1 / 5))


def test_valiant_split_is_the_mean_of_what_valiant_draws():
    fabric = torus((3, 4))
    source, target = np.arange(12), (np.arange(12) * 5 + 1) % 12
    paths = route(fabric, source, target, "valiant_split")
    mine = np.bincount(paths.links, paths.share, fabric.links)
    between = fabric.endpoints.tolist()
    mean = np.zeros(fabric.links)
    for s, t in zip(source.tolist(), target.tolist(), strict=True):
        for via in between if s != t else []:
            for half in (route(fabric, [s], [via], "ecmp_split"), route(fabric, [via], [t], "ecmp_split")):
                np.add.at(mean, half.links, half.given_share / len(between) if half.share is not None else 0)
    assert mine == pytest.approx(mean)


def test_valiant_split_refuses_what_does_not_fit():
    every = np.arange(300)
    with pytest.raises(RoutingError, match=r"valiant_split: found .* halves"):
        route(full_mesh(300), np.repeat(every, 300), np.tile(every, 300), "valiant_split")


@pytest.mark.parametrize("seed", range(20))
def test_widest_split_takes_the_widest_of_the_shortest(seed):
    rng = np.random.default_rng(seed)
    graph = nx.gnm_random_graph(12, 26, seed=seed)
    graph.add_edges_from(nx.cycle_graph(12).edges)
    for _, _, data in graph.edges(data=True):
        data["bandwidth"] = float(rng.integers(1, 4))
    fabric = Fabric.from_graph(graph)
    source, target = pairs(fabric)
    rows = naive.rows(route(fabric, source, target, "widest_split"))
    for row, u, v in zip(rows, source.tolist(), target.tolist(), strict=True):
        if u == v:
            continue
        paths = naive.shortest_paths(fabric, u, v)
        width = max(fabric.capacity[list(path)].min() for path in paths)
        allowed = {link for path in paths for link in path if fabric.capacity[list(path)].min() == width}
        check_conserved(fabric, u, v, row)
        assert {link for link, _ in row} <= allowed


def test_widest_split_prefers_the_nvswitch():
    servers = grouped(
        2,
        4,
        inside={"generator": "single_switch", "bandwidth": 300e9},
        between={"generator": "single_switch", "bandwidth": 25e9},
    )
    inside = route(servers, [0], [1], "widest_split")
    assert servers.capacity[inside.links].tolist() == [300e9, 300e9]
    assert servers.capacity[route(servers, [0], [4], "widest_split").links].tolist() == [25e9, 25e9]
    plain = fat_tree(4)
    ends = pairs(plain)
    assert naive.rows(route(plain, *ends, "widest_split")) == naive.rows(
        route(dataclasses.replace(plain, structure=None), *ends, "ecmp_split")
    )


def _taken(fabric, node, goal, hops):
    """What a node can send on towards the goal, and the weight of each of its next links."""
    if node == goal:
        return float("inf"), {}
    weight = {}
    for link in np.flatnonzero(fabric.link_source == node).tolist():
        other = int(fabric.link_target[link])
        if hops.get(other) == hops[node] - 1 and (other == goal or fabric.forwards[other]):
            weight[link] = min(float(fabric.capacity[link]), _taken(fabric, other, goal, hops)[0])
    return sum(weight.values()), weight


@pytest.mark.parametrize("seed", range(20))
def test_wcmp_split_is_in_proportion_to_capacity(seed):
    rng = np.random.default_rng(seed)
    graph = nx.MultiDiGraph()
    for u in range(10):
        graph.add_node(u, kind="gpu" if u < 6 else "switch")
    ends = [(u, (u + 1) % 10) for u in range(10)] + [rng.choice(10, 2, False).tolist() for _ in range(40)]
    for u, v in ends:
        graph.add_edge(u, v, bandwidth=float(rng.integers(1, 9)))
    fabric = Fabric.from_graph(graph, endpoints_forward=True)
    source, target = pairs(fabric)
    rows = naive.rows(route(fabric, source, target, "wcmp_split"))
    for row, u, v in zip(
        rows, fabric.endpoints[source].tolist(), fabric.endpoints[target].tolist(), strict=True
    ):
        if u == v:
            assert not row
            continue
        check_conserved(fabric, u, v, row)
        # Hops to v from every node: walk the graph turned round.
        back = nx.DiGraph(zip(fabric.link_target.tolist(), fabric.link_source.tolist(), strict=True))
        hops = nx.single_source_shortest_path_length(back, v)
        share = dict(row)
        for node in {int(fabric.link_source[link]) for link in share}:
            whole, weight = _taken(fabric, node, v, hops)
            sent = sum(share[link] for link in weight)
            assert {link: share[link] / sent for link in weight} == pytest.approx(
                {link: value / whole for link, value in weight.items()}
            )


def test_wcmp_split_is_ecmp_split_where_all_is_alike():
    fabric = dataclasses.replace(fat_tree(4), structure=None)
    ends = pairs(fabric)
    for ours, theirs in zip(
        naive.rows(route(fabric, *ends, "wcmp_split")), naive.rows(route(fabric, *ends)), strict=True
    ):
        assert dict(ours) == pytest.approx(dict(theirs))


def test_ecmp_uses_all_paths_about_equally():
    fabric = fat_tree(4)
    count = 4000
    zeros = np.zeros(count, np.int64)
    paths = route(fabric, zeros, zeros + 15, "ecmp", label=np.arange(count))
    load = np.bincount(paths.links, minlength=fabric.links)
    used = load[(load > 0) & (load < count)]
    # Two uplinks of the edge, then four cores, and down again.
    assert len(used) == 2 + 4 + 4 + 2
    for ways, times in ((2, 4), (4, 8)):
        level = used[np.abs(used - count / ways) < 5 * np.sqrt(count / ways)]
        assert len(level) == times


def test_a_flow_keeps_its_path():
    fabric = fat_tree(8)
    rng = np.random.default_rng(0)
    source, target = rng.integers(0, fabric.ranks, (2, 200))
    for name in ("ecmp", "valiant"):
        first = route(fabric, source, target, name, seed=4)
        assert route(fabric, source, target, name, seed=4).links.tolist() == first.links.tolist()
        backwards = route(fabric, source[::-1], target[::-1], name, seed=4)
        assert [p.tolist() for p in backwards] == [first[f].tolist() for f in reversed(range(200))]
        assert route(fabric, source, target, name, seed=5).links.tolist() != first.links.tolist()


class TestDimensionOrder:
    @pytest.mark.parametrize(
        "dims", [(1,), (2,), (3,), (8,), (4, 4), (5, 2), (2, 3, 4), (4, 1, 5), (3, 2, 2, 3)]
    )
    @pytest.mark.parametrize("make", [torus, mesh])
    def test_walks_one_axis_after_the_other(self, make, dims):
        fabric = make(dims)
        source, target = pairs(fabric)
        paths = route(fabric, source, target, "dimension_order")
        for f, (u, v) in enumerate(zip(source.tolist(), target.tolist(), strict=True)):
            nodes = [u, *fabric.link_target[paths[f]].tolist()]
            assert nodes == naive.dimension_order(dims, make is torus, u, v)
            check_real(fabric, u, v, paths[f])

    def test_is_the_default_of_grids(self):
        fabric = torus((4, 4))
        assert route(fabric, [0], [10])[0].tolist() == route(fabric, [0], [10], "dimension_order")[0].tolist()
        assert route(fabric, [0], [10]).share is None
        assert route(fat_tree(4), [0], [10]).share is not None

    def test_needs_a_grid(self):
        for fabric in (fat_tree(4), unstructured(torus(4)), full_mesh(3)):
            with pytest.raises(RoutingError, match="dimension_order needs a torus or mesh"):
                route(fabric, [0], [1], "dimension_order")


class TestValiant:
    def test_goes_by_way_of_every_edge_switch(self):
        fabric = fat_tree(4)
        count = 200
        zeros = np.zeros(count, np.int64)
        paths = route(fabric, zeros, zeros + 1, "valiant", label=np.arange(count))
        assert set(np.diff(paths.indptr).tolist()) == {2, 6, 10}
        seen = {fabric.names[node] for path in paths for node in fabric.link_target[path]}
        assert {f"edge{i}" for i in range(8)} <= seen
        generic = dataclasses.replace(fabric, structure=None)
        again = route(generic, zeros, zeros + 1, "valiant", label=np.arange(count))
        assert np.array_equal(again.links, paths.links)

    def test_goes_by_way_of_every_endpoint_of_a_torus(self):
        fabric = torus((4, 4))
        count = 600
        zeros = np.zeros(count, np.int64)
        paths = route(fabric, zeros, zeros + 5, "valiant", label=np.arange(count))
        visited = {int(n) for path in paths for n in fabric.link_target[path]}
        assert visited == set(range(16))
        direct = len(route(fabric, [0], [5], "dimension_order")[0])
        assert direct <= min(np.diff(paths.indptr)) < max(np.diff(paths.indptr)) <= 8

    def test_goes_by_way_of_edge_switches_elsewhere(self):
        fabric = unstructured(leaf_spine(4, 2, 2))
        count = 100
        zeros = np.zeros(count, np.int64)
        paths = route(fabric, zeros, zeros + 7, "valiant", label=np.arange(count))
        assert set(np.diff(paths.indptr).tolist()) == {4, 6}
        assert {fabric.names[n] for path in paths for n in fabric.link_target[path]} >= {
            f"leaf{i}" for i in range(4)
        }

    def test_a_flow_to_itself_stays(self):
        for fabric in (fat_tree(4), torus((4, 4)), unstructured(leaf_spine(2, 2, 2))):
            ranks = np.arange(fabric.ranks)
            assert route(fabric, ranks, ranks, "valiant").links.size == 0


class TestForwarding:
    def test_only_where_endpoints_may(self):
        line = nx.path_graph(3)
        assert len(route(Fabric.from_graph(line), [0], [2], "shortest")[0]) == 2
        still = Fabric.from_graph(line, endpoints_forward=False)
        assert len(route(still, [0, 1], [1, 2], "shortest")) == 2
        for name in ("shortest", "ecmp", "ecmp_split"):
            with pytest.raises(RoutingError, match=r"graph: no path for 0 -> 2$"):
                route(still, [0], [2], name)

    def test_goes_round_an_endpoint_that_does_not(self):
        graph = nx.Graph([("a", "b"), ("b", "c"), ("a", "s"), ("s", "t"), ("t", "c")])
        nx.set_node_attributes(graph, {"s": "switch", "t": "switch"}, "kind")
        short = Fabric.from_graph(graph)
        long = Fabric.from_graph(graph, endpoints_forward=False)
        for name in ("shortest", "ecmp", "ecmp_split"):
            assert len(route(short, [0], [2], name)[0]) == 2
            assert len(route(long, [0], [2], name)[0]) == 3

    def test_circuit_switches_never_forward(self):
        graph = nx.star_graph(3)
        graph.nodes[0].update(kind="ocs", circuits=[(1, 2), (2, 1)])
        fabric = Fabric.from_graph(graph)
        assert len(route(fabric, [0], [1], "ecmp")[0]) == 1
        with pytest.raises(RoutingError, match="no path for 1 -> 3"):
            route(fabric, [0], [2], "ecmp")


class TestUnreachable:
    @pytest.mark.parametrize("routing", ["shortest", "ecmp", "ecmp_split", "valiant"])
    def test_names_the_pairs(self, routing):
        fabric = Fabric.from_graph(nx.disjoint_union(nx.path_graph(2), nx.path_graph(2)), name="two")
        with pytest.raises(RoutingError, match=r"^two: no path for .* -> "):
            route(fabric, [0, 1], [1, 2], routing)
        if routing != "valiant":
            with pytest.raises(RoutingError, match=r"^two: no path for 1 -> 2$"):
                route(fabric, [0, 1], [1, 2], routing)
            with pytest.raises(RoutingError, match="0 -> 2, 1 -> 2, 2 -> 0 and 1 more"):
                route(fabric, [0, 1, 2, 2], [2, 2, 0, 1], routing)

    def test_one_way(self):
        fabric = Fabric.from_graph(nx.DiGraph([(0, 1)]))
        assert len(route(fabric, [0], [1], "shortest")[0]) == 1
        with pytest.raises(RoutingError, match="no path for 1 -> 0"):
            route(fabric, [1], [0], "shortest")


@pytest.mark.parametrize("name", sorted(set(ROUTINGS) - {"dimension_order"}))
@pytest.mark.parametrize("fabric", [torus((3, 3)), unstructured(torus((3, 3))), fat_tree(4)], ids=repr)
def test_no_flows(fabric, name):
    assert len(route(fabric, [], [], name)) == 0


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (([9], [0]), "source: found rank 9"),
            (([0], [-1]), "target: found rank -1"),
            (([0.0], [1]), "source: found float64"),
            (([0, 1], [1]), "found 2 sources, 1 targets and 2 labels"),
        ],
    )
    def test_ranks(self, arguments, message):
        with pytest.raises(UsageError, match=message):
            route(torus(4), *arguments)

    def test_labels(self):
        with pytest.raises(UsageError, match="found 1 sources, 1 targets and 2 labels"):
            route(fat_tree(4), [0], [1], "ecmp", label=[0, 1])

    @pytest.mark.parametrize("seed", [-1, 2**63, 1.0, True, None, "0"])
    def test_seed(self, seed):
        with pytest.raises(UsageError, match="seed: found"):
            route(torus(4), [0], [1], "shortest", seed=seed)

    @pytest.mark.parametrize("seed", [0, 2**63 - 1, np.int64(3)])
    def test_good_seed(self, seed):
        assert len(route(fat_tree(4), [0], [1], "ecmp", seed=seed)) == 1

    def test_name(self):
        with pytest.raises(UnknownNameError, match='unknown routing "ecpm": did you mean "ecmp'):
            route(torus(4), [0], [1], "ecpm")
        with pytest.raises(UnknownNameError, match="unknown routing"):
            route(Fabric.from_graph(nx.path_graph(2), routing="by magic"), [0], [1])


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_random_graphs(seed):
    """Directed or not, with parallel links, switches, endpoints that forward or do not."""
    rng = np.random.default_rng(seed)
    graph = (nx.MultiDiGraph if rng.random() < 0.5 else nx.MultiGraph)()
    n = int(rng.integers(3, 9))
    graph.add_nodes_from((i, {"kind": "switch" if i > 1 and rng.random() < 0.4 else "gpu"}) for i in range(n))
    for _ in range(int(rng.integers(n, 3 * n))):
        u, v = rng.choice(n, 2, replace=False).tolist()
        graph.add_edge(u, v)
    fabric = Fabric.from_graph(graph, endpoints_forward=bool(rng.random() < 0.5))
    source, target = pairs(fabric)
    nodes = fabric.endpoints.tolist()
    options = [naive.shortest_paths(fabric, nodes[u], nodes[v]) for u, v in zip(source, target, strict=True)]
    lost = np.array([not paths for paths in options])
    for u, v in zip(source[lost].tolist(), target[lost].tolist(), strict=True):
        with pytest.raises(RoutingError, match=f"no path for {nodes[u]} -> {nodes[v]}$"):
            route(fabric, [u], [v], "ecmp_split")
    source, target = source[~lost], target[~lost]
    options = [paths for paths in options if paths]
    one = route(fabric, source, target, "shortest")
    hashed = route(fabric, source, target, "ecmp", seed=seed)
    split = naive.rows(route(fabric, source, target, "ecmp_split"))
    for f, paths in enumerate(options):
        assert tuple(one[f].tolist()) == min(paths)
        assert tuple(hashed[f].tolist()) in paths
        u, v = nodes[source[f]], nodes[target[f]]
        expected = naive.split(fabric, u, v) if u != v else {}
        assert dict(split[f]) == pytest.approx({k: float(s) for k, s in expected.items()}, rel=1e-14)
        assert sum(expected.values(), Fraction(0)) == len(paths[0])


class TestUnreachableMiddles:
    """Valiant must draw its third node from those that lie between the two."""

    def test_switches_of_other_groups(self):
        source, target = pairs(GROUPED)
        paths = route(GROUPED, source, target, "valiant", seed=3)
        for f, (u, v) in enumerate(zip(source.tolist(), target.tolist(), strict=True)):
            check_real(GROUPED, u, v, paths[f])

    def test_dead_ends(self):
        graph = nx.DiGraph()
        graph.add_nodes_from(range(4), kind="gpu")
        graph.add_nodes_from(["hub", "sink", "source"], kind="switch")
        for i in range(4):
            graph.add_edges_from([(i, "hub"), ("hub", i), (i, "sink"), ("source", i)])
        graph.add_edge(0, "source")
        fabric = Fabric.from_graph(graph)
        ones = np.ones(20, np.int64)
        paths = route(fabric, ones, 2 * ones, "valiant", label=np.arange(20))
        assert {fabric.link_name(link) for link in paths.links} == {"1->hub", "hub->2"}

    def test_other_components(self):
        fabric = Fabric.from_graph(nx.disjoint_union(nx.cycle_graph(4), nx.cycle_graph(4)))
        zeros = np.zeros(20, np.int64)
        paths = route(fabric, zeros, zeros + 2, "valiant", label=np.arange(20))
        for path in paths:
            check_real(fabric, 0, 2, path)


@pytest.mark.parametrize("label", [[0.7], ["x"], [[0]], [np.nan], 3])
def test_bad_labels(label):
    with pytest.raises(UsageError, match="label"):
        route(fat_tree(4), [0], [1], "ecmp", label=label)
