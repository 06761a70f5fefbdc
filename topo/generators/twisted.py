"""Twisted tori: short axes that close with a shift along the long ones."""

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
from topo_sim.topo.structure import Lattice

__all__ = ["twisted_torus"]


@generator("twisted_torus")
def twisted_torus(
    dims: Sequence[int] = (4, 4, 8),
    *,
    twist: int | None = None,
    bandwidth: Rate = "50 GB/s",
    endpoint_bandwidth: Rate | None = None,
    latency: Time = "500 ns",
    medium: str = "copper",
) -> Parts:
    """Torus in which the wrap of every short axis shifts every long axis.

    Parameters
    ----------
    dims : sequence of int
        Length of each axis, k or more: those of the least length k are short, the others long. All at
        least 3, and of two lengths at least.
    twist : int, optional
        By how much, from 0 (a plain torus) to less than the shortest long axis. Default: k.
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

    Notes
    -----
    The cable from (k-1, y, z) along the short axis x leads to (0, y, z + k), not (0, y, z). The fabric
    stays alike from every endpoint. Ranks and cables are numbered as in `torus`.

    References
    ----------
    Camarero, Martinez, Beivide, "Lattice graphs for high-scale interconnection topologies", IEEE TPDS
    2015; Jouppi et al., "TPU v4", ISCA 2023 (section 2.8).

    Examples
    --------
    >>> twisted_torus((4, 4, 8))
    <Fabric twisted_torus(dims=(4, 4, 8)): 128 endpoints, 0 switches, 384 cables>
    """
    sizes = as_tuple("dims", dims)
    require(
        (2 <= len(sizes) <= 16, f"dims: found {len(sizes)} values, expected 2 to 16"),
        *((is_count(n, 3), f"dims: found {n!r}, expected integers of at least 3") for n in sizes),
    )
    require((len(set(sizes)) > 1, f"dims: found {sizes!r}, expected a short and a long axis"))
    check_size(len(sizes) * prod(sizes), prod(sizes))
    short = min(sizes)
    by, long = short if twist is None else twist, min(n for n in sizes if n > short)
    require((is_count(by, 0) and by < long, f"twist: found {by!r}, expected an integer from 0 to {long - 1}"))
    lattice = Lattice(
        tuple(int(n) for n in sizes),
        tuple(tuple(int(by) if m > n == short else 0 for m in sizes) for n in sizes),
    )
    rate, delay = port_rate(bandwidth, endpoint_bandwidth, 2 * len(sizes)), read("latency", latency)
    node = np.arange(lattice.endpoints, dtype=np.int32)
    return Parts(
        kind=np.full(lattice.endpoints, GPU, dtype=np.int8),
        links=[
            Cables(node, lattice.neighbour(axis).astype(np.int32), rate, delay, medium)
            for axis in range(len(sizes))
        ],
        names=lambda: [f"gpu{i}" for i in range(lattice.endpoints)],
        structure=lattice,
        endpoints_forward=True,
    )
