"""The tuner: which algorithm, cut into how many segments, is the fastest at which size."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.collectives import CollectiveCost, Router, lower_bound
from topo_sim.collectives.bounds import check_seconds
from topo_sim.studies.best import Progress, check_sizes
from topo_sim.studies.contenders import Contender, Task, ask_model, schedules_to_try, search, solve_steps
from topo_sim.studies.envelope import NOISE, ranges_of, settle_ranges
from topo_sim.studies.models import AskedModel, read_models
from topo_sim.studies.tuning import TunedRange, Tuning
from topo_sim.topo import Fabric

__all__ = ["HIGH", "LOW", "best", "tune"]

LOW, HIGH = 2.0**10, 2.0**32
FLUID_MOST = 200_000
"""Messages of a schedule that the tuner runs asynchronously, at most, unless it is asked for more."""

POINTS_PER_OCTAVE = 8


def _whole_sizes(low: float, high: float) -> tuple[int, int]:
    for name, size in (("low", low), ("high", high)):
        if isinstance(size, bool) or not 0 <= size <= 2.0**53:
            raise UsageError(f"{name}: found {size!r}, expected a number of bytes from 0 to 2**53")
    first, last = int(np.ceil(low)), int(np.floor(high))
    if first > last:
        raise UsageError(f"low, high: found {low:g} and {high:g} B, expected whole sizes from low up to high")
    return first, last


def _grid(low: int, high: int, per_octave: float) -> NDArray[np.float64]:
    """Whole sizes from low to high, powers of two among them."""
    top = np.arange(np.floor(np.log2(max(high, 1)) * per_octave) + 1)
    inner = np.unique(np.round(2.0 ** (top / per_octave)))
    return np.unique([low, *inner[(inner > low) & (inner < high)], high]).astype(np.float64)


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
    schedules = schedules_to_try(fabric, collective, algorithms, ranks)
    bounds = {
        inside: lower_bound(collective, fabric, schedules[0].ranks, overhead=overhead, in_network=inside)
        for inside in {schedule.in_network for schedule in schedules}
    }
    routing, seed = asked.settings.get("routing", routing), asked.settings.get("seed", seed)
    router = Router(fabric, routing, seed)
    task = Task(fabric, collective, schedules, bounds, router, overhead, progress)
    refused: dict[str, str] = {}
    spans: list[tuple[int, int, int]] = []
    if exact:
        grid = _grid(first, last, POINTS_PER_OCTAVE) if wanted is None else wanted
        found, least = solve_steps(task, first, max(last, first + 1), grid)
        if wanted is None and least is not None:
            spans = [(a, min(b, last), who) for a, b, who in ranges_of(least) if a <= last]
            spans = settle_ranges(lambda i, size: found[i].costs([size])[0].time, spans)
    else:
        grid = _grid(first, last, 0.5 if asked.model.name == "fluid" else 1) if wanted is None else wanted
        found, refused = ask_model(task, asked, grid)
        if wanted is None:
            spans = search(found, grid)
    points = [] if wanted is None else [_winner(found, i).between(n, n) for i, n in enumerate(grid.tolist())]
    return _tuning(task, asked, found, spans, points, grid, refused)


def _winner(found: list[Contender], at: int) -> Contender:
    """Pick the fastest at a place of the grid."""
    times = np.array([one.times[at] for one in found])
    return found[int(np.argmax(times <= times.min() * (1 + NOISE)))]


def _tuning(
    task: Task,
    asked: AskedModel,
    found: list[Contender],
    spans: list[tuple[int, int, int]],
    points: list[TunedRange],
    grid: NDArray[np.float64],
    refused: dict[str, str],
) -> Tuning:
    ranges = [found[who].between(first, last) for first, last, who in spans]
    winners = list(dict.fromkeys(one.first.algorithm for one in [*ranges, *points]))
    curves = {
        name: np.min([one.times for one in found if one.schedule.algorithm == name], axis=0)
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
