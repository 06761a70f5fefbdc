"""Ideal networks and fabrics as a model sees them, against collectives costed one by one."""

import numpy as np
import pytest

from topo_sim.base import TopoSimError, UsageError
from topo_sim.collectives import build_schedule, cost, on_groups
from topo_sim.collectives.candidates import candidates
from topo_sim.inference.network import FabricNetwork, IdealNetwork
from topo_sim.topo import fat_tree, grouped, single_switch, torus
from topo_sim.topo.files import load_topology


@pytest.fixture(scope="module")
def flat():
    return FabricNetwork(load_topology("lite-flat-switch").fabric)


@pytest.fixture(scope="module")
def lite_torus():
    return FabricNetwork(load_topology("lite-torus").fabric)


@pytest.mark.parametrize(
    ("collective", "factor"),
    [
        ("all_reduce", 1.5),
        ("reduce_scatter", 0.75),
        ("all_gather", 0.75),
        ("all_to_all", 0.75),
        ("send_recv", 1),
    ],
)
def test_ideal_is_bandwidth_alone(collective, factor):
    network = IdealNetwork(1e9, ranks=8)
    curve = network.curve(collective, 4)
    assert curve.time([0, 1e9, 3e9]).tolist() == pytest.approx([0, factor, 3 * factor])
    assert network.pace(collective, 4) == pytest.approx(factor / 1e9)
    assert curve.time(7.0).shape == ()
    assert network.curve(collective, 1).time(1e9) == 0


@pytest.mark.parametrize("bandwidth", [0, -1, float("nan"), float("inf")])
def test_ideal_refuses_bandwidths(bandwidth):
    with pytest.raises(UsageError, match="expected a finite rate above 0"):
        IdealNetwork(bandwidth)


def test_what_does_not_fit_is_refused(flat):
    for network in (flat, IdealNetwork(1e9, ranks=256)):
        with pytest.raises(UsageError, match="groups of 257 ranks, expected at most its 256"):
            network.curve("all_reduce", 257)
        with pytest.raises(UsageError, match="at stride 200"):
            network.curve("all_reduce", 4, 200)
        for group in (0, -1, 1.5, True):
            with pytest.raises(UsageError, match="whole number from 1 on"):
                network.curve("all_reduce", group)
    with pytest.raises(TopoSimError, match="all_reduce"):
        flat.curve("all_reduc", 4)
    for size in (-1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="negative or not finite"):
            flat.curve("all_reduce", 4).time([1.0, size])
    with pytest.raises(TopoSimError, match='unknown algorithm "rin"'):
        flat.curve("all_reduce", 4).time(1.0, "rin")


FABRICS = [
    single_switch(12, bandwidth="100 GB/s", latency="400 ns"),
    torus((4, 2, 2), endpoint_bandwidth="112.5 GB/s", latency="150 ns"),
    fat_tree(4, bandwidth="50 GB/s", latency="500 ns"),
    grouped(4, 4),
]


@pytest.mark.parametrize("fabric", FABRICS, ids=lambda fabric: fabric.name)
@pytest.mark.parametrize(("collective", "group", "stride"), [
    ("all_reduce", 4, 1), ("all_gather", 4, 2), ("reduce_scatter", 2, 4), ("all_to_all", 4, 1),
])  # fmt: skip
def test_curve_is_the_least_of_all_algorithms_costed_one_by_one(fabric, collective, group, stride):
    network = FabricNetwork(fabric)
    curve = network.curve(collective, group, stride)
    groups = network.groups(group, stride)
    everyone = np.concatenate(groups)
    assert np.unique(everyone).size == everyone.size
    assert all(set(np.diff(each)) == {stride} for each in groups)
    shaped = ("torus", "hierarchical", "blueconnect", "swing") if stride > 1 else ()  # packed groups alone
    here = fabric if stride == 1 else None
    tried = [each for each in candidates(collective, None, group, here) if each[0] not in shaped]
    for size in (64.0, 5e4, 1e7):
        times = []
        for name, options in tried:
            try:
                every = on_groups(build_schedule(collective, name, group, size, **options), groups)
                times.append(cost(every, fabric).time)
            except TopoSimError:
                continue
        found = float(curve.time(size))
        assert found <= min(times) * 1.02  # those that win between the sizes that are looked at may be missed
        best = curve.choice(size)[0].split(" ")[0]
        mine = [t for (name, _), t in zip(tried, times, strict=False) if name == best]
        assert not mine or found == pytest.approx(min(mine), rel=1e-9) or found < min(mine)
        assert found >= network.pace(collective, group) * size * (1 - 1e-9)


def test_a_ring_of_32_takes_62_steps_and_something_better_is_picked(flat):
    curve = flat.curve("all_reduce", 32)
    assert curve.groups == 8
    assert float(curve.time(0, "ring")) == pytest.approx(62 * 0.8e-6)
    tokens = 131072.0  # one token of Llama3-405B, eight sequences
    assert 252 * float(curve.time(tokens, "ring")) > 12e-3
    assert float(curve.time(tokens)) < float(curve.time(tokens, "ring")) / 5
    assert curve.choice(tokens)[0] != "ring"


def test_groups_of_a_torus_are_offered_its_own_algorithms(lite_torus):
    curve = lite_torus.curve("all_reduce", 32)  # 4 x 8 of 4 x 8 x 8
    assert {"torus", "swing"} <= set(curve.algorithms)
    assert float(curve.time(1e8)) < float(curve.time(1e8, "ring")) / 3
    assert "swing" not in lite_torus.curve("all_reduce", 12).algorithms


def test_sums_in_switches_are_used_where_groups_share_no_link():
    network = FabricNetwork(load_topology("superpod-h100-64").fabric)
    assert any(name.startswith("nvls") for name in network.curve("all_reduce", 8).algorithms)
    assert not any(name.startswith("nvls") for name in network.curve("all_reduce", 16).algorithms)
    ideal = IdealNetwork(450e9).curve("all_reduce", 8)
    assert float(network.curve("all_reduce", 8).time(1e9)) < float(ideal.time(1e9))


def test_packed_groups_beat_strided_ones_where_neighbours_are_close():
    network = FabricNetwork(load_topology("lite-grouped").fabric)
    packed, strided = (network.curve("all_reduce", 4, stride) for stride in (1, 64))
    assert float(packed.time(1e8)) < float(strided.time(1e8)) / 5


def test_more_groups_at_once_are_never_faster():
    fabric = torus((4, 4), endpoint_bandwidth="100 GB/s", latency="150 ns")
    network = FabricNetwork(fabric)
    crowded = network.curve("all_reduce", 4, 2)
    for name in ("ring", "recursive_doubling"):
        alone = on_groups(build_schedule("all_reduce", name, 4, 1e7), network.groups(4, 2)[:1], ranks=16)
        assert float(crowded.time(1e7, name)) >= cost(alone, fabric).time * (1 - 1e-9)
