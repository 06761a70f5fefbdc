"""Model shapes from the ``config.json`` of a Hugging Face style checkpoint."""

from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from topo_sim.base.files import Faults, show, suggest
from topo_sim.base.files.reading import as_mapping, parse, read_text
from topo_sim.inference.models.language_model import LanguageModel

__all__ = ["FAMILIES", "read_config"]

Fields = dict[str, Any]
_DENSE = {
    "layers": "num_hidden_layers",
    "hidden": "hidden_size",
    "heads": "num_attention_heads",
    "ff": "intermediate_size",
    "vocabulary": "vocab_size",
}
_OPTIONAL = {
    "kv_heads": "num_key_value_heads",
    "head_dim": "head_dim",
    "tied_embeddings": "tie_word_embeddings",
}
_GPT2 = {"layers": "n_layer", "hidden": "n_embd", "heads": "n_head", "vocabulary": "vocab_size"}
_MIXTRAL = {
    **_DENSE,
    "kv_heads": "num_key_value_heads",
    "experts": "num_local_experts",
    "experts_per_token": "num_experts_per_tok",
}
_QWEN_EXPERTS = {
    **_DENSE,
    "kv_heads": "num_key_value_heads",
    "experts": "num_experts",
    "experts_per_token": "num_experts_per_tok",
    "expert_ff": "moe_intermediate_size",
}
_DEEPSEEK = {
    **_DENSE,
    "kv_rank": "kv_lora_rank",
    "head_dim": "qk_nope_head_dim",
    "rope_dim": "qk_rope_head_dim",
    "value_dim": "v_head_dim",
    "experts": "n_routed_experts",
    "experts_per_token": "num_experts_per_tok",
    "expert_ff": "moe_intermediate_size",
    "first_dense_layers": "first_k_dense_replace",
}
_DEEPSEEK_OPTIONAL = {
    "q_rank": "q_lora_rank",
    "shared_experts": "n_shared_experts",
    "tied_embeddings": "tie_word_embeddings",
}


class _Config:
    """A config.json while it is being read: which key each field came from, and the faults."""

    def __init__(self, data: Mapping[str, Any], faults: Faults) -> None:
        self.data, self.faults, self.keys = data, faults, dict[str, str]()

    def take(self, needed: Mapping[str, str], optional: Mapping[str, str]) -> Fields:
        """Read fields by the names of their keys; a key that is null is not there."""
        fields: Fields = {}
        for field, key in {**optional, **needed}.items():
            self.keys[field] = key
            if self.data.get(key) is not None:
                fields[field] = self.data[key]
            elif field in needed:
                near = f"; {suggest(key, list(self.data))}" if self.data else ""
                self.faults.add((key,), f"missing, expected {_about(field)}{near}")
        return fields

    def must_be(self, key: str, *allowed: Any) -> None:
        """Refuse what the model of a layer does not cover."""
        value = self.data.get(key)
        if value is not None and value not in allowed:
            text = " or ".join(show(each) for each in allowed)
            self.faults.add((key,), f"found {show(value)}, expected {text}: other layers are not modelled")


def _about(field: str) -> str:
    return {"ff": "the inner width of the MLP"}.get(field, f"the number for {field}")


def _llama(config: _Config) -> Fields:
    fields = config.take(_DENSE, _OPTIONAL)
    if config.data.get("attention_bias") is True:
        fields["biases"] = "all" if config.data.get("mlp_bias") is True else "attention"
    else:
        config.must_be("mlp_bias", False)
    return fields


def _qwen2(config: _Config) -> Fields:
    return {**config.take(_DENSE, _OPTIONAL), "biases": "qkv"}


def _qwen3(config: _Config) -> Fields:
    return {**config.take(_DENSE, _OPTIONAL), "head_norms": True}


def _qwen3_moe(config: _Config) -> Fields:
    config.must_be("decoder_sparse_step", 1)
    config.must_be("mlp_only_layers", [])
    return {**config.take(_QWEN_EXPERTS, _OPTIONAL), "head_norms": True}


def _mistral(config: _Config) -> Fields:
    return config.take({**_DENSE, "kv_heads": "num_key_value_heads"}, _OPTIONAL)


def _mixtral(config: _Config) -> Fields:
    return config.take(_MIXTRAL, _OPTIONAL)


def _gpt2(config: _Config) -> Fields:
    fields = config.take(
        _GPT2, {"ff": "n_inner", "positions": "n_positions", "tied_embeddings": "tie_word_embeddings"}
    )
    if "ff" not in fields and isinstance(fields.get("hidden"), int):
        fields["ff"] = 4 * fields["hidden"]
    fields.setdefault("tied_embeddings", True)
    return {**fields, "mlp_matrices": 2, "biases": "all", "norm": "layer"}


def _deepseek(config: _Config) -> Fields:
    config.must_be("moe_layer_freq", 1)
    return config.take(_DEEPSEEK, _DEEPSEEK_OPTIONAL)


FAMILIES: Mapping[str, Callable[[_Config], Fields]] = {
    "llama": _llama,
    "mistral": _mistral,
    "mixtral": _mixtral,
    "qwen2": _qwen2,
    "qwen3": _qwen3,
    "qwen3_moe": _qwen3_moe,
    "gpt2": _gpt2,
    "deepseek_v2": _deepseek,
    "deepseek_v3": _deepseek,
}
"""What each `model_type` calls the sizes."""


def _name(data: Mapping[str, Any], path: Path) -> str:
    given = data.get("_name_or_path")
    if isinstance(given, str) and given.strip("/ "):
        return given.strip("/ ").rsplit("/", 1)[-1]
    return path.stem if path.stem != "config" else path.absolute().parent.name or "config"


def read_config(path: str | PathLike[str]) -> LanguageModel:
    """Read the shape of a model from its ``config.json``.

    Parameters
    ----------
    path : path
        The file, as Hugging Face's transformers write it.

    Returns
    -------
    LanguageModel

    Raises
    ------
    FaultsError
        With every fault: an unknown `model_type`, a missing key, sizes that contradict each other.

    Notes
    -----
    Weights of vision towers and of layers that predict further tokens are not counted; a window of
    attention (`sliding_window`) is taken as unbounded. Where `num_key_value_heads` may be left out, it
    is the number of heads.

    References
    ----------
    Hugging Face, transformers: LlamaConfig, MixtralConfig, GPT2Config, DeepseekV3Config.

    Examples
    --------
    >>> read_config("none/config.json")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    topo_sim.base.errors.FaultsError: none/config.json: the file: cannot be read: ...
    """
    path = Path(path)
    faults = Faults(str(path))
    data = as_mapping(
        parse(read_text(path, faults), faults), faults, "the keys of a model, such as hidden_size"
    )
    faults.stop()
    kind = data.get("model_type")
    if not isinstance(kind, str) or kind not in FAMILIES:
        near = suggest(kind, list(FAMILIES)) if isinstance(kind, str) else f"one of {', '.join(FAMILIES)}"
        found = "missing" if kind is None else f"found {show(kind)}"
        raise faults.refuse(("model_type",), f"{found}, expected a known type of model: {near}")
    config = _Config(data, faults)
    fields = FAMILIES[kind](config)
    faults.stop()
    try:
        return LanguageModel(
            **{"name": _name(data, path), "about": f"read from {path.name}", "source": str(path), **fields}
        )
    except ValidationError as error:
        for each in error.errors():
            place = tuple(config.keys.get(str(part), str(part)) for part in each["loc"])
            faults.add(place, _reason(each))
        faults.stop()
        raise


def _reason(error: Any) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    return f"found {show(error['input'])}, expected another value ({error['msg']})"
