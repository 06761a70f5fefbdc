"""Graphs that other programs write, GraphML and node-link JSON, as lists of nodes and links."""

import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from xml.parsers import expat

from topo_sim.base.files.faults import Faults, Place, show
from topo_sim.base.files.reading import MAX_DEPTH, as_mapping, parse, read_bytes, read_text
from topo_sim.topo.files.models import LinkSpec, NodeSpec

__all__ = ["GraphData", "read_graph"]

_NODE_KEYS = set(NodeSpec.model_fields) - {"name", "count"}
_LINK_KEYS = set(LinkSpec.model_fields) - {"source", "target", "count", "directed"}


@dataclass(frozen=True)
class GraphData:
    """A graph as it stands in a file, not yet checked.

    Parameters
    ----------
    nodes, links : list of dict
        As `NodeSpec` and `LinkSpec` take them.
    node_places, link_places : list of tuple
        Where each stands.
    parallel : bool
        Whether equal links are meant, not repeated by mistake.
    """

    nodes: list[dict[str, Any]]
    links: list[dict[str, Any]]
    node_places: list[Place]
    link_places: list[Place]
    parallel: bool


def _known(data: dict[str, Any], known: Collection[str], place: Place, faults: Faults) -> dict[str, Any]:
    """Keep the attributes that mean something here; refuse those that were probably meant to."""
    for key in data:
        close = () if key in known else get_close_matches(str(key), known, n=1, cutoff=0.8)
        if close:
            faults.add((*place, str(key)), f'unknown key {show(key)}: did you mean "{close[0]}"?')
    return {key: value for key, value in data.items() if key in known}


def _identifiers(entry: dict[str, Any], keys: Sequence[str], place: Place, faults: Faults) -> list[str]:
    """Read the values that name nodes, which may be numbers; a bad one is a fault and reads as "?"."""
    names = []
    for key in keys:
        value = entry.get(key)
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            names.append(str(value))
            continue
        found = f"found {show(value)}" if key in entry else "missing"
        faults.add((*place, key), f"{found}, expected the name or number of a node")
        names.append("?")
    return names


def _mappings(data: dict[str, Any], key: str, faults: Faults) -> list[tuple[Place, dict[str, Any]]]:
    entries = data.get(key, [])
    if not isinstance(entries, list):
        faults.add((key,), f"found {show(entries)}, expected a list")
        return []
    found: list[tuple[Place, dict[str, Any]]] = []
    for i, entry in enumerate(entries):
        if isinstance(entry, dict):
            found.append(((key, i), entry))
        else:
            faults.add((key, i), f"found {show(entry)}, expected a mapping")
    return found


def _flag(data: dict[str, Any], key: str, faults: Faults) -> bool:
    value = data.get(key, False)
    if not isinstance(value, bool):
        faults.add((key,), f"found {show(value)}, expected true or false")
    return value is True


def _edges_key(data: dict[str, Any], faults: Faults) -> str:
    """Which of the two keys the edges are under; neither or both would lose edges in silence."""
    given = [key for key in ("edges", "links") if key in data]
    if len(given) == 2:
        faults.add(("links",), "found both edges and links, expected one of them")
    elif not given:
        faults.add(("edges",), 'missing, expected a list of edges under "edges" or "links"')
    return given[0] if given else "edges"


def _read_node_link(path: Path, faults: Faults, place: Place, within: Faults) -> GraphData:
    data = as_mapping(parse(read_text(path, faults, place), within), within, "nodes and edges")
    if "nodes" not in data:
        within.add(("nodes",), "missing, expected a list of nodes")
    directed, parallel = _flag(data, "directed", within), _flag(data, "multigraph", within)
    nodes, links = _mappings(data, "nodes", within), _mappings(data, _edges_key(data, within), within)
    made = GraphData([], [], [], [], parallel)
    for where, entry in nodes:
        (name,) = _identifiers(entry, ("id",), where, within)
        made.nodes.append({"name": name, **_known(entry, _NODE_KEYS, where, within)})
        made.node_places.append(where)
    for where, entry in links:
        source, target = _identifiers(entry, ("source", "target"), where, within)
        ends = {"source": source, "target": target, "directed": directed}
        made.links.append({**ends, **_known(entry, _LINK_KEYS, where, within)})
        made.link_places.append(where)
    return made


class _RefusedError(Exception):
    """What a GraphML file holds that no topology needs."""


def _scan_graphml(data: bytes) -> list[str]:
    """Return the nodes of a GraphML file; refuse what is unsafe before any other parser sees it."""
    parser = expat.ParserCreate()
    names: list[str] = []
    seen: set[str] = set()
    depth = graphs = 0

    def refuse(*_: object) -> None:
        raise _RefusedError("found a document type or entity declaration, expected none")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, graphs
        depth += 1
        tag = tag.rpartition(":")[2]
        graphs += tag == "graph"
        if depth > MAX_DEPTH:
            raise _RefusedError(f"found more than {MAX_DEPTH} levels of nesting")
        if tag == "node":
            name = attributes.get("id", "")
            if name in seen or not name:
                raise _RefusedError(f"found a node of id {show(name)} again, expected every id once")
            seen.add(name)
            names.append(name)

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.Parse(data, True)
    if graphs != 1:
        raise _RefusedError(f"found {graphs} graphs, expected one")
    return names


def _read_graphml(path: Path, faults: Faults, place: Place, within: Faults) -> GraphData:
    import networkx as nx

    data = read_bytes(path, faults, place)
    try:
        names = _scan_graphml(data)
        graph = nx.read_graphml(io.BytesIO(data))
    except _RefusedError as error:
        raise within.refuse((), str(error)) from None
    except expat.ExpatError as error:
        found = f"{expat.ErrorString(error.code)}, expected valid XML"
        raise within.refuse((f"column {error.offset + 1}",), found, error.lineno) from None
    except (nx.NetworkXError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise within.refuse((), f"{show(str(error))}, expected valid GraphML") from None
    declared = set(names)
    made = GraphData([], [], [], [], True)
    for name, attributes in graph.nodes(data=True):
        if name in declared:  # the reader adds what an edge names and no node declares
            where = (f"node {name}",)
            made.nodes.append({"name": name, **_known(attributes, _NODE_KEYS, where, within)})
            made.node_places.append(where)
    for u, v, attributes in graph.edges(data=True):
        where = (f"edge {u} - {v}",)
        ends = {"source": u, "target": v, "directed": graph.is_directed()}
        made.links.append({**ends, **_known(attributes, _LINK_KEYS, where, within)})
        made.link_places.append(where)
    return made


def read_graph(path: Path, file: str, faults: Faults, place: Place) -> tuple[GraphData, Faults]:
    """Read a graph file.

    Parameters
    ----------
    path : Path
        Its suffix, ``.graphml`` or ``.json``, says what it is.
    file : str
        What to call it in errors.
    faults : Faults
        Of the topology file that refers to it.
    place : tuple of str and int
        Where it does so.

    Returns
    -------
    graph : GraphData
    faults : Faults
        Of the graph file; what it finds is in the first one too.

    Raises
    ------
    FaultsError
        If it cannot be read at all.
    """
    within = faults.within(file)
    if path.suffix.lower() == ".graphml":
        return _read_graphml(path, faults, place, within), within
    if path.suffix.lower() == ".json":
        return _read_node_link(path, faults, place, within), within
    raise faults.refuse(place, f"found {show(path.name)}, expected a .graphml or .json file")
