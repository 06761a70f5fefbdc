"""Show the catalogue of light."""

import click

from topo_sim.commands.common import emit, examples, output_options, parse_quantities, seed_option
from topo_sim.commands.optics.pictures import catalogue_option, check_pictures, draw, picture_option

__all__ = ["media"]


@click.command(
    epilog=examples(
        "topo-sim optics media",
        "topo-sim optics media --level high --picture media.png",
        "topo-sim optics media --medium cpo --medium mems_palomar",
        "topo-sim optics media --die '203.5 mm2' --format csv",
    )
)
@click.option(
    "--level", default="typical", show_default=True, metavar="low|typical|high",
    help="Which end of every range, or what to take where one number is wanted.",
)  # fmt: skip
@click.option(
    "--medium", "names", multiple=True, metavar="NAME",
    help="Show this record whole, with sources and marks: a medium or a switch. Repeatable.",
)  # fmt: skip
@click.option(
    "--die", metavar="AREA", help="Also the bandwidth over the edge of a die, for example '814 mm2'."
)
@catalogue_option
@picture_option
@seed_option
@output_options
def media(
    level: str,
    names: tuple[str, ...],
    die: str | None,
    catalogue: tuple[str, ...],
    picture: tuple[str, ...],
    seed: int,
    form: str,
    output: str | None,
) -> None:
    """Show link media, circuit switches and packet switches: energy, reach, latency, loss, ports, power.

    Every number is a range. Energy is that of a link at line rate, the modules at both ends together.
    """
    from topo_sim.report.formats import to_json

    check_pictures(picture)
    from topo_sim.studies.media import list_media

    area = parse_quantities([die], "area", "--die")[0] if die is not None else None
    found = list_media(level, names, area, catalogue)
    from topo_sim.report.light import media_tables

    inputs = {"level": level, "media": list(names), "die": die, "catalogue": list(catalogue), "seed": seed}
    emit(
        form,
        output,
        lambda: media_tables(found, whole=bool(names)),
        lambda: to_json("optics media", inputs, found.to_dict()),
        found.rows,
    )
    if picture:
        from topo_sim.report.light_plot import plot_media

        draw(picture, lambda: plot_media(found))
