"""The degree split: every share of ports for rings is tried, and the fastest is chosen."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import RoutingError, UsageError
from topo_sim.optics.codesign.matchings import discounted_matchings, hop_counts
from topo_sim.optics.codesign.routes import coin_change_paths
from topo_sim.optics.codesign.strides import check_count, ring_permutations, select_strides
from topo_sim.topo import Fabric
from topo_sim.topo.demands import Demand
from topo_sim.topo.throughput import max_concurrent_flow

__all__ = ["CoDesign", "Split", "co_design"]

MOST_RANKS = 256
MOST_PORTS = 64
LEAST, MOST = 1e-100, 1e100  # of bytes and rates: products and quotients of them stay numbers
_TIE = 1e-9
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class Split:
    """One way to split the ports of every endpoint.

    Parameters
    ----------
    strides : tuple of int
        Of the rings.
    planes : ndarray of int64, shape (ports, ranks)
        Where the circuit from each rank leads, rings first; to itself where a port is dark.
    all_reduce_time : float, s
        Ring traffic under the best splitting over all circuits; infinite where they do not join all ranks.
    rings_time : float, s
        Of the all-reduce over the rings alone; infinite without rings.
    demand_time : float, s
        Under the best splitting of flows that was found.
    demand_least : float, s
        No routing over these circuits is faster.
    routed_time : float, s
        Of the demand under coin-change routing, one way per flow, spread evenly over circuits between the
        same ranks; infinite where it has no path.
    """

    strides: tuple[int, ...]
    planes: NDArray[np.int64]
    all_reduce_time: float
    rings_time: float
    demand_time: float
    demand_least: float
    routed_time: float

    @property
    def rings(self) -> int:
        """Ports of each endpoint that rings take."""
        return len(self.strides)

    @property
    def matchings(self) -> int:
        """Ports of each endpoint that matchings take."""
        return len(self.planes) - self.rings

    @property
    def time(self) -> float:
        """All-reduce and then demand, s."""
        return self.all_reduce_time + self.demand_time

    @cached_property
    def diameter(self) -> float:
        """Most circuits on a shortest way; infinite where ranks are not joined."""
        return float(hop_counts(self.planes).max())

    def to_dict(self) -> dict[str, Any]:
        """Flat row with units in the keys.

        Returns
        -------
        dict
        """
        return {
            "ring_ports": self.rings,
            "matching_ports": self.matchings,
            "strides": " ".join(map(str, self.strides)),
            "diameter": self.diameter,
            "all_reduce_s": self.all_reduce_time,
            "all_reduce_rings_alone_s": self.rings_time,
            "demand_s": self.demand_time,
            "demand_least_s": self.demand_least,
            "demand_coin_change_s": self.routed_time,
            "time_s": self.time,
        }


@dataclass(frozen=True, eq=False)
class CoDesign:
    """All splits of one job, and what none can beat.

    Parameters
    ----------
    ranks, ports : int
    rate : float, B/s
        Of one port, per direction.
    all_reduce : float, B
    demand : Demand
        In bytes.
    splits : tuple of Split
        From no ring to rings alone.
    all_reduce_bound, demand_bound : float, s
        Least time of each phase on any circuits of so many ports.
    """

    ranks: int
    ports: int
    rate: float
    all_reduce: float
    demand: Demand
    splits: tuple[Split, ...]
    all_reduce_bound: float
    demand_bound: float

    @property
    def bound(self) -> float:
        """Least time of both phases, s."""
        return self.all_reduce_bound + self.demand_bound

    @property
    def best(self) -> Split:
        """The fastest split; among equals, to a share of 1e-9, the one with most rings."""
        least = min(split.time for split in self.splits)
        return [split for split in self.splits if split.time <= least * (1 + _TIE)][-1]

    def fabric(self, split: Split | None = None) -> Fabric:
        """Make the fabric of a split.

        Parameters
        ----------
        split : Split, optional
            Default: the best.

        Returns
        -------
        Fabric
            One circuit switch per port; links in the order of `planes`.
        """
        return circuit_fabric((split or self.best).planes, self.rate)


def circuit_fabric(planes: NDArray[np.int64], rate: float, latency: float = 500e-9) -> Fabric:
    """Make the fabric of circuits given as one permutation per circuit switch.

    Parameters
    ----------
    planes : ndarray of int64, shape (planes, ranks)
        Where the circuit from each rank leads; to itself where a port is dark.
    rate : float, B/s
    latency : float, s
        Of one light path.

    Returns
    -------
    Fabric

    Examples
    --------
    >>> circuit_fabric(np.array([[1, 2, 0], [2, 1, 0]]), 1.0).links
    5
    """
    import networkx as nx

    graph = nx.MultiGraph(name="co-design")
    names = [f"gpu{i}" for i in range(planes.shape[1])]
    graph.add_nodes_from(names, kind="gpu")
    for p, plane in enumerate(planes.tolist()):
        circuits = [(names[i], names[j]) for i, j in enumerate(plane) if i != j]
        graph.add_node(f"ocs{p}", kind="ocs", circuits=circuits)
        graph.add_edges_from(
            ((name, f"ocs{p}") for name in names), bandwidth=rate, latency=latency / 2, medium="cpo"
        )
    return Fabric.from_graph(graph, endpoints_forward=True)


def _least_demand_time(demand: Demand, ports: int, rate: float) -> float:
    """Least time of a demand on any circuits: ports of one rank, and bytes times the fewest hops."""
    matrix = demand.between(np.arange(demand.ranks), demand.ranks)
    busiest = max(float(demand.sent.max()), float(demand.received.max()))
    ordered = -np.sort(-matrix, axis=1)
    hops = np.zeros(demand.ranks)
    first, reach, hop = 0, ports, 1
    while first < demand.ranks:
        hops[first : first + reach] = hop
        first, reach, hop = first + reach, min(reach * ports, demand.ranks), hop + 1
    volume = float((ordered @ hops).sum())
    return max(busiest / (ports * rate), volume / (demand.ranks * ports * rate))


def _flow_time(fabric: Fabric, demand: Demand, gap: float) -> tuple[float, float]:
    """Time of a demand under the best splitting found, and the least that any splitting takes."""
    if demand.total == 0:
        return 0.0, 0.0
    try:
        found = max_concurrent_flow(fabric, demand, gap=gap)
    except RoutingError:
        return np.inf, np.inf
    return 1 / found.theta, 1 / found.upper


def _routed_time(split_planes: NDArray[np.int64], strides: list[int], demand: Demand, rate: float) -> float:
    """Time of a demand under coin-change routing."""
    if demand.total == 0:
        return 0.0
    source, target, amount = demand.pairs()
    try:
        paths = coin_change_paths(split_planes, strides, source, target)
    except RoutingError:
        return np.inf
    ranks = split_planes.shape[1]
    pair = np.tile(np.arange(ranks) * ranks, len(split_planes)) + split_planes.ravel()
    load = np.bincount(pair, paths.load(amount, split_planes.size))
    return float((load / np.maximum(np.bincount(pair), 1)).max()) / rate


def _evaluate(
    demand: Demand, all_reduce: float, rings: int, ports: int, rate: float, gap: float, discount: float
) -> Split:
    ranks = demand.ranks
    strides = select_strides(ranks, rings)
    matrix = demand.between(np.arange(ranks), ranks)
    own = ring_permutations(ranks, strides)
    planes = np.vstack([own, discounted_matchings(matrix, ports - rings, own, discount)])
    fabric = circuit_fabric(planes, rate)
    around = 2 * (ranks - 1) / ranks * all_reduce
    alone = around / (rings * rate) if rings else np.inf if around else 0.0
    turns = own if rings else ring_permutations(ranks, [1])
    source, each = np.tile(np.arange(ranks), len(turns)), around / len(turns)
    spread, _ = _flow_time(fabric, Demand(ranks, source, turns.ravel(), each), gap)
    time, least = _flow_time(fabric, demand, gap)
    routed = _routed_time(planes, strides, demand, rate)
    return Split(tuple(strides), planes, min(alone, spread), alone, time, least, routed)


def co_design(
    demand: Demand,
    all_reduce: float,
    ports: int,
    rate: float,
    *,
    gap: float = 0.01,
    discount: float = 0.5,
    progress: Progress | None = None,
) -> CoDesign:
    """Choose the circuits of a job: how many rings for its all-reduce, which matchings for its demand.

    Parameters
    ----------
    demand : Demand
        Bytes between ranks, besides the all-reduce; 2 to 256 ranks.
    all_reduce : float, B
        That all ranks reduce, 0 or more.
    ports : int
        Of each endpoint, 1 to 64: a circuit out and a circuit in each.
    rate : float, B/s
        Of one port, per direction.
    gap : float
        Proven gap of the throughput where it is not solved exactly.
    discount : float
        As in `discounted_matchings`.
    progress : callable, optional
        Called as ``progress(done, total, what)``.

    Returns
    -------
    CoDesign

    Raises
    ------
    UsageError
        If a number is out of range.

    Notes
    -----
    Every split from 0 rings to rings alone is built and timed, so the best is never worse than either end.
    The all-reduce runs over all rings at once: each rank passes 2 (n - 1) / n of its bytes on, shared by the
    rings (one from rank to next rank where there is none). The demand follows it. Either may use all
    circuits and split without limit (`max_concurrent_flow`); the time of the all-reduce over the rings
    alone, and of the demand under coin-change routing, stand beside. Latencies and the time to set circuits
    are left out.

    References
    ----------
    Wang et al., "TopoOpt: co-optimizing network topology and parallelization strategy for distributed
    training jobs", NSDI 2023.

    Examples
    --------
    As much in an all-reduce as from each rank to the one across; matchings alone leave ranks apart:

    >>> rank = np.arange(8)
    >>> job = Demand(8, rank, (rank + 4) % 8, 1e9)
    >>> found = co_design(job, 1e9, 3, 1e9)
    >>> found.best.rings, [round(split.time, 3) for split in found.splits]
    (2, [inf, 2.194, 1.375, 1.383])
    """
    if not isinstance(demand, Demand):
        raise UsageError(f"demand: found {type(demand).__name__}, expected a Demand")
    check_count("ranks", demand.ranks, 2, MOST_RANKS)
    count = check_count("ports", ports, 1, MOST_PORTS)
    for name, value, zero in (("all_reduce", all_reduce, True), ("rate", rate, False)):
        number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        if not number or not (LEAST <= value <= MOST or (zero and value == 0)):
            least = "0, or a number" if zero else "a number"
            raise UsageError(f"{name}: found {value!r}, expected {least} from {LEAST:g} to {MOST:g}")
    amount = demand.pairs()[2]
    amount = amount[amount > 0]
    if amount.size and (amount.min() < LEAST or amount.max() > MOST):
        raise UsageError(
            f"demand: found {amount.min():g} to {amount.max():g} B between two ranks, expected "
            f"{LEAST:g} to {MOST:g} B"
        )
    splits = []
    for rings in range(count + 1):
        splits.append(_evaluate(demand, float(all_reduce), rings, count, float(rate), gap, discount))
        if progress is not None:
            progress(rings + 1, count + 1, "splits of the ports")
    reduced = 2 * (demand.ranks - 1) / demand.ranks * all_reduce / (count * rate)
    return CoDesign(
        demand.ranks,
        count,
        float(rate),
        float(all_reduce),
        demand,
        tuple(splits),
        float(reduced),
        _least_demand_time(demand, count, rate),
    )
