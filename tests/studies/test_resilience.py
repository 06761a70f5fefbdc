"""What each part of a fabric takes away: by hand, and by taking it out of the graph."""

import networkx as nx
import numpy as np
import pytest

from topo_sim.base import UsageError
from topo_sim.gpus.catalogue import load_gpus
from topo_sim.gpus.reliability import YEAR
from topo_sim.studies.blast import part_classes, without
from topo_sim.studies.resilience import measure_resilience
from topo_sim.topo import (
    Fabric,
    circuit_switched,
    fat_tree,
    leaf_spine,
    load_fabric,
    max_concurrent_flow,
    single_switch,
    torus,
)

MEDIUM = {"medium": "copper"}


def blasts(fabric, **given):
    return {(b.part, b.example): b for b in measure_resilience(fabric, **given).blasts}


def test_a_plane_of_a_flat_switch():
    found = measure_resilience(load_fabric("lite-flat-switch"), load_gpus()["lite"], group=32, gap=0.05)
    gpu, switch, link = found.blasts
    assert (gpu.count, switch.count, link.count) == (256, 4, 1024)
    assert (gpu.lost, gpu.stopped, gpu.idle) == (1, 1, 0.125)
    assert (switch.lost, switch.stopped) == (0, 0)
    assert switch.theta == pytest.approx((0.75, 0.75))
    assert switch.injection_lost == pytest.approx(0.25)
    assert link.injection_lost == pytest.approx(1 / 1024)
    # Expected loss is parts x rate x repair x share.
    rate = gpu.rate.typical * YEAR
    assert gpu.expected(gpu.idle) == pytest.approx(256 * rate * 72 / 8760 * 0.125)
    assert found.expected_idle("low") < found.expected_idle() < found.expected_idle("high")
    assert gpu.rate.high == pytest.approx(4 * gpu.rate.low)


def test_switches_of_a_fat_tree():
    found = blasts(fat_tree(4, bandwidth=1.0, **MEDIUM), group=2)
    edge = next(b for (part, name), b in found.items() if name.startswith("edge"))
    top = next(b for (part, name), b in found.items() if name.startswith("agg"))
    assert (edge.lost, edge.stopped, edge.symmetric) == (2, 1, True)
    assert (top.lost, top.stopped) == (0, 0)
    # Two endpoints below an edge switch share one uplink: 13 of 14 others are elsewhere... 15 in all.
    assert top.theta == pytest.approx((1 / 2 / (14 / 15),) * 2, rel=1e-6)
    link = next(b for (part, name), b in found.items() if name.startswith("gpu") and "->" in name)
    assert (link.lost, link.stopped, link.count) == (1, 1, 16)


def test_a_leaf_cuts_its_endpoints_off_and_groups_across_leaves_stop():
    fabric = leaf_spine(leaves=4, endpoints_per_leaf=6, spines=2, bandwidth=1.0, **MEDIUM)
    leaf = next(b for (_, name), b in blasts(fabric, group=4).items() if name.startswith("leaf"))
    assert leaf.lost == 6
    assert leaf.stopped == 2  # ranks 0..5: groups 0 and 1
    spine = next(b for (_, name), b in blasts(fabric, group=4).items() if name.startswith("spine"))
    assert (spine.lost, spine.stopped) == (0, 0)


def test_endpoints_that_cannot_forward_still_reach_their_own_switch():
    found = blasts(load_fabric("superpod-h100-64"), group=8, throughput=False)
    rail = found["switch", "leaf0"]
    assert (rail.lost, rail.stopped) == (8, 0)
    assert rail.theta is None
    assert rail.bandwidth_lost is None


def test_bandwidth_against_solving_the_graph_without_the_part():
    graph = nx.random_regular_graph(4, 12, seed=3)
    nx.set_edge_attributes(graph, "copper", "medium")
    fabric = Fabric.from_graph(graph, bandwidth=1.0)
    before = max_concurrent_flow(fabric, method="lp").theta
    for kind in part_classes(fabric):
        failing = kind.members[0]
        left = graph.copy()
        if failing.nodes:
            left.remove_nodes_from(failing.nodes)
        else:
            ends = (fabric.link_source[failing.links[0]], fabric.link_target[failing.links[0]])
            left.remove_edge(*map(int, ends))
        after = max_concurrent_flow(Fabric.from_graph(left, bandwidth=1.0), method="lp").theta
        blast = next(
            b for b in measure_resilience(fabric, samples=1, gap=0.01).blasts if b.example == failing.name
        )
        assert blast.theta[0] - 1e-6 <= after / before <= blast.theta[1] + 1e-6


def test_every_node_of_a_torus_is_as_good_as_the_first():
    fabric = torus((3, 4), bandwidth=1.0, **MEDIUM)
    classes = part_classes(fabric)
    assert [(c.part, len(c.members), c.symmetric) for c in classes] == [
        ("gpu", 12, True),
        ("link-copper", 12, True),
        ("link-copper", 12, True),
    ]
    for kind in classes:
        thetas = [max_concurrent_flow(without(fabric, m), method="lp").theta for m in kind.members]
        assert np.ptp(thetas) < 1e-9


def test_planes_of_circuits_are_told_apart_by_their_steps():
    fabric = circuit_switched(16, ports=4, light_paths="rings", endpoint_bandwidth=4.0, medium="cpo")
    kinds = [c for c in part_classes(fabric) if c.part == "ocs"]
    assert sum(len(c.members) for c in kinds) == 4
    for kind in kinds:
        assert kind.symmetric
        thetas = [max_concurrent_flow(without(fabric, m), method="lp").theta for m in kind.members]
        assert np.ptp(thetas) < 1e-9
    left = without(fabric, kinds[0].members[0])
    assert left.links < fabric.links
    assert left.ranks == 16


def test_samples_and_seed():
    fabric = load_fabric("lite-grouped")
    one, two = (measure_resilience(fabric, samples=3, seed=s, throughput=False) for s in (0, 0))
    assert one.rows() == two.rows()
    assert all(b.solved == min(3, b.count) for b in one.blasts)


def test_cables_are_all_there():
    for name in ("lite-torus", "lite-fat-tree", "superpod-h100-64", "polaris-8"):
        fabric = load_fabric(name)
        kinds = part_classes(fabric)
        links = [i for kind in kinds for m in kind.members for i in m.links]
        assert sorted(links) == list(range(fabric.links))
        assert sum(len(k.members) for k in kinds if k.part.startswith("link")) == fabric.cables


def test_one_endpoint_and_one_switch():
    found = blasts(single_switch(2, bandwidth=1.0, **MEDIUM), group=2)
    assert found["switch", "switch0"].stopped == 1
    assert found["gpu", "gpu0"].lost == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"group": 5}, "group: found 5 for 16 endpoints"),
        ({"group": 0}, "group: found 0"),
        ({"rate": -1.0}, "failure rate: found -1.0"),
        ({"repair": 0.0}, "repair time: found 0.0"),
        ({"repair": 1e12}, "unavailability"),
        ({"samples": 0}, "samples: found 0"),
        ({"gap": 0.0}, "gap"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_questions(given, message):
    with pytest.raises(UsageError, match=message):
        measure_resilience(torus((4, 4), bandwidth=1.0, **MEDIUM), **given)


def test_a_medium_without_a_rate_is_named():
    with pytest.raises(UsageError, match='no failure rate for part "link-tin"'):
        measure_resilience(torus((4, 4), medium="tin"))


def test_a_gpu_without_an_area_is_named():
    gpus = load_gpus()
    bare = gpus["h100"].model_copy(update={"die_area": None, "name": "bare"})
    with pytest.raises(UsageError, match="bare: found no die_area"):
        measure_resilience(torus((4, 4), **MEDIUM), bare)
