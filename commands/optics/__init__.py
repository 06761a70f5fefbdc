"""The commands of ``topo-sim optics``, one per file."""

import click

from topo_sim.commands.common import Commands
from topo_sim.commands.optics.breakeven import breakeven
from topo_sim.commands.optics.budget import budget
from topo_sim.commands.optics.codesign import codesign
from topo_sim.commands.optics.compare import compare
from topo_sim.commands.optics.media import media
from topo_sim.commands.optics.pods import pods
from topo_sim.commands.optics.power import power
from topo_sim.commands.optics.schedule import schedule

__all__ = ["optics"]


@click.group(cls=Commands)
def optics() -> None:
    """Show what light changes: media, loss budgets, power, circuit schedules, when to reconfigure."""


commands: tuple[click.Command, ...] = (
    media,
    budget,
    power,
    compare,
    schedule,
    breakeven,
    codesign,
    pods,
)
for command in commands:
    optics.add_command(command)
