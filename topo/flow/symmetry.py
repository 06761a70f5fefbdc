"""Flows and links that symmetry makes equal: the coarsest equitable partition of a flow problem."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topo_sim.topo.flow.kernels import count_distinct, recolour_flows, recolour_links
from topo_sim.topo.flow.paths import Paths

__all__ = ["Quotient", "quotient"]


@dataclass(frozen=True)
class Quotient:
    """A flow problem with one flow and one link per class.

    Parameters
    ----------
    paths : Paths
        Of the classes; the share of flow class F on link class L is what all flows of F put on one
        link of L.
    capacity : ndarray of float64, shape (link classes,), B/s
    flow_class : ndarray of int64, shape (flows,)
        Class of each flow.
    representative : ndarray of int64, shape (flow classes,)
        A flow of each class.
    """

    paths: Paths
    capacity: NDArray[np.float64]
    flow_class: NDArray[np.int64]
    representative: NDArray[np.int64]


def _bits(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(values, dtype=np.float64).view(np.uint64)


def quotient(
    paths: Paths, capacity: NDArray[np.float64], label: NDArray[np.float64] | None = None
) -> Quotient | None:
    """Merge flows and links that no max-min solver can tell apart.

    Parameters
    ----------
    paths : Paths
    capacity : ndarray of float64, shape (links,), B/s
    label : ndarray of float64, shape (flows, labels), optional
        What else tells flows apart (size, start time).

    Returns
    -------
    Quotient or None
        None where classes would be hardly fewer than flows.

    Notes
    -----
    Colour refinement: links are coloured by the flows that cross them and flows by the links that they
    cross until no class splits any more. Every link of a class then carries the same number of flows
    of each flow class, at the same shares, so water rises alike on all of them: max-min rates are
    constant on flow classes, and stay so while whole classes end together. Colours are 64-bit hashes;
    two of a million different classes collide with a probability below 1e-7. O(entries) per round.

    References
    ----------
    Grohe, Kersting, Mladenov, Selman, "Dimension reduction via colour refinement", ESA 2014.

    Examples
    --------
    >>> ring = Paths.from_lists([[i, (i + 1) % 6] for i in range(6)])
    >>> reduced = quotient(ring, np.full(6, 4.0))
    >>> len(reduced.paths), reduced.paths.share.tolist()
    (1, [2.0])
    """
    flows, width = len(paths), capacity.size
    share = np.zeros(0, np.uint64) if paths.share is None else _bits(paths.share)
    flow_colour, link_colour = np.zeros(flows, np.uint64), _bits(capacity).copy()
    for column in np.zeros((0, 0)) if label is None else label.T:
        flow_colour = flow_colour * np.uint64(0x9E3779B97F4A7C15) + _bits(column)
    total = np.empty(width, np.uint64)
    table = np.empty(1 << (2 * max(flows, width)).bit_length(), np.uint64)
    classes = (0, 0)
    while True:
        recolour_links(paths.indptr, paths.links, share, flow_colour, link_colour, total)
        recolour_flows(paths.indptr, paths.links, share, flow_colour, link_colour)
        found = (count_distinct(flow_colour, table), count_distinct(link_colour, table))
        if found[0] * 2 > flows:
            return None
        if found == classes:
            break
        classes = found
    _, representative, flow_class = np.unique(flow_colour, return_index=True, return_inverse=True)
    _, first_link, link_class = np.unique(link_colour, return_index=True, return_inverse=True)
    return _merge(paths, capacity, flow_class.ravel(), representative, link_class.ravel(), first_link)


def _merge(
    paths: Paths,
    capacity: NDArray[np.float64],
    flow_class: NDArray[np.int64],
    representative: NDArray[np.int64],
    link_class: NDArray[np.int64],
    first_link: NDArray[np.int64],
) -> Quotient:
    """Build the quotient from one link of each class and the flows that cross it."""
    chosen = np.zeros(capacity.size, dtype=bool)
    chosen[first_link] = True
    entry = np.flatnonzero(chosen[paths.links])
    flow = np.searchsorted(paths.indptr, entry, side="right") - 1
    amount = np.ones(entry.size) if paths.share is None else paths.share[entry]
    key = flow_class[flow] * first_link.size + link_class[paths.links[entry]]
    pairs, which = np.unique(key, return_inverse=True)
    share = np.bincount(which.ravel(), weights=amount, minlength=pairs.size).astype(np.float64)
    indptr = np.searchsorted(pairs // first_link.size, np.arange(representative.size + 1))
    reduced = Paths(indptr, pairs % first_link.size, share)
    return Quotient(reduced, capacity[first_link], flow_class, representative)
