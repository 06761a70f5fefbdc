"""Tables of deployments and of the case study."""

from rich.console import Group, RenderableType
from rich.text import Text

from topo_sim.base import format_quantity
from topo_sim.collectives import COLLECTIVES
from topo_sim.inference.deployment import Deployment, UsedAlgorithm
from topo_sim.inference.passes import PARTS
from topo_sim.report.tables import new_table
from topo_sim.studies.case_results import NOT_COVERED, CasePoint, CaseStudy
from topo_sim.studies.plan import PhasePlan, Plan
from topo_sim.studies.pools import Pools

__all__ = ["case_tables", "plan_tables"]

_NONE = "-"


def _ms(value: float) -> str:
    return f"{value * 1e3:.3g}" if value < 0.1 else f"{value * 1e3:.0f}"


def _number(value: float | None, digits: int = 3) -> str:
    return _NONE if value is None else f"{value:.{digits}g}"


def _note(text: str) -> Text:
    return Text(f"  {text}", style="dim")


def _deployment_row(each: Deployment) -> list[str]:
    return [
        each.layout.label,
        str(each.layout.gpus),
        str(each.instances),
        str(each.sequences),
        _ms(each.time),
        f"{each.rate:,.0f}",
        f"{each.per_sm:.3g}",
        _number(each.per_dollar),
        _number(each.per_watt),
        *(_ms(each.parts[name]) for name in PARTS),
        f"{each.memory / 1e9:.1f}",
        each.binds,
        each.batch_limit.split(":")[0],
    ]


def _algorithm(each: UsedAlgorithm) -> str:
    """Say what was chosen for one collective, and what a ring would take."""
    many = f"{each.groups} groups at once" if each.groups > 1 else "one group"
    text = (
        f"{each.name}: {each.repeat:.0f} x {COLLECTIVES[each.collective].title} of "
        f"{format_quantity(each.size, 'size')} among {each.group}, {many}: {each.algorithm} "
        f"{format_quantity(each.time, 'time', 3)}"
    )
    if each.ring is not None and not each.algorithm.startswith("ring"):
        text += f" (ring {format_quantity(each.ring, 'time', 3)}, {_ms(each.repeat * each.ring)} ms a pass)"
    return text


def _phase_table(plan: Plan, phase: PhasePlan) -> list[RenderableType]:
    name = "TTFT" if phase.phase == "prefill" else "TBT"
    title = (
        f"{phase.phase}: {plan.model.name} on {plan.gpu} over {plan.network} ({plan.ranks} GPUs), "
        f"{name} up to {format_quantity(phase.limit, 'time')}"
    )
    if phase.search.closest:
        return [Text(title, style="bold"), Text(phase.search.closest.text, style="red")]
    columns = [
        *("layout", "GPUs", "instances", "sequences", f"{name} ms", "tokens/s", "per SM", "per $", "per J"),
        *(f"{part} ms" for part in PARTS),
        *("GB/GPU", "binds", "batch bound by"),
    ]
    table = new_table(title, columns, left=1)
    for column in table.columns[-2:]:
        column.justify = "left"
    for i, each in enumerate(phase.search.found):
        table.add_row(*_deployment_row(each), style="bold" if i == 0 else "")
    looked = f"{phase.search.layouts:,} layouts, {phase.search.candidates:,} candidates"
    lines = [_note(f"{looked}; tokens/s of one instance; the first row is the best per SM, per $ and per W")]
    return [table, *lines, *(_note(_algorithm(each)) for each in phase.search.algorithms)]


def plan_tables(plan: Plan) -> RenderableType:
    """Table of the best deployments of each phase.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    rich renderable
    """
    parts: list[RenderableType] = []
    for phase in plan.phases:
        parts += [*_phase_table(plan, phase), Text("")]
    pools = [_note(_pools(plan.pools))] if plan.pools else []
    return Group(*parts, *pools, *(_note(note) for note in plan.notes))


def _pools(pools: Pools) -> str:
    """Say how many GPUs prefill and how many decode."""
    many = pools.prefill_share * pools.gpus
    return (
        f"prompts of {pools.prompt} and answers of {pools.answer} tokens: of {pools.gpus} GPUs {many:.1f} "
        f"prefill and {pools.gpus - many:.1f} decode {pools.requests:.3g} requests/s; each moves "
        f"{format_quantity(pools.cache, 'size')} of cache, {pools.port_share:.2%} of a prefill GPU's port"
    )


def _cell(point: CasePoint) -> str:
    """Write one end: over the reference, or in brackets per SM where the reference has no answer."""
    if point.miss == NOT_COVERED:
        return _NONE
    if not point.gpus:
        return "none"
    return f"({point.per_sm:.2f})" if point.normalised is None else f"{point.normalised:.2f}"


def _range(low: CasePoint, high: CasePoint, own: bool = False) -> str:
    ends = [f"{each.per_sm:.2f}" if own and each.gpus else _cell(each) for each in (low, high)]
    return ends[0] if ends[0] == ends[1] and not low.gpus else " .. ".join(ends)


def _cases(study: CaseStudy) -> list[tuple[str, str]]:
    return [(model, phase) for phase in ("prefill", "decode") for model in study.models]


def _case_table(study: CaseStudy, operators: str) -> list[RenderableType]:
    cases = _cases(study)
    columns = ["network", "GPU", *(f"{model} {phase}" for model, phase in cases)]
    alone = len(study.gpus) == 1
    over = "" if alone else f" over {study.reference}"
    table = new_table(f"tokens/s per SM{over}, {operators} operators: serial .. overlapped", columns, left=2)
    if all(study.points[key].miss == NOT_COVERED for key in study.points if key[4] == operators):
        return [_note(f"{operators}: {NOT_COVERED}")]
    if alone:
        for network in dict.fromkeys(point.network for point in study.points.values()):
            ends = [_ends(study, model, phase, study.reference, network, operators) for model, phase in cases]
            table.add_row(network, study.reference, *(_range(*each, own=True) for each in ends))
        return [table, *_misses(study, operators)]
    for network in study.networks:
        table.add_section()
        for gpu in study.gpus[1:]:
            ends = [_ends(study, model, phase, gpu, network, operators) for model, phase in cases]
            table.add_row(network, gpu, *(_range(*each) for each in ends))
    return [table, *_absolutes(study, operators), *_misses(study, operators)]


def _ends(
    study: CaseStudy, model: str, phase: str, gpu: str, network: str, operators: str
) -> tuple[CasePoint, CasePoint]:
    key = model, phase, gpu, network, operators
    return study.point(*key, 0.0), study.point(*key, 1.0)


def _absolutes(study: CaseStudy, operators: str) -> list[Text]:
    """List the reference's own numbers."""
    lines = []
    for network in dict.fromkeys(point.network for point in study.points.values()):
        found = []
        for model, phase in _cases(study):
            if (model, phase, study.reference, network, operators, 0.0) in study.points:
                ends = _ends(study, model, phase, study.reference, network, operators)
                found.append(_range(*ends, own=True))
        if found:
            lines.append(_note(f"{study.reference}, tokens/s per SM, {network}: " + ", ".join(found)))
    if any(p.gpus and p.normalised is None for p in study.points.values() if p.operators == operators):
        lines.append(_note(f"in brackets: tokens/s per SM itself, where {study.reference} has no answer"))
    return lines


def _misses(study: CaseStudy, operators: str) -> list[Text]:
    """Say why there is no answer: a line per GPU, model, phase and reason, overlapped where both miss."""
    cells: dict[tuple[str, str], str] = {}
    for point in study.points.values():
        if point.miss and point.operators == operators:
            how = "overlapped" if point.overlap else "serial"
            who, why = f"{point.gpu}, {point.model} {point.phase}", f"{point.miss}, {how}"
            cells[(point.model, "") if point.miss == NOT_COVERED else (who, point.network)] = why
    found: dict[tuple[str, str], list[str]] = {}
    for (who, network), why in cells.items():
        found.setdefault((who, why), []).append(network)
    return [
        _note(f"none: {who}, {', '.join(where)}: {why}" if where[0] else f"-: {who}: {NOT_COVERED}")
        for (who, why), where in found.items()
    ]


def _economy_table(study: CaseStudy, operators: str) -> RenderableType:
    columns = ["network", "GPU", *(f"{model} {p}" for p in ("prefill", "decode") for model in study.models)]
    title = f"tokens/s per $ | per W over {study.reference}, {operators} operators, serial"
    table = new_table(title, columns, left=2)
    for network in study.networks:
        table.add_section()
        for gpu in study.gpus[1:]:
            cells = []
            for phase in ("prefill", "decode"):
                for model in study.models:
                    one = study.point(model, phase, gpu, network, operators, 0.0)
                    values = (one.dollar_normalised, one.watt_normalised)
                    cells.append(" | ".join(_NONE if v is None else f"{v:.2f}" for v in values))
            table.add_row(network, gpu, *cells)
    return table


def _collective_table(study: CaseStudy) -> RenderableType | None:
    if not study.collectives:
        return None
    first = study.collectives[0]
    slowest = min(row.rate for row in study.collectives)
    title = f"all-reduce among {first.group} GPUs, all groups at once, {slowest / 1e9:g} GB/s each"
    table = new_table(title, ["network", "size", "ring", "chosen", "time", "faster"], left=1)
    table.columns[3].justify = "left"
    for fabric in dict.fromkeys(row.fabric for row in study.collectives):
        table.add_section()
        for row in study.collectives:
            if (row.fabric, row.rate) == (fabric, slowest):
                times = (format_quantity(each, "time", 3) for each in (row.ring, row.best))
                ring, best = times
                size, gain = format_quantity(row.size, "size"), f"{row.ring / row.best:.3g} x"
                table.add_row(fabric, size, ring, row.algorithm, best, gain)
    return table


def case_tables(study: CaseStudy, operators: tuple[str, ...] = ("roofline", "calibrated")) -> RenderableType:
    """Tables of the case study: throughput, economy, collectives.

    Parameters
    ----------
    study : CaseStudy
    operators : tuple of str

    Returns
    -------
    rich renderable
    """
    parts: list[RenderableType] = []
    for each in operators:
        parts += [*_case_table(study, each), Text("")]
    if len(study.gpus) > 1:
        parts += [_economy_table(study, operators[-1]), Text("")]
    else:
        parts += [_note(f"{study.reference} alone: nothing to compare it with, expected two --gpu"), Text("")]
    collectives = _collective_table(study)
    if collectives is not None:
        parts += [collectives, Text("")]
    return Group(*parts, *(_note(note) for note in study.notes))
