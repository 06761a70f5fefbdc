"""Operators of a pass: what they add up to, however the model is cut."""

import numpy as np
import pytest

from topo_sim.base import UnknownNameError, UsageError
from topo_sim.inference.models import LanguageModel, load_models
from topo_sim.inference.operators import PRECISIONS, Precision, Shard, Work, find_precision, pass_operators

MODELS = load_models()
ONE_BYTE = PRECISIONS["fp8-all"]
DENSE = ("llama3-8b", "llama3-70b", "llama3-405b", "gpt3-175b")


def ops_of(name, phase="decode", batch=4, context=1500, precision=ONE_BYTE, fused=True, **cut):
    return pass_operators(Shard(MODELS[name], **cut), Work(phase, batch, context), precision, fused)


def total(ops, what, skip=()):
    return sum(float(getattr(op, what)) * op.repeat for op in ops if op.name not in skip)


def named(ops, name):
    return next(op for op in ops if op.name == name)


@pytest.mark.parametrize("name", DENSE)
@pytest.mark.parametrize("tp", [1, 2, 8])
def test_weights_add_up_to_the_model(name, tp):
    ops = ops_of(name, tp=tp)
    assert tp * total(ops, "weights", ["lm_head"]) == MODELS[name].weights()
    head = float(named(ops, "lm_head").weights)
    assert head * tp == pytest.approx(MODELS[name].embeddings() / 2, rel=1e-3)  # the last shard is padded


@pytest.mark.parametrize("name", DENSE)
@pytest.mark.parametrize("tp", [1, 4, 8])
def test_reference_formula_of_flops(name, tp):
    # 2 W T + 2 V d b + 4 L d b s^2 / 2 for a prefill, 4 L d b s for a decode step, over tp GPUs.
    model, batch, context = MODELS[name], 4, 1500
    for phase, tokens, attention in (
        ("prefill", batch * context, 4 * model.layers * model.hidden * batch * context**2 / 2),
        ("decode", batch, 4 * model.layers * model.hidden * batch * context),
    ):
        expected = 2 * model.weights() * tokens + 2 * model.vocabulary * model.hidden * batch + attention
        assert tp * total(ops_of(name, phase, tp=tp), "flops") == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("name", [*DENSE, "mixtral-8x22b"])
@pytest.mark.parametrize("tp", [1, 8])
def test_decode_reads_the_whole_cache_once(name, tp):
    model, batch, context = MODELS[name], 4, 1500
    attention = named(ops_of(name, "decode", batch, context, tp=tp), "attention")
    queries = batch * model.heads / tp * model.head_dim
    cache = (float(attention.reads) - queries) * attention.repeat
    assert cache * tp == pytest.approx(batch * context * model.kv_bytes_per_token(1.0))


def test_key_value_heads_beyond_tp():
    # Llama3-405B has 8: at TP 32, held four times, or its cache cut in four.
    read = {
        kv: float(named(ops_of("llama3-405b", batch=16, tp=32, kv=kv), "attention").reads)
        for kv in ("replicate", "shard")
    }
    assert read["replicate"] / read["shard"] == pytest.approx(4, rel=0.02)
    flops = {
        kv: float(named(ops_of("llama3-405b", batch=16, tp=32, kv=kv), "attention").flops)
        for kv in ("replicate", "shard")
    }
    assert flops["replicate"] == flops["shard"]
    shard = Shard(MODELS["llama3-405b"], 32)
    assert shard.cache_bytes_per_token(1.0) == 2 * 126 * 128
    assert Shard(MODELS["llama3-405b"], 32, kv="shard").cache_bytes_per_token(1.0) == 2 * 126 * 128 / 4


def test_sharded_heads_agree_below_the_key_value_heads():
    for tp in (1, 2, 8):
        for op, other in zip(
            ops_of("llama3-70b", tp=tp), ops_of("llama3-70b", tp=tp, kv="shard"), strict=True
        ):
            assert op == other


@pytest.mark.parametrize(
    ("name", "tp", "ep"), [("mixtral-8x22b", 8, 1), ("mixtral-8x22b", 8, 8), ("deepseek-v3", 8, 8)]
)
def test_many_tokens_meet_every_expert(name, tp, ep):
    model = MODELS[name]
    ops = ops_of(name, "prefill", 16, 2048, tp=tp, ep=ep)
    experts = sum(float(named(ops, f"experts_{part}").weights) for part in ("up", "down"))
    assert experts * tp == pytest.approx(model.experts * model.expert_weights(), rel=1e-6)
    tokens, flops = 16 * 2048, sum(float(named(ops, f"experts_{part}").flops) for part in ("up", "down"))
    assert flops * tp == pytest.approx(
        2 * tokens * model.experts_per_token * model.expert_weights(), rel=1e-6
    )


def test_experts_met_by_few_tokens():
    model, tokens = MODELS["deepseek-v3"], 16
    met, rows = Shard(model, 1).expert_load(np.array(float(tokens)))
    rng, found = np.random.default_rng(0), []
    for _ in range(400):
        chosen = [rng.choice(model.experts, model.experts_per_token, replace=False) for _ in range(tokens)]
        found.append(len(np.unique(chosen)))
    assert met == pytest.approx(np.mean(found), rel=0.01)
    assert met * rows == pytest.approx(tokens * model.experts_per_token)


def test_experts_over_more_gpus_than_tensor_parallelism():
    # 64 GPUs in 8 groups of TP 8: a GPU has 4 of 256 experts, met by the tokens of all groups.
    met, rows = Shard(MODELS["deepseek-v3"], 8, 64).expert_load(np.array(1024.0))
    assert met == pytest.approx(4.0, rel=1e-6)
    assert met * rows * 64 == pytest.approx(8 * 1024 * 8)


def test_every_token_visits_all_experts():
    model = LanguageModel(
        name="all", layers=2, hidden=64, heads=4, ff=64, vocabulary=100, experts=4, experts_per_token=4
    )
    met, rows = Shard(model).expert_load(np.array([1.0, 7.0]))
    assert met.tolist() == [4.0, 4.0]
    assert rows.tolist() == pytest.approx([1.0, 7.0])


def test_latent_attention_reads_one_compressed_cache():
    model = MODELS["deepseek-v3"]
    for tp in (1, 8):
        op = named(ops_of("deepseek-v3", "decode", 4, 1000, tp=tp), "attention")
        heads = model.heads // tp
        assert float(op.flops) == 2 * 4 * heads * 1000 * (512 + 64 + 512)
        assert float(op.reads) == 4 * (1000 * 576 + heads * 576)
    assert Shard(model, 8).cache_bytes_per_token(2.0) == 70272


@pytest.mark.parametrize("phase", ["prefill", "decode"])
def test_latent_weights_add_up(phase):
    model, tp = MODELS["deepseek-v3"], 8
    ops = ops_of("deepseek-v3", phase, 64, 2048, tp=tp, ep=8)
    shared = 7168 * (1536 + 576)  # the compressions, whole on every GPU
    names = ("q_down", "q_up", "kv_down", "kv_up", "absorb", "expand", "attn_out")
    weights = sum(float(op.weights) for op in ops if op.name in names)
    assert weights == shared + (model.attention_weights() - shared) / tp


def test_precision_of_every_tensor():
    op = named(ops_of("llama3-70b", precision=find_precision("fp8")), "qkv")
    assert float(op.weights) == 8192 * 10240
    assert float(op.reads) == 4 * 8192
    assert float(op.writes) == 2 * 4 * 10240
    assert op.form == "fp8"
    assert named(ops_of("llama3-70b", precision=find_precision("fp8")), "lm_head").form == "bf16"
    half = named(ops_of("llama3-70b", precision=find_precision("fp8", "bf16")), "attention")
    full = named(ops_of("llama3-70b", precision=find_precision("fp8")), "attention")
    assert float(half.reads) / float(full.reads) == pytest.approx(2, rel=0.02)


def test_separate_attention_computes_what_is_masked():
    fused = named(ops_of("gpt3-175b", "prefill", precision=PRECISIONS["fp16"]), "attention")
    apart = ops_of("gpt3-175b", "prefill", precision=PRECISIONS["fp16"], fused=False)
    scores, mix = named(apart, "scores"), named(apart, "mix")
    assert float(scores.flops + mix.flops) == pytest.approx(2 * float(fused.flops))
    assert float(named(apart, "softmax").reads) == 2 * 4 * 96 * 1500**2
    step = ops_of("gpt3-175b", "decode", precision=PRECISIONS["fp16"], fused=False)
    assert float(named(step, "scores").flops) == 2 * 4 * 96 * 1500 * 128


def test_norms_spread_by_tokens():
    whole, spread = (
        named(ops_of("llama3-70b", "prefill", 1, 1500, tp=8, sequence_parallel=flag), "norm")
        for flag in (False, True)
    )
    assert float(whole.reads) / float(spread.reads) == pytest.approx(8, rel=1e-2)


def test_arrays_of_candidates_are_candidates_one_by_one():
    tp, batch = np.array([1, 2, 4, 8, 8]), np.array([1, 7, 64, 3, 500])
    ops = ops_of("mixtral-8x22b", batch=batch, tp=tp)
    for i in range(5):
        alone = ops_of("mixtral-8x22b", batch=int(batch[i]), tp=int(tp[i]))
        for many, one in zip(ops, alone, strict=True):
            for what in ("flops", "weights", "reads", "writes"):
                value = np.broadcast_to(getattr(many, what), 5)[i]
                assert value == pytest.approx(float(getattr(one, what)), rel=1e-12)


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        ({"tp": 3}, "expected a divisor of 64 heads: 1, 2, 4"),
        ({"tp": 0}, "whole numbers from 1 on"),
        ({"tp": -8}, "whole numbers from 1 on"),
        ({"tp": 2.5}, "whole numbers from 1 on"),
        ({"tp": float("nan")}, "whole numbers from 1 on"),
        ({"tp": []}, "whole numbers from 1 on"),
        ({"tp": "eight"}, "whole numbers from 1 on"),
        ({"ep": 2}, "there are no experts"),
        ({"kv": "cut"}, "replicate or shard"),
    ],
)
def test_cuts_that_do_not_fit(cut, message):
    with pytest.raises(UsageError, match=message):
        Shard(MODELS["llama3-70b"], **cut)


def test_experts_that_do_not_divide():
    with pytest.raises(UsageError, match="divisor of 8 experts"):
        Shard(MODELS["mixtral-8x22b"], 1, 3)
    with pytest.raises(UsageError, match="neither divides the other"):
        Shard(MODELS["mixtral-8x22b"], 6, 4)
    with pytest.raises(UsageError, match="expected fused ones"):
        ops_of("deepseek-v3", fused=False)


@pytest.mark.parametrize(
    "work",
    [
        ("decode", 0, 10), ("decode", -1, 10), ("decode", 1, 0), ("decode", float("nan"), 10),
        ("prefill", 1, float("inf")), ("train", 1, 10), ("decode", [], 10), ("decode", "many", 10),
    ],
)  # fmt: skip
def test_work_that_is_none(work):
    with pytest.raises(UsageError):
        Work(*work)


def test_unknown_precisions():
    with pytest.raises(UnknownNameError, match='did you mean "fp8'):
        find_precision("fp")
    with pytest.raises(UnknownNameError, match="unknown number format"):
        find_precision("fp8", "f16")
    with pytest.raises(UnknownNameError):
        Precision("x", "bf16", "bf16", "bf16", "bf16", "double")
