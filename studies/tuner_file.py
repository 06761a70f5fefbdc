"""What the tuner found, as NCCL's tuner plugin can be told."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from topo_sim.base import CollectiveError, UsageError, format_quantity
from topo_sim.collectives import ALGORITHMS
from topo_sim.collectives.models import nccl_tables as tables
from topo_sim.collectives.models.nccl import FAMILIES, Choice, setting_of, time_of
from topo_sim.collectives.models.nccl_terms import Setting
from topo_sim.studies.tune import tune
from topo_sim.studies.tuning import Tuning
from topo_sim.topo import Fabric

__all__ = ["nccl_choices"]

TREES = {"binary_tree": "tree", "double_tree": "tree"}
PIPELINES = {"chain": "ring"}
"""NCCL's ring broadcast and reduce are chains: every rank passes on what comes, piece by piece."""


def _family(collective: str, algorithm: str) -> str:
    """Name what NCCL calls an algorithm; empty if it has none like it."""
    if collective in ("broadcast", "reduce"):
        return PIPELINES.get(algorithm, "")
    return FAMILIES.get(algorithm, TREES.get(algorithm, ""))


def _protocol(setting: Setting, collective: str, family: str, size: float) -> tuple[float, str]:
    """Least time of NCCL's model over the protocols, infinite if it cannot run the algorithm."""
    sizes = np.array([size])
    return min(
        (float(time_of(setting, collective, family, protocol, sizes)[0]), protocol)
        for protocol in tables.PROTOCOLS
    )


def nccl_choices(result: Tuning, fabric: Fabric, **settings: Any) -> tuple[list[Choice], list[str]]:
    """Say what NCCL should run at every size, as near to a tuning as it comes.

    Parameters
    ----------
    result : Tuning
        With ranges.
    fabric : Fabric
        The same.
    **settings
        What `result` was tuned with: algorithms, ranks, routing, overhead, seed, model, progress.

    Returns
    -------
    choices : list of Choice
        At the first size of every range and at the powers of two in it; the protocol is the fastest by
        NCCL's own model.
    notes : list of str
        Where NCCL lacks the winner.

    Raises
    ------
    UsageError
        If there is one rank only, or `result` has no ranges.
    CollectiveError
        If NCCL has no algorithm for the collective on this fabric.

    Examples
    --------
    >>> from topo_sim.topo import load_fabric
    >>> fabric = load_fabric("dgx-h100")
    >>> choices, notes = nccl_choices(tune(fabric, "all_gather", high=2**20), fabric)
    >>> {choice.algorithm for choice in choices}, notes
    ({'ring'}, ['all_gather, 1 KiB to 1 MiB: NCCL has no bruck here, wrote ring'])
    """
    collective = result.collective
    if result.ranks < 2 or not result.ranges:
        raise UsageError(f"tuner file: found {result.ranks} rank and no ranges, expected two ranks or more")
    setting = setting_of(fabric, result.ranks)
    named = settings.pop("algorithms", None)
    able = [
        name
        for name in ALGORITHMS[collective]
        if (family := _family(collective, name))
        and np.isfinite(_protocol(setting, collective, family, 1.0)[0])
        and not (named and name not in named)
    ]
    if not able:
        raise CollectiveError(
            f"tuner file: found {collective} on {fabric.name}, expected a collective and algorithms "
            "that NCCL has there"
        )
    low, high = result.ranges[0].first.size, result.ranges[-1].last.size
    theirs = result
    if not {one.first.algorithm for one in result.ranges} <= set(able):
        theirs = tune(fabric, collective, low=low, high=high, algorithms=able, **settings)
    choices = []
    for one in theirs.ranges:
        family, powers = _family(collective, one.first.algorithm), 2.0 ** np.arange(53)
        inner = powers[(powers > one.first.size) & (powers <= one.last.size)]
        for size in [one.first.size, *inner.tolist()]:
            time, protocol = _protocol(setting, collective, family, size)
            lanes, nodes = setting.channels.count, setting.layout.nodes
            choices.append(Choice(collective, size, family, protocol, lanes, nodes, result.ranks, time))
    return choices, _notes(result, theirs, able)


def _notes(result: Tuning, theirs: Tuning, able: Sequence[str]) -> list[str]:
    notes = []
    for one in result.ranges:
        name = one.first.algorithm
        if name not in able:
            first, last = one.first.size, one.last.size
            instead = [
                _family(result.collective, other.first.algorithm)
                for other in theirs.ranges
                if other.first.size <= last and other.last.size >= first
            ]
            span = " to ".join(format_quantity(size, "size") for size in (first, last))
            wrote = ", ".join(dict.fromkeys(instead))
            notes.append(f"{result.collective}, {span}: NCCL has no {name} here, wrote {wrote}")
    return notes
