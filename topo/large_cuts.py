"""Bisection bounds of fabrics too large for dense matrices: spectral, uniform traffic, partitioner."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import RoutingError
from topo_sim.topo.demands.patterns import attachment
from topo_sim.topo.fabric import GPU, Fabric
from topo_sim.topo.loads import link_loads

__all__ = ["best_half", "fits_uniform", "spectral_bound"]

STEPS_UP_TO = 1_000_000_000
SWAPS = 200
LEAST_WEIGHT = 1000


def _one_way(fabric: Fabric) -> Any:
    """Capacity from node to node, as a sparse matrix."""
    from scipy.sparse import csr_array

    ends = (fabric.link_source, fabric.link_target)
    return csr_array((fabric.capacity, ends), shape=(len(fabric.kind),) * 2)


def _symmetric(fabric: Fabric) -> Any:
    """Capacity between nodes, mean of the two directions, as a sparse matrix."""
    one_way = _one_way(fabric)
    return ((one_way + one_way.T) / 2).tocsr()


def spectral_bound(fabric: Fabric) -> float:
    """Lower bound lambda_2 N / 4 of the Laplacian, less what the eigenvector is off; else 0.

    Parameters
    ----------
    fabric : Fabric

    Returns
    -------
    float, B/s
        0 unless all linked nodes are endpoints, both directions of every pair are alike, and the iteration
        converges.

    Notes
    -----
    Lanczos on the Laplacian: a residual r leaves an eigenvalue within r of the value found.

    References
    ----------
    Fiedler, "Algebraic connectivity of graphs", 1973.
    """
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import ArpackNoConvergence, eigsh

    both = _symmetric(fabric)
    degree = both.sum(axis=1)
    back = np.bincount(fabric.link_target, fabric.capacity, minlength=len(fabric.kind))
    linked = degree > 0
    if np.any(fabric.kind[linked] != GPU) or not np.allclose(degree, back):
        return 0.0
    if abs(both - _one_way(fabric)).max() > 1e-9 * fabric.capacity.max():
        return 0.0
    keep = fabric.endpoints
    both = both[keep][:, keep]
    degree = degree[keep]
    shift = 2 * float(degree.max())
    try:
        flipped = diags_array(shift - degree) + both
        start = np.random.default_rng(0).random(len(keep))
        values, vectors = eigsh(flipped, k=2, which="LA", v0=start, tol=1e-6, maxiter=5000)
    except ArpackNoConvergence:
        return 0.0
    off = np.linalg.norm(flipped @ vectors - vectors * values, axis=0).max()
    half = (fabric.ranks // 2) * ((fabric.ranks + 1) // 2)
    return max(float(shift - values.min() - off), 0.0) * half / fabric.ranks


def fits_uniform(fabric: Fabric) -> float:
    """Rate per ordered pair at which uniform all-to-all fits, split over all shortest paths.

    Parameters
    ----------
    fabric : Fabric

    Returns
    -------
    float, B/s
        0 where some pair has no path, or the search would be long (targets x links above 1e9).
    """
    if len(np.unique(attachment(fabric))) * fabric.links > STEPS_UP_TO:
        return 0.0
    try:
        load = link_loads(fabric, "all_to_all")
    except RoutingError:
        return 0.0
    used = load > 0
    return float((fabric.capacity[used] / load[used]).min()) / (fabric.ranks - 1)


def best_half(fabric: Fabric) -> tuple[float, str]:
    """Find an even half of the endpoints with a small cut.

    Parameters
    ----------
    fabric : Fabric

    Returns
    -------
    cut : float, B/s
        Capacity across, one way: an upper bound on the bisection.
    how : str
        Where it comes from.

    Notes
    -----
    METIS where the package pymetis is installed (the extra "all"), else by rank and by every second rank;
    then made even and improved by swaps.
    """
    rank = np.arange(fabric.ranks)
    starts = [("rank order", rank < fabric.ranks // 2), ("rank order", rank % 2 == 0)]
    parted = _metis(fabric)
    if parted is not None:
        starts.append(("METIS", parted))
    else:
        starts = [(f"{how}; install pymetis for better", side) for how, side in starts]
    both = _symmetric(fabric)
    cuts = [(_swap(fabric, both, _even(fabric, both, side)), how) for how, side in starts]
    return min(cuts, key=lambda found: found[0])


def _metis(fabric: Fabric) -> NDArray[np.bool_] | None:
    """Half of the endpoints by METIS, nearly even; None where it is not installed."""
    try:
        import pymetis
    except ImportError:
        return None
    both = _symmetric(fabric)
    both.sum_duplicates()
    weight = np.maximum(np.rint(both.data / both.data.max() * LEAST_WEIGHT), 1).astype(int)
    options = pymetis.Options(ufactor=1, seed=0, ncuts=4)
    found = pymetis.part_graph(
        2,
        pymetis.CSRAdjacency(both.indptr, both.indices),
        vweights=(fabric.kind == GPU).astype(int).tolist(),
        eweights=weight.tolist(),
        options=options,
    )
    part = np.array(found.vertex_part)
    return np.asarray(part[fabric.endpoints] == 0, dtype=np.bool_)


def _settled(fabric: Fabric, both: Any, side: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Part of every node as +1 or -1: other nodes go where they have more capacity."""
    part = np.zeros(len(fabric.kind))
    part[fabric.endpoints] = np.where(side, 1.0, -1.0)
    others = fabric.kind != GPU
    for _ in range(8):
        pull = both @ part
        part[others] = np.where(pull[others] >= 0, 1.0, -1.0)
    return part


def _cut_of(fabric: Fabric, both: Any, side: NDArray[np.bool_]) -> float:
    """Capacity from one half to the other, in the direction that has less."""
    part = _settled(fabric, both, side)
    crosses = part[fabric.link_source] - part[fabric.link_target]
    return float(min(fabric.capacity[crosses > 0].sum(), fabric.capacity[crosses < 0].sum()))


def _even(fabric: Fabric, both: Any, side: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Move the endpoints that cost least until the halves are even."""
    side = side.copy()
    surplus = int(side.sum()) - fabric.ranks // 2
    if surplus:
        part = _settled(fabric, both, side)
        tie = ((both @ part) * part)[fabric.endpoints]
        heavy = np.flatnonzero(side == (surplus > 0))
        moved = heavy[np.argsort(tie[heavy], kind="stable")[: abs(surplus)]]
        side[moved] = ~side[moved]
    return side


def _swap(fabric: Fabric, both: Any, side: NDArray[np.bool_]) -> float:
    """Swap the endpoint of each half that is held least, while the cut shrinks; returns the cut."""
    best = _cut_of(fabric, both, side)
    for _ in range(SWAPS):
        part = _settled(fabric, both, side)
        tie = ((both @ part) * part)[fabric.endpoints]
        mine, theirs = np.flatnonzero(side), np.flatnonzero(~side)
        trial = side.copy()
        trial[mine[np.argmin(tie[mine])]], trial[theirs[np.argmin(tie[theirs])]] = False, True
        found = _cut_of(fabric, both, trial)
        if found >= best * (1 - 1e-12):
            break
        side, best = trial, found
    return best
