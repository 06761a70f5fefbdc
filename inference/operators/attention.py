"""Time of attention: blocks of queries on SMs while prefilling, the cache through memory while decoding."""

import numpy as np

from topo_sim.inference.operators.device import Device
from topo_sim.inference.operators.efficiency import Efficiency
from topo_sim.inference.operators.operator import Array, Operator

__all__ = ["BLOCK", "decode_time", "prefill_time"]

BLOCK = 128.0
"""Queries of one block, and keys that it meets in one step."""

_ROWS = 64.0  # of the smallest product: fewer queries are padded


def prefill_time(op: Operator, device: Device, efficiency: Efficiency) -> tuple[Array, Array, Array]:
    """Time causal attention over prompts.

    Parameters
    ----------
    op : Operator
        Of kind "prefill attention".
    device : Device
    efficiency : Efficiency

    Returns
    -------
    computing, moving, waiting : ndarray of float64, s

    Notes
    -----
    Each head of each sequence has one job per block of queries, as long as the keys that it sees. Jobs run
    on whichever SM is free: all work spread evenly, and part of the longest job alone at the end, never
    less than the longest job.

    References
    ----------
    Dao, FlashAttention-2, 2023 (blocks); Graham, Bounds on Multiprocessing Timing Anomalies, 1969 (the
    longest job at the end).
    """
    blocks, before = np.ceil(op.m / BLOCK), np.ceil((op.n - op.m) / BLOCK)
    steps = blocks * before + blocks * (blocks + 1) / 2
    rate = device.peak(op.form) / device.sms * efficiency.attention
    one = 2 * BLOCK * BLOCK * op.k / rate
    longest = (before + blocks) * one
    even = op.count * steps * one / device.sms
    computing = np.maximum(longest, even + efficiency.tail * longest)
    moving = op.bytes / (device.memory_bandwidth * efficiency.memory)
    return computing, moving, np.zeros_like(computing)


def decode_time(op: Operator, device: Device, efficiency: Efficiency) -> tuple[Array, Array, Array]:
    """Time attention of new tokens over the cache.

    Parameters
    ----------
    op : Operator
        Of kind "decode attention".
    device : Device
    efficiency : Efficiency

    Returns
    -------
    computing, moving, waiting : ndarray of float64, s

    Notes
    -----
    The cache is split over all SMs along its positions, and the parts meet once. The queries of one key-value
    head are padded to the rows of the smallest product.
    """
    rate = device.peak(op.form) * efficiency.attention
    rows = np.ceil(op.m / _ROWS) * _ROWS
    computing = 2 * op.count * rows * np.ceil(op.n / BLOCK) * BLOCK * op.k / rate
    moving = op.bytes / (device.memory_bandwidth * efficiency.memory)
    return computing, moving, efficiency.split + np.zeros_like(computing)
