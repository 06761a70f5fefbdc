"""Circuits over time: which port is joined to which, on which plane, for how long."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import TopologyError
from topo_sim.optics import changing
from topo_sim.optics.matchings import (
    as_targets,
    check_matchings,
    connected,
    require_joined,
    union,
)
from topo_sim.optics.measures import lit, reconfigurations, served
from topo_sim.topo.flow.arrays import as_number, as_numbers, refuse_where

__all__ = ["CircuitSchedule"]


@dataclass(frozen=True, eq=False, repr=False)
class CircuitSchedule:
    """Configurations of circuit-switch planes, slot after slot, with the dark time between.

    Parameters
    ----------
    targets : array_like of int, shape (slots, planes, ports)
        ``targets[s, p, i] = j``: during slot s plane p joins the transmitter of port i to the receiver of
        port j; -1: port i sends no light. A port joined to itself carries nothing and counts as dark.
    durations : array_like of float, shape (slots,), s
        How long each slot lasts; 0 is allowed.
    capacity : float or array_like of float, shape (planes,), B/s
        Of every circuit, or of the circuits of each plane.
    cyclic : bool
        Whether the schedule starts anew when it has ended; otherwise all is dark from then on.

    Raises
    ------
    TopologyError
        If a matching uses a port twice, or an array does not fit or holds what is no sensible value.

    Notes
    -----
    Port i of every plane belongs to rank i. Dark time is in the slots themselves, as -1: `targets` say what
    pauses and what carries on meanwhile. The constructors `all_stop`, `per_plane`, `per_port` and
    `rotor` put it in; `stack` puts planes with times of their own side by side. Memory is
    ``4 * slots * planes * ports`` bytes, and some ``8 * ports**2`` on top for what is worked out.

    Examples
    --------
    Three ports, one plane: two slots of 2 s, each after a dark second.

    >>> schedule = CircuitSchedule.all_stop([[1, 2, 0], [2, 0, 1]], [2.0, 2.0], delta=1.0, capacity=10.0)
    >>> schedule.period, round(schedule.duty, 6)
    (6.0, 0.666667)
    >>> schedule.served.tolist()
    [[0.0, 20.0, 20.0], [20.0, 0.0, 20.0], [20.0, 20.0, 0.0]]
    """

    targets: NDArray[np.int32]
    durations: NDArray[np.float64]
    capacity: NDArray[np.float64]
    cyclic: bool = False

    def __post_init__(self) -> None:
        targets = as_targets(self.targets)
        durations = as_numbers(self.durations, "durations", TopologyError)
        slots, planes, _ = targets.shape
        if durations.shape != (slots,):
            raise TopologyError(f"durations: found shape {durations.shape}, expected ({slots},)")
        bad = ~((durations >= 0) & np.isfinite(durations))
        refuse_where(bad, durations, "durations", "seconds of 0 or more", TopologyError)
        if not 0 < durations.sum() < np.inf:
            raise TopologyError(
                f"durations: found {durations.sum():g} s in all, expected a time of more than 0"
            )
        capacity = as_numbers(self.capacity, "capacity", TopologyError)
        if capacity.shape not in ((), (planes,)):
            raise TopologyError(
                f"capacity: found shape {capacity.shape}, expected one number or {planes}: one per plane"
            )
        wrong = ~((capacity > 0) & np.isfinite(capacity))
        refuse_where(wrong, capacity, "capacity", "B/s of more than 0", TopologyError)
        check_matchings(targets)
        if not isinstance(self.cyclic, (bool, np.bool_)):
            raise TopologyError(f"cyclic: found {self.cyclic!r}, expected true or false")
        each = np.broadcast_to(capacity, (planes,)).copy()
        for name, array in (("targets", targets), ("durations", durations.copy()), ("capacity", each)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        object.__setattr__(self, "cyclic", bool(self.cyclic))

    @classmethod
    def all_stop(
        cls,
        configurations: ArrayLike,
        durations: ArrayLike,
        delta: float,
        *,
        capacity: ArrayLike,
        first_free: bool = False,
        cyclic: bool = False,
    ) -> "CircuitSchedule":
        """Hold configurations one after the other; all planes go dark together before each change.

        Parameters
        ----------
        configurations : array_like of int, shape (configurations, planes, ports) or (configurations, ports)
            As `targets`; without the axis of planes there is one.
        durations : array_like of float, shape (configurations,), s
            With light; the dark time comes on top.
        delta : float, s
            How long a change takes.
        capacity : float or array_like of float, shape (planes,), B/s
        first_free : bool
            Whether the first configuration is set when time begins; otherwise it is paid for.
        cyclic : bool
            Whether it starts anew: before the first configuration the last one is on.

        Returns
        -------
        CircuitSchedule

        Notes
        -----
        Where two configurations in a row are the same nothing changes and nothing pauses.

        Examples
        --------
        >>> CircuitSchedule.all_stop([[1, 0], [1, 0]], [1, 1], 0.5, capacity=1.0).durations.tolist()
        [0.5, 1.0, 1.0]
        """
        how: Any = {"capacity": capacity, "first_free": first_free, "cyclic": cyclic}
        return cls._paused(changing.all_dark, configurations, durations, delta, **how)

    @classmethod
    def per_plane(
        cls, configurations: ArrayLike, durations: ArrayLike, delta: float, **how: Any
    ) -> "CircuitSchedule":
        """Hold configurations one after the other; only planes that change go dark, else as `all_stop`.

        Examples
        --------
        Plane 0 changes, plane 1 carries on.

        >>> two = [[[1, 0, -1], [1, 2, 0]], [[-1, 2, 1], [1, 2, 0]]]
        >>> CircuitSchedule.per_plane(two, [1, 1], 0.5, capacity=1.0, first_free=True).targets[1].tolist()
        [[-1, -1, -1], [1, 2, 0]]
        """
        return cls._paused(changing.planes_dark, configurations, durations, delta, **how)

    @classmethod
    def per_port(
        cls, configurations: ArrayLike, durations: ArrayLike, delta: float, **how: Any
    ) -> "CircuitSchedule":
        """Hold configurations one after the other; only circuits that change go dark, else as `all_stop`.

        Examples
        --------
        >>> two = [[1, 0, 3, 2], [1, 0, -1, -1]]
        >>> CircuitSchedule.per_port(two, [1, 1], 0.5, capacity=1.0, first_free=True).targets[1].tolist()
        [[1, 0, -1, -1]]
        """
        return cls._paused(changing.ports_dark, configurations, durations, delta, **how)

    @classmethod
    def _paused(
        cls,
        dark: changing.Dark,
        configurations: ArrayLike,
        durations: ArrayLike,
        delta: float,
        *,
        capacity: ArrayLike,
        first_free: bool = False,
        cyclic: bool = False,
    ) -> "CircuitSchedule":
        slots = changing.with_pauses(configurations, durations, delta, dark, first_free, cyclic)
        return cls(*slots, capacity=capacity, cyclic=cyclic)  # type: ignore[arg-type]

    @classmethod
    def rotor(
        cls,
        ports: int,
        planes: int = 1,
        *,
        slot: float,
        delta: float,
        capacity: ArrayLike,
        stagger: bool = False,
        symmetric: bool = False,
    ) -> "CircuitSchedule":
        """Turn through all ``ports - 1`` matchings for ever, whatever the demand.

        Parameters
        ----------
        ports : int
            Ports (ranks) of every plane.
        planes : int
            Rotors side by side. In step t rotor p shows matching ``(t * planes + p) mod (ports - 1)``.
        slot : float, s
            From change to change, of which the first `delta` are dark.
        delta : float, s
            How long a change takes; less than `slot`.
        capacity : float or array_like of float, shape (planes,), B/s
        stagger : bool
            Whether the rotors change in turn, ``slot / planes`` apart, as in Opera: one is dark at a time.
        symmetric : bool
            Whether matchings join ports both ways (the rounds of a tournament; an even number of ports).
            Otherwise matching k joins port i to port ``i + k + 1``.

        Returns
        -------
        CircuitSchedule
            Cyclic, of ``(ports - 1) / gcd(ports - 1, planes)`` steps; each pair is lit equally often.

        Notes
        -----
        Every plane has light for ``(slot - delta) / slot`` of the time, and every pair gets a mean of
        ``planes * capacity * (slot - delta) / slot / (ports - 1)`` directly.

        References
        ----------
        Mellette et al., "RotorNet", SIGCOMM 2017; "Expanding across time to deliver bandwidth efficiency and
        low latency" (Opera), NSDI 2020.

        Examples
        --------
        >>> rotor = CircuitSchedule.rotor(5, slot=10e-6, delta=2e-6, capacity=1e9)
        >>> rotor.durations.size, rotor.duty, round(rotor.served[0, 1] / rotor.period)
        (8, 0.8, 200000000)
        """
        slots = changing.rotor_slots(ports, planes, slot, delta, stagger, symmetric)
        return cls(*slots, capacity=capacity, cyclic=True)  # type: ignore[arg-type]

    @classmethod
    def stack(cls, schedules: "list[CircuitSchedule] | tuple[CircuitSchedule, ...]") -> "CircuitSchedule":
        """Put planes with times of their own side by side.

        Parameters
        ----------
        schedules : sequence of CircuitSchedule
            Of the same ports; all cyclic with one period, or none. Planes that end early stay dark.

        Returns
        -------
        CircuitSchedule

        Raises
        ------
        TopologyError
            If they do not fit together.

        Examples
        --------
        >>> a = CircuitSchedule([[[1, 0]]], [2.0], 1.0)
        >>> b = CircuitSchedule([[[-1, -1]], [[1, 0]]], [1.0, 2.0], 5.0)
        >>> both = CircuitSchedule.stack([a, b])
        >>> both.targets.tolist(), both.durations.tolist()
        ([[[1, 0], [-1, -1]], [[1, 0], [1, 0]], [[-1, -1], [1, 0]]], [1.0, 1.0, 1.0])
        """
        given: list[Any] = list(schedules)
        if not given or not all(isinstance(one, CircuitSchedule) for one in given):
            raise TopologyError("schedules: found something else, expected at least one CircuitSchedule")
        changing.require_alike([(one.ports, one.cyclic, one.period) for one in given])
        targets, durations = changing.side_by_side([(one.targets, one.durations) for one in given])
        capacity = np.concatenate([one.capacity for one in given])
        return cls(targets, durations, capacity, given[0].cyclic)

    @property
    def slots(self) -> int:
        """Number of slots, dark ones among them."""
        return int(self.targets.shape[0])

    @property
    def planes(self) -> int:
        """Number of circuit-switch planes."""
        return int(self.targets.shape[1])

    @property
    def ports(self) -> int:
        """Number of ports of each plane: the ranks."""
        return int(self.targets.shape[2])

    @cached_property
    def edges(self) -> NDArray[np.float64]:
        """When slots begin and the last one ends, s: shape (slots + 1,)."""
        out = np.concatenate([[0.0], np.cumsum(self.durations)])
        out.setflags(write=False)
        return out

    @property
    def period(self) -> float:
        """How long all slots take together, s: the makespan of a schedule that runs once."""
        return float(self.edges[-1])

    @cached_property
    def lit(self) -> NDArray[np.int32]:
        """How many circuits each plane holds in each slot: shape (slots, planes)."""
        return lit(self.targets)

    @property
    def dark_time(self) -> NDArray[np.float64]:
        """How long each plane has no light at all in a period, s: shape (planes,)."""
        return self.durations @ (self.lit == 0)

    @property
    def duty(self) -> float:
        """Share of the time in which a plane has light, mean over the planes."""
        return 1.0 - float(self.dark_time.mean()) / self.period

    @property
    def occupancy(self) -> float:
        """Share of port-seconds in which a port holds a circuit: below `duty` where ports are left out."""
        return float((self.durations @ self.lit).sum()) / (self.period * self.planes * self.ports)

    @cached_property
    def reconfigurations(self) -> NDArray[np.int64]:
        """How often each plane brings up circuits that it did not hold in the slot before: shape (planes,).

        Before the first slot of a schedule that runs once all is dark.
        """
        return reconfigurations(self.targets, self.cyclic)

    @cached_property
    def served(self) -> NDArray[np.float64]:
        """Bytes that one period can carry from port to port directly: shape (ports, ports)."""
        return served(self.targets, self.durations, self.capacity)

    @property
    def connected_slots(self) -> NDArray[np.bool_]:
        """Whether the circuits of each slot alone join every port to every other: shape (slots,)."""
        return connected(self.targets)

    def require_connected(self, *, slot: int | None = None) -> None:
        """Raise unless every rank can reach every other over circuits.

        Parameters
        ----------
        slot : int, optional
            Over the circuits of this slot alone. Default: over those of all slots, where bytes may wait
            at ranks in between.

        Raises
        ------
        TopologyError
            Naming two ranks that are left apart.

        Examples
        --------
        >>> CircuitSchedule([[[1, 0, 3, 2]]], [1.0], 1.0).require_connected()
        Traceback (most recent call last):
        topo_sim.base.errors.TopologyError: all slots together: no circuits lead from rank 0 to rank 2, \
expected a configuration that joins all 4 ranks
        """
        if slot is None:
            require_joined(union(self.served)[0], "all slots together")
        else:
            require_joined(self.targets[slot], f"slot {slot}")

    def at(self, time: float) -> int:
        """Say which slot is on.

        Parameters
        ----------
        time : float, s
            From the start.

        Returns
        -------
        int
            -1 after the end of a schedule that runs once.

        Raises
        ------
        TopologyError
            If the time is negative or no number.

        Examples
        --------
        >>> CircuitSchedule([[[1, 0]], [[-1, -1]]], [1.0, 2.0], 1.0, cyclic=True).at(4.5)
        1
        """
        when = as_number(time, "time", 0.0, 1e300, TopologyError)
        if self.cyclic:
            when = when % self.period
        elif when >= self.period:
            return -1
        return min(int(np.searchsorted(self.edges, when, side="right")) - 1, self.slots - 1)

    def __repr__(self) -> str:
        again = "cyclic" if self.cyclic else "once"
        return (
            f"<CircuitSchedule: {self.slots} slots, {self.planes} planes of {self.ports} ports, "
            f"{self.period:.6g} s, {again}>"
        )
