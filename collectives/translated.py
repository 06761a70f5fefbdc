"""Steps that look the same from every node of a torus: one node's transfers stand for all."""

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.fold_kernels import same_everywhere
from topo_sim.collectives.step import Step
from topo_sim.topo import Fabric, route
from topo_sim.topo.flow import Paths
from topo_sim.topo.structure import Grid

__all__ = ["Translated"]

MOST_NODES = 8192


class Translated:
    """The links of a torus, one for each axis and direction.

    Parameters
    ----------
    fabric : Fabric
        That `fits`.

    Notes
    -----
    If all nodes send over the same displacements, moving the torus along an axis changes nothing: all links
    of an axis and direction are loaded alike at all times. So one of them stands for all, and the transfers
    of one node for those of all; a transfer that crosses h such links takes h times its rate on theirs.
    """

    least = 100_000
    """Transfers of a step above which it pays to look."""

    def __init__(self, fabric: Fabric) -> None:
        grid = fabric.structure
        assert isinstance(grid, Grid)
        self.fabric = fabric
        self.dims, self.strides = np.array(grid.dims), np.array(grid.strides)
        axis = np.repeat(np.arange(len(grid.dims)), np.multiply(grid.cables, 2))
        self.kind = 2 * axis + np.arange(fabric.links) % 2
        """Axis and direction of each link."""
        self.width = np.bincount(self.kind, minlength=2 * len(grid.dims)).astype(np.float64)
        some = np.maximum(self.width, 1.0)
        rate = np.bincount(self.kind, fabric.capacity, self.width.size) / some
        self.capacity = np.where(self.width > 0, rate, 1.0)  # of axes of length 1, which nobody uses
        self.latency = np.bincount(self.kind, fabric.latency, self.width.size) / some

    @staticmethod
    def fits(fabric: Fabric, routing: str) -> bool:
        """Whether a fabric is a torus with alike links along each axis, routed in dimension order.

        Parameters
        ----------
        fabric : Fabric
        routing : str

        Returns
        -------
        bool
        """
        grid = fabric.structure
        if routing != "dimension_order" or not isinstance(grid, Grid) or grid.endpoints > MOST_NODES:
            return False
        if not all(ring or k == 1 for ring, k in zip(grid.rings, grid.dims, strict=True)):
            return False
        one = Translated(fabric)
        return bool(
            np.allclose(fabric.capacity, one.capacity[one.kind], rtol=1e-12, atol=0.0)
            and np.allclose(fabric.latency, one.latency[one.kind], rtol=1e-12, atol=0.0)
        )

    def representatives(self, step: Step) -> NDArray[np.intp] | None:
        """Transfers of node 0, if all nodes send alike; else None.

        Parameters
        ----------
        step : Step
            Of equal transfers.

        Returns
        -------
        ndarray of int or None
        """
        node, nodes = self.fabric.endpoints, self.fabric.ranks
        if len(step) % nodes or step.fraction.strides != (0,):
            return None
        seen = np.zeros((nodes, nodes), dtype=np.int16)
        source, target = node[step.source], node[step.target]
        if not same_everywhere(source, target, self.dims, self.strides, seen):
            return None
        return np.flatnonzero(source == 0)

    def __call__(self, step: Step) -> Paths:
        """Paths of some transfers, over the links that stand for all."""
        paths = route(self.fabric, step.source, step.target, "dimension_order")
        flow = np.repeat(np.arange(len(paths)), np.diff(paths.indptr))
        pairs, hops = np.unique(flow * self.width.size + self.kind[paths.links], return_counts=True)
        indptr = np.searchsorted(pairs // self.width.size, np.arange(len(paths) + 1))
        return Paths(indptr, pairs % self.width.size, hops.astype(np.float64))

    def spread(self, load: NDArray[np.float64]) -> NDArray[np.float64]:
        """Load of each link, given that of the link that stands for it.

        Parameters
        ----------
        load : ndarray of float64, shape (2 * axes,)

        Returns
        -------
        ndarray of float64, shape (links,)
        """
        return load[self.kind]
