"""Bandwidth sharing among flows of a traffic pattern."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import Registry, UsageError
from topo_sim.topo import Fabric, route
from topo_sim.topo.flow import check_max_min, completion_times, max_min_rates

__all__ = ["PATTERNS", "Sharing", "share_bandwidth"]

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]
PATTERNS: Registry[Callable[[int, int], Pairs]] = Registry("pattern")

MOST_FLOWS = 20_000_000


@PATTERNS.register("permutation")
def permutation(ranks: int, seed: int) -> Pairs:
    """Each endpoint sends to one other, at random, and receives from one."""
    order = np.random.default_rng(seed).permutation(ranks)
    target = np.empty(ranks, dtype=np.int64)
    target[order] = np.roll(order, 1)
    return np.arange(ranks), target


@PATTERNS.register("all_to_all")
def all_to_all(ranks: int, seed: int) -> Pairs:
    """Each endpoint sends to every other."""
    source, target = np.divmod(np.arange(ranks**2), ranks)
    return source[source != target], target[source != target]


@PATTERNS.register("neighbour")
def neighbour(ranks: int, seed: int) -> Pairs:
    """Each endpoint sends to the next rank."""
    rank = np.arange(ranks)
    return rank, (rank + 1) % ranks


@PATTERNS.register("incast")
def incast(ranks: int, seed: int) -> Pairs:
    """Every endpoint sends to rank 0."""
    return np.arange(1, ranks), np.zeros(ranks - 1, dtype=np.int64)


@PATTERNS.register("opposite")
def opposite(ranks: int, seed: int) -> Pairs:
    """Each endpoint sends to the one half the ranks away."""
    rank = np.arange(ranks)
    return rank, (rank + ranks // 2) % ranks


@dataclass(frozen=True)
class Sharing:
    """Max-min fair rates of a pattern on a fabric.

    Parameters
    ----------
    fabric, pattern, routing : str
    seed : int
    source, target : ndarray of int64, shape (flows,)
        Ranks.
    rate : ndarray of float64, shape (flows,), B/s
    hops : ndarray of float64, shape (flows,)
        Links crossed; the mean over a split flow.
    utilisation : ndarray of float64, shape (links,)
        Load over capacity.
    full_links : list of (name, flows)
        Links without room left that hold most flows.
    size : float, B
        Of each flow, for `finish`.
    finish : float, s
        When the last flow of that size ends.
    """

    fabric: str
    pattern: str
    routing: str
    seed: int
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    rate: NDArray[np.float64]
    hops: NDArray[np.float64]
    utilisation: NDArray[np.float64]
    full_links: list[tuple[str, int]]
    size: float
    finish: float

    def to_dict(self) -> dict[str, Any]:
        """Summary with units in the keys.

        Returns
        -------
        dict
        """
        rate = self.rate
        return {
            "fabric": self.fabric,
            "pattern": self.pattern,
            "routing": self.routing,
            "seed": self.seed,
            "flows": len(rate),
            "rate_min_B_per_s": float(rate.min()),
            "rate_mean_B_per_s": float(rate.mean()),
            "rate_max_B_per_s": float(rate.max()),
            "rate_sum_B_per_s": float(rate.sum()),
            "mean_hops": float(self.hops.mean()),
            "links": len(self.utilisation),
            "links_used": int(np.count_nonzero(self.utilisation)),
            "links_full": int(np.count_nonzero(self.utilisation >= 1 - 1e-9)),
            "size_B": self.size,
            "finish_s": self.finish,
            "full_links": [{"name": name, "flows": flows} for name, flows in self.full_links],
        }

    def rows(self) -> list[dict[str, Any]]:
        """One row per flow.

        Returns
        -------
        list of dict
        """
        columns = (self.source.tolist(), self.target.tolist(), self.hops.tolist(), self.rate.tolist())
        return [
            {"source": s, "target": t, "hops": h, "rate_B_per_s": r}
            for s, t, h, r in zip(*columns, strict=True)
        ]


def share_bandwidth(
    fabric: Fabric, pattern: str, *, routing: str | None = None, size: float = 2.0**20, seed: int = 0
) -> Sharing:
    """Route a pattern, share bandwidth max-min fairly and prove it.

    Parameters
    ----------
    fabric : Fabric
    pattern : str
        A name in `PATTERNS`.
    routing : str, optional
        Default: the fabric's own.
    size : float, B
        Of each flow.
    seed : int
        Of the pattern and of hashed routings.

    Returns
    -------
    Sharing

    Raises
    ------
    UsageError
        If the fabric has one endpoint, or the pattern too many flows.

    Examples
    --------
    >>> from topo_sim.topo import torus
    >>> float(share_bandwidth(torus(8, bandwidth=1.0), "neighbour").rate.min())
    1.0
    """
    make = PATTERNS[pattern]
    if fabric.ranks < 2:
        raise UsageError(f"{fabric.name} has one endpoint, expected at least 2 to have flows")
    if pattern == "all_to_all" and fabric.ranks**2 > MOST_FLOWS:
        raise UsageError(f"{pattern}: makes {fabric.ranks**2:,} flows, expected at most {MOST_FLOWS:,}")
    if not (np.isfinite(size) and size >= 0):
        raise UsageError(f"size: found {size!r}, expected a finite number of bytes of 0 or more")
    source, target = make(fabric.ranks, seed)
    name = routing or fabric.routing
    paths = route(fabric, source, target, name, seed=seed)
    rate = max_min_rates(paths, fabric.capacity)
    bottleneck = check_max_min(paths, fabric.capacity, rate)
    held = np.bincount(bottleneck[bottleneck >= 0], minlength=fabric.links)
    top = [int(i) for i in np.argsort(-held, kind="stable")[:8] if held[i] > 0]
    ends = completion_times(
        paths, fabric.capacity, np.full(len(paths), float(size)), 0.0, paths.sum(fabric.latency)
    )
    return Sharing(
        fabric=fabric.name,
        pattern=pattern,
        routing=name,
        seed=seed,
        source=source,
        target=target,
        rate=rate,
        hops=paths.sum(np.ones(fabric.links)),
        utilisation=paths.load(rate, fabric.links) / fabric.capacity,
        full_links=[(fabric.link_name(i), int(held[i])) for i in top],
        size=float(size),
        finish=float(ends.max()),
    )
