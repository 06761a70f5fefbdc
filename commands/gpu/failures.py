"""Show failures: spares, interruptions and goodput of GPU types, of a fabric's parts, or of a record."""

import math
from typing import Any

import click

from topo_sim.base.errors import UsageError
from topo_sim.commands.common import (
    emit,
    examples,
    load_one,
    output_options,
    parse_quantities,
    progress_bar,
    seed_option,
    set_option,
)
from topo_sim.commands.gpu.common import catalogue_option

__all__ = ["failures"]

_option = click.option
_ANY = {"names", "form", "output", "seed", "picture", "rate_files", "catalogues"}
_OF_FABRICS = {"group", "rate", "mttr", "level", "gpu", "throughput", "gap", "samples", "settings"}
_OF_RECORDS = {"record", "mttr", "replicas", "workers"}
_NOT_OF_TYPES = {"record", "gpu", "throughput", "gap", "samples", "settings"}
_MANY = 1000  # endpoints from which throughputs may take minutes


@click.command(
    epilog=examples(
        "topo-sim gpu failures h100 lite --rate '0.09 /year' --mttr '7 days' --policy hot_spares",
        "topo-sim gpu failures h100 --group 64 --checkpoint best --write '1 min' --format json",
        "topo-sim gpu failures lite-flat-switch --group 32",
        "topo-sim gpu failures --record llama3-405b --format csv",
    )
)
@click.argument("names", nargs=-1, metavar="[GPU... | FILE]")
@_option("--record", metavar="NAME", help="Replay a record of failures instead, as llama3-405b.")
@_option("--count", default=64, show_default=True, help="GPUs of the first type; the others get its silicon.")
@_option("--group", type=int,
         help="GPUs of the first type that stop together. Default: 8, or what of it divides --count; in a "
         "fabric, the silicon of 8 H100s.")  # fmt: skip
@_option("--rate", metavar="RATE", help="Failures of the first GPU, as '0.09 /year'. Default: by its parts.")
@_option("--mttr", metavar="TIME",
         help="Time to repair, as '3 days'. Default: 72 h; in a fabric each part's own.")  # fmt: skip
@_option("--risk", default=1e-3, show_default=True, help="Largest probability that spares run out.")
@_option("--spares", type=int,
         help="Of the first type, a multiple of --domains. Default: as many as the risk needs.")  # fmt: skip
@_option("--policy", "policies", multiple=True, metavar="NAME",
         help="none, hot_spares, shrink or rewire. Repeatable. Default: all.")  # fmt: skip
@_option("--years", default=20.0, show_default=True, help="Length of a life.")
@_option("--replicas", type=int, help="Independent lives. Default: 32, of a record 200.")
@_option("--checkpoint", metavar="TIME",
         help="Work between checkpoints, as '30 min', or best. Default: nothing is lost.")  # fmt: skip
@_option(
    "--write", default="0 s", show_default=True, metavar="TIME", help="To write a checkpoint, as '1 min'."
)
@_option("--restart", default="5 min", show_default=True, metavar="TIME",
         help="From having all GPUs to work.")  # fmt: skip
@_option("--swap", metavar="TIME", help="Time to bring a GPU in. Default: by policy, 60 s or 1 s.")
@_option("--domains", default=1, show_default=True, help="Pools that spares are split into without rewiring.")
@_option("--shape", default=1.0, show_default=True, help="Weibull shape of lifetimes; 1 is exponential.")
@_option("--repair-law", default="fixed", show_default=True, help="Times to repair: fixed or exponential.")
@_option("--crash-rate", default="0 /year", show_default=True, metavar="RATE",
         help="Crashes without a repair, per GPU of the first type.")  # fmt: skip
@_option("--part", "parts", multiple=True, metavar="NAME=GPUS",
         help="A part that so many GPUs of the first type share, as host=8. Repeatable.")  # fmt: skip
@_option("--level", default="typical", show_default=True,
         help="Of what the rates say of parts: low, typical or high.")  # fmt: skip
@_option("--by-spares", is_flag=True, help="Live with other numbers of spares as well.")
@_option("--rates", "rate_files", multiple=True, metavar="FILE", help="Your own failure rates. Repeatable.")
@catalogue_option
@_option("--gpu", metavar="NAME", help="What a fabric's endpoints are. Default: as its file says.")
@_option("--throughput/--no-throughput", default=True,
         help="Whether to solve for a fabric's throughput: minutes for a thousand endpoints.")  # fmt: skip
@_option("--gap", type=click.FloatRange(0, 1, min_open=True), default=0.02, show_default=True,
         help="Proven gap at which a fabric's throughputs stop.")  # fmt: skip
@_option("--samples", default=2, show_default=True,
         help="Failures to solve of a fabric's parts that only look alike.")  # fmt: skip
@_option("--workers", default=1, show_default=True, help="Threads; the answer does not depend on it.")
@_option("--picture", multiple=True, metavar="FILE", help="Draw to .png, .svg or .pdf. Repeatable.")
@set_option
@seed_option
@output_options
def failures(names: tuple[str, ...], form: str, output: str | None, **options: Any) -> None:
    """Show what failures take away from clusters of big and of small GPUs.

    With GPU types (h100 and lite without any), spares and goodput of clusters of equal silicon: rates by area
    and by package are both shown. With a topology FILE, what each of its parts takes away; with --record
    a real cluster is lived again. Options of another of these three are refused.
    """
    from topo_sim.report.formats import check_writable

    for path in options["picture"]:
        if not path.endswith((".png", ".svg", ".pdf")):
            raise UsageError(f'--picture: found "{path}", expected a name that ends in .png, .svg or .pdf')
        check_writable(path)
    from topo_sim.gpus.catalogue import load_gpus
    from topo_sim.gpus.reliability import load_failure_rates
    from topo_sim.report import save_figure, to_json
    from topo_sim.studies.failing import is_fabric

    gpus, rates = load_gpus(options["catalogues"]), load_failure_rates(options["rate_files"])
    if options["record"] is not None:
        if names:
            raise UsageError(f"--record: found together with {', '.join(names)}, expected it alone")
        _only((_ANY - {"catalogues"}) | _OF_RECORDS, "a record")
        result, table, plot = _replay(options, rates)
    elif names and is_fabric(names, gpus):
        _only(_ANY | _OF_FABRICS, "a fabric")
        result, table, plot = _fabric(names[0], options, gpus, rates)
    else:
        _only((set(options) | _ANY) - _NOT_OF_TYPES, "GPU types")
        result, table, plot = _types(names or ("h100", "lite"), options, gpus, rates)
    inputs = {"names": list(names)} | {
        k: list(v) if isinstance(v, tuple) else v for k, v in options.items() if k != "workers"
    }
    document = result.to_dict() if hasattr(result, "to_dict") else result.rows()
    emit(form, output, lambda: table(result), lambda: to_json("gpu failures", inputs, document), result.rows)
    if options["picture"]:
        figure = plot(result)
        for path in options["picture"]:
            save_figure(figure, path)
        click.echo(f"drew {', '.join(options['picture'])}", err=True)


def _only(usable: set[str], what: str) -> None:
    """Refuse options that were given and that this question does not use."""
    context = click.get_current_context()
    for option in context.command.params:
        name = option.name or ""
        source = context.get_parameter_source(name)
        if name not in usable and source is click.core.ParameterSource.COMMANDLINE:
            flag = next((flag for flag in option.opts if flag.startswith("--")), name)
            raise UsageError(f"{flag}: found with {what}, which it does not apply to, expected it left out")


def _one(options: dict[str, Any], name: str, kind: str, default: str | None = None) -> float | None:
    """Read an option as a quantity, SI; None where nothing is given."""
    text = options[name] if options[name] is not None else default
    return None if text is None else parse_quantities([text], kind, f"--{name.replace('_', '-')}")[0]


def _replay(options: dict[str, Any], rates: Any) -> tuple[Any, Any, Any]:
    from topo_sim.gpus.reliability import replay
    from topo_sim.report.failure_plots import plot_replay
    from topo_sim.report.failures import replay_table

    with progress_bar("lives") as progress:
        result = replay(
            rates.record(options["record"]),
            repair=_one(options, "mttr", "time", "72 h") or 0.0,
            replicas=200 if options["replicas"] is None else options["replicas"],
            seed=options["seed"],
            workers=options["workers"],
            progress=progress,
        )
    return result, replay_table, plot_replay


def _fabric(file: str, options: dict[str, Any], gpus: Any, rates: Any) -> tuple[Any, Any, Any]:
    topology = load_one(file, options["settings"])
    from topo_sim.report.failure_plots import plot_resilience
    from topo_sim.report.failures import resilience_table
    from topo_sim.studies.failing import gpu_of, group_of
    from topo_sim.studies.resilience import measure_resilience

    gpu = gpu_of(topology, options["gpu"], gpus)
    if options["throughput"] and topology.fabric.ranks >= _MANY:
        click.echo(
            f"solving the throughput of {topology.fabric.ranks:,} endpoints after every failure: this may "
            "take minutes, --no-throughput leaves it out",
            err=True,
        )
    with progress_bar("failures") as progress:
        result = measure_resilience(
            topology.fabric,
            gpu,
            group=group_of(topology, gpu, options["group"]),
            rates=rates,
            rate=_one(options, "rate", "failure rate"),
            repair=_one(options, "mttr", "time"),
            level=options["level"],
            samples=options["samples"],
            gap=options["gap"],
            throughput=options["throughput"],
            seed=options["seed"],
            progress=progress,
        )
    return result, resilience_table, plot_resilience


def _types(names: tuple[str, ...], options: dict[str, Any], gpus: Any, rates: Any) -> tuple[Any, Any, Any]:
    from topo_sim.gpus.reliability import POLICIES, Job
    from topo_sim.report.failure_plots import plot_failures
    from topo_sim.report.failures import failure_tables
    from topo_sim.studies.failing import parse_parts
    from topo_sim.studies.failures import compare_failures
    from topo_sim.studies.fleets import Question

    best = options["checkpoint"] == "best"
    job = Job(
        interval=None if best else _one(options, "checkpoint", "time"),
        write=_one(options, "write", "time") or 0.0,
        restart=_one(options, "restart", "time") or 0.0,
        swap=_one(options, "swap", "time"),
    )
    asked = Question(
        count=options["count"],
        group=math.gcd(8, options["count"]) if options["group"] is None else options["group"],
        rate=_one(options, "rate", "failure rate"),
        repair=_one(options, "mttr", "time", "72 h") or 0.0,
        policies=options["policies"] or tuple(POLICIES),
        job=job,
        checkpoint="best" if best else "given",
        crash_rate=_one(options, "crash_rate", "failure rate") or 0.0,
        parts=parse_parts(options["parts"], rates),
        replicas=32 if options["replicas"] is None else options["replicas"],
        **{name: options[name] for name in ("risk", "spares", "domains", "shape", "repair_law")},
        **{name: options[name] for name in ("years", "seed", "workers", "level")},
    )
    with progress_bar("lives") as progress:
        drawn = bool(options["picture"]) or options["by_spares"]
        result = compare_failures(names, asked, gpus=gpus, rates=rates, curve=drawn, progress=progress)
    return result, failure_tables, plot_failures
