"""List language models, or read one."""

import click

from topo_sim.commands.common import emit, examples, output_options, seed_option

__all__ = ["models"]


@click.command(
    epilog=examples(
        "topo-sim inference models",
        "topo-sim inference models deepseek-v3",
        "topo-sim inference models --format csv",
    )
)
@click.argument("model", required=False)
@click.option(
    "--models", "files", multiple=True, metavar="FILE",
    help="YAML file with more models, over those that ship. Repeatable.",
)  # fmt: skip
@seed_option
@output_options
def models(model: str | None, files: tuple[str, ...], seed: int, form: str, output: str | None) -> None:
    """List language models with their parameters and cache, or show one MODEL whole.

    MODEL is a name, or a config.json as Hugging Face's transformers write it.
    """
    from topo_sim.inference.models import find_model, load_models
    from topo_sim.report import to_json
    from topo_sim.report.operators import model_table, models_table

    shown = [find_model(model, files)] if model else list(load_models(files).values())
    records = [each.to_dict() for each in shown]
    emit(
        form,
        output,
        lambda: model_table(shown[0]) if model else models_table(shown),
        lambda: to_json("inference models", {"model": model, "models": list(files), "seed": seed}, records),
        lambda: records,
    )
