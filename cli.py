"""The command line: reads options, calls one function, prints. Heavy imports live inside commands."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from topo_sim import __version__
from topo_sim.base.errors import FaultsError, TopoSimError, UsageError

if TYPE_CHECKING:
    from topo_sim.topo.files import Topology

__all__ = ["main"]


class _Failure(click.ClickException):
    """One line per fault on standard error, exit code 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Print the message, every line naming its own file and place."""
        for line in self.message.splitlines():
            click.echo(f"topo-sim: {line}", err=True)


class _Commands(click.Group):
    """A group that turns expected errors into messages, and keeps unexpected ones for --debug."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; exit with 2 on bad input, with 130 if interrupted."""
        try:
            return super().invoke(ctx)
        except TopoSimError as error:
            if ctx.params.get("debug"):
                raise
            raise _Failure(str(error)) from None
        except MemoryError:
            raise _Failure(
                "not enough memory for a fabric or traffic of this size, expected a smaller one"
            ) from None
        except (KeyboardInterrupt, click.Abort):
            click.echo("topo-sim: interrupted", err=True)
            sys.exit(130)


def _examples(*lines: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


Function = Callable[..., Any]


def _chain(*options: Function) -> Function:
    def decorate(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


_output_options = _chain(
    click.option(
        "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True,
        help="How to print results.",
    ),
    click.option("--output", "-o", metavar="FILE", help="Write results to FILE, not to standard output."),
)  # fmt: skip
_seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Of hashed routings and draws.",
)
_set_option = click.option(
    "--set", "settings", metavar="NAME=VALUE", multiple=True,
    help="Value for a parameter of the topology files, for example rate=225GB/s. Repeatable.",
)  # fmt: skip
_routing_option = click.option(
    "--routing",
    metavar="NAME",
    help="For all fabrics; see 'topo-sim list routings'. Default: each fabric's own.",
)
_overhead_option = click.option(
    "--overhead", default="0 s", show_default=True, metavar="TIME", help="Per message, for example '1 us'."
)
_sizes_help = "Message size as nccl-tests counts it, for example 16MiB. Repeatable."
_algorithms_option = click.option(
    "--algorithm", "algorithms", multiple=True, metavar="NAME",
    help="Only this algorithm; see 'topo-sim list algorithms'. Repeatable.",
)  # fmt: skip


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_examples("topo-sim compare", "topo-sim info lite-torus", "topo-sim list topologies"),
)
@click.version_option(__version__, prog_name="topo-sim", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show a traceback for expected errors too.")
def main(debug: bool) -> None:
    """Simulate the networks of AI clusters built from many small GPUs.

    FILE is a topology file (YAML or JSON) or the name of a shipped one. NAME@rate=225GB/s sets a
    parameter of it. The first run compiles kernels, which takes some seconds.
    """
    # The matrices here are small: two BLAS threads take many times as long as one.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _parse(values: Any, kind: str, option: str) -> list[float]:
    from topo_sim.base.units import Quantity

    quantity = Quantity(kind, positive=False)
    found = []
    for value in values:
        try:
            found.append(quantity.read(value))
        except TopoSimError as error:
            raise UsageError(f"{option}: {error}") from None
    return found


def _settings(pairs: tuple[str, ...]) -> dict[str, str]:
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise UsageError(f'--set: found "{wrong[0]}", expected NAME=VALUE')
    return dict(pair.split("=", 1) for pair in pairs)


@contextmanager
def _progress(title: str) -> Iterator[Callable[[int, int, str], None] | None]:
    """Show a progress bar on standard error; nothing where that is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total, what: bar.update(task, completed=done, total=total, description=what)


def _emit(form: str, output: str | None, table: Function, document: Function, rows: Function) -> None:
    """Print or write results in the form asked for; only that form is computed."""
    from topo_sim.report import to_csv, to_text, write_text

    if form == "table":
        colour = output is None and sys.stdout.isatty()
        text = to_text(table(), width=_width(colour), colour=colour)
    else:
        text = document() if form == "json" else to_csv(rows())
    if output is None:
        click.echo(text, nl=False)
    else:
        write_text(output, text)


def _width(terminal: bool) -> int:
    from shutil import get_terminal_size

    return max(get_terminal_size().columns, 100) if terminal else 200


def _one(file: str, settings: tuple[str, ...]) -> "Topology":
    from topo_sim.studies.loading import load_all

    return load_all([file], _settings(settings))[0]


@main.command(
    epilog=_examples(
        "topo-sim compare",
        "topo-sim compare lite-torus lite-torus@rate=225GB/s --picture torus.svg",
        "topo-sim compare lite-flat-switch lite-circuits -c all_to_all --size 1MiB --size 1GiB",
        "topo-sim compare --set rate=225GB/s --algorithm ring --overhead '1 us' --no-picture",
        "topo-sim compare dgx-h100 tpu-v4-4x4x4 --routing ecmp --format csv --no-picture",
    )
)
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option(
    "--collective", "-c", "collectives", multiple=True, metavar="NAME",
    help="Collective to compare; see 'topo-sim list collectives'. Repeatable. "
    "Default: all_reduce, all_gather, all_to_all.",
)  # fmt: skip
@click.option("--size", "sizes", multiple=True, metavar="SIZE", help=_sizes_help)
@_algorithms_option
@_routing_option
@_overhead_option
@_set_option
@_seed_option
@click.option(
    "--picture", multiple=True, metavar="FILE",
    help="Where to draw, by suffix .png, .svg or .pdf. Default: comparison.png and comparison.svg.",
)  # fmt: skip
@click.option("--no-picture", is_flag=True, help="Draw nothing.")
@_output_options
def compare(
    files: tuple[str, ...],
    collectives: tuple[str, ...],
    sizes: tuple[str, ...],
    algorithms: tuple[str, ...],
    routing: str | None,
    overhead: str,
    settings: tuple[str, ...],
    seed: int,
    picture: tuple[str, ...],
    no_picture: bool,
    form: str,
    output: str | None,
) -> None:
    """Compare fabrics: sizes, distances, bisection, and the best collectives.

    Without FILE: six fabrics of equal total compute, 64 H100s or 256 Lite-GPUs of a quarter each.
    For every collective and size, all algorithms are costed (or those chosen) and the fastest is
    shown with its time, its bus bandwidth and the share of the lower bound that it reaches.
    """
    from topo_sim.studies import DEFAULT_FABRICS
    from topo_sim.studies import compare as run
    from topo_sim.studies.compare import DEFAULT_COLLECTIVES, DEFAULT_SIZES

    pictures = () if no_picture else picture or ("comparison.png", "comparison.svg")
    for path in pictures:
        if not path.endswith((".png", ".svg", ".pdf")):
            raise UsageError(f'--picture: found "{path}", expected a name that ends in .png, .svg or .pdf')
    with _progress("comparing") as progress:
        result = run(
            files or DEFAULT_FABRICS,
            collectives=collectives or DEFAULT_COLLECTIVES,
            sizes=_parse(sizes, "size", "--size") or DEFAULT_SIZES,
            algorithms=algorithms or None,
            routing=routing,
            overhead=_parse([overhead], "time", "--overhead")[0],
            seed=seed,
            parameters=_settings(settings),
            progress=progress,
        )
    from topo_sim.report import comparison_tables, plot_comparison, save_figure, to_json

    inputs = {
        "files": list(files or DEFAULT_FABRICS),
        "routing": routing,
        "set": list(settings),
        "seed": seed,
    }
    _emit(
        form,
        output,
        lambda: comparison_tables(result),
        lambda: to_json("compare", inputs, result.to_dict()),
        result.rows,
    )
    if pictures:
        figure = plot_comparison(result)
        for path in pictures:
            save_figure(figure, path)
        click.echo(f"drew {', '.join(pictures)}", err=True)


@main.command(
    epilog=_examples("topo-sim info lite-torus", "topo-sim info lite-circuits@rate=225GB/s --format json")
)
@click.argument("file")
@_set_option
@_output_options
def info(file: str, settings: tuple[str, ...], form: str, output: str | None) -> None:
    """Show what a fabric is: sizes, distances, bisection, links."""
    topology = _one(file, settings)
    from topo_sim.report import info_table, to_json
    from topo_sim.topo import metrics

    fabric, found = topology.fabric, metrics(topology.fabric)
    text = [
        (k, " ".join(v.split())) for k, v in (("", topology.description), ("source", topology.source)) if v
    ]
    about = {"name": fabric.name, "family": fabric.family, "routing": fabric.routing}
    results = about | {"description": topology.description, "source": topology.source} | found.to_dict()
    _emit(
        form,
        output,
        lambda: info_table(fabric, found, text),
        lambda: to_json("info", {"file": file, "set": list(settings)}, results),
        lambda: [about | found.to_dict()],
    )


@main.command(
    epilog=_examples("topo-sim validate lite-torus lite-grouped", "topo-sim validate superpod-h100-64")
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def validate(files: tuple[str, ...]) -> None:
    """Check topology files and list every fault of all of them; exit with 2 if there is any."""
    from topo_sim.topo.files import validate_file

    faults: list[str] = []
    for file in files:
        found = validate_file(file)
        faults.extend(found)
        if not found:
            click.echo(f"{file}: ok")
    if faults:
        raise FaultsError(faults)


@main.command(
    epilog=_examples(
        "topo-sim collective dgx-h100",
        "topo-sim collective lite-torus -c all_to_all --size 1MiB --size 64MiB",
        "topo-sim collective tpu-v4-4x4x4 -a ring -a bidirectional_ring --overhead '1 us' --format csv",
    )
)
@click.argument("file")
@click.option(
    "--collective", "-c", default="all_reduce", show_default=True, metavar="NAME", help="Which collective."
)
@click.option(
    "--size",
    "sizes",
    multiple=True,
    default=("1MiB", "1GiB"),
    show_default=True,
    metavar="SIZE",
    help=_sizes_help,
)
@click.option(
    "-a", "--algorithm", "algorithms", multiple=True, metavar="NAME", help="Only this algorithm. Repeatable."
)
@click.option("--ranks", type=click.IntRange(min=1), help="The first so many endpoints. Default: all.")
@_routing_option
@_overhead_option
@_set_option
@_seed_option
@_output_options
def collective(
    file: str,
    collective: str,
    sizes: tuple[str, ...],
    algorithms: tuple[str, ...],
    ranks: int | None,
    routing: str | None,
    overhead: str,
    settings: tuple[str, ...],
    seed: int,
    form: str,
    output: str | None,
) -> None:
    """Cost the algorithms of a collective on a fabric, with bound and bottleneck."""
    topology = _one(file, settings)
    from topo_sim.report import collective_table, to_json
    from topo_sim.studies import cost_table

    result = cost_table(
        topology.fabric,
        collective,
        _parse(sizes, "size", "--size"),
        algorithms=algorithms or None,
        ranks=ranks,
        routing=routing,
        overhead=_parse([overhead], "time", "--overhead")[0],
        seed=seed,
    )
    inputs = {"file": file, "overhead": overhead, "seed": seed, "set": list(settings)}
    _emit(
        form,
        output,
        lambda: collective_table(result),
        lambda: to_json("collective", inputs, result.to_dict()),
        result.rows,
    )


@main.command(
    epilog=_examples(
        "topo-sim flow lite-torus",
        "topo-sim flow lite-fat-tree --pattern permutation --routing ecmp --seed 7",
        "topo-sim flow superpod-h100-64 --pattern incast --size 1GiB --format json",
    )
)
@click.argument("file")
@click.option(
    "--pattern",
    default="permutation",
    show_default=True,
    metavar="NAME",
    help="See 'topo-sim list patterns'.",
)
@click.option("--size", default="1MiB", show_default=True, metavar="SIZE", help="Bytes of each flow.")
@_routing_option
@_set_option
@_seed_option
@_output_options
def flow(
    file: str,
    pattern: str,
    size: str,
    routing: str | None,
    settings: tuple[str, ...],
    seed: int,
    form: str,
    output: str | None,
) -> None:
    """Share bandwidth max-min fairly among the flows of a traffic pattern; csv lists every flow."""
    topology = _one(file, settings)
    from topo_sim.report import sharing_table, to_json
    from topo_sim.studies import share_bandwidth

    bytes_each = _parse([size], "size", "--size")[0]
    result = share_bandwidth(topology.fabric, pattern, routing=routing, size=bytes_each, seed=seed)
    inputs = {"file": file, "set": list(settings)}
    _emit(
        form,
        output,
        lambda: sharing_table(result),
        lambda: to_json("flow", inputs, result.to_dict()),
        result.rows,
    )


@main.command(name="list", epilog=_examples("topo-sim list", "topo-sim list algorithms --format json"))
@click.argument("kind", required=False)
@_output_options
def list_names(kind: str | None, form: str, output: str | None) -> None:
    """List what can be chosen by name: all of it, or one KIND.

    KIND is topologies, generators, routings, collectives, algorithms or patterns.
    """
    from rich.console import Group

    from topo_sim.report import list_table, to_json
    from topo_sim.studies.catalogue import catalogue

    chosen = catalogue(kind)
    _emit(
        form,
        output,
        lambda: Group(*(list_table(title, rows) for title, rows in chosen.items())),
        lambda: to_json("list", {"kind": kind}, chosen),
        lambda: [
            {"kind": title, "name": row["name"], "about": list(row.values())[-1]}
            for title, rows in chosen.items()
            for row in rows
        ],
    )


if __name__ == "__main__":
    main()
