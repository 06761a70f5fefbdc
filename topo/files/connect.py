"""Whether every endpoint of a fabric reaches every other."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.topo.fabric import Fabric

__all__ = ["connected_by_construction", "find_unreachable"]

_SWITCHED = ("fat_tree", "leaf_spine", "single_switch", "xpander")
_DIRECT = ("circuit_banks", "cube_torus", "full_mesh", "mesh", "product", "rotor", "torus", "twisted_torus")


def connected_by_construction(fabric: Fabric) -> bool:
    """Whether the generator of a fabric never leaves an endpoint unreachable.

    Examples
    --------
    >>> from topo_sim.topo import circuit_switched, torus
    >>> connected_by_construction(torus((4, 4)))
    True
    >>> connected_by_construction(circuit_switched(4, light_paths=[[(0, 1), (2, 3)]]))
    False
    """
    if fabric.family in (*_SWITCHED, *_DIRECT):
        return True
    if fabric.family == "circuit_switched":
        return str(fabric.parameters.get("light_paths", "rings")) == "rings"
    between = fabric.parameters.get("between", {"generator": "single_switch"})
    outer = (
        between.family if isinstance(between, Fabric) else (between or {}).get("generator", "single_switch")
    )
    return fabric.family == "grouped" and outer in _SWITCHED


def _reached(graph: Any, start: int, size: int) -> NDArray[np.bool_]:
    from scipy.sparse.csgraph import breadth_first_order

    reached = np.zeros(size, dtype=bool)
    reached[breadth_first_order(graph, start, directed=True, return_predecessors=False)] = True
    return reached


def find_unreachable(fabric: Fabric) -> tuple[int, int, int] | None:
    """Find two endpoints without a path from the first to the second.

    Parameters
    ----------
    fabric : Fabric

    Returns
    -------
    source, target : int
        Ranks.
    count : int
        How many endpoints `source` does not reach; None in place of all three if every endpoint reaches
        every other.

    Notes
    -----
    An endpoint that does not forward is split in two, so that no path leads through it. If one node
    reaches all endpoints and is reached by all, that settles it: two searches. The nodes tried are those
    next to the first endpoint. Else every endpoint is searched from, one for each set of neighbours.

    Examples
    --------
    >>> from topo_sim.topo import circuit_switched
    >>> find_unreachable(circuit_switched(6, light_paths=[[(0, 1), (2, 3), (4, 5)]]))
    (0, 2, 4)
    """
    from scipy.sparse import csr_array

    nodes, ranks = len(fabric.kind), fabric.ranks
    if ranks < 2:
        return None
    arrival = np.arange(nodes)
    arrival[~fabric.forwards] += nodes
    size = 2 * nodes
    ends = (fabric.link_source.astype(np.int64), arrival[fabric.link_target])
    graph = csr_array((np.ones(len(ends[0]), dtype=np.int8), ends), shape=(size, size))
    leave, arrive = fabric.endpoints, arrival[fabric.endpoints]
    first = graph.indices[graph.indptr[leave[0]] : graph.indptr[leave[0] + 1]]
    hubs = [leave[0]] if fabric.endpoints_forward else sorted({int(n) for n in first if n < nodes})
    back = graph.T.tocsr()
    for hub in hubs[:64]:
        if _reached(graph, hub, size)[arrive].all() and _reached(back, hub, size)[leave].all():
            return None
    return _search_all(graph, back, leave, arrive)


def _search_all(
    graph: Any, back: Any, leave: NDArray[Any], arrive: NDArray[Any]
) -> tuple[int, int, int] | None:
    """Search from each endpoint, but only once for all that have the same neighbours."""
    seen: dict[bytes, NDArray[np.bool_]] = {}
    for rank, node in enumerate(leave.tolist()):
        key = np.sort(graph.indices[graph.indptr[node] : graph.indptr[node + 1]]).tobytes()
        if key not in seen:
            reached = _reached(graph, node, graph.shape[0])
            before = back.indices[back.indptr[node] : back.indptr[node + 1]]
            reached[node] = reached[before].any()  # from the neighbours, not as the start
            seen = {key: reached} if len(seen) > 64 else seen | {key: reached}
        missed = ~seen[key][arrive]
        missed[rank] = False
        if missed.any():
            return rank, int(np.argmax(missed)), int(np.count_nonzero(missed))
    return None
