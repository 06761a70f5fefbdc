"""Tables and pictures of a topology co-design."""

from collections import Counter
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from rich.console import Group, RenderableType
from rich.text import Text

from topo_sim.base import format_quantity
from topo_sim.report.plots import COLOURS, STYLE
from topo_sim.report.tables import new_table
from topo_sim.studies import CoDesignStudy

__all__ = ["codesign_tables", "plot_codesign"]

RING, MATCH, LEAST = COLOURS[0], COLOURS[1], "#444444"
_FEW = 20
_MOST_STRIDES = 8


def _time(value: float) -> str:
    return format_quantity(value, "time", 4) if np.isfinite(value) else "no path"


def _strides(strides: tuple[int, ...]) -> str:
    """Write strides in order, repeated ones once with their number, the middle of many left out."""
    count = Counter(strides)
    parts = [f"{stride}x{n}" if n > 1 else f"{stride}" for stride, n in sorted(count.items())]
    if len(parts) > _MOST_STRIDES:
        parts = [*parts[: _MOST_STRIDES - 2], "...", parts[-1]]
    return " ".join(parts) or "-"


def codesign_tables(study: CoDesignStudy) -> RenderableType:
    """Table of all splits, the best marked.

    Parameters
    ----------
    study : CoDesignStudy

    Returns
    -------
    rich renderable
    """
    one = study.design
    total, reduced = (format_quantity(size, "size") for size in (one.demand.total, one.all_reduce))
    table = new_table(
        f"{one.ranks} endpoints of {one.ports} ports of {format_quantity(one.rate, 'rate')}: "
        f"all-reduce of {reduced}, then {one.demand.name} of {total} in all",
        ["rings + matchings", "strides", "diameter", "all-reduce", "rings alone", "demand", "coin change",
         "time", "of bound"],
        left=2,
    )  # fmt: skip
    for split in one.splits:
        best = split is one.best
        table.add_row(
            f"{split.rings} + {split.matchings}" + ("  best" if best else ""),
            _strides(split.strides),
            f"{split.diameter:.0f}" if np.isfinite(split.diameter) else "apart",
            _time(split.all_reduce_time),
            _time(split.rings_time),
            _time(split.demand_time),
            _time(split.routed_time),
            _time(split.time),
            f"{one.bound / split.time:.1%}" if split.time > 0 else "-",
            style="bold" if best else None,
        )
    solved = [split for split in one.splits if 0 < split.demand_time < np.inf]
    gap = max((1 - split.demand_least / split.demand_time for split in solved), default=0.0)
    notes = [
        f"bound: {_time(one.all_reduce_bound)} + {_time(one.demand_bound)}, on any circuits of so many ports",
        f"demand: best splitting, at most {max(gap, 0.0):.1%} above the least over its circuits",
        "rings alone: the all-reduce without the other circuits; coin change: the demand, one way per flow",
    ]
    return Group(table, *(Text(f"  {note}", style="dim") for note in notes))


def _curve(axes: Axes, study: CoDesignStudy) -> None:
    one = study.design
    rings = np.array([split.rings for split in one.splits])
    reduced, sent = (
        np.array([getattr(split, name) for split in one.splits]) * 1e3
        for name in ("all_reduce_time", "demand_time")
    )
    known = np.isfinite(reduced + sent)
    axes.bar(rings[known], reduced[known], color=RING, width=0.72, label="all-reduce", zorder=3)
    axes.bar(
        rings[known], sent[known], bottom=reduced[known], color=MATCH, width=0.72,
        label=one.demand.name.replace("_", " "), zorder=3,
    )  # fmt: skip
    most = float((reduced + sent)[known].max(initial=0.0)) or 1.0
    for x in rings[~known].tolist():
        axes.text(x, most * 0.02, "no path", rotation=90, ha="center", va="bottom", color=LEAST, fontsize=8)
    best = one.best
    if np.isfinite(best.time):
        axes.annotate(
            "best", (best.rings, best.time * 1e3), xytext=(0, 5), textcoords="offset points", ha="center",
            fontweight="bold",
        )  # fmt: skip
    axes.axhline(
        one.bound * 1e3, color=LEAST, linestyle="--", linewidth=1.2, label="bound for any circuits", zorder=4
    )
    axes.set_ylim(0, most * 1.25)
    axes.set_xlabel(f"ports for rings, of {one.ports}")
    axes.set_ylabel("time (ms)")
    axes.xaxis.set_major_locator(_whole())
    axes.grid(visible=False, axis="x")
    axes.set_title("Time of each split", loc="left")
    axes.legend(frameon=False, fontsize=8, loc="upper right", ncols=3, columnspacing=1.2, handlelength=1.6)


def _whole() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(integer=True, nbins=12)


def _circle(axes: Axes, study: CoDesignStudy) -> None:
    one, split = study.design, study.design.best
    angle = np.pi / 2 - 2 * np.pi * np.arange(one.ranks) / one.ranks
    x, y = np.cos(angle), np.sin(angle)
    many = one.ranks > _FEW
    for plane in range(len(split.planes)):
        ring = plane < split.rings
        look: dict[str, Any] = {
            "color": RING if ring else MATCH,
            "linewidth": 0.7 if many else 1.1,
            "alpha": 0.35 if ring else 0.75,
            "zorder": 2 if ring else 3,
        }
        for i, j in enumerate(split.planes[plane].tolist()):
            if i != j:
                axes.add_patch(
                    FancyArrowPatch(
                        (x[i], y[i]),
                        (x[j], y[j]),
                        connectionstyle="arc3,rad=0.12",
                        shrinkA=3,
                        shrinkB=3,
                        arrowstyle="-|>",
                        mutation_scale=5 if many else 8,
                        **look,
                    )
                )
    axes.scatter(x, y, s=30 if many else 60, color="white", edgecolors="black", linewidths=0.9, zorder=5)
    every = max(1, one.ranks // 16)
    for i in range(0, one.ranks, every):
        axes.text(1.1 * x[i], 1.1 * y[i], str(i), ha="center", va="center", fontsize=7, color="0.3")
    axes.plot([], [], color=RING, label=f"{split.rings} rings, strides {_strides(split.strides)}")
    axes.plot([], [], color=MATCH, label=f"{split.matchings} matchings")
    axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=2)
    axes.set_xlim(-1.2, 1.2)
    axes.set_ylim(-1.2, 1.2)
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set_title("Circuits of the best split")


def _mix(axes: Axes, study: CoDesignStudy) -> None:
    """Time over the bound of rings alone, matchings alone and the best split, as the job changes."""
    one, times = study.design, study.mixes()
    axes.set_title("Other jobs: best split and the two ends", loc="left")
    if np.isnan(times[:, 1:-1]).any():
        axes.set_axis_off()
        axes.text(0.5, 0.5, "one phase is empty", ha="center", transform=axes.transAxes, color="0.4")
        return
    share = study.shares * 100
    ends = ((0, MATCH, "matchings alone", "--"), (one.ports, RING, "rings alone", "--"))
    for row, colour, label, dash in ends:
        line = np.where(np.isfinite(times[row]), times[row], np.nan)
        axes.plot(share, line, color=colour, linestyle=dash, linewidth=1.4, label=label, zorder=3)
    best = times.min(axis=0)
    axes.plot(share, best, color="black", linewidth=2.2, label="best split", zorder=4)
    winner = times.argmin(axis=0)
    starts = np.flatnonzero(np.diff(winner, prepend=-1))
    for i, first in enumerate(starts):
        last = starts[i + 1] if i + 1 < len(starts) else len(share) - 1
        if last - first >= 4:
            middle = (first + last) // 2
            axes.annotate(
                str(one.splits[winner[first]].rings), (share[middle], best[middle]), xytext=(0, -12),
                textcoords="offset points", ha="center", fontsize=8,
            )  # fmt: skip
        if i:
            axes.scatter([share[first]], [best[first]], s=14, color="white", edgecolors="black", zorder=5)
    finite = times[np.isfinite(times)]
    axes.set_ylim(0.85, min(float(finite.max()), 2.5 * float(best.max())) * 1.08)
    axes.set_xlim(0, 100)
    axes.set_xlabel("all-reduce, % of the least time (numbers: ring ports of the best split)")
    axes.set_ylabel("time / bound")
    axes.legend(frameon=False, fontsize=8, loc="upper center")


def plot_codesign(study: CoDesignStudy) -> Figure:
    """Draw a co-design: time of each split, the circuits of the best, and what other jobs would choose.

    Parameters
    ----------
    study : CoDesignStudy

    Returns
    -------
    matplotlib.figure.Figure
        1,200 pixels wide at 100 dpi.
    """
    import matplotlib as mpl

    one = study.design
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, 6.4), dpi=100, layout="constrained")
        left, right = figure.subfigures(1, 2, width_ratios=(6.2, 5.8), squeeze=False)[0]
        upper, lower = left.subplots(2, 1)
        _curve(upper, study)
        _mix(lower, study)
        _circle(right.subplots(), study)
        figure.suptitle(
            f"{one.ranks} endpoints of {one.ports} optical ports: all-reduce of "
            f"{format_quantity(one.all_reduce, 'size')} and {one.demand.name.replace('_', ' ')} of "
            f"{format_quantity(one.demand.total, 'size')}",
            x=0.01,
            ha="left",
            fontsize=11,
            fontweight="bold",
        )
    return figure
