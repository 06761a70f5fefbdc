"""Times of passes: sums, bounds, and what they must not do."""

import numpy as np
import pytest

from topo_sim.base import UsageError
from topo_sim.gpus import load_gpus
from topo_sim.inference.models import find_model
from topo_sim.inference.network import IdealNetwork
from topo_sim.inference.operators import Device, Shard, Work, find_efficiency, find_precision
from topo_sim.inference.parallelism import Layout
from topo_sim.inference.passes import PARTS, PassTimer
from topo_sim.inference.roofline import weight_bytes
from topo_sim.inference.throughput import pass_time

LITE, H100 = (Device.of(load_gpus()[name]) for name in ("lite", "h100"))
H100_CONSTANTS = find_efficiency("h100")
NETWORK = IdealNetwork(112.5e9, ranks=256)
BYTE = find_precision("fp8-all")


def timer(model="llama3-70b", layout=None, device=LITE, efficiency=H100_CONSTANTS, **how):
    return PassTimer(find_model(model), device, layout or Layout(tp=8), NETWORK, BYTE, efficiency, **how)


@pytest.mark.parametrize("efficiency", [None, H100_CONSTANTS])
def test_one_gpu_takes_its_operators_and_nothing_else(efficiency):
    alone = timer(layout=Layout(), efficiency=efficiency)
    work = Work("decode", [1, 7, 64], 1500)
    found = alone.time(work)
    expected = pass_time(Shard(alone.model), work, BYTE, LITE, efficiency)
    assert found.total == pytest.approx(expected)
    assert not found.communication.any()
    assert sum(found.parts[name] for name in PARTS) == pytest.approx(found.total)


def test_overlap_hides_the_shorter_of_both():
    times = {overlap: timer(overlap=overlap).decode([1, 64, 512], 1500) for overlap in (0.0, 0.25, 1.0)}
    own = sum(times[0.0].parts[name] for name in PARTS[:3])
    wire = times[0.0].communication
    assert times[0.0].total == pytest.approx(own + wire)
    assert times[1.0].total == pytest.approx(np.maximum(own, wire))
    assert times[0.25].total == pytest.approx(own + wire - 0.25 * np.minimum(own, wire))
    for overlap in (-0.01, 1.01, float("nan")):
        with pytest.raises(UsageError, match="from 0 to 1"):
            timer(overlap=overlap)


def test_many_at_once_are_as_one_by_one():
    one = timer(layout=Layout(tp=16, pp=2, kv="shard", sequence_parallel=True))
    batch, context = np.array([1, 5, 300]), np.array([100, 1500, 9000])
    whole = one.decode(batch, context).total
    assert whole == pytest.approx(
        [float(one.decode(b, c).total) for b, c in zip(batch, context, strict=True)]
    )
    prompts = one.prefill(context).total
    assert prompts == pytest.approx([float(one.prefill(c).total) for c in context])
    assert np.all(np.diff(prompts) > 0)
    assert one.decode(batch[:, None], context).total.shape == (3, 3)


def test_stages_share_the_layers_and_the_slowest_sets_the_pace():
    whole, halves, thirds = (timer(layout=Layout(pp=pp)).decode(64, 1500) for pp in (1, 2, 3))
    assert float(halves.interval) == pytest.approx(float(halves.total) / 2)
    sent = 64 * 8192 / 112.5e9
    assert float(halves.total) == pytest.approx(float(whole.total) + sent)
    uneven = 27 * 3 / 80  # stages of 27, 27 and 26 layers
    assert float(thirds.total) == pytest.approx(uneven * (float(whole.total) + 2 * sent))


def test_parts_of_prompts_share_the_arithmetic():
    model = find_model("llama3-70b")
    whole, parts = (timer(layout=Layout(tp=4, cp=cp)) for cp in (1, 4))
    work = Work("prefill", 2, 4096)
    for kind in ("matmul", "prefill attention"):
        flops = [
            sum(
                float(op.flops) * op.repeat
                for op in each.operators(work)
                if op.kind == kind and op.name != "lm_head"
            )
            for each in (whole, parts)
        ]
        assert flops[1] == pytest.approx(flops[0] / 4, rel=0.01)
    assert model.layers == 80
    with pytest.raises(UsageError, match="found CP 4 while decoding"):
        parts.decode(1, 1500)


def test_memory_is_weights_and_cache():
    model = find_model("llama3-405b")
    one = timer("llama3-405b", Layout(tp=32, kv="shard"))
    weights = sum(weight_bytes(model)) / 32
    copies = 126 * 2 * 16384 * 128 * (8 / 32) - 126 * 2 * 16384 * 128 * 8 / 32
    assert float(one.memory(0, 1500)) == pytest.approx(weights + copies)
    assert float(one.memory(10, 1500)) - float(one.memory(0, 1500)) == pytest.approx(10 * 1500 * 258048 / 32)
    held = timer("llama3-405b", Layout(tp=32))
    assert float(held.memory(10, 1500) - held.memory(0, 1500)) == pytest.approx(4 * 10 * 1500 * 258048 / 32)
    staged = timer("llama3-405b", Layout(tp=8, pp=4))
    assert float(staged.memory(0, 1)) == pytest.approx(sum(weight_bytes(model)) / 32 * (32 * 4 / 126))


def test_modelled_operators_are_never_faster_than_their_rooflines():
    for layout in (Layout(tp=4), Layout(tp=16, kv="shard"), Layout(tp=32, sequence_parallel=True)):
        bound, time = (
            timer(layout=layout, efficiency=e).decode([1, 64, 1024], 1500) for e in (None, H100_CONSTANTS)
        )
        assert np.all(bound.total < time.total)


def test_bad_questions_are_refused():
    with pytest.raises(UsageError, match="found 512 GPUs"):
        timer(layout=Layout(tp=64, pp=8))
    one = timer()
    for batch, context in ((0, 1500), (1, 0), (float("nan"), 1500), (1, float("inf")), ([], 1500)):
        with pytest.raises(UsageError, match="expected finite numbers from 1 on"):
            one.decode(batch, context)
    assert float(one.decode(1, 1500).latency) == 0
