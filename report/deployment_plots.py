"""The picture of a plan: throughput against latency, and where the time of the best ones goes."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from topo_sim.base import format_quantity
from topo_sim.inference.passes import PARTS
from topo_sim.report.plots import COLOURS, STYLE
from topo_sim.studies.plan import PhasePlan, Plan

__all__ = ["plot_plan"]

_SHOWN = 6
_NAMES = {"compute": "compute", "memory": "memory", "launch": "launch and small shapes", "network": "network"}


def _frontier(axes: Axes, phase: PhasePlan) -> None:
    """Draw the best throughput for every limit of latency."""
    front = phase.frontier
    name = "TTFT" if phase.phase == "prefill" else "TBT"
    axes.set_title(f"{phase.phase.capitalize()}: throughput against {name}", loc="left")
    if not front:
        text = (phase.search.closest.text if phase.search.closest else "not searched").replace(", ", ",\n")
        axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, color="0.3")
        axes.set_axis_off()
        return
    time, per_sm = np.array([each.time for each in front]), np.array([each.per_sm for each in front])
    axes.plot(time, per_sm, "-o", color=COLOURS[0], markersize=9.5, linewidth=1.4, zorder=3)
    axes.axvline(phase.limit, color=COLOURS[1], linestyle="--", linewidth=1.1)
    axes.annotate(
        "limit", (phase.limit, 0.96), xycoords=("data", "axes fraction"), xytext=(4, 0),
        textcoords="offset points", color=COLOURS[1], fontsize=8,
    )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlim(time.min() / 1.25, max(time.max(), phase.limit) * 1.6)
    axes.set_ylim(0, per_sm.max() * 1.15)
    low, high = axes.get_xlim()
    ticks = np.multiply.outer(10.0 ** np.arange(-5, 4), (1, 2, 5)).ravel()
    axes.set_xticks([tick for tick in ticks if low <= tick <= high])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: format_quantity(v, "time")))
    _labels(axes, phase)
    axes.set_xlabel(f"{name}, best deployment for every limit")
    axes.set_ylabel("tokens/s per SM")


def _labels(axes: Axes, phase: PhasePlan) -> None:
    """Give the points numbers, and list them below the curve: it rises, so there is room on the right."""
    lines = []
    for i, each in enumerate(phase.frontier, 1):
        axes.text(
            each.time, each.per_sm, str(i), ha="center", va="center_baseline", color="white", fontsize=6.5,
            fontweight="bold", zorder=4,
        )  # fmt: skip
        lines.append(f"{i:>2}  {each.layout.label}; {each.sequences} sequences")
    axes.text(
        0.985, 0.03, "\n".join(lines), transform=axes.transAxes, ha="right", va="bottom", fontsize=7,
        multialignment="left", linespacing=1.25, color="0.2",
        bbox={"facecolor": "white", "edgecolor": "0.85", "boxstyle": "round,pad=0.4", "alpha": 0.9},
    )  # fmt: skip


def _split(axes: Axes, phase: PhasePlan) -> None:
    """Draw what the time of the first deployments is made of."""
    shown = phase.search.found[:_SHOWN]
    if not shown:
        axes.set_axis_off()
        return
    y = np.arange(len(shown))[::-1]
    left = np.zeros(len(shown))
    for colour, part in zip(COLOURS, PARTS, strict=False):
        value = np.array([each.parts[part] for each in shown]) * 1e3
        axes.barh(y, value, 0.7, left=left, color=colour, label=_NAMES[part])
        left += value
    for at, end, each in zip(y, left, shown, strict=True):
        axes.annotate(
            f"{each.per_sm:.3g}/s/SM", (end, at), xytext=(4, 0), textcoords="offset points", va="center",
            fontsize=8,
        )  # fmt: skip
    axes.set_yticks(y, [f"{each.layout.label}, {each.sequences} seq." for each in shown])
    axes.set_xlim(0, left.max() * 1.2)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("time of a pass, ms")
    axes.set_title("Where the time goes", loc="left")


def plot_plan(plan: Plan) -> Figure:
    """Draw a plan: a row for each phase.

    Parameters
    ----------
    plan : Plan
        With its frontier.

    Returns
    -------
    Figure
    """
    from matplotlib import rc_context

    rows = len(plan.phases)
    with rc_context(STYLE):
        figure = Figure(figsize=(12.5, 3.6 * rows + 0.6), layout="constrained")
        panels = np.asarray(figure.subplots(rows, 2, squeeze=False, width_ratios=(1.25, 1)))
        for row, phase in enumerate(plan.phases):
            _frontier(panels[row, 0], phase)
            _split(panels[row, 1], phase)
        handles, labels = next(
            (each.get_legend_handles_labels() for each in panels[:, 1] if each.has_data()), ([], [])
        )
        if handles:
            figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
        figure.suptitle(
            f"{plan.model.name} on {plan.gpu} over {plan.network}, {plan.operators} operators",
            fontweight="bold",
        )
    return figure
