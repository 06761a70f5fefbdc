"""Share bandwidth among flows."""

import click

from topo_sim.commands.common import (
    emit,
    examples,
    load_one,
    output_options,
    parse_quantities,
    routing_option,
    seed_option,
    set_option,
)

__all__ = ["flow"]


@click.command(
    epilog=examples(
        "topo-sim flow lite-torus",
        "topo-sim flow lite-fat-tree --pattern permutation --routing ecmp --seed 7",
        "topo-sim flow superpod-h100-64 --pattern incast --size 1GiB --format json",
    )
)
@click.argument("file")
@click.option(
    "--pattern",
    default="permutation",
    show_default=True,
    metavar="NAME",
    help="See 'topo-sim list patterns'.",
)
@click.option("--size", default="1MiB", show_default=True, metavar="SIZE", help="Bytes of each flow.")
@routing_option
@set_option
@seed_option
@output_options
def flow(
    file: str,
    pattern: str,
    size: str,
    routing: str | None,
    settings: tuple[str, ...],
    seed: int,
    form: str,
    output: str | None,
) -> None:
    """Share bandwidth max-min fairly among the flows of a traffic pattern; csv lists every flow."""
    topology = load_one(file, settings)
    from topo_sim.report import sharing_table, to_json
    from topo_sim.studies import share_bandwidth

    bytes_each = parse_quantities([size], "size", "--size")[0]
    result = share_bandwidth(topology.fabric, pattern, routing=routing, size=bytes_each, seed=seed)
    inputs = {"file": file, "set": list(settings)}
    emit(
        form,
        output,
        lambda: sharing_table(result),
        lambda: to_json("flow", inputs, result.to_dict()),
        result.rows,
    )
