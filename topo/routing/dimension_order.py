"""Dimension-order routing on a torus or mesh."""

import numpy as np

from topo_sim.base import RoutingError
from topo_sim.topo.fabric import Fabric
from topo_sim.topo.flow.paths import Paths
from topo_sim.topo.routing.common import Flows, routing
from topo_sim.topo.routing.kernels import grid_single
from topo_sim.topo.structure import Grid

__all__ = ["dimension_order"]


@routing("dimension_order", "torus and mesh: the shorter way round each axis in turn, up on a tie")
def dimension_order(fabric: Fabric, flows: Flows) -> Paths:
    """Correct one coordinate after the other, the shorter way round; on a tie, upwards.

    References
    ----------
    Dally and Seitz, "Deadlock-free message routing in multiprocessor interconnection networks",
    IEEE Trans. Computers 1987.
    """
    grid = fabric.structure
    if not isinstance(grid, Grid):
        raise RoutingError(
            f'{fabric.name}: dimension_order needs a torus or mesh; choose "ecmp" or "ecmp_split"'
        )
    shape = [np.array(values) for values in (grid.dims, grid.strides, grid.rings, grid.cable_base)]
    return Paths.trusted(*grid_single(flows.source, flows.target, *shape))
