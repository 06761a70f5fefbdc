"""Power and energy as tables."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from topo_sim.base import format_quantity
from topo_sim.base.files import Range
from topo_sim.optics.ends import PARTS
from topo_sim.report.tables import new_table
from topo_sim.studies.power import PowerReport

__all__ = ["per_bit", "power_tables", "watts"]


def watts(value: float) -> str:
    """Write a power.

    Parameters
    ----------
    value : float, W

    Returns
    -------
    str

    Examples
    --------
    >>> watts(2513.4), watts(0.0)
    ('2.513 kW', '0 W')
    """
    return format_quantity(value, "power", 4)


def per_bit(value: float) -> str:
    """Write an energy per bit.

    Parameters
    ----------
    value : float, J/b

    Returns
    -------
    str

    Examples
    --------
    >>> per_bit(23.3557e-12)
    '23.36'
    """
    return f"{value * 1e12:.4g}"


def _joules(value: float) -> str:
    return format_quantity(value, "energy", 4)


def _ends(value: Range) -> str:
    return f"{watts(value.low)} .. {watts(value.high)}"


def _parts(reports: Sequence[PowerReport]) -> Table:
    first = reports[0]
    table = new_table(
        f"Power, W at {first.load:.0%} load, {first.level}",
        ["fabric", *PARTS, "total", "low .. high", "idle", "per endpoint", "per H100"],
    )
    for report in reports:
        total = report.total.at(report.level)
        each = "-" if not report.h100_equivalents else f"{total / report.h100_equivalents:.4g} W"
        table.add_row(
            report.name,
            *(watts(value) if value else "-" for value in report.watts.values()),
            watts(total),
            _ends(report.total),
            watts(report.power.total(0.0).at(report.level)),
            f"{total / report.endpoints:.4g} W",
            each,
        )
    return table


def _devices(reports: Sequence[PowerReport]) -> Table | None:
    columns = ["fabric", "switches", "ports", "capacity each", "costed by", "of these each", "full load each"]
    table = new_table("Switches", columns)
    for report in reports:
        for group in report.power.switches:
            table.add_row(
                report.name,
                f"{group.count:,}",
                f"{group.ports:,}",
                format_quantity(group.capacity, "rate", 4),
                group.device,
                f"{group.devices:.3g}",
                watts(group.power.at(report.level)),
            )
        circuit = report.power.circuit_switches
        if circuit is not None:
            table.add_row(
                report.name,
                f"{circuit.devices:,} circuit",
                f"{circuit.ports_used / circuit.devices:.4g} used of {circuit.ports or '?'}",
                "-",
                circuit.device,
                "1",
                "-" if circuit.power is None else watts(circuit.power.at(report.level)),
            )
    return table if table.row_count else None


def _traffic(reports: Sequence[PowerReport]) -> Table | None:
    columns = [
        "fabric", "traffic", "size", "by", "time", "lower bound", "delivered", "energy", "pJ/b",
        "low .. high", "static",
    ]  # fmt: skip
    table = new_table("Energy per bit delivered", columns, left=2)
    for report in reports:
        for each in report.traffic:
            bit = each.energy.per_bit
            table.add_row(
                report.name,
                each.name,
                "-" if each.size is None else format_quantity(each.size, "size"),
                each.algorithm or each.routing,
                "-" if each.time is None else format_quantity(each.time, "time", 4),
                "-" if each.lower_bound is None else format_quantity(each.lower_bound, "time", 4),
                format_quantity(each.rate, "rate", 4),
                "-"
                if each.time is None
                else format_quantity(each.energy.total.at(report.level), "energy", 4),
                "-" if bit is None else per_bit(bit.at(report.level)),
                "-" if bit is None else f"{per_bit(bit.low)} .. {per_bit(bit.high)}",
                f"{each.energy.idle_share:.0%}",
            )
    return table if table.row_count else None


def _notes(reports: Sequence[PowerReport]) -> list[Text]:
    notes = [
        "idle: without traffic; optics: modules in the plugs of active copper too; endpoint SerDes: in the "
        "GPUs, those of switches are in switch silicon",
    ]
    if any(report.power.switches for report in reports):
        notes.append("switches of any number of ports are costed by capacity, at the J/b of the device named")
    if any(each.time is not None for report in reports for each in report.traffic):
        notes.append(
            "energy of a collective: its bytes on every link, and static power for as long as it takes"
        )
    if any(each.time is None for report in reports for each in report.traffic):
        share = f"{reports[0].load:.0%}"
        notes.append(f"a demand is sent at {share} of the throughput that its routing gives on each fabric")
    if any(report.traffic for report in reports):
        notes.append("static: the share of the energy (typical) that is drawn without traffic too")
    notes += [f"{report.name}: {text}" for report in reports for text in report.power.notes]
    return [Text(f"  {note}", style="dim") for note in notes]


def power_tables(reports: Sequence[PowerReport]) -> RenderableType:
    """Tables of power by part, of the switches, and of the energy of traffic.

    Parameters
    ----------
    reports : sequence of PowerReport

    Returns
    -------
    rich renderable
    """
    tables = [_parts(reports), _devices(reports), _traffic(reports)]
    return Group(*(table for table in tables if table is not None), *_notes(reports))
