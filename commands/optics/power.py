"""Show the power of fabrics and the energy of traffic."""

import click

from topo_sim.base.errors import UsageError
from topo_sim.commands.common import (
    emit,
    examples,
    output_options,
    parse_quantities,
    parse_settings,
    progress_bar,
    routing_option,
    seed_option,
    set_option,
    sizes_help,
)
from topo_sim.commands.optics.pictures import check_pictures, draw, picture_option

__all__ = ["power"]


@click.command(
    epilog=examples(
        "topo-sim optics power lite-fat-tree lite-flat-switch lite-circuits lite-torus --picture power.png",
        "topo-sim optics power lite-flat-switch lite-circuits --demand all_to_all --load 0.3",
        "topo-sim optics power lite-torus --collective all_reduce --size 1MiB --size 1GiB --level high",
        "topo-sim optics power lite-flat-switch --packet-switch tomahawk6 --medium pluggable --format csv",
        "topo-sim optics power lite-circuits --circuit-switch mems_palomar --format json",
    )
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--load", type=click.FloatRange(0, 1), default=1.0, show_default=True,
    help="Share of line rate on all links; of its throughput for a demand.",
)  # fmt: skip
@click.option(
    "--level", type=click.Choice(["low", "typical", "high"]), default="typical", show_default=True,
    help="Where in their ranges to take the numbers of media and switches.",
)  # fmt: skip
@click.option(
    "--demand", metavar="NAME|FILE",
    help="Energy per bit of this traffic; see 'topo-sim list demands', or a .csv or .npy file.",
)  # fmt: skip
@click.option("--collective", "-c", metavar="NAME", help="Energy of a collective by its fastest algorithm.")
@click.option("--size", "sizes", multiple=True, metavar="SIZE", help=f"{sizes_help} Default: 1 GiB.")
@click.option("--packet-switch", metavar="NAME", help="Record that all packet switches are costed by.")
@click.option("--circuit-switch", metavar="NAME", help="Record that all circuit switches are.")
@click.option("--medium", metavar="NAME", help="Take all links to be of this medium.")
@routing_option
@picture_option
@set_option
@seed_option
@output_options
def power(
    files: tuple[str, ...],
    load: float,
    level: str,
    demand: str | None,
    collective: str | None,
    sizes: tuple[str, ...],
    packet_switch: str | None,
    circuit_switch: str | None,
    medium: str | None,
    routing: str | None,
    picture: tuple[str, ...],
    settings: tuple[str, ...],
    seed: int,
    form: str,
    output: str | None,
) -> None:
    """Add up what a fabric draws: optics, lasers, SerDes, packet and circuit switches, and energy per bit.

    Numbers come from the catalogue of 'topo-sim optics media', with the changes in FILE. What is static is
    drawn whether or not bits flow; a collective pays for it as long as it takes.
    """
    from topo_sim.report.formats import to_json

    check_pictures(picture)
    if sizes and collective is None:
        raise UsageError("--size: found without --collective, expected the collective that has this size")
    given = parse_quantities(sizes, "size", "--size") or [2.0**30]
    from topo_sim.studies.power import measure_power

    with progress_bar("power") as progress:
        reports = measure_power(
            files,
            load=load,
            level=level,
            demand=demand,
            collective=collective,
            sizes=given,
            routing=routing,
            packet_switch=packet_switch,
            circuit_switch=circuit_switch,
            medium=medium,
            seed=seed,
            parameters=parse_settings(settings),
            progress=progress,
        )
    from topo_sim.report.power import power_tables

    inputs = {
        "files": list(files),
        "load": load,
        "level": level,
        "demand": demand,
        "collective": collective,
        "sizes_B": given if collective is not None else [],
        "packet_switch": packet_switch,
        "circuit_switch": circuit_switch,
        "medium": medium,
        "routing": routing,
        "set": list(settings),
        "seed": seed,
    }
    emit(
        form,
        output,
        lambda: power_tables(reports),
        lambda: to_json("optics power", inputs, [report.to_dict() for report in reports]),
        lambda: [row for report in reports for row in report.rows()],
    )
    if picture:
        from topo_sim.report.power_plot import plot_power

        draw(picture, lambda: plot_power(reports))
