"""Pictures of power: against load, over a day, by policy, and what is left of a saving in larger blocks."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from topo_sim.report.plots import COLOURS, MARKERS, STYLE
from topo_sim.studies.power_results import GpuDay, PowerComparison

__all__ = ["plot_power", "power_against_load"]

_DASHES = ((0, ()), (0, (5, 1.6)), (0, (1.4, 1.2)), (0, (6, 1.5, 1.4, 1.5)), (0, (3, 1, 1, 1, 1, 1)))
_SHOWN = ("all_on", "gate", "gate_dvfs")


def _percent(value: float, _: object = None) -> str:
    return f"{100 * value:.10g} %"


def _names(result: PowerComparison) -> list[str]:
    return [package.gpu.name for package in result.packages]


def _look(result: PowerComparison, day: GpuDay) -> dict[str, Any]:
    """Colour by GPU, dashes by policy."""
    policies = list(result.question.policies)
    return {
        "color": COLOURS[_names(result).index(day.gpu) % len(COLOURS)],
        "linestyle": _DASHES[policies.index(day.policy) % len(_DASHES)],
    }


def _few(result: PowerComparison) -> list[str]:
    """Policies that lines are drawn for: three at most, so that they can be told apart."""
    chosen = [policy for policy in result.question.policies if policy in _SHOWN]
    return chosen or list(result.question.policies)[:3]


def _unit(result: PowerComparison) -> tuple[str, float]:
    most = max(float(day.load_power.max()) for day in result.days)
    return ("kW", 1e3) if most >= 2000 else ("W", 1.0)


def power_against_load(axes: Axes, result: PowerComparison) -> None:
    """Draw the power of every block against its load, by policy.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    result : PowerComparison
    """
    unit, size = _unit(result)
    for day in result.days:
        if day.policy in _few(result):
            axes.plot(
                result.loads,
                day.load_power / size,
                linewidth=1.7,
                label=f"{day.count} {day.gpu}, {day.policy}",
                **_look(result, day),
            )
    top = max(float(day.load_power.max()) for day in result.days) / size
    axes.set_xlim(0, 1)
    axes.set_ylim(0, top * 1.05)
    axes.xaxis.set_major_formatter(FuncFormatter(_percent))
    axes.set_xlabel("load, of what all of them can do")
    axes.set_ylabel(f"power, {unit}")
    axes.set_title("Power against load", loc="left")
    axes.legend(frameon=False, fontsize=8, loc="upper left")


def _steps(axes: Axes, result: PowerComparison) -> None:
    unit, size = _unit(result)
    hours = np.append(result.curve.hours, 24.0)
    other = axes.twinx()
    load = np.append(result.curve.loads, result.curve.loads[-1])
    other.fill_between(hours, load, step="post", color="#BBBBBB", alpha=0.35, linewidth=0)
    other.set_ylim(0, 1)
    other.yaxis.set_major_formatter(FuncFormatter(_percent))
    other.set_ylabel("load (grey)", color="#777777")
    other.grid(visible=False)
    other.spines["right"].set_visible(False)
    other.tick_params(axis="y", colors="#777777", length=0)
    axes.set_zorder(other.get_zorder() + 1)
    axes.patch.set_visible(False)
    for day in result.days:
        if day.policy in _few(result):
            power = np.append(day.day.power, day.day.power[-1]) / size
            axes.step(hours, power, where="post", linewidth=1.6, **_look(result, day))
    axes.set_xlim(0, 24)
    axes.set_ylim(0, max(float(day.load_power.max()) for day in result.days) / size * 1.05)
    axes.xaxis.set_major_locator(FixedLocator(range(0, 25, 4)))
    axes.set_xlabel("hour")
    axes.set_ylabel(f"power, {unit}")
    axes.set_title(f"Over a day, load {result.curve.name}", loc="left")


def _bars(axes: Axes, result: PowerComparison) -> None:
    policies, names = list(result.question.policies), _names(result)
    width = 0.8 / len(names)
    most = max(day.drawn.p95 for day in result.days)
    for day in result.days:
        at = policies.index(day.policy) + (names.index(day.gpu) - (len(names) - 1) / 2) * width
        value, colour = day.energy["typical"], _look(result, day)["color"]
        axes.bar(at, value, width * 0.92, color=colour, zorder=2)
        ends = [[max(value - day.drawn.p5, 0)], [max(day.drawn.p95 - value, 0)]]
        axes.errorbar(
            at, value, yerr=ends, fmt="none", ecolor="#222222", elinewidth=1.0, capsize=2.5, zorder=3
        )
        if day.gpu != result.reference.name:
            text = f"{-100 * day.saving['typical']:+.1f} %".replace("-", "\u2212")
            axes.text(at, value / 2, text, ha="center", va="center", rotation=90, color="white",
                      fontsize=9, fontweight="bold")  # fmt: skip
    axes.set_xticks(range(len(policies)), policies)
    axes.grid(visible=False, axis="x")
    axes.set_ylim(0, most * 1.05)
    axes.set_ylabel("kWh a day")
    axes.set_title(
        f"Energy of the day (change over {result.reference.name}; 5 % to 95 % of draws)", loc="left"
    )


def _sizes(axes: Axes, result: PowerComparison) -> None:
    names, policies = _names(result), list(result.question.policies)
    for (gpu, policy), points in result.by_size.items():
        i = policies.index(policy)
        axes.plot(
            [n for n, _ in points],
            [saving for _, saving in points],
            color=COLOURS[names.index(gpu) % len(COLOURS)],
            linestyle=_DASHES[i % len(_DASHES)],
            marker=MARKERS[i % len(MARKERS)],
            markersize=4,
            linewidth=1.4,
            label=f"{gpu}, {policy}",
        )
    axes.axhline(0, color="#333333", linewidth=0.9)
    sizes = [n for n, _ in next(iter(result.by_size.values()))]
    axes.set_xscale("log", base=2)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(sizes, [f"{n}" for n in sizes])
    axes.yaxis.set_major_formatter(FuncFormatter(_percent))
    axes.set_xlabel(f"{result.reference.name}s, or their compute, that share the load")
    axes.set_ylabel(f"energy saved over {result.reference.name}, same policy")
    axes.set_title("What is left of it in larger blocks", loc="left")
    axes.legend(frameon=False, fontsize=8, ncols=1 + (len(result.by_size) > 6))


def plot_power(result: PowerComparison) -> Figure:
    """Draw power against load and over the day, energy by policy, and savings by size of the block.

    Parameters
    ----------
    result : PowerComparison

    Returns
    -------
    matplotlib.figure.Figure
        1,200 pixels wide at 100 dpi.
    """
    import matplotlib as mpl

    alone = len(result.packages) == 1
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, 4.6 if alone else 8.2), dpi=100, layout="constrained")
        panels = figure.subplots(1 if alone else 2, 3 if alone else 2, squeeze=False).ravel()
        power_against_load(panels[0], result)
        _steps(panels[1], result)
        _bars(panels[2], result)
        if not alone:
            _sizes(panels[3], result)
        counts = ", ".join(
            f"{day.count} {day.gpu}" for day in result.days if day.policy == result.days[0].policy
        )
        title = f"Power at partial load: {counts}; activity {result.question.activity}"
        figure.suptitle(title, fontsize=13, fontweight="bold")
    return figure
