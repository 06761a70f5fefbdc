"""Generators: closed forms over sizes, what each plane of light paths is, and every refusal."""

import math

import networkx as nx
import numpy as np
import pytest

import naive
from topo_sim.base import FaultsError, TopologyError, TopoSimError
from topo_sim.topo import (
    GENERATORS,
    Fabric,
    circuit_switched,
    fat_tree,
    full_mesh,
    grouped,
    leaf_spine,
    mesh,
    metrics,
    rotor,
    single_switch,
    torus,
)
from topo_sim.topo.generators.circuit_switched import ring_strides


def counts(fabric):
    return fabric.ranks, fabric.switches, fabric.cables


def degrees(fabric):
    return np.bincount(fabric.link_source, minlength=len(fabric.kind))


def test_registry():
    expected = "circuit_banks circuit_switched cube_torus fat_tree full_mesh grouped leaf_spine mesh product "
    expected += "rotor single_switch torus twisted_torus xpander"
    assert " ".join(sorted(GENERATORS)) == expected
    for name, make in GENERATORS.items():
        fabric = make()
        assert fabric.family == name
        assert fabric.name == f"{name}()"
        assert fabric.parameters == {}


class TestFatTree:
    @pytest.mark.parametrize("k", [2, 4, 6, 8, 16, 32])
    def test_three_levels(self, k):
        fabric = fat_tree(k, bandwidth=1.0)
        n = k**3 // 4
        assert counts(fabric) == (n, 5 * k * k // 4, 3 * n)
        assert degrees(fabric)[n:].tolist() == [k] * (5 * k * k // 4)
        assert metrics(fabric).hops.diameter == 6
        assert metrics(fabric).bisection.low == metrics(fabric).bisection.high == n / 2

    @pytest.mark.parametrize("levels", [1, 2, 3, 4, 5])
    @pytest.mark.parametrize("radix", [2, 4, 6])
    def test_folded_clos(self, radix, levels):
        fabric, half = fat_tree(radix, levels=levels, bandwidth=1.0), radix // 2
        n = 2 * half**levels
        assert counts(fabric) == (n, (2 * levels - 1) * half ** (levels - 1), levels * n)
        m = metrics(fabric)
        assert m.hops.diameter == 2 * levels
        assert m.bisection.low == n / 2
        near = sum(2 * i * (half**i - half ** (i - 1)) for i in range(1, levels))
        assert m.hops.mean == pytest.approx((near + 2 * levels * (n - half ** (levels - 1))) / (n - 1))

    def test_oversubscription(self):
        fabric = fat_tree(8, oversubscription=[2, 4], bandwidth=1.0)
        # 128 endpoints, 32 edge switches with 2 uplinks, 2 * 8 aggregation switches with 1, 2 cores.
        assert fabric.structure.level_sizes == (128, 32, 16, 2)
        assert fabric.structure.cables == (128, 64, 16)
        assert metrics(fabric).bisection.low == 8.0
        assert fat_tree(8, oversubscription=4).structure.level_sizes == (128, 32, 8, 1)

    def test_rates_per_tier(self):
        fabric = fat_tree(4, bandwidth=[4.0, 2.0, 1.0])
        assert np.unique(fabric.capacity, return_counts=True)[1].tolist() == [32, 32, 32]
        assert fabric.capacity[[0, 40, 95]].tolist() == [4.0, 2.0, 1.0]
        assert metrics(fabric).bisection.low == 8.0

    def test_explicit(self):
        fabric = fat_tree(down=(4, 3, 2), up=(2, 2, 5), bandwidth=1.0)
        assert fabric.structure.level_sizes == (24, 12, 8, 20)
        assert fabric.cables == 48 + 24 + 40
        assert metrics(fabric).bisection.low == 12.0

    def test_names(self):
        assert fat_tree(2).names == (
            "gpu0",
            "gpu1",
            "edge0",
            "edge1",
            "aggregation0",
            "aggregation1",
            "core0",
        )
        assert fat_tree(2, levels=2).names == ("gpu0", "gpu1", "t1.0", "t1.1", "t2.0")
        assert leaf_spine(2, 1, 1).names == ("gpu0", "gpu1", "leaf0", "leaf1", "spine0")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"k": 3}, "k: found 3, expected an even number of at least 2"),
            ({"k": 0}, "k: found 0"),
            ({"k": -4}, "k: found -4"),
            ({"k": 4.0}, "k: found 4.0"),
            ({"k": "4"}, "k: found '4'"),
            ({"k": True}, "k: found True"),
            ({"k": 10**30}, "endpoints and"),
            ({"levels": 0}, "levels: found 0, expected an integer from 1 to 16"),
            ({"levels": 17}, "levels: found 17"),
            ({"k": 8, "oversubscription": 3}, "oversubscription: found 3, expected a divisor of k/2 = 4"),
            ({"oversubscription": 0}, "oversubscription: found 0"),
            ({"oversubscription": [1]}, "oversubscription: found 1 values, expected 1 or 2"),
            ({"down": (2, 2)}, "up: missing, expected beside down"),
            ({"up": (2, 2)}, "down: missing, expected beside up"),
            ({"k": 4, "down": (2,), "up": (1,)}, "k: found 4, expected either k, or down and up"),
            ({"down": (2, 2), "up": (1,)}, "up: found 1 values, expected 2 as in down"),
            ({"down": (), "up": ()}, "down: found 0 values, expected 1 to 16"),
            ({"down": (0,), "up": (1,)}, "down: found 0, expected integers of at least 1"),
            ({"down": (2,), "up": (-1,)}, "up: found -1, expected integers of at least 1"),
            ({"bandwidth": [1.0, 2.0]}, "bandwidth: found 2 values, expected 1 or 3"),
            ({"bandwidth": [1.0, 2.0, -3.0]}, "bandwidth: found -3.0, expected a rate of more than 0"),
            ({"bandwidth": "1 s"}, 'bandwidth: "1 s" is a time, expected a rate'),
            ({"latency": -1}, "latency: found -1, expected a time of 0 or more"),
            ({"latency": float("nan")}, "latency: nan is not finite"),
        ],
    )
    def test_refuses(self, arguments, message):
        with pytest.raises(TopologyError, match=message):
            fat_tree(**arguments)


class TestLeafSpine:
    @pytest.mark.parametrize("leaves", [1, 2, 3, 6])
    @pytest.mark.parametrize(("down", "spines", "trunk"), [(1, 1, 1), (4, 2, 1), (3, 2, 2), (4, 8, 1)])
    def test_closed_forms(self, leaves, down, spines, trunk):
        fabric = leaf_spine(leaves, down, spines, trunk=trunk, bandwidth=1.0)
        uplinks = spines * trunk
        assert counts(fabric) == (leaves * down, leaves + spines, leaves * (down + uplinks))
        m = metrics(fabric)
        assert m.hops.diameter == (4 if leaves > 1 else 2 if down > 1 else 0)
        if leaves % 2 == 0:
            assert m.bisection.exact
            assert m.bisection.low == min(1, uplinks / down) * leaves * down / 2

    def test_uplink_bandwidth(self):
        fabric = leaf_spine(2, 2, 1, bandwidth="1 GB/s", uplink_bandwidth="4 GB/s")
        assert fabric.capacity.tolist() == [1e9] * 8 + [4e9] * 4

    def test_lists_every_fault(self):
        with pytest.raises(FaultsError) as caught:
            leaf_spine(0, -1, 2.5, trunk=None)
        assert [fault.split(":")[0] for fault in caught.value.faults] == [
            "leaves",
            "endpoints_per_leaf",
            "spines",
            "trunk",
        ]


class TestSingleSwitch:
    @pytest.mark.parametrize("n", [1, 2, 5, 72])
    @pytest.mark.parametrize("planes", [1, 18])
    def test_closed_forms(self, n, planes):
        fabric = single_switch(n, planes=planes, bandwidth=1.0)
        assert counts(fabric) == (n, planes, n * planes)
        m = metrics(fabric)
        assert m.hops.diameter == (2 if n > 1 else 0)
        assert m.bisection.low == n // 2 * planes

    def test_endpoint_bandwidth_is_shared_by_the_planes(self):
        fabric = single_switch(72, planes=18, endpoint_bandwidth="900 GB/s", bandwidth="1 GB/s")
        assert set(fabric.capacity.tolist()) == {50e9}

    @pytest.mark.parametrize("arguments", [{"endpoints": 0}, {"planes": 0}, {"endpoints": None}])
    def test_refuses(self, arguments):
        with pytest.raises(FaultsError, match="expected an integer of at least 1"):
            single_switch(**arguments)


def ring_mean(k):
    """Mean distance along a ring, self included."""
    return k / 4 if k % 2 == 0 else (k * k - 1) / (4 * k)


TORI = [3, 4, 7, (3, 3), (4, 4), (4, 5), (3, 5, 7), (4, 4, 8), (4, 8, 8), (5, 4, 3, 6)]


class TestTorus:
    @pytest.mark.parametrize("dims", TORI)
    def test_closed_forms(self, dims):
        sizes = (dims,) if isinstance(dims, int) else dims
        n = math.prod(sizes)
        fabric = torus(dims, bandwidth=1.0)
        assert counts(fabric) == (n, 0, len(sizes) * n)
        assert set(degrees(fabric).tolist()) == {2 * len(sizes)}
        m = metrics(fabric)
        assert m.hops.diameter == sum(k // 2 for k in sizes)
        assert m.hops.mean == pytest.approx(sum(map(ring_mean, sizes)) * n / (n - 1), rel=1e-12)
        if max(sizes) % 2 == 0:
            assert m.bisection.low == m.bisection.high == 2 * n / max(sizes)

    def test_reference_means(self):
        assert metrics(torus((4, 4, 8))).hops.mean == pytest.approx(4.0315, abs=5e-5)
        assert metrics(torus((4, 8, 8))).hops.mean == pytest.approx(5.0196, abs=5e-5)
        assert metrics(torus((4, 8))).hops.mean == pytest.approx(3.0968, abs=5e-5)

    @pytest.mark.parametrize("n", [1, 2, 3, 6])
    def test_axes_of_two_make_a_hypercube(self, n):
        fabric = torus((2,) * n, bandwidth=1.0)
        assert counts(fabric) == (2**n, 0, n * 2 ** (n - 1))
        m = metrics(fabric)
        assert m.hops.diameter == n
        assert m.bisection.low == 2 ** (n - 1)
        cube = nx.hypercube_graph(n)
        ends = zip(fabric.link_source.tolist(), fabric.link_target.tolist(), strict=True)
        assert nx.is_isomorphic(nx.Graph(ends), cube)

    def test_sixteen_cubed(self):
        m = metrics(torus((16, 16, 16), bandwidth="50 GB/s"))
        assert m.bisection.low == 25.6e12
        assert m.injection == 300e9

    def test_endpoint_bandwidth_is_shared_by_the_ports(self):
        assert set(torus((4, 4, 2), endpoint_bandwidth=10.0).capacity.tolist()) == {2.0}
        assert set(mesh((4, 4), endpoint_bandwidth=8.0).capacity.tolist()) == {2.0}

    @pytest.mark.parametrize("make", [torus, mesh])
    @pytest.mark.parametrize(
        ("dims", "message"),
        [
            (0, "dims: found 0, expected integers of at least 1"),
            ((4, -1), "dims: found -1"),
            ((4, 2.0), "dims: found 2.0"),
            (True, "dims: found True"),
            ((), "dims: found 0 values, expected 1 to 16"),
            ((1,) * 17, "dims: found 17 values"),
            ("44", "dims: found '44'"),
            ((10**5, 10**5), "expected at most 50,000,000"),
            ((10**30,), "expected at most 50,000,000"),
        ],
    )
    def test_refuses(self, make, dims, message):
        with pytest.raises(FaultsError, match=message):
            make(dims)


class TestMesh:
    @pytest.mark.parametrize("dims", [2, 5, (3, 3), (4, 4), (2, 4, 6), (4, 1, 3)])
    def test_closed_forms(self, dims):
        sizes = (dims,) if isinstance(dims, int) else dims
        n = math.prod(sizes)
        fabric = mesh(dims, bandwidth=1.0)
        assert counts(fabric) == (n, 0, sum(n * (k - 1) // k for k in sizes))
        m = metrics(fabric)
        assert m.hops.diameter == sum(k - 1 for k in sizes)
        mean = sum((k * k - 1) / (3 * k) for k in sizes)
        assert m.hops.mean == pytest.approx(mean * n / (n - 1), rel=1e-12)
        if max(sizes) % 2 == 0:
            assert m.bisection.low == m.bisection.high == n / max(sizes)


@pytest.mark.parametrize("n", [1, 2, 3, 8, 17])
def test_full_mesh(n):
    fabric = full_mesh(n, bandwidth=1.0)
    assert counts(fabric) == (n, 0, n * (n - 1) // 2)
    m = metrics(fabric)
    assert m.hops.diameter == m.hops.mean == (1 if n > 1 else 0)
    assert m.bisection.low == n // 2 * ((n + 1) // 2)
    pairs = set(zip(fabric.link_source.tolist(), fabric.link_target.tolist(), strict=True))
    assert len(pairs) == n * (n - 1)
    assert set(full_mesh(5, endpoint_bandwidth=8.0).capacity.tolist()) == {2.0}


def planes_of(fabric):
    """Circuits of every plane, as the graph holds them."""
    for node, data in fabric.graph.nodes(data=True):
        if data["kind"] == "ocs":
            assert fabric.graph.degree(node) == fabric.ranks
            yield [(int(a[3:]), int(b[3:])) for a, b in data["circuits"]]


class TestCircuitSwitched:
    @pytest.mark.parametrize("light_paths", ["rings", "random_regular"])
    @pytest.mark.parametrize(("n", "ports"), [(5, 4), (8, 3), (8, 1), (16, 4), (16, 7), (30, 6), (64, 5)])
    @pytest.mark.parametrize("seed", [0, 1])
    def test_every_plane_is_a_permutation(self, light_paths, n, ports, seed):
        fabric = circuit_switched(n, ports, light_paths=light_paths, seed=seed, bandwidth=1.0)
        assert (fabric.ranks, fabric.circuit_switches, fabric.switches) == (n, ports, 0)
        assert fabric.cables == fabric.links == n * ports
        assert len(list(planes_of(fabric))) == ports
        circuits = []
        for plane in planes_of(fabric):
            assert sorted(a for a, _ in plane) == sorted(b for _, b in plane) == list(range(n))
            assert all(a != b for a, b in plane)
            circuits += plane
        ends = zip(fabric.link_source.tolist(), fabric.link_target.tolist(), strict=True)
        assert sorted(circuits) == sorted(ends)
        if light_paths == "random_regular":
            assert len(set(circuits)) == n * ports
            assert {(b, a) for a, b in circuits} == set(circuits)
        graph = nx.DiGraph(circuits)
        if light_paths == "rings" or ports > 2:
            assert nx.is_strongly_connected(graph)

    def test_rings(self):
        fabric = circuit_switched(10, 4, strides=[1, 3])
        forward = [sorted(plane) for plane in planes_of(fabric)]
        assert forward == [sorted((i, (i + s) % 10) for i in range(10)) for s in (1, -1, 3, -3)]

    @pytest.mark.parametrize(("n", "count"), [(2, 1), (16, 2), (256, 4), (1000, 8), (6, 3), (30, 2)])
    def test_strides(self, n, count):
        strides = ring_strides(n, count)
        assert len(strides) == count
        assert all(math.gcd(s, n) == 1 and 1 <= s <= n // 2 for s in strides)
        free = sum(math.gcd(s, n) == 1 for s in range(1, n // 2 + 1))
        assert len(set(strides)) == min(count, free)

    def test_matchings(self):
        fabric = circuit_switched(4, 99, light_paths=[[(0, 1), [2, 3]], [(1, 2)], []], bandwidth=1.0)
        assert [sorted(plane) for plane in planes_of(fabric)] == [
            [(0, 1), (1, 0), (2, 3), (3, 2)],
            [(1, 2), (2, 1)],
            [],
        ]
        assert (fabric.links, fabric.cables, fabric.circuit_switches) == (6, 12, 3)
        assert metrics(fabric).hops.diameter == 3

    def test_latency_and_bandwidth_are_those_of_the_light_path(self):
        fabric = circuit_switched(4, 2, endpoint_bandwidth=6.0, latency=1e-6)
        assert set(fabric.capacity.tolist()) == {3.0}
        assert set(fabric.latency.tolist()) == {1e-6}
        assert {d["latency"] for _, _, d in fabric.graph.edges(data=True)} == {5e-7}

    def test_seed(self):
        def links(seed):
            fabric = circuit_switched(20, 3, light_paths="random_regular", seed=seed)
            return fabric.link_target.tolist()

        assert links(3) == links(3)
        assert links(3) != links(4)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"endpoints": 1}, "endpoints: found 1, expected an integer of at least 2"),
            ({"ports": 0}, "ports: found 0"),
            ({"light_paths": []}, "ports: found 0"),
            ({"light_paths": "ring"}, "light_paths: found 'ring'"),
            ({"seed": -1}, "seed: found -1"),
            ({"strides": [1]}, "strides: found 1 values, expected 2 for 4 ports"),
            ({"strides": [1, 4]}, "strides: found 4, expected integers coprime to 16"),
            ({"strides": [0, 1]}, "strides: found 0"),
            ({"light_paths": "random_regular", "ports": 16}, "ports: found 16, expected fewer than the 16"),
            ({"light_paths": "random_regular", "endpoints": 5, "ports": 3}, "expected an even number"),
            (
                {"light_paths": [[(0, 0)]]},
                r"light_paths\[0\]\[0\]: found \(0, 0\), expected two different ranks",
            ),
            ({"light_paths": [[], [(0, 16)]]}, r"light_paths\[1\]\[0\]: found"),
            ({"light_paths": [[(0, -1)]]}, "expected two different ranks below 16"),
            ({"light_paths": [[(0, 1, 2)]]}, "expected two different ranks"),
            ({"light_paths": [[(0, 1), (2, 1)]]}, r"light_paths\[0\]\[1\]: endpoint 1 uses its port twice"),
            ({"endpoints": 10**9}, "expected at most 50,000,000"),
        ],
    )
    def test_refuses(self, arguments, message):
        with pytest.raises(FaultsError, match=message):
            circuit_switched(**arguments)


class TestGrouped:
    def test_defaults_to_meshes_behind_a_switch(self):
        fabric = grouped(3, 4)
        assert counts(fabric) == (12, 1, 12 + 3 * 6)
        assert fabric.endpoints_forward
        assert fabric.names[5] == "gpu1.1"
        inside = [
            (u, v)
            for u, v in zip(fabric.link_source.tolist(), fabric.link_target.tolist(), strict=True)
            if u < 12 and v < 12
        ]
        assert all(u // 4 == v // 4 for u, v in inside)
        assert len(inside) == 3 * 12

    @pytest.mark.parametrize("attach", ["rail", "block"])
    def test_attach(self, attach):
        between = {"generator": "leaf_spine", "leaves": 4, "endpoints_per_leaf": 3, "spines": 1}
        fabric = grouped(3, 4, between=between, attach=attach)
        leaf = {}
        for u, v in zip(fabric.link_source.tolist(), fabric.link_target.tolist(), strict=True):
            if u < 12 <= v:
                leaf[u] = v - 12
        member = [leaf[r] for r in range(12)]
        assert member == ([0, 1, 2, 3] * 3 if attach == "rail" else [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3)

    def test_inside_switches_come_after_those_between(self):
        fabric = grouped(2, 2, inside={"generator": "single_switch"})
        assert fabric.names == (
            "gpu0.0",
            "gpu0.1",
            "gpu1.0",
            "gpu1.1",
            "switch0",
            "group0.switch0",
            "group1.switch0",
        )
        assert not fabric.endpoints_forward
        assert grouped(2, 2, inside={"generator": "single_switch"}, forward=True).endpoints_forward

    def test_keeps_rates_latencies_and_media(self):
        fabric = grouped(2, 2, inside=full_mesh(2, bandwidth=7.0, latency=1.0, medium="pcb"))
        inside = fabric.kind[fabric.link_source] == fabric.kind[fabric.link_target]
        assert set(fabric.capacity[inside].tolist()) == {7.0}
        assert set(fabric.latency[inside].tolist()) == {1.0}
        assert {fabric.media[m] for m in fabric.medium[inside]} == {"pcb"}
        assert set(fabric.capacity[~inside].tolist()) == {50e9}

    def test_takes_fabrics_of_any_origin(self):
        star = nx.star_graph(4)
        nx.set_node_attributes(star, {0: "switch"}, "kind")
        fabric = grouped(2, 2, between=Fabric.from_graph(star))
        assert counts(fabric) == (4, 1, 6)

    def test_of_circuit_switched_fabrics(self):
        fabric = grouped(2, 4, between={"generator": "circuit_switched", "ports": 2})
        assert (fabric.ranks, fabric.circuit_switches, fabric.cables) == (8, 2, 16 + 12)
        assert fabric.links == 16 + 24

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"groups": 0}, "groups: found 0"),
            ({"size": 1.5}, "size: found 1.5"),
            ({"attach": "none"}, 'attach: found \'none\', expected "rail" or "block"'),
            ({"inside": {}}, "inside.generator: missing"),
            ({"inside": {"generator": "torus", "dims": 3}}, "inside: has 3 endpoints, expected 4"),
            ({"between": torus(4)}, "between: has 4 endpoints, expected 16"),
            ({"inside": {"generator": "torus", "dim": 4}}, "inside.dim: unknown parameter"),
            ({"between": {"generator": "fat_tree", "k": 3}}, "between.k: found 3"),
            ({"groups": 10**6, "size": 10**6}, "expected at most 50,000,000"),
        ],
    )
    def test_refuses(self, arguments, message):
        with pytest.raises(TopologyError, match=message):
            grouped(**arguments)

    def test_refuses_an_unknown_generator(self):
        with pytest.raises(TopoSimError, match="did you mean"):
            grouped(inside={"generator": "tours"})


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (torus, {"dims": 4.0}),
        (torus, {"dims": None}),
        (fat_tree, {"oversubscription": 2.0}),
        (fat_tree, {"bandwidth": None}),
        (fat_tree, {"down": 4, "up": 1}),
        (circuit_switched, {"light_paths": 5}),
        (circuit_switched, {"light_paths": [[0, 1]]}),
        (circuit_switched, {"strides": 3}),
        (grouped, {"inside": "torus"}),
        (grouped, {"inside": {"generator": ["torus"]}}),
    ],
)
def test_refuses_other_types_by_name(make, arguments):
    with pytest.raises(FaultsError, match=next(iter(arguments))):
        make(**arguments)


def test_a_numpy_seed_is_a_seed():
    options = {"light_paths": "random_regular", "ports": 3}
    fabric = circuit_switched(8, seed=np.int64(1), **options)
    assert fabric.link_target.tolist() == circuit_switched(8, seed=1, **options).link_target.tolist()


class TestGroupedGraphs:
    def test_groups_of_groups(self):
        switched = {"generator": "single_switch"}
        fabric = grouped(
            2, 4, inside=switched, between={"generator": "grouped", "groups": 2, "inside": switched}
        )
        assert len(set(fabric.names)) == len(fabric.names)
        assert len(fabric.graph) == len(fabric.kind)
        assert naive.link_multiset(Fabric.from_graph(fabric.graph)) == naive.link_multiset(fabric)

    def test_of_a_directed_graph(self):
        fabric = grouped(2, 2, between=Fabric.from_graph(nx.DiGraph([(0, 1), (1, 2), (2, 3), (3, 0)])))
        assert naive.link_multiset(Fabric.from_graph(fabric.graph)) == naive.link_multiset(fabric)

    def test_lone_endpoints_behind_a_switch_do_not_forward(self):
        assert not grouped(4, 1).endpoints_forward


class TestRotor:
    def test_pairs_get_their_mean_rate_after_their_mean_wait(self):
        fabric = rotor(9, 2, slot=10.0, reconfiguration=1.0, bandwidth=80.0, latency=0.5)
        assert counts(fabric)[0] == 9
        assert fabric.capacity.tolist() == pytest.approx([2 * 80 * 0.9 / 8] * 72)
        assert fabric.latency.tolist() == pytest.approx([0.5 + 31**2 / 80] * 72)  # lit 9 s of every 40
        assert (fabric.circuit_switches, fabric.cables) == (2, 18)
        assert metrics(fabric).bisection.high == pytest.approx(20 * 18.0)

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"endpoints": 1}, "endpoints: found 1, expected an integer of at least 2"),
            ({"ports": 16}, "ports: found 16, expected fewer than the 16 endpoints"),
            ({"ports": 0}, "ports: found 0"),
            ({"slot": "20 us"}, "reconfiguration: found 2e-05 s, expected less than the slot of 2e-05 s"),
            ({"slot": "fast"}, "slot: "),
            ({"reconfiguration": -1.0}, "reconfiguration: "),
            ({"slot": float("nan")}, "slot: "),
        ],
    )
    def test_bad(self, given, message):
        with pytest.raises(FaultsError, match=message):
            rotor(**given)
