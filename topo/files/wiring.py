"""From nodes and links, given in a topology file or by a graph file, to a `Fabric`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from topo_sim.base import FaultsError
from topo_sim.base.files.faults import Faults, Place, show, suggest
from topo_sim.topo.fabric import Fabric
from topo_sim.topo.files.checking import describe
from topo_sim.topo.files.graphs import read_graph
from topo_sim.topo.files.models import MAX_COUNT, ExplicitFabric, GraphFabric, LinkSpec, NodeSpec

__all__ = ["wire_explicit", "wire_graph"]


@dataclass(frozen=True)
class _Wiring:
    """Nodes and links that fit the schema, each with its place."""

    nodes: Sequence[tuple[Place, NodeSpec]]
    links: Sequence[tuple[Place, LinkSpec]]
    defaults: ExplicitFabric | GraphFabric
    root: Place
    parallel: bool = False

    @property
    def medium(self) -> str:
        given = self.defaults.medium if isinstance(self.defaults, ExplicitFabric) else None
        return given or "unspecified"


def _names(node: NodeSpec) -> list[str]:
    return [node.name] if node.count is None else [f"{node.name}{i}" for i in range(node.count)]


def _check_size(wiring: _Wiring, faults: Faults) -> None:
    nodes = sum(node.count or 1 for _, node in wiring.nodes)
    links = sum(link.count for _, link in wiring.links)
    for what, count in (("nodes", nodes), ("links", links)):
        if count > MAX_COUNT:
            faults.add((*wiring.root, what), f"found {count} {what}, expected at most {MAX_COUNT}")
    faults.stop()


def _check_nodes(wiring: _Wiring, faults: Faults) -> dict[str, str]:
    """Note the faults of the nodes; return the kind of each."""
    kinds: dict[str, str] = {}
    first: dict[str, Place] = {}
    for place, node in wiring.nodes:
        for name in _names(node):
            if name in kinds:
                earlier = Faults.path(first[name])
                faults.add((*place, "name"), f"found {show(name)} as in {earlier}, expected every name once")
            else:
                kinds[name], first[name] = node.kind, place
        if node.circuits is not None and (node.kind != "ocs" or node.count is not None):
            what = f"kind: {node.kind}" if node.kind != "ocs" else "count"
            faults.add((*place, "circuits"), f"found beside {what}, expected on a single node of kind ocs")
        if node.reduces is not None and node.kind != "switch":
            faults.add((*place, "reduces"), f"found beside kind: {node.kind}, expected on a switch")
    if "gpu" not in kinds.values():
        faults.add((*wiring.root, "nodes"), "found no endpoint, expected at least one node of kind gpu")
    for place, node in wiring.nodes:
        for i, pair in enumerate(node.circuits or []):
            for j, end in enumerate(pair):
                _check_end(end, kinds, (*place, "circuits", i, j), faults)
    return kinds


def _check_end(name: str, kinds: dict[str, str], place: Place, faults: Faults) -> None:
    if name not in kinds:
        faults.add(place, f"found {show(name)}, expected the name of a node: {suggest(name, kinds)}")


def _check_links(wiring: _Wiring, kinds: dict[str, str], faults: Faults) -> None:
    first: dict[object, Place] = {}
    for place, link in wiring.links:
        for end in ("source", "target"):
            _check_end(getattr(link, end), kinds, (*place, end), faults)
        if link.source == link.target:
            faults.add(
                (*place, "target"), f"found {show(link.target)} at both ends, expected two different nodes"
            )
        if kinds.get(link.source) == "ocs" == kinds.get(link.target):
            faults.add(place, "joins two circuit switches, expected a gpu or switch at one end")
        ends = (link.source, link.target)
        same = (
            ends if link.directed else frozenset(ends),
            link.bandwidth,
            link.latency,
            link.medium,
            link.directed,
        )
        if wiring.parallel:
            continue
        if same in first:
            again = f"found {link.source} - {link.target} as in {Faults.path(first[same])}"
            faults.add(place, f"{again}, expected it once (count: 2 makes two parallel cables)")
        first.setdefault(same, place)


def _graph(wiring: _Wiring) -> Any:
    """Build the NetworkX graph: directed if any link is."""
    import networkx as nx

    directed = any(link.directed for _, link in wiring.links)
    graph = nx.MultiDiGraph() if directed else nx.MultiGraph()
    for _, node in wiring.nodes:
        given: dict[str, Any] = {"reduces": node.reduces} if node.reduces else {}
        if node.circuits is not None:
            given["circuits"] = [tuple(pair) for pair in node.circuits]
        graph.add_nodes_from(_names(node), kind=node.kind, **given)
    for _, link in wiring.links:
        data = {"medium": link.medium or wiring.medium}
        data |= {key: value for key in ("bandwidth", "latency") if (value := getattr(link, key)) is not None}
        ends = [(link.source, link.target)]
        if directed and not link.directed:
            ends.append((link.target, link.source))
        for _ in range(link.count):
            graph.add_edges_from(ends, **data)
    return graph


def _wire(wiring: _Wiring, name: str, routing: str, faults: Faults) -> Fabric:
    _check_size(wiring, faults)
    kinds = _check_nodes(wiring, faults)
    _check_links(wiring, kinds, faults)
    faults.stop()
    given = {key: getattr(wiring.defaults, key) for key in ("bandwidth", "latency")}
    try:
        return Fabric.from_graph(
            _graph(wiring),
            name=name,
            endpoints_forward=wiring.defaults.endpoints_forward,
            routing=routing,
            **{key: value for key, value in given.items() if value is not None},
        )
    except FaultsError as error:
        for fault in error.faults:
            faults.add(wiring.root, fault)
        raise FaultsError(faults.text) from None


def wire_explicit(spec: ExplicitFabric, name: str, routing: str, faults: Faults) -> Fabric:
    """Make the fabric that a topology file gives by its nodes and links.

    Parameters
    ----------
    spec : ExplicitFabric
    name, routing : str
        As in `Fabric`.
    faults : Faults
        Takes every fault.

    Returns
    -------
    Fabric

    Raises
    ------
    FaultsError
        Listing duplicate and unknown names, repeated links, self-loops, bad circuits.

    Examples
    --------
    >>> nodes = [NodeSpec(name="g", count=2), NodeSpec(name="s", kind="switch")]
    >>> links = [LinkSpec(source="g0", target="s"), LinkSpec(source="g1", target="s", count=2)]
    >>> wire_explicit(ExplicitFabric(nodes=nodes, links=links), "pair", "ecmp", Faults("pair.yaml"))
    <Fabric pair: 2 endpoints, 1 switches, 3 cables>
    """
    nodes: list[tuple[Place, NodeSpec]] = [
        (("fabric", "nodes", i), node) for i, node in enumerate(spec.nodes)
    ]
    links: list[tuple[Place, LinkSpec]] = [
        (("fabric", "links", i), link) for i, link in enumerate(spec.links)
    ]
    return _wire(_Wiring(nodes, links, spec, ("fabric",)), name, routing, faults)


def wire_graph(spec: GraphFabric, folder: Path, name: str, routing: str, faults: Faults) -> Fabric:
    """Make the fabric that a topology file gives by a graph file.

    Parameters
    ----------
    spec : GraphFabric
    folder : Path
        Where the path of the graph file starts.
    name, routing : str
        As in `Fabric`.
    faults : Faults
        Takes every fault, of both files.

    Returns
    -------
    Fabric

    Raises
    ------
    FaultsError
        As `wire_explicit` does, and for a graph file that cannot be read.
    """
    path = folder / spec.graph
    data, within = read_graph(path, path.name, faults, ("fabric", "graph"))
    nodes: list[tuple[Place, NodeSpec]] = []
    links: list[tuple[Place, LinkSpec]] = []
    for place, entry in zip(data.node_places, data.nodes, strict=True):
        try:
            nodes.append((place, NodeSpec.model_validate(plain_pairs(entry))))
        except ValidationError as error:
            _add_all(error, ("nodes", 0), place, within)
    for place, entry in zip(data.link_places, data.links, strict=True):
        try:
            links.append((place, LinkSpec.model_validate(entry)))
        except ValidationError as error:
            _add_all(error, ("links", 0), place, within)
    within.stop()
    return _wire(_Wiring(nodes, links, spec, (), data.parallel), name, routing, within)


def plain_pairs(entry: dict[str, Any]) -> dict[str, Any]:
    """Let circuits name their nodes by number, as edges may."""
    circuits = entry.get("circuits")
    if not isinstance(circuits, list):
        return entry
    named = [
        [str(end) if type(end) is int else end for end in pair] if isinstance(pair, list) else pair
        for pair in circuits
    ]
    return {**entry, "circuits": named}


def _add_all(error: ValidationError, around: Place, place: Place, faults: Faults) -> None:
    for each in error.errors(include_url=False):
        inner, text = describe(each, around)
        where = (*place, *inner[len(around) :])
        if where not in faults.places:
            faults.add(where, text)
