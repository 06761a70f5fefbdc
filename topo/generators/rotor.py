"""Endpoints on rotors, circuit switches that turn through all matchings: their mean over time."""

from typing import Any

import numpy as np

from topo_sim.base import FaultsError, Quantity, Rate, Time, UnitError
from topo_sim.topo.fabric import GPU, OCS, Fabric
from topo_sim.topo.generators.common import (
    Cables,
    Parts,
    check_size,
    generator,
    graph_of,
    is_count,
    port_rate,
    read,
    require,
)

__all__ = ["rotor"]


def _time(name: str, value: object) -> float:
    try:
        return Quantity("time", positive=False).read(value)
    except UnitError as error:
        raise FaultsError([f"{name}: {error}"]) from None


def _graph(fabric: Fabric, rate: float, delay: float, medium: str) -> Any:
    """Mean links between endpoints, and the fibres to rotors, which no circuit is set on."""
    graph = graph_of(fabric)
    ends, names = np.flatnonzero(fabric.kind == OCS).tolist(), fabric.names
    fibre = {"bandwidth": rate, "latency": delay / 2, "medium": medium}
    for node in ends:
        graph.add_edges_from((names[end], names[node], fibre) for end in fabric.endpoints.tolist())
    graph.graph["cables"] = fabric.cables
    return graph


@generator("rotor")
def rotor(
    endpoints: int = 16,
    ports: int = 4,
    *,
    slot: Time = "200 us",
    reconfiguration: Time = "20 us",
    bandwidth: Rate = "50 GB/s",
    endpoint_bandwidth: Rate | None = None,
    latency: Time = "500 ns",
    medium: str = "cpo",
) -> Parts:
    """Rotors (RotorNet, Sirius) as their mean over time: a slow link between every two endpoints.

    Parameters
    ----------
    endpoints : int
        Number of endpoints.
    ports : int
        Optical ports per endpoint, one per rotor; fewer than the endpoints.
    slot : float or str, s
        How long a rotor shows a matching, with the dark time before it.
    reconfiguration : float or str, s
        The dark time of every slot; less than `slot`.
    bandwidth : float or str, B/s
        Of one port with light, per direction.
    endpoint_bandwidth : float or str, B/s, optional
        Of all ports of an endpoint together, with light; replaces `bandwidth`.
    latency : float or str, s
        Of one light path, endpoint to endpoint.
    medium : str
        What the fibres are made of.

    Returns
    -------
    Fabric
        A link from every endpoint to every other; its circuit switches are there to be counted only.

    Notes
    -----
    A model, not a configuration: every pair is joined by ``ports * bandwidth * duty / (endpoints - 1)`` at
    all times, with ``duty = 1 - reconfiguration / slot``. The latency of a pair is that of the light path and
    the mean wait for its circuit: pairs are lit for ``lit = slot - reconfiguration`` once every
    ``turn = slot * (endpoints - 1) / ports``, and who comes at any time waits
    ``(turn - lit) ** 2 / 2 / turn`` on average. So bytes that take many turns are timed well, and small
    messages on average; the order of slots, and bytes too few to fill theirs, are not seen.
    `topo_sim.optics.run_circuits` sees them.


    References
    ----------
    Mellette et al., "RotorNet: a scalable, low-complexity, optical datacenter network", SIGCOMM 2017.

    Examples
    --------
    >>> fabric = rotor(5, 1, slot="10 us", reconfiguration="2 us", bandwidth="1 GB/s", latency=0)
    >>> round(fabric.capacity[0]), round(fabric.latency[0] * 1e9)
    (200000000, 12800)
    """
    require(
        (is_count(endpoints, 2), f"endpoints: found {endpoints!r}, expected an integer of at least 2"),
        (is_count(ports), f"ports: found {ports!r}, expected an integer of at least 1"),
    )
    require((ports < endpoints, f"ports: found {ports}, expected fewer than the {endpoints} endpoints"))
    check_size(endpoints * (endpoints - 1) // 2, endpoints)
    turn, dark = _time("slot", slot), _time("reconfiguration", reconfiguration)
    require(
        (dark < turn, f"reconfiguration: found {dark:g} s, expected less than the slot of {turn:g} s"),
    )
    port = port_rate(bandwidth, endpoint_bandwidth, ports)
    rate = port * ports * (1 - dark / turn) / (endpoints - 1)
    lit = turn - dark
    gap = (endpoints - 1) / ports * turn - lit
    path = read("latency", latency)
    delay = path + gap**2 / 2 / (gap + lit)
    lower, upper = (ends.astype(np.int32) for ends in np.triu_indices(endpoints, k=1))
    return Parts(
        kind=np.repeat(np.array([GPU, OCS], dtype=np.int8), [endpoints, ports]),
        links=[Cables(lower, upper, rate, delay, medium)],
        names=lambda: [*(f"gpu{i}" for i in range(endpoints)), *(f"rotor{p}" for p in range(ports))],
        cables=endpoints * ports,
        make_graph=lambda fabric: _graph(fabric, port, path, medium),
        endpoints_forward=True,
        exact_bisection=rate * (endpoints // 2) * ((endpoints + 1) // 2),
    )
