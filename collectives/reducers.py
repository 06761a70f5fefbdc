"""Which switches of a fabric combine for a schedule, and the paths to and from them."""

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError
from topo_sim.collectives.algorithms.registry import ALGORITHMS
from topo_sim.collectives.router import Router
from topo_sim.collectives.schedule import Schedule
from topo_sim.collectives.step import Step
from topo_sim.topo import Fabric
from topo_sim.topo.flow import Paths

__all__ = ["SwitchRouter", "find_reducers"]

Row = tuple[NDArray[np.int64], NDArray[np.float64]]


def find_reducers(schedule: Schedule, fabric: Fabric) -> list[NDArray[np.int64]]:
    """Find the switches that play the reducers of a schedule.

    Parameters
    ----------
    schedule : Schedule
        Its ranks are the first endpoints of the fabric.
    fabric : Fabric

    Returns
    -------
    list of ndarray of int64
        Nodes of each reducer: all parallel switches that combine in the algorithm's way and have links to
        and from every rank that the reducer hears of, and likewise for reducers below it.

    Raises
    ------
    CollectiveError
        If there is none.

    Notes
    -----
    Parallel switches (planes, the spines of a leaf-spine) act as one that is as fast as all together.

    Examples
    --------
    >>> from topo_sim.collectives.schedule import build_schedule
    >>> from topo_sim.topo import single_switch
    >>> schedule = build_schedule("all_reduce", "nvls", 4, 8)
    >>> [nodes.tolist() for nodes in find_reducers(schedule, single_switch(4, planes=2, reduces="nvls"))]
    [[4, 5], [4, 5]]
    >>> find_reducers(schedule, single_switch(4))
    Traceback (most recent call last):
    topo_sim.base.errors.CollectiveError: all_reduce/nvls needs switches that combine by nvls, and \
single_switch(endpoints=4) has none: set "reduces" where they do
    """
    kind = ALGORITHMS[schedule.collective.name][schedule.algorithm].switches
    able = fabric.reducing(kind)
    label = f"{schedule.collective.name}/{schedule.algorithm}"
    if not able.any():
        raise CollectiveError(
            f"{label} needs switches that combine by {kind}, and {fabric.name} has none: "
            f'set "reduces" where they do'
        )
    hears: list[set[int]] = [set() for _ in range(schedule.reducers)]
    for step in schedule.steps:
        for here, there in ((step.source, step.target), (step.target, step.source)):
            at = here >= schedule.ranks
            for reducer, other in set(zip(here[at].tolist(), there[at].tolist(), strict=True)):
                hears[reducer - schedule.ranks].add(other)
    found: list[NDArray[np.int64]] = []
    for reducer, others in enumerate(hears):
        ends = [
            fabric.endpoints[[o]].astype(np.int64) if o < schedule.ranks else found[o - schedule.ranks]
            for o in sorted(others)
            if o < schedule.ranks + reducer
        ]
        nodes = np.flatnonzero(able & _joined(fabric, ends))
        if not nodes.size:
            raise CollectiveError(
                f"{label}: {fabric.name} has no switch that combines by {kind} and is joined to all of the "
                f"{len(ends)} {'ranks' if min(others) < schedule.ranks else 'switches'} of a group; "
                f"choose fewer ranks or another algorithm"
            )
        found.append(nodes)
    return found


def _joined(fabric: Fabric, ends: list[NDArray[np.int64]]) -> NDArray[np.bool_]:
    """Whether each node has links both ways with some node of each end."""
    size = len(fabric.kind)
    owner = np.full(size, -1)
    for i, nodes in enumerate(ends):
        owner[nodes] = i
    counts = []
    for near, far in ((fabric.link_target, fabric.link_source), (fabric.link_source, fabric.link_target)):
        mine = owner[far] >= 0
        pairs = np.unique(near[mine].astype(np.int64) * len(ends) + owner[far[mine]])
        counts.append(np.bincount(pairs // max(len(ends), 1), minlength=size))
    shared: NDArray[np.bool_] = (counts[0] == len(ends)) & (counts[1] == len(ends))
    return shared


class SwitchRouter:
    """Paths of transfers between ranks, and to and from the reducers of a schedule.

    Parameters
    ----------
    router : Router
        For transfers between ranks.
    schedule : Schedule
    """

    def __init__(self, router: Router, schedule: Schedule) -> None:
        self.router, self.ranks = router, schedule.ranks
        self.reducers = find_reducers(schedule, router.fabric)
        self.rows: dict[tuple[int, int], Row] = {}

    def _nodes(self, end: int) -> NDArray[np.int64]:
        if end < self.ranks:
            return self.router.fabric.endpoints[[end]].astype(np.int64)
        return self.reducers[end - self.ranks]

    def _row(self, source: int, target: int) -> Row:
        """All links from one end to the other, each with its part of their capacity."""
        fabric = self.router.fabric
        indptr, links = fabric.out_links
        out = np.concatenate([links[indptr[n] : indptr[n + 1]] for n in self._nodes(source)])
        between = out[np.isin(fabric.link_target[out], self._nodes(target))].astype(np.int64)
        rate = fabric.capacity[between]
        return between, rate / rate.sum()

    def __call__(self, step: Step) -> Paths:
        """Paths of the transfers of a step."""
        rows: list[Row] = []
        direct = np.flatnonzero((step.source < self.ranks) & (step.target < self.ranks))
        between = self._between(step, direct)
        for i, pair in enumerate(zip(step.source.tolist(), step.target.tolist(), strict=True)):
            if max(pair) < self.ranks:
                rows.append(between[i])
                continue
            if pair not in self.rows:
                self.rows[pair] = self._row(*pair)
            rows.append(self.rows[pair])
        indptr = np.cumsum([0, *(len(links) for links, _ in rows)])
        return Paths(indptr, np.concatenate([r[0] for r in rows]), np.concatenate([r[1] for r in rows]))

    def _between(self, step: Step, direct: NDArray[np.intp]) -> dict[int, Row]:
        if not direct.size:
            return {}
        steps = Step(step.source[direct], step.target[direct], 0.0, False, step.chunks)
        paths = self.router(steps)
        share = np.ones(len(paths.links)) if paths.share is None else paths.share
        ends = zip(paths.indptr[:-1], paths.indptr[1:], strict=True)
        return {
            int(i): (paths.links[a:b].astype(np.int64), share[a:b])
            for i, (a, b) in zip(direct, ends, strict=True)
        }
