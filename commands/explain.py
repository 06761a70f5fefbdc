"""Explain what holds a collective back."""

import click

from topo_sim.commands.common import (
    emit,
    examples,
    load_one,
    output_options,
    parse_quantities,
    progress_bar,
    routing_option,
    seed_option,
    set_option,
    sizes_help,
)

__all__ = ["explain"]


@click.command(
    epilog=examples(
        "topo-sim explain superpod-h100-64 all_gather",
        "topo-sim explain polaris-8 all_reduce --size 1MiB --size 1GiB",
        "topo-sim explain lite-torus all_to_all --format json",
    )
)
@click.argument("file")
@click.argument("collective")
@click.option(
    "--size", "sizes", multiple=True, default=("1MiB", "1GiB"), show_default=True, metavar="SIZE",
    help=sizes_help,
)  # fmt: skip
@click.option("--ranks", type=click.IntRange(min=1), help="The first so many endpoints. Default: all.")
@routing_option
@set_option
@seed_option
@output_options
def explain(
    file: str,
    collective: str,
    sizes: tuple[str, ...],
    ranks: int | None,
    routing: str | None,
    settings: tuple[str, ...],
    seed: int,
    form: str,
    output: str | None,
) -> None:
    """Say which cut or links hold a collective back, and how near the best algorithm comes.

    The optimum is for large sizes, over all schedules in which ranks combine and switches only forward.
    Where it is exact, JSON gives it as a fraction.
    """
    topology = load_one(file, settings)
    from topo_sim.report import explanation_table, to_json
    from topo_sim.studies import explain as run

    with progress_bar("explaining") as progress:
        result = run(
            topology.fabric,
            collective,
            parse_quantities(sizes, "size", "--size"),
            ranks=ranks,
            routing=routing,
            seed=seed,
            progress=progress,
        )
    inputs = {"file": file, "collective": collective, "set": list(settings), "seed": seed}
    emit(
        form,
        output,
        lambda: explanation_table(result),
        lambda: to_json("explain", inputs, result.to_dict()),
        result.rows,
    )
