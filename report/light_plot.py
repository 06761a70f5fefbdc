"""Pictures of the catalogue of light: energy against reach, and how long circuit switches are dark."""

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, NullLocator

from topo_sim.optics import CircuitSwitch, Medium
from topo_sim.report.plots import COLOURS, STYLE
from topo_sim.studies.media import MediaCatalogue

__all__ = ["plot_media"]

_KINDS = {"electrical": (COLOURS[1], "s"), "optical": (COLOURS[0], "o")}


def _energy(medium: Medium, level: str) -> float:
    """Modules and chips at both ends, pJ/b."""
    return (medium.energy_per_bit.at(level) + 2 * medium.serdes_energy.at(level)) * 1e12


def _box(axes: Axes, medium: Medium) -> None:
    colour, marker = _KINDS[medium.signal]
    reach, low, high = medium.reach, _energy(medium, "low"), _energy(medium, "high")
    left, right = reach.low, reach.high
    if right < left * 1.06:  # a range of one: still seen
        left, right = left / 1.03, right * 1.03
    look: dict[str, Any] = {"facecolor": colour, "alpha": 0.16, "edgecolor": "none", "zorder": 2}
    axes.add_patch(Rectangle((left, low), right - left, high - low, **look))
    edge: dict[str, Any] = {"facecolor": "none", "edgecolor": colour, "linewidth": 0.8, "alpha": 0.6}
    axes.add_patch(Rectangle((left, low), right - left, high - low, zorder=3, **edge))
    axes.plot(reach.typical, _energy(medium, "typical"), marker, color=colour, markersize=5, zorder=5)


_Box = tuple[float, float, float, float]  # left, right, low, high, as decades


def _extent(medium: Medium) -> _Box:
    ends = (medium.reach.low, medium.reach.high, _energy(medium, "low"), _energy(medium, "high"))
    left, right, low, high = (float(np.log10(end)) for end in ends)
    return left, right, low, high


def _beside(box: _Box, y: float) -> list[tuple[float, float, str, str]]:
    """Places for a name around a box: x, y and how it is aligned there, the best first."""
    left, right, low, high = box
    x, aside, above = (left + right) / 2, 0.12, 0.02
    middle = [(right + aside, y, "left", "center"), (left - aside, y, "right", "center")]
    over = [(at, high + above, across, "bottom") for at, across in ((x, "center"), (right, "right"))]
    under = [(at, low - above, across, "top") for at, across in ((x, "center"), (left, "left"))]
    return [*middle, *over, *under]


def _covers(place: tuple[float, float, str, str], width: float, height: float) -> _Box:
    x, y, across, along = place
    left = x - {"left": 0.0, "center": 0.5, "right": 1.0}[across] * width
    low = y - {"bottom": 0.0, "center": 0.5, "top": 1.0}[along] * height
    return left, left + width, low, low + height


def _meet(one: _Box, other: _Box) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]


def _label_media(axes: Axes, media: list[Medium]) -> None:
    """Write each name beside its box, where it hits no other box and no other name."""
    boxes = {medium.name: _extent(medium) for medium in media}
    taken: list[_Box] = []
    height = 0.055
    for medium in sorted(media, key=lambda each: -_energy(each, "typical")):
        width = 0.1 * len(medium.name)
        places = _beside(boxes[medium.name], float(np.log10(_energy(medium, "typical"))))
        others = [box for name, box in boxes.items() if name != medium.name] + taken

        def crowd(place: tuple[float, float, str, str], width: float = width, near: Any = others) -> int:
            return sum(_meet(_covers(place, width, height), each) for each in near)

        x, y, across, along = min(places, key=crowd)
        taken.append(_covers((x, y, across, along), width, height))
        look: dict[str, Any] = {"ha": across, "va": along, "fontsize": 8, "color": "#222222", "zorder": 6}
        axes.text(10**x, 10**y, medium.name, **look)


def _draw_media(axes: Axes, media: list[Medium]) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    for medium in media:
        _box(axes, medium)
    low = min(_energy(medium, "low") for medium in media)
    high = max(_energy(medium, "high") for medium in media)
    axes.set_ylim(low / 1.3, high * 1.3)
    _label_media(axes, media)
    axes.set_xticks([tick for tick in (10.0**n for n in range(-4, 5)) if tick <= 1e3])
    axes.set_xlim(min(m.reach.low for m in media) / 1.6, max(m.reach.high for m in media) * 25)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g} m" if v >= 1 else f"{v * 1e3:g} mm"))
    ticks = [tick for tick in (0.5, 1, 2, 5, 10, 20, 50, 100) if low / 1.3 <= tick <= high * 1.3]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.set_xlabel("reach")
    axes.set_ylabel("energy of a link, pJ/b (modules and chips, both ends)")
    axes.set_title("Link media: energy against reach")
    handles = [
        Line2D([], [], color=c, marker=m, linestyle="none", label=kind) for kind, (c, m) in _KINDS.items()
    ]
    axes.legend(handles=handles, loc="lower right", frameon=False, fontsize=8)


def _dark(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9)):
        if seconds >= factor:
            return f"{seconds / factor:g} {unit}"
    return f"{seconds * 1e12:g} ps"


def _remark(switch: CircuitSwitch, level: str) -> str:
    """Write ports and loss as the table does, at its level."""
    ports = "" if switch.ports is None else f"{switch.ports.at(level):.0f} ports"
    loss = "" if switch.loss is None else f"{switch.loss.at(level):.2g} dB"
    return ", ".join(text for text in (ports, loss) if text)


def _draw_switches(axes: Axes, switches: list[CircuitSwitch], level: str) -> None:
    timed = [(switch, switch.reconfiguration("typical")) for switch in switches]
    known = sorted((time, switch.name, switch) for switch, time in timed if time)
    axes.set_xscale("log")
    most = max((switch.reconfiguration("high") or 0.0 for _, _, switch in known), default=1.0)
    for row, (time, _, switch) in enumerate(known):
        low, high = (switch.reconfiguration(level) or time for level in ("low", "high"))
        axes.plot([low, high], [row, row], color=COLOURS[2], linewidth=5, alpha=0.35, solid_capstyle="butt")
        axes.plot(time, row, "o", color=COLOURS[2], markersize=5, zorder=5)
        axes.text(most * 3, row, _remark(switch, level), va="center", fontsize=7.5, color="#444444")
    axes.set_yticks(range(len(known)), [name for _, name, _ in known])
    axes.set_ylim(-0.7, len(known) - 0.3)
    ticks = 10.0 ** np.arange(-10, 3, 2)
    axes.set_xticks(ticks, [_dark(tick) for tick in ticks.tolist()])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(3e-11, most * 2)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("time without light at a reconfiguration")
    axes.set_title(f"Circuit switches: dark time; ports, loss of a pass ({level})")


def plot_media(found: MediaCatalogue) -> Figure:
    """Draw the ranges of the catalogue: media left, circuit switches right.

    Parameters
    ----------
    found : MediaCatalogue

    Returns
    -------
    Figure
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12.5, 5.6), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
        _draw_media(left, list(found.optics.media.values()))
        _draw_switches(right, list(found.optics.circuit_switches.values()), found.level)
        text = "boxes and bars: low to high; points: typical"
        figure.supxlabel(text, fontsize=8, color="#555555")
    return figure
