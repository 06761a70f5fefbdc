"""What costing a schedule gives: a profile to be read at any size, and the cost at one."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.collectives.bounds import LowerBound
from topo_sim.collectives.schedule import Schedule
from topo_sim.topo import Fabric

__all__ = ["BusyLink", "CollectiveCost", "CostProfile", "Front"]

Front = tuple[NDArray[np.float64], NDArray[np.float64]]
SHOWN_LINKS = 8


@dataclass(frozen=True)
class BusyLink:
    """A link that holds a schedule back.

    Parameters
    ----------
    link : int
        Index in the fabric.
    name : str
        ``source->target``.
    busy : float, s
        Bytes carried over capacity: how long it works at full rate.
    share : float
        That, as a fraction of the schedule's time.
    """

    link: int
    name: str
    busy: float
    share: float


@dataclass(frozen=True)
class CollectiveCost:
    """What a schedule takes on a fabric, with the bound and the links that hold it back.

    Parameters
    ----------
    collective, algorithm, fabric, routing : str
    ranks : int
    size : float, B
        As nccl-tests counts it.
    time : float, s
    step_times : ndarray of float64, shape (steps,), s
        Of each stored step, run once.
    step_repeats : ndarray of int64, shape (steps,)
        How often each runs.
    algbw, busbw : float, B/s
        As nccl-tests defines them; infinite at zero time.
    lower_bound : float, s
        No schedule whose ranks do the combining is faster (with `in_network`: no schedule at all).
    bound : str
        What that bound comes from.
    bottleneck : tuple of BusyLink
        The busiest links, at most eight.
    busiest_count : int
        How many links are as busy as the busiest.
    in_network : bool
        Whether switches combine or copy; the lower bound then allows for that.
    model : str
        The cost model, with its settings; only "step" knows step times and links.
    """

    collective: str
    algorithm: str
    fabric: str
    routing: str
    ranks: int
    size: float
    time: float
    step_times: NDArray[np.float64] = field(repr=False)
    step_repeats: NDArray[np.int64] = field(repr=False)
    algbw: float
    busbw: float
    lower_bound: float
    bound: str
    bottleneck: tuple[BusyLink, ...] = field(repr=False)
    busiest_count: int
    in_network: bool = False
    model: str = "step"

    @property
    def below_bound(self) -> bool:
        """Whether the time is less than the lower bound, which no machine can do."""
        return self.time < self.lower_bound * (1 - 1e-9)

    @property
    def fraction(self) -> float:
        """Lower bound over time: 1 is optimal."""
        return self.lower_bound / self.time if self.time > 0 else 1.0

    def to_dict(self) -> dict[str, Any]:
        """Flat dictionary with a unit in every key that has one; infinite values become None.

        Returns
        -------
        dict
        """
        return {
            "collective": self.collective,
            "algorithm": self.algorithm,
            "fabric": self.fabric,
            "routing": self.routing,
            "ranks": self.ranks,
            "size_B": self.size,
            "time_s": self.time,
            "steps": int(self.step_repeats.sum()),
            "algbw_B_per_s": self.algbw if np.isfinite(self.algbw) else None,
            "busbw_B_per_s": self.busbw if np.isfinite(self.busbw) else None,
            "lower_bound_s": self.lower_bound,
            "bound": self.bound,
            "fraction_of_bound": self.fraction,
            "in_network": self.in_network,
            "model": self.model,
            "below_bound": self.below_bound,
            "busiest_links": self.busiest_count,
            "bottleneck": [
                {"link": b.link, "name": b.name, "busy_s": b.busy, "share_of_time": b.share}
                for b in self.bottleneck
            ],
        }


@dataclass(frozen=True)
class CostProfile:
    """A schedule solved on a fabric, to be read at any size.

    Fluid times are linear in size, so each step takes ``max(delay + size * pace)`` over its transfers.

    Parameters
    ----------
    schedule : Schedule
    fabric : Fabric
    routing : str
    repeats : ndarray of int64, shape (steps,)
    fronts : tuple of (delay, pace) pairs of ndarrays, s and s/B
        Of each step, the transfers that can be last at some size.
    busy : ndarray of float64, shape (links,), s/B
        Time that each link works, per byte of size.
    bound : LowerBound
    """

    schedule: Schedule
    fabric: Fabric
    routing: str
    repeats: NDArray[np.int64]
    fronts: tuple[Front, ...]
    busy: NDArray[np.float64]
    bound: LowerBound

    def time(self, size: float) -> float:
        """Time at a size.

        Parameters
        ----------
        size : float, B

        Returns
        -------
        float, s
        """
        return float(self.step_times(size) @ self.repeats) if self.fronts else 0.0

    def step_times(self, size: float) -> NDArray[np.float64]:
        """Time of each stored step, run once.

        Parameters
        ----------
        size : float, B

        Returns
        -------
        ndarray of float64, shape (steps,), s
        """
        delay, pace, begin = self._lines
        if not begin.size:
            return np.zeros(0)
        return np.asarray(np.maximum.reduceat(delay + size * pace, begin), dtype=np.float64)

    @cached_property
    def _lines(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        """All fronts in two arrays, and where each step begins in them."""
        if not self.fronts:
            return np.zeros(0), np.zeros(0), np.zeros(0, np.int64)
        counts = np.array([len(delay) for delay, _ in self.fronts], dtype=np.int64)
        delay, pace = (np.concatenate(each) for each in zip(*self.fronts, strict=True))
        return delay, pace, np.cumsum(counts) - counts

    def at(self, size: float | None = None) -> CollectiveCost:
        """Read the cost at a size.

        Parameters
        ----------
        size : float, B, optional
            Default: the schedule's own.

        Returns
        -------
        CollectiveCost

        Raises
        ------
        UsageError
            If it is no finite number of 0 or more.
        """
        n = self.schedule.size if size is None else size
        if isinstance(n, bool) or not isinstance(n, (int, float, np.number)) or not 0 <= n < np.inf:
            raise UsageError(f"size: found {n!r}, expected a finite number of bytes of 0 or more")
        n = float(n)
        time = self.time(n)
        algbw = n / time if time > 0 else np.inf
        collective, p = self.schedule.collective, self.schedule.ranks
        busy = self.busy * n
        top = np.argsort(-busy, kind="stable")[: SHOWN_LINKS if n > 0 else 0]
        return CollectiveCost(
            collective=collective.name,
            algorithm=self.schedule.algorithm,
            fabric=self.fabric.name,
            routing=self.routing,
            ranks=p,
            size=n,
            time=time,
            step_times=self.step_times(n),
            step_repeats=self.repeats,
            algbw=algbw,
            busbw=algbw * collective.busbw_factor(p) if p > 1 else 0.0,
            lower_bound=self.bound.time(n),
            bound=self.bound.tight(n),
            bottleneck=tuple(
                BusyLink(int(i), self.fabric.link_name(int(i)), float(busy[i]), float(busy[i] / time))
                for i in top
                if busy[i] > 0
            ),
            busiest_count=int(np.count_nonzero(busy >= busy.max() * (1 - 1e-9)))
            if n > 0 and busy.any()
            else 0,
            in_network=self.schedule.in_network,
        )
