"""The front door: the exact optimum of a collective on a fabric."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise

import numpy as np

from topo_sim.base import CollectiveError, RoutingError, UsageError
from topo_sim.collectives.collective import COLLECTIVES, Collective
from topo_sim.collectives.optimum.all_to_all import all_to_all_rate
from topo_sim.collectives.optimum.cuts import Cut, broadcast_rate, gather_rate
from topo_sim.collectives.optimum.network import Network, exact_capacity, make_network
from topo_sim.collectives.optimum.result import BindingCut, Optimum
from topo_sim.collectives.optimum.trimming import balanced_part
from topo_sim.topo import Fabric
from topo_sim.topo.structure import Clos
from topo_sim.topo.throughput.symmetry import cayley

__all__ = ["WORK", "find_optimum", "optimum", "sinks_that_matter"]

KNOWN = ("all_gather", "all_reduce", "all_to_all", "broadcast", "reduce", "reduce_scatter")
"""Collectives with a formula or a program for their optimum."""

WORK = 20_000_000
ROUNDING = Fraction(1, 10**12)
ENDPOINTS = "only ranks store, copy and combine; switches forward"
COMPOSED = (
    f"{ENDPOINTS}; a reduce-scatter and then an all-gather, each at its optimum "
    "(other ways to all-reduce may be faster where links are unequal)"
)


def optimum(collective: Collective | str, fabric: Fabric, ranks: int | None = None) -> Fraction:
    """Find the largest algbw of a collective, for large sizes, over all schedules.

    Parameters
    ----------
    collective : Collective or str
    fabric : Fabric
    ranks : int, optional
        The first so many endpoints take part. Default: all.

    Returns
    -------
    Fraction, B/s

    Raises
    ------
    CollectiveError
        If only an interval is known (`find_optimum` gives it), or there is no optimum of this collective.
    RoutingError
        If a rank cannot be reached.
    UsageError
        If there are not so many ranks, or fewer than 2.

    Examples
    --------
    Two servers of 8 GPUs, 300 GB/s each inside and 25 GB/s each between: 1040 / 3 GB/s.

    >>> from topo_sim.topo import grouped
    >>> servers = grouped(
    ...     2, 8, inside={"generator": "single_switch", "bandwidth": "300 GB/s"},
    ...     between={"generator": "single_switch", "bandwidth": "25 GB/s"})
    >>> optimum("all_gather", servers) / 10**9, optimum("all_reduce", servers) / 10**9
    (Fraction(1040, 3), Fraction(520, 3))
    """
    return find_optimum(collective, fabric, ranks).algbw


def find_optimum(collective: Collective | str, fabric: Fabric, ranks: int | None = None) -> Optimum:
    """Find the largest algbw of a collective, with the cut that holds it.

    Parameters
    ----------
    collective, fabric, ranks
        As in `optimum`.

    Returns
    -------
    Optimum
        An interval where a switch can receive more than it can send, or less (then copying matters), where
        the fabric is too large, and for all-to-all without a closed form.

    Raises
    ------
    CollectiveError, RoutingError, UsageError
        As `optimum` does.

    Notes
    -----
    Capacities are read as the exact fractions that they are. Latency plays no part: this is what large
    sizes tend to. Up to ranks * arcs = 2e7 every rank is looked at; fabrics that look alike from every
    endpoint need one. On others the least of the cuts found from some ranks and of the structural bound is
    given, as an upper end.

    Examples
    --------
    >>> from topo_sim.topo import torus
    >>> found = find_optimum("all_gather", torus((4, 4), bandwidth=1.0))
    >>> found.algbw, found.cuts[0].ranks_inside
    (Fraction(64, 15), 15)
    """
    collective = COLLECTIVES[collective] if isinstance(collective, str) else collective
    p = fabric.ranks if ranks is None else ranks
    if isinstance(p, bool) or not isinstance(p, (int, np.integer)) or not 1 <= p <= fabric.ranks:
        raise UsageError(f"ranks: found {p!r}, expected an integer from 1 to {fabric.ranks}")
    p, name = int(p), collective.name
    if p < 2:
        raise UsageError(f"{fabric.name}: one rank sends nothing, expected 2 or more for an optimum")
    if name == "all_to_all":
        lower, upper, method = all_to_all_rate(fabric, p)
        return Optimum(name, fabric.name, p, lower, upper, method, "flows split without limit; ranks relay")
    network = make_network(fabric, p)
    if name == "all_reduce":
        halves = [_solve(half, fabric, network) for half in ("reduce_scatter", "all_gather")]
        lower, upper = (_in_turn(half.lower for half in halves), _in_turn(half.upper for half in halves))
        cuts = tuple(cut for half in halves for cut in half.cuts)
        return Optimum(name, fabric.name, p, lower, upper, halves[0].method, COMPOSED, cuts)
    return _solve(name, fabric, network)


def _in_turn(rates: Iterable[Fraction]) -> Fraction:
    """Rate of doing one after the other."""
    each = list(rates)
    return 1 / sum((1 / rate for rate in each), Fraction(0)) if all(each) else Fraction(0)


def _solve(name: str, fabric: Fabric, network: Network) -> Optimum:
    """Optimum of what goes along cuts: all-gather, broadcast, and both backwards."""
    p = network.ranks
    backwards = name in ("reduce_scatter", "reduce")
    directed = network.reversed if backwards else network
    method, gather = "least cuts by maximum flow", name in ("all_gather", "reduce_scatter")
    if not gather and name not in ("broadcast", "reduce"):
        raise CollectiveError(f"{name}: no optimum is known, expected one of {', '.join(KNOWN)}")
    sinks, whole = sinks_that_matter(fabric, directed, gather)
    factor = p if gather else 1
    rate = gather_rate if gather else broadcast_rate
    cut = rate(directed, sinks)
    if not cut.rate:
        raise RoutingError(f"{fabric.name}: {_unreached(fabric, directed, cut)}")
    upper = factor * cut.rate * network.unit
    lower = upper
    cuts: tuple[BindingCut, ...] = (_named(name, fabric, directed, cut, upper),)
    if not whole:
        lower, method = Fraction(0), f"least cuts from {len(sinks or ())} of {p} ranks and structural bound"
        structural = (1 + ROUNDING) / Fraction(_structural_pace(name, fabric, p))
        upper, cuts = (upper, cuts) if upper <= structural else (structural, ())
    elif not directed.balanced:
        part = balanced_part(directed, gather=gather)
        lower = min(factor * rate(part).rate * part.unit, upper)
        if lower < upper:
            method += "; a switch that cannot send as much as it receives leaves a gap"
    return Optimum(name, fabric.name, p, lower, upper, method, ENDPOINTS, cuts)


def _structural_pace(name: str, fabric: Fabric, ranks: int) -> float:
    from topo_sim.collectives.bounds import lower_bound

    return lower_bound(name, fabric, ranks, exact=False).pace


def sinks_that_matter(fabric: Fabric, network: Network, gather: bool) -> tuple[list[int] | None, bool]:
    """Ranks whose cuts have to be looked at, None for all; and whether that is enough for a proof.

    Parameters
    ----------
    fabric : Fabric
    network : Network
        Of it.
    gather : bool
        Whether all ranks send (where all look alike, one of them is then enough), or rank 0 alone.

    Returns
    -------
    sinks : list of int or None
    whole : bool
    """
    if gather and network.ranks == fabric.ranks and _alike_from_everywhere(fabric):
        return [0], True
    arcs = len(network.source) + network.ranks
    if network.ranks * arcs <= WORK:
        return None, True
    return np.linspace(0, network.ranks - 1, max(min(WORK // arcs // 8, network.ranks), 1)).astype(
        int
    ).tolist(), False


def _alike_from_everywhere(fabric: Fabric) -> bool:
    """Whether any endpoint can be moved to any other and nothing changes, capacities included."""
    clos = fabric.structure
    if isinstance(clos, Clos):
        bounds = 2 * np.append(clos.cable_base, sum(clos.cables))
        tiers = (fabric.capacity[a:b] for a, b in pairwise(bounds))
        return fabric.links == bounds[-1] and all(np.ptp(tier) == 0 for tier in tiers)
    group = cayley(fabric)
    if group is None:
        return False
    amount, _ = exact_capacity(fabric)
    out = np.zeros(len(fabric.kind) * len(group.capacity), dtype=object)
    np.add.at(out, fabric.link_source.astype(np.int64) * len(group.capacity) + group.link_class, amount)
    rows = out.reshape(len(fabric.kind), -1)[fabric.endpoints]
    return bool(np.all(rows == rows[0]))


def _unreached(fabric: Fabric, network: Network, cut: Cut) -> str:
    names, ranks = fabric.names, fabric.endpoints[: network.ranks]
    inside = cut.inside[: network.ranks]
    a, b = (names[ranks[int(np.argmax(side))]] for side in (inside, ~inside))
    return f"no path between {a} and {b}, expected all ranks to be connected"


def _named(name: str, fabric: Fabric, network: Network, cut: Cut, algbw: Fraction) -> BindingCut:
    """Write a cut in the fabric's own numbers."""
    label = np.full(len(fabric.kind), -1)
    label[network.node] = cut.inside
    ends = (fabric.link_source, fabric.link_target)
    a, b = ends[::-1] if name in ("reduce_scatter", "reduce") else ends
    crossing = np.flatnonzero((label[a] == 1) & (label[b] == 0))
    within = int(cut.inside[: network.ranks].sum())
    return BindingCut(
        name,
        tuple(network.node[cut.inside].tolist()),
        within,
        network.ranks - within,
        tuple(crossing.tolist()),
        network.leaving(cut.inside) * network.unit,
        algbw,
    )
