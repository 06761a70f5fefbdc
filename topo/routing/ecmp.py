"""Equal-cost multipath: each flow hashed onto one shortest path."""

from topo_sim.topo.fabric import Fabric
from topo_sim.topo.flow.paths import Paths
from topo_sim.topo.routing.common import Flows, clos_arrays, routing, search
from topo_sim.topo.routing.kernels import clos_single
from topo_sim.topo.structure import Clos

__all__ = ["ecmp"]


@routing("ecmp", "one shortest path per flow, hashed over all of them hop by hop (seeded)")
def ecmp(fabric: Fabric, flows: Flows) -> Paths:
    """Hash (seed, source, target, label, node) at each hop to one of the next links.

    References
    ----------
    RFC 2992, "Analysis of an Equal-Cost Multi-Path Algorithm".
    """
    if isinstance(fabric.structure, Clos):
        ends = (flows.source, flows.target, flows.label, flows.seed, True)
        return Paths.trusted(*clos_single(*ends, **clos_arrays(fabric.structure)))
    return search(fabric, flows, hashed=True)
