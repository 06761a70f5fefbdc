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
    Parallel switches (planes, the spines of a leaf-spine) share the bytes: `SwitchRouter` says how.

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
    found: list[NDArray[np.int64]] = []
    for reducer, others in enumerate(_heard(schedule)):
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


def _heard(schedule: Schedule) -> list[set[int]]:
    """Whom each reducer exchanges data with: ranks, and reducers below and above it."""
    hears: list[set[int]] = [set() for _ in range(schedule.reducers)]
    for step in schedule.steps:
        for here, there in ((step.source, step.target), (step.target, step.source)):
            at = here >= schedule.ranks
            for reducer, other in set(zip(here[at].tolist(), there[at].tolist(), strict=True)):
                hears[reducer - schedule.ranks].add(other)
    return hears


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


class _Division:
    """How the bytes of each reducer are divided among its switches, alike for all that it hears of.

    Only what has come together in one switch can be summed there, so a byte must go to the same switch from
    everywhere. A switch takes as much as the slowest of those that send to it can send; the switches of a
    reducer below follow from that of the reducer above, link by link.
    """

    def __init__(self, schedule: Schedule, fabric: Fabric, reducers: list[NDArray[np.int64]]) -> None:
        from scipy.sparse import csr_array

        size, self.ranks, self.reducers = len(fabric.kind), schedule.ranks, reducers
        ends = (fabric.link_source.astype(np.int64), fabric.link_target.astype(np.int64))
        capacity = csr_array((fabric.capacity, ends), shape=(size, size))
        self.both = capacity.minimum(capacity.T).tocsr()
        self.endpoints = fabric.endpoints[: schedule.ranks].astype(np.int64)
        self.label = f"{schedule.collective.name}/{schedule.algorithm} on {fabric.name}"
        self._ports: dict[bytes, NDArray[np.float64]] = {}
        self.below = [
            sorted(o for o in others if o < self.ranks + r) for r, others in enumerate(_heard(schedule))
        ]
        self.room: dict[tuple[int, int], NDArray[np.float64]] = {}
        able = [self._able(reducer) for reducer in range(len(reducers))]
        self.part: list[NDArray[np.float64]] = [np.zeros(0)] * len(reducers)
        for reducer in reversed(range(len(reducers))):
            if not self.part[reducer].size:
                self.part[reducer] = able[reducer] / able[reducer].sum()
            for other in self.below[reducer]:
                if other >= self.ranks:
                    self.part[other - self.ranks] = self.joint(other, reducer).sum(axis=1)

    def _able(self, reducer: int) -> NDArray[np.float64]:
        """Find what each switch of a reducer can take from the slowest that it hears of, B/s."""
        nodes = self.reducers[reducer]
        if nodes.tobytes() not in self._ports:
            self._ports[nodes.tobytes()] = self.both[self.endpoints][:, nodes].toarray()
        ports = self._ports[nodes.tobytes()]
        least = ports[[o for o in self.below[reducer] if o < self.ranks]].min(axis=0, initial=np.inf)
        for other in self.below[reducer]:
            if other >= self.ranks:
                links = self.both[self.reducers[other - self.ranks]][:, nodes].toarray()
                share = links / np.maximum(links.sum(axis=1, keepdims=True), np.finfo(float).tiny)
                self.room[other, reducer] = np.minimum(links, share * self._able(other - self.ranks)[:, None])
                least = np.minimum(least, self.room[other, reducer].sum(axis=0))
        if not least.any():
            raise CollectiveError(
                f"{self.label}: found switches with links one way only, expected both ways to each"
            )
        return np.asarray(least, dtype=np.float64)

    def joint(self, lower: int, reducer: int) -> NDArray[np.float64]:
        """Part of the bytes between each node of an end and each switch of the reducer above it."""
        part = self.part[reducer]
        if lower < self.ranks:
            return part[None, :]
        room = self.room[lower, reducer]
        return part * room / np.maximum(room.sum(axis=0), np.finfo(float).tiny)


class SwitchRouter:
    """Paths of transfers between ranks, and to and from the reducers of a schedule.

    Parameters
    ----------
    router : Router
        For transfers between ranks.
    schedule : Schedule

    Raises
    ------
    CollectiveError
        If no switches can play the reducers.

    Notes
    -----
    Where several switches play one reducer, each takes the same bytes from all ranks: as large a part as the
    least capacity between it and any of them is of the sum of these.
    """

    def __init__(self, router: Router, schedule: Schedule) -> None:
        self.router, self.ranks = router, schedule.ranks
        self.reducers = find_reducers(schedule, router.fabric)
        self.division = _Division(schedule, router.fabric, self.reducers)
        self.rows: dict[tuple[int, int], Row] = {}

    def _nodes(self, end: int) -> NDArray[np.int64]:
        if end < self.ranks:
            return self.router.fabric.endpoints[[end]].astype(np.int64)
        return self.reducers[end - self.ranks]

    def _row(self, source: int, target: int) -> Row:
        """All links from one end to the other that bytes cross, each with its part of them."""
        fabric = self.router.fabric
        indptr, links = fabric.out_links
        nodes = (self._nodes(source), self._nodes(target))
        out = np.concatenate([links[indptr[n] : indptr[n + 1]] for n in nodes[0]])
        between = out[np.isin(fabric.link_target[out], nodes[1])].astype(np.int64)
        at = (
            np.searchsorted(nodes[0], fabric.link_source[between]),
            np.searchsorted(nodes[1], fabric.link_target[between]),
        )
        joint = self.division.joint(min(source, target), max(source, target) - self.ranks)
        part = (joint if source < target else joint.T)[at]
        rate, whole = fabric.capacity[between], np.zeros((len(nodes[0]), len(nodes[1])))
        np.add.at(whole, at, rate)
        used = part > 0
        return between[used], (part * rate / whole[at])[used]

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
