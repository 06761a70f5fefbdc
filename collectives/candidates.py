"""Which algorithms are worth a try for a collective on a fabric."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from topo_sim.base import CollectiveError
from topo_sim.collectives.algorithms.registry import ALGORITHMS
from topo_sim.collectives.collective import COLLECTIVES
from topo_sim.collectives.fitting import shape_options
from topo_sim.topo import Fabric

__all__ = ["TWINS", "candidates"]

TWINS = {"blueconnect": "hierarchical"}
"""Algorithms that send the same messages as another one wherever that has levels to work on."""


def candidates(
    collective: str, algorithms: Sequence[str] | None, ranks: int, fabric: Fabric | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Algorithms to try for a collective, with each of their tunable options.

    Parameters
    ----------
    collective : str
    algorithms : sequence of str, optional
        Only these; those that are unknown for this collective are left out. Default: all.
    ranks : int
        Algorithms that are not defined for so many ranks are left out.
    fabric : Fabric, optional
        Algorithms that have a shape get that of the fabric. Those that do not suit it (rings of a torus on
        a switch, sums in switches that do not sum up) are left out unless `algorithms` names them.

    Yields
    ------
    name : str
    options : dict
    """
    COLLECTIVES[collective]
    for name, algorithm in ALGORITHMS[collective].items():
        if algorithms and name not in algorithms:
            continue
        try:
            algorithm.check_ranks(ranks)
        except CollectiveError:
            continue
        if fabric is not None:
            shape = shape_options(algorithm, fabric, ranks)
        else:
            shape = None if algorithm.switches else {}
        if not algorithms and (shape is None or _twin_fits(fabric, collective, name, ranks)):
            continue
        for values in product(*algorithm.tunable.values()):
            yield name, dict(zip(algorithm.tunable, values, strict=True)) | (shape or {})


def _twin_fits(fabric: Fabric | None, collective: str, name: str, ranks: int) -> bool:
    if fabric is None or name not in TWINS:
        return False
    return shape_options((collective, TWINS[name]), fabric, ranks) is not None
