"""When reconfiguring pays: the best plan at every size and reconfiguration time."""

from typing import TYPE_CHECKING, Any

import click

from topo_sim.base.errors import UsageError
from topo_sim.commands.common import (
    algorithms_option,
    emit,
    examples,
    load_one,
    output_options,
    parse_quantities,
    parse_settings,
    progress_bar,
    seed_option,
    set_option,
    sizes_help,
)
from topo_sim.commands.optics.pictures import check_pictures, draw, picture_option

if TYPE_CHECKING:
    from topo_sim.collectives.reconfiguration import Circuits
    from topo_sim.topo import Fabric

__all__ = ["breakeven"]


@click.command(
    epilog=examples(
        "topo-sim optics breakeven",
        "topo-sim optics breakeven lite-torus --collective all_to_all --against lite-torus --picture map.png",
        "topo-sim optics breakeven --ranks 128 --ports 4 --hop '0 s' --size 64MiB --delta '1 us'",
        "topo-sim optics breakeven --collective all_to_all --ports 2 --base bidirectional_ring --format json",
    )
)
@click.argument("file", required=False)
@click.option("--collective", default="all_reduce", show_default=True, metavar="NAME", help="What is done.")
@click.option("--ranks", type=click.IntRange(min=1), help="Default: those of FILE, else 64.")
@click.option("--ports", type=click.IntRange(min=1), help="Optical ports of a rank. Default: FILE's, else 1.")
@click.option("--rate", metavar="RATE", help="Of all ports of a rank. Default: FILE's, else 100 GB/s.")
@click.option("--alpha", default="1 us", show_default=True, metavar="TIME", help="To start a step.")
@click.option("--hop", metavar="TIME", help="Delay of a light path. Default: FILE's, else 500 ns.")
@click.option(
    "--hidden", default="0", show_default=True, metavar="SHARE",
    help="Of every reconfiguration, while ranks compute: 0 to 1, or '50 %'.",
)  # fmt: skip
@click.option("--size", "--sizes", "sizes", multiple=True, metavar="SIZE", help=sizes_help)
@click.option(
    "--delta", "--deltas", "deltas", multiple=True, metavar="TIME",
    help="Reconfiguration time, for example '20 us'. Repeatable. Default: 4 ns, 4 us, 20 us, 1.2 ms.",
)  # fmt: skip
@algorithms_option
@click.option(
    "--base",
    type=click.Choice(["ring", "bidirectional_ring", "none"]),
    default="ring",
    show_default=True,
    help="What is set when it begins, and may stay.",
)
@click.option(
    "--against", multiple=True, metavar="FILE",
    help="A fabric without circuits that stands to choice as well. Repeatable.",
)  # fmt: skip
@picture_option
@set_option
@seed_option
@output_options
def breakeven(
    file: str | None,
    collective: str,
    ranks: int | None,
    ports: int | None,
    rate: str | None,
    alpha: str,
    hop: str | None,
    hidden: str,
    sizes: tuple[str, ...],
    deltas: tuple[str, ...],
    algorithms: tuple[str, ...],
    base: str,
    against: tuple[str, ...],
    picture: tuple[str, ...],
    settings: tuple[str, ...],
    seed: int,
    form: str,
    output: str | None,
) -> None:
    """Find out at which sizes and reconfiguration times circuits win.

    Between the steps of a collective, circuits may change or stay: of all ways the fastest is found, and the
    reconfiguration time from which on it is better to hold still. FILE gives ranks, ports, rate and delay.
    """
    from topo_sim.report.formats import to_json

    check_pictures(picture)
    circuits, count = _circuits(file, ranks, ports, rate, alpha, hop, hidden, settings)
    from topo_sim.report import breakeven_table, plot_breakeven
    from topo_sim.studies import breakeven as run
    from topo_sim.studies.breakeven import DELTAS, SIZES

    with progress_bar("planning") as progress:
        study = run(
            collective,
            count,
            circuits,
            parse_quantities(sizes, "size", "--size") or SIZES,
            parse_quantities(deltas, "time", "--delta") or DELTAS,
            algorithms=algorithms or None,
            base=None if base == "none" else base,
            against=_fabrics(against),
            per_octave=8 if picture else 0,
            progress=progress,
        )
    inputs: dict[str, Any] = {
        "file": file,
        "collective": collective,
        "sizes": list(sizes),
        "deltas": list(deltas),
        "algorithms": list(algorithms),
        "base": base,
        "against": list(against),
        "set": list(settings),
        "seed": seed,
    }
    emit(
        form,
        output,
        lambda: breakeven_table(study),
        lambda: to_json("optics breakeven", inputs, study.to_dict()),
        study.rows,
    )
    draw(picture, lambda: plot_breakeven(study))


def _circuits(
    file: str | None,
    ranks: int | None,
    ports: int | None,
    rate: str | None,
    alpha: str,
    hop: str | None,
    hidden: str,
    settings: tuple[str, ...],
) -> "tuple[Circuits, int]":
    """Circuits from the options, and from FILE where an option is not given."""
    from dataclasses import replace

    from topo_sim.collectives.reconfiguration import Circuits
    from topo_sim.studies import circuits_of

    start = parse_quantities([alpha], "time", "--alpha")[0]
    share = parse_quantities([hidden], "share", "--hidden")[0]
    if file is None:
        if settings:
            raise UsageError(f'--set: found "{settings[0]}" without FILE, expected a topology file')
        found, count = Circuits(alpha=start, hop=5e-7, hidden=share), 64
    else:
        fabric = load_one(file, settings).fabric
        found, count = circuits_of(fabric, start, share), fabric.ranks
    if ports is not None:
        found = replace(found, ports=ports)
    if rate is not None:
        found = replace(found, rate=parse_quantities([rate], "rate", "--rate")[0])
    if hop is not None:
        found = replace(found, hop=parse_quantities([hop], "time", "--hop")[0])
    return found, count if ranks is None else ranks


def _fabrics(against: tuple[str, ...]) -> "list[Fabric]":
    """Load the fabrics without circuits."""
    from topo_sim.studies.loading import load_all

    return [topology.fabric for topology in load_all(list(against), parse_settings(()))]
