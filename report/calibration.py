"""Tables and pictures of a calibration."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator
from rich.console import Group, RenderableType
from rich.text import Text

from topo_sim.base import format_quantity
from topo_sim.collectives import COLLECTIVES
from topo_sim.report.plots import COLOURS, MARKERS, STYLE
from topo_sim.report.tables import new_table
from topo_sim.studies import Calibration
from topo_sim.studies.calibrate import Compared

__all__ = ["calibration_tables", "plot_calibration"]

_WIDE = 3


def _error(found: dict[str, Any]) -> tuple[str, str, str]:
    if not found["sizes"]:
        return "-", "-", "-"
    return f"{found['geomean_error']:.1%}", f"{found['worst_factor']:.2f}", str(found["beyond_1.5"])


def _short(name: str, most: int = 40) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _errors(calibration: Calibration) -> RenderableType:
    shown = new_table(
        "simulated against measured time: geometric-mean error, worst factor, sizes off by more than 1.5",
        [
            "system",
            "collective",
            "ranks",
            "role",
            "< 16 MiB",
            "worst",
            "> 1.5",
            ">= 16 MiB",
            "worst",
            "> 1.5",
        ],
        left=2,
    )
    for row in calibration.systems():
        small, large = _error(row["below_16MiB"]), _error(row["from_16MiB"])
        title = COLLECTIVES[row["collective"]].title
        shown.add_row(_short(row["system"]), title, str(row["ranks"]), row["role"], *small, *large)
    for role in ("fit", "test"):
        below, above = (calibration.overall(role, big) for big in (False, True))
        if below["sizes"] + above["sizes"]:
            shown.add_row(f"all of {role}", "", "", role, *_error(below), *_error(above))
    return shown


def calibration_tables(calibration: Calibration) -> RenderableType:
    """Tables of a calibration: errors by system, and the constants.

    Parameters
    ----------
    calibration : Calibration

    Returns
    -------
    rich renderable
    """
    shown = new_table(
        f"constants ({calibration.constants.origin})",
        ["constant", "what", "value", "prior", "unit", "fitted"],
        left=2,
    )
    for row in calibration.constant_rows():
        unit = "" if row["unit"] == "-" else row["unit"]
        fitted = "yes" if row["fitted"] else ""
        shown.add_row(
            row["constant"], row["about"], f"{row['value']:.3g}", f"{row['prior']:.3g}", unit, fitted
        )
    wild = sum(int(c.series.outlier.sum()) for c in calibration.compared)
    notes = [
        "1 known outlier is left out." if wild == 1 else f"{wild} known outliers are left out.",
        *(
            f"1 row of {name} is not covered by the model."
            if count == 1
            else f"{count} rows of {name} are not covered by the model."
            for name, count in calibration.uncovered.items()
        ),
    ]
    return Group(_errors(calibration), Text(""), shown, Text("\n".join(notes)))


def _axes(axes: Axes, sizes: np.ndarray) -> None:
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlim(sizes.min() / 1.6, sizes.max() * 1.6)
    low, high = np.floor(np.log2(sizes.min())), np.ceil(np.log2(sizes.max()))
    step = 4 if high - low < 22 else 8
    ticks = 2.0 ** np.arange(low, high + 1, step)
    axes.set_xticks(ticks, [format_quantity(t, "size") for t in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: format_quantity(v, "time")))
    axes.set_xlabel("size (as nccl-tests counts it)")


def _panel(axes: Axes, system: str, parts: list[Compared]) -> None:
    for part in parts:
        s = part.series
        i = list(COLLECTIVES).index(s.collective)
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        title = COLLECTIVES[s.collective].title
        style: dict[str, Any] = {"color": colour, "linestyle": "none", "marker": marker, "markersize": 4}
        good = ~s.outlier
        axes.plot(s.sizes[good], s.times[good], label=f"{title}, measured", zorder=3, **style)
        if s.outlier.any():
            axes.plot(s.sizes[s.outlier], s.times[s.outlier], fillstyle="none", zorder=3, **style)
        dashes = "-" if part.role == "test" else "--"
        name = f"{title}, simulated ({'not fitted' if part.role == 'test' else 'fitted'})"
        axes.plot(s.sizes, part.simulated, color=colour, linewidth=1.4, linestyle=dashes, label=name)
    _axes(axes, np.concatenate([p.series.sizes for p in parts]))
    axes.set_ylabel("time")
    axes.set_title(_short(f"{system}: {parts[0].series.layout.ranks} ranks", 50))
    axes.legend(frameon=False, fontsize=7, loc="upper left")


def plot_calibration(calibration: Calibration) -> Figure:
    """Draw measured times as points and simulated ones as lines, a panel for each system.

    Parameters
    ----------
    calibration : Calibration

    Returns
    -------
    matplotlib.figure.Figure
        Hollow points are known outliers; dashed lines were fitted to what they run through.
    """
    import matplotlib as mpl

    groups: dict[tuple[str, int], list[Compared]] = {}
    for part in calibration.compared:
        groups.setdefault((part.series.system, part.series.layout.ranks), []).append(part)
    wide = min(_WIDE, len(groups))
    high = -(-len(groups) // wide)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.6 * wide + 0.6, 3.5 * high), layout="constrained", dpi=110)
        grid = figure.subplots(high, wide, squeeze=False)
        for axes, ((system, _), parts) in zip(grid.flat, groups.items(), strict=False):
            _panel(axes, system, parts)
        for axes in list(grid.flat)[len(groups) :]:
            axes.set_axis_off()
    return figure
