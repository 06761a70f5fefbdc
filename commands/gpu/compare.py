"""GPUs side by side."""

from typing import TYPE_CHECKING, Any

import click

from topo_sim.commands.common import emit, examples, output_options, parse_quantities, seed_option
from topo_sim.commands.gpu.common import catalogue_option
from topo_sim.commands.optics.pictures import check_pictures, draw, picture_option

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from topo_sim.studies.gpu_compare import GpuComparison

__all__ = ["compare"]

_option = click.option
# What the JSON output repeats of the options, beside the GPUs.
_INPUTS = (
    *("count", "curve", "fleet", "group", "mttr", "risk", "precision", "prices", "models", "rates"),
    *("model", "d0", "samples", "catalogues", "seed"),
)


@click.command(
    epilog=examples(
        "topo-sim gpu compare h100 lite --picture gpus.png",
        "topo-sim gpu compare h100 lite lite+membw+netbw --count 8 --samples 500 --format csv",
        "topo-sim gpu compare h100 lite --model murphy --d0 '0.2 /cm2' --samples 200 --workers 2",
        "topo-sim gpu compare b200 h100 --curve office --mttr '168 h' --samples 200 --format json",
    )
)
@click.argument("names", metavar="[GPU]...", nargs=-1)
@_option("--count", default=1, show_default=True, help="GPUs of the first type that share a day's load.")
@_option("--curve", default="day", show_default=True, metavar="NAME|FILE",
         help="Load over a day: day, office, flat, or a CSV with the columns hour and load.")  # fmt: skip
@_option("--fleet", default=64, show_default=True, help="GPUs of the first type that spares are for.")
@_option("--group", default=8, show_default=True, help="GPUs of the first type that stop together.")
@_option("--mttr", default="72 h", show_default=True, metavar="TIME", help="Time to repair, as '3 days'.")
@_option("--risk", default=1e-3, show_default=True, help="Largest probability that spares run out.")
@_option("--precision", default="bf16", show_default=True,
         help="Whose dense peak makes GPUs equal to one of the first.")  # fmt: skip
@_option("--prices", multiple=True, metavar="FILE", help="Prices of your own. Repeatable.")
@_option("--models", multiple=True, metavar="FILE", help="Models of power of your own. Repeatable.")
@_option("--rates", multiple=True, metavar="FILE", help="Failure rates of your own. Repeatable.")
@_option("--model", default="poisson", show_default=True, metavar="NAME[@SETTING=VALUE]",
         help="Yield model of dies, wafers and bills.")  # fmt: skip
@_option("--d0", default="0.1 /cm2", show_default=True, metavar="DENSITY",
         help="Mean density of defects for yields and wafers; bills take that of the prices.")  # fmt: skip
@_option("--samples", default=2000, show_default=True, help="Draws over all ranges.")
@_option("--workers", default=1, show_default=True, help="Threads; the answer is the same for any.")
@picture_option
@catalogue_option
@seed_option
@output_options
def compare(
    names: tuple[str, ...], picture: tuple[str, ...], form: str, output: str | None, **given: Any
) -> None:
    """Compare GPUs in all that they are bought for: compute, yield, cost, power, cooling, failures.

    GPU is h100 and lite unless others are given; the first is what the others are compared with, in
    numbers of the same compute. --picture draws wafers, bills, power against load and spares.
    """
    check_pictures(picture)
    chosen = names or ("h100", "lite")
    result = _compared(chosen, given)
    from topo_sim.report import to_json
    from topo_sim.report.gpu_compare import compare_table

    draw(picture, lambda: _figure(result))
    inputs = {"gpus": chosen} | {name: given[name] for name in _INPUTS}
    emit(
        form,
        output,
        lambda: compare_table(result),
        lambda: to_json("gpu compare", inputs, result.to_dict()),
        result.rows,
    )


def _compared(chosen: tuple[str, ...], given: dict[str, Any]) -> "GpuComparison":
    """Load the catalogues, and compare."""
    from topo_sim.gpus import find_gpu, load_gpus
    from topo_sim.gpus.power import load_power
    from topo_sim.gpus.prices import load_prices
    from topo_sim.gpus.reliability import load_failure_rates
    from topo_sim.studies.fleets import Question
    from topo_sim.studies.gpu_compare import compare_gpus
    from topo_sim.studies.power_blocks import PowerQuestion

    known = load_gpus(given["catalogues"])
    repair = parse_quantities([given["mttr"]], "time", "--mttr")[0]
    policies = ("all_on", "gate", "gate_dvfs")
    return compare_gpus(
        [find_gpu(name, known) for name in chosen],
        load_prices(given["prices"]),
        power=PowerQuestion(
            count=given["count"], curve=given["curve"], precision=given["precision"], policies=policies
        ),
        failures=Question(count=given["fleet"], group=given["group"], repair=repair, risk=given["risk"]),
        book=load_power(given["models"]),
        rates=load_failure_rates(given["rates"]),
        known=known,
        density=parse_quantities([given["d0"]], "defect density", "--d0")[0],
        **{name: given[name] for name in ("precision", "model", "samples", "seed", "workers")},
    )


def _figure(result: "GpuComparison") -> "Figure":
    from topo_sim.report.gpu_compare import plot_comparison_of_gpus

    return plot_comparison_of_gpus(result)
