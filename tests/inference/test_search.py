"""The search, against trying everything."""

from dataclasses import replace

import numpy as np
import pytest

from topo_sim.base import TopoSimError, UsageError
from topo_sim.gpus import load_gpus
from topo_sim.inference.candidates import layouts
from topo_sim.inference.deployment import Cluster, Slo
from topo_sim.inference.economics import gpu_cost, gpu_watts
from topo_sim.inference.models import find_model
from topo_sim.inference.network import FabricNetwork, IdealNetwork
from topo_sim.inference.operators import Device, find_efficiency, find_precision
from topo_sim.inference.parallelism import Layout
from topo_sim.inference.passes import PassTimer
from topo_sim.inference.search import best_deployment
from topo_sim.topo import torus

LITE = load_gpus()["lite"]
CONSTANTS = find_efficiency("h100")
PRECISION = find_precision("fp8")
TORUS = FabricNetwork(torus((4, 4), endpoint_bandwidth="112.5 GB/s", latency="150 ns"))


def everything(model, network, most, phase, limit, overlap):
    """Best tokens per second and GPU over every layout and every batch, one layout at a time."""
    best = 0.0, None, 0
    for layout in layouts(model, phase, most, placements=("packed", "strided")):
        timer = PassTimer(model, Device.of(LITE), layout, network, PRECISION, CONSTANTS, overlap)
        batch = np.arange(1, 600)
        fits = timer.memory(batch * layout.pp, 1500) <= 0.9 * 20e9
        if not fits.any():
            continue
        batch = batch[fits]
        times = timer.prefill(1500, batch) if phase == "prefill" else timer.decode(batch, 1500)
        tokens = batch * layout.batches * (1500 if phase == "prefill" else 1)
        score = np.where(times.total <= limit, tokens / times.interval / layout.gpus, 0)
        i = int(score.argmax())
        if score[i] > best[0] * (1 + 1e-9):
            best = float(score[i]), layout, int(batch[i])
    return best


@pytest.mark.parametrize(("name", "phase", "limit", "overlap"), [
    ("llama3-8b", "decode", 0.02, 0.0),
    ("llama3-8b", "prefill", 0.2, 0.5),
    ("llama3-70b", "decode", 0.05, 1.0),
    ("mixtral-8x22b", "decode", 0.03, 0.0),
])  # fmt: skip
def test_the_best_of_all_is_found(name, phase, limit, overlap):
    model = find_model(name)
    score, layout, batch = everything(model, TORUS, 16, phase, limit, overlap)
    slo = Slo(ttft=limit, tbt=limit)
    found = best_deployment(
        model, Cluster(LITE, TORUS, 16), phase, slo, efficiency=CONSTANTS, overlap=overlap
    ).best
    assert found.per_gpu >= score * 0.999, (layout, batch)
    assert found.per_gpu <= score * (1 + 1e-9) or found.batch >= 600
    assert found.time <= limit
    assert found.memory <= found.memory_limit
    assert sum(found.parts.values()) == pytest.approx(found.time)
    assert found.instances == 16 // found.layout.gpus


def test_runner_ups_are_in_order_and_each_layout_is_there_once():
    found = best_deployment(find_model("llama3-8b"), Cluster(LITE, TORUS, 16), "decode", keep=6).found
    rates = [each.per_sm for each in found]
    assert rates == sorted(rates, reverse=True)
    assert len({replace(each.layout, placement="packed") for each in found}) == len(found) == 6


def test_what_does_not_fit_says_by_how_much():
    found = best_deployment(find_model("llama3-405b"), Cluster(LITE, IdealNetwork(112.5e9), 8), "decode")
    assert found.best is None
    assert found.closest.what == "memory"
    assert "none: closest is TP 8" in found.closest.text
    assert found.closest.found > found.closest.limit == pytest.approx(18e9)
    assert f"{(found.closest.found - 18e9) / 1e9:.1f} GB more than 18.0" in found.closest.text


def test_a_limit_that_nobody_meets_says_by_how_much():
    model, cluster = find_model("llama3-70b"), Cluster(LITE, TORUS, 16)
    miss = best_deployment(model, cluster, "decode", Slo(tbt=1e-3), efficiency=CONSTANTS).closest
    assert miss.what == "time"
    assert miss.text.startswith("none: closest is TP 16")
    assert miss.text.endswith(" ms, limit 1 ms")
    met = best_deployment(model, cluster, "decode", Slo(tbt=miss.found * 1.001), efficiency=CONSTANTS)
    assert met.best is not None  # what is said to be closest is the truth


def test_longer_limits_never_hurt():
    model, cluster = find_model("llama3-70b"), Cluster(LITE, TORUS, 16)
    rates = [
        best_deployment(model, cluster, "decode", Slo(tbt=tbt), efficiency=CONSTANTS, keep=1).best.per_sm
        for tbt in (0.03, 0.05, 0.08, 1.0)
    ]
    assert rates == sorted(rates)


def test_what_limits_the_batch():
    model = find_model("llama3-70b")
    tight = best_deployment(model, Cluster(LITE, TORUS, 16), "decode", efficiency=CONSTANTS).best
    assert tight.batch_limit == "TBT"
    loose = best_deployment(
        model, Cluster(LITE, TORUS, 16), "decode", Slo(tbt=9.0), efficiency=CONSTANTS
    ).best
    assert loose.batch_limit == "KV capacity"


def test_the_algorithm_is_named():
    found = best_deployment(
        find_model("llama3-70b"),
        Cluster(LITE, TORUS, 16),
        "decode",
        layouts=[Layout(tp=16)],
        efficiency=CONSTANTS,
    )
    (used,) = found.algorithms
    assert (used.collective, used.group, used.repeat) == ("all_reduce", 16, 160.0)
    assert used.time < used.ring
    curve = TORUS.curve("all_reduce", 16)
    assert used.time == pytest.approx(float(curve.times(used.size).min()))


def test_bad_questions_are_refused():
    model, cluster = find_model("llama3-70b"), Cluster(LITE, TORUS, 16)
    for wrong in (
        {"memory_share": 0},
        {"memory_share": 1.1},
        {"context": 0},
        {"context": float("inf")},
        {"keep": 0},
    ):
        with pytest.raises(UsageError, match="expected"):
            best_deployment(model, cluster, "decode", **wrong)
    with pytest.raises(UsageError, match="found TP 7"):
        best_deployment(model, cluster, "decode", layouts=[Layout(tp=7)])
    with pytest.raises(UsageError, match="found no layout to try"):
        best_deployment(model, cluster, "decode", layouts=[])
    for wrong in ({"tbt": 0}, {"ttft": -1}, {"tbt": float("nan")}):
        with pytest.raises(UsageError, match="expected a time above 0"):
            Slo(**wrong)
    with pytest.raises(UsageError, match="from 1 on"):
        Cluster(LITE, TORUS, 0)


def test_dollars_and_watts():
    gpus = load_gpus()
    assert gpu_watts(gpus["h100"]) == pytest.approx(700)
    assert (
        gpu_watts(gpus["lite"], level="low") < gpu_watts(gpus["lite"]) < gpu_watts(gpus["lite"], level="high")
    )
    assert gpu_watts(gpus["lite+netbw"]) < gpu_watts(gpus["lite"]) < gpu_watts(gpus["lite+membw"])
    assert gpu_watts(gpus["lite"], "decode") < gpu_watts(gpus["lite"])
    with pytest.raises(TopoSimError, match="nothing"):
        gpu_watts(gpus["lite"], "nothing")
    assert gpu_watts(load_gpus()["tpu_v5p"]) is None
    assert gpu_cost(load_gpus()["tpu_v5p"]) is None
    assert gpu_cost(LITE, "low") < gpu_cost(LITE) < gpu_cost(LITE, "high")
