"""What a fabric consists of, group by group: packet switches, circuit switches, links."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topo_sim.base.files import LEVELS, Range
from topo_sim.optics.devices import PacketSwitch
from topo_sim.optics.ends import Ends
from topo_sim.optics.fields import BITS
from topo_sim.optics.site import Site
from topo_sim.topo import Fabric
from topo_sim.topo.fabric import SWITCH

__all__ = [
    "CircuitSwitches",
    "LinkGroup",
    "SwitchGroup",
    "circuit_switches",
    "levels",
    "link_groups",
    "switch_groups",
]

_KIND = ("endpoint", "switch")


@dataclass(frozen=True)
class SwitchGroup:
    """Packet switches of one size.

    Parameters
    ----------
    count : int
    ports : int
        Links that leave each.
    capacity : float, B/s
        Of these links together, one way.
    device : str
        The record by whose J/b they are costed.
    devices : float
        Their capacity over that of the device.
    power : Range, W
        Of each, at full load.
    """

    count: int
    ports: int
    capacity: float
    device: str
    devices: float
    power: Range


@dataclass(frozen=True)
class LinkGroup:
    """Links of one medium between nodes of the same kinds.

    Parameters
    ----------
    medium, source, target : str
    circuit : bool
        Whether their light passes a circuit switch.
    count : int
    capacity : float, B/s
        Of all.
    static, full : Range, W
        Of all their ends, without traffic and at line rate. Static power of circuits is that of the
        ends that are lit.
    """

    medium: str
    source: str
    target: str
    circuit: bool
    count: int
    capacity: float
    static: Range
    full: Range


@dataclass(frozen=True)
class CircuitSwitches:
    """Circuit switches of a fabric.

    Parameters
    ----------
    device : str
    nodes, devices : int
        In the fabric, and real ones: a node of more fibres than a device has ports takes several.
    ports_used : int
    ports : int or None
        Of a device, spares left out; None where unknown.
    power : Range or None, W
        Of one device; None where unknown.
    """

    device: str
    nodes: int
    devices: int
    ports_used: int
    ports: int | None
    power: Range | None


def levels(values: NDArray[np.float64]) -> Range:
    """Make a range of three values.

    Parameters
    ----------
    values : ndarray of float64, shape (levels,)
        Low, typical, high.

    Returns
    -------
    Range
    """
    low, typical, high = (float(value) for value in values)
    return Range(low, typical, high)


def switch_groups(fabric: Fabric, packet: PacketSwitch | None) -> list[SwitchGroup]:
    """Group the packet switches of a fabric by ports and capacity.

    Parameters
    ----------
    fabric : Fabric
    packet : PacketSwitch or None
        Whose J/b they are costed by.

    Returns
    -------
    list of SwitchGroup
        Those with the most capacity first.

    Examples
    --------
    >>> from topo_sim.optics import load_optics
    >>> from topo_sim.topo import fat_tree
    >>> groups = switch_groups(fat_tree(4, bandwidth="100 GB/s"), load_optics().packet_switch("tomahawk5"))
    >>> [(group.count, group.ports, group.devices) for group in groups]
    [(20, 4, 0.0625)]
    """
    if packet is None:
        return []
    nodes = np.flatnonzero(fabric.kind == SWITCH)
    egress = np.bincount(fabric.link_source, fabric.capacity, minlength=len(fabric.kind))[nodes]
    ports = np.bincount(fabric.link_source, minlength=len(fabric.kind))[nodes]
    # Sums of the same ports in another order may differ in the last bits.
    sizes = Counter((n, float(f"{c:.9g}")) for n, c in zip(ports.tolist(), egress.tolist(), strict=True))
    per_bit = BITS * np.array([packet.energy_per_bit(level) for level in LEVELS])
    found = [
        SwitchGroup(count, n, each, packet.name, each / packet.capacity, levels(per_bit * each))
        for (n, each), count in sizes.items()
    ]
    return sorted(found, key=lambda group: -group.capacity * group.count)


def circuit_switches(site: Site, ends: Ends) -> CircuitSwitches | None:
    """Count the circuit switches of a fabric, and the real ones that they take.

    Parameters
    ----------
    site : Site
    ends : Ends

    Returns
    -------
    CircuitSwitches, or None where there are none
    """
    fibres = ends.cabling.fibres
    if not fibres:
        return None
    device = site.circuit_switch
    most = device.most_ports if device.most_ports is None or device.most_ports > 0 else None
    devices = sum(max(1, -(-count // most)) if most else 1 for count in fibres.values())
    used = sum(fibres.values())
    return CircuitSwitches(device.name, len(fibres), devices, used, most, device.power)


def link_groups(fabric: Fabric, ends: Ends, names: tuple[str, ...]) -> list[LinkGroup]:
    """Group the links of a fabric by medium and kinds of ends.

    Parameters
    ----------
    fabric : Fabric
    ends : Ends
    names : tuple of str
        Media, as the classes of `ends` count them.

    Returns
    -------
    list of LinkGroup
    """
    base = len(ends.capacity)
    keys, inverse, count = np.unique(
        ends.source * base + ends.target, return_inverse=True, return_counts=True
    )
    capacity = np.bincount(inverse, fabric.capacity, minlength=len(keys))
    found = []
    for key, n, total in zip(keys.tolist(), count.tolist(), capacity.tolist(), strict=True):
        one, other = divmod(key, base)
        static = BITS * total * (ends.static[one] + ends.static[other]).sum(axis=0)
        moving = BITS * total * (ends.moving[one] + ends.moving[other]).sum(axis=0)
        kinds = _KIND[one // 2 % 2], _KIND[other // 2 % 2]
        light = bool(one % 2)
        found.append(
            LinkGroup(names[one // 4], *kinds, light, n, total, levels(static), levels(static + moving))
        )
    return found
