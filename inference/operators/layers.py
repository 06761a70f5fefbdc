"""The operators of a forward pass: what one GPU does, in order."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from topo_sim.base import UsageError
from topo_sim.inference.operators.latent import latent_attention
from topo_sim.inference.operators.operator import (
    Array,
    Operator,
    decode_attention,
    matmul,
    prefill_attention,
    stream,
)
from topo_sim.inference.operators.precision import Precision, value_bytes
from topo_sim.inference.operators.shard import Shard

__all__ = ["PHASES", "Phase", "Work", "pass_operators"]

Phase = Literal["prefill", "decode"]
PHASES = ("prefill", "decode")


@dataclass(frozen=True)
class Work:
    """What one group of TP GPUs is given in one pass.

    Parameters
    ----------
    phase : {"prefill", "decode"}
        Whole prompts, or one new token of each sequence.
    batch : array_like
        Sequences.
    context : array_like
        Tokens of each prompt; while decoding, positions in the cache.

    Raises
    ------
    UsageError
        If the phase is unknown, or a number is not finite or below 1.

    Examples
    --------
    >>> Work("prefill", [1, 2], 1500).tokens.tolist()
    [1500.0, 3000.0]
    """

    phase: Phase
    batch: ArrayLike
    context: ArrayLike

    def __post_init__(self) -> None:
        if self.phase not in PHASES:
            raise UsageError(f'found the phase "{self.phase}", expected prefill or decode')
        for what in ("batch", "context"):
            try:
                value = np.array(getattr(self, what), dtype=np.float64)
            except (TypeError, ValueError):
                value = np.array(np.nan)
            if value.size == 0 or not np.all(np.isfinite(value) & (value >= 1)):
                raise UsageError(f"found {what} {getattr(self, what)!r}, expected finite numbers from 1 on")
            object.__setattr__(self, what, value)

    @property
    def sequences(self) -> Array:
        """Sequences, as an array."""
        return np.asarray(self.batch, dtype=np.float64)

    @property
    def positions(self) -> Array:
        """Tokens of each prompt, or positions in the cache, as an array."""
        return np.asarray(self.context, dtype=np.float64)

    @property
    def tokens(self) -> Array:
        """Tokens that pass through the layers."""
        return self.sequences * self.positions if self.phase == "prefill" else self.sequences


@dataclass(frozen=True)
class _Maker:
    """Sizes of values in bytes, and shorthand for products and streams."""

    shard: Shard
    work: Work
    precision: Precision

    def size(self, what: str) -> float:
        return value_bytes(getattr(self.precision, what))

    def product(
        self, name: str, m: ArrayLike, n: ArrayLike, k: ArrayLike, count: ArrayLike = 1.0
    ) -> Operator:
        p = self.precision
        sizes = (self.size("weights"), self.size("activations"), self.size("outputs"))
        return matmul(name, m, n, k, p.product, sizes=sizes, count=count, partial=self.size("accumulation"))

    def plain(self, name: str, m: ArrayLike, n: ArrayLike, k: ArrayLike) -> Operator:
        """Make a product in the format of the outputs: those that are usually not quantised."""
        o = self.size("outputs")
        return matmul(
            name, m, n, k, self.precision.outputs, sizes=(o, o, o), partial=self.size("accumulation")
        )

    def stream(self, name: str, values: ArrayLike, reads: float = 1.0, writes: float = 1.0) -> Operator:
        return stream(name, values, reads, writes, self.size("outputs"))


def _grouped_attention(make: _Maker) -> list[Operator]:
    """Multi-head, grouped-query and multi-query attention in one kernel."""
    shard, work, p = make.shard, make.work, make.precision
    d, h, kv = shard.model.head_dim, shard.heads, shard.kv_heads
    found = [make.product("qkv", work.tokens, (h + 2 * kv) * d, shard.model.hidden)]
    found.append(make.stream("rope", work.tokens * (h + 2 * kv) * d))
    if work.phase == "prefill":
        sizes = (make.size("outputs"), make.size("outputs"))
        heads, kv_heads = work.sequences * h, work.sequences * kv
        found.append(
            prefill_attention(
                "attention", work.positions, work.positions, (d, d), heads, kv_heads, p.attention, sizes=sizes
            )
        )
    else:
        # A head whose cache is cut along its positions is met by the queries of all GPUs that share it.
        cut = shard.cache_share
        group, keys = h / (shard.kv_heads / cut) / cut, work.positions * cut
        sizes = (make.size("outputs"), make.size("kv"))
        count = work.sequences * kv / cut
        found.append(
            decode_attention("attention", group, keys, (d, d, 2 * d), count, p.attention, sizes=sizes)
        )
    return [*found, make.product("attn_out", work.tokens, shard.model.hidden, h * d)]


def _separate_attention(make: _Maker) -> list[Operator]:
    """Attention in three kernels: all scores, masked or not, go through memory."""
    shard, work = make.shard, make.work
    d, h, kv = shard.model.head_dim, shard.heads, shard.kv_heads
    queries = work.positions if work.phase == "prefill" else np.ones(1)[0]
    count = work.sequences * h
    o = make.size("outputs")
    form, partial = make.precision.attention, make.size("accumulation")
    scores = matmul("scores", queries, work.positions, d, form, sizes=(o, o, o), count=count, partial=partial)
    mixed = matmul("mix", queries, d, work.positions, form, sizes=(o, o, o), count=count, partial=partial)
    return [
        make.product("qkv", work.tokens, (h + 2 * kv) * d, shard.model.hidden),
        make.stream("rope", work.tokens * (h + 2 * kv) * d),
        scores,
        make.stream("softmax", count * queries * work.positions),
        mixed,
        make.product("attn_out", work.tokens, shard.model.hidden, h * d),
    ]


def _mlp(make: _Maker) -> list[Operator]:
    model, t, ff = make.shard.model, make.work.tokens, make.shard.ff
    inner = model.mlp_matrices - 1
    return [
        make.product("mlp_up", t, inner * ff, model.hidden),
        make.stream("activation", t * ff, float(inner)),
        make.product("mlp_down", t, model.hidden, ff),
    ]


def _experts(make: _Maker) -> list[Operator]:
    """Router, shared experts, and the routed experts that any token meets, one product each."""
    shard, model, t = make.shard, make.shard.model, make.work.tokens
    met, rows = shard.expert_load(t)
    inner, d, ff = model.mlp_matrices - 1, model.hidden, shard.expert_ff
    found = [make.plain("router", t, model.experts, d)]
    if model.shared_experts:
        wide = shard.shared_ff
        found += [
            make.product("shared_up", t, inner * wide, d),
            make.stream("shared_activation", t * wide, float(inner)),
            make.product("shared_down", t, d, wide),
        ]
    return [
        *found,
        make.stream("dispatch", met * rows * d),
        make.product("experts_up", rows, inner * ff, d, met),
        make.stream("experts_activation", met * rows * ff, float(inner)),
        make.product("experts_down", rows, d, ff, met),
        make.stream("combine", met * rows * d),
    ]


def pass_operators(shard: Shard, work: Work, precision: Precision, fused: bool = True) -> list[Operator]:
    """List the operators of one forward pass on one GPU of a group.

    Parameters
    ----------
    shard : Shard
    work : Work
        Its arrays and those of the shard broadcast together: thousands of candidates take one call.
    precision : Precision
    fused : bool
        Kernels as serving engines have them: attention in one, each norm with the addition before it.
        Otherwise scores and softmax go through memory, and additions stand alone.

    Returns
    -------
    list of Operator
        In order; `repeat` says in how many layers. Communication between GPUs is not in it.

    Raises
    ------
    UsageError
        If latent attention is asked for in separate kernels.

    Examples
    --------
    >>> from topo_sim.inference.models import find_model
    >>> from topo_sim.inference.operators.precision import PRECISIONS
    >>> model = find_model("llama3-70b")
    >>> ops = pass_operators(Shard(model, 8), Work("decode", 16, 1500), PRECISIONS["fp8"])
    >>> [op.name for op in ops][:6]
    ['embedding', 'norm', 'qkv', 'rope', 'attention', 'attn_out']
    >>> layers = sum(float(op.weights) * op.repeat for op in ops if op.name != "lm_head")
    >>> layers * 8 == model.weights()
    True
    """
    model = shard.model
    make = _Maker(shard, work, precision)
    if model.latent and not fused:
        raise UsageError(f"{model.name}: found latent attention in separate kernels, expected fused ones")
    attend = (
        latent_attention(shard, work.phase, work.sequences, work.positions, precision)
        if model.latent
        else _grouped_attention(make)
        if fused
        else _separate_attention(make)
    )
    values = work.tokens * model.hidden
    own = shard.own_tokens(work.tokens) * model.hidden
    norm = [make.stream("norm", own, 2.0, 2.0)]
    if not fused:
        norm = [make.stream("norm", own), make.stream("add", own, 2.0, 1.0)]
    dense, sparse = model.layers - model.expert_layers, model.expert_layers
    found = [make.stream("embedding", values)]
    found += [replace(op, repeat=float(model.layers)) for op in (*norm, *attend, *norm)]
    found += [replace(op, repeat=float(dense)) for op in (_mlp(make) if dense else [])]
    found += [replace(op, repeat=float(sparse)) for op in (_experts(make) if sparse else [])]
    return [
        *found,
        make.stream("final_norm", work.sequences * model.hidden),
        make.plain("lm_head", work.sequences, shard.vocabulary, model.hidden),
    ]
