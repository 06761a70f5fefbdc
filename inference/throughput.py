"""Steady throughput of a serving engine under maximum load, from the times of passes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from topo_sim.base import UsageError
from topo_sim.inference.operators.device import Device
from topo_sim.inference.operators.efficiency import Efficiency
from topo_sim.inference.operators.layers import Work, pass_operators
from topo_sim.inference.operators.operator import Array
from topo_sim.inference.operators.precision import Precision, value_bytes
from topo_sim.inference.operators.shard import Shard
from topo_sim.inference.operators.times import operator_time, roofline

__all__ = ["PASS_TOKENS", "Steady", "pass_time", "steady_throughput"]

PASS_TOKENS = 8192
"""Prompt tokens of one prefill pass."""


@dataclass(frozen=True)
class Steady:
    """Throughput with as many sequences as memory holds.

    Parameters
    ----------
    rate : float, 1/s
        Output tokens per second of the group.
    batch : int
        Sequences at once.
    prefill : float, s
        Of one prompt.
    step : float, s
        Of one decode pass.
    """

    rate: float
    batch: int
    prefill: float
    step: float


def pass_time(
    shard: Shard, work: Work, precision: Precision, device: Device, efficiency: Efficiency | None
) -> Array:
    """Time all operators of a pass on one GPU, one after another, without communication.

    Parameters
    ----------
    shard : Shard
    work : Work
    precision : Precision
    device : Device
    efficiency : Efficiency, optional
        Without: the sum of the operators' rooflines.

    Returns
    -------
    ndarray of float64, s
        One per candidate: the arrays of shard and work broadcast together.

    Examples
    --------
    >>> from topo_sim.gpus import load_gpus
    >>> from topo_sim.inference.models import find_model
    >>> from topo_sim.inference.operators import PRECISIONS, find_efficiency
    >>> model, h100 = find_model("llama3-70b"), Device.of(load_gpus()["h100"])
    >>> work = Work("decode", np.arange(1, 10_001), 1500)
    >>> pass_time(Shard(model, 8), work, PRECISIONS["fp8"], h100, find_efficiency("h100")).shape
    (10000,)
    """
    total: Array = np.zeros(())
    for op in pass_operators(shard, work, precision):
        time = (
            roofline(op, device) if efficiency is None else operator_time(op, device, efficiency, True).time
        )
        total = total + op.repeat * time
    return total


def steady_throughput(
    shard: Shard,
    prompt: int,
    output: int,
    precision: Precision,
    device: Device,
    efficiency: Efficiency | None,
    all_reduce: Callable[[float], float] | None = None,
    *,
    memory_share: float = 0.9,
) -> Steady:
    """Model continuous batching under maximum load: memory is always full of sequences.

    Parameters
    ----------
    shard : Shard
        One way to cut the model.
    prompt, output : int
        Tokens of every prompt and every answer.
    precision : Precision
    device : Device
    efficiency : Efficiency, optional
        Without: rooflines.
    all_reduce : callable, optional
        Time of an all-reduce of so many bytes, s; two per layer. Without: communication is free.
    memory_share : float
        Of the memory, for weights and cache.

    Returns
    -------
    Steady

    Raises
    ------
    UsageError
        If the model and one sequence do not fit.

    Notes
    -----
    Sequences are of all ages, so they hold prompt + output/2 tokens on average. Each costs one prefill and
    its part of `output` decode passes; prompts are packed into passes of `PASS_TOKENS`. Scheduling, sampling
    and the time of the host are left out, so real engines are slower.
    """
    model = shard.model
    if prompt < 1 or output < 1:
        raise UsageError(f"found {prompt} and {output} tokens, expected at least 1 of prompt and of output")
    weights = float(shard.weight_bytes(value_bytes(precision.weights), value_bytes(precision.outputs)))
    each = float(shard.cache_bytes_per_token(value_bytes(precision.kv))) * (prompt + output / 2)
    room = memory_share * device.memory - weights
    batch = int(room // each) if room > 0 else 0
    if batch < 1:
        need, have = (weights + each) / 1e9, memory_share * device.memory / 1e9
        raise UsageError(
            f"{model.name}: found {have:.1f} GB of {device.name} for weights and cache, expected at least "
            f"{need:.1f} GB"
        )
    packed = max(1, PASS_TOKENS // prompt)

    def reduced(tokens: float) -> float:
        if all_reduce is None:
            return 0.0
        return 2 * model.layers * all_reduce(tokens * model.hidden * value_bytes(precision.outputs))

    first = Work("prefill", packed, prompt)
    prefill = float(pass_time(shard, first, precision, device, efficiency)) + reduced(packed * prompt)
    later = Work("decode", batch, prompt + output / 2)
    step = float(pass_time(shard, later, precision, device, efficiency)) + reduced(batch)
    prefill /= packed
    return Steady(output / (prefill + output * step / batch), batch, prefill, step)
