"""Time of a pass of one instance: operators on its GPUs, and collectives between them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from topo_sim.base import UsageError
from topo_sim.inference.exchanges import Exchange, pass_exchanges
from topo_sim.inference.models import LanguageModel
from topo_sim.inference.network import Network
from topo_sim.inference.operators import (
    Device,
    Efficiency,
    Operator,
    Precision,
    Work,
    find_precision,
    operator_time,
    pass_operators,
    roofline,
)
from topo_sim.inference.operators.operator import Array
from topo_sim.inference.operators.precision import value_bytes
from topo_sim.inference.parallelism import Layout

__all__ = ["PARTS", "PassTimer", "PassTimes"]

PARTS = ("compute", "memory", "launch", "network")
"""What the time of a pass is made of: operators that matrix units, memory or waiting (launches, small shapes)
limit, and communication that nothing hides."""


@dataclass(frozen=True)
class PassTimes:
    """Times of one pass of one batch through all stages; arrays have the shape of what was asked.

    Parameters
    ----------
    parts : mapping from str to ndarray of float64, s
        By `PARTS`; they add up to `total`.
    communication : ndarray of float64, s
        All of it, hidden or not.
    latency : ndarray of float64, s
        What of that messages without bytes would take.
    total : ndarray of float64, s
        From the first stage's start to the last one's end: TTFT of a prefill pass.
    interval : ndarray of float64, s
        From one pass to the next where as many batches as stages are under way: total / PP.
    """

    parts: Mapping[str, Array]
    communication: Array
    latency: Array
    total: Array
    interval: Array


@dataclass(frozen=True)
class PassTimer:
    """Times passes of a model on one instance of GPUs.

    Parameters
    ----------
    model : LanguageModel
    device : Device
    layout : Layout
    network : Network
        `IdealNetwork` or `FabricNetwork`; share one among timers: it solves each collective once.
    precision : Precision, optional
        Default: fp8.
    efficiency : Efficiency, optional
        Constants of the operators. Without: the roofline of every operator.
    overlap : float
        From 0 (communication waits for the operators and they for it) to 1 (the longer one of both counts).

    Raises
    ------
    UsageError
        If model, layout and network do not fit together, or the overlap is not between 0 and 1.

    Notes
    -----
    ``total = operators + communication - overlap * min(operators, communication)``. A stage has
    ceil(layers / PP) layers, and the slowest stage sets the pace of all. With EP beyond TP, batches are those
    of one TP group; the others have as much.

    Examples
    --------
    >>> from topo_sim.gpus import load_gpus
    >>> from topo_sim.inference.models import find_model
    >>> from topo_sim.inference.network import IdealNetwork
    >>> timer = PassTimer(
    ...     find_model("llama3-70b"), Device.of(load_gpus()["h100"]), Layout(tp=8), IdealNetwork(450e9))
    >>> timer.decode([1, 64], 1500).total.shape, timer.prefill([100, 1500]).total.shape
    ((2,), (2,))
    """

    model: LanguageModel
    device: Device
    layout: Layout
    network: Network
    precision: Precision | None = None
    efficiency: Efficiency | None = None
    overlap: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "precision", self.precision or find_precision("fp8"))
        self.layout.check(self.model, self.network.ranks)
        if not 0 <= self.overlap <= 1:
            raise UsageError(f"found an overlap of {self.overlap}, expected a number from 0 to 1")

    def prefill(self, tokens: ArrayLike, prompts: ArrayLike = 1) -> PassTimes:
        """Time passes over whole prompts.

        Parameters
        ----------
        tokens : array_like
            Of each prompt.
        prompts : array_like
            Of one pass.

        Returns
        -------
        PassTimes
        """
        return self.time(Work("prefill", prompts, tokens))

    def decode(self, batch: ArrayLike, context: ArrayLike) -> PassTimes:
        """Time passes that give every sequence its next token.

        Parameters
        ----------
        batch : array_like
            Sequences of one pass; with PP stages, as many passes are under way.
        context : array_like
            Positions in the cache of each.

        Returns
        -------
        PassTimes
        """
        return self.time(Work("decode", batch, context))

    def operators(self, work: Work) -> list[Operator]:
        """List the operators of one pass on one GPU, over all stages."""
        cp = self.layout.cp
        assert self.precision is not None
        if cp == 1:
            return pass_operators(self.layout.shard(self.model), work, self.precision)
        self.layout.check(self.model, phase=work.phase)
        mine = Work(work.phase, work.sequences, np.maximum(work.positions / cp, 1.0))
        found = pass_operators(self.layout.shard(self.model), mine, self.precision)
        return [_whole_context(op, cp) if op.kind == "prefill attention" else op for op in found]

    def exchanges(self, work: Work) -> list[Exchange]:
        """List the collectives of one pass, over all stages."""
        assert self.precision is not None
        return pass_exchanges(self.model, self.layout, work, self.precision, self.network.ranks)

    def time(self, work: Work, split: Array | None = None) -> PassTimes:
        """Time passes.

        Parameters
        ----------
        work : Work
        split : ndarray of float64, s, optional
            What `operator_parts` gives for it, if already known.

        Returns
        -------
        PassTimes
        """
        split = self.operator_parts(work) if split is None else split
        shape = split.shape[1:]
        wire, latency = np.zeros(shape), np.zeros(shape)
        for each in self.exchanges(work):
            wire = wire + each.time(self.network)
            latency = latency + each.latency(self.network)
        own = split.sum(axis=0)
        exposed = wire - self.overlap * np.minimum(own, wire)
        uneven = self.uneven
        parts = dict(zip(PARTS, (*(uneven * split), uneven * exposed), strict=True))
        total = uneven * (own + exposed)
        return PassTimes(parts, uneven * wire, uneven * latency, total, total / self.layout.pp)

    @property
    def uneven(self) -> float:
        """Layers of the largest stage over the mean."""
        return -(-self.model.layers // self.layout.pp) * self.layout.pp / self.model.layers

    def operator_parts(self, work: Work) -> Array:
        """Sum the operators by what limits them.

        Parameters
        ----------
        work : Work

        Returns
        -------
        ndarray of float64, shape (3, ...), s
            The first three of `PARTS`, all layers on one stage after another.
        """
        shape = np.broadcast_shapes(work.sequences.shape, work.positions.shape)
        split = np.zeros((3, *shape))
        for op in self.operators(work):
            if self.efficiency is None:
                time = np.broadcast_to(roofline(op, self.device), shape)
                moving = op.bytes / self.device.memory_bandwidth
                limit = np.broadcast_to(np.where(time > moving, 0, 1), shape)
            else:
                found = operator_time(op, self.device, self.efficiency, in_pass=True)
                time, limit = np.broadcast_to(found.time, shape), np.broadcast_to(found.limit, shape)
            for i in range(3):
                split[i] += np.where(limit == i, op.repeat * time, 0.0)
        return split

    def memory(self, batch: ArrayLike, context: ArrayLike) -> Array:
        """Tell what weights and cache take on one GPU.

        Parameters
        ----------
        batch : array_like
            Sequences that one TP group holds, over all passes that are under way.
        context : array_like
            Positions of each.

        Returns
        -------
        ndarray of float64, B
            Activations are left out.
        """
        p, layout = self.precision, self.layout
        assert p is not None
        shard, stages = layout.shard(self.model), self.uneven / layout.pp
        weights = float(shard.weight_bytes(value_bytes(p.weights), value_bytes(p.outputs))) * stages
        each = float(shard.cache_bytes_per_token(value_bytes(p.kv))) * stages / layout.cp
        return weights + each * np.asarray(batch, dtype=np.float64) * np.asarray(context, dtype=np.float64)


def _whole_context(op: Operator, parts: int) -> Operator:
    """Let the queries of one part of a prompt meet the keys of all of it, evenly dealt."""
    return replace(op, count=op.count * parts, flops=op.flops * parts, reads=op.reads * parts)
