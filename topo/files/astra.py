"""ASTRA-sim's network files: the analytical backends' description of a network, read and written."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import TopologyError
from topo_sim.base.files.faults import Faults, Place, show, suggest
from topo_sim.base.files.reading import as_mapping, parse, read_text
from topo_sim.topo.fabric import GPU, OCS, SWITCH, Fabric
from topo_sim.topo.structure import Grid

__all__ = ["AstraNetwork", "astra_network", "is_astra", "load_astra", "save_astra", "topology_of"]

SHAPES = {"Ring": "ring", "FullyConnected": "full_mesh", "Switch": "switch"}
_KEYS = ("topology", "npus_count", "bandwidth", "latency")
_GIB = float(2**30)
_WHY = "ASTRA-sim's analytical backends know rings, full meshes and ideal switches, and their products, only"


@dataclass(frozen=True)
class AstraNetwork:
    """A network as the analytical backends of ASTRA-sim take it.

    Parameters
    ----------
    topology : tuple of {"Ring", "FullyConnected", "Switch"}
        Shape of each dimension, the first one fastest in the ranks' order.
    npus_count : tuple of int
        Length of each.
    bandwidth : tuple of float, GiB/s
        Of a link of each; the files call the unit GB/s, the simulator takes it as 2^30 B/s.
    latency : tuple of float, ns
        Of a link of each.

    Examples
    --------
    >>> network = AstraNetwork(("Ring", "Switch"), (4, 2), (50.0, 50.0), (500.0, 500.0))
    >>> network.npus
    8
    >>> network.fabric()
    <Fabric Ring x Switch: 8 endpoints, 4 switches, 16 cables>
    """

    topology: tuple[str, ...]
    npus_count: tuple[int, ...]
    bandwidth: tuple[float, ...]
    latency: tuple[float, ...]

    @property
    def npus(self) -> int:
        """Number of ranks."""
        return math.prod(self.npus_count)

    def fabric(self) -> Fabric:
        """Build the fabric: what these dimensions are as cables and switches.

        Returns
        -------
        Fabric
            Made by the generator ``product``.

        Raises
        ------
        TopologyError
            If a value is out of range.
        """
        from dataclasses import replace

        from topo_sim.topo.generators import GENERATORS

        given = self.spec()
        del given["generator"]
        return replace(GENERATORS["product"](**given), name=" x ".join(self.topology))

    def spec(self) -> dict[str, Any]:
        """Write it as the ``fabric`` of a topology file.

        Returns
        -------
        dict
        """
        return {
            "generator": "product",
            "shapes": [SHAPES[shape] for shape in self.topology],
            "dims": list(self.npus_count),
            "bandwidth": [f"{rate!r} GiB/s" for rate in self.bandwidth],
            "latency": [f"{delay!r} ns" for delay in self.latency],
        }


def is_astra(data: Mapping[str, Any]) -> bool:
    """Whether the data of a file are a network of ASTRA-sim rather than a topology file.

    Examples
    --------
    >>> is_astra({"topology": ["Ring"], "npus_count": [8], "bandwidth": [50], "latency": [500]})
    True
    >>> is_astra({"topo_sim": 1, "fabric": {"generator": "torus"}})
    False
    """
    return "npus_count" in data and not {"topo_sim", "fabric"} & set(data)


def load_astra(path: str | os.PathLike[str]) -> AstraNetwork:
    """Read a network file of ASTRA-sim.

    Parameters
    ----------
    path : str or path
        YAML with the lists ``topology``, ``npus_count``, ``bandwidth`` (GiB/s) and ``latency`` (ns).

    Returns
    -------
    AstraNetwork

    Raises
    ------
    FaultsError
        One line per fault, with file, line and place.
    """
    faults = Faults(str(path))
    data = parse(read_text(Path(path), faults), faults)
    return read_astra(as_mapping(data, faults, "topology, npus_count, bandwidth and latency"), faults)


def read_astra(data: Mapping[str, Any], faults: Faults) -> AstraNetwork:
    """Check the data of a network file; every fault goes to `faults`, which is then raised."""
    for key in data:
        if key not in _KEYS:
            faults.add((key,), f"unknown key {show(key)}: {suggest(key, _KEYS)}")
    lists = {key: _list(data, key, faults) for key in _KEYS}
    counts = {key: len(values) for key, values in lists.items() if values is not None}
    for key, count in counts.items():
        if count != counts.get("topology", count):
            faults.add((key,), f"found {count} values, expected the {counts['topology']} of topology")
    shapes = [_shape(v, ("topology", i), faults) for i, v in enumerate(lists["topology"] or [])]
    sizes = [_count(v, ("npus_count", i), faults) for i, v in enumerate(lists["npus_count"] or [])]
    rates = [_number(v, ("bandwidth", i), faults, 0) for i, v in enumerate(lists["bandwidth"] or [])]
    delays = [_number(v, ("latency", i), faults, None) for i, v in enumerate(lists["latency"] or [])]
    faults.stop()
    return AstraNetwork(tuple(shapes), tuple(sizes), tuple(rates), tuple(delays))


def topology_of(data: Mapping[str, Any], faults: Faults) -> dict[str, Any]:
    """Write a network of ASTRA-sim as the data of a topology file.

    Parameters
    ----------
    data : mapping
        For which `is_astra` holds.
    faults : Faults

    Returns
    -------
    dict

    Raises
    ------
    FaultsError
        If it is malformed.
    """
    network = read_astra(data, faults)
    about = "From a network file of ASTRA-sim, whose bandwidths are GiB/s."
    return {"topo_sim": 1, "description": about, "fabric": network.spec()}


def _list(data: Mapping[str, Any], key: str, faults: Faults) -> list[Any] | None:
    if key not in data:
        faults.add((key,), "missing, expected a list with one value per dimension")
        return None
    values = data[key]
    if not isinstance(values, list) or not values:
        found = "an empty list" if values == [] else show(values)
        faults.add((key,), f"found {found}, expected a list with one value per dimension")
        return None
    return values


def _shape(value: Any, place: Place, faults: Faults) -> str:
    if not isinstance(value, str) or value not in SHAPES:
        faults.add(place, f"found {show(value)}, expected {', '.join(SHAPES)}")
    return str(value)


def _count(value: Any, place: Place, faults: Faults) -> int:
    if type(value) is int and value > 1:
        return value
    faults.add(place, f"found {show(value)}, expected an integer of at least 2")
    return 2


def _number(value: Any, place: Place, faults: Faults, above: int | None) -> float:
    number = float(value) if type(value) in (int, float) and abs(value) < 1e15 else math.nan
    if number > 0 or (above is None and number == 0):
        return number
    least = "more than 0" if above is not None else "at least 0"
    faults.add(place, f"found {show(value)}, expected a finite number of {least}")
    return 1.0


def astra_network(fabric: Fabric) -> AstraNetwork:
    """Describe a fabric as ASTRA-sim would have to be told of it.

    Parameters
    ----------
    fabric : Fabric
        A product, a torus, a ring in rank order, a full mesh, or one switch with one port per endpoint;
        links alike along each dimension.

    Returns
    -------
    AstraNetwork

    Raises
    ------
    TopologyError
        If ASTRA-sim cannot model it, with the reason.

    Examples
    --------
    >>> from topo_sim.topo import fat_tree, torus
    >>> astra_network(torus((8, 8), bandwidth="50 GiB/s"))
    AstraNetwork(topology=('Ring', 'Ring'), npus_count=(8, 8), bandwidth=(50.0, 50.0), latency=(500.0, 500.0))
    >>> astra_network(fat_tree(4))
    Traceback (most recent call last):
    topo_sim.base.errors.TopologyError: fat_tree(k=4): found 20 switches, expected none or one that joins \
all endpoints: ASTRA-sim's analytical backends know rings, full meshes and ideal switches, and their \
products, only
    """
    if fabric.ranks < 2:
        raise _refusal(fabric, f"found {fabric.ranks} endpoint, expected at least 2")
    if fabric.family == "product":
        shapes = tuple(fabric.parameters.get("shapes", ("ring", "switch")))
        dims = tuple(int(n) for n in fabric.parameters.get("dims", (8, 8)))
        return _alike(fabric, shapes, dims, _axes(fabric, shapes, dims))
    if isinstance(fabric.structure, Grid):
        return _of_grid(fabric, fabric.structure)
    if np.any(fabric.kind == OCS):
        kinds = np.delete(fabric.kind, np.flatnonzero(fabric.kind == OCS))
    else:
        kinds = fabric.kind
    switches = int(np.count_nonzero(kinds == SWITCH))
    if switches > 1:
        raise _refusal(fabric, f"found {switches} switches, expected none or one that joins all endpoints")
    shape = "switch" if switches else _direct_shape(fabric)
    if switches:
        _check_ports(fabric)
    return _alike(fabric, (shape,), (fabric.ranks,), [np.arange(fabric.links)])


def _refusal(fabric: Fabric, what: str) -> TopologyError:
    return TopologyError(f"{fabric.name}: {what}: {_WHY}")


def _axes(fabric: Fabric, shapes: tuple[str, ...], dims: tuple[int, ...]) -> list[NDArray[np.int64]]:
    """Links along each axis of a product, in the order in which its generator makes them."""
    per_line = {
        "ring": lambda k: k if k > 2 else k - 1,
        "full_mesh": lambda k: k * (k - 1) // 2,
        "switch": lambda k: k,
    }
    axes, base = [], 0
    for shape, k in zip(shapes, dims, strict=True):
        links = 2 * (fabric.ranks // k) * per_line[shape](k)
        axes.append(np.arange(base, base + links))
        base += links
    return axes


def _of_grid(fabric: Fabric, grid: Grid) -> AstraNetwork:
    axes, dims = [], []
    for axis, (k, ring) in enumerate(zip(grid.dims, grid.rings, strict=True)):
        if k == 1:
            continue
        if k > 2 and not ring:
            raise _refusal(fabric, f"found axis {axis} open at its ends, expected it closed to a ring")
        base = 2 * grid.cable_base[axis]
        axes.append(np.arange(base, base + 2 * grid.cables[axis]))
        dims.append(k)
    return _alike(fabric, ("ring",) * len(dims), tuple(dims), axes)


def _direct_shape(fabric: Fabric) -> str:
    """Shape of a fabric without switches: a ring in rank order, or all pairs."""
    p = fabric.ranks
    rank = np.full(len(fabric.kind), -1, dtype=np.int64)
    rank[fabric.endpoints] = np.arange(p)
    pair = np.sort(rank[fabric.link_source] * p + rank[fabric.link_target])
    here = np.arange(p, dtype=np.int64)
    ring = np.unique(np.concatenate([here * p + (here + 1) % p, here * p + (here - 1) % p]))
    if p > 3 and np.array_equal(pair, ring):
        return "ring"
    mesh = np.flatnonzero(~np.eye(p, dtype=np.bool_).ravel()) if pair.size == p * (p - 1) else ring[:0]
    if np.array_equal(pair, mesh):
        return "full_mesh"
    raise _refusal(fabric, "found endpoints joined neither in a ring by rank nor each to every other")


def _check_ports(fabric: Fabric) -> None:
    """Refuse a switch unless every endpoint has one cable, and that to the switch."""
    ends = (fabric.link_source, fabric.link_target)
    ports = [np.bincount(end, minlength=len(fabric.kind))[fabric.endpoints] for end in ends]
    direct = np.any((fabric.kind[ends[0]] == GPU) & (fabric.kind[ends[1]] == GPU))
    if direct or any(np.any(port != 1) for port in ports):
        raise _refusal(fabric, "found endpoints with other than one cable, expected one, to the switch")


def _alike(
    fabric: Fabric, shapes: tuple[str, ...], dims: tuple[int, ...], axes: list[NDArray[np.int64]]
) -> AstraNetwork:
    """Describe a fabric, if the links of each axis are alike."""
    names = {ours: theirs for theirs, ours in SHAPES.items()}
    rates, delays = [], []
    for axis, links in enumerate(axes):
        for what, values in (("bandwidth", fabric.capacity[links]), ("latency", fabric.latency[links])):
            if not np.allclose(values, values[0], rtol=1e-12, atol=0):
                low, high = values.min(), values.max()
                raise _refusal(
                    fabric, f"found {what} from {low:g} to {high:g} along axis {axis}, expected one"
                )
        rates.append(float(fabric.capacity[links[0]]) / _GIB)
        delays.append(float(f"{float(fabric.latency[links[0]]) * 1e9:.12g}"))
    return AstraNetwork(tuple(names[shape] for shape in shapes), dims, tuple(rates), tuple(delays))


def save_astra(fabric: Fabric, path: str | os.PathLike[str]) -> None:
    """Save a fabric as a network file of ASTRA-sim.

    Parameters
    ----------
    fabric : Fabric
    path : str or path
        A .yml or .yaml file; replaced in one step.

    Raises
    ------
    TopologyError
        If ASTRA-sim cannot model the fabric, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from topo_sim.topo import torus
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_astra(torus((4, 4), bandwidth="50 GiB/s"), f"{folder}/network.yml")
    ...     print(Path(folder, "network.yml").read_text(), end="")
    topology: [Ring, Ring]
    npus_count: [4, 4]
    bandwidth: [50.0, 50.0]
    latency: [500.0, 500.0]
    """
    from topo_sim.topo.files.save import write_data

    network = astra_network(fabric)
    write_data({key: list(getattr(network, key)) for key in _KEYS}, path)
