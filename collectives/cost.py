"""The cost of a schedule on a fabric: synchronous steps of fluid transfers."""

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError, UsageError
from topo_sim.collectives.bounds import LowerBound, lower_bound
from topo_sim.collectives.schedule import Schedule
from topo_sim.collectives.step import Step
from topo_sim.topo import Fabric, route
from topo_sim.topo.flow import Paths, completion_times

__all__ = ["BusyLink", "CollectiveCost", "CostProfile", "Router", "cost", "cost_profile"]

Front = tuple[NDArray[np.float64], NDArray[np.float64]]
ROUTE_AT_ONCE = 2_000_000
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
        No schedule whose ranks do the combining is faster.
    bound : str
        What that bound comes from.
    bottleneck : tuple of BusyLink
        The busiest links, at most eight.
    busiest_count : int
        How many links are as busy as the busiest.
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
        return np.array([(delay + size * pace).max() for delay, pace in self.fronts])

    def at(self, size: float | None = None) -> CollectiveCost:
        """Read the cost at a size.

        Parameters
        ----------
        size : float, B, optional
            Default: the schedule's own.

        Returns
        -------
        CollectiveCost
        """
        n = self.schedule.size if size is None else float(size)
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
        )


class Router:
    """Routes transfers on one fabric, and keeps the paths of the pairs that it has seen.

    Parameters
    ----------
    fabric : Fabric
    routing : str, optional
        Default: the fabric's own.
    seed : int
    """

    def __init__(self, fabric: Fabric, routing: str | None = None, seed: int = 0) -> None:
        self.fabric, self.seed = fabric, seed
        self.routing = fabric.routing if routing is None else routing
        self.pairs: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self.paths = route(fabric, self.pairs, self.pairs, self.routing, seed=seed)

    def prepare(self, schedule: Schedule) -> None:
        """Route all pairs of a schedule at once, unless they are too many to keep."""
        if schedule.steps and schedule.transfer_count <= ROUTE_AT_ONCE:
            needed = np.unique(np.concatenate([self._key(step) for step in schedule.steps]))
            if not self._knows(needed):
                self.pairs = np.union1d(self.pairs, needed)
                target, source = np.divmod(self.pairs, self.fabric.ranks)
                self.paths = route(self.fabric, source, target, self.routing, seed=self.seed)

    def _key(self, step: Step) -> NDArray[np.int64]:
        return step.target.astype(np.int64) * self.fabric.ranks + step.source

    def _knows(self, pairs: NDArray[np.int64]) -> bool:
        place = np.searchsorted(self.pairs, pairs)
        return bool(self.pairs.size and place.max() < self.pairs.size and np.all(self.pairs[place] == pairs))

    def __call__(self, step: Step) -> Paths:
        """Paths of the transfers of a step."""
        key = self._key(step)
        if not self._knows(key):
            return route(self.fabric, step.source, step.target, self.routing, seed=self.seed)
        if np.array_equal(key, self.pairs):
            return self.paths
        return self.paths.take(np.searchsorted(self.pairs, key))


def _front(delay: NDArray[np.float64], pace: NDArray[np.float64]) -> Front:
    """Keep the transfers that no other one matches in both delay and pace."""
    order = np.lexsort((-pace, -delay))
    delay, pace = delay[order], pace[order]
    best = np.maximum.accumulate(pace)
    keep = np.append(True, pace[1:] > best[:-1])
    return delay[keep], pace[keep]


def _shape(step: Step) -> tuple[bytes, float]:
    """Digest what a step is solved by, its largest transfer counting as 1; and how large that is."""
    scale = float(step.fraction.max(initial=0.0)) or 1.0
    alike = step.fraction[:1] if step.fraction.strides == (0,) else step.fraction
    digest = blake2b(digest_size=16)
    for array in (step.source, step.target, alike / scale):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest(), scale


def _solve(step: Step, paths: Paths, fabric: Fabric, overhead: float) -> tuple[Front, NDArray[np.float64]]:
    """Front of one step, and the bytes on each link, with the largest transfer counting as 1."""
    amount = np.ascontiguousarray(step.fraction) / (step.fraction.max(initial=0.0) or 1.0)
    messages = np.bincount(step.source, minlength=1)[step.source]
    delay = paths.sum(fabric.latency) + overhead * messages
    return _front(delay, completion_times(paths, fabric.capacity, amount)), paths.load(amount, fabric.links)


def cost_profile(
    schedule: Schedule,
    fabric: Fabric,
    *,
    routing: str | None = None,
    overhead: float = 0.0,
    seed: int = 0,
    bound: LowerBound | None = None,
    router: Router | None = None,
) -> CostProfile:
    """Solve a schedule on a fabric once, for all sizes.

    Parameters
    ----------
    schedule, fabric, routing, overhead, seed
        As in `cost`.
    bound : LowerBound, optional
        If already known.
    router : Router, optional
        To share paths among schedules; replaces `routing` and `seed`.

    Returns
    -------
    CostProfile

    Raises
    ------
    CollectiveError, RoutingError, UsageError
        As `cost` does.

    Examples
    --------
    >>> from topo_sim.collectives import build_schedule
    >>> from topo_sim.topo import single_switch
    >>> fabric = single_switch(4, bandwidth=1e9, latency=1e-6)
    >>> profile = cost_profile(build_schedule("all_reduce", "ring", 4, 0), fabric)
    >>> round(profile.time(0) * 1e6), round(profile.time(1e6) * 1e6)
    (12, 1512)
    """
    if schedule.ranks > fabric.ranks:
        raise CollectiveError(
            f"{fabric.name} has {fabric.ranks} endpoints, expected at least {schedule.ranks} for the schedule"
        )
    if isinstance(overhead, bool) or not isinstance(overhead, (int, float)) or not 0 <= overhead < np.inf:
        raise UsageError(f"overhead: found {overhead!r}, expected a finite number of seconds of 0 or more")
    router = Router(fabric, routing, seed) if router is None else router
    if bound is None:
        bound = lower_bound(schedule.collective, fabric, schedule.ranks, overhead=overhead)
    router.prepare(schedule)
    solved: dict[bytes, Any] = {}
    fronts, busy = [], np.zeros(fabric.links)
    for step in schedule.steps:
        key, scale = _shape(step)
        if key not in solved:
            solved[key] = _solve(step, router(step), fabric, overhead)
        (delay, pace), load = solved[key]
        fronts.append((delay, pace * scale))
        busy += load * (scale * step.repeat)
    repeats = np.array([step.repeat for step in schedule.steps], dtype=np.int64)
    return CostProfile(
        schedule, fabric, router.routing, repeats, tuple(fronts), busy / fabric.capacity, bound
    )


def cost(
    schedule: Schedule,
    fabric: Fabric,
    *,
    routing: str | None = None,
    overhead: float = 0.0,
    seed: int = 0,
) -> CollectiveCost:
    """Time a schedule on a fabric.

    Parameters
    ----------
    schedule : Schedule
        Its ranks are the first endpoints of the fabric, in their order.
    fabric : Fabric
    routing : str, optional
        Default: the fabric's own.
    overhead : float, s
        Per message: the messages that a rank sends in a step leave it one `overhead` apart, and all
        wait for the last.
    seed : int
        For hashed routings.

    Returns
    -------
    CollectiveCost

    Raises
    ------
    CollectiveError
        If the fabric has too few endpoints, or some are not connected.
    RoutingError
        If the routing does not fit the fabric.
    UsageError
        If `overhead` is no finite number of 0 or more.

    Notes
    -----
    Steps are synchronous: a step starts when the one before it has ended, and ends when its last
    transfer has arrived: overhead, plus the latency of the path (the mean over a split flow), plus the
    time to send its bytes at max-min fair rates, shared again whenever a transfer ends. Combining costs
    nothing. Steps that differ only in chunks or in scale are solved once.

    Examples
    --------
    A ring over 4 ranks sends 6 steps of a quarter of the vector: 6 * (2 us + 250 us).

    >>> from topo_sim.collectives import build_schedule
    >>> from topo_sim.topo import single_switch
    >>> fabric = single_switch(4, bandwidth=1e9, latency=1e-6)
    >>> result = cost(build_schedule("all_reduce", "ring", 4, 1e6), fabric)
    >>> round(result.time * 1e6), round(result.busbw / 1e9, 3), round(result.fraction, 3)
    (1512, 0.992, 0.993)
    """
    return cost_profile(schedule, fabric, routing=routing, overhead=overhead, seed=seed).at()
