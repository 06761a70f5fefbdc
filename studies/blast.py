"""What may fail in a fabric: its parts in classes of alike ones, and the fabric without one of them."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from topo_sim.topo import Fabric
from topo_sim.topo.fabric import KINDS, OCS
from topo_sim.topo.structure import Clos
from topo_sim.topo.throughput.symmetry import cayley

__all__ = ["Failing", "PartClass", "part_classes", "reached", "without"]

ROUNDS = 12


@dataclass(frozen=True)
class Failing:
    """One thing that fails: a node, or the links of one cable.

    Parameters
    ----------
    name : str
    nodes : tuple of int
    links : tuple of int
    """

    name: str
    nodes: tuple[int, ...] = ()
    links: tuple[int, ...] = ()


@dataclass(frozen=True)
class PartClass:
    """Parts of a fabric that look alike.

    Parameters
    ----------
    part : str
        Name in the catalogue of failure rates: "gpu", "switch", "ocs" or "link-MEDIUM".
    members : sequence of Failing
    symmetric : bool
        Whether the fabric's symmetry makes all members equal; else they only have alike surroundings.
    """

    part: str
    members: Sequence[Failing]
    symmetric: bool


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scatter integers over 64 bits."""
    x = values.astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return x ^ (x >> np.uint64(31))


def _colours(fabric: Fabric) -> NDArray[np.int64]:
    """Colour nodes by what surrounds them: colour refinement with hashed multisets of neighbours."""
    kinds = np.stack([fabric.capacity, fabric.latency, fabric.medium], axis=1)
    link = _mixed(np.unique(kinds, axis=0, return_inverse=True)[1].astype(np.uint64).ravel() + np.uint64(1))
    colour = fabric.kind.astype(np.int64)
    for _ in range(ROUNDS):
        seen = _mixed(colour.astype(np.uint64) + np.uint64(17))
        total = _mixed(seen)
        for near, far, salt in (
            (fabric.link_source, fabric.link_target, 3),
            (fabric.link_target, fabric.link_source, 5),
        ):
            heard = np.zeros(len(colour), dtype=np.uint64)
            np.add.at(heard, near, _mixed(link * np.uint64(salt) + seen[far]))
            total += _mixed(heard) * np.uint64(salt)
        finer = np.unique(total, return_inverse=True)[1].ravel().astype(np.int64)
        if finer.max() == colour.max():
            return finer
        colour = finer
    return colour


def _cables(fabric: Fabric) -> list[tuple[int, ...]]:
    """Pair the two directions of every cable or light path."""
    low = np.minimum(fabric.link_source, fabric.link_target)
    high = np.maximum(fabric.link_source, fabric.link_target)
    there: dict[tuple[int, int], tuple[list[int], list[int]]] = {}
    for i, (a, b, back) in enumerate(
        zip(low.tolist(), high.tolist(), (fabric.link_source == high).tolist(), strict=True)
    ):
        there.setdefault((a, b), ([], []))[back].append(i)
    return [
        tuple(i for i in pair if i is not None)
        for forth, back in there.values()
        for pair in zip_longest(forth, back)
    ]


def _cable_keys(
    fabric: Fabric, cables: Sequence[tuple[int, ...]], colour: NDArray[np.int64]
) -> tuple[list[tuple[object, ...]], bool]:
    """Say which cables are alike, and whether that is exact."""
    if isinstance(fabric.structure, Clos):
        base = np.array(fabric.structure.cable_base)
        levels = [int(np.searchsorted(base, cable[0] // 2, side="right")) for cable in cables]
        return [(level,) for level in levels], True
    group = cayley(fabric)
    keys: list[tuple[object, ...]] = []
    for cable in cables:
        ends = sorted((int(colour[fabric.link_source[i]]), int(colour[fabric.link_target[i]])) for i in cable)
        key: tuple[object, ...] = (*ends, float(fabric.capacity[cable[0]]), int(fabric.medium[cable[0]]))
        keys.append((*key, *sorted(int(group.link_class[i]) for i in cable)) if group is not None else key)
    return keys, group is not None


def part_classes(fabric: Fabric) -> list[PartClass]:
    """Sort everything in a fabric that may fail into classes of alike parts.

    Parameters
    ----------
    fabric : Fabric

    Returns
    -------
    list of PartClass
        Endpoints, packet switches, circuit switches, then cables and light paths by medium.

    Notes
    -----
    On a Clos, and where moving all endpoints by a group element maps the fabric to itself, classes are exact.
    Elsewhere nodes are alike if colour refinement cannot tell them apart, which proves nothing.

    Examples
    --------
    >>> from topo_sim.topo import torus
    >>> [(c.part, len(c.members), c.symmetric) for c in part_classes(torus((4, 4)))]
    [('gpu', 16, True), ('link-copper', 16, True), ('link-copper', 16, True)]
    """
    colour = _colours(fabric)
    cables = _cables(fabric)
    keys, exact = _cable_keys(fabric, cables, colour)
    circuits = _circuit_steps(fabric) if exact else {}
    found: dict[tuple[object, ...], list[Failing]] = {}
    for node in np.argsort(fabric.kind, kind="stable").tolist():  # endpoints first, circuit switches last
        name = fabric.names[node]
        alike = (KINDS[fabric.kind[node]], int(colour[node]), circuits.get(name))
        found.setdefault(alike, []).append(Failing(name, (node,)))
    for cable, key in zip(cables, keys, strict=True):
        part = f"link-{fabric.media[fabric.medium[cable[0]]]}"
        found.setdefault((part, *key), []).append(Failing(fabric.link_name(cable[0]), links=cable))
    return [
        PartClass(str(key[0]), members, exact and (key[0] != "ocs" or bool(circuits)))
        for key, members in found.items()
    ]


def _circuit_steps(fabric: Fabric) -> dict[str, tuple[int, ...]]:
    """Sort the steps from rank to rank that each circuit switch makes; forth or back, whichever is less."""
    if not fabric.circuit_switches or fabric.structure is not None:
        return {}
    rank = {fabric.names[node]: i for i, node in enumerate(fabric.endpoints.tolist())}
    found = {}
    for node, data in fabric.graph.nodes(data=True):
        if data.get("circuits"):
            steps = np.array([rank[str(b)] - rank[str(a)] for a, b in data["circuits"]])
            ways = (np.sort(way * steps % fabric.ranks).tolist() for way in (1, -1))
            found[str(node)] = min(tuple(way) for way in ways)
    return found


def without(fabric: Fabric, failing: Failing) -> Fabric:
    """Take a part out of a fabric.

    Parameters
    ----------
    fabric : Fabric
    failing : Failing

    Returns
    -------
    Fabric
        Nodes keep their numbers; a dead endpoint is no endpoint any more, so ranks close up. Circuits
        through a circuit switch that fails are gone.

    Examples
    --------
    >>> from topo_sim.topo import torus
    >>> left = without(torus((4, 4)), Failing("gpu0", (0,)))
    >>> left.ranks, left.links
    (15, 56)
    """
    nodes = np.array(failing.nodes, dtype=np.int64)
    if nodes.size and np.any(fabric.kind[nodes] == OCS):
        graph = fabric.graph
        graph.remove_nodes_from([list(graph)[node] for node in failing.nodes])
        return Fabric.from_graph(
            graph, name=fabric.name, endpoints_forward=fabric.endpoints_forward, routing="ecmp_split"
        )
    dead = np.zeros(len(fabric.kind), dtype=np.bool_)
    dead[nodes] = True
    keep = ~(dead[fabric.link_source] | dead[fabric.link_target])
    keep[list(failing.links)] = False
    return restricted(fabric, fabric.endpoints[~dead[fabric.endpoints]], keep)


def restricted(fabric: Fabric, endpoints: NDArray[np.int32], keep: NDArray[np.bool_]) -> Fabric:
    """Keep only some endpoints and links, and nothing that the numbering promised."""
    return dataclasses.replace(
        fabric,
        endpoints=endpoints,
        link_source=fabric.link_source[keep],
        link_target=fabric.link_target[keep],
        capacity=fabric.capacity[keep],
        latency=fabric.latency[keep],
        medium=fabric.medium[keep],
        family="graph",
        parameters={},
        structure=None,
        exact_bisection=None,
    )


def reached(fabric: Fabric, nodes: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Say which component of nodes that forward each of some endpoints can send to and hear from.

    Parameters
    ----------
    fabric : Fabric
    nodes : ndarray of int64, shape (n,)
        Nodes of endpoints.

    Returns
    -------
    sends, hears : ndarray of bool, shape (n, components)
        Only components that any endpoint reaches. Two endpoints are joined if one sends to a component that
        the other hears from; an endpoint that does not forward is a component of its own, for direct links.
    """
    size = len(fabric.kind)
    inner = fabric.forwards[fabric.link_source] & fabric.forwards[fabric.link_target]
    ends = (fabric.link_source[inner], fabric.link_target[inner])
    joined = coo_array((np.ones(len(ends[0]), dtype=np.int8), ends), shape=(size, size))
    count, component = connected_components(joined.tocsr(), directed=True, connection="strong")
    sends = np.zeros((size, count), dtype=np.bool_)
    hears = np.zeros((size, count), dtype=np.bool_)
    sends[np.arange(size), component] = True
    hears[np.arange(size), component] = True
    sends[fabric.link_source, component[fabric.link_target]] = True
    hears[fabric.link_target, component[fabric.link_source]] = True
    return sends[nodes], hears[nodes]
