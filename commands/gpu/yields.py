"""Yield of dies."""

from typing import TYPE_CHECKING

import click

from topo_sim.commands.common import (
    emit,
    examples,
    output_options,
    parse_quantities,
    seed_option,
)
from topo_sim.commands.gpu.common import catalogue_option, find_all
from topo_sim.commands.optics.pictures import check_pictures, draw, picture_option

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from topo_sim.studies.gpu_yield import Die, YieldComparison

__all__ = ["yields"]


@click.command(
    name="yield",
    epilog=examples(
        "topo-sim gpu yield",
        "topo-sim gpu yield h100 lite a100 --d0 '0.2 /cm2' --model murphy --picture wafers.png",
        "topo-sim gpu yield --area '858 mm2' --area '100 mm2' --model negative_binomial@a=2 --format json",
    ),
)
@click.argument("names", metavar="[GPU]...", nargs=-1)
@click.option(
    "--area",
    "areas",
    multiple=True,
    metavar="AREA",
    help="A die of this area, square or as wide as the reticle (26 mm), after the GPUs. Repeatable.",
)
@click.option(
    "--d0", default="0.1 /cm2", show_default=True, metavar="DENSITY", help="Mean density of defects."
)
@click.option(
    "--model", "models", multiple=True, metavar="NAME[@SETTING=VALUE]",
    help="Yield model, such as poisson or negative_binomial@a=3. Repeatable. Default: all.",
)  # fmt: skip
@click.option(
    "--gain",
    default=1.8,
    show_default=True,
    help="Gain over the first die to find the density of defects for.",
)
@click.option(
    "--salvage/--no-salvage", default=True, show_default=True, help="Count dies with broken SMs too."
)
@picture_option
@catalogue_option
@seed_option
@output_options
def yields(
    names: tuple[str, ...],
    areas: tuple[str, ...],
    d0: str,
    models: tuple[str, ...],
    gain: float,
    salvage: bool,
    picture: tuple[str, ...],
    catalogues: tuple[str, ...],
    seed: int,
    form: str,
    output: str | None,
) -> None:
    """Compare the share of good dies by every model: all without a defect, and with broken SMs.

    GPU is h100 and lite unless others or --area are given; the first is what the others are compared with.
    --picture draws one wafer of each for the seed, by the first model.
    """
    from topo_sim.studies.gpu_yield import compare_yields, die_of, die_of_area

    check_pictures(picture)
    chosen = names or (() if areas else ("h100", "lite"))
    dies = [die_of(gpu) for gpu in find_all(chosen, catalogues)]
    dies += [die_of_area(area) for area in parse_quantities(areas, "area", "--area")]
    density = parse_quantities([d0], "defect density", "--d0")[0]
    more = {"models": models} if models else {}
    result = compare_yields(dies, density, wanted=gain, salvage=salvage, **more)
    from topo_sim.report import to_json
    from topo_sim.report.gpus import yield_tables

    draw(picture, lambda: _figure(result, dies, density, salvage, seed))
    inputs = {
        "gpus": list(chosen),
        "areas": list(areas),
        "d0": d0,
        "models": list(models),
        "gain": gain,
        "salvage": salvage,
        "catalogues": list(catalogues),
        "seed": seed,
    }
    emit(
        form,
        output,
        lambda: yield_tables(result),
        lambda: to_json("gpu yield", inputs, result.to_dict()),
        lambda: [row.to_dict() for row in result.rows],
    )


def _figure(
    result: "YieldComparison", dies: "list[Die]", density: float, salvage: bool, seed: int
) -> "Figure":
    from topo_sim.report.gpu_plots import plot_wafers
    from topo_sim.studies.gpu_yield import draw_wafers

    return plot_wafers(result, draw_wafers(dies, density, result.rows[0].model.label, salvage, seed))
