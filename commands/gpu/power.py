"""Power of GPUs: one package, a day of many, cooling."""

from typing import TYPE_CHECKING, Any

import click

from topo_sim.commands.common import (
    emit,
    examples,
    output_options,
    parse_quantities,
    progress_bar,
    seed_option,
)
from topo_sim.commands.gpu.common import catalogue_option
from topo_sim.commands.optics.pictures import check_pictures, draw, picture_option

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from topo_sim.studies.power_results import PowerComparison

__all__ = ["power"]

_option = click.option


@click.command(
    epilog=examples(
        "topo-sim gpu power",
        "topo-sim gpu power h100 lite --count 8 --policy all_on --policy gate --picture power.png",
        "topo-sim gpu power h100 lite lite+membw --activity decode --load 0.5 --clock 0.6 --samples 200",
        "topo-sim gpu power h100 lite --count 64 --drain 8 --curve office --cap '500 W' --format csv",
    )
)
@click.argument("names", metavar="[GPU]...", nargs=-1)
@_option("--load", default=1.0, show_default=True, help="Of one package, over what it does at most.")
@_option("--clock", default=1.0, show_default=True, help="Of one package, over its rated clock.")
@_option("--cap", metavar="POWER", help="Power cap of the first GPU; the others get theirs by TDP.")
@_option("--activity", default="full", show_default=True, metavar="NAME",
         help="What is in use at full load: full, prefill or decode.")  # fmt: skip
@_option("--model", default="genz", show_default=True, metavar="NAME",
         help="How TDP splits: genz by shares, bits by the energy of a bit.")  # fmt: skip
@_option("--curve", default="day", show_default=True, metavar="NAME|FILE",
         help="Load over a day: day, office, flat, or a CSV with the columns hour and load.")  # fmt: skip
@_option("--policy", "policies", multiple=True, metavar="NAME",
         help="all_on, idle, gate, dvfs or gate_dvfs. Repeatable. Default: all.")  # fmt: skip
@_option("--count", default=1, show_default=True,
         help="GPUs of the first type that share the load; the others have their compute.")  # fmt: skip
@_option("--drain", type=int,
         help="GPUs of the first type that are switched together. Default: each by itself.")  # fmt: skip
@_option("--resident", default="0 B", show_default=True, metavar="SIZE",
         help="What they hold in memory whatever the load.")  # fmt: skip
@_option("--headroom", default=0.0, show_default=True, help="Share of the load to keep free on top.")
@_option("--racked", default=1024, show_default=True, help="GPUs of the first type to put into racks.")
@_option("--precision", default="bf16", show_default=True,
         help="Whose dense peak makes GPUs equal to one of the first.")  # fmt: skip
@_option("--models", "files", multiple=True, metavar="FILE",
         help="YAML with models:, cooling: and so on, laid over what ships. Repeatable.")  # fmt: skip
@_option("--media", multiple=True, metavar="FILE", help="YAML with link media of your own. Repeatable.")
@_option("--samples", default=2000, show_default=True, help="Draws over all ranges.")
@_option("--workers", default=1, show_default=True, help="Threads; the answer is the same for any.")
@picture_option
@catalogue_option
@seed_option
@output_options
def power(
    names: tuple[str, ...],
    picture: tuple[str, ...],
    catalogues: tuple[str, ...],
    seed: int,
    form: str,
    output: str | None,
    **options: Any,
) -> None:
    """Show what GPUs draw: one package by part, a day at partial load by policy, and what cools them.

    GPU is h100 and lite unless others are given; the first is what the others are compared with. Over a
    day all of them together carry the same load, and GPUs that have no work may idle or be switched off.
    """
    result = _solve(names or ("h100", "lite"), picture, catalogues, seed, options)
    from topo_sim.report import to_json
    from topo_sim.report.gpu_power import power_tables

    draw(picture, lambda: _figure(result))
    inputs = {
        "gpus": list(names or ("h100", "lite")),
        **{
            key: list(value) if isinstance(value, tuple) else value
            for key, value in options.items()
            if key != "workers"
        },
        "catalogues": list(catalogues),
        "seed": seed,
    }
    emit(
        form,
        output,
        lambda: power_tables(result),
        lambda: to_json("gpu power", inputs, result.to_dict()),
        result.rows,
    )


def _solve(
    names: tuple[str, ...],
    picture: tuple[str, ...],
    catalogues: tuple[str, ...],
    seed: int,
    options: dict[str, Any],
) -> "PowerComparison":
    from topo_sim.gpus import find_gpu, load_gpus
    from topo_sim.gpus.power import POWER_POLICIES, load_power
    from topo_sim.optics import load_optics
    from topo_sim.studies.gpu_power import compare_power
    from topo_sim.studies.power_blocks import PowerQuestion

    check_pictures(picture)
    known = load_gpus(catalogues)
    cap = parse_quantities([options["cap"]], "power", "--cap")[0] if options["cap"] else None
    asked = PowerQuestion(
        count=options["count"],
        precision=options["precision"],
        model=options["model"],
        activity=options["activity"],
        curve=options["curve"],
        policies=options["policies"] or tuple(POWER_POLICIES),
        load=options["load"],
        clock=options["clock"],
        cap=cap,
        drain=options["drain"],
        resident=parse_quantities([options["resident"]], "size", "--resident")[0],
        headroom=options["headroom"],
        racked=options["racked"],
    )
    with progress_bar("power") as progress:
        return compare_power(
            [find_gpu(name, known) for name in names],
            asked,
            book=load_power(options["files"]),
            optics=load_optics(options["media"]),
            known=known,
            samples=options["samples"],
            seed=seed,
            workers=options["workers"],
            progress=progress,
        )


def _figure(result: "PowerComparison") -> "Figure":
    from topo_sim.report.gpu_power_plots import plot_power

    return plot_power(result)
