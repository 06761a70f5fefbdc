"""Failures of GPUs big and small: spares, interruptions and goodput of clusters of equal silicon."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from topo_sim.base import UsageError
from topo_sim.gpus.catalogue import Gpu, find_gpu, load_gpus
from topo_sim.gpus.reliability import (
    ENDS,
    POLICIES,
    YEAR,
    Cluster,
    FailureRates,
    Job,
    Life,
    SharedPart,
    best_interval,
    fleet_availability,
    gpu_rate,
    load_failure_rates,
    scaled_rate,
    series_availability,
    shortage,
    simulate_life,
    spares_needed,
    unavailability,
    young_interval,
)
from topo_sim.gpus.reliability.checks import check_count, check_number

__all__ = ["FailureStudy", "Fleet", "Question", "SparePoint", "compare_failures", "make_fleets"]

Progress = Callable[[int, int, str], None]
_CURVE = 5  # lives for goodput against spares, at as many numbers of spares


@dataclass(frozen=True)
class Question:
    """What is asked about every fleet.

    Parameters
    ----------
    count, group : int
        GPUs of the first type, and how many of them stop together; others get the same silicon.
    rate : float, optional, 1/s
        Failures of a GPU of the first type. Default: summed over its parts.
    repair : float, s
    risk : float
        Largest probability that spares run out.
    spares : int, optional
        Of the first type; others get the same silicon. Default: by the binomial, for each its own.
    policies : sequence of str
    job : Job
        Its interval is replaced where `checkpoint` is "best".
    checkpoint : {"given", "best"}
    domains : int
        Pools that spares are split into under policies that cannot rewire.
    shape : float
        Of the Weibull law of lifetimes.
    crash_rate : float, 1/s
        Per GPU of the first type and its silicon: a group of equal silicon crashes equally often.
    repair_law : {"fixed", "exponential"}
    parts : mapping from str to int
        Parts of the catalogue that so many GPUs of the first type need: ``{"host": 8}``.
    years : float
    replicas, seed, workers : int
    """

    count: int = 64
    group: int = 8
    rate: float | None = None
    repair: float = 72 * 3600.0
    risk: float = 1e-3
    spares: int | None = None
    policies: Sequence[str] = tuple(POLICIES)
    job: Job = field(default_factory=lambda: Job(restart=300.0))
    checkpoint: str = "given"
    domains: int = 1
    shape: float = 1.0
    crash_rate: float = 0.0
    repair_law: str = "fixed"
    parts: Mapping[str, int] = field(default_factory=dict)
    years: float = 20.0
    replicas: int = 32
    seed: int = 0
    workers: int = 1


@dataclass(frozen=True)
class Fleet:
    """GPUs of one type at one end of what is known about their failure rate.

    Parameters
    ----------
    gpu : str
    end : {"given", "parts", "area", "package"}
        Where the rate comes from: given, the sum of parts, or the first type's rate scaled.
    share : float
        Silicon of one GPU over that of the first type.
    cluster : Cluster
        Without spares.
    needed : int
        Fewest spares for the risk asked for.
    spares : int
        Those that the lives are run with.
    job : Job
    """

    gpu: str
    end: str
    share: float
    cluster: Cluster
    needed: int
    spares: int
    job: Job

    @property
    def name(self) -> str:
        """Type and end, for tables."""
        return self.gpu if self.end in ("given", "parts") and self.share == 1 else f"{self.gpu}, {self.end}"

    @property
    def share_down(self) -> float:
        """Unavailability of one GPU: failures per year x time to repair, as for calendar rates."""
        return unavailability(self.cluster.rate, self.cluster.repair)

    @property
    def idle(self) -> float:
        """Silicon of the spares needed, in GPUs of the first type."""
        return self.needed * self.share

    @property
    def interruptions(self) -> float:
        """Interruptions of one group per year in which it runs."""
        return YEAR / self.cluster.between_interruptions

    def row(self) -> dict[str, Any]:
        """Flat summary of the closed forms, with units in the keys."""
        between = self.cluster.between_interruptions
        return {
            "gpu": self.gpu,
            "rate_from": self.end,
            "gpus": self.cluster.count,
            "group": self.cluster.group,
            "silicon_share": self.share,
            "rate_per_year": self.cluster.rate * YEAR,
            "unavailability": self.share_down,
            "spares_needed": self.needed,
            "idle_equivalents": self.idle,
            "shortage": float(shortage(self.cluster.count, self.needed, self.share_down)),
            "fleet_availability": fleet_availability(self.cluster.count, self.needed, self.share_down),
            "group_availability_alone": series_availability(self.cluster.group, self.share_down),
            "interruptions_per_group_year": self.interruptions,
            "between_interruptions_s": between,
            "checkpoint_s": self.job.interval,
            "young_s": young_interval(self.job.write, between) if between < math.inf else None,
            "efficiency": self.job.efficiency(between),
        }


@dataclass(frozen=True)
class SparePoint:
    """Goodput of a fleet with so many spares."""

    fleet: str
    spares: int
    idle: float
    life: Life


@dataclass(frozen=True)
class FailureStudy:
    """Fleets of equal silicon, what closed forms say of them, and their lives under each policy.

    Parameters
    ----------
    question : Question
    fleets : list of Fleet
    lives : list of (Fleet, Life)
    curve : list of SparePoint
        Under the first policy that uses spares.
    """

    question: Question
    fleets: list[Fleet]
    lives: list[tuple[Fleet, Life]]
    curve: list[SparePoint]

    def to_dict(self) -> dict[str, Any]:
        """Everything, with units in the keys.

        Returns
        -------
        dict
        """
        curve = [
            {"fleet": p.fleet, "spares": p.spares, "idle_equivalents": p.idle}
            | {"goodput": p.life.goodput.mean, "goodput_ci95": p.life.goodput.half}
            for p in self.curve
        ]
        return {"fleets": [fleet.row() for fleet in self.fleets], "lives": self.rows(), "curve": curve}

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per fleet and policy.

        Returns
        -------
        list of dict
        """
        return [{"gpu": f.gpu, "rate_from": f.end} | life.to_dict() for f, life in self.lives]


def _silicon(gpu: Gpu) -> float:
    gpu.need("die_area", "its share of silicon")
    return float(gpu.silicon or 0.0)


def _rates(gpus: Sequence[Gpu], asked: Question, rates: FailureRates) -> list[tuple[Gpu, str, float]]:
    """Rates of every type: the first one's, and for the others both ends and the sum of parts."""
    first = gpus[0]

    def parts(gpu: Gpu) -> float:
        return gpu_rate(rates, _silicon(gpu), int(gpu.need("hbm_stacks", "its failure rate").typical))

    given = asked.rate is not None
    base = check_number(asked.rate, "failure rate") if given else parts(first)
    found = [(first, "given" if given else "parts", base)]
    for gpu in gpus[1:]:
        share = _silicon(gpu) / _silicon(first)
        found += [(gpu, end, scaled_rate(base, share, end)) for end in ENDS]
        if gpu.hbm_stacks is not None and (not given or first.hbm_stacks is not None):
            found.append((gpu, "parts", parts(gpu) * (base / parts(first) if given else 1.0)))
    return found


def make_fleets(gpus: Sequence[Gpu], asked: Question, rates: FailureRates) -> list[Fleet]:
    """Fleets of equal silicon, with the spares that each needs.

    Parameters
    ----------
    gpus : sequence of Gpu
        The first sets count, group and rate.
    asked : Question
    rates : FailureRates

    Returns
    -------
    list of Fleet

    Raises
    ------
    UsageError
        If a number is out of range or does not fit another.

    Examples
    --------
    >>> found = load_gpus()
    >>> asked = Question(rate=0.09 / YEAR, repair=168 * 3600.0)
    >>> for fleet in make_fleets([found["h100"], found["lite"]], asked, load_failure_rates())[:3]:
    ...     print(fleet.name, fleet.cluster.count, fleet.needed, fleet.idle)
    h100 64 2 2.0
    lite, area 256 2 0.5
    lite, package 256 4 1.0
    """
    count, group = check_count(asked.count, "GPUs"), check_count(asked.group, "group")
    domains = check_count(asked.domains, "domains")
    if count % group:
        raise UsageError(f"group: found {group} for {count} GPUs, expected a divisor of their number")
    fleets = []
    for gpu, end, rate in _rates(gpus, asked, rates):
        share = _silicon(gpu) / _silicon(gpus[0])
        size = max(1, round(group / share))
        number = size * max(1, math.ceil(count / share / size - 1e-9))
        shared = tuple(
            SharedPart(name, max(1, round(reach / share)), rates.part(name).rate.typical, rates.repair(name))
            for name, reach in asked.parts.items()
        )
        cluster = Cluster(
            count=number,
            rate=rate,
            repair=asked.repair,
            group=size,
            shape=asked.shape,
            repair_law=asked.repair_law,
            crash_rate=asked.crash_rate * share,
            parts=shared,
        )
        needed = spares_needed(number, unavailability(rate, asked.repair), asked.risk)
        spares = needed if asked.spares is None else round(asked.spares / share)
        spares = -(-spares // domains) * domains
        job = _job(asked, cluster)
        fleets.append(Fleet(gpu.name, end, share, cluster, needed, spares, job))
    return fleets


def _job(asked: Question, cluster: Cluster) -> Job:
    """Say how often checkpoints are written; at the group's optimum where that is asked for."""
    if asked.checkpoint == "given":
        return asked.job
    between = cluster.between_interruptions
    if asked.job.write == 0 or between == math.inf:
        raise UsageError(
            "checkpoint: found the best interval asked for where writing or failures cost nothing, "
            "expected a time to write above 0 and a failure rate above 0"
        )
    return replace(asked.job, interval=best_interval(asked.job.write, between))


def _live(fleet: Fleet, policy: str, spares: int, asked: Question) -> Life:
    rule = POLICIES[policy]
    domains = asked.domains if rule.spares and rule.domain else 1
    cluster = replace(fleet.cluster, spares=spares if rule.spares else 0, domains=domains)
    return simulate_life(
        cluster,
        policy,
        fleet.job,
        years=asked.years,
        replicas=asked.replicas,
        seed=asked.seed,
        workers=asked.workers,
    )


def compare_failures(
    names: Sequence[str] = ("h100", "lite"),
    asked: Question | None = None,
    *,
    gpus: Mapping[str, Gpu] | None = None,
    rates: FailureRates | None = None,
    curve: bool = False,
    progress: Progress | None = None,
) -> FailureStudy:
    """Compare the failures of GPU types in clusters of equal silicon.

    Parameters
    ----------
    names : sequence of str
        Of the catalogue; the first sets count, group, rate and spares.
    asked : Question, optional
    gpus : mapping from str to Gpu, optional
        Default: the shipped catalogue.
    rates : FailureRates, optional
        Default: the shipped catalogue.
    curve : bool
        Whether to live with other numbers of spares as well, for the picture.
    progress : callable, optional
        Called as ``progress(done, total, what)``.

    Returns
    -------
    FailureStudy

    Raises
    ------
    UsageError, UnknownNameError
        If a number is out of range, or a name unknown.

    Examples
    --------
    >>> study = compare_failures(["h100"], Question(policies=["none"], years=1, replicas=2))
    >>> [fleet.name for fleet in study.fleets], len(study.lives)
    (['h100'], 1)
    """
    question, known = asked or Question(), load_gpus() if gpus is None else gpus
    if not names:
        raise UsageError("found no GPU, expected at least one name of the catalogue")
    if doubles := sorted({name for name in names if list(names).count(name) > 1}):
        raise UsageError(f"found {', '.join(doubles)} twice, expected different GPUs")
    for policy in question.policies:
        POLICIES[policy]
    chosen = [find_gpu(name, known) for name in names]
    fleets = make_fleets(chosen, question, load_failure_rates() if rates is None else rates)
    points = _spare_numbers(fleets, question) if curve else []
    total, done = len(fleets) * len(question.policies) + len(points), 0
    lives: list[tuple[Fleet, Life]] = []
    drawn: list[SparePoint] = []
    for fleet in fleets:
        for policy in question.policies:
            lives.append((fleet, _live(fleet, policy, fleet.spares, question)))
            done += 1
            if progress is not None:
                progress(done, total, f"{fleet.name} under {policy}")
    spending = next((p for p in question.policies if POLICIES[p].spares), "hot_spares")
    for fleet, spares in points:
        life = _live(fleet, spending, spares, question)
        drawn.append(SparePoint(fleet.name, spares, spares * fleet.share, life))
        done += 1
        if progress is not None:
            progress(done, total, f"{fleet.name} with {spares} spares")
    return FailureStudy(question, fleets, lives, drawn)


def _spare_numbers(fleets: Sequence[Fleet], asked: Question) -> list[tuple[Fleet, int]]:
    """Numbers of spares to live with: none up to a little more than any fleet needs, in equal silicon."""
    most = max(max(fleet.idle for fleet in fleets) * 1.5, 2 * max(fleet.share for fleet in fleets))
    points = []
    for fleet in fleets:
        top = min(fleet.cluster.count, max(2, round(most / fleet.share)))
        steps = np.unique(np.round(np.linspace(0, top, min(top + 1, 2 * _CURVE + 1))).astype(int))
        steps = np.unique(-(-steps // asked.domains) * asked.domains)
        points += [(fleet, int(k)) for k in steps if k <= fleet.cluster.count]
    return points
