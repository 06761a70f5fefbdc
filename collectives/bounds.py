"""Lower bounds on the time of a collective on a fabric, whatever the algorithm."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import RoutingError, UsageError
from topo_sim.collectives.collective import COLLECTIVES, Collective, Member
from topo_sim.topo import Fabric
from topo_sim.topo.distances import hop_sum, latencies_from
from topo_sim.topo.fabric import GPU, SWITCH
from topo_sim.topo.structure import Clos, Grid

__all__ = ["LowerBound", "lower_bound"]

LATENCY_SOURCES = 16
MEMBERS = 16
DISTANCE_UP_TO = 1024


@dataclass(frozen=True)
class LowerBound:
    """What no schedule can beat: a latency, and a time per byte with the latency of one message.

    Parameters
    ----------
    latency : float, s
        Farthest pair of ranks that must hear of each other, message overhead included.
    first : float, s
        Least latency of any message, overhead included.
    pace : float, s/B
        Time per byte of size, from the tightest cut.
    reason : str
        Which cut that is.
    """

    latency: float
    first: float
    pace: float
    reason: str

    def time(self, size: float) -> float:
        """Lower bound at a size.

        Parameters
        ----------
        size : float, B

        Returns
        -------
        float, s
        """
        return max(self.latency, self.first + self.pace * size)

    def tight(self, size: float) -> str:
        """Which of the two bounds holds at a size.

        Parameters
        ----------
        size : float, B

        Returns
        -------
        str
        """
        if not (self.latency or self.first or self.pace):
            return self.reason
        return "latency of the farthest pair" if self.time(size) == self.latency else self.reason


def _partitions(fabric: Fabric) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Ways to cut the nodes into parts that may hold traffic back: a label per node, and a name."""
    nodes = np.arange(len(fabric.kind))
    yield "ports of one endpoint", nodes
    structure = fabric.structure
    if isinstance(structure, Clos):
        for level in range(1, len(structure.down)):
            label = nodes + nodes.size
            for lower in range(level + 1):
                base, count = structure.level_base[lower], structure.level_sizes[lower]
                label[base : base + count] = (
                    np.arange(count)
                    // structure.roots[lower]
                    // (np.prod(structure.down[lower:level], dtype=np.int64))
                )
            yield f"uplinks of a subtree of tier {level}", label
    elif isinstance(structure, Grid):
        for axis, (k, stride) in enumerate(zip(structure.dims, structure.strides, strict=True)):
            yield f"half cut across axis {axis}", (nodes // stride % k < k // 2).astype(np.int64)
    else:
        yield from _clusters(fabric)
        yield "uplinks of a switch", _around_switches(fabric)


def _clusters(fabric: Fabric) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Components joined by bundles of parallel links that are faster than each capacity that occurs."""
    size = len(fabric.kind)
    pairs, which = np.unique(
        fabric.link_source.astype(np.int64) * size + fabric.link_target, return_inverse=True
    )
    bundle = np.bincount(which.ravel(), fabric.capacity, pairs.size)
    for capacity in np.unique(bundle)[:-1][:32]:
        source, target = np.divmod(pairs[bundle > capacity], size)
        label = np.arange(size)
        while True:
            before = label.copy()
            np.minimum.at(label, target, label[source])
            np.minimum.at(label, source, label[target])
            label = label[label]
            if np.array_equal(label, before):
                break
        yield "links between groups joined faster inside", label
        yield "links between groups and their switches", _with_switches(fabric, label)


def _with_switches(fabric: Fabric, label: NDArray[np.int64]) -> NDArray[np.int64]:
    """Let every switch join the part that most of its capacity leads to."""
    hub = fabric.kind[fabric.link_source] != GPU
    node, part = fabric.link_source[hub].astype(np.int64), label[fabric.link_target[hub]]
    pairs, which = np.unique(node * (label.max() + 1) + part, return_inverse=True)
    weight = np.bincount(which.ravel(), fabric.capacity[hub], pairs.size)
    node, part = np.divmod(pairs, label.max() + 1)
    settled = label.copy()
    order = np.argsort(weight, kind="stable")
    settled[node[order]] = part[order]
    return settled


def _around_switches(fabric: Fabric) -> NDArray[np.int64]:
    """Each endpoint with the first switch that it is joined to."""
    label = np.arange(len(fabric.kind))
    up = (fabric.kind[fabric.link_source] == GPU) & (fabric.kind[fabric.link_target] == SWITCH)
    for link in np.flatnonzero(up)[::-1]:
        label[fabric.link_source[link]] = fabric.link_target[link]
    return label


def _cut_pace(members: Sequence[Member], fabric: Fabric, label: NDArray[np.int64], in_network: bool) -> float:
    """Time per byte of the tightest part of a partition."""
    parts, part = np.unique(label, return_inverse=True)
    part = part.ravel()
    source, target = part[fabric.link_source], part[fabric.link_target]
    across = source != target
    out = np.bincount(source[across], fabric.capacity[across], parts.size)
    into = np.bincount(target[across], fabric.capacity[across], parts.size)
    leaving, entering = np.zeros(parts.size), np.zeros(parts.size)
    for member in members:
        sent, got = _crossing(member.collective, part[fabric.endpoints[member.ranks]], parts.size)
        leaving += member.scale * sent
        entering += member.scale * got
    cuts = (out > 0) & (into > 0)
    if not cuts.any():
        return 0.0
    pace = float(max((leaving[cuts] / out[cuts]).max(), (entering[cuts] / into[cuts]).max()))
    if len(members) == 1 and members[0].collective.name == "all_reduce" and not in_network:
        # Among the parts, as if each were one rank.
        collective = members[0].collective
        held = np.bincount(part[fabric.endpoints[members[0].ranks]], minlength=parts.size) > 0
        ways = float(min(out[held].sum(), into[held].sum()))
        pace = max(pace, collective.sent(int(held.sum())) / ways if ways else 0.0)
    return pace


def _crossing(
    collective: Collective, part: NDArray[np.int64], parts: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Least bytes that leave and enter each part, given the part of every rank."""
    p = len(part)
    if collective.traffic is not None:
        rows, columns = np.nonzero(collective.traffic)
        here, there = part[rows], part[columns]
        amount = np.where(here == there, 0.0, collective.traffic[rows, columns])
        leaving, entering = (np.bincount(e, amount, parts).astype(np.float64) for e in (here, there))
        return leaving, entering
    inside = np.bincount(part, minlength=parts).astype(np.float64)
    root = np.arange(parts) == part[0]
    divided = (inside > 0) & (inside < p)
    leaving, entering = np.zeros(parts), np.zeros(parts)
    leaving[divided] = collective.leaves(inside[divided], p, root[divided])
    entering[divided] = collective.leaves(p - inside[divided], p, ~root[divided])
    return leaving, entering


def _distance_pace(fabric: Fabric, p: int) -> float:
    """Time per byte of all-to-all if every link were busy all the time with shortest paths."""
    return hop_sum(fabric, p) / p / float(fabric.capacity.sum())


def check_seconds(value: object, name: str) -> None:
    """Raise `UsageError` unless `value` is a finite number of seconds of 0 or more."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) < np.inf:
        raise UsageError(f"{name}: found {value!r}, expected a finite number of seconds of 0 or more")


def lower_bound(
    collective: Collective | str,
    fabric: Fabric,
    ranks: int | None = None,
    *,
    overhead: float = 0.0,
    in_network: bool = False,
    exact: bool = True,
) -> LowerBound:
    """Bound the time of a collective from below.

    Parameters
    ----------
    collective : Collective or str
        Or its name.
    fabric : Fabric
    ranks : int, optional
        The first so many endpoints take part. Default: all.
    overhead : float, s
        Per message.
    in_network : bool
        Whether switches may combine and copy; else only ranks do.
    exact : bool
        Whether to look at all cuts where that is quick: up to 64 ranks, and not for all-to-all.

    Returns
    -------
    LowerBound

    Raises
    ------
    RoutingError
        If a rank cannot be reached from another.
    UsageError
        If there are not so many ranks, or `overhead` is no finite number of 0 or more.

    Notes
    -----
    Ranks may store and forward, so latencies and distances go by way of any rank.

    Cuts: a set S of nodes must send ``collective.leaves`` bytes over the capacity that leaves it, and
    likewise receive. Where several groups do their own collectives at once, what they must send adds up.
    Tried are single endpoints, subtrees of a Clos, halves of a grid, groups that are joined faster inside,
    and switches with their endpoints; with `exact` also the tightest of all sets
    (`topo_sim.collectives.optimum`). All ranks together must send ``collective.sent``, and so must the parts
    of an all-reduce, each taken for one rank. All-to-all must also carry every byte over its distance.

    References
    ----------
    Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms", JPDC 2009; Basu et al., "Efficient
    all-to-all collective communication schedules for direct-connect topologies", HPDC 2024.

    Examples
    --------
    >>> from topo_sim.collectives import COLLECTIVES
    >>> from topo_sim.topo import single_switch
    >>> lower_bound(COLLECTIVES["all_reduce"], single_switch(4, bandwidth=1e9, latency=0)).time(1e9)
    1.5
    """
    collective = COLLECTIVES[collective] if isinstance(collective, str) else collective
    p = fabric.ranks if ranks is None else ranks
    if isinstance(p, bool) or not isinstance(p, (int, np.integer)) or not 1 <= p <= fabric.ranks:
        raise UsageError(f"ranks: found {p!r}, expected an integer from 1 to {fabric.ranks}")
    check_seconds(overhead, "overhead")
    if p < 2:
        return LowerBound(0.0, 0.0, 0.0, "one rank")
    members = collective.members or (Member(collective, np.arange(p)),)
    if all(len(member.ranks) < 2 for member in members):
        return LowerBound(0.0, 0.0, 0.0, "groups of one rank")
    farthest = max(_farthest(member, fabric, p) for member in members[:MEMBERS])
    paces = [("ports of all endpoints together", _sent_pace(members, fabric, in_network))]
    paces += [(name, _cut_pace(members, fabric, label, in_network)) for name, label in _partitions(fabric)]
    if collective.name == "all_to_all" and not collective.members and p <= DISTANCE_UP_TO:
        paces.append(("all links together, over shortest paths", _distance_pace(fabric, p)))
    reason, pace = max(paces, key=lambda item: item[1])
    if exact and not in_network and not collective.members and collective.traffic is None:
        from topo_sim.collectives.optimum.paces import REASON, least_cut_pace

        all_cuts = least_cut_pace(collective.name, fabric, p)
        if all_cuts > pace * (1 + 1e-9):
            reason, pace = REASON, all_cuts
    first = _least_first(fabric, in_network)
    reason += ", switches combining" if in_network else ""
    return LowerBound(farthest + overhead, first + overhead, pace, reason)


def _sent_pace(members: Sequence[Member], fabric: Fabric, in_network: bool) -> float:
    """Time per byte of what all ranks together must send."""
    nodes = fabric.endpoints[np.unique(np.concatenate([member.ranks for member in members]))]
    out = np.bincount(fabric.link_source, fabric.capacity, len(fabric.kind))[nodes].sum()
    into = np.bincount(fabric.link_target, fabric.capacity, len(fabric.kind))[nodes].sum()
    total = 0.0
    for member in members:
        count, each = len(member.ranks), member.collective
        if count > 1:
            sent = each.sent_reduced if in_network and each.sent_reduced else each.sent
            total += member.scale * sent(count)
    return total / float(min(out, into))


def _farthest(member: Member, fabric: Fabric, p: int) -> float:
    """Largest latency between two ranks that must hear of each other (from a sample of sources)."""
    ranks, name = member.ranks, member.collective.name
    count = len(ranks)
    if count < 2:
        return 0.0
    sources = np.unique(np.linspace(0, count - 1, LATENCY_SOURCES).astype(np.int64))
    sources = sources[:1] if name == "broadcast" else sources
    reach = latencies_from(fabric, ranks[sources], p)[:, ranks]
    if name == "reduce":
        reach = reach[:, :1]
    elif name == "send_recv":
        reach = reach[np.arange(len(sources)), (sources + 1) % count][:, np.newaxis]
    elif member.collective.traffic is not None:
        reach = np.where(member.collective.traffic[sources] > 0, reach, 0.0)
    if not np.isfinite(reach).all():
        i, j = np.argwhere(~np.isfinite(reach))[0]
        j = (sources[i] + 1) % count if name == "send_recv" else j
        ends = (fabric.names[fabric.endpoints[ranks[r]]] for r in (sources[i], j))
        raise RoutingError(
            f"{fabric.name}: no path for {' -> '.join(ends)}, expected all ranks to be connected"
        )
    return float(reach.max(initial=0.0))


def _least_first(fabric: Fabric, in_network: bool) -> float:
    """Least latency of any message: one direct link, or a link up and one down (or only one of them)."""
    from_gpu = fabric.kind[fabric.link_source] == GPU
    to_gpu = fabric.kind[fabric.link_target] == GPU
    direct = fabric.latency[from_gpu & to_gpu].min(initial=np.inf)
    up = fabric.latency[from_gpu & ~to_gpu].min(initial=np.inf)
    down = fabric.latency[~from_gpu & to_gpu].min(initial=np.inf)
    return float(min(direct, up, down) if in_network else min(direct, up + down))
