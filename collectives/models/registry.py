"""The contract of a cost model, and the registry of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import CollectiveError, Registry, UsageError, nearest
from topo_sim.collectives.schedule import Schedule
from topo_sim.topo import Fabric

__all__ = ["COST_MODELS", "CostModel", "register"]


@dataclass(frozen=True)
class CostModel:
    """A rule that says how long a schedule takes on a fabric.

    Parameters
    ----------
    name : str
        As users write it.
    summary : str
        One line: what it sees and what it leaves out.
    evaluate : callable
        ``evaluate(schedule, fabric, sizes, **settings)`` returns the seconds at each of the sizes
        (float64[N], B); the size of the schedule itself is not looked at.
    reference : str
        Where it is described.
    settings : mapping
        Default value of every setting.
    chooses : callable, optional
        ``chooses(schedule, fabric, **settings)`` names the algorithm of a model that runs its own: it
        takes the collective and the ranks of a schedule, and looks at nothing else of it.
    in_network : bool
        Whether it covers schedules in which switches combine.
    groups : bool
        Whether it covers several groups of ranks at once (`topo_sim.collectives.on_groups`).
    """

    name: str
    summary: str
    evaluate: Callable[..., NDArray[np.float64]] = field(repr=False)
    reference: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    chooses: Callable[..., str] | None = field(default=None, repr=False)
    in_network: bool = False
    groups: bool = False

    def complete(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Complete settings with their defaults.

        Parameters
        ----------
        settings : mapping

        Returns
        -------
        dict

        Raises
        ------
        UsageError
            If there is no such setting.
        """
        for name in settings:
            if name not in self.settings:
                raise UsageError(
                    f'unknown setting "{name}" of cost model {self.name}: {nearest(name, self.settings)}'
                )
        return {**self.settings, **settings}

    def times(
        self, schedule: Schedule, fabric: Fabric, sizes: ArrayLike, **settings: Any
    ) -> NDArray[np.float64]:
        """Time a schedule at several sizes.

        Parameters
        ----------
        schedule : Schedule
        fabric : Fabric
        sizes : array_like of float, shape (N,), B
            As nccl-tests counts them.
        **settings
            Those of the model.

        Returns
        -------
        ndarray of float64, shape (N,), s

        Raises
        ------
        UsageError
            If a size is negative or no finite number, or there is no such setting.
        CollectiveError
            If the model does not cover the schedule or the fabric.
        """
        wanted = np.atleast_1d(np.asarray(sizes, dtype=np.float64))
        if not np.all(np.isfinite(wanted) & (wanted >= 0)):
            raise UsageError("sizes: found a negative, infinite or NaN size, expected bytes of 0 or more")
        if schedule.in_network and not self.in_network and self.chooses is None:
            raise CollectiveError(
                f'cost model {self.name} does not cover sums in switches ({schedule.algorithm}); use "step"'
            )
        if schedule.collective.members and not self.groups:
            count = len(schedule.collective.members)
            raise CollectiveError(
                f"cost model {self.name}: found {count} group{'' if count == 1 else 's'} at once, expected "
                'one collective over all ranks; use "step", "fluid" or "loggp"'
            )
        return self.evaluate(schedule, fabric, wanted, **self.complete(settings))


COST_MODELS: Registry[CostModel] = Registry("cost model")
"""The cost models, by name."""


def register(model: CostModel) -> CostModel:
    """Enter a model into `COST_MODELS`; a name that is taken raises ``ValueError``.

    Parameters
    ----------
    model : CostModel

    Returns
    -------
    CostModel
        The same.
    """
    COST_MODELS.add(model.name, model)
    return model
