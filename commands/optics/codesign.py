"""Choose the circuits of a job."""

import click

from topo_sim.commands.common import (
    emit,
    examples,
    output_options,
    parse_quantities,
    progress_bar,
    seed_option,
)
from topo_sim.commands.optics.pictures import check_pictures, draw, picture_option

__all__ = ["codesign"]


@click.command(
    epilog=examples(
        "topo-sim optics codesign",
        "topo-sim optics codesign --endpoints 16 --ports 4 --demand hot_spots --demand-size 16MiB",
        "topo-sim optics codesign --endpoints 13 --demand permutation --seed 2 --format csv",
    )
)
@click.option("--endpoints", default=32, show_default=True, help="From 2 to 256.")
@click.option("--ports", default=8, show_default=True, help="Of each endpoint: a circuit out and one in.")
@click.option(
    "--rate", default="112.5 GB/s", show_default=True, help="Of all ports of an endpoint, per direction."
)
@click.option(
    "--all-reduce", default="64 MiB", show_default=True, metavar="SIZE", help="What all endpoints reduce."
)
@click.option(
    "--demand",
    default="stencil",
    show_default=True,
    metavar="NAME|FILE",
    help="What they send besides: see 'topo-sim list demands', or a .csv or .npy file.",
)
@click.option(
    "--demand-size",
    default="256 MiB",
    show_default=True,
    metavar="SIZE",
    help="Per unit of the demand; '1 B' for a file in bytes.",
)
@click.option(
    "--gap",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.01,
    show_default=True,
    help="Proven gap of throughputs that are not solved exactly.",
)
@click.option(
    "--discount",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="What is left of the weight of a pair once it has a circuit.",
)
@picture_option
@seed_option
@output_options
def codesign(
    endpoints: int,
    ports: int,
    rate: str,
    all_reduce: str,
    demand: str,
    demand_size: str,
    gap: float,
    discount: float,
    picture: tuple[str, ...],
    seed: int,
    form: str,
    output: str | None,
) -> None:
    """Split the optical ports of a job between rings for its all-reduce and matchings for what it sends.

    Every split is built and timed (as TopoOpt, NSDI 2023, builds them); the fastest is chosen.
    """
    from topo_sim.report import codesign_tables, plot_codesign, to_json
    from topo_sim.studies import study_codesign

    check_pictures(picture)
    with progress_bar("co-design") as progress:
        result = study_codesign(
            demand,
            endpoints=endpoints,
            ports=ports,
            endpoint_rate=parse_quantities([rate], "rate", "--rate")[0],
            all_reduce=parse_quantities([all_reduce], "size", "--all-reduce")[0],
            demand_size=parse_quantities([demand_size], "size", "--demand-size")[0],
            gap=gap,
            discount=discount,
            seed=seed,
            progress=progress,
        )
    inputs = {
        "endpoints": endpoints,
        "ports": ports,
        "rate": rate,
        "all_reduce": all_reduce,
        "demand": demand,
        "demand_size": demand_size,
        "gap": gap,
        "discount": discount,
        "seed": seed,
    }
    emit(
        form,
        output,
        lambda: codesign_tables(result),
        lambda: to_json("optics codesign", inputs, result.to_dict()),
        result.rows,
    )
    draw(picture, lambda: plot_codesign(result))
