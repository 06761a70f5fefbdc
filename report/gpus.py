"""Tables of GPUs: the catalogue, yield, and the bill of a package."""

import math
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from topo_sim.base.files import LEVELS, Range
from topo_sim.gpus.catalogue import Gpu
from topo_sim.gpus.cost import LINES
from topo_sim.report.tables import new_table
from topo_sim.studies.gpu_cost import CostComparison, GpuBill
from topo_sim.studies.gpu_yield import YieldComparison, YieldRow

__all__ = ["cost_tables", "gpu_list_table", "gpu_rows", "gpu_table", "range_text", "yield_tables"]

# Unit that people write a field in, and its size in SI.
UNITS: dict[str, tuple[str, float]] = {
    "compute": ("TFLOPS", 1e12),
    "memory": ("GB", 1e9),
    "memory_bandwidth": ("GB/s", 1e9),
    "network_bandwidth": ("GB/s", 1e9),
    "sm_share": ("%", 0.01),
    "clock": ("GHz", 1e9),
    "die_area": ("mm2", 1e-6),
    "other_silicon": ("mm2", 1e-6),
    "die_width": ("mm", 1e-3),
    "die_height": ("mm", 1e-3),
    "memory_per_stack": ("GB", 1e9),
    "tdp": ("W", 1.0),
    "idle_power": ("W", 1.0),
    "l2_cache": ("MB", 1e6),
}
_LABELS = {"sms": "SMs", "sms_made": "SMs made", "sm_share": "SM share", "hbm_stacks": "HBM stacks",
           "tdp": "TDP", "l2_cache": "L2 cache", "max_gpus": "max GPUs"}  # fmt: skip
_INPUT_UNITS = {"hbm_footprint": ("mm2", 1e-6), "reference_area": ("mm2", 1e-6), "liquid_above": ("W", 1.0)}
_SHARES = ("SM share", "fixed_share", "placement_yield", "final_test")


def range_text(value: Range, field: str) -> str:
    """Write a range with its unit; three numbers only where the typical one is not the only one.

    Parameters
    ----------
    value : Range
    field : str
        Name of a field of `Gpu`.

    Returns
    -------
    str

    Examples
    --------
    >>> range_text(Range(70.0, 100.0, 215.0), "idle_power"), range_text(Range(8e10, 8e10, 8e10), "memory")
    ('100 W (70 .. 215)', '80 GB')
    """
    unit, size = UNITS.get(field, ("", 1.0))
    text = f"{value.typical / size:.4g}" + (f" {unit}" if unit else "")
    return text if value.exact else f"{text} ({value.low / size:.4g} .. {value.high / size:.4g})"


def _facts(gpu: Gpu) -> list[tuple[str, str, Range]]:
    """Field, label and value of everything that is known."""
    found = [("compute", f"compute, {key}", value) for key, value in gpu.compute.items()]
    for name in type(gpu).model_fields:
        value = getattr(gpu, name)
        if isinstance(value, Range):
            found.append((name, _LABELS.get(name, name.replace("_", " ")), value))
    return found


def gpu_rows(gpu: Gpu) -> list[dict[str, Any]]:
    """Everything that is known of a GPU, a row per field, in SI units.

    Parameters
    ----------
    gpu : Gpu

    Returns
    -------
    list of dict
    """
    return [
        {
            "gpu": gpu.name,
            "field": label if field == "compute" else field,
            "low": value.low,
            "typical": value.typical,
            "high": value.high,
            "mark": value.mark,
            "source": value.source,
        }
        for field, label, value in _facts(gpu)
    ]


def gpu_table(gpu: Gpu) -> RenderableType:
    """Tabulate everything that is known of a GPU, with source and mark.

    Parameters
    ----------
    gpu : Gpu

    Returns
    -------
    rich renderable
    """
    table = new_table(f"{gpu.name}: {gpu.about}", ["", "value", "mark", "source"], left=4)
    table.columns[3].no_wrap = False
    table.columns[3].overflow = "fold"
    for field, label, value in _facts(gpu):
        table.add_row(label, range_text(value, field), value.mark or "-", value.source or gpu.source or "-")
    derived = [
        ("TDP / die area", gpu.power_density, "W/mm2", 1e6),
        ("edge of its dies", gpu.perimeter, "mm", 1e-3),
    ]
    for label, number, unit, size in derived:
        if number is not None:
            table.add_row(label, f"{number / size:.4g} {unit}", "computed", "from the rows above")
    for label, text in (
        ("process", gpu.process),
        ("medium of its links", gpu.medium),
        ("packaging", gpu.packaging),
    ):
        table.add_row(label, text or "-", "", "")
    note = "  value (low .. high); links per direction, compute dense, die fields of one compute die"
    marks = (
        "  recalled: from memory of the source, check before quoting; assumed: ours; computed: from others"
    )
    return Group(table, Text(f"{note}\n{marks}", style="dim"))


def _typical(gpu: Gpu, field: str) -> str:
    value = getattr(gpu, field)
    return "-" if value is None else f"{value.typical / UNITS.get(field, ('', 1.0))[1]:.4g}"


def gpu_list_table(gpus: Sequence[Gpu]) -> RenderableType:
    """Tabulate the catalogue, a row per GPU.

    Parameters
    ----------
    gpus : sequence of Gpu

    Returns
    -------
    rich renderable
    """
    columns = ["GPU", "BF16 TFLOPS", "FP8 TFLOPS", "memory GB", "GB/s", "network GB/s", "SMs", "dies",
               "mm2 each", "TDP W", "W/mm2", "max GPUs", "process", "links"]  # fmt: skip
    table = new_table("GPUs: typical values", columns)
    for gpu in gpus:
        peaks = [gpu.compute.get(key) for key in ("bf16", "fp8")]
        density = gpu.power_density
        table.add_row(
            gpu.name,
            *("-" if peak is None else f"{peak.typical / 1e12:.4g}" for peak in peaks),
            *(_typical(gpu, f) for f in ("memory", "memory_bandwidth", "network_bandwidth", "sms", "dies")),
            *(_typical(gpu, field) for field in ("die_area", "tdp")),
            "-" if density is None else f"{density / 1e6:.2f}",
            _typical(gpu, "max_gpus"),
            gpu.process or "-",
            gpu.medium or "-",
        )
    note = "  network: per direction. Lite-GPUs are recalled: 'topo-sim gpu show lite' has sources and marks"
    return Group(table, Text(note, style="dim"))


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}x" if value < 1e4 else f"{value:.3g}x"


def _density(row: YieldRow, value: float | None) -> str:
    if row.gain is None:
        return ""
    return "never" if value is None else f"{value / 1e4:.4f}"


def yield_tables(result: YieldComparison) -> RenderableType:
    """Tabulate yields: a row per model and die.

    Parameters
    ----------
    result : YieldComparison

    Returns
    -------
    rich renderable
    """
    reference = result.dies[0].name
    gain = f"D0 for {result.wanted:g}x"
    columns = ["model", "die", "mm2", "yield", "gain", gain, "with salvage", "gain", gain]
    title = f"Yield at {result.density / 1e4:g} defects per cm2, gain over {reference}"
    table = new_table(title, columns, left=2)
    last = None
    for row in result.rows:
        label = row.model.label
        if last is not None and label != last:
            table.add_section()
        known = row.salvaged is not None
        table.add_row(
            label if label != last else "",
            row.die.name,
            f"{row.die.area * 1e6:.4g}",
            _share(row.plain),
            _times(row.gain) if row.gain is not None else "",
            _density(row, row.density_for_gain),
            _share(row.salvaged),
            _times(row.gain_salvaged) if row.gain_salvaged is not None else "" if known else "-",
            _density(row, row.density_for_gain_salvaged) if known and row.gain_salvaged is not None else "",
        )
        last = label
    salvage = [
        f"{die.name} needs {die.salvage.needed} of {die.salvage.made} SMs, {die.salvage.share:.0%} of the die"
        for die in result.dies
        if die.salvage
    ]
    notes = [f"with salvage: {'; '.join(salvage)}"] if salvage else []
    notes.append(f"{gain}: least density, per cm2, at which a die has that gain")
    return Group(table, *(Text(f"  {note}", style="dim") for note in notes))


def _money(value: float) -> str:
    return f"{value:,.0f}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1e3 else f"{value:.4g}"


def _input(name: str, value: Range) -> tuple[str, str]:
    """Name of an input, and its range as people write it."""
    unit, size = _INPUT_UNITS.get(name, ("$", 1.0))
    if name.startswith(_SHARES):
        unit, size = "%", 0.01
    elif name.startswith("defects"):
        unit, size = "/cm2", 1e4
    elif name.endswith("_margin"):
        unit = ""
    label = name.replace("links ", "per Gb/s of links, ").replace("_", " ")
    numbers = " .. ".join(_number(v / size) for v in (value.low, value.typical, value.high))
    return label, f"{numbers} {unit}".strip()


def _mean(bill: GpuBill) -> str:
    error = bill.spread.error
    return _money(bill.spread.mean) + (f" +- {_money(error)}" if math.isfinite(error) else "")


def _bill_table(result: CostComparison) -> RenderableType:
    table = new_table(
        "Bill of one package, $: low, typical, high",
        ["", *(f"{bill.gpu.name} {level}" for bill in result.bills for level in LEVELS)],
    )
    for line in LINES:
        cells = [_money(bill.lines[level][line]) for bill in result.bills for level in LEVELS]
        table.add_row(line, *cells, end_section=line == LINES[-1])
    table.add_row("package", *(_money(bill.total(level)) for bill in result.bills for level in LEVELS))
    reference = result.reference.gpu.name
    cells = [_money(bill.total(level) * bill.per_reference) for bill in result.bills for level in LEVELS]
    table.add_row(f"per {reference} of compute", *cells)
    return table


def _ratio_table(result: CostComparison) -> RenderableType:
    reference = result.reference.gpu.name
    table = new_table(
        f"Cost of the compute of one {reference} over that of {reference}: typical, and 5 % .. 95 % of draws",
        ["GPU", "GPUs", "$ per package (mean)", "whole bill", "dies alone, salvage", "dies alone, none"],
    )
    for bill in result.bills:
        ratio = bill.total() * bill.per_reference / result.reference.total()
        pairs = ((ratio, bill.ratio), (bill.die_ratio_typical[0], bill.die_ratio),
                 (bill.die_ratio_typical[1], bill.die_ratio_plain))  # fmt: skip
        table.add_row(
            bill.gpu.name,
            f"{bill.per_reference:.4g}",
            _mean(bill),
            *(f"{typical:.2f} ({s.p5:.2f} .. {s.p95:.2f})" for typical, s in pairs),
        )
    return table


def _swing_table(result: CostComparison, bill: GpuBill, most: int) -> RenderableType:
    alone = bill is result.reference
    what = "package, $" if alone else f"over {result.reference.gpu.name}"
    title = f"What moves {bill.gpu.name} most, one input at a time: {what}"
    table = new_table(title, ["input", "range", "mark", "at low", "at high", "swing"], left=3)
    for swing in bill.swings[:most]:
        low, high = swing.cost if alone else swing.ratio
        form = _money if alone else "{:.3f}".format
        table.add_row(
            *_input(swing.name, swing.value), swing.value.mark, form(low), form(high), form(abs(high - low))
        )
    return table


def cost_tables(result: CostComparison, most: int = 8) -> RenderableType:
    """Tabulate bills, their ratios, and what moves them.

    Parameters
    ----------
    result : CostComparison
    most : int
        Inputs to show.

    Returns
    -------
    rich renderable
    """
    costing = result.costing
    parts = [_bill_table(result)]
    if len(result.bills) > 1:
        parts.append(_ratio_table(result))
    shown = result.bills[1:] or result.bills
    parts += [_swing_table(result, bill, most) for bill in shown]
    notes = [
        f"dies: {costing.model.label} yield, {'with' if costing.salvage else 'no'} salvage, counted by "
        f"{costing.count}; {result.samples:,} draws, each input from a triangle by itself; compute: "
        f"{result.precision}",
        "low, high: every input at its cheap, its dear end; their quotients are no range of a ratio",
        "links: a GPU's own end; switches, boards, hosts and the vendor's margin are in no bill",
        *(note for bill in result.bills for note in bill.notes),
    ]
    return Group(*parts, *(Text(f"  {note}", style="dim") for note in notes))
