"""What no routing can beat: volume, cuts, and the longest matching."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topo_sim.topo.demands import Demand
from topo_sim.topo.demands.patterns import attachment
from topo_sim.topo.distances import node_hops
from topo_sim.topo.fabric import GPU, Fabric
from topo_sim.topo.structure import Clos, Grid, Lattice
from topo_sim.topo.throughput.symmetry import cayley

__all__ = ["Bounds", "throughput_bounds", "worst_case_bound"]

MATCH_UP_TO = 4096
SITES_UP_TO = 8192
CAPACITIES_UP_TO = 32


@dataclass(frozen=True)
class Bounds:
    """Upper bounds on a throughput, B/s per unit of demand.

    Parameters
    ----------
    volume : float
        Capacity of all links over demand times distance: every byte takes room on each hop. Infinite
        where it was not computed (more than 8,192 sites and no closed form).
    cut : float
        Least capacity over demand across the cuts tried.
    cut_name : str
        Which cut that is.
    worst_case : float
        Bound on the *worst* demand in which every endpoint sends and receives 1 (TUB); it says nothing
        of a milder one. Infinite where it was not computed (more than 4,096 edge switches).
    """

    volume: float
    cut: float
    cut_name: str
    worst_case: float

    @property
    def least(self) -> float:
        """The tighter of the two bounds that hold for the demand."""
        return min(self.volume, self.cut)

    @property
    def tight(self) -> str:
        """Which that is."""
        if not np.isfinite(self.least):
            return "none"
        return "volume" if self.volume < self.cut * (1 - 1e-9) else f"cut: {self.cut_name}"


def throughput_bounds(fabric: Fabric, demand: Demand) -> Bounds:
    """Bound the throughput of a demand, and that of the worst demand.

    Parameters
    ----------
    fabric : Fabric
    demand : Demand

    Returns
    -------
    Bounds

    Notes
    -----
    The links of endpoints that hang on one switch are left out of the volume: they are cuts.

    References
    ----------
    Singla, Godfrey, Kolla, "High throughput data center topology design", NSDI 2014 (volume);
    Jyothi et al., "Measuring and understanding throughput of network topologies", SC 2016 (cuts).

    Examples
    --------
    >>> from topo_sim.topo import torus
    >>> from topo_sim.topo.demands import make_demand
    >>> ring = torus(8, bandwidth=1.0)
    >>> bounds = throughput_bounds(ring, make_demand(ring, "all_to_all"))
    >>> round(bounds.volume, 4), bounds.cut, bounds.worst_case
    (0.875, 0.875, 0.5)
    """
    cut, name = _least_cut(fabric, demand)
    return Bounds(_volume(fabric, demand), cut, name, worst_case_bound(fabric))


def _core(fabric: Fabric) -> NDArray[np.bool_]:
    """Links that are not those of an endpoint that hangs on one switch."""
    home, node = attachment(fabric), fabric.endpoints
    hangs = np.zeros(len(fabric.kind), dtype=bool)
    hangs[node[home != node]] = True
    return ~(hangs[fabric.link_source] | hangs[fabric.link_target])


def _volume(fabric: Fabric, demand: Demand) -> float:
    capacity = float(fabric.capacity[_core(fabric)].sum())
    if isinstance(fabric.structure, Clos):
        hops, rank = 0.0, np.arange(fabric.ranks)
        for children in fabric.structure.down[:-1]:
            rank = rank // children
            hops += 2 * float(demand.leaving(rank, int(rank[-1]) + 1)[0].sum())
    elif demand.uniform and not demand.entries[2].size and cayley(fabric) is not None:
        hops = (
            demand.uniform * fabric.ranks * float(node_hops(fabric, fabric.endpoints[:1].astype(int)).sum())
        )
        hops += demand.uniform * fabric.ranks * np.count_nonzero(fabric.kind != GPU)  # out of reach: -1
    else:
        sites, group = np.unique(attachment(fabric), return_inverse=True)
        if len(sites) > SITES_UP_TO:
            return np.inf
        wanted = demand.between(group.ravel(), len(sites))
        np.fill_diagonal(wanted, 0.0)
        hops = sum(
            float(
                np.vdot(wanted[i : i + 256], np.maximum(node_hops(fabric, sites[i : i + 256])[:, sites], 0))
            )
            for i in range(0, len(sites), 256)
        )
    return capacity / float(hops) if hops > 0 else np.inf


def _partitions(fabric: Fabric) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Ways to cut the nodes into parts that may hold traffic back: a name, and a label per node."""
    nodes = np.arange(len(fabric.kind))
    yield "ports of one endpoint", nodes
    structure = fabric.structure
    if isinstance(structure, Clos):
        for level in range(1, len(structure.down)):
            label = nodes + nodes.size
            for lower in range(level + 1):
                base, count = structure.level_base[lower], structure.level_sizes[lower]
                inside = int(np.prod(structure.down[lower:level], dtype=np.int64))
                label[base : base + count] = np.arange(count) // structure.roots[lower] // inside
            yield f"uplinks of a subtree of tier {level}", label
        return
    if isinstance(structure, (Grid, Lattice)):
        stride = 1
        for axis, k in enumerate(structure.dims):
            yield f"half cut across axis {axis}", (nodes // stride % k < k // 2).astype(np.int64)
            stride *= k
        return
    yield "links of a switch and its endpoints", _around_switches(fabric)
    for capacity in np.unique(fabric.capacity)[:-1][:CAPACITIES_UP_TO]:
        yield "links between groups joined faster inside", _faster_than(fabric, float(capacity))
    half = np.zeros(len(nodes), dtype=np.int64)
    half[fabric.endpoints[: fabric.ranks // 2]] = 1
    for _ in range(8):
        pull = np.bincount(fabric.link_source, fabric.capacity * (half[fabric.link_target] - 0.5), len(half))
        half = np.where(fabric.kind == GPU, half, (pull >= 0).astype(np.int64))
    yield "first half of the ranks against the second", half


def _around_switches(fabric: Fabric) -> NDArray[np.int64]:
    label = np.arange(len(fabric.kind))
    label[fabric.endpoints] = attachment(fabric)
    return label


def _faster_than(fabric: Fabric, capacity: float) -> NDArray[np.int64]:
    """Components joined by links of more than a capacity."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    fast = fabric.capacity > capacity
    ends = (fabric.link_source[fast], fabric.link_target[fast])
    joined = csr_array((np.ones(len(ends[0])), ends), shape=(len(fabric.kind),) * 2)
    label: NDArray[np.int64] = connected_components(joined, directed=False)[1].astype(np.int64)
    return label


def _least_cut(fabric: Fabric, demand: Demand) -> tuple[float, str]:
    best, name = np.inf, "none"
    for title, label in _partitions(fabric):
        parts, part = np.unique(label, return_inverse=True)
        source, target = part.ravel()[fabric.link_source], part.ravel()[fabric.link_target]
        across = source != target
        crossing = demand.leaving(part.ravel()[fabric.endpoints], parts.size)
        for ends, wanted in zip((source, target), crossing, strict=True):
            room = np.bincount(ends[across], fabric.capacity[across], parts.size)
            used = wanted > demand.total * 1e-12
            found = float((room[used] / wanted[used]).min()) if used.any() else np.inf
            if found < best * (1 - 1e-9):
                best, name = found, title
    return best, name


def worst_case_bound(fabric: Fabric) -> float:
    """Bound on the throughput of the worst demand in which every endpoint sends and receives 1 (TUB).

    Parameters
    ----------
    fabric : Fabric

    Returns
    -------
    float, B/s
        Links of endpoints that hang on one switch are taken as wide enough. Infinite where there is
        nothing to match, or more than 4,096 edge switches and no closed form.

    Notes
    -----
    Capacity of the links between switches over the largest sum of distance(u, v) min(H_u, H_v) over
    matchings of edge switches, H endpoints each. On a Clos all pairs at the full height match, and where
    the fabric looks alike from everywhere all pairs at the diameter: then there is nothing to search.

    References
    ----------
    Namyar et al., "A throughput-centric view of the performance of datacenter topologies", SIGCOMM 2021.

    Examples
    --------
    >>> from topo_sim.topo import fat_tree
    >>> worst_case_bound(fat_tree(32, bandwidth=1.0))
    1.0
    """
    from scipy.optimize import linear_sum_assignment

    capacity = float(fabric.capacity[_core(fabric)].sum())
    clos = fabric.structure
    if isinstance(clos, Clos) and clos.down[-1] > 1:
        tiers = len(clos.down) - 1
        return capacity / (fabric.ranks * 2 * tiers) if tiers else np.inf
    if cayley(fabric) is not None:
        return capacity / (fabric.ranks * int(node_hops(fabric, fabric.endpoints[:1].astype(np.int64)).max()))
    sites, hosts = np.unique(attachment(fabric), return_counts=True)
    if not 1 < len(sites) <= MATCH_UP_TO:
        return np.inf
    weight = np.maximum(node_hops(fabric, sites)[:, sites], 0) * np.minimum.outer(hosts, hosts)
    rows, columns = linear_sum_assignment(weight, maximize=True)
    total = float(weight[rows, columns].sum())
    return capacity / total if total > 0 else np.inf
