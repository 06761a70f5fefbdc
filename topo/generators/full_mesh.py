"""Every endpoint joined to every other."""

import numpy as np

from topo_sim.base import Rate, Time
from topo_sim.topo.fabric import GPU
from topo_sim.topo.generators.common import (
    Cables,
    Parts,
    check_size,
    generator,
    is_count,
    port_rate,
    read,
    require,
)

__all__ = ["full_mesh"]


@generator("full_mesh")
def full_mesh(
    endpoints: int = 8,
    *,
    bandwidth: Rate = "50 GB/s",
    endpoint_bandwidth: Rate | None = None,
    latency: Time = "500 ns",
    medium: str = "copper",
) -> Parts:
    """Join every pair of endpoints by a cable of its own.

    Parameters
    ----------
    endpoints : int
        Number of endpoints.
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
    >>> full_mesh(4)
    <Fabric full_mesh(endpoints=4): 4 endpoints, 0 switches, 6 cables>
    """
    require((is_count(endpoints), f"endpoints: found {endpoints!r}, expected an integer of at least 1"))
    check_size(endpoints * (endpoints - 1) // 2, endpoints)
    lower, upper = (ends.astype(np.int32) for ends in np.triu_indices(endpoints, k=1))
    rate = port_rate(bandwidth, endpoint_bandwidth, endpoints - 1)
    return Parts(
        kind=np.full(endpoints, GPU, dtype=np.int8),
        links=[Cables(lower, upper, rate, read("latency", latency), medium)],
        names=lambda: [f"gpu{i}" for i in range(endpoints)],
        endpoints_forward=endpoints > 1,
        exact_bisection=rate * (endpoints // 2) * ((endpoints + 1) // 2),
    )
