"""Channels: the ways from rank to rank that a schedule may use, and what each puts on the links."""

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError
from topo_sim.topo import Fabric, route
from topo_sim.topo.throughput.symmetry import Cayley, cayley

__all__ = ["Channels", "make_channels", "make_symmetric"]

MOST_CHANNELS = 70_000


@dataclass(frozen=True, eq=False)
class Channels:
    """Ordered pairs of ranks with the links that what is sent from one to the other crosses.

    Parameters
    ----------
    ranks : int
    source, target : ndarray of int64, shape (channels,)
        Ranks.
    indptr : ndarray of int64, shape (channels + 1,)
    links : ndarray of int64
        Those of channel a are ``links[indptr[a]:indptr[a + 1]]``.
    share : ndarray of float64
        Part of what is sent that crosses each.
    capacity : ndarray of float64, shape (links,), B/s
    latency : ndarray of float64, shape (channels,), s
    """

    ranks: int
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    indptr: NDArray[np.int64]
    links: NDArray[np.int64]
    share: NDArray[np.float64]
    capacity: NDArray[np.float64]
    latency: NDArray[np.float64]

    @property
    def pace(self) -> NDArray[np.float64]:
        """Time per byte of each channel alone, s/B."""
        slowest: NDArray[np.float64] = np.maximum.reduceat(
            self.share / self.capacity[self.links], self.indptr[:-1]
        )
        return slowest

    @property
    def between(self) -> NDArray[np.float64]:
        """Least pace from rank to rank, infinite where there is no channel; shape (ranks, ranks), s/B."""
        least = np.full((self.ranks, self.ranks), np.inf)
        np.minimum.at(least, (self.source, self.target), self.pace)
        np.fill_diagonal(least, 0.0)
        return least

    @property
    def reversed(self) -> "Channels":
        """The same turned round, each still on its own links."""
        return replace(self, source=self.target, target=self.source)


def _neighbours(fabric: Fabric, ranks: int) -> list[tuple[int, int]]:
    """Pairs of ranks joined without another rank between."""
    rank_of = np.full(len(fabric.kind), -1, dtype=np.int64)
    rank_of[fabric.endpoints[:ranks]] = np.arange(ranks)
    indptr, links = fabric.out_links
    target, passes = fabric.link_target.tolist(), fabric.forwards.tolist()
    pairs = []
    for rank, node in enumerate(fabric.endpoints[:ranks].tolist()):
        seen, queue = {node}, deque([node])
        while queue:
            here = queue.popleft()
            for link in links[indptr[here] : indptr[here + 1]].tolist():
                there = target[link]
                if there in seen:
                    continue
                seen.add(there)
                if rank_of[there] >= 0:
                    pairs.append((rank, int(rank_of[there])))
                elif passes[there]:
                    queue.append(there)
        if len(pairs) > MOST_CHANNELS:
            raise CollectiveError(
                f"{fabric.name}: more than {MOST_CHANNELS:,} pairs of its {ranks} ranks are joined by "
                "switches, expected fewer to synthesize a schedule; take fewer ranks"
            )
    return pairs


def make_channels(fabric: Fabric, ranks: int, routing: str | None = None, seed: int = 0) -> Channels:
    """Find the channels of a fabric: ranks joined by a link, or by switches alone.

    Parameters
    ----------
    fabric : Fabric
    ranks : int
        The first so many endpoints, 2 or more.
    routing : str, optional
        Default: the fabric's own.
    seed : int
        For hashed routings.

    Returns
    -------
    Channels

    Raises
    ------
    CollectiveError
        If there are more than 70,000.
    RoutingError
        If a pair is not connected.

    Examples
    --------
    >>> from topo_sim.topo import single_switch, torus
    >>> len(make_channels(torus((4, 4)), 16).source), len(make_channels(single_switch(4), 4).source)
    (64, 12)
    """
    pairs = np.array(_neighbours(fabric, ranks), dtype=np.int64).reshape(-1, 2)
    source, target = pairs[:, 0].copy(), pairs[:, 1].copy()
    paths = route(fabric, source, target, routing, seed=seed)
    return Channels(
        ranks,
        source,
        target,
        paths.indptr,
        paths.links.astype(np.int64),
        np.ones(len(paths.links)) if paths.share is None else np.array(paths.share, dtype=np.float64),
        fabric.capacity.copy(),
        paths.sum(fabric.latency),
    )


def make_symmetric(fabric: Fabric, ranks: int) -> tuple[Channels, NDArray[np.int64]] | None:
    """Channels as rank 0 sees them where all ranks look alike, each class of links shared by all of them.

    Parameters
    ----------
    fabric : Fabric
    ranks : int

    Returns
    -------
    channels : Channels
        Links are classes here: what rank 0's chunks put on a class of links, all ranks' chunks together put
        on each link of it.
    moved : ndarray of int64, shape (ranks, ranks)
        ``moved[r, u]``: where u lies when rank 0 is moved to r.

    Notes
    -----
    None where the fabric is not alike from everywhere, or not all its endpoints take part.
    """
    group = cayley(fabric) if ranks == fabric.ranks and ranks <= 1024 else None
    if group is None:
        return None
    classes = len(group.capacity)
    latency = np.zeros(ranks * classes)
    rank = np.full(len(fabric.kind), -1, dtype=np.int64)
    rank[fabric.endpoints] = np.arange(ranks)
    latency[rank[fabric.link_source] * classes + group.link_class] = fabric.latency
    return Channels(
        ranks,
        np.repeat(np.arange(ranks), classes),
        group.arc_target.copy(),
        np.arange(ranks * classes + 1),
        np.tile(np.arange(classes), ranks),
        np.ones(ranks * classes),
        group.capacity.copy(),
        latency,
    ), _moved(group)


def _moved(group: Cayley) -> NDArray[np.int64]:
    """Sum of every two elements, built up along the arcs from rank 0."""
    p, classes = group.ranks, len(group.capacity)
    arcs = group.arc_target.reshape(p, classes)
    moved = np.full((p, p), -1, dtype=np.int64)
    moved[:, 0] = np.arange(p)
    queue = deque([0])
    while queue:
        here = queue.popleft()
        for which in range(classes):
            there = arcs[here, which]
            if moved[0, there] < 0:
                moved[:, there] = arcs[moved[:, here], which]
                queue.append(int(there))
    return moved
