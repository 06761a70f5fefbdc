"""Turn a NetworkX graph into the arrays of a `Fabric`, collecting every fault on the way."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator
from copy import deepcopy
from typing import Any

import numpy as np

from topo_sim.base import FaultsError, Quantity, UnitError, nearest
from topo_sim.topo.fabric import GPU, KINDS, OCS, REDUCTIONS, SWITCH, Fabric

__all__ = ["compile_graph"]

_RATE = Quantity("rate")
_TIME = Quantity("time", positive=False)


class _Links:
    """The links of a graph while it is being compiled."""

    def __init__(self) -> None:
        self.source: list[int] = []
        self.target: list[int] = []
        self.capacity: list[float] = []
        self.latency: list[float] = []
        self.medium: list[str] = []

    def rows(self) -> Iterator[tuple[int, int, float, float, str]]:
        return zip(self.source, self.target, self.capacity, self.latency, self.medium, strict=True)

    def add(self, source: int, target: int, capacity: float, latency: float, medium: str) -> None:
        self.source.append(source)
        self.target.append(target)
        self.capacity.append(capacity)
        self.latency.append(latency)
        self.medium.append(medium)


def _read_quantity(value: Any, quantity: Quantity, place: str, faults: list[str]) -> float:
    try:
        return quantity.read(value.item() if isinstance(value, np.generic) else value)
    except UnitError as error:
        faults.append(f"{place}: {error}")
        return 1.0


def _read_kinds(graph: Any, faults: list[str]) -> list[int]:
    kinds = []
    for node, data in graph.nodes(data=True):
        kind = data.get("kind", "gpu")
        if not isinstance(kind, str) or kind not in KINDS:
            faults.append(f"node {node}: kind: unknown kind {kind!r}: {nearest(str(kind), KINDS)}")
            kind = "switch"
        kinds.append(KINDS.index(kind))
    if not faults and GPU not in kinds:
        faults.append('nodes: no endpoint, expected at least one node of kind "gpu"')
    return kinds


def _read_reductions(graph: Any, kinds: list[int], faults: list[str]) -> list[int]:
    found = []
    for (node, data), kind in zip(graph.nodes(data=True), kinds, strict=True):
        value = data.get("reduces") or ""
        if value not in REDUCTIONS:
            faults.append(f'node {node}: reduces: found {value!r}, expected "nvls" or "sharp"')
            value = ""
        if value and kind != SWITCH:
            faults.append(f"node {node}: reduces: found on a {KINDS[kind]}, expected on a switch")
        found.append(REDUCTIONS.index(value))
    return found


def _read_edges(
    graph: Any, index: dict[Hashable, int], bandwidth: float, latency: float, faults: list[str]
) -> _Links:
    links = _Links()
    directed = graph.is_directed()
    for u, v, data in graph.edges(data=True):
        data.setdefault("bandwidth", bandwidth)
        data.setdefault("latency", latency)
        place = f"link {u} - {v}"
        if u == v:
            faults.append(f"{place}: joins a node to itself, expected two different nodes")
        capacity = _read_quantity(data["bandwidth"], _RATE, f"{place}: bandwidth", faults)
        delay = _read_quantity(data["latency"], _TIME, f"{place}: latency", faults)
        medium = str(data.get("medium", "unspecified"))
        links.add(index[u], index[v], capacity, delay, medium)
        if not directed:
            links.add(index[v], index[u], capacity, delay, medium)
    return links


def _count_cables(links: _Links, directed: bool) -> int:
    if not directed:
        return len(links.source) // 2
    pairs = Counter(zip(links.source, links.target, strict=True))
    return sum(
        max(n, pairs.get((v, u), 0)) if u < v or (v, u) not in pairs else 0 for (u, v), n in pairs.items()
    )


def _stated_cables(graph: Any, counted: int, faults: list[str]) -> int:
    """Take the number of physical cables from a graph whose links stand for others (rotors)."""
    stated = graph.graph.get("cables", counted)
    if isinstance(stated, bool) or not isinstance(stated, (int, np.integer)) or stated < 0:
        faults.append(f"graph: cables: found {stated!r}, expected a whole number of at least 0")
        return counted
    return int(stated)


def _set_circuits(
    graph: Any, index: dict[Hashable, int], kinds: list[int], links: _Links, faults: list[str]
) -> _Links:
    """Replace the fibres at circuit switches by the light paths that their circuits make."""
    nodes = list(graph)
    transmit: dict[tuple[int, int], list[int]] = defaultdict(list)
    receive: dict[tuple[int, int], list[int]] = defaultdict(list)
    paths = _Links()
    for i, (u, v, capacity, latency, medium) in enumerate(links.rows()):
        if kinds[u] == OCS and kinds[v] == OCS:
            faults.append(
                f"link {nodes[u]} - {nodes[v]}: joins two circuit switches, expected a gpu or switch"
            )
        elif kinds[v] == OCS:
            transmit[v, u].append(i)
        elif kinds[u] == OCS:
            receive[u, v].append(i)
        else:
            paths.add(u, v, capacity, latency, medium)
    for ocs in (i for i, kind in enumerate(kinds) if kind == OCS):
        for place, a, b in _read_circuits(graph, nodes[ocs], index, faults):
            if not (transmit[ocs, a] and receive[ocs, b]):
                end, word = (a, "transmit") if not transmit[ocs, a] else (b, "receive")
                faults.append(f"{place}: {nodes[end]} has no free {word} port on {nodes[ocs]}")
                continue
            i, j = transmit[ocs, a].pop(0), receive[ocs, b].pop(0)
            paths.add(
                a,
                b,
                min(links.capacity[i], links.capacity[j]),
                links.latency[i] + links.latency[j],
                links.medium[i],
            )
    return paths


def _read_circuits(
    graph: Any, ocs: Hashable, index: dict[Hashable, int], faults: list[str]
) -> Iterable[tuple[str, int, int]]:
    circuits = graph.nodes[ocs].get("circuits", [])
    if not isinstance(circuits, (list, tuple)):
        faults.append(f"node {ocs}: circuits: found {circuits!r}, expected a list of [from, to] pairs")
        return
    for k, pair in enumerate(circuits):
        place = f"node {ocs}: circuits[{k}]"
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or pair[0] == pair[1]:
            faults.append(f"{place}: found {pair!r}, expected a pair [from, to] of different nodes")
        elif unknown := [end for end in pair if not isinstance(end, Hashable) or end not in index]:
            faults.append(f"{place}: no node {unknown[0]!r}: {nearest(str(unknown[0]), map(str, index))}")
        else:
            yield place, index[pair[0]], index[pair[1]]


def compile_graph(
    graph: Any,
    *,
    name: str | None,
    bandwidth: float | str,
    latency: float | str,
    endpoints_forward: bool | None,
    routing: str,
) -> Fabric:
    """Do the work of `Fabric.from_graph`, which see."""
    import networkx as nx

    faults: list[str] = []
    if not isinstance(graph, nx.Graph):
        raise FaultsError([f"graph: found {type(graph).__name__}, expected a networkx graph"])
    kept = graph.copy()
    index = {node: i for i, node in enumerate(kept)}
    counts = Counter(map(str, kept))
    faults.extend(f'node {n}: found {c} nodes named "{n}", expected one' for n, c in counts.items() if c > 1)
    kinds = _read_kinds(kept, faults)
    reduces = _read_reductions(kept, kinds, faults)
    default_bandwidth = _read_quantity(bandwidth, _RATE, "bandwidth", faults)
    default_latency = _read_quantity(latency, _TIME, "latency", faults)
    links = _read_edges(kept, index, default_bandwidth, default_latency, faults)
    cables = _stated_cables(kept, _count_cables(links, kept.is_directed()), faults)
    if OCS in kinds:
        links = _set_circuits(kept, index, kinds, links, faults)
    if faults:
        raise FaultsError(faults)
    kind = np.array(kinds, dtype=np.int8)
    direct = any(kinds[u] == GPU == kinds[v] for u, v in zip(links.source, links.target, strict=True))
    media, medium = np.unique(np.array(links.medium, dtype=str), return_inverse=True)
    return Fabric(
        name=name or kept.name or "graph",
        kind=kind,
        endpoints=np.flatnonzero(kind == GPU).astype(np.int32),
        link_source=links.source,  # type: ignore[arg-type]
        link_target=links.target,  # type: ignore[arg-type]
        capacity=links.capacity,  # type: ignore[arg-type]
        latency=links.latency,  # type: ignore[arg-type]
        medium=medium.astype(np.int16),
        media=tuple(media.tolist()),
        cables=cables,
        node_names=lambda: [str(node) for node in kept],
        make_graph=lambda _: deepcopy(kept),
        endpoints_forward=direct if endpoints_forward is None else endpoints_forward,
        routing=routing,
        reduces=np.array(reduces, dtype=np.int8),
    )
