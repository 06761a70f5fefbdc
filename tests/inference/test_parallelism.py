"""Layouts, and the collectives that they ask for, against numbers worked out by hand."""

import pytest

from topo_sim.base import UsageError
from topo_sim.inference.candidates import divisors, layouts
from topo_sim.inference.exchanges import pass_exchanges
from topo_sim.inference.models import find_model
from topo_sim.inference.operators import Work, find_precision
from topo_sim.inference.parallelism import Layout

BYTE = find_precision("fp8-all")


def exchanges(model, layout, work, precision=BYTE, ranks=256):
    found = pass_exchanges(find_model(model), layout, work, precision, ranks)
    return [
        (each.name, each.collective, each.group, each.stride, float(each.size), each.repeat) for each in found
    ]


def test_sizes_and_strides():
    layout = Layout(tp=4, pp=2, ep=16, cp=2)
    assert (layout.width, layout.gpus, layout.batches) == (16, 64, 4)
    packed = layout.strides(256)
    assert (packed.tensor, packed.expert, packed.context, packed.pipeline) == (1, 1, 16, 32)
    strided = Layout(tp=4, pp=2, ep=16, cp=2, placement="strided").strides(256)
    assert (strided.tensor, strided.expert, strided.context, strided.pipeline) == (16, 16, 2, 1)


@pytest.mark.parametrize("wrong", [{"tp": 0}, {"pp": -1}, {"ep": 1.5}, {"cp": True}, {"tp": float("nan")}])
def test_sizes_are_whole_numbers(wrong):
    with pytest.raises(UsageError, match="whole number from 1 on"):
        Layout(**wrong)


def test_what_does_not_fit_together_is_refused():
    for wrong, text in (
        ({"tp": 4, "ep": 6}, "TP 4 and EP 6, expected one to divide the other"),
        ({"kv": "both"}, "expected replicate or shard"),
        ({"placement": "anywhere"}, "expected packed or strided"),
    ):
        with pytest.raises(UsageError, match=text):
            Layout(**wrong)
    llama, deepseek = find_model("llama3-70b"), find_model("deepseek-v3")
    for layout, model, phase, text in (
        (Layout(tp=7), llama, None, "found TP 7, expected a divisor of 64 heads"),
        (Layout(tp=64, pp=5), llama, None, "found 320 GPUs .* expected at most the network's 256"),
        (Layout(pp=81), llama, None, "found PP 81, expected at most its 80 layers"),
        (Layout(ep=2), llama, None, "there are no experts"),
        (Layout(ep=3), deepseek, None, "found EP 3, expected a divisor of 256 experts"),
        (Layout(cp=2), deepseek, None, "not modelled for latent attention"),
        (Layout(cp=2), llama, "decode", "found CP 2 while decoding"),
    ):
        with pytest.raises(UsageError, match=text):
            layout.check(model, 256, phase)


def test_tensor_parallelism_sums_twice_a_layer():
    work = Work("decode", 8, 1500)
    assert exchanges("llama3-405b", Layout(tp=32), work) == [
        ("tensor", "all_reduce", 32, 1, 8 * 16384.0, 252.0)
    ]
    assert exchanges("llama3-405b", Layout(tp=8, sequence_parallel=True), Work("prefill", 2, 1500)) == [
        ("tensor", "reduce_scatter", 8, 1, 3000 * 16384.0, 252.0),
        ("tensor", "all_gather", 8, 1, 3000 * 16384.0, 252.0),
    ]
    assert exchanges("llama3-405b", Layout(), work) == []
    two = exchanges("llama3-405b", Layout(tp=2), work, find_precision("bf16"))
    assert two[0][4] == 2 * 8 * 16384.0


def test_heads_that_are_cut_gather_queries_and_sum_outputs():
    found = exchanges("llama3-405b", Layout(tp=32, kv="shard"), Work("decode", 8, 1500))
    queries = 8 * 16 * 128.0  # 16 query heads of 128 share a key-value head, which four GPUs share
    assert found[1:] == [
        ("heads", "all_gather", 4, 1, queries, 126.0),
        ("heads", "reduce_scatter", 4, 1, 4 * queries, 126.0),
    ]
    prefill = exchanges("llama3-405b", Layout(tp=32, kv="shard"), Work("prefill", 1, 1500))
    assert prefill[1:] == [("heads", "all_gather", 4, 1, 1500 * 2 * 128.0, 126.0)]
    assert len(exchanges("llama3-405b", Layout(tp=8, kv="shard"), Work("decode", 8, 1500))) == 1


def test_experts_on_more_gpus_than_share_their_matrices():
    # Mixtral: 56 layers, all with experts, none shared; every token visits 2.
    found = exchanges("mixtral-8x22b", Layout(tp=2, ep=8), Work("decode", 16, 1500))
    wide = 16 * 6144.0
    assert found == [
        ("tensor", "all_reduce", 2, 1, wide, 56.0),
        ("tensor", "all_gather", 2, 1, wide, 56.0),
        ("experts", "all_to_all", 8, 1, wide / 2 * 2, 112.0),
    ]
    inside = exchanges("mixtral-8x22b", Layout(tp=8, ep=8), Work("decode", 16, 1500))
    assert inside == [("tensor", "all_reduce", 8, 1, wide, 112.0)]
    # DeepSeek-V3: 61 layers, 58 with experts; the shared expert's parts are summed as without.
    shared = exchanges("deepseek-v3", Layout(tp=2, ep=8), Work("decode", 4, 1500))
    assert shared[0] == ("tensor", "all_reduce", 2, 1, 4 * 7168.0, 122.0)
    assert shared[1] == ("experts", "all_to_all", 8, 1, 4 * 7168.0 / 2 * 8, 116.0)


def test_stages_and_parts_of_prompts():
    found = exchanges("llama3-70b", Layout(tp=4, pp=2, cp=2), Work("prefill", 1, 1500))
    assert found == [
        ("tensor", "all_reduce", 4, 1, 750 * 8192.0, 160.0),
        ("context", "all_gather", 2, 4, 1500 * 2 * 2 * 128.0, 80.0),
        ("stages", "send_recv", 2, 8, 750 * 8192.0, 1.0),
    ]


def test_candidates_are_all_there_once():
    assert divisors(12, 100) == [1, 2, 3, 4, 6, 12]
    model = find_model("mixtral-8x22b")
    found = list(layouts(model, "prefill", 32, placements=("packed", "strided")))
    assert len(found) == len(set(found))
    for each in found:
        each.check(model, 32, "prefill")
    assert {each.ep for each in found} == {1, 2, 4, 8}
    assert any(each.kv == "shard" for each in found)
    assert {each.tp for each in layouts(model, "decode", 32, tp=[3, 6])} == {3, 6}
    assert all(each.cp == 1 for each in layouts(model, "decode", 32))
