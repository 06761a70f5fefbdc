"""Pictures of a comparison."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from topo_sim.base import format_quantity
from topo_sim.collectives import COLLECTIVES
from topo_sim.report.formats import write_bytes
from topo_sim.studies import Comparison
from topo_sim.studies.best import carries_bytes
from topo_sim.studies.compare import Compared

__all__ = ["plot_comparison", "save_figure"]

# Okabe and Ito's palette: told apart with any colour vision; markers and dashes tell them apart in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
MARKERS = "osD^vPX*"
_FEW_SIZES = 6
_LEAST_RANGE = 1.25
_NARROW = 100.0  # from here on, powers of ten are labels enough
_MOST_TICKS = 6
STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "svg.fonttype": "none",
    "svg.hashsalt": "topo-sim",
}


def _look(i: int) -> dict[str, Any]:
    shape = MARKERS[(i + i // len(COLOURS)) % len(MARKERS)]
    return {"color": COLOURS[i % len(COLOURS)], "marker": shape, "markersize": 4, "linewidth": 1.4}


def _size_axis(axes: Axes, sizes: np.ndarray, zero: bool) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xlim(sizes[0] / 1.3, sizes[-1] * 1.3)
    first = int(np.ceil(np.log2(sizes[0])))
    step = 4 if sizes.size > 12 else 2 if sizes.size > _FEW_SIZES else 1
    ticks = 2.0 ** np.arange(first, np.log2(sizes[-1]) + 1, step)
    axes.set_xticks(ticks, [format_quantity(t, "size") for t in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    left_out = "; 0 B has no place on a logarithmic axis" if zero else ""
    axes.set_xlabel(f"message size (as nccl-tests counts it{left_out})")


def _value_axis(axes: Axes) -> None:
    """Logarithmic, with labels at round numbers where powers of ten would be too few."""
    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(NullLocator())
    low, high = axes.get_ylim()
    if high < low * _LEAST_RANGE:
        middle = float(np.sqrt(low * high))
        low, high = middle / _LEAST_RANGE, middle * _LEAST_RANGE
    tens = 10.0 ** np.arange(np.ceil(np.log10(low)), np.floor(np.log10(high)) + 1)
    ticks = tens[:: -(-tens.size // _MOST_TICKS) or 1]
    if high < low * _NARROW:
        around = 10.0 ** np.arange(np.floor(np.log10(low)), np.log10(high) + 1)
        round_ones = np.multiply.outer(around, (1, 2, 5)).ravel()
        ticks = round_ones[(round_ones >= low) & (round_ones <= high)]
        ticks = ticks if ticks.size > _MOST_TICKS // 2 else np.asarray(MaxNLocator(5).tick_values(low, high))
    axes.set_yticks([tick for tick in ticks.tolist() if low <= tick <= high])
    axes.set_ylim(low, high)


def _curves(axes: Axes, comparison: Comparison, collective: str, what: str) -> None:
    sizes = np.array([size for size in comparison.curve if size > 0])
    for i, fabric in enumerate(comparison.fabrics):
        costs = [comparison.cost(fabric, collective, size) for size in sizes]
        time, least = np.array([c.time for c in costs]), np.array([c.lower_bound for c in costs])
        if not time.all():
            continue
        factor = COLLECTIVES[collective].busbw_factor(costs[0].ranks)
        value, bound = (time, least) if what == "time" else (sizes / time * factor, sizes / least * factor)
        if what == "busbw":
            value, bound = value / 1e9, bound / 1e9
        look = _look(i)
        axes.plot(sizes, value, label=fabric.name, markevery=2, zorder=3, **look)
        axes.plot(sizes, bound, color=look["color"], linestyle="--", linewidth=0.9, alpha=0.75, zorder=2)
    _size_axis(axes, sizes, 0.0 in comparison.sizes)
    _value_axis(axes)
    title = COLLECTIVES[collective].title
    if what == "time":
        axes.set_title(f"{title}: time of the best algorithm")
        axes.set_ylabel("time")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: format_quantity(v, "time")))
    else:
        axes.set_title(f"{title}: bus bandwidth of the best algorithm")
        axes.set_ylabel("bus bandwidth (GB/s)")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))


def _without_bytes(axes: Axes, collective: str) -> None:
    axes.set_axis_off()
    text = f"{COLLECTIVES[collective].title}: no bytes, no bandwidth"
    axes.text(0.5, 0.5, text, ha="center", va="center", color="0.4", transform=axes.transAxes)


def _bars(
    axes: Axes,
    comparison: Comparison,
    title: str,
    value: Callable[[Compared], tuple[float, float] | None],
    label: Callable[[float], str],
) -> None:
    """Horizontal bars up to the lower value; a hatched part up to the upper one where they differ."""
    names = [fabric.name for fabric in comparison.fabrics]
    given = [value(fabric) for fabric in comparison.fabrics]
    pairs = [pair or (0.0, 0.0) for pair in given]
    colours = [_look(i)["color"] for i in range(len(names))]
    most = max([high for _, high in pairs] + [1e-12])
    rows = np.arange(len(names))
    axes.barh(rows, [low for low, _ in pairs], color=colours, height=0.7, zorder=3)
    for row, (low, high) in enumerate(pairs):
        if high > low:
            part = axes.barh(
                row, high - low, left=low, height=0.7, color="white", edgecolor=colours[row], zorder=3
            )
            part[0].set(hatch="////", alpha=0.45)
        text = label(high) if label(high) == label(low) else f"{label(low)} .. {label(high)}"
        text = text if given[row] is not None else "not known"
        axes.text(high + most * 0.02, row, text, va="center", fontsize=8)
    axes.set_yticks(rows, names)
    axes.invert_yaxis()
    axes.set_xlim(0, most * 1.45)
    axes.set_xticks([])
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.set_title(title)


def plot_comparison(comparison: Comparison) -> Figure:
    """Draw a comparison: time and bus bandwidth against size, and bars of the scalars.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    matplotlib.figure.Figure
        1,200 pixels wide at 100 dpi.
    """
    import matplotlib as mpl

    rows = len(comparison.collectives)
    legend_rows = -(-(len(comparison.fabrics) + 1) // 3)
    bar_rows = 0.28 * len(comparison.fabrics) + 0.1
    # Heights in inches from the top: title and legend, a row per collective, the bars, the foot.
    head, panel, gap = 0.65 + 0.22 * legend_rows, 2.9, 0.75
    bar_gap = 0.42
    height = head + rows * (panel + gap) + 2 * bar_rows + bar_gap + 0.2
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, height), dpi=100)
        _legend(figure, comparison, 1 - 0.12 / height)
        for r, collective in enumerate(comparison.collectives):
            bottom = height - head - (r + 1) * panel - r * gap
            for column, what in enumerate(("time", "busbw")):
                box = ((0.85 + 6.0 * column) / 12, bottom / height, 5.0 / 12, (panel - 0.15) / height)
                axes = figure.add_axes(box)
                if what == "time" or carries_bytes(collective):
                    _curves(axes, comparison, collective, what)
                else:
                    _without_bytes(axes, collective)
        for i, (title, value, label) in enumerate(_bar_panels(comparison)):
            row, column = divmod(i, BAR_COLUMNS)
            bottom = 0.15 + (1 - row) * (bar_rows + bar_gap)
            box = ((1.45 + 3.5 * column) / 12, bottom / height, 3.2 / 12, bar_rows / height)
            axes = figure.add_axes(box)
            _bars(axes, comparison, title, value, label)
            if column:
                axes.set_yticks([])
    return figure


Bar = tuple[str, Callable[[Compared], tuple[float, float] | None], Callable[[float], str]]
BAR_COLUMNS = 3


def _bar_panels(comparison: Comparison) -> list[Bar]:
    """Title, value and label of each group of bars."""
    equal = all(fabric.h100_equivalents for fabric in comparison.fabrics)
    return [
        ("bisection per endpoint (GB/s)", lambda f: _giga(f.metrics.bisection_per_endpoint), "{:.4g}".format),
        ("mean hops between endpoints", lambda f: (f.metrics.hops.mean,) * 2, "{:.2f}".format),
        ("diameter (hops)", lambda f: (f.metrics.hops.diameter,) * 2, "{:.0f}".format),
        ("cables and fibres", lambda f: (f.metrics.cables,) * 2, "{:,.0f}".format),
        (
            f"network power (W per {'H100' if equal else 'endpoint'})",
            lambda f: _watts(f, equal),
            "{:,.3g}".format,
        ),
        ("energy of uniform traffic (pJ/b)", _picojoules, "{:,.3g}".format),
    ]


def _watts(fabric: Compared, equal: bool) -> tuple[float, float] | None:
    if fabric.power.total is None:
        return None
    share = fabric.h100_equivalents if equal and fabric.h100_equivalents else fabric.metrics.endpoints
    return (fabric.power.total.typical / share,) * 2


def _picojoules(fabric: Compared) -> tuple[float, float] | None:
    bit = fabric.power.energy_per_bit
    return None if bit is None else (bit.typical * 1e12,) * 2


def _giga(pair: tuple[float, float]) -> tuple[float, float]:
    return pair[0] / 1e9, pair[1] / 1e9


def _legend(figure: Figure, comparison: Comparison, top: float) -> None:
    compute = {fabric.h100_equivalents for fabric in comparison.fabrics}
    one = next(iter(compute)) if len(compute) == 1 else None
    equal = f", {one:g} H100s of compute each" if one is not None else ""
    plural = "s" if len(comparison.fabrics) > 1 else ""
    title = f"{len(comparison.fabrics)} fabric{plural}{equal}"
    figure.text(0.5, top, title, ha="center", va="top", fontsize=13, fontweight="bold")
    handles = [
        Line2D([], [], label=f"{f.name} ({f.metrics.endpoints:,} endpoints, {f.routing})", **_look(i))
        for i, f in enumerate(comparison.fabrics)
    ]
    bound: dict[str, Any] = {"color": "grey", "linestyle": "--", "linewidth": 0.9}
    handles.append(Line2D([], [], label="lower bound on time of that fabric", **bound))
    below = top - 0.25 / figure.get_figheight()
    figure.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.5, below), ncols=3, frameon=False, fontsize=9
    )


def save_figure(figure: Figure, path: str | Path) -> None:
    """Save a figure; the suffix says the format. Equal figures make equal files.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : str or Path
        Ends in .png, .svg or .pdf.
    """
    import matplotlib as mpl

    kind = Path(path).suffix.lstrip(".")
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        metadata = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
        figure.savefig(buffer, format=kind, metadata=metadata)
    write_bytes(path, buffer.getvalue())
