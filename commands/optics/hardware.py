"""Options of commands that run on circuit switches: which one, at which level, and what it can set."""

import click

__all__ = ["any_matching_option", "level_option", "switch_option"]

switch_option = click.option(
    "--switch",
    metavar="NAME",
    help="Take the time of a change from this circuit switch (see 'topo-sim optics media'), not --delta.",
)

level_option = click.option(
    "--level",
    type=click.Choice(["low", "typical", "high"]),
    help="Of that time, of --switch or the switch of FILE. Default: typical; for rotors the file's own.",
)

any_matching_option = click.option(
    "--any-matching",
    is_flag=True,
    help="Assume switches that set any matching, where those of FILE or --switch do not.",
)
