"""Power of a fabric, and the energy of traffic on it: static at all times, moving with every bit."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import UsageError
from topo_sim.base.files import LEVELS, Range
from topo_sim.optics.devices import PacketSwitch
from topo_sim.optics.ends import CIRCUIT_SWITCHES, PARTS, SILICON, Ends, find_ends
from topo_sim.optics.equipment import (
    CircuitSwitches,
    LinkGroup,
    SwitchGroup,
    circuit_switches,
    levels,
    link_groups,
    switch_groups,
)
from topo_sim.optics.fields import BITS
from topo_sim.optics.site import Site
from topo_sim.topo import Fabric
from topo_sim.topo.fabric import SWITCH

__all__ = ["DEFAULT_PACKET_SWITCH", "Energy", "FabricPower", "fabric_power"]

DEFAULT_PACKET_SWITCH = "tomahawk5"
_ROUNDING = 1e-9
_MOST = 1e200  # B/s: power stays finite at the largest energies per bit


@dataclass(frozen=True, eq=False)
class Energy:
    """What traffic took.

    Parameters
    ----------
    static, moving : ndarray of float64, shape (parts, levels), J
        Drawn over the time anyway, and added by bits.
    time : float, s
    delivered : float, B
    """

    static: NDArray[np.float64]
    moving: NDArray[np.float64]
    time: float
    delivered: float

    @property
    def total(self) -> Range:
        """All of it, J."""
        return levels((self.static + self.moving).sum(axis=0))

    @property
    def per_bit(self) -> Range | None:
        """Per bit delivered, J/b; None where nothing was."""
        if self.delivered == 0:
            return None
        return levels((self.static + self.moving).sum(axis=0) / (BITS * self.delivered))

    @property
    def idle_share(self) -> float:
        """Share of it that is static, at the typical level; 0 where there is none."""
        whole = self.total.typical
        return float(self.static[:, 1].sum()) / whole if whole > 0 else 0.0

    def parts(self, level: str = "typical") -> dict[str, float]:
        """By part, J."""
        column = (self.static + self.moving)[:, LEVELS.index(level)]
        return dict(zip(PARTS, column.tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class FabricPower:
    """Power of a fabric by part, and what moves bits on it.

    Parameters
    ----------
    fabric : Fabric
    packet_switch : str
        Record by whose energy per bit packet switches are costed.
    static, moving : ndarray of float64, shape (parts, levels), W
        Drawn at all times, and added with every link at line rate. Rows as `PARTS`,
        columns low, typical, high.
    switches : tuple of SwitchGroup
    circuit_switches : CircuitSwitches or None
    links : tuple of LinkGroup
    notes : tuple of str
        What was not known or had to be assumed.
    ends : Ends
    silicon : ndarray of float64, shape (levels,), J/b
        That every bit adds in a packet switch.

    Examples
    --------
    Two endpoints on one switch, 1.6 Tb/s each: four modules of 9 W; 3.2 Tb/s of switch at 475 W for 51.2.

    >>> from topo_sim.optics.site import read_site
    >>> from topo_sim.topo import single_switch
    >>> from topo_sim.topo.files import load_topology
    >>> site = read_site(load_topology("lite-torus"))
    >>> power = fabric_power(single_switch(2, bandwidth=200e9, medium="cpo"), site)
    >>> watts = power.watts()
    >>> round(watts["endpoint optics"] + watts["switch optics"] + watts["lasers"], 6)
    36.0
    >>> round(watts["switch silicon"], 4), round(power.total().typical, 4)
    (29.6875, 74.7385)
    """

    fabric: Fabric
    packet_switch: str
    static: NDArray[np.float64]
    moving: NDArray[np.float64]
    switches: tuple[SwitchGroup, ...]
    circuit_switches: CircuitSwitches | None
    links: tuple[LinkGroup, ...]
    notes: tuple[str, ...]
    ends: Ends
    silicon: NDArray[np.float64]

    def at(self, load: float = 1.0) -> NDArray[np.float64]:
        """Power with every link at a share of its line rate.

        Parameters
        ----------
        load : float
            0 to 1.

        Returns
        -------
        ndarray of float64, shape (parts, levels), W

        Raises
        ------
        UsageError
            If the load is out of bounds.
        """
        if isinstance(load, bool) or not 0 <= load <= 1:
            raise UsageError(f"load: found {load!r}, expected 0 to 1")
        found: NDArray[np.float64] = self.static + load * self.moving
        return found

    def watts(self, load: float = 1.0, level: str = "typical") -> dict[str, float]:
        """Power by part, W."""
        Range(0.0, 0.0, 0.0).at(level)  # refuses unknown levels
        return dict(zip(PARTS, self.at(load)[:, LEVELS.index(level)].tolist(), strict=True))

    def total(self, load: float = 1.0) -> Range:
        """Power of the whole fabric, W."""
        return levels(self.at(load).sum(axis=0))

    def energy(self, link_bytes: ArrayLike, time: float, delivered: float) -> Energy:
        """Energy of traffic.

        Parameters
        ----------
        link_bytes : array_like of float, shape (links,), B
            That cross each link.
        time : float, s
            Over which static power is drawn, links idle or not.
        delivered : float, B
            That reach their targets, to share the energy among.

        Returns
        -------
        Energy

        Raises
        ------
        UsageError
            If a number is negative or not finite, or a link would carry more than its capacity.

        Examples
        --------
        >>> from topo_sim.optics.site import read_site
        >>> from topo_sim.topo import torus
        >>> from topo_sim.topo.files import load_topology
        >>> site = read_site(load_topology("lite-torus"))
        >>> power = fabric_power(torus(4, bandwidth=1e9, medium="cpo"), site)
        >>> used = power.energy([1e9] * 8, 1.0, 8e9)
        >>> abs(used.total.typical - power.total().typical) < 1e-12
        True
        """
        load = np.asarray(link_bytes, dtype=np.float64)
        if load.shape != (self.fabric.links,) or not np.isfinite(load).all() or (load < 0).any():
            raise UsageError(
                f"link bytes: found shape {load.shape}, expected {self.fabric.links} finite numbers from 0 on"
            )
        for name, value in (("time", time), ("delivered", delivered)):
            if isinstance(value, bool) or not 0 <= value < math.inf:
                raise UsageError(f"{name}: found {value!r}, expected a finite number from 0 on")
        over = load > self.fabric.capacity * time * (1 + _ROUNDING)
        if over.any():
            link = int(np.argmax(load / self.fabric.capacity))
            raise UsageError(
                f"time: found {time:g} s, expected at least {load[link] / self.fabric.capacity[link]:g} s, "
                f"which {self.fabric.link_name(link)} needs for its bytes"
            )
        moving = BITS * _per_class(self.ends, load)
        through = float(load[self.fabric.kind[self.fabric.link_source] == SWITCH].sum())
        moving[SILICON] += BITS * through * self.silicon
        return Energy(self.static * time, moving, float(time), float(delivered))


def _per_class(ends: Ends, load: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of moving energy over both ends of all links, shape (parts, levels)."""
    count = len(ends.capacity)
    amount = sum(np.bincount(side, load, minlength=count) for side in (ends.source, ends.target))
    return np.asarray(np.tensordot(amount, ends.moving, axes=1), dtype=np.float64)


def _packet(site: Site, name: str | None, fabric: Fabric) -> PacketSwitch | None:
    """Find the record that packet switches are costed by; None where there are none."""
    if not fabric.switches:
        return None
    record = site.packet_switch or site.optics.packet_switch(DEFAULT_PACKET_SWITCH)
    record = site.optics.packet_switch(name) if name is not None else record
    if record.power is None:
        known = sorted(n for n, each in site.optics.packet_switches.items() if each.power is not None)
        raise UsageError(f"{record.name}: found no power, expected one of {', '.join(known)}")
    return record


def _notes(site: Site, packet: PacketSwitch | None, circuit: CircuitSwitches | None, ends: Ends) -> list[str]:
    found = list(ends.notes)
    device = site.circuit_switch
    if circuit is not None and circuit.power is None and device.path_energy is None:
        found.append(f"{circuit.device}: power of the circuit switches not known, counted as none")
    if circuit is not None and circuit.devices > circuit.nodes:
        found.append(
            f"{circuit.nodes} circuit switches of the fabric need {circuit.devices} of {circuit.device}, "
            f"which has {circuit.ports} ports"
        )
    if packet is not None and packet.optics_included:
        found.append(f"{packet.name}: its power holds the optics of its ports")
    return found


def fabric_power(
    fabric: Fabric, site: Site, *, packet_switch: str | None = None, medium: str | None = None
) -> FabricPower:
    """Find the power of a fabric.

    Parameters
    ----------
    fabric : Fabric
    site : Site
        Catalogue, circuit switch and packet switch.
    packet_switch : str, optional
        Record that every packet switch is costed by. Default: that of the site, else "tomahawk5".
    medium : str, optional
        That all links are taken to be.

    Returns
    -------
    FabricPower

    Raises
    ------
    UsageError, UnknownNameError
        If a medium or switch is not in the catalogue, or its power is unknown.

    Notes
    -----
    A link draws half of its energy per bit at each end, SerDes at ends that are endpoints (the W of packet
    switches hold theirs). A packet switch of any radix draws its capacity times the J/b of the record. The
    ends of fibres at circuit switches draw their static part lit or dark. O(links).
    """
    packet = _packet(site, packet_switch, fabric)
    if medium is not None:
        site.optics.medium(medium)  # unknown names list the nearest
    if not float(fabric.capacity.sum()) < _MOST:
        raise UsageError(f"{fabric.name}: found capacities beyond {_MOST:g} B/s, expected less for a power")
    ends = find_ends(fabric, site, packet, medium)
    circuit = circuit_switches(site, ends)
    static = BITS * np.tensordot(ends.capacity, ends.static, axes=1)
    moving = BITS * _per_class(ends, fabric.capacity)
    silicon = np.zeros(len(LEVELS))
    if packet is not None:
        whole = np.array([packet.energy_per_bit(level) for level in LEVELS])
        share = np.array([packet.static_share.at(level) for level in LEVELS])
        silicon = whole * (1 - share)
        leaving = BITS * float(fabric.capacity[fabric.kind[fabric.link_source] == SWITCH].sum())
        static[SILICON] += leaving * whole * share
        moving[SILICON] += leaving * silicon
    if circuit is not None and circuit.power is not None and site.circuit_switch.path_energy is None:
        static[CIRCUIT_SWITCHES] += circuit.devices * np.array([circuit.power.at(level) for level in LEVELS])
    names = (medium,) if medium is not None else tuple(fabric.media)
    return FabricPower(
        fabric,
        "" if packet is None else packet.name,
        static,
        moving,
        tuple(switch_groups(fabric, packet)),
        circuit,
        tuple(link_groups(fabric, ends, names)),
        tuple(_notes(site, packet, circuit, ends)),
        ends,
        silicon,
    )
