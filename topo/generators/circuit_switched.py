"""Endpoints with optical ports on circuit-switch planes, under one configuration of light paths."""

import dataclasses
from collections.abc import Sequence
from math import gcd
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import FaultsError, Rate, Time
from topo_sim.topo.fabric import GPU, OCS, Fabric
from topo_sim.topo.generators.common import (
    Cables,
    Parts,
    as_tuple,
    assemble,
    check_size,
    generator,
    is_count,
    port_rate,
    read,
    require,
)

__all__ = ["circuit_switched", "fabric_of_circuits"]

Pairs = Sequence[Sequence[int]]
MOST_RANDOM_PORTS = 1_000_000


def ring_strides(endpoints: int, count: int) -> list[int]:
    """Choose `count` ring strides, coprime to the number of endpoints and nearly geometric.

    Notes
    -----
    A stride and its complement make the same ring, so strides lie in [1, endpoints/2]. Geometric
    spacing keeps the diameter low. Where there are fewer strides than asked for, they repeat.

    References
    ----------
    Wang et al., "TopoOpt", NSDI 2023 (TotientPerms, SelectPermutations).

    Examples
    --------
    >>> ring_strides(256, 4)
    [1, 3, 11, 39]
    """
    strides = np.arange(1, max(endpoints // 2, 1) + 1)
    coprime = strides[np.gcd(strides, endpoints) == 1]
    ratio = max(endpoints / 2, 1.0) ** (1 / count)
    chosen: list[int] = []
    for i in range(count):
        free = np.setdiff1d(coprime, chosen)
        pool = free if free.size else coprime
        chosen.append(int(pool[np.argmin(np.abs(np.log(pool) - i * np.log(ratio)))]))
    return sorted(chosen)


def _rings(endpoints: int, ports: int, strides: Sequence[int] | None) -> list[NDArray[np.int64]]:
    """One permutation per plane: planes 2i and 2i+1 are the two directions of ring i."""
    count = (ports + 1) // 2
    chosen = ring_strides(endpoints, count) if strides is None else list(as_tuple("strides", strides))
    require(
        (len(chosen) == count, f"strides: found {len(chosen)} values, expected {count} for {ports} ports"),
        *(
            (
                is_count(s) and gcd(s, endpoints) == 1,
                f"strides: found {s!r}, expected integers coprime to {endpoints}",
            )
            for s in chosen
        ),
    )
    rank = np.arange(endpoints)
    return [(rank + (chosen[p // 2] if p % 2 == 0 else -chosen[p // 2])) % endpoints for p in range(ports)]


def _check_lists(light_paths: object) -> None:
    """Refuse what is no list of lists of pairs."""

    def is_list(value: object) -> bool:
        return isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str)

    planes: list[Any] = list(light_paths) if isinstance(light_paths, Sequence) else [None]
    good = all(is_list(pairs) and all(is_list(pair) for pair in pairs) for pairs in planes)
    require((good, f"light_paths: found {light_paths!r}, expected a list of matchings, each a list of pairs"))


def _matchings(endpoints: int, matchings: Sequence[Pairs]) -> list[NDArray[np.int64]]:
    """One involution per plane from lists of pairs; unmatched endpoints map to themselves."""
    faults: list[tuple[bool, str]] = []
    planes = []
    for i, pairs in enumerate(matchings):
        plane = np.arange(endpoints)
        for j, pair in enumerate(pairs):
            place = f"light_paths[{i}][{j}]"
            if (
                len(pair) != 2
                or not all(is_count(e, 0) and e < endpoints for e in pair)
                or pair[0] == pair[1]
            ):
                faults.append(
                    (False, f"{place}: found {pair!r}, expected two different ranks below {endpoints}")
                )
                continue
            a, b = int(pair[0]), int(pair[1])
            if plane[a] != a or plane[b] != b:
                end = a if plane[a] != a else b
                faults.append(
                    (False, f"{place}: endpoint {end} uses its port twice, expected once per matching")
                )
            plane[a], plane[b] = b, a
        planes.append(plane)
    require(*faults)
    return planes


def _draw_regular(endpoints: int, ports: int, seed: int) -> Any:
    """Draw a connected random regular graph; a dense one as the complement of a sparse one."""
    import networkx as nx

    dense = ports > endpoints // 2
    for attempt in range(100):
        degree = endpoints - 1 - ports if dense else ports
        graph = nx.random_regular_graph(degree, endpoints, seed=seed + 1_000_003 * attempt)
        graph = nx.complement(graph) if dense else graph
        if ports == 1 or nx.is_connected(graph):
            return graph
    raise FaultsError([f"ports: found {ports}, which joins {endpoints} endpoints in none of 100 draws"])


def _random_regular(endpoints: int, ports: int, seed: int) -> list[NDArray[np.int64]]:
    """Split a random regular graph into one permutation per plane (König: it always splits)."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    require(
        (ports < endpoints, f"ports: found {ports}, expected fewer than the {endpoints} endpoints"),
        (ports * endpoints % 2 == 0, f"ports: found {ports}, expected an even number as endpoints is odd"),
        (
            ports * endpoints <= MOST_RANDOM_PORTS,
            f"ports: found {ports * endpoints:,} in all, expected at most {MOST_RANDOM_PORTS:,}",
        ),
    )
    graph = _draw_regular(endpoints, ports, seed)
    left = np.array([end for u, v in graph.edges for end in ((u, v), (v, u))], dtype=np.int64).reshape(-1, 2)
    open_pairs = csr_array((np.ones(len(left)), (left[:, 0], left[:, 1])), shape=(endpoints, endpoints))
    planes = []
    for _ in range(ports):
        plane = maximum_bipartite_matching(open_pairs, perm_type="column").astype(np.int64)
        open_pairs[np.arange(endpoints), plane] = 0
        open_pairs.eliminate_zeros()
        planes.append(plane)
    return planes


def _graph(
    planes: list[NDArray[np.int64]], rates: list[float], delay: float, medium: str, fabric: Fabric
) -> Any:
    import networkx as nx

    endpoints = fabric.ranks
    graph = nx.MultiGraph(name=fabric.name)
    graph.add_nodes_from((f"gpu{i}" for i in range(endpoints)), kind="gpu")
    for p, (plane, rate) in enumerate(zip(planes, rates, strict=True)):
        circuits = [(f"gpu{i}", f"gpu{j}") for i, j in enumerate(plane.tolist()) if i != j]
        graph.add_node(f"ocs{p}", kind="ocs", circuits=circuits)
        graph.add_edges_from(
            ((f"gpu{i}", f"ocs{p}") for i in range(endpoints)),
            bandwidth=rate,
            latency=delay / 2,
            medium=medium,
        )
    return graph


def _parts(planes: list[NDArray[np.int64]], rates: list[float], delay: float, medium: str) -> Parts:
    """Put circuit switches between endpoints; an endpoint that a plane maps to itself is dark on it."""
    ports, endpoints = len(planes), len(planes[0])
    ends = [np.flatnonzero(plane != np.arange(endpoints)) for plane in planes]
    return Parts(
        kind=np.repeat(np.array([GPU, OCS], dtype=np.int8), [endpoints, ports]),
        links=[
            Cables(e.astype(np.int32), plane[e].astype(np.int32), rate, delay, medium)
            for plane, rate, e in zip(planes, rates, ends, strict=True)
        ],
        names=lambda: [*(f"gpu{i}" for i in range(endpoints)), *(f"ocs{p}" for p in range(ports))],
        directed=True,
        cables=endpoints * ports,
        make_graph=lambda fabric: _graph(planes, rates, delay, medium, fabric),
        endpoints_forward=True,
    )


def fabric_of_circuits(
    targets: NDArray[np.integer[Any]], rates: NDArray[np.float64], latency: float, medium: str, name: str
) -> Fabric:
    """Make the fabric of one configuration of circuit-switch planes.

    Parameters
    ----------
    targets : ndarray of int, shape (planes, endpoints)
        Whom each endpoint sends to on each plane; -1: nobody. Each row a partial permutation.
    rates : ndarray of float64, shape (planes,), B/s
    latency : float, s
        Of a light path, endpoint to endpoint.
    medium : str
    name : str

    Returns
    -------
    Fabric
        As of `circuit_switched`.

    Examples
    --------
    >>> fabric_of_circuits(np.array([[1, 2, -1]]), np.array([1e9]), 0.0, "cpo", "line")
    <Fabric line: 3 endpoints, 0 switches, 1 circuit switches, 3 cables>
    """
    rank = np.arange(targets.shape[1])
    planes = [np.where(row < 0, rank, row).astype(np.int64) for row in targets]
    made = assemble(_parts(planes, rates.tolist(), latency, medium), "graph", {})
    return dataclasses.replace(made, name=name)


@generator("circuit_switched")
def circuit_switched(
    endpoints: int = 16,
    ports: int = 4,
    *,
    light_paths: Literal["rings", "random_regular"] | Sequence[Pairs] = "rings",
    strides: Sequence[int] | None = None,
    seed: int = 0,
    bandwidth: Rate = "50 GB/s",
    endpoint_bandwidth: Rate | None = None,
    latency: Time = "500 ns",
    medium: str = "cpo",
) -> Parts:
    """Flat circuit-switched fabric: port j of every endpoint on circuit switch j.

    Parameters
    ----------
    endpoints : int
        Number of endpoints.
    ports : int
        Optical ports per endpoint, one per circuit-switch plane.
    light_paths : {"rings", "random_regular"} or sequence of matchings
        The configuration. "rings": planes 2i and 2i+1 are the two directions of a ring through all
        endpoints. "random_regular": a random graph of degree `ports`. Or one matching per plane, a list
        of pairs of ranks joined both ways; `ports` is then their number.
    strides : sequence of int, optional
        For rings: the step of each, coprime to `endpoints`. Default: nearly geometric from 1 up.
    seed : int
        For a random regular graph.
    bandwidth : float or str, B/s
        Of one port, per direction.
    endpoint_bandwidth : float or str, B/s, optional
        Of all ports of an endpoint together; replaces `bandwidth`.
    latency : float or str, s
        Of one light path, endpoint to endpoint.
    medium : str
        What the fibres are made of.

    Returns
    -------
    Fabric
        Its links are the light paths; its graph holds the circuit switches, the fibres and the circuits.

    Notes
    -----
    An endpoint forwards other endpoints' traffic, since the configuration does not change here.

    Examples
    --------
    >>> circuit_switched(16, 4)
    <Fabric circuit_switched(endpoints=16, ports=4): 16 endpoints, 0 switches, 4 circuit switches, 64 cables>
    """
    listed = not isinstance(light_paths, str)
    if listed:
        _check_lists(light_paths)
        ports = len(light_paths)
    require(
        (is_count(endpoints, 2), f"endpoints: found {endpoints!r}, expected an integer of at least 2"),
        (is_count(ports), f"ports: found {ports!r}, expected an integer of at least 1"),
        (
            listed or light_paths in ("rings", "random_regular"),
            f'light_paths: found {light_paths!r}, expected "rings", "random_regular" or a list of matchings',
        ),
        (is_count(seed, 0), f"seed: found {seed!r}, expected an integer of at least 0"),
    )
    check_size(endpoints * ports, endpoints)
    if not isinstance(light_paths, str):
        planes = _matchings(endpoints, light_paths)
    elif light_paths == "rings":
        planes = _rings(endpoints, ports, strides)
    else:
        planes = _random_regular(int(endpoints), int(ports), int(seed))
    rate, delay = port_rate(bandwidth, endpoint_bandwidth, ports), read("latency", latency)
    return _parts(planes, [rate] * len(planes), delay, medium)
