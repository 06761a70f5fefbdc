"""Tables and pictures of what the tuner found."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.text import Text

from topo_sim.base import format_quantity
from topo_sim.collectives import COLLECTIVES, CollectiveCost
from topo_sim.report.plots import COLOURS, MARKERS, STYLE
from topo_sim.report.tables import new_table
from topo_sim.studies import TunedRange, Tuning

__all__ = ["plot_tuning", "tuning_tables"]


def _both(one: TunedRange, kind: str, values: Sequence[float]) -> str:
    first, last = (format_quantity(value, kind, 3) for value in values)
    return first if one.first.size == one.last.size else f"{first} .. {last}"


def _share(one: TunedRange) -> str:
    first, last = (
        "below the bound" if cost.below_bound else f"{cost.fraction:.1%}" for cost in (one.first, one.last)
    )
    return first if first == last else f"{first} .. {last}"


def _ranks(result: Tuning) -> str:
    return f"{result.ranks:,} rank{'' if result.ranks == 1 else 's'}"


def _table(result: Tuning) -> RenderableType:
    title = f"Best {COLLECTIVES[result.collective].title} on {result.fabric}: {_ranks(result)}, "
    title += f"{result.routing}, model {result.model}"
    sizes = ["size"] if result.points else ["from", "to", "bytes"]
    table = new_table(
        title, [*sizes, "algorithm", "time", "busbw", "of bound", "lower bound"], len(sizes) + 1
    )
    for one in result.points or result.ranges:
        ends = (one.first, one.last)
        low, high = (int(cost.size) for cost in ends)
        spans = [format_quantity(cost.size, "size") for cost in ends] + [f"{low:,} .. {high:,}"]
        table.add_row(
            *(spans[:1] if result.points else spans),
            one.label,
            _both(one, "time", [cost.time for cost in ends]),
            _both(one, "rate", [cost.busbw for cost in ends]),
            _share(one),
            _both(one, "time", [cost.lower_bound for cost in ends]),
        )
    bounds = sorted(
        {cost.bound for one in (*result.ranges, *result.points) for cost in (one.first, one.last)}
    )
    plural = "" if result.tried == 1 else "s"
    notes = [f"  {result.tried} schedule{plural} considered; lower bound from: {'; '.join(bounds)}"]
    notes += [f"  left out: {text}" for text in result.left_out]
    return Group(table, *(Text(note, style="dim") for note in notes))


def tuning_tables(results: Sequence[Tuning]) -> RenderableType:
    """Tables of tunings: a row per range of sizes, or per size.

    Parameters
    ----------
    results : sequence of Tuning

    Returns
    -------
    rich renderable
    """
    return Group(*(_table(result) for result in results))


def _busbw(size: Any, time: Any, factor: float) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.asarray(size) / np.asarray(time) * factor / 1e9
    return np.where(np.isfinite(rate) & (rate > 0), rate, np.nan)


def _winners(result: Tuning) -> list[TunedRange]:
    return list(result.points or result.ranges)


def _with_ends(
    sizes: NDArray[np.float64], times: NDArray[np.float64], ends: Sequence[CollectiveCost]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Add the ends of ranges to a curve."""
    size, first = np.unique(np.append([cost.size for cost in ends], sizes), return_index=True)
    return size, np.append([cost.time for cost in ends], times)[first]


def _draw(axes: Axes, result: Tuning, colour: dict[str, str]) -> None:
    factor = COLLECTIVES[result.collective].busbw_factor(result.ranks)
    sizes = result.sizes
    ends: list[CollectiveCost] = [cost for one in _winners(result) for cost in (one.first, one.last)]
    for i, (name, times) in enumerate(result.curves.items()):
        mark = MARKERS[i % len(MARKERS)] if result.points else None
        look: dict[str, Any] = {"linewidth": 1.1, "alpha": 0.9, "marker": mark, "markersize": 4}
        at, time = _with_ends(sizes, times, [cost for cost in ends if cost.algorithm == name])
        axes.plot(at, _busbw(at, time, factor), color=colour[name], label=name, zorder=3, **look)
    size, time = _with_ends(sizes, np.min(list(result.curves.values()), axis=0), ends)
    best = _busbw(size, time, factor)
    owner = np.searchsorted([one.first.size for one in _winners(result)], size, side="right") - 1
    for i, one in enumerate(_winners(result)):
        mine = np.flatnonzero(owner == i)
        mine = np.append(mine, mine[-1] + 1) if mine[-1] + 1 < len(size) else mine
        bold: dict[str, Any] = {"linewidth": 3.2, "solid_capstyle": "butt", "zorder": 4}
        axes.plot(size[mine], best[mine], color=colour[one.first.algorithm], **bold)
    for combining, bound in result.bounds.items():
        least = np.array([bound.time(n) for n in sizes.tolist()])
        what = "lower bound on time" + (", switches combining" if combining else "")
        style: dict[str, Any] = {
            "linestyle": ":" if combining and len(result.bounds) > 1 else "--",
            "linewidth": 1.2,
            "color": "#444444",
        }
        axes.plot(sizes, _busbw(sizes, least, factor), label=what, zorder=2, **style)
    _crossovers(axes, result, factor)
    _axes(axes, result)


def _crossovers(axes: Axes, result: Tuning, factor: float) -> None:
    """Mark where another algorithm takes over; where only the options change, a dot without a word."""
    before = None
    for one in result.ranges:
        name, at = one.first.algorithm, one.first.size
        height = float(_busbw(at, one.first.time, factor))
        if before is not None and height == height:
            spot: dict[str, Any] = {"color": "white", "edgecolors": "black", "linewidths": 0.9, "zorder": 6}
            other = name != before
            axes.scatter([at], [height], s=34 if other else 12, **spot)
            if other:
                axes.annotate(
                    format_quantity(at, "size", 3),
                    (at, height),
                    xytext=(-6, 7),
                    ha="right",
                    textcoords="offset points",
                    fontsize=8,
                    zorder=7,
                )
        before = name


def _axes(axes: Axes, result: Tuning) -> None:
    sizes = result.sizes[result.sizes > 0]
    title = COLLECTIVES[result.collective].title
    axes.set_title(f"{title} on {result.fabric}: {_ranks(result)}, model {result.model}", loc="left")
    axes.set_xscale("log", base=2)
    if sizes.size:
        low, high = np.log2(sizes[0]), np.log2(sizes[-1])
        axes.set_xlim(2 ** (low - 0.3), 2 ** (high + 0.3))
        every = max(1, int(np.ceil((high - low) / 12)))
        ticks = 2.0 ** np.arange(np.ceil(low), np.floor(high) + 1, every)
        axes.set_xticks(ticks, [format_quantity(tick, "size") for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    if not any(np.isfinite(line.get_ydata()).any() for line in axes.lines):
        axes.text(0.5, 0.5, "nothing is sent", transform=axes.transAxes, ha="center")
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(
        LogLocator(subs=(1.0,) if _decades(axes) > 1.5 else (1.0, 2.0, 3.0, 5.0, 7.0))
    )
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("message size (as nccl-tests counts it)")
    axes.set_ylabel("bus bandwidth (GB/s)")
    handles = axes.get_legend_handles_labels()[0]
    handles.append(Line2D([], [], color="#888888", linewidth=3.2, label="the fastest of all algorithms"))
    ring: dict[str, Any] = {"color": "white", "markeredgecolor": "black", "linestyle": "none", "marker": "o"}
    if any(changes := [a.first.algorithm != b.first.algorithm for a, b in pairwise(result.ranges)]):
        handles.append(Line2D([], [], markersize=6, label="another algorithm takes over", **ring))
    if not all(changes):
        handles.append(Line2D([], [], markersize=3.5, label="other options of it take over", **ring))
    axes.legend(handles=handles, loc="lower right", frameon=False, fontsize=8)


def _decades(axes: Axes) -> float:
    low, high = axes.get_ylim()
    return float(np.log10(high / low)) if low > 0 else 2.0


def plot_tuning(results: Sequence[Tuning]) -> Figure:
    """Draw tunings: bus bandwidth against size, a curve per algorithm that wins somewhere.

    Parameters
    ----------
    results : sequence of Tuning

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each, 1,000 pixels wide at 100 dpi. The fastest is bold, the lower bound dashed; a ring
        marks the size from which another algorithm is the fastest, a dot other options.
    """
    import matplotlib as mpl

    names = dict.fromkeys(name for result in results for name in result.curves)
    colour = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 4.6 * len(results)), dpi=100, layout="constrained")
        panels = figure.subplots(len(results), 1, squeeze=False)
        for axes, result in zip(panels[:, 0], results, strict=True):
            _draw(axes, result, colour)
    return figure
