"""Collectives of several groups of ranks that run at once and share the fabric."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import CollectiveError
from topo_sim.collectives.collective import Collective, Member
from topo_sim.collectives.schedule import Schedule
from topo_sim.collectives.step import ChunkLists, Step
from topo_sim.topo import Fabric

__all__ = ["concurrent", "on_groups", "placed"]


def placed(fabric: Fabric, ranks: ArrayLike) -> Fabric:
    """Renumber the endpoints of a fabric, so that given ones come first.

    Parameters
    ----------
    fabric : Fabric
    ranks : array_like of int, shape (p,)
        Endpoint of rank 0, of rank 1, and so on, each once.

    Returns
    -------
    Fabric
        The same network; the other endpoints follow in their order.

    Raises
    ------
    UsageError
        If there is no such endpoint.
    CollectiveError
        If an endpoint is named twice, or none is.

    Examples
    --------
    >>> from topo_sim.topo import torus
    >>> placed(torus(4), [2, 0]).endpoints.tolist()
    [2, 0, 1, 3]
    """
    chosen = _members(fabric.rank_array(ranks), "ranks")
    others = np.setdiff1d(np.arange(fabric.ranks), chosen)
    return replace(fabric, endpoints=fabric.endpoints[np.concatenate([chosen, others])])


def _members(ranks: NDArray[np.int64], what: str) -> NDArray[np.int64]:
    found, counts = np.unique(ranks, return_counts=True)
    if not ranks.size:
        raise CollectiveError(f"{what}: found no rank, expected one or more")
    if counts.max() > 1:
        raise CollectiveError(f"{what}: found rank {found[counts.argmax()]} twice, expected each rank once")
    return ranks


def on_groups(schedule: Schedule, groups: Sequence[ArrayLike], *, ranks: int | None = None) -> Schedule:
    """Let several groups of ranks run the same schedule at once.

    Parameters
    ----------
    schedule : Schedule
        For as many ranks as each group has; its size is that of every group.
    groups : sequence of array_like of int
        Ranks of each group, in the order in which they play the schedule's.
    ranks : int, optional
        How many ranks there are in all. Default: up to the largest in any group.

    Returns
    -------
    Schedule
        Over all ranks.

    Raises
    ------
    CollectiveError
        If groups overlap, or one has another number of ranks than the schedule.

    Examples
    --------
    Two groups of four, each a server, that share nothing:

    >>> from topo_sim.collectives import build_schedule, cost
    >>> from topo_sim.topo import single_switch
    >>> four = build_schedule("all_reduce", "ring", 4, 1e6)
    >>> both = on_groups(four, [range(4), range(4, 8)])
    >>> both
    <Schedule: all_reduce/ring, 8 ranks, 976.6 KiB, 6 steps, 48 messages>
    >>> fabric = single_switch(8, bandwidth=1e9, latency=0)
    >>> cost(both, fabric).time == cost(four, fabric).time
    True
    """
    return concurrent([schedule] * len(groups), groups, ranks=ranks)


def concurrent(
    schedules: Sequence[Schedule], placements: Sequence[ArrayLike], *, ranks: int | None = None
) -> Schedule:
    """Run several schedules at once, each on ranks of its own.

    Parameters
    ----------
    schedules : sequence of Schedule
        Their sizes may differ. The s-th steps of all start together; one that has fewer ends earlier.
    placements : sequence of array_like of int
        For each schedule, the ranks that play its ranks 0, 1, ....
    ranks : int, optional
        How many ranks there are in all. Default: up to the largest that is placed.

    Returns
    -------
    Schedule
        Its size is the largest of theirs; the others keep their proportion to it at any other size.

    Raises
    ------
    CollectiveError
        If placements overlap, do not fit their schedules or name no rank, or switches combine.

    Notes
    -----
    Bandwidths count the largest size and, for the bus, the largest factor of the groups.

    Examples
    --------
    >>> from topo_sim.collectives import build_schedule, replay
    >>> sum_up = build_schedule("all_reduce", "ring", 3, 900.0)
    >>> send = build_schedule("broadcast", "binomial_tree", 2, 300.0)
    >>> both = concurrent([sum_up, send], [[0, 1, 2], [4, 3]])
    >>> both.collective.title, both.step_count, round(both.bytes_sent)
    ('all-reduce and broadcast', 4, 3900)
    >>> replay(both)
    """
    if not schedules or len(schedules) != len(placements):
        raise CollectiveError(
            f"found {len(schedules)} schedules and {len(placements)} placements, expected one for each"
        )
    places = [_place(s, p, i) for i, (s, p) in enumerate(zip(schedules, placements, strict=True))]
    everyone = np.concatenate(places)
    _check_apart(places, everyone)
    count = int(everyone.max()) + 1 if ranks is None else ranks
    whole = isinstance(count, (int, np.integer)) and not isinstance(count, bool)
    if not whole or everyone.max() >= count:
        raise CollectiveError(f"ranks: found {count}, expected more than the largest, {everyone.max()}")
    size = max(s.size for s in schedules)
    scales = [s.size / size if size else 1.0 for s in schedules]
    first = np.concatenate([[0], np.cumsum([s.chunks for s in schedules])])
    parts = [
        _Part(s, p, float(f), int(c)) for s, p, f, c in zip(schedules, places, scales, first, strict=False)
    ]
    names = {s.algorithm for s in schedules}
    return Schedule(
        _together(parts),
        "+".join(sorted(names)),
        int(count),
        size,
        int(first[-1]),
        tuple(_merge(parts)),
        schedules[0].options if len(names) == 1 else {},
        np.concatenate([part.weights() for part in parts]),
    )


def _place(schedule: Schedule, ranks: ArrayLike, index: int) -> NDArray[np.int64]:
    place = np.atleast_1d(np.asarray(ranks))
    what = f"group {index}"
    if place.ndim != 1 or (place.size and not np.issubdtype(place.dtype, np.integer)):
        raise CollectiveError(f"{what}: found {str(ranks)[:60]!r}, expected a list of ranks")
    _members(place, what)
    if place.min() < 0 or len(place) != schedule.ranks:
        raise CollectiveError(
            f"{what}: found {len(place)} ranks from {place.min()} on, expected {schedule.ranks} of 0 or more"
        )
    if schedule.reducers:
        raise CollectiveError(f"{what}: {schedule.algorithm} combines in switches, which groups cannot share")
    return place.astype(np.int64)


def _check_apart(places: Sequence[NDArray[np.int64]], everyone: NDArray[np.int64]) -> None:
    found, counts = np.unique(everyone, return_counts=True)
    if counts.max() > 1:
        rank = found[counts.argmax()]
        both = [i for i, place in enumerate(places) if rank in place][:2]
        raise CollectiveError(
            f"groups {both[0]} and {both[1]} both have rank {rank}, expected groups that do not overlap"
        )


class _Part:
    """A schedule where it is placed."""

    def __init__(self, schedule: Schedule, place: NDArray[np.int64], scale: float, first: int) -> None:
        self.schedule, self.place, self.scale, self.first = schedule, place, scale, first

    def weights(self) -> NDArray[np.float64]:
        mine = self.schedule
        if mine.weights is not None:
            return self.scale * mine.weights
        return np.full(mine.chunks, self.scale * mine.collective.volume(mine.ranks) / mine.chunks)

    def carried(self, step: Step, repetition: int) -> ChunkLists:
        def lists() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
            indptr, ids = step.carried(repetition, self.schedule.chunks)
            return indptr, ids + self.first

        return lists


def _merge(parts: Sequence[_Part]) -> list[Step]:
    """Merge the steps of all parts: as long as none of them goes on to another step, one is kept."""
    ends = [np.cumsum([step.repeat for step in part.schedule.steps], dtype=np.int64) for part in parts]
    change = np.unique(np.concatenate([np.zeros(1, dtype=np.int64), *ends]))
    merged = []
    for now, until in zip(change[:-1].tolist(), change[1:].tolist(), strict=True):
        rows = []
        for part, end in zip(parts, ends, strict=True):
            at = int(np.searchsorted(end, now, side="right"))
            if at < len(end):
                step = part.schedule.steps[at]
                rows.append((part, step, now - int(end[at]) + step.repeat))
        merged.extend(_joined(rows, until - now))
    return merged


def _joined(rows: Sequence[tuple[_Part, Step, int]], repeat: int) -> list[Step]:
    """One step for all rows; chunks wrap in the cycle that each row has of its own."""
    own = [part.schedule.chunks if step.cycle is None else step.cycle for part, step, _ in rows]
    # Ids advance inside blocks that start at multiples of their length: else write repetitions out.
    fits = all(np.all(part.first % np.asarray(c) == 0) for (part, _, _), c in zip(rows, own, strict=True))
    still = all(not step.shift.any() for _, step, _ in rows)
    cycles = [np.broadcast_to(c, (len(s),)) for c, (_, s, _) in zip(own, rows, strict=True)]
    times = 1 if fits or still else repeat
    return [
        Step(
            np.concatenate([part.place[step.source] for part, step, _ in rows]),
            np.concatenate([part.place[step.target] for part, step, _ in rows]),
            _one([part.scale * step.fraction for part, step, _ in rows]),
            _one([step.reduce for _, step, _ in rows]),
            _lists([part.carried(step, done + j) for part, step, done in rows]),
            repeat=repeat // times,
            shift=_one([step.shift for _, step, _ in rows]) if fits else 0,
            cycle=_one(cycles) if fits else None,
        )
        for j in range(times)
    ]


def _one(columns: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
    """Concatenate, or keep a single number where all are equal."""
    whole = np.concatenate(columns)
    return whole[0] if (whole == whole[0]).all() else whole


def _lists(rows: Sequence[ChunkLists]) -> ChunkLists:
    def lists() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        found = [row() for row in rows]
        counts = np.concatenate([np.diff(indptr) for indptr, _ in found])
        return np.append(0, np.cumsum(counts)), np.concatenate([ids for _, ids in found])

    return lists


def _together(parts: Sequence[_Part]) -> Collective:
    """Make one collective of all parts: every rank holds and must hold what its own part says."""
    used = [(part.schedule.collective, len(part.place)) for part in parts]
    kinds = [name for name, _ in groupby(sorted({c.title for c, _ in used}))]

    def stacked(which: str, p: int, chunks: int) -> NDArray[np.bool_]:
        held = np.zeros((p, chunks), dtype=np.bool_)
        for part in parts:
            mine = part.schedule
            rows = getattr(mine.collective, which)(mine.ranks, mine.chunks)
            held[part.place, part.first : part.first + mine.chunks] = rows
        return held

    return Collective(
        name=used[0][0].name if len(kinds) == 1 else "concurrent",
        title=" and ".join(kinds),
        reduces=any(c.reduces for c, _ in used),
        busbw_factor=lambda p: max(c.busbw_factor(n) for c, n in used),
        volume=lambda p: sum(part.scale * c.volume(n) for part, (c, n) in zip(parts, used, strict=True)),
        granularity=lambda p: 1,
        leaves=lambda s, p, root: np.zeros_like(s),
        sent=lambda p: sum(part.scale * c.sent(n) for part, (c, n) in zip(parts, used, strict=True)),
        starts=lambda p, chunks: stacked("starts", p, chunks),
        ends=lambda p, chunks: stacked("ends", p, chunks),
        members=tuple(Member(c, part.place, part.scale) for part, (c, _) in zip(parts, used, strict=True)),
    )
