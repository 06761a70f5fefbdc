"""Tables and maps of break-even studies."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.text import Text

from topo_sim.base import format_quantity
from topo_sim.collectives import COLLECTIVES
from topo_sim.collectives.reconfiguration import PlanLine, ReconfigurationPlan
from topo_sim.report.circuit_hardware import hardware_lines
from topo_sim.report.plots import COLOURS, STYLE
from topo_sim.report.tables import new_table
from topo_sim.studies import BreakEven, SizeLines
from topo_sim.studies.breakeven_map import families
from topo_sim.studies.breakeven_policies import PolicyPlans

__all__ = ["breakeven_table", "plot_breakeven", "policies_table"]

MARKS = (
    (4e-9, "4 ns\ntunable laser, AWGR"),
    (4e-6, "4 us\nphotonic chip to chip"),
    (20e-6, "20 us\nrotor switch"),
    (1.2e-3, "1.2 ms\n3-D MEMS"),
)
"""Reconfiguration times of kinds of switches."""

LEVELS = (1.1, 1.5, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)
LEAD = "When reconfiguring pays: "
ROWS, COLUMNS = 421, 757
"""Of the map; about as many spots each way as it has room for."""

ROOM = 11.0
"""Rows or columns of the map around a point, from which on a name fits there."""


def _cell(study: BreakEven, at: SizeLines, line: PlanLine, time: float) -> str:
    if line.reconfigurations:
        plural = "" if line.reconfigurations == 1 else "s"
        where = f"{line.reconfigurations:,} change{plural}"
        where += f", {at.static.work / time:.3g}x" if at.static is not None and time > 0 else ""
    else:
        where = "as wired" if line.label in study.against else f"static {study.base}"
    return f"{line.label}\n{format_quantity(time, 'time', 3)}, {where}"


def _crossover(at: SizeLines) -> str:
    if not np.isfinite(at.crossover):
        return "never"
    return "at once" if at.crossover <= 0 else format_quantity(at.crossover, "time")


def breakeven_table(study: BreakEven) -> RenderableType:
    """Table of a break-even study: the best plan at every size and reconfiguration time.

    Parameters
    ----------
    study : BreakEven

    Returns
    -------
    rich renderable
    """
    deltas = [format_quantity(delta, "time", 3) for delta in study.deltas.tolist()]
    table = new_table(_title(study), ["size", *deltas, "static from"], 1 + len(deltas))
    for at in study.asked:
        chosen, times = at.best(study.deltas).tolist(), at.times(study.deltas).tolist()
        cells = [_cell(study, at, at.lines[i], time) for i, time in zip(chosen, times, strict=True)]
        table.add_row(format_quantity(at.size, "size"), *cells, _crossover(at), end_section=True)
    notes = [
        "  columns: reconfiguration time; cells: the fastest plan, its time, its reconfigurations, and how "
        "many times as fast as the best plan without any",
        "  static from: the reconfiguration time from which on that one is the fastest",
        f"  considered over the circuits: {', '.join(study.tried)}",
    ]
    if study.hardware is not None:
        notes[:0] = [f"  {line}" for line in hardware_lines(study.hardware, study.assumed_any)]
    notes[:0] = [f"  set when it begins: {study.base or 'nothing'}{'' if study.own else ', and it stays'}"]
    below = [row for row in study.rows() if row["below_bound"]]
    if below:
        notes.append(f"  {len(below)} times lie below the lower bound, which no machine can do")
    else:
        least = min(row["fraction_of_bound"] for row in study.rows())
        most = max(row["fraction_of_bound"] for row in study.rows())
        notes.append(f"  lower bound over time: {least:.1%} to {most:.1%}")
    return Group(table, *(Text(note, style="dim") for note in notes))


def policies_table(study: PolicyPlans) -> RenderableType:
    """Table of policies side by side: a row for every size and policy.

    Parameters
    ----------
    study : PolicyPlans

    Returns
    -------
    rich renderable
    """
    deltas = [format_quantity(delta, "time", 3) for delta in study.deltas]
    table = new_table(_title(study), ["size", "policy", *deltas], 2 + len(deltas))
    for size in study.sizes:
        for k, name in enumerate(study.policies):
            plans = [study.plans.get((name, size, delta)) for delta in study.deltas]
            cells = ["cannot run" if plan is None else _plan_cell(plan, name) for plan in plans]
            first = format_quantity(size, "size") if k == 0 else ""
            table.add_row(first, name, *cells, end_section=name == study.policies[-1])
    notes = [f"set when it begins: {study.base or 'nothing'}"]
    if study.hardware is not None:
        notes += hardware_lines(study.hardware, study.assumed_any)
    notes += [
        "columns: reconfiguration time; cells: the algorithm that suits the policy best, its time, changes"
    ]
    notes += [f"{name}: {why}" for name, why in study.refused.items()]
    least = [plan.fraction for plan in study.plans.values()]
    notes += [f"lower bound over time: {min(least):.1%} to {max(least):.1%}"]
    return Group(table, *(Text(f"  {note}", style="dim") for note in notes))


def _plan_cell(plan: ReconfigurationPlan, asked: str) -> str:
    plural = "" if plan.reconfigurations == 1 else "s"
    by = f" ({plan.policy})" if plan.policy != asked else ""
    time = format_quantity(plan.time, "time", 3)
    return f"{plan.algorithm}{by}\n{time}, {plan.reconfigurations:,} change{plural}"


def _title(study: BreakEven | PolicyPlans) -> str:
    circuits = study.circuits
    ranks = f"{study.ranks:,} rank{'' if study.ranks == 1 else 's'}"
    ports = f"{circuits.ports} port{'' if circuits.ports == 1 else 's'}"
    return (
        f"{LEAD}{COLLECTIVES[study.collective].title} over {ranks}, {ports}, "
        f"{format_quantity(circuits.rate, 'rate')} a rank, alpha {format_quantity(circuits.alpha, 'time')}, "
        f"hop {format_quantity(circuits.hop, 'time')}"
    )


def plot_breakeven(study: BreakEven) -> Figure:
    """Draw a map of what wins over size and reconfiguration time, with lines of equal speed-up.

    Parameters
    ----------
    study : BreakEven

    Returns
    -------
    matplotlib.figure.Figure
        1,000 pixels wide at 100 dpi. The bold line is where holding still becomes the best; the thin ones
        are the speed-up over that; dashes mark the reconfiguration times of known switches.
    """
    import matplotlib as mpl

    sizes = study.dense or tuple(at for at in study.asked if at.size > 0)
    with mpl.rc_context(STYLE | {"axes.grid": False}):
        figure = Figure(figsize=(10, 5.8), dpi=100, layout="constrained")
        axes = figure.subplots()
        if len(sizes) < 2 or not any(line.work > 0 for at in sizes for line in at.lines):
            axes.text(0.5, 0.5, "nothing is sent", transform=axes.transAxes, ha="center")
            return figure
        _draw(axes, study, sizes)
    return figure


def _span(study: BreakEven) -> NDArray[np.float64]:
    positive = study.deltas[study.deltas > 0]
    low, high = min(1e-9, positive.min(initial=1.0) / 2), max(1e-2, positive.max(initial=0.0) * 2)
    return np.geomspace(low, high, ROWS)


def _draw(axes: Axes, study: BreakEven, sizes: tuple[SizeLines, ...]) -> None:
    deltas, where = _span(study), np.array([at.size for at in sizes])
    names = families(study, sizes)
    across = np.geomspace(where[0], where[-1], COLUMNS)
    owner = _owners(study, sizes, names, np.log(deltas), np.log(across))
    colours = _colours(study, names)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.pcolormesh(
        across,
        deltas,
        owner,
        cmap=ListedColormap(colours),
        vmin=-0.5,
        vmax=len(names) - 0.5,
        shading="nearest",
        rasterized=True,
    )
    _contours(axes, where, deltas, sizes)
    axes.set_xlim(where[0], where[-1])
    axes.set_ylim(deltas[0], deltas[-1])
    unnamed = _name_regions(axes, across, deltas, owner, names)
    _marks(axes)
    _labels(axes, study, where)
    if unnamed:
        handles = [Patch(facecolor=colours[i], edgecolor="#666666", label=names[i]) for i in unnamed]
        axes.legend(
            handles=handles,
            loc="upper center",
            bbox_to_anchor=(0.5, -0.11),
            ncols=3,
            frameon=False,
            fontsize=8,
        )


def _owners(
    study: BreakEven,
    sizes: tuple[SizeLines, ...],
    names: list[str],
    deltas: NDArray[np.float64],
    across: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Which name wins at each spot of the map, given by logarithms.

    Between two sizes with the same names in turn, the times at which they change lie on straight lines.
    """
    where = np.log([at.size for at in sizes])
    ranges = [study.ranges(at) for at in sizes]
    left = np.clip(np.searchsorted(where, across, side="right") - 1, 0, len(sizes) - 2)
    owner = np.zeros((len(deltas), len(across)), dtype=np.int64)
    for column, i in enumerate(left.tolist()):
        share = (across[column] - where[i]) / (where[i + 1] - where[i])
        one, other = ranges[i], ranges[i + 1]
        if [name for name, *_ in one] != [name for name, *_ in other]:
            one = other = one if share < 0.5 else other
        changes = [
            np.log(a[1]) * (1 - share) + np.log(b[1]) * share for a, b in zip(one[1:], other[1:], strict=True)
        ]
        place = np.array([names.index(name) for name, *_ in one])
        owner[:, column] = place[np.searchsorted(changes, deltas, side="right")]
    return owner


def _colours(study: BreakEven, names: list[str]) -> list[str]:
    """Tints for what reconfigures, greys for what stays, sand for fabrics without circuits."""
    tints = [_tint(colour, 0.52) for colour in (*COLOURS[:6], COLOURS[7])]
    greys = ("#d9d9d9", "#bdbdbd", "#ececec", "#a6a6a6", "#cccccc")
    sands = ("#f3e3c3", "#e3cfa4", "#d8bf8f")
    kinds = {"circuits": 0, "static": 0, "packet": 0}
    found = []
    for name in names:
        kind = (
            "packet" if name in study.against else "circuits" if name.endswith(" on circuits") else "static"
        )
        palette = {"circuits": tints, "static": greys, "packet": sands}[kind]
        found.append(palette[kinds[kind] % len(palette)])
        kinds[kind] += 1
    return found


def _tint(colour: str, share: float) -> str:
    parts = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(255 - (255 - part) * share):02x}" for part in parts)


def _contours(
    axes: Axes, where: NDArray[np.float64], deltas: NDArray[np.float64], sizes: tuple[SizeLines, ...]
) -> None:
    """Lines of equal speed-up over the best plan that holds still, and where it is 1."""
    times = np.array([at.times(deltas) for at in sizes]).T
    still = np.array([at.static.work if at.static is not None else np.nan for at in sizes])
    speed = np.divide(still, times, out=np.ones_like(times), where=times > 0)
    most = np.nanmax(speed, initial=1.0)
    levels = [level for level in LEVELS if level < most]
    if levels:
        lines = axes.contour(where, deltas, speed, levels=levels, colors="#333333", linewidths=0.7, alpha=0.8)
        for text in axes.clabel(lines, fmt=lambda level: f"{level:g}x", fontsize=8, inline_spacing=3):
            text.set_path_effects([withStroke(linewidth=2, foreground="white", alpha=0.7)])
    crossover = np.array([at.crossover for at in sizes])
    drawn = np.where(np.isfinite(crossover), np.maximum(crossover, deltas[0] / 10), np.nan)
    axes.plot(where, drawn, color="black", linewidth=2.2, solid_capstyle="butt")


def _name_regions(
    axes: Axes,
    across: NDArray[np.float64],
    deltas: NDArray[np.float64],
    owner: NDArray[np.int64],
    names: list[str],
) -> list[int]:
    """Write names where there is room; return the others."""
    from scipy.ndimage import distance_transform_edt

    unnamed = []
    for i, name in enumerate(names):
        inside = np.pad(owner == i, 1)
        # Names are several times as wide as high: squeeze distances along the sizes.
        room = distance_transform_edt(inside, sampling=(1.0, 0.25))[1:-1, 1:-1]
        y, x = np.unravel_index(int(np.argmax(room)), room.shape)
        if room[y, x] < ROOM:
            unnamed.append(i)
            continue
        spot = across[x], deltas[y]
        text = name.replace(" on ", "\non ").replace("_", " ")
        style: dict[str, Any] = {
            "ha": "center",
            "va": "center",
            "fontsize": 9,
            "fontweight": "bold",
            "zorder": 6,
        }
        axes.text(
            *spot, text, path_effects=[withStroke(linewidth=2.5, foreground="white", alpha=0.75)], **style
        )
    return unnamed


def _marks(axes: Axes) -> None:
    for delta, name in MARKS:
        axes.axhline(delta, color="black", linewidth=0.8, linestyle=(0, (4, 3)), alpha=0.75, zorder=5)
        axes.annotate(
            name,
            (1.0, delta),
            xycoords=("axes fraction", "data"),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )


def _labels(axes: Axes, study: BreakEven, where: NDArray[np.float64]) -> None:
    first, last = np.log2(where[0]), np.log2(where[-1])
    every = max(1, int(np.ceil((last - first) / 10)))
    ticks = 2.0 ** np.arange(np.ceil(first - 1e-9), np.floor(last + 1e-9) + 1, every)
    axes.set_xticks(ticks, [format_quantity(tick, "size") for tick in ticks.tolist()])
    low, high = axes.get_ylim()
    tens = 10.0 ** np.arange(np.ceil(np.log10(low) - 1e-9), np.floor(np.log10(high) + 1e-9) + 1)
    axes.yaxis.set_major_locator(FixedLocator(tens.tolist()))
    axes.set_yticks(tens, [format_quantity(ten, "time", 1) for ten in tens.tolist()])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("message size (as nccl-tests counts it)")
    axes.set_ylabel("reconfiguration time")
    title = _title(study).removeprefix(LEAD)
    axes.set_title(title[0].upper() + title[1:], loc="left", fontsize=10)
