"""Schedule circuits for a demand."""

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
from topo_sim.commands.optics.hardware import any_matching_option, level_option, switch_option
from topo_sim.commands.optics.pictures import check_pictures, draw, picture_option

__all__ = ["schedule"]


def _quantity(text: str | None, kind: str, option: str) -> float | None:
    return None if text is None else parse_quantities([text], kind, option)[0]


def _options(pairs: tuple[str, ...]) -> dict[str, float]:
    """Read ``NAME=VALUE`` pairs; a value is a number, a time or a size."""
    kinds = {"epoch": "time", "slot": "time", "horizon": "time", "quantum": "size"}
    found = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise UsageError(f'--option: found "{pair}", expected NAME=VALUE')
        kind = kinds.get(name.rpartition(".")[2], "number")
        found[name] = parse_quantities([text], kind, f"--option {name}")[0]
    return found


@click.command(
    epilog=examples(
        "topo-sim optics schedule --ranks 64",
        "topo-sim optics schedule lite-torus --demand zipf --delta '3.7 us' --scheduler solstice",
        "topo-sim optics schedule --ranks 32 --packet-rate '5 GB/s' --planes 2 --format json",
        "topo-sim optics schedule --ranks 16 --demand stencil -s bvn -s eclipse --picture schedulers.png",
        "topo-sim optics schedule --ranks 16 --scheduler rotor --option slot=100us --stop port",
        "topo-sim optics schedule rotornet-128 --demand all_to_all",
        "topo-sim optics schedule --ranks 64 --switch mems_palomar --level high -s solstice",
    )
)
@click.argument("file", required=False)
@click.option("--ranks", type=click.IntRange(1, 2048), help="So many ranks, in place of FILE.")
@click.option(
    "--demand", default="experts", show_default=True, metavar="NAME|FILE",
    help="See 'topo-sim list demands'; or a .csv file (source,target,amount) or .npy matrix.",
)  # fmt: skip
@click.option(
    "--size", metavar="SIZE",
    help="Of one unit of the demand; named demands let each rank send 1. Default: 64 MiB, for files 1 B.",
)  # fmt: skip
@click.option(
    "--scheduler", "-s", "schedulers", multiple=True, metavar="NAME",
    help="Only this scheduler; see 'topo-sim list schedulers'. Repeatable.",
)  # fmt: skip
@click.option(
    "--option", "options", multiple=True, metavar="NAME=VALUE",
    help="Of schedulers that have it, for example epoch=1ms, gap=0.1 or rotor.slot=100us. Repeatable.",
)  # fmt: skip
@click.option(
    "--rate", metavar="RATE",
    help="Of a circuit. Default: what the ports of FILE carry, shared over the planes; else 50 GB/s.",
)  # fmt: skip
@click.option(
    "--delta", metavar="TIME",
    help="How long a change of circuits takes: switching, programming and receiver lock. "
    "Default: that of the switch of FILE, else 20 us.",
)  # fmt: skip
@switch_option
@level_option
@click.option(
    "--planes", type=click.IntRange(1, 1024),
    help="Circuit switches side by side, a port of each rank on every one. Default: ports of FILE, else 1.",
)  # fmt: skip
@any_matching_option
@click.option(
    "--packet-rate", default="0 B/s", show_default=True, metavar="RATE",
    help="What each rank can also send over a packet fabric.",
)  # fmt: skip
@click.option(
    "--stop", type=click.Choice(["all", "plane", "port"]), default="plane", show_default=True,
    help="What is dark during a change: all planes, the plane that changes, or its changing ports.",
)  # fmt: skip
@click.option("--first-free", is_flag=True, help="The first configuration takes no time.")
@picture_option
@click.option(
    "--chart", multiple=True, metavar="FILE",
    help="Where to draw the circuits of the fastest schedules over time. Repeatable.",
)  # fmt: skip
@set_option
@seed_option
@output_options
def schedule(
    file: str | None,
    ranks: int | None,
    demand: str,
    size: str | None,
    schedulers: tuple[str, ...],
    options: tuple[str, ...],
    rate: str | None,
    delta: str | None,
    switch: str | None,
    level: str | None,
    planes: int | None,
    any_matching: bool,
    packet_rate: str,
    stop: str,
    first_free: bool,
    picture: tuple[str, ...],
    chart: tuple[str, ...],
    settings: tuple[str, ...],
    seed: int,
    form: str,
    output: str | None,
) -> None:
    """Serve a demand with circuits that are changed as it goes, by several schedulers, beside their bound.

    The demand is that of the endpoints of FILE, or of --ranks. FILE gives ports, rates and switches too, and
    only circuits that its wiring can set are scheduled. A picture shows the makespan of each
    scheduler against the time of a change, and the bound.
    """
    check_pictures((*picture, *chart))
    if (file is None) == (ranks is None):
        raise UsageError("found both or neither of FILE and --ranks, expected one of them")
    asked: dict[str, Any] = {
        "size": _quantity(size, "size", "--size"),
        "rate": _quantity(rate, "rate", "--rate"),
        "delta": _quantity(delta, "time", "--delta"),
        "planes": planes,
        "packet_rate": _quantity(packet_rate, "rate", "--packet-rate"),
        "stop": stop,
        "first_free": first_free,
        "schedulers": schedulers or None,
        "options": _options(options),
        "any_matching": any_matching,
        "seed": seed,
    }
    topology = None if file is None else load_one(file, settings)
    from topo_sim.report.circuit_scheduling import circuit_schedules_table, plot_delta_sweep, plot_fastest
    from topo_sim.report.formats import to_json
    from topo_sim.studies.circuit_hardware import read_hardware
    from topo_sim.studies.circuit_scheduling import schedule_circuits, sweep_delta

    hardware = read_hardware(topology, ranks=ranks or 0, switch=switch, level=level, timed=delta is not None)
    fabric = None if topology is None else topology.fabric
    with progress_bar("scheduling") as progress:
        found = schedule_circuits(fabric, demand, ranks=ranks, hardware=hardware, progress=progress, **asked)
        sweep = sweep_delta(found, progress=progress) if picture else None
    inputs: dict[str, Any] = {"file": file, "set": list(settings), "ranks": ranks, "demand": demand}
    inputs |= {"switch": switch, "level": level}
    inputs |= {name: value for name, value in asked.items() if name != "schedulers"}
    inputs["schedulers"] = list(schedulers)
    emit(
        form,
        output,
        lambda: circuit_schedules_table(found),
        lambda: to_json("optics schedule", inputs, found.to_dict()),
        found.rows,
    )
    if sweep is not None:
        chosen = sweep
        draw(picture, lambda: plot_delta_sweep(chosen))
    draw(chart, lambda: plot_fastest(found))
