"""One deterministic shortest path."""

from topo_sim.topo.fabric import Fabric
from topo_sim.topo.flow.paths import Paths
from topo_sim.topo.routing.common import Flows, clos_arrays, routing, search
from topo_sim.topo.routing.kernels import clos_single
from topo_sim.topo.structure import Clos

__all__ = ["shortest"]


@routing("shortest", "one deterministic shortest path: the first link at each hop")
def shortest(fabric: Fabric, flows: Flows) -> Paths:
    """Take the lowest-numbered link of those that lie on a shortest path, at each hop."""
    if isinstance(fabric.structure, Clos):
        ends = (flows.source, flows.target, flows.label, flows.seed, False)
        return Paths.trusted(*clos_single(*ends, **clos_arrays(fabric.structure)))
    return search(fabric, flows, hashed=False)
