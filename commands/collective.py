"""Cost the algorithms of a collective."""

import click

from topo_sim.commands.common import (
    algorithms_option,
    emit,
    examples,
    load_one,
    output_options,
    overhead_option,
    parse_quantities,
    progress_bar,
    routing_option,
    seed_option,
    set_option,
    sizes_help,
)

__all__ = ["collective"]


@click.command(
    epilog=examples(
        "topo-sim collective dgx-h100",
        "topo-sim collective lite-torus -c all_to_all --size 1MiB --size 64MiB",
        "topo-sim collective tpu-v4-4x4x4 -c all_to_all --model step --model astra-unaware",
        "topo-sim collective dgx-h100 -c all_to_all_v --matrix experts.csv",
        "topo-sim collective dgx-h100 -a ring --model step --model 'loggp@o=1 us'",
        "topo-sim collective tpu-v4-4x4x4 -a ring -a bidirectional_ring --overhead '1 us' --format csv",
    )
)
@click.argument("file")
@click.option(
    "--collective",
    "-c",
    metavar="NAME",
    help="Which collective. Default: all_reduce, or what the schedule does.",
)
@click.option(
    "--size",
    "sizes",
    multiple=True,
    metavar="SIZE",
    help=f"{sizes_help} Default: 1MiB and 1GiB; with --matrix, its largest row.",
)
@algorithms_option
@click.option("--schedule", "schedule", metavar="XML", help="Cost this MSCCL XML file, not the algorithms.")
@click.option(
    "--matrix", "matrix", metavar="FILE",
    help="Bytes from each rank to each other, for all_to_all_v: CSV or JSON rows, or .npy. Default: uniform.",
)  # fmt: skip
@click.option(
    "--model",
    "models",
    multiple=True,
    default=("step",),
    show_default=True,
    metavar="NAME[@SETTING=VALUE]",
    help="Cost model; see 'topo-sim list models'. Repeatable: a row for each.",
)
@click.option("--ranks", type=click.IntRange(min=1), help="The first so many endpoints. Default: all.")
@routing_option
@overhead_option
@set_option
@seed_option
@output_options
def collective(
    file: str,
    collective: str | None,
    sizes: tuple[str, ...],
    algorithms: tuple[str, ...],
    schedule: str | None,
    matrix: str | None,
    models: tuple[str, ...],
    ranks: int | None,
    routing: str | None,
    overhead: str,
    settings: tuple[str, ...],
    seed: int,
    form: str,
    output: str | None,
) -> None:
    """Cost the algorithms of a collective on a fabric, with bound and bottleneck."""
    topology = load_one(file, settings)
    from topo_sim.report import collective_table, to_json
    from topo_sim.studies import cost_table
    from topo_sim.studies.collective_matrix import read_matrix
    from topo_sim.studies.exporting import load_schedule

    given = load_schedule(schedule) if schedule is not None else None
    bytes_sent = read_matrix(matrix) if matrix is not None else None
    wanted = list(parse_quantities(sizes, "size", "--size"))
    if not wanted:
        wanted = [2.0**20, 2.0**30] if bytes_sent is None else [float(bytes_sent.sum(axis=1).max())]
    with progress_bar("costing") as progress:
        result = cost_table(
            topology.fabric,
            collective or (given.collective.name if given else "all_to_all_v" if matrix else "all_reduce"),
            wanted,
            algorithms=algorithms or None,
            schedule=given,
            matrix=bytes_sent,
            models=models,
            ranks=ranks,
            routing=routing,
            overhead=parse_quantities([overhead], "time", "--overhead")[0],
            seed=seed,
            progress=progress,
        )
    inputs = {
        "file": file,
        "schedule": schedule,
        "matrix": matrix,
        "models": list(models),
        "overhead": overhead,
        "seed": seed,
        "set": list(settings),
    }
    emit(
        form,
        output,
        lambda: collective_table(result),
        lambda: to_json("collective", inputs, result.to_dict()),
        result.rows,
    )
