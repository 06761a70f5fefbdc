"""Fleets of equal silicon: how many GPUs of each type, how often they fail, how many spares they need."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from topo_sim.base import UsageError
from topo_sim.gpus.catalogue import Gpu
from topo_sim.gpus.reliability import (
    ENDS,
    POLICIES,
    YEAR,
    Cluster,
    FailureRates,
    Job,
    SharedPart,
    best_interval,
    fleet_availability,
    gpu_rate,
    scaled_rate,
    series_availability,
    shortage,
    spares_needed,
    unavailability,
    young_interval,
)
from topo_sim.gpus.reliability.checks import check_count, check_number

__all__ = ["Fleet", "Question", "make_fleets"]


@dataclass(frozen=True)
class Question:
    """What is asked about every fleet.

    Parameters
    ----------
    count, group : int
        GPUs of the first type, and how many of them stop together; others get the same silicon, as nearly as
        whole groups can: `Fleet.silicon` says how much.
    rate : float, optional, 1/s
        Failures of a GPU of the first type. Default: summed over its parts.
    repair : float, s
    risk : float
        Largest probability that spares run out.
    spares : int, optional
        Of the first type, a multiple of `domains`; others get the same silicon, and then whole domains.
        Default: by the binomial, for each its own, and then whole domains.
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
    level : {"low", "typical", "high"}
        Of the rates and repairs of parts.
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
    level: str = "typical"


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
    def silicon(self) -> float:
        """Silicon of the fleet, in GPUs of the first type."""
        return self.cluster.count * self.share

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
            "silicon_equivalents": self.silicon,
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


def _silicon(gpu: Gpu) -> float:
    gpu.need("die_area", "its share of silicon")
    return float(gpu.silicon or 0.0)


def _rates(gpus: Sequence[Gpu], asked: Question, rates: FailureRates) -> list[tuple[Gpu, str, float]]:
    """Rates of every type: the first one's, and for the others both ends and the sum of parts."""
    first = gpus[0]

    def parts(gpu: Gpu) -> float:
        stacks = int(gpu.need("hbm_stacks", "its failure rate").typical)
        return gpu_rate(rates, _silicon(gpu), stacks, level=asked.level)

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
    """Fleets of equal silicon, as nearly as whole groups can, with the spares that each needs.

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
    >>> from topo_sim.gpus.catalogue import load_gpus
    >>> from topo_sim.gpus.reliability import load_failure_rates
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
    if asked.spares is not None and check_count(asked.spares, "spares", least=0) % domains:
        raise UsageError(
            f"spares: found {asked.spares} for {domains} domains, expected a multiple of their number"
        )
    for name, reach in asked.parts.items():
        check_count(reach, f"{name}: GPUs that need it", most=count)
    fleets = []
    for gpu, end, rate in _rates(gpus, asked, rates):
        share = _silicon(gpu) / _silicon(gpus[0])
        size = max(1, round(group / share))
        number = size * max(1, round(count / share / size))
        shared = tuple(
            SharedPart(
                name,
                max(1, round(reach / share)),
                rates.part(name).rate.at(asked.level),
                rates.repair(name, asked.level),
            )
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
