"""What a whole traffic matrix puts on each link, without listing its flows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import RoutingError
from topo_sim.topo.demands import Demand, make_demand
from topo_sim.topo.demands.patterns import attachment
from topo_sim.topo.fabric import Fabric
from topo_sim.topo.load_kernels import split_loads
from topo_sim.topo.routing import ROUTINGS, route
from topo_sim.topo.routing.valiant import middles
from topo_sim.topo.structure import Clos

__all__ = ["link_loads"]

CHUNK_FLOWS = 1_000_000
CHUNK_STEPS = 200_000_000

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class _Rows:
    """What nodes send to some roots: ``base[node] * scale[root]`` plus a sparse row per root."""

    roots: NDArray[np.int64]
    base: NDArray[np.float64]
    scale: NDArray[np.float64]
    indptr: NDArray[np.int64]
    node: NDArray[np.int64]
    amount: NDArray[np.float64]


def link_loads(
    fabric: Fabric,
    demand: Demand | Path | ArrayLike,
    routing: str = "ecmp_split",
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """Load of every link per unit of demand under a routing.

    Parameters
    ----------
    fabric : Fabric
    demand : Demand, str, Path or array_like of shape (ranks, ranks)
        As `make_demand` takes it.
    routing : str
        "ecmp_split" (or "spray", the same), "valiant", or any routing of one path per flow.
    seed : int
        Of demands that draw and of hashed routings, 0 or more.
    progress : callable, optional
        Called as ``progress(done, total, what)``.

    Returns
    -------
    ndarray of float64, shape (links,)
        In units of the demand. ``capacity / load``, least over the links, is the throughput of the routing.

    Raises
    ------
    RoutingError
        If a pair is not connected, or the routing does not fit the fabric.
    DemandError, UnknownNameError, UsageError
        As from `make_demand`.

    Notes
    -----
    Splitting evenly at every hop makes loads linear in the demand and the same for all flows that meet at
    a node on the way to one target. So traffic is summed per target, from the farthest node inwards:
    O(targets x links) whatever the number of pairs, and endpoints behind one switch are one target. In a
    Clos all uplinks of a subtree carry the same: what leaves it, divided by their number; O(endpoints) in
    all. "valiant" is the mean over its draws, which is "valiant_split": uniform from every source to the
    middles and on to every target. Other routings are routed flow by flow, a million at a time.

    Examples
    --------
    >>> from topo_sim.topo import fat_tree, torus
    >>> link_loads(torus(8), "all_to_all").round(4).tolist()[:2]
    [1.1429, 1.1429]
    >>> float(link_loads(fat_tree(4), "all_to_all").max())
    1.0
    """
    made = make_demand(fabric, demand, seed=seed)
    if routing in ("valiant", "valiant_split"):
        return _valiant(fabric, made, progress)
    if routing in ("ecmp_split", "spray"):
        if isinstance(fabric.structure, Clos):
            return _clos(fabric, fabric.structure, made)
        return _split(fabric, _to_targets(fabric, made), progress) + _last_links(fabric, made)
    return _routed(fabric, made, ROUTINGS[routing].name, seed, progress)


def _clos(fabric: Fabric, clos: Clos, demand: Demand) -> NDArray[np.float64]:
    """Spread what leaves and enters each subtree evenly over its links."""
    load = np.zeros(fabric.links)
    rank = np.arange(fabric.ranks)
    for level, children in enumerate(clos.down):
        subtrees = clos.level_sizes[level] // clos.roots[level]
        out, into = demand.leaving(rank, subtrees)
        width = clos.roots[level] * clos.up[level] * clos.trunk[level]
        first = 2 * clos.cable_base[level]
        last = first + 2 * clos.cables[level]
        load[first:last:2] = np.repeat(out / width, width)
        load[first + 1 : last : 2] = np.repeat(into / width, width)
        rank = rank // children
    return load


def _to_targets(fabric: Fabric, demand: Demand) -> _Rows:
    """Sum what every node sends to each node where targets hang, less what ranks would send to themselves."""
    home = attachment(fabric)
    roots, index = np.unique(home, return_inverse=True)
    node = fabric.endpoints.astype(np.int64)
    source, target, amount = demand.entries
    behind = np.flatnonzero(home != node) if demand.uniform else np.zeros(0, dtype=np.int64)
    root = np.concatenate([index[target], index[behind]])
    order = np.argsort(root, kind="stable")
    indptr = np.zeros(len(roots) + 1, dtype=np.int64)
    np.cumsum(np.bincount(root, minlength=len(roots)), out=indptr[1:])
    base = np.zeros(len(fabric.kind))
    base[node] = demand.uniform
    return _Rows(
        roots=roots,
        base=base,
        scale=np.bincount(index, minlength=len(roots)).astype(np.float64),
        indptr=indptr,
        node=np.concatenate([node[source], node[behind]])[order],
        amount=np.concatenate([amount, np.full(len(behind), -demand.uniform)])[order],
    )


def _product(
    fabric: Fabric, base: NDArray[np.float64], roots: NDArray[np.int64], scale: NDArray[np.float64]
) -> _Rows:
    none = np.zeros(0, dtype=np.int64)
    return _Rows(roots, base, scale, np.zeros(len(roots) + 1, dtype=np.int64), none, np.zeros(0))


def _split(fabric: Fabric, rows: _Rows, progress: Progress | None) -> NDArray[np.float64]:
    """Run the kernel over some roots at a time, so that it can be interrupted and followed."""
    load = np.zeros(fabric.links)
    ends = (fabric.link_source, fabric.link_target)
    graph = (fabric.forwards, *fabric.in_links, *fabric.out_links, *ends)
    step = max(CHUNK_STEPS // (fabric.links + len(fabric.kind) + 1), 1)
    for first in range(0, len(rows.roots), step):
        chosen = slice(first, first + step)
        indptr = rows.indptr[first : first + step + 1]
        roots = rows.roots[chosen]
        i, lost = split_loads(
            roots, rows.scale[chosen], rows.base, indptr, rows.node, rows.amount, *graph, load
        )
        if lost >= 0:
            ends_text = f"{fabric.names[lost]} -> {fabric.names[roots[i]]}"
            raise RoutingError(f"{fabric.name}: no path for {ends_text}, expected one for every demand")
        if progress is not None:
            progress(min(first + step, len(rows.roots)), len(rows.roots), "loads per target")
    return load


def _last_links(fabric: Fabric, demand: Demand) -> NDArray[np.float64]:
    """Load from the switch to each endpoint that hangs on one switch alone."""
    home, node = attachment(fabric), fabric.endpoints
    behind = np.flatnonzero(home != node)
    arriving = np.zeros(len(fabric.kind))
    parallel = np.bincount(fabric.link_target, minlength=len(fabric.kind))
    arriving[node[behind]] = demand.received[behind] / parallel[node[behind]]
    return arriving[fabric.link_target]


def _valiant(fabric: Fabric, demand: Demand, progress: Progress | None) -> NDArray[np.float64]:
    """Mean over the draws of the third node: two uniform halves."""
    between = middles(fabric)
    if between.size == 0:
        return link_loads(fabric, demand, progress=progress)
    sent, even = np.zeros(len(fabric.kind)), np.zeros(len(fabric.kind))
    sent[fabric.endpoints] = demand.sent / between.size
    even[between] = 1 / between.size
    home = attachment(fabric)
    received = np.bincount(home, demand.received, minlength=len(fabric.kind)).astype(np.float64)
    roots = np.flatnonzero(received)
    there = _split(fabric, _product(fabric, sent, between, np.ones(between.size)), progress)
    on = _split(fabric, _product(fabric, even, roots, received[roots]), progress)
    return there + on + _last_links(fabric, demand)


def _routed(
    fabric: Fabric, demand: Demand, routing: str, seed: int, progress: Progress | None
) -> NDArray[np.float64]:
    """Route every pair by itself, some at a time."""
    source, target, amount = demand.pairs()
    load = np.zeros(fabric.links)
    order = np.argsort(target, kind="stable")
    for some in _chunks(len(source), CHUNK_FLOWS, progress):
        flows = order[some]
        paths = route(fabric, source[flows], target[flows], routing, seed=seed)
        load += paths.load(amount[flows], fabric.links)
    return load


def _chunks(count: int, step: int, progress: Progress | None) -> Iterator[NDArray[np.int64]]:
    for first in range(0, count, step):
        yield np.arange(first, min(first + step, count))
        if progress is not None:
            progress(min(first + step, count), count, "routes")
