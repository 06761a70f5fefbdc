"""Valiant load balancing: by way of a random third node."""

import numpy as np
from numpy.typing import NDArray

from topo_sim.topo.fabric import GPU, SWITCH, Fabric
from topo_sim.topo.flow.paths import Paths
from topo_sim.topo.routing.common import Flows, routing, search
from topo_sim.topo.routing.dimension_order import dimension_order
from topo_sim.topo.routing.kernels import hash_values
from topo_sim.topo.structure import Clos, Grid

__all__ = ["valiant"]


def _middles(fabric: Fabric) -> NDArray[np.int64]:
    """Nodes to go by way of: top switches of a Clos, endpoints where they forward, else edge switches."""
    if isinstance(fabric.structure, Clos):
        return np.arange(fabric.structure.level_base[-1], len(fabric.kind))
    if fabric.endpoints_forward:
        return fabric.endpoints.astype(np.int64)
    edge = np.zeros(len(fabric.kind), dtype=bool)
    edge[fabric.link_target[fabric.kind[fabric.link_source] == GPU]] = True
    return np.flatnonzero(edge & (fabric.kind == SWITCH))


def _join(first: Paths, second: Paths) -> Paths:
    """Put the two halves of each flow one behind the other."""
    indptr = first.indptr + second.indptr
    links = np.empty(indptr[-1], dtype=np.int32)
    links[np.arange(first.links.size) + np.repeat(second.indptr[:-1], np.diff(first.indptr))] = first.links
    links[np.arange(second.links.size) + np.repeat(first.indptr[1:], np.diff(second.indptr))] = second.links
    return Paths(indptr, links)


@routing("valiant", "two shortest paths by way of a random third node (seeded)")
def valiant(fabric: Fabric, flows: Flows) -> Paths:
    """Send each flow to a random node and on from there, by hashed shortest paths.

    Notes
    -----
    The node is a hash of (seed, source, target, label). A flow to itself stays.

    References
    ----------
    Valiant, "A scheme for fast parallel communication", SIAM J. Computing 1982.
    """
    middles = _middles(fabric)
    if middles.size == 0:
        return search(fabric, flows, hashed=True)
    draw = hash_values(flows.source, flows.target, flows.label, flows.seed) % np.uint64(middles.size)
    middle = np.where(flows.source == flows.target, flows.source, middles[draw.astype(np.int64)])
    halves = (
        Flows(flows.source, middle, flows.label, flows.seed),
        Flows(middle, flows.target, flows.label, flows.seed),
    )
    if isinstance(fabric.structure, Grid):
        return _join(dimension_order(fabric, halves[0]), dimension_order(fabric, halves[1]))
    return _join(search(fabric, halves[0], hashed=True), search(fabric, halves[1], hashed=True))
