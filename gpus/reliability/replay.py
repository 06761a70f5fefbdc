"""A record of failures replayed: whether a cluster with the stated rates lives as the real one did."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.gpus.reliability.cluster import Cluster, Job
from topo_sim.gpus.reliability.life import Estimate, Life, Progress, simulate_life
from topo_sim.gpus.reliability.rates import Incidents
from topo_sim.gpus.reliability.spares import spares_needed, unavailability

__all__ = ["Replay", "replay"]


@dataclass(frozen=True)
class Replay:
    """Lives of the cluster of a record, beside the record.

    Parameters
    ----------
    record : Incidents
    life : Life
    causes : ndarray of int64, shape (replicas, causes)
        Interruptions by cause.
    """

    record: Incidents
    life: Life
    causes: NDArray[np.int64]

    @property
    def interruptions(self) -> Estimate:
        """Interruptions of the job, those included that fall into a restart."""
        return Estimate.of(self.causes.sum(axis=1).astype(np.float64))

    @property
    def within_two_sigma(self) -> float:
        """Share of the lives whose interruptions lie within two standard deviations of the record."""
        total = self.causes.sum(axis=1)
        return float(np.mean(np.abs(total - self.record.total) <= 2 * np.sqrt(self.record.total)))

    def rows(self) -> list[dict[str, Any]]:
        """One row per cause, and the sum.

        Returns
        -------
        list of dict
        """
        shown = [(c.cause, c.count, self.causes[:, i], c.mark) for i, c in enumerate(self.record.causes)]
        shown.append(("all", self.record.total, self.causes.sum(axis=1), ""))
        rows = []
        for name, count, found, mark in shown:
            estimate = Estimate.of(found.astype(np.float64))
            rows.append(
                {
                    "cause": name,
                    "record": count,
                    "share": count / self.record.total,
                    "mean": estimate.mean,
                    "mean_ci95": estimate.half,
                    "deviation": estimate.deviation,
                    "mark": mark,
                }
            )
        return rows


def replay(
    record: Incidents,
    *,
    repair: float = 72 * 3600.0,
    job: Job | None = None,
    replicas: int = 200,
    seed: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> Replay:
    """Live the days of a record many times, at the rates that follow from its counts.

    Parameters
    ----------
    record : Incidents
    repair : float, s
        Time to repair a device.
    job : Job, optional
        Default: serving, so that every interruption counts and nothing is lost.
    replicas, seed, workers, progress
        As in `simulate_life`.

    Returns
    -------
    Replay

    Notes
    -----
    One group of all devices: any failure stops the job. Spares suffice but for 1e-4 of the time, so the
    number at risk is constant and interruptions are close to Poisson: mean and variance are the record's
    count. Given their number, causes are drawn from the shares of the record, repairs and crashes apart.

    Examples
    --------
    >>> from topo_sim.gpus.reliability.rates import load_failure_rates
    >>> found = replay(load_failure_rates().record("llama3-405b"), replicas=20)
    >>> abs(found.interruptions.mean - 419) < 20
    True
    """
    years = record.days / 365.0
    rate = record.rate("gpu")
    spares = spares_needed(record.devices, min(1.0, unavailability(rate, repair)), 1e-4)
    cluster = Cluster(
        count=record.devices,
        rate=rate,
        repair=repair,
        group=record.devices,
        spares=min(spares, record.devices),
        crash_rate=record.rate("crash"),
    )
    life = simulate_life(
        cluster,
        "hot_spares",
        job,
        years=years,
        replicas=replicas,
        seed=seed,
        workers=workers,
        progress=progress,
    )
    # Spares fail as well, without the job noticing: what stopped it is a share of all failures.
    random = np.random.default_rng(np.random.SeedSequence(seed).spawn(replicas + 1)[-1])
    found = np.zeros((replicas, len(record.causes)), dtype=np.int64)
    for part, name in (("gpu", "hits"), ("crash", "crashes")):
        mine = [i for i, cause in enumerate(record.causes) if cause.part == part and cause.count]
        if mine:
            share = np.array([record.causes[i].count for i in mine], dtype=np.float64)
            total = life.counted(name).astype(np.int64)
            found[:, mine] = random.multinomial(total, share / share.sum())
    return Replay(record, life, found)
