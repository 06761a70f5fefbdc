"""Direct fabrics on a grid: torus and mesh of any number of dimensions."""

from collections.abc import Sequence
from math import prod

import numpy as np

from topo_sim.base import Rate, Time
from topo_sim.topo.fabric import GPU
from topo_sim.topo.generators.common import (
    Cables,
    Parts,
    as_tuple,
    check_size,
    generator,
    is_count,
    port_rate,
    read,
    require,
)
from topo_sim.topo.structure import Grid

__all__ = ["mesh", "torus"]


def _bisection(grid: Grid, rate: float) -> float | None:
    """2N/k cables in a torus and N/k in a mesh, k the largest axis, if that is even."""
    k = max(grid.dims)
    if k == 1:
        return 0.0
    if k % 2:
        return None
    return rate * grid.endpoints / k * (2 if all(grid.wrap) and k > 2 else 1)


def _parts(
    dims: int | Sequence[int],
    wrap: bool,
    bandwidth: Rate,
    endpoint_bandwidth: Rate | None,
    latency: Time,
    medium: str,
) -> Parts:
    sizes = as_tuple("dims", dims, alone=1)
    require(
        (1 <= len(sizes) <= 16, f"dims: found {len(sizes)} values, expected 1 to 16"),
        *((is_count(n), f"dims: found {n!r}, expected integers of at least 1") for n in sizes),
    )
    check_size(len(sizes) * prod(sizes), prod(sizes))
    grid = Grid(tuple(int(n) for n in sizes), (wrap,) * len(sizes))
    rate = port_rate(bandwidth, endpoint_bandwidth, grid.ports)
    delay = read("latency", latency)
    return Parts(
        kind=np.full(grid.endpoints, GPU, dtype=np.int8),
        links=[Cables(*grid.cable_ends(axis), rate, delay, medium) for axis in range(len(sizes))],
        names=lambda: [f"gpu{i}" for i in range(grid.endpoints)],
        structure=grid,
        endpoints_forward=grid.endpoints > 1,
        routing="dimension_order",
        exact_bisection=_bisection(grid, rate),
    )


@generator("torus")
def torus(
    dims: int | Sequence[int] = (4, 4, 4),
    *,
    bandwidth: Rate = "50 GB/s",
    endpoint_bandwidth: Rate | None = None,
    latency: Time = "500 ns",
    medium: str = "copper",
) -> Parts:
    """Torus: endpoints on a grid, each joined to the next one along every axis, all axes closed.

    Parameters
    ----------
    dims : int or sequence of int
        Length of each axis, the first one fastest in the ranks' order. An axis of length 2 has one
        cable, not two; an axis of length 1 has none.
    bandwidth : float or str, B/s
        Of one cable, per direction.
    endpoint_bandwidth : float or str, B/s, optional
        Of all cables of an endpoint together; replaces `bandwidth`.
    latency : float or str, s
        Of one link.
    medium : str
        What the cables are made of.

    Returns
    -------
    Fabric

    Examples
    --------
    >>> torus((4, 4, 4))
    <Fabric torus(dims=(4, 4, 4)): 64 endpoints, 0 switches, 192 cables>
    """
    return _parts(dims, True, bandwidth, endpoint_bandwidth, latency, medium)


@generator("mesh")
def mesh(
    dims: int | Sequence[int] = (4, 4),
    *,
    bandwidth: Rate = "50 GB/s",
    endpoint_bandwidth: Rate | None = None,
    latency: Time = "500 ns",
    medium: str = "copper",
) -> Parts:
    """Mesh: a torus whose axes do not close.

    Parameters
    ----------
    dims, bandwidth, endpoint_bandwidth, latency, medium
        As in `torus`; `endpoint_bandwidth` is that of an inner endpoint.

    Returns
    -------
    Fabric

    Examples
    --------
    >>> mesh((4, 4))
    <Fabric mesh(dims=(4, 4)): 16 endpoints, 0 switches, 24 cables>
    """
    return _parts(dims, False, bandwidth, endpoint_bandwidth, latency, medium)
