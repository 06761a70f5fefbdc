"""A Clos with its parallel links bundled: where flows are sprayed, a bundle acts as one link."""

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.fold_kernels import fold_clos
from topo_sim.collectives.step import Step
from topo_sim.topo import Fabric
from topo_sim.topo.flow import Paths
from topo_sim.topo.structure import Clos

__all__ = ["Folded"]


class Folded:
    """The links of a Clos, bundled by the subtree that they lead out of or into.

    Parameters
    ----------
    fabric : Fabric
        With a Clos that `fits`.

    Notes
    -----
    Split evenly at every hop, a flow that leaves a subtree puts the same on each link that leads out of it.
    All those links are then equally loaded at all times, so rates are the same if one link as fast as all
    together takes their place; a path crosses two such bundles per level instead of hundreds of links.
    """

    def __init__(self, fabric: Fabric) -> None:
        clos = fabric.structure
        assert isinstance(clos, Clos)
        self.fabric = fabric
        self.down = np.array(clos.down, dtype=np.int64)
        levels = range(len(clos.down))
        subtrees = [clos.level_sizes[level] // clos.roots[level] for level in levels]
        self.base = np.append(0, np.cumsum(subtrees)).astype(np.int64)
        cables = [
            self.base[level] + np.arange(subtrees[level]).repeat(clos.cables[level] // subtrees[level])
            for level in levels
        ]
        lower = 2 * np.concatenate(cables)
        self.bundle = np.stack([lower, lower + 1], axis=1).ravel()
        """Bundle of each link."""
        self.width = np.bincount(self.bundle).astype(np.float64)
        self.capacity = np.bincount(self.bundle, fabric.capacity).astype(np.float64)
        self.latency = np.bincount(self.bundle, fabric.latency) / self.width

    @staticmethod
    def fits(fabric: Fabric, routing: str) -> bool:
        """Whether a fabric is a Clos with alike links in each bundle, and its flows are sprayed.

        Parameters
        ----------
        fabric : Fabric
        routing : str

        Returns
        -------
        bool
        """
        if routing != "ecmp_split" or not isinstance(fabric.structure, Clos):
            return False
        folded = Folded(fabric)
        mean = folded.capacity / folded.width
        return bool(
            np.allclose(fabric.capacity, mean[folded.bundle], rtol=1e-12, atol=0.0)
            and np.allclose(fabric.latency, folded.latency[folded.bundle], rtol=1e-12, atol=0.0)
        )

    def __call__(self, step: Step) -> Paths:
        """Bundles that the transfers of a step cross."""
        node = self.fabric.endpoints
        return Paths.trusted(*fold_clos(node[step.source], node[step.target], self.down, self.base))

    def spread(self, load: NDArray[np.float64]) -> NDArray[np.float64]:
        """Load of each link, given that of each bundle.

        Parameters
        ----------
        load : ndarray of float64, shape (bundles,)

        Returns
        -------
        ndarray of float64, shape (links,)
        """
        spread: NDArray[np.float64] = (load / self.width)[self.bundle]
        return spread
