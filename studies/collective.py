"""One collective on one fabric: every algorithm at every size."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from topo_sim.collectives import CollectiveCost, Router
from topo_sim.studies.best import Progress, check_sizes, profiles
from topo_sim.studies.compare import check_names
from topo_sim.topo import Fabric

__all__ = ["CollectiveTable", "cost_table"]


@dataclass(frozen=True)
class CollectiveTable:
    """Costs of the algorithms of one collective.

    Parameters
    ----------
    fabric : str
    collective : str
    costs : tuple of CollectiveCost
        By size, then by time.
    labels : tuple of str
        Algorithm and options of each.
    """

    fabric: str
    collective: str
    costs: tuple[CollectiveCost, ...]
    labels: tuple[str, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per algorithm and size.

        Returns
        -------
        list of dict
        """
        rows = []
        for label, result in zip(self.labels, self.costs, strict=True):
            row = result.to_dict() | {"algorithm": label}
            busiest = row.pop("bottleneck")
            rows.append(row | {"busiest_link": busiest[0]["name"] if busiest else None})
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Nested dictionary with units in the keys.

        Returns
        -------
        dict
        """
        results = [c.to_dict() | {"algorithm": a} for a, c in zip(self.labels, self.costs, strict=True)]
        return {"fabric": self.fabric, "collective": self.collective, "results": results}


def cost_table(
    fabric: Fabric,
    collective: str,
    sizes: Sequence[float],
    *,
    algorithms: Sequence[str] | None = None,
    ranks: int | None = None,
    routing: str | None = None,
    overhead: float = 0.0,
    seed: int = 0,
    progress: Progress | None = None,
) -> CollectiveTable:
    """Cost the algorithms of a collective on a fabric.

    Parameters
    ----------
    fabric : Fabric
    collective : str
    sizes : sequence of float, B
    algorithms : sequence of str, optional
        Default: all that are defined for so many ranks.
    ranks : int, optional
        The first so many endpoints. Default: all.
    routing, overhead, seed
        As in `topo_sim.collectives.cost`.
    progress : callable, optional
        Called with (done, total, what).

    Returns
    -------
    CollectiveTable

    Examples
    --------
    >>> from topo_sim.topo import single_switch
    >>> cost_table(single_switch(8), "all_gather", [2**20]).labels[0]
    'bruck'
    """
    values = check_sizes(sizes)
    check_names([collective], algorithms)
    found = profiles(
        fabric,
        collective,
        algorithms=algorithms,
        ranks=ranks,
        overhead=overhead,
        router=Router(fabric, routing, seed),
        progress=progress,
    )
    costs, labels = [], []
    for size in values:
        for profile in sorted(found, key=lambda one: one.time(size)):
            labels.append(profile.schedule.label)
            costs.append(profile.at(size))
    return CollectiveTable(fabric.name, collective, tuple(costs), tuple(labels))
