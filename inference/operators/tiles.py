"""Time of matrix products: tiles on SMs, the best of several tilings."""

import numpy as np

from topo_sim.inference.operators.device import Device
from topo_sim.inference.operators.efficiency import Efficiency
from topo_sim.inference.operators.operator import Array, Operator
from topo_sim.inference.operators.precision import value_bytes

__all__ = ["SAG_TIME", "TILES", "computing_share", "matmul_time", "together"]

TILES = tuple(
    (rows, columns, split)
    for rows, columns in ((64, 128), (64, 256), (128, 128), (128, 256), (256, 128))
    for split in (1, 2, 3, 4, 6, 8)
)
"""Rows and columns of a tile, and in how many parts the depth is split: what libraries have kernels for."""

SAG_TIME = 2e-3
"""Computing this long, clocks have sagged by half of what they will, s."""

_OVERLAP = 7.0  # of computing and memory: the longer of both counts, plus a tenth where they are equal
_DEPTH = 128.0  # B of depth in one step of a tile
_LARGEST = 1 / 128 + 1 / 256
_SPREAD = 2.0  # partial sums meet in the cache, at this many times the bandwidth of memory


def together(first: Array, second: Array) -> Array:
    """Combine two times that overlap: the longer one, and somewhat more where both are long.

    Examples
    --------
    >>> float(together(np.array(1.0), np.array(0.0))), round(float(together(np.array(1.0), np.array(1.0))), 3)
    (1.0, 1.104)
    """
    longer, shorter = np.maximum(first, second), np.minimum(first, second)
    ratio = np.divide(shorter, longer, out=np.zeros_like(longer), where=longer > 0)
    found: Array = longer * (1 + ratio**_OVERLAP) ** (1 / _OVERLAP)
    return found


def computing_share(form: str, efficiency: Efficiency) -> float:
    """Tell the share of the peak that matrix units reach in a number format."""
    return efficiency.half if value_bytes(form) > 1 else efficiency.byte


def _sagged(computing: Array, efficiency: Efficiency, lasting: bool) -> Array:
    part = 1.0 if lasting else computing / (computing + SAG_TIME)
    return computing * (1 + efficiency.sag * part)


def matmul_time(
    op: Operator, device: Device, efficiency: Efficiency, lasting: bool = False
) -> tuple[Array, Array, Array]:
    """Time matrix products by the best of all tilings.

    Parameters
    ----------
    op : Operator
        Of kind "matmul".
    device : Device
    efficiency : Efficiency
    lasting : bool
        Within a long pass: clocks have sagged.

    Returns
    -------
    computing, moving, waiting : ndarray of float64, s
        What the matrix units and memory need by themselves, and the latency of depth and split;
        launching is not in it.

    Notes
    -----
    Tiles are dealt to SMs in waves; part of the last wave's idle is filled. A tile computes at a share
    of its SM's peak that falls with 1/rows + 1/columns, pads M, N and the depth, and writes its outputs at
    its SM's share of the memory bandwidth. Splitting the depth gives more tiles and costs partial sums
    and a meeting. O(30) per product, in arrays.

    References
    ----------
    Osama et al., Stream-K, PPoPP 2023 (waves of tiles, splitting the depth); Zhang et al., LLMCompass, ISCA
    2024 (the time is that of the best mapping).
    """
    shape = (len(TILES), *(1,) * np.broadcast(op.m, op.n, op.k, op.count).ndim)
    rows, columns, split = (
        np.array([t[i] for t in TILES], dtype=np.float64).reshape(shape) for i in range(3)
    )
    per_sm = device.peak(op.form) * computing_share(op.form, efficiency) / device.sms
    size = value_bytes(op.form)
    rate = per_sm * (1 + efficiency.tile * _LARGEST) / (1 + efficiency.tile * (1 / rows + 1 / columns))
    step = 32 / size  # the depth of one instruction
    depth = np.ceil(op.k / (split * step)) * step
    tiles = op.count * np.ceil(op.m / rows) * np.ceil(op.n / columns) * split
    even = tiles / device.sms
    waves = np.maximum(1.0, even + efficiency.quantisation * (np.ceil(even) - even))
    outputs = np.where(split > 1, op.partial, op.output)
    written = efficiency.epilogue * rows * columns * outputs / (device.memory_bandwidth / device.sms)
    computing = _sagged(waves * (2 * rows * columns * depth / rate + written), efficiency, lasting)
    moving = op.bytes / (device.memory_bandwidth * efficiency.memory) + 0 * computing
    partial = 2 * op.partial * op.count * op.m * op.n * split / (_SPREAD * device.memory_bandwidth)
    waiting = efficiency.step * depth * size / _DEPTH + np.where(split > 1, efficiency.split + partial, 0.0)
    best = np.argmin(together(computing, moving) + waiting, axis=0)[None]
    computing, moving, waiting = (
        np.take_along_axis(each, best, axis=0)[0] for each in (computing, moving, waiting)
    )
    return computing, moving, waiting
