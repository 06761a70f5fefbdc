"""Pictures of loss budgets: the power of the light along its path."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from topo_sim.report.light_paths import path_title
from topo_sim.report.plots import COLOURS, STYLE
from topo_sim.studies.light_paths import LightPath

__all__ = ["plot_budgets"]

MOST = 6
_BROKEN = "#B40426"
_PLAIN: dict[str, Any] = {"facecolor": "white", "alpha": 0.6, "edgecolor": "none", "pad": 0.6}
_LIGHT, _LOST, _NEED = COLOURS[0], COLOURS[1], COLOURS[2]


def _steps(axes: Axes, path: LightPath) -> list[str]:
    """Draw falling bars at typical values and the band of the ranges; return the names of the columns."""
    fall = path.budget.waterfall()
    names, power = [name for name, _ in fall], np.array([value for _, value in fall])
    broken, at = path.budget.broken_by(), np.arange(len(fall))
    floor = path.budget.required()
    for i in range(1, len(fall)):
        colour = _BROKEN if names[i] == broken else _LOST
        bar: dict[str, Any] = {"width": 0.62, "color": colour, "alpha": 0.85, "zorder": 4}
        axes.bar(i, power[i] - power[i - 1], bottom=power[i - 1], **bar)
        axes.plot([i - 1.31 + 0.62, i + 0.31], [power[i - 1]] * 2, color="#555555", linewidth=0.8, zorder=5)
        lost = power[i - 1] - power[i]
        text = f"\N{MINUS SIGN}{lost:.2f}" if lost >= 0.005 else f"\N{MINUS SIGN}{lost:.1g}" if lost else "0"
        axes.text(i, power[i - 1] + 0.12, text, ha="center", va="bottom", fontsize=7.5, zorder=7, bbox=_PLAIN)
    axes.plot([-0.31, 0.31], [power[0]] * 2, color=_LIGHT, linewidth=3, zorder=5)
    axes.text(0, power[0] + 0.2, f"{power[0]:.2f} dBm", ha="center", va="bottom", fontsize=8)
    ends = [[value for _, value in path.budget.waterfall(level)] for level in ("low", "high")]
    low, high = ([values[0], *values, values[-1]] for values in ends)
    wide = np.concatenate([[-1], at, [len(fall)]])
    axes.fill_between(wide, low, high, step="mid", color=_LIGHT, alpha=0.1, zorder=1, linewidth=0)
    last = len(fall)
    look: dict[str, Any] = {"width": 0.62, "zorder": 4}
    colour = _NEED if path.budget.closes() else _BROKEN
    axes.bar(last, power[-1] - floor, bottom=floor, color=colour, alpha=0.9, **look)
    top = max(power[-1], floor)
    slack = path.budget.slack().typical
    text = f"{slack:+.2f} dB".replace("-", "\N{MINUS SIGN}")
    axes.text(last, top + 0.12, text, ha="center", va="bottom", fontsize=8, fontweight="bold")
    axes.set_ylim(min(*low, *power, floor) - 1, max(*high, *power, floor) + 1.5)
    return [*names, "slack"]


def _draw(axes: Axes, path: LightPath) -> None:
    names = _steps(axes, path)
    budget = path.budget
    need = [budget.required(level) for level in ("high", "low")]
    axes.axhspan(*need, color=_NEED, alpha=0.1, zorder=0, linewidth=0)
    axes.axhline(budget.required(), color=_NEED, linewidth=1.4, zorder=3)
    axes.set_xticks(range(len(names)), [name.replace(" ", "\n") for name in names], fontsize=8)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.grid(visible=False, axis="x")
    axes.set_ylabel("power of one wavelength, dBm")
    axes.set_title(path_title(path))


def plot_budgets(paths: Sequence[LightPath]) -> Figure:
    """Draw the power from laser to receiver, one row per budget, six at most.

    Parameters
    ----------
    paths : sequence of LightPath

    Returns
    -------
    Figure
    """
    shown = list(paths)[:MOST]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.5, 0.5 + 4.3 * len(shown)), layout="constrained")
        rows = np.atleast_1d(figure.subplots(len(shown), 1))
        for axes, path in zip(rows, shown, strict=True):
            _draw(axes, path)
        handles = [
            Line2D([], [], color=_LIGHT, linewidth=3, label="laser, typical"),
            Patch(color=_LIGHT, alpha=0.15, label="low to high"),
            Patch(color=_LOST, label="loss, typical"),
            Line2D([], [], color=_NEED, linewidth=1.4, label="sensitivity and margin, band: low to high"),
        ]
        if not all(path.budget.closes() for path in shown):
            handles.append(Patch(color=_BROKEN, label="breaks the budget"))
        figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False, fontsize=8)
    return figure
