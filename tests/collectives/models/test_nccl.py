"""NCCL's model: the latencies its source gives by hand, and physics that any model must keep."""

import csv
import io
from itertools import pairwise

import numpy as np
import pytest

from topo_sim.base import CollectiveError, UnknownNameError, UsageError
from topo_sim.collectives import build_schedule
from topo_sim.collectives.models import COST_MODELS
from topo_sim.collectives.models import nccl_tables as tables
from topo_sim.collectives.models.nccl import Choice, setting_of, time_of, tune
from topo_sim.collectives.models.nccl_terms import bandwidth, latency
from topo_sim.collectives.models.nccl_tuner import TUNER_COLUMNS, tuner_csv
from topo_sim.topo import single_switch
from topo_sim.topo.files import load_fabric

MODEL = COST_MODELS["nccl"]
SIZES = 2.0 ** np.arange(0, 36)


def setting(name, **settings):
    return setting_of(load_fabric(name), latency_inter=0.0, **settings)


@pytest.mark.parametrize(
    ("fabric", "algorithm", "micros"),
    [
        ("dgx-h100", "tree", 6.8 + 2 * 7 * 0.6),  # 15.2
        ("dgx-h100", "ring", 6.6 + 14 * 0.6),  # 15.0
        ("dgx-a100-16", "tree", 6.8 + 2 * (7 * 0.6 + 5.0)),  # 25.2
        ("polaris-8", "tree", 6.8 + 2 * (3 * 0.6 + 5.0)),  # 20.4
        ("polaris-32", "tree", 6.8 + 2 * (3 * 0.6 + 3 * 5.0)),  # 40.4
    ],
)
def test_latency_of_protocol_ll(fabric, algorithm, micros):
    assert latency(setting(fabric), "all_reduce", algorithm, "ll") == pytest.approx(micros)


def test_the_network_adds_its_latency_to_every_hop_and_twice_with_simple():
    bare, slow = setting("polaris-32"), setting_of(load_fabric("polaris-32"), latency_inter=20e-6)
    for protocol, factor in (("ll", 1), ("ll128", 1), ("simple", 2)):
        more = latency(slow, "all_reduce", "tree", protocol) - latency(bare, "all_reduce", "tree", protocol)
        assert more == pytest.approx(2 * 3 * 20 * factor)


def test_a_ring_posts_on_its_way_and_crosses_nodes_twice():
    found = setting("dgx-a100-16", cpu="amd")
    assert latency(found, "all_reduce", "ring", "ll") == pytest.approx(6.6 + 28 * 2.0 + 2 * 2.7)
    assert latency(found, "all_gather", "ring", "simple") == pytest.approx(8.4 + 14 * 6.0 + 14.0)


def test_tables_have_the_shape_of_the_source():
    assert [len(row) for row in tables.TREE_CORRECTION] == [24, 24, 24]
    assert all(len(rows) == 4 for rows in tables.PER_CHANNEL.values())
    assert len(tables.INTER_SPEEDS["ampere"]) == 19
    for grid in (*tables.INTRA_SPEEDS.values(), *tables.INTER_SPEEDS.values()):
        assert list(grid) == sorted(grid, reverse=True)


@pytest.mark.parametrize(
    "name", ["dgx-h100", "p5-16", "dgx-a100-16", "polaris-8", "polaris-32", "b200-16", "superpod-h100-64"]
)
@pytest.mark.parametrize("collective", ["all_reduce", "all_gather", "reduce_scatter", "broadcast"])
def test_the_choice_is_the_least_time(name, collective):
    fabric = load_fabric(name)
    found = setting_of(fabric)
    choices = tune(collective, fabric, SIZES)
    best = np.min(
        [time_of(found, collective, a, p, SIZES) for a in tables.ALGORITHMS for p in tables.PROTOCOLS],
        axis=0,
    )
    assert [c.time for c in choices] == best.tolist()
    for choice, n in zip(choices, SIZES, strict=True):
        alone = time_of(found, collective, choice.algorithm, choice.protocol, np.array([n]))
        assert alone[0] == choice.time


def test_rings_keep_to_the_network_and_trees_may_exceed_it():
    """Bus bandwidth of a ring over nodes is at most that of the ports; a tree's need not be."""
    found = setting("p5-16")
    factor = 2 * 15 / 16
    assert bandwidth(found, "all_reduce", "ring", "simple") * factor <= 400
    assert bandwidth(found, "all_reduce", "nvls_tree", "simple") * factor > 400


def test_no_nvls_before_hopper_without_switches_or_over_nodes():
    assert bandwidth(setting("dgx-a100-16"), "all_reduce", "nvls_tree", "simple") == 0
    assert bandwidth(setting("dgx-h100"), "all_reduce", "nvls", "simple") > 0
    assert bandwidth(setting("dgx-h100"), "all_reduce", "nvls", "ll") == 0
    assert bandwidth(setting("dgx-h100"), "all_reduce", "nvls_tree", "simple") == 0
    assert bandwidth(setting("p5-16"), "all_gather", "nvls", "simple") == 0
    assert bandwidth(setting("polaris-8", generation="hopper"), "all_reduce", "nvls_tree", "simple") == 0
    assert bandwidth(setting("p5-16"), "all_reduce", "collnet_chain", "simple") == 0
    assert bandwidth(setting("p5-16", collnet=True), "all_reduce", "collnet_chain", "simple") > 0


def test_pat_is_for_one_rank_per_node():
    alone = setting_of(single_switch(32, bandwidth="50 GB/s"), per_node=1)
    assert bandwidth(alone, "all_gather", "pat", "simple") > 0
    assert bandwidth(setting("polaris-32"), "all_gather", "pat", "simple") == 0


def test_the_model_reads_the_algorithm_of_the_schedule():
    fabric = load_fabric("dgx-h100")
    ring = build_schedule("all_reduce", "ring", 8, 0)
    tree = build_schedule("all_reduce", "double_binary_tree", 8, 0)
    found = setting_of(fabric)
    expected = time_of(found, "all_reduce", "ring", "ll", np.array([8.0]))
    assert MODEL.times(ring, fabric, 8, protocol="ll")[0] == expected[0]
    auto = MODEL.times(tree, fabric, SIZES, algorithm="auto")
    assert np.all(auto <= MODEL.times(tree, fabric, SIZES))
    assert auto.tolist() == [c.time for c in tune("all_reduce", fabric, SIZES)]


def test_one_rank_and_no_bytes():
    fabric = load_fabric("dgx-h100")
    assert MODEL.times(build_schedule("all_reduce", "ring", 1, 0), fabric, [0, 1e9]).tolist() == [0, 0]
    assert tune("all_reduce", fabric, [8], ranks=1)[0].time == 0
    assert MODEL.times(build_schedule("all_reduce", "ring", 8, 0), fabric, 0)[0] == pytest.approx(15e-6)


@pytest.mark.parametrize("ranks", [2, 3, 12, 33, 64])
def test_any_number_of_ranks_has_a_finite_time(ranks):
    times = np.array([c.time for c in tune("all_reduce", load_fabric("superpod-h100-64"), SIZES, ranks)])
    assert np.all(np.isfinite(times) & (times > 0))
    assert times[-1] > times[0]


def test_what_nccl_lacks_is_refused():
    fabric = load_fabric("dgx-h100")
    with pytest.raises(CollectiveError, match="expected one that NCCL tunes"):
        tune("all_to_all", fabric, [8])
    with pytest.raises(CollectiveError, match="expected an algorithm that NCCL has"):
        MODEL.times(build_schedule("all_reduce", "halving_doubling", 8, 0), fabric, 8)
    with pytest.raises(CollectiveError, match="does not run on 1 node with 8 ranks each of hopper"):
        MODEL.times(build_schedule("all_reduce", "ring", 8, 0), fabric, 8, algorithm="pat")
    with pytest.raises(UnknownNameError):
        tune("all_redcue", fabric, [8])


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"generation": "hoper"}, "did you mean"),
        ({"cpu": "z80"}, "expected intel, amd or other"),
        ({"latency_inter": -1.0}, "seconds of 0 or more"),
        ({"latency_inter": float("nan")}, "seconds of 0 or more"),
        ({"channels": 0}, "whole number of 1 or more"),
    ],
)
def test_bad_settings_are_refused(settings, text):
    with pytest.raises(UsageError, match=text):
        tune("all_reduce", load_fabric("dgx-h100"), [8], **settings)


@pytest.mark.parametrize("size", [-1, float("inf"), float("nan")])
def test_bad_sizes_are_refused(size):
    with pytest.raises(UsageError, match="sizes: found"):
        tune("all_reduce", load_fabric("dgx-h100"), [size])


def test_the_tuner_file_covers_every_size_once():
    fabric = load_fabric("p5-16")
    choices = tune("all_reduce", fabric, SIZES) + tune("all_gather", fabric, SIZES)
    rows = list(csv.DictReader(io.StringIO(tuner_csv(choices))))
    assert tuple(rows[0]) == TUNER_COLUMNS
    for name, collective in (("allreduce", "all_reduce"), ("allgather", "all_gather")):
        mine = [r for r in rows if r["collective_type"] == name]
        assert int(mine[0]["min_bytes"]) == 0
        assert int(mine[-1]["max_bytes"]) == 2**63 - 1
        for a, b in pairwise(mine):
            assert int(b["min_bytes"]) == int(a["max_bytes"]) + 1
            assert (a["algorithm"], a["protocol"]) != (b["algorithm"], b["protocol"])
        for choice in (c for c in choices if c.collective == collective):
            (row,) = [r for r in mine if int(r["min_bytes"]) <= choice.size <= int(r["max_bytes"])]
            assert (row["algorithm"], row["protocol"]) == (choice.algorithm, choice.protocol)
            assert (row["nNodes"], row["nRanks"]) == ("2", "16")


def test_what_a_tuner_file_cannot_say_is_refused():
    good = Choice("all_reduce", 8, "tree", "ll", 8, 1, 8, 1e-5)
    for bad in (
        Choice("all_to_all", 8, "tree", "ll", 8, 1, 8, 1e-5),
        Choice("all_reduce", 8, "swing", "ll", 8, 1, 8, 1e-5),
        Choice("all_reduce", 8, "tree", "", 8, 1, 8, 1e-5),
        Choice("all_reduce", -8, "tree", "ll", 8, 1, 8, 1e-5),
        Choice("all_reduce", 8, "ring", "ll", 8, 1, 8, 1e-5),
    ):
        with pytest.raises(UsageError, match="tuner file: found"):
            tuner_csv([good, bad])
    assert tuner_csv([]).strip() == ",".join(TUNER_COLUMNS)
