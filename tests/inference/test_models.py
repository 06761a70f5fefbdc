"""Model shapes: published counts, the table of the reference roofline, files and their faults."""

import json

import pytest

from topo_sim.base import FaultsError, UnknownNameError, UsageError
from topo_sim.inference.models import LanguageModel, find_model, load_models, read_config
from topo_sim.inference.models.huggingface import FAMILIES

MODELS = load_models()
LLAMA = {
    "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256, "tie_word_embeddings": False,
}  # fmt: skip
MIXTRAL = {
    "model_type": "mixtral", "hidden_size": 6144, "num_hidden_layers": 56, "num_attention_heads": 48,
    "num_key_value_heads": 8, "intermediate_size": 16384, "vocab_size": 32000, "num_local_experts": 8,
    "num_experts_per_tok": 2, "sliding_window": None,
}  # fmt: skip
DEEPSEEK = {
    "model_type": "deepseek_v3", "hidden_size": 7168, "num_hidden_layers": 61, "num_attention_heads": 128,
    "num_key_value_heads": 128, "intermediate_size": 18432, "moe_intermediate_size": 2048,
    "vocab_size": 129280,
    "n_routed_experts": 256, "n_shared_experts": 1, "num_experts_per_tok": 8, "first_k_dense_replace": 3,
    "moe_layer_freq": 1, "kv_lora_rank": 512, "q_lora_rank": 1536, "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64, "v_head_dim": 128,
}  # fmt: skip
GPT2 = {
    "model_type": "gpt2",
    "n_embd": 768,
    "n_layer": 12,
    "n_head": 12,
    "n_positions": 1024,
    "vocab_size": 50257,
}


def write(tmp_path, data, name="config.json"):
    file = tmp_path / name
    file.write_text(data if isinstance(data, str) else json.dumps(data))
    return file


def without(data, *keys):
    return {key: value for key, value in data.items() if key not in keys}


# Entries of the reference roofline: weights and embeddings in GB at one byte, KV bytes per token.
@pytest.mark.parametrize(
    ("name", "weights", "embeddings", "kv"),
    [
        ("llama3-70b", 68.45, 2.10, 163_840),
        ("gpt3-175b", 173.95, 1.24, 2_359_296),
        ("llama3-405b", 401.65, 4.20, 258_048),
    ],
)
def test_reference_roofline_table(name, weights, embeddings, kv):
    model = MODELS[name]
    assert round(model.weights() / 1e9, 2) == weights
    assert round(model.embeddings() / 1e9, 2) == embeddings
    assert model.kv_bytes_per_token(1.0) == kv


# Published: safetensors metadata of the Llama 3 checkpoints (8.03, 70.6, 405.9 B); GPT-3 paper, table 2.1
# (175.0 B); Mistral AI's announcement of Mixtral 8x22B (141 B, 39 B active); DeepSeek-V3 report (671 B, 37 B
# active).
@pytest.mark.parametrize(
    ("name", "total", "active", "tolerance"),
    [
        ("llama3-8b", 8.03e9, 8.03e9, 0.001),
        ("llama3-70b", 70.6e9, 70.6e9, 0.001),
        ("llama3-405b", 405.9e9, 405.9e9, 0.001),
        ("gpt3-175b", 175.0e9, 175.0e9, 0.003),
        ("mixtral-8x22b", 141e9, 39e9, 0.005),
        ("deepseek-v3", 671e9, 37e9, 0.02),
    ],
)
def test_published_parameters(name, total, active, tolerance):
    assert MODELS[name].parameters() == pytest.approx(total, rel=tolerance)
    assert MODELS[name].active_parameters() == pytest.approx(active, rel=tolerance)


# Zhao et al., Insights into DeepSeek-V3, ISCA 2025, table 1: KV cache per token in BF16.
@pytest.mark.parametrize(("name", "kilobytes"), [("deepseek-v3", 70.272), ("llama3-405b", 516.096)])
def test_published_cache(name, kilobytes):
    assert MODELS[name].kv_bytes_per_token(2.0) == pytest.approx(kilobytes * 1000, rel=1e-12)


def test_gpt2_small_is_exact(tmp_path):
    # 124 439 808 parameters: the count of every public checkpoint of GPT-2 small.
    model = read_config(write(tmp_path, GPT2))
    assert model.parameters() == 124_439_808
    assert model.ff == 3072


@pytest.mark.parametrize(
    ("config", "name"), [(LLAMA, "llama3-8b"), (MIXTRAL, "mixtral-8x22b"), (DEEPSEEK, "deepseek-v3")]
)
def test_configs_are_the_catalogue(tmp_path, config, name):
    found = read_config(write(tmp_path, config))
    about = {"name", "about", "source"}
    assert found.model_dump(exclude=about) == MODELS[name].model_dump(exclude=about)


def test_families_read_something(tmp_path):
    base = {**LLAMA, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 64}
    for kind in FAMILIES:
        config = {
            **{"gpt2": GPT2, "mixtral": MIXTRAL, "deepseek_v2": DEEPSEEK, "deepseek_v3": DEEPSEEK}.get(
                kind, base
            )
        }
        model = read_config(write(tmp_path, {**config, "model_type": kind}))
        assert model.parameters() >= model.active_parameters() > 0


def test_latent_attention_without_compressed_queries(tmp_path):
    model = read_config(write(tmp_path, {**DEEPSEEK, "q_lora_rank": None}))
    assert model.q_rank == 0
    expected = 7168 * 128 * 192 + 7168 * 576 + 512 * 128 * 256 + 128 * 128 * 7168
    assert model.attention_weights() == expected


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (without(LLAMA, "hidden_size"), "hidden_size: missing, expected the number for hidden"),
        (without(LLAMA, "model_type"), "model_type: missing"),
        ({**LLAMA, "model_type": "lama"}, 'did you mean "llama"?'),
        ({**LLAMA, "model_type": 3}, "model_type: found 3"),
        ({**LLAMA, "num_key_value_heads": 5}, "found kv_heads 5, expected a divisor of heads 32"),
        ({**LLAMA, "hidden_size": 4097}, "expected hidden to be a multiple of heads"),
        ({**LLAMA, "hidden_size": -4096}, "hidden_size: found -4096"),
        ({**LLAMA, "num_hidden_layers": 0}, "num_hidden_layers: found 0"),
        ({**LLAMA, "num_hidden_layers": 2.5}, "num_hidden_layers: found 2.5"),
        ({**LLAMA, "num_hidden_layers": True}, "num_hidden_layers: found true"),
        ({**LLAMA, "vocab_size": "128256"}, 'vocab_size: found "128256"'),
        ({**LLAMA, "vocab_size": 10**300}, "vocab_size: found"),
        (without(MIXTRAL, "num_key_value_heads"), "num_key_value_heads: missing"),
        ({**MIXTRAL, "num_experts_per_tok": 9}, "found experts_per_token 9, expected 1 to experts = 8"),
        ({**DEEPSEEK, "first_k_dense_replace": 61}, "expected fewer than layers 61"),
        ({**DEEPSEEK, "moe_layer_freq": 2}, "moe_layer_freq: found 2, expected 1"),
        ([1], "expected a mapping"),
        ("{", "expected valid JSON"),
        ('{"model_type": "llama", "model_type": "gpt2"}', "duplicate key"),
        ("", "expected"),
    ],
)
def test_malformed_configs(tmp_path, data, message):
    with pytest.raises(FaultsError, match=r"config\.json") as error:
        read_config(write(tmp_path, data))
    assert message in str(error.value)


def test_all_missing_keys_are_listed(tmp_path):
    with pytest.raises(FaultsError) as error:
        read_config(write(tmp_path, {"model_type": "llama"}))
    assert len(error.value.faults) == 5


def test_users_models(tmp_path):
    file = write(tmp_path, "models:\n  mine:\n    like: llama3-8b\n    layers: 16\n", "mine.yaml")
    assert find_model("mine", [file]).layers == 16
    wrong = write(tmp_path, "models:\n  mine:\n    like: llama3-8b\n    layer: 16\n", "wrong.yaml")
    with pytest.raises(FaultsError, match='did you mean "layers"'):
        find_model("mine", [wrong])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"experts_per_token": 2}, "without experts"),
        ({"rope_dim": 64}, "expected kv_rank"),
        ({"mlp_matrices": 4}, "mlp_matrices"),
        ({"experts": 8}, "expected 1 to experts"),
    ],
)
def test_contradictions(fields, message):
    sizes = {"name": "x", "layers": 2, "hidden": 8, "heads": 4, "ff": 32, "vocabulary": 10}
    with pytest.raises(ValueError, match=message):
        LanguageModel(**sizes, **fields)


def test_by_name_folder_or_file(tmp_path):
    write(tmp_path, {**LLAMA, "_name_or_path": "org/My-Model/"})
    assert find_model(str(tmp_path)).name == "My-Model"
    assert find_model(str(tmp_path / "config.json")).layers == 32
    with pytest.raises(UnknownNameError, match="did you mean"):
        find_model("llama3-70")


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_bytes_per_value(value):
    with pytest.raises(UsageError, match="above 0"):
        MODELS["llama3-8b"].kv_bytes_per_token(value)


@pytest.mark.parametrize(
    ("keys", "more"),
    [
        ({}, 0),
        ({"attention_bias": True}, 32 * (4096 + 2 * 1024 + 4096)),  # queries, keys and values, output
        ({"attention_bias": True, "mlp_bias": True}, 32 * (4096 + 2 * 1024 + 4096 + 2 * 14336 + 4096)),
    ],
)
def test_attention_bias_of_llama_is_of_the_output_too(tmp_path, keys, more):
    plain = read_config(write(tmp_path, LLAMA)).parameters()
    assert read_config(write(tmp_path, {**LLAMA, **keys})).parameters() == plain + more
