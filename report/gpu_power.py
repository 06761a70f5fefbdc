"""Tables of power: one package by part, a day by policy, what moves it, cooling."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from topo_sim.base.files import LEVELS, Range
from topo_sim.gpus.power import PARTS
from topo_sim.report.tables import new_table
from topo_sim.studies.power_results import PowerComparison

__all__ = ["input_text", "percent", "power_tables"]

_WATTS = ("refresh_per_gb",)
_PICOJOULES = ("hbm_energy", "light ", "SerDes ")


def percent(value: float) -> str:
    """Write a share as people read it, without a minus zero.

    Examples
    --------
    >>> percent(0.1783), percent(-0.0001)
    ('17.8 %', '0.0 %')
    """
    return f"{round(100 * value, 1) + 0.0:.1f} %"


def _watts(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def input_text(name: str, value: Range) -> tuple[str, str]:
    """Name of an input of power, and its range as people write it.

    Parameters
    ----------
    name : str
    value : Range

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> input_text("wake_time", Range(10.0, 60.0, 300.0))
    ('wake time', '10 .. 60 .. 300 s')
    """
    unit, size = "%", 0.01
    if name.startswith(_PICOJOULES):
        unit, size = "pJ/b", 1e-12
    elif name in _WATTS:
        unit, size = "W", 1.0
    elif name == "wake_time":
        unit, size = "s", 1.0
    numbers = " .. ".join(f"{v / size:.3g}" for v in (value.low, value.typical, value.high))
    label = "idle" if name.startswith("idle") else name.replace("_", " ")
    return label, f"{numbers} {unit}"


def _package_table(result: PowerComparison) -> RenderableType:
    asked = result.question
    columns = ["", *(f"{p.gpu.name} {level}" for p in result.packages for level in LEVELS)]
    title = f"Power of one package, W: load {asked.load:g}, clock {asked.clock:g}, activity {asked.activity}"
    table = new_table(title, columns)
    for part in PARTS:
        cells = [_watts(p.parts[level][part]) for p in result.packages for level in LEVELS]
        table.add_row(part, *cells, end_section=part == PARTS[-1])
    lines: list[tuple[str, Any]] = [
        ("together", lambda p, level: p.total(level)),
        ("in full use, rated clock", lambda p, level: p.full[level]),
        ("without work", lambda p, level: p.idle[level]),
        ("switched off", lambda p, level: p.gated[level]),
    ]
    for label, value in lines:
        table.add_row(label, *(_watts(value(p, level)) for p in result.packages for level in LEVELS))
    if asked.cap is not None:
        cells = [f"{p.cap_clock:.3f}" if level == "typical" else "" for p in result.packages
                 for level in LEVELS]  # fmt: skip
        table.add_row(f"clock within {asked.cap:g} W per {result.reference.name}", *cells)
    return table


def _day_table(result: PowerComparison) -> RenderableType:
    reference, curve = result.reference.name, result.curve
    title = f"Energy of a day, load {curve.name} (mean {curve.mean:.0%}): typical, and 5 % .. 95 % of draws"
    columns = ["policy", "GPU", "GPUs", "on", "kWh a day", f"saved over {reference}, same policy",
               f"saved over {reference}, all on"]  # fmt: skip
    table = new_table(title, columns, left=2)
    last = None
    for day in result.days:
        if last is not None and day.policy != last:
            table.add_section()
        spread, saving = day.drawn, day.saving_drawn
        alone = day.gpu == reference
        low, high = int(day.day.on.min()), int(day.day.on.max())
        table.add_row(
            day.policy if day.policy != last else "",
            day.gpu,
            f"{day.count}",
            f"{low}" if low == high else f"{low} .. {high}",
            f"{day.energy['typical']:.4g} ({spread.p5:.4g} .. {spread.p95:.4g})",
            "" if alone else
            f"{percent(day.saving['typical'])} ({percent(saving.p5)} .. {percent(saving.p95)})",
            "" if alone and day.policy == "all_on" else percent(day.over_all_on["typical"]),
        )  # fmt: skip
        last = day.policy
    return table


def _size_table(result: PowerComparison) -> RenderableType:
    reference = result.reference.name
    sizes = [n for n, _ in next(iter(result.by_size.values()))]
    title = f"Saved over as many {reference}s under the same policy, by how many share the load"
    table = new_table(title, ["GPU", "policy", *(f"{n} {reference}" for n in sizes)], left=2)
    last = None
    for (gpu, policy), points in result.by_size.items():
        table.add_row(gpu if gpu != last else "", policy, *(percent(saving) for _, saving in points))
        last = gpu
    return table


def _swing_table(result: PowerComparison, most: int) -> RenderableType:
    second = result.packages[1].gpu.name
    title = f"What moves the saving of {second} under {result.swing_policy} most, one input at a time"
    table = new_table(title, ["input", "range", "mark", "at low", "at high", "swing"], left=3)
    for swing in result.swings[:most]:
        low, high = swing.saving
        table.add_row(
            *input_text(swing.name, swing.value), swing.value.mark, percent(low), percent(high),
            f"{100 * abs(high - low):.1f} points",
        )  # fmt: skip
    return table


def _cooling_table(result: PowerComparison) -> RenderableType:
    racked = f"racks for {result.question.racked:,} {result.reference.name}"
    columns = [
        "GPU",
        "cooling",
        "sink",
        "W",
        "W/mm2",
        "junction",
        "takes, W",
        "clock",
        "GPUs per rack",
        racked,
    ]
    table = new_table("Cooling: low .. typical .. high of what each limit allows", columns, left=2)
    last = None
    for each in result.cooling:
        allowed = each.allowed
        clock = "-" if each.clock is None else f"{each.clock:.2f}"
        table.add_row(
            each.gpu if each.gpu != last else "",
            each.cooling,
            f"{each.sink:.3g}",
            f"{each.package:.0f}",
            "-" if each.density is None else f"{each.density / 1e6:.2f}",
            f"{each.junction:.0f} C",
            f"{allowed.low:.0f} .. {allowed.typical:.0f} .. {allowed.high:.0f}",
            clock + {"clock": " (most)", "package": " (package)"}.get(each.clock_bound, ""),
            " .. ".join(map(str, each.per_rack)),
            " .. ".join(f"{n:,}" for n in reversed(each.racks)),
        )
        last = each.gpu
    return table


def power_tables(result: PowerComparison, most: int = 8) -> RenderableType:
    """Tabulate power: packages, a day, sizes, what moves it, cooling.

    Parameters
    ----------
    result : PowerComparison
    most : int
        Inputs to show.

    Returns
    -------
    rich renderable
    """
    parts = [_package_table(result), _day_table(result)]
    if len(result.packages) > 1:
        parts += [_size_table(result), _swing_table(result, most)]
    parts.append(_cooling_table(result))
    asked, reference = result.question, result.reference.name
    switched = "each GPU by itself" if asked.drain is None else f"{asked.drain} {reference} at a time"
    notes = [
        f"model {asked.model}; switched: {switched}; compute: {asked.precision}; light: modules of the "
        "links, whose lasers never sleep while a GPU is on",
        "low, high: every input at that end; draws: each input from a triangle by itself, the same for all",
        "sink: size over that of an H100; takes: until the junction or the largest package sold "
        "(package); clock: at full load, over the rated one",
        "W/mm2: TDP over compute dies; GPUs per rack: with what a server draws besides, by TDP",
    ]
    return Group(*parts, *(Text(f"  {note}", style="dim") for note in notes))
