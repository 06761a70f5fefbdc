"""The concurrent-flow problem of a fabric and a demand, as small as it can be made without loss."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import DemandError, RoutingError
from topo_sim.topo.demands import Demand
from topo_sim.topo.demands.patterns import attachment
from topo_sim.topo.fabric import Fabric
from topo_sim.topo.throughput.kernels import price

__all__ = ["Problem", "Solution", "check_reach", "dual_bound", "make_problem"]

MOST_SITES = 8192


@dataclass(frozen=True)
class Problem:
    """Sites that send to each other over arcs; endpoints that hang on one switch are part of it.

    Parameters
    ----------
    site : ndarray of int64, shape (sites,)
        Node, numbered as here, of each switch or endpoint where traffic starts or ends.
    wanted : ndarray of float64, shape (sites, sites)
        Demand; what stays inside a site is left out.
    forwards : ndarray of bool, shape (nodes,)
    out_ptr : ndarray of int64, shape (nodes + 1,)
        Arcs are sorted by source: node n has arcs ``out_ptr[n]`` to ``out_ptr[n + 1] - 1``.
    arc_source, arc_target : ndarray of int64, shape (arcs,)
    capacity : ndarray of float64, shape (arcs,), B/s
        Parallel links are one arc.
    link_arc : ndarray of int64, shape (links,)
        Arc of each link of the fabric; -1 for the links of an endpoint that hangs on one switch.
    link_share : ndarray of float64, shape (links,)
        Part of its arc's capacity, or of what the endpoint has in that direction.
    port_load : ndarray of float64, shape (links,)
        Load of the links with arc -1, per unit of demand.
    port_limit : float, B/s
        Throughput at which the fullest of those links is full; infinite where there is none.
    """

    site: NDArray[np.int64]
    wanted: NDArray[np.float64]
    forwards: NDArray[np.bool_]
    out_ptr: NDArray[np.int64]
    arc_source: NDArray[np.int64]
    arc_target: NDArray[np.int64]
    capacity: NDArray[np.float64]
    link_arc: NDArray[np.int64]
    link_share: NDArray[np.float64]
    port_load: NDArray[np.float64]
    port_limit: float

    @property
    def in_arcs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """CSR (indptr, arcs) of the arcs into each node."""
        indptr = np.zeros(len(self.forwards) + 1, dtype=np.int64)
        np.cumsum(np.bincount(self.arc_target, minlength=len(self.forwards)), out=indptr[1:])
        return indptr, np.argsort(self.arc_target, kind="stable").astype(np.int64)

    @property
    def senders(self) -> NDArray[np.int64]:
        """Sites that send anything."""
        return np.flatnonzero(self.wanted.any(axis=1)).astype(np.int64)

    def to_links(self, load: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn loads of arcs into loads of links, parallel links sharing by capacity.

        Parameters
        ----------
        load : ndarray of float64, shape (arcs,)
            Per unit of demand.

        Returns
        -------
        ndarray of float64, shape (links,)
        """
        padded = np.append(load, 0.0)
        return padded[self.link_arc] * self.link_share + self.port_load


@dataclass(frozen=True)
class Solution:
    """What a solver proves about a problem, ports left aside.

    Parameters
    ----------
    lower : float, B/s
        Throughput of a flow that fits.
    upper : float, B/s
        Bound from arc lengths (linear-programming duality).
    load : ndarray of float64, shape (arcs,)
        Of that flow, per unit of demand.
    steps : int
        Iterations of the solver.
    """

    lower: float
    upper: float
    load: NDArray[np.float64]
    steps: int


def dual_bound(problem: Problem, length: NDArray[np.float64]) -> float:
    """Bound on the throughput from lengths of arcs: sum(capacity length) / sum(demand distance).

    Parameters
    ----------
    problem : Problem
    length : ndarray of float64, shape (arcs,)
        0 or more, not all 0.

    Returns
    -------
    float, B/s
        Infinite where nothing is sent; 0 where some demand has no path.
    """
    graph = (problem.forwards, problem.out_ptr, problem.arc_target)
    total = price(problem.senders, problem.site, problem.wanted, *graph, np.array(length, np.float64))
    return float(problem.capacity @ length / total) if total > 0 else np.inf


def check_reach(problem: Problem) -> None:
    """Raise `RoutingError` unless every demand has a path."""
    if dual_bound(problem, np.ones(len(problem.capacity))) == 0:
        raise RoutingError("no path for some demand, expected endpoints to be connected")


def make_problem(fabric: Fabric, demand: Demand) -> Problem:
    """Reduce a fabric and a demand to sites and arcs.

    Parameters
    ----------
    fabric : Fabric
    demand : Demand

    Returns
    -------
    Problem

    Raises
    ------
    DemandError
        If there are more than 8,192 sites.
    RoutingError
        If an endpoint that sends or receives has no link.

    Notes
    -----
    An endpoint that hangs on one switch never carries others' traffic: all of its own crosses its links,
    so these give a plain limit, and its demand is moved to the switch.
    """
    node, home = fabric.endpoints.astype(np.int64), attachment(fabric)
    stays = np.zeros(len(fabric.kind), dtype=bool)
    stays[node[home != node]] = True
    core = ~(stays[fabric.link_source] | stays[fabric.link_target])
    sites, group = np.unique(home, return_inverse=True)
    if len(sites) > MOST_SITES:
        raise DemandError(
            f"{fabric.name}: {len(sites):,} endpoints or edge switches send, "
            f'expected at most {MOST_SITES:,}; where it fits, method "symmetry" has no such limit'
        )
    wanted = demand.between(group.ravel().astype(np.int64), len(sites))
    np.fill_diagonal(wanted, 0.0)
    nodes, keys, arc = _arcs(fabric, sites, core)
    capacity = np.bincount(arc, fabric.capacity[core], minlength=len(keys)).astype(np.float64)
    link_arc, share = np.full(fabric.links, -1, dtype=np.int64), np.ones(fabric.links)
    link_arc[core], share[core] = arc, fabric.capacity[core] / capacity[arc]
    begin, end = np.divmod(keys, max(len(nodes), 1))
    port_load, limit = _ports(fabric, demand, stays, core)
    return Problem(
        site=np.searchsorted(nodes, sites),
        wanted=np.ascontiguousarray(wanted),
        forwards=fabric.forwards[nodes],
        out_ptr=np.searchsorted(begin, np.arange(len(nodes) + 1)).astype(np.int64),
        arc_source=begin,
        arc_target=end,
        capacity=capacity,
        link_arc=link_arc,
        link_share=share,
        port_load=port_load,
        port_limit=limit,
    )


def _arcs(
    fabric: Fabric, sites: NDArray[np.int64], core: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Nodes that are left, arcs as ``source * nodes + target`` by their place among them, arc per link."""
    ends = fabric.link_source[core].astype(np.int64), fabric.link_target[core].astype(np.int64)
    nodes = np.unique(np.concatenate([sites, *ends]))
    source, target = (np.searchsorted(nodes, end) for end in ends)
    keys, arc = np.unique(source * len(nodes) + target, return_inverse=True)
    return nodes, keys.astype(np.int64), arc.ravel().astype(np.int64)


def _ports(
    fabric: Fabric, demand: Demand, stays: NDArray[np.bool_], core: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], float]:
    """Load per unit of the links of endpoints that hang on one switch, and the throughput they allow."""
    count, node = len(fabric.kind), fabric.endpoints
    load = np.zeros(fabric.links)
    for ends, amount in ((fabric.link_source, demand.sent), (fabric.link_target, demand.received)):
        per_node, mine = np.zeros(count), stays[ends]
        per_node[node] = amount
        room = np.bincount(ends[mine], fabric.capacity[mine], minlength=count)
        load[mine] = per_node[ends[mine]] * fabric.capacity[mine] / room[ends[mine]]
    used = load > 0
    limit = float((fabric.capacity[used] / load[used]).min()) if used.any() else np.inf
    cut_off = np.bincount(fabric.link_source, minlength=count)[node] == 0
    if np.any(cut_off & (demand.sent > 0)):
        lost = fabric.names[node[int(np.argmax(cut_off & (demand.sent > 0)))]]
        raise RoutingError(f"{fabric.name}: {lost} has nothing to send over, expected a link")
    return load, limit
