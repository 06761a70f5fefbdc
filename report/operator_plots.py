"""Pictures of operators: under their roofline, and modelled against measured."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator, PercentFormatter
from numpy.typing import NDArray

from topo_sim.base import format_quantity
from topo_sim.inference.operators import LIMITS
from topo_sim.report.operators import scaled
from topo_sim.report.plots import COLOURS, MARKERS, STYLE
from topo_sim.studies.operator_checks import WholeCheck
from topo_sim.studies.operator_fit import OperatorFit
from topo_sim.studies.operators import OperatorReport, OperatorRow

__all__ = ["plot_operator_fit", "plot_roofline", "plot_whole"]

_BAND = 0.1  # drawn around perfect agreement
_MOST_BARS = 14
_NAMED = 0.01  # share of the time from which a point has its name
_GAP = 0.055  # between labels, in shares of the axis


def _spread(heights: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    """Move labels apart, downwards, in their order."""
    placed, last = np.empty_like(heights), np.inf
    for i in np.argsort(-heights):
        last = placed[i] = min(heights[i], last - least)
    return placed


def _clusters(x: NDArray[np.float64]) -> list[NDArray[np.intp]]:
    """Put points together whose neighbours are less than a factor of four away."""
    order = np.argsort(x)
    cuts = np.flatnonzero(np.diff(np.log(x[order])) > np.log(4)) + 1
    return np.split(order, cuts)


def _roofs(axes: Axes, report: OperatorReport, forms: list[str], span: tuple[float, float]) -> None:
    x = np.geomspace(*span, 400)
    for form, style in zip(forms, ("-", "--", ":", "-."), strict=False):
        peak = report.device.peak(form)
        axes.plot(x, np.minimum(x * report.device.memory_bandwidth, peak), style, color="0.25", linewidth=1.3)
        axes.annotate(
            f"{form}\n{scaled(peak, 'FLOP/s', 3)}", (span[1], peak), xytext=(4, 0),
            textcoords="offset points", ha="left", va="center", fontsize=8, color="0.25",
            annotation_clip=False,
        )  # fmt: skip
    ridge = max(report.device.peak(form) for form in forms) / report.device.memory_bandwidth
    at = np.sqrt(span[0] * ridge)
    axes.annotate(
        f"memory {format_quantity(report.device.memory_bandwidth, 'rate', 3)}",
        (at, at * report.device.memory_bandwidth), xytext=(-6, 4), textcoords="offset points",
        ha="right", va="bottom", fontsize=8, color="0.25",
    )  # fmt: skip


def _names(
    axes: Axes, rows: list[OperatorRow], x: NDArray[np.float64], y: NDArray[np.float64], tall: float
) -> None:
    """Write names to the right of their points, in one column for all that are close."""
    for mine in _clusters(x):
        heights = _spread(np.log10(y[mine]), _GAP * tall)
        for i, height in zip(mine, heights, strict=True):
            axes.annotate(
                rows[i].name, (x[i], y[i]), xytext=(x[mine].max() * 2, 10**height),
                ha="left", va="center", fontsize=8,
                arrowprops={"arrowstyle": "-", "color": "0.65", "linewidth": 0.6, "shrinkA": 1, "shrinkB": 3},
            )  # fmt: skip


def _bars(rows: list[OperatorRow]) -> list[tuple[str, float, float, str]]:
    """Sum time and roofline by name, the many small ones together; shortest first."""
    sums: dict[str, tuple[float, float, str]] = {}
    for row in rows:
        time, bound, _ = sums.get(row.name, (0.0, 0.0, ""))
        sums[row.name] = time + row.runs * row.time, bound + row.runs * row.bound, row.limit
    order = sorted(((name, *each) for name, each in sums.items()), key=lambda each: -each[1])
    if len(order) > _MOST_BARS:
        rest = order[_MOST_BARS - 1 :]
        order = order[: _MOST_BARS - 1]
        time, bound = sum(each[1] for each in rest), sum(each[2] for each in rest)
        order.append((f"{len(rest)} others", time, bound, rest[0][3]))
    return order[::-1]


def _shares(axes: Axes, rows: list[OperatorRow], total: float) -> None:
    """Bars: the time of all runs of each operator, and the part of it that is the roofline's."""
    bars = _bars(rows)
    y = np.arange(len(bars))
    time, bound = (np.array([each[i] for each in bars]) * 1e3 for i in (1, 2))
    colours = [COLOURS[LIMITS.index(each[3])] for each in bars]
    axes.barh(y, time, color=colours, alpha=0.35, height=0.72)
    axes.barh(y, bound, color=colours, height=0.72)
    for at, value in zip(y, time, strict=True):
        axes.annotate(
            f"{value / 1e3 / total:.1%}", (value, at), xytext=(3, 0), textcoords="offset points",
            va="center", fontsize=7.5,
        )  # fmt: skip
    axes.set_yticks(y, [each[0] for each in bars])
    axes.set_xlim(0, time.max() * 1.16)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("time in the pass, ms (full colour: roofline)")
    axes.set_title("Where the time goes")


def plot_roofline(report: OperatorReport) -> Figure:
    """Draw the operators of a pass under the roofline of their GPU, and their shares of the time.

    Parameters
    ----------
    report : OperatorReport

    Returns
    -------
    Figure
    """
    from matplotlib import rc_context

    rows = [row for row in report.operators if row.time > 0]
    products = [row for row in rows if row.flops > 0]
    with rc_context(STYLE):
        figure = Figure(figsize=(11, 4.9), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.45, 1))
        x = np.array([row.flops / row.bytes for row in products])
        y = np.array([row.flops / row.time for row in products])
        forms = sorted({row.form for row in products}, key=report.device.peak, reverse=True)
        span = (min(x.min() / 3, 1.0), max(x.max() * 8, 2e3))
        low, high = y.min() / 6, max(report.device.peak(form) for form in forms) * 2.2
        _roofs(left, report, forms, span)
        for i, limit in enumerate(LIMITS):
            mine = [j for j, row in enumerate(products) if row.limit == limit]
            left.plot(x[mine], y[mine], MARKERS[i], color=COLOURS[i], markersize=6, label=f"limit: {limit}")
        total = report.total("time")
        big = np.array([row.runs * row.time > _NAMED * total for row in products])
        named = [row for row, is_big in zip(products, big, strict=True) if is_big]
        _names(left, named, x[big], y[big], np.log10(high / low))
        left.set(xscale="log", yscale="log", xlim=span, ylim=(low, high))
        left.yaxis.set_major_formatter(FuncFormatter(lambda v, _: scaled(v, "FLOP/s")))
        left.set_xlabel("arithmetic per byte of memory traffic, FLOP/B")
        left.set_title("Operators under the roofline")
        left.legend(loc="lower right", frameon=False)
        _shares(right, rows, total)
        cut = f"TP {report.tp}" + (f", EP {report.ep}" if report.ep > 1 else "")
        figure.suptitle(
            f"{report.model.name} on {report.device.name}, {cut}, {report.phase} of {report.batch} x "
            f"{report.context}, {report.precision.name}",
            fontweight="bold",
        )
    return figure


def _scatter(axes: Axes, fit: OperatorFit, groups: list[tuple[str, NDArray[np.bool_]]]) -> None:
    measured, modelled = fit.measured.times, fit.modelled
    ends = np.array([min(measured.min(), modelled.min()) / 1.5, max(measured.max(), modelled.max()) * 1.5])
    axes.fill_between(ends, ends * (1 - _BAND), ends * (1 + _BAND), color="0.88", label=f"within {_BAND:.0%}")
    axes.plot(ends, ends, color="0.3", linewidth=0.9)
    for i, (text, part) in enumerate(groups):
        look: dict[str, Any] = {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)]}
        axes.plot(
            measured[part], modelled[part], linestyle="none", markersize=4, alpha=0.75, label=text, **look
        )
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda v, _: format_quantity(v, "time")))
        axis.set_minor_locator(NullLocator())
    axes.set_xlabel("measured")
    axes.set_ylabel("modelled")
    axes.legend(frameon=False, loc="upper left")
    overall = fit.errors[0]
    what = "" if fit.fitted else "constants as given: "
    axes.set_title(f"{what}median {overall.median:.1%}, 90 % within {overall.p90:.1%}")


def _residuals(axes: Axes, fit: OperatorFit, groups: list[tuple[str, NDArray[np.bool_]]]) -> None:
    error = fit.modelled / fit.measured.times - 1
    axes.axhspan(-_BAND, _BAND, color="0.92")
    axes.axhline(0, color="0.3", linewidth=0.9)
    for i, (_, part) in enumerate(groups):
        part = part & (fit.measured.op != "copy")
        shift = 1.13 ** (i - (len(groups) - 1) / 2)
        axes.plot(
            fit.measured.m[part] * shift, error[part], linestyle="none", markersize=3.5, alpha=0.75,
            color=COLOURS[i % len(COLOURS)], marker=MARKERS[i % len(MARKERS)],
        )  # fmt: skip
    axes.set_xscale("log")
    ticks = np.unique(fit.measured.m[(fit.measured.op != "copy")])
    ticks = ticks[np.concatenate([[True], np.diff(np.log(ticks)) > 0.45])]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks], rotation=45)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    most = max(0.22, float(np.abs(error).max()) * 1.1)
    axes.set_ylim(-most, most)
    axes.set_xlabel("tokens (rows of the product)")
    axes.set_ylabel("modelled / measured - 1")
    axes.set_title("Error by number of tokens")


def _held(axes: Axes, fit: OperatorFit) -> None:
    shown = [each for each in fit.errors if each.held_out] or list(fit.errors[1:])
    y = np.arange(len(shown))[::-1]
    axes.hlines(y, [e.median for e in shown], [e.p90 for e in shown], color="0.7", linewidth=2.4, zorder=1)
    axes.plot([e.median for e in shown], y, "o", color=COLOURS[0], markersize=5, label="median")
    axes.plot([e.p90 for e in shown], y, "D", color=COLOURS[1], markersize=4.5, label="90th percentile")
    axes.set_yticks(y, [e.part for e in shown], fontsize=8)
    axes.set_xlim(0, max(0.12, *(e.p90 * 1.12 for e in shown)))
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlabel("|modelled / measured - 1|")
    axes.grid(axis="y", visible=False)
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.35, -0.13), ncols=2)
    held = any(each.held_out for each in fit.errors)
    axes.set_title("Rows that the fit did not see" if held else "Errors by part")


def plot_operator_fit(fit: OperatorFit) -> Figure:
    """Draw modelled against measured times, errors by tokens, and errors of the parts held out.

    Parameters
    ----------
    fit : OperatorFit

    Returns
    -------
    Figure
    """
    from matplotlib import rc_context

    rows, overall = fit.measured, fit.errors[0].rows
    groups = [
        (f"products, {form}", (rows.form == form) & (rows.n > 1))
        for form in sorted(set(rows.form[rows.n > 1]))
    ]
    groups += [("attention", rows.batch > 0), ("copy", rows.op == "copy")]
    groups = [(text, part) for text, part in groups if part.any()]
    with rc_context(STYLE):
        figure = Figure(figsize=(13, 5.0), layout="constrained")
        first, second, third = figure.subplots(1, 3, width_ratios=(1, 1.1, 0.8))
        _scatter(first, fit, groups)
        _residuals(second, fit, groups)
        _held(third, fit)
        figure.suptitle(f"{overall} measured operators, {fit.name} on {fit.device.name}", fontweight="bold")
    return figure


def plot_whole(check: WholeCheck) -> Figure:
    """Draw measured values beside the model and the roofline.

    Parameters
    ----------
    check : WholeCheck

    Returns
    -------
    Figure
    """
    from matplotlib import rc_context

    y = np.arange(len(check.values))[::-1]
    with rc_context(STYLE):
        figure = Figure(figsize=(8, 0.42 * len(y) + 1.6), layout="constrained")
        axes = figure.subplots()
        axes.barh(y + 0.2, [row.measured for row in check.values], 0.38, color="0.6", label="measured")
        axes.barh(y - 0.2, [row.modelled for row in check.values], 0.38, color=COLOURS[0], label="modelled")
        known = [(row.bound, at) for row, at in zip(check.values, y, strict=True) if row.bound is not None]
        bound, at = zip(*known, strict=True)
        axes.plot(bound, at, "|", color=COLOURS[1], markersize=17, markeredgewidth=2, label="roofline")
        longest = max(max(row.measured, row.modelled, row.bound or 0.0) for row in check.values)
        for row, here in zip(check.values, y, strict=True):
            end = max(row.measured, row.modelled, row.bound or 0.0)
            axes.annotate(
                f"{row.error:+.1%}", (end, here), xytext=(5, 0), textcoords="offset points", va="center",
                fontsize=8,
            )  # fmt: skip
        axes.set_yticks(y, [row.part for row in check.values])
        axes.set_xlim(0, longest * 1.12)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(check.unit)
        axes.set_title(check.title, loc="left", fontsize=9)
        axes.legend(frameon=False, loc="lower right")
    return figure
