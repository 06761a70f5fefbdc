"""The case study's own method: one roofline over a whole pass, and the best batch over a ladder of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import UsageError
from topo_sim.inference.models import LanguageModel
from topo_sim.inference.network import Network
from topo_sim.inference.operators import Device

__all__ = [
    *("CONTEXT", "LADDER", "TBT", "TTFT", "PassBounds", "Point"),
    *("best_point", "gpus_needed", "pass_bounds", "weight_bytes"),
]

Array = NDArray[np.float64]
Phase = Literal["prefill", "decode"]
KV = Literal["shard", "replicate"]

LADDER = (
    *(1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512),
    *(640, 768, 896, 1024, 1536, 2048, 3072, 4096),
)
"""Batches that are tried."""

CONTEXT = 1500
"""Tokens of every prompt, and positions of every sequence that is decoded."""

TTFT, TBT = 1.0, 0.05
"""Limits of the time to the first token, and between tokens, s."""


@dataclass(frozen=True)
class PassBounds:
    """The three times of one pass, and whether it fits.

    Parameters
    ----------
    compute, memory, network : ndarray of float64, s
        Shape of the batches.
    fits : ndarray of bool
        Whether weights and cache fit.
    """

    compute: Array
    memory: Array
    network: Array
    fits: NDArray[np.bool_]

    def time(self, overlap: float) -> Array:
        """Combine the times.

        Parameters
        ----------
        overlap : float
            1: the longest counts; 0: the network comes on top of the longer of the others.

        Returns
        -------
        ndarray of float64, s
        """
        if not 0 <= overlap <= 1:
            raise UsageError(f"found an overlap of {overlap}, expected a number from 0 to 1")
        own = np.maximum(self.compute, self.memory)
        found: Array = own + self.network - overlap * np.minimum(own, self.network)
        return found


@dataclass(frozen=True)
class Point:
    """The best number of GPUs and batch of one case.

    Parameters
    ----------
    gpus, batch : int
    time : float, s
        Of a pass.
    rate : float, 1/s
        Tokens of all GPUs.
    per_sm : float, 1/s
        Tokens per SM.
    compute, memory, network : float, s
        Its three times.
    """

    gpus: int
    batch: int
    time: float
    rate: float
    per_sm: float
    compute: float
    memory: float
    network: float

    @property
    def binds(self) -> str:
        """Which of the three times is the longest."""
        times = {"compute": self.compute, "memory": self.memory, "network": self.network}
        return max(times, key=lambda name: times[name])


def _only_dense(model: LanguageModel) -> None:
    if model.experts or model.latent:
        what = "experts" if model.experts else "latent attention"
        raise UsageError(
            f"{model.name}: found {what}, expected a dense model with heads of keys and values: "
            "the whole-pass roofline covers no other"
        )


def weight_bytes(model: LanguageModel) -> tuple[float, float]:
    """Tell what matrices and both tables take at one byte each.

    Examples
    --------
    >>> from topo_sim.inference.models import find_model
    >>> [round(x / 1e9, 2) for x in weight_bytes(find_model("gpt3-175b"))]
    [173.95, 1.24]
    """
    _only_dense(model)
    return float(model.weights()), float(model.embeddings())


def pass_bounds(
    model: LanguageModel,
    device: Device,
    gpus: int,
    batch: ArrayLike,
    phase: Phase,
    network: Network,
    *,
    context: int = CONTEXT,
    kv: KV = "shard",
) -> PassBounds:
    """Bound a pass on `gpus` GPUs that share every matrix, as the case study does.

    Parameters
    ----------
    model : LanguageModel
        Dense.
    device : Device
    gpus : int
        A divisor of the heads.
    batch : array_like of int
    phase : {"prefill", "decode"}
    network : Network
        Asked for 2 x layers all-reduces of tokens x hidden bytes.
    context : int
    kv : {"shard", "replicate"}
        Whether key-value heads are cut for nothing where there are more GPUs, or held several times.

    Returns
    -------
    PassBounds

    Raises
    ------
    UsageError
        If the model is not dense, or the GPUs do not divide its heads.

    Notes
    -----
    One byte per weight, activation and cached value; peak rates; the output head for the last token only;
    memory reads weights, the head's table and the cache once; no traffic of activations; one maximum over
    the whole pass.

    Examples
    --------
    Llama3-405B on eight H100s, one sequence: 401.65 GB of layers, 2.1 of the head and 0.39 of cache over
    8 x 3352 GB/s.

    >>> from topo_sim.gpus import load_gpus
    >>> from topo_sim.inference.models import find_model
    >>> from topo_sim.inference.network import IdealNetwork
    >>> h100, model = Device.of(load_gpus()["h100"]), find_model("llama3-405b")
    >>> bounds = pass_bounds(model, h100, 8, 1, "decode", IdealNetwork(450e9))
    >>> round(float(bounds.memory) * 1e3, 2)
    15.07
    """
    if gpus < 1 or model.heads % gpus:
        raise UsageError(f"{model.name}: found {gpus} GPUs, expected a divisor of its {model.heads} heads")
    weights, tables = weight_bytes(model)
    b = np.asarray(batch, dtype=np.float64)
    tokens = b * context if phase == "prefill" else b
    width = model.heads * model.head_dim
    attention = 2 * model.layers * width * b * context * (context if phase == "prefill" else 2)
    flops = 2 * weights * tokens + 2 * model.vocabulary * model.hidden * b + attention
    copies = max(gpus / model.kv_heads, 1.0) if kv == "replicate" else 1.0
    cache = b * context * model.kv_bytes_per_token(1.0) * copies
    compute = flops / (gpus * device.peak("fp8"))
    memory = (weights + tables / 2 + cache) / (gpus * device.memory_bandwidth)
    sums = network.curve("all_reduce", gpus).time(tokens * model.hidden) if gpus > 1 else np.zeros_like(b)
    fits = (weights + tables + cache) / gpus <= device.memory
    return PassBounds(compute, memory, 2 * model.layers * sums, np.asarray(fits))


def gpus_needed(model: LanguageModel, device: Device, batch: int = 1, context: int = CONTEXT) -> int:
    """Count the GPUs whose memory holds a model and the cache of a batch, heads or not.

    Parameters
    ----------
    model : LanguageModel
    device : Device
    batch, context : int

    Returns
    -------
    int

    Examples
    --------
    >>> from topo_sim.gpus import load_gpus
    >>> from topo_sim.inference.models import find_model
    >>> gpus, model = load_gpus(), find_model("llama3-405b")
    >>> [gpus_needed(model, Device.of(gpus[name])) for name in ("h100", "lite")]
    [6, 21]
    """
    whole = sum(weight_bytes(model)) + batch * context * model.kv_bytes_per_token(1.0)
    return int(np.ceil(whole / device.memory))


def best_point(
    model: LanguageModel,
    device: Device,
    phase: Phase,
    network: Network,
    *,
    most: int,
    overlap: float = 1.0,
    limit: float | None = None,
    batches: Sequence[int] = LADDER,
    context: int = CONTEXT,
    kv: KV = "shard",
    only: Sequence[int] | None = None,
) -> Point | None:
    """Search the number of GPUs and the batch of most tokens per second and SM.

    Parameters
    ----------
    model : LanguageModel
    device : Device
    phase : {"prefill", "decode"}
    network : Network
    most : int
        GPUs, at most.
    overlap : float
        See `PassBounds.time`.
    limit : float, s, optional
        Of the time of a pass. Default: `TTFT` or `TBT`.
    batches : sequence of int
    context : int
    kv : {"shard", "replicate"}
    only : sequence of int, optional
        Numbers of GPUs to try. Default: all that divide the heads.

    Returns
    -------
    Point or None
        None where no number of GPUs and batch fits in memory and time. The fewest GPUs and the smallest
        batch of equals.

    Examples
    --------
    >>> from topo_sim.gpus import load_gpus
    >>> from topo_sim.inference.models import find_model
    >>> from topo_sim.inference.network import IdealNetwork
    >>> h100, model = Device.of(load_gpus()["h100"]), find_model("llama3-405b")
    >>> round(best_point(model, h100, "prefill", IdealNetwork(450e9), most=8).per_sm, 2)
    18.72
    """
    limit = (TTFT if phase == "prefill" else TBT) if limit is None else limit
    b = np.asarray(batches, dtype=np.float64)
    tokens = b * context if phase == "prefill" else b
    best: Point | None = None
    for gpus in only or range(1, most + 1):
        if gpus > most or model.heads % gpus:
            continue
        bounds = pass_bounds(model, device, gpus, b, phase, network, context=context, kv=kv)
        time = bounds.time(overlap)
        rate = np.where(bounds.fits & (time <= limit), tokens / time, 0.0)
        i = int(np.argmax(rate))
        per_sm = float(rate[i]) / (gpus * device.sms)
        if per_sm > 0 and (best is None or per_sm > best.per_sm * (1 + 1e-12)):
            three = (float(each[i]) for each in (bounds.compute, bounds.memory, bounds.network))
            best = Point(gpus, int(b[i]), float(time[i]), float(rate[i]), per_sm, *three)
    return best
