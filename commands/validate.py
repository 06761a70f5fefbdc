"""Check topology files."""

import click

from topo_sim.base.errors import FaultsError
from topo_sim.commands.common import examples

__all__ = ["validate"]


@click.command(
    epilog=examples("topo-sim validate lite-torus lite-grouped", "topo-sim validate superpod-h100-64")
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def validate(files: tuple[str, ...]) -> None:
    """Check topology files and list every fault of all of them; exit with 2 if there is any."""
    from topo_sim.topo.files import validate_file

    faults: list[str] = []
    for file in files:
        found = validate_file(file)
        faults.extend(found)
        if not found:
            click.echo(f"{file}: ok")
    if faults:
        raise FaultsError(faults)
