"""Paths for the transfers of schedules."""

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.folded import Folded
from topo_sim.collectives.schedule import Schedule
from topo_sim.collectives.shifted import Shifted
from topo_sim.collectives.step import Step
from topo_sim.collectives.translated import Translated
from topo_sim.topo import Fabric, route
from topo_sim.topo.flow import Paths

__all__ = ["Router"]

ROUTE_AT_ONCE = 2_000_000
FOLD_ABOVE = 100_000


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
        self._folded: tuple[Folded | None] | None = None
        self._translated: tuple[Translated | Shifted | None] | None = None
        self.paths = route(fabric, self.pairs, self.pairs, self.routing, seed=seed)

    def prepare(self, schedule: Schedule) -> None:
        """Route all pairs of a schedule at once, unless they are too many to keep.

        Large steps that look the same from everywhere need one endpoint's paths alone.
        """
        largest = max(map(len, schedule.steps), default=0)
        whole = self.translated() if largest > self.fabric.ranks // 2 else None
        if whole is not None and largest > whole.least:
            return
        if schedule.steps and schedule.transfer_count <= ROUTE_AT_ONCE:
            needed = np.concatenate([self._key(step) for step in schedule.steps])
            if self._places(needed) is None:
                self.pairs = np.union1d(self.pairs, needed)
                target, source = np.divmod(self.pairs, self.fabric.ranks)
                self.paths = route(self.fabric, source, target, self.routing, seed=self.seed)

    def folded(self, schedule: Schedule) -> Folded | None:
        """Bundled links for a schedule of many transfers, where they act as the links themselves do."""
        if schedule.in_network or schedule.transfer_count <= FOLD_ABOVE:
            return None
        if self._folded is None:
            fits = Folded.fits(self.fabric, self.routing)
            self._folded = (Folded(self.fabric) if fits else None,)
        return self._folded[0]

    def translated(self) -> Translated | Shifted | None:
        """Links that stand for all, if the fabric looks the same from everywhere."""
        if self._translated is None:
            kinds: tuple[type[Translated] | type[Shifted], ...] = (Translated, Shifted)
            fitting = (kind(self.fabric) for kind in kinds if kind.fits(self.fabric, self.routing))
            self._translated = (next(fitting, None),)
        return self._translated[0]

    @property
    def uniform(self) -> Paths | None:
        """Paths of all ordered pairs of different endpoints by ecmp_split, if they have been routed."""
        all_pairs = self.pairs.size == self.fabric.ranks * (self.fabric.ranks - 1)
        return self.paths if all_pairs and self.routing == "ecmp_split" else None

    def _key(self, step: Step) -> NDArray[np.int64]:
        return step.target.astype(np.int64) * self.fabric.ranks + step.source

    def _places(self, pairs: NDArray[np.int64]) -> NDArray[np.intp] | None:
        """Where the pairs stand among those that are known, None if any is not."""
        place = np.searchsorted(self.pairs, pairs)
        known = place.size == 0 or (
            place.max() < self.pairs.size and np.array_equal(self.pairs[place], pairs)
        )
        return place if known else None

    def __call__(self, step: Step) -> Paths:
        """Paths of the transfers of a step."""
        key = self._key(step)
        if np.array_equal(key, self.pairs):
            return self.paths
        place = self._places(key)
        if place is None:
            return route(self.fabric, step.source, step.target, self.routing, seed=self.seed)
        return self.paths.take(place)
