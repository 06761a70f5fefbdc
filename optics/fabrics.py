"""Between schedules and fabrics: one configuration as a fabric, and the schedule of a rotor fabric."""

import inspect
from typing import NamedTuple

import numpy as np

from topo_sim.base import Quantity, TopologyError, UnitError
from topo_sim.optics.circuit_schedule import CircuitSchedule
from topo_sim.topo import GENERATORS, Fabric
from topo_sim.topo.generators.circuit_switched import fabric_of_circuits
from topo_sim.topo.generators.common import port_rate, read

__all__ = ["RotorTiming", "fabric_at", "rotor_timing", "schedule_of"]


class RotorTiming(NamedTuple):
    """The hardware of a rotor fabric, whose links are a mean over time.

    Parameters
    ----------
    endpoints, ports : int
    slot, delta : float, s
        From change to change, and the dark time of it.
    rate : float, B/s
        Of one port with light.
    latency : float, s
        Of a light path.
    """

    endpoints: int
    ports: int
    slot: float
    delta: float
    rate: float
    latency: float


def fabric_at(
    schedule: CircuitSchedule,
    slot: int,
    *,
    latency: float | str = 500e-9,
    medium: str = "cpo",
    require_connected: bool = True,
) -> Fabric:
    """Make the fabric that a schedule shows in one slot.

    Parameters
    ----------
    schedule : CircuitSchedule
    slot : int
    latency : float or str, s
        Of a light path, endpoint to endpoint.
    medium : str
        What the fibres are made of.
    require_connected : bool
        Whether to refuse a slot whose circuits leave ranks apart.

    Returns
    -------
    Fabric
        With a circuit switch for every plane. Dark planes have fibres, but no links.

    Raises
    ------
    TopologyError
        If there is no such slot, or its circuits leave ranks apart.

    Notes
    -----
    Endpoints forward other endpoints' traffic, as in `circuit_switched`: the configuration stays as it is.

    Examples
    --------
    >>> ring = CircuitSchedule.all_stop([[1, 2, 3, 0]], [1.0], 0.1, capacity=1e9)
    >>> fabric_at(ring, 1)
    <Fabric slot 1: 4 endpoints, 0 switches, 1 circuit switches, 4 cables>
    >>> fabric_at(ring, 0)
    Traceback (most recent call last):
    topo_sim.base.errors.TopologyError: slot 0: no circuits lead from rank 0 to rank 1, expected a \
configuration that joins all 4 ranks
    """
    if isinstance(slot, bool) or not isinstance(slot, (int, np.integer)) or not 0 <= slot < schedule.slots:
        raise TopologyError(f"slot: found {slot!r}, expected a whole number from 0 to {schedule.slots - 1}")
    try:
        delay = Quantity("time", positive=False).read(latency)
    except UnitError as error:
        raise TopologyError(f"latency: {error}") from None
    if require_connected:
        schedule.require_connected(slot=int(slot))
    return fabric_of_circuits(schedule.targets[slot], schedule.capacity, delay, medium, f"slot {slot}")


def schedule_of(fabric: Fabric, *, stagger: bool = False, symmetric: bool = False) -> CircuitSchedule:
    """Make the schedule whose mean over time a rotor fabric is.

    Parameters
    ----------
    fabric : Fabric
        Made by the generator `rotor`.
    stagger, symmetric : bool
        As in `CircuitSchedule.rotor`: the mean does not depend on them.

    Returns
    -------
    CircuitSchedule

    Raises
    ------
    TopologyError
        If the fabric is no rotor.

    Examples
    --------
    >>> from topo_sim.topo import rotor
    >>> schedule_of(rotor(5, 2, slot="10 us", reconfiguration="1 us"))
    <CircuitSchedule: 4 slots, 2 planes of 5 ports, 2e-05 s, cyclic>
    """
    rotor = rotor_timing(fabric)
    return CircuitSchedule.rotor(
        rotor.endpoints,
        rotor.ports,
        slot=rotor.slot,
        delta=rotor.delta,
        capacity=rotor.rate,
        stagger=stagger,
        symmetric=symmetric,
    )


def rotor_timing(fabric: Fabric) -> RotorTiming:
    """Say what a rotor fabric was made of.

    Parameters
    ----------
    fabric : Fabric
        Made by the generator `rotor`.

    Returns
    -------
    RotorTiming

    Raises
    ------
    TopologyError
        If the fabric is no rotor.

    Examples
    --------
    >>> from topo_sim.topo import rotor
    >>> rotor_timing(rotor(5, 2, slot="10 us", bandwidth="1 GB/s", reconfiguration="1 us")).rate
    1000000000.0
    """
    if fabric.family != "rotor":
        raise TopologyError(
            f"{fabric.name}: found a fabric of family {fabric.family}, expected one of the generator rotor"
        )
    defaults = {name: one.default for name, one in inspect.signature(GENERATORS["rotor"]).parameters.items()}
    given = {**defaults, **fabric.parameters}
    seconds = Quantity("time", positive=False)
    return RotorTiming(
        given["endpoints"],
        given["ports"],
        seconds.read(given["slot"]),
        seconds.read(given["reconfiguration"]),
        port_rate(given["bandwidth"], given["endpoint_bandwidth"], given["ports"]),
        read("latency", given["latency"]),
    )
