"""Plan a deployment."""

from typing import Any

import click

from topo_sim.commands.common import (
    emit,
    examples,
    output_options,
    overhead_option,
    parse_quantities,
    parse_settings,
    progress_bar,
    routing_option,
    seed_option,
    set_option,
)
from topo_sim.commands.inference.pictures import check_pictures, draw, picture_option

__all__ = ["plan"]


@click.command(
    epilog=examples(
        "topo-sim inference plan llama3-70b --fabric lite-torus",
        "topo-sim inference plan llama3-405b --fabric lite-torus --gpu lite+membw --tp 32 --overlap 0.5",
        "topo-sim inference plan gpt3-175b --gpu h100 --operators roofline --overlap 1 --format csv",
        "topo-sim inference plan mixtral-8x22b --fabric dgx-h100 --phase decode --picture plan.png",
    )
)
@click.argument("model")
@click.option("--fabric", metavar="FILE", help="Topology file or shipped name. Default: an ideal network.")
@click.option("--gpu", metavar="NAME", help="GPU of the catalogue. Default: the fabric's, else h100.")
@click.option(
    "--phase", type=click.Choice(["prefill", "decode", "both"]), default="both", show_default=True,
    help="Whole prompts, one new token of each sequence, or both, each on GPUs of its own.",
)  # fmt: skip
@click.option("--ttft", default="1 s", show_default=True, metavar="TIME", help="Limit to the first token.")
@click.option("--tbt", default="50 ms", show_default=True, metavar="TIME", help="Limit between tokens.")
@click.option(
    "--context", type=int, default=1500, show_default=True,
    help="Tokens of each prompt; while decoding, positions in the cache.",
)  # fmt: skip
@click.option(
    "--answer", type=int, default=500, show_default=True,
    help="Tokens of each answer: for how many GPUs prefill and how many decode.",
)  # fmt: skip
@click.option(
    "--most", type=int, metavar="GPUS",
    help="GPUs of one instance, at most. Default: all of the fabric; without one, the GPU's largest group.",
)  # fmt: skip
@click.option("--tp", type=int, multiple=True, help="Only this tensor parallelism. Repeatable.")
@click.option("--pp", type=int, multiple=True, help="Only so many pipeline stages. Repeatable.")
@click.option(
    "--ep", type=int, multiple=True, help="Only so many GPUs that experts are dealt to. Repeatable."
)
@click.option("--cp", type=int, multiple=True, help="Only so many parts of each prompt. Repeatable.")
@click.option(
    "--placement", "placements", type=click.Choice(["packed", "strided"]), multiple=True,
    help="Tensor parallel groups on consecutive ranks, or pipeline stages. Default: the better one.",
)  # fmt: skip
@click.option(
    "--operators", type=click.Choice(["calibrated", "roofline"]), default="calibrated", show_default=True,
    help="Operators as modelled after measured ones, or their bounds.",
)  # fmt: skip
@click.option(
    "--efficiency", metavar="NAME", help="Constants of the operators. Default: the GPU's, or h100's."
)
@click.option("--precision", default="fp8", show_default=True, metavar="NAME", help="As in 'inference ops'.")
@click.option("--kv", metavar="FORMAT", help="Number format of the cache, for example bf16.")
@click.option(
    "--overlap", type=float, default=0.0, show_default=True,
    help="Of operators and communication: 0 (one after another) to 1 (the longer one counts).",
)  # fmt: skip
@click.option(
    "--memory-share", type=float, default=0.9, show_default=True, help="Of the memory, for weights and cache."
)
@click.option(
    "--top", type=click.IntRange(1, 1000), default=8, show_default=True, help="Deployments to show."
)
@click.option(
    "--frontier", is_flag=True, help="Search other limits too (JSON output); --picture does so by itself."
)
@click.option(
    "--level", type=click.Choice(["low", "typical", "high"]), default="typical", show_default=True,
    help="Of the GPU's ranges.",
)  # fmt: skip
@click.option("--models", multiple=True, metavar="FILE", help="YAML file with more models. Repeatable.")
@click.option("--gpus", multiple=True, metavar="FILE", help="YAML file with more GPUs. Repeatable.")
@click.option("--constants", multiple=True, metavar="FILE", help="YAML file with constants. Repeatable.")
@set_option
@routing_option
@overhead_option
@picture_option
@seed_option
@output_options
def plan(model: str, form: str, output: str | None, **given: Any) -> None:
    """Find the best way to run MODEL: parallelism, placement and batch of most tokens/s per SM under limits.

    Collectives are timed on the links of the fabric, with instances on all of its GPUs at once.
    """
    check_pictures(given["picture"])
    ttft, tbt, overhead = (
        parse_quantities([given[name]], "time", f"--{name}")[0] for name in ("ttft", "tbt", "overhead")
    )
    from topo_sim.report import to_json
    from topo_sim.report.deployment_plots import plot_plan
    from topo_sim.report.deployments import plan_tables
    from topo_sim.studies.plan import plan_deployment

    same = (
        *(
            "fabric",
            "gpu",
            "context",
            "answer",
            "most",
            "tp",
            "pp",
            "ep",
            "cp",
            "placements",
            "operators",
            "precision",
        ),
        *("kv", "overlap", "memory_share", "level", "routing", "seed"),
    )
    with progress_bar("searching") as progress:
        result = plan_deployment(
            model,
            **{name: given[name] for name in same},
            ttft=ttft,
            tbt=tbt,
            overhead=overhead,
            phases=("prefill", "decode") if given["phase"] == "both" else (given["phase"],),
            constants=given["efficiency"],
            keep=given["top"],
            frontier=given["frontier"] or bool(given["picture"]),
            settings=parse_settings(given["settings"]),
            model_files=given["models"],
            gpu_files=given["gpus"],
            constant_files=given["constants"],
            progress=progress,
        )
    inputs = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
    emit(
        form,
        output,
        lambda: plan_tables(result),
        lambda: to_json("inference plan", {"model": model, **inputs}, result.to_dict()),
        result.rows,
    )
    draw(given["picture"], lambda: plot_plan(result))
