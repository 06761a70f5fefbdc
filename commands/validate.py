"""Check topology files."""

import click

from topo_sim.base.errors import FaultsError
from topo_sim.commands.common import emit, examples, output_options, seed_option

__all__ = ["validate"]


@click.command(
    epilog=examples(
        "topo-sim validate lite-torus lite-grouped", "topo-sim validate superpod-h100-64 --format json"
    )
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@seed_option
@output_options
def validate(files: tuple[str, ...], seed: int, form: str, output: str | None) -> None:
    """Check topology files and list every fault of all of them; exit with 2 if there is any.

    The fabric first, then its light: media that are unknown, light paths that do not close, cables beyond
    reach, circuit switches with too few ports.

    As a table: the sound files on standard output, the faults of the others on standard error.
    """
    from topo_sim.studies.validating import validate_topology

    found = {file: validate_topology(file) for file in files}
    faults = [fault for each in found.values() for fault in each]
    if form == "table" and output is None:
        for file, each in found.items():
            if not each:
                click.echo(f"{file}: ok")
    else:
        from rich.text import Text

        from topo_sim.report import to_json

        rows = [{"file": file, "ok": not each, "faults": each} for file, each in found.items()]
        lines = [line for file, each in found.items() for line in each or [f"{file}: ok"]]
        emit(
            form,
            output,
            lambda: Text("\n".join(lines), no_wrap=True),
            lambda: to_json("validate", {"files": list(files), "seed": seed}, rows),
            lambda: [
                {"file": f, "ok": not each, "fault": t} for f, each in found.items() for t in each or [""]
            ],
        )
    if faults:
        raise FaultsError(faults)
