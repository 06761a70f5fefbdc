"""How instances serve: batching, memory, dispatch; pools of instances, and the links between them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError, nearest
from topo_sim.inference.serving.passes import PassTable

__all__ = ["DISPATCHES", "MEMORIES", "Links", "Pool", "Rules"]

MEMORIES = ("recompute", "reserve")
DISPATCHES = ("least_loaded", "round_robin")
MOST_INSTANCES = 100_000


def _whole(value: object, what: str, least: int, most: int = 10**9) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not least <= value <= most:
        raise UsageError(f"{what}: found {value!r}, expected a whole number from {least} to {most:,}")


@dataclass(frozen=True)
class Rules:
    """How an instance forms its passes.

    Parameters
    ----------
    chunk : int
        In a pool that does both: tokens of a mixed pass, decoding first and the rest of it parts of prompts.
        0: passes of whole prompts, which come before passes of decoding.
    most_tokens : int
        Of a pass of whole prompts; a longer prompt has a pass alone.
    most_batch : int
        Sequences of an instance at once.
    block : int
        Tokens whose KV is given out at once.
    memory : {"recompute", "reserve"}
        Recompute: a request is let in when its prompt fits, and when blocks run out the youngest is put out;
        its KV is made anew later, from its prompt and what it was sent. Reserve: a request waits until the
        KV of its whole answer fits.
    margin : float
        Share of the blocks that letting in leaves free.
    dispatch : {"least_loaded", "round_robin"}
        Least loaded: to the instance with the fewest tokens queued and in work, the first of equals.

    Raises
    ------
    UsageError
        If a number is out of range or a name unknown.

    Examples
    --------
    >>> Rules(chunk=128)
    Traceback (most recent call last):
    topo_sim.base.errors.UsageError: chunk: found 128 tokens, expected more than the 256 sequences of a batch
    """

    chunk: int = 0
    most_tokens: int = 8192
    most_batch: int = 256
    block: int = 16
    memory: Literal["recompute", "reserve"] = "recompute"
    margin: float = 0.01
    dispatch: Literal["least_loaded", "round_robin"] = "least_loaded"

    def __post_init__(self) -> None:
        _whole(self.chunk, "chunk", 0)
        _whole(self.most_tokens, "tokens of a pass", 1)
        _whole(self.most_batch, "batch", 1, 65536)
        _whole(self.block, "block", 1)
        if 0 < self.chunk <= self.most_batch:
            raise UsageError(
                f"chunk: found {self.chunk} tokens, expected more than the {self.most_batch} sequences of a "
                f"batch"
            )
        if not 0 <= self.margin < 1:
            raise UsageError(f"margin: found {self.margin}, expected a share from 0 to below 1")
        for what, known in (("memory", MEMORIES), ("dispatch", DISPATCHES)):
            if getattr(self, what) not in known:
                name = getattr(self, what)
                raise UsageError(f'unknown {what} rule "{name}": {nearest(str(name), known)}')


@dataclass(frozen=True)
class Pool:
    """Instances of one kind.

    Parameters
    ----------
    table : PassTable
        Times of an instance's passes, and the KV that it holds.
    instances : int
    """

    table: PassTable
    instances: int

    def __post_init__(self) -> None:
        _whole(self.instances, "instances", 1, MOST_INSTANCES)

    def blocks(self, block: int) -> int:
        """Blocks of KV of one instance."""
        found = self.table.capacity // block
        if found < 1:
            raise UsageError(
                f"block: found {block} tokens, expected at most the {self.table.capacity} that an instance "
                f"holds"
            )
        return found


@dataclass(frozen=True)
class Links:
    """What carries KV from prefill to decode instances.

    Parameters
    ----------
    bytes_per_token : float, B
        Over all GPUs of an instance.
    rate : ndarray of float64, shape (prefill instances, decode instances), B/s
    latency : ndarray of float64, same shape, s

    Raises
    ------
    UsageError
        If a rate is not above 0, or another number not finite or negative.
    """

    bytes_per_token: float
    rate: NDArray[np.float64]
    latency: NDArray[np.float64]

    def __post_init__(self) -> None:
        rate, latency = np.array(self.rate, dtype=np.float64), np.array(self.latency, dtype=np.float64)
        if not 0 <= self.bytes_per_token < np.inf:
            raise UsageError(
                f"found {self.bytes_per_token} B of KV per token, expected a number of 0 or more"
            )
        if rate.ndim != 2 or latency.shape != rate.shape:
            raise UsageError(
                f"found latencies of shape {latency.shape}, expected those of rates, {rate.shape}"
            )
        if not np.all(rate > 0) or not np.all(np.isfinite(latency) & (latency >= 0)):
            raise UsageError("links: found a rate of 0 or a latency that is no number, expected neither")
        object.__setattr__(self, "rate", rate)
        object.__setattr__(self, "latency", latency)
