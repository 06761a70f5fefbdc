"""Show a pod of cubes joined by circuit switches."""

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

__all__ = ["pods"]


@click.command(
    epilog=examples(
        "topo-sim optics pods",
        "topo-sim optics pods --chips 512",
        "topo-sim optics pods --slice 8x8x8 --slice 4x8x8_twisted --fail-cube 3 --fail-switch z5",
        "topo-sim optics pods --availability 0.99 --draws 2 --format csv",
    )
)
@click.option("--cubes", default=64, show_default=True, help="Cubes of the pod.")
@click.option("--side", default=4, show_default=True, help="Chips along each edge of a cube.")
@click.option("--radix", default=136, show_default=True, help="Ports of a circuit switch.")
@click.option("--spare", default=8, show_default=True, help="Ports of it that stay free.")
@click.option("--rate", default="50 GB/s", show_default=True, help="Of one link, per direction.")
@click.option("--chips", type=int, help="List the slices of so many chips, with what they can do.")
@click.option(
    "--slice", "slices", multiple=True, metavar="NAME",
    help="Place a slice, such as 8x8x16 or 4x4x8_twisted. Repeatable.",
)  # fmt: skip
@click.option(
    "--fail-cube", "failed_cubes", multiple=True, type=int, metavar="N",
    help="Let a cube fail once all slices are placed. Repeatable.",
)  # fmt: skip
@click.option(
    "--fail-switch", "failed_switches", multiple=True, metavar="NAME",
    help="Let a switch fail: its axis and place on the face, such as z5. Repeatable.",
)  # fmt: skip
@click.option(
    "--availability", multiple=True, type=click.FloatRange(0, 1),
    help="Of one host: compare what runs with circuits and with fixed cables. Repeatable.",
)  # fmt: skip
@click.option(
    "--draws",
    type=click.IntRange(0, 10_000),
    default=40,
    show_default=True,
    help="Draws of failed cubes for fixed cables; 0 leaves them out.",
)
@picture_option
@seed_option
@output_options
def pods(
    cubes: int,
    side: int,
    radix: int,
    spare: int,
    rate: str,
    chips: int | None,
    slices: tuple[str, ...],
    failed_cubes: tuple[int, ...],
    failed_switches: tuple[str, ...],
    availability: tuple[float, ...],
    draws: int,
    picture: tuple[str, ...],
    seed: int,
    form: str,
    output: str | None,
) -> None:
    """Cut slices from a pod: TPU v4's, or one of other cubes and switches.

    A cube that fails is swapped for any free one; a circuit switch that fails takes its links from every
    slice, and traffic goes round.
    """
    from topo_sim.optics.pods import Pod
    from topo_sim.report import plot_pod, pod_tables, to_json
    from topo_sim.studies import study_pod

    check_pictures(picture)
    pod = Pod(cubes, side, radix, spare, parse_quantities([rate], "rate", "--rate")[0])
    with progress_bar("pod") as progress:
        result = study_pod(
            pod,
            slices,
            chips=chips,
            failed_cubes=failed_cubes,
            failed_switches=failed_switches,
            availability=availability,
            draws=draws,
            seed=seed,
            progress=progress,
        )
    inputs = {
        "cubes": cubes,
        "side": side,
        "radix": radix,
        "spare": spare,
        "rate": rate,
        "chips": chips,
        "slices": list(slices),
        "failed_cubes": list(failed_cubes),
        "failed_switches": list(failed_switches),
        "availability": list(availability),
        "draws": draws,
        "seed": seed,
    }
    emit(
        form,
        output,
        lambda: pod_tables(result),
        lambda: to_json("optics pods", inputs, result.to_dict()),
        result.rows,
    )
    draw(picture, lambda: plot_pod(result))
