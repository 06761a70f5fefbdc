"""The commands of ``topo-sim gpu``, one per file."""

import click

from topo_sim.commands.common import Commands
from topo_sim.commands.gpu.compare import compare
from topo_sim.commands.gpu.cost import cost
from topo_sim.commands.gpu.failures import failures
from topo_sim.commands.gpu.list_gpus import list_gpus
from topo_sim.commands.gpu.power import power
from topo_sim.commands.gpu.show import show
from topo_sim.commands.gpu.yields import yields

__all__ = ["gpu"]


@click.group(cls=Commands)
def gpu() -> None:
    """Show GPUs big and small: yield, cost, power and failures."""


commands: tuple[click.Command, ...] = (list_gpus, show, yields, cost, power, failures, compare)
for command in commands:
    gpu.add_command(command)
