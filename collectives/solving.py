"""Solve the steps of a schedule: who arrives when, and how many bytes cross each link."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.fold_kernels import touches
from topo_sim.collectives.reducers import SwitchRouter
from topo_sim.collectives.result import Front
from topo_sim.collectives.router import Router
from topo_sim.collectives.schedule import Schedule
from topo_sim.collectives.shifted import Shifted
from topo_sim.collectives.step import Step
from topo_sim.collectives.translated import Translated
from topo_sim.topo.flow import Paths
from topo_sim.topo.flow.completion import sending_ends

__all__ = ["Network", "network_of", "solve_steps"]


@dataclass(frozen=True)
class Network:
    """What steps are solved on.

    Parameters
    ----------
    paths : callable
        Paths of the transfers of a step.
    capacity, latency : ndarray of float64, shape (links,)
        Of the links in those paths, B/s and s.
    spread : callable
        Turns loads of those links into loads of the links of the fabric.
    whole : Translated or Shifted, optional
        Links that stand for all, for large steps that look the same from every node.
    """

    paths: Callable[[Step], Paths]
    capacity: NDArray[np.float64]
    latency: NDArray[np.float64]
    spread: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    whole: Translated | Shifted | None = None


def network_of(router: Router, schedule: Schedule) -> Network:
    """Choose what a schedule is solved on: the links of the fabric, or bundles of them.

    Parameters
    ----------
    router : Router
    schedule : Schedule

    Returns
    -------
    Network
    """
    folded = router.folded(schedule)
    if folded is not None:
        return Network(folded, folded.capacity, folded.latency, folded.spread)
    paths: Callable[[Step], Paths] = router
    if schedule.in_network:
        paths = SwitchRouter(router, schedule)
    else:
        router.prepare(schedule)
    # A copy is writable: kernels compile apart for read-only arrays.
    capacity, latency = router.fabric.capacity.copy(), router.fabric.latency.copy()
    return Network(paths, capacity, latency, lambda load: load, router.translated())


def solve_steps(
    schedule: Schedule, network: Network, overhead: float
) -> tuple[tuple[Front, ...], NDArray[np.float64]]:
    """Solve every step once, alone.

    Parameters
    ----------
    schedule : Schedule
    network : Network
    overhead : float, s
        Per message.

    Returns
    -------
    fronts : tuple of (delay, pace) pairs of ndarrays, s and s/B
        Of each step, the transfers that can be last at some size.
    load : ndarray of float64, shape (links,)
        Bytes on each link of the fabric, per byte of size, repetitions included.

    Notes
    -----
    Steps that differ only in chunks or in scale are solved once.
    """
    keys, scales = zip(*map(_shape, schedule.steps), strict=True) if schedule.steps else ((), ())
    often: dict[bytes, float] = {}
    for key, scale, step in zip(keys, scales, schedule.steps, strict=True):
        often[key] = often.get(key, 0.0) + scale * step.repeat
    solved: dict[bytes, Front] = {}
    total = np.zeros(len(network.capacity))
    for key, step in zip(keys, schedule.steps, strict=True):
        if key not in solved:
            solved[key], load = _solve(step, network, overhead, schedule.ranks)
            total += load * often[key]
    fronts = tuple((solved[key][0], solved[key][1] * scale) for key, scale in zip(keys, scales, strict=True))
    return fronts, network.spread(total)


def _shape(step: Step) -> tuple[bytes, float]:
    """Digest what a step is solved by, its largest transfer counting as 1; and how large that is."""
    scale = float(step.fraction.max(initial=0.0)) or 1.0
    alike = step.fraction[:1] if step.fraction.strides == (0,) else step.fraction
    digest = blake2b(digest_size=16)
    for array in (step.source, step.target, alike / scale):
        digest.update(len(array).to_bytes(8, "little"))
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest(), scale


def _solve(step: Step, network: Network, overhead: float, ranks: int) -> tuple[Front, NDArray[np.float64]]:
    """Front of one step, and the bytes on each link, with the largest transfer counting as 1."""
    if network.whole is not None and len(step) > network.whole.least:
        some = network.whole.representatives(step)
        if some is not None:
            one = Step(step.source[some], step.target[some], step.fraction[0], False, step.chunks)
            whole = network.whole
            front, load = _solve(
                one, Network(whole, whole.capacity, whole.latency, whole.spread), overhead, ranks
            )
            return front, whole.spread(load)
    paths = network.paths(step)
    alike = step.fraction.strides == (0,)
    amount = np.ascontiguousarray(step.fraction) / (step.fraction.max(initial=0.0) or 1.0)
    delay = paths.sum(network.latency)
    if overhead:
        delay += overhead * np.bincount(step.source, minlength=1)[step.source] * (step.source < ranks)
    load = paths.load(amount, len(network.capacity))
    longest = _together(paths, load / network.capacity, delay) if alike else None
    if longest is not None:
        return (delay.max(keepdims=True), np.array([longest])), load
    return _front(delay, sending_ends(paths, network.capacity, amount, np.zeros(len(amount)))), load


def _together(paths: Paths, busy: NDArray[np.float64], delay: NDArray[np.float64]) -> float | None:
    """When equal transfers all have ended, if none of those that take longest to arrive ends before.

    Notes
    -----
    At any time every transfer gets at least the size over T, T the time that the busiest link needs for
    all: no link has to give less to those that are left. So all end by T; and those that cross the busiest
    link fill it at just that rate and end at T together. If one of the largest delays is among them, no
    other transfer can be last at any size.
    """
    longest = float(busy.max(initial=0.0))
    if not 0 < longest < np.inf:
        return None
    marked = busy >= longest * (1 - 1e-13)
    late = float(delay.max()) * (1 - 1e-13)
    return longest if touches(paths.indptr, paths.links, marked, delay, late) else None


def _front(delay: NDArray[np.float64], pace: NDArray[np.float64]) -> Front:
    """Keep the transfers that no other one matches in both delay and pace."""
    if delay.size and np.ptp(delay) == 0:
        return delay[:1], pace.max(keepdims=True)
    order = np.lexsort((-pace, -delay))
    delay, pace = delay[order], pace[order]
    best = np.maximum.accumulate(pace)
    keep = np.append(True, pace[1:] > best[:-1])
    return delay[keep], pace[keep]
