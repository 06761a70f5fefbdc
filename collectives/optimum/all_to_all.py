"""The all-to-all optimum: closed forms on grids and trees, else the concurrent flow."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.optimum.cuts import gather_rate
from topo_sim.collectives.optimum.network import Network, exact_capacity, make_network
from topo_sim.topo import Fabric, max_concurrent_flow
from topo_sim.topo.demands.patterns import attachment
from topo_sim.topo.distances import hop_sum
from topo_sim.topo.structure import Clos, Grid

__all__ = ["all_to_all_rate"]

ROUNDING = Fraction(1, 10**9)
FULL = 1 - 1e-7
CUTS_UP_TO = 2_000_000
DISTANCE_UP_TO = 1024


def all_to_all_rate(fabric: Fabric, ranks: int) -> tuple[Fraction, Fraction, str]:
    """Largest algbw of all-to-all: what each rank holds over the time.

    Parameters
    ----------
    fabric : Fabric
    ranks : int
        The first so many endpoints, 2 or more.

    Returns
    -------
    lower, upper : Fraction, B/s
        Equal where there is a closed form, or where a flow reaches an exact bound to 1e-9; else set apart by
        what rounding may have taken (1e-9) as well.
    method : str

    Notes
    -----
    Grid: the half cut across each axis is filled by dimension-order routing with ties split evenly, so the
    least of them is the optimum. Clos: the cuts round subtrees are filled by even splitting. Both need the
    capacities to be equal along an axis, or within a tier. Elsewhere a flow is the lower end, and the upper
    end the least of what its prices prove and of bounds in fractions: ports, the least cuts of an all-gather,
    the cuts of links that the flow fills, and all links over the distances. Where the flow comes within 1e-9
    of such a bound, that bound is returned as the number: what misses is rounding.

    References
    ----------
    Basu et al., "Efficient all-to-all collective communication schedules for direct-connect topologies",
    HPDC 2024.

    Examples
    --------
    >>> from topo_sim.topo import torus
    >>> all_to_all_rate(torus((4, 4), bandwidth=1.0), 16)
    (Fraction(2, 1), Fraction(2, 1), 'closed form: half cuts of a grid')
    """
    if ranks == fabric.ranks:
        for closed, name in ((_grid, "half cuts of a grid"), (_clos, "uplinks of the subtrees of a Clos")):
            found = closed(fabric)
            if found is not None:
                return found, found, f"closed form: {name}"
    relaying = _relaying(fabric, ranks)
    flow = max_concurrent_flow(relaying)
    scale = Fraction(ranks, ranks - 1)
    names = {"lp": "linear program", "fptas": "approximation to a proven gap", "symmetry": "one source"}
    how = f"concurrent flow, {names.get(flow.method, flow.method)}"
    lower, upper = (
        Fraction(flow.lower) * scale * (1 - ROUNDING),
        Fraction(flow.upper) * scale * (1 + ROUNDING),
    )
    bound, reason = _exact_bound(relaying, ranks, flow.utilisation < FULL)
    if bound <= upper and lower >= bound * (1 - 2 * ROUNDING):
        return bound, bound, f"{reason}; reached to 1e-9 by {how}"
    return min(lower, bound), min(upper, bound), f"{how}, gap {max(flow.gap, 0.0):.1g}"


def _exact_bound(fabric: Fabric, ranks: int, loose: NDArray[np.bool_]) -> tuple[Fraction, str]:
    """Least of the bounds that are quick to have in fractions, B/s; `loose` links have room in a flow."""
    network = make_network(fabric, ranks)
    out, into = (np.zeros(network.nodes, dtype=object) for _ in range(2))
    np.add.at(out, network.source, network.amount)
    np.add.at(into, network.target, network.amount)
    port = min(int(min(out[:ranks])), int(min(into[:ranks])))
    bounds = [(Fraction(ranks * port, ranks - 1), "ports of one rank")]
    if ranks * (len(network.source) + ranks) <= CUTS_UP_TO:
        cuts = [
            ("least cut of an all-gather", gather_rate(way).inside) for way in (network, network.reversed)
        ]
        cuts += [("a cut of full links", inside) for inside in _behind_full_links(fabric, network, loose)]
        bounds += [(_across(network, inside), name) for name, inside in cuts]
    if ranks <= DISTANCE_UP_TO:
        hops = round(hop_sum(fabric, ranks))
        bounds.append((Fraction(ranks * int(sum(network.amount.tolist())), hops), "all links at once"))
    rate, reason = min(bounds, key=lambda item: item[0])
    return rate * network.unit, reason


def _behind_full_links(
    fabric: Fabric, network: Network, loose: NDArray[np.bool_]
) -> Iterator[NDArray[np.bool_]]:
    """Find what each rank reaches over links that a flow leaves room on, unless that is all ranks."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order

    size = len(fabric.kind)
    ends = (fabric.link_source[loose], fabric.link_target[loose])
    graph = csr_array((np.ones(len(ends[0])), ends), shape=(size, size))
    for rank in range(network.ranks):
        inside = np.zeros(size, dtype=np.bool_)
        inside[breadth_first_order(graph, network.node[rank], return_predecessors=False)] = True
        if not inside[network.node[: network.ranks]].all():
            yield inside[network.node]


def _across(network: Network, inside: NDArray[np.bool_]) -> Fraction:
    """Bound the rate by the links between a set and the rest, units/s."""
    within = int(inside[: network.ranks].sum())
    room = min(network.leaving(inside), network.leaving(~inside))
    return Fraction(room * network.ranks, within * (network.ranks - within))


def _relaying(fabric: Fabric, ranks: int) -> Fabric:
    """Take the fabric of the first so many endpoints, where these may pass on what they received."""
    node = fabric.endpoints
    if ranks == fabric.ranks and (fabric.endpoints_forward or not np.any(attachment(fabric) == node)):
        return fabric
    passes = fabric.forwards.copy()
    passes[node[:ranks]] = True
    links = passes[fabric.link_source] & passes[fabric.link_target]
    kept = {
        name: getattr(fabric, name)[links]
        for name in ("link_source", "link_target", "capacity", "latency", "medium")
    }
    return replace(fabric, endpoints=node[:ranks], structure=None, endpoints_forward=True, **kept)


def _alike(amount: NDArray[np.object_]) -> int:
    """Find the value that all have, 0 if they differ."""
    return int(amount[0]) if amount.size and bool(np.all(amount == amount[0])) else 0


def _grid(fabric: Fabric) -> Fraction | None:
    grid = fabric.structure
    if not isinstance(grid, Grid) or fabric.links != 2 * sum(grid.cables):
        return None
    amount, unit = exact_capacity(fabric)
    rates = []
    for k, ring, base, cables in zip(grid.dims, grid.rings, grid.cable_base, grid.cables, strict=True):
        if k < 2:
            continue
        each = _alike(amount[2 * base : 2 * (base + cables)])
        if not each:
            return None
        # Pairs on either side of the middle of a line, over the cables that cross it there.
        rates.append(each * unit * Fraction((2 if ring else 1) * k, (k // 2) * (k - k // 2)))
    return min(rates, default=None)


def _clos(fabric: Fabric) -> Fraction | None:
    clos = fabric.structure
    if not isinstance(clos, Clos) or fabric.links != 2 * sum(clos.cables):
        return None
    amount, unit = exact_capacity(fabric)
    rates = []
    for level, size in enumerate(clos.level_sizes[:-1]):
        subtrees = size // clos.roots[level]
        if subtrees < 2:
            continue
        first, cables = 2 * clos.cable_base[level], clos.cables[level]
        each = _alike(amount[first : first + 2 * cables])
        if not each:
            return None
        inside = fabric.ranks // subtrees
        leaves = Fraction(inside * (fabric.ranks - inside), fabric.ranks)
        rates.append(each * unit * (cables // subtrees) / leaves)
    return min(rates, default=None)
