"""Find the throughput of a demand."""

import click

from topo_sim.commands.common import (
    emit,
    examples,
    load_one,
    output_options,
    progress_bar,
    seed_option,
    set_option,
)

__all__ = ["throughput"]


@click.command(
    epilog=examples(
        "topo-sim throughput lite-torus",
        "topo-sim throughput lite-circuits --demand stencil --gap 0.02",
        "topo-sim throughput dgx-h100 --demand hot_spots --method fptas --format json",
    )
)
@click.argument("file")
@click.option(
    "--demand",
    default="all_to_all",
    show_default=True,
    metavar="NAME|FILE",
    help="See 'topo-sim list demands'; or a .csv file (source,target,amount) or .npy matrix.",
)
@click.option(
    "--method", metavar="NAME", help="See 'topo-sim list methods'. Default: exact where that is quick."
)
@click.option(
    "--gap",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.01,
    show_default=True,
    help="Proven gap at which the approximation stops.",
)
@set_option
@seed_option
@output_options
def throughput(
    file: str,
    demand: str,
    method: str | None,
    gap: float,
    settings: tuple[str, ...],
    seed: int,
    form: str,
    output: str | None,
) -> None:
    """Find the largest multiple of a demand that the links carry, beside what bounds it.

    Every endpoint sends 1 in the demands that have a name, so the throughput is a rate per endpoint.
    """
    topology = load_one(file, settings)
    from topo_sim.report import throughput_table, to_json
    from topo_sim.studies import measure_throughput

    with progress_bar("throughput") as progress:
        result = measure_throughput(
            topology.fabric, demand, method=method, gap=gap, seed=seed, progress=progress
        )
    inputs = {"file": file, "set": list(settings), "demand": demand, "gap": gap}
    emit(
        form,
        output,
        lambda: throughput_table(result),
        lambda: to_json("throughput", inputs, result.to_dict()),
        result.rows,
    )
