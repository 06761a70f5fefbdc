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
from topo_sim.commands.optics.hardware import any_matching_option, level_option, switch_option
from topo_sim.commands.optics.pictures import check_pictures, draw, picture_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from topo_sim.collectives.reconfiguration import Circuits
    from topo_sim.optics.circuit_hardware import CircuitHardware
    from topo_sim.studies.breakeven_map import BreakEven
    from topo_sim.studies.breakeven_policies import PolicyPlans
    from topo_sim.studies.breakeven_setup import BreakEvenSetup
    from topo_sim.topo import Fabric
    from topo_sim.topo.files import Topology

__all__ = ["breakeven"]

# What the JSON output repeats of the options.
_INPUTS = (
    *("file", "collective", "sizes", "deltas", "switch", "level", "any_matching"),
    *("policies", "algorithms", "base", "against", "set", "seed"),
)


@click.command(
    epilog=examples(
        "topo-sim optics breakeven",
        "topo-sim optics breakeven lite-torus --collective all_to_all --against lite-torus --picture map.png",
        "topo-sim optics breakeven --ranks 128 --ports 4 --hop '0 s' --size 64MiB --delta '1 us'",
        "topo-sim optics breakeven --collective all_to_all --ports 2 --base bidirectional_ring --format json",
        "topo-sim optics breakeven --ranks 16 --ports 4 --policy never --policy always --policy overlap",
        "topo-sim optics breakeven lite-circuits --size 1MiB --switch mems_palomar --any-matching",
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
    help="Reconfiguration time, for example '20 us'. Repeatable. Default: 4 ns, 4 us, 20 us, 1.2 ms, FILE's.",
)  # fmt: skip
@switch_option
@level_option
@any_matching_option
@click.option(
    "--policy", "policies", multiple=True, metavar="NAME",
    help="Plan by this policy in place of the exact map, for example overlap; see 'topo-sim list "
    "circuit-policies'; 'best' for the better of optimal and overlap. Repeatable.",
)  # fmt: skip
@algorithms_option
@click.option(
    "--base",
    type=click.Choice(["file", "ring", "bidirectional_ring", "none"]),
    help="What is set when it begins, and may stay. Default: the circuits of FILE, else ring.",
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
    policies: tuple[str, ...],
    picture: tuple[str, ...],
    settings: tuple[str, ...],
    form: str,
    output: str | None,
    **given: Any,
) -> None:
    """Find out at which sizes and reconfiguration times circuits win.

    Between the steps of a collective, circuits may change or stay: of all ways the fastest is found, and the
    reconfiguration time from which on it is better to hold still. FILE gives ranks, ports, rate, delay, the
    circuits to begin with and the reconfiguration time; where its wiring cannot set any matching, they stay.
    """
    from topo_sim.report.formats import to_json

    check_pictures(picture)
    if policies and (picture or given["against"]):
        raise UsageError("found --policy beside --picture or --against, expected it without them")
    if file is None and settings:
        raise UsageError(f'--set: found "{settings[0]}" without FILE, expected a topology file')
    topology = None if file is None else load_one(file, settings)
    from topo_sim.report.breakeven import breakeven_table, plot_breakeven, policies_table

    asked = given | {"file": file, "policies": policies, "set": settings}
    inputs, name = {key: asked[key] for key in _INPUTS}, "optics breakeven"
    if policies:
        plans = _plan_policies(topology, policies, given)
        emit(
            form,
            output,
            lambda: policies_table(plans),
            lambda: to_json(name, inputs, plans.to_dict()),
            plans.rows,
        )
        return
    study = _plan_best(topology, 8 if picture else 0, given)
    emit(
        form,
        output,
        lambda: breakeven_table(study),
        lambda: to_json(name, inputs, study.to_dict()),
        study.rows,
    )
    draw(picture, lambda: plot_breakeven(study))


def _plan_policies(
    topology: "Topology | None", policies: tuple[str, ...], given: dict[str, Any]
) -> "PolicyPlans":
    """Plan by every policy asked for."""
    from topo_sim.studies.breakeven_policies import compare_policies

    hardware, setup = _set_up(topology, given)
    place, common = _asked(hardware, setup, given)
    with progress_bar("planning") as progress:
        return compare_policies(*place, policies, **common, progress=progress)


def _plan_best(topology: "Topology | None", per_octave: int, given: dict[str, Any]) -> "BreakEven":
    """Find the best plan at every size and reconfiguration time, and on the fabrics without circuits."""
    from topo_sim.studies import breakeven as run

    hardware, setup = _set_up(topology, given)
    place, common = _asked(hardware, setup, given)
    others = [*setup.against, *_fabrics(given["against"])]
    with progress_bar("planning") as progress:
        return run(*place, **common, against=others, per_octave=per_octave, progress=progress)


def _set_up(
    topology: "Topology | None", given: dict[str, Any]
) -> "tuple[CircuitHardware | None, BreakEvenSetup]":
    """Read the hardware of FILE or a switch, and put the options beside it."""
    from topo_sim.studies.breakeven_setup import set_up_breakeven
    from topo_sim.studies.circuit_hardware import read_hardware

    ranks, switch, level = given["ranks"], given["switch"], given["level"]
    hardware = read_hardware(
        topology, ranks=ranks or 64, switch=switch, level=level, timed=bool(given["deltas"])
    )
    return hardware, set_up_breakeven(
        hardware,
        ranks=ranks,
        ports=given["ports"],
        rate=_one(given["rate"], "rate", "--rate"),
        alpha=parse_quantities([given["alpha"]], "time", "--alpha")[0],
        hop=_one(given["hop"], "time", "--hop"),
        hidden=parse_quantities([given["hidden"]], "share", "--hidden")[0],
        base=given["base"],
        deltas=parse_quantities(given["deltas"], "time", "--delta"),
        named=switch is not None or level is not None,
        any_matching=given["any_matching"],
    )


def _asked(
    hardware: "CircuitHardware | None", setup: "BreakEvenSetup", given: dict[str, Any]
) -> "tuple[tuple[str, int, Circuits, Sequence[float], Sequence[float]], dict[str, Any]]":
    """Return what both studies take alike: arguments by place and by name."""
    from topo_sim.studies.breakeven import SIZES

    sizes = parse_quantities(given["sizes"], "size", "--size") or SIZES
    place = (given["collective"], setup.ranks, setup.circuits, sizes, setup.deltas)
    return place, {
        "algorithms": given["algorithms"] or None,
        "base": setup.base,
        "own": setup.own,
        "hardware": hardware,
        "assumed_any": setup.assumed_any,
    }


def _one(text: str | None, kind: str, option: str) -> float | None:
    return None if text is None else parse_quantities([text], kind, option)[0]


def _fabrics(against: tuple[str, ...]) -> "list[Fabric]":
    """Load the fabrics without circuits."""
    from topo_sim.studies.loading import load_all

    return [topology.fabric for topology in load_all(list(against), parse_settings(()))]
