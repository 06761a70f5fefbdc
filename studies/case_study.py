"""The paper's case study: six types of GPU on three models, on an ideal network and on fabrics."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from topo_sim.base import UsageError
from topo_sim.gpus import Gpu, find_gpu, load_gpus
from topo_sim.inference.economics import gpu_cost, gpu_watts
from topo_sim.inference.exchanges import pass_exchanges
from topo_sim.inference.models import LanguageModel, find_model
from topo_sim.inference.network import FabricNetwork, IdealNetwork, Network
from topo_sim.inference.operators import Device, Work, find_precision
from topo_sim.inference.operators.layers import Phase
from topo_sim.inference.parallelism import Layout
from topo_sim.inference.roofline import CONTEXT
from topo_sim.studies.case_results import IDEAL, NOT_COVERED, CasePoint, CaseStudy, CollectiveRow, Key
from topo_sim.studies.case_search import OVERLAPS, SEARCHES, Best, Case, covered
from topo_sim.studies.loading import fabric_for, load_all
from topo_sim.studies.operators import efficiency_for

__all__ = ["FABRICS", "MODELS", "PHASES", "REFERENCE", "TYPES", "case_study"]

MODELS = ("llama3-70b", "gpt3-175b", "llama3-405b")
TYPES = ("h100", "lite", "lite+netbw", "lite+netbw+flops", "lite+membw", "lite+membw+netbw")
FABRICS = ("lite-flat-switch", "lite-torus", "lite-circuits", "lite-grouped")
REFERENCE = "superpod-h100-64"
"""The fabric of the first type of GPU, which all are compared with."""

PHASES: tuple[Phase, Phase] = ("prefill", "decode")
_SIZES = tuple(float(2**k) for k in range(12, 28, 3))
Progress = Callable[[int, int, str], None]
Made = dict[tuple[str, float], Network]


class _Fabrics:
    """Networks that are made once per fabric and rate."""

    def __init__(self, references: Sequence[str], seed: int) -> None:
        self.labels = {each: load_all([each])[0].name for each in dict.fromkeys(references)}
        self.made: Made = {}
        self.seed = seed

    def of(self, gpu: Gpu, references: Sequence[str]) -> dict[str, Network]:
        """Make the networks of a type of GPU: each fabric with the rate of its ports."""
        rate = gpu.network_bandwidth.typical
        found: dict[str, Network] = {IDEAL: IdealNetwork(rate)}
        for reference in references:
            label = self.labels[reference]
            if (label, rate) not in self.made:
                self.made[label, rate] = FabricNetwork(fabric_for(reference, rate).fabric, seed=self.seed)
            found[label] = self.made[label, rate]
        return found


def _points(
    case: Case, gpu: Gpu, operators: str, money: tuple[float | None, float | None]
) -> Iterator[CasePoint]:
    cost, watts = money
    able = covered(case.model, operators)
    found = SEARCHES[operators](case) if able else {name: Best() for name in case.networks}
    for network, best in found.items():
        for overlap in OVERLAPS:
            head = case.model.name, case.phase, gpu.name, network, operators, overlap
            one = best.found.get(overlap)
            if one is None:
                why = best.miss(case, overlap) if able else NOT_COVERED
                yield CasePoint(*head, 0, 0, "none", float("inf"), 0.0, None, None, 0.0, miss=why)
                continue
            each = one.per_sm * gpu.sms.typical
            per = (each / cost if cost else None, each / watts if watts else None)
            yield CasePoint(*head, one.gpus, one.batch, one.layout, one.time, one.per_sm, *per, one.share)


def _check_covered(shapes: Sequence[LanguageModel], operators: Sequence[str]) -> None:
    """Refuse names that are unknown, and searches that cover none of the models."""
    if not operators or any(name not in SEARCHES for name in operators):
        raise UsageError(f"found operators {list(operators)}, expected {' or '.join(SEARCHES)}")
    if not any(covered(shape, name) for shape in shapes for name in operators):
        names = ", ".join(shape.name for shape in shapes)
        raise UsageError(f"{names}: found no dense model, expected one: {NOT_COVERED}")


def _over(value: float | None, base: float | None) -> float | None:
    return value / base if value is not None and base else None


def _normalise(points: dict[Key, CasePoint], reference: str, own: str) -> dict[Key, CasePoint]:
    """Divide by the reference: on the ideal network, or on its own fabric."""
    found = {}
    for key, point in points.items():
        where = IDEAL if point.network == IDEAL else own
        base = points[point.model, point.phase, reference, where, point.operators, point.overlap]
        found[key] = replace(
            point,
            normalised=_over(point.per_sm, base.per_sm),
            dollar_normalised=_over(point.per_dollar, base.per_dollar),
            watt_normalised=_over(point.per_watt, base.per_watt),
        )
    return found


def _collective_rows(made: Made, group: int) -> tuple[CollectiveRow, ...]:
    """Ring and best algorithm of the all-reduce of one group, by size."""
    rows = []
    for (name, rate), network in made.items():
        if network.ranks % group:
            continue
        curve = network.curve("all_reduce", group)
        ring, best, names = curve.time(_SIZES, "ring"), curve.time(_SIZES), curve.choice(_SIZES)
        for i, size in enumerate(_SIZES):
            times = float(ring[i]), float(best[i])
            rows.append(CollectiveRow(name, rate, group, curve.groups, size, *times, names[i]))
    return tuple(rows)


def _latency_notes(made: Made, model: LanguageModel, group: int, context: int) -> list[str]:
    """Say what the steps of a ring cost a token, and what the best algorithm does."""
    work = Work("decode", 1, context)
    notes = []
    for (name, rate), network in made.items():
        if network.ranks % group or group < 2 or model.heads % group:
            continue
        each = pass_exchanges(model, Layout(tp=group), work, find_precision("fp8-all"), network.ranks)[0]
        curve = network.curve("all_reduce", group)
        ring, best = (1e3 * each.repeat * float(curve.time(each.size, how)) for how in ("ring", None))
        notes.append(
            f"{name} at {rate / 1e9:g} GB/s: one token of {model.name} at TP {group} asks for "
            f"{each.repeat:.0f} all-reduces; by ring of {2 * (group - 1)} steps {ring:.2f} ms, by "
            f"{curve.choice(each.size)[0]} {best:.2f} ms"
        )
    return notes


def case_study(
    models: Sequence[str] = MODELS,
    gpus: Sequence[str] = TYPES,
    fabrics: Sequence[str] = FABRICS,
    *,
    reference_fabric: str = REFERENCE,
    kv: Literal["shard", "replicate"] = "shard",
    precision: str = "fp8-all",
    context: int = CONTEXT,
    operators: Sequence[str] = tuple(SEARCHES),
    gpu_files: Sequence[str] = (),
    model_files: Sequence[str] = (),
    seed: int = 0,
    progress: Progress | None = None,
) -> CaseStudy:
    """Compare types of GPU as the paper does, and on fabrics.

    Parameters
    ----------
    models, gpus : sequence of str
        The first GPU is the reference.
    fabrics : sequence of str
        Topologies; a parameter `rate` is set to the network bandwidth of each type of GPU.
    reference_fabric : str
        Of the first GPU.
    kv : {"shard", "replicate"}
        What the whole-pass roofline does where there are more GPUs than key-value heads; modelled operators
        take the better of both, with what either costs.
    precision : str
        Of the modelled operators; the roofline has one byte everywhere.
    context : int
        Tokens of each prompt, and positions while decoding.
    operators : sequence of {"roofline", "calibrated"}
        How operators are timed. The roofline has no answer for models that are not dense.
    gpu_files, model_files : sequence of str
        Catalogues of the user.
    seed : int
        Of hashed routings.
    progress : callable, optional

    Returns
    -------
    CaseStudy

    Raises
    ------
    TopoSimError
        For unknown names, files with faults, and where the roofline alone is asked for and no model is dense.

    Notes
    -----
    Every case is the best over tensor parallelism up to the GPU's largest group and over a ladder of batches,
    under 1 s to the first token or 50 ms between tokens. On fabrics, numbers of GPUs are divisors of the
    endpoints, and instances fill the fabric and communicate all at once.
    """
    if not models or not gpus:
        raise UsageError("found no models or no GPUs, expected at least one of each")
    if context < 1:
        raise UsageError(f"found a context of {context}, expected at least 1")
    shapes = [find_model(name, tuple(model_files)) for name in dict.fromkeys(models)]
    _check_covered(shapes, operators)
    known = load_gpus(tuple(gpu_files))
    types = list({gpu.name: gpu for gpu in (find_gpu(name, known) for name in gpus)}.values())
    most = {gpu.name: int(gpu.need("max_gpus", "the case study").typical) for gpu in types}
    chosen, wanted = find_precision(precision), tuple(dict.fromkeys(fabrics))
    constants = {gpu.name: efficiency_for(gpu.name)[0] for gpu in types}
    money = {(gpu.name, p): (gpu_cost(gpu), gpu_watts(gpu, p)) for gpu in types for p in PHASES}
    networks = _Fabrics((reference_fabric, *wanted), seed)
    points: dict[Key, CasePoint] = {}
    jobs = [(gpu, shape, phase) for gpu in types for shape in shapes for phase in PHASES]
    for done, (gpu, shape, phase) in enumerate(jobs):
        if progress:
            progress(done, len(jobs), f"{gpu.name}: {shape.name}, {phase}")
        here = networks.of(gpu, (reference_fabric,) if gpu is types[0] else wanted)
        case = Case(
            shape, Device.of(gpu), most[gpu.name], phase, here, constants[gpu.name], chosen, kv, context
        )
        for name in operators:
            for point in _points(case, gpu, name, money[gpu.name, phase]):
                points[point.key] = point
    own = networks.labels[reference_fabric]
    lite = {key: network for key, network in networks.made.items() if key[0] != own}
    largest, group = max(shapes, key=lambda shape: shape.weights()), max(most.values())
    return CaseStudy(
        tuple(shape.name for shape in shapes),
        tuple(gpu.name for gpu in types),
        (IDEAL, *(networks.labels[each] for each in wanted)),
        _normalise(points, types[0].name, own),
        _collective_rows(lite, group),
        tuple(_notes(types[0].name, own, kv) + _latency_notes(lite, largest, group, context)),
    )


def _notes(reference: str, own: str, kv: str) -> list[str]:
    heads = "cut for nothing" if kv == "shard" else "replicated"
    return [
        f"over {reference}: on the ideal network, or on {own} where the others are on a fabric",
        "no number is read off the paper's figure; its rows below H100 are recalled: a catalogue to edit",
        f"roofline: the paper's method as we recall it, one maximum over a pass, key-value heads {heads}",
        "calibrated: operators as measured on one H100; key-value heads cut or replicated, at what it costs",
        "switches that sum up (NVLink SHARP on H100's fabric) let a byte be sent once, less than the ideal "
        "network's 2(n-1)/n",
        "per $ and per W: GPU packages with their end of the links, no switches, no fibres",
    ]
