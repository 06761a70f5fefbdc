"""Pictures of power by part."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from topo_sim.base import format_quantity
from topo_sim.base.files import LEVELS
from topo_sim.collectives import COLLECTIVES
from topo_sim.optics.ends import PARTS
from topo_sim.report.plots import COLOURS, STYLE
from topo_sim.studies.energy import Traffic
from topo_sim.studies.power import PowerReport

__all__ = ["PART_COLOURS", "plot_power", "stacked"]

PART_COLOURS = dict(
    zip(PARTS, (COLOURS[0], COLOURS[5], COLOURS[4], COLOURS[7], COLOURS[1], COLOURS[2]), strict=True)
)
_UNITS = ((1e6, "MW"), (1e3, "kW"), (1.0, "W"))


def stacked(
    axes: Axes, names: Sequence[str], parts: Any, ends: Any, labels: Sequence[str], unit: str
) -> None:
    """Draw one stacked bar per name, with a whisker from low to high.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    names : sequence of str
    parts : array_like of float, shape (names, parts)
        At the level shown.
    ends : array_like of float, shape (names, 2)
        Low and high totals.
    labels : sequence of str
        Written beside each bar.
    unit : str
        Label of the axis.
    """
    rows, parts, ends = np.arange(len(names)), np.asarray(parts), np.asarray(ends)
    left = np.zeros(len(names))
    for part, values in zip(PARTS, parts.T, strict=True):
        axes.barh(rows, values, left=left, height=0.62, color=PART_COLOURS[part], zorder=3, linewidth=0)
        left = left + values
    whisker: dict[str, Any] = {"color": "#333333", "linewidth": 1.1, "zorder": 4}
    axes.hlines(rows, ends[:, 0], ends[:, 1], **whisker)
    for x in ends.T:
        axes.vlines(x, rows - 0.13, rows + 0.13, **whisker)
    most = float(max(ends.max(initial=0.0), left.max(initial=0.0))) or 1.0
    for row, text in zip(rows.tolist(), labels, strict=True):
        x = max(float(ends[row, 1]), float(left[row]))
        axes.text(x + most * 0.015, row, text, va="center", fontsize=8)
    axes.set_yticks(rows, names)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, most * 1.22)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(unit)


def _power(axes: Axes, reports: Sequence[PowerReport]) -> None:
    column = LEVELS.index(reports[0].level)
    equal = all(report.h100_equivalents for report in reports)
    share = [report.h100_equivalents or 1.0 for report in reports] if equal else [1.0] * len(reports)
    per = np.array(share)[:, None]
    parts = np.array([report.power.at(report.load)[:, column] for report in reports]) / per
    ends = np.array([(report.total.low, report.total.high) for report in reports]) / per
    factor, unit = next((f, u) for f, u in _UNITS if ends.max(initial=0.0) >= f or f == 1.0)
    of = "per H100 of compute" if equal else "in all"
    labels = [f"{value:.3g} {unit}" for value in (parts.sum(axis=1) / factor).tolist()]
    stacked(axes, [report.name for report in reports], parts / factor, ends / factor, labels, f"{unit} {of}")
    axes.set_title(f"Power of the network {of}, at {reports[0].load:.0%} load")


def _traffic(axes: Axes, reports: Sequence[PowerReport], chosen: Sequence[Traffic], title: str) -> None:
    column = LEVELS.index(reports[0].level)
    bits = np.array([8e-12 * each.energy.delivered or np.inf for each in chosen])[:, None]
    parts = np.array([(each.energy.static + each.energy.moving)[:, column] for each in chosen]) / bits
    totals = [each.energy.total for each in chosen]
    ends = np.array([(total.low, total.high) for total in totals]) / bits
    labels = [f"{value:.3g} pJ/b" for value in parts.sum(axis=1).tolist()]
    stacked(axes, [report.name for report in reports], parts, ends, labels, "pJ per bit delivered")
    axes.set_title(title)


def _title(each: Traffic) -> str:
    name = COLLECTIVES[each.name].title if each.name in COLLECTIVES else each.name
    if each.size is None:
        return f"Energy of a bit of {name}, at its throughput"
    return f"Energy of a bit of {name}, {format_quantity(each.size, 'size')}"


def plot_power(reports: Sequence[PowerReport]) -> Figure:
    """Draw stacked bars by part, whiskers from low to high: power, then the energy of each piece of traffic.

    Parameters
    ----------
    reports : sequence of PowerReport

    Returns
    -------
    matplotlib.figure.Figure
    """
    pieces = range(len(reports[0].traffic))
    bars, head, gap = 0.36 * len(reports) + 0.15, 0.75, 0.85
    height = head + (1 + len(pieces)) * (bars + gap)
    widest = max(len(report.name) for report in reports)
    left = min(0.4 + 0.075 * widest, 3.5)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, height), dpi=100)
        for panel in range(1 + len(pieces)):
            bottom = height - head - bars - panel * (bars + gap)
            axes = figure.add_axes((left / 10, bottom / height, (9.8 - left) / 10, bars / height))
            if panel == 0:
                _power(axes, reports)
            else:
                chosen = [report.traffic[panel - 1] for report in reports]
                _traffic(axes, reports, chosen, _title(chosen[0]))
        used = {part for report in reports for part, value in report.watts.items() if value > 0}
        handles: list[Any] = [Patch(color=PART_COLOURS[part], label=part) for part in PARTS if part in used]
        handles.append(Line2D([], [], color="#333333", linewidth=1.1, label="low to high"))
        figure.legend(
            handles=handles,
            loc="upper center",
            bbox_to_anchor=(0.5, 1 - 0.05 / height),
            ncols=len(handles),
            frameon=False,
            fontsize=8.5,
            columnspacing=1.2,
            handlelength=1.2,
        )
    return figure
