"""The tuner: which algorithm, cut into how many segments, is the fastest at which size."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
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
    lower_bound,
)
from topo_sim.collectives.bounds import check_seconds
from topo_sim.studies.best import Progress, candidates, check_sizes
from topo_sim.studies.compare import check_names
from topo_sim.studies.envelope import NOISE, Envelope, Line, ranges_of, search_ranges, trace_profile
from topo_sim.studies.models import AskedModel, model_costs, read_models
from topo_sim.studies.tuning import TunedRange, Tuning
from topo_sim.topo import Fabric

__all__ = ["HIGH", "LOW", "best", "options_to_try", "tune"]

LOW, HIGH = 2.0**10, 2.0**32
SEGMENTS = tuple(2**k for k in range(11))
FLUID_MOST = 200_000
"""Messages of a schedule that the tuner runs asynchronously, at most, unless it is asked for more."""

POINTS_PER_OCTAVE = 8


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
class _Found:
    """A schedule that may win, and how to cost it."""

    schedule: Schedule
    costs: Callable[[Sequence[float]], list[CollectiveCost]]
    line: Line

    def between(self, first: float, last: float) -> TunedRange:
        low, high = self.costs([first, last])
        return TunedRange(self.schedule.label, dict(self.schedule.options), low, high)


@dataclass(frozen=True)
class _Task:
    """What is to be tuned."""

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


def _schedules(
    fabric: Fabric, collective: str, algorithms: Sequence[str] | None, ranks: int | None
) -> list[Schedule]:
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


def _whole_sizes(low: float, high: float) -> tuple[int, int]:
    for name, size in (("low", low), ("high", high)):
        if isinstance(size, bool) or not 0 <= size <= 2.0**53:
            raise UsageError(f"{name}: found {size!r}, expected a number of bytes from 0 to 2**53")
    first, last = int(np.ceil(low)), int(np.floor(high))
    if first > last:
        raise UsageError(f"low, high: found {low:g} and {high:g} B, expected whole sizes from low up to high")
    return first, last


def _by_steps(task: _Task, low: int, high: int) -> tuple[list[_Found], Envelope | None]:
    """Solve what can win by the model `step`, exactly, and find the least of all times."""
    found: list[_Found] = []
    least: Envelope | None = None
    ends = np.array([low, high], dtype=np.float64)
    for schedule in task.each():
        bound = task.bounds[schedule.in_network]
        # A step takes a latency at least (switches add no overhead), and all bytes the bound's pace.
        each = bound.first - (task.overhead if schedule.in_network else 0.0)
        floor = Line(ends, schedule.step_count * each + bound.pace * ends)
        if least is not None and not least.beaten_by(floor):
            continue
        profile = cost_profile(schedule, task.fabric, overhead=task.overhead, bound=bound, router=task.router)
        line = trace_profile(profile, low, high)
        least = Envelope.of(line, 0) if least is None else least.add(line, len(found))
        found.append(_Found(schedule, partial(_read, profile), line))
    return found, least


def _read(profile: CostProfile, sizes: Sequence[float]) -> list[CollectiveCost]:
    return [profile.at(size) for size in sizes]


def _by_model(task: _Task, asked: AskedModel, sizes: list[float]) -> tuple[list[_Found], dict[str, str]]:
    """Cost all schedules by any model at some sizes; also say what it does not cover."""
    found: list[_Found] = []
    refused: dict[str, str] = {}
    least: dict[str, NDArray[np.float64]] = {}
    done: set[str] = set()
    for schedule in task.each():
        name = schedule.algorithm
        if name in done:
            continue
        costs = partial(_ask, task, asked, schedule)
        try:
            times = np.array([cost.time for cost in costs(sizes)])
        except CollectiveError as error:
            refused.setdefault(name, str(error))
            continue
        found.append(_Found(schedule, costs, Line(np.array(sizes), times)))
        before = least.get(name)
        if before is not None and "segments" in schedule.options and not np.any(times < before * (1 - NOISE)):
            done.add(name)
        least[name] = times if before is None else np.minimum(before, times)
    if not found:
        raise CollectiveError(next(iter(refused.values())))
    return found, refused


def _ask(task: _Task, asked: AskedModel, schedule: Schedule, sizes: Sequence[float]) -> list[CollectiveCost]:
    bound = task.bounds[schedule.in_network]
    return model_costs(asked, schedule, task.fabric, sizes, bound, task.router.routing)


def _grid(low: int, high: int, per_octave: float) -> NDArray[np.float64]:
    """Whole sizes from low to high, powers of two among them."""
    top = np.arange(np.floor(np.log2(max(high, 1)) * per_octave) + 1)
    inner = np.unique(np.round(2.0 ** (top / per_octave)))
    return np.unique([low, *inner[(inner > low) & (inner < high)], high]).astype(np.float64)


def _searched(found: list[_Found], sizes: NDArray[np.float64]) -> list[tuple[int, int, int]]:
    """Find the ranges of schedules that are costed one size at a time."""

    @cache
    def time(number: int, size: int) -> float:
        return found[number].costs([float(size)])[0].time

    return search_ranges(time, [int(size) for size in sizes], np.array([one.line.time for one in found]))


def _read_model(model: str, routing: str | None, overhead: float, seed: int) -> AskedModel:
    asked = read_models([model], routing=routing, overhead=overhead, seed=seed)[0]
    if asked.model.chooses is not None:
        raise UsageError(
            f"cost model {asked.model.name} runs an algorithm of its own, expected one that costs any: "
            "see 'topo-sim list models'"
        )
    if asked.model.name == "fluid" and "most" not in asked.settings:
        asked = replace(asked, settings=asked.settings | {"most": FLUID_MOST})
    return asked


def tune(
    fabric: Fabric,
    collective: str = "all_reduce",
    sizes: Sequence[float] | None = None,
    *,
    low: float = LOW,
    high: float = HIGH,
    algorithms: Sequence[str] | None = None,
    ranks: int | None = None,
    routing: str | None = None,
    overhead: float = 0.0,
    seed: int = 0,
    model: str = "step",
    progress: Progress | None = None,
) -> Tuning:
    """Find the fastest algorithm, with the best number of segments, at every size.

    Parameters
    ----------
    fabric : Fabric
    collective : str
    sizes : sequence of float, B, optional
        Only these: a winner for each, no ranges. Default: all whole sizes from `low` to `high`.
    low, high : float, B
    algorithms : sequence of str, optional
        Default: all that suit the fabric.
    ranks : int, optional
        The first so many endpoints. Default: all.
    routing, overhead, seed
        As in `topo_sim.collectives.cost`.
    model : str
        Cost model, as ``NAME`` or ``NAME@SETTING=VALUE,...``.
    progress : callable, optional
        Called with (done, total, what).

    Returns
    -------
    Tuning

    Raises
    ------
    UsageError, UnknownNameError
        If something is asked for that there is not.
    CollectiveError
        If the model covers none of the algorithms.

    Notes
    -----
    Algorithms that are cut into segments are tried with 1, 2, 4, ... 1024 of them. By the model `step` all
    times are piecewise linear in size, so the ranges are exact: a range starts at the first byte at which
    its algorithm is faster than the one before. Left unsolved is only what cannot win: a schedule takes
    the least latency in each of its steps, and the bound's time per byte.

    Other models are asked at powers of two (`fluid`: of four), and between two of them with different
    winners until the change is known to a byte; more segments are tried as long as they help at one of
    those sizes. By `fluid`, schedules of more than 200,000 messages are left out, unless the setting `most`
    says otherwise.

    Examples
    --------
    Four ranks, 1 us per message, 1 ns/B: two exchanges of all n bytes take 2 us + 2 n ns, four of less
    4 us + 1.5 n ns.

    >>> from topo_sim.topo import single_switch
    >>> fabric = single_switch(4, bandwidth="1 GB/s", latency="500 ns")
    >>> two = ["recursive_doubling", "halving_doubling"]
    >>> found = tune(fabric, "all_reduce", low=1, high=1e6, algorithms=two)
    >>> [(r.label, r.first.size, r.last.size) for r in found.ranges]
    [('recursive_doubling', 1.0, 4000.0), ('halving_doubling', 4001.0, 1000000.0)]
    """
    asked = _read_model(model, routing, overhead, seed)
    exact = asked.model.name == "step" and not asked.own
    wanted = None if sizes is None else check_sizes(sizes)
    first, last = _whole_sizes(low, high) if wanted is None else (int(wanted[0]), int(np.ceil(wanted[-1])))
    check_seconds(overhead, "overhead")
    schedules = _schedules(fabric, collective, algorithms, ranks)
    bounds = {
        inside: lower_bound(collective, fabric, schedules[0].ranks, overhead=overhead, in_network=inside)
        for inside in {schedule.in_network for schedule in schedules}
    }
    router = Router(fabric, routing, seed)
    task = _Task(fabric, collective, schedules, bounds, router, overhead, progress)
    refused: dict[str, str] = {}
    spans: list[tuple[int, int, int]] = []
    if exact:
        found, least = _by_steps(task, first, max(last, first + 1))
        grid = _grid(first, last, POINTS_PER_OCTAVE) if wanted is None else wanted
        if wanted is None and least is not None:
            spans = [(a, min(b, last), who) for a, b, who in ranges_of(least) if a <= last]
    else:
        grid = _grid(first, last, 0.5 if asked.model.name == "fluid" else 1) if wanted is None else wanted
        found, refused = _by_model(task, asked, grid.tolist())
        if wanted is None:
            spans = _searched(found, grid)
    points = [] if wanted is None else [_winner(found, size).between(size, size) for size in wanted.tolist()]
    return _tuning(task, asked, found, spans, points, grid, refused)


def _winner(found: list[_Found], size: float) -> _Found:
    times = np.array([one.line.at(np.array([size]))[0] for one in found])
    return found[int(np.argmax(times <= times.min() * (1 + NOISE)))]


def _tuning(
    task: _Task,
    asked: AskedModel,
    found: list[_Found],
    spans: list[tuple[int, int, int]],
    points: list[TunedRange],
    grid: NDArray[np.float64],
    refused: dict[str, str],
) -> Tuning:
    ranges = [found[who].between(first, last) for first, last, who in spans]
    winners = list(dict.fromkeys(one.first.algorithm for one in [*ranges, *points]))
    curves = {
        name: np.min([one.line.at(grid) for one in found if one.schedule.algorithm == name], axis=0)
        for name in winners
    }
    inside = {one.first.in_network for one in [*ranges, *points]}
    return Tuning(
        fabric=task.fabric.name,
        collective=task.collective,
        model=asked.label,
        routing=task.router.routing,
        ranks=task.schedules[0].ranks,
        ranges=tuple(ranges),
        points=tuple(points),
        sizes=grid,
        curves=curves,
        bounds={which: task.bounds[which] for which in sorted(inside)},
        tried=len(task.schedules),
        left_out=tuple(f"{name}: {why}" for name, why in refused.items()),
    )


def best(collective: str, size: float, fabric: Fabric, **settings: Any) -> CollectiveCost:
    """Find the fastest algorithm, with the best number of segments, at one size.

    Parameters
    ----------
    collective : str
    size : float, B
        As nccl-tests counts it.
    fabric : Fabric
    **settings
        As `tune` takes them: algorithms, ranks, routing, overhead, seed, model.

    Returns
    -------
    CollectiveCost
        Of the winner; its `algorithm` includes the options.

    Raises
    ------
    UsageError, UnknownNameError, CollectiveError
        As `tune` does.

    Examples
    --------
    >>> from topo_sim.topo import single_switch
    >>> cost = best("broadcast", 2**20, single_switch(16))
    >>> cost.algorithm, round(cost.fraction, 2)
    ('double_tree(segments=8)', 0.51)
    """
    one = tune(fabric, collective, [size], **settings).points[0]
    return replace(one.first, algorithm=one.label)
