"""The time model: against its slow twin, its own bound, and shapes that break it."""

import numpy as np
import pytest

from naive_operators import list_schedule, naive_matmul
from topo_sim.base import UnknownNameError, UsageError
from topo_sim.gpus import load_gpus
from topo_sim.inference.models import load_models
from topo_sim.inference.operators import (
    LIMITS,
    PRECISIONS,
    Device,
    Shard,
    Work,
    find_efficiency,
    operator_time,
    pass_operators,
    roofline,
)
from topo_sim.inference.operators.attention import BLOCK, prefill_time
from topo_sim.inference.operators.operator import decode_attention, matmul, prefill_attention, stream
from topo_sim.inference.operators.tiles import matmul_time, together

GPUS = load_gpus()
H100, LITE = Device.of(GPUS["h100"]), Device.of(GPUS["lite"])
CONSTANTS = find_efficiency("h100")


@pytest.mark.parametrize("form", ["bf16", "fp8"])
@pytest.mark.parametrize("device", [H100, LITE], ids=["h100", "lite"])
def test_products_against_the_slow_twin(device, form):
    rng = np.random.default_rng(7)
    m, n, k = (np.exp(rng.uniform(0, top, 60)).round() for top in (9, 11, 11))
    count = rng.choice([1, 1, 3, 27.5], 60)
    size = 1.0 if form == "fp8" else 2.0
    op = matmul("x", m, n, k, form, sizes=(size, size, 2.0), count=count)
    for lasting in (False, True):
        computing, moving, waiting = matmul_time(op, device, CONSTANTS, lasting)
        found = together(computing, moving) + waiting
        expected = [
            naive_matmul(
                *row, size, device.peak(form), device.memory_bandwidth, device.sms, CONSTANTS, lasting
            )
            for row in zip(m, n, k, count, op.bytes, strict=True)
        ]
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_no_time_is_below_its_roofline():
    rng = np.random.default_rng(1)
    m, n, k = (np.exp(rng.uniform(0, 11, 4000)).round() for _ in range(3))
    for form in ("bf16", "fp8"):
        found = operator_time(matmul("x", m, n, k, form), H100, CONSTANTS)
        assert (found.time > found.bound).all()
        assert ((found.efficiency > 0) & (found.efficiency < 1)).all()
    for name in load_models():
        for phase in ("prefill", "decode"):
            shard, work = Shard(load_models()[name], 8), Work(phase, [1, 3, 64], [[1], [129], [40_000]])
            for op in pass_operators(shard, work, PRECISIONS["fp8"]):
                found = operator_time(op, LITE, CONSTANTS, in_pass=True)
                assert (found.time >= found.bound).all(), op.name
                assert np.isfinite(found.time).all()


def test_more_work_never_takes_much_less():
    # Padding makes steps, other tilings small dips: never more than a few per cent.
    rows = np.arange(1, 5000)
    time = operator_time(matmul("x", rows, 4096, 8192, "bf16"), H100, CONSTANTS).time
    assert (time >= 0.97 * np.maximum.accumulate(time)).all()


def test_waves_show():
    # 132 SMs, tiles of 128 x 256: one more tile than SMs starts another wave, unless it is spread otherwise.
    full, over = (matmul("x", 128 * 4, 256 * n, 16384, "bf16") for n in (33, 34))
    spare = CONSTANTS.model_copy(update={"quantisation": 1.0})
    one, two = (matmul_time(op, H100, spare)[0].item() for op in (full, over))
    assert two > 1.2 * one


def test_a_quarter_of_the_gpu_takes_a_quarter_of_the_product_in_the_same_time():
    rows = {"compute": 8192.0, "memory": 8.0}
    for limit, m in rows.items():
        whole = operator_time(matmul("x", m, 135168, 8192, "bf16"), H100, CONSTANTS)
        quarter = operator_time(matmul("x", m, 33792, 8192, "bf16"), LITE, CONSTANTS)
        assert LIMITS[int(whole.limit)] == LIMITS[int(quarter.limit)] == limit
        assert quarter.time == pytest.approx(float(whole.time), rel=0.02)


def test_few_tiles_wait():
    found = operator_time(matmul("x", 1, 128, 64, "bf16"), H100, CONSTANTS)
    assert LIMITS[int(found.limit)] == "latency"
    assert found.time == pytest.approx(CONSTANTS.launch, rel=0.3)


def test_a_split_depth_keeps_sms_busy():
    narrow = matmul("x", 64, 256, 65536, "bf16")
    computing, _, waiting = matmul_time(narrow, H100, CONSTANTS)
    whole = 2 * 64 * 128 * 65536 / (H100.peak("bf16") * CONSTANTS.half / H100.sms)
    assert computing + waiting < whole / 3


@pytest.mark.parametrize(("batch", "heads"), [(1, 8), (1, 12), (4, 12), (1, 64), (16, 96)])
def test_prefill_attention_against_a_list_schedule(batch, heads):
    # Between the least time possible and a greedy schedule with the longest job alone at the end.
    length, device = 1500, H100
    op = prefill_attention("a", length, length, (128, 128), batch * heads, batch * heads, "bf16")
    computing, _, _ = prefill_time(op, device, CONSTANTS)
    one = 2 * BLOCK * BLOCK * 256 / (device.peak("bf16") / device.sms * CONSTANTS.attention)
    blocks = int(np.ceil(length / BLOCK))
    jobs = [one * (i + 1) for i in range(blocks)] * (batch * heads)
    best = list_schedule(jobs, device.sms)
    assert float(computing) >= max(max(jobs), sum(jobs) / device.sms)
    assert float(computing) <= best + max(jobs)


def test_attention_over_earlier_tokens_costs_more():
    alone, after = (prefill_attention("a", 512, keys, (128, 128), 8, 8, "bf16") for keys in (512, 8192))
    assert float(after.flops) == 2 * 8 * 256 * 512 * (8192 - 256)
    assert operator_time(after, H100, CONSTANTS).time > 3 * operator_time(alone, H100, CONSTANTS).time


def test_decode_attention_is_bound_by_the_cache():
    op = decode_attention("a", 8, 32768, (128, 128, 256), 64, "bf16")
    found = operator_time(op, H100, CONSTANTS)
    assert LIMITS[int(found.limit)] == "memory"
    assert found.efficiency == pytest.approx(CONSTANTS.memory, rel=0.02)


def test_nothing_takes_no_time():
    for op in (
        matmul("x", 0, 8, 8, "bf16"),
        stream("x", 0, 1, 1, 2.0),
        matmul("x", 8, 8, 8, "bf16", count=0),
    ):
        found = operator_time(op, H100, CONSTANTS)
        assert float(found.time) == float(found.bound) == 0.0
        assert float(found.efficiency) == 0.0


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_sizes_that_are_none(value):
    with pytest.raises(UsageError, match="negative or not finite"):
        operator_time(matmul("x", value, 8, 8, "bf16"), H100, CONSTANTS)


def test_within_a_pass():
    small, big = matmul("x", 1, 128, 128, "bf16"), matmul("x", 4096, 8192, 8192, "bf16")
    alone, together_ = (operator_time(small, H100, CONSTANTS, flag).time for flag in (False, True))
    assert float(alone - together_) == pytest.approx(CONSTANTS.launch - CONSTANTS.chained, rel=0.1)
    assert operator_time(big, H100, CONSTANTS, True).time > operator_time(big, H100, CONSTANTS).time


def test_roofline_uses_the_peak_of_the_format():
    op = {form: matmul("x", 8192, 8192, 8192, form, sizes=(1, 1, 1)) for form in ("bf16", "fp8")}
    assert roofline(op["bf16"], H100) / roofline(op["fp8"], H100) == pytest.approx(2000 / 989.4)


def test_formats_that_a_gpu_lacks():
    a100 = Device.of(GPUS["a100"])
    with pytest.raises(UsageError, match='found the number format "fp8"'):
        roofline(matmul("x", 8, 8, 8, "fp8"), a100)
    assert a100.peak("fp16") == a100.peak("bf16") == 312e12


@pytest.mark.parametrize(
    "wrong", [{"memory_bandwidth": 0.0}, {"sms": 0}, {"sms": 2.5}, {"compute": {"bf16": float("nan")}}]
)
def test_devices_that_are_none(wrong):
    numbers = {"name": "x", "compute": {"bf16": 1e15}, "memory_bandwidth": 1e12, "sms": 10, "memory": 1e10}
    with pytest.raises(UsageError, match="x: found"):
        Device(**{**numbers, **wrong})


def test_constants_by_name():
    with pytest.raises(UnknownNameError, match='did you mean "h100"'):
        find_efficiency("h10")


def test_constants_of_a_user(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("efficiencies:\n  mine: {like: h100, memory: 0.5}\n")
    assert find_efficiency("mine", [file]).memory == 0.5
    file.write_text("efficiencies:\n  mine: {like: h100, memory: 1.5, launch: -1}\n")
    with pytest.raises(ValueError, match=r"mine\.memory(.|\n)*mine\.launch|mine\.launch(.|\n)*mine\.memory"):
        find_efficiency("mine", [file])
