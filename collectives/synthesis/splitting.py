"""Replace switches by arcs between ranks, keeping room for the trees."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError
from topo_sim.collectives.optimum.cuts import gather_feasible
from topo_sim.collectives.optimum.network import Network, Solver

__all__ = ["without_switches"]

Table = NDArray[np.int64]


def without_switches(network: Network, trees: int) -> Network:
    """Split every switch off: what came in from u and went out to t becomes an arc from u to t.

    Parameters
    ----------
    network : Network
        Capacities in trees; balanced at the switches.
    trees : int
        How many every rank is to be the root of; `network` has room for them.

    Returns
    -------
    Network
        Of ranks alone, with room for as many trees.

    Raises
    ------
    CollectiveError
        If no such arcs were found, which a network that is not balanced may cause.

    Notes
    -----
    Switches nearest to the ranks come first. Of each, the whole is first spread evenly over the pairs that
    it lies on a shortest way between, so that routing along shortest ways loads links as planned, then over
    those that have no wider way, then over others too, and kept if the trees still fit (one maximum flow
    per rank). Else rows of it are tried, and of rows that do not fit single pairs, each for as much as the
    cuts allow: those that hold both ends and not the switch, or the switch and no end, lose by it.

    References
    ----------
    Bang-Jensen, Frank, Jackson, "Preserving and increasing local edge-connectivity in mixed graphs", SIAM J.
    Discrete Math. 1995 (that it can be done); Zhao et al., ForestColl, arXiv 2402.06787 (for this use).

    Examples
    --------
    >>> from topo_sim.collectives.optimum.network import make_network
    >>> from topo_sim.topo import single_switch
    >>> network = replace(make_network(single_switch(4, bandwidth=1.0), 4))
    >>> scaled = replace(network, amount=network.amount * 3)
    >>> without_switches(scaled, 1).amount.tolist()
    [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    """
    for lean in (True, False):
        table = _split_all(network, trees, lean)
        left = _network(table, network)
        if gather_feasible(left, trees):
            return replace(left, node=left.node[: network.ranks])
    raise CollectiveError("trees: switches left no room for all of them, expected switches in balance")


def _split_all(network: Network, trees: int, lean: bool) -> Table:
    """Capacities after all switches are gone; if `lean`, what lies on no shortest way is dropped for good."""
    p, count = network.ranks, network.nodes
    table = np.zeros((count, count), dtype=np.int64)
    table[network.source, network.target] = network.amount.astype(np.int64)
    hops, width = _hops(table > 0, p), _widths(table, p)
    near = hops[:p].min(axis=0, initial=count)
    for switch in sorted(range(p, count), key=lambda w: (int(near[w]), w)):
        _split_off(table, switch, hops, width, network, trees, lean)
        table[switch] = table[:, switch] = 0
    return table


def _network(table: Table, network: Network) -> Network:
    source, target = np.nonzero(table)
    return replace(network, source=source, target=target, amount=table[source, target].astype(object))


def _hops(joined: NDArray[np.bool_], ranks: int) -> Table:
    """Hops between nodes over switches alone; the number of nodes where there is no way."""
    count = len(joined)
    hops = np.full((count, count), count, dtype=np.int64)
    np.fill_diagonal(hops, 0)
    for start in range(count):
        front, distance = np.array([start]), 0
        while front.size:
            distance += 1
            reached = joined[front].any(axis=0) & (hops[start] == count)
            hops[start, reached] = distance
            front = np.flatnonzero(reached)
            front = front[front >= ranks]
    return hops


def _widths(table: Table, ranks: int) -> Table:
    """Capacity of the widest way between nodes over switches alone."""
    width = table.copy()
    for switch in range(ranks, len(table)):
        np.maximum(width, np.minimum(width[:, switch, None], width[None, switch, :]), out=width)
    return width


def _split_off(
    table: Table, switch: int, hops: Table, width: Table, network: Network, trees: int, lean: bool
) -> None:
    """Replace one switch in the table of capacities."""
    before, after = np.flatnonzero(table[:, switch]), np.flatnonzero(table[switch])
    p, pairs = network.ranks, np.ix_(before, after)
    other = before[:, None] != after[None, :]
    ends = other & ((before[:, None] < p) | (after[None, :] < p))
    short = ends & (hops[before, switch][:, None] + hops[switch, after][None, :] <= hops[pairs])
    wide = ends & (np.minimum.outer(width[before, switch], width[switch, after]) >= width[pairs])
    into, out = table[before, switch], table[switch, after]
    for some in range(1 if lean else 3, 4):
        share = _spread(into, out, [short, wide, other][:some])
        if _try(table, switch, before, after, share, network, trees):
            return
    slack = _Slack(network.ranks, len(table), trees)
    for i, u in enumerate(before.tolist()):
        row = np.zeros_like(share)
        row[i] = share[i]
        if not _try(table, switch, before, after, row, network, trees):
            _by_pairs(table, switch, u, [(t, int(share[i, j])) for j, t in enumerate(after.tolist())], slack)
    for u in before.tolist():
        _by_pairs(table, switch, u, [(t, int(table[switch, t])) for t in after.tolist()], slack)


def _spread(into: Table, out: Table, allowed: list[NDArray[np.bool_]]) -> Table:
    """Spread what comes in over what goes out, evenly over the pairs allowed first, then over others."""
    share = np.zeros((len(into), len(out)), dtype=np.int64)
    for pairs in allowed:
        moved = True
        while moved:
            before = int(share.sum())
            rows, columns = into - share.sum(axis=1), out - share.sum(axis=0)
            both = np.outer(rows, columns) * pairs
            by_row = both // np.maximum(pairs @ columns, 1)[:, None]
            even = np.minimum(by_row, both // np.maximum(rows @ pairs, 1)[None, :])
            share += even if even.any() else _units(rows, columns, pairs)
            moved = bool(share.sum() > before)
        _complete(share, into, out, pairs | (share > 0))
    return share


def _units(rows: Table, columns: Table, pairs: NDArray[np.bool_]) -> Table:
    """Give one to each pair that still has room, round and round."""
    share = np.zeros(pairs.shape, dtype=np.int64)
    for step in range(len(columns)):
        for i in range(len(rows)):
            j = (i + step) % len(columns)
            if pairs[i, j] and rows[i] > 0 and columns[j] > 0:
                share[i, j] = 1
                rows[i] -= 1
                columns[j] -= 1
    return share


def _complete(share: Table, into: Table, out: Table, pairs: NDArray[np.bool_]) -> None:
    """Place what is left over, moving shares among the pairs where need be (a maximum flow)."""
    rows, columns = into - share.sum(axis=1), out - share.sum(axis=0)
    if not (rows.any() and columns.any()):
        return
    m, n = share.shape
    i, j = np.nonzero(pairs)
    solver = Solver(
        m + n + 2,
        np.concatenate([i, np.full(m, m + n), m + np.arange(n)]),
        np.concatenate([m + j, np.arange(m), np.full(n, m + n + 1)]),
    )
    amount = np.concatenate([np.full(len(i), rows.sum()), rows, columns])
    back = np.zeros_like(amount)
    back[: len(i)] = share[i, j]
    solver.run(amount, m + n, m + n + 1, int(rows.sum()), back)
    share[i, j] = solver.residual[1 : 2 * len(i) : 2]


def _apply(table: Table, switch: int, before: Table, after: Table, share: Table, sign: int) -> None:
    table[np.ix_(before, after)] += sign * share
    table[before, switch] -= sign * share.sum(axis=1)
    table[switch, after] -= sign * share.sum(axis=0)


def _try(
    table: Table, switch: int, before: Table, after: Table, share: Table, network: Network, trees: int
) -> bool:
    """Split shares off if the trees still fit."""
    _apply(table, switch, before, after, share, 1)
    if gather_feasible(_network(table, network), trees):
        return True
    _apply(table, switch, before, after, share, -1)
    return False


def _by_pairs(table: Table, switch: int, u: int, wanted: list[tuple[int, int]], slack: "_Slack") -> None:
    """Split single pairs off, each for as much as the cuts allow."""
    for t, most in wanted:
        if t != u:
            amount = slack.allows(
                table, switch, u, t, min(int(table[u, switch]), int(table[switch, t]), most)
            )
            table[u, t] += amount
            table[u, switch] -= amount
            table[switch, t] -= amount


class _Slack:
    """By how much cuts may shrink before the trees do not fit any more."""

    def __init__(self, ranks: int, nodes: int, trees: int) -> None:
        self.ranks, self.nodes, self.trees = ranks, nodes, trees

    def allows(self, table: Table, switch: int, u: int, t: int, most: int) -> int:
        """Up to `most`, of what goes u - switch - t that may skip the switch."""
        if most <= 0:
            return 0
        n = self.nodes
        source, target = np.nonzero(table)
        every, first = np.arange(n), len(source)
        ends = (
            np.concatenate([source, np.full(n, n), every]),
            np.concatenate([target, every, np.full(n, n + 1)]),
        )
        solver = Solver(n + 2, *ends)
        need = self.ranks * self.trees
        sure = need + most
        amount = np.zeros(first + 2 * n, dtype=np.int64)
        amount[:first] = table[source, target]
        for v in range(self.ranks):
            for held, kept_out in (((u, t), (switch, v)), ((switch,), (u, t, v))):
                if v in held:
                    continue
                amount[first:] = 0
                amount[first : first + self.ranks] = self.trees
                amount[first + np.array(held)] = sure
                amount[first + n + np.array(kept_out)] = sure
                most = min(most, solver.run(amount, n, n + 1, need + most) - need)
                if most <= 0:
                    return 0
        return most
