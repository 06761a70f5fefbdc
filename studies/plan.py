"""Plan a deployment: the best way to run a model on GPUs of one type, joined by a fabric."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from topo_sim.base import UsageError
from topo_sim.gpus import Gpu, find_gpu, load_gpus
from topo_sim.inference.candidates import layouts
from topo_sim.inference.deployment import Cluster, Deployment, Search, Slo
from topo_sim.inference.models import LanguageModel, find_model
from topo_sim.inference.network import FabricNetwork, IdealNetwork, Network
from topo_sim.inference.operators import Efficiency, Precision, find_precision
from topo_sim.inference.operators.layers import Phase
from topo_sim.inference.parallelism import Layout
from topo_sim.inference.search import SearchSpace
from topo_sim.studies.loading import fabric_for, load_all
from topo_sim.studies.operators import efficiency_for
from topo_sim.studies.pools import Pools, split_pools

__all__ = ["IDEAL", "OPERATORS", "PhasePlan", "Plan", "plan_deployment"]

IDEAL = "ideal"
OPERATORS = ("calibrated", "roofline")
_LIMITS = tuple(2.0 ** (i / 2) for i in range(-6, 5))  # of the limit asked for: where the frontier is drawn
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class PhasePlan:
    """The search of one phase.

    Parameters
    ----------
    phase : str
    limit : float, s
    search : Search
    frontier : tuple of Deployment
        The best for shorter and longer limits, by time; empty unless asked for.
    """

    phase: str
    limit: float
    search: Search
    frontier: tuple[Deployment, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Deployments of both phases.

    Parameters
    ----------
    model : LanguageModel
    gpu : str
    network : str
    ranks : int
        GPUs that the network joins.
    operators : str
    context : int
    overlap : float
    phases : tuple of PhasePlan
    notes : tuple of str
    pools : Pools or None
        Where both phases were asked for and found.
    """

    model: LanguageModel
    gpu: str
    network: str
    ranks: int
    operators: str
    context: int
    overlap: float
    phases: tuple[PhasePlan, ...]
    notes: tuple[str, ...]
    pools: Pools | None = None

    def rows(self) -> list[dict[str, Any]]:
        """Return one flat row per deployment, the best of each phase first."""
        return [
            {"phase": phase.phase, "rank": i + 1, **each.to_dict()}
            for phase in self.phases
            for i, each in enumerate(phase.search.found)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "model": self.model.name,
            "gpu": self.gpu,
            "network": self.network,
            "ranks": self.ranks,
            "operators": self.operators,
            "context": self.context,
            "overlap": self.overlap,
            "phases": [
                {
                    "phase": each.phase,
                    "limit_s": each.limit,
                    "layouts": each.search.layouts,
                    "candidates": each.search.candidates,
                    "found": [one.to_dict() for one in each.search.found],
                    "closest": each.search.closest.to_dict() if each.search.closest else None,
                    "algorithms": [one.to_dict() for one in each.search.algorithms],
                    "frontier": [one.to_dict() for one in each.frontier],
                }
                for each in self.phases
            ],
            "pools": self.pools.to_dict() if self.pools else None,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class _Question:
    """What both phases are asked alike."""

    model: LanguageModel
    cluster: Cluster
    context: int
    precision: Precision
    efficiency: Efficiency | None
    overlap: float
    memory_share: float
    given: Mapping[str, Sequence[int]]
    placements: Sequence[str]
    level: str
    progress: Progress | None

    def space(self, phase: Phase) -> SearchSpace:
        return SearchSpace(
            self.model, self.cluster, phase, context=self.context, precision=self.precision,
            efficiency=self.efficiency, overlap=self.overlap, memory_share=self.memory_share,
            layouts=self.layouts(phase), level=self.level, progress=self.progress,
        )  # fmt: skip

    def layouts(self, phase: Phase) -> list[Layout]:
        given = dict(self.given)
        if phase == "decode":
            given["cp"] = ()
        most = min(self.cluster.most, self.cluster.network.ranks)
        self._check(given, most)
        found = list(layouts(self.model, phase, most, placements=self.placements, **given))
        if not found:
            raise UsageError(
                f"{self.model.name}: found no layout with "
                + ", ".join(f"{k.upper()} {'/'.join(map(str, v))}" for k, v in given.items() if v)
                + f" on at most {most} GPUs, expected sizes that fit together"
            )
        return found

    def _check(self, given: Mapping[str, Sequence[int]], most: int) -> None:
        """Refuse sizes that no layout can have, each by itself."""
        for name, values in given.items():
            for value in values:
                sizes = {"tp": 1, "pp": 1, "ep": 1, "cp": 1, name: value}
                Layout(sizes["tp"], sizes["pp"], sizes["ep"], sizes["cp"]).check(self.model, most)


def _check_cp(cp: Sequence[int], phases: Sequence[Phase]) -> list[str]:
    """Say that CP cuts prompts alone; refuse it where there are none."""
    if all(c == 1 for c in cp):
        return []
    if "prefill" not in phases:
        found = "/".join(map(str, cp))
        raise UsageError(f"--cp: found {found} with decode alone, expected prefill too: CP cuts prompts")
    return ["CP is of prefill alone: decode has no prompts to cut"] if "decode" in phases else []


def _frontier(space: SearchSpace, limit: float) -> tuple[Deployment, ...]:
    """Search under shorter and longer limits, and keep what nothing faster beats."""
    found: list[Deployment] = []
    for factor in _LIMITS:
        best = space.search(limit * factor, 1).best
        if best and (not found or best.per_sm > found[-1].per_sm * (1 + 1e-9)):
            found.append(best)
    return tuple(found)


def _network(
    fabric: str | None, gpu: Gpu, rate: float, settings: Mapping[str, Any], most: int, how: Mapping[str, Any]
) -> tuple[Network, str | None, list[str]]:
    """Make the network, and say what it is made for and with."""
    if fabric is None or fabric == IDEAL:
        if settings:
            raise UsageError("--set: found without --fabric, expected a topology with parameters")
        if how["routing"] is not None:
            raise UsageError("--routing: found without --fabric, expected a topology with paths to choose")
        if how["overhead"]:
            raise UsageError("--overhead: found without --fabric, expected a topology that messages cross")
        return IdealNetwork(rate, ranks=most), None, [f"ideal network: {rate / 1e9:g} GB/s, no latency"]
    topology = fabric_for(fabric, rate, settings)
    notes = []
    if "rate" in topology.parameters and "rate" not in settings:
        notes.append(f"{topology.document.name}: rate set to that of {gpu.name}, {rate / 1e9:g} GB/s")
    network = FabricNetwork(topology.fabric, **how)
    return network, topology.document.gpu, notes


def _check(phases: Sequence[str], answer: int, operators: str) -> None:
    if not phases or any(phase not in ("prefill", "decode") for phase in phases):
        raise UsageError(f"found phases {list(phases)}, expected prefill, decode or both")
    if answer < 1:
        raise UsageError(f"found answers of {answer} tokens, expected at least 1")
    if operators not in OPERATORS:
        raise UsageError(f'found operators "{operators}", expected {" or ".join(OPERATORS)}')


def _pools(found: Sequence[PhasePlan], question: _Question, answer: int) -> Pools | None:
    """Share the GPUs out between the best of both phases, where both are asked for and found."""
    best = {each.phase: each.search.best for each in found}
    prefill, decode = best.get("prefill"), best.get("decode")
    if prefill is None or decode is None:
        return None
    ranks = question.cluster.network.ranks
    return split_pools(question.model, prefill, decode, ranks, question.context, answer, question.precision)


def plan_deployment(
    model: str,
    fabric: str | None = None,
    gpu: str | None = None,
    *,
    phases: Sequence[Phase] = ("prefill", "decode"),
    ttft: float = 1.0,
    tbt: float = 0.05,
    context: int = 1500,
    answer: int = 500,
    most: int | None = None,
    precision: str = "fp8",
    kv: str | None = None,
    operators: str = "calibrated",
    constants: str | None = None,
    overlap: float = 0.0,
    memory_share: float = 0.9,
    tp: Sequence[int] = (),
    pp: Sequence[int] = (),
    ep: Sequence[int] = (),
    cp: Sequence[int] = (),
    placements: Sequence[str] = (),
    keep: int = 8,
    frontier: bool = False,
    settings: Mapping[str, Any] | None = None,
    routing: str | None = None,
    overhead: float = 0.0,
    level: str = "typical",
    model_files: Iterable[str] = (),
    gpu_files: Iterable[str] = (),
    constant_files: Iterable[str] = (),
    seed: int = 0,
    progress: Progress | None = None,
) -> Plan:
    """Find the best deployment of a model for prefill and for decode.

    Parameters
    ----------
    model : str
        Name, or ``config.json``.
    fabric : str, optional
        Topology; its parameter `rate` is set to the GPU's network bandwidth unless it is given. Default: an
        ideal network.
    gpu : str, optional
        Default: the one that the topology names, else h100.
    phases : sequence of {"prefill", "decode"}
    ttft, tbt : float, s
        Limits of the time to the first token and between tokens.
    context : int
        Tokens of each prompt; positions of each sequence while decoding.
    answer : int
        Tokens of each answer: how many GPUs prefill and how many decode depends on it.
    most : int, optional
        GPUs of one instance, at most. Default: as many as the fabric joins; on the ideal network the GPU's
        largest group.
    precision, kv : str
        Number formats, and of the cache where another.
    operators : {"calibrated", "roofline"}
        How operators are timed.
    constants : str, optional
        Of modelled operators. Default: the GPU's own, else those of H100.
    overlap : float
        Of operators and communication, 0 to 1.
    memory_share : float
        Of the memory, for weights and cache.
    tp, pp, ep, cp : sequence of int
        Only these sizes.
    placements : sequence of {"packed", "strided"}
        Default: both, packed alone on the ideal network.
    keep : int
        Deployments of each phase to return.
    frontier : bool
        Whether to search other limits too.
    settings : mapping, optional
        Parameters of the topology.
    routing, overhead, seed
        As in `topo_sim.collectives.cost`.
    level : {"low", "typical", "high"}
        Of the GPU's ranges.
    model_files, gpu_files, constant_files : iterable of str
        Catalogues of the user.
    progress : callable, optional

    Returns
    -------
    Plan

    Raises
    ------
    TopoSimError
        For unknown names, files with faults, and numbers that do not fit together.

    Examples
    --------
    >>> plan = plan_deployment("llama3-8b", gpu="lite", phases=["decode"], tbt=0.02)
    >>> plan.phases[0].search.best.time <= 0.02
    True
    """
    _check(phases, answer, operators)
    of_cp = _check_cp(cp, phases)
    shape, known = find_model(model, tuple(model_files)), load_gpus(tuple(gpu_files))
    named = gpu or _named_gpu(fabric, settings or {}) or "h100"
    record = find_gpu(named, known)
    rate = record.network_bandwidth.at(level)
    largest = most or int(record.need("max_gpus", "a deployment without a fabric").typical)
    how = {"routing": routing, "overhead": overhead, "seed": seed}
    network, meant, notes = _network(fabric, record, rate, settings or {}, largest, how)
    if meant and meant != record.name:
        notes.append(f"{network.name} is made for {meant}, not for {record.name}")
    efficiency, note = efficiency_for(record.name, constants, tuple(constant_files))
    notes += [*([note] if note and operators == "calibrated" else []), *of_cp]
    cluster = Cluster(record, network, network.ranks if most is None else most)
    places = placements or (("packed",) if isinstance(network, IdealNetwork) else ("packed", "strided"))
    given = {"tp": tp, "pp": pp, "ep": ep, "cp": cp}
    measured = efficiency if operators == "calibrated" else None
    question = _Question(
        shape, cluster, context, find_precision(precision, kv), measured,
        overlap, memory_share, given, places, level, progress,
    )  # fmt: skip
    slo, found = Slo(ttft, tbt), []
    for phase in dict.fromkeys(phases):
        space = question.space(phase)
        search = space.search(slo.limit(phase), keep)
        front = _frontier(space, slo.limit(phase)) if frontier else ()
        found.append(PhasePlan(phase, slo.limit(phase), search, front))
    pools = _pools(found, question, answer)
    head = shape, record.name, network.name, network.ranks, operators, context, overlap
    return Plan(*head, tuple(found), tuple(notes), pools)


def _named_gpu(fabric: str | None, settings: Mapping[str, Any]) -> str | None:
    if fabric is None or fabric == IDEAL:
        return None
    return load_all([fabric], settings)[0].document.gpu
