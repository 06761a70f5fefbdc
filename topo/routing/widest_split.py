"""Equal-cost multipath over the widest of the shortest paths alone."""

from topo_sim.topo.fabric import Fabric
from topo_sim.topo.flow.paths import Paths
from topo_sim.topo.routing.common import Flows, routing, search_shares

__all__ = ["widest_split"]


@routing("widest_split", "as ecmp_split, over the widest of the shortest paths: fast links before slow ones")
def widest_split(fabric: Fabric, flows: Flows) -> Paths:
    """Split each flow evenly, at each hop, over the next links of the widest of its shortest paths.

    Notes
    -----
    A path is as wide as its narrowest link; parallel links count one by one. Where an NVSwitch and a network
    port lead to the same GPU in equally many hops, all goes over the NVSwitch, as collective libraries do.
    """
    return search_shares(fabric, flows, widest=True)
