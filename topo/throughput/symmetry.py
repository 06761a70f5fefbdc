"""Exact throughput where the fabric looks alike from everywhere, or is a Clos."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.topo.demands import Demand
from topo_sim.topo.fabric import GPU, Fabric
from topo_sim.topo.loads import link_loads
from topo_sim.topo.structure import Clos, Grid, Lattice
from topo_sim.topo.throughput.kernels import tree_load

__all__ = ["Cayley", "added", "cayley", "solve_cayley", "solve_clos"]

ROUNDS = 1000
TOLERANCE = 1e-10


@dataclass(frozen=True)
class Cayley:
    """A fabric whose endpoints are a commutative group and whose links add fixed elements.

    Parameters
    ----------
    link_class : ndarray of int64, shape (links,)
        Which element a link adds; parallel links are of one class.
    capacity : ndarray of float64, shape (classes,), B/s
        From one endpoint along one class.
    arc_target : ndarray of int64, shape (ranks * classes,)
        Where arc ``rank * classes + class`` leads, as a rank.
    """

    link_class: NDArray[np.int64]
    capacity: NDArray[np.float64]
    arc_target: NDArray[np.int64]

    @property
    def ranks(self) -> int:
        """Number of endpoints."""
        return len(self.arc_target) // max(len(self.capacity), 1)


def added(fabric: Fabric, source: NDArray[np.int64], target: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find the element that leads from one rank to another, in the group that the numbering suggests.

    Parameters
    ----------
    fabric : Fabric
    source, target : ndarray of int64, shape (n,)
        Ranks.

    Returns
    -------
    ndarray of int64, shape (n,)
        Rank that lies from rank 0 as each target from its source.

    Examples
    --------
    >>> from topo_sim.topo import torus
    >>> added(torus((4, 4)), np.array([3]), np.array([4])).tolist()
    [5]
    """
    structure = fabric.structure
    if isinstance(structure, Lattice):
        return structure.difference(source, target)
    if isinstance(structure, Grid):
        return Lattice(structure.dims, ((0,) * len(structure.dims),) * len(structure.dims)).difference(
            source, target
        )
    return (target - source) % fabric.ranks


def cayley(fabric: Fabric) -> Cayley | None:
    """Find out whether moving all endpoints by any group element maps the fabric to itself.

    Parameters
    ----------
    fabric : Fabric

    Returns
    -------
    Cayley or None
        None where it does not, or where the group is not the one of the numbering (axes of a grid,
        else addition modulo the number of ranks).

    Examples
    --------
    >>> from topo_sim.topo import mesh, torus
    >>> cayley(torus((4, 4))).capacity.size, cayley(mesh((4, 4)))
    (4, None)
    """
    n = fabric.ranks
    linked = np.unique(np.concatenate([fabric.link_source, fabric.link_target]))
    if fabric.links == 0 or np.any(fabric.kind[linked] != GPU) or not fabric.endpoints_forward:
        return None
    rank = np.full(len(fabric.kind), -1, dtype=np.int64)
    rank[fabric.endpoints] = np.arange(n)
    source, target = rank[fabric.link_source], rank[fabric.link_target]
    if np.any(source < 0) or np.any(target < 0):  # nodes that only pass on are no elements
        return None
    elements, link_class = np.unique(added(fabric, source, target), return_inverse=True)
    link_class = link_class.ravel().astype(np.int64)
    classes = len(elements)
    if n * classes > fabric.links:
        return None
    arc = source * classes + link_class
    capacity = np.bincount(arc, fabric.capacity, minlength=n * classes).reshape(n, classes)
    if not np.allclose(capacity, capacity[0], rtol=1e-12, atol=0) or np.any(capacity <= 0):
        return None
    arc_target = np.zeros(n * classes, dtype=np.int64)
    arc_target[arc] = target
    return Cayley(link_class, capacity[0], arc_target)


def solve_cayley(
    fabric: Fabric, group: Cayley, demand: Demand
) -> tuple[float, float, NDArray[np.float64], int]:
    """Solve uniform all-to-all from one source.

    Parameters
    ----------
    fabric : Fabric
    group : Cayley
    demand : Demand
        With `uniform` alone.

    Returns
    -------
    lower, upper : float, B/s
        A flow that fits and a bound from lengths, equal to about 1e-10.
    load : ndarray of float64, shape (links,)
        Of that flow, per unit of demand.
    rounds : int

    Raises
    ------
    UsageError
        If the demand has other entries.

    Notes
    -----
    The average of an optimal flow over all translations is optimal too, and loads all links of a class
    alike: by what the flow from rank 0 puts on the class in all. So a solution is a mean of trees from
    rank 0, known by one number per class. A small linear program finds the best mean of the trees so far
    and the classes' prices; the shortest-path tree at these prices is the next (column generation). It
    ends when no tree is cheaper, O(ranks log ranks) a round.
    """
    if demand.entries[2].size or not demand.uniform:
        raise UsageError(
            f'symmetry: found the demand "{demand.name}", expected "all_to_all" on {fabric.name}'
        )
    classes = len(group.capacity)
    capacity = group.capacity / group.capacity.mean()
    columns: list[NDArray[np.float64]] = []
    lower, upper, best = 0.0, np.inf, np.zeros(classes)
    price = np.full(classes, 1 / classes)
    for _ in range(ROUNDS):
        column = _tree_column(group, price, demand.uniform)
        total = float(price @ column)
        upper = min(upper, float(capacity @ price) / total) if total > 0 else upper
        columns.append(column)
        top, mix, price = _master(np.array(columns).T, capacity)
        if 1 / top > lower:
            lower, best = 1 / top, np.array(columns).T @ mix
        if upper <= lower * (1 + TOLERANCE):
            break
    unit = float(group.capacity.mean())
    share = fabric.capacity / group.capacity[group.link_class]
    return lower * unit, max(upper, lower) * unit, best[group.link_class] * share, len(columns)


def _tree_column(group: Cayley, price: NDArray[np.float64], amount: float) -> NDArray[np.float64]:
    """Load per class of the shortest-path tree of rank 0 at given prices."""
    n, classes = group.ranks, len(group.capacity)
    wanted = np.full(n, amount)
    wanted[0] = 0.0
    load = np.empty(n * classes)
    # A free class would leave ties to chance and distances of 0: a trace of hops settles them.
    length = np.tile(price + 1e-9 * price.max(), n)
    source = np.repeat(np.arange(n), classes)
    out_ptr = np.arange(n + 1) * classes
    graph = (np.ones(n, dtype=np.bool_), out_ptr, source, group.arc_target, length)
    tree_load(0, wanted, *graph, np.empty(n), load)
    return load.reshape(n, classes).sum(axis=0)


def _master(
    columns: NDArray[np.float64], capacity: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Least largest load / capacity over means of the columns, the mean, and the prices that prove it."""
    from scipy.optimize import linprog

    classes, count = columns.shape
    scale = float((columns / capacity[:, None]).max())
    found: Any = linprog(
        np.append(np.zeros(count), 1.0),
        A_ub=np.column_stack([columns / capacity[:, None] / scale, -np.ones(classes)]),
        b_ub=np.zeros(classes),
        A_eq=np.append(np.ones(count), 0.0)[None],
        b_eq=[1.0],
        method="highs-ds",
    )
    mix = np.maximum(found.x[:-1], 0.0)
    mix /= mix.sum()
    price = np.maximum(-found.ineqlin.marginals, 0.0) / capacity
    return float((columns @ mix / capacity).max()), mix, price / price.sum()


def solve_clos(fabric: Fabric, clos: Clos, demand: Demand) -> tuple[float, float, NDArray[np.float64], int]:
    """Solve any demand on a Clos by even splitting, and prove it by the cuts round subtrees.

    Parameters
    ----------
    fabric : Fabric
    clos : Clos
    demand : Demand

    Returns
    -------
    lower, upper, load, rounds
        As in `solve_cayley`.

    Notes
    -----
    Under even splitting all uplinks of a subtree carry the same, and together just what leaves it. So where
    they have equal capacity, the fullest of them is as full as the cut round its subtree must be.
    """
    load = link_loads(fabric, demand)
    used = load > 0
    lower = float((fabric.capacity[used] / load[used]).min())
    upper = np.inf
    for level, size in enumerate(clos.level_sizes[:-1]):
        subtrees = size // clos.roots[level]
        first, width = 2 * clos.cable_base[level], clos.cables[level] // subtrees
        both = fabric.capacity[first : first + 2 * clos.cables[level]].reshape(subtrees, width, 2).sum(axis=1)
        rank = np.arange(fabric.ranks) // (fabric.ranks // subtrees)
        for room, crossing in zip(both.T, demand.leaving(rank, subtrees), strict=True):
            if crossing.any():
                upper = min(upper, float((room[crossing > 0] / crossing[crossing > 0]).min()))
    return lower, max(upper, lower), load, 1
