"""What a fabric is like before any traffic: sizes, distances, bisection."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import RoutingError
from topo_sim.topo.distances import Hops, hops
from topo_sim.topo.fabric import GPU, OCS, Fabric
from topo_sim.topo.flow import Paths
from topo_sim.topo.large_cuts import best_half, fits_uniform, spectral_bound
from topo_sim.topo.routing import route

__all__ = ["Bisection", "FabricMetrics", "bisection", "metrics"]

DENSE_UP_TO = 512


@dataclass(frozen=True)
class Bisection:
    """Least capacity from one half of the endpoints to the other, or an interval that holds it.

    Parameters
    ----------
    low, high : float, B/s
        Bounds on the capacity one way; equal where the value is exact.
    method : str
        Where the bounds come from.
    """

    low: float
    high: float
    method: str

    @property
    def exact(self) -> bool:
        """Whether the two bounds are one value."""
        return self.low == self.high


@dataclass(frozen=True)
class FabricMetrics:
    """Scalars of a fabric.

    Parameters
    ----------
    endpoints, switches, circuit_switches, cables, links : int
    injection : float, B/s
        Mean capacity that leaves an endpoint.
    hops : Hops
    bisection : Bisection
    """

    endpoints: int
    switches: int
    circuit_switches: int
    cables: int
    links: int
    injection: float
    hops: Hops
    bisection: Bisection

    @property
    def bisection_per_endpoint(self) -> tuple[float, float]:
        """Bounds on what each endpoint of one half can send to the other when all do, B/s."""
        half = max(self.endpoints // 2, 1)
        return self.bisection.low / half, self.bisection.high / half

    def to_dict(self) -> dict[str, Any]:
        """Flat dictionary with a unit in every key that has one.

        Returns
        -------
        dict
        """
        low, high = self.bisection_per_endpoint
        return {
            "endpoints": self.endpoints,
            "switches": self.switches,
            "circuit_switches": self.circuit_switches,
            "cables": self.cables,
            "links": self.links,
            "injection_B_per_s": self.injection,
            "diameter_hops": self.hops.diameter,
            "mean_hops": self.hops.mean,
            "hops_exact": self.hops.exact,
            "bisection_low_B_per_s": self.bisection.low,
            "bisection_high_B_per_s": self.bisection.high,
            "bisection_per_endpoint_low_B_per_s": low,
            "bisection_per_endpoint_high_B_per_s": high,
            "bisection_method": self.bisection.method,
        }


def metrics(fabric: Fabric, uniform: Paths | None = None) -> FabricMetrics:
    """Compute the scalars of a fabric.

    Parameters
    ----------
    fabric : Fabric
    uniform : Paths, optional
        As in `bisection`.

    Returns
    -------
    FabricMetrics

    Examples
    --------
    >>> from topo_sim.topo import torus
    >>> m = metrics(torus((4, 4, 4), bandwidth=1.0))
    >>> m.cables, m.hops.diameter, m.bisection.low
    (192, 6, 32.0)
    """
    out = np.bincount(fabric.link_source, weights=fabric.capacity, minlength=len(fabric.kind))
    return FabricMetrics(
        endpoints=fabric.ranks,
        switches=fabric.switches,
        circuit_switches=fabric.circuit_switches,
        cables=fabric.cables,
        links=fabric.links,
        injection=float(out[fabric.endpoints].mean()),
        hops=hops(fabric),
        bisection=bisection(fabric, uniform),
    )


def bisection(fabric: Fabric, uniform: Paths | None = None) -> Bisection:
    """Bisection bandwidth: the least capacity one way between two halves of the endpoints.

    Parameters
    ----------
    fabric : Fabric
    uniform : Paths, optional
        Paths of all ordered pairs of different endpoints by ecmp_split, in any order, if known.

    Returns
    -------
    Bisection
        Exact where the family has a closed form, else an interval.

    Notes
    -----
    With an odd number of endpoints one half has one more. Lower bounds: if uniform all-to-all fits at a
    rate f per pair, every even cut carries f (N/2)^2; and lambda_2 N/4 of the Laplacian where all nodes
    are endpoints and both directions are alike. Upper bounds: cuts found, by rank and by the Laplacian's
    eigenvectors, improved by swaps; a switch goes to the side where it cuts less. Above 512 nodes the
    matrices are sparse and the cut comes from METIS where pymetis is installed.

    References
    ----------
    Fiedler, "Algebraic connectivity of graphs", 1973; Kernighan and Lin, 1970.

    Examples
    --------
    >>> from topo_sim.topo import fat_tree
    >>> bisection(fat_tree(4, bandwidth=1.0))
    Bisection(low=8.0, high=8.0, method='closed form')
    """
    if fabric.ranks < 2:
        return Bisection(0.0, 0.0, "one endpoint")
    if fabric.exact_bisection is not None:
        return Bisection(fabric.exact_bisection, fabric.exact_bisection, "closed form")
    half = (fabric.ranks // 2) * ((fabric.ranks + 1) // 2)
    fabric = _of_links(fabric)
    if len(fabric.kind) > DENSE_UP_TO:
        return _large(fabric, half)
    matrix = np.zeros((len(fabric.kind),) * 2)
    np.add.at(matrix, (fabric.link_source, fabric.link_target), fabric.capacity)
    values, vectors = _spectrum(matrix)
    low, how = _uniform_rate(fabric, uniform) * half, "all-to-all that fits"
    whole = np.all(fabric.kind == GPU) and np.allclose(matrix, matrix.T)
    if whole and values[1] * half / fabric.ranks > low:
        low, how = values[1] * half / fabric.ranks, "lambda_2 N/4"
    high = min(_improved_cut(fabric, matrix, side) for side in _candidates(fabric, vectors))
    return Bisection(min(low, high), high, f"{how} <= bisection <= best cut found")


def _of_links(fabric: Fabric) -> Fabric:
    """Leave out circuit switches, which no link leads to: they would add eigenvectors of their own."""
    keep = fabric.kind != OCS
    if keep.all():
        return fabric
    number = np.cumsum(keep) - 1
    return replace(
        fabric,
        kind=fabric.kind[keep],
        endpoints=number[fabric.endpoints],
        link_source=number[fabric.link_source],
        link_target=number[fabric.link_target],
        reduces=None,
    )


def _large(fabric: Fabric, half: int) -> Bisection:
    """Bounds where matrices of all nodes would be too large."""
    low, how = fits_uniform(fabric) * half, "all-to-all that fits"
    spectral = spectral_bound(fabric)
    if spectral > low:
        low, how = spectral, "lambda_2 N/4"
    high, found = best_half(fabric)
    how = how if low > 0 else "no lower bound computed"
    return Bisection(min(low, high), high, f"{how} <= bisection <= best cut found ({found})")


def _by_rank(fabric: Fabric) -> NDArray[np.bool_]:
    return np.arange(fabric.ranks) < fabric.ranks // 2


def _spectrum(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    both = (matrix + matrix.T) / 2
    values, vectors = np.linalg.eigh(np.diag(both.sum(axis=0)) - both)
    return values, vectors


def _uniform_rate(fabric: Fabric, paths: Paths | None) -> float:
    """Rate per ordered pair at which uniform all-to-all fits, split over all shortest paths."""
    if paths is None:
        target, source = np.divmod(np.arange(fabric.ranks**2), fabric.ranks)
        different = source != target
        try:
            paths = route(fabric, source[different], target[different], "ecmp_split")
        except RoutingError:  # not all are connected
            return 0.0
    load = paths.load(np.ones(len(paths)), fabric.links)
    used = load > 0
    return float((fabric.capacity[used] / load[used]).min())


def _candidates(fabric: Fabric, vectors: NDArray[np.float64]) -> list[NDArray[np.bool_]]:
    """Even halves to start from: by rank, interleaved, and by the lowest eigenvectors."""
    n = fabric.ranks
    sides = [_by_rank(fabric), np.arange(n) % 2 == 0]
    for column in vectors.T[1:5]:
        order = np.argsort(column[fabric.endpoints], kind="stable")
        side = np.zeros(n, dtype=bool)
        side[order[: n // 2]] = True
        sides.append(side)
    return sides


def _settle(fabric: Fabric, matrix: NDArray[np.float64], side: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Put every other node on the side where it cuts less, until nothing moves."""
    part = np.zeros(len(fabric.kind))
    part[fabric.endpoints] = np.where(side, 1.0, -1.0)
    both = matrix + matrix.T
    others = np.flatnonzero(fabric.kind != GPU)
    for _ in range(len(fabric.kind)):
        before = part.copy()
        for node in others:
            part[node] = 1.0 if both[node] @ part >= 0 else -1.0
        if np.array_equal(part, before):
            break
    settled: NDArray[np.bool_] = part > 0
    return settled


def _cut(matrix: NDArray[np.float64], part: NDArray[np.bool_]) -> float:
    """Capacity across, in the direction that has less."""
    return float(min(matrix[part][:, ~part].sum(), matrix[~part][:, part].sum()))


def _improved_cut(fabric: Fabric, matrix: NDArray[np.float64], side: NDArray[np.bool_]) -> float:
    """Swap the pair of endpoints that gains most, while any gains; returns the cut."""
    nodes = fabric.endpoints
    both = matrix + matrix.T
    part = _settle(fabric, matrix, side)
    best = _cut(matrix, part)
    for _ in range(fabric.ranks):
        sign = np.where(part, 1.0, -1.0)
        pull = -(both @ sign) * sign
        mine, theirs = nodes[part[nodes]], nodes[~part[nodes]]
        gain = pull[mine][:, None] + pull[theirs] - 2 * both[np.ix_(mine, theirs)]
        a, b = np.unravel_index(int(np.argmax(gain)), gain.shape)
        trial = part[nodes]
        trial[nodes == mine[a]], trial[nodes == theirs[b]] = False, True
        moved = _settle(fabric, matrix, trial)
        if _cut(matrix, moved) >= best * (1 - 1e-12):
            break
        part, best = moved, _cut(matrix, moved)
    return best
