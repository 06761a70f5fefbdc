"""Circuits against packets, as tables."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from topo_sim.base import format_quantity
from topo_sim.collectives import COLLECTIVES as OPERATIONS
from topo_sim.report.power import per_bit, watts
from topo_sim.report.tables import new_table
from topo_sim.studies.light_compare import COLLECTIVES, LightComparison
from topo_sim.studies.light_contenders import Outcome

__all__ = ["collective_title", "contender_name", "light_tables"]


def contender_name(contender: tuple[str, float | None]) -> str:
    """Name a wiring, with the time of a change of circuits.

    Parameters
    ----------
    contender : (str, float or None)

    Returns
    -------
    str

    Examples
    --------
    >>> contender_name(("circuits", 2e-5)), contender_name(("torus", None))
    ('circuits, 20 us', 'torus')
    """
    name, change = contender
    return name if change is None else f"{name}, {format_quantity(change, 'time')}"


def collective_title(name: str) -> str:
    """Name a collective in text.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
    """
    return OPERATIONS[name].title if name in OPERATIONS else "MoE all-to-all"


def _wirings(found: LightComparison) -> Table:
    table = new_table(
        f"{found.endpoints:,} endpoints of {format_quantity(found.rate, 'rate')}, wired in three ways",
        ["wiring", "what", "full load", "low .. high", "idle", "per endpoint"],
        left=2,
    )
    for name, about in found.about.items():
        power = found.powers[name]
        total = power.total()
        table.add_row(
            name,
            about,
            watts(total.typical),
            f"{watts(total.low)} .. {watts(total.high)}",
            watts(power.total(0.0).typical),
            f"{total.typical / found.endpoints:.4g} W",
        )
    return table


def _marks(found: LightComparison, one: Outcome) -> str:
    """Mark the fastest of all rows, and the one of least energy."""
    rivals = [found.outcome(each, one.collective, one.size) for each in found.contenders]
    fastest = all(one.time <= rival.time for rival in rivals)
    least = all(one.energy.total.typical <= rival.energy.total.typical for rival in rivals)
    return "*" * fastest + "+" * least


def _cell(found: LightComparison, one: Outcome) -> str:
    bit = one.energy.per_bit
    share = one.lower_bound / one.time if one.time > 0 else 1.0
    time = f"{_marks(found, one)} {format_quantity(one.time, 'time', 3)}  {share:.0%}".strip()
    changes = f"  x{one.changes}" if one.changes else ""
    energy = "-" if bit is None else f"{per_bit(bit.typical)} pJ/b{changes}"
    return f"{time}\n{energy}\n{one.algorithm.split('(')[0].split(',')[0]}"


def _outcomes(found: LightComparison, collective: str) -> Table:
    columns = ["wiring", *(format_quantity(size, "size") for size in found.sizes)]
    title = f"{collective_title(collective)}: time, share of its lower bound; pJ/b delivered; algorithm"
    table = new_table(title, columns)
    for contender in found.contenders:
        cells = [_cell(found, found.outcome(contender, collective, size)) for size in found.sizes]
        table.add_row(contender_name(contender), *cells, end_section=True)
    return table


def light_tables(found: LightComparison) -> RenderableType:
    """Tables of the wirings, and of every collective at every size.

    Parameters
    ----------
    found : LightComparison

    Returns
    -------
    rich renderable
    """
    asked, peers = found.inputs, (found.demand > 0).sum(axis=1)
    notes = [
        "* fastest, + least energy, of all rows; xN: circuits are changed N times, without it they stand",
        "pJ/b: all energy, static power until the end included, per bit to be delivered; typical values",
        f"MoE all-to-all: the size is what one endpoint sends; {asked['tokens']} tokens of each go to "
        f"{asked['top_k']} of {found.endpoints:,} experts, popularity like rank^-{asked['skew']:g}, seed "
        f"{asked['seed']}: {peers.mean():.1f} peers on average",
        f"the busiest expert receives {found.hottest:.1f} times the mean; the lower bounds allow for that",
        f"packet switches as {asked['packet_switch']}, links of {asked['medium']}; planes of circuits have "
        f"the loss and W per port of {asked['circuit_switch']}, but {found.endpoints:,} ports: an assumption",
    ]
    notes += [f"{name}: {text}" for name, power in found.powers.items() for text in power.notes]
    return Group(
        _wirings(found),
        *(_outcomes(found, collective) for collective in COLLECTIVES),
        *(Text(f"  {note}", style="dim") for note in notes),
    )
