"""The commands of ``topo-sim inference``, one per file."""

import click

from topo_sim.commands.common import Commands
from topo_sim.commands.inference.case_study import case_study
from topo_sim.commands.inference.models import models
from topo_sim.commands.inference.ops import ops
from topo_sim.commands.inference.plan import plan
from topo_sim.commands.inference.serve import serve

__all__ = ["inference"]


@click.group(cls=Commands)
def inference() -> None:
    """Run LLM inference on a cluster: models, operators, deployments, serving."""


commands: tuple[click.Command, ...] = (models, ops, plan, case_study, serve)
for command in commands:
    inference.add_command(command)
