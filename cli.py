"""The command line: the group that holds the commands. Imports click alone."""

import os

import click

from topo_sim import __version__
from topo_sim.commands.calibrate import calibrate
from topo_sim.commands.collective import collective
from topo_sim.commands.common import Commands, examples
from topo_sim.commands.compare import compare
from topo_sim.commands.convert import convert
from topo_sim.commands.explain import explain
from topo_sim.commands.export import export
from topo_sim.commands.flow import flow
from topo_sim.commands.gpu import gpu
from topo_sim.commands.inference import inference
from topo_sim.commands.info import info
from topo_sim.commands.list_names import list_names
from topo_sim.commands.optics import optics
from topo_sim.commands.synthesize import synthesize
from topo_sim.commands.throughput import throughput
from topo_sim.commands.tune import tune
from topo_sim.commands.validate import validate

__all__ = ["main"]


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples("topo-sim compare", "topo-sim info lite-torus", "topo-sim list topologies"),
)
@click.version_option(__version__, prog_name="topo-sim", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show a traceback for expected errors too.")
def main(debug: bool) -> None:
    """Simulate the networks of AI clusters built from many small GPUs.

    FILE is a topology file (YAML or JSON), a network file of ASTRA-sim, or the name of a shipped
    topology. NAME@rate=225GB/s sets a parameter of it. The first run compiles kernels, which takes some
    seconds.
    """
    # The matrices here are small: two BLAS threads take many times as long as one.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


commands = (
    *(compare, info, validate, collective, explain, synthesize, tune, flow, throughput),
    *(calibrate, export, convert, list_names),
    gpu,
    inference,
    optics,
)
for command in commands:
    main.add_command(command)

if __name__ == "__main__":
    main()
