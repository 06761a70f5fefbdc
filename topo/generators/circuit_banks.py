"""Flat circuit-switched fabrics wired to circuit switches of a real number of ports."""

from collections.abc import Sequence
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import Rate, Time
from topo_sim.topo.fabric import GPU, OCS, Fabric
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

__all__ = ["banks_of", "circuit_banks"]


def banks_of(endpoints: int, radix: int) -> int:
    """Count the circuit switches of one plane: the fewest equal banks whose ports suffice.

    Parameters
    ----------
    endpoints : int
    radix : int
        Ports of a switch; each endpoint of a bank takes one, and each endpoint that it leads to another.

    Returns
    -------
    int

    Examples
    --------
    >>> banks_of(1024, 300), banks_of(1024, 136)
    (8, 16)
    """
    return next(n for n in range(1, endpoints + 1) if endpoints % n == 0 and 2 * (endpoints // n) <= radix)


def _names(endpoints: int, planes: int, banks: int) -> list[str]:
    return [f"gpu{i}" for i in range(endpoints)] + [
        f"ocs{plane}.{bank}" for plane in range(planes) for bank in range(banks)
    ]


def _graph(
    strides: NDArray[np.int64], banks: int, rate: float, delay: float, medium: str, fabric: Fabric
) -> Any:
    """Build the wiring: ports out of the endpoints of one residue, ports into those a stride further."""
    import networkx as nx

    endpoints = fabric.ranks
    graph = nx.MultiGraph(name=fabric.name)
    graph.add_nodes_from((f"gpu{i}" for i in range(endpoints)), kind="gpu")
    look = {"bandwidth": rate, "latency": delay / 2, "medium": medium}
    for plane, stride in enumerate(strides.tolist()):
        for bank in range(banks):
            ocs, out = f"ocs{plane}.{bank}", range(bank, endpoints, banks)
            pairs = [(f"gpu{i}", f"gpu{(i + stride) % endpoints}") for i in out]
            circuits = [end for a, b in pairs for end in ((a, b), (b, a))]
            graph.add_node(ocs, kind="ocs", circuits=circuits)
            graph.add_edges_from(((gpu, ocs) for pair in pairs for gpu in pair), **look)
    return graph


@generator("circuit_banks")
def circuit_banks(
    endpoints: int = 1024,
    strides: Sequence[int] = (1, 5, 23, 107),
    *,
    radix: int = 300,
    bandwidth: Rate = "50 GB/s",
    endpoint_bandwidth: Rate | None = None,
    latency: Time = "200 ns",
    medium: str = "cpo",
) -> Parts:
    """Flat circuit-switched fabric of rings, every plane split over banks of real circuit switches.

    Parameters
    ----------
    endpoints : int
        At least 3.
    strides : sequence of int
        One plane each, from 1 to ``endpoints - 1``: it joins every endpoint to the one that many ranks on.
        An endpoint has two ports per plane, one out and one in, each carrying both directions.
    radix : int
        Ports of one circuit switch, at least 2.
    bandwidth : float or str, B/s
        Of one port, per direction.
    endpoint_bandwidth : float or str, B/s, optional
        Of all ports of an endpoint together; replaces `bandwidth`.
    latency : float or str, s
        Of one light path, endpoint to endpoint.
    medium : str
        What the fibres are made of.

    Returns
    -------
    Fabric
        Its links are the light paths; its graph holds the circuit switches, the fibres and the circuits.

    Notes
    -----
    No circuit switch has a port for each of a thousand endpoints. So a plane has as many switches as it
    takes, and endpoints go to them by residue: switch g of a plane of stride s has the out ports of the
    endpoints congruent to g and the in ports of those congruent to g + s, modulo the number of switches.
    Whatever its configuration, it joins out ports to in ports; so a plane can be set anew to any stride
    congruent to s, and to any matching between the two classes, and to nothing else.

    Examples
    --------
    >>> circuit_banks(1024, radix=300).circuit_switches
    32
    """
    given = as_tuple("strides", strides)
    require(
        (is_count(endpoints, 3), f"endpoints: found {endpoints!r}, expected an integer of at least 3"),
        (is_count(radix, 2), f"radix: found {radix!r}, expected an integer of at least 2"),
        (1 <= len(given) <= 1024, f"strides: found {len(given)} values, expected 1 to 1024"),
        *((is_count(s), f"strides: found {s!r}, expected integers of at least 1") for s in given),
    )
    require(
        *(
            (s < endpoints, f"strides: found {s!r}, expected integers below the {endpoints} endpoints")
            for s in given
        ),
        (
            gcd(endpoints, *map(int, given)) == 1,
            f"strides: found {gcd(endpoints, *map(int, given))} as a common divisor with the {endpoints} "
            "endpoints, expected 1, or they fall apart",
        ),
    )
    check_size(2 * len(given) * endpoints, endpoints)
    banks, ports = banks_of(int(endpoints), int(radix)), 2 * len(given)
    rate, delay = port_rate(bandwidth, endpoint_bandwidth, ports), read("latency", latency)
    step, rank = np.array(given, dtype=np.int64), np.arange(endpoints)
    return Parts(
        kind=np.repeat(np.array([GPU, OCS], dtype=np.int8), [endpoints, len(given) * banks]),
        links=[
            Cables(rank.astype(np.int32), ((rank + s) % endpoints).astype(np.int32), rate, delay, medium)
            for s in step
        ],
        names=lambda: _names(int(endpoints), len(given), banks),
        cables=ports * int(endpoints),
        make_graph=lambda fabric: _graph(step, banks, rate, delay, medium, fabric),
        endpoints_forward=True,
    )
