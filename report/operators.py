"""Tables of models, operators and their errors."""

import math

from rich.console import Group, RenderableType
from rich.text import Text

from topo_sim.base import format_quantity
from topo_sim.inference.models import LanguageModel
from topo_sim.inference.operators import CONSTANTS, LIMITS
from topo_sim.report.tables import new_table
from topo_sim.studies.operator_checks import WholeCheck
from topo_sim.studies.operator_fit import OperatorFit
from topo_sim.studies.operators import OperatorReport

__all__ = ["fit_tables", "model_table", "models_table", "operator_table", "scaled", "whole_table"]

_STEPS = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def scaled(value: float, unit: str = "", digits: int = 4) -> str:
    """Write a number with a decimal prefix.

    Parameters
    ----------
    value : float
    unit : str
    digits : int
        Significant digits.

    Returns
    -------
    str

    Examples
    --------
    >>> scaled(70553706496), scaled(2.5e12, "FLOP"), scaled(12.0, "B")
    ('70.55 G', '2.5 TFLOP', '12 B')
    """
    for factor, prefix in _STEPS:
        if abs(value) >= factor:
            return f"{value / factor:.{digits}g} {prefix}{unit}"
    return f"{value:.{digits}g} {unit}".rstrip()


def _attention(model: LanguageModel) -> str:
    if model.latent:
        return f"latent, {model.kv_rank} + {model.rope_dim}"
    if model.kv_heads == model.heads:
        return f"{model.heads} heads"
    return f"{model.heads} heads over {model.kv_heads}"


def _mlp(model: LanguageModel) -> str:
    if not model.experts:
        return f"{model.mlp_matrices} x {model.ff}"
    shared = f" + {model.shared_experts}" if model.shared_experts else ""
    return f"{model.experts_per_token}{shared} of {model.experts} experts x {model.expert_ff}"


def models_table(models: list[LanguageModel]) -> RenderableType:
    """Table of models: a row each.

    Parameters
    ----------
    models : list of LanguageModel

    Returns
    -------
    rich renderable
    """
    columns = [
        "model",
        "attention",
        "MLP",
        "layers",
        "hidden",
        "parameters",
        "active",
        "KV per token, 16 bit",
    ]
    table = new_table("Language models", columns, left=3)
    for model in models:
        table.add_row(
            model.name,
            _attention(model),
            _mlp(model),
            str(model.layers),
            str(model.hidden),
            scaled(model.parameters()),
            scaled(model.active_parameters()),
            format_quantity(model.kv_bytes_per_token(2.0), "size"),
        )
    return table


def model_table(model: LanguageModel) -> RenderableType:
    """Table of one model: every size and every count.

    Parameters
    ----------
    model : LanguageModel

    Returns
    -------
    rich renderable
    """
    table = new_table(model.name, ["what", "value"], left=1)
    for name, value in model.model_dump(exclude={"name", "about", "source"}).items():
        if value not in (0, "none", False):
            table.add_row(name.replace("_", " "), "yes" if value is True else str(value))
    table.add_section()
    for text, count in (
        ("parameters", model.parameters()),
        ("active parameters", model.active_parameters()),
        ("weights of the layers", model.weights()),
        ("input table and output head", model.embeddings()),
    ):
        table.add_row(text, f"{count:,}")
    for size, bits in ((2.0, 16), (1.0, 8)):
        table.add_row(
            f"KV cache per token, {bits} bit", format_quantity(model.kv_bytes_per_token(size), "size")
        )
    notes = [text for text in (model.about, f"source: {model.source}" if model.source else "") if text]
    return Group(table, *(Text(f"  {note}", style="dim") for note in notes))


def _time(value: float) -> str:
    return format_quantity(value, "time", 4)


def _shape(report_kind: str, m: float, n: float, k: float) -> tuple[str, str, str]:
    if report_kind == "stream":
        return f"{m:,.0f}", "", ""
    return f"{m:,.4g}" if m < 10 and m != int(m) else f"{m:,.0f}", f"{n:,.0f}", f"{k:,.0f}"


def operator_table(report: OperatorReport) -> RenderableType:
    """Table of the operators of one pass, with their totals.

    Parameters
    ----------
    report : OperatorReport

    Returns
    -------
    rich renderable
    """
    cut = f"TP {report.tp}" + (f", EP {report.ep}" if report.ep > 1 else "")
    what = "positions in the cache" if report.phase == "decode" else "tokens each"
    title = f"{report.model.name} on {report.device.name}, {cut}: {report.phase} of {report.batch} x "
    title += f"{report.context} {what}, {report.precision.name}"
    title += "" if report.in_pass else "; each operator alone"
    columns = ["operator", "limit", "runs", "M", "N", "K", "count", "FLOP", "bytes", "FLOP/B"]
    table = new_table(title, [*columns, "roofline", "time", "efficiency", "share"], left=2)
    total = report.total("time")
    for row in report.operators:
        share = row.runs * row.time / total if total else 0.0
        table.add_row(
            row.name,
            row.limit,
            f"{row.runs}",
            *_shape(row.kind, row.m, row.n, row.k),
            f"{row.count:,.4g}" if row.count != 1 else "",
            scaled(row.flops, digits=3) if row.flops else "",
            scaled(row.bytes, "B", 3),
            f"{row.flops / row.bytes:.3g}" if row.flops else "",
            _time(row.bound),
            _time(row.time),
            f"{row.bound / row.time:.0%}" if row.time else "-",
            f"{share:.1%}",
        )
    table.add_section()
    flops, moved, bound = (report.total(each) for each in ("flops", "bytes", "bound"))
    table.add_row(
        *("all runs", "", "", "", "", "", ""),
        scaled(flops, digits=3),
        scaled(moved, "B", 3),
        f"{flops / moved:.3g}",
        _time(bound),
        _time(total),
        f"{bound / total:.0%}",
        "",
    )
    tokens = report.batch * (report.context if report.phase == "prefill" else 1)
    notes = [f"{tokens / total:,.0f} tokens/s of the group of {report.tp} GPUs, communication left out"]
    notes += [
        f"constants: {report.efficiency.name} ({report.efficiency.source})",
        "times per run; limit: what takes most of it, one of " + ", ".join(LIMITS),
        *report.notes,
    ]
    return Group(table, *(Text(f"  {note}", style="dim") for note in notes))


def fit_tables(fit: OperatorFit) -> RenderableType:
    """Tables of modelled against measured operators: errors, and the constants.

    Parameters
    ----------
    fit : OperatorFit

    Returns
    -------
    rich renderable
    """
    title = f"{fit.name} on {fit.device.name}: |modelled / measured - 1|"
    errors = new_table(title, ["rows of", "role", "rows", "median", "90 %", "worst", "bias"], left=2)
    for each in fit.errors:
        role = "held out" if each.held_out else "fitted" if fit.fitted else "as given"
        numbers = f"{each.median:.1%}", f"{each.p90:.1%}", f"{each.worst:.1%}", f"{each.bias:+.1%}"
        errors.add_row(each.part, role, str(each.rows), *numbers)
    heads = ["constant", "value", "start"] if fit.fitted else ["constant", "value"]
    constants = new_table(f"constants ({fit.efficiency.name if not fit.fitted else 'fitted'})", heads, left=1)
    for name in CONSTANTS:
        values = [getattr(fit.efficiency, name)] + ([getattr(fit.start, name)] if fit.fitted else [])
        constants.add_row(name, *(f"{value:.4g}" for value in values))
    notes = [Text(f"  {fit.source}", style="dim")] if fit.source else []
    return Group(errors, Text(""), constants, *notes)


def whole_table(check: WholeCheck) -> RenderableType:
    """Table of a measured whole beside the model.

    Parameters
    ----------
    check : WholeCheck

    Returns
    -------
    rich renderable
    """
    rates = check.unit.endswith("/s")
    columns = ["part", f"measured, {check.unit}", "modelled", "error", "roofline", "of roofline"]
    table = new_table(check.title, columns, left=1)
    for row in check.values:
        bound = row.bound if row.bound is not None else math.nan
        share = row.measured / bound if rates else bound / row.measured
        known = row.bound is not None
        table.add_row(
            row.part,
            f"{row.measured:,.4g}" if not rates else f"{row.measured:,.0f}",
            f"{row.modelled:,.4g}" if not rates else f"{row.modelled:,.0f}",
            f"{row.error:+.1%}",
            (f"{bound:,.0f}" if rates else f"{bound:,.4g}") if known else "-",
            f"{share:.0%}" if known else "-",
        )
    notes = [*check.notes, f"source: {check.source}"]
    return Group(table, *(Text(f"  {note}", style="dim") for note in notes))
