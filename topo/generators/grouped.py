"""Groups of small GPUs, each in the place of one big GPU, joined by any other fabric."""

import inspect
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import FaultsError, TopologyError, nearest
from topo_sim.topo.fabric import GPU, Fabric
from topo_sim.topo.generators.common import (
    GENERATORS,
    Cables,
    Parts,
    check_size,
    generator,
    is_count,
    require,
)

__all__ = ["FabricSpec", "grouped"]

MOST_GROUPS = 100_000
FabricSpec = Annotated[Mapping[str, Any], "a generator's name and parameters, or a Fabric"]


def _sub_fabric(place: str, spec: Mapping[str, Any] | Fabric, endpoints: int) -> Fabric:
    """Make the fabric inside or between groups and check its size."""
    if isinstance(spec, Fabric):
        fabric = spec
    else:
        require(
            (isinstance(spec, Mapping), f"{place}: found {spec!r}, expected a generator with its parameters")
        )
        arguments = dict(spec)
        require(("generator" in arguments, f"{place}.generator: missing, expected a generator's name"))
        name = arguments.pop("generator")
        require(
            (
                isinstance(name, str) and name in GENERATORS,
                f"{place}.generator: unknown generator {name!r}: {nearest(str(name), GENERATORS)}",
            )
        )
        make = GENERATORS[name]
        names = inspect.signature(make).parameters
        if "endpoints" in names:
            arguments.setdefault("endpoints", endpoints)
        unknown = [name for name in arguments if name not in names]
        require(*((False, f"{place}.{name}: unknown parameter") for name in unknown))
        try:
            fabric = make(**arguments)
        except FaultsError as error:
            raise FaultsError(f"{place}.{fault}" for fault in error.faults) from None
        except TopologyError as error:
            raise FaultsError([f"{place}: {error}"]) from None
    require((fabric.ranks == endpoints, f"{place}: has {fabric.ranks} endpoints, expected {endpoints}"))
    return fabric


def _bundles(fabric: Fabric, node: NDArray[np.int64]) -> list[Cables]:
    """Bundle the links of a sub-fabric, one way each, with its nodes renumbered."""
    styles = np.stack([fabric.capacity, fabric.latency, fabric.medium], axis=1)
    kinds, which = np.unique(styles, axis=0, return_inverse=True)
    bundles = []
    for i, (capacity, latency, medium) in enumerate(kinds):
        mine = which.ravel() == i
        ends = (
            node[fabric.link_source[mine]].astype(np.int32),
            node[fabric.link_target[mine]].astype(np.int32),
        )
        bundles.append(Cables(*ends, float(capacity), float(latency), fabric.media[int(medium)]))
    return bundles


def _graph(subs: list[tuple[Fabric, NDArray[np.int64], list[str]]], fabric: Fabric) -> Any:
    """Union of the sub-fabrics' graphs, with their endpoints merged."""
    import networkx as nx

    graphs = [fabric.graph for fabric, _, _ in subs]
    directed = any(sub.is_directed() for sub in graphs)
    graph = (nx.MultiDiGraph if directed else nx.MultiGraph)(name=fabric.name)
    graph.add_nodes_from((fabric.names[e] for e in fabric.endpoints), kind="gpu")
    for sub, (_, node, names) in zip(graphs, subs, strict=True):
        rename = dict(zip(sub, (names[n] for n in node), strict=True))
        for old, data in sub.nodes(data=True):
            attributes = dict(data)
            if "circuits" in attributes:
                attributes["circuits"] = [(rename[a], rename[b]) for a, b in attributes["circuits"]]
            graph.add_node(rename[old], **attributes)
        edges = [(rename[u], rename[v], data) for u, v, data in sub.edges(data=True)]
        graph.add_edges_from(edges)
        if directed and not sub.is_directed():
            graph.add_edges_from((v, u, data) for u, v, data in edges)
    return graph


@generator("grouped")
def grouped(
    groups: int = 4,
    size: int = 4,
    *,
    inside: FabricSpec | None = None,
    between: FabricSpec | None = None,
    attach: Literal["rail", "block"] = "rail",
    forward: bool | None = None,
) -> Parts:
    """Join endpoints in groups by one fabric inside each group and another one over all of them.

    Parameters
    ----------
    groups, size : int
        Number of groups and endpoints in each; rank = group * size + member.
    inside : mapping or Fabric, optional
        The fabric inside every group, of `size` endpoints: a mapping with key "generator" and that
        generator's parameters. Default: full mesh.
    between : mapping or Fabric, optional
        The fabric over all ``groups * size`` endpoints. Default: single switch.
    attach : {"rail", "block"}
        Which endpoint of `between` member j of group g is. "rail": j * groups + g, so that neighbours
        there are the same member of all groups. "block": g * size + j, so that groups stay together.
    forward : bool, optional
        Whether endpoints carry other endpoints' traffic. Default: if they do so inside or between.

    Returns
    -------
    Fabric

    Notes
    -----
    Where members of a group meet on a switch outside as soon as inside, the routing is ``widest_split``: over
    the wider of the two alone, as collective libraries do. Else it is ``ecmp_split``.

    Examples
    --------
    Eight nodes of four, each with a full mesh inside, all on one switch:

    >>> grouped(8, 4)
    <Fabric grouped(groups=8, size=4): 32 endpoints, 1 switches, 80 cables>
    """
    require(
        (is_count(groups), f"groups: found {groups!r}, expected an integer of at least 1"),
        (is_count(size), f"size: found {size!r}, expected an integer of at least 1"),
        (attach in ("rail", "block"), f'attach: found {attach!r}, expected "rail" or "block"'),
    )
    total = groups * size
    check_size(total, total)
    require((groups <= MOST_GROUPS, f"groups: found {groups}, expected at most {MOST_GROUPS:,}"))
    inner = _sub_fabric("inside", {"generator": "full_mesh"} if inside is None else inside, size)
    outer = _sub_fabric("between", {"generator": "single_switch"} if between is None else between, total)
    check_size(groups * inner.cables + outer.cables, total)
    rank = np.arange(total)
    seat = (rank % groups) * size + rank // groups if attach == "rail" else rank
    subs = [(outer, seat), *((inner, g * size + np.arange(size)) for g in range(groups))]
    kind, nodes = [np.full(total, GPU, dtype=np.int8)], []
    reduces = [np.zeros(total, dtype=np.int8)]
    links, first = [], total
    for fabric, ranks in subs:
        hubs = fabric.kind != GPU
        node = np.empty(len(fabric.kind), dtype=np.int64)
        node[fabric.endpoints] = ranks
        node[hubs] = first + np.arange(np.count_nonzero(hubs))
        first += int(np.count_nonzero(hubs))
        kind.append(fabric.kind[hubs])
        given = np.zeros(len(hubs), dtype=np.int8) if fabric.reduces is None else fabric.reduces
        reduces.append(given[hubs])
        links.extend(_bundles(fabric, node))
        nodes.append(node)
    return Parts(
        kind=np.concatenate(kind),
        links=links,
        names=lambda: _names(subs, groups, size),
        directed=True,
        cables=outer.cables + groups * inner.cables,
        make_graph=lambda fabric: _graph(
            [(sub, node, list(fabric.names)) for (sub, _), node in zip(subs, nodes, strict=True)], fabric
        ),
        endpoints_forward=inner.endpoints_forward or outer.endpoints_forward if forward is None else forward,
        exact_bisection=_bisection(outer, groups),
        routing="widest_split" if _detours(inner, outer, seat[:size]) else "ecmp_split",
        reduces=np.concatenate(reduces),
    )


def _detours(inner: Fabric, outer: Fabric, seats: NDArray[np.int64]) -> bool:
    """Whether members of a group meet outside it after as few hops as inside: one switch in either case."""
    if not np.any(inner.kind != GPU):
        return False
    ends = outer.endpoints[seats]
    reached = outer.link_target[np.isin(outer.link_source, ends)]
    pairs = np.unique(
        np.stack([outer.link_source[np.isin(outer.link_source, ends)], reached], axis=1), axis=0
    )
    return bool(np.bincount(pairs[:, 1]).max(initial=0) > 1)


def _bisection(outer: Fabric, groups: int) -> float | None:
    """Bisection of the whole where the fabric between the groups has full bisection.

    Notes
    -----
    Any even halves need at least the outer bisection. Halves made of whole groups cut nothing inside
    and at most their own injection outside, so with full bisection outside the two meet.
    """
    out = np.bincount(outer.link_source, weights=outer.capacity, minlength=len(outer.kind))[outer.endpoints]
    found = outer.exact_bisection
    full = out[0] * (outer.ranks // 2)
    if found is not None and np.ptp(out) == 0 and groups % 2 == 0 and np.isclose(found, full):
        return found
    return None


def _names(subs: list[tuple[Fabric, NDArray[np.int64]]], groups: int, size: int) -> list[str]:
    names = [f"gpu{g}.{j}" for g in range(groups) for j in range(size)]
    for i, (fabric, _) in enumerate(subs):
        outer = "between." if fabric.family == "grouped" else ""
        prefix = outer if i == 0 else f"group{i - 1}."
        names.extend(prefix + n for n, k in zip(fabric.names, fabric.kind, strict=True) if k != GPU)
    return names
