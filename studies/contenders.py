"""Schedules that may be the fastest somewhere: what there is to try, and what each takes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError, UsageError
from topo_sim.collectives import (
    ALGORITHMS,
    CollectiveCost,
    CostProfile,
    LowerBound,
    Router,
    Schedule,
    build_schedule,
    cost_profile,
)
from topo_sim.studies.best import Progress, candidates
from topo_sim.studies.compare import check_names
from topo_sim.studies.envelope import NOISE, Envelope, Line, search_ranges, trace_profile
from topo_sim.studies.models import AskedModel, model_costs
from topo_sim.studies.tuning import TunedRange
from topo_sim.topo import Fabric

__all__ = ["Contender", "Task", "ask_model", "options_to_try", "schedules_to_try", "search", "solve_steps"]

SEGMENTS = tuple(2**k for k in range(11))


def options_to_try(
    fabric: Fabric, collective: str, algorithms: Sequence[str] | None, ranks: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Algorithms with all options that the tuner looks at: segments by powers of two up to 1024.

    Parameters
    ----------
    fabric : Fabric
    collective : str
    algorithms : sequence of str, optional
        Only these.
    ranks : int

    Yields
    ------
    name : str
    options : dict

    Examples
    --------
    >>> from topo_sim.topo import single_switch
    >>> tried = list(options_to_try(single_switch(4), "broadcast", ["binomial_tree", "chain"], 4))
    >>> len(tried), tried[0], tried[-1]
    (12, ('binomial_tree', {}), ('chain', {'segments': 1024}))
    """
    seen: set[str] = set()
    for name, options in candidates(collective, algorithms, ranks, fabric):
        if name in seen:
            continue
        seen.add(name)
        tunable = ALGORITHMS[collective][name].tunable
        shape = {option: value for option, value in options.items() if option not in tunable}
        choices = [SEGMENTS if option == "segments" else tunable[option] for option in tunable]
        for values in product(*choices):
            yield name, dict(zip(tunable, values, strict=True)) | shape


@dataclass(frozen=True)
class Contender:
    """A schedule that may win.

    Parameters
    ----------
    schedule : Schedule
    costs : callable
        Its costs at any sizes.
    times : ndarray of float64, shape (N,), s
        At the sizes of a grid; infinite where it was not asked, as it cannot win or is not likely to.
    """

    schedule: Schedule
    costs: Callable[[Sequence[float]], list[CollectiveCost]]
    times: NDArray[np.float64]

    def between(self, first: float, last: float) -> TunedRange:
        """Cost it at the two ends of a range of sizes, B."""
        low, high = self.costs([first, last])
        return TunedRange(self.schedule.label, dict(self.schedule.options), low, high)


@dataclass(frozen=True)
class Task:
    """What is to be tuned.

    Parameters
    ----------
    fabric : Fabric
    collective : str
    schedules : list of Schedule
        By number of steps.
    bounds : dict from bool to LowerBound
        With switches combining (True) or not.
    router : Router
    overhead : float, s
    progress : callable, optional
        Called with (done, total, what).
    """

    fabric: Fabric
    collective: str
    schedules: list[Schedule]
    bounds: dict[bool, LowerBound]
    router: Router
    overhead: float
    progress: Progress | None

    def each(self) -> Iterator[Schedule]:
        """Go through the schedules, by number of steps."""
        for done, schedule in enumerate(self.schedules):
            if self.progress:
                self.progress(done, len(self.schedules), f"{self.collective}: {schedule.label}")
            yield schedule


def schedules_to_try(
    fabric: Fabric, collective: str, algorithms: Sequence[str] | None, ranks: int | None
) -> list[Schedule]:
    """Build every schedule that there is to try.

    Parameters
    ----------
    fabric : Fabric
    collective : str
    algorithms : sequence of str, optional
        Default: all that suit the fabric.
    ranks : int, optional
        Default: all endpoints.

    Returns
    -------
    list of Schedule
        By number of steps, at size 0.

    Raises
    ------
    UsageError
        If there are not so many endpoints, or no algorithm is left.
    """
    check_names([collective], algorithms)
    p = fabric.ranks if ranks is None else ranks
    if isinstance(p, bool) or not isinstance(p, int) or not 1 <= p <= fabric.ranks:
        raise UsageError(f"ranks: found {p!r}, expected 1 to the {fabric.ranks} endpoints of {fabric.name}")
    tried = list(options_to_try(fabric, collective, algorithms, p))
    if not tried:
        names = ", ".join(sorted(ALGORITHMS[collective]))
        raise UsageError(
            f"{collective} on {p} ranks: none of {', '.join(algorithms or ())} fits; choose from {names}"
        )
    schedules = [build_schedule(collective, name, p, 0, **options) for name, options in tried]
    return sorted(schedules, key=lambda schedule: schedule.step_count)


def solve_steps(
    task: Task, low: int, high: int, grid: NDArray[np.float64]
) -> tuple[list[Contender], Envelope | None]:
    """Solve what can win by the model `step`, exactly, and find the least of all times.

    Parameters
    ----------
    task : Task
    low, high : int, B
        Sizes that matter, `low` below `high`.
    grid : ndarray of float64, shape (N,), B
        Sizes between them.

    Returns
    -------
    found : list of Contender
    least : Envelope or None
        Its owners are places in `found`. None if there was nothing to try.
    """
    found: list[Contender] = []
    least: Envelope | None = None
    ends = np.array([low, high], dtype=np.float64)
    for schedule in task.each():
        bound = task.bounds[schedule.in_network]
        # A step takes a latency at least (switches add no overhead), and all bytes the bound's pace.
        each = bound.first - (task.overhead if schedule.in_network else 0.0)
        floor = Line(ends, schedule.step_count * each + bound.pace * ends)
        if least is not None and not least.beaten_by(floor):
            continue
        profile = _profile(task, schedule)
        line = trace_profile(profile, low, high)
        least = Envelope.of(line, 0) if least is None else least.add(line, len(found))
        found.append(Contender(schedule, partial(_read, profile), line.at(grid)))
    return found, least


def _profile(task: Task, schedule: Schedule) -> CostProfile:
    bound = task.bounds[schedule.in_network]
    return cost_profile(schedule, task.fabric, overhead=task.overhead, bound=bound, router=task.router)


def _read(profile: CostProfile, sizes: Sequence[float]) -> list[CollectiveCost]:
    return [profile.at(size) for size in sizes]


def ask_model(
    task: Task, asked: AskedModel, grid: NDArray[np.float64]
) -> tuple[list[Contender], dict[str, str]]:
    """Cost schedules by any model, at the sizes of a grid where they can win.

    Parameters
    ----------
    task : Task
    asked : AskedModel
    grid : ndarray of float64, shape (N,), B

    Returns
    -------
    found : list of Contender
    refused : dict from str to str
        Algorithms that the model does not cover, or not with all numbers of segments, and why.

    Raises
    ------
    CollectiveError
        If it covers none.

    Notes
    -----
    More segments are asked for at sizes where half as many were faster than a quarter. By `fluid`, no
    transfer is run where the busiest link alone would take longer than the fastest that is known.
    """
    found: list[Contender] = []
    refused: dict[str, str] = {}
    least = np.full(len(grid), np.inf)
    before: dict[str, NDArray[np.float64]] = {}
    helped: dict[str, NDArray[np.bool_]] = {}
    for schedule in task.each():
        name = schedule.algorithm
        here = helped.get(name, np.ones(len(grid), dtype=bool))
        if asked.model.name == "fluid":
            here = here & (_floor(task, schedule, grid) < least * (1 - NOISE))
        if not here.any():
            continue
        costs, times = partial(_ask, task, asked, schedule), np.full(len(grid), np.inf)
        try:
            times[here] = [cost.time for cost in costs(grid[here].tolist())]
        except CollectiveError as error:
            refused.setdefault(name, str(error))
            continue
        found.append(Contender(schedule, costs, times))
        least = np.minimum(least, times)
        if "segments" in schedule.options and name in before:
            helped[name] = times < before[name] * (1 - NOISE)
        before[name] = times
    if not found:
        raise CollectiveError(next(iter(refused.values())))
    return found, refused


def _floor(task: Task, schedule: Schedule, grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bound the times of a schedule by what its busiest link carries."""
    profile = _profile(task, schedule)
    bound = np.array([profile.bound.time(size) for size in grid.tolist()])
    return np.maximum(bound, profile.busy.max(initial=0.0) * grid)


def _ask(task: Task, asked: AskedModel, schedule: Schedule, sizes: Sequence[float]) -> list[CollectiveCost]:
    bound = task.bounds[schedule.in_network]
    return model_costs(asked, schedule, task.fabric, sizes, bound, task.router.routing)


def search(found: list[Contender], sizes: NDArray[np.float64]) -> list[tuple[int, int, int]]:
    """Find the ranges of schedules that are costed one size at a time.

    Parameters
    ----------
    found : list of Contender
    sizes : ndarray of float64, shape (N,), B
        Whole sizes at which their times are known.

    Returns
    -------
    list of (first, last, number)
        As `ranges_of` gives them.
    """

    @cache
    def time(number: int, size: int) -> float:
        return found[number].costs([float(size)])[0].time

    return search_ranges(time, [int(size) for size in sizes], np.array([one.times for one in found]))
