"""A schedule solved on all its candidate configurations, to be planned at any size."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError, UsageError
from topo_sim.base.registry import nearest
from topo_sim.collectives.bounds import LowerBound
from topo_sim.collectives.reconfiguration.circuits import Circuits, circuit_bound
from topo_sim.collectives.reconfiguration.configurations import (
    Configuration,
    bidirectional_ring,
    ring,
)
from topo_sim.collectives.reconfiguration.costs import Candidate, StepCosts, step_costs
from topo_sim.collectives.reconfiguration.plan import ReconfigurationPlan, checked_size, make_plan
from topo_sim.collectives.reconfiguration.policies import POLICIES, Choices
from topo_sim.collectives.reconfiguration.traffic import StepTraffic, step_traffic
from topo_sim.collectives.schedule import Schedule
from topo_sim.topo import Fabric

__all__ = ["BASES", "CircuitProfile", "circuit_profile"]

BASES = {"ring": ring, "bidirectional_ring": bidirectional_ring}
"""Configurations that may be set when the steps begin, by name."""

MOST_CELLS = 20_000_000
"""Steps times candidates, at most: three matrices of that size are kept."""


@dataclass(frozen=True)
class CircuitProfile:
    """A schedule solved on its candidates; made by `circuit_profile`.

    Parameters
    ----------
    schedule : Schedule
    circuits : Circuits
    candidates : tuple of Configuration or Fabric
    initial : int
        The candidate that is set when the steps begin; -1: none.
    matched : ndarray of int64, shape (S,)
        The candidate with a circuit for every transfer of a step; -1: a rank has too few ports for it.
    rounds : ndarray of int64, shape (S,)
        How often alpha is waited for: messages of a rank in the step over its ports, rounded up.
    repeats : ndarray of int64, shape (S,)
    costs : StepCosts
    bound : LowerBound
    """

    schedule: Schedule
    circuits: Circuits
    candidates: tuple[Candidate, ...]
    initial: int
    matched: NDArray[np.int64]
    rounds: NDArray[np.int64]
    repeats: NDArray[np.int64]
    costs: StepCosts
    bound: LowerBound

    def step_times(self, size: float) -> NDArray[np.float64]:
        """Time of every step on every candidate, run once.

        Parameters
        ----------
        size : float, B

        Returns
        -------
        ndarray of float64, shape (S, C), s
        """
        return self.circuits.alpha * self.rounds[:, np.newaxis] + self.costs.at(size)

    @property
    def weights(self) -> NDArray[np.float64]:
        """What part of a reconfiguration is waited for before each step, shape (S,)."""
        weights = np.full(len(self.repeats), 1 - self.circuits.hidden)
        if self.circuits.first_free:
            weights[:1] = 0.0
        return weights

    def choices(self, size: float, reconfiguration: float | None = None) -> Choices:
        """Lay out what a policy chooses from.

        Parameters
        ----------
        size : float, B
        reconfiguration : float, s, optional
            Default: that of the circuits.

        Returns
        -------
        Choices
        """
        circuits = self.circuits
        change = circuits.reconfiguration if reconfiguration is None else reconfiguration
        step, own = np.arange(len(self.matched)), np.maximum(self.matched, 0)
        degree = [one.degree if isinstance(one, Configuration) else 0 for one in self.candidates]
        fixed = work = np.zeros(len(step))
        if len(step):
            fixed = (circuits.alpha * self.rounds + self.costs.delay[step, own]) * self.repeats
            work = size * self.costs.pace[step, own] * self.repeats
        return Choices(
            self.step_times(size) * self.repeats[:, np.newaxis],
            self.weights * change,
            self.initial,
            self.matched,
            np.array(degree, dtype=np.int64)[own] if len(step) else own,
            circuits.ports,
            fixed,
            work,
        )

    def plan(
        self, size: float | None = None, policy: str = "optimal", reconfiguration: float | None = None
    ) -> ReconfigurationPlan:
        """Say when to reconfigure at a size.

        Parameters
        ----------
        size : float, B, optional
            Default: that of the schedule.
        policy : str
            A name in `POLICIES`.
        reconfiguration : float, s, optional
            Default: that of the circuits.

        Returns
        -------
        ReconfigurationPlan

        Raises
        ------
        UnknownNameError
            If there is no such policy.
        UsageError
            If the size or the time is no finite number of 0 or more.
        CollectiveError
            If the policy cannot carry every step.

        Examples
        --------
        >>> from topo_sim.collectives import build_schedule
        >>> schedule = build_schedule("all_reduce", "halving_doubling", 64, 1e6)
        >>> plan = circuit_profile(schedule, Circuits(reconfiguration=1e-6)).plan()
        >>> plan.reconfigurations, round(plan.time * 1e6, 2)
        (11, 42.69)
        """
        rule = POLICIES[policy]
        n = checked_size(self.schedule.size if size is None else size)
        circuits = self.circuits if reconfiguration is None else self.circuits.switching_in(reconfiguration)
        return make_plan(self, circuits, n, policy, rule.decide(self.choices(n, circuits.reconfiguration)))


def _start(base: str | Candidate | None, ranks: int) -> Candidate | None:
    if base is None or not isinstance(base, str):
        return base
    if base not in BASES:
        raise UsageError(f'base: found "{base}": {nearest(base, BASES)}')
    return BASES[base](ranks)


def circuit_profile(
    schedule: Schedule,
    circuits: Circuits,
    *,
    base: str | Configuration | Fabric | None = "ring",
    candidates: Sequence[Configuration | Fabric] = (),
    own: bool = True,
) -> CircuitProfile:
    """Solve a schedule on its candidate configurations once, for all sizes and reconfiguration times.

    Parameters
    ----------
    schedule : Schedule
        Its ranks are the endpoints of the circuits.
    circuits : Circuits
    base : str, Configuration, Fabric or None
        What is set when the steps begin: a name in `BASES`, any configuration, any fabric of these endpoints
        (a torus of fixed light paths), or nothing.
    candidates : sequence of Configuration or Fabric
        To choose from as well, for example subrings.
    own : bool
        Whether the matched configuration of every step can be chosen.

    Returns
    -------
    CircuitProfile

    Raises
    ------
    UsageError
        If a candidate does not fit the ranks or the ports.
    CollectiveError
        If a step cannot be carried by any candidate, or there are too many steps and candidates.

    Notes
    -----
    The matched configuration of a step gives each pair of ranks that exchange in it ``ports // degree``
    ports, degree the most partners that a rank has in it; by König's theorem that many planes can set it.

    Examples
    --------
    Bruck's steps over 4 ranks; one by 2 can also follow the ring, over two light paths:

    >>> from topo_sim.collectives import build_schedule
    >>> profile = circuit_profile(build_schedule("all_to_all", "bruck", 4, 1e5), Circuits())
    >>> [one.name for one in profile.candidates]
    ['ring', 'shift by 2']
    >>> (profile.step_times(1e5) * 1e6).round(2).tolist()
    [[1.5, inf], [2.0, 1.5]]
    """
    traffic = step_traffic(schedule)
    p = schedule.ranks
    bound = circuit_bound(schedule.collective, p, circuits)
    start = _start(base, p)
    given: list[Candidate] = ([] if start is None else [start]) + list(candidates)
    for one in given:
        if isinstance(one, Configuration):
            _check(one, p, circuits)
    found, matched = _with_own(given, traffic, circuits.ports) if own else (given, _none(traffic))
    if len(found) * len(matched) > MOST_CELLS:
        raise CollectiveError(
            f"{schedule!r}: found {len(matched):,} steps and {len(found):,} configurations, expected at most "
            f"{MOST_CELLS:,} pairs of them; plan fewer ranks, or without configurations of each step"
        )
    costs = step_costs(schedule, traffic, found, circuits)
    lost = ~np.isfinite(costs.delay).any(axis=1)
    if lost.any():
        i = int(np.flatnonzero(lost)[0])
        raise CollectiveError(
            f"{schedule.label}: step {i} can be carried by no configuration: a rank sends "
            f"{traffic.messages[i]} messages over {circuits.ports} ports; expected as many ports, or a base "
            "that joins all ranks"
        )
    return CircuitProfile(
        schedule,
        circuits,
        tuple(found),
        -1 if start is None else 0,
        matched,
        -(-traffic.messages // circuits.ports),
        np.array([step.repeat for step in schedule.steps], dtype=np.int64),
        costs,
        bound,
    )


def _check(one: Configuration, ranks: int, circuits: Circuits) -> None:
    if one.ranks != ranks:
        raise UsageError(f"{one.name}: found {one.ranks} ranks, expected the {ranks} of the schedule")
    one.planes(circuits.ports)


def _none(traffic: StepTraffic) -> NDArray[np.int64]:
    return np.full(len(traffic.shift), -1, dtype=np.int64)


def _with_own(
    given: list[Candidate], traffic: StepTraffic, ports: int
) -> tuple[list[Candidate], NDArray[np.int64]]:
    """Add the matched configuration of every step that has one, each once."""
    found = list(given)
    known = {_digest(one): c for c, one in reversed(list(enumerate(given))) if isinstance(one, Configuration)}
    matched = _none(traffic)
    for i in range(len(matched)):
        source, target = traffic.ends(i)
        far = int(traffic.shift[i])
        one = Configuration(_name(source, target, i, far), traffic.ranks, source, target)
        if far:  # known, and not to be counted again
            one.__dict__.update(degree=1, shift=far)
        if np.any(source == target) or one.degree > ports:
            continue
        matched[i] = known.setdefault(_digest(one), len(found))
        if matched[i] == len(found):
            found.append(one)
    return found, matched


def _digest(one: Configuration) -> bytes:
    if one.shift:
        return b"shift by %d" % one.shift
    return blake2b(one.key.tobytes(), digest_size=16).digest()


def _name(source: NDArray[np.int64], target: NDArray[np.int64], step: int, shift: int) -> str:
    if shift:
        return f"shift by {shift}"
    apart = source ^ target
    return f"pairs {apart[0]} apart" if np.all(apart == apart[0]) else f"circuits of step {step}"
