"""The circuit hardware of a topology file: ports, rates, switches, and which circuits these can set."""

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import Any

from topo_sim.base import TopologyError, UsageError
from topo_sim.base.files.ranges import LEVELS
from topo_sim.optics.devices import CircuitSwitch
from topo_sim.optics.fabrics import rotor_timing
from topo_sim.optics.layers import OcsLayer
from topo_sim.optics.site import read_site
from topo_sim.topo import Fabric
from topo_sim.topo.files import Topology
from topo_sim.topo.generators.common import read

__all__ = ["CircuitHardware", "circuit_hardware", "switch_hardware"]


@dataclass(frozen=True)
class CircuitHardware:
    """What circuits run on, as a topology file or the name of a switch says.

    Parameters
    ----------
    name : str
        Of the fabric, or of the switch.
    ranks : int
        Endpoints; 0: any number.
    ports : int
        Optical ports of each endpoint.
    rate : float, B/s
        Of one circuit, one way.
    hop : float, s
        Of a light path, endpoint to endpoint.
    sets : {"any", "banks", "part", "one", "cycle", "none"}
        What every plane can be set to: any matching; only matchings between those that share a switch; only
        circuits of some endpoints; one circuit after the other; fixed matchings in turn; or there are no
        circuit switches.
    limit : str
        Why not any matching; empty: any.
    switch : str
        The record that the circuit switches are; empty: none.
    level : str
        Of its range: "low", "typical" or "high"; "file" where the file has a time of its own.
    reconfiguration : float, s, or None
        Without light, at that level; None where nothing is known of it.
    slot : float, s, or None
        From change to change, for fixed matchings.
    switches : int
        Circuit switches in all.
    fabric : Fabric, optional
        The circuits as the file sets them; for rotors their mean over time.

    Examples
    --------
    >>> from topo_sim.topo.files import load_topology
    >>> found = circuit_hardware(load_topology("lite-circuits"))
    >>> found.ports, found.rate, found.hop, found.sets, found.switch
    (8, 14062500000.0, 2e-07, 'any', 'piezo')
    """

    name: str
    ranks: int = 0
    ports: int = 1
    rate: float = 0.0
    hop: float = 0.0
    sets: str = "any"
    limit: str = ""
    switch: str = ""
    level: str = "typical"
    reconfiguration: float | None = None
    slot: float | None = None
    switches: int = 0
    fabric: Fabric | None = None

    def require_any(self, hint: str = "") -> None:
        """Raise unless the switches can be set to any matching.

        Parameters
        ----------
        hint : str
            How to go on, for the message.

        Raises
        ------
        UsageError
        """
        if self.limit:
            raise UsageError(f"{self.name}: {self.limit}; expected switches that set any matching{hint}")

    def to_dict(self) -> dict[str, Any]:
        """Summary with units in the keys.

        Returns
        -------
        dict
        """
        return {
            "name": self.name,
            "ports": self.ports,
            "circuit_rate_B_per_s": self.rate,
            "light_path_s": self.hop,
            "sets": self.sets,
            "limit": self.limit or None,
            "switch": self.switch or None,
            "switches": self.switches,
            "level": self.level,
            "reconfiguration_s": self.reconfiguration,
            "slot_s": self.slot,
        }


def circuit_hardware(
    topology: Topology, *, switch: str | None = None, level: str | None = None
) -> CircuitHardware:
    """Read what circuits of a topology file run on.

    Parameters
    ----------
    topology : Topology
    switch : str, optional
        A record of circuit switches, in place of the file's; its catalogue is that of the file.
    level : {"low", "typical", "high"}, optional
        Of the reconfiguration time. Default: "typical"; for rotors the file's own time.

    Returns
    -------
    CircuitHardware

    Raises
    ------
    UsageError, UnknownNameError, FaultsError
        If there is no such level or switch, or the section `optics` has faults.

    Notes
    -----
    The wiring is read from the graph: a plane takes any matching where its switch has a fibre of every
    endpoint, and the record as many ports (`OcsLayer`). A file without circuit switches gives its cables as
    ports, as if they led to switches that set any matching, so that it can be compared with circuits.

    Examples
    --------
    >>> from topo_sim.topo.files import load_topology
    >>> found = circuit_hardware(load_topology("rotornet-128"))
    >>> found.ports, found.rate, found.hop, found.slot, found.reconfiguration, found.sets
    (4, 28125000000.0, 2e-07, 0.0002, 2e-05, 'cycle')
    >>> circuit_hardware(load_topology("lite-circuits-1024")).sets
    'banks'
    """
    fabric = topology.fabric
    site = read_site(topology)
    record = site.circuit_switch if switch is None else site.optics.circuit_switch(switch)
    if fabric.family == "rotor":
        return _of_rotors(fabric, record, switch, level)
    if not fabric.circuit_switches:
        found = _of_cables(fabric)
        if switch is None:
            return found
        return _with_switch(replace(found, switches=found.ports), record, level, fabric.ranks)
    found, fibres = _of_wiring(fabric)
    return _with_switch(found, record, level, fibres)


def switch_hardware(record: CircuitSwitch, *, level: str | None = None, ranks: int = 0) -> CircuitHardware:
    """Say what a circuit switch can set, where there is no topology file.

    Parameters
    ----------
    record : CircuitSwitch
    level : {"low", "typical", "high"}, optional
        Default: "typical".
    ranks : int
        Endpoints on every switch; 0: not known.

    Returns
    -------
    CircuitHardware

    Examples
    --------
    >>> from topo_sim.optics import load_optics
    >>> palomar = load_optics().circuit_switch("mems_palomar")
    >>> switch_hardware(palomar, level="high").reconfiguration
    0.003
    >>> switch_hardware(palomar, ranks=200).sets
    'part'
    """
    return _with_switch(CircuitHardware(record.name, ranks), record, level, ranks)


def _level(level: str | None) -> str:
    if level is not None and level not in LEVELS:
        raise UsageError(f'level: found "{level}", expected one of {", ".join(LEVELS)}')
    return level or "typical"


def _with_switch(
    found: CircuitHardware, record: CircuitSwitch, level: str | None, fibres: int
) -> CircuitHardware:
    """Add what the record of the switch says: its time, its control and whether the fibres fit."""
    chosen = _level(level)
    sets, limit = found.sets, found.limit
    if record.control == "cycle":
        sets, limit = "cycle", f"{record.name} turns through fixed matchings"
    elif record.control == "serial" and not limit:
        sets, limit = "one", f"{record.name} sets one circuit after the other"
    elif record.ports is not None and fibres > 1 and not limit:
        try:
            OcsLayer(fibres, found.ports, int(record.ports.high), record.spare_ports)
        except TopologyError as error:
            own = "" if found.name == record.name else f"{record.name}: "
            sets, limit = "part", f"{own}{error}"
    return replace(
        found,
        sets="any" if sets == "none" else sets,
        limit=limit,
        switch=record.name,
        level=chosen,
        reconfiguration=record.reconfiguration(chosen),
    )


def _of_rotors(
    fabric: Fabric, record: CircuitSwitch, switch: str | None, level: str | None
) -> CircuitHardware:
    rotor = rotor_timing(fabric)
    found = CircuitHardware(
        fabric.name, fabric.ranks, rotor.ports, rotor.rate, rotor.latency, switches=rotor.ports, fabric=fabric
    )
    if switch is not None or level is not None:
        found = _with_switch(found, record, level, fabric.ranks)
        return replace(found, slot=rotor.slot if found.sets == "cycle" else None)
    return replace(
        found,
        sets="cycle",
        limit="its rotors turn through fixed matchings",
        switch=record.name,
        level="file",
        reconfiguration=rotor.delta,
        slot=rotor.slot,
    )


def _of_cables(fabric: Fabric, busiest: bool = False) -> CircuitHardware:
    """Take cables for ports, those of the endpoint with the fewest and the slowest, or of the busiest."""
    import numpy as np

    ends = fabric.endpoints
    count = np.bincount(fabric.link_source, minlength=len(fabric.kind))[ends]
    rate = np.bincount(fabric.link_source, fabric.capacity, len(fabric.kind))[ends]
    if not count.all():
        raise UsageError(f"{fabric.name}: found an endpoint without links, expected one or more at each")
    ports = int(count.max() if busiest else count.min())
    total = float(rate.max() if busiest else rate.min())
    hop = float(fabric.latency[np.isin(fabric.link_source, ends)].max())
    return CircuitHardware(fabric.name, fabric.ranks, ports, total / ports, hop, "none")


def _of_wiring(fabric: Fabric) -> tuple[CircuitHardware, int]:
    """Read the fibres between endpoints and circuit switches; also the most fibres of a switch."""
    graph = fabric.graph
    kinds = {node: str(data.get("kind", "gpu")).lower() for node, data in graph.nodes(data=True)}
    ends = {fabric.names[i] for i in fabric.endpoints.tolist()}
    fibres: dict[Any, Counter[Any]] = defaultdict(Counter)
    rates, delays = [], []
    for u, v, data in graph.edges(data=True):
        if kinds[v] == "ocs" or (kinds[u] == "ocs" and not graph.is_directed()):
            ocs, end = (v, u) if kinds[v] == "ocs" else (u, v)
            fibres[ocs][end] += 1
            rates.append(read("bandwidth", data["bandwidth"]))
            delays.append(2 * read("latency", data["latency"]))
    ports: Counter[Any] = Counter()
    for own in fibres.values():
        ports.update(own)
    fewest = min((ports.get(end, 0) for end in ends), default=0)
    sets, limit = "any", ""
    if not fewest or set(ports) - ends:
        sets = "part"
        limit = "not every endpoint, or not only endpoints, hang on its circuit switches"
    elif any(len(own) < len(ends) or len(set(own.values())) > 1 for own in fibres.values()):
        most = max(len(own) for own in fibres.values())
        sets = "banks"
        limit = (
            f"a circuit joins only endpoints on one switch, and none of its {len(fibres)} switches has "
            f"fibres of more than {most:,} of the {len(ends):,} endpoints"
        )
        if most == len(ends):
            limit = "its switches do not all have as many fibres of every endpoint"
    if not rates:
        empty = "nothing hangs on its circuit switches"
        return replace(_of_cables(fabric), sets="part", limit=empty), 0
    found = CircuitHardware(
        fabric.name,
        fabric.ranks,
        max(fewest, 1),
        min(rates),
        max(delays),
        sets,
        limit,
        switches=fabric.circuit_switches,
        fabric=fabric,
    )
    if sets == "part":  # cables and circuits together, as the busiest endpoint has them
        cables = _of_cables(fabric, busiest=True)
        found = replace(found, ports=cables.ports, rate=cables.rate, hop=cables.hop)
    return found, max(sum(own.values()) for own in fibres.values())
