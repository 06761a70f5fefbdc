"""The picture of the case study: types of GPU on models, on an ideal network and on fabrics."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from topo_sim.report.plots import COLOURS, STYLE
from topo_sim.studies.case_results import IDEAL, CasePoint, CaseStudy

__all__ = ["plot_case_study"]

_IDEAL_COLOUR = "0.62"
_WIDTH = 0.86  # of a group of bars
_TINT = 0.3  # of what hiding all communication adds
_ROOM = 1.1
_TITLES = {"prefill": "Prefill", "decode": "Decode"}
_METRICS = {"sm": "SM", "dollar": "$ of GPUs", "watt": "W of GPUs"}
_HINTS = {"prefill": "first token within 1 s", "decode": "50 ms between tokens"}


def _label(gpu: str) -> str:
    """Write a type of GPU on short lines: what it has more of."""
    head, *more = gpu.split("+")
    names = {"netbw": "NetBW", "membw": "MemBW", "flops": "FLOPS"}
    if not more:
        return head.capitalize() if head.islower() and head.isalpha() else head
    return "\n".join(f"+{names.get(each, each)}" for each in more)


def _value(point: CasePoint, metric: str) -> float:
    values = {"sm": point.normalised, "dollar": point.dollar_normalised, "watt": point.watt_normalised}
    return values[metric] or 0.0


def _colours(study: CaseStudy) -> dict[str, str]:
    found = {IDEAL: _IDEAL_COLOUR}
    for i, network in enumerate(name for name in study.networks if name != IDEAL):
        found[network] = COLOURS[i % len(COLOURS)]
    return found


def _panel(axes: Axes, study: CaseStudy, model: str, phase: str, operators: str, metric: str) -> float:
    """Draw the bars of one model in one phase; return the highest value."""
    gpus, networks, colours = study.gpus[1:], study.networks, _colours(study)
    width = _WIDTH / len(networks)
    most = 1.0
    for i, network in enumerate(networks):
        at = np.arange(len(gpus)) + (i - (len(networks) - 1) / 2) * width
        ends = [
            [_value(study.point(model, phase, gpu, network, operators, overlap), metric) for gpu in gpus]
            for overlap in (0.0, 1.0)
        ]
        serial, hidden = np.array(ends[0]), np.array(ends[1])
        axes.bar(at, hidden, width * 0.92, color=colours[network], alpha=_TINT, zorder=2)
        axes.bar(at, serial, width * 0.92, color=colours[network], zorder=3)
        lower = hidden < serial  # the reference gains more by hiding than this one does
        axes.plot(at[lower], hidden[lower], "_", color="white", markersize=5, markeredgewidth=1.4, zorder=4)
        for x, gpu, low, high in zip(at, gpus, serial, hidden, strict=True):
            if max(low, high) == 0:
                fits = study.point(model, phase, gpu, network, operators, 1.0).gpus
                text = f"no {study.reference.upper()}" if fits else "none"
                axes.annotate(text, (x, 0.02), rotation=90, ha="center", va="bottom", fontsize=6.5)
        most = max(most, float(serial.max(initial=0)), float(hidden.max(initial=0)))
    axes.axhline(1.0, color="0.1", linewidth=1.1, zorder=5)
    axes.set_xticks(np.arange(len(gpus)), [_label(gpu) for gpu in gpus])
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.56, len(gpus) - 0.44)
    axes.grid(axis="x", visible=False)
    return most


def _legend(figure: Figure, study: CaseStudy) -> None:
    colours = _colours(study)
    handles: list[Any] = [
        Patch(color=colours[name], label="ideal network" if name == IDEAL else name)
        for name in study.networks
    ]
    ends = [
        Patch(color="0.25", label="communication in the open"),
        Patch(color="0.25", alpha=_TINT, label="all of it hidden behind computing"),
    ]
    line = Line2D([], [], color="0.1", linewidth=1.1, label=f"{study.reference.upper()} cluster")
    figure.legend(
        handles=[*handles, *ends, line], loc="outside lower center", ncols=len(handles) + 3, frameon=False,
        fontsize=9, columnspacing=1.4, handlelength=1.4,
    )  # fmt: skip


def plot_case_study(study: CaseStudy, operators: str = "calibrated", metric: str = "sm") -> Figure:
    """Draw tokens per second and SM (or $, or W) over the reference: phases down, models across.

    Parameters
    ----------
    study : CaseStudy
    operators : {"calibrated", "roofline"}
    metric : {"sm", "dollar", "watt"}
        Per what.

    Returns
    -------
    Figure
    """
    from matplotlib import rc_context

    columns = len(study.models)
    with rc_context(STYLE):
        figure = Figure(figsize=(max(4.6 * columns, 7.5), 6.8), layout="constrained")
        panels = np.asarray(figure.subplots(2, columns, sharey="row", squeeze=False))
        for row, phase in enumerate(("prefill", "decode")):
            most = max(
                _panel(panels[row, i], study, model, phase, operators, metric)
                for i, model in enumerate(study.models)
            )
            for i, model in enumerate(study.models):
                axes = panels[row, i]
                axes.set_ylim(0, most * _ROOM)
                axes.set_title(f"{_TITLES[phase]}, {model}", loc="left")
            panels[row, 0].set_ylabel(f"over {study.reference.upper()}\n({_HINTS[phase]})")
        _legend(figure, study)
        how = "operators as measured on H100" if operators == "calibrated" else "roofline operators"
        figure.suptitle(
            f"Tokens per second and {_METRICS[metric]} of Lite-GPU clusters, "
            f"{study.reference.upper()} cluster = 1 ({how})",
            fontweight="bold", fontsize=12,
        )  # fmt: skip
    return figure
