"""The commands of ``topo-sim optics``, one per file."""

import click

from topo_sim.commands.common import Commands
from topo_sim.commands.optics.schedule import schedule

__all__ = ["optics"]


@click.group(cls=Commands)
def optics() -> None:
    """Show what light changes: media, loss budgets, power, circuit schedules, when to reconfigure."""


commands: tuple[click.Command, ...] = (schedule,)
for command in commands:
    optics.add_command(command)
