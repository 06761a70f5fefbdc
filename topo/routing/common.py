"""The front door of routing, and what every routing shares."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import Registry, RoutingError, UsageError
from topo_sim.topo.fabric import Fabric
from topo_sim.topo.flow.paths import Paths
from topo_sim.topo.routing.kernels import search_single, search_split
from topo_sim.topo.structure import Clos

__all__ = ["ROUTINGS", "Flows", "Routing", "clos_arrays", "route", "search", "search_shares"]


@dataclass(frozen=True)
class Flows:
    """What a routing is asked to route, as nodes.

    Parameters
    ----------
    source, target : ndarray of int64, shape (flows,)
        Nodes, not ranks.
    label : ndarray of int64, shape (flows,)
        Tells flows of one pair apart (as ports do in a real hash).
    seed : int
    """

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    label: NDArray[np.int64]
    seed: int


@dataclass(frozen=True)
class Routing:
    """A way to route.

    Parameters
    ----------
    name : str
    summary : str
        One line for ``topo-sim list routings``.
    function : callable
        ``(fabric, flows) -> Paths``.
    """

    name: str
    summary: str
    function: Callable[[Fabric, Flows], Paths]


ROUTINGS: Registry[Routing] = Registry("routing")


def routing(
    name: str, summary: str
) -> Callable[[Callable[[Fabric, Flows], Paths]], Callable[[Fabric, Flows], Paths]]:
    """Register the decorated ``(fabric, flows) -> Paths`` function as a routing."""

    def enter(function: Callable[[Fabric, Flows], Paths]) -> Callable[[Fabric, Flows], Paths]:
        ROUTINGS.add(name, Routing(name, summary, function))
        return function

    return enter


def route(
    fabric: Fabric,
    source: ArrayLike,
    target: ArrayLike,
    routing: str | None = None,
    *,
    seed: int = 0,
    label: ArrayLike | None = None,
) -> Paths:
    """Find the links that flows between endpoints cross.

    Parameters
    ----------
    fabric : Fabric
    source, target : array_like of int, shape (flows,)
        Ranks. A flow from a rank to itself crosses no link.
    routing : str, optional
        "shortest", "ecmp", "ecmp_split", "widest_split", "wcmp_split", "dimension_order", "valiant" or
        "valiant_split".
        Default: the fabric's own.
    seed : int
        Of the hash, for routings that choose.
    label : array_like of int, shape (flows,), optional
        Tells flows of one pair apart, as ports do in a real hash. Default: 0.

    Returns
    -------
    Paths
        With shares where the routing splits flows.

    Raises
    ------
    RoutingError
        If a pair is not connected, or the routing does not fit the fabric.
    UsageError
        If a rank does not exist, or lengths differ.
    UnknownNameError
        If there is no such routing.

    Notes
    -----
    Paths are shortest in hops (valiant: in each half). Endpoints are passed through only where
    ``fabric.endpoints_forward``.

    Examples
    --------
    >>> from topo_sim.topo import torus
    >>> ring = torus(8)
    >>> route(ring, [0, 0], [1, 7])[0].tolist(), [ring.link_name(l) for l in route(ring, [0], [6])[0]]
    ([0], ['gpu0->gpu7', 'gpu7->gpu6'])
    """
    entry = ROUTINGS[fabric.routing if routing is None else routing]
    sources, targets = fabric.rank_array(source, "source"), fabric.rank_array(target, "target")
    labels = np.zeros(len(sources), np.int64) if label is None else np.asarray(label)
    if labels.ndim != 1 or not (labels.size == 0 or np.issubdtype(labels.dtype, np.integer)):
        raise UsageError(
            f"label: found {labels.dtype} of shape {labels.shape}, expected one integer per flow"
        )
    if not len(sources) == len(targets) == len(labels):
        raise UsageError(f"found {len(sources)} sources, {len(targets)} targets and {len(labels)} labels")
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
        raise UsageError(f"seed: found {seed!r}, expected an integer of at least 0")
    nodes = fabric.endpoints.astype(np.int64)
    return entry.function(fabric, Flows(nodes[sources], nodes[targets], labels.astype(np.int64), int(seed)))


def clos_arrays(clos: Clos) -> dict[str, Any]:
    """Put the numbering of a Clos into arrays for the kernels."""
    names = ("down", "up", "trunk", "roots", "level_base", "cable_base")
    return {name: np.array(getattr(clos, name), dtype=np.int64) for name in names}


def _adjacency(fabric: Fabric) -> tuple[Any, ...]:
    ends = (fabric.link_source, fabric.link_target)
    return fabric.forwards, *fabric.in_links, *fabric.out_links, *ends


def _check_found(fabric: Fabric, flows: Flows, length: NDArray[np.int64]) -> None:
    lost = np.flatnonzero(length < 0)
    if lost.size:
        pairs = ", ".join(
            f"{fabric.names[flows.source[f]]} -> {fabric.names[flows.target[f]]}" for f in lost[:3].tolist()
        )
        more = f" and {lost.size - 3} more" if lost.size > 3 else ""
        raise RoutingError(f"{fabric.name}: no path for {pairs}{more}")


def _in_flow_order(
    begin: NDArray[np.int64],
    length: NDArray[np.int64],
    links: NDArray[np.int32],
    shares: NDArray[np.float64] | None = None,
) -> Paths:
    """Put rows that were searched target by target into the order of the flows."""
    indptr = np.zeros(len(length) + 1, dtype=np.int64)
    np.cumsum(length, out=indptr[1:])
    if np.array_equal(begin, indptr[:-1]):
        return Paths.trusted(indptr, links, shares)
    order = np.argsort(begin, kind="stable")
    searched = np.zeros(len(length) + 1, dtype=np.int64)
    np.cumsum(length[order], out=searched[1:])
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return Paths.trusted(searched, links, shares).take(place)


def search(fabric: Fabric, flows: Flows, *, hashed: bool) -> Paths:
    """One shortest path per flow on any graph."""
    order = np.argsort(flows.target, kind="stable")
    ends = (flows.source, flows.target, flows.label)
    begin, length, links = search_single(*ends, order, flows.seed, hashed, *_adjacency(fabric))
    _check_found(fabric, flows, length)
    return _in_flow_order(begin, length, links)


def search_shares(fabric: Fabric, flows: Flows, *, widest: bool = False, weighted: bool = False) -> Paths:
    """All shortest paths of each flow on any graph, or the widest of them, split evenly at every hop.

    With `weighted` all of them, split in proportion to their capacity.
    """
    capacity = fabric.capacity if widest or weighted else fabric.capacity[:0]
    order = np.argsort(flows.target, kind="stable")
    begin, length, links, shares = search_split(
        flows.source, flows.target, order, capacity, weighted, *_adjacency(fabric)
    )
    _check_found(fabric, flows, length)
    return _in_flow_order(begin, length, links, shares)
