"""Calibrate against nccl-tests logs."""

import click

from topo_sim.base.errors import UsageError
from topo_sim.commands.common import emit, examples, load_one, output_options, seed_option, set_option

__all__ = ["calibrate"]


@click.command(
    epilog=examples(
        "topo-sim calibrate dgx-h100",
        "topo-sim calibrate p5-16 --fit p5 --fit dgx-a100-16 --test p5-16 --test dgx-h100",
        "topo-sim calibrate polaris-32 --fit polaris-8 --test polaris-32 --picture polaris.png",
        "topo-sim calibrate polaris-8 --fit polaris-8 --format json",
    )
)
@click.argument("file", metavar="FABRIC")
@click.option(
    "--fit", multiple=True, metavar="LOG",
    help="Log to fit: nccl-tests text, JSON or CSV, FABRIC=FILE to run it on another fabric, the name of a "
    "shipped log, or all. Repeatable. Without: constants that are fitted to all shipped logs.",
)  # fmt: skip
@click.option(
    "--test", multiple=True, metavar="LOG",
    help="Log to predict, likewise. Without: half of the sizes of --fit, drawn by the seed, or the shipped "
    "log of FABRIC.",
)  # fmt: skip
@click.option(
    "--network",
    metavar="NAME",
    help="Kind of FABRIC's network: infiniband, efa or slingshot. Default: by name.",
)
@click.option(
    "--generation", metavar="NAME",
    help="NVLink of FABRIC: volta, ampere, hopper, blackwell; or pcie. Default: by an endpoint's rate.",
)  # fmt: skip
@click.option("--prior", is_flag=True, help="Without --fit: use what is assumed of unmeasured machines.")
@click.option(
    "--picture",
    multiple=True,
    metavar="FILE",
    help="Where to draw, by suffix .png, .svg or .pdf. Repeatable.",
)
@set_option
@seed_option
@output_options
def calibrate(
    file: str,
    fit: tuple[str, ...],
    test: tuple[str, ...],
    network: str | None,
    generation: str | None,
    prior: bool,
    picture: tuple[str, ...],
    settings: tuple[str, ...],
    seed: int,
    form: str,
    output: str | None,
) -> None:
    """Fit a few physical constants to nccl-tests logs, and say how far off they are on others.

    FABRIC is what the rows of a log ran on, unless a row names a system whose log is shipped.
    """
    from topo_sim.report.formats import check_writable

    if prior and fit:
        raise UsageError("--prior: found together with --fit, expected one of them")
    for path in picture:
        if not path.endswith((".png", ".svg", ".pdf")):
            raise UsageError(f'--picture: found "{path}", expected a name that ends in .png, .svg or .pdf')
        check_writable(path)
    topology = load_one(file, settings)
    from topo_sim.collectives.models.constants import prior_constants
    from topo_sim.report import calibration_tables, plot_calibration, save_figure, to_json
    from topo_sim.studies import calibrate as run

    result = run(
        topology,
        fit,
        test,
        network=network,
        generation=generation,
        constants=prior_constants() if prior else None,
        seed=seed,
    )
    for fault in result.faults:
        click.echo(f"topo-sim: left out: {fault}", err=True)
    for note in result.notes:
        click.echo(f"topo-sim: note: {note}", err=True)
    inputs = {
        "fabric": file,
        "fit": list(fit),
        "test": list(test),
        "network": network,
        "generation": generation,
        "prior": prior,
        "set": list(settings),
        "seed": seed,
    }
    emit(
        form,
        output,
        lambda: calibration_tables(result),
        lambda: to_json("calibrate", inputs, result.to_dict()),
        result.rows,
    )
    if picture:
        figure = plot_calibration(result)
        for path in picture:
            save_figure(figure, path)
        click.echo(f"drew {', '.join(picture)}", err=True)
