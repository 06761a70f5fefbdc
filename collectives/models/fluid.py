"""Asynchronous transfers: every rank goes on as soon as what it waits for has come."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError, UsageError
from topo_sim.collectives.models.machine import check_ranks, router_for, seconds
from topo_sim.collectives.models.registry import CostModel, register
from topo_sim.collectives.reducers import SwitchRouter
from topo_sim.collectives.router import Router
from topo_sim.collectives.schedule import Schedule
from topo_sim.collectives.step import Step
from topo_sim.topo import Fabric
from topo_sim.topo.flow import Paths
from topo_sim.topo.flow.simulation import FlowRun, simulate

__all__ = ["MOST", "Messages", "fluid", "messages_of", "timeline"]

MOST = 3_000_000
"""Transfers that are run one by one, at most: memory stays below 2 GiB."""

CROSSINGS = 10
"""Links that a transfer may cross, on average, where there are `MOST`."""

Pairs = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Messages:
    """The transfers of a schedule, each by itself, and what each waits for.

    Parameters
    ----------
    paths : Paths
        The links of every transfer, in the order of steps and repetitions; behind them gates, which cross
        no link and carry no byte: they stand for "all that came before".
    fraction : ndarray of float64, shape (flows,)
        Bytes, per byte of size.
    latency : ndarray of float64, shape (flows,), s
        Of the path.
    delay : ndarray of float64, shape (flows,), s
        What a rank needs to send its messages of a step.
    after : ndarray of int64, shape (n, 2)
        Rows of (flow, parent): waits for the arrival.
    behind : ndarray of int64, shape (n, 2)
        Rows of (flow, parent): waits for the last byte to be sent.
    transfers : int
        How many of the flows are no gates.
    """

    paths: Paths
    fraction: NDArray[np.float64]
    latency: NDArray[np.float64]
    delay: NDArray[np.float64]
    after: Pairs
    behind: Pairs
    transfers: int

    def run(self, fabric: Fabric, size: float, bins: int = 0) -> FlowRun:
        """Run them at a size.

        Parameters
        ----------
        fabric : Fabric
        size : float, B
        bins : int
            As in `simulate`.

        Returns
        -------
        FlowRun
            Gates included.
        """
        return simulate(
            self.paths,
            fabric.capacity,
            self.fraction * size,
            self.delay,  # of those that wait for nothing
            self.latency,
            after=self.after,
            behind=self.behind,
            delay=self.delay,
            bins=bins,
        )


def _stored_paths(schedule: Schedule, parts: list[Paths], most: int) -> Paths:
    """Join the paths of the steps, unless they are too long to be run."""
    crossed = sum(part.links.size * step.repeat for part, step in zip(parts, schedule.steps, strict=True))
    if crossed > CROSSINGS * most:
        raise CollectiveError(
            f"cost model fluid: the messages of {schedule.collective.name}/{schedule.algorithm} on "
            f"{schedule.ranks} ranks cross {crossed:,} links, expected at most {CROSSINGS * most:,}: use the "
            "model step, fewer ranks, or a routing of single paths (ecmp)"
        )
    counts = np.concatenate([np.diff(part.indptr) for part in parts])
    share = None
    if any(part.share is not None for part in parts):
        share = np.concatenate([np.ones(p.links.size) if p.share is None else p.share for p in parts])
    links = np.concatenate([part.links for part in parts])
    return Paths.trusted(np.concatenate([[0], np.cumsum(counts)]), links, share)


def _members(first: Pairs, count: Pairs, rows: Pairs) -> tuple[Pairs, Pairs]:
    """List the members of groups: which of `rows` each belongs to, and which member it is."""
    many = count[rows]
    begin = np.cumsum(many) - many
    return np.repeat(rows, many), np.arange(many.sum()) + np.repeat(first[rows] - begin, many)


def _waits(
    source: NDArray[np.int64], target: NDArray[np.int64], step: NDArray[np.int64]
) -> tuple[Pairs, Pairs, int]:
    """Rows of (flow, parent) for arrivals and for sends, and how many gates follow the transfers.

    The sends of a rank in one step are a group. A group waits for the sends of the group before it, and for
    what has come since: with what that group waited for, that is all that came in earlier steps.
    """
    steps, total = int(step.max()) + 1, source.size
    order = np.lexsort((step, source))
    key = source * steps + step
    groups, first, count = np.unique(key[order], return_index=True, return_counts=True)
    owner = groups // steps
    mine = np.searchsorted(groups, key)

    def frees(group: Pairs, rank: NDArray[np.int64]) -> tuple[Pairs, Pairs]:
        """Rows of (group, parent) where the group that would come next is of that rank."""
        last = np.minimum(group, groups.size - 1)
        parent = np.flatnonzero((group < groups.size) & (owner[last] == rank))
        return group[parent], parent

    sent = frees(mine + 1, source)
    came = frees(np.searchsorted(groups, target * steps + step, side="right"), target)
    parents = np.bincount(np.concatenate([sent[0], came[0]]), minlength=groups.size)
    gated = (parents > 1) & (count > 1)
    gate = total + np.cumsum(gated) - 1
    pairs = []
    for group, parent in (came, sent):
        direct = ~gated[group]
        at = np.flatnonzero(direct)
        row, member = _members(first[group[at]], count[group[at]], np.arange(at.size))
        flows = np.concatenate([order[member], gate[group[~direct]]])
        pairs.append(np.column_stack([flows, np.concatenate([parent[at][row], parent[~direct]])]))
    row, member = _members(first, count, np.flatnonzero(gated))
    opened = np.column_stack([order[member], gate[row]])
    return np.concatenate([pairs[0], opened]), pairs[1], int(gated.sum())


def _check(schedule: Schedule, most: Any) -> None:
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise UsageError(f"most: found {most!r}, expected a whole number of 1 or more")
    if schedule.message_count > most:
        raise CollectiveError(
            f"cost model fluid: {schedule.collective.name}/{schedule.algorithm} on {schedule.ranks} ranks "
            f"has {schedule.message_count:,} messages, expected at most {most:,}: use the model step, fewer "
            "ranks or segments, or raise the setting most"
        )


def messages_of(
    schedule: Schedule,
    fabric: Fabric,
    *,
    routing: str | None = None,
    overhead: Any = 0.0,
    seed: int = 0,
    most: int = MOST,
) -> Messages:
    """Work out the transfers of a schedule of one step or more, and what each waits for.

    Parameters
    ----------
    schedule, fabric, routing, overhead, seed
        As in `topo_sim.collectives.cost`.
    most : int
        Refuse schedules of more transfers, repetitions counted.

    Returns
    -------
    Messages

    Raises
    ------
    CollectiveError
        If there are too many of them, or the fabric has too few endpoints.
    RoutingError
        If ranks are not connected.
    UsageError
        If a setting cannot be used.

    Examples
    --------
    Each of three ranks sends twice; its second message waits for the one that came, and for its own first.

    >>> from topo_sim.collectives import build_schedule
    >>> from topo_sim.topo import single_switch
    >>> found = messages_of(build_schedule("all_gather", "ring", 3, 0), single_switch(3))
    >>> found.after.tolist(), found.behind.tolist()
    ([[4, 0], [5, 1], [3, 2]], [[3, 0], [4, 1], [5, 2]])
    """
    each = seconds(overhead, "overhead")
    check_ranks(schedule, fabric)
    _check(schedule, most)
    steps = schedule.steps
    if schedule.in_network:
        paths_of: Callable[[Step], Paths] = SwitchRouter(Router(fabric, routing, seed), schedule)
    else:
        paths_of = router_for(schedule, fabric, routing, seed)
    stored = _stored_paths(schedule, [paths_of(step) for step in steps], most)
    where = np.cumsum([0, *(len(step) for step in steps)])
    rows = np.concatenate(
        [np.tile(np.arange(a, a + len(step)), step.repeat) for a, step in zip(where, steps, strict=False)]
    )
    number = np.repeat(
        np.arange(schedule.step_count), [len(step) for step in steps for _ in range(step.repeat)]
    )
    source, target = (
        np.concatenate([getattr(step, end) for step in steps]).astype(np.int64)[rows]
        for end in ("source", "target")
    )
    after, behind, gates = _waits(source, target, number)
    together = np.concatenate([np.bincount(s.source)[s.source] * (s.source < schedule.ranks) for s in steps])
    fraction = np.concatenate([step.fraction for step in steps])
    paths, none = stored.take(rows), np.zeros(gates)
    indptr = np.append(paths.indptr, np.full(gates, paths.links.size))
    return Messages(
        Paths.trusted(indptr, paths.links, paths.share),
        np.append(fraction[rows], none),
        np.append(stored.sum(fabric.latency)[rows], none),
        np.append(each * together[rows], none),
        after,
        behind,
        rows.size,
    )


def timeline(schedule: Schedule, fabric: Fabric, size: float, bins: int = 0, **settings: Any) -> FlowRun:
    """Run a schedule, and say when each transfer was sent and what the links carried when.

    Parameters
    ----------
    schedule : Schedule
        Of two ranks or more.
    fabric : Fabric
    size : float, B
        As nccl-tests counts it.
    bins : int
        In how many bins of time, at most, to count what the links carry.
    **settings
        Those of the model `fluid`.

    Returns
    -------
    FlowRun
        A flow for each transfer, in the order of steps and repetitions.

    Raises
    ------
    CollectiveError, RoutingError, UsageError
        As `messages_of` does; or if there is nothing to send.

    Examples
    --------
    Over one port each, rank 2 hears from rank 0 while rank 1 hears nothing yet.

    >>> from topo_sim.collectives import build_schedule
    >>> from topo_sim.topo import single_switch
    >>> tree = build_schedule("broadcast", "binomial_tree", 4, 0)
    >>> run = timeline(tree, single_switch(4, bandwidth=1.0, latency=0), 2.0, bins=4)
    >>> run.start.tolist(), run.finish.tolist()
    ([0.0, 2.0, 2.0], [2.0, 4.0, 4.0])
    """
    if not schedule.steps:
        raise CollectiveError(f"{schedule!r}: found nothing to send, expected two ranks or more")
    if isinstance(size, bool) or not isinstance(size, (int, float, np.number)) or not 0 <= size < np.inf:
        raise UsageError(f"size: found {size!r}, expected a finite number of bytes of 0 or more")
    messages = messages_of(schedule, fabric, **settings)
    run = messages.run(fabric, float(size), bins)
    kept = slice(messages.transfers)
    return replace(run, start=run.start[kept], finish=run.finish[kept])


def _evaluate(
    schedule: Schedule, fabric: Fabric, sizes: NDArray[np.float64], **settings: Any
) -> NDArray[np.float64]:
    if not schedule.steps:
        seconds(settings["overhead"], "overhead")
        check_ranks(schedule, fabric)
        return np.zeros(len(sizes))
    messages = messages_of(schedule, fabric, **settings)
    return np.array([messages.run(fabric, size).makespan for size in sizes.tolist()])


fluid = register(
    CostModel(
        name="fluid",
        summary="asynchronous: a rank goes on when all that it waits for has come; max-min fair links",
        evaluate=_evaluate,
        reference="topo_sim.topo.flow.simulate",
        in_network=True,
        groups=True,
        settings={"routing": None, "overhead": 0.0, "seed": 0, "most": MOST},
    )
)
"""Transfers share links max-min fairly from event to event; no rank waits for a step to end elsewhere.

The overhead per message passes before a rank's messages of a step start, for all of them together. Receivers
have room for all that comes. Switches that combine go on as ranks do, without overhead.
"""
