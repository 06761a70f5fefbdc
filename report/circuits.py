"""Pictures of circuits over time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from topo_sim.base import format_quantity
from topo_sim.optics import CircuitSchedule
from topo_sim.report.plots import COLOURS, STYLE

__all__ = ["draw_circuits", "plot_circuits"]

DARK = "#20242c"
# One row per plane up to so many; with one plane or few ports, one row per port.
MOST_ROWS = 64
# More changes than a picture has columns are not drawn one by one.
MOST_SLOTS = 20_000


def _runs(same: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Begin of each run of equal slots; `same[s]`: slot s + 1 shows what slot s does."""
    return np.flatnonzero(np.concatenate([[True], ~same]))


def _scale(last: float) -> tuple[float, str]:
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "us"), (1e9, "ns")):
        if last * factor >= 1:
            return factor, unit
    return 1e9, "ns"


def _colours(count: int, ramp: bool = False) -> list[str] | list[tuple[float, ...]]:
    if count <= len(COLOURS) and not ramp:
        return list(COLOURS[:count])
    steps = LinearSegmentedColormap.from_list(
        "light", ["#1f4e9c", "#12a5a5", "#7ec850", "#f4c430", "#e4572e"]
    )
    return [steps(x) for x in np.linspace(0, 1, count)]


def draw_circuits(
    axes: Axes, schedule: CircuitSchedule, *, rows: str = "planes", until: float | None = None
) -> None:
    """Draw what each plane, or each port, shows over time; dark time stays dark.

    Parameters
    ----------
    axes : Axes
    schedule : CircuitSchedule
    rows : {"planes", "ports"}
        A row per plane, its colour telling configurations apart, as high as the share of ports with light;
        or a row per port of each plane, its colour telling partners apart.
    until : float, s, optional
        Draw only slots that begin before this. Default: all, up to 20,000.
    """
    last = schedule.period if until is None else min(float(until), schedule.period)
    slots = max(int(np.searchsorted(schedule.edges[:-1], last, side="left")), 1)
    slots = min(slots, MOST_SLOTS)
    last = min(last, float(schedule.edges[slots]))
    factor, unit = _scale(last)
    shown = schedule.targets[:slots]
    edges = np.minimum(schedule.edges[: slots + 1], last) * factor
    axes.set_facecolor(DARK)
    if rows == "ports":
        _port_rows(axes, shown, edges)
    else:
        _plane_rows(axes, shown, edges)
    axes.set_xlim(0, last * factor)
    axes.set_xlabel(f"time ({unit})")
    what = (
        f"the port it sends to, 0 (blue) to {schedule.ports - 1} (red)"
        if rows == "ports"
        else "a configuration, as high as the share of ports that it joins"
    )
    note: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "fontsize": 8}
    axes.annotate(f"colour: {what}; dark: no light", (1, 0), (0, -22), ha="right", va="top", **note)
    axes.grid(visible=False)
    axes.invert_yaxis()


def _plane_rows(axes: Axes, shown: NDArray[np.int32], edges: NDArray[np.float64]) -> None:
    slots, planes, ports = shown.shape
    _, which = np.unique(shown.reshape(slots * planes, ports), axis=0, return_inverse=True)
    which = which.reshape(slots, planes)
    lit = (shown >= 0).mean(axis=2)
    seen: dict[int, int] = {}
    for name in which[lit > 0].tolist():
        seen.setdefault(name, len(seen))
    colours = _colours(max(len(seen), 1))
    for plane in range(planes):
        begin = _runs(which[1:, plane] == which[:-1, plane])
        end = np.append(begin[1:], slots)
        kept = lit[begin, plane] > 0
        begin, end, high = begin[kept], end[kept], 0.86 * lit[begin[kept], plane]
        left, right, low = edges[begin], edges[end], np.full(len(begin), plane + 0.43)
        corners = [(left, low), (right, low), (right, low - high), (left, low - high)]
        boxes = np.stack([np.stack(corner, axis=1) for corner in corners], axis=1)
        names = [colours[seen[name]] for name in which[begin, plane].tolist()]
        axes.add_collection(PolyCollection(list(boxes), facecolors=names, linewidths=0))
    axes.set_ylim(-0.55, planes - 0.45)
    axes.set_yticks(range(planes) if planes <= MOST_ROWS else range(0, planes, planes // 16))
    axes.set_ylabel("plane")


def _port_rows(axes: Axes, shown: NDArray[np.int32], edges: NDArray[np.float64]) -> None:
    slots, planes, ports = shown.shape
    image = np.ma.masked_less(shown.reshape(slots, planes * ports).T, 0)
    colours = LinearSegmentedColormap.from_list("partners", _colours(ports, ramp=True), N=ports)
    axes.pcolormesh(
        edges, np.arange(planes * ports + 1) - 0.5, image, cmap=colours, vmin=-0.5, vmax=ports - 0.5
    )
    for plane in range(1, planes):
        axes.axhline(plane * ports - 0.5, color="white", linewidth=1.5)
    axes.set_ylim(-0.5, planes * ports - 0.5)
    step = max(ports // 8, 1)
    ticks = [plane * ports + i for plane in range(planes) for i in range(0, ports, step)]
    axes.set_yticks(ticks, [str(tick % ports) for tick in ticks])
    axes.set_ylabel("port" if planes == 1 else "port, plane after plane")


def plot_circuits(
    schedules: CircuitSchedule | Sequence[CircuitSchedule],
    titles: Sequence[str] = (),
    *,
    until: float | None = None,
) -> Figure:
    """Draw schedules one below the other: planes over time, or ports where there is one plane of up to 64.

    Parameters
    ----------
    schedules : CircuitSchedule or sequence of CircuitSchedule
    titles : sequence of str
        One per schedule. Default: none.
    until : float, s, optional
        Draw all up to this time. Default: one period of each.

    Returns
    -------
    Figure
    """
    import matplotlib as mpl

    given = [schedules] if isinstance(schedules, CircuitSchedule) else list(schedules)
    by_port = [one.planes == 1 and one.ports <= MOST_ROWS for one in given]
    heights = [
        1.1 + (min(one.ports, 32) * 0.09 if ports else min(one.planes, MOST_ROWS) * 0.34)
        for one, ports in zip(given, by_port, strict=True)
    ]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, sum(heights)), dpi=100, layout="constrained")
        axes = figure.subplots(len(given), 1, squeeze=False, height_ratios=heights)
        for i, (one, ports) in enumerate(zip(given, by_port, strict=True)):
            draw_circuits(axes[i, 0], one, rows="ports" if ports else "planes", until=until)
            period = format_quantity(one.period, "time", 3)
            about = f"{one.planes} plane{'s' * (one.planes > 1)} of {one.ports} ports, a plane lit "
            about += f"{one.duty:.1%} and a port {one.occupancy:.1%} of the time, "
            about += f"{'period' if one.cyclic else 'over'} {period}"
            title = titles[i] if i < len(titles) else ""
            axes[i, 0].set_title(f"{title}: {about}" if title else about, loc="left", fontsize=9)
    return figure
