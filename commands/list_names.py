"""List what can be chosen by name."""

import click

from topo_sim.commands.common import emit, examples, output_options, seed_option

__all__ = ["list_names"]


@click.command(name="list", epilog=examples("topo-sim list", "topo-sim list algorithms --format json"))
@click.argument("kind", required=False)
@seed_option
@output_options
def list_names(kind: str | None, seed: int, form: str, output: str | None) -> None:
    """List what can be chosen by name: all of it, or one KIND.

    KIND is topologies, generators, routings, collectives, algorithms, models, circuit_policies, formats,
    patterns, demands, methods, policies, power_policies, media, circuit_switches, packet_switches, gpus
    or yields.
    """
    from rich.console import Group

    from topo_sim.report import list_table, to_json
    from topo_sim.studies.catalogue import catalogue

    chosen = catalogue(kind)
    emit(
        form,
        output,
        lambda: Group(*(list_table(title, rows) for title, rows in chosen.items())),
        lambda: to_json("list", {"kind": kind, "seed": seed}, chosen),
        lambda: [
            {"kind": title, "name": row["name"], "about": list(row.values())[-1]}
            for title, rows in chosen.items()
            for row in rows
        ],
    )
