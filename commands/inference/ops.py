"""List the operators of a pass, check their times, fit them."""

from typing import Any

import click
from click.core import ParameterSource

from topo_sim.base.errors import UsageError
from topo_sim.commands.common import emit, examples, output_options, progress_bar, seed_option

__all__ = ["ops"]

Options = dict[str, Any]


@click.command(
    epilog=examples(
        "topo-sim inference ops llama3-70b --tp 8 --batch 64",
        "topo-sim inference ops llama3-405b --gpu lite --tp 32 --phase prefill --batch 1 --picture ops.png",
        "topo-sim inference ops deepseek-v3 --tp 8 --ep 8 --batch 256 --kv bf16 --format csv",
        "topo-sim inference ops --check h100_llm_ops",
        "topo-sim inference ops --check trtllm_llama70b",
        "topo-sim inference ops --fit a100_gemm --gpu a100 --start h100 --spread 0.2 --save constants.yaml",
    )
)
@click.argument("model", required=False)
@click.option("--gpu", default="h100", show_default=True, metavar="NAME", help="GPU of the catalogue.")
@click.option(
    "--phase", type=click.Choice(["prefill", "decode"]), default="decode", show_default=True,
    help="Whole prompts, or one new token of each sequence.",
)  # fmt: skip
@click.option("--batch", type=int, default=16, show_default=True, help="Sequences.")
@click.option(
    "--context", type=int, default=1500, show_default=True,
    help="Tokens of each prompt; while decoding, positions in the cache.",
)  # fmt: skip
@click.option("--tp", type=int, default=1, show_default=True, help="GPUs that share every matrix.")
@click.option("--ep", type=int, default=1, show_default=True, help="GPUs that experts are dealt to.")
@click.option(
    "--precision", default="fp8", show_default=True, metavar="NAME",
    help="bf16, fp16, fp8 (outputs and attention in BF16), fp8-all, fp8-weights, int8 or int4 (weights).",
)  # fmt: skip
@click.option("--kv", metavar="FORMAT", help="Number format of the cache, for example bf16.")
@click.option(
    "--kv-heads", type=click.Choice(["replicate", "shard"]), default="replicate", show_default=True,
    help="Where TP exceeds the key-value heads: hold them several times, or cut their cache.",
)  # fmt: skip
@click.option("--sequence-parallel", is_flag=True, help="Spread norms over the GPUs of a group.")
@click.option("--unfused", is_flag=True, help="Scores and softmax through memory, additions by themselves.")
@click.option("--alone", is_flag=True, help="Time each operator by itself, as when it is measured.")
@click.option(
    "--level", type=click.Choice(["low", "typical", "high"]), default="typical", show_default=True,
    help="Of the GPU's ranges.",
)  # fmt: skip
@click.option(
    "--efficiency", metavar="NAME", help="Constants of the time model. Default: the GPU's own, or h100's."
)
@click.option("--models", multiple=True, metavar="FILE", help="YAML file with more models. Repeatable.")
@click.option("--gpus", multiple=True, metavar="FILE", help="YAML file with more GPUs. Repeatable.")
@click.option("--constants", multiple=True, metavar="FILE", help="File that --save wrote. Repeatable.")
@click.option(
    "--check", metavar="NAME",
    help="Compare with measured times: h100_llm_ops, a100_gemm, a100_gpt3_layer, trtllm_llama70b, or a "
    "CSV file of operators, measured on --gpu.",
)  # fmt: skip
@click.option(
    "--fit", metavar="NAME",
    help="Fit the constants: h100_llm_ops, a100_gemm or a CSV file, measured on --gpu; then fit parts of "
    "it and test them on the rest.",
)  # fmt: skip
@click.option(
    "--start", default="prior", show_default=True, metavar="NAME", help="Constants that --fit starts from."
)
@click.option(
    "--spread", type=float, default=2.0, show_default=True,
    help="How far --fit may move a constant's logarithm from the start; small where rows are few.",
)  # fmt: skip
@click.option("--save", metavar="FILE", help="Write the constants of --fit as YAML.")
@click.option(
    "--picture", multiple=True, metavar="FILE",
    help="Where to draw, by suffix .png, .svg or .pdf. Repeatable.",
)  # fmt: skip
@seed_option
@output_options
def ops(form: str, output: str | None, **given: Any) -> None:
    """List the operators of one pass of MODEL on one GPU of a group: FLOPs, bytes, bounds and times.

    MODEL is a name, or a config.json. With --check or --fit: how far modelled times are from measured ones.
    """
    from topo_sim.report.formats import check_writable

    _check_options(given)
    for path in given["picture"]:
        if not path.endswith((".png", ".svg", ".pdf")):
            raise UsageError(f'--picture: found "{path}", expected a name that ends in .png, .svg or .pdf')
    for path in (*given["picture"], *([given["save"]] if given["save"] else ())):
        check_writable(path)
    inputs = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
    result, table, figure = _list(given) if given["model"] else _compare(given)
    from topo_sim.report import save_figure, to_json

    emit(form, output, table, lambda: to_json("inference ops", inputs, result.to_dict()), result.rows)
    if given["save"]:
        _save(given["save"], result)
    if given["picture"]:
        drawn = figure()
        for path in given["picture"]:
            save_figure(drawn, path)
        click.echo(f"drew {', '.join(given['picture'])}", err=True)


def _check_options(given: Options) -> None:
    """Refuse none or several of what to do, and options of --fit without it."""
    names = {"model": "MODEL", "check": "--check", "fit": "--fit"}
    asked = [names[name] for name in names if given[name] is not None]
    if len(asked) != 1:
        found = " and ".join(asked) or "none"
        raise UsageError(f"found {found} of MODEL, --check and --fit, expected one of them")
    context = click.get_current_context()
    for name, what in (
        ("start", "a fit to start"),
        ("spread", "a fit to hold"),
        ("save", "constants to save"),
    ):
        if given["fit"] is None and context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise UsageError(f"--{name}: found without --fit, expected {what}")


def _list(given: Options) -> tuple[Any, Any, Any]:
    from topo_sim.report.operator_plots import plot_roofline
    from topo_sim.report.operators import operator_table
    from topo_sim.studies.operators import list_operators

    names = (
        "phase",
        "batch",
        "context",
        "tp",
        "ep",
        "precision",
        "kv",
        "kv_heads",
        "sequence_parallel",
        "level",
    )
    result = list_operators(
        given["model"],
        given["gpu"],
        **{name: given[name] for name in names},
        fused=not given["unfused"],
        in_pass=not given["alone"],
        constants=given["efficiency"],
        model_files=given["models"],
        gpu_files=given["gpus"],
        constant_files=given["constants"],
    )
    return result, lambda: operator_table(result), lambda: plot_roofline(result)


def _compare(given: Options) -> tuple[Any, Any, Any]:
    from topo_sim.report.operator_plots import plot_operator_fit, plot_whole
    from topo_sim.report.operators import fit_tables, whole_table
    from topo_sim.studies.operator_checks import WHOLES, check_whole
    from topo_sim.studies.operator_fit import check_operators, fit_operators

    if given["check"] in WHOLES:
        whole = check_whole(given["check"])
        return whole, lambda: whole_table(whole), lambda: plot_whole(whole)
    files = {"gpu_files": given["gpus"], "constant_files": given["constants"]}
    if given["check"]:
        result = check_operators(given["check"], given["gpu"], constants=given["efficiency"], **files)
    else:
        with progress_bar("fitting") as progress:
            result = fit_operators(
                given["fit"],
                given["gpu"],
                start=given["start"],
                spread=given["spread"],
                seed=given["seed"],
                progress=progress,
                **files,
            )
    return result, lambda: fit_tables(result), lambda: plot_operator_fit(result)


def _save(path: str, result: Any) -> None:
    from topo_sim.report import write_text
    from topo_sim.studies.operator_fit import efficiency_yaml

    write_text(path, efficiency_yaml(result, result.device.name))
    click.echo(f"wrote {path}", err=True)
