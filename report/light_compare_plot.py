"""Circuits against packets, as a picture: time, energy, and where each wins."""

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, NullLocator

from topo_sim.base import format_quantity
from topo_sim.report.light_compare import collective_title, contender_name
from topo_sim.report.plots import COLOURS, STYLE
from topo_sim.studies.light_compare import COLLECTIVES, LightComparison

__all__ = ["plot_light"]

_WIRING = {"fat-tree": COLOURS[1], "torus": COLOURS[0], "circuits": COLOURS[2]}
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (2, 1.2)), (0, (1, 1.6)), (0, (5, 1, 1, 1)))
_FEW_DECADES, _CLOSE = 20.0, 0.05
_PANELS = (
    ("time", "time by the best algorithm", 1.9),
    ("slowdown", "time over the lower bound from ports", 2.2),
    ("energy", "pJ per bit delivered", 2.4),
)
_MARKERS = "v^Dp*X"


def _look(found: LightComparison, contender: tuple[str, float | None]) -> dict[str, Any]:
    name, change = contender
    look: dict[str, Any] = {"color": _WIRING[name], "linewidth": 1.7, "markersize": 4.5}
    if change is None:
        return look | {"marker": "o" if name == "torus" else "s", "linestyle": "-"}
    i = found.changes.index(change)
    shade = 0.45 + 0.55 * (1 - i / max(len(found.changes), 2))
    green = tuple(1 - shade * (1 - part) for part in mpl.colors.to_rgb(_WIRING[name]))
    return look | {"marker": _MARKERS[i % 6], "linestyle": _DASHES[i % 5], "color": green}


def _sizes(axes: Axes, found: LightComparison, labels: bool) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xlim(found.sizes[0] / 2, found.sizes[-1] * 2)
    step = -(-len(found.sizes) // 8)
    ticks = found.sizes[::step]
    axes.set_xticks(ticks, [format_quantity(tick, "size") if labels else "" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())


def _curves(axes: Axes, found: LightComparison, collective: str, what: str) -> None:
    sizes = np.array(found.sizes)
    rival = ("circuits", found.changes[0])
    bound = np.array([found.outcome(rival, collective, size).lower_bound for size in found.sizes])
    for contender in found.contenders:
        outcomes = [found.outcome(contender, collective, size) for size in found.sizes]
        values = np.array([one.time for one in outcomes])
        if what == "energy":
            values = np.array([o.energy.total.typical / (8e-12 * o.energy.delivered) for o in outcomes])
        elif what == "slowdown":
            values = values / bound
        axes.plot(sizes, values, zorder=3, **_look(found, contender))
    if what != "energy":
        floor = bound if what == "time" else np.ones(len(bound))
        axes.plot(sizes, floor, color="grey", linestyle="--", linewidth=1.0, zorder=2)
    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(NullLocator())
    if what == "time":
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: format_quantity(v, "time")))
    else:
        _round_ticks(axes)
    _sizes(axes, found, labels=False)


def _round_ticks(axes: Axes) -> None:
    """Label a logarithmic axis at round numbers: 1, 2, 5 of each decade, or more where it spans few."""
    low, high = axes.get_ylim()
    steps = (1.0, 2.0, 5.0) if high > _FEW_DECADES * low else (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
    ticks = [step * 10.0**power for power in range(-6, 9) for step in steps]
    inside = [tick for tick in ticks if low <= tick <= high]
    axes.set_yticks(inside, [f"{tick:g}" for tick in inside])


def _band(axes: Axes, found: LightComparison, collective: str, by: str, labels: bool) -> None:
    """Colour a cell per size and time of a change by the winner."""
    edges = np.log2(found.sizes)
    half = np.diff(edges).min() / 2 if len(edges) > 1 else 1.0
    for row, change in enumerate(found.changes):
        for size, edge in zip(found.sizes, edges.tolist(), strict=True):
            winner = found.winner(collective, size, change, by)
            left, right = 2 ** (edge - half), 2 ** (edge + half)
            pale = 0.4 if found.margin(collective, size, change, by) < _CLOSE else 1.0
            colour = (*mpl.colors.to_rgb(_WIRING[winner]), pale)
            look: dict[str, Any] = {"facecolor": colour, "edgecolor": "white", "linewidth": 1.5}
            axes.add_patch(Rectangle((left, row - 0.5), right - left, 1.0, zorder=3, **look))
    _sizes(axes, found, labels)
    axes.set_ylim(-0.5, len(found.changes) - 0.5)
    axes.set_yticks(range(len(found.changes)), [format_quantity(each, "time") for each in found.changes])
    axes.grid(visible=False)
    axes.tick_params(axis="y", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title("least time" if by == "time" else "least energy", fontsize=9, fontweight="normal", pad=3)


def _legend(figure: Figure, found: LightComparison, height: float) -> None:
    names = [Line2D([], [], label=contender_name(each), **_look(found, each)) for each in found.contenders]
    bound = Line2D([], [], color="grey", linestyle="--", linewidth=1.0, label="lower bound from ports")
    figure.legend(
        handles=[*names, bound],
        loc="upper center",
        bbox_to_anchor=(0.5, 1 - 0.36 / height),
        ncols=min(len(names) + 1, 7),
        frameon=False,
        fontsize=8.5,
        columnspacing=1.3,
        handlelength=2.6,
    )
    kilowatts = [f"{name} {power.total().typical / 1e3:.3g} kW" for name, power in found.powers.items()]
    who = f"{found.endpoints:,} endpoints of {format_quantity(found.rate, 'rate')}"
    title = f"Circuits or packets: {who} ({', '.join(kilowatts)})"
    figure.text(0.5, 1 - 0.08 / height, title, ha="center", va="top", fontsize=12, weight="bold")


def plot_light(found: LightComparison) -> Figure:
    """Draw time and energy against size for both collectives, and bands that show the winner.

    Parameters
    ----------
    found : LightComparison

    Returns
    -------
    matplotlib.figure.Figure
        1,200 pixels wide at 100 dpi.
    """
    band, gap = 0.2 * len(found.changes), 0.32
    # From the top, in inches: head, three panels, two bands, foot.
    tall = [*(height for _, _, height in _PANELS), band, band]
    tops = (1.05 + np.concatenate([[0.0], np.cumsum(np.array(tall[:-1]) + gap)])).tolist()
    height = tops[-1] + band + 0.75
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, height), dpi=100)
        for column, collective in enumerate(COLLECTIVES):
            left = (0.85 + 5.95 * column) / 12
            boxes = [
                (left, (height - top - each) / height, 5.0 / 12, each / height)
                for top, each in zip(tops, tall, strict=True)
            ]
            for box, (what, title, _) in zip(boxes, _PANELS, strict=False):
                axes = figure.add_axes(box)
                _curves(axes, found, collective, what)
                axes.set_title(f"{collective_title(collective)}: {title}")
            for box, by in zip(boxes[len(_PANELS) :], ("time", "energy"), strict=True):
                axes = figure.add_axes(box)
                _band(axes, found, collective, by, labels=by == "energy")
                if column == 0 and by == "time":
                    axes.set_ylabel("time of a change", fontsize=8)
            axes.set_xlabel("vector" if collective == "all_reduce" else "what one endpoint sends")
        _legend(figure, found, height)
        note = "Bands: the best of fat-tree, torus and circuits of that change; pale: another is within 5 %"
        figure.text(0.5, 0.12 / height, note, ha="center", va="bottom", fontsize=8.5, color="0.3")
    return figure
