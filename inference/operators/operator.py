"""One operator of a forward pass: its shape, its work and its traffic."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Array", "Kind", "Operator", "decode_attention", "matmul", "prefill_attention", "stream"]

Array = NDArray[np.float64]
Kind = Literal["matmul", "prefill attention", "decode attention", "stream"]


def _array(value: ArrayLike) -> Array:
    return np.asarray(value, dtype=np.float64)


@dataclass(frozen=True)
class Operator:
    """An operator, or arrays of them that differ in size alone: all arrays broadcast together.

    Parameters
    ----------
    name : str
    kind : {"matmul", "prefill attention", "decode attention", "stream"}
        Which model of time applies. "stream": bytes through memory and little else.
    m, n, k : ndarray of float64
        Rows, columns and depth of a product; queries, keys and twice the width of attention.
    count : ndarray of float64
        Independent products or heads that run at once.
    flops : ndarray of float64, FLOP
    weights, reads, writes : ndarray of float64, B
        From and to memory, each byte once: weights; activations and cached keys and values; outputs.
    form : str
        Number format of the arithmetic.
    partial, output : float, B
        Size of one partial sum, and of one output.
    repeat : float
        How often it runs in a pass.

    Examples
    --------
    >>> op = matmul("qkv", 4, 6, 8, "bf16")
    >>> float(op.flops), float(op.weights), float(op.reads), float(op.writes)
    (384.0, 96.0, 64.0, 48.0)
    """

    name: str
    kind: Kind
    m: Array
    n: Array
    k: Array
    count: Array
    flops: Array
    weights: Array
    reads: Array
    writes: Array
    form: str
    partial: float = 4.0
    output: float = 2.0
    repeat: float = 1.0

    @property
    def bytes(self) -> Array:
        """All traffic with memory, B."""
        return self.weights + self.reads + self.writes

    @property
    def intensity(self) -> Array:
        """Arithmetic per byte of traffic, FLOP/B."""
        return self.flops / self.bytes


def matmul(
    name: str,
    m: ArrayLike,
    n: ArrayLike,
    k: ArrayLike,
    form: str,
    *,
    sizes: tuple[float, float, float] = (2.0, 2.0, 2.0),
    count: ArrayLike = 1.0,
    partial: float = 4.0,
    repeat: float = 1.0,
) -> Operator:
    """Describe out[m, n] = x[m, k] w[k, n], `count` times.

    Parameters
    ----------
    name : str
    m, n, k : array_like
    form : str
        Number format of the arithmetic.
    sizes : tuple of 3 floats, B
        Of a value of w, x and out.
    count : array_like
        Products of this shape, each with its own operands.
    partial : float, B
        Size of a partial sum.
    repeat : float

    Returns
    -------
    Operator
    """
    m, n, k, count = _array(m), _array(n), _array(k), _array(count)
    w, x, out = sizes
    flops = 2 * m * n * k * count
    traffic = count * n * k * w, count * m * k * x, count * m * n * out
    return Operator(name, "matmul", m, n, k, count, flops, *traffic, form, partial, out, repeat)


def prefill_attention(
    name: str,
    queries: ArrayLike,
    keys: ArrayLike,
    width: tuple[ArrayLike, ArrayLike],
    heads: ArrayLike,
    kv_heads: ArrayLike,
    form: str,
    *,
    sizes: tuple[float, float] = (2.0, 2.0),
    repeat: float = 1.0,
) -> Operator:
    """Describe causal attention in one kernel: no score ever reaches memory.

    Parameters
    ----------
    name : str
    queries, keys : array_like
        Of one sequence; the queries are its last positions.
    width : tuple of 2 array_like
        Of a key and of a value.
    heads, kv_heads : array_like
        Over all sequences.
    form : str
    sizes : tuple of 2 floats, B
        Of an activation, and of a value of keys and values.
    repeat : float

    Returns
    -------
    Operator
    """
    m, n, count, kv = _array(queries), _array(keys), _array(heads), _array(kv_heads)
    key, value = _array(width[0]), _array(width[1])
    flops = 2 * count * (key + value) * m * (n - m / 2)
    reads = count * m * key * sizes[0] + kv * n * (key + value) * sizes[1]
    writes = count * m * value * sizes[0]
    zero = np.zeros_like(flops)
    return Operator(
        name, "prefill attention", m, n, key + value, count, flops, zero, reads, writes, form, repeat=repeat
    )


def decode_attention(
    name: str,
    group: ArrayLike,
    keys: ArrayLike,
    width: tuple[ArrayLike, ArrayLike, ArrayLike],
    kv_heads: ArrayLike,
    form: str,
    *,
    sizes: tuple[float, float] = (2.0, 2.0),
    repeat: float = 1.0,
) -> Operator:
    """Describe attention of one new token per sequence over the cache.

    Parameters
    ----------
    name : str
    group : array_like
        Query heads that share one key-value head.
    keys : array_like
        Positions in the cache.
    width : tuple of 3 array_like
        Of a key, of a value, and of what the cache holds of both.
    kv_heads : array_like
        Over all sequences.
    form : str
    sizes : tuple of 2 floats, B
        Of an activation, and of a value of the cache.
    repeat : float

    Returns
    -------
    Operator
    """
    m, n, count = _array(group), _array(keys), _array(kv_heads)
    key, value, held = (_array(each) for each in width)
    flops = 2 * count * m * n * (key + value)
    reads = count * (m * key * sizes[0] + n * held * sizes[1])
    writes = count * m * value * sizes[0]
    zero = np.zeros_like(flops)
    return Operator(
        name, "decode attention", m, n, key + value, count, flops, zero, reads, writes, form, repeat=repeat
    )


def stream(
    name: str, values: ArrayLike, reads: float, writes: float, size: float, repeat: float = 1.0
) -> Operator:
    """Describe what passes values through memory: norms, activations, softmax, look-ups.

    Parameters
    ----------
    name : str
    values : array_like
        How many.
    reads, writes : float
        How often each is read and written.
    size : float, B
        Of one value.
    repeat : float

    Returns
    -------
    Operator
        Without FLOPs: what there is happens outside the matrix units, while memory is waited for.
    """
    v = _array(values)
    one, zero = np.ones_like(v), np.zeros_like(v)
    return Operator(
        name, "stream", v, one, one, one, zero, zero, v * reads * size, v * writes * size, "", repeat=repeat
    )
