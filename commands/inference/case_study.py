"""Run the paper's case study."""

from typing import Any

import click

from topo_sim.commands.common import emit, examples, output_options, progress_bar, seed_option
from topo_sim.commands.inference.pictures import check_pictures, draw, picture_option

__all__ = ["case_study"]


@click.command(
    "case-study",
    epilog=examples(
        "topo-sim inference case-study --picture case-study.png",
        "topo-sim inference case-study --model llama3-70b --fabric lite-flat-switch --operators roofline",
        "topo-sim inference case-study --model llama3-8b --gpu h100 --gpu lite --fabric lite-torus "
        "--format csv",
    ),
)
@click.option(
    "--model", "models", multiple=True, metavar="NAME", help="Default: the paper's three. Repeatable."
)
@click.option(
    "--gpu", "gpus", multiple=True, metavar="NAME",
    help="The first is what the others are compared with. Default: the paper's six. Repeatable.",
)  # fmt: skip
@click.option(
    "--fabric", "fabrics", multiple=True, metavar="FILE",
    help="Of the GPUs but the first; a parameter rate is set to that of each GPU. Default: "
    "lite-flat-switch, lite-torus, lite-circuits, lite-grouped. Repeatable.",
)  # fmt: skip
@click.option(
    "--reference-fabric",
    default="superpod-h100-64",
    show_default=True,
    metavar="FILE",
    help="Of the first GPU.",
)
@click.option(
    "--operators", type=click.Choice(["both", "calibrated", "roofline"]), default="both", show_default=True,
    help="Which cases to search: operators as modelled after measured ones, or the paper's roofline. "
    "The picture has the calibrated ones unless roofline is asked for.",
)  # fmt: skip
@click.option(
    "--metric", type=click.Choice(["sm", "dollar", "watt"]), default="sm", show_default=True,
    help="Of the picture: tokens/s per SM, per $ of GPUs or per W of GPUs.",
)  # fmt: skip
@click.option(
    "--kv-heads", "kv", type=click.Choice(["shard", "replicate"]), default="shard", show_default=True,
    help="Of the roofline, where there are more GPUs than key-value heads.",
)  # fmt: skip
@click.option(
    "--precision", default="fp8-all", show_default=True, metavar="NAME", help="Of the calibrated operators."
)
@click.option("--context", type=int, default=1500, show_default=True, help="Tokens of each sequence.")
@click.option("--models", "model_files", multiple=True, metavar="FILE", help="YAML file with more models.")
@click.option("--gpus", "gpu_files", multiple=True, metavar="FILE", help="YAML file with more GPUs.")
@picture_option
@seed_option
@output_options
def case_study(form: str, output: str | None, **given: Any) -> None:
    """Compare H100 and Lite-GPU clusters as the paper does, on an ideal network and on real fabrics.

    Each cell is the best over tensor parallelism and batch under 1 s to the first token and 50 ms between
    tokens, over H100's; both ends of overlapping communication with computing.
    """
    check_pictures(given["picture"])
    from topo_sim.report import to_json
    from topo_sim.report.case_plots import plot_case_study
    from topo_sim.report.deployments import case_tables
    from topo_sim.studies.case_study import FABRICS, MODELS, TYPES
    from topo_sim.studies.case_study import case_study as run

    shown = ("roofline", "calibrated") if given["operators"] == "both" else (given["operators"],)
    with progress_bar("case study") as progress:
        result = run(
            given["models"] or MODELS,
            given["gpus"] or TYPES,
            given["fabrics"] or FABRICS,
            **{name: given[name] for name in ("reference_fabric", "kv", "precision", "context", "seed")},
            operators=shown,
            gpu_files=given["gpu_files"],
            model_files=given["model_files"],
            progress=progress,
        )
    inputs = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
    emit(
        form,
        output,
        lambda: case_tables(result, shown),
        lambda: to_json("inference case-study", inputs, result.to_dict()),
        result.rows,
    )
    draw(given["picture"], lambda: plot_case_study(result, shown[-1], given["metric"]))
