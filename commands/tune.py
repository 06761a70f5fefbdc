"""Tune collectives: the fastest algorithm at every size."""

from typing import TYPE_CHECKING, Any

import click

from topo_sim.base.errors import UsageError
from topo_sim.commands.common import (
    algorithms_option,
    emit,
    examples,
    load_one,
    output_options,
    overhead_option,
    parse_quantities,
    progress_bar,
    routing_option,
    seed_option,
    set_option,
)

if TYPE_CHECKING:
    from topo_sim.studies import Tuning

__all__ = ["tune"]


@click.command(
    epilog=examples(
        "topo-sim tune lite-fat-tree",
        "topo-sim tune superpod-h100-64 all_reduce all_gather --overhead '1 us' --picture tuned.png",
        "topo-sim tune dgx-h100 broadcast --size 64KiB --size 64MiB --format csv",
        "topo-sim tune dgx-h100 --ranks 4 --model fluid --low 1MiB --high 64MiB",
        "topo-sim tune superpod-h100-64 all_reduce all_gather --nccl nccl_tuner.conf",
    )
)
@click.argument("file")
@click.argument("collectives", metavar="[COLLECTIVE]...", nargs=-1)
@click.option("--low", metavar="SIZE", help="Smallest size. Default: 1 KiB.")
@click.option("--high", metavar="SIZE", help="Largest size. Default: 4 GiB.")
@click.option(
    "--size", "--sizes", "sizes", multiple=True, metavar="SIZE",
    help="Only this size, not all from --low to --high. Repeatable.",
)  # fmt: skip
@algorithms_option
@click.option(
    "--model",
    default="step",
    show_default=True,
    metavar="NAME[@SETTING=VALUE]",
    help="Cost model; see 'topo-sim list models'.",
)
@click.option("--ranks", type=click.IntRange(min=1), help="The first so many endpoints. Default: all.")
@routing_option
@overhead_option
@click.option(
    "--picture", multiple=True, metavar="FILE",
    help="Where to draw, by suffix .png, .svg or .pdf. Repeatable.",
)  # fmt: skip
@click.option("--nccl", metavar="FILE", help="Write what NCCL has of it, for NCCL's tuner plugin (CSV).")
@set_option
@seed_option
@output_options
def tune(
    file: str,
    collectives: tuple[str, ...],
    low: str | None,
    high: str | None,
    sizes: tuple[str, ...],
    algorithms: tuple[str, ...],
    model: str,
    ranks: int | None,
    routing: str | None,
    overhead: str,
    picture: tuple[str, ...],
    nccl: str | None,
    settings: tuple[str, ...],
    seed: int,
    form: str,
    output: str | None,
) -> None:
    """Find the fastest algorithm and number of segments of collectives at every size.

    COLLECTIVE is all_reduce unless others are named. Algorithms that are cut into segments are tried with
    1, 2, 4, ... 1024 of them; a range starts at the first byte at which its algorithm is the fastest.
    """
    from topo_sim.report.formats import to_json, write_text

    _check_targets(picture, nccl)
    if sizes and (low is not None or high is not None or nccl is not None):
        raise UsageError("--size: found together with --low, --high or --nccl, expected sizes or a span")
    topology = load_one(file, settings)
    from topo_sim.collectives.models.nccl_tuner import tuner_csv
    from topo_sim.report import tuning_tables
    from topo_sim.studies import nccl_choices
    from topo_sim.studies import tune as run

    results, choices, notes = [], [], []
    with progress_bar("tuning") as progress:
        asked: dict[str, Any] = {
            "algorithms": algorithms or None,
            "ranks": ranks,
            "routing": routing,
            "overhead": parse_quantities([overhead], "time", "--overhead")[0],
            "seed": seed,
            "model": model,
            "progress": progress,
        }
        span: dict[str, Any] = {
            "low": parse_quantities([low or "1 KiB"], "size", "--low")[0],
            "high": parse_quantities([high or "4 GiB"], "size", "--high")[0],
        }
        chosen = parse_quantities(sizes, "size", "--size") or None
        for name in dict.fromkeys(collectives or ("all_reduce",)):
            results.append(run(topology.fabric, name, chosen, **span, **asked))
            if nccl is not None:
                found, lacking = nccl_choices(results[-1], topology.fabric, **asked)
                choices += found
                notes += lacking
    inputs = {
        "file": file,
        "collectives": list(collectives),
        "low": low,
        "high": high,
        "sizes": list(sizes),
        "algorithms": list(algorithms),
        "model": model,
        "routing": routing,
        "overhead": overhead,
        "set": list(settings),
        "seed": seed,
    }
    emit(
        form,
        output,
        lambda: tuning_tables(results),
        lambda: to_json("tune", inputs, [result.to_dict() for result in results]),
        lambda: [row for result in results for row in result.rows()],
    )
    for note in notes:
        click.echo(f"topo-sim: {note}", err=True)
    if nccl is not None:
        write_text(nccl, tuner_csv(choices))
        click.echo(f"wrote {nccl}", err=True)
    if picture:
        _draw(results, picture)


def _check_targets(picture: tuple[str, ...], nccl: str | None) -> None:
    """Refuse what cannot be drawn or written before any work is done."""
    from topo_sim.report.formats import check_writable

    for path in picture:
        if not path.endswith((".png", ".svg", ".pdf")):
            raise UsageError(f'--picture: found "{path}", expected a name that ends in .png, .svg or .pdf')
    for path in (*picture, *([nccl] if nccl is not None else [])):
        check_writable(path)


def _draw(results: "list[Tuning]", picture: tuple[str, ...]) -> None:
    """Draw the results and say where."""
    from topo_sim.report import plot_tuning, save_figure

    figure = plot_tuning(results)
    for path in picture:
        save_figure(figure, path)
    click.echo(f"drew {', '.join(picture)}", err=True)
