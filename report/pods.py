"""Tables and pictures of pods."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from topo_sim.base import format_quantity
from topo_sim.report.plots import COLOURS, MARKERS, STYLE
from topo_sim.report.tables import new_table
from topo_sim.studies import PodStudy

__all__ = ["plot_pod", "pod_tables"]

_FREE, _FAILED = "#EEEEEE", "#333333"
_SHOWN = 8


def _rate(value: float | None) -> str:
    return "-" if value is None else format_quantity(value, "rate")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _facts(study: PodStudy) -> Table:
    facts = study.facts()
    table = new_table("Pod", ["", ""], left=2)
    table.show_header = False
    used = facts["ports_used"]
    for label, value in (
        ("chips", f"{facts['chips']:,} in {_count(facts['cubes'], 'cube')} of side {study.pod.side}"),
        ("circuit switches", f"{facts['circuit_switches']} of {facts['radix']} ports"),
        ("ports used", f"{used} each: two per cube, {facts['ports_spare']} left over"),
        ("optical links", f"{facts['optical_links']:,}, {facts['optical_links_per_cube']} of each cube"),
        ("link", f"{_rate(facts['link_B_per_s'])} each way"),
        ("bisection", f"{_rate(facts['bisection_B_per_s'])} one way, as {facts['largest_slice']}"),
    ):
        table.add_row(label, value)
    return table


def _counts(study: PodStudy) -> Table:
    table = new_table("Slices that the wiring allows", ["chips", "kinds", "shapes, the most cubic last"])
    table.columns[2].justify = "left"
    for chips, names in study.counts.items():
        more = f"... {' '.join(names[-_SHOWN:])}" if len(names) > _SHOWN else " ".join(names)
        table.add_row(f"{chips:,}", str(len(names)), more)
    return table


def _shapes(study: PodStudy) -> Table:
    table = new_table(
        "What slices can do",
        ["slice", "chips", "cubes", "diameter", "mean hops", "bisection", "all-to-all / chip"],
    )
    for one in study.shapes:
        table.add_row(
            one.name, f"{one.chips:,}", str(one.cubes), str(one.diameter), f"{one.mean_hops:.3f}",
            _rate(one.bisection), _rate(one.theta),
        )  # fmt: skip
    return table


def _spans(cubes: tuple[int, ...]) -> str:
    """Write cube numbers in order, runs of them with two dots."""
    if not cubes:
        return "none"
    ordered = sorted(cubes)
    starts = [i for i, cube in enumerate(ordered) if i == 0 or cube != ordered[i - 1] + 1]
    runs = [ordered[a:b] for a, b in zip(starts, [*starts[1:], len(ordered)], strict=True)]
    return " ".join(str(run[0]) if len(run) == 1 else f"{run[0]}..{run[-1]}" for run in runs)


def _placed(study: PodStudy) -> Table:
    table = new_table("Slices placed", ["slice", "chips", "cubes"])
    table.columns[2].justify = "left"
    for one in study.placement.placed:
        table.add_row(one.slice.name, f"{one.slice.chips:,}", _spans(one.cubes))
    for lost in study.placement.refused:
        asked = _count(lost.cubes, "cube")
        table.add_row(lost.name, f"{lost.chips:,}", f"refused: {asked} asked for, too few free")
    table.add_row("free", "", _spans(study.placement.free))
    return table


def _swaps(study: PodStudy) -> list[Text]:
    notes = []
    for swap in study.swaps:
        if swap.slice is None:
            text = f"cube {swap.cube} failed: it was free"
        elif swap.by is None:
            text = f"cube {swap.cube} failed: no cube is free, {swap.slice.name} is given up"
        else:
            text = f"cube {swap.cube} failed: cube {swap.by} takes its place in {swap.slice.name}, "
            text += f"{_count(swap.circuits, 'circuit')} set anew"
        notes.append(Text(f"  {text}", style="dim"))
    if study.placement.failed_switches and not study.damage:
        names = ", ".join(study.pod.switch_name(s) for s in study.placement.failed_switches)
        notes.append(Text(f"  {names} failed: no slice is placed that would lose circuits", style="dim"))
    return notes


def _damage(study: PodStudy) -> Table:
    names = ", ".join(study.damage[0].switches)
    table = new_table(
        f"Circuit switch {names} failed",
        ["slice", "circuits lost", "share", "rows cut", "connected", "diameter", "all-to-all / chip"],
    )
    for one in study.damage:
        theta = "-" if one.theta is None else f"{_rate(one.theta[0])} -> {_rate(one.theta[1])}"
        table.add_row(
            one.slice,
            f"{one.lost:,} of {one.circuits:,}",
            f"{one.lost / one.circuits:.2%}",
            str(one.lines),
            "yes" if one.connected else "no",
            f"{one.diameter[0]} -> {one.diameter[1] if one.connected else 'apart'}",
            theta,
        )
    return table


def _goodput(study: PodStudy) -> Table:
    table = new_table(
        "Share of the pod that runs in slices",
        ["hosts up", "slice (cubes)", "circuits", "fixed cables"],
        left=0,
    )
    for one in study.goodput:
        fixed = "-" if one.fixed is None else f"{one.fixed:.1%} +- {one.fixed_error:.1%}"
        table.add_row(f"{one.availability:.4g}", str(one.cubes), f"{one.circuits:.1%}", fixed)
    return table


def pod_tables(study: PodStudy) -> RenderableType:
    """Tables of a pod: what it is, and what was asked about it.

    Parameters
    ----------
    study : PodStudy

    Returns
    -------
    rich renderable
    """
    parts: list[RenderableType] = [_facts(study)]
    asked = study.shapes or study.placed() or study.swaps or study.damage or study.goodput
    if not asked:
        parts.append(_counts(study))
    if study.shapes:
        parts.append(_shapes(study))
    if study.placed() or study.swaps:
        parts += [_placed(study), *_swaps(study)]
    if study.damage:
        parts += [
            _damage(study),
            Text("  all-to-all: the best splitting of flows, within 2 %; '-' above 256 chips", style="dim"),
        ]
    if study.goodput:
        note = f"  circuits: exact mean; fixed cables: {study.draws} draws, contiguous blocks packed exactly"
        parts += [_goodput(study), Text(note, style="dim")]
    return Group(*parts)


def _owner(study: PodStudy) -> dict[int, int]:
    return {cube: i for i, one in enumerate(study.placement.placed) for cube in one.cubes}


def _cubes(axes: Axes, study: PodStudy) -> None:
    pod, owner = study.pod, _owner(study)
    width = int(np.ceil(np.sqrt(pod.cubes)))
    swapped = {swap.by: swap.cube for swap in study.swaps if swap.by is not None}
    for cube in range(pod.cubes):
        x, y = cube % width, cube // width
        slot = owner.get(cube)
        failed = cube in study.placement.failed_cubes
        colour = _FAILED if failed else _FREE if slot is None else COLOURS[slot % len(COLOURS)]
        box: dict[str, Any] = {"facecolor": colour, "edgecolor": "white", "linewidth": 2}
        axes.add_patch(Rectangle((x, y), 1, 1, zorder=2, **box))
        dark = failed or (slot is not None and colour not in ("#E69F00", "#56B4E9"))
        text = f"{cube}"
        if slot is not None:
            one = study.placement.placed[slot]
            at = np.unravel_index(one.cubes.index(cube), one.slice.shape, order="F")
            text += "\n" + ",".join(str(int(c)) for c in at)
        if failed:
            text += "\nfailed"
        elif cube in swapped:
            text += f"\nfor {swapped[cube]}"
        tone = "white" if dark else "#222222"
        axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", fontsize=7, color=tone, zorder=3)
    for i, one in enumerate(study.placement.placed):
        axes.plot([], [], "s", color=COLOURS[i % len(COLOURS)], label=one.slice.name)
    axes.plot([], [], "s", color=_FREE, markeredgecolor="0.7", label="free")
    axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3)
    axes.set_xlim(0, width)
    axes.set_ylim(int(np.ceil(pod.cubes / width)), 0)
    axes.set_aspect("equal")
    axes.set_axis_off()
    cubes = _count(pod.cubes, "cube")
    axes.set_title(f"{cubes} of {pod.side**3} chips: number, place in the slice", loc="left")


def _switches(axes: Axes, study: PodStudy, axis: int) -> None:
    pod, owner = study.pod, _owner(study)
    live = range(axis * pod.face, (axis + 1) * pod.face)
    dark = [pod.switch_name(s) for s in live if s in study.placement.failed_switches]
    row = next(
        (study.placement.configuration[s] for s in live if s not in study.placement.failed_switches),
        np.full(pod.cubes, -1),
    )
    lit = np.flatnonzero(row >= 0)
    colours = [COLOURS[owner[int(c)] % len(COLOURS)] for c in lit]
    axes.scatter(row[lit], lit, c=colours, s=13, marker="s", zorder=3)
    axes.set_xlim(-1.5, pod.cubes + 0.5)
    axes.set_ylim(pod.cubes + 0.5, -1.5)
    axes.set_aspect("equal")
    step = max(1, 2 ** int(np.log2(max(pod.cubes // 4, 1))))
    axes.set_xticks(range(0, pod.cubes, step))
    axes.set_yticks(range(0, pod.cubes, step))
    name = "xyz"[axis]
    title = f"switches {name}0..{name}{pod.face - 1}"
    axes.set_title(title + (f" ({', '.join(dark)} failed)" if dark else ""), loc="left", fontsize=9)
    axes.set_ylabel("upper face of cube")
    if axis == 2:
        axes.set_xlabel("joined to lower face of cube")


def _goodput_curves(axes: Axes, study: PodStudy) -> None:
    shares = list(dict.fromkeys(one.availability for one in study.goodput))
    for i, share in enumerate(shares):
        mine = [one for one in study.goodput if one.availability == share]
        size = [one.cubes * study.pod.side**3 for one in mine]
        look: dict[str, Any] = {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i], "markersize": 4}
        axes.plot(size, [100 * one.circuits for one in mine], label=f"hosts up {share:.4g}", **look)
        if any(one.fixed is not None for one in mine):
            fixed, error = (
                [100 * (getattr(one, name) or 0.0) for one in mine] for name in ("fixed", "fixed_error")
            )
            axes.errorbar(size, fixed, yerr=error, linestyle=":", linewidth=1.4, capsize=2, **look)
    axes.plot([], [], color="0.4", label="circuits, exact")
    axes.plot([], [], color="0.4", linestyle=":", label=f"fixed cables, {study.draws} draws")
    axes.set_xscale("log", base=2)
    ticks = [one.cubes * study.pod.side**3 for one in study.goodput]
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.set_ylim(-3, 105)
    axes.set_xlabel("chips of a slice")
    axes.set_ylabel("pod running in slices (%)")
    axes.set_title("What runs while hosts fail", loc="left")
    axes.legend(frameon=False, fontsize=8, loc="lower left")


def plot_pod(study: PodStudy) -> Figure:
    """Draw a pod: cubes by slice, circuits by axis, and what runs while hosts fail, if it was asked for.

    Parameters
    ----------
    study : PodStudy

    Returns
    -------
    matplotlib.figure.Figure
        Up to 1,200 pixels wide at 100 dpi.
    """
    import matplotlib as mpl

    placed = bool(study.placed() or study.swaps) or not study.goodput
    widths = [*([6.3, 2.6] if placed else []), *([5.4] if study.goodput else [])]
    with mpl.rc_context(STYLE):
        size = (12.0, 6.0) if len(widths) == 3 else (9.0, 6.6) if placed else (7.0, 4.2)
        figure = Figure(figsize=size, dpi=100, layout="constrained")
        columns = figure.subfigures(1, len(widths), width_ratios=widths, squeeze=False)[0]
        if placed:
            _cubes(columns[0].subplots(), study)
            for axis, axes in enumerate(columns[1].subplots(3, 1)):
                _switches(axes, study, axis)
        if study.goodput:
            _goodput_curves(columns[-1].subplots(), study)
    return figure
