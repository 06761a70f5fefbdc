"""The forest of an all-gather at its optimum, and the pipelined schedule that it makes."""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError, RoutingError
from topo_sim.collectives.optimum.cuts import gather_feasible, gather_rate
from topo_sim.collectives.optimum.network import Network, make_network
from topo_sim.collectives.optimum.trimming import balanced_part
from topo_sim.collectives.step import Step
from topo_sim.collectives.synthesis.packing import Tree, pack_trees
from topo_sim.collectives.synthesis.schedules import merged_step
from topo_sim.collectives.synthesis.splitting import without_switches
from topo_sim.topo import Fabric

__all__ = ["Forest", "alike_backwards", "find_forest", "forest_steps"]

RANKS_UP_TO = 128
TREES_UP_TO = 64
GOOD = Fraction(98, 100)


@dataclass(frozen=True, eq=False)
class Forest:
    """Spanning trees, the same number from every rank.

    Parameters
    ----------
    ranks : int
    trees : int
        Per rank.
    packed : tuple of Tree
        Those that are alike once, with their weight.
    algbw : Fraction, B/s
        Of an all-gather along them, for large sizes.
    optimum : Fraction, B/s
        What the fabric allows.
    """

    ranks: int
    trees: int
    packed: tuple[Tree, ...]
    algbw: Fraction
    optimum: Fraction

    @property
    def depth(self) -> int:
        """Hops from a root to the farthest leaf."""
        return int(max(tree.depth.max() for tree in self.packed))

    @property
    def arcs(self) -> NDArray[np.int64]:
        """Parent and child of every hop of every tree, shape (hops, 2)."""
        child = [np.flatnonzero(tree.parent >= 0) for tree in self.packed]
        parent = [tree.parent[below] for tree, below in zip(self.packed, child, strict=True)]
        return np.stack([np.concatenate(parent), np.concatenate(child)], axis=1)

    def times(self, factor: int) -> "Forest":
        """Take each tree for `factor` trees of a smaller rate."""
        packed = tuple(replace(tree, weight=tree.weight * factor) for tree in self.packed)
        return replace(self, trees=self.trees * factor, packed=packed)


def find_forest(fabric: Fabric, ranks: int, *, backwards: bool = False) -> Forest:
    """Pack spanning trees at the rate of the optimum.

    Parameters
    ----------
    fabric : Fabric
    ranks : int
        The first so many endpoints, 2 or more.
    backwards : bool
        Whether data will run from the leaves to the roots (reduce-scatter).

    Returns
    -------
    Forest

    Raises
    ------
    CollectiveError
        If there are more than 128 ranks.
    RoutingError
        If a rank cannot be reached.

    Notes
    -----
    The optimum x per rank gives trees of rate x / k each, where k is the least number for which all
    capacities are whole multiples of that. Where k is above 64 the best k up to 64 is taken, capacities
    rounded down to whole trees, which costs up to a few percent of the rate.

    References
    ----------
    Zhao et al., "ForestColl: throughput-optimal collective communications on heterogeneous network
    fabrics", arXiv 2402.06787.

    Examples
    --------
    >>> from topo_sim.topo import torus
    >>> forest = find_forest(torus((3, 3), bandwidth=1.0), 9)
    >>> forest.trees, forest.algbw
    (1, Fraction(9, 2))
    """
    if ranks > RANKS_UP_TO:
        raise CollectiveError(
            f"{fabric.name}: found {ranks} ranks, expected at most {RANKS_UP_TO} to pack trees"
        )
    network = make_network(fabric, ranks)
    network = network.reversed if backwards else network
    rate = gather_rate(network).rate
    if not rate:
        raise RoutingError(f"{fabric.name}: found ranks without a path, expected all to be connected")
    best = ranks * rate * network.unit
    network = balanced_part(network)
    reached = gather_rate(network).rate
    if not reached:
        raise CollectiveError(
            f"{fabric.name}: found switches that cannot send on what they receive, expected as much out of "
            "each as into it to pack trees; choose another method"
        )
    trees, per_unit = _whole_trees(network, reached)
    scaled = _in_trees(network, per_unit)
    packed = pack_trees(without_switches(scaled, trees), np.full(ranks, trees, dtype=np.int64))
    return Forest(ranks, trees, tuple(packed), ranks * trees / per_unit * network.unit, best)


def alike_backwards(fabric: Fabric, ranks: int) -> bool:
    """Whether every link has its like the other way, so that a forest serves both ways.

    Parameters
    ----------
    fabric : Fabric
    ranks : int

    Returns
    -------
    bool
    """
    network = make_network(fabric, ranks)
    ends = zip(network.source.tolist(), network.target.tolist(), strict=True)
    amount = dict(zip(ends, network.amount.tolist(), strict=True))
    return all(amount.get((v, u)) == c for (u, v), c in amount.items())


def _in_trees(network: Network, per_unit: Fraction) -> Network:
    """Capacities in whole trees, `per_unit` of them in a unit."""
    amount = np.array([int(c * per_unit) for c in network.amount.tolist()], dtype=object)
    keep = amount > 0
    found = replace(network, source=network.source[keep], target=network.target[keep], amount=amount[keep])
    return found if found.balanced else found.trimmed()


def _whole_trees(network: Network, rate: Fraction) -> tuple[int, Fraction]:
    """How many trees per rank, and how many fit into a unit of capacity."""
    common = gcd(*network.amount.tolist())
    trees = rate.numerator // gcd(rate.numerator, rate.denominator * common)
    if trees <= TREES_UP_TO:
        return trees, trees / rate
    best: tuple[Fraction, int, Fraction] | None = None
    for count in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, TREES_UP_TO):
        per_unit = _least_scale(network, count, count / rate)
        share = count / rate / per_unit
        if best is None or share > best[0]:
            best = (share, count, per_unit)
        if share >= GOOD:
            break
    if best is None:
        raise CollectiveError("trees: found no number of them that fits, expected at least one per rank")
    return best[1], best[2]


def _least_scale(network: Network, trees: int, ideal: Fraction) -> Fraction:
    """Least number of trees per unit at which so many per rank fit, in whole trees, to 0.5 %."""
    low = high = Fraction(1)  # times the ideal
    while not gather_feasible(_in_trees(network, ideal * high), trees):
        low, high = high, high * 2
    while high - low > high / 200:
        middle = (low + high) / 2
        if gather_feasible(_in_trees(network, ideal * middle), trees):
            high = middle
        else:
            low = middle
    return ideal * high


def forest_steps(forest: Forest, segments: int, *, backwards: bool = False) -> list[Step]:
    """Send segment after segment down the trees, each a hop behind the one before.

    Parameters
    ----------
    forest : Forest
    segments : int
        Per tree.
    backwards : bool
        Up the trees instead, combining.

    Returns
    -------
    list of Step
        ``depth + segments - 1`` of them; those in which all trees are full are kept once. Chunk
        ``(root * trees + lane) * segments + i`` is segment i of a tree.
    """
    p, per = forest.ranks, forest.trees * segments
    source, target, level, lane = _hops_of(forest)
    steps, time, last = [], 0, forest.depth + segments - 1
    while time < last:
        now = (level <= time + 1) & (level > time + 1 - segments)
        steady = forest.depth - 1 <= time < segments
        repeat = segments - forest.depth + 1 if steady else 1
        chunk = lane[now] * segments + time - (level[now] - 1)
        ends = (source[now], target[now])
        if backwards:
            ends, chunk = ends[::-1], chunk + repeat - 1
        steps.append(merged_step(p, 1 / (p * per), *ends, chunk, backwards, repeat, -1 if backwards else 1))
        time += repeat
    return steps[::-1] if backwards else steps


def _hops_of(forest: Forest) -> tuple[NDArray[np.int64], ...]:
    """Every arc of every tree: source, target, level of the target, and the lane of the tree."""
    columns = []
    next_lane = np.arange(forest.ranks) * forest.trees
    for tree in forest.packed:
        below = np.flatnonzero(tree.parent >= 0)
        lanes = next_lane[tree.root] + np.arange(tree.weight)
        next_lane[tree.root] += tree.weight
        each = (tree.parent[below], below, tree.depth[below])
        columns.append([*(np.tile(column, tree.weight) for column in each), np.repeat(lanes, len(below))])
    source, target, level, lane = (np.concatenate(column) for column in zip(*columns, strict=True))
    return source, target, level, lane
