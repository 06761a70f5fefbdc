"""Pictures of GPUs: wafers with good and bad dies, the bill of a package and what moves it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Patch, Rectangle

from topo_sim.gpus.cost import LINES
from topo_sim.gpus.wafer_map import LOST, SALVAGED, WHOLE, WaferMap
from topo_sim.report.gpus import _input
from topo_sim.report.plots import COLOURS, STYLE
from topo_sim.studies.gpu_cost import CostComparison
from topo_sim.studies.gpu_yield import YieldComparison

__all__ = ["plot_costs", "plot_wafers"]

# Good, good enough, lost: told apart by lightness too.
_STATES = {WHOLE: ("#7FB8DA", "whole"), SALVAGED: ("#F6D27A", "salvaged"), LOST: ("#C44E36", "lost")}
_LINES = ("#0072B2", "#56B4E9", "#009E73", "#A6D8B8", "#E69F00", "#CC79A7", "#8C6D31", "#BBBBBB")
_DARK = ("#0072B2", "#009E73", "#8C6D31")
_MOST_INPUTS = 10


def _wafer(axes: Axes, drawn: WaferMap, title: str) -> None:
    placed, mm = drawn.placement, 1e3
    radius = placed.wafer.diameter / 2 * mm
    axes.add_patch(Circle((0, 0), radius, facecolor="#F2F2F0", edgecolor="#555555", linewidth=1.2))
    axes.add_patch(
        Circle(
            (0, 0), placed.wafer.radius * mm, fill=False, edgecolor="#999999", linestyle=":", linewidth=0.8
        )
    )
    low = (placed.centres - np.array([placed.width, placed.height]) / 2) * mm
    for state, (colour, _) in _STATES.items():
        boxes = [
            Rectangle((x, y), placed.width * mm, placed.height * mm) for x, y in low[drawn.state == state]
        ]
        axes.add_collection(PatchCollection(boxes, facecolor=colour, edgecolor="white", linewidth=0.5))
    x, y = drawn.defects.T * mm
    axes.scatter(x, y, s=3.5, color="black", linewidths=0, zorder=4)
    axes.set_xlim(-radius * 1.02, radius * 1.02)
    axes.set_ylim(-radius * 1.02, radius * 1.02)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(title, loc="center")


def plot_wafers(result: YieldComparison, wafers: Sequence[WaferMap]) -> Figure:
    """Draw one wafer of every die, side by side.

    Parameters
    ----------
    result : YieldComparison
        Whose first model the wafers were drawn by.
    wafers : sequence of WaferMap
        One per die, in order.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib as mpl

    model = result.rows[0].model
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.2 * len(wafers), 6.5), dpi=100, layout="constrained")
        panels = figure.subplots(1, len(wafers), squeeze=False)[0]
        for axes, die, drawn in zip(panels, result.dies, wafers, strict=True):
            row = next(r for r in result.rows if r.die is die and r.model == model)
            good, total = drawn.placement.dies - drawn.count(LOST), drawn.placement.dies
            mean = row.plain if row.salvaged is None else row.salvaged
            text = f"{die.name}: {total} dies of {die.area * 1e6:.4g} mm$^2$\n{good} good ({good / total:.0%}"
            _wafer(axes, drawn, f"{text}; {mean:.0%} on average)")
        handles: list[Any] = [
            Patch(facecolor=colour, edgecolor="white", label=name) for colour, name in _STATES.values()
        ]
        dot: dict[str, Any] = {"marker": "o", "markersize": 2.5, "linestyle": "none", "color": "black"}
        handles.append(mpl.lines.Line2D([], [], label="defect", **dot))
        figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
        density = f"{result.density / 1e4:g} defects per cm$^2$, {model.label}"
        figure.suptitle(f"One wafer of each: {density}", fontweight="bold", fontsize=12)
    return figure


def _stacks(axes: Axes, result: CostComparison) -> None:
    reference = result.reference
    names = [f"{bill.gpu.name}\n(x{bill.per_reference:.4g})" for bill in result.bills]
    bottom = np.zeros(len(names))
    for line, colour in zip(LINES, _LINES, strict=True):
        height = np.array([bill.lines["typical"][line] * bill.per_reference for bill in result.bills])
        axes.bar(
            names,
            height,
            bottom=bottom,
            color=colour,
            width=0.62,
            label=line,
            edgecolor="white",
            linewidth=0.6,
        )
        for x, (h, b) in enumerate(zip(height, bottom, strict=True)):
            if h > 0.045 * reference.total():
                ink = "white" if colour in _DARK else "black"
                axes.text(x, b + h / 2, f"{h:,.0f}", ha="center", va="center", fontsize=8, color=ink)
        bottom += height
    most = 0.0
    for x, (bill, top) in enumerate(zip(result.bills, bottom, strict=True)):
        p5, p95 = (value * bill.per_reference for value in (bill.spread.p5, bill.spread.p95))
        axes.plot([x + 0.39] * 2, [p5, p95], color="#333333", linewidth=1.4, marker="_", markersize=7)
        most = max(most, p95, float(top))
        ratio = f"\n{top / bottom[0]:.2f} of {reference.gpu.name}" if x else ""
        axes.text(
            x,
            max(top, p95) + 0.012 * most,
            f"${top:,.0f}{ratio}",
            ha="center",
            va="bottom",
            fontweight="bold",
        )
    axes.set_ylim(0, most * 1.16)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_ylabel(f"$ for the compute of one {reference.gpu.name}")
    axes.set_title("The bill, typical (line: 5 % to 95 % of draws)", loc="left")
    axes.grid(visible=False, axis="x")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1],
        labels[::-1],
        loc="upper center",
        bbox_to_anchor=(0.5, -0.12),
        ncols=4,
        frameon=False,
        fontsize=8,
    )


def _tornado(axes: Axes, result: CostComparison) -> None:
    bill = result.bills[1] if len(result.bills) > 1 else result.reference
    alone = bill is result.reference
    middle = bill.total() if alone else bill.total() * bill.per_reference / result.reference.total()
    swings = bill.swings[:_MOST_INPUTS]
    for i, swing in enumerate(swings):
        low, high = swing.cost if alone else swing.ratio
        for end, colour in ((low, COLOURS[5]), (high, COLOURS[1])):
            axes.barh(i, end - middle, left=middle, color=colour, height=0.62, zorder=3)
        name, numbers = _input(swing.name, swing.value)
        axes.annotate(
            f"{name}\n{numbers}", (0, i), xycoords=("axes fraction", "data"), xytext=(-6, 0),
            textcoords="offset points", ha="right", va="center", fontsize=8,
        )  # fmt: skip
    axes.axvline(middle, color="#333333", linewidth=1.0, zorder=4)
    if not alone and axes.get_xlim()[0] < 1 < axes.get_xlim()[1]:
        axes.axvline(1, color="#333333", linewidth=0.9, linestyle=":", zorder=4)
    axes.set_yticks([])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    what = (
        "$ per package" if alone else f"cost of {bill.gpu.name} over {result.reference.gpu.name}, per compute"
    )
    axes.set_xlabel(what)
    axes.set_title(f"What moves it: {middle:,.2f} typically", loc="left")
    ends = [Patch(color=COLOURS[5], label="input low"), Patch(color=COLOURS[1], label="input high")]
    axes.legend(handles=ends, loc="lower right", frameon=False, fontsize=8)


def plot_costs(result: CostComparison) -> Figure:
    """Draw the bills as stacks, and beside them what moves the second one (or the only one) most.

    Parameters
    ----------
    result : CostComparison

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        width = 2.2 + 1.3 * max(len(result.bills), 2)
        figure = Figure(figsize=(width + 6.6, 6.2), dpi=100, layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[width, 5.2])
        _stacks(left, result)
        _tornado(right, result)
    return figure
