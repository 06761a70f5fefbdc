"""Multi-head latent attention: a compressed cache, read by all heads of a GPU."""

from typing import Literal

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

__all__ = ["latent_attention"]


def latent_attention(
    shard: Shard,
    phase: Literal["prefill", "decode"],
    sequences: Array,
    positions: Array,
    precision: Precision,
) -> list[Operator]:
    """List the operators of latent attention in one layer.

    Parameters
    ----------
    shard : Shard
        Of a model with a `kv_rank`.
    phase : {"prefill", "decode"}
    sequences, positions : ndarray of float64
        Sequences, and tokens of each prompt or positions in the cache.
    precision : Precision

    Returns
    -------
    list of Operator

    Notes
    -----
    Prefill expands keys and values of every head from the compressed ones. Decode does not: the expansion
    of keys moves into the query (`absorb`), that of values behind attention (`expand`), and all heads read
    the one compressed cache, of width kv_rank + rope_dim. The compressions are not cut by tensor
    parallelism: every GPU makes them whole.

    References
    ----------
    DeepSeek-AI, DeepSeek-V2, 2024, section 2.1 and appendix C.
    """
    model, p = shard.model, precision
    d, h, rank, rope = model.hidden, shard.heads, model.kv_rank, model.rope_dim
    key, value = model.head_dim + rope, model.value_dim
    t = sequences * positions if phase == "prefill" else sequences
    weight, act, out = value_bytes(p.weights), value_bytes(p.activations), value_bytes(p.outputs)

    def product(
        name: str, m: Array, n: Array | float, k: Array | float, count: Array | float = 1.0
    ) -> Operator:
        partial = value_bytes(p.accumulation)
        return matmul(name, m, n, k, p.product, sizes=(weight, act, out), count=count, partial=partial)

    found = []
    if model.q_rank:
        found += [product("q_down", t, model.q_rank, d), stream("q_norm", t * model.q_rank, 1, 1, out)]
    found.append(product("q_up", t, h * key, model.q_rank or d))
    found += [product("kv_down", t, rank + rope, d), stream("kv_norm", t * (rank + rope), 1, 1, out)]
    found.append(stream("rope", t * (h + 1) * rope, 1, 1, out))
    if phase == "prefill":
        heads = sequences * h
        found.append(product("kv_up", t, h * (model.head_dim + value), rank))
        found.append(
            prefill_attention(
                "attention", positions, positions, (key, value), heads, heads, p.attention, sizes=(out, out)
            )
        )
    else:
        wide = (rank + rope, rank, rank + rope)
        sizes = (out, value_bytes(p.kv))
        found.append(product("absorb", t, rank, model.head_dim, h))
        found.append(decode_attention("attention", h, positions, wide, sequences, p.attention, sizes=sizes))
        found.append(product("expand", t, value, rank, h))
    return [*found, product("attn_out", t, d, h * value)]
