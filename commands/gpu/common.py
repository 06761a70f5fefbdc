"""Options that the commands of ``topo-sim gpu`` share."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from topo_sim.base.errors import UsageError

if TYPE_CHECKING:
    from topo_sim.gpus import Gpu

__all__ = ["catalogue_option", "check_pictures", "draw", "find_all", "picture_option", "read_pairs"]

catalogue_option = click.option(
    "--catalogue", "catalogues", multiple=True, metavar="FILE",
    help="YAML with more GPUs under gpus:, laid over those that ship. Repeatable.",
)  # fmt: skip
picture_option = click.option(
    "--picture", multiple=True, metavar="FILE",
    help="Where to draw, by suffix .png, .svg or .pdf. Repeatable.",
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


def check_pictures(picture: Sequence[str]) -> None:
    """Refuse what cannot be drawn or written before any work is done."""
    from topo_sim.report.formats import check_writable

    for path in picture:
        if not path.endswith((".png", ".svg", ".pdf")):
            raise UsageError(f'--picture: found "{path}", expected a name that ends in .png, .svg or .pdf')
        check_writable(path)


def draw(figure: Any, picture: Sequence[str]) -> None:
    """Write a figure to every file, and say so."""
    from topo_sim.report import save_figure

    for path in picture:
        save_figure(figure, path)
    click.echo(f"drew {', '.join(picture)}", err=True)
