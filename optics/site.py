"""What a topology file says of light: its section `optics`, read and checked."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from topo_sim.base import FaultsError, Quantity, TopoSimError, parse_quantity
from topo_sim.base.files import Faults, check, extend, suggest
from topo_sim.base.files.faults import show
from topo_sim.base.files.reading import parse, read_text
from topo_sim.optics.catalogue import CircuitSwitch, Medium, Optics, PacketSwitch, load_optics
from topo_sim.optics.floorplan import FloorPlan
from topo_sim.topo.files import Topology

__all__ = ["Site", "SiteSpec", "collect_faults", "read_site"]

_PLAN = "floor_plan"


class SiteSpec(BaseModel):
    """The keys of the section `optics` of a topology file.

    Examples
    --------
    >>> SiteSpec(circuit_switch="piezo").passes
    1
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    catalogue: str | None = Field(None, description="the path of a catalogue, relative to this file")
    media: Any = Field(None, description="records of media, as in a catalogue")
    circuit_switches: Any = Field(None, description="records of circuit switches, as in a catalogue")
    packet_switches: Any = Field(None, description="records of packet switches, as in a catalogue")
    circuit_switch: str = Field("generic", description="the record that the circuit switches are")
    packet_switch: str | None = Field(None, description="the record that the packet switches are")
    passes: Annotated[int, Field(ge=1, le=1000)] = Field(
        1, description="how often a light path passes a circuit switch"
    )
    fibre: Annotated[float | str, Quantity("length", positive=False)] = Field(
        "20 m", description="length of every light path, where there is no floor plan"
    )
    floor_plan: Any = Field(None, description="racks, rows and halls")


@dataclass(frozen=True)
class Site:
    """What is assumed of light where a fabric stands.

    Parameters
    ----------
    optics : Optics
        The catalogue with the file's changes.
    circuit_switch : CircuitSwitch
    packet_switch : PacketSwitch, optional
    passes : int
        Of a circuit switch, per light path.
    fibre : float, m
        Of a light path where there is no floor plan.
    plan : FloorPlan, optional
    fibre_stated : bool
        Whether the file says so itself: reach and latency are then checked by it.

    Examples
    --------
    >>> from topo_sim.topo.files import load_topology
    >>> read_site(load_topology("lite-circuits")).circuit_switch.name
    'piezo'
    """

    optics: Optics
    circuit_switch: CircuitSwitch
    packet_switch: PacketSwitch | None
    passes: int
    fibre: float
    plan: FloorPlan | None
    fibre_stated: bool = False


def collect_faults(topology: Topology) -> Faults:
    """Make a collector for the faults of a topology's file, which knows the lines of its places.

    Parameters
    ----------
    topology : Topology
        Its file is read again for the lines.

    Returns
    -------
    Faults
    """
    # A shipped file goes by its name, a user's by its path, as in the faults of the fabric.
    shipped = topology.path.parent == Path(str(resources.files("topo_sim") / "topologies"))
    faults = Faults(topology.path.name if shipped else str(topology.path))
    try:
        parse(read_text(topology.path, faults), faults)
    except TopoSimError:  # moved since it was loaded: its lines are lost, its faults are not
        faults.lines.clear()
    faults.found.clear()
    faults.places.clear()
    return faults


def _extended(optics: Optics, spec: SiteSpec, faults: Faults) -> Optics:
    records: dict[str, Any] = {}
    for section, model in (
        ("media", Medium),
        ("circuit_switches", CircuitSwitch),
        ("packet_switches", PacketSwitch),
    ):
        given, known = getattr(spec, section), getattr(optics, section)
        place = ("optics", section)
        records[section] = known if given is None else extend(known, given, model, place, faults)
    return Optics(**records)


def _named(records: Any, key: str, name: str | None, faults: Faults) -> Any:
    if name is not None and name not in records:
        kind = key.replace("_", " ")
        expected = f"expected the name of a {kind}: {suggest(name, records)}"
        faults.add(("optics", key), f"found {show(name)}, {expected}")
    return None if name is None else records.get(name)


def read_site(topology: Topology, faults: Faults | None = None) -> Site:
    """Read the section `optics` of a topology.

    Parameters
    ----------
    topology : Topology
        Its section may be missing: all is then as in the catalogue.
    faults : Faults, optional
        Of the file; takes every fault.

    Returns
    -------
    Site

    Raises
    ------
    FaultsError
        With every fault of the section.

    Examples
    --------
    >>> from topo_sim.topo.files import load_topology
    >>> site = read_site(load_topology("dgx-h100"))
    >>> site.circuit_switch.name, site.fibre, site.plan
    ('generic', 20.0, None)
    """
    if faults is None:
        faults = collect_faults(topology)
    given = topology.optics
    spec = check(SiteSpec, given, ("optics",), faults)
    plan = None
    if given.get(_PLAN) is not None:
        plan = check(FloorPlan, given[_PLAN], ("optics", _PLAN), faults)
    if spec is None:
        raise FaultsError(faults.text)
    files = [] if spec.catalogue is None else [Path(topology.path).parent / spec.catalogue]
    try:
        for file in files:
            read_text(file, faults, ("optics", "catalogue"))
        optics = load_optics(files)
    except FaultsError as error:
        own = [fault for fault in error.faults if fault not in faults.found]
        raise FaultsError([*faults.text, *own]) from None
    optics = _extended(optics, spec, faults)
    circuit = _named(optics.circuit_switches, "circuit_switch", spec.circuit_switch, faults)
    packet = _named(optics.packet_switches, "packet_switch", spec.packet_switch, faults)
    faults.stop()
    fibre = parse_quantity(spec.fibre, "length")
    return Site(optics, circuit, packet, spec.passes, fibre, plan, "fibre" in spec.model_fields_set)
