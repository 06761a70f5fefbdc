"""The network that a collective's data may cross, in whole numbers."""

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import gcd, lcm

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.optimum.kernels import max_flow
from topo_sim.topo import Fabric

__all__ = ["Network", "exact_capacity", "make_network"]

MOST = 2**61


def exact_capacity(fabric: Fabric) -> tuple[NDArray[np.object_], Fraction]:
    """Read the capacities of all links as whole multiples of one unit.

    Parameters
    ----------
    fabric : Fabric

    Returns
    -------
    amount : ndarray of Python int, shape (links,)
    unit : Fraction, B/s
        ``amount * unit`` is each capacity, exactly.

    Examples
    --------
    >>> from topo_sim.topo import single_switch
    >>> amount, unit = exact_capacity(single_switch(2, bandwidth=12.5e9))
    >>> amount.tolist(), unit
    ([1, 1, 1, 1], Fraction(12500000000, 1))
    """
    values, which = np.unique(fabric.capacity, return_inverse=True)
    exact = [Fraction(value) for value in values.tolist()]
    below = lcm(*(value.denominator for value in exact))
    whole = [int(value * below) for value in exact]
    step = gcd(*whole) or 1
    amount = np.array([value // step for value in whole], dtype=object)
    return amount[which.ravel()], Fraction(step, below)


@dataclass(frozen=True, eq=False)
class Network:
    """Nodes and arcs of whole capacity; the first `ranks` nodes are the ranks.

    Parameters
    ----------
    ranks : int
    node : ndarray of int64, shape (nodes,)
        Each node's index in the fabric.
    source, target : ndarray of int64, shape (arcs,)
        Parallel links are one arc.
    amount : ndarray of Python int, shape (arcs,)
        Capacity in units.
    unit : Fraction, B/s
    """

    ranks: int
    node: NDArray[np.int64]
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    amount: NDArray[np.object_]
    unit: Fraction

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return len(self.node)

    @cached_property
    def reversed(self) -> "Network":
        """The same with every arc turned round."""
        return replace(self, source=self.target, target=self.source)

    @cached_property
    def balanced(self) -> bool:
        """Whether as much can leave every switch as can enter it."""
        through = [0] * self.nodes
        for u, v, c in zip(self.source.tolist(), self.target.tolist(), self.amount.tolist(), strict=True):
            through[u] -= c
            through[v] += c
        return not any(through[self.ranks :])

    def leaving(self, inside: NDArray[np.bool_]) -> int:
        """Capacity, in units, that leaves a set of nodes.

        Parameters
        ----------
        inside : ndarray of bool, shape (nodes,)

        Returns
        -------
        int
        """
        return int(sum(self.amount[inside[self.source] & ~inside[self.target]].tolist()))

    def trimmed(self) -> "Network":
        """Cut arcs down until as much can leave every switch as can enter it.

        Returns
        -------
        Network
            Its capacities are a largest flow from all ranks to all ranks, so none that could be of use
            together is lost.
        """
        count = len(self.source)
        split = np.where(self.target < self.ranks, self.nodes + 1, self.target)
        solver = Solver(
            self.nodes + 2,
            np.concatenate([self.source, np.full(self.ranks, self.nodes)]),
            np.concatenate([split, np.arange(self.ranks)]),
        )
        total = int(sum(self.amount.tolist()))
        room = np.array([*self.amount.tolist(), *[total] * self.ranks], dtype=object)
        solver.run(room, self.nodes, self.nodes + 1, total + 1)
        flow = np.array([int(value) for value in solver.residual[1::2][:count]], dtype=object)
        keep = flow > 0
        return replace(self, source=self.source[keep], target=self.target[keep], amount=flow[keep])


class Solver:
    """Maximum flows on fixed arcs, for many capacities, sources and sinks.

    Parameters
    ----------
    nodes : int
    source, target : ndarray of int64, shape (arcs,)
    """

    def __init__(self, nodes: int, source: NDArray[np.int64], target: NDArray[np.int64]) -> None:
        ends = np.stack([source, target], axis=1).astype(np.int64)
        self.tail, self.head = ends.ravel(), np.ascontiguousarray(ends[:, ::-1]).ravel()
        self.arcs = np.argsort(self.tail, kind="stable").astype(np.int64)
        self.indptr = np.zeros(nodes + 1, dtype=np.int64)
        np.cumsum(np.bincount(self.tail, minlength=nodes), out=self.indptr[1:])
        self.scratch = np.zeros((4, nodes + 1), dtype=np.int64)
        self.residual: NDArray[np.generic] = np.zeros(0, dtype=np.int64)

    def run(
        self,
        amount: NDArray[np.generic],
        source: int,
        sink: int,
        limit: int,
        back: NDArray[np.generic] | None = None,
    ) -> int:
        """Largest flow, stopped at `limit`; `residual` holds what room is left.

        Parameters
        ----------
        amount : ndarray of int, shape (arcs,)
            Python integers, or int64 where sums stay below 2**61.
        source, sink : int
        limit : int
        back : ndarray of int, shape (arcs,), optional
            Room of each arc's reverse: what flows along it already. Default: 0.

        Returns
        -------
        int
        """
        small = limit < MOST and (amount.dtype != object or sum(amount.tolist()) < MOST)
        self.residual = np.zeros(2 * len(amount), dtype=np.int64 if small else object)
        self.residual[::2] = amount
        if back is not None:
            self.residual[1::2] = back
        function = max_flow if small else getattr(max_flow, "py_func", max_flow)
        level, queue, at, path = self.scratch
        last = len(self.indptr) - 1
        return int(
            function(
                self.indptr, self.arcs, self.head, self.residual, source, sink, limit,
                level[:last], queue, at[:last], path,
            )
        )  # fmt: skip

    @property
    def reached(self) -> NDArray[np.bool_]:
        """The source's side of a least cut, after a flow below its limit; shape (nodes,)."""
        side: NDArray[np.bool_] = self.scratch[0, : len(self.indptr) - 1] >= 0
        return side


def make_network(fabric: Fabric, ranks: int) -> Network:
    """Keep of a fabric what data of its first endpoints may cross.

    Parameters
    ----------
    fabric : Fabric
    ranks : int
        The first so many endpoints take part, and may pass on what they received.

    Returns
    -------
    Network
        Without the other endpoints where these do not forward.
    """
    count = len(fabric.kind)
    keep = fabric.forwards.copy()
    mine = fabric.endpoints[:ranks].astype(np.int64)
    keep[mine] = True
    linked = np.zeros(count, dtype=bool)
    linked[fabric.link_source] = linked[fabric.link_target] = True
    others = keep & linked
    others[mine] = False
    node = np.concatenate([mine, np.flatnonzero(others)])
    number = np.full(count, -1, dtype=np.int64)
    number[node] = np.arange(len(node))
    source, target = number[fabric.link_source], number[fabric.link_target]
    links = (source >= 0) & (target >= 0)
    amount, unit = exact_capacity(fabric)
    keys, which = np.unique(source[links] * len(node) + target[links], return_inverse=True)
    merged = np.zeros(len(keys), dtype=object)
    np.add.at(merged, which.ravel(), amount[links])
    return Network(ranks, node, keys // max(len(node), 1), keys % max(len(node), 1), merged, unit)
