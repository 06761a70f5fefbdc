"""Paths for the transfers of schedules."""

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.schedule import Schedule
from topo_sim.collectives.step import Step
from topo_sim.topo import Fabric, route
from topo_sim.topo.flow import Paths

__all__ = ["Router"]

ROUTE_AT_ONCE = 2_000_000


class Router:
    """Routes transfers on one fabric, and keeps the paths of the pairs that it has seen.

    Parameters
    ----------
    fabric : Fabric
    routing : str, optional
        Default: the fabric's own.
    seed : int
    """

    def __init__(self, fabric: Fabric, routing: str | None = None, seed: int = 0) -> None:
        self.fabric, self.seed = fabric, seed
        self.routing = fabric.routing if routing is None else routing
        self.pairs: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self.paths = route(fabric, self.pairs, self.pairs, self.routing, seed=seed)

    def prepare(self, schedule: Schedule) -> None:
        """Route all pairs of a schedule at once, unless they are too many to keep."""
        if schedule.steps and schedule.transfer_count <= ROUTE_AT_ONCE:
            needed = np.unique(np.concatenate([self._key(step) for step in schedule.steps]))
            if not self._knows(needed):
                self.pairs = np.union1d(self.pairs, needed)
                target, source = np.divmod(self.pairs, self.fabric.ranks)
                self.paths = route(self.fabric, source, target, self.routing, seed=self.seed)

    def _key(self, step: Step) -> NDArray[np.int64]:
        return step.target.astype(np.int64) * self.fabric.ranks + step.source

    def _knows(self, pairs: NDArray[np.int64]) -> bool:
        place = np.searchsorted(self.pairs, pairs)
        return bool(self.pairs.size and place.max() < self.pairs.size and np.all(self.pairs[place] == pairs))

    def __call__(self, step: Step) -> Paths:
        """Paths of the transfers of a step."""
        key = self._key(step)
        if not self._knows(key):
            return route(self.fabric, step.source, step.target, self.routing, seed=self.seed)
        if np.array_equal(key, self.pairs):
            return self.paths
        return self.paths.take(np.searchsorted(self.pairs, key))
