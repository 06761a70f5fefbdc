"""Exact rates from least cuts: all-gather, broadcast, and what any two ranks must exchange."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.optimum.network import Network, Solver

__all__ = ["Cut", "broadcast_rate", "gather_feasible", "gather_rate"]


@dataclass(frozen=True, eq=False)
class Cut:
    """A set of nodes, and the rate that what leaves it allows.

    Parameters
    ----------
    rate : Fraction, units/s
        Of each rank (all-gather) or of the root (broadcast). Times the network's unit it is B/s.
    inside : ndarray of bool, shape (nodes,)
    """

    rate: Fraction
    inside: NDArray[np.bool_]


def _gather_solver(network: Network) -> Solver:
    """Arcs of the network, and one from an extra node to every rank."""
    return Solver(
        network.nodes + 1,
        np.concatenate([network.source, np.full(network.ranks, network.nodes)]),
        np.concatenate([network.target, np.arange(network.ranks)]),
    )


def gather_rate(network: Network, sinks: Sequence[int] | None = None) -> Cut:
    """Largest rate at which every rank can send its data to all others at once.

    Parameters
    ----------
    network : Network
        Of 2 or more ranks.
    sinks : sequence of int, optional
        Ranks to look at; enough where the network looks alike from all others. Default: all.

    Returns
    -------
    Cut
        The least rate over all sets S of nodes that do not hold all ranks: capacity that leaves S over
        ranks in S; and a set that attains it. Rate 0 where some rank cannot be reached.

    Notes
    -----
    A rate x can be had iff every rank v can be sent ranks * x at once from an extra node joined to every
    rank with capacity x. Begin with the rate of a set; where a flow falls short, its least cut is a set of
    smaller rate: go on with that. Rates only fall, so a rank that passed need not be looked at again: a
    little more than one maximum flow per rank, all in whole numbers, and the last pass is the proof.

    References
    ----------
    Zhao et al., "ForestColl: throughput-optimal collective communications on heterogeneous network
    fabrics", arXiv 2402.06787 (the formula); Dinkelbach, "On nonlinear fractional programming",
    Management Science 1967 (the descent).

    Examples
    --------
    >>> from topo_sim.collectives.optimum.network import make_network
    >>> from topo_sim.topo import torus
    >>> gather_rate(make_network(torus((4, 4), bandwidth=1.0), 16)).rate
    Fraction(4, 15)
    """
    n, solver = network.ranks, _gather_solver(network)
    best = _narrowest_port(network)
    for sink in range(n) if sinks is None else sinks:
        while best.rate:
            a, b = best.rate.numerator, best.rate.denominator
            amount = np.concatenate([network.amount * b, np.full(n, a, dtype=object)])
            if solver.run(_small(amount), network.nodes, sink, n * a) == n * a:
                break
            inside = solver.reached[:-1].copy()
            best = Cut(Fraction(network.leaving(inside), int(inside[:n].sum())), inside)
    return best


def _small(amount: NDArray[np.object_]) -> NDArray[np.generic]:
    try:
        narrow: NDArray[np.generic] = amount.astype(np.int64)
    except OverflowError:
        return amount
    return narrow if float(np.abs(narrow).astype(np.float64).sum()) < 2.0**60 else amount


def _narrowest_port(network: Network) -> Cut:
    """Cut off the one rank that the least can enter."""
    into = [0] * network.nodes
    for v, c in zip(network.target.tolist(), network.amount.tolist(), strict=True):
        into[v] += c
    rank = min(range(network.ranks), key=lambda v: into[v])
    return Cut(Fraction(into[rank], network.ranks - 1), np.arange(network.nodes) != rank)


def gather_feasible(network: Network, amount: int, sinks: Sequence[int] | None = None) -> bool:
    """Whether every rank can send `amount` units/s of its own to all others at once.

    Parameters
    ----------
    network : Network
    amount : int
    sinks : sequence of int, optional
        As in `gather_rate`.

    Returns
    -------
    bool
    """
    n, solver = network.ranks, _gather_solver(network)
    room = _small(np.concatenate([network.amount, np.full(n, amount, dtype=object)]))
    wanted = n * amount
    return all(
        solver.run(room, network.nodes, v, wanted) == wanted for v in (range(n) if sinks is None else sinks)
    )


def broadcast_rate(network: Network, sinks: Sequence[int] | None = None, root: int = 0) -> Cut:
    """Largest rate at which one rank can send the same data to all others.

    Parameters
    ----------
    network : Network
        Of 2 or more ranks.
    sinks : sequence of int, optional
        Ranks to look at. Default: all.
    root : int

    Returns
    -------
    Cut
        The least capacity that leaves a set with the root and without some rank, and that set.

    References
    ----------
    Edmonds, "Edge-disjoint branchings", 1973.

    Examples
    --------
    >>> from topo_sim.collectives.optimum.network import make_network
    >>> from topo_sim.topo import torus
    >>> broadcast_rate(make_network(torus(8, bandwidth=1.0), 8)).rate
    Fraction(2, 1)
    """
    solver = Solver(network.nodes, network.source, network.target)
    amount = _small(network.amount)
    inside = np.arange(network.nodes) == root
    best = Cut(Fraction(network.leaving(inside)), inside)
    for sink in range(network.ranks) if sinks is None else sinks:
        if sink != root and best.rate:
            found = solver.run(amount, root, sink, int(best.rate))
            if found < best.rate:
                best = Cut(Fraction(found), solver.reached.copy())
    return best
