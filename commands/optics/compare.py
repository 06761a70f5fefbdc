"""Compare packets, a torus and circuits, in time and energy."""

import click

from topo_sim.commands.common import (
    emit,
    examples,
    output_options,
    overhead_option,
    parse_quantities,
    progress_bar,
    seed_option,
)
from topo_sim.commands.optics.pictures import check_pictures, draw, picture_option

__all__ = ["compare"]


@click.command(
    epilog=examples(
        "topo-sim optics compare --endpoints 64 --picture circuits-or-packets.png",
        "topo-sim optics compare --endpoints 64 --change '10 us' --size 1MiB --size 1GiB --format csv",
        "topo-sim optics compare --endpoints 32 --scheduler solstice --scheduler tms --skew 0 --size 1MiB",
        "topo-sim optics compare --endpoints 16 --top-k 2 --medium pluggable --overhead '1 us' --format json",
    )
)
@click.option(
    "--endpoints", type=int, default=1024, show_default=True, metavar="N", help="A power of two, 16 to 2048."
)
@click.option("--rate", default="112.5 GB/s", show_default=True, metavar="RATE", help="Of each endpoint.")
@click.option(
    "--size", "sizes", multiple=True, metavar="SIZE",
    help="Vector, or what one endpoint sends. Repeatable. Default: 64 KiB to 1 GiB by four.",
)  # fmt: skip
@click.option(
    "--change", "changes", multiple=True, metavar="TIME",
    help="Time of a change of circuits. Repeatable. Default: 4 ns, 4 us, 20 us, 1.2 ms.",
)  # fmt: skip
@click.option("--tokens", type=click.IntRange(1), default=4, show_default=True, help="Of each endpoint.")
@click.option("--top-k", type=click.IntRange(1), default=8, show_default=True, help="Experts of a token.")
@click.option(
    "--skew", type=click.FloatRange(0), default=0.25, show_default=True,
    help="The r-th most popular expert is drawn like r^-SKEW.",
)  # fmt: skip
@click.option(
    "--scheduler", "schedulers", multiple=True, metavar="NAME",
    help="Of circuits for the all-to-all; the fastest counts. Repeatable. Default: solstice.",
)  # fmt: skip
@click.option("--medium", default="cpo", show_default=True, metavar="NAME", help="Of all links.")
@click.option("--packet-switch", default="tomahawk5", show_default=True, metavar="NAME", help="By its J/b.")
@click.option(
    "--circuit-switch", default="mems_palomar", show_default=True, metavar="NAME",
    help="By its loss and its W per port.",
)  # fmt: skip
@overhead_option
@picture_option
@seed_option
@output_options
def compare(
    endpoints: int,
    rate: str,
    sizes: tuple[str, ...],
    changes: tuple[str, ...],
    tokens: int,
    top_k: int,
    skew: float,
    schedulers: tuple[str, ...],
    medium: str,
    packet_switch: str,
    circuit_switch: str,
    overhead: str,
    picture: tuple[str, ...],
    seed: int,
    form: str,
    output: str | None,
) -> None:
    """Compare a packet fat-tree, a static torus and circuits: time and energy of two collectives.

    Lite-GPUs do an all-reduce, and the all-to-all of a mixture of experts: sparse and uneven, drawn with
    --seed. Circuits stand as a torus of four dimensions, and change where that pays: between the steps of the
    all-reduce as planned, or as a scheduler says. Without options: 1,024 Lite-GPUs, in about 20 seconds.
    """
    from topo_sim.report.formats import to_json
    from topo_sim.studies.light_compare import CHANGES, SIZES, compare_light

    check_pictures(picture)
    settings = {
        "endpoints": endpoints,
        "rate": parse_quantities([rate], "rate", "--rate")[0],
        "sizes": parse_quantities(sizes, "size", "--size") or list(SIZES),
        "changes": parse_quantities(changes, "time", "--change") or list(CHANGES),
        "tokens": tokens,
        "top_k": top_k,
        "skew": skew,
        "schedulers": list(schedulers) or ["solstice"],
        "medium": medium,
        "packet_switch": packet_switch,
        "circuit_switch": circuit_switch,
        "overhead": parse_quantities([overhead], "time", "--overhead")[0],
        "seed": seed,
    }
    with progress_bar("comparing") as progress:
        found = compare_light(**settings, progress=progress)  # type: ignore[arg-type]
    from topo_sim.report.light_compare import light_tables

    emit(
        form,
        output,
        lambda: light_tables(found),
        lambda: to_json("optics compare", settings, found.to_dict()),
        found.rows,
    )
    if picture:
        from topo_sim.report.light_compare_plot import plot_light

        draw(picture, lambda: plot_light(found))
