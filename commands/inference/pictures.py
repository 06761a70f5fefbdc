"""The option for pictures."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from topo_sim.base.errors import UsageError

__all__ = ["check_pictures", "draw", "picture_option"]

picture_option = click.option(
    "--picture", multiple=True, metavar="FILE",
    help="Where to draw, by suffix .png, .svg or .pdf. Repeatable.",
)  # fmt: skip


def check_pictures(paths: Sequence[str]) -> None:
    """Refuse files that cannot be drawn to, before anything is computed."""
    from topo_sim.report.formats import check_writable

    for path in paths:
        if not path.endswith((".png", ".svg", ".pdf")):
            raise UsageError(f'--picture: found "{path}", expected a name that ends in .png, .svg or .pdf')
        check_writable(path)


def draw(paths: Sequence[str], figure: Callable[[], Any]) -> None:
    """Draw one figure to every path."""
    if not paths:
        return
    from topo_sim.report import save_figure

    drawn = figure()
    for path in paths:
        save_figure(drawn, path)
    click.echo(f"drew {', '.join(paths)}", err=True)
