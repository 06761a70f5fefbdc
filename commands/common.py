"""What commands share: options, errors, progress, output. Heavy imports live inside functions."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from topo_sim.base.errors import TopoSimError, UsageError

if TYPE_CHECKING:
    from topo_sim.topo.files import Topology

__all__ = [
    "Commands",
    "algorithms_option",
    "emit",
    "examples",
    "load_one",
    "output_options",
    "overhead_option",
    "parse_quantities",
    "parse_settings",
    "progress_bar",
    "routing_option",
    "seed_option",
    "set_option",
    "sizes_help",
]


class Failure(click.ClickException):
    """One line per fault on standard error, exit code 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Print the message, every line naming its own file and place."""
        for line in self.message.splitlines():
            click.echo(f"topo-sim: {line}", err=True)


class Commands(click.Group):
    """A group that turns expected errors into messages, and keeps unexpected ones for --debug."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; exit with 2 on bad input, with 130 if interrupted."""
        try:
            return super().invoke(ctx)
        except TopoSimError as error:
            if ctx.params.get("debug"):
                raise
            raise Failure(str(error)) from None
        except (OSError, UnicodeError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            raise Failure(
                f"the output cannot be written ({error}), expected room and a place for it"
            ) from None
        except MemoryError:
            raise Failure("not enough memory for a fabric or traffic of this size") from None
        except (KeyboardInterrupt, click.Abort):
            click.echo("topo-sim: interrupted", err=True)
            sys.exit(130)


def examples(*lines: str) -> str:
    """Write the end of a help text: lines that a test runs."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


Function = Callable[..., Any]


def _chain(*options: Function) -> Function:
    def decorate(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


output_options = _chain(
    click.option(
        "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True,
        help="How to print results.",
    ),
    click.option("--output", "-o", metavar="FILE", help="Write results to FILE, not to standard output."),
)  # fmt: skip
seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Of hashed routings and draws, where there are any.",
)
set_option = click.option(
    "--set", "settings", metavar="NAME=VALUE", multiple=True,
    help="Value for a parameter of the topology files, for example rate=225GB/s. Repeatable.",
)  # fmt: skip
routing_option = click.option(
    "--routing",
    metavar="NAME",
    help="For all fabrics; see 'topo-sim list routings'. Default: each fabric's own.",
)
overhead_option = click.option(
    "--overhead", default="0 s", show_default=True, metavar="TIME", help="Per message, for example '1 us'."
)
sizes_help = "Message size as nccl-tests counts it, for example 16MiB. Repeatable."
algorithms_option = click.option(
    "--algorithm", "-a", "algorithms", multiple=True, metavar="NAME",
    help="Only this algorithm; see 'topo-sim list algorithms'. Repeatable.",
)  # fmt: skip


def parse_quantities(values: Any, kind: str, option: str) -> list[float]:
    """Read the values of an option as quantities of a kind, SI."""
    from topo_sim.base.units import Quantity

    quantity = Quantity(kind, positive=False)
    found = []
    for value in values:
        try:
            found.append(quantity.read(value))
        except TopoSimError as error:
            raise UsageError(f"{option}: {error}") from None
    return found


def parse_settings(pairs: tuple[str, ...], option: str = "--set") -> dict[str, str]:
    """Read ``NAME=VALUE`` pairs."""
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise UsageError(f'{option}: found "{wrong[0]}", expected NAME=VALUE')
    return dict(pair.split("=", 1) for pair in pairs)


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int, str], None] | None]:
    """Show a progress bar on standard error; nothing where that is no terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total, what: bar.update(task, completed=done, total=total, description=what)


def emit(form: str, output: str | None, table: Function, document: Function, rows: Function) -> None:
    """Print or write results in the form asked for; only that form is computed."""
    from topo_sim.report import to_csv, to_text, write_text

    if form == "table":
        colour = output is None and sys.stdout is not None and sys.stdout.isatty()
        text = to_text(table(), width=_width(colour), colour=colour)
    else:
        text = document() if form == "json" else to_csv(rows())
    if output is None:
        stream = sys.stdout
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal may lack some of the characters
        if stream is not None:
            click.echo(text, nl=False)
            stream.flush()
    else:
        write_text(output, text)


def _width(terminal: bool) -> int:
    from shutil import get_terminal_size

    return max(get_terminal_size().columns, 100) if terminal else 200


def load_one(file: str, settings: tuple[str, ...]) -> "Topology":
    """Load the topology that a command is about."""
    from topo_sim.studies.loading import load_all

    return load_all([file], parse_settings(settings))[0]
