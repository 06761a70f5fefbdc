"""How ranks sit in a fabric: which share a machine, how fast they talk inside it and out of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra, maximum_flow

from topo_sim.base import CollectiveError
from topo_sim.topo import Fabric

__all__ = ["GENERATIONS", "Layout", "layout_of"]

GENERATIONS = {"volta": 150e9, "ampere": 300e9, "hopper": 450e9, "blackwell": 900e9}
"""NVLink generations, and what one GPU of each sends over NVLink per direction, B/s."""

_SLOWEST_NVLINK = 64e9
_UNIT = 1e6  # flows are counted in whole MB/s


@dataclass(frozen=True)
class Layout:
    """The machines that a group of ranks sits in, as a communication library sees them.

    Parameters
    ----------
    ranks : int
    nodes : int
        Machines: sets of ranks joined by the links that are fast for them.
    per_node : int
        Ranks in the fullest of them.
    local_rate : float, B/s
        What a rank sends inside its machine, per direction; 0 if it is alone there.
    node_rate : float, B/s
        What the ranks of a machine together send out of it; 0 if there is one machine.
    ports : int
        Network ports of a machine.
    near, far : float, s
        Latency of the links from a rank to another one of its machine, and of another machine.
    switched : bool
        Whether switches join the ranks of a machine.
    """

    ranks: int
    nodes: int
    per_node: int
    local_rate: float
    node_rate: float
    ports: int
    near: float
    far: float
    switched: bool

    @property
    def generation(self) -> str:
        """The NVLink generation whose rate is nearest, or "pcie" where no NVLink is so slow."""
        if 0 < self.local_rate < _SLOWEST_NVLINK:
            return "pcie"
        rate = self.local_rate or GENERATIONS["hopper"]
        return min(GENERATIONS, key=lambda name: abs(float(np.log(GENERATIONS[name] / rate))))


def _is_inside(fabric: Fabric) -> NDArray[np.bool_]:
    """Which links belong to the fast tier: the medium that carries most, or the widest bundles."""
    source, medium = fabric.link_source, fabric.medium.astype(np.int64)
    kinds = len(fabric.media)
    out = np.zeros((len(fabric.kind), kinds))
    np.add.at(out, (source, medium), fabric.capacity)
    mine = out[fabric.endpoints]
    if np.count_nonzero(mine.any(axis=0)) > 1:
        found: NDArray[np.bool_] = medium == int(mine.sum(axis=0).argmax())
        return found
    pair = source.astype(np.int64) * len(fabric.kind) + fabric.link_target
    _, which = np.unique(pair, return_inverse=True)
    bundle = np.bincount(which, weights=fabric.capacity)[which]
    ends = np.isin(source, fabric.endpoints)
    widest = bundle[ends].max(initial=0.0)
    slow = ends & (bundle <= widest / 2)
    return bundle > widest / 2 if slow.any() else np.ones(fabric.links, dtype=np.bool_)


def _machines(fabric: Fabric, inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Label of the machine of every rank."""
    count = len(fabric.kind)
    is_endpoint = np.zeros(count, dtype=np.bool_)
    is_endpoint[fabric.endpoints] = True
    source, target = fabric.link_source, fabric.link_target
    outer = np.zeros(count, dtype=np.bool_)  # switches that any endpoint reaches by a slow link
    outer[target[~inside & is_endpoint[source]]] = True
    use = inside & (is_endpoint[source] | is_endpoint[target] | ~(outer[source] | outer[target]))
    graph = csr_array((np.ones(int(use.sum())), (source[use], target[use])), shape=(count, count))
    _, label = connected_components(graph, directed=False)
    found: NDArray[np.int64] = label[fabric.endpoints].astype(np.int64)
    return found


def _egress(fabric: Fabric, members: NDArray[np.int64], others: NDArray[np.int64]) -> float:
    """Largest flow out of a set of endpoints into other ones, B/s."""
    count = len(fabric.kind)
    source = np.concatenate([fabric.link_source, np.full(len(members), count), others])
    target = np.concatenate([fabric.link_target, members, np.full(len(others), count + 1)])
    flow = np.concatenate([fabric.capacity / _UNIT, np.full(len(members) + len(others), 2.0**30)])
    whole = csr_array((np.round(flow), (source, target)), shape=(count + 2, count + 2))
    whole.sum_duplicates()
    whole.data = np.minimum(whole.data, 2**30)
    return float(maximum_flow(whole.astype(np.int32), count, count + 1).flow_value) * _UNIT


def _latency(fabric: Fabric, source: int, target: int) -> float:
    """Least latency of the links between two nodes, s."""
    count = len(fabric.kind)
    order = np.lexsort((-fabric.latency, fabric.link_target, fabric.link_source))
    pair = fabric.link_source[order].astype(np.int64) * count + fabric.link_target[order]
    last = np.append(pair[1:] != pair[:-1], True)  # the quickest of parallel links
    kept = order[last]
    weight = np.maximum(fabric.latency[kept], 1e-15)
    graph = csr_array((weight, (fabric.link_source[kept], fabric.link_target[kept])), shape=(count, count))
    return float(dijkstra(graph, indices=np.array([source]))[0, target])


def layout_of(fabric: Fabric, ranks: int | None = None, per_node: int | None = None) -> Layout:
    """Find the machines of the first ranks of a fabric.

    Parameters
    ----------
    fabric : Fabric
    ranks : int, optional
        The first so many. Default: all.
    per_node : int, optional
        Cut the ranks into blocks of this many instead of looking for machines.

    Returns
    -------
    Layout

    Raises
    ------
    CollectiveError
        If there are not so many ranks, they do not fill machines of `per_node`, or a rank has no way out
        of its machine.

    Notes
    -----
    The links inside machines are those of the medium that carries most out of the endpoints; where there
    is one medium, bundles of more than half the widest. The rate out of a machine is a maximum flow.

    Examples
    --------
    >>> from topo_sim.topo.files import load_fabric
    >>> polaris = layout_of(load_fabric("polaris-8"))
    >>> polaris.nodes, polaris.per_node, polaris.local_rate, polaris.node_rate, polaris.ports
    (2, 4, 300000000000.0, 50000000000.0, 2)
    """
    p = fabric.ranks if ranks is None else ranks
    for found, what in ((p, "ranks"), (per_node, "ranks per node")):
        whole = isinstance(found, (int, np.integer)) and not isinstance(found, bool)
        if found is not None and not (whole and 1 <= found <= fabric.ranks):
            raise CollectiveError(
                f"{what}: found {found}, {fabric.name} has {fabric.ranks} endpoints, expected 1 to that"
            )
    if per_node is not None and p > per_node and p % per_node:
        raise CollectiveError(f"ranks per node: found {per_node}, expected a divisor of the {p} ranks")
    inside = _is_inside(fabric)
    label = _machines(fabric, inside) if per_node is None else np.arange(fabric.ranks) // per_node
    mine = label[:p]
    _, seats = np.unique(mine, return_counts=True)
    ends, first = fabric.endpoints.astype(np.int64), fabric.endpoints[0]
    leaves_first = fabric.link_source == first
    fellows, others = ends[:p][mine == mine[0]], ends[:p][mine != mine[0]]
    local = float(fabric.capacity[leaves_first & inside].sum()) if len(fellows) > 1 else 0.0
    rate, ports, far = 0.0, 0, 0.0
    if len(others):
        rate = _egress(fabric, fellows, others)
        if rate <= 0:
            raise CollectiveError(f"{fabric.name}: found no way out of the machine of rank 0, expected one")
        out = leaves_first & (~inside if (leaves_first & ~inside).any() else inside)
        ports = max(1, round(rate / float(fabric.capacity[out].min())))
        far = _latency(fabric, int(first), int(others[0]))
    return Layout(
        ranks=p,
        nodes=len(seats),
        per_node=int(seats.max()),
        local_rate=local,
        node_rate=rate,
        ports=ports,
        near=_latency(fabric, int(first), int(fellows[1])) if len(fellows) > 1 else 0.0,
        far=far,
        switched=bool(np.any(fabric.kind[fabric.link_target[leaves_first & inside]] != 0)),
    )
