"""Show all that is known of a GPU."""

import click

from topo_sim.commands.common import emit, examples, output_options, seed_option
from topo_sim.commands.gpu.common import catalogue_option, find_all

__all__ = ["show"]


@click.command(
    epilog=examples(
        "topo-sim gpu show lite",
        "topo-sim gpu show h100 --scale 1/4 --network 2 --format csv",
    )
)
@click.argument("name", metavar="GPU")
@click.option(
    "--scale", metavar="SHARE", help="Derive a GPU from this one: a share of its dies, such as 1/4."
)
@click.option(
    "--compute", default=1.0, show_default=True, help="With --scale: factor on top, a change of clock."
)
@click.option("--memory-bandwidth", default=1.0, show_default=True, help="With --scale: factor on top.")
@click.option("--network", default=1.0, show_default=True, help="With --scale: factor on top.")
@catalogue_option
@seed_option
@output_options
def show(
    name: str,
    scale: str | None,
    compute: float,
    memory_bandwidth: float,
    network: float,
    catalogues: tuple[str, ...],
    seed: int,
    form: str,
    output: str | None,
) -> None:
    """Show all that is known of a GPU: every value with its range, its mark and its source."""
    gpu = find_all([name], catalogues)[0]
    from topo_sim.gpus.scaling import read_share
    from topo_sim.report import to_json
    from topo_sim.report.gpus import gpu_rows, gpu_table

    factors = {"compute": compute, "memory_bandwidth": memory_bandwidth, "network": network}
    if scale is not None or any(value != 1 for value in factors.values()):
        gpu = gpu.scaled(
            read_share(scale or "1"), compute=compute, memory_bandwidth=memory_bandwidth, network=network
        )
    rows = gpu_rows(gpu)
    about = {
        "gpu": gpu.name,
        "about": gpu.about,
        "source": gpu.source,
        "process": gpu.process,
        "medium": gpu.medium,
    }
    inputs = {"gpu": name, "scale": scale, **factors, "catalogues": list(catalogues), "seed": seed}
    emit(
        form,
        output,
        lambda: gpu_table(gpu),
        lambda: to_json("gpu show", inputs, about | {"fields": rows}),
        lambda: rows,
    )
