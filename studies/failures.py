"""Failures of GPUs big and small: spares, interruptions and goodput of clusters of equal silicon."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from topo_sim.base import UsageError
from topo_sim.gpus.catalogue import Gpu, find_gpu, load_gpus
from topo_sim.gpus.reliability import POLICIES, FailureRates, Life, load_failure_rates, simulate_life
from topo_sim.studies.fleets import Fleet, Question, make_fleets

__all__ = ["FailureStudy", "SparePoint", "compare_failures"]

Progress = Callable[[int, int, str], None]
_CURVE = 5  # lives for goodput against spares, at as many numbers of spares


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
