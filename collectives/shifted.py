"""Steps that look the same from every endpoint of a symmetric fabric: one endpoint's stand for all."""

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.step import Step
from topo_sim.topo import Fabric, route
from topo_sim.topo.flow import Paths
from topo_sim.topo.throughput.symmetry import added, cayley

__all__ = ["Shifted"]

MOST_RANKS = 8192


class Shifted:
    """The links of a fabric that is alike from every endpoint, one for each difference of ranks.

    Parameters
    ----------
    fabric : Fabric
        That `fits`.

    Notes
    -----
    As `Translated`, for flows split evenly over all shortest paths, on any group that `cayley` sees:
    circulant rings of light paths, twisted tori. Moving all endpoints by one element maps shortest paths,
    and how they split, to themselves; so if all endpoints send over the same differences, all links of a
    class are loaded alike at all times. A transfer takes of a class what it takes of all its links together.

    Examples
    --------
    Of the flows of an all-to-all over a ring of five those of rank 0 stand for all:

    >>> from topo_sim.collectives import build_schedule
    >>> from topo_sim.topo import circuit_banks
    >>> one = Shifted(circuit_banks(5, (1,), radix=10, bandwidth=1.0))
    >>> step = build_schedule("all_to_all", "direct", 5, 1.0).steps[0]
    >>> len(step), len(one.representatives(step)), one.capacity.tolist()
    (20, 4, [1.0, 1.0])
    """

    least = 2_000
    """Transfers of a step above which it pays to look."""

    def __init__(self, fabric: Fabric) -> None:
        group = cayley(fabric)
        assert group is not None
        self.fabric = fabric
        self.kind = group.link_class
        """Difference of ranks that each link leads over."""
        self.capacity = group.capacity
        count = np.bincount(self.kind, minlength=len(self.capacity))
        self.latency = np.bincount(self.kind, fabric.latency, len(self.capacity)) / count

    @staticmethod
    def fits(fabric: Fabric, routing: str) -> bool:
        """Whether a fabric is alike from every endpoint, latencies included, and its flows are split evenly.

        Parameters
        ----------
        fabric : Fabric
        routing : str

        Returns
        -------
        bool
        """
        if routing != "ecmp_split" or fabric.ranks > MOST_RANKS:
            return False
        group = cayley(fabric)
        if group is None or fabric.ranks * len(group.capacity) != fabric.links:
            return False
        one = Shifted(fabric)
        return bool(np.allclose(fabric.latency, one.latency[one.kind], rtol=1e-12, atol=0.0))

    def representatives(self, step: Step) -> NDArray[np.intp] | None:
        """Transfers of rank 0, if all ranks send alike; else None.

        Parameters
        ----------
        step : Step
            Of equal transfers.

        Returns
        -------
        ndarray of int or None
        """
        ranks = self.fabric.ranks
        if len(step) % ranks or step.fraction.strides != (0,):
            return None
        apart = added(self.fabric, step.source.astype(np.int64), step.target.astype(np.int64))
        keys, often = np.unique(apart * ranks + step.source, return_counts=True)
        _, sources = np.unique(keys // ranks, return_counts=True)
        if (sources != ranks).any() or np.any(often.reshape(-1, ranks) != often[::ranks, None]):
            return None
        return np.flatnonzero(step.source == 0)

    def __call__(self, step: Step) -> Paths:
        """Paths of some transfers, over the links that stand for all."""
        paths = route(self.fabric, step.source, step.target, "ecmp_split")
        classes = len(self.capacity)
        flow = np.repeat(np.arange(len(paths)), np.diff(paths.indptr))
        pairs, place = np.unique(flow * classes + self.kind[paths.links], return_inverse=True)
        share = np.ones(len(flow)) if paths.share is None else paths.share
        indptr = np.searchsorted(pairs // classes, np.arange(len(paths) + 1))
        used: NDArray[np.float64] = np.bincount(place.ravel(), share, len(pairs)).astype(np.float64)
        return Paths(indptr, pairs % classes, used)

    def spread(self, load: NDArray[np.float64]) -> NDArray[np.float64]:
        """Load of each link, given that of the link that stands for it.

        Parameters
        ----------
        load : ndarray of float64, shape (classes,)

        Returns
        -------
        ndarray of float64, shape (links,)
        """
        return load[self.kind]
