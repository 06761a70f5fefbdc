"""Load topology files: by path or shipped name, with parameters, checked to the last fault."""

import dataclasses
import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from topo_sim.base import FaultsError, TopoSimError
from topo_sim.base.files.faults import Faults, plain
from topo_sim.base.files.reading import as_mapping, parse, read_text
from topo_sim.topo.fabric import Fabric
from topo_sim.topo.files.astra import is_astra, topology_of
from topo_sim.topo.files.checking import check_document, fill_in, override
from topo_sim.topo.files.connect import connected_by_construction, find_unreachable
from topo_sim.topo.files.models import Document, ExplicitFabric, GeneratedFabric
from topo_sim.topo.files.reference import Reference, resolve, with_settings
from topo_sim.topo.files.wiring import wire_explicit, wire_graph
from topo_sim.topo.generators import GENERATORS

__all__ = ["Topology", "load_fabric", "load_topology", "validate_file"]


@dataclass(frozen=True, eq=False, repr=False)
class Topology:
    """A topology file, loaded.

    Parameters
    ----------
    document : Document
        What the file says, every ``$name`` replaced by its value; two equal files have equal documents.
    fabric : Fabric
        The network, named after the topology.
    path : Path
        Where the file lies.
    written : dict
        The file as it is written, ``$name`` and all, with the parameters that were asked for.

    Examples
    --------
    >>> from topo_sim.topo.files import load_topology
    >>> load_topology("lite-torus").fabric
    <Fabric lite-torus: 256 endpoints, 0 switches, 768 cables>
    """

    document: Document
    fabric: Fabric
    path: Path
    written: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the topology, with the parameters that were asked for."""
        return self.fabric.name

    @property
    def description(self) -> str | None:
        """What the fabric is."""
        return self.document.description

    @property
    def source(self) -> str | None:
        """Where its numbers come from."""
        return self.document.source

    @property
    def h100_equivalents(self) -> float | None:
        """Compute of one endpoint, in H100s, if the file states it."""
        about = self.document.endpoint_is
        return about.h100_equivalents if about else None

    @property
    def gpu(self) -> str | None:
        """What its endpoints are, by a name of the catalogue of GPUs, if the file states it.

        Nothing here knows whether there is such a GPU.
        """
        return self.document.gpu

    @property
    def parameters(self) -> dict[str, Any]:
        """Value of every parameter."""
        return dict(self.document.parameters)

    @property
    def optics(self) -> dict[str, Any]:
        """What the file says of light, as plain data; the room `optics` reads and checks it."""
        return dict(self.document.optics or {})

    def __repr__(self) -> str:
        return f"<Topology {self.name}: {self.fabric!r}>"


def _generate(spec: GeneratedFabric, faults: Faults) -> Fabric:
    """Call the generator; its faults begin with a parameter's name or describe the whole."""
    arguments = plain(spec.model_dump(exclude_unset=True))
    name = arguments.pop("generator")
    try:
        return GENERATORS[name](**arguments)
    except FaultsError as error:
        for fault in error.faults:
            match = re.match(r"(\w[\w.\[\]]*): (.*)", fault, re.DOTALL)
            inside = match is not None and re.split(r"[.\[]", match[1])[0] in type(spec).model_fields
            place, text = (match[1], match[2]) if match and inside else (None, fault)
            faults.add(("fabric", *([place] if place else [])), text)
    except (TopoSimError, OverflowError, MemoryError) as error:
        faults.add(("fabric",), f"{error or type(error).__name__}, expected a fabric that fits in memory")
    raise FaultsError(faults.text)


def _generate_without_unknown_keys(spec: Any, faults: Faults) -> None:
    """Add what the generator finds wrong, where nothing but unknown keys kept it from being called."""
    name = spec.get("generator") if isinstance(spec, dict) else None
    if not isinstance(name, str) or name not in GENERATORS:
        return
    known = inspect.signature(GENERATORS[name]).parameters
    if any(place[:1] == ("fabric",) and (len(place) < 2 or place[1] in known) for place in faults.places):
        return
    try:
        GENERATORS[name](**{key: value for key, value in spec.items() if key in known})
    except FaultsError as error:
        for fault in error.faults:
            key, _, text = fault.partition(": ")
            if key in spec:  # else it is about a key that may be the one misspelt
                faults.add(("fabric", key), text)
    except (TopoSimError, OverflowError, MemoryError):
        return


def _make_fabric(document: Document, path: Path, name: str, faults: Faults) -> Fabric:
    spec, routing = document.fabric, document.routing
    if isinstance(spec, GeneratedFabric):
        fabric = _generate(spec, faults)
        fabric = dataclasses.replace(fabric, name=name, routing=routing or fabric.routing)
    elif isinstance(spec, ExplicitFabric):
        fabric = wire_explicit(spec, name, routing or "ecmp_split", faults)
    else:
        fabric = wire_graph(spec, path.parent, name, routing or "ecmp_split", faults)
    if not connected_by_construction(fabric) and (missing := find_unreachable(fabric)):
        source, target, count = missing
        ends = [fabric.names[fabric.endpoints[rank]] for rank in (source, target)]
        reached = f"{ends[0]} reaches {fabric.ranks - 1 - count} of the {fabric.ranks - 1} other endpoints"
        found = f"found no path from {ends[0]} to {ends[1]} ({reached})"
        raise faults.refuse(("fabric",), f"{found}, expected every endpoint to reach every other")
    return fabric


def load_topology(path_or_name: Reference, /, **parameters: Any) -> Topology:
    """Load a topology file and check all of it.

    Parameters
    ----------
    path_or_name : str or path
        Path of a YAML or JSON file (a topology file, or a network file of ASTRA-sim), or the name of a
        shipped topology (see `list_shipped`). A string may end in ``@name=value,name=value`` to set
        parameters.
    **parameters
        Values for parameters that the file declares; they win over the file's.

    Returns
    -------
    Topology

    Raises
    ------
    FaultsError
        With one line for every fault: file, place, what was found, what was expected.

    Examples
    --------
    >>> topology = load_topology("lite-torus@rate=225 GB/s")
    >>> topology.name, topology.h100_equivalents, float(topology.fabric.capacity[0])
    ('lite-torus@rate=225 GB/s', 0.25, 37500000000.0)
    """
    path, file, settings = resolve(path_or_name)
    settings |= parameters
    faults = Faults(file)
    data = as_mapping(parse(read_text(path, faults), faults), faults)
    if is_astra(data):
        data, faults = topology_of(data, faults), Faults(file)
    written = override(data, plain(settings), faults)
    filled = fill_in(written, faults)
    try:
        document = check_document(filled, faults)
    except FaultsError:
        _generate_without_unknown_keys(filled.get("fabric"), faults)
        raise FaultsError(faults.text) from None
    name = with_settings(document.name or path.stem, settings)
    fabric = _make_fabric(document, path, name, faults)
    written = {
        "topo_sim": 1,
        "name": name,
        **{k: v for k, v in written.items() if k not in ("topo_sim", "name")},
    }
    return Topology(document.model_copy(update={"name": name}), fabric, path, written)


def load_fabric(path_or_name: Reference, /, **parameters: Any) -> Fabric:
    """Load the fabric of a topology file.

    Parameters
    ----------
    path_or_name, **parameters
        As in `load_topology`.

    Returns
    -------
    Fabric
        Named after the topology and the parameters asked for.

    Raises
    ------
    FaultsError
        As `load_topology` does.

    Examples
    --------
    >>> load_fabric("lite-torus", rate="225 GB/s")
    <Fabric lite-torus@rate=225 GB/s: 256 endpoints, 0 switches, 768 cables>
    """
    return load_topology(path_or_name, **parameters).fabric


def validate_file(path_or_name: Reference, /, **parameters: Any) -> list[str]:
    """List the faults of a topology file.

    Parameters
    ----------
    path_or_name, **parameters
        As in `load_topology`.

    Returns
    -------
    list of str
        One line per fault, or none. What can only be seen once the schema fits (names of nodes, then
        connectivity) is looked for once it does.

    Examples
    --------
    >>> validate_file("lite-torus")
    []
    >>> validate_file("lite-torus", rate="225 Gb")[0].partition(": ")[2]
    'fabric.endpoint_bandwidth: "225 Gb" is a size, expected a rate (for example "400 Gb/s" or "50 GB/s")'
    """
    try:
        load_topology(path_or_name, **parameters)
    except FaultsError as error:
        return list(error.faults)
    return []
