"""Tables for people."""

import io
import math
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from topo_sim.base import format_quantity
from topo_sim.collectives import COLLECTIVES, CollectiveCost
from topo_sim.studies import CollectiveTable, Comparison, Sharing, Throughput
from topo_sim.studies.best import carries_bytes
from topo_sim.studies.compare import Compared
from topo_sim.topo import Fabric, FabricMetrics

__all__ = [
    "collective_table",
    "comparison_tables",
    "info_table",
    "list_table",
    "sharing_table",
    "throughput_table",
    "to_text",
]

LONG_TEXT = 36


def new_table(title: str, columns: Iterable[str], left: int = 1) -> Table:
    table = Table(
        title=Text(title, no_wrap=True), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD
    )
    table.pad_edge, table.min_width = False, len(title)
    for i, name in enumerate(columns):
        table.add_column(name, justify="left" if i < left else "right", no_wrap=True)
    return table


def to_text(renderable: RenderableType, width: int, colour: bool = False) -> str:
    """Render a table as text.

    Parameters
    ----------
    renderable : rich renderable
    width : int
        Columns to fill at most.
    colour : bool
        Whether to use terminal styles.

    Returns
    -------
    str
    """
    buffer = io.StringIO()
    Console(file=buffer, width=width, force_terminal=colour, no_color=not colour).print(renderable)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


def _interval(bounds: tuple[float, float]) -> str:
    low, high = (format_quantity(value, "rate", 3) for value in bounds)
    return low if low == high else f"{low} .. {high}"


def _bandwidth(cost: CollectiveCost, value: float, digits: int = 4) -> str:
    return format_quantity(value, "rate", digits) if carries_bytes(cost.collective) else "-"


def _cell(cost: CollectiveCost) -> str:
    return (
        f"{format_quantity(cost.time, 'time', 3)}  {_bandwidth(cost, cost.busbw, 3)}\n"
        f"{cost.algorithm}  {cost.fraction:.0%}"
    )


def comparison_tables(comparison: Comparison) -> RenderableType:
    """Tables of a comparison: one of scalars, one per collective.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    rich renderable
    """
    scalars = new_table(
        "Fabrics",
        ["fabric", "H100s", "endpoints", "switches", "OCS", "cables", "diameter", "mean hops",
         "injection", "bisection / endpoint", "power", "W / H100", "pJ/b", "routing"],
    )  # fmt: skip
    for fabric in comparison.fabrics:
        m = fabric.metrics
        scalars.add_row(
            fabric.name,
            "-" if fabric.h100_equivalents is None else f"{fabric.h100_equivalents:g}",
            f"{m.endpoints:,}",
            f"{m.switches:,}",
            f"{m.circuit_switches:,}",
            f"{m.cables:,}",
            str(m.hops.diameter),
            f"{m.hops.mean:.2f}",
            format_quantity(m.injection, "rate"),
            _interval(m.bisection_per_endpoint),
            *_light(fabric),
            fabric.routing,
        )
    parts: list[RenderableType] = [scalars]
    for name in comparison.collectives:
        headings = [format_quantity(size, "size") for size in comparison.sizes]
        table = new_table(
            f"Best {COLLECTIVES[name].title}: time, bus bandwidth; algorithm, share of its lower bound",
            ["fabric", *headings],
        )
        for fabric in comparison.fabrics:
            cells = [_cell(comparison.cost(fabric, name, size)) for size in comparison.sizes]
            table.add_row(fabric.name, *cells, end_section=True)
        parts.append(table)
    return Group(*parts, *_notes(comparison))


def _light(fabric: Compared) -> tuple[str, str, str]:
    """Power, power per H100 and energy per bit, at typical values."""
    total, bit, each = fabric.power.total, fabric.power.energy_per_bit, fabric.h100_equivalents
    return (
        "-" if total is None else format_quantity(total.typical, "power", 3),
        "-" if total is None or not each else f"{total.typical / each:.3g}",
        "-" if bit is None else f"{bit.typical * 1e12:.3g}",
    )


def _notes(comparison: Comparison) -> list[Text]:
    ranks = sorted({fabric.metrics.endpoints for fabric in comparison.fabrics})
    notes = ["hops: links crossed between two endpoints; injection: capacity that leaves an endpoint"]
    if any(fabric.power.total is not None for fabric in comparison.fabrics):
        notes.append(
            "power: network at full load, typical; pJ/b: of uniform traffic at its throughput, static power "
            "included ('topo-sim optics power' has the parts and their ranges)"
        )
    notes += [f"power: {fabric.power.unknown}" for fabric in comparison.fabrics if fabric.power.unknown]
    if any(not fabric.metrics.bisection.exact for fabric in comparison.fabrics):
        notes.append("bisection a .. b: no closed form; proven lower bound .. best cut found")
    if "all_to_all_v" in comparison.collectives:
        notes.append("all-to-all-v: uniform, every endpoint sends as much to each")
    if len(ranks) > 1 and "all_to_all" in comparison.collectives:
        notes.append(
            f"all-to-all: the size is what one endpoint sends, so {ranks[-1]} endpoints move "
            f"{ranks[-1] / ranks[0]:g}x the bytes of {ranks[0]}"
        )
    return [Text(f"  {note}", style="dim") for note in notes]


def collective_table(result: CollectiveTable) -> RenderableType:
    """Table of the algorithms of one collective, with what holds the best one back.

    Parameters
    ----------
    result : CollectiveTable

    Returns
    -------
    rich renderable
    """
    first = result.costs[0]
    models = [["model"]] if any(cost.model != "step" for cost in result.costs) else []
    numbers = ["time", "algbw", "busbw", "lower bound", "of bound", "steps", "busiest link"]
    table = new_table(
        f"{COLLECTIVES[result.collective].title} on {result.fabric}: {first.ranks} ranks, {first.routing}",
        ["size", "algorithm", *chain(*models), *numbers],
        left=2 + len(models),
    )
    size = None
    for label, cost in zip(result.labels, result.costs, strict=True):
        if size is not None and cost.size != size:
            table.add_section()
        busiest = cost.bottleneck[0] if cost.bottleneck else None
        more = f" (+{cost.busiest_count - 1})" if cost.busiest_count > 1 else ""
        table.add_row(
            format_quantity(cost.size, "size") if cost.size != size else "",
            label,
            *([cost.model] if models else []),
            format_quantity(cost.time, "time"),
            _bandwidth(cost, cost.algbw),
            _bandwidth(cost, cost.busbw),
            format_quantity(cost.lower_bound, "time"),
            "below the bound: not physical" if cost.below_bound else f"{cost.fraction:.1%}",
            f"{int(cost.step_repeats.sum()):,}" if cost.step_repeats.size or cost.model == "step" else "-",
            f"{busiest.name}{more} {busiest.share:.0%}" if busiest else "-",
        )
        size = cost.size
    bounds = sorted({cost.bound for cost in result.costs})
    note = (
        f"  lower bound from: {'; '.join(bounds)}. Busiest link: (+ as busy), share of the time that it works"
    )
    inside = list(dict.fromkeys(cost.algorithm for cost in result.costs if cost.in_network))
    if inside:
        note += f"\n  in-network reduction, with the lower bound for it: {', '.join(inside)}"
    return Group(table, Text(note, style="dim"))


def sharing_table(result: Sharing) -> RenderableType:
    """Summary of shared bandwidth.

    Parameters
    ----------
    result : Sharing

    Returns
    -------
    rich renderable
    """
    summary = result.to_dict()
    table = new_table(f"{result.pattern} on {result.fabric}: max-min fair rates", ["", ""])
    table.show_header = False
    for label, value in (
        ("flows", f"{summary['flows']:,}"),
        ("routing", f"{result.routing} (seed {result.seed})"),
        ("mean hops", f"{summary['mean_hops']:.2f}"),
        ("rate, least", format_quantity(summary["rate_min_B_per_s"], "rate")),
        ("rate, mean", format_quantity(summary["rate_mean_B_per_s"], "rate")),
        ("rate, most", format_quantity(summary["rate_max_B_per_s"], "rate")),
        ("rate, sum", format_quantity(summary["rate_sum_B_per_s"], "rate")),
        ("links used", f"{summary['links_used']:,} of {summary['links']:,}"),
        ("links full", f"{summary['links_full']:,}"),
        (f"last flow of {format_quantity(result.size, 'size')} ends", format_quantity(result.finish, "time")),
    ):
        table.add_row(label, value)
    held = new_table("Links that hold most flows back", ["link", "flows"])
    for name, flows in result.full_links:
        held.add_row(name, f"{flows:,}")
    note = "  certificate checked: no link over capacity, every flow has a full link where none is faster"
    return Group(table, held, Text(note, style="dim"))


def throughput_table(result: Throughput) -> RenderableType:
    """Throughput, its bounds, and the throughput of plain routings.

    Parameters
    ----------
    result : Throughput

    Returns
    -------
    rich renderable
    """
    flow, bounds = result.flow, result.flow.bounds
    title = f"{flow.demand} on {flow.fabric}: throughput per unit of demand"
    table = new_table(title, ["", "rate", "theta / rate", ""])
    rows = [
        ("theta, best splitting of flows", flow.theta, f"{flow.method}, {flow.steps:,} steps"),
        ("proven upper bound", flow.upper, f"gap {max(flow.gap, 0.0):.2g}"),
        ("volume bound", bounds.volume, "tightest" if bounds.tight == "volume" else ""),
        ("cut bound", bounds.cut, bounds.cut_name + (", tightest" if bounds.tight != "volume" else "")),
        ("bound of the worst demand", bounds.worst_case, "longest matching, 1 per endpoint"),
        *((f"under {name}", rate, "") for name, rate in result.routed.items()),
    ]
    for label, rate, note in rows:
        known = math.isfinite(rate)
        share = f"{flow.theta / rate:.4f}" if known and rate > 0 else "-"
        table.add_row(label, format_quantity(rate, "rate", 5) if known else "not computed", share, note)
    held = new_table("Fullest links", ["link", "load / capacity"])
    for name, value in result.full_links:
        held.add_row(name, f"{value:.4f}")
    return Group(table, held)


def info_table(fabric: Fabric, m: FabricMetrics, text: Sequence[tuple[str, str]]) -> RenderableType:
    """Tabulate what a fabric is.

    Parameters
    ----------
    fabric : Fabric
    m : FabricMetrics
    text : sequence of (label, value)
        More rows, shown first.

    Returns
    -------
    rich renderable
    """
    table = new_table(fabric.name, ["", ""], left=2)
    table.columns[1].no_wrap = False
    table.show_header = False
    rows = [
        *text,
        ("endpoints", f"{m.endpoints:,}"),
        ("switches", f"{m.switches:,}"),
        ("circuit switches", f"{m.circuit_switches:,}"),
        ("cables", f"{m.cables:,}"),
        ("links", f"{m.links:,} (one way each)"),
        ("injection / endpoint", format_quantity(m.injection, "rate")),
        ("diameter", f"{m.hops.diameter} hops" + ("" if m.hops.exact else " or more (sampled)")),
        ("mean distance", f"{m.hops.mean:.4f} hops"),
        ("bisection", f"{_interval((m.bisection.low, m.bisection.high))} one way ({m.bisection.method})"),
        ("bisection / endpoint", _interval(m.bisection_per_endpoint)),
        ("routing", fabric.routing),
        ("endpoints forward", "yes" if fabric.endpoints_forward else "no"),
    ]
    for label, value in rows:
        table.add_row(label, value)
    links = new_table("Links by kind", ["medium", "bandwidth", "latency", "links"])
    for medium, capacity, latency, count in link_kinds(fabric):
        rate, delay = format_quantity(capacity, "rate"), format_quantity(latency, "time")
        links.add_row(medium, rate, delay, f"{count:,}")
    return Group(table, links)


def link_kinds(fabric: Fabric) -> list[tuple[str, float, float, int]]:
    """Count links by medium, capacity and latency.

    Parameters
    ----------
    fabric : Fabric

    Returns
    -------
    list of (medium, capacity in B/s, latency in s, links)
    """
    import numpy as np

    columns = np.stack([fabric.medium, fabric.capacity, fabric.latency], axis=1)
    kinds, counts = np.unique(columns, axis=0, return_counts=True)
    return [
        (fabric.media[int(m)], float(c), float(t), int(n)) for (m, c, t), n in zip(kinds, counts, strict=True)
    ]


def list_table(title: str, rows: Sequence[dict[str, Any]]) -> RenderableType:
    """Names and what they mean.

    Parameters
    ----------
    title : str
    rows : sequence of dict
        All with the same keys.

    Returns
    -------
    rich renderable
    """
    table = new_table(title, list(rows[0]) if rows else ["name"], left=99)
    for column, key in zip(table.columns, rows[0] if rows else (), strict=False):
        longest = max(len(str(row[key])) for row in rows)
        column.no_wrap = longest <= LONG_TEXT and key != list(rows[0])[-1]
        column.overflow = "fold"
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    return table
