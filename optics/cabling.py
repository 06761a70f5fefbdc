"""The cables and light paths of a fabric: what is under each link, and how long it is."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import parse_quantity
from topo_sim.optics.floorplan import FloorPlan, stand
from topo_sim.optics.medium import Medium
from topo_sim.topo import Fabric
from topo_sim.topo.fabric import OCS, SWITCH

__all__ = ["Cabling", "lay_cables", "link_latencies"]


@dataclass(frozen=True, eq=False)
class Cabling:
    """What is under the links of a fabric.

    Parameters
    ----------
    circuit : ndarray of int64, shape (links,)
        Node of the circuit switch that a link's light passes, or -1.
    length : ndarray of float64, shape (links,), m
        Of the cable, or of both fibres of a circuit together; NaN without a floor plan.
    fibres : dict from int to int
        Fibres at each circuit switch, by its node.
    fibre_media : dict from str to int
        Number of those fibres by medium.
    fibre_ends : dict from (str, bool) to float, B/s
        Capacity, both directions together, of their ends that are at no circuit switch, by medium and by
        whether that end is at a packet switch.

    Examples
    --------
    >>> from topo_sim.topo import circuit_switched
    >>> cabling = lay_cables(circuit_switched(4, 1), FloorPlan(endpoints_per_rack=1, racks_per_row=4))
    >>> cabling.length.round(2).tolist(), cabling.fibres
    ([6.56, 6.56, 10.78, 10.78], {4: 4})
    """

    circuit: NDArray[np.int64]
    length: NDArray[np.float64]
    fibres: dict[int, int]
    fibre_media: dict[str, int]
    fibre_ends: dict[tuple[str, bool], float]


@dataclass
class _Wires:
    """What the graph of a fabric with circuit switches says that its links do not."""

    source: list[int]
    target: list[int]
    circuits: dict[tuple[int, int], list[int]]
    fibres: dict[int, int]
    media: Counter[str]
    ends: dict[tuple[str, bool], float]


def _rate(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else parse_quantity(value, "rate")


def _read_graph(fabric: Fabric) -> _Wires:
    graph = fabric.graph
    index: dict[Hashable, int] = {node: i for i, node in enumerate(graph)}
    wires = _Wires([], [], defaultdict(list), {}, Counter(), defaultdict(float))
    kind, directions = fabric.kind.tolist(), 1 if graph.is_directed() else 2
    ways: Counter[tuple[int, int]] = Counter()
    for one, other, data in graph.edges(data=True):
        a, b = index[one], index[other]
        wires.source.append(a)
        wires.target.append(b)
        ends = [(a, b)] if graph.is_directed() else [(a, b), (b, a)]
        ways.update(ends)
        if OCS in (kind[a], kind[b]):
            medium, far = str(data.get("medium", "unspecified")), kind[a] + kind[b] - OCS
            wires.media[medium] += 1
            if far != OCS:
                wires.ends[medium, far == SWITCH] += directions * _rate(data["bandwidth"])
    wires.fibres = dict.fromkeys(np.flatnonzero(fabric.kind == OCS).tolist(), 0)
    # A port sends and receives: two fibres of one way each take one.
    for a, b in {(min(way), max(way)) for way in ways}:
        if (ocs := a if kind[a] == OCS else b) in wires.fibres:
            wires.fibres[ocs] += max(ways[a, b], ways[b, a])
    for node, circuits in graph.nodes(data="circuits"):
        for a, b in circuits or ():
            wires.circuits[index[a], index[b]].append(index[node])
    return wires


def _switch_of_links(fabric: Fabric, circuits: dict[tuple[int, int], list[int]]) -> Any:
    """Circuit switch of each link; of a cable and a circuit between the same ends, the cable comes first."""
    found = np.full(fabric.links, -1, dtype=np.int64)
    left = {pair: list(nodes) for pair, nodes in circuits.items()}
    ends = list(zip(fabric.link_source.tolist(), fabric.link_target.tolist(), strict=True))
    for link in range(fabric.links - 1, -1, -1):
        if nodes := left.get(ends[link]):
            found[link] = nodes.pop()
    return found


def _rotor_of_links(fabric: Fabric) -> NDArray[np.int64]:
    """Name a rotor for each mean link: the one that shows the pair first, by `CircuitSchedule.rotor`."""
    first, rotors = fabric.ranks, fabric.circuit_switches
    step = (fabric.link_target.astype(np.int64) - fabric.link_source - 1) % fabric.ranks
    return first + step % rotors


def _full_planes(fabric: Fabric) -> Cabling:
    """Lay the fibres of planes on which every endpoint has a circuit: one link per fibre, plane by plane."""
    medium = fabric.media[int(fabric.medium[0])]
    circuit = fabric.ranks + np.arange(fabric.links, dtype=np.int64) // fabric.ranks
    fibres = dict.fromkeys(np.flatnonzero(fabric.kind == OCS).tolist(), fabric.ranks)
    ends = {(medium, False): 2 * float(fabric.capacity.sum())}
    return Cabling(circuit, np.full(fabric.links, np.nan), fibres, {medium: fabric.links}, ends)


def lay_cables(fabric: Fabric, plan: FloorPlan | None = None) -> Cabling:
    """Find what is under each link of a fabric.

    Parameters
    ----------
    fabric : Fabric
    plan : FloorPlan, optional
        Gives lengths.

    Returns
    -------
    Cabling

    Raises
    ------
    UsageError
        If a node stands nowhere, being joined to nothing.

    Notes
    -----
    Work in arrays for fabrics without circuit switches, and without a floor plan for those whose planes are
    full; else the graph is read, which holds the fibres.

    Examples
    --------
    >>> from topo_sim.topo import torus
    >>> cabling = lay_cables(torus((4, 4)), FloorPlan(endpoints_per_rack=4, racks_per_row=4))
    >>> sorted(set(cabling.length.round(2).tolist()))
    [1.5, 5.06, 6.38]
    """
    if plan is None and fabric.family == "circuit_switched" and fabric.links == fabric.cables:
        return _full_planes(fabric)
    if not fabric.circuit_switches:
        wires, ends = None, None
        circuit = np.full(fabric.links, -1, dtype=np.int64)
    else:
        wires = _read_graph(fabric)
        ends = (np.array(wires.source, dtype=np.int64), np.array(wires.target, dtype=np.int64))
        turns = fabric.family == "rotor"
        circuit = _rotor_of_links(fabric) if turns else _switch_of_links(fabric, wires.circuits)
    length = np.full(fabric.links, np.nan)
    if plan is not None:
        floor = stand(fabric, plan, ends)
        source, target = fabric.link_source.astype(np.int64), fabric.link_target.astype(np.int64)
        light = circuit >= 0
        length = floor.lengths(source, np.where(light, circuit, target))
        length[light] += floor.lengths(circuit[light], target[light])
    if wires is None:
        return Cabling(circuit, length, {}, {}, {})
    return Cabling(circuit, length, wires.fibres, dict(wires.media), dict(wires.ends))


def link_latencies(
    fabric: Fabric, length: NDArray[np.float64], media: Mapping[str, Medium], level: str = "typical"
) -> NDArray[np.float64]:
    """Latency that media and cables imply for each link, from chip to chip.

    Parameters
    ----------
    fabric : Fabric
    length : ndarray of float64, shape (links,), m
        As `lay_cables` finds it.
    media : mapping from str to Medium
    level : {"low", "typical", "high"}

    Returns
    -------
    ndarray of float64, shape (links,), s
        Serdes, DSP, FEC and the way along the cable; NaN for a medium or a length that is not known.

    Examples
    --------
    60 m of fibre take 300 ns, the ends of co-packaged optics 120 ns.

    >>> from topo_sim.optics import load_optics
    >>> from topo_sim.topo import full_mesh
    >>> fabric = full_mesh(2, medium="cpo")
    >>> link_latencies(fabric, np.array([60.0, 60.0]), load_optics().media).round(12).tolist()
    [4.2e-07, 4.2e-07]
    """
    fixed, per_metre = np.full(len(fabric.media), np.nan), np.full(len(fabric.media), np.nan)
    for i, name in enumerate(fabric.media):
        if name in media:
            fixed[i], per_metre[i] = media[name].latency(0.0, level), media[name].delay.at(level)
    return fixed[fabric.medium] + per_metre[fabric.medium] * length
