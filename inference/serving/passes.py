"""Times of passes as tables that a kernel reads, and the KV that an instance holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import UsageError
from topo_sim.inference.serving.state_kernels import read_table

__all__ = ["PassTable", "Timer", "Times", "tabulate"]

Array = NDArray[np.float64]
_ALL_BATCHES = 64  # every batch up to here is a point of the table
_PER_OCTAVE = 4
_EXACT_LENGTHS = 64


class Times(Protocol):
    """Times of passes."""

    @property
    def total(self) -> Array:
        """From start to end of each, s."""


class Timer(Protocol):
    """What times passes: `inference.PassTimer`, or anything with these two."""

    def prefill(self, tokens: ArrayLike, prompts: ArrayLike = 1) -> Times:
        """Time passes over `prompts` prompts of `tokens` tokens each."""

    def decode(self, batch: ArrayLike, context: ArrayLike) -> Times:
        """Time passes that give `batch` sequences of `context` positions their next token."""


@dataclass(frozen=True)
class PassTable:
    """Times of passes of one instance, at points of two grids.

    Parameters
    ----------
    tokens : ndarray of float64, shape (T,)
        New tokens of a pass over prompts, ascending.
    lengths : ndarray of float64, shape (S,)
        Length of its prompts; of mixed prompts the sum of squares over the sum.
    prefill : ndarray of float64, shape (T, S), s
    batches : ndarray of float64, shape (B,)
        Sequences that decode, ascending.
    contexts : ndarray of float64, shape (C,)
        Their positions, on average.
    decode : ndarray of float64, shape (B, C), s
    capacity : int
        Tokens whose KV the instance holds.

    Raises
    ------
    UsageError
        If a grid does not ascend from 1 or more, a time is not a number above 0, or nothing fits.

    Notes
    -----
    Between points times are bilinear, beyond the last ones they go on in a straight line. The attention of a
    pass grows with the sum of squares of its prompts, so prompts of unequal lengths cost what T^2/Q prompts
    of Q/T tokens do, T their sum and Q their sum of squares: exact for time that is linear in either.

    Examples
    --------
    >>> table = PassTable([1, 100], [1, 100], [[1, 1], [2, 4]], [1, 9], [1, 9], [[1, 1], [1, 9]], 1000)
    >>> table.prefill_time(100, 100 * 100), table.decode_time(9, 5 * 9)
    (4.0, 5.0)
    """

    tokens: Array
    lengths: Array
    prefill: Array
    batches: Array
    contexts: Array
    decode: Array
    capacity: int

    def __post_init__(self) -> None:
        for name in ("tokens", "lengths", "batches", "contexts"):
            grid = np.array(getattr(self, name), dtype=np.float64)
            if grid.ndim != 1 or grid.size == 0 or not (np.isfinite(grid).all() and grid[0] >= 1):
                raise UsageError(f"{name}: found no grid of finite numbers from 1 on, expected one")
            if np.any(np.diff(grid) <= 0):
                raise UsageError(f"{name}: found points that do not ascend, expected each above the last")
            object.__setattr__(self, name, grid)
        for name, xs, ys in (("prefill", "tokens", "lengths"), ("decode", "batches", "contexts")):
            table = np.array(getattr(self, name), dtype=np.float64)
            shape = (getattr(self, xs).size, getattr(self, ys).size)
            if table.shape != shape:
                raise UsageError(f"{name}: found times of shape {table.shape}, expected {shape}")
            if not np.all(np.isfinite(table) & (table > 0)):
                raise UsageError(f"{name}: found a time that is no number above 0, expected seconds")
            object.__setattr__(self, name, table)
        if self.capacity < 1:
            raise UsageError(f"found room for {self.capacity} tokens of KV, expected at least 1")

    def prefill_time(self, tokens: float, squares: float) -> float:
        """Time a pass over prompts from their sum and the sum of their squares, s."""
        return float(read_table(self.tokens, self.lengths, self.prefill, tokens, squares / tokens))

    def decode_time(self, batch: float, positions: float) -> float:
        """Time a pass of so many sequences that have so many positions in all, s."""
        return float(read_table(self.batches, self.contexts, self.decode, batch, positions / batch))


def _grid(most: float, exact: Sequence[float] = ()) -> Array:
    """Points from 1 on, a fixed ratio apart, and those asked for."""
    steps = int(np.ceil(np.log2(max(most, 2)) * _PER_OCTAVE))
    points = np.unique(np.round(2.0 ** (np.arange(steps + 1) / _PER_OCTAVE)))
    return np.unique(np.concatenate([points[points < most], [float(max(most, 2))], np.asarray(exact, float)]))


def tabulate(
    timer: Timer, *, tokens: int, longest: int, batch: int, capacity: int, lengths: ArrayLike = ()
) -> PassTable:
    """Tabulate the passes that a serving run meets.

    Parameters
    ----------
    timer : Timer
    tokens : int
        Most new tokens of a pass over prompts.
    longest : int
        Most tokens of one sequence.
    batch : int
        Most sequences at once.
    capacity : int
        Tokens whose KV fits.
    lengths : array_like of int
        Prompts to have exactly, where they are few.

    Returns
    -------
    PassTable
        Of times that never fall with tokens, batch or context: a larger pass does not end sooner.

    Notes
    -----
    Where a pass has fewer tokens than its prompt is long (a chunk of it), every further pair of tokens in its
    attention costs what one pair of the longest prompts does.
    """
    known = np.unique(np.asarray(lengths, dtype=np.float64))
    exact = known.tolist() if known.size <= _EXACT_LENGTHS else []
    t = _grid(max(tokens, longest) + batch, exact)
    s = _grid(longest, exact)
    whole = t[:, None] >= s
    each, prompts = np.broadcast_to(s, whole.shape), t[:, None] / s
    times = np.empty(whole.shape)
    times[whole] = np.asarray(timer.prefill(each[whole], prompts[whole]).total)
    alone = np.asarray(timer.prefill(t, 1).total)
    end = float(max(s[-1], 2.0))
    pair = timer.prefill(np.array([end, end / 2]), np.array([1.0, 2.0])).total
    per_pair = max(float(pair[0] - pair[1]), 0.0) / (end * end / 2)
    times[~whole] = (alone[:, None] + per_pair * t[:, None] * (s - t[:, None]))[~whole]
    b = np.unique(np.concatenate([np.arange(1.0, min(batch, _ALL_BATCHES) + 1), _grid(batch)]))
    c = _grid(longest + 1)
    later = np.asarray(timer.decode(b[:, None], c[None, :]).total)
    times = np.maximum.accumulate(times, axis=0)
    later = np.maximum.accumulate(np.maximum.accumulate(later, axis=0), axis=1)
    return PassTable(t, s, times, b, c, later, capacity)
