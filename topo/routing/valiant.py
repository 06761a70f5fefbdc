"""Valiant load balancing: by way of a random third node."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.topo.fabric import GPU, SWITCH, Fabric
from topo_sim.topo.flow.paths import Paths
from topo_sim.topo.routing.common import Flows, routing, search
from topo_sim.topo.routing.kernels import hash_values

__all__ = ["middles", "valiant"]


def middles(fabric: Fabric) -> NDArray[np.int64]:
    """Nodes to go by way of: endpoints where they forward, else the switches that endpoints are joined to.

    Only those that every endpoint reaches and that reach every endpoint.
    """
    if fabric.endpoints_forward:
        return fabric.endpoints[_is_between(fabric)[fabric.endpoints]].astype(np.int64)
    edge = np.zeros(len(fabric.kind), dtype=bool)
    edge[fabric.link_target[fabric.kind[fabric.link_source] == GPU]] = True
    return np.flatnonzero(edge & (fabric.kind == SWITCH) & _is_between(fabric))


def _is_between(fabric: Fabric) -> NDArray[np.bool_]:
    """Whether each node lies on a walk from every endpoint to every endpoint, by strong components."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order, connected_components

    def graph(keep: NDArray[np.bool_], source: NDArray[np.int32], target: NDArray[np.int32]) -> Any:
        ends = (source[keep], target[keep])
        return csr_array((np.ones(len(ends[0])), ends), shape=(len(fabric.kind),) * 2)

    source, target, forwards = fabric.link_source, fabric.link_target, fabric.forwards
    inner = graph(forwards[source] & forwards[target], source, target)
    count, component = connected_components(inner, connection="strong")
    ahead = graph(forwards[source], source, target)
    back = graph(forwards[target], target, source)
    between = np.zeros(count, dtype=bool)
    members, first = np.unique(component[forwards], return_index=True)
    for index, node in zip(members, np.flatnonzero(forwards)[first], strict=True):
        reached = (breadth_first_order(way, node, return_predecessors=False) for way in (ahead, back))
        between[index] = all(np.isin(fabric.endpoints, nodes).all() for nodes in reached)
    return between[component] & forwards


@routing("valiant", "two shortest paths by way of a random third node (seeded)")
def valiant(fabric: Fabric, flows: Flows) -> Paths:
    """Send each flow to a random node and on from there, by hashed shortest paths.

    Notes
    -----
    The node is a hash of (seed, source, target, label), among the nodes that all endpoints reach and
    that reach all; where there is none, flows take a hashed shortest path. A flow to itself stays.

    References
    ----------
    Valiant, "A scheme for fast parallel communication", SIAM J. Computing 1982.
    """
    between = middles(fabric)
    if between.size == 0:
        return search(fabric, flows, hashed=True)
    draw = hash_values(flows.source, flows.target, flows.label, flows.seed) % np.uint64(between.size)
    middle = np.where(flows.source == flows.target, flows.source, between[draw.astype(np.int64)])
    halves = (
        Flows(flows.source, middle, flows.label, flows.seed),
        Flows(middle, flows.target, flows.label, flows.seed),
    )
    return search(fabric, halves[0], hashed=True).join(search(fabric, halves[1], hashed=True))
