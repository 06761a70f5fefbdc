"""Which algorithms suit the shape of a fabric, and with which shapes of their own."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from topo_sim.base import CollectiveError
from topo_sim.collectives.algorithms.registry import ALGORITHMS, Algorithm
from topo_sim.collectives.reducers import find_reducers
from topo_sim.collectives.schedule import build_schedule
from topo_sim.topo import Fabric
from topo_sim.topo.structure import Clos, Grid

__all__ = ["grid_shape", "level_shape", "shape_options"]

ON_TORUS = {"torus", "swing"}
"""Algorithms that send to neighbours on a torus, and are at home nowhere else."""


def grid_shape(fabric: Fabric, ranks: int) -> tuple[int, ...] | None:
    """Sides of the torus whose nodes the ranks are, in order.

    Parameters
    ----------
    fabric : Fabric
    ranks : int
        The first so many endpoints.

    Returns
    -------
    tuple of int or None
        None unless the fabric is a torus, all of it takes part and its numbering is the ranks'.

    Examples
    --------
    >>> from topo_sim.topo import mesh, torus
    >>> grid_shape(torus((4, 2)), 8), grid_shape(torus((4, 2)), 6), grid_shape(mesh((4, 4)), 16)
    ((4, 2), None, None)
    """
    grid = fabric.structure
    if not isinstance(grid, Grid) or ranks != grid.endpoints or ranks != fabric.ranks:
        return None
    if not np.array_equal(fabric.endpoints, np.arange(ranks)):
        return None
    closed = all(ring or k <= 2 for ring, k in zip(grid.rings, grid.dims, strict=True))
    return grid.dims if closed else None


def level_shape(fabric: Fabric, ranks: int) -> tuple[int, ...] | None:
    """Fan-in of each level of a fabric in which consecutive ranks are close.

    Parameters
    ----------
    fabric : Fabric
    ranks : int
        The first so many endpoints.

    Returns
    -------
    tuple of int or None
        Ranks under one first-level switch (or in one group), such groups in one of the second level, and
        so on; their product is `ranks`. None where there is one level only, or groups are not alike.

    Examples
    --------
    >>> from topo_sim.topo import fat_tree, grouped, single_switch
    >>> level_shape(fat_tree(4), 16), level_shape(grouped(4, 8), 32), level_shape(single_switch(8), 8)
    ((2, 2, 4), (8, 4), None)
    """
    levels: tuple[int, ...] = ()
    if isinstance(fabric.structure, Clos):
        if np.array_equal(fabric.endpoints, np.arange(fabric.ranks)):
            levels = fabric.structure.down[:-1]
    elif fabric.structure is None:
        levels = _group_size(fabric, ranks)
    found, left = [], ranks
    for k in levels:
        if left % k:
            break
        found.append(k)
        left //= k
    found = [k for k in [*found, left] if k > 1]
    return tuple(found) if len(found) > 1 and len(found) > (left > 1) else None


def _group_size(fabric: Fabric, ranks: int) -> tuple[int, ...]:
    """Ranks in a row that have the same neighbour over their fastest links: a switch, or each other."""
    if fabric.family == "grouped":
        return (int(fabric.parameters.get("size", 4)),)
    nodes = fabric.endpoints[:ranks].astype(np.int64)
    label = np.full(len(fabric.kind), -1)
    fastest = np.zeros(len(fabric.kind))
    np.maximum.at(fastest, fabric.link_source, fabric.capacity)
    for link in np.flatnonzero(fabric.capacity >= fastest[fabric.link_source])[::-1]:
        label[fabric.link_source[link]] = fabric.link_target[link]
    mine = label[nodes]
    if np.isin(mine, nodes).any():  # joined directly: groups are the lowest of those that see each other
        mine = np.minimum(mine, nodes)
    starts = np.flatnonzero(np.diff(mine, prepend=-2))
    sizes = np.diff(np.append(starts, ranks))
    alike = len(set(sizes.tolist())) == 1 and len(set(mine[starts].tolist())) == len(starts)
    return (int(sizes[0]),) if alike and 1 < sizes[0] < ranks else ()


def shape_options(
    algorithm: Algorithm | tuple[str, str], fabric: Fabric, ranks: int | None = None
) -> dict[str, Any] | None:
    """Options of an algorithm that follow from the shape of a fabric.

    Parameters
    ----------
    algorithm : Algorithm or (collective, name)
    fabric : Fabric
    ranks : int, optional
        The first so many endpoints. Default: all.

    Returns
    -------
    dict or None
        ``dims``, ``group`` or ``tree`` where the algorithm has them; empty for algorithms that have no
        shape. None if the algorithm does not suit the fabric: rings of a torus elsewhere than on a torus
        whose numbering is the ranks', levels where there is but one, sums in switches that do not sum up.

    Examples
    --------
    >>> from topo_sim.topo import leaf_spine, torus
    >>> shape_options(("all_reduce", "torus"), torus((4, 4, 2)))
    {'dims': (4, 4, 2)}
    >>> shape_options(("all_reduce", "hierarchical"), leaf_spine(4, 8, 2))
    {'group': (8,)}
    >>> shape_options(("all_reduce", "torus"), leaf_spine(4, 8, 2)) is None
    True
    >>> shape_options(("all_reduce", "ring"), torus(4))
    {}
    """
    entry = ALGORITHMS[algorithm[0]][algorithm[1]] if isinstance(algorithm, tuple) else algorithm
    p = fabric.ranks if ranks is None else ranks
    if entry.switches:
        return _switch_options(entry, fabric, p)
    if "group" in entry.options:
        levels = level_shape(fabric, p)
        return {"group": levels[:-1]} if levels else None
    if "dims" not in entry.options:
        return {}
    grid, levels = grid_shape(fabric, p), level_shape(fabric, p)
    if entry.name in ON_TORUS:
        fits = grid is not None and not (entry.power_of_two and any(k & (k - 1) for k in grid))
        return {"dims": grid} if fits else None
    if grid is not None:
        return {"dims": grid}
    return {"dims": levels} if levels else ({} if entry.collective == "all_to_all" else None)


def _switch_options(entry: Algorithm, fabric: Fabric, p: int) -> dict[str, Any] | None:
    if p < 2 or not fabric.reducing(entry.switches).any():
        return None
    levels = level_shape(fabric, p)
    tries: list[Mapping[str, Any]] = [{}]
    if "tree" in entry.options and levels:
        tries = [{"tree": levels}, {}]
    for options in tries:
        try:
            find_reducers(build_schedule(entry.collective, entry.name, p, 0, segments=1, **options), fabric)
        except CollectiveError:
            continue
        return dict(options)
    return None
