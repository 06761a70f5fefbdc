"""A cluster's life, from failure to failure: independent replicas, summed up with confidence intervals."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from topo_sim.base import UsageError
from topo_sim.gpus.reliability.checks import YEAR, check_count, check_number
from topo_sim.gpus.reliability.cluster import Cluster, Job
from topo_sim.gpus.reliability.life_kernels import COUNTS, FLAGS, NUMBERS, POOL, LifeState, live
from topo_sim.gpus.reliability.policies import POLICIES, Policy

__all__ = ["Estimate", "Life", "check_life", "life_state", "simulate_life"]

Progress = Callable[[int, int, str], None]
MOST_DOWN = 4096
MOST_EVENTS = 2e9
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over independent replicas, with the half width of its 95 % confidence interval.

    Parameters
    ----------
    mean, half : float
        The interval is mean - half to mean + half, by Student's t; NaN for a single replica.
    deviation : float
        Standard deviation between replicas.

    Examples
    --------
    >>> Estimate.of(np.array([1.0, 2.0, 3.0])).half.__round__(3)
    2.484
    """

    mean: float
    half: float
    deviation: float

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> "Estimate":
        """Sum up one value per replica."""
        n = len(values)
        deviation = float(values.std(ddof=1)) if n > 1 else math.nan
        half = (
            float(student.ppf(0.5 + CONFIDENCE / 2, n - 1)) * deviation / math.sqrt(n) if n > 1 else math.nan
        )
        return cls(float(values.mean()), half, deviation)

    def holds(self, value: float) -> bool:
        """Whether a value lies in the interval."""
        return bool(abs(value - self.mean) <= self.half)


@dataclass(frozen=True)
class Life:
    """What many lives of one cluster came to.

    Parameters
    ----------
    cluster : Cluster
    job : Job
    policy : str
    years : float
        Of each replica.
    seed : int
    counts : ndarray of float64, shape (replicas, len(COUNTS))
        As `life_kernels.COUNTS` names them; work in device-seconds.
    bins : ndarray of float64, shape (replicas, bins)
        Goodput over time.
    down : ndarray of float64, shape (replicas, most down + 1)
        Share of the time with so many devices down; the last entry is that or more.
    """

    cluster: Cluster
    job: Job
    policy: str
    years: float
    seed: int
    counts: NDArray[np.float64]
    bins: NDArray[np.float64]
    down: NDArray[np.float64]

    @property
    def replicas(self) -> int:
        """Number of independent lives."""
        return len(self.counts)

    @property
    def device_years(self) -> float:
        """GPU-years simulated, spares included."""
        return (self.cluster.count + self.cluster.spares) * self.years * self.replicas

    def counted(self, name: str) -> NDArray[np.float64]:
        """One of `life_kernels.COUNTS` in every replica."""
        return self.counts[:, COUNTS.index(name)]

    def total(self, name: str) -> Estimate:
        """Sum up one of `life_kernels.COUNTS` over a replica."""
        return Estimate.of(self.counted(name))

    @property
    def possible(self) -> float:
        """Work of a replica in which nothing ever fails and nothing is written, device-seconds."""
        return self.cluster.count * self.years * YEAR

    @property
    def goodput(self) -> Estimate:
        """Work kept over work possible."""
        return Estimate.of(self.counted("kept") / self.possible)

    @property
    def goodput_per_bought(self) -> Estimate:
        """Work kept over what all devices could do, spares included."""
        bought = self.cluster.count + self.cluster.spares
        return Estimate.of(self.counted("kept") / self.possible * self.cluster.count / bought)

    @property
    def running(self) -> Estimate:
        """Share of the places whose group runs: work, kept or lost, and writing of checkpoints."""
        return Estimate.of(self.counted("running") / self.possible)

    @property
    def lost(self) -> Estimate:
        """Share of the work possible that was done and lost."""
        return Estimate.of(self.counted("lost") / self.possible)

    @property
    def writing(self) -> Estimate:
        """Share of the time of all places that went into checkpoints."""
        return Estimate.of(self.counted("writing") / self.possible)

    @property
    def whole(self) -> Estimate:
        """Share of the time that a group runs with all its devices."""
        return Estimate.of(self.counted("whole") / (self.cluster.groups * self.years * YEAR))

    @property
    def devices_up(self) -> Estimate:
        """Availability of one device."""
        most = self.cluster.count + self.cluster.spares
        if self.down.shape[1] <= most:
            raise UsageError(
                f"devices down: counted up to {self.down.shape[1] - 1}, expected a smaller cluster"
            )
        return Estimate.of(1.0 - self.down @ np.arange(most + 1) / most)

    @property
    def spares_suffice(self) -> Estimate:
        """Share of the time that no more devices are down than there are spares."""
        return Estimate.of(self.down[:, : self.cluster.spares + 1].sum(axis=1))

    @property
    def interruptions_per_group_year(self) -> Estimate:
        """Unplanned stops of a running group, per group and year."""
        return Estimate.of(self.counted("interruptions") / (self.cluster.groups * self.years))

    @property
    def over_time(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Goodput over time: its mean over replicas in each bin, and its 5th and 95th percentile."""
        low, high = np.percentile(self.bins, [5, 95], axis=0)
        return self.bins.mean(axis=0), low, high

    def to_dict(self) -> dict[str, Any]:
        """Flat summary with units in the keys; ``_ci95`` is the half width of a confidence interval.

        Returns
        -------
        dict
        """
        summary: dict[str, Any] = {
            "policy": self.policy,
            "gpus": self.cluster.count,
            "group": self.cluster.group,
            "spares": self.cluster.spares,
            "rate_per_year": self.cluster.rate * YEAR,
            "years": self.years,
            "replicas": self.replicas,
            "gpu_years": self.device_years,
        }
        values = {
            "goodput": self.goodput,
            "goodput_per_gpu_bought": self.goodput_per_bought,
            "availability": self.running,
            "lost": self.lost,
            "checkpoint_time": self.writing,
            "spares_suffice": self.spares_suffice,
            "interruptions_per_group_year": self.interruptions_per_group_year,
            "failures": self.total("failures"),
        }
        for name, value in values.items():
            summary |= {name: value.mean, f"{name}_ci95": value.half}
        return summary


def _part_arrays(cluster: Cluster) -> tuple[NDArray[Any], ...]:
    mean, repair, first, last = [], [], [], []
    for part in cluster.parts:
        starts = np.arange(0, cluster.count, part.reach)
        ends = np.minimum(starts + part.reach, cluster.count)
        mean.append(np.full(len(starts), 1 / part.rate if part.rate else np.inf))
        repair.append(np.full(len(starts), part.repair))
        first.append(starts // cluster.group)
        last.append(-(-ends // cluster.group))
    if not mean:
        return np.zeros(0), np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64)
    return tuple(np.concatenate(each) for each in (mean, repair, first, last))


def _most_down(cluster: Cluster) -> int:
    """Return the number of devices down that is counted as that or more; above the number of spares."""
    return min(cluster.count + cluster.spares, max(MOST_DOWN, cluster.spares + 1))


def _numbers(cluster: Cluster, policy: Policy, job: Job, horizon: float) -> NDArray[np.float64]:
    mean = 1 / cluster.rate if cluster.rate else math.inf
    crashes = cluster.group * cluster.crash_rate
    values = {
        "horizon": horizon,
        "scale": mean / math.gamma(1 + 1 / cluster.shape),
        "shape": cluster.shape,
        "repair": cluster.repair,
        "swap": policy.swap if job.swap is None else job.swap,
        "restart": job.restart,
        "interval": math.inf if job.interval is None else job.interval,
        "write": job.write,
        "crash_mean": 1 / crashes if crashes else math.inf,
    }
    return np.array([values[name] for name in NUMBERS])


def life_state(
    cluster: Cluster, policy: Policy, job: Job, horizon: float, bins: int, runs: int = 0
) -> LifeState:
    """Make the arrays of one run: all up at time 0; with room to log so many times of running."""
    n, k, g, groups = cluster.count, cluster.spares, cluster.group, cluster.groups
    domains = cluster.domains if policy.domain else 1
    devices, each = n + k, k // domains
    part_mean, part_repair, part_first, part_last = _part_arrays(cluster)
    entities = devices + groups + len(part_mean)
    home = np.concatenate([np.arange(n) // g, -1 - np.arange(k) // max(each, 1)])
    pool = np.zeros((domains, devices // domains), np.int64)
    pool[:, :each] = n + np.arange(k).reshape(domains, each)
    flags = {
        "own_place": not policy.spares,
        "shrinks": policy.shrinks,
        "salvage": policy.salvage,
        "exponential_repair": cluster.repair_law == "exponential",
        "least": job.least,
        "group": g,
        "groups_per_domain": groups // domains,
    }
    return LifeState(
        heap_time=np.zeros(entities),
        heap_entity=np.zeros(entities, np.int64),
        draws=np.zeros(entities, np.int64),
        home=home,
        where=np.where(np.arange(devices) < n, home, POOL),
        place=np.concatenate([np.arange(n) % g, np.arange(k) % max(each, 1)]),
        members=np.arange(n).reshape(groups, g).copy(),
        size=np.full(groups, g),
        ready=np.zeros(groups),
        blocked=np.zeros(groups, np.int64),
        pool=pool,
        spare=np.full(domains, each),
        queue=np.zeros((domains, n // domains), np.int64),
        head=np.zeros(domains, np.int64),
        waiting=np.zeros(domains, np.int64),
        donor=np.full(domains, -1),
        part_mean=part_mean,
        part_repair=part_repair,
        part_first=part_first,
        part_last=part_last,
        part_down=np.zeros(len(part_mean), np.int64),
        numbers=_numbers(cluster, policy, job, horizon),
        flags=np.array([flags[name] for name in FLAGS], dtype=np.int64),
        counts=np.zeros(len(COUNTS)),
        bins=np.zeros(bins),
        down_time=np.zeros(_most_down(cluster) + 1),
        runs=np.zeros((runs, 3)),
        logged=np.zeros(1, np.int64),
    )


def check_life(cluster: Cluster, policy: Policy, name: str, job: Job, horizon: float, replicas: int) -> None:
    """Refuse what a policy cannot use, and lives of too many events."""
    if cluster.spares and not policy.spares:
        raise UsageError(f'spares: found {cluster.spares} with policy "{name}", which uses none, expected 0')
    if job.least > cluster.group:
        raise UsageError(f"least group: found {job.least}, expected at most the group of {cluster.group}")
    devices = cluster.count + cluster.spares
    parts = sum(part.rate * (cluster.count / part.reach) for part in cluster.parts)
    events = horizon * replicas * (devices * (2 * cluster.rate + cluster.crash_rate) + 2 * parts)
    if events > MOST_EVENTS:
        raise UsageError(
            f"years: found {replicas} lives with {events:.3g} events in all, expected at most "
            f"{MOST_EVENTS:.0e}: fewer years or replicas"
        )


def simulate_life(
    cluster: Cluster,
    policy: str = "hot_spares",
    job: Job | None = None,
    *,
    years: float = 10.0,
    replicas: int = 32,
    seed: int = 0,
    workers: int = 1,
    bins: int = 20,
    progress: Progress | None = None,
) -> Life:
    """Live many lives of a cluster and sum them up.

    Parameters
    ----------
    cluster : Cluster
    policy : str
        A name in ``POLICIES``.
    job : Job, optional
        Default: serving, with nothing lost and no time to restart.
    years : float
        Length of each life.
    replicas : int
        Independent lives; the confidence intervals are over them.
    seed : int
        0 or more. Replica i draws from child i of ``numpy.random.SeedSequence(seed)``.
    workers : int
        Threads. The answer does not depend on it.
    bins : int
        Of goodput over time.
    progress : callable, optional
        Called as ``progress(done, total, what)``.

    Returns
    -------
    Life

    Raises
    ------
    UsageError
        If a number is out of range, or the policy cannot use what is given.
    UnknownNameError
        If there is no such policy.

    Notes
    -----
    Every device, spare or not, fails after a Weibull time in service and is back after its repair. A
    failure stops its group; the group runs again once it has its devices (policy), its shared parts and
    the time to restart. Work since the last whole checkpoint is lost, unless the stop is planned: a
    device that rejoins a shrunk group. Draw j of an entity is a function of seed, entity and j alone, so
    policies are compared on the same lifetimes.
    An event costs O(log entities); checkpoints are counted, not simulated.

    Examples
    --------
    >>> cluster = Cluster(count=64, rate=0.09 / YEAR, repair=168 * 3600.0, group=8, spares=2)
    >>> life = simulate_life(cluster, years=100, replicas=8)
    >>> 0.99 < life.goodput.mean <= 1
    True
    """
    rule, chosen = POLICIES[policy], job or Job()
    horizon = check_number(years, "years", positive=True) * YEAR
    count, threads = check_count(replicas, "replicas"), check_count(workers, "workers")
    root = check_count(seed, "seed", least=0)
    parts = check_count(bins, "bins")
    check_life(cluster, rule, policy, chosen, horizon, count)
    seeds = [child.generate_state(1, np.uint64)[0] for child in np.random.SeedSequence(root).spawn(count)]
    counts = np.zeros((count, len(COUNTS)))
    over_time = np.zeros((count, parts))
    down = np.zeros((count, _most_down(cluster) + 1))
    width = horizon / parts * cluster.count

    def run(i: int) -> int:
        state = life_state(cluster, rule, chosen, horizon, parts)
        live(state, seeds[i])
        counts[i], over_time[i], down[i] = state.counts, state.bins / width, state.down_time / horizon
        return i

    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(run, i) for i in range(count)]
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                future.result()
                if progress is not None:
                    progress(done, count, f"lives under {policy}")
        except BaseException:  # interrupted: lives that have not begun need not be lived
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return Life(cluster, chosen, policy, float(years), root, counts, over_time, down)
