"""Pictures of serving runs: goodput over time, where requests are, latencies, load curves."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, PercentFormatter

from topo_sim.base import format_quantity
from topo_sim.report.plots import COLOURS, MARKERS, STYLE
from topo_sim.studies.serving import LoadCurve
from topo_sim.studies.serving_run import ServingRun

__all__ = ["plot_load_curve", "plot_serving"]

_BLUE, _RED, _GREEN, _PINK, _AMBER, _SKY = COLOURS[:6]
_PLACES = (
    ("waiting", "waiting for prefill", _RED),
    ("prefill", "prefill", _AMBER),
    ("handover", "waiting for room to decode", _PINK),
    ("transfer", "KV on its way", "#444444"),
    ("decode", "decode", _BLUE),
)
_MOST_POINTS = 2000
_FEW = 5
_NARROW = 200.0  # from here on, powers of ten are labels enough


def _seconds(value: float, _: object = None) -> str:
    return format_quantity(value, "time", 3)


def _ticks(axis: Axis, low: float, high: float) -> None:
    """Label a logarithmic axis of times at round numbers."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < _NARROW * low else (1.0,)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(_seconds))


def _outages(axes: Axes, run: ServingRun, end: float) -> None:
    """Mark every failure, and draw at the foot how many instances stand."""
    seen = run.outages[run.outages[:, 1] < end]
    if not len(seen):
        return
    until = seen[:, 2][seen[:, 2] < end]
    times = np.concatenate([[0.0], seen[:, 1], until, [end]])
    turns = np.concatenate([[0], np.ones(len(seen)), -np.ones(len(until)), [0]])
    order = np.argsort(times, kind="stable")
    down = np.cumsum(turns[order])
    foot = axes.twinx()
    foot.fill_between(times[order], down, step="post", color=_RED, alpha=0.45, linewidth=0)
    foot.set_ylim(0, 5 * max(float(down.max()), 1.0))
    foot.set_yticks(range(int(down.max()) + 1) if down.max() < _FEW else [0, int(down.max())])
    foot.tick_params(axis="y", colors=_RED, labelsize=7)
    foot.grid(visible=False)
    foot.set_ylabel("instances down", color=_RED, y=0.1, ha="center", fontsize=8)
    for k, begin in enumerate(seen[:, 1]):
        label = f"a failure stops an instance ({len(seen)})" if k == 0 else None
        axes.axvline(begin, color=_RED, linewidth=0.9, linestyle=(0, (4, 2)), zorder=2, label=label)


def _legend(axes: Axes, **more: Any) -> None:
    axes.legend(frameon=True, framealpha=0.85, edgecolor="none", fontsize=8, **more)


def _over_time(axes: Axes, run: ServingRun, rows: list[dict[str, float]]) -> None:
    begin = np.array([row["begin_s"] for row in rows])
    edges = np.append(begin, rows[-1]["end_s"])

    def step(name: str, label: str, **look: Any) -> None:
        values = np.array([row[name] for row in rows])
        axes.step(edges, np.append(values, values[-1]), where="post", label=label, **look)

    step("arrivals_per_s", "arrivals", color="0.55", linewidth=1.0, linestyle=(0, (2, 1.5)), zorder=2)
    step("finished_per_s", "finished", color=_SKY, linewidth=1.3, zorder=3)
    step("goodput_per_s", "goodput: finished within both limits", color=_GREEN, linewidth=1.8, zorder=4)
    _outages(axes, run, edges[-1])
    axes.set_xlim(0, edges[-1])
    axes.set_ylim(0, axes.get_ylim()[1] * 1.35)
    axes.set_xlabel("time, s")
    axes.set_ylabel("requests per second")
    axes.set_title("Goodput over time")
    _legend(axes, loc="upper left", ncols=2)


def _places(axes: Axes, run: ServingRun, rows: list[dict[str, float]]) -> None:
    begin = np.array([row["begin_s"] for row in rows])
    edges = np.append(begin, rows[-1]["end_s"])
    base = np.zeros(len(rows))
    for name, label, colour in _PLACES:
        values = np.array([row[f"in_{name}"] for row in rows])
        if not values.any():
            continue
        top = base + values
        low, high = np.append(base, base[-1]), np.append(top, top[-1])
        axes.fill_between(edges, low, high, step="post", color=colour, alpha=0.8, linewidth=0, label=label)
        base = top
    axes.set_xlim(0, edges[-1])
    axes.set_ylim(0, max(float(base.max()), 1.0) * 1.3)
    axes.set_xlabel("time, s")
    axes.set_ylabel("requests, mean of each bin")
    right = axes.twinx()
    tokens = np.array([row["tokens_per_s"] for row in rows])
    right.step(edges, np.append(tokens, tokens[-1]), where="post", color="black", linewidth=1.2)
    right.set_ylim(0, max(float(tokens.max()), 1.0) * 1.3)
    right.set_ylabel("tokens per second (black line)")
    right.grid(visible=False)
    axes.set_title("Where requests are, and tokens sent")
    _legend(axes, loc="upper left", ncols=3)


def _cdf(axes: Axes, values: np.ndarray, **look: Any) -> None:
    found = np.sort(values[np.isfinite(values) & (values > 0)])
    if found.size == 0:
        return
    at = np.unique(np.round(np.linspace(0, found.size - 1, min(found.size, _MOST_POINTS))).astype(int))
    axes.plot(found[at], (at + 1) / found.size, **look)


def _limit(axes: Axes, value: float, label: str) -> None:
    axes.axvline(value, color="#444444", linestyle="--", linewidth=1.1, label=label, zorder=2)


def _distributions(left: Axes, right: Axes, run: ServingRun) -> None:
    served, kept = run.served, run.counted
    _cdf(left, served.ttft[kept], color=_BLUE, linewidth=1.8, label="served", zorder=4)
    _cdf(left, run.alone.ttft[kept], color=_BLUE, linewidth=1.2, linestyle=":", zorder=3,
         label="alone, at the roofline")  # fmt: skip
    _limit(left, run.slo.ttft, f"limit {_seconds(run.slo.ttft)}")
    left.set_title("Time to first token (TTFT)")
    several = kept & (served.requests.output > 1)
    _cdf(right, served.tbt[several], color=_BLUE, linewidth=1.8, label="mean of an answer", zorder=4)
    _cdf(right, served.longest_gap[several & served.finished], color=_AMBER, linewidth=1.5,
         label="longest of an answer", zorder=4)  # fmt: skip
    _cdf(right, run.alone.tbt[several], color=_BLUE, linewidth=1.2, linestyle=":", zorder=3,
         label="alone, at the roofline")  # fmt: skip
    name = "on every one" if run.strict else "on the mean"
    _limit(right, run.slo.tbt, f"limit {_seconds(run.slo.tbt)} {name}")
    right.set_title("Time between tokens (TBT)")
    for axes in (left, right):
        axes.set_xscale("log")
        _ticks(axes.xaxis, *axes.get_xlim())
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_ylim(0, 1.02)
        axes.set_ylabel("requests up to here")
        _legend(axes, loc="best")


def plot_serving(run: ServingRun) -> Figure:
    """Draw a serving run: goodput over time with failures, where requests are, TTFT and TBT.

    Parameters
    ----------
    run : ServingRun

    Returns
    -------
    matplotlib.figure.Figure
        1,200 pixels wide at 100 dpi.
    """
    import matplotlib as mpl

    rows = run.over_time()
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, 8.2), dpi=100, layout="constrained")
        panels = figure.subplots(2, 2)
        _over_time(panels[0, 0], run, rows)
        _places(panels[0, 1], run, rows)
        _distributions(panels[1, 0], panels[1, 1], run)
        pools = ", ".join(f"{p.instances} x {p.layout} {_does(p.name)}" for p in run.pools)
        title = f"{run.model} on {run.gpus} {run.gpu} over {run.network}: {pools}"
        figure.suptitle(title, fontsize=12, fontweight="bold")
        share = f"{run.attained:.1%} of {int(run.counted.sum()):,} requests within both limits"
        rate = f"{run.rate:.3g} requests/s" if np.isfinite(run.rate) else "all requests at once"
        figure.supxlabel(f"{run.workload}: {rate}, {share}; {run.throughput:,.0f} tokens/s", fontsize=9)
    return figure


def _does(pool: str) -> str:
    return {"prefill": "that prefill", "decode": "that decode"}.get(pool, "that do both")


def plot_load_curve(curve: LoadCurve) -> Figure:
    """Draw goodput and latencies against load.

    Parameters
    ----------
    curve : LoadCurve

    Returns
    -------
    matplotlib.figure.Figure
        1,200 pixels wide at 100 dpi.
    """
    import matplotlib as mpl

    runs, first = curve.runs, curve.runs[0]
    rates = np.array([run.rate for run in runs])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, 4.6), dpi=100, layout="constrained")
        left, middle, right = figure.subplots(1, 3)
        top = max(float(rates.max()), first.capacity.rate) * 1.05
        left.plot([0, top], [0, top], color="0.6", linewidth=1.0, linestyle=(0, (2, 1.5)), label="all")
        left.plot(rates, [run.goodput for run in runs], color=_GREEN, marker=MARKERS[0], markersize=4,
                  linewidth=1.8, label="within both limits", zorder=4)  # fmt: skip
        left.axvline(first.capacity.rate, color="#444444", linestyle="--", linewidth=1.1,
                     label=f"capacity at most ({first.capacity.binds})")  # fmt: skip
        left.set_xlim(0, top)
        left.set_ylim(0, top)
        left.set_ylabel("goodput, requests per second")
        left.set_title("Goodput against load")
        for axes, name, limit in ((middle, "ttft", first.slo.ttft), (right, "gaps", first.slo.tbt)):
            for k, p in enumerate(("p50", "p90", "p99")):
                values = [(run.gaps if name == "gaps" else run.percentiles(name))[p] for run in runs]
                axes.plot(
                    rates, values, color=COLOURS[k], marker=MARKERS[k], markersize=4, linewidth=1.4, label=p
                )
            axes.axhline(
                limit, color="#444444", linestyle="--", linewidth=1.1, label=f"limit {_seconds(limit)}"
            )
            axes.set_yscale("log")
            _ticks(axes.yaxis, *axes.get_ylim())
            axes.set_xlim(0, top)
        middle.set_title("Time to first token (TTFT)")
        right.set_title("Time between tokens (TBT), all tokens")
        for axes in (left, middle, right):
            axes.set_xlabel("arrivals, requests per second")
            _legend(axes, loc="best")
        pools = ", ".join(f"{p.instances} x {p.layout} {_does(p.name)}" for p in first.pools)
        figure.suptitle(
            f"{first.model} on {first.gpus} {first.gpu} over {first.network}: {pools}", fontsize=12,
            fontweight="bold",
        )  # fmt: skip
    return figure
