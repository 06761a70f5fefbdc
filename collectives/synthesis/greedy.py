"""Greedy synthesis: rounds filled chunk by chunk on the fabric as it is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError
from topo_sim.collectives.synthesis.channels import Channels, make_channels, make_symmetric
from topo_sim.collectives.synthesis.kernels import fill_rounds
from topo_sim.topo import Fabric

__all__ = ["Plan", "greedy_plan"]

MOST_WORK = 16_000_000_000
TRIES_WORK = 200_000_000
MOST_TRIES = 64
PACES = 6


@dataclass(frozen=True, eq=False)
class Plan:
    """Which chunk goes from where to where in which round, until every rank holds all of them.

    Parameters
    ----------
    ranks, chunks : int
        Chunks are numbered block by block: rank 0's first.
    source, target, chunk : ndarray of int64, shape (transfers,)
        By round.
    end : ndarray of int64, shape (rounds,)
        Round t ends before transfer ``end[t]``.
    """

    ranks: int
    chunks: int
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    chunk: NDArray[np.int64]
    end: NDArray[np.int64]

    @property
    def rounds(self) -> int:
        """Number of rounds."""
        return len(self.end)

    @property
    def backwards(self) -> "Plan":
        """Last round first, and every transfer turned round: what was spread is gathered."""
        begin = np.append(0, self.end[:-1])
        order = [np.arange(a, b) for a, b in zip(begin[::-1], self.end[::-1], strict=True)]
        which = np.concatenate(order) if order else np.zeros(0, dtype=np.int64)
        end = np.cumsum((self.end - begin)[::-1])
        return Plan(self.ranks, self.chunks, self.target[which], self.source[which], self.chunk[which], end)


def greedy_plan(
    fabric: Fabric,
    ranks: int,
    *,
    chunks: int = 1,
    size: float = 2.0**30,
    seed: int = 0,
    backwards: bool = False,
    routing: str | None = None,
    symmetric: bool = True,
) -> Plan:
    """Spread the chunks of every rank to all others, in as little time as greedy choice finds.

    Parameters
    ----------
    fabric : Fabric
    ranks : int
        The first so many endpoints, 2 or more.
    chunks : int
        Per rank.
    size : float, B
        Of all chunks together; weighs latencies against bandwidth.
    seed : int
        Of the random order.
    backwards : bool
        Whether the plan will be run backwards, to gather: transfers then cross the links of the way back.
    routing : str, optional
        Default: the fabric's own.
    symmetric : bool
        Whether to plan for one rank and move the plan to the others where all look alike.

    Returns
    -------
    Plan

    Raises
    ------
    CollectiveError
        If there is too much to plan, or the ranks are not connected.

    Notes
    -----
    Rounds are as long as one chunk takes over some channel; the lengths that occur are tried, and several
    random orders, and what takes the least time is kept. Where all ranks look alike one tree from rank 0
    that uses each class of links as often as a link has room, moved to every rank, fills all links evenly.

    References
    ----------
    Won et al., "TACOS: topology-aware collective algorithm synthesizer", MICRO 2024, arXiv 2304.05301 (links
    joining neighbours, one chunk each per time step); here channels may cross switches and differ in speed.
    """
    found = make_symmetric(fabric, ranks) if symmetric and routing in (None, fabric.routing) else None
    if found is None:
        channels, moved = make_channels(fabric, ranks, routing, seed), None
        origin = np.arange(ranks).repeat(chunks)
    else:
        (channels, moved), origin = found, np.zeros(chunks, dtype=np.int64)
    if not len(channels.source):
        raise CollectiveError(f"{fabric.name}: no rank is joined to another, expected a connected fabric")
    work = len(channels.source) * len(origin) * max(ranks * chunks // 8, 1)
    if work > MOST_WORK:
        raise CollectiveError(
            f"{fabric.name}: {ranks} ranks of {chunks} chunks over {len(channels.source):,} channels are too "
            "much to synthesize, expected fewer ranks or chunks"
        )
    channels = channels.reversed if backwards else channels
    tries = int(np.clip(TRIES_WORK // max(work, 1), 1, MOST_TRIES))
    best = _search(channels, origin, size / (ranks * chunks), seed, tries)
    if best is None:
        raise CollectiveError(f"{fabric.name}: found ranks that no channel leads to, expected all connected")
    which, chunk, end = best
    source, target = channels.source[which], channels.target[which]
    if moved is not None:
        source, target = moved[:, source].T.ravel(), moved[:, target].T.ravel()
        chunk = (np.arange(ranks)[None, :] * chunks + chunk[:, None]).ravel()
        end = end * ranks
    return Plan(ranks, ranks * chunks, source, target, chunk, end)


Rounds = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


def _search(
    channels: Channels, origin: NDArray[np.int64], chunk: float, seed: int, tries: int
) -> Rounds | None:
    """Least time over lengths of a round and random orders; None if none reaches all ranks."""
    pace, between = channels.pace, channels.between
    lengths = np.unique(pace)
    if len(lengths) > PACES:
        lengths = lengths[np.linspace(0, len(lengths) - 1, PACES).round().astype(int)]
    total = (channels.ranks - 1) * len(origin)
    best, least = None, np.inf
    for attempt in range(max(tries, len(lengths))):
        length = lengths[len(lengths) - 1 - attempt % len(lengths)]
        loose = attempt // len(lengths) % 2 == 1
        which, sent, end = (np.zeros(n, dtype=np.int64) for n in (total, total, 4 * total + 1))
        rounds = fill_rounds(
            channels.source, channels.target, pace, channels.indptr, channels.links, channels.share,
            channels.capacity * length, origin, between, loose, (seed * 1009 + attempt) % 2**32, which, sent,
            end,
        )  # fmt: skip
        if rounds < 0:
            continue
        time = _time(channels, which, end[:rounds], chunk)
        if time < least * (1 - 1e-12):
            best, least = (which, sent, end[:rounds].copy()), time
        if rounds == _fewest(channels, origin, length) and len(lengths) == 1:
            break
    return best


def _fewest(channels: Channels, origin: NDArray[np.int64], length: float) -> int:
    """Count the rounds that no plan can do without: what a rank receives over what its links let in."""
    if channels.links.max() + 1 < len(channels.source) and not origin.any():
        room = (channels.capacity * length * (1 + 1e-9)).astype(np.int64).sum()
        return -(-(channels.ranks - 1) * len(origin) // max(int(room), 1))
    into = np.zeros(channels.ranks)
    np.add.at(into, channels.target, np.maximum(length / channels.pace * (1 + 1e-9), 0).astype(np.int64))
    own = np.bincount(origin, minlength=channels.ranks)
    return int(np.ceil((len(origin) - own) / np.maximum(into, 1)).max())


def _time(channels: Channels, which: NDArray[np.int64], end: NDArray[np.int64], chunk: float) -> float:
    """Time of all rounds: of each, the longest latency and the fullest link."""
    total, begin = 0.0, 0
    counts = np.diff(channels.indptr)
    for stop in end.tolist():
        mine = which[begin:stop]
        entries = np.repeat(channels.indptr[mine], counts[mine]) + _within(counts[mine])
        load = np.bincount(channels.links[entries], channels.share[entries], len(channels.capacity))
        total += channels.latency[mine].max() + (load / channels.capacity).max() * chunk
        begin = stop
    return float(total)


def _within(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    first = np.cumsum(counts) - counts
    return np.arange(int(counts.sum())) - np.repeat(first, counts)
