"""Set up a cluster that serves: instances on the endpoints of a fabric, times of their passes, KV links."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from topo_sim.base import UsageError
from topo_sim.gpus import Gpu, find_gpu, load_gpus
from topo_sim.gpus.reliability import Cluster, Job, gpu_rate, load_failure_rates
from topo_sim.gpus.reliability.checks import check_count
from topo_sim.inference.candidates import divisors
from topo_sim.inference.models import LanguageModel, find_model
from topo_sim.inference.network import FabricNetwork, IdealNetwork, Network
from topo_sim.inference.operators import Device, Efficiency, Precision, Shard, find_precision
from topo_sim.inference.operators.precision import value_bytes
from topo_sim.inference.parallelism import Layout
from topo_sim.inference.passes import PassTimer
from topo_sim.inference.serving import Links, Pool, Requests, Rules, kv_links, tabulate
from topo_sim.studies.loading import fabric_for, load_all
from topo_sim.studies.operators import efficiency_for
from topo_sim.topo import Fabric

__all__ = ["Failures", "Setup", "make_setup"]

Progress = Callable[[int, int, str], None]
Two = tuple[int, int]
_HALF = 0.5  # of the memory, that weights take at most where nobody says a TP


@dataclass(frozen=True)
class Failures:
    """How GPUs fail, and what is done about it.

    Parameters
    ----------
    rate : float, optional, 1/s
        Of one GPU. Default: summed over its parts.
    repair : float, s
    policy : str
        none, hot_spares or rewire; an instance cannot shrink.
    spares : int
        GPUs.
    restart : float, s
        From having all GPUs to serving: loading weights.
    swap : float, optional, s
        Default: the policy's.
    """

    rate: float | None = None
    repair: float = 72 * 3600.0
    policy: str = "hot_spares"
    spares: int = 0
    restart: float = 60.0
    swap: float | None = None

    def __post_init__(self) -> None:
        if self.policy == "shrink":
            raise UsageError(
                'policy: found "shrink", expected none, hot_spares or rewire: heads would not divide'
            )
        check_count(self.spares, "spares", least=0)

    @property
    def job(self) -> Job:
        """What runs on an instance."""
        return Job(restart=self.restart, swap=self.swap)


@dataclass(frozen=True)
class Setup:
    """A cluster that serves one model.

    Parameters
    ----------
    model : LanguageModel
    gpu, network : str
    names : tuple of str
        Of the pools: both, or prefill and decode.
    layouts : tuple of Layout
    pools : tuple of Pool
    links : Links, optional
    rooflines : tuple of PassTimer
        Of each pool, with communication overlapped.
    longest : int
        Tokens of a sequence that the tables are made for.
    failure_rate : float, 1/s
        Of one GPU.
    notes : tuple of str
    """

    model: LanguageModel
    gpu: str
    network: str
    names: tuple[str, ...]
    layouts: tuple[Layout, ...]
    pools: tuple[Pool, ...]
    links: Links | None
    rooflines: tuple[PassTimer, ...]
    longest: int
    failure_rate: float
    notes: tuple[str, ...]

    def clusters(self, asked: Failures) -> list[tuple[int, Cluster]]:
        """Return the groups that fail: one cluster if all instances are alike, else one per pool.

        Parameters
        ----------
        asked : Failures
            Spares of two clusters are shared out by their GPUs.

        Returns
        -------
        list of (first instance, Cluster)
        """
        sizes = [(pool.instances, layout.gpus) for pool, layout in zip(self.pools, self.layouts, strict=True)]
        if len({gpus for _, gpus in sizes}) == 1:
            sizes = [(sum(n for n, _ in sizes), sizes[0][1])]
        total, left, first, found = sum(n * g for n, g in sizes), asked.spares, 0, []
        for k, (n, g) in enumerate(sizes):
            spares = left if k == len(sizes) - 1 else round(asked.spares * n * g / total)
            left -= spares
            cluster = Cluster(
                count=n * g, rate=self.failure_rate, repair=asked.repair, group=g, spares=spares
            )
            found.append((first, cluster))
            first += n
        return found


@dataclass(frozen=True)
class _Make:
    """What is needed to make pools."""

    model: LanguageModel
    device: Device
    network: Network
    precision: Precision
    efficiency: Efficiency | None
    overlap: float
    memory_share: float
    rules: Rules

    def timer(self, layout: Layout, roofline: bool = False) -> PassTimer:
        efficiency, overlap = (None, 1.0) if roofline else (self.efficiency, self.overlap)
        return PassTimer(self.model, self.device, layout, self.network, self.precision, efficiency, overlap)

    def on_gpu(self, tp: int, kv: Literal["replicate", "shard"]) -> tuple[float, float]:
        """Bytes of the weights, and of one token's KV, on one GPU."""
        shard, p = Shard(self.model, tp, kv=kv), self.precision
        weights = float(shard.weight_bytes(value_bytes(p.weights), value_bytes(p.outputs)))
        return weights, float(shard.cache_bytes_per_token(value_bytes(p.kv)))

    def room(self, tp: int, kv: Literal["replicate", "shard"]) -> int:
        """Tokens whose KV an instance holds; negative where not even the weights fit."""
        weights, each = self.on_gpu(tp, kv)
        return int((self.memory_share * self.device.memory - weights) // each)

    def fitting(self, tokens: int, kv: Literal["replicate", "shard"]) -> list[int]:
        """Every TP at which so many tokens fit."""
        return [tp for tp in divisors(self.model.heads, self.network.ranks) if self.room(tp, kv) >= tokens]

    def default_tp(self, kv: Literal["replicate", "shard"]) -> int:
        budget = self.memory_share * self.device.memory
        sizes = divisors(self.model.heads, self.network.ranks)
        roomy = [tp for tp in sizes if self.on_gpu(tp, kv)[0] <= _HALF * budget]
        return roomy[0] if roomy else sizes[-1]

    def capacity(self, layout: Layout, tokens: int) -> int:
        """Tokens whose KV an instance holds, or an error that says what is missing."""
        room = self.room(layout.tp, layout.kv)
        block = self.rules.block
        if tokens <= room < block:
            raise UsageError(
                f"--block: found blocks of {block:,} tokens, of which none fits in an instance of "
                f"{layout.tp} {self.device.name}, expected at most {room:,}"
            )
        tokens = -(-tokens // block) * block
        if room >= tokens:
            return room
        weights, each = self.on_gpu(layout.tp, layout.kv)
        budget = self.memory_share * self.device.memory
        lacks = (weights + each * tokens - budget) * layout.tp / 1e9
        fits = [tp for tp in self.fitting(tokens, layout.kv) if tp > layout.tp]
        mend = f"TP {fits[0]} fits" if fits else f"no TP up to {self.network.ranks} GPUs fits"
        raise UsageError(
            f"{self.model.name}: found {layout.tp} x {budget / 1e9:.4g} GB on "
            f"{self.device.name} in an instance, {lacks:.3g} GB too few for weights and a request of "
            f"{tokens:,} tokens in whole blocks: {mend}"
        )

    def pool(self, count: int, layout: Layout, requests: Requests) -> Pool:
        """Time the passes of instances of one layout, up to the longest request."""
        layout.check(self.model, self.network.ranks)
        rules, tokens = self.rules, int(np.min(requests.prompt + requests.output))
        table = tabulate(
            self.timer(layout), tokens=max(rules.most_tokens, rules.chunk),
            longest=(2 if rules.chunk else 1) * requests.longest, batch=rules.most_batch,
            capacity=self.capacity(layout, tokens), lengths=requests.prompt,
        )  # fmt: skip
        return Pool(table, count)


def _placed(pools: list[tuple[int, Layout]]) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
    """Ranks of every instance, one pool after another from rank 0 on."""
    found, first = [], 0
    for count, layout in pools:
        ranks = first + np.arange(count * layout.gpus).reshape(count, layout.gpus)
        found.append(ranks)
        first += count * layout.gpus
    return found


def _network(
    fabric: str | None, gpu: Gpu, level: str, settings: Mapping[str, Any], how: Mapping[str, Any]
) -> tuple[Network, Fabric | None, list[str]]:
    rate = gpu.network_bandwidth.at(level)
    if fabric is None or fabric == "ideal":
        if settings:
            raise UsageError("--set: found without --fabric, expected a topology with parameters")
        return IdealNetwork(rate), None, [f"ideal network: {rate / 1e9:g} GB/s, no latency"]
    topology = fabric_for(fabric, rate, settings)
    made = topology.document.gpu
    notes = [f"{topology.name} is made for {made}, not for {gpu.name}"] if made and made != gpu.name else []
    return FabricNetwork(topology.fabric, **how), topology.fabric, notes


def _split(
    instances: int | Two | None, layouts: tuple[Layout, Layout], ranks: int | None
) -> tuple[list[tuple[int, Layout]], list[str]]:
    """Say how many instances of which layout there are; fill the fabric where nobody says."""
    notes: list[str] = []
    if instances is None:
        instances = (1, 1)
        if ranks is not None:
            each = max(1, ranks // (layouts[0].gpus + layouts[1].gpus))
            instances = (each, each)
            notes.append(f"instances: {each} that prefill and {each} that decode fill the fabric")
    counts = (instances,) if isinstance(instances, int) else instances
    for count in counts:
        check_count(count, "instances", most=100_000)
    return [(count, layout) for count, layout in zip(counts, layouts, strict=False)], notes


def _check(operators: str, memory_share: float) -> None:
    if operators not in ("calibrated", "roofline"):
        raise UsageError(f'found operators "{operators}", expected calibrated or roofline')
    if not 0 < memory_share <= 1:
        raise UsageError(f"memory share: found {memory_share}, expected a share above 0 and up to 1")


def _check_room(network: str, sizes: list[tuple[int, Layout]], spares: int, ranks: int) -> None:
    """Refuse more instances and spares than the fabric has endpoints for."""
    used = sum(count * layout.gpus for count, layout in sizes) + spares
    if used > ranks:
        text = " + ".join(f"{count} x {layout.gpus}" for count, layout in sizes)
        raise UsageError(
            f"{network}: found {used:,} GPUs in instances ({text}) and spares ({spares}), expected at "
            f"most its {ranks:,}"
        )


def make_setup(
    model: str,
    fabric: str | None = None,
    gpu: str | None = None,
    *,
    requests: Requests,
    rules: Rules,
    instances: int | Two | None = None,
    tp: int | None = None,
    decode_tp: int | None = None,
    kv_heads: Literal["replicate", "shard"] = "replicate",
    failures: Failures | None = None,
    precision: str = "fp8",
    kv: str | None = None,
    operators: Literal["calibrated", "roofline"] = "calibrated",
    constants: str | None = None,
    overlap: float = 0.0,
    memory_share: float = 0.9,
    settings: Mapping[str, Any] | None = None,
    routing: str | None = None,
    overhead: float = 0.0,
    seed: int = 0,
    level: str = "typical",
    model_files: Iterable[str] = (),
    gpu_files: Iterable[str] = (),
    constant_files: Iterable[str] = (),
    rate_files: Iterable[str] = (),
    progress: Progress | None = None,
) -> Setup:
    """Place instances of a model on a fabric, and time their passes.

    Parameters
    ----------
    model, fabric, gpu : str
        As for `serve_model`.
    requests : Requests
        The longest and the commonest of them shape the tables.
    rules : Rules
    instances : int or (int, int), optional
        In one pool; or that prefill and that decode. Default: as many of each as fill the fabric.
    tp, decode_tp : int, optional
        GPUs of an instance. Default: the fewest at which weights take half of the memory; decode as prefill.
    kv_heads : {"replicate", "shard"}
    failures : Failures, optional
    precision, kv, constants : str
    operators : {"calibrated", "roofline"}
    overlap, memory_share : float
    settings : mapping, optional
        Of the topology.
    routing, overhead, seed
        As everywhere.
    level : {"low", "typical", "high"}
    model_files, gpu_files, constant_files, rate_files : iterable of str
    progress : callable, optional

    Returns
    -------
    Setup
    """
    _check(operators, memory_share)
    shape, known = find_model(model, tuple(model_files)), load_gpus(tuple(gpu_files))
    named = gpu or (load_all([fabric], settings)[0].document.gpu if fabric and fabric != "ideal" else None)
    record = find_gpu(named or "h100", known)
    how = {"routing": routing, "overhead": overhead, "seed": seed, "progress": progress}
    network, place, notes = _network(fabric, record, level, settings or {}, how)
    efficiency, note = efficiency_for(record.name, constants, tuple(constant_files))
    notes += [note] if note and operators == "calibrated" else []
    make = _Make(
        shape, Device.of(record, level), network, find_precision(precision, kv),
        efficiency if operators == "calibrated" else None, overlap, memory_share, rules,
    )  # fmt: skip
    first = Layout(tp=make.default_tp(kv_heads) if tp is None else tp, kv=kv_heads)
    later = Layout(tp=first.tp if decode_tp is None else decode_tp, kv=kv_heads)
    spares = failures.spares if failures else 0
    ranks = place.ranks if place else None
    sizes, more = _split(instances, (first, later), None if ranks is None else ranks - spares)
    if ranks is not None:
        _check_room(network.name, sizes, spares, ranks)
    pools = tuple(make.pool(count, layout, requests) for count, layout in sizes)
    moved, at = shape.kv_bytes_per_token(value_bytes(make.precision.kv)), _placed(sizes)
    links = None
    if len(pools) == 2:
        bandwidth = record.network_bandwidth.at(level)
        links = _links(place, at, moved, bandwidth, first, later, routing, overhead, seed)
    rate = _failure_rate(failures, record, level, tuple(rate_files))
    return Setup(
        shape, record.name, network.name, ("prefill", "decode") if links else ("both",),
        tuple(layout for _, layout in sizes), pools, links,
        tuple(make.timer(layout, roofline=True) for _, layout in sizes), requests.longest, rate,
        tuple(notes + more),
    )  # fmt: skip


def _links(
    place: Fabric | None, at: list[Any], moved: float, rate: float, first: Layout, later: Layout,
    routing: str | None, overhead: float, seed: int,
) -> Links:  # fmt: skip
    if place is not None:
        return kv_links(place, at[0], at[1], moved, routing=routing, overhead=overhead, seed=seed)
    shape = (len(at[0]), len(at[1]))
    return Links(moved, np.full(shape, rate * min(first.gpus, later.gpus)), np.full(shape, overhead))


def _failure_rate(failures: Failures | None, gpu: Gpu, level: str, files: tuple[str, ...]) -> float:
    if failures is None:
        return 0.0
    if failures.rate is not None:
        return failures.rate
    area = gpu.silicon
    if area is None:
        raise UsageError(f"{gpu.name}: names no die area, expected one, or a rate of failures")
    stacks = int(gpu.need("hbm_stacks", "its failure rate").typical)
    return gpu_rate(load_failure_rates(files), area, stacks, level=level)
