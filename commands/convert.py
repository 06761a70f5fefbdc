"""Write a fabric in another format."""

import click

from topo_sim.commands.common import emit, examples, load_one, seed_option, set_option

__all__ = ["convert"]


@click.command(
    epilog=examples(
        "topo-sim convert tpu-v4-4x4x4 --to astra --output network.yml",
        "topo-sim convert lite-torus --set 'rate=225 GB/s' --to topology --output fast.yaml",
    )
)
@click.argument("file")
@click.option(
    "--to",
    type=click.Choice(["astra", "topology"]),
    required=True,
    help="A network file of ASTRA-sim, or a topology file.",
)
@click.option("--output", "-o", "path", required=True, metavar="PATH", help="File to write.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="How to print what was written.",
)
@set_option
@seed_option
def convert(file: str, to: str, path: str, form: str, settings: tuple[str, ...], seed: int) -> None:
    """Write a fabric as a network file of ASTRA-sim, or as a topology file.

    FILE may be either, too.
    """
    topology = load_one(file, settings)
    from topo_sim.report import list_table, to_json
    from topo_sim.studies.exporting import convert_fabric

    result = convert_fabric(topology, path, to=to)
    inputs = {"file": file, "seed": seed, "set": list(settings)}
    emit(
        form,
        None,
        lambda: list_table(result.what, result.rows()),
        lambda: to_json("convert", inputs, result.to_dict()),
        result.rows,
    )
