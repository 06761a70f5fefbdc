"""What a scheduler is asked: a demand, the circuits that can carry it, and what a change costs."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import DemandError, UsageError, nearest
from topo_sim.topo.flow.arrays import as_number, as_numbers, refuse_where

__all__ = ["STOPS", "Problem"]

STOPS = ("all", "plane", "port")
MOST_RANKS = 2048
_LEAST = 1e-15  # of a change: what the busiest line takes at least, so that times can tell it
_BITS = 49  # line sums stay below 2^50: whole amounts are exact in 64 bits and as floats
_HUGE = 1e300
_SHORTEST = 1e-200  # s: shares of shorter times would round to nothing


def _integer(value: Any, name: str, least: int, most: int) -> int:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or not least <= value <= most:
        raise UsageError(f"{name}: found {value!r}, expected an integer from {least} to {most}")
    return int(value)


def _matrix(values: ArrayLike) -> NDArray[np.float64]:
    demand = as_numbers(values, "demand", DemandError).copy()
    if demand.ndim != 2 or demand.shape[0] != demand.shape[1] or not demand.size:
        raise DemandError(f"demand: found shape {demand.shape}, expected one row and one column per rank")
    if len(demand) > MOST_RANKS:
        raise DemandError(f"demand: found {len(demand)} ranks, expected at most {MOST_RANKS}")
    wrong = ~np.isfinite(demand) | (demand < 0)
    refuse_where(wrong, demand, "demand", "finite bytes of 0 or more", DemandError)
    np.fill_diagonal(demand, 0.0)
    with np.errstate(over="ignore"):
        if demand.sum() > _HUGE:
            raise DemandError("demand: found a sum beyond 1e300 B, expected less")
    demand.setflags(write=False)
    return demand


@dataclass(frozen=True, eq=False)
class Problem:
    """A demand to be carried by circuits, with a packet fabric beside them where there is one.

    Parameters
    ----------
    demand : array_like of float, shape (ranks, ranks), B
        Row by row what each rank sends, once. The diagonal crosses nothing and counts as 0.
    rate : float, B/s
        Of one circuit, one way.
    delta : float, s
        How long a port is dark when its circuit is changed.
    planes : int
        Circuit switches side by side; every rank has one port on each.
    packet_rate : float, B/s
        What each rank can send, and receive, over a packet fabric that never blocks; 0: there is none.
    stop : {"all", "plane", "port"}
        What is dark during a change: every port of every plane, every port of that plane, or only the two
        ports of the circuit that is set up.
    first_free : bool
        Whether the first configuration of each plane is set when time begins; otherwise it takes `delta`.

    Raises
    ------
    DemandError
        If the demand is not square, or holds what is no finite number of 0 or more.
    UsageError
        If a number is out of range.

    Examples
    --------
    >>> problem = Problem([[5, 2], [1, 0]], rate=1e9, delta=1e-6)
    >>> problem.ranks, problem.busiest, problem.peers
    (2, 2.0, 1)
    """

    demand: ArrayLike
    rate: float
    delta: float = 0.0
    planes: int = 1
    packet_rate: float = 0.0
    stop: str = "plane"
    first_free: bool = False

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        set_(self, "demand", _matrix(self.demand))
        set_(self, "rate", as_number(self.rate, "rate", 0.0, _HUGE, UsageError))
        if self.rate == 0:
            raise UsageError("rate: found 0, expected B/s of more than 0")
        set_(self, "delta", as_number(self.delta, "delta", 0.0, _HUGE, UsageError))
        self._require_times()
        set_(self, "planes", _integer(self.planes, "planes", 1, 1024))
        set_(self, "packet_rate", as_number(self.packet_rate, "packet rate", 0.0, _HUGE, UsageError))
        if self.stop not in STOPS:
            raise UsageError(f'stop: found "{self.stop}": {nearest(str(self.stop), STOPS)}')
        if not isinstance(self.first_free, (bool, np.bool_)):
            raise UsageError(f"first_free: found {self.first_free!r}, expected true or false")
        if not math.isfinite((self.busiest / self.rate + self.ranks**2 * self.delta) * 1e6):
            raise UsageError(
                f"rate: found {self.rate:g} B/s for {self.busiest:g} B, expected a time below 1e300 s"
            )
        if self.busiest and self.busiest / max(self.rate, self.packet_rate) < _SHORTEST:
            raise UsageError(
                f"rate: found {max(self.rate, self.packet_rate):g} B/s for {self.busiest:g} B, expected a "
                f"time of at least {_SHORTEST:g} s"
            )

    @property
    def bytes(self) -> NDArray[np.float64]:
        """The demand with an empty diagonal, B: shape (ranks, ranks)."""
        return self.demand  # type: ignore[return-value]

    @property
    def ranks(self) -> int:
        """Number of ranks."""
        return len(self.bytes)

    @cached_property
    def lines(self) -> NDArray[np.float64]:
        """What each rank sends, then what each receives, B: shape (2 ranks,)."""
        return np.concatenate([self.bytes.sum(axis=1), self.bytes.sum(axis=0)])

    @property
    def busiest(self) -> float:
        """The largest line sum, B."""
        return float(self.lines.max())

    def _require_times(self) -> None:
        """Refuse bytes that take so little time that it is lost beside that of a change."""
        needed, least = self.busiest / self.rate, _LEAST * self.delta
        if self.busiest and needed <= least:
            raise UsageError(
                f"rate: found {self.rate:g} B/s for {self.busiest:g} B, which takes {needed:g} s; expected "
                f"more than {least:g} s, or it is lost in rounding beside changes of {self.delta:g} s"
            )

    @cached_property
    def peers(self) -> int:
        """The most entries above 0 in a line."""
        used = self.bytes > 0
        return int(max(used.sum(axis=0).max(), used.sum(axis=1).max()))

    @cached_property
    def _exponent(self) -> int:
        return _BITS - int(np.frexp(self.busiest)[1])

    @cached_property
    def units(self) -> NDArray[np.int64]:
        """The demand in whole units, rounded up: line sums below 2^50, so that sums are exact.

        Returns
        -------
        ndarray of int64, shape (ranks, ranks)
        """
        up = np.ceil(np.ldexp(self.bytes, self._exponent)).astype(np.int64)
        return np.where(self.bytes > 0, np.maximum(up, 1), 0)

    @property
    def units_busiest(self) -> int:
        """The largest line sum in units."""
        return int(max(self.units.sum(axis=0).max(), self.units.sum(axis=1).max()))

    @property
    def pause(self) -> float:
        """What a circuit could carry in the time of a change, in units."""
        return self.scale(self.delta * self.rate)

    def scale(self, amount: float) -> float:
        """Turn bytes into units, not rounded."""
        with np.errstate(over="ignore"):
            return float(np.ldexp(amount, self._exponent))

    def to_units(self, amount: float) -> int:
        """Round bytes up to whole units, 1 at least; what is beyond any line counts as just that."""
        return max(math.ceil(math.ldexp(min(amount, 4 * self.busiest), self._exponent)), 1)

    def to_bytes(self, units: NDArray[Any]) -> NDArray[np.float64]:
        """Turn units into bytes."""
        return np.asarray(np.ldexp(units.astype(np.float64), -self._exponent))
