"""When circuits stand: whole matchings held by planes, or circuits that come and go by themselves."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.optics.scheduling.problem import Problem

__all__ = ["PortTimes", "SlotTimes"]

_SLACK = 1e-9
_SAME = 1e-14  # of the whole: moments no further apart are one, and what stands between is left out
_MOST_BYTES = 2**31


def _too_close(
    key: NDArray[Any], start: NDArray[Any], end: NDArray[Any], what: NDArray[Any], p: Problem
) -> str:
    """Say what is wrong where, in the order of time, things of one key overlap or change without `delta`."""
    if not start.size:
        return ""
    slack = _SLACK * float(end.max())
    order = np.lexsort((start, key))
    key, start, end, what = key[order], start[order], end[order], what[order]
    same = key[1:] == key[:-1]
    pause = np.where(what[1:] == what[:-1], 0.0, p.delta)
    if np.any(same & (start[1:] < end[:-1] + pause - slack)):
        return "circuits of one port overlap, or change without a pause"
    first = np.concatenate([[True], ~same])
    if not p.first_free and np.any(start[first] < p.delta - slack):
        return "a first configuration is not paid for"
    return ""


def _grid(
    start: NDArray[Any], end: NDArray[Any], planes: int, ranks: int
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[Any], NDArray[Any]]:
    """Dark slots between all events; for each piece and slot that it spans, both numbers."""
    moments, place = np.unique(np.concatenate([[0.0], start, end]), return_inverse=True)
    apart = np.diff(moments) > _SAME * moments[-1]
    edges = moments[np.concatenate([[True], apart])]
    slot_of = np.concatenate([[0], np.cumsum(apart)])[place.ravel()[1:]]
    low, high = slot_of[: start.size], slot_of[start.size :]
    if (edges.size - 1) * planes * ranks * 4 > _MOST_BYTES:
        raise UsageError(
            f"found {edges.size - 1:,} slots of {planes * ranks:,} ports, expected no more than 2 GiB of them"
        )
    targets = np.full((edges.size - 1, planes, ranks), -1, dtype=np.int32)
    piece = np.repeat(np.arange(start.size), high - low)
    slot = np.arange(piece.size) - np.repeat(np.cumsum(high - low) - high, high - low)
    return targets, np.diff(edges), piece, slot


@dataclass(frozen=True)
class SlotTimes:
    """Matchings that planes hold, one after another.

    Parameters
    ----------
    targets : ndarray of int32, shape (matchings, ranks)
        -1: no circuit.
    matching, plane : ndarray of int64, shape (pieces,)
        What is held where.
    start, live : ndarray of float64, shape (pieces,), s
        From when on light flows, and for how long.
    """

    targets: NDArray[np.int32]
    matching: NDArray[np.int64]
    plane: NDArray[np.int64]
    start: NDArray[np.float64]
    live: NDArray[np.float64]

    def light(self, ranks: int) -> NDArray[np.float64]:
        """How long circuits stand from each rank to each other, over all planes, s: shape (ranks, ranks)."""
        held = np.bincount(self.matching, self.live, minlength=len(self.targets))
        flat = self.targets + np.arange(ranks, dtype=np.int64) * ranks
        used = self.targets >= 0
        weights = np.broadcast_to(held[:, None], used.shape)[used]
        total = np.bincount(flat[used], weights, minlength=ranks**2).astype(np.float64)
        return total.reshape(ranks, ranks)

    @property
    def configurations(self) -> int:
        """How many times a configuration is set; what all planes set together counts once."""
        return int(np.unique(self.start).size) if self._together else int(self.start.size)

    @property
    def _together(self) -> bool:
        counts = np.unique(self.start, return_counts=True)[1]
        return bool(counts.size) and int(counts.max()) > 1

    def fault(self, p: Problem) -> str:
        """Say what is wrong with the times or the matchings; nothing if all is well."""
        for block in range(0, len(self.targets), 4096):
            rows = np.sort(self.targets[block : block + 4096], axis=1)
            if np.any((rows[:, 1:] == rows[:, :-1]) & (rows[:, 1:] >= 0)):
                return "a configuration leads two circuits to one rank"
        fault = _too_close(self.plane, self.start, self.start + self.live, self.matching, p)
        if fault or p.stop != "all" or p.planes == 1 or not self.start.size:
            return fault
        order = np.argsort(self.start, kind="stable")
        start, end = self.start[order], (self.start + self.live)[order]
        new = np.flatnonzero(np.diff(start) > 0) + 1
        before = np.maximum.accumulate(end)[new - 1]
        late = start[new] < before + p.delta - _SLACK * float(end.max())
        return "planes change one by one, expected all together" if np.any(late) else ""

    def dark_time(self, p: Problem) -> float:
        """How long a plane waits for its configurations, mean over planes, s."""
        if p.stop == "all" and p.planes > 1:
            count = float(np.unique(self.start).size)
            return max(count - p.first_free, 0.0) * p.delta
        order = np.lexsort((self.start, self.plane))
        plane, matching = self.plane[order], self.matching[order]
        changes = int(np.sum((plane[1:] != plane[:-1]) | (matching[1:] != matching[:-1]))) + (plane.size > 0)
        free = np.unique(plane).size if p.first_free else 0
        return (changes - free) * p.delta / p.planes

    def slots(self, planes: int, ranks: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Targets and durations of the slots between all events, dark ones among them."""
        grid, durations, piece, slot = _grid(self.start, self.start + self.live, planes, ranks)
        grid[slot, self.plane[piece]] = self.targets[self.matching[piece]]
        return grid, durations


@dataclass(frozen=True)
class PortTimes:
    """Circuits that are set up and taken down one by one.

    Parameters
    ----------
    plane, source, target : ndarray of int64, shape (circuits,)
    start, live : ndarray of float64, shape (circuits,), s
        From when on light flows, and for how long.
    configurations : int
        How many matchings the circuits come from.
    """

    plane: NDArray[np.int64]
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    start: NDArray[np.float64]
    live: NDArray[np.float64]
    configurations: int

    def light(self, ranks: int) -> NDArray[np.float64]:
        """How long circuits stand from each rank to each other, over all planes, s: shape (ranks, ranks)."""
        pair = self.source * ranks + self.target
        total = np.bincount(pair, self.live, minlength=ranks**2).astype(np.float64)
        return total.reshape(ranks, ranks)

    def fault(self, p: Problem) -> str:
        """Say what is wrong with the times; nothing if all is well."""
        end = self.start + self.live
        sending = _too_close(self.plane * p.ranks + self.source, self.start, end, self.target, p)
        return sending or _too_close(self.plane * p.ranks + self.target, self.start, end, self.source, p)

    def dark_time(self, p: Problem) -> float:
        """How long a port waits for its circuits, mean over all ports, s."""
        paid = self.start.size
        if p.first_free:
            paid = int(np.sum(self.start > 0))
        return paid * p.delta / (p.planes * p.ranks)

    def slots(self, planes: int, ranks: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Targets and durations of the slots between all events, dark ones among them."""
        grid, durations, piece, slot = _grid(self.start, self.start + self.live, planes, ranks)
        grid[slot, self.plane[piece], self.source[piece]] = self.target[piece]
        return grid, durations
