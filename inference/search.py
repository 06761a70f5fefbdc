"""The search for the deployment of most tokens per second and SM under a limit of latency."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from topo_sim.base import UsageError
from topo_sim.inference.candidates import layouts as all_layouts
from topo_sim.inference.deployment import Cluster, Deployment, Miss, Search, Slo, UsedAlgorithm
from topo_sim.inference.models import LanguageModel
from topo_sim.inference.network import IdealNetwork
from topo_sim.inference.operators import Device, Efficiency, Precision, Work
from topo_sim.inference.operators.layers import Phase
from topo_sim.inference.operators.operator import Array
from topo_sim.inference.parallelism import Layout
from topo_sim.inference.passes import PARTS, PassTimer, PassTimes

__all__ = ["BATCHES", "SearchSpace", "best_deployment", "used_algorithms"]

BATCHES = tuple(sorted({round(2 ** (i / 4)) for i in range(65)} | set(range(64, 4097, 64))))
"""Batches that are looked at first: four per octave, and whole tiles of 64 rows, behind which times
jump; then those near the best one."""

_REFINED = 257
_NEAR = 1e-9
_MORE = 1.1
_SLACK = 1.02  # batches between those that are looked at first may be a little better
Progress = Callable[[int, int, str], None]


@dataclass
class _Case:
    """One layout: its timer, its batches, and its operators' times."""

    timer: PassTimer
    phase: Phase
    context: float
    most: int
    batches: Array = field(default_factory=lambda: np.zeros(0))
    split: Array = field(default_factory=lambda: np.zeros(0))
    times: PassTimes | None = None

    @property
    def layout(self) -> Layout:
        return self.timer.layout

    def work(self, batches: Array) -> Work:
        return Work(self.phase, batches, self.context)

    def prepare(self) -> None:
        tried = [b for b in BATCHES if b < self.most] + [self.most]
        self.batches = np.array(tried, dtype=np.float64)
        self.split = self.timer.operator_parts(self.work(self.batches))

    def tokens(self, batches: Array) -> Array:
        """Tokens of one pass, over all TP groups of the instance."""
        each = self.context if self.phase == "prefill" else 1.0
        return batches * each * self.layout.batches

    def score(self, batches: Array, total: Array, limit: float) -> Array:
        """Tokens per second and GPU where the limit is kept, else 0."""
        rate = self.tokens(batches) / (total / self.layout.pp) / self.layout.gpus
        return np.where(total <= limit, rate, 0.0)

    def hoped(self, limit: float) -> float:
        """Tell what a network that is only ports would allow."""
        own, overlap = self.split.sum(axis=0), self.timer.overlap
        wire = np.zeros(self.batches.size)
        for each in self.timer.exchanges(self.work(self.batches)):
            wire = wire + each.floor(self.timer.network)
        total = self.timer.uneven * (own + wire - overlap * np.minimum(own, wire))
        return float(self.score(self.batches, total, limit).max(initial=0.0)) * _SLACK

    def timed(self, limit: float) -> "_Timed | None":
        """Time the batches with the network, then every one near the best."""
        if self.times is None:
            self.times = self.timer.time(self.work(self.batches), self.split)
        scores = self.score(self.batches, self.times.total, limit)
        i = int(np.argmax(scores))
        if scores[i] <= 0:
            return None
        low = self.batches[max(i - 1, 0)]
        high = self.batches[min(i + 1, self.batches.size - 1)]
        near: Array = np.unique(np.round(np.linspace(low, high, _REFINED))).astype(np.float64)
        scores = self.score(near, self.timer.time(self.work(near)).total, limit)
        i = int(np.argmax(scores >= scores.max() * (1 - _NEAR)))
        return _Timed(float(scores[i]), int(near[i]), self.timer.time(self.work(near[i : i + 1])))


@dataclass(frozen=True)
class _Timed:
    """The best batch of a case: tokens per second and GPU, and its times."""

    score: float
    batch: int
    times: PassTimes


def _room(timer: PassTimer, context: float, memory: float) -> int:
    """Sequences that one pass of one TP group may have; 0 where not even one fits."""
    weights = float(timer.memory(0, context))
    each = float(timer.memory(1, context)) - weights
    return int((memory - weights) / (each * timer.layout.pp) * (1 + 1e-12)) if memory > weights else 0


def _deployment(case: _Case, found: _Timed, limit: float, cluster: Cluster, memory: float) -> Deployment:
    batch, times = found.batch, found.times
    layout, one = case.layout, np.array([float(batch)])
    parts = {name: float(np.ravel(times.parts[name])[0]) for name in PARTS}
    total, communication, latency = (
        float(np.ravel(each)[0]) for each in (times.total, times.communication, times.latency)
    )
    rate = float(case.tokens(one)[0]) / (total / layout.pp)
    binds = max(parts, key=lambda name: parts[name])
    if binds == "network":
        binds = "network latency" if latency > communication / 2 else "network bandwidth"
    return Deployment(
        layout=layout,
        phase=case.phase,
        batch=batch,
        sequences=batch * layout.pp * layout.batches,
        instances=max(cluster.network.ranks // layout.gpus, 1),
        time=total,
        rate=rate,
        per_sm=rate / layout.gpus / case.timer.device.sms,
        parts=parts,
        communication=communication,
        latency=latency,
        memory=float(case.timer.memory(batch * layout.pp, case.context)),
        memory_limit=memory,
        binds=binds,
        batch_limit=_batch_limit(case, batch, limit),
        gpu=cluster.gpu,
    )


def _batch_limit(case: _Case, batch: int, limit: float) -> str:
    """Say what keeps a batch from growing: by a tenth, since times jump where tiles are full."""
    if batch >= case.most:
        return "KV capacity"
    more = case.batches[case.batches > _MORE * batch][:1]
    tried = np.append(more, batch + 1.0)
    if np.any(case.timer.time(case.work(tried)).total > limit):
        return "TTFT" if case.phase == "prefill" else "TBT"
    if not more.size:
        return "KV capacity"
    return "none: larger batches are no faster"


def used_algorithms(timer: PassTimer, work: Work) -> tuple[UsedAlgorithm, ...]:
    """Name the algorithm that is the fastest for every collective of a pass.

    Parameters
    ----------
    timer : PassTimer
    work : Work
        One batch.

    Returns
    -------
    tuple of UsedAlgorithm
    """
    found = []
    for each in timer.exchanges(work):
        curve = timer.network.curve(each.collective, each.group, each.stride)
        size = float(np.ravel(each.size)[0])
        has_ring = any(label.split(" ")[0] == "ring" for label in curve.algorithms)
        ring = float(curve.time(size, "ring")) if has_ring else None
        head = each.name, each.collective, each.group, curve.groups, size, each.repeat
        found.append(UsedAlgorithm(*head, curve.choice(size)[0], float(curve.time(size)), ring))
    return tuple(found)


def best_deployment(
    model: LanguageModel,
    cluster: Cluster,
    phase: Phase,
    slo: Slo | None = None,
    *,
    context: float = 1500,
    precision: Precision | None = None,
    efficiency: Efficiency | None = None,
    overlap: float = 0.0,
    memory_share: float = 0.9,
    layouts: Iterable[Layout] | None = None,
    keep: int = 10,
    level: str = "typical",
    progress: Progress | None = None,
) -> Search:
    """Search layout, placement and batch of most tokens per second and SM.

    Parameters
    ----------
    model : LanguageModel
    cluster : Cluster
    phase : {"prefill", "decode"}
    slo : Slo, optional
    context : float
        Tokens of each prompt; while decoding, positions of each sequence.
    precision : Precision, optional
        Default: fp8.
    efficiency : Efficiency, optional
        Constants of the operators. Without: rooflines.
    overlap : float
        Of operators and communication, 0 to 1.
    memory_share : float
        Of the memory, for weights and cache.
    layouts : iterable of Layout, optional
        Default: all that the model allows, packed and strided; packed alone on an ideal network.
    keep : int
        Deployments to return.
    level : {"low", "typical", "high"}
        Of the GPU's ranges.
    progress : callable, optional
        Called with (done, total, what).

    Returns
    -------
    Search
        With the best ones, or what comes closest.

    Raises
    ------
    UsageError
        If a given layout does not fit the model or the network, or a number is out of bounds.

    Notes
    -----
    GPUs of a cluster are alike, so the best per SM is the best per dollar and per watt too; those differ
    between clusters. Operators of all layouts are timed first; the fabric is solved only while a layout
    could still be among the best `keep` if nothing but the ports of its GPUs held communication back.

    Examples
    --------
    >>> from topo_sim.gpus import load_gpus
    >>> from topo_sim.inference.models import find_model
    >>> lite = Cluster(load_gpus()["lite"], IdealNetwork(112.5e9), 4)
    >>> best_deployment(find_model("llama3-405b"), lite, "decode").closest.text
    'none: closest is TP 4, which needs 102.6 GB per GPU for weights and one sequence, 84.6 GB more than 18.0'
    """
    space = SearchSpace(
        model,
        cluster,
        phase,
        context=context,
        precision=precision,
        efficiency=efficiency,
        overlap=overlap,
        memory_share=memory_share,
        layouts=layouts,
        level=level,
        progress=progress,
    )
    return space.search((slo or Slo()).limit(phase), keep)


class SearchSpace:
    """All candidates of one question, their operators timed once, to be searched under any limit.

    Parameters
    ----------
    model, cluster, phase, context, precision, efficiency, overlap, memory_share, layouts, level, progress
        As in `best_deployment`.

    Raises
    ------
    UsageError
        As `best_deployment` does.
    """

    def __init__(
        self,
        model: LanguageModel,
        cluster: Cluster,
        phase: Phase,
        *,
        context: float = 1500,
        precision: Precision | None = None,
        efficiency: Efficiency | None = None,
        overlap: float = 0.0,
        memory_share: float = 0.9,
        layouts: Iterable[Layout] | None = None,
        level: str = "typical",
        progress: Progress | None = None,
    ) -> None:
        if not 0 < memory_share <= 1:
            raise UsageError(f"found a memory share of {memory_share}, expected a number above 0 and up to 1")
        if not 1 <= context < np.inf:
            raise UsageError(f"found a context of {context}, expected a finite number from 1 on")
        device = Device.of(cluster.gpu, level)
        self.cluster, self.phase, self.progress = cluster, phase, progress
        self.memory = memory_share * device.memory
        most = min(cluster.most, cluster.network.ranks)
        if layouts is None:
            ideal = isinstance(cluster.network, IdealNetwork)
            layouts = all_layouts(
                model, phase, most, placements=("packed",) if ideal else ("packed", "strided")
            )
        self.cases: list[_Case] = []
        self.short: list[tuple[float, int, Layout]] = []
        self.count = 0
        for layout in layouts:
            layout.check(model, most, phase)
            timer = PassTimer(model, device, layout, cluster.network, precision, efficiency, overlap)
            self.count += 1
            room = _room(timer, context, self.memory)
            if room < 1:
                self.short.append((float(timer.memory(layout.pp, context)), self.count, layout))
            else:
                self.cases.append(_Case(timer, phase, context, min(room, BATCHES[-1])))
        if not self.count:
            raise UsageError(f"{model.name}: found no layout to try, expected at least one")
        _prepare(self.cases, progress)

    def search(self, limit: float, keep: int = 10) -> Search:
        """Search under a limit of latency.

        Parameters
        ----------
        limit : float, s
        keep : int
            Deployments to return.

        Returns
        -------
        Search
        """
        if keep < 1:
            raise UsageError(f"found {keep} deployments to keep, expected at least 1")
        if not self.cases:
            need, _, layout = min(self.short)
            miss = Miss(layout, layout.pp, "memory", need, self.memory, self.phase)
            return Search((), miss, (), self.count, self.count, 0)
        ranked, timed = self._rank(limit, keep)
        tried = sum(case.batches.size for case in self.cases)
        if not ranked:
            return Search((), _closest(self.cases, limit, keep), (), self.count, tried, timed)
        best = tuple(
            _deployment(self.cases[i], found, limit, self.cluster, self.memory) for i, found in ranked[:keep]
        )
        winner = self.cases[ranked[0][0]]
        used = used_algorithms(winner.timer, winner.work(np.array([float(best[0].batch)])))
        return Search(best, None, used, self.count, tried, timed)

    def _rank(self, limit: float, keep: int) -> tuple[list[tuple[int, _Timed]], int]:
        """Time cases while they can be among the best; each layout with its better placement."""
        hopes = np.array([case.hoped(limit) for case in self.cases])
        order = np.argsort(-hopes, kind="stable")
        kept: dict[Layout, tuple[int, _Timed]] = {}
        least, timed = 0.0, 0
        for done, i in enumerate(order.tolist()):
            if hopes[i] <= least * (1 + _NEAR):
                break
            case = self.cases[i]
            if self.progress:
                self.progress(done, len(self.cases), f"timing {case.layout.label}")
            found = case.timed(limit)
            timed += 1
            twin = replace(case.layout, placement="packed")
            if found and (twin not in kept or found.score > kept[twin][1].score * (1 + _NEAR)):
                kept[twin] = i, found
                scores = sorted((each.score for _, each in kept.values()), reverse=True)
                least = scores[keep - 1] if len(scores) >= keep else 0.0
        return sorted(kept.values(), key=lambda each: (-each[1].score, each[0])), timed


def _prepare(cases: list[_Case], progress: Progress | None) -> None:
    """Time the operators; layouts that differ in placement alone share them."""
    known: dict[tuple[object, ...], _Case] = {}
    for done, case in enumerate(cases):
        if progress and done % 20 == 0:
            progress(done, len(cases), "operators")
        own = case.layout
        key = (own.tp, own.ep, own.cp, own.kv, own.sequence_parallel, case.most)
        if key in known:
            case.batches, case.split = known[key].batches, known[key].split
        else:
            case.prepare()
            known[key] = case


def _closest(cases: list[_Case], limit: float, look: int) -> Miss:
    """Find the layout that misses the limit by the least, at one sequence."""
    order = np.argsort([case.timer.uneven * case.split[:, 0].sum() for case in cases], kind="stable")[:look]
    one = np.ones(1)
    times = [(float(cases[i].timer.time(cases[i].work(one)).total[0]), i) for i in order.tolist()]
    time, i = min(times)
    return Miss(cases[i].layout, 1, "time", time, limit, cases[i].phase)
