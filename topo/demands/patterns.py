"""Demands by name."""

from collections.abc import Callable
from math import isqrt
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import DemandError, Registry, UsageError
from topo_sim.topo.demands.demand import Demand
from topo_sim.topo.demands.reading import read_demand
from topo_sim.topo.distances import hop_matrix
from topo_sim.topo.fabric import GPU, Fabric

__all__ = ["DEMANDS", "homes", "make_demand"]

DEMANDS: Registry[Callable[[Fabric, int], Demand]] = Registry("demand")

MATCH_UP_TO = 4096
MOST_LISTED = 20_000_000
FILES = (".csv", ".npy")
NOBODY: NDArray[np.int64] = np.zeros(0, dtype=np.int64)


@DEMANDS.register("all_to_all")
def all_to_all(fabric: Fabric, seed: int) -> Demand:
    """Every endpoint sends 1 in all, evenly to every other."""
    return Demand(fabric.ranks, NOBODY, NOBODY, uniform=1 / max(fabric.ranks - 1, 1), name="all_to_all")


@DEMANDS.register("permutation")
def permutation(fabric: Fabric, seed: int) -> Demand:
    """Every endpoint sends 1 to one other, at random, and receives from one."""
    order = np.random.default_rng(seed).permutation(fabric.ranks)
    return Demand(fabric.ranks, order, np.roll(order, -1), name="permutation")


@DEMANDS.register("longest_matching")
def longest_matching(fabric: Fabric, seed: int) -> Demand:
    """Every endpoint sends 1 to one other so that the sum of distances is largest: near the worst case."""
    from scipy.optimize import linear_sum_assignment

    home, count = homes(fabric)
    sizes = np.bincount(home, minlength=count)
    if count == 1 or np.any(sizes != sizes[0]):
        home, count = np.arange(fabric.ranks), fabric.ranks
    if count > MATCH_UP_TO:
        raise UsageError(
            f"longest_matching: {fabric.name} has {count:,} endpoints or edge switches to match, "
            f"expected at most {MATCH_UP_TO:,}"
        )
    members = np.argsort(home, kind="stable").reshape(count, -1)
    distance = hop_matrix(fabric, members[:, 0])[:, members[:, 0]]
    if np.any(distance < 0):
        raise UsageError(f"longest_matching: {fabric.name} has endpoints without a path between them")
    rows, columns = linear_sum_assignment(distance, maximize=True)
    return Demand(fabric.ranks, members[rows].ravel(), members[columns].ravel(), name="longest_matching")


@DEMANDS.register("hot_spots")
def hot_spots(fabric: Fabric, seed: int) -> Demand:
    """Half of what every endpoint sends goes to one in sixteen (random, at least 2), half to all."""
    hot = np.random.default_rng(seed).permutation(fabric.ranks)[: max(fabric.ranks // 16, 2)]
    source, target = np.repeat(np.arange(fabric.ranks), len(hot)), np.tile(hot, fabric.ranks)
    others = len(hot) - np.isin(np.arange(fabric.ranks), hot)
    amount = 0.5 / np.maximum(np.repeat(others, len(hot)), 1)
    return Demand(
        fabric.ranks, source, target, amount, uniform=0.5 / max(fabric.ranks - 1, 1), name="hot_spots"
    )


@DEMANDS.register("stencil")
def stencil(fabric: Fabric, seed: int) -> Demand:
    """Every endpoint sends evenly to its neighbours on a closed, nearly square grid of ranks."""
    n = fabric.ranks
    width = next(w for w in range(isqrt(n), 0, -1) if n % w == 0)
    rank = np.arange(n)
    x, y = rank % width, rank // width
    height = n // width
    neighbours = [x + width * ((y + 1) % height), x + width * ((y - 1) % height)]
    if width > 1:
        neighbours += [(x + 1) % width + width * y, (x - 1) % width + width * y]
    target, each = np.concatenate(neighbours), 1 / len(neighbours)
    return Demand(n, np.tile(rank, len(neighbours)), target, each, name="stencil")


@DEMANDS.register("experts")
def experts(fabric: Fabric, seed: int) -> Demand:
    """Every endpoint sends 1 in all, in uneven parts, to 8 others at random, as with a mixture of experts."""
    rng, n = np.random.default_rng(seed), fabric.ranks
    peers = min(8, n - 1)
    if not peers:
        return Demand(n, NOBODY, NOBODY, name="experts")
    target = np.stack([rng.choice(n - 1, peers, replace=False) for _ in range(n)])
    target += target >= np.arange(n)[:, None]  # all but itself
    amount = rng.random((n, peers)) + 0.1
    amount /= amount.sum(axis=1, keepdims=True)
    return Demand(n, np.repeat(np.arange(n), peers), target.ravel(), amount.ravel(), name="experts")


@DEMANDS.register("zipf")
def zipf(fabric: Fabric, seed: int) -> Demand:
    """Every endpoint sends 1 in all, to its k-th other endpoint (in random order) a part like 1 / k^1.2."""
    rng, n = np.random.default_rng(seed), fabric.ranks
    if n == 1:
        return Demand(n, NOBODY, NOBODY, name="zipf")
    if n**2 > MOST_LISTED:
        raise UsageError(f"zipf: {fabric.name} has {n:,} endpoints, expected at most {isqrt(MOST_LISTED):,}")
    part = np.arange(1, n) ** -1.2
    target = rng.permuted(np.tile(np.arange(n - 1), (n, 1)), axis=1)
    target += target >= np.arange(n)[:, None]
    amount = np.tile(part / part.sum(), n)
    return Demand(n, np.repeat(np.arange(n), n - 1), target.ravel(), amount, name="zipf")


def homes(fabric: Fabric) -> tuple[NDArray[np.int64], int]:
    """Group the endpoints that hang on one switch alone, each other endpoint by itself.

    Parameters
    ----------
    fabric : Fabric

    Returns
    -------
    home : ndarray of int64, shape (ranks,)
        Group of each rank, numbered in order of node.
    count : int
    """
    node = attachment(fabric)
    kept, home = np.unique(node, return_inverse=True)
    return home.ravel().astype(np.int64), len(kept)


def attachment(fabric: Fabric) -> NDArray[np.int64]:
    """Node where each endpoint's traffic meets others': its switch, if it hangs on one alone, else itself.

    Parameters
    ----------
    fabric : Fabric

    Returns
    -------
    ndarray of int64, shape (ranks,)
    """
    count = len(fabric.kind)
    near, far = np.full(count, count, dtype=np.int64), np.full(count, -1, dtype=np.int64)
    ends = ((fabric.link_source, fabric.link_target), (fabric.link_target, fabric.link_source))
    out, into = (np.bincount(mine, minlength=count) for mine, _ in ends)
    for mine, other in ends:
        np.minimum.at(near, mine, other)
        np.maximum.at(far, mine, other)
    node = fabric.endpoints.astype(np.int64)
    lone = (near[node] == far[node]) & (out[node] > 0) & (into[node] > 0)
    lone[lone] = fabric.kind[near[node[lone]]] != GPU
    return np.where(lone, near[node], node)


def make_demand(fabric: Fabric, demand: Demand | Path | ArrayLike, *, seed: int = 0) -> Demand:
    """Make a demand for a fabric by name, from a file or from a matrix, or check one that was made.

    Parameters
    ----------
    fabric : Fabric
    demand : Demand, str, Path or array_like of shape (ranks, ranks)
        A name in `DEMANDS`, a file that `read_demand` reads (``.csv`` or ``.npy``), or a matrix as
        `Demand.from_matrix` takes it.
    seed : int
        Of demands that draw, 0 or more.

    Returns
    -------
    Demand

    Raises
    ------
    DemandError
        If a file or matrix is wrong, or the demand is for another number of ranks.
    UnknownNameError
        If there is no such name.
    UsageError
        If `fabric` is none, `demand` nothing of the kind, or the seed no integer of 0 or more.

    Examples
    --------
    >>> from topo_sim.topo import torus
    >>> make_demand(torus(4), "stencil").sent.tolist()
    [1.0, 1.0, 1.0, 1.0]
    >>> make_demand(torus(8), "longest_matching").target.tolist()
    [4, 5, 6, 7, 0, 1, 2, 3]
    """
    if not isinstance(fabric, Fabric):
        raise UsageError(f"fabric: found {type(fabric).__name__}, expected a Fabric")
    whole = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
    if not whole or not 0 <= seed < 2**63:
        raise UsageError(f"seed: found {seed!r}, expected an integer of at least 0")
    if isinstance(demand, Demand):
        made = demand
    elif isinstance(demand, Path) or (isinstance(demand, str) and demand.lower().endswith(FILES)):
        made = read_demand(demand, fabric.ranks)
    elif isinstance(demand, str):
        made = DEMANDS[demand](fabric, int(seed))
    elif hasattr(demand, "__array__") or isinstance(demand, (list, tuple)):
        made = Demand.from_matrix(demand)
    else:
        raise UsageError(
            f"demand: found {demand!r}, expected a name, a .csv or .npy file, a Demand or a square matrix"
        )
    if made.ranks != fabric.ranks:
        raise DemandError(
            f"{made.name}: found a demand of {made.ranks} ranks, expected {fabric.ranks} as {fabric.name} has"
        )
    return made
