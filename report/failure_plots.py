"""Pictures of failures: spares, goodput by policy and over time, a record replayed, parts of a fabric."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from topo_sim.gpus.reliability import Replay, shortage
from topo_sim.report.plots import COLOURS, MARKERS, STYLE
from topo_sim.studies.blast_radius import Resilience
from topo_sim.studies.failures import FailureStudy
from topo_sim.studies.fleets import Fleet

__all__ = ["plot_failures", "plot_replay", "plot_resilience"]

_LEAST = 1e-7  # shares below are drawn here
_DASHES = {"area": (0, ()), "parts": (0, (5, 1.5)), "package": (0, (1.5, 1.2)), "given": (0, ())}


def _look(study: FailureStudy, fleet: Fleet) -> dict[str, Any]:
    """One colour per fleet, and dashes for where its rate comes from."""
    i = next(i for i, other in enumerate(study.fleets) if other is fleet)
    first = fleet.share == 1 and i == 0
    return {"color": COLOURS[i % len(COLOURS)], "linestyle": (0, ()) if first else _DASHES[fleet.end]}


def _percent(value: float, _: object = None) -> str:
    return f"{100 * value:.10g} %"


def _log_shares(axes: Axes, low: float, high: float) -> None:
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(LogLocator(numticks=9))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(_percent))


def _shortage(axes: Axes, study: FailureStudy) -> None:
    """Draw the exact probability that spares run out, against their silicon."""
    most = max(2.0, 1.5 * max(fleet.idle for fleet in study.fleets))
    for i, fleet in enumerate(study.fleets):
        spares = np.arange(min(fleet.cluster.count, int(np.ceil(most / fleet.share))) + 1)
        chance = np.maximum(shortage(fleet.cluster.count, spares, fleet.share_down), 1e-12)
        look = _look(study, fleet)
        axes.plot(
            spares * fleet.share, chance, marker=MARKERS[i], markersize=4, linewidth=1.3, zorder=3, **look
        )
        reached = float(shortage(fleet.cluster.count, fleet.needed, fleet.share_down))
        axes.scatter(
            [fleet.idle], [max(reached, 1e-12)], s=90, facecolors="none", edgecolors=look["color"], zorder=4
        )
    axes.axhline(study.question.risk, color="#444444", linestyle="--", linewidth=1.0, zorder=2)
    label = f"risk {_percent(study.question.risk)}: rings mark the fewest spares below it"
    axes.annotate(label, (0.99, study.question.risk), xycoords=("axes fraction", "data"), xytext=(0, 3),
                  textcoords="offset points", ha="right", fontsize=8, color="#444444", zorder=5,
                  bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 0.5})  # fmt: skip
    axes.set_xlim(-0.03 * most, most * 1.03)
    _log_shares(axes, 1e-6, 1.0)
    axes.set_xlabel(f"silicon of the spares, in {study.fleets[0].gpu}s")
    axes.set_ylabel("probability that spares run out")
    axes.set_title("Availability: more GPUs down than spares")


def _against_spares(axes: Axes, study: FailureStudy) -> None:
    """Draw simulated goodput lost against spares, with its interval."""
    for i, fleet in enumerate(study.fleets):
        points = [point for point in study.curve if point.fleet == fleet.name]
        x = [point.idle for point in points]
        lost = [max(1 - point.life.goodput.mean, _LEAST) for point in points]
        half = [point.life.goodput.half for point in points]
        errors = np.nan_to_num([[min(h, y * 0.999) for h, y in zip(half, lost, strict=True)], half])
        look = _look(study, fleet) | {"marker": MARKERS[i], "markersize": 4, "linewidth": 1.3, "capsize": 2}
        axes.errorbar(x, lost, yerr=errors, zorder=3, **look)
    values = [max(1 - p.life.goodput.mean, _LEAST) for p in study.curve]
    if values:
        _log_shares(
            axes, 10 ** np.floor(np.log10(min(values) * 0.8)), 10 ** np.ceil(np.log10(max(values) * 1.5))
        )
        axes.set_title(f"Goodput lost under {study.curve[0].life.policy.replace('_', ' ')}, simulated")
    axes.set_xlabel(f"silicon of the spares, in {study.fleets[0].gpu}s")
    axes.set_ylabel("work lost of what is possible")


def _by_policy(axes: Axes, study: FailureStudy) -> None:
    """Draw simulated goodput lost by policy, one bar per fleet."""
    policies = list(dict.fromkeys(life.policy for _, life in study.lives))
    width = 0.8 / len(study.fleets)
    bottom = min(max(1 - life.goodput.mean, _LEAST) for _, life in study.lives)
    floor = 10 ** np.floor(np.log10(bottom))
    for i, fleet in enumerate(study.fleets):
        mine = [life for other, life in study.lives if other is fleet]
        at = np.arange(len(mine)) + (i - (len(study.fleets) - 1) / 2) * width
        lost = np.array([max(1 - life.goodput.mean, _LEAST) for life in mine])
        half = np.nan_to_num([life.goodput.half for life in mine])
        look = _look(study, fleet)
        axes.bar(at, lost - floor, width * 0.9, bottom=floor, color=look["color"], alpha=0.85, zorder=3)
        axes.errorbar(at, lost, yerr=[np.minimum(half, lost * 0.999), half], fmt="none", ecolor="#333333",
                      elinewidth=0.9, capsize=2, zorder=4)  # fmt: skip
    spares = {p: [life.cluster.spares for _, life in study.lives if life.policy == p] for p in policies}
    names = []
    for policy in policies:
        counts = f"{', '.join(map(str, spares[policy]))} spares" if any(spares[policy]) else "no spares"
        names.append(f"{policy.replace('_', ' ')}\n{counts}")
    axes.set_xticks(range(len(policies)), names)
    axes.grid(visible=False, axis="x")
    highest = max(1 - life.goodput.mean for _, life in study.lives)
    _log_shares(axes, floor, 10 ** np.ceil(np.log10(max(highest, floor * 2) * 1.2)))
    axes.set_ylabel("work lost of what is possible")
    axes.set_title("Goodput lost by policy, simulated")


def _over_time(axes: Axes, study: FailureStudy) -> None:
    """Draw goodput over time under the first policy, with the band that holds 90 % of the lives."""
    first = study.lives[0][1].policy
    for fleet, life in study.lives:
        if life.policy != first:
            continue
        mean, low, high = life.over_time
        edges = np.linspace(0, life.years, len(mean) + 1)
        look = _look(study, fleet)
        axes.fill_between(edges, np.append(low, low[-1]), np.append(high, high[-1]), step="post",
                          color=look["color"], alpha=0.10, linewidth=0, zorder=2)  # fmt: skip
        axes.step(edges, np.append(mean, mean[-1]), where="post", linewidth=1.3, zorder=3, **look)
    axes.set_xlim(0, study.question.years)
    axes.set_xlabel("years")
    axes.set_ylabel("goodput")
    axes.yaxis.set_major_formatter(FuncFormatter(_percent))
    policy = first.replace("_", " ")
    axes.set_title(f"Goodput over time, policy {policy} (bands hold 90 % of the lives)")


def plot_failures(study: FailureStudy) -> Figure:
    """Draw a comparison of GPU types: spares, goodput against them, by policy and over time.

    Parameters
    ----------
    study : FailureStudy
        With its curve.

    Returns
    -------
    matplotlib.figure.Figure
        1,200 pixels wide at 100 dpi.
    """
    import matplotlib as mpl

    asked = study.question
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, 8.2), dpi=100, layout="constrained")
        panels = figure.subplots(2, 2)
        _shortage(panels[0, 0], study)
        _against_spares(panels[0, 1], study)
        _by_policy(panels[1, 0], study)
        _over_time(panels[1, 1], study)
        hours = asked.repair / 3600
        first = study.fleets[0]
        title = f"Failures of {asked.count:,} {first.gpu} and of equal silicon; {hours:g} h to repair"
        figure.suptitle(title, fontsize=13, fontweight="bold")
        labels = [
            f"{f.name}: {f.cluster.count:,} GPUs in groups of {f.cluster.group}, "
            f"{f.row()['rate_per_year']:.3g} failures/year"
            for f in study.fleets
        ]
        handles = [
            mpl.lines.Line2D([], [], marker=MARKERS[i], markersize=5, linewidth=1.6, label=labels[i],
                             **_look(study, fleet))
            for i, fleet in enumerate(study.fleets)
        ]  # fmt: skip
        figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def plot_replay(result: Replay) -> Figure:
    """Draw a record replayed: causes beside those simulated, and the spread of the total.

    Parameters
    ----------
    result : Replay

    Returns
    -------
    matplotlib.figure.Figure
        1,200 pixels wide at 100 dpi.
    """
    import matplotlib as mpl

    rows = result.rows()[:-1]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, 0.9 + 0.26 * max(len(rows), 12)), dpi=100, layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
        at = np.arange(len(rows))
        left.barh(at, [row["mean"] for row in rows], height=0.72, color=COLOURS[0], alpha=0.8, zorder=2,
                  xerr=[row["deviation"] for row in rows],
                  error_kw={"ecolor": "#333333", "elinewidth": 0.9, "capsize": 2, "zorder": 3})  # fmt: skip
        left.scatter([row["record"] for row in rows], at, marker="D", s=26, color=COLOURS[1], zorder=4)
        left.set_yticks(at, [row["cause"] for row in rows])
        left.invert_yaxis()
        left.grid(visible=False, axis="y")
        left.set_xlabel("interruptions: bars simulated, mean ± standard deviation; diamonds the record")
        left.set_title("Interruptions by cause")
        _histogram(right, result)
        name = f"{result.record.name} replayed: {result.record.devices:,} GPUs, {result.record.days:g} days"
        figure.suptitle(name, fontsize=13, fontweight="bold")
    return figure


def _histogram(axes: Axes, result: Replay) -> None:
    total = result.causes.sum(axis=1)
    mean, deviation = result.record.total, float(np.sqrt(result.record.total))
    edges = np.arange(total.min() - 0.5, total.max() + 1.5, max(1, round(deviation / 4)))
    axes.hist(total, bins=edges.tolist(), color=COLOURS[0], alpha=0.8, zorder=2)
    axes.axvspan(mean - 2 * deviation, mean + 2 * deviation, color=COLOURS[1], alpha=0.10, zorder=1)
    axes.axvline(mean, color=COLOURS[1], linewidth=1.6, zorder=3)
    estimate = result.interruptions
    text = f"record {mean}, two sigma shaded\nsimulated {estimate.mean:.1f} ± {estimate.half:.1f}, "
    text += f"deviation {estimate.deviation:.1f}"
    axes.annotate(text, (0.02, 0.97), xycoords="axes fraction", va="top", fontsize=9)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.18)
    axes.set_xlabel("interruptions of one life")
    axes.set_ylabel(f"lives of {result.life.replicas:,}")
    axes.set_title("All interruptions")


def _bars(axes: Axes, names: Sequence[str], values: Sequence[tuple[float, float, float]], title: str) -> None:
    """Horizontal bars on a logarithmic axis, with low and high ends."""
    at = np.arange(len(names))
    floor = 10 ** np.floor(np.log10(max(min([v[0] for v in values if v[0] > 0], default=1e-6), 1e-9)))
    for row, (low, middle, high) in enumerate(values):
        if middle <= 0:
            axes.text(floor * 1.15, row, "nothing", va="center", fontsize=8, color="0.4")
            continue
        axes.barh(row, middle - floor, left=floor, height=0.66, color=COLOURS[0], alpha=0.85, zorder=3)
        if high > low:
            axes.plot([max(low, floor), high], [row, row], color="#333333", linewidth=1.1, zorder=4)
            axes.scatter([max(low, floor), high], [row, row], color="#333333", s=10, zorder=4)
    axes.set_xscale("log")
    highest = max(max(high for _, _, high in values), floor * 10)
    axes.set_xlim(floor, 10 ** np.ceil(np.log10(highest * 1.05)))
    axes.xaxis.set_major_formatter(FuncFormatter(_percent))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_yticks(at, names)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.grid(visible=False, axis="y")
    axes.set_title(title)


def plot_resilience(result: Resilience) -> Figure:
    """Draw what the parts of a fabric take away on average: endpoints that stand, bandwidth.

    Parameters
    ----------
    result : Resilience

    Returns
    -------
    matplotlib.figure.Figure
        1,200 pixels wide at 100 dpi. Lines lead from the low to the high failure rate.
    """
    import matplotlib as mpl

    names = [f"{b.part}  {b.example} (x{b.count:,})" for b in result.blasts]
    idle: list[tuple[float, float, float]] = []
    bandwidth: list[tuple[float, float, float]] = []
    for blast in result.blasts:
        low, high = blast.rate.low / blast.rate.typical, blast.rate.high / blast.rate.typical
        row = blast.row()
        for values, name in ((idle, "expected_idle"), (bandwidth, "expected_bandwidth_lost")):
            middle = max(row[name] or 0.0, 0.0)
            middle = middle if middle > 1e-9 else 0.0
            values.append((middle * low, middle, middle * high))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, 1.5 + 0.36 * len(names)), dpi=100, layout="constrained")
        panels = figure.subplots(1, 2)
        _bars(panels[0], names, idle, f"Endpoints in groups of {result.group} that stand, on average")
        _bars(panels[1], names, bandwidth, "All-to-all bandwidth lost, on average")
        panels[1].set_yticklabels([])
        title = f"{result.fabric}: parts x failure rate x time to repair x what one failure takes away"
        figure.suptitle(title, fontsize=13, fontweight="bold")
    return figure
