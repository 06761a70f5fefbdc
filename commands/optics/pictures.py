"""What the commands of light share: where to draw."""

from collections.abc import Callable
from typing import Any

import click

from topo_sim.base.errors import UsageError

__all__ = ["catalogue_option", "check_pictures", "draw", "picture_option"]

picture_option = click.option(
    "--picture", multiple=True, metavar="FILE",
    help="Where to draw, by suffix .png, .svg or .pdf. Repeatable.",
)  # fmt: skip
catalogue_option = click.option(
    "--catalogue", multiple=True, metavar="FILE",
    help="YAML file that changes or adds records of media and switches. Repeatable.",
)  # fmt: skip


def check_pictures(paths: tuple[str, ...]) -> None:
    """Refuse what cannot be drawn before any work is done."""
    from topo_sim.report.formats import check_writable

    for path in paths:
        if not path.endswith((".png", ".svg", ".pdf")):
            raise UsageError(f'--picture: found "{path}", expected a name that ends in .png, .svg or .pdf')
        check_writable(path)


def draw(paths: tuple[str, ...], plot: Callable[[], Any]) -> None:
    """Draw a figure, where one is asked for, and say where it is."""
    if not paths:
        return
    from topo_sim.report import save_figure

    figure = plot()
    for path in paths:
        save_figure(figure, path)
    click.echo(f"drew {', '.join(paths)}", err=True)
