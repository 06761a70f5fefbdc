"""Equal-cost multipath with every flow split: ideal packet spraying."""

from topo_sim.topo.fabric import Fabric
from topo_sim.topo.flow.paths import Paths
from topo_sim.topo.routing.common import Flows, clos_arrays, routing, search_shares
from topo_sim.topo.routing.kernels import clos_split
from topo_sim.topo.structure import Clos

__all__ = ["ecmp_split"]


@routing("ecmp_split", "every flow split evenly over all next links at each hop (packet spraying)")
def ecmp_split(fabric: Fabric, flows: Flows) -> Paths:
    """Split each flow evenly over the next links of its shortest paths, at each hop.

    Notes
    -----
    Even per hop, not per path: paths that share no early branch carry more.
    """
    if isinstance(fabric.structure, Clos):
        arrays = clos_arrays(fabric.structure)
        del arrays["level_base"]
        return Paths.trusted(*clos_split(flows.source, flows.target, **arrays))
    return search_shares(fabric, flows)
