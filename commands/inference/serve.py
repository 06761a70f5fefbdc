"""Serve requests with a model on a fabric."""

from typing import Any

import click

from topo_sim.base.errors import UsageError
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

__all__ = ["serve"]

_option = click.option


def _choice(*names: str) -> Any:
    return click.Choice(names)


@click.command(
    epilog=examples(
        "topo-sim inference serve llama3-8b --gpu h100 --rate 5/s --requests 500",
        "topo-sim inference serve llama3-70b --fabric lite-flat-switch --tp 8 --rate 40/s --requests 2000",
        "topo-sim inference serve llama3-70b --instances 2 --tp 4 --chunk 512 --rate 4/s --format csv",
        "topo-sim inference serve llama3-8b --instances 4 --sweep 5 --requests 500 --picture load.png",
        "topo-sim inference serve llama3-8b --instances 4 --rate 20/s --requests 2000 --failures 30/h "
        "--mttr '5 min' --spares 1 --each requests.csv",
    )
)
@click.argument("model")
@_option("--fabric", metavar="FILE", help="Topology file or shipped name. Default: an ideal network.")
@_option("--gpu", metavar="NAME", help="GPU of the catalogue. Default: the fabric's, else h100.")
@_option("--rate", metavar="RATE", help="Poisson arrivals, as 5/s or 300/min. Default: half the capacity.")
@_option("--requests", default=1000, show_default=True, help="How many arrive.")
@_option("--trace", metavar="FILE", help="CSV with arrival_s, prompt_tokens and output_tokens, instead.")
@_option("--workload", default="coding", show_default=True, metavar="NAME",
         help="Lengths: coding, conversation, paper, or one of --workloads.")  # fmt: skip
@_option("--prompt", type=int, metavar="TOKENS", help="Median prompt, in the workload's place.")
@_option("--answer", type=int, metavar="TOKENS", help="Median answer, in the workload's place.")
@_option("--spread", type=float, help="Deviation of the logarithm of both lengths; 0: all alike.")
@_option("--longest", default=8192, show_default=True, help="Most tokens of a prompt or an answer drawn.")
@_option("--instances", type=int, help="In one pool that does both.")
@_option("--prefill-instances", type=int, help="In a pool that prefills; with --decode-instances.")
@_option("--decode-instances", type=int, help="In a pool that decodes. Default: both pools fill the fabric.")
@_option("--tp", type=int, help="GPUs of an instance. Default: weights take half of their memory.")
@_option("--decode-tp", type=int, help="GPUs of an instance that decodes. Default: as --tp.")
@_option("--kv-heads", type=_choice("replicate", "shard"), default="replicate", show_default=True,
         help="Where TP exceeds the key-value heads.")  # fmt: skip
@_option("--ttft", default="1 s", show_default=True, metavar="TIME", help="Limit to the first token.")
@_option("--tbt", default="50 ms", show_default=True, metavar="TIME", help="Limit between tokens.")
@_option("--strict", is_flag=True, help="The limit holds between any two tokens, not on average.")
@_option("--chunk", default=0, show_default=True, metavar="TOKENS",
         help="Of passes that mix decoding with parts of prompts; 0: whole prompts, first.")  # fmt: skip
@_option("--pass-tokens", default=8192, show_default=True, help="Most of a pass of whole prompts.")
@_option("--batch", default=256, show_default=True, help="Most sequences of an instance at once.")
@_option("--block", default=16, show_default=True, metavar="TOKENS", help="KV is given out in such blocks.")
@_option("--memory-rule", type=_choice("recompute", "reserve"), default="recompute", show_default=True,
         help="When KV runs out: the youngest starts over; or none is let in that may not fit.")  # fmt: skip
@_option("--dispatch", type=_choice("least_loaded", "round_robin"), default="least_loaded",
         show_default=True, help="Who gets a request.")  # fmt: skip
@_option(
    "--failures", metavar="RATE", help="Of one GPU, as '0.1 /year', or parts: by its parts. Default: none."
)
@_option("--mttr", default="72 h", show_default=True, metavar="TIME", help="To repair a GPU.")
@_option("--policy", type=_choice("none", "hot_spares", "rewire"), default="hot_spares", show_default=True,
         help="What is done about a failure.")  # fmt: skip
@_option("--spares", default=0, show_default=True, help="GPUs on the fabric beside the instances.")
@_option("--restart", default="1 min", show_default=True, metavar="TIME", help="To load the weights again.")
@_option("--swap", metavar="TIME", help="To bring a spare in. Default: by policy, 60 s or 1 s.")
@_option("--warmup", default=0.1, show_default=True, help="Share of the requests that figures leave out.")
@_option("--until", metavar="TIME", help="End of the run. Default: ten times the last arrival and an hour.")
@_option("--bins", type=click.IntRange(1, 100_000), default=60, show_default=True, help="Of time.")
@_option(
    "--sweep", type=click.IntRange(1, 200), metavar="N", help="N rates, from 10 % to 120 % of the capacity."
)
@_option(
    "--workers", default=1, show_default=True, help="Threads of --sweep; the answer does not depend on it."
)
@_option("--each", metavar="FILE", help="Write a CSV row per request.")
@_option("--operators", type=_choice("calibrated", "roofline"), default="calibrated", show_default=True,
         help="Operators as modelled after measured ones, or their bounds.")  # fmt: skip
@_option("--efficiency", metavar="NAME", help="Constants of the operators. Default: the GPU's, or h100's.")
@_option("--precision", default="fp8", show_default=True, metavar="NAME", help="As in 'inference ops'.")
@_option("--kv", metavar="FORMAT", help="Number format of the cache, for example bf16.")
@_option("--overlap", type=float, default=0.0, show_default=True, help="Of operators and communication.")
@_option("--memory-share", default=0.9, show_default=True, help="Of the memory, for weights and cache.")
@_option("--level", type=_choice("low", "typical", "high"), default="typical", show_default=True,
         help="Of the GPU's ranges.")  # fmt: skip
@_option("--models", multiple=True, metavar="FILE", help="YAML file with more models. Repeatable.")
@_option("--gpus", multiple=True, metavar="FILE", help="YAML file with more GPUs. Repeatable.")
@_option("--constants", multiple=True, metavar="FILE", help="YAML file with constants. Repeatable.")
@_option("--workloads", multiple=True, metavar="FILE", help="YAML file with workloads. Repeatable.")
@_option("--rates", "rate_files", multiple=True, metavar="FILE", help="Your own failure rates. Repeatable.")
@set_option
@routing_option
@overhead_option
@picture_option
@seed_option
@output_options
def serve(model: str, form: str, output: str | None, **given: Any) -> None:
    """Serve requests with MODEL, from event to event: batches, paged KV, transfers, failures.

    One pool of instances does both phases (--instances), or one prefills and one decodes.
    """
    check_pictures(given["picture"])
    if given["each"]:
        from topo_sim.report.formats import check_writable

        if given["sweep"]:
            raise UsageError("--each: found with --sweep, expected one of them")
        check_writable(given["each"])
    from topo_sim.report import to_csv, to_json, write_text
    from topo_sim.report.serving import load_curve_table, serving_tables
    from topo_sim.report.serving_plots import plot_load_curve, plot_serving
    from topo_sim.studies.serving import load_curve, serve_model

    with progress_bar("serving") as progress:
        how = {"fabric": given["fabric"], "gpu": given["gpu"], "progress": progress, **_cluster(given)}
        if given["sweep"]:
            points = {"points": given["sweep"], "workers": given["workers"]}
            result: Any = load_curve(model, _question(given), **points, **how)
        else:
            result = serve_model(model, _question(given), **how)
    table, plot = (load_curve_table, plot_load_curve) if given["sweep"] else (serving_tables, plot_serving)
    inputs = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
    emit(
        form,
        output,
        lambda: table(result),
        lambda: to_json("inference serve", {"model": model, **inputs}, result.to_dict()),
        result.rows,
    )
    if given["each"]:
        write_text(given["each"], to_csv(result.request_rows()))
        click.echo(f"wrote {given['each']}", err=True)
    draw(given["picture"], lambda: plot(result))


def _quantity(given: dict[str, Any], name: str, kind: str = "time") -> float | None:
    text = given[name]
    return None if text is None else parse_quantities([text], kind, f"--{name.replace('_', '-')}")[0]


def _question(given: dict[str, Any]) -> Any:
    from topo_sim.inference.deployment import Slo
    from topo_sim.inference.serving import Rules
    from topo_sim.studies.serving import Question
    from topo_sim.studies.serving_requests import requests_of

    rules = Rules(
        chunk=given["chunk"], most_tokens=given["pass_tokens"], most_batch=given["batch"],
        block=given["block"], memory=given["memory_rule"], dispatch=given["dispatch"],
    )  # fmt: skip
    names = ("workload", "prompt", "answer", "spread", "workloads", "trace")
    return Question(
        **requests_of(_quantity(given, "rate", "request rate"), **{name: given[name] for name in names}),
        count=given["requests"], longest=given["longest"],
        slo=Slo(_quantity(given, "ttft") or 0.0, _quantity(given, "tbt") or 0.0), strict=given["strict"],
        warmup=given["warmup"], rules=rules, failures=_failures(given), horizon=_quantity(given, "until"),
        bins=given["bins"], seed=given["seed"],
    )  # fmt: skip


def _failures(given: dict[str, Any]) -> Any:
    from topo_sim.studies.serving_cluster import Failures

    if given["failures"] is None:
        context = click.get_current_context()
        for name in ("spares", "mttr", "policy", "restart", "swap", "rate_files"):
            if context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE:
                option = "--rates" if name == "rate_files" else f"--{name}"
                raise UsageError(f"{option}: found without --failures, expected a rate of failures")
        return None
    rate = None if given["failures"] == "parts" else _quantity(given, "failures", "failure rate")
    return Failures(
        rate, _quantity(given, "mttr") or 0.0, given["policy"], given["spares"],
        _quantity(given, "restart") or 0.0, _quantity(given, "swap"),
    )  # fmt: skip


def _cluster(given: dict[str, Any]) -> dict[str, Any]:
    pools = given["prefill_instances"], given["decode_instances"]
    if given["instances"] is not None and pools != (None, None):
        raise UsageError("--instances: found with a prefill or a decode pool, expected one or the other")
    if (pools[0] is None) != (pools[1] is None):
        raise UsageError("--prefill-instances: found without the other, expected --decode-instances too")
    if given["routing"] is not None and given["fabric"] in (None, "ideal"):
        raise UsageError("--routing: found without --fabric, expected a topology to route in")
    same = (
        *("tp", "decode_tp", "kv_heads", "precision", "kv", "operators", "overlap", "memory_share", "level"),
        *("routing", "seed", "rate_files"),
    )
    return {
        **{name: given[name] for name in same},
        "instances": given["instances"] if pools[0] is None else pools,
        "constants": given["efficiency"],
        "settings": parse_settings(given["settings"]),
        "overhead": _quantity(given, "overhead") or 0.0,
        "model_files": given["models"],
        "gpu_files": given["gpus"],
        "constant_files": given["constants"],
    }
