"""Faults of light in a topology file: unknown media, paths that do not close, cables beyond reach."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import FaultsError, UsageError, format_quantity
from topo_sim.base.files import Faults, suggest
from topo_sim.base.files.faults import Place, show
from topo_sim.optics.budget import link_budget
from topo_sim.optics.cabling import Cabling, lay_cables
from topo_sim.optics.medium import Medium
from topo_sim.optics.site import Site, collect_faults, read_site
from topo_sim.topo import Fabric
from topo_sim.topo.files import Topology

__all__ = ["UNSPECIFIED", "light_faults"]

UNSPECIFIED = "unspecified"


def _places(value: Any, name: str, parameters: Mapping[str, Any], at: Place = ("fabric",)) -> Iterator[Place]:
    """Where a file names a medium, itself or by a parameter."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            given = parameters.get(inner[1:]) if isinstance(inner, str) and inner[:1] == "$" else inner
            if key == "medium" and given == name:
                yield (*at, key)
            else:
                yield from _places(inner, name, parameters, (*at, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _places(inner, name, parameters, (*at, i))


@dataclass
class _Check:
    """One topology while its light is checked."""

    topology: Topology
    site: Site
    cabling: Cabling
    faults: Faults

    @property
    def fabric(self) -> Fabric:
        return self.topology.fabric

    def places(self, medium: str) -> list[Place]:
        written = self.topology.written.get("fabric")
        return list(_places(written, medium, self.topology.parameters)) or [("fabric",)]

    def media(self, links: NDArray[np.bool_]) -> Iterator[tuple[Medium, NDArray[np.bool_]]]:
        """Known media of some links, each with its links."""
        for i in np.unique(self.fabric.medium[links]).tolist():
            name = self.fabric.media[i]
            if name in self.site.optics.media:
                yield self.site.optics.media[name], links & (self.fabric.medium == i)

    def longest(self, links: NDArray[np.bool_]) -> tuple[int, float]:
        """Longest of some links, and its length; where there is no floor plan, the length of all fibres."""
        if self.site.plan is None:
            return int(np.flatnonzero(links)[0]), self.site.fibre
        link = int(np.argmax(np.where(links, self.cabling.length, -1.0)))
        return link, float(self.cabling.length[link])


def _check_names(check: _Check) -> None:
    known = check.site.optics.media
    used = {check.fabric.media[i] for i in np.unique(check.fabric.medium).tolist()}
    for name in sorted(used | set(check.cabling.fibre_media)):
        if name != UNSPECIFIED and name not in known:
            for place in check.places(name):
                check.faults.add(
                    place, f"found {show(name)}, expected the name of a medium: {suggest(name, known)}"
                )


def _check_ports(check: _Check) -> None:
    switch, fibres = check.site.circuit_switch, check.cabling.fibres
    if not fibres:
        if "circuit_switch" in check.topology.optics:
            text = f"found {show(switch.name)}, expected none for a fabric without circuit switches"
            check.faults.add(("optics", "circuit_switch"), text)
        return
    if switch.most_ports is None:
        return
    crowded = {node: count for node, count in fibres.items() if count > switch.most_ports}
    if crowded:
        node = max(crowded, key=lambda each: crowded[each])
        spare = f" and {switch.spare_ports} spare ones" if switch.spare_ports else ""
        more = f" ({len(crowded)} switches have too many)" if len(crowded) > 1 else ""
        check.faults.add(
            ("optics", "circuit_switch"),
            f"found {crowded[node]} fibres at {check.fabric.names[node]}{more}, expected at most "
            f"{switch.most_ports}: {switch.name} has that many ports{spare}",
        )


def _check_light(check: _Check) -> None:
    """Refuse circuits without light, and light that does not arrive."""
    switch, light = check.site.circuit_switch, check.cabling.circuit >= 0
    for name in check.cabling.fibre_media:
        medium = check.site.optics.media.get(name)
        if medium is not None and not medium.has_budget:
            what = "carries no light" if medium.signal == "electrical" else "has no laser and no sensitivity"
            for place in check.places(name):
                text = f"found {show(name)} at a circuit switch, expected light through it: {name} {what}"
                check.faults.add(place, text)
    if light.any() and switch.loss is None:
        text = f"found {show(switch.name)}, whose loss is unknown, expected one"
        check.faults.add(("optics", "circuit_switch"), f"{text} (circuit_switches: {switch.name}: loss: ...)")
    for through, links in ((False, ~light), (True, light)):
        for medium, mine in check.media(links):
            if medium.has_budget and not (through and switch.loss is None):
                _check_budget(check, medium, through, check.longest(mine)[1])


def _check_budget(check: _Check, medium: Medium, through: bool, length: float) -> None:
    site = check.site
    passes = site.passes if through else 0
    try:
        budget = link_budget(medium, length=length, switch=site.circuit_switch, passes=passes)
    except UsageError as error:
        check.faults.add(("optics",), str(error))
        return
    if budget.closes():
        return
    over = f" over {passes} pass{'es' if passes > 1 else ''} of {site.circuit_switch.name}" if passes else ""
    for place in check.places(medium.name):
        check.faults.add(
            place,
            f"found light of {medium.name} that is {budget.short_by():.2f} dB short{over} and {length:.4g} m "
            f"(broken by: {budget.broken_by()}), expected it to close: a laser of "
            f"{budget.laser_needed():.2f} dBm, {budget.laser_factor():.4g} times the power, would "
            f"(optics: media: {medium.name}: laser)",
        )


def _check_reach(check: _Check) -> None:
    """Refuse cables beyond reach, and links faster than their signal, where lengths are stated."""
    every, stated = np.ones(check.fabric.links, dtype=np.bool_), check.site.plan is None
    if stated and not check.site.fibre_stated:
        return
    length = np.where(every, check.site.fibre, np.nan) if stated else check.cabling.length
    for medium, mine in check.media(every):
        if stated and medium.signal != "optical":
            continue
        reach = medium.reach.typical
        beyond = mine & (length > reach * (1 + 1e-9))
        if beyond.any():
            link, most = check.longest(mine)
            for place in [("optics", "fibre")] if stated else check.places(medium.name):
                check.faults.add(
                    place,
                    f"found {int(beyond.sum())} of {int(mine.sum())} links of {medium.name} beyond its "
                    f"reach, {check.fabric.link_name(link)} of {most:.4g} m the longest, expected at most "
                    f"{reach:g} m",
                )
        least = length * medium.delay.low
        early = mine & (check.fabric.latency < least * (1 - 1e-9))
        if early.any():
            link = int(np.argmax(np.where(early, least - check.fabric.latency, 0.0)))
            found = format_quantity(float(check.fabric.latency[link]), "time")
            check.faults.add(
                ("fabric",),
                f"found a latency of {found} on {check.fabric.link_name(link)}, expected at least "
                f"{format_quantity(float(least[link]), 'time')}: the signal takes that over "
                f"{length[link]:.4g} m",
            )


def light_faults(topology: Topology) -> list[str]:
    """List the faults of light in a topology that is otherwise sound.

    Parameters
    ----------
    topology : Topology

    Returns
    -------
    list of str
        One line per fault: file, place, what was found, what was expected.

    Notes
    -----
    Media must be known; each light path, at typical values, must close over its fibre and, for circuits, over
    its passes of a circuit switch; circuit switches need a port per fibre. With a floor plan, no cable may be
    longer than its medium reaches, and no link faster than its signal; the same holds of light paths where
    the file states their length.

    Examples
    --------
    >>> from topo_sim.topo.files import load_topology
    >>> light_faults(load_topology("lite-circuits"))
    []
    """
    found = _run(topology, Faults(""))
    return _run(topology, collect_faults(topology)) if found else []


def _run(topology: Topology, faults: Faults) -> list[str]:
    """Check; only a file with faults is read a second time, for their lines."""
    try:
        site = read_site(topology, faults)
        check = _Check(topology, site, lay_cables(topology.fabric, site.plan), faults)
    except FaultsError as error:
        return list(error.faults)
    except UsageError as error:
        faults.add(("optics", "floor_plan"), str(error))
        return faults.text
    for step in (_check_names, _check_ports, _check_light, _check_reach):
        step(check)
    return faults.text
