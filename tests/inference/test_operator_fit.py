"""The fit: what it must reach on rows that it has not seen, and that it finds what is there."""

import numpy as np
import pytest
import yaml

from topo_sim.base import FaultsError, UnknownNameError, UsageError
from topo_sim.gpus import load_gpus
from topo_sim.inference.measured.reading import Measured, read_measured
from topo_sim.inference.models import find_model
from topo_sim.inference.operators import (
    CONSTANTS,
    Device,
    Shard,
    find_efficiency,
    find_precision,
    load_efficiencies,
)
from topo_sim.inference.operators.fitting import fit_efficiency, predict, splits
from topo_sim.inference.throughput import steady_throughput
from topo_sim.studies.operator_checks import WHOLES, check_whole
from topo_sim.studies.operator_fit import check_operators, efficiency_yaml, fit_operators

H100 = Device.of(load_gpus()["h100"])
ROWS = read_measured("h100_llm_ops")
PRIOR, SHIPPED = find_efficiency("prior"), find_efficiency("h100")


@pytest.fixture(scope="module")
def fit():
    return fit_operators("h100_llm_ops")


def test_half_predicts_the_other_half_and_every_part_the_rest(fit):
    held = [each for each in fit.errors if each.held_out]
    assert {each.part.split()[0] for each in held} >= {"random", "model", "TP", "operator", "1", "65", "more"}
    for each in held:
        # The long kernels of GPT-3 at TP 1 alone leave launching to the prior: the one split above 8 %.
        most = 0.10 if "alone" in each.part else 0.08
        assert each.median <= most, each
        assert each.p90 <= 0.25, each
    halves = [each for each in held if each.part.startswith("random")]
    assert max(each.median for each in halves) <= 0.04
    assert max(each.p90 for each in halves) <= 0.08


def test_shipped_constants_are_those_of_the_fit(fit):
    for name in CONSTANTS:
        assert getattr(SHIPPED, name) == pytest.approx(getattr(fit.efficiency, name), rel=0.02), name
    assert len(CONSTANTS) <= 12


def test_held_out_rows_are_not_fitted():
    for name, held in splits(ROWS).items():
        assert 0 < held.sum() < len(ROWS), name
    parts = splits(ROWS)
    assert (ROWS.model[parts["model gpt3-175b left out"]] == "gpt3-175b").all()
    assert not (ROWS.model[~parts["model gpt3-175b left out"]] == "gpt3-175b").any()


def test_a_fit_finds_the_constants_that_made_the_times():
    true = PRIOR.model_copy(
        update={"launch": 6e-6, "memory": 0.7, "half": 0.7, "byte": 0.65, "attention": 0.4}
    )
    made = _with_times(predict(ROWS, H100, true))
    found = fit_efficiency(made, H100, PRIOR)
    ratio = predict(ROWS, H100, found) / made.times
    assert np.abs(ratio - 1).max() < 0.02
    for name in ("launch", "memory", "half", "byte", "attention"):
        assert getattr(found, name) == pytest.approx(getattr(true, name), rel=0.05), name


def test_odd_rows_do_not_matter():
    times = ROWS.times.copy()
    times[::25] *= 10
    found = fit_efficiency(_with_times(times), H100, PRIOR)
    error = np.abs(predict(ROWS, H100, found) / ROWS.times - 1)
    assert np.median(error) < 0.04


def test_a_narrow_prior_holds():
    found = fit_efficiency(ROWS, H100, PRIOR, spread=1e-4)
    for name in CONSTANTS:
        assert getattr(found, name) == pytest.approx(getattr(PRIOR, name), rel=0.05)
    with pytest.raises(UsageError, match="expected a number above 0"):
        fit_efficiency(ROWS, H100, PRIOR, spread=0)


def _with_times(times):
    fields = {name: getattr(ROWS, name) for name in Measured.__dataclass_fields__}
    return Measured(**{**fields, "times": times})


def test_shipped_a100_constants():
    found = fit_efficiency(read_measured("a100_gemm"), Device.of(load_gpus()["a100"]), SHIPPED, 0.2)
    shipped = load_efficiencies()["a100"]
    for name in CONSTANTS:
        assert getattr(shipped, name) == pytest.approx(getattr(found, name), rel=0.02), name


def test_gpt3_layer_from_single_operators():
    check = check_whole("a100_gpt3_layer")
    layer = check.values[-1]
    assert layer.measured == pytest.approx(66.7, abs=0.05)
    assert abs(layer.error) <= 0.10
    products = [row for row in check.values if row.part in ("qkv", "attn_out", "mlp_up", "mlp_down")]
    assert all(abs(row.error) <= 0.10 for row in products)
    assert all(row.bound < row.measured for row in check.values if row.bound)


def test_serving_lies_below_the_roofline_and_near_the_model():
    for row in check_whole("trtllm_llama70b").values:
        assert max(row.measured, row.modelled) < row.bound, row
        assert 0.40 <= row.measured / row.bound <= 0.70, row
        assert 0.68 <= row.measured / row.modelled <= 1.05, row


def test_wholes_by_name():
    assert set(WHOLES) == {"a100_gpt3_layer", "trtllm_llama70b"}
    with pytest.raises(UnknownNameError, match="did you mean"):
        check_whole("trtllm_llama")


def test_throughput_without_room():
    shard = Shard(find_model("llama3-405b"), 2)
    with pytest.raises(UsageError, match="expected at least"):
        steady_throughput(shard, 100, 100, find_precision("fp8"), H100, SHIPPED)
    with pytest.raises(UsageError, match="at least 1"):
        steady_throughput(Shard(find_model("llama3-8b")), 0, 100, find_precision("fp8"), H100, SHIPPED)


def test_longer_prompts_and_answers_serve_fewer():
    shard, fp8 = Shard(find_model("llama3-70b"), 2), find_precision("fp8")
    rate = [steady_throughput(shard, n, 500, fp8, H100, SHIPPED).rate for n in (100, 1000, 10_000)]
    assert rate == sorted(rate, reverse=True)


def test_saved_constants_are_read_back(fit, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(efficiency_yaml(fit, "mine"))
    again = load_efficiencies([file])["mine"]
    for name in CONSTANTS:
        assert getattr(again, name) == pytest.approx(getattr(fit.efficiency, name), rel=1e-5)
    assert "329 rows" in yaml.safe_load(file.read_text())["efficiencies"]["mine"]["source"]
    check = check_operators("h100_llm_ops", constants="mine", constant_files=[file])
    assert check.errors[0].median == pytest.approx(fit.errors[0].median, abs=1e-4)


def test_too_few_rows(tmp_path):
    with pytest.raises(UsageError, match="found 6 rows for 12 constants"):
        fit_operators("a100_gemm", "a100")


HEAD = "model,tp,op,dtype,m,n,k,median_us\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "median_us: missing"),
        ("op,dtype\nqkv,bf16\n", "median_us: missing"),
        (HEAD, "found no rows"),
        (HEAD + "x,1,qkv,bf16,0,8,8,5\n", "m: found"),
        (HEAD + "x,1,qkv,bf16,8,8,8,-5\n", "median_us: found"),
        (HEAD + "x,1,qkv,bf16,8,8,8,nan\n", "median_us: found"),
        (HEAD + "x,1,qkv,bf16,8,8,,5\n", "k: found nothing"),
        (HEAD + "x,1,qkv,bf17,8,8,8,5\n", 'did you mean "bf16"'),
        (HEAD + "x,1,,bf16,8,8,8,5\n", "expected the name of an operator"),
        (HEAD + "x,1,attention_prefill,bf16,8,8,8,5\n", "batch: found nothing"),
        (HEAD + "x,1,attention_extend,bf16,8,8,8,5\n", "expected attention_prefill or attention_decode"),
        (HEAD + "x,1,qkv\n", "dtype"),
    ],
)
def test_malformed_measurements(tmp_path, text, message):
    file = tmp_path / "rows.csv"
    file.write_text(text)
    with pytest.raises((FaultsError, UsageError), match=message):
        read_measured(file)


def test_a_product_may_have_any_name(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text(
        HEAD + "".join(f"x,1,{op},bf16,64,128,256,9\n" for op in ("product", "attention_out", "fc1"))
    )
    rows = read_measured(file)
    assert (rows.batch == 0).all()
    assert [op.kind for _, op in rows.operators()] == ["matmul"]


def test_decode_attention_of_a_users_file(tmp_path):
    file = tmp_path / "rows.csv"
    head = "op,dtype,batch,seq,heads,kv_heads,median_us\n"
    file.write_text(head + "attention_decode,bf16,64,4096,64,8,400\nattention_prefill,bf16,1,4096,8,1,400\n")
    rows = read_measured(file)
    decode, prefill = (op for _, op in sorted(rows.operators(), key=lambda each: each[1].kind))
    assert float(decode.flops[0]) == 4 * 64 * 64 * 4096 * 128
    assert float(decode.reads[0]) == 2 * (64 * 8 * 4096 * 256 + 64 * 64 * 128)
    assert float(prefill.flops[0]) == 4 * 8 * 4096 * 2048 * 128
    found = check_operators(file)
    assert found.modelled[0] == pytest.approx(float(decode.reads[0]) / (3352e9 * SHIPPED.memory), rel=0.05)


def test_measurements_by_name(tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean"):
        read_measured("h100_llm")
    with pytest.raises(FaultsError, match="cannot be read"):
        read_measured(tmp_path / "none.csv")


def test_every_row_is_in_one_operator():
    index = np.concatenate([rows for rows, _ in ROWS.operators()])
    assert sorted(index.tolist()) == list(range(len(ROWS)))
    for rows, op in ROWS.operators():
        assert op.m.shape == rows.shape
