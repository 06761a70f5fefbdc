"""One collective on one fabric: every algorithm at every size."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError, UsageError
from topo_sim.collectives import CollectiveCost, LowerBound, Router, Schedule, cost_profile, lower_bound
from topo_sim.collectives.algorithms.registry import option_text
from topo_sim.studies.best import Progress, check_sizes, cost_row, schedules_for
from topo_sim.studies.collective_matrix import schedules_of_matrix
from topo_sim.studies.compare import check_names
from topo_sim.studies.models import AskedModel, model_costs, read_models
from topo_sim.topo import Fabric

__all__ = ["CollectiveTable", "cost_table"]

Column = list[tuple[str, CollectiveCost]]


@dataclass(frozen=True)
class CollectiveTable:
    """Costs of the algorithms of one collective.

    Parameters
    ----------
    fabric : str
    collective : str
    costs : tuple of CollectiveCost
        By size, then by the time of the first model, then by model; last the models that run an algorithm
        of their own.
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
            row = cost_row(result) | {"algorithm": label}
            busiest = row.pop("bottleneck")
            rows.append(row | {"busiest_link": busiest[0]["name"] if busiest else None})
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Nested dictionary with units in the keys.

        Returns
        -------
        dict
        """
        results = [cost_row(c) | {"algorithm": a} for a, c in zip(self.labels, self.costs, strict=True)]
        return {"fabric": self.fabric, "collective": self.collective, "results": results}


def cost_table(
    fabric: Fabric,
    collective: str,
    sizes: Sequence[float],
    *,
    algorithms: Sequence[str] | None = None,
    schedule: Schedule | None = None,
    matrix: NDArray[np.float64] | None = None,
    models: Sequence[str] = ("step",),
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
    schedule : Schedule, optional
        Cost this one, not the algorithms.
    matrix : ndarray of float64, shape (p, p), B, optional
        Of an all-to-all-v: bytes from each rank to each other, in proportion to the size, which is the
        largest sum of a row. Default: uniform.
    models : sequence of str
        Cost models, as ``NAME`` or ``NAME@SETTING=VALUE,...``: a row for each that covers the algorithm.
    ranks : int, optional
        The first so many endpoints. Default: all; with a schedule, its own.
    routing, overhead, seed
        As in `topo_sim.collectives.cost`.
    progress : callable, optional
        Called with (done, total, what).

    Returns
    -------
    CollectiveTable

    Raises
    ------
    UsageError, UnknownNameError
        If something is asked for that there is not.
    CollectiveError
        If a model covers none of the algorithms, or not one that is asked for by name.

    Examples
    --------
    >>> from topo_sim.topo import single_switch
    >>> cost_table(single_switch(8), "all_gather", [2**20]).labels[0]
    'bruck'
    """
    values = check_sizes(sizes).tolist()
    asked = read_models(models, routing=routing, overhead=overhead, seed=seed)
    if not asked:
        raise UsageError("models: found none, expected at least one")
    if schedule is None:
        check_names([collective], algorithms)
        schedules = (
            schedules_for(fabric, collective, algorithms, ranks)
            if matrix is None
            else schedules_of_matrix(fabric, collective, matrix, algorithms, ranks)
        )
    elif matrix is not None:
        raise UsageError("found a schedule and a matrix, expected one of the two")
    else:
        schedules = [_only(schedule, fabric, collective, algorithms, ranks)]
    p = schedules[0].ranks
    bounds = {
        inside: lower_bound(schedules[0].collective, fabric, p, overhead=overhead, in_network=inside)
        for inside in {False, *(one.in_network for one in schedules)}
    }
    router = Router(fabric, routing, seed)

    def columns(model: AskedModel, one: Schedule) -> Column:
        return _costs(model, one, fabric, values, bounds[one.in_network], router, overhead)

    theirs = [model for model in asked if model.model.chooses is not None]
    ours = [model for model in asked if model.model.chooses is None]
    strict = bool(algorithms) or schedule is not None
    found = _covered(ours, schedules, columns, strict, progress)
    own = [columns(model, schedules[0]) for model in theirs]
    return _arranged(fabric.name, collective, len(values), found, own)


def _covered(
    models: Sequence[AskedModel],
    schedules: Sequence[Schedule],
    columns: Callable[[AskedModel, Schedule], Column],
    strict: bool,
    progress: Progress | None,
) -> list[list[Column]]:
    """Cost every schedule by every model that covers it; if strict, each must."""
    found: list[list[Column]] = []
    covers: set[str] = set()
    refused: dict[str, CollectiveError] = {}
    for done, schedule in enumerate(schedules if models else ()):
        if progress:
            progress(done, len(schedules), f"{schedule.collective.name}: {schedule.algorithm}")
        found.append([])
        for model in models:
            try:
                found[-1].append(columns(model, schedule))
                covers.add(model.label)
            except CollectiveError as error:
                if strict:
                    raise
                refused.setdefault(model.label, error)
    for label, refusal in refused.items():
        if label not in covers:
            raise refusal
    return [column for column in found if column]


def _only(
    schedule: Schedule, fabric: Fabric, collective: str, algorithms: Sequence[str] | None, ranks: int | None
) -> Schedule:
    """Check that a schedule is what is asked for."""
    if schedule.collective.name != collective:
        raise UsageError(f"the schedule does {schedule.collective.name}, expected {collective}")
    if algorithms:
        raise UsageError(f"found a schedule and the algorithm {algorithms[0]}, expected one of the two")
    if ranks not in (None, schedule.ranks) or schedule.ranks > fabric.ranks:
        wanted = f"at most the {fabric.ranks} of {fabric.name}" if ranks in (None, schedule.ranks) else ranks
        raise UsageError(f"the schedule is for {schedule.ranks} ranks, expected {wanted}")
    return schedule


def _costs(
    asked: AskedModel,
    schedule: Schedule,
    fabric: Fabric,
    sizes: Sequence[float],
    bound: LowerBound,
    router: Router,
    overhead: float,
) -> Column:
    """Label and cost at every size, by one model."""
    if asked.model.name == "step" and not asked.own:
        profile = cost_profile(schedule, fabric, overhead=overhead, bound=bound, router=router)
        costs = [profile.at(size) for size in sizes]
    else:
        costs = model_costs(asked, schedule, fabric, sizes, bound, router.routing)
    suffix = _options(schedule) if asked.model.chooses is None else ""
    return [(cost.algorithm + suffix, cost) for cost in costs]


def _options(schedule: Schedule) -> str:
    """Options in brackets, those left out that have no value; an all-to-all-v without matrix is uniform."""
    given = [f"{name}={option_text(value)}" for name, value in schedule.options.items() if value is not None]
    if schedule.collective.name == "all_to_all_v" and schedule.options.get("matrix", 0) is None:
        given.append("uniform")
    return f"({','.join(given)})" if given else ""


def _arranged(
    fabric: str, collective: str, sizes: int, found: list[list[Column]], own: list[Column]
) -> CollectiveTable:
    rows: Column = []
    for i in range(sizes):
        for columns in sorted(found, key=lambda columns: columns[0][i][1].time):
            rows += [column[i] for column in columns]
        rows += [column[i] for column in own]
    return CollectiveTable(fabric, collective, tuple(c for _, c in rows), tuple(label for label, _ in rows))
