"""The commands of ``topo-sim gpu``, one per file."""

import click

from topo_sim.commands.common import Commands
from topo_sim.commands.gpu.failures import failures

__all__ = ["gpu"]


@click.group(cls=Commands)
def gpu() -> None:
    """Show GPUs big and small: yield, cost, power and failures."""


commands: tuple[click.Command, ...] = (failures,)
for command in commands:
    gpu.add_command(command)
