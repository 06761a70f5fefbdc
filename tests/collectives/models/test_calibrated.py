"""The calibrated model keeps to physics whatever its constants."""

import dataclasses

import numpy as np
import pytest

from topo_sim.base import CollectiveError, UsageError
from topo_sim.collectives import build_schedule
from topo_sim.collectives.collective import COLLECTIVES
from topo_sim.collectives.models import COST_MODELS
from topo_sim.collectives.models.calibrated import mechanisms, predict
from topo_sim.collectives.models.constants import (
    describe,
    network_of,
    networks,
    prior_constants,
    shipped_constants,
)
from topo_sim.collectives.models.layout import layout_of
from topo_sim.topo import single_switch
from topo_sim.topo.files import list_shipped, load_fabric

MODEL = COST_MODELS["calibrated"]
SIZES = np.concatenate([[0.0], 2.0 ** np.arange(0, 40)])
COVERED = ("all_reduce", "all_gather", "reduce_scatter")


def test_constants_are_positive_and_named_once():
    for name, known in describe().items():
        assert known.prior > 0
        assert known.spread >= 0
        assert known.unit in ("us", "-")
        assert shipped_constants().values[name] > 0
    assert {name.partition(".")[0] for name in describe() if "." in name} == set(networks())


@pytest.mark.parametrize("constants", [prior_constants(), shipped_constants()], ids=["prior", "shipped"])
@pytest.mark.parametrize("name", list_shipped())
def test_times_grow_with_size_and_stay_finite(name, constants):
    fabric = load_fabric(name)
    layout, known = layout_of(fabric), constants.of(network_of(name))
    for collective in COVERED:
        times = predict(layout, collective, SIZES, known)
        assert np.all(np.isfinite(times))
        assert np.all(np.diff(times) >= 0)
        assert times[0] >= known["launch"] * 1e-6


@pytest.mark.parametrize("name", ["p5-16", "dgx-a100-16", "polaris-8", "polaris-32", "b200-16"])
def test_a_ring_is_never_faster_than_the_ports(name):
    layout = layout_of(load_fabric(name))
    known = shipped_constants().of(network_of(name))
    for collective in ("all_gather", "reduce_scatter"):
        busbw = SIZES[1:] / predict(layout, collective, SIZES[1:], known)
        busbw *= COLLECTIVES[collective].busbw_factor(layout.ranks)
        assert busbw.max() < layout.node_rate
    if layout.nodes == 2:
        algbw = SIZES[1:] / predict(layout, "all_reduce", SIZES[1:], known)
        assert algbw.max() < layout.node_rate


def test_switches_that_reduce_beat_a_ring_over_eight_and_not_over_two():
    whole = load_fabric("dgx-h100")
    known = shipped_constants().of("infiniband")
    for ranks, quickest in ((8, "nvls"), (2, "ring")):
        table = mechanisms(layout_of(whole, ranks), "all_reduce", np.array([2.0**34]), known)
        assert min(table, key=lambda name: table[name][0]).partition(",")[0] == quickest


def test_a_worse_network_is_never_faster():
    layout = layout_of(load_fabric("polaris-32"))
    known = prior_constants().of("slingshot")
    base = predict(layout, "all_reduce", SIZES, known)
    for worse in (
        dataclasses.replace(layout, node_rate=layout.node_rate / 2),
        dataclasses.replace(layout, far=layout.far * 4),
        dataclasses.replace(layout, local_rate=layout.local_rate / 8),
        dataclasses.replace(layout, near=5e-6),
    ):
        assert np.all(predict(worse, "all_reduce", SIZES, known) >= base)
    for name in ("launch", "hop", "message", "gap", "growth"):
        assert np.all(predict(layout, "all_reduce", SIZES, known | {name: 2 * known[name]}) >= base)


@pytest.mark.parametrize("ranks", [1, 2, 3, 7, 8, 9, 12, 33, 63, 64])
def test_any_number_of_ranks(ranks):
    fabric = load_fabric("superpod-h100-64")
    schedule = build_schedule("all_reduce", "ring", ranks, 0)
    times = MODEL.times(schedule, fabric, SIZES, algorithm="auto")
    assert np.all(np.isfinite(times))
    assert np.all(times == 0) if ranks == 1 else np.all(times > 0)


def test_one_rank_per_machine():
    fabric = single_switch(16, bandwidth="50 GB/s")
    schedule = build_schedule("all_reduce", "ring", 16, 0)
    flat = MODEL.times(schedule, fabric, [1e9], per_node=1)[0]
    assert flat > 1e9 * 2 * 15 / 16 / 50e9
    assert flat < 2 * 1e9 * 2 * 15 / 16 / 50e9


def test_the_schedule_chooses_the_mechanism():
    fabric = load_fabric("p5-16")
    times = {
        name: MODEL.times(build_schedule("all_reduce", name, 16, 0), fabric, SIZES)
        for name in ("ring", "double_binary_tree")
    }
    auto = MODEL.times(build_schedule("all_reduce", "ring", 16, 0), fabric, SIZES, algorithm="auto")
    assert times["ring"][1] > times["double_binary_tree"][1] == auto[1]
    assert np.all(auto <= np.minimum(*times.values()))


def test_what_the_model_lacks_is_refused():
    fabric = load_fabric("dgx-h100")
    with pytest.raises(CollectiveError, match="expected one of all_reduce"):
        MODEL.times(build_schedule("all_to_all", "pairwise", 8, 0), fabric, 8)
    with pytest.raises(CollectiveError, match='or the setting algorithm="auto"'):
        MODEL.times(build_schedule("all_reduce", "halving_doubling", 8, 0), fabric, 8)
    ring = build_schedule("all_reduce", "ring", 8, 0)
    for settings, text in (
        ({"network": "efb"}, 'did you mean "efa"'),
        ({"generation": "hoper"}, 'did you mean "hopper"'),
        ({"constants": "mine"}, "expected shipped, prior or a Constants"),
    ):
        with pytest.raises(UsageError, match=text):
            MODEL.times(ring, fabric, 8, **settings)
