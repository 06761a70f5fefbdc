"""The commands of ``topo-sim inference``, one per file."""

import click

from topo_sim.commands.common import Commands

__all__ = ["inference"]


@click.group(cls=Commands)
def inference() -> None:
    """Run LLM inference on a cluster: models, operators, deployments, serving."""


commands: tuple[click.Command, ...] = ()
for command in commands:
    inference.add_command(command)
