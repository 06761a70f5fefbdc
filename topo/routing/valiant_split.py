"""Valiant load balancing with every flow spread over all middles, as rotors and Sirius do it."""

import numpy as np

from topo_sim.base import RoutingError
from topo_sim.topo.fabric import Fabric
from topo_sim.topo.flow.paths import Paths
from topo_sim.topo.routing.common import Flows, routing, search_shares
from topo_sim.topo.routing.valiant import middles

__all__ = ["valiant_split"]

MOST_HALVES = 4_000_000


@routing("valiant_split", "every flow spread evenly over all third nodes (Valiant load balancing)")
def valiant_split(fabric: Fabric, flows: Flows) -> Paths:
    """Spread each flow evenly over all nodes to go by way of, each half split over its shortest paths.

    Raises
    ------
    RoutingError
        If flows times middles are more than four million.

    Notes
    -----
    The part that would go by way of the source or the target goes straight. Where there is no node to go by
    way of, flows take their shortest paths, split evenly. So on a full mesh of n endpoints a pair sends
    ``2 / n`` of its bytes straight and ``1 / n`` by way of each of the others.

    References
    ----------
    Valiant, "A scheme for fast parallel communication", SIAM J. Computing 1982.
    """
    between = middles(fabric)
    moving = np.flatnonzero(flows.source != flows.target)
    if between.size == 0 or moving.size == 0:
        return search_shares(fabric, flows)
    if moving.size * between.size > MOST_HALVES:
        raise RoutingError(
            f"valiant_split: found {moving.size:,} flows by way of {between.size:,} nodes, expected at most "
            f"{MOST_HALVES:,} halves; take ecmp_split, or a smaller fabric"
        )
    # The halves depend on few pairs of nodes: search each pair once.
    source = np.repeat(flows.source[moving], between.size)
    target = np.repeat(flows.target[moving], between.size)
    via = np.tile(between, moving.size)
    flow = np.repeat(moving, between.size)
    nodes = np.int64(len(fabric.kind))
    keys = np.concatenate([source * nodes + via, via * nodes + target])
    pairs, which = np.unique(keys, return_inverse=True)
    ends = Flows(pairs // nodes, pairs % nodes, np.zeros(pairs.size, np.int64), flows.seed)
    halves = search_shares(fabric, ends).take(which.ravel())
    share = np.ones(halves.links.size) if halves.share is None else halves.share
    owner = np.repeat(np.concatenate([flow, flow]), np.diff(halves.indptr))
    links = np.int64(fabric.links)
    used, place = np.unique(owner * links + halves.links, return_inverse=True)
    total = np.bincount(place.ravel(), weights=share, minlength=used.size) / between.size
    indptr = np.searchsorted(used // links, np.arange(len(flows.source) + 1))
    return Paths(indptr.astype(np.int64), (used % links).astype(np.int32), total)
