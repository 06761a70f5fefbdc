"""Pack spanning trees: as many from every rank as the optimum asks for, in whole numbers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError
from topo_sim.collectives.optimum.network import Network, Solver
from topo_sim.collectives.synthesis.packing_kernels import grow_tree

__all__ = ["Tree", "pack_trees"]


@dataclass(frozen=True, eq=False)
class Tree:
    """A spanning tree of the ranks, out of its root.

    Parameters
    ----------
    root : int
    weight : int
        How many alike trees it stands for.
    parent : ndarray of int64, shape (ranks,)
        -1 at the root.
    depth : ndarray of int64, shape (ranks,)
    """

    root: int
    weight: int
    parent: NDArray[np.int64]
    depth: NDArray[np.int64]


@dataclass
class _Growing:
    root: int
    weight: int
    inside: NDArray[np.bool_]
    parent: NDArray[np.int64]
    depth: NDArray[np.int64]

    @classmethod
    def begin(cls, ranks: int, root: int, weight: int) -> "_Growing":
        inside = np.arange(ranks) == root
        return cls(root, weight, inside, np.full(ranks, -1), np.zeros(ranks, dtype=np.int64))

    def copy(self, weight: int) -> "_Growing":
        return _Growing(self.root, weight, self.inside.copy(), self.parent.copy(), self.depth.copy())


def pack_trees(network: Network, weights: NDArray[np.int64]) -> list[Tree]:
    """Pack spanning trees into the capacities of a network without switches.

    Parameters
    ----------
    network : Network
        Of ranks alone; capacities in trees.
    weights : ndarray of int64, shape (ranks,)
        How many trees each rank is the root of.

    Returns
    -------
    list of Tree

    Raises
    ------
    CollectiveError
        If they do not fit: then some set of nodes is entered by less than the trees from outside it.

    Notes
    -----
    Trees are grown one after the other. An arc may join a tree for as much as leaves, around every set of
    nodes, enough for all trees that have yet to enter it; a maximum flow tells. A tree that can take an arc
    for a part of its weight only is split in two. One can always go on if the trees fit at all.

    References
    ----------
    Edmonds, "Edge-disjoint branchings", 1973; Lovasz, "On two minimax theorems in graph", 1976; Berczi and
    Frank, "Packing arborescences", 2009.

    Examples
    --------
    >>> from topo_sim.collectives.optimum.network import make_network
    >>> from topo_sim.topo import full_mesh
    >>> trees = pack_trees(make_network(full_mesh(4, bandwidth=1.0), 4), np.ones(4, dtype=np.int64))
    >>> [(tree.root, tree.weight, int(tree.depth.max())) for tree in trees]
    [(0, 1, 1), (1, 1, 1), (2, 1, 1), (3, 1, 1)]
    """
    p = network.ranks
    left = np.array(network.amount.tolist(), dtype=np.int64)
    fresh = np.array(weights, dtype=np.int64)
    done: list[Tree] = []
    for root in range(p):
        if not fresh[root]:
            continue
        pending = [_Growing.begin(p, root, int(fresh[root]))]
        fresh[root] = 0
        while pending:
            tree = pending.pop()
            _grow(network, left, fresh, tree, pending)
            done.append(Tree(root, tree.weight, tree.parent, tree.depth))
    return done


def _grow(
    network: Network,
    left: NDArray[np.int64],
    fresh: NDArray[np.int64],
    tree: _Growing,
    pending: list[_Growing],
) -> None:
    """Grow one tree to the end; what is split off it goes to `pending`, what it takes off `left`."""
    banned = np.zeros(len(left), dtype=np.int8)
    limit = np.zeros(1, dtype=np.int64)
    while True:
        solver, room = _needs(network, left, fresh, pending)
        others = int(fresh.sum()) + sum(other.weight for other in pending)
        level, queue, at, path = solver.scratch
        nodes, base = len(solver.indptr) - 1, len(left)
        found = grow_tree(
            solver.indptr, solver.arcs, solver.head, room, np.empty_like(room), base, base, tree.weight,
            others, tree.inside, tree.depth, tree.parent, banned, limit, level[:nodes], queue, at[:nodes],
            path,
        )  # fmt: skip
        left[:] = room[: 2 * base : 2]
        if found == -1:
            return
        if found < 0:
            raise CollectiveError("trees: found no arc that can be taken, expected room for all of them")
        taken, x, y = int(limit[0]), int(network.source[found]), int(network.target[found])
        pending.append(tree.copy(tree.weight - taken))
        tree.weight = taken
        tree.inside[y], tree.parent[y], tree.depth[y] = True, x, tree.depth[x] + 1
        left[found] -= taken


def _needs(
    network: Network, left: NDArray[np.int64], fresh: NDArray[np.int64], pending: list[_Growing]
) -> tuple[Solver, NDArray[np.int64]]:
    """Arcs left, a hub that feeds the roots of trees not begun, and a node for each tree half grown."""
    p, extra = network.ranks, len(pending)
    hub = p + extra
    source, target = [network.source, np.full(p, hub)], [network.target, np.arange(p)]
    room = [left, fresh]
    for j, other in enumerate(pending):
        members = np.flatnonzero(other.inside)
        source += [np.array([hub]), np.full(len(members), p + j)]
        target += [np.array([p + j]), members]
        room += [np.array([other.weight]), np.full(len(members), other.weight)]
    solver = Solver(hub + 1, np.concatenate(source), np.concatenate(target))
    amounts = np.zeros(2 * sum(map(len, room)), dtype=np.int64)
    amounts[::2] = np.concatenate(room)
    return solver, amounts
