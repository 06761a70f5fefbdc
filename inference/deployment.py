"""What a deployment is: limits, the cluster, the result of the search for the best one."""

from dataclasses import dataclass
from typing import Any

from topo_sim.base import UsageError, format_quantity
from topo_sim.gpus import Gpu
from topo_sim.inference.economics import gpu_cost, gpu_watts
from topo_sim.inference.network import Network
from topo_sim.inference.parallelism import Layout

__all__ = ["Cluster", "Deployment", "Miss", "Search", "Slo", "UsedAlgorithm", "over_limit"]


@dataclass(frozen=True)
class Slo:
    """Limits of latency.

    Parameters
    ----------
    ttft : float, s
        Of a prefill pass: the time to the first token, without waiting.
    tbt : float, s
        Of a decode pass: the time between tokens.

    Raises
    ------
    UsageError
        If one is not above 0.
    """

    ttft: float = 1.0
    tbt: float = 0.05

    def __post_init__(self) -> None:
        for name, value in (("TTFT", self.ttft), ("TBT", self.tbt)):
            if not value > 0:
                raise UsageError(f"found a {name} of {value} s, expected a time above 0")

    def limit(self, phase: str) -> float:
        """Tell the limit of a phase, s."""
        return self.ttft if phase == "prefill" else self.tbt


@dataclass(frozen=True)
class Cluster:
    """GPUs of one type on a network.

    Parameters
    ----------
    gpu : Gpu
    network : Network
    most : int
        GPUs of one instance, at most.

    Raises
    ------
    UsageError
        If `most` is below 1.
    """

    gpu: Gpu
    network: Network
    most: int

    def __post_init__(self) -> None:
        if isinstance(self.most, bool) or self.most != int(self.most) or self.most < 1:
            raise UsageError(f"found at most {self.most!r} GPUs of an instance, expected a number from 1 on")


@dataclass(frozen=True)
class UsedAlgorithm:
    """A collective of a deployment, and the algorithm that is the fastest for its size.

    Parameters
    ----------
    name, collective : str
        What it serves, and which it is.
    group : int
        Ranks of each group.
    groups : int
        Groups that run it at once.
    size : float, B
    repeat : float
        How often in a pass.
    algorithm : str
    time : float, s
        Once.
    ring : float or None, s
        What the ring takes, where there is one.
    """

    name: str
    collective: str
    group: int
    groups: int
    size: float
    repeat: float
    algorithm: str
    time: float
    ring: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, units in the keys."""
        return {
            **{each: getattr(self, each) for each in ("name", "collective", "group", "groups")},
            "size_B": self.size,
            "repeat": self.repeat,
            "algorithm": self.algorithm,
            "time_s": self.time,
            "ring_time_s": self.ring,
        }


@dataclass(frozen=True)
class Deployment:
    """One way to serve one phase, and how it does.

    Parameters
    ----------
    layout : Layout
    phase : str
    batch : int
        Sequences of one pass of one TP group.
    sequences : int
        Of one instance at once: over all passes under way, and all TP groups with batches of their own.
    instances : int
        That the network has room for: data parallelism.
    time : float, s
        TTFT or TBT.
    rate : float, 1/s
        Tokens of one instance.
    per_sm : float, 1/s
    parts : dict from str to float, s
        Of `PARTS`; they add up to `time`.
    communication, latency : float, s
        All communication of a pass, hidden or not, and what of it messages without bytes take.
    memory, memory_limit : float, B
        Of one GPU.
    binds : str
        What most of the time goes to.
    batch_limit : str
        What keeps the batch from growing.
    gpu : Gpu
    """

    layout: Layout
    phase: str
    batch: int
    sequences: int
    instances: int
    time: float
    rate: float
    per_sm: float
    parts: dict[str, float]
    communication: float
    latency: float
    memory: float
    memory_limit: float
    binds: str
    batch_limit: str
    gpu: Gpu

    @property
    def per_gpu(self) -> float:
        """Tokens per second and GPU."""
        return self.rate / self.layout.gpus

    @property
    def per_dollar(self) -> float | None:
        """Tokens per second and $ of GPUs."""
        cost = gpu_cost(self.gpu)
        return self.per_gpu / cost if cost else None

    @property
    def per_watt(self) -> float | None:
        """Tokens per second and W of GPUs: tokens per J."""
        watts = gpu_watts(self.gpu, self.phase)
        return self.per_gpu / watts if watts else None

    def to_dict(self) -> dict[str, Any]:
        """Flat plain data, units in the keys."""
        layout = self.layout
        return {
            "layout": layout.label,
            **{each: getattr(layout, each) for each in ("tp", "pp", "ep", "cp", "kv", "sequence_parallel")},
            "placement": layout.placement,
            "gpus": layout.gpus,
            "instances": self.instances,
            "batch": self.batch,
            "sequences": self.sequences,
            "time_s": self.time,
            "tokens_per_s": self.rate,
            "tokens_per_s_per_gpu": self.per_gpu,
            "tokens_per_s_per_sm": self.per_sm,
            "tokens_per_s_per_usd": self.per_dollar,
            "tokens_per_J": self.per_watt,
            **{f"{name}_s": value for name, value in self.parts.items()},
            "communication_s": self.communication,
            "network_latency_s": self.latency,
            "memory_B": self.memory,
            "memory_limit_B": self.memory_limit,
            "binds": self.binds,
            "batch_limit": self.batch_limit,
        }


def over_limit(found: float, limit: float) -> str:
    """Write a time and the limit that it misses, with as many digits as tell them apart.

    Parameters
    ----------
    found, limit : float, s

    Returns
    -------
    str

    Examples
    --------
    >>> over_limit(0.004944, 1e-9), over_limit(0.05000001, 0.05)
    ('4.944 ms, limit 1 ns', '50.00001 ms, limit 50 ms')
    """
    for digits in (4, 7, 10, 17):
        texts = [format_quantity(each, "time", digits) for each in (found, limit)]
        if texts[0] != texts[1]:
            break
    return f"{texts[0]}, limit {texts[1]}"


@dataclass(frozen=True)
class Miss:
    """What comes closest where nothing is feasible.

    Parameters
    ----------
    layout : Layout
    batch : int
    what : {"memory", "time"}
    found, limit : float, B or s
    phase : str
    """

    layout: Layout
    batch: int
    what: str
    found: float
    limit: float
    phase: str

    @property
    def text(self) -> str:
        """One line: by how much it misses."""
        over = self.found - self.limit
        if self.what == "memory":
            return (
                f"none: closest is {self.layout.label}, which needs {self.found / 1e9:.1f} GB per GPU for "
                f"weights and one sequence, {over / 1e9:.1f} GB more than {self.limit / 1e9:.1f}"
            )
        name = "TTFT" if self.phase == "prefill" else "TBT"
        return (
            f"none: closest is {self.layout.label} at batch {self.batch}, whose {name} is "
            f"{over_limit(self.found, self.limit)}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data, units in the keys."""
        unit = "B" if self.what == "memory" else "s"
        return {
            "layout": self.layout.label,
            "batch": self.batch,
            "what": self.what,
            f"found_{unit}": self.found,
            f"limit_{unit}": self.limit,
            "text": self.text,
        }


@dataclass(frozen=True)
class Search:
    """What the search found.

    Parameters
    ----------
    found : tuple of Deployment
        The best first, one per layout.
    closest : Miss or None
        Where there is none.
    algorithms : tuple of UsedAlgorithm
        Of the best.
    layouts : int
        Layouts that were looked at.
    candidates : int
        Layouts times batches.
    timed : int
        Layouts whose communication had to be asked for.
    """

    found: tuple[Deployment, ...]
    closest: Miss | None
    algorithms: tuple[UsedAlgorithm, ...]
    layouts: int
    candidates: int
    timed: int

    @property
    def best(self) -> Deployment | None:
        """The best one, if any is feasible."""
        return self.found[0] if self.found else None
