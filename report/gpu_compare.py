"""Tables and pictures of GPUs side by side."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, NullLocator
from rich.console import Group, RenderableType
from rich.text import Text

from topo_sim.base.files import Range
from topo_sim.gpus.reliability import shortage
from topo_sim.gpus.wafer_map import LOST
from topo_sim.report.gpu_plots import _STATES, _stacks, _wafer
from topo_sim.report.gpu_power_plots import power_against_load
from topo_sim.report.plots import COLOURS, STYLE
from topo_sim.report.tables import new_table
from topo_sim.studies.gpu_compare import Fact, GpuComparison

__all__ = ["compare_table", "plot_comparison_of_gpus"]

# Unit that people read a unit of the comparison in, and its size.
_UNITS = {
    "m2": ("mm2", 1e-6),
    "m": ("mm", 1e-3),
    "W/m2": ("W/mm2", 1e6),
    "FLOP/s": ("TFLOPS", 1e12),
    "B": ("GB", 1e9),
    "B/s": ("GB/s", 1e9),
    "J": ("kWh", 3.6e6),
}
_MOST_WAFERS = 2
_ENDS = {"area": (0, ()), "given": (0, ()), "parts": (0, (5, 1.6)), "package": (0, (1.4, 1.2))}


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1e3 else f"{value:.4g}" if abs(value) >= 100 else f"{value:.3g}"


def _cell(value: Range | None, size: float) -> str:
    if value is None:
        return "-"
    text = _number(value.typical / size)
    low, high = _number(value.low / size), _number(value.high / size)
    return text if low == high else f"{text} ({low} .. {high})"


def _row(fact: Fact) -> list[str]:
    unit, size = _UNITS.get(fact.unit, (fact.unit, 1.0))
    return [fact.name, unit, *(_cell(value, size) for value in fact.values)]


def compare_table(result: GpuComparison) -> RenderableType:
    """Tabulate a comparison, a table per section.

    Parameters
    ----------
    result : GpuComparison

    Returns
    -------
    rich renderable
    """
    sections = dict.fromkeys(fact.section for fact in result.facts)
    title = f"{' and '.join(gpu.name for gpu in result.gpus)} side by side"
    table = new_table(title, ["", "", *(gpu.name for gpu in result.gpus)], left=2)
    for section in sections:
        table.add_section()
        table.add_row(Text(section[0].upper() + section[1:], style="bold"))
        for fact in result.facts:
            if fact.section == section:
                cells = _row(fact)
                table.add_row(f"  {cells[0]}", *cells[1:])
    notes = [
        "typical (low .. high); cost and energy: 5 % .. 95 % of draws; failures: by area, by parts and by "
        "package, the least and the most in brackets",
        f"yield: {result.yields.rows[0].model.label} at {result.yields.density / 1e4:g} per cm2",
        f"spares: for a risk of {result.question.risk:g}, "
        f"{result.question.repair / 3600:g} h to repair; hosts, switches and links fail besides",
    ]
    held = dict.fromkeys(
        each.gpu for each in result.power.cooling if (each.cooling, each.clock_bound) == ("air", "package")
    )
    if held:
        notes.append(
            f"air: the clock of {' and '.join(held)} is held back by the largest package that is sold with "
            "air (most_per_package), not by its junction"
        )
    return Group(table, *(Text(f"  {note}", style="dim") for note in notes))


def _wafers(part: Any, result: GpuComparison) -> None:
    shown = result.wafers[:_MOST_WAFERS]
    panels = part.subplots(1, len(shown), squeeze=False)[0]
    for axes, gpu, drawn, row in zip(panels, result.gpus, shown, result.yields.rows, strict=False):
        good, total = drawn.placement.dies - drawn.count(LOST), drawn.placement.dies
        mean = row.plain if row.salvaged is None else row.salvaged
        title = f"{gpu.name}, one draw: {good} of {total} dies good"
        _wafer(axes, drawn, f"{title}\n{good / total:.0%}, where {mean:.0%} is the mean")
    handles = [Patch(facecolor=colour, edgecolor="white", label=name) for colour, name in _STATES.values()]
    part.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=8)


def _spares(axes: Axes, result: GpuComparison) -> None:
    """Draw the exact probability that spares run out, a colour per GPU and dashes per end of its rate."""
    names = [gpu.name for gpu in result.gpus]
    most = max(2.0, 1.2 * max(fleet.idle for fleet in result.fleets))
    for fleet in result.fleets:
        spares = np.arange(min(fleet.cluster.count, int(np.ceil(most / fleet.share))) + 1)
        chance = np.maximum(shortage(fleet.cluster.count, spares, fleet.share_down), 1e-12)
        rate = f"{fleet.row()['rate_per_year']:.3g} failures a year"
        i = names.index(fleet.gpu)
        axes.plot(
            spares * fleet.share, chance, marker="o", markersize=3.5, linewidth=1.4,
            color=COLOURS[i % len(COLOURS)], linestyle=_ENDS[fleet.end if i else "given"],
            label=f"{fleet.cluster.count} {fleet.name}: {rate}",
        )  # fmt: skip
    axes.axhline(result.question.risk, color="#444444", linestyle="--", linewidth=1.0)
    axes.set_yscale("log")
    axes.set_ylim(1e-6, 1.0)
    axes.set_xlim(-0.03 * most, most * 1.03)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:.10g} %"))
    axes.set_xlabel(f"silicon of the spares, in {names[0]}s")
    axes.set_ylabel("probability that spares run out")
    axes.set_title(f"Availability against spares (dashed: {result.question.risk:.10g})", loc="left")
    axes.legend(frameon=False, fontsize=8, loc="upper right", handlelength=3.2)


def plot_comparison_of_gpus(result: GpuComparison) -> Figure:
    """Draw a wafer of each, the bills, power against load, and the chance that spares run out.

    Parameters
    ----------
    result : GpuComparison

    Returns
    -------
    matplotlib.figure.Figure
        1,300 pixels wide at 100 dpi.
    """
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(13, 10.2), dpi=100, layout="constrained")
        parts: Any = figure.subfigures(2, 2, hspace=0.03, wspace=0.02)
        _wafers(parts[0, 0], result)
        _stacks(parts[0, 1].subplots(), result.costs)
        power_against_load(parts[1, 0].subplots(), result.power)
        _spares(parts[1, 1].subplots(), result)
        names = ", ".join(gpu.name for gpu in result.gpus)
        figure.suptitle(f"{names}: yield, cost, power, spares", fontsize=13, fontweight="bold")
    return figure
