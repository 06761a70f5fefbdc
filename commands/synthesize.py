"""Make a schedule for a fabric."""

import click

from topo_sim.commands.common import (
    emit,
    examples,
    load_one,
    parse_quantities,
    routing_option,
    seed_option,
    set_option,
)

__all__ = ["synthesize"]


@click.command(
    epilog=examples(
        "topo-sim synthesize tpu-v4-4x4x4 all_gather",
        "topo-sim synthesize polaris-8 all_reduce --size 64MiB --output schedule.json",
        "topo-sim synthesize polaris-8 reduce_scatter --method trees --chunks 32 --format json",
        "topo-sim synthesize dgx-a100-16 all_gather --routing widest_split",
    )
)
@click.argument("file")
@click.argument("collective")
@click.option(
    "--size", default="1GiB", show_default=True, metavar="SIZE",
    help="Size that it is made for, as nccl-tests counts it.",
)  # fmt: skip
@click.option(
    "--method", metavar="NAME", help="See 'topo-sim list synthesizers'. Default: whichever is faster."
)
@click.option(
    "--chunks", type=click.IntRange(min=1), help="Per rank (greedy) or tree (trees). Default: chosen."
)
@click.option("--ranks", type=click.IntRange(min=1), help="The first so many endpoints. Default: all.")
@routing_option
@set_option
@seed_option
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True,
    help="How to print what it takes.",
)  # fmt: skip
@click.option("--output", "-o", metavar="FILE", help="Write the schedule itself to FILE, as JSON.")
def synthesize(
    file: str,
    collective: str,
    size: str,
    method: str | None,
    chunks: int | None,
    ranks: int | None,
    routing: str | None,
    settings: tuple[str, ...],
    seed: int,
    form: str,
    output: str | None,
) -> None:
    """Make a schedule of all_gather, reduce_scatter or all_reduce for one fabric, and cost it there.

    Prints steps, time, lower bound and optimum, and a hint below 80 % of the optimum. Without --routing,
    wcmp_split and widest_split are tried beside the fabric's own, and the one taken is shown. The schedule
    can be written as JSON: every step with its transfers and their chunks.
    """
    topology = load_one(file, settings)
    from topo_sim.report import schedule_document, synthesis_table, to_json, write_text
    from topo_sim.report.formats import check_writable
    from topo_sim.studies import synthesize_schedule

    if output is not None:
        check_writable(output)
    result = synthesize_schedule(
        topology.fabric,
        collective,
        size=parse_quantities([size], "size", "--size")[0],
        ranks=ranks,
        method=method,
        chunks=chunks,
        routing=routing,
        seed=seed,
    )
    inputs = {"file": file, "collective": collective, "set": list(settings), "seed": seed, "size": size}
    if output is not None:
        write_text(output, to_json("synthesize", inputs, schedule_document(result.schedule)))
    emit(
        form,
        None,
        lambda: synthesis_table(result),
        lambda: to_json("synthesize", inputs, result.to_dict()),
        result.rows,
    )
