"""What commands that draw share: the option, the check before any work, the drawing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from topo_sim.base.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["check_pictures", "draw", "picture_option"]

picture_option = click.option(
    "--picture", multiple=True, metavar="FILE", help="Draw the result (.png, .svg or .pdf). Repeatable."
)


def check_pictures(paths: Sequence[str]) -> None:
    """Refuse pictures that cannot be written, before any work is done."""
    from topo_sim.report.formats import check_writable

    for path in paths:
        if not path.endswith((".png", ".svg", ".pdf")):
            raise UsageError(f'--picture: found "{path}", expected a name that ends in .png, .svg or .pdf')
        check_writable(path)


def draw(figure: "Figure", paths: Sequence[str]) -> None:
    """Write a figure to files and say where."""
    from topo_sim.report import save_figure

    for path in paths:
        save_figure(figure, path)
    click.echo(f"drew {', '.join(paths)}", err=True)
