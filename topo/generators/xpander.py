"""Xpander: a random lift of a complete graph of switches, with endpoints on each."""

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import FaultsError, Rate, Time
from topo_sim.topo.fabric import GPU, SWITCH
from topo_sim.topo.generators.common import (
    Cables,
    Parts,
    check_size,
    generator,
    is_count,
    read,
    require,
)

__all__ = ["xpander"]

DRAWS = 100


def _lift(degree: int, lift: int, draw: np.random.Generator) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the ends of the cables: a random matching between every two groups of switches."""
    first, second = np.triu_indices(degree + 1, k=1)
    order = np.argsort(draw.random((len(first), lift)), axis=1)
    lower = first[:, np.newaxis] * lift + np.arange(lift)
    upper = second[:, np.newaxis] * lift + order
    return lower.ravel().astype(np.int32), upper.ravel().astype(np.int32)


def _connected(lower: NDArray[np.int32], upper: NDArray[np.int32], switches: int) -> bool:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    graph = csr_array((np.ones(len(lower)), (lower, upper)), shape=(switches, switches))
    return int(connected_components(graph, directed=False)[0]) == 1


def _draw(degree: int, lift: int, seed: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Draw lifts until one is connected."""
    draw = np.random.default_rng(seed)
    for _ in range(DRAWS):
        lower, upper = _lift(degree, lift, draw)
        if _connected(lower, upper, (degree + 1) * lift):
            return lower, upper
    raise FaultsError([f"lift: found {lift}, none of {DRAWS} draws of degree {degree} is connected"])


@generator("xpander")
def xpander(
    degree: int = 4,
    *,
    lift: int = 4,
    endpoints_per_switch: int = 4,
    bandwidth: Rate = "50 GB/s",
    uplink_bandwidth: Rate | None = None,
    latency: Time = "500 ns",
    medium: str = "copper",
    seed: int = 0,
) -> Parts:
    """Xpander: ``degree + 1`` groups of switches, any two groups joined by a random matching.

    Parameters
    ----------
    degree : int
        Cables of a switch to other switches, at least 2.
    lift : int
        Switches in a group, none of which are joined to each other.
    endpoints_per_switch : int
        Endpoints on every switch.
    bandwidth : float or str, B/s
        Of an endpoint's cable, per direction.
    uplink_bandwidth : float or str, B/s, optional
        Of a cable between switches. Default: `bandwidth`.
    latency : float or str, s
        Of one link.
    medium : str
        What the cables are made of.
    seed : int
        Of the matchings. A draw that is not connected is followed by another.

    Returns
    -------
    Fabric

    Notes
    -----
    A lift of the complete graph on ``degree + 1`` nodes: nearly as good an expander as a random regular
    graph, with cables in bundles of `lift` between groups.

    References
    ----------
    Valadarsky, Shahaf, Dinitz, Schapira, "Xpander: towards optimal-performance datacenters", CoNEXT 2016.

    Examples
    --------
    >>> xpander(4, lift=4, endpoints_per_switch=2)
    <Fabric xpander(degree=4, lift=4, endpoints_per_switch=2): 40 endpoints, 20 switches, 80 cables>
    """
    require(
        (is_count(degree, 2), f"degree: found {degree!r}, expected an integer of at least 2"),
        (is_count(lift), f"lift: found {lift!r}, expected an integer of at least 1"),
        (
            is_count(endpoints_per_switch),
            f"endpoints_per_switch: found {endpoints_per_switch!r}, expected an integer of at least 1",
        ),
        (is_count(seed, 0), f"seed: found {seed!r}, expected an integer of at least 0"),
    )
    switches = (degree + 1) * lift
    endpoints = switches * endpoints_per_switch
    check_size(endpoints + switches * degree // 2, endpoints)
    lower, upper = _draw(degree, lift, seed)
    rate = read("bandwidth", bandwidth)
    up = rate if uplink_bandwidth is None else read("uplink_bandwidth", uplink_bandwidth)
    delay, gpu = read("latency", latency), np.arange(endpoints, dtype=np.int32)
    first = np.int32(endpoints)
    return Parts(
        kind=np.repeat(np.array([GPU, SWITCH], dtype=np.int8), [endpoints, switches]),
        links=[
            Cables(gpu, first + gpu // np.int32(endpoints_per_switch), rate, delay, medium),
            Cables(first + lower, first + upper, up, delay, medium),
        ],
        names=lambda: [f"gpu{i}" for i in range(endpoints)] + [f"switch{i}" for i in range(switches)],
    )
