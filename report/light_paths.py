"""Loss budgets as tables."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from topo_sim.base.files import LEVELS
from topo_sim.report.tables import new_table
from topo_sim.studies.light_paths import LightPath

__all__ = ["budget_tables", "path_title"]

_MOST_PLAIN = 1e4


def path_title(path: LightPath) -> str:
    """Say which light path a budget is of.

    Parameters
    ----------
    path : LightPath

    Returns
    -------
    str
    """
    budget = path.budget
    times = "once" if budget.passes == 1 else f"{budget.passes} times"
    through = f", through {budget.switch} {times}" if budget.passes else ""
    links = f", the longest of {path.links:,} links" if path.links else ""
    return f"Light of {budget.medium} over {budget.length:.4g} m{through}{links}"


def _factor(value: float) -> str:
    return f"{value:.2f}" if value < _MOST_PLAIN else f"{value:.3g}"


def _verdict(path: LightPath, level: str) -> str:
    budget, factor = path.budget, _factor(path.budget.laser_factor(level))
    if budget.closes(level):
        return f"closes at {level} with {budget.slack().at(level):.2f} dB to spare"
    return (
        f"at {level} {budget.short_by(level):.2f} dB short, broken by: {budget.broken_by(level)}; it takes "
        f"a laser of {budget.laser_needed(level):.2f} dBm, {factor} times the power"
    )


def _terms(path: LightPath) -> RenderableType:
    budget = path.budget
    table = new_table(
        path_title(path), ["", *(f"dB, {level}" for level in LEVELS), *(f"dBm, {level}" for level in LEVELS)]
    )
    falls = [budget.waterfall(level) for level in LEVELS]
    for i, (name, _) in enumerate(falls[0]):
        powers = [fall[i][1] for fall in falls]
        losses = [f"{fall[i - 1][1] - fall[i][1]:.3f}" if i else "" for fall in falls]
        table.add_row(name, *losses, *(f"{power:.3f}" for power in powers))
    table.add_section()
    required = [budget.required(level) for level in LEVELS]
    table.add_row("sensitivity and margin", "", "", "", *(f"{value:.3f}" for value in required))
    slack = budget.slack()
    table.add_row("slack", *(f"{slack.at(level):+.3f}" for level in LEVELS), "", "", "", style="bold")
    notes = [_verdict(path, level) for level in ("typical", "low")]
    if path.beyond_reach:
        notes.append(
            f"{budget.length:.4g} m is beyond the reach of {budget.medium}, {path.reach:g} m: the budget "
            "adds up loss alone"
        )
    return Group(table, *(Text(f"  {note}") for note in notes))


def _survives(path: LightPath, level: str) -> str:
    most = path.survives[level]
    return "does not close without one" if most is None else f"{most} pass{'' if most == 1 else 'es'}"


def _hops(path: LightPath) -> RenderableType:
    if not path.survives:
        text = f"  passes: the loss of {path.switch} is not known, --loss gives one"
        return Text(text, style="dim")
    heads = [f"slack, {level}" for level in LEVELS]
    table = new_table(f"Passes of {path.switch}", ["passes", *heads, "laser needed", "laser power"])
    for each in path.hops:
        slack = [f"{each.slack().at(level):+.2f} dB" for level in LEVELS]
        needed, factor = f"{each.laser_needed():.2f} dBm", f"x{_factor(each.laser_factor())}"
        table.add_row(str(each.passes), *slack, needed, factor)
    found = "; ".join(f"{level}: {_survives(path, level)}" for level in LEVELS)
    return Group(table, Text(f"  survives {found}"))


def budget_tables(paths: Sequence[LightPath]) -> RenderableType:
    """Tables of loss budgets: the terms, then what more passes of a circuit switch do.

    Parameters
    ----------
    paths : sequence of LightPath

    Returns
    -------
    rich renderable
    """
    parts: list[RenderableType] = []
    for path in paths:
        parts += [_terms(path), _hops(path)]
    note = (
        "  low: weakest laser, highest losses and sensitivity at once; from the modulator on, powers are OMA"
    )
    return Group(*parts, Text(note, style="dim"))
