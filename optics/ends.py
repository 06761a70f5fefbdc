"""What the two ends of every link draw: modules, lasers and SerDes, by medium and kind of node."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError, nearest
from topo_sim.base.files import LEVELS, Range
from topo_sim.optics.budget import link_budget
from topo_sim.optics.cabling import Cabling, lay_cables
from topo_sim.optics.devices import CircuitSwitch, PacketSwitch
from topo_sim.optics.medium import Medium
from topo_sim.optics.site import Site
from topo_sim.topo import Fabric
from topo_sim.topo.fabric import SWITCH

__all__ = ["PARTS", "SERDES_STATIC", "Ends", "find_ends", "laser_raise"]

PARTS = (
    "endpoint optics",
    "switch optics",
    "lasers",
    "endpoint SerDes",
    "switch silicon",
    "circuit switches",
)
ENDPOINT_OPTICS, SWITCH_OPTICS, LASERS, SERDES, SILICON, CIRCUIT_SWITCHES = range(len(PARTS))
SERDES_STATIC = Range(0.5, 0.5**0.5, 1.0, "links send idle symbols, as retimers do", "assumed")
_OPPOSITE = {"low": "high", "typical": "typical", "high": "low"}
_OVERFLOW = 200.0  # dB: beyond any power of light that the catalogue takes


@dataclass(frozen=True, eq=False)
class Ends:
    """The ends of all links, in classes that draw alike.

    Parameters
    ----------
    source, target : ndarray of int64, shape (links,)
        Class of each end of a link.
    capacity : ndarray of float64, shape (classes,), B/s
        Of the ends that draw static power: of a circuit that is the fibre, lit or not.
    static, moving : ndarray of float64, shape (classes, parts, levels), J/b
        Of one end.
    cabling : Cabling
    notes : list of str
        What is not known, and so not counted.
    """

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    capacity: NDArray[np.float64]
    static: NDArray[np.float64]
    moving: NDArray[np.float64]
    cabling: Cabling
    notes: list[str]


def laser_raise(
    medium: Medium, switch: CircuitSwitch, passes: int = 1, length: float = 20.0, level: str = "typical"
) -> float:
    """Light that a laser must give on top of what the medium's own gives, for a circuit switch.

    Parameters
    ----------
    medium : Medium
    switch : CircuitSwitch
    passes : int
    length : float, m
        Of fibre.
    level : {"low", "typical", "high"}
        Of power: at high, every loss is at its high end.

    Returns
    -------
    float, dB
        0 where the own laser has enough to spare, or where no budget can be made.

    Notes
    -----
    ``max(0, P with the switch - max(P own, P without))``, P the laser power at which the budget closes. What
    a medium would lack even without the switch is not the switch's doing: published power is of links that
    work.

    Examples
    --------
    >>> from topo_sim.optics import load_optics
    >>> optics = load_optics()
    >>> cpo = optics.medium("cpo")
    >>> [round(laser_raise(cpo, optics.circuit_switch(s)), 2) for s in ("piezo", "mems_palomar")]
    [0.0, 1.31]
    """
    if not medium.has_budget or switch.loss is None or medium.laser is None:
        return 0.0
    light = _OPPOSITE[level]
    without = link_budget(medium, length=length).laser_needed(light)
    through = link_budget(medium, length=length, switch=switch, passes=passes).laser_needed(light)
    return max(0.0, through - max(medium.laser.at(level), without))


@dataclass
class _Draws:
    """Energies of one end, filled class by class."""

    site: Site
    packet: PacketSwitch | None
    passes_length: Mapping[str, float]
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def end(self, medium: Medium, at_switch: bool, through: bool) -> tuple[Any, Any]:
        """Give static and moving energy of one end, each of shape (parts, levels)."""
        static, moving = np.zeros((2, len(PARTS), len(LEVELS)))
        part = SWITCH_OPTICS if at_switch else ENDPOINT_OPTICS
        inside = at_switch and self.packet is not None and self.packet.optics_included
        for i, level in enumerate(LEVELS):
            whole, share = medium.energy_per_bit.at(level), medium.static_share.at(level)
            device = self.site.circuit_switch
            if through and device.path_energy is not None:
                whole = device.path_energy.at(level)
            laser = min(medium.laser_energy(level) or 0.0, whole * share)
            if not inside:
                static[part, i], moving[part, i] = (whole * share - laser) / 2, whole * (1 - share) / 2
                static[LASERS, i] = laser / 2
            if through and laser > 0 and device.path_energy is None:
                static[LASERS, i] += self.more_laser(medium, level) * laser / 2
            if not at_switch:
                serdes, idle = medium.serdes_energy.at(level), SERDES_STATIC.at(level)
                static[SERDES, i], moving[SERDES, i] = serdes * idle, serdes * (1 - idle)
        if through and device.path_energy is None and (device.loss is None or not medium.has_budget):
            who, what = (device.name, "loss") if device.loss is None else (medium.name, "laser")
            self.note(f"{who}: {what} not known, lasers of {medium.name} as without circuit switches")
        return static, moving

    def more_laser(self, medium: Medium, level: str) -> float:
        """Laser power on top, over the own."""
        length = self.passes_length.get(medium.name, self.site.fibre)
        more = laser_raise(medium, self.site.circuit_switch, self.site.passes, length, level)
        if more > _OVERFLOW:
            raise UsageError(
                f"{medium.name}: found {more:.4g} dB of light short, expected at most {_OVERFLOW:g}"
            )
        return float(10 ** (more / 10) - 1)


def _medium(site: Site, name: str, fabric: Fabric) -> Medium:
    if name in site.optics.media:
        return site.optics.media[name]
    near = "" if name == "unspecified" else f": {nearest(name, site.optics.media)}"
    raise UsageError(
        f"{fabric.name}: found links whose medium is {name}, expected one of the catalogue{near} "
        "(--medium NAME takes one for all links)"
    )


def _longest(fabric: Fabric, cabling: Cabling) -> dict[str, float]:
    """Longest light path through a circuit switch, by medium; nothing where there is no floor plan."""
    light = (cabling.circuit >= 0) & np.isfinite(cabling.length)
    return {
        fabric.media[i]: float(cabling.length[light & (fabric.medium == i)].max())
        for i in np.unique(fabric.medium[light]).tolist()
    }


def find_ends(fabric: Fabric, site: Site, packet: PacketSwitch | None, only: str | None = None) -> Ends:
    """Put the ends of all links in classes, and find what each draws.

    Parameters
    ----------
    fabric : Fabric
    site : Site
        Its catalogue, circuit switch, passes and fibre.
    packet : PacketSwitch, optional
        What packet switches are: some hold their modules.
    only : str, optional
        A medium that all links are taken to be.

    Returns
    -------
    Ends

    Raises
    ------
    UsageError
        If a medium is not in the catalogue, or no laser could make up for a loss.

    Examples
    --------
    >>> from topo_sim.optics import load_optics
    >>> from topo_sim.topo import torus
    >>> from topo_sim.topo.files import load_topology
    >>> from topo_sim.optics.site import read_site
    >>> site = read_site(load_topology("lite-torus"))
    >>> ends = find_ends(torus(4, bandwidth=1e9, medium="cpo"), site, None)
    >>> ends.capacity[ends.capacity > 0].tolist()  # 8 links of 1 GB/s, two ends each
    [16000000000.0]
    """
    cabling = lay_cables(fabric, site.plan)
    fibres = cabling.fibre_ends
    names = list(fabric.media) if only is None else [only]
    names += sorted({name for name, _ in fibres} - set(names)) if only is None else []
    index = {name: i for i, name in enumerate(names)}
    medium = fabric.medium.astype(np.int64) if only is None else np.zeros(fabric.links, dtype=np.int64)
    light = cabling.circuit >= 0

    def classes(nodes: NDArray[np.int32]) -> NDArray[np.int64]:
        found: NDArray[np.int64] = (medium * 2 + (fabric.kind[nodes] == SWITCH)) * 2 + light
        return found

    source, target = classes(fabric.link_source), classes(fabric.link_target)
    count = 4 * len(names)
    capacity = np.zeros(count)
    for ends in (source, target):
        capacity += np.bincount(ends, np.where(light, 0.0, fabric.capacity), minlength=count)
    for (name, at_switch), rate in fibres.items():
        capacity[(index[only or name] * 2 + at_switch) * 2 + 1] += rate
    static, moving = np.zeros((2, count, len(PARTS), len(LEVELS)))
    draws = _Draws(site, packet, _longest(fabric, cabling) if only is None else {})
    used = np.union1d(np.union1d(source, target), np.flatnonzero(capacity))
    for each in used.tolist():
        own = _medium(site, names[each // 4], fabric)
        static[each], moving[each] = draws.end(own, bool(each // 2 % 2), bool(each % 2))
    return Ends(source, target, capacity, static, moving, cabling, draws.notes)
