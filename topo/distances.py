"""Hops and latencies between endpoints: breadth-first and label-correcting searches."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topo_sim.topo.distance_kernels import hop_counts, hop_rows, least_latency
from topo_sim.topo.fabric import Fabric
from topo_sim.topo.structure import Clos, Grid

__all__ = ["Hops", "hop_matrix", "hop_sum", "hops", "latencies_from"]

EXACT_UP_TO = 4096
SAMPLE = 512


@dataclass(frozen=True)
class Hops:
    """Distances between different endpoints, in links crossed.

    Parameters
    ----------
    counts : ndarray of float64, shape (diameter + 1,)
        Share of ordered pairs of different endpoints at each distance.
    unreachable : float
        Share of pairs without a path.
    exact : bool
        Whether all sources were searched, not a sample of them.
    """

    counts: NDArray[np.float64]
    unreachable: float
    exact: bool

    @property
    def diameter(self) -> int:
        """Most links on a shortest path between two endpoints."""
        return len(self.counts) - 1

    @property
    def mean(self) -> float:
        """Mean links on a shortest path between two different endpoints."""
        total = self.counts.sum()
        return float(self.counts @ np.arange(len(self.counts)) / total) if total else 0.0


def _clos_counts(clos: Clos) -> NDArray[np.float64]:
    counts = np.zeros(2 * len(clos.down) + 1)
    reached = 1
    for level, children in enumerate(clos.down, start=1):
        counts[2 * level] = reached * (children - 1)
        reached *= children
    return counts


def _grid_counts(grid: Grid) -> NDArray[np.float64]:
    """Distances add over the axes, so their distributions convolve (all ordered pairs)."""
    counts = np.ones(1)
    for k, ring in zip(grid.dims, grid.rings, strict=True):
        apart = np.abs(np.subtract.outer(np.arange(k), np.arange(k)))
        counts = np.convolve(counts, np.bincount((np.minimum(apart, k - apart) if ring else apart).ravel()))
    counts[0] = 0.0
    return counts


def hops(fabric: Fabric) -> Hops:
    """Distribution of hop distances between endpoints.

    Parameters
    ----------
    fabric : Fabric

    Returns
    -------
    Hops
        In links crossed: a path through one switch has 2.

    Notes
    -----
    Closed form on a Clos or grid; else a search from every endpoint, or from 512 evenly spaced ones
    where there are more than 4,096 (then not `exact`, and the diameter is a lower bound).

    Examples
    --------
    >>> from topo_sim.topo import fat_tree, torus
    >>> hops(fat_tree(4)).diameter, round(hops(torus((4, 4, 8))).mean, 4)
    (6, 4.0315)
    """
    exact = True
    if isinstance(fabric.structure, Clos):
        counts, pairs = _clos_counts(fabric.structure), fabric.ranks - 1.0
    elif isinstance(fabric.structure, Grid):
        counts, pairs = _grid_counts(fabric.structure), fabric.ranks * (fabric.ranks - 1.0)
    else:
        exact = fabric.ranks <= EXACT_UP_TO
        which = np.arange(fabric.ranks) if exact else np.linspace(0, fabric.ranks - 1, SAMPLE).astype(int)
        roots = fabric.endpoints[which].astype(np.int64)
        is_endpoint = np.zeros(len(fabric.kind), dtype=np.bool_)
        is_endpoint[fabric.endpoints] = True
        found = np.zeros(len(fabric.kind) + 1, dtype=np.int64)
        hop_counts(roots, is_endpoint, fabric.forwards, *fabric.out_links, fabric.link_target, found)
        found[0] = 0
        counts, pairs = found.astype(np.float64), len(roots) * (fabric.ranks - 1.0)
    missing = float(pairs - counts.sum())
    share = np.trim_zeros(counts, "b") / max(pairs, 1.0)
    return Hops(share if share.size else np.zeros(1), missing / max(pairs, 1.0), exact)


def _relays(fabric: Fabric, ranks: int) -> NDArray[np.bool_]:
    """Nodes that pass traffic on if the first so many ranks may store and forward."""
    passes = fabric.forwards.copy()
    passes[fabric.endpoints[:ranks]] = True
    return passes


def hop_sum(fabric: Fabric, ranks: int) -> float:
    """Sum of the hop distances over all ordered pairs of the first so many ranks, by way of any of them.

    Parameters
    ----------
    fabric : Fabric
    ranks : int
        These may also store and forward, as the ranks of a collective can.

    Returns
    -------
    float

    Examples
    --------
    >>> from topo_sim.topo import torus
    >>> hop_sum(torus(4), 4)
    16.0
    """
    if ranks == fabric.ranks and fabric.structure is not None:
        found = hops(fabric)
        if found.exact:
            return found.mean * (1.0 - found.unreachable) * ranks * (ranks - 1.0)
    inside = np.zeros(len(fabric.kind), dtype=np.bool_)
    inside[fabric.endpoints[:ranks]] = True
    counts = np.zeros(len(fabric.kind) + 1, dtype=np.int64)
    roots = fabric.endpoints[:ranks].astype(np.int64)
    hop_counts(roots, inside, _relays(fabric, ranks), *fabric.out_links, fabric.link_target, counts)
    return float(counts @ np.arange(counts.size))


def hop_matrix(fabric: Fabric, ranks: NDArray[np.int64]) -> NDArray[np.int32]:
    """Hop distance from some ranks to all.

    Parameters
    ----------
    fabric : Fabric
    ranks : ndarray of int, shape (n,)

    Returns
    -------
    ndarray of int32, shape (n, fabric.ranks)
        In links crossed; -1 where there is no path.

    Examples
    --------
    >>> from topo_sim.topo import torus
    >>> hop_matrix(torus(4), np.array([1])).tolist()
    [[1, 0, 1, 2]]
    """
    roots = fabric.endpoints[ranks].astype(np.int64)
    return node_hops(fabric, roots)[:, fabric.endpoints]


def node_hops(fabric: Fabric, roots: NDArray[np.int64]) -> NDArray[np.int32]:
    """Hop distance from some nodes to all; -1 where there is no path.

    Parameters
    ----------
    fabric : Fabric
    roots : ndarray of int64, shape (n,)

    Returns
    -------
    ndarray of int32, shape (n, nodes)
    """
    out = np.full((len(roots), len(fabric.kind)), -1, dtype=np.int32)
    hop_rows(roots, fabric.forwards, *fabric.out_links, fabric.link_target, out)
    return out


def latencies_from(fabric: Fabric, ranks: NDArray[np.int64], relays: int = 0) -> NDArray[np.float64]:
    """Least latency from some ranks to all, over any path.

    Parameters
    ----------
    fabric : Fabric
    ranks : ndarray of int, shape (n,)
    relays : int
        The first so many ranks may also store and forward.

    Returns
    -------
    ndarray of float64, shape (n, fabric.ranks), s
        Infinite where there is no path.

    Examples
    --------
    >>> from topo_sim.topo import torus
    >>> latencies_from(torus(4, latency=1.0), np.array([0])).tolist()
    [[0.0, 1.0, 2.0, 1.0]]
    """
    out = np.empty((len(ranks), fabric.ranks))
    best, passes = np.empty(len(fabric.kind)), _relays(fabric, relays)
    for i, rank in enumerate(ranks):
        root = int(fabric.endpoints[rank])
        least_latency(root, passes, *fabric.out_links, fabric.link_target, fabric.latency, best)
        out[i] = best[fabric.endpoints]
    return out
