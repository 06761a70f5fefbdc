"""Show what a fabric is."""

import click

from topo_sim.commands.common import emit, examples, load_one, output_options, seed_option, set_option

__all__ = ["info"]


@click.command(
    epilog=examples("topo-sim info lite-torus", "topo-sim info lite-circuits@rate=225GB/s --format json")
)
@click.argument("file")
@set_option
@seed_option
@output_options
def info(file: str, settings: tuple[str, ...], seed: int, form: str, output: str | None) -> None:
    """Show what a fabric is: sizes, distances, bisection, links."""
    topology = load_one(file, settings)
    from topo_sim.report import info_table, to_json
    from topo_sim.topo import metrics

    fabric, found = topology.fabric, metrics(topology.fabric)
    text = [
        (k, " ".join(v.split())) for k, v in (("", topology.description), ("source", topology.source)) if v
    ]
    about = {"name": fabric.name, "family": fabric.family, "routing": fabric.routing}
    results = about | {"description": topology.description, "source": topology.source} | found.to_dict()
    emit(
        form,
        output,
        lambda: info_table(fabric, found, text),
        lambda: to_json("info", {"file": file, "set": list(settings), "seed": seed}, results),
        lambda: [about | found.to_dict()],
    )
