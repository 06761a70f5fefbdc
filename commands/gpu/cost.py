"""The bill of a GPU package."""

from typing import TYPE_CHECKING

import click

from topo_sim.commands.common import emit, examples, output_options, seed_option
from topo_sim.commands.gpu.common import catalogue_option, find_all, read_pairs
from topo_sim.commands.optics.pictures import check_pictures, draw, picture_option

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from topo_sim.studies.gpu_cost import CostComparison

__all__ = ["cost"]


@click.command(
    epilog=examples(
        "topo-sim gpu cost",
        "topo-sim gpu cost h100 lite lite+membw+netbw --picture cost.png",
        "topo-sim gpu cost h100 lite --no-salvage --count classic --no-interposer lite",
        "topo-sim gpu cost h100 lite --medium h100=cpo --samples 2000 --workers 2",
        "topo-sim gpu cost b200 --samples 2000 --format csv",
    )
)
@click.argument("names", metavar="[GPU]...", nargs=-1)
@click.option(
    "--model", default="poisson", show_default=True, metavar="NAME[@SETTING=VALUE]", help="Yield model."
)
@click.option(
    "--salvage/--no-salvage", default=True, show_default=True, help="Sell dies with broken SMs too."
)
@click.option(
    "--count", default="placement", show_default=True, metavar="NAME",
    help="How dies per wafer are counted: placement, or the formula classic, eco_chip or google.",
)  # fmt: skip
@click.option(
    "--no-interposer",
    "flat",
    multiple=True,
    metavar="GPU",
    help="A GPU that sits on its substrate alone. Repeatable.",
)
@click.option(
    "--medium", "media", multiple=True, metavar="GPU=MEDIUM",
    help="Other links for a GPU, such as h100=cpo. Repeatable.",
)  # fmt: skip
@click.option(
    "--precision",
    default="bf16",
    show_default=True,
    help="Whose dense peak makes GPUs equal to one of the first.",
)
@click.option(
    "--prices", "price_files", multiple=True, metavar="FILE",
    help="YAML with processes:, links: or bills:, laid over those that ship. Repeatable.",
)  # fmt: skip
@click.option(
    "--bill", default="today", show_default=True, metavar="NAME", help="Which of the bills: in the prices."
)
@click.option("--samples", default=20_000, show_default=True, help="Draws over all ranges.")
@click.option(
    "--workers", default=1, show_default=True, help="Threads that draw; the answer is the same for any."
)
@picture_option
@catalogue_option
@seed_option
@output_options
def cost(
    names: tuple[str, ...],
    model: str,
    salvage: bool,
    count: str,
    flat: tuple[str, ...],
    media: tuple[str, ...],
    precision: str,
    price_files: tuple[str, ...],
    bill: str,
    samples: int,
    workers: int,
    picture: tuple[str, ...],
    catalogues: tuple[str, ...],
    seed: int,
    form: str,
    output: str | None,
) -> None:
    """Work out the bill of GPU packages: dies, memory, packaging, links, test, losses, cooling.

    GPU is h100 and lite unless others are given; the first is what the others are compared with, for as
    much compute. Every price is a range: the bill is shown with all at their cheap end, typical and dear, and
    ratios over draws from all ranges.
    """
    from topo_sim.gpus.cost import Costing
    from topo_sim.gpus.prices import load_prices
    from topo_sim.gpus.yields import yield_model
    from topo_sim.studies.gpu_cost import compare_costs, with_changes

    check_pictures(picture)
    chosen = names or ("h100", "lite")
    gpus = with_changes(find_all(chosen, catalogues), flat, read_pairs(media))
    result = compare_costs(
        gpus,
        load_prices(price_files),
        costing=Costing(yield_model(model), salvage, count),
        bill=bill,
        precision=precision,
        samples=samples,
        seed=seed,
        workers=workers,
    )
    from topo_sim.report import to_json
    from topo_sim.report.gpus import cost_tables

    draw(picture, lambda: _figure(result))
    inputs = {
        "gpus": list(chosen),
        "model": model,
        "salvage": salvage,
        "count": count,
        "no_interposer": list(flat),
        "medium": list(media),
        "precision": precision,
        "prices": list(price_files),
        "bill": bill,
        "samples": samples,
        "catalogues": list(catalogues),
        "seed": seed,
    }
    emit(
        form,
        output,
        lambda: cost_tables(result),
        lambda: to_json("gpu cost", inputs, result.to_dict()),
        lambda: [row for each in result.bills for row in each.rows()],
    )


def _figure(result: "CostComparison") -> "Figure":
    from topo_sim.report.gpu_plots import plot_costs

    return plot_costs(result)
