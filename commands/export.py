"""Write a schedule in the format of another tool."""

import click

from topo_sim.commands.common import emit, examples, load_one, parse_quantities, seed_option, set_option

__all__ = ["export"]


@click.command(
    epilog=examples(
        "topo-sim export dgx-h100 all_reduce ring --to msccl --output ring.xml",
        "topo-sim export dgx-h100 all_to_all pairwise --to chakra --size 8MiB --output pairwise",
        "topo-sim export lite-torus broadcast binomial_tree --to goal --output tree.goal",
    )
)
@click.argument("file")
@click.argument("collective")
@click.argument("algorithm")
@click.option("--to", required=True, metavar="NAME", help="Format; see 'topo-sim list formats'.")
@click.option(
    "--output",
    "-o",
    "path",
    required=True,
    metavar="PATH",
    help="File to write; for a format of several files, what their names begin with.",
)
@click.option("--size", default="1MiB", show_default=True, metavar="SIZE", help="As nccl-tests counts it.")
@click.option("--ranks", type=click.IntRange(min=1), help="The first so many endpoints. Default: all.")
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
def export(
    file: str,
    collective: str,
    algorithm: str,
    to: str,
    path: str,
    size: str,
    ranks: int | None,
    form: str,
    settings: tuple[str, ...],
    seed: int,
) -> None:
    """Write an algorithm for the endpoints of a fabric in the format of another tool.

    FILE gives the number of ranks.
    """
    topology = load_one(file, settings)
    from topo_sim.report import list_table, to_json
    from topo_sim.studies.exporting import export_collective

    result = export_collective(
        topology.fabric,
        collective,
        algorithm,
        path,
        to=to,
        size=parse_quantities([size], "size", "--size")[0],
        ranks=ranks,
    )
    inputs = {"file": file, "size": size, "ranks": ranks, "seed": seed, "set": list(settings)}
    emit(
        form,
        None,
        lambda: list_table(result.what, result.rows()),
        lambda: to_json("export", inputs, result.to_dict()),
        result.rows,
    )
