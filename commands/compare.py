"""Compare fabrics."""

import click

from topo_sim.base.errors import UsageError
from topo_sim.commands.common import (
    algorithms_option,
    emit,
    examples,
    output_options,
    overhead_option,
    parse_quantities,
    parse_settings,
    progress_bar,
    routing_option,
    seed_option,
    set_option,
    sizes_help,
)

__all__ = ["compare"]


@click.command(
    epilog=examples(
        "topo-sim compare",
        "topo-sim compare lite-torus lite-torus@rate=225GB/s --picture torus.svg",
        "topo-sim compare lite-flat-switch lite-circuits -c all_to_all --size 1MiB --size 1GiB",
        "topo-sim compare --set rate=225GB/s --algorithm ring --overhead '1 us' --no-picture",
        "topo-sim compare dgx-h100 tpu-v4-4x4x4 --routing ecmp --format csv --no-picture",
    )
)
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option(
    "--collective", "-c", "collectives", multiple=True, metavar="NAME",
    help="Collective to compare; see 'topo-sim list collectives'. Repeatable. "
    "Default: all_reduce, all_gather, all_to_all.",
)  # fmt: skip
@click.option("--size", "sizes", multiple=True, metavar="SIZE", help=sizes_help)
@algorithms_option
@routing_option
@overhead_option
@set_option
@seed_option
@click.option(
    "--picture", multiple=True, metavar="FILE",
    help="Where to draw, by suffix .png, .svg or .pdf. Default: comparison.png and comparison.svg.",
)  # fmt: skip
@click.option("--no-picture", is_flag=True, help="Draw nothing.")
@output_options
def compare(
    files: tuple[str, ...],
    collectives: tuple[str, ...],
    sizes: tuple[str, ...],
    algorithms: tuple[str, ...],
    routing: str | None,
    overhead: str,
    settings: tuple[str, ...],
    seed: int,
    picture: tuple[str, ...],
    no_picture: bool,
    form: str,
    output: str | None,
) -> None:
    """Compare fabrics: sizes, distances, bisection, and the best collectives.

    Without FILE: six fabrics of equal total compute, 64 H100s or 256 Lite-GPUs of a quarter each.
    For every collective and size, all algorithms are costed (or those chosen) and the fastest is
    shown with its time, its bus bandwidth and the share of the lower bound that it reaches.
    """
    from topo_sim.report.formats import check_writable
    from topo_sim.studies import DEFAULT_FABRICS
    from topo_sim.studies import compare as run
    from topo_sim.studies.compare import DEFAULT_COLLECTIVES, DEFAULT_SIZES

    pictures = () if no_picture else picture or ("comparison.png", "comparison.svg")
    for path in pictures:
        if not path.endswith((".png", ".svg", ".pdf")):
            raise UsageError(f'--picture: found "{path}", expected a name that ends in .png, .svg or .pdf')
        check_writable(path)
    with progress_bar("comparing") as progress:
        result = run(
            files or DEFAULT_FABRICS,
            collectives=collectives or DEFAULT_COLLECTIVES,
            sizes=parse_quantities(sizes, "size", "--size") or DEFAULT_SIZES,
            algorithms=algorithms or None,
            routing=routing,
            overhead=parse_quantities([overhead], "time", "--overhead")[0],
            seed=seed,
            parameters=parse_settings(settings),
            progress=progress,
        )
    from topo_sim.report import comparison_tables, plot_comparison, save_figure, to_json

    inputs = {
        "files": list(files or DEFAULT_FABRICS),
        "routing": routing,
        "set": list(settings),
        "seed": seed,
    }
    emit(
        form,
        output,
        lambda: comparison_tables(result),
        lambda: to_json("compare", inputs, result.to_dict()),
        result.rows,
    )
    if pictures:
        figure = plot_comparison(result)
        for path in pictures:
            save_figure(figure, path)
        click.echo(f"drew {', '.join(pictures)}", err=True)
