"""The front: schedule a demand, and check what came out before anyone sees it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import TopoSimError, UsageError
from topo_sim.optics.circuit_schedule import CircuitSchedule
from topo_sim.optics.scheduling.bounds import direct_bound, relayed_bound
from topo_sim.optics.scheduling.execution import execute
from topo_sim.optics.scheduling.plan import Plan, Run
from topo_sim.optics.scheduling.problem import Problem
from topo_sim.optics.scheduling.registry import SCHEDULERS

__all__ = ["Certificate", "Scheduled", "schedule_demand"]

_TIGHT = 1e-9
_RESOLUTION = 1e-12  # of the makespan: how exactly times are known


@dataclass(frozen=True)
class Certificate:
    """What `Scheduled.verify` found.

    Parameters
    ----------
    unserved : float
        Largest difference between an entry of the demand and what circuits and packets carry of it, as a
        share of the entry.
    circuit_load : float
        Most bytes on a circuit as a share of what it can carry while it stands.
    packet_load : float
        Most bytes of a rank over the packet fabric as a share of what that carries in the makespan.
    fault : str
        What is wrong with the circuits themselves; nothing if each configuration is a matching and every
        change has its dark time.
    """

    unserved: float
    circuit_load: float
    packet_load: float
    fault: str


@dataclass(frozen=True, eq=False)
class Scheduled:
    """A demand on circuits in time.

    Parameters
    ----------
    scheduler : str
    problem : Problem
    run : Run
    options : mapping
        Of the scheduler.
    """

    scheduler: str
    problem: Problem
    run: Run
    options: Mapping[str, float | None]

    @property
    def circuits(self) -> NDArray[np.float64]:
        """What leaves its rank over circuits, B: shape (ranks, ranks)."""
        return self.run.circuits

    @property
    def packets(self) -> NDArray[np.float64]:
        """What leaves its rank over the packet fabric, B: shape (ranks, ranks)."""
        return self.run.packets

    @property
    def relays(self) -> bool:
        """Whether bytes may cross more than one circuit."""
        return SCHEDULERS[self.scheduler].relays

    @cached_property
    def _packet_line(self) -> float:
        load = self.packets if self.run.relays is None else self.packets + self.run.relays.left
        return float(max(load.sum(axis=0).max(), load.sum(axis=1).max()))

    @cached_property
    def makespan(self) -> float:
        """When the last byte has left, over circuits or packets, s."""
        packets = self._packet_line / self.problem.packet_rate if self._packet_line else 0.0
        return max(self.run.end, packets)

    @cached_property
    def bound(self) -> float:
        """What no schedule of this kind can beat, s: for direct circuits, or with relays."""
        return relayed_bound(self.problem) if self.relays else direct_bound(self.problem)

    @property
    def gap(self) -> float:
        """How far the makespan is above the bound, as a share of the bound."""
        return self.makespan / self.bound - 1.0 if self.bound else 0.0

    @property
    def configurations(self) -> int:
        """How many configurations are set; what all planes set together counts once."""
        return self.run.times.configurations

    @property
    def dark_time(self) -> float:
        """How long a port waits for circuits to be set, mean over the ports, s."""
        return self.run.times.dark_time(self.problem)

    @property
    def dark_share(self) -> float:
        """`dark_time` as a share of the makespan."""
        return self.dark_time / self.makespan if self.makespan else 0.0

    @property
    def packet_share(self) -> float:
        """Share of the bytes that the packet fabric delivers."""
        left = 0.0 if self.run.relays is None else float(self.run.relays.left.sum())
        total = float(self.problem.bytes.sum())
        return (float(self.packets.sum()) + left) / total if total else 0.0

    @property
    def duty(self) -> float:
        """Bytes that cross circuits as a share of what all ports could carry in the makespan."""
        p = self.problem
        crossing = self.circuits if self.run.relays is None else self.run.relays.crossing
        room = p.ranks * p.planes * p.rate * self.makespan
        return float(crossing.sum()) / room if room else 0.0

    @property
    def hops(self) -> float:
        """Circuits that a byte crosses, mean over the bytes that take circuits."""
        crossing = self.circuits if self.run.relays is None else self.run.relays.crossing
        sent = float(self.circuits.sum())
        return float(crossing.sum()) / sent if sent else 0.0

    def circuit_schedule(self) -> CircuitSchedule | None:
        """Give the circuits as slots for the event engine.

        Returns
        -------
        CircuitSchedule or None
            None where no circuit is ever set. What stands for less than 1e-14 of the whole is left out.

        Raises
        ------
        UsageError
            If the slots would take more than 2 GiB.
        """
        if not self.configurations:
            return None
        targets, durations = self.run.times.slots(self.problem.planes, self.problem.ranks)
        return CircuitSchedule(targets, durations, self.problem.rate)  # type: ignore[arg-type]

    def verify(self) -> Certificate:
        """Check that the demand is served, and by circuits that exist.

        Returns
        -------
        Certificate

        Raises
        ------
        TopoSimError
            If bytes are missing, a circuit or the packet fabric carries more than it can, a configuration is
            no matching, a change has no dark time, or the makespan is below the bound: a fault of a
            scheduler.
        """
        found = self._certificate()
        wrong = [
            (bool(found.fault), found.fault),
            (found.unserved > _TIGHT, f"{found.unserved:.3g} of an entry of the demand is not served"),
            (found.circuit_load > 1 + _TIGHT, f"a circuit carries {found.circuit_load:.12g} of its rate"),
            (found.packet_load > 1 + _TIGHT, f"packets carry {found.packet_load:.12g} of their rate"),
            (self.makespan < self.bound * (1 - _TIGHT), f"{self.makespan:g} s is below the bound"),
        ]
        for is_wrong, text in wrong:
            if is_wrong:
                raise TopoSimError(f"{self.scheduler}: the schedule is wrong: {text}, expected a valid one")
        return found

    @cached_property
    def _served(self) -> float:
        """Largest relative difference between the demand and what is carried."""
        p, r = self.problem, self.run.relays
        gaps = [_relative(self.circuits + self.packets, p.bytes)]
        if r is not None:
            gaps += [
                _relative(r.passed + r.left, r.taken),
                _relative(r.given.sum(axis=0), r.taken.sum(axis=0)),
                _relative(r.handed.sum(axis=1), r.given.sum(axis=1)),
                _relative(r.handed.sum(axis=0), r.taken.sum(axis=1)),
            ]
        return max(gaps)

    def _certificate(self) -> Certificate:
        p, r = self.problem, self.run.relays
        most = (self.run.times.light(p.ranks) + _RESOLUTION * self.makespan) * p.rate
        crossing = self.circuits if r is None else r.crossing
        with np.errstate(divide="ignore", invalid="ignore"):
            load = np.where(crossing > 0, crossing / most, 0.0)
            packet = self._packet_line / (p.packet_rate * self.makespan) if self._packet_line else 0.0
        excess = 0.0 if r is None or not p.busiest else r.excess / p.busiest
        return Certificate(self._served, float(load.max()) + excess, float(packet), self.run.times.fault(p))

    def to_dict(self) -> dict[str, Any]:
        """Summary with units in the keys.

        Returns
        -------
        dict
        """
        found = self._certificate()
        return {
            "scheduler": self.scheduler,
            "options": dict(self.options),
            "configurations": self.configurations,
            "makespan_s": self.makespan,
            "bound_s": self.bound,
            "bound_kind": "with relays" if self.relays else "direct circuits",
            "gap": self.gap,
            "dark_s": self.dark_time,
            "dark_share": self.dark_share,
            "duty": self.duty,
            "circuit_B": float(self.circuits.sum()),
            "packet_share": self.packet_share,
            "hops": self.hops,
            "certificate": {
                "unserved": found.unserved,
                "circuit_load": found.circuit_load,
                "packet_load": found.packet_load,
                "matchings": not found.fault,
            },
        }


def _relative(found: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    """Largest difference as a share of what is wanted; infinite where nothing is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.where(found == wanted, 0.0, np.abs(found - wanted) / wanted)
    return float(gap.max())


def schedule_demand(problem: Problem, scheduler: str = "solstice", **options: float | None) -> Scheduled:
    """Serve a demand with circuits.

    Parameters
    ----------
    problem : Problem
    scheduler : str
        A name in `SCHEDULERS`.
    **options : float, optional
        Of the scheduler.

    Returns
    -------
    Scheduled

    Raises
    ------
    UnknownNameError
        If there is no such scheduler.
    UsageError
        If an option does not fit.

    Examples
    --------
    Two matchings of 3 and 1 s, and 1 s before each: what the busiest line needs at least.

    >>> problem = Problem([[0, 3, 1], [1, 0, 3], [3, 1, 0]], rate=1.0, delta=1.0)
    >>> done = schedule_demand(problem, "bvn")
    >>> done.makespan, done.bound, done.configurations
    (6.0, 6.0, 2)
    """
    if not isinstance(problem, Problem):
        raise UsageError(f"problem: found {type(problem).__name__}, expected a Problem")
    chosen = SCHEDULERS[scheduler]
    complete = chosen.complete(options)
    made = chosen.plan(problem, **complete)
    run = execute(problem, made) if isinstance(made, Plan) else made
    done = Scheduled(scheduler, problem, run, complete)
    if not math.isfinite(done.makespan):
        raise UsageError(f"{scheduler}: the makespan is beyond 1e308 s, expected less demand or more rate")
    done.verify()
    return done
