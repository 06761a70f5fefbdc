"""A plan: which configuration carries each step, how often circuits change, and what that takes."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.collectives.reconfiguration.circuits import Circuits
from topo_sim.collectives.reconfiguration.configurations import Configuration
from topo_sim.collectives.reconfiguration.policies import Decision

if TYPE_CHECKING:
    from topo_sim.collectives.reconfiguration.profile import CircuitProfile
    from topo_sim.optics import CircuitSchedule
    from topo_sim.topo import Fabric

__all__ = ["ReconfigurationPlan", "checked_size", "make_plan"]


@dataclass(frozen=True)
class ReconfigurationPlan:
    """When to reconfigure in a collective, and the time that it takes.

    Parameters
    ----------
    collective, algorithm, policy : str
    ranks : int
    size : float, B
        As nccl-tests counts it.
    circuits : Circuits
    time : float, s
    alpha_time, hop_time, byte_time, reconfiguration_time : float, s
        What it consists of: starting steps, crossing light paths, sending bytes, waiting for circuits.
    reconfigurations : int
        How often circuits are changed.
    dark_time : float, s
        How long a plane is dark by them, mean over the planes, whether it is waited for or hidden.
    bytes_sent : float, B
        By all ranks together.
    moved : float, B
        Bytes times light paths crossed.
    lower_bound : float, s
        No schedule over these ports is faster, whatever the configurations.
    bound : str
        What that bound comes from.
    busbw_factor : float
        Bus bandwidth over algorithm bandwidth.
    candidates : tuple of Configuration or Fabric
    choice : ndarray of int64, shape (S,)
        The candidate that carries each stored step.
    switched : ndarray of bool, shape (S,)
        Whether circuits are changed for it.
    step_times : ndarray of float64, shape (S,), s
        Of each step, run once, without waiting for circuits.
    repeats : ndarray of int64, shape (S,)
    groups, segment : ndarray of int64, shape (S,)
        Groups of planes that take steps in turn (1: all planes carry the step), and since which step.
    """

    collective: str
    algorithm: str
    policy: str
    ranks: int
    size: float
    circuits: Circuits
    time: float
    alpha_time: float
    hop_time: float
    byte_time: float
    reconfiguration_time: float
    reconfigurations: int
    dark_time: float
    bytes_sent: float
    moved: float
    lower_bound: float
    bound: str
    busbw_factor: float
    candidates: "tuple[Configuration | Fabric, ...]" = field(repr=False)
    choice: NDArray[np.int64] = field(repr=False)
    switched: NDArray[np.bool_] = field(repr=False)
    step_times: NDArray[np.float64] = field(repr=False)
    repeats: NDArray[np.int64] = field(repr=False)
    groups: NDArray[np.int64] = field(repr=False)
    segment: NDArray[np.int64] = field(repr=False)

    @property
    def algbw(self) -> float:
        """Size over time, B/s; infinite at zero time."""
        return self.size / self.time if self.time > 0 else np.inf

    @property
    def busbw(self) -> float:
        """Bus bandwidth as nccl-tests defines it, B/s."""
        return self.algbw * self.busbw_factor if self.ranks > 1 else 0.0

    @property
    def fraction(self) -> float:
        """Lower bound over time: 1 is optimal."""
        return self.lower_bound / self.time if self.time > 0 else 1.0

    @property
    def below_bound(self) -> bool:
        """Whether the time is less than the lower bound, which no machine can do."""
        return self.time < self.lower_bound * (1 - 1e-9)

    @property
    def configurations(self) -> tuple[str, ...]:
        """Name of the configuration that carries each stored step."""
        return tuple(self.candidates[c].name for c in self.choice.tolist())

    def to_circuit_schedule(self) -> "CircuitSchedule":
        """Lay the plan out as circuits over time, with the dark time between, to run flows over.

        Returns
        -------
        CircuitSchedule
            As long as the plan takes; a plane for each port of a rank.

        Raises
        ------
        UsageError
            If a fabric that was given carries a step, the plan takes no time, or it is too large.

        Examples
        --------
        >>> from topo_sim.collectives.reconfiguration import Circuits, plan_collective
        >>> (plan,) = plan_collective("all_to_all", 8, [1e9], Circuits(reconfiguration=1e-3), base=None)
        >>> plan.to_circuit_schedule()
        <CircuitSchedule: 14 slots, 1 planes of 8 ports, 0.015757 s, once>
        """
        from topo_sim.collectives.reconfiguration.slots import plan_slots
        from topo_sim.optics import CircuitSchedule

        slots = plan_slots(self)
        rate = np.array(self.circuits.port_rate)
        return CircuitSchedule(slots.targets, slots.durations, rate)

    def to_dict(self) -> dict[str, Any]:
        """Flat dictionary with a unit in every key that has one; infinite values become None.

        Returns
        -------
        dict
        """
        return {
            "collective": self.collective,
            "algorithm": self.algorithm,
            "policy": self.policy,
            "ranks": self.ranks,
            "size_B": self.size,
            "time_s": self.time,
            "alpha_s": self.alpha_time,
            "hops_s": self.hop_time,
            "bytes_s": self.byte_time,
            "reconfiguration_s": self.reconfiguration_time,
            "reconfigurations": self.reconfigurations,
            "dark_s": self.dark_time,
            "steps": int(self.repeats.sum()),
            "bytes_sent_B": self.bytes_sent,
            "bytes_times_links_B": self.moved,
            "algbw_B_per_s": self.algbw if np.isfinite(self.algbw) else None,
            "busbw_B_per_s": self.busbw if np.isfinite(self.busbw) else None,
            "lower_bound_s": self.lower_bound,
            "bound": self.bound,
            "fraction_of_bound": self.fraction,
            "below_bound": self.below_bound,
        }


def checked_size(size: object) -> float:
    """Return a size as a float; raise `UsageError` unless it is a finite number of bytes of 0 or more."""
    good = not isinstance(size, bool) and isinstance(size, (int, float, np.number))
    if not good or not 0 <= float(size) < np.inf:  # type: ignore[arg-type]
        raise UsageError(f"size: found {size!r}, expected a finite number of bytes of 0 or more")
    return float(size)  # type: ignore[arg-type]


def _shares(decision: Decision, planes: int) -> NDArray[np.float64]:
    """All planes over those that carry each step."""
    phase = np.cumsum(np.diff(decision.choice, prepend=-2) != 0)
    member = (phase - phase[decision.segment]) % decision.groups
    return planes / (planes // decision.groups + (member < planes % decision.groups))


def make_plan(
    profile: "CircuitProfile", circuits: Circuits, size: float, policy: str, decision: Decision
) -> ReconfigurationPlan:
    """Work out what a decision takes.

    Parameters
    ----------
    profile : CircuitProfile
    circuits : Circuits
        Those of the profile, with the reconfiguration time that was decided for.
    size : float, B
    policy : str
    decision : Decision

    Returns
    -------
    ReconfigurationPlan
    """
    schedule, collective = profile.schedule, profile.schedule.collective
    hops, sent = profile.costs.split(decision.choice, size)
    share = np.ones(len(hops))
    if np.any(decision.groups > 1):
        share = _shares(decision, circuits.ports)
        sent = sent * share
    starts = circuits.alpha * profile.rounds
    steps = np.arange(len(hops))
    parts = [float(part @ profile.repeats) for part in (starts, hops, sent)]
    # A step that one of g groups carries changes the circuits of that group only.
    dark = circuits.reconfiguration * float((decision.switched / share).sum())
    return ReconfigurationPlan(
        collective=collective.name,
        algorithm=schedule.label,
        policy=policy,
        ranks=schedule.ranks,
        size=size,
        circuits=circuits,
        time=decision.time,
        alpha_time=parts[0],
        hop_time=parts[1],
        byte_time=parts[2],
        reconfiguration_time=max(decision.time - sum(parts), 0.0),
        reconfigurations=int(decision.switched.sum()),
        dark_time=dark,
        bytes_sent=sum(float(s.fraction.sum()) * s.repeat for s in schedule.steps) * size,
        moved=float(profile.costs.moved[steps, decision.choice] @ profile.repeats) * size,
        lower_bound=profile.bound.time(size),
        bound=profile.bound.tight(size),
        busbw_factor=collective.busbw_factor(schedule.ranks) if schedule.ranks > 1 else 0.0,
        candidates=profile.candidates,
        choice=decision.choice,
        switched=decision.switched,
        step_times=starts + hops + sent,
        repeats=profile.repeats,
        groups=decision.groups,
        segment=decision.segment,
    )
