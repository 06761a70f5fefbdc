"""What each part of a fabric takes away when it fails, and what that costs on average."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import DemandError, RoutingError, UsageError
from topo_sim.base.files import Range
from topo_sim.gpus.catalogue import Gpu, load_gpus
from topo_sim.gpus.reliability import (
    FailureRates,
    gpu_rate,
    load_failure_rates,
    scaled_rate,
    unavailability,
)
from topo_sim.gpus.reliability.checks import check_count, check_number
from topo_sim.studies.blast import Failing, PartClass, part_classes, reached, restricted, without
from topo_sim.studies.blast_radius import Blast, Interval, Resilience
from topo_sim.topo import Fabric
from topo_sim.topo.throughput import max_concurrent_flow

__all__ = ["measure_resilience"]

Progress = Callable[[int, int, str], None]
DENSE_UP_TO = 4096


@dataclass(frozen=True)
class _Effect:
    """What the failure of one part takes away."""

    lost: int  # endpoints that are dead or cut off from most
    injection: float  # share of the capacity out of all endpoints
    stopped: int  # groups
    theta: Interval | None  # throughput of those left, over that of the whole fabric
    groups: Interval | None  # throughput inside the groups left, over that before


def _theta(fabric: Fabric, demand: Any, gap: float) -> Interval | None:
    """Bounds on the throughput of a demand; None where it is too large to solve."""
    try:
        found = max_concurrent_flow(fabric, demand, gap=gap)
    except (DemandError, RoutingError, UsageError):
        return None
    return found.lower, found.upper


def _inside(ranks: NDArray[np.int64], group: int) -> NDArray[np.float64]:
    """Traffic matrix of all-to-all inside every group of the ranks given (by their old numbers)."""
    of = ranks // group
    same = (of[:, None] == of[None, :]).astype(np.float64)
    np.fill_diagonal(same, 0.0)
    total = same.sum(axis=1, keepdims=True)
    return np.divide(same, total, out=np.zeros_like(same), where=total > 0)


def _ratio(after: Interval | None, before: Interval | None) -> Interval | None:
    if after is None or before is None or before[0] <= 0:
        return None
    return min(after[0] / before[1], 1e9), max(after[1] / before[0], 0.0)


def _injection(fabric: Fabric, nodes: NDArray[np.int32]) -> float:
    out = np.bincount(fabric.link_source, weights=fabric.capacity, minlength=len(fabric.kind))
    return float(out[nodes].sum())


@dataclass(frozen=True)
class _Bench:
    """What failures are held against."""

    fabric: Fabric
    group: int
    gap: float
    theta: Interval | None
    inside: Interval | None

    def effect(self, failing: Failing) -> _Effect:
        """Take one part out and see what is left."""
        fabric, left = self.fabric, without(self.fabric, failing)
        dead = np.isin(fabric.endpoints, failing.nodes)
        sends, hears = reached(left, fabric.endpoints.astype(np.int64))
        both = (sends & hears)[~dead].sum(axis=0)
        main = int(np.argmax(both))
        alive = sends[:, main] & hears[:, main] & ~dead
        broken = self._broken(sends, hears, dead)
        ranks = np.flatnonzero(alive)
        theta = inside = None
        if ranks.size > 1 and self.theta is not None:
            whole = restricted(left, fabric.endpoints[ranks], np.ones(left.links, dtype=np.bool_))
            theta = _ratio(_theta(whole, "all_to_all", self.gap), self.theta)
        working = np.flatnonzero(~np.repeat(broken, self.group))
        if self.inside is not None and working.size > 1:
            whole = restricted(left, fabric.endpoints[working], np.ones(left.links, dtype=np.bool_))
            inside = _ratio(_theta(whole, _inside(working, self.group), self.gap), self.inside)
        before, after = _injection(fabric, fabric.endpoints), _injection(left, fabric.endpoints[ranks])
        return _Effect(
            lost=int(np.count_nonzero(~alive)),
            injection=1.0 - after / before if before else 0.0,
            stopped=int(np.count_nonzero(broken)),
            theta=theta,
            groups=inside,
        )

    def _broken(
        self, sends: NDArray[np.bool_], hears: NDArray[np.bool_], dead: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Whether each group has a member that is dead or cannot reach another."""
        shape = (-1, self.group, sends.shape[1])
        joined = np.matmul(
            sends.reshape(shape).astype(np.float32), hears.reshape(shape).astype(np.float32).swapaxes(1, 2)
        )
        apart: NDArray[np.bool_] = (joined == 0).any(axis=(1, 2)) | dead.reshape(-1, self.group).any(axis=1)
        return apart


def _endpoint_rate(gpu: Gpu, reference: Gpu, rates: FailureRates, given: float | None) -> Range:
    """Rate of a GPU from one end to the other, the sum of its parts between."""

    def parts(one: Gpu) -> float:
        stacks = int(one.need("hbm_stacks", "its failure rate").typical)
        one.need("die_area", "its failure rate")
        return gpu_rate(rates, float(one.silicon or 0.0), stacks)

    if given is not None:
        number = check_number(given, "failure rate")
        return Range(number, number, number, "given", "stated")
    own, base = parts(gpu), parts(reference)
    share = float(gpu.silicon or 0.0) / float(reference.silicon or 1.0)
    low, middle, high = sorted((scaled_rate(base, share, "area"), own, scaled_rate(base, share, "package")))
    return Range(low, middle, high, "area, parts, package", "computed")


def _blast(kind: PartClass, effects: Sequence[_Effect], bench: _Bench, rate: Range, repair: float) -> Blast:
    def span(pairs: list[Interval | None]) -> Interval | None:
        known = [pair for pair in pairs if pair is not None]
        return (min(low for low, _ in known), max(high for _, high in known)) if known else None

    n = bench.fabric.ranks
    unavailability(rate.high, repair)  # refuses more than one failure per repair
    summed: list[Interval | None] = []
    for e in effects:
        kept = (n - e.lost) / n
        summed.append(e.theta and (1 - min(e.theta[1], 1.0) * kept, 1 - min(e.theta[0], 1.0) * kept))
    stopped = [e.stopped for e in effects]
    return Blast(
        part=kind.part,
        example=kind.members[0].name,
        count=len(kind.members),
        solved=len(effects),
        symmetric=kind.symmetric,
        rate=rate,
        repair=repair,
        lost=float(np.mean([e.lost for e in effects])),
        worst_lost=max(e.lost for e in effects),
        injection_lost=float(np.mean([e.injection for e in effects])),
        stopped=float(np.mean(stopped)),
        worst_stopped=max(stopped),
        idle=float(np.mean(stopped)) * bench.group / n,
        theta=span([e.theta for e in effects]),
        group_theta=span([e.groups for e in effects]),
        bandwidth_lost=span(summed),
    )


def _figures(
    classes: Sequence[PartClass],
    gpu: Gpu | None,
    rates: FailureRates,
    rate: float | None,
    repair: float | None,
    level: str,
) -> list[tuple[Range, float]]:
    """Rate and time to repair of every class."""
    h100 = load_gpus()["h100"]
    found = []
    for kind in classes:
        endpoint = kind.part == "gpu"
        one = _endpoint_rate(gpu or h100, h100, rates, rate) if endpoint else rates.part(kind.part).rate
        name = "die" if endpoint else kind.part
        time = (
            rates.repair(name, level)
            if repair is None
            else check_number(repair, "repair time", positive=True)
        )
        found.append((one, time))
    return found


def _draws(classes: Sequence[PartClass], tries: int, seed: int) -> list[list[int]]:
    """Members of every class whose failures are solved: the first where symmetry makes all alike."""
    random = np.random.default_rng(seed)
    draws = []
    for kind in classes:
        number = 1 if kind.symmetric else min(tries, len(kind.members))
        some = random.choice(len(kind.members), number, replace=False).tolist() if number > 1 else [0]
        draws.append(sorted(some))
    return draws


def measure_resilience(
    fabric: Fabric,
    gpu: Gpu | None = None,
    *,
    group: int = 1,
    rates: FailureRates | None = None,
    rate: float | None = None,
    repair: float | None = None,
    level: str = "typical",
    samples: int = 2,
    gap: float = 0.02,
    throughput: bool = True,
    seed: int = 0,
    progress: Progress | None = None,
) -> Resilience:
    """Measure what the failure of each part of a fabric takes away, and how much that is on average.

    Parameters
    ----------
    fabric : Fabric
    gpu : Gpu, optional
        What the endpoints are. Default: H100.
    group : int
        Consecutive ranks that stop together.
    rates : FailureRates, optional
        Default: those that ship.
    rate : float, optional, 1/s
        Of a GPU. Default: from its parts, between both ends.
    repair : float, optional, s
        Of every part. Default: each part's own, at `level`.
    level : {"low", "typical", "high"}
        Of the times to repair; rates are carried at all three.
    samples : int
        Failures to solve in a class whose members are not alike by symmetry; drawn with the seed.
    gap : float
        Proven gap at which throughputs stop, where they are not exact.
    throughput : bool
        Whether to solve for throughputs at all; without, only what is cut off is counted.
    seed : int
    progress : callable, optional
        Called as ``progress(done, total, what)``.

    Returns
    -------
    Resilience

    Raises
    ------
    UsageError
        If a part has no failure rate, or the group does not divide the endpoints.

    Notes
    -----
    Only single failures. Routing adapts at once: throughput is the optimum over all splittings, before and
    after. An endpoint is lost if it is dead or cannot exchange with the largest set of others; a group stops
    if a member is dead or two members cannot exchange. The ratio of two intervals is an interval, at most
    twice the gap wide.

    Examples
    --------
    >>> from topo_sim.topo import single_switch
    >>> star = single_switch(8, planes=4, endpoint_bandwidth=1.0, medium="copper")
    >>> for blast in measure_resilience(star, group=4).blasts:
    ...     print(blast.part, blast.count, blast.lost, blast.stopped, [round(x, 2) for x in blast.theta])
    gpu 8 1.0 1.0 [1.0, 1.0]
    switch 4 0.0 0.0 [0.75, 0.75]
    link-copper 32 0.0 0.0 [0.75, 0.75]
    """
    known = load_failure_rates() if rates is None else rates
    n, size = fabric.ranks, check_count(group, "group")
    if n % size:
        raise UsageError(f"group: found {size} for {n} endpoints, expected a divisor of their number")
    tries = check_count(samples, "samples")
    if not 0 < check_number(gap, "gap") <= 1:
        raise UsageError(f"gap: found {gap!r}, expected a number above 0 and up to 1")
    classes = part_classes(fabric)
    figures = _figures(
        classes, gpu, known, rate, repair, level
    )  # first of all: a rate that is missing is an error
    theta = _theta(fabric, "all_to_all", gap) if throughput and n > 1 else None
    wanted = throughput and size > 1 and n <= DENSE_UP_TO
    inside = _theta(fabric, _inside(np.arange(n), size), gap) if wanted else None
    bench = _Bench(fabric, size, gap, theta, inside)
    draws = _draws(classes, tries, check_count(seed, "seed", least=0))
    total, done, blasts = sum(map(len, draws)), 0, []
    for kind, drawn, (one, time) in zip(classes, draws, figures, strict=True):
        effects = []
        for i in drawn:
            effects.append(bench.effect(kind.members[i]))
            done += 1
            if progress is not None:
                progress(done, total, f"without {kind.members[i].name}")
        blasts.append(_blast(kind, effects, bench, one, time))
    return Resilience(fabric.name, n, size, theta, gap, seed, blasts)
