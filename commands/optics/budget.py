"""Show loss budgets."""

import click

from topo_sim.base.errors import UsageError
from topo_sim.commands.common import (
    emit,
    examples,
    load_one,
    output_options,
    parse_quantities,
    parse_settings,
    seed_option,
    set_option,
)
from topo_sim.commands.optics.pictures import catalogue_option, check_pictures, draw, picture_option

__all__ = ["budget"]


@click.command(
    epilog=examples(
        "topo-sim optics budget lite-circuits",
        "topo-sim optics budget --medium cpo --switch mems_palomar --picture budget.png",
        "topo-sim optics budget --medium pluggable --passes 2 --term 'laser=15 dBm' --length '300 m'",
        "topo-sim optics budget --medium cpo --switch rotor --loss '2.5 dB' --format json",
    )
)
@click.argument("file", required=False)
@click.option("--medium", metavar="NAME", help="A medium, in place of FILE.")
@click.option("--switch", metavar="NAME", help="Circuit switch that the light passes. Default: none.")
@click.option(
    "--passes", type=click.IntRange(0, 1000), help="How often. Default: 1 with --switch or --loss, else 0."
)
@click.option("--length", default="20 m", show_default=True, metavar="LENGTH", help="Of fibre.")
@click.option(
    "--term", "terms", multiple=True, metavar="NAME=VALUE",
    help="Change a field of the medium, for example 'laser=12 dBm' or 'couplers=4'. Repeatable.",
)  # fmt: skip
@click.option("--loss", metavar="LOSS", help="Of the circuit switch, per pass, for example '2 dB'.")
@catalogue_option
@picture_option
@set_option
@seed_option
@output_options
def budget(
    file: str | None,
    medium: str | None,
    switch: str | None,
    passes: int | None,
    length: str,
    terms: tuple[str, ...],
    loss: str | None,
    catalogue: tuple[str, ...],
    picture: tuple[str, ...],
    settings: tuple[str, ...],
    seed: int,
    form: str,
    output: str | None,
) -> None:
    """Add up the losses between laser and receiver, and count the circuit switches that light survives.

    Of the longest light path of every medium in FILE, or of --medium. Low is the worst that the ranges
    allow (weakest laser, highest losses), high the best.
    """
    from topo_sim.report.formats import to_json

    check_pictures(picture)
    asked = {
        "--medium": medium, "--switch": switch, "--passes": passes, "--term": terms, "--loss": loss,
        "--catalogue": catalogue, "--length": None if length == "20 m" else length,
    }  # fmt: skip
    given = [name for name, value in asked.items() if value not in (None, ())]
    if (file is None) == (medium is None) or (file is not None and given):
        what = f"FILE and {given[0]}" if file is not None else "neither"
        raise UsageError(f"found {what}, expected FILE alone, or --medium with what belongs to it")
    if file is None and settings:
        raise UsageError("--set: found without FILE, expected the file whose parameter is set")
    from topo_sim.studies.light_paths import budget_of, budgets_of_file

    if file is not None:
        paths = budgets_of_file(load_one(file, settings))
    else:
        found = budget_of(
            str(medium),
            switch=switch,
            passes=passes,
            length=parse_quantities([length], "length", "--length")[0],
            terms=parse_settings(terms, "--term"),
            loss=loss,
            files=catalogue,
        )
        paths = [found]
    from topo_sim.report.light_paths import budget_tables

    inputs = {
        "file": file,
        "medium": medium,
        "switch": switch,
        "passes": passes,
        "length": length,
        "terms": list(terms),
        "loss": loss,
        "catalogue": list(catalogue),
        "set": list(settings),
        "seed": seed,
    }
    emit(
        form,
        output,
        lambda: budget_tables(paths),
        lambda: to_json("optics budget", inputs, [path.to_dict() for path in paths]),
        lambda: [row for path in paths for row in path.rows()],
    )
    if picture:
        from topo_sim.report.light_paths_plot import plot_budgets

        draw(picture, lambda: plot_budgets(paths))
