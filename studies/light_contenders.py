"""What a cluster of Lite-GPUs may be wired as: packets, a torus, or circuits; with its power."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.base.files import Range
from topo_sim.collectives import CollectiveCost, CostProfile, Router, all_to_all_v, cost_profile
from topo_sim.collectives.reconfiguration import (
    CircuitProfile,
    Circuits,
    circuit_bound,
    circuit_profiles,
    plan_collective,
)
from topo_sim.optics import CircuitSwitch, Energy, FabricPower, Optics, fabric_power
from topo_sim.optics.scheduling import Problem, direct_bound, schedule_demand
from topo_sim.optics.site import Site
from topo_sim.studies.best import profiles
from topo_sim.topo import Fabric, circuit_switched, leaf_spine, torus

__all__ = ["MOE", "PORTS", "Outcome", "Static", "Switched", "Wiring", "assumed_switch", "wirings"]

PORTS = 8
MOE = "moe_all_to_all"
PACKET_LATENCY, TORUS_LATENCY, CIRCUIT_LATENCY = 400e-9, 150e-9, 200e-9
_Found = tuple[float, float, str, int, float | None]  # time, bytes moved, algorithm, changes, bound


@dataclass(frozen=True, eq=False)
class Outcome:
    """A collective of one size on one wiring.

    Parameters
    ----------
    wiring, collective : str
    size : float, B
        Of all-reduce the vector; of the all-to-all what one endpoint sends.
    algorithm : str
        The fastest one.
    changes : int
        How often circuits were changed.
    time, lower_bound : float, s
    bound : str
        What the bound comes from.
    direct_bound : float or None, s
        What no schedule of direct circuits beats at this time of a change; of scheduled demands alone.
    energy : Energy
    """

    wiring: str
    collective: str
    size: float
    algorithm: str
    changes: int
    time: float
    lower_bound: float
    bound: str
    direct_bound: float | None
    energy: Energy


@dataclass(frozen=True)
class Wiring:
    """Parts that all wirings of a study share.

    Parameters
    ----------
    endpoints : int
    rate : float, B/s
        Of each endpoint.
    site : Site
    packet_switch, medium : str
    demand : ndarray of float64, shape (endpoints, endpoints)
        Of the all-to-all, in parts of what one endpoint sends.
    overhead : float, s
        Per message or round of messages.
    """

    endpoints: int
    rate: float
    site: Site
    packet_switch: str
    medium: str
    demand: NDArray[np.float64]
    overhead: float

    def delivered(self, collective: str, size: float) -> float:
        """Least bytes that all endpoints together must send."""
        if collective == MOE:
            return float(self.demand.sum()) * size
        return 2.0 * (self.endpoints - 1) * size


@dataclass(frozen=True)
class Static:
    """A fabric whose links stay: packet switches, or a torus.

    Parameters
    ----------
    name, about : str
    fabric : Fabric
    power : FabricPower
    wiring : Wiring
    """

    name: str
    about: str
    fabric: Fabric
    power: FabricPower
    wiring: Wiring

    def solve(self, collective: str, sizes: NDArray[np.float64]) -> list[CostProfile]:
        """Solve the algorithms of a collective that can win."""
        router, overhead = Router(self.fabric), self.wiring.overhead
        if collective == MOE:
            schedule = all_to_all_v(self.wiring.demand * 2**20, "direct")
            return [cost_profile(schedule, self.fabric, overhead=overhead, router=router)]
        return profiles(self.fabric, collective, router=router, overhead=overhead, sizes=sizes)

    def outcome(self, collective: str, size: float, solved: list[CostProfile]) -> Outcome:
        """Read the fastest algorithm at a size."""
        best, cost = _fastest(solved, size)
        load = best.busy * self.fabric.capacity * size
        energy = self.power.energy(load, cost.time, self.wiring.delivered(collective, size))
        name, bound = cost.algorithm, cost.bound
        return Outcome(self.name, collective, size, name, 0, cost.time, cost.lower_bound, bound, None, energy)


def _fastest(solved: list[CostProfile], size: float) -> tuple[CostProfile, CollectiveCost]:
    best = min(solved, key=lambda profile: profile.time(size))
    return best, best.at(size)


@dataclass(frozen=True)
class Switched:
    """Circuits that stand as a torus of four dimensions until they are changed.

    Parameters
    ----------
    name, about : str
    standing : Fabric
    power : FabricPower
    wiring : Wiring
    schedulers : tuple of str
        For demands.
    """

    name: str
    about: str
    standing: Fabric
    power: FabricPower
    wiring: Wiring
    schedulers: tuple[str, ...]

    @cached_property
    def circuits(self) -> Circuits:
        """Ports and times, without the time of a change."""
        w = self.wiring
        return Circuits(PORTS, w.rate, w.overhead, 0.0, CIRCUIT_LATENCY)

    def plans(self, collective: str) -> list[CircuitProfile]:
        """Solve the algorithms that may change circuits, for all sizes and times of a change."""
        if collective == MOE:
            return []
        return circuit_profiles(collective, self.wiring.endpoints, self.circuits, base=self.standing)

    def outcome(
        self,
        collective: str,
        size: float,
        delta: float,
        solved: list[CostProfile],
        plans: list[CircuitProfile],
    ) -> Outcome:
        """Take the better of leaving the circuits alone and of changing them.

        Parameters
        ----------
        collective : str
        size : float, B
        delta : float, s
            Time of a change.
        solved : list of CostProfile
            On the standing circuits.
        plans : list of CircuitProfile
            That may change them; empty for demands, which are scheduled.

        Returns
        -------
        Outcome
        """
        best, cost = _fastest(solved, size)
        moved = float((best.busy * self.standing.capacity).sum()) * size
        label = f"{cost.algorithm}, standing"
        found: list[_Found] = [(cost.time, moved, label, 0, None)]
        kind = solved[0].schedule.collective
        if collective == MOE:
            found += [self._scheduled(size, delta, name) for name in self.schedulers]
        else:
            circuits = self.circuits.switching_in(delta)
            plan = plan_collective(collective, self.wiring.endpoints, [size], circuits, profiles=plans)[0]
            name = f"{plan.algorithm}, {plan.policy}"
            found.append((plan.time, plan.moved, name, plan.reconfigurations, None))
        time, moved, label, changes, direct = min(found, key=lambda each: each[0])
        bound = circuit_bound(kind, self.wiring.endpoints, self.circuits)
        energy = self._energy(moved, time, self.wiring.delivered(collective, size))
        return Outcome(
            self.name,
            collective,
            size,
            label,
            changes,
            time,
            bound.time(size),
            bound.tight(size),
            direct,
            energy,
        )

    def _scheduled(self, size: float, delta: float, name: str) -> _Found:
        w = self.wiring
        problem = Problem(w.demand * size, w.rate / PORTS, delta, PORTS)
        made = schedule_demand(problem, name)
        # As on packets, the messages of a rank leave it one overhead apart; all wait for the last.
        start = w.overhead * int((w.demand > 0).sum(axis=1).max())
        crossing = made.circuits if made.run.relays is None else made.run.relays.crossing
        time = made.makespan + start + CIRCUIT_LATENCY
        bound = direct_bound(problem) + start + CIRCUIT_LATENCY
        return time, float(crossing.sum()), name, made.configurations, bound

    def _energy(self, moved: float, time: float, delivered: float) -> Energy:
        """Spread the light paths crossed evenly over all circuits, which all draw alike."""
        links = self.power.fabric.links
        return self.power.energy(np.full(links, moved / links), time, delivered)


def _dims(endpoints: int, count: int) -> tuple[int, ...]:
    """Powers of two as alike as can be, the larger last."""
    exponent = endpoints.bit_length() - 1
    return tuple(2 ** (exponent // count + (i >= count - exponent % count)) for i in range(count))


def assumed_switch(device: CircuitSwitch, ports: int) -> CircuitSwitch:
    """Imagine a circuit switch of any number of ports, at the W per port of a real one.

    Parameters
    ----------
    device : CircuitSwitch
    ports : int

    Returns
    -------
    CircuitSwitch

    Examples
    --------
    >>> from topo_sim.optics import load_optics
    >>> wide = assumed_switch(load_optics().circuit_switch("mems_palomar"), 1024)
    >>> wide.most_ports, round(wide.power.typical, 1)
    (1024, 813.2)
    """
    power = None
    if device.power is not None and device.ports is not None:
        most, w = device.ports.high, device.power
        low, typical, high = (each * ports / most for each in (w.low, w.typical, w.high))
        power = Range(low, typical, high, "by ports", "assumed")
    width = Range(float(ports), float(ports), float(ports), "assumed", "assumed")
    return device.model_copy(update={"ports": width, "spare_ports": 0, "power": power})


def wirings(
    wiring: Wiring, optics: Optics, circuit_switch: str, schedulers: tuple[str, ...]
) -> tuple[list[Static], Switched]:
    """Wire the same endpoints in three ways.

    Parameters
    ----------
    wiring : Wiring
    optics : Optics
    circuit_switch : str
        Whose loss and W per port every plane has.
    schedulers : tuple of str

    Returns
    -------
    static : list of Static
        A non-blocking leaf-spine, and a torus of three dimensions.
    switched : Switched

    Raises
    ------
    UsageError
        If the endpoints are no power of two from 16 to 2048.
    """
    n, rate, medium = wiring.endpoints, wiring.rate, wiring.medium
    if isinstance(n, bool) or not isinstance(n, int) or n not in {2**e for e in range(4, 12)}:
        raise UsageError(f"endpoints: found {n!r}, expected a power of two from 16 to 2048")
    down = 2 ** -(-(n.bit_length() - 1) // 2)
    leaves, spines = n // down, down // 2
    clos = leaf_spine(
        leaves=leaves, endpoints_per_leaf=down, spines=spines, trunk=2, bandwidth=rate,
        latency=PACKET_LATENCY, medium=medium,
    )  # fmt: skip
    three, four = _dims(n, 3), _dims(n, 4)
    grid = torus(three, endpoint_bandwidth=rate, latency=TORUS_LATENCY, medium=medium)
    standing = torus(four, endpoint_bandwidth=rate, latency=CIRCUIT_LATENCY, medium=medium)
    planes = circuit_switched(n, PORTS, endpoint_bandwidth=rate, latency=CIRCUIT_LATENCY, medium=medium)
    device = assumed_switch(optics.circuit_switch(circuit_switch), n)
    site = Site(optics, device, None, 1, wiring.site.fibre, None)

    def power(fabric: Fabric, at: Site) -> FabricPower:
        return fabric_power(fabric, at, packet_switch=wiring.packet_switch)

    shape, stands = ("x".join(map(str, dims)) for dims in (three, four))
    packet = f"{leaves} leaves of {2 * down} ports and {spines} spines of {2 * leaves}, non-blocking"
    light = f"{PORTS} ports each on {PORTS} planes of {n:,} ports, standing as a {stands} torus"
    return [
        Static("fat-tree", packet, clos, power(clos, wiring.site), wiring),
        Static("torus", f"{shape}, six fixed ports each", grid, power(grid, wiring.site), wiring),
    ], Switched("circuits", light, standing, power(planes, site), wiring, schedulers)
