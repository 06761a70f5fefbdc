"""List GPUs."""

import click

from topo_sim.commands.common import emit, examples, output_options, seed_option
from topo_sim.commands.gpu.common import catalogue_option

__all__ = ["list_gpus"]


@click.command(name="list", epilog=examples("topo-sim gpu list", "topo-sim gpu list --format csv"))
@catalogue_option
@seed_option
@output_options
def list_gpus(catalogues: tuple[str, ...], seed: int, form: str, output: str | None) -> None:
    """List the GPUs that are known, with their typical values."""
    from topo_sim.gpus import load_gpus
    from topo_sim.report import to_json
    from topo_sim.report.gpus import gpu_list_table, gpu_rows

    gpus = list(load_gpus(catalogues).values())
    inputs = {"catalogues": list(catalogues), "seed": seed}
    emit(
        form,
        output,
        lambda: gpu_list_table(gpus),
        lambda: to_json(
            "gpu list", inputs, [{"gpu": g.name, "about": g.about, "fields": gpu_rows(g)} for g in gpus]
        ),
        lambda: [row for gpu in gpus for row in gpu_rows(gpu)],
    )
