"""Options that the commands of ``topo-sim gpu`` share."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from topo_sim.base.errors import UsageError

if TYPE_CHECKING:
    from topo_sim.gpus import Gpu

__all__ = ["catalogue_option", "find_all", "read_pairs"]

catalogue_option = click.option(
    "--catalogue", "catalogues", multiple=True, metavar="FILE",
    help="YAML with more GPUs under gpus:, laid over those that ship. Repeatable.",
)  # fmt: skip


def find_all(names: Sequence[str], catalogues: Sequence[str]) -> "list[Gpu]":
    """Look GPUs up by name."""
    from topo_sim.gpus import find_gpu, load_gpus

    gpus = load_gpus(catalogues)
    return [find_gpu(name, gpus) for name in names]


def read_pairs(pairs: Sequence[str]) -> dict[str, str]:
    """Read ``GPU=MEDIUM`` pairs."""
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise UsageError(f'--medium: found "{wrong[0]}", expected GPU=MEDIUM')
    return dict(pair.split("=", 1) for pair in pairs)
