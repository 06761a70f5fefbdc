"""The catalogue of light as tables, and its ranges as a picture."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from topo_sim.base import format_quantity
from topo_sim.base.files import LEVELS, Range
from topo_sim.optics import CircuitSwitch, Medium, PacketSwitch
from topo_sim.report.tables import new_table
from topo_sim.studies.media import MediaCatalogue, Number, numbers

__all__ = ["media_tables"]

# Unit and factor from SI, by kind of quantity.
_UNITS = {
    "energy per bit": ("pJ/b", 1e12),
    "rate": ("Gb/s", 8e-9),
    "share": ("%", 100.0),
    "length": ("m", 1.0),
    "loss": ("dB", 1.0),
    "optical power": ("dBm", 1.0),
    "delay per length": ("ns/m", 1e9),
    "bandwidth density": ("Tb/s/mm", 8e-15),
    "power": ("W", 1.0),
    "money": ("$", 1.0),
}


def _time(value: float) -> str:
    return f"{value * 1e12:.3g} ps" if 0 < value < 1e-9 else format_quantity(value, "time", 3)


def _write(value: float, kind: str) -> str:
    if kind == "time":
        return _time(value)
    if kind == "loss per length":
        return f"{value * 1e3:.4g} dB/km" if value < 0.1 else f"{value / 100:.4g} dB/cm"
    unit, factor = _UNITS.get(kind, ("", 1.0))
    return f"{value * factor:.4g} {unit}".strip() if value else f"0 {unit}".strip()


def _cell(value: Range | float | None, kind: str, level: str = "typical") -> str:
    if value is None:
        return "-"
    return _write(value.at(level) if isinstance(value, Range) else value, kind)


def _media(found: MediaCatalogue, media: Sequence[Medium]) -> RenderableType:
    table = new_table(
        f"Link media, {found.level}",
        [
            "medium",
            "pJ/b",
            "static",
            "W at 1.6 Tb/s",
            "chips' pJ/b",
            "reach",
            "latency",
            "edge, one way",
            "about",
        ],
    )
    table.columns[-1].justify, table.columns[-1].no_wrap = "left", False
    level = found.level
    for each in media:
        table.add_row(
            each.name,
            f"{each.energy_per_bit.at(level) * 1e12:.4g}",
            _cell(each.static_share, "share", level),
            f"{each.port_power(200e9, level=level):.3g}",
            f"{2 * each.serdes_energy.at(level) * 1e12:.3g}",
            _cell(each.reach, "length", level),
            _time(each.latency(0.0, level)),
            _cell(each.bandwidth_density, "bandwidth density", level),
            each.about,
        )
    return table


def _circuit_switches(found: MediaCatalogue, switches: Sequence[CircuitSwitch]) -> RenderableType:
    table = new_table(
        f"Circuit switches, {found.level}",
        ["switch", "ports", "reconfiguration", "loss", "power", "control", "about"],
    )
    table.columns[-1].justify, table.columns[-1].no_wrap = "left", False
    for each in switches:
        total = each.reconfiguration(found.level)
        table.add_row(
            each.name,
            "-" if each.ports is None else f"{each.ports.at(found.level):.0f}",
            "-" if total is None else _time(total),
            _cell(each.loss, "loss", found.level),
            _cell(each.power, "power", found.level),
            each.control,
            each.about,
        )
    return table


def _packet_switches(found: MediaCatalogue, switches: Sequence[PacketSwitch]) -> RenderableType:
    table = new_table(
        f"Packet switches, {found.level}",
        ["switch", "ports", "port", "capacity", "power", "pJ/b", "latency", "about"],
    )
    table.columns[-1].justify, table.columns[-1].no_wrap = "left", False
    for each in switches:
        energy = each.energy_per_bit(found.level)
        table.add_row(
            each.name,
            str(each.ports),
            _cell(each.port_rate, "rate", found.level),
            f"{each.capacity * 8e-12:.4g} Tb/s",
            _cell(each.power, "power", found.level) + (" with optics" if each.optics_included else ""),
            "-" if energy is None else f"{energy * 1e12:.3g}",
            _cell(each.latency, "time", found.level),
            each.about,
        )
    return table


def _shorelines(found: MediaCatalogue) -> RenderableType:
    area = found.shorelines[0][0].area * 1e6
    table = new_table(
        f"Bandwidth over the whole edge of {area:g} mm2, one way, {found.level}",
        ["medium", "one die", "four quarters", "gain"],
    )
    for whole, quarters in found.shorelines:
        one, four = (each.bandwidth.at(found.level) for each in (whole, quarters))
        table.add_row(
            whole.medium, format_quantity(one, "rate"), format_quantity(four, "rate"), f"{four / one:.3g}x"
        )
    return table


def _row(number: Number) -> list[str]:
    value = number.value
    if isinstance(value, str):
        return [number.field, "", value, "", "", ""]
    levels = [_write(value.at(level), number.kind) for level in LEVELS]
    return [number.field, *levels, value.mark, value.source]


def _whole(record: Any) -> RenderableType:
    table = new_table(f"{record.name}: {record.about}", ["field", *LEVELS, "mark", "source"])
    for column in table.columns[-2:]:
        column.justify = "left"
    table.columns[-1].no_wrap = False
    for number in numbers(record):
        table.add_row(*_row(number))
    return table


def media_tables(found: MediaCatalogue, whole: bool = False) -> RenderableType:
    """Tables of the catalogue at one level, or of some records with every source and mark.

    Parameters
    ----------
    found : MediaCatalogue
    whole : bool
        Whether each record is shown whole.

    Returns
    -------
    rich renderable
    """
    if whole:
        parts: list[RenderableType] = [_whole(record) for _, record in found.records]
        edges = [_shorelines(found)] if found.shorelines else []
        return Group(*parts, *edges)
    optics = found.optics
    parts = [
        _media(found, list(optics.media.values())),
        _circuit_switches(found, list(optics.circuit_switches.values())),
        _packet_switches(found, list(optics.packet_switches.values())),
    ]
    if found.shorelines:
        parts.append(_shorelines(found))
    notes = (
        "pJ/b: of a link at line rate, the modules at both ends; static: its share that is drawn when idle",
        "chips' pJ/b: what the chips at both ends spend besides; latency: without the way, 5 ns/m in fibre",
        "-: not known; 'topo-sim optics media --medium NAME' shows a record with sources and marks",
    )
    return Group(*parts, *(Text(f"  {note}", style="dim") for note in notes))
