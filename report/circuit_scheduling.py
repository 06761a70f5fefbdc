"""Tables and pictures of schedules of circuits."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator
from rich.console import Group, RenderableType
from rich.text import Text

from topo_sim.base import UsageError, format_quantity
from topo_sim.report.circuit_hardware import hardware_lines
from topo_sim.report.circuits import plot_circuits
from topo_sim.report.plots import COLOURS, MARKERS, STYLE
from topo_sim.report.tables import new_table
from topo_sim.studies.circuit_scheduling import CircuitSchedules, DeltaSweep

__all__ = ["circuit_schedules_table", "plot_delta_sweep", "plot_fastest"]

_MOST_CHARTS = 4

_WHAT_STOPS = {
    "all": "all planes stop together",
    "plane": "planes stop one by one",
    "port": "ports stop alone",
}


def _knobs(found: CircuitSchedules) -> str:
    p = found.problem
    planes = f"{p.planes} plane{'s' if p.planes > 1 else ''} of {format_quantity(p.rate, 'rate')}"
    parts = [planes, f"{format_quantity(p.delta, 'time')} per change", _WHAT_STOPS[p.stop]]
    parts += [f"packets {format_quantity(p.packet_rate, 'rate')}"] if p.packet_rate else []
    parts += ["first configuration free"] if p.first_free else []
    return ", ".join(parts)


def circuit_schedules_table(found: CircuitSchedules) -> RenderableType:
    """Tabulate schedulers, the fastest first, each beside its bound.

    Parameters
    ----------
    found : CircuitSchedules

    Returns
    -------
    rich renderable
    """
    p = found.problem
    table = new_table(
        f"{found.demand} of {found.fabric} on circuits: {_knobs(found)}",
        ["scheduler", "configurations", "makespan", "bound", "gap", "dark", "duty", "packets", "hops"],
    )
    for one in sorted(found.schedules, key=lambda each: each.makespan):
        table.add_row(
            one.scheduler,
            f"{one.configurations:,}",
            format_quantity(one.makespan, "time"),
            format_quantity(one.bound, "time") + (" *" if one.relays else ""),
            f"{one.gap:.1%}",
            f"{one.dark_share:.1%}",
            f"{one.duty:.1%}",
            f"{one.packet_share:.1%}" if p.packet_rate else "-",
            f"{one.hops:.2f}" if one.hops else "-",
        )
    peers = f"{p.peers:,} peer{'' if p.peers == 1 else 's'}"
    notes = [
        f"busiest rank {format_quantity(p.busiest, 'size')}, at most {peers}; "
        "gap: makespan above the bound, * for bytes that may be relayed, else for direct circuits",
        "dark: share of the time that ports wait for changes; duty: bytes on circuits over what all ports, "
        "lit or not, could carry",
        "certificate checked: all bytes served, no rate exceeded, matchings only, every change paid for",
    ]
    if found.hardware is not None:
        notes[:0] = hardware_lines(found.hardware, found.assumed_any)
    return Group(table, *(Text(f"  {note}", style="dim") for note in notes))


def _time_axis(axes: Axes, which: str) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: format_quantity(value, "time", 3)))
    axis.set_minor_locator(NullLocator())


def plot_delta_sweep(sweep: DeltaSweep) -> Figure:
    """Draw makespans against the time of a change, both logarithmic, with the bounds below.

    Parameters
    ----------
    sweep : DeltaSweep

    Returns
    -------
    matplotlib.figure.Figure
        1,000 pixels wide at 100 dpi. A vertical line marks the time asked for.
    """
    import matplotlib as mpl

    found = sweep.schedules
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 5.4), dpi=100, layout="constrained")
        axes = figure.subplots()
        ends = sorted(sweep.makespans, key=lambda name: -float(sweep.makespans[name][-1]))
        for name in ends:
            i = sorted(sweep.makespans).index(name)
            look: dict[str, Any] = {
                "color": COLOURS[i % len(COLOURS)],
                "marker": MARKERS[i % len(MARKERS)],
                "markersize": 4.5,
                "linewidth": 1.5,
            }
            if name == "opera":  # on one plane it is rotor_vlb, and both should be seen
                look |= {"linestyle": (0, (4, 3)), "zorder": 4}
            axes.plot(sweep.deltas, _drawn(sweep.makespans[name]), label=name, **{"zorder": 3, **look})
        bound: dict[str, Any] = {"color": "#444444", "linewidth": 1.2, "zorder": 2}
        axes.plot(sweep.deltas, _drawn(sweep.direct), "--", label="bound, direct circuits", **bound)
        if any(one.relays for one in found.schedules):
            axes.plot(sweep.deltas, _drawn(sweep.relayed), ":", label="bound, with relays", **bound)
        low, high = sweep.deltas[0], sweep.deltas[-1]
        if low <= found.problem.delta <= high:
            axes.axvline(found.problem.delta, color="0.6", linewidth=0.9, zorder=1)
            spot: dict[str, Any] = {"xy": (found.problem.delta, 0.985), "xycoords": ("data", "axes fraction")}
            text = f"{format_quantity(found.problem.delta, 'time')}, as in the table"
            axes.annotate(
                text, **spot, xytext=(4, 0), textcoords="offset points", va="top", color="0.4", fontsize=8
            )
        axes.set_xlabel("time of a change")
        axes.set_ylabel("makespan")
        axes.set_title(f"{found.demand} of {found.fabric}: {_without_delta(found)}", loc="left")
        if not found.problem.busiest:
            axes.text(0.5, 0.5, "nothing is sent", transform=axes.transAxes, ha="center")
            return figure
        axes.set_xscale("log")
        axes.set_yscale("log")
        _time_axis(axes, "x")
        _time_axis(axes, "y")
        figure.legend(loc="outside right center", frameon=False, fontsize=9)
    return figure


def plot_fastest(found: CircuitSchedules) -> Figure:
    """Draw the circuits of the fastest schedules over time, one below the other.

    Parameters
    ----------
    found : CircuitSchedules

    Returns
    -------
    matplotlib.figure.Figure
        Up to four of them. A port, or a plane, per row; dark time is dark.

    Raises
    ------
    UsageError
        If no schedule has circuits.
    """
    ranked = [one for one in sorted(found.schedules, key=lambda each: each.makespan) if one.configurations]
    if not ranked:
        raise UsageError("no schedule has any circuits, expected at least one to draw")
    chosen = ranked[:_MOST_CHARTS]
    titles = [
        f"{one.scheduler}: {one.configurations:,} configurations, {format_quantity(one.makespan, 'time')}"
        for one in chosen
    ]
    drawn = [one.circuit_schedule() for one in chosen]
    return plot_circuits([one for one in drawn if one is not None], titles)


def _drawn(values: Any) -> Any:
    return np.where(np.asarray(values) > 0, values, np.nan)


def _without_delta(found: CircuitSchedules) -> str:
    parts = _knobs(found).split(", ")
    return ", ".join(part for part in parts if not part.endswith("per change"))
