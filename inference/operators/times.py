"""Time of any operator: a bound that nothing beats, and what kernels reach."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.inference.operators.attention import decode_time, prefill_time
from topo_sim.inference.operators.device import Device
from topo_sim.inference.operators.efficiency import Efficiency
from topo_sim.inference.operators.operator import Array, Operator
from topo_sim.inference.operators.tiles import computing_share, matmul_time, together

__all__ = ["LIMITS", "OperatorTime", "operator_time", "roofline"]

Limit = NDArray[np.intp]
LIMITS = ("compute", "memory", "latency")
"""What takes most of an operator's time: matrix units at work, memory, or waiting for either (launching, the
depth of a tile, SMs without one, padding)."""


@dataclass(frozen=True)
class OperatorTime:
    """Times of one operator, once.

    Parameters
    ----------
    bound : ndarray of float64, s
        No run is shorter: all FLOPs at the peak, all bytes at the bandwidth, whichever is longer.
    time : ndarray of float64, s
        As modelled.
    limit : ndarray of int
        Index into `LIMITS`.
    """

    bound: Array
    time: Array
    limit: Limit

    @property
    def efficiency(self) -> Array:
        """Share of the roofline that is reached."""
        return np.divide(self.bound, self.time, out=np.zeros_like(self.time), where=self.time > 0)


def roofline(op: Operator, device: Device) -> Array:
    """Tell the time below which no run of an operator lies.

    Parameters
    ----------
    op : Operator
    device : Device

    Returns
    -------
    ndarray of float64, s

    Examples
    --------
    >>> from topo_sim.inference.operators.operator import matmul
    >>> device = Device("round", {"bf16": 1e15}, 1e12, 100, 8e10)
    >>> float(roofline(matmul("x", 1000, 1000, 1000, "bf16"), device))  # 6 MB at 1 TB/s
    6e-06
    """
    moving = op.bytes / device.memory_bandwidth
    if not op.form:
        return moving
    found: Array = np.maximum(op.flops / device.peak(op.form), moving)
    return found


def operator_time(
    op: Operator, device: Device, efficiency: Efficiency, in_pass: bool = False
) -> OperatorTime:
    """Time one operator.

    Parameters
    ----------
    op : Operator
        Its arrays broadcast together: thousands of sizes take one call.
    device : Device
    efficiency : Efficiency
    in_pass : bool
        Whether it runs within a pass of many, launched together, under lasting load, and not alone as
        when it is measured: launching costs `chained`, and clocks have sagged.

    Returns
    -------
    OperatorTime
        Zero where the operator has nothing to do.

    Raises
    ------
    UsageError
        If a size is negative or not finite.

    Examples
    --------
    >>> from topo_sim.gpus import load_gpus
    >>> from topo_sim.inference.operators.efficiency import find_efficiency
    >>> from topo_sim.inference.operators.operator import matmul
    >>> op = matmul("mlp_up", [1, 64, 6000], 7168, 8192, "bf16")
    >>> found = operator_time(op, Device.of(load_gpus()["h100"]), find_efficiency("h100"))
    >>> [LIMITS[i] for i in found.limit]
    ['memory', 'memory', 'compute']
    >>> bool((found.time > found.bound).all())
    True
    """
    for value in (op.m, op.n, op.k, op.count):
        if not np.all(np.isfinite(value) & (value >= 0)):
            raise UsageError(
                f"{op.name}: found a size that is negative or not finite, expected sizes of 0 or more"
            )
    if op.kind == "matmul":
        parts = matmul_time(op, device, efficiency, in_pass)
    elif op.kind == "prefill attention":
        parts = prefill_time(op, device, efficiency)
    elif op.kind == "decode attention":
        parts = decode_time(op, device, efficiency)
    else:
        moving = op.bytes / (device.memory_bandwidth * efficiency.memory)
        parts = np.zeros_like(moving), moving, np.zeros_like(moving)
    computing, moving, waiting = parts
    launch = efficiency.chained if in_pass else efficiency.launch
    idle = (op.count * op.m * op.n == 0) | (op.bytes == 0)
    time = np.where(idle, 0.0, together(computing, moving) + waiting + launch)
    bound = np.where(idle, 0.0, roofline(op, device))
    return OperatorTime(bound, time, _limit(op, device, efficiency, moving, time))


def _limit(op: Operator, device: Device, efficiency: Efficiency, moving: Array, time: Array) -> Limit:
    useful = np.zeros_like(moving)
    if op.form:
        attention = op.kind.endswith("attention")
        share = efficiency.attention if attention else computing_share(op.form, efficiency)
        useful = op.flops / (device.peak(op.form) * share)
    parts = np.broadcast_arrays(useful, moving, time - np.maximum(useful, moving))
    found: Limit = np.argmax(np.stack(parts), axis=0)
    return found
