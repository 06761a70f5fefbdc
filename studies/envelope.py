"""Which of several functions of size is the least, and from where on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives import CostProfile

__all__ = ["Envelope", "Line", "ranges_of", "search_ranges", "settle_ranges", "trace_profile"]

NOISE = 1e-12
"""Times closer than this, relative, are equal: the one that was found first stays."""


@dataclass(frozen=True)
class Line:
    """A continuous function of size, linear between its knots.

    Parameters
    ----------
    size : ndarray of float64, shape (knots,), B
        Rising.
    time : ndarray of float64, shape (knots,), s

    Examples
    --------
    >>> Line(np.array([0.0, 4.0]), np.array([1.0, 3.0])).at(np.array([1.0])).tolist()
    [1.5]
    """

    size: NDArray[np.float64]
    time: NDArray[np.float64]

    def at(self, size: NDArray[np.float64]) -> NDArray[np.float64]:
        """Read times at sizes between the first knot and the last."""
        found: NDArray[np.float64] = np.interp(size, self.size, self.time)
        return found


def _breaks(delay: NDArray[np.float64], pace: NDArray[np.float64]) -> list[float]:
    """Find where the next of the lines ``delay + size * pace`` is the largest; delays fall, paces rise."""
    hull: list[int] = []
    breaks: list[float] = []
    for i in range(len(delay)):
        while hull:
            size = float((delay[hull[-1]] - delay[i]) / (pace[i] - pace[hull[-1]]))
            if not breaks or size > breaks[-1]:
                breaks.append(size)
                break
            hull.pop()
            breaks.pop()
        hull.append(i)
    return breaks


def trace_profile(profile: CostProfile, low: float, high: float) -> Line:
    """Find the knots of a profile's time between two sizes.

    Parameters
    ----------
    profile : CostProfile
    low, high : float, B

    Returns
    -------
    Line
        From `low` to `high`; equal to ``profile.time`` everywhere between, but for rounding.

    Examples
    --------
    >>> from topo_sim.collectives import build_schedule, cost_profile
    >>> from topo_sim.topo import single_switch
    >>> fabric = single_switch(4, bandwidth=1.0, latency=0.5)
    >>> line = trace_profile(cost_profile(build_schedule("all_reduce", "ring", 4, 0), fabric), 0, 8)
    >>> line.size.tolist(), line.time.tolist()
    ([0.0, 8.0], [6.0, 18.0])
    """
    knots = [float(low), float(high)]
    for delay, pace in profile.fronts:
        if len(delay) > 1:
            knots += [size for size in _breaks(delay, pace) if low < size < high]
    size = np.unique(knots)
    time = np.zeros(len(size))
    for (delay, pace), repeat in zip(profile.fronts, profile.repeats.tolist(), strict=True):
        time += repeat * (delay[:, np.newaxis] + np.outer(pace, size)).max(axis=0)
    return Line(size, time)


@dataclass(frozen=True)
class Envelope:
    """The least of several lines, and whose it is.

    Parameters
    ----------
    line : Line
    owner : ndarray of int64, shape (knots - 1,)
        Which line is the least between a knot and the next.
    """

    line: Line
    owner: NDArray[np.int64]

    @classmethod
    def of(cls, line: Line, owner: int) -> "Envelope":
        """Make an envelope of one line."""
        return cls(line, np.full(len(line.size) - 1, owner, dtype=np.int64))

    def beaten_by(self, line: Line) -> bool:
        """Whether a line is below the envelope at any of the envelope's knots."""
        return bool(np.any(line.at(self.line.size) < self.line.time * (1 - NOISE)))

    def add(self, line: Line, owner: int) -> "Envelope":
        """Lower the envelope where a line is below it.

        Parameters
        ----------
        line : Line
            Over the same sizes.
        owner : int
            Its number.

        Returns
        -------
        Envelope
            The same where the line is nowhere below it.

        Examples
        --------
        >>> slow = Line(np.array([0.0, 8.0]), np.array([1.0, 9.0]))
        >>> both = Envelope.of(slow, 0).add(Line(np.array([0.0, 8.0]), np.array([3.0, 5.0])), 1)
        >>> both.line.size.tolist(), both.owner.tolist()
        ([0.0, 2.6666666666666665, 8.0], [0, 1])
        """
        size = np.union1d(self.line.size, line.size)
        old, new = self.line.at(size), line.at(size)
        gap = new - old
        gap[np.abs(gap) <= NOISE * old] = 0.0
        if not np.any(gap < 0):
            return self
        cross = np.flatnonzero(gap[:-1] * gap[1:] < 0)
        part = gap[cross] / (gap[cross] - gap[cross + 1])
        where = size[cross] + part * (size[cross + 1] - size[cross])
        size, gap = np.insert(size, cross + 1, where), np.insert(gap, cross + 1, 0.0)
        least = np.minimum(self.line.at(size), line.at(size))
        mine = self.owner[
            np.clip(np.searchsorted(self.line.size, size[:-1], "right") - 1, 0, len(self.owner) - 1)
        ]
        below = (np.minimum(gap[:-1], gap[1:]) < 0) & (np.maximum(gap[:-1], gap[1:]) <= 0)
        return Envelope(Line(size, least), np.where(below, owner, mine))


def ranges_of(envelope: Envelope) -> list[tuple[int, int, int]]:
    """Whole sizes at which each line is the least.

    Parameters
    ----------
    envelope : Envelope
        Between whole sizes.

    Returns
    -------
    list of (first, last, owner)
        From the lowest size to the highest without gaps: a line takes over at the first byte at which it
        is below.

    Examples
    --------
    >>> slow, fast = (Line(np.array([0.0, 8.0]), np.array(t)) for t in ([1.0, 9.0], [3.0, 5.0]))
    >>> ranges_of(Envelope.of(slow, 0).add(fast, 1))
    [(0, 2, 0), (3, 8, 1)]
    """
    size, owner = envelope.line.size, envelope.owner
    if not owner.size:
        return []
    change = np.flatnonzero(np.diff(owner)) + 1
    starts = [int(size[0]), *(int(np.floor(size[i])) + 1 for i in change), int(size[-1]) + 1]
    owners = [int(owner[0]), *owner[change].tolist()]
    found: list[tuple[int, int, int]] = []
    for first, after, who in zip(starts[:-1], starts[1:], owners, strict=True):
        if first >= after:
            continue
        if found and found[-1][2] == who:
            first = found.pop()[0]
        found.append((first, after - 1, who))
    return found


Times = Callable[[int, int], float]


def settle_ranges(times: Times, ranges: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Move the ends of ranges to the byte where rounding has put them beside it.

    Parameters
    ----------
    times : callable
        ``times(i, size)`` is function i's time at a whole size.
    ranges : sequence of (first, last, owner)
        As `ranges_of` gives them.

    Returns
    -------
    list of (first, last, owner)

    Examples
    --------
    >>> lines = [lambda n: 1.0 + n, lambda n: 3.0 + n / 4]
    >>> settle_ranges(lambda i, n: lines[i](n), [(0, 3, 0), (4, 8, 1)])
    [(0, 2, 0), (3, 8, 1)]
    """
    settled = list(ranges[:1])
    for _, last, owner in ranges[1:]:
        low, _, before = settled.pop()
        if times(owner, last) < times(before, last) * (1 - NOISE):
            first = _first_byte(times, before, owner, low, last)
            settled += [(low, first - 1, before), (first, last, owner)]
        else:  # equal all the way
            settled.append((low, last, before))
    return settled


def _first_byte(times: Times, before: int, after: int, low: int, high: int) -> int:
    """First size above `low` at which `after` is faster than `before`, as it is at `high`."""

    def gap(size: int) -> float:
        old = times(before, size)
        difference = times(after, size) - old
        return 0.0 if abs(difference) <= NOISE * old else difference

    at_low, at_high = max(gap(low), 0.0), gap(high)
    straight = True
    while high - low > 1:
        middle = (low + high) // 2
        if straight and at_low > at_high:  # where a straight line would cross
            middle = low + int((high - low) * at_low / (at_low - at_high))
            middle = min(max(middle, low + 1), high - 1)
        width, here = high - low, gap(middle)
        if here < 0:
            high, at_high = middle, here
        else:
            low, at_low = middle, here
        straight = high - low <= width // 2 or not straight
    return high


def search_ranges(
    times: Times, sizes: Sequence[int], table: NDArray[np.float64]
) -> list[tuple[int, int, int]]:
    """Find ranges of functions of which only values are known.

    Parameters
    ----------
    times : callable
        ``times(i, size)`` is function i's time at a whole size.
    sizes : sequence of int, B
        Rising.
    table : ndarray of float64, shape (functions, sizes)
        The times there; infinite where a function is not to be looked at.

    Returns
    -------
    list of (first, last, owner)
        As `ranges_of` gives them.

    Notes
    -----
    Between two neighbouring sizes with different winners the change is found to a byte, and a function that
    is below both there gets a range of its own. A function that wins only between two sizes of one winner
    is not seen.

    Examples
    --------
    >>> lines = [lambda n: 1.0 + n, lambda n: 3.0 + n / 4]
    >>> table = np.array([[line(n) for n in (0, 8)] for line in lines])
    >>> search_ranges(lambda i, n: lines[i](n), [0, 8], table)
    [(0, 2, 0), (3, 8, 1)]
    """
    best = [_least(column) for column in table.T]
    starts = [(int(sizes[0]), best[0])]
    for k in range(len(sizes) - 1):
        known = np.flatnonzero(np.isfinite(table[:, k]) | np.isfinite(table[:, k + 1])).tolist()
        starts += _changes(times, known, (int(sizes[k]), best[k]), (int(sizes[k + 1]), best[k + 1]))
    ends = [first - 1 for first, _ in starts[1:]] + [int(sizes[-1])]
    return [(first, last, who) for (first, who), last in zip(starts, ends, strict=True)]


def _least(column: NDArray[np.float64]) -> int:
    """Pick the first that is as fast as the fastest."""
    return int(np.argmax(column <= column.min() * (1 + NOISE)))


def _changes(
    times: Times, known: list[int], low: tuple[int, int], high: tuple[int, int]
) -> list[tuple[int, int]]:
    """Find the ranges that start above one size and up to another, of which the winners are known."""
    if low[1] == high[1]:
        return []
    first = _first_byte(times, low[1], high[1], low[0], high[0])
    here = [times(i, first) for i in known]
    winner = known[_least(np.array(here))]
    if winner in (low[1], high[1]) or first == high[0]:
        return [(first, high[1])]
    middle = (first, winner)
    return _changes(times, known, low, middle) + _changes(times, known, middle, high)
