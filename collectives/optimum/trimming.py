"""Cut a network down until as much can leave every switch as can enter it, at the least loss of rate."""

from dataclasses import replace
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.optimum.network import Network

__all__ = ["balanced_part"]

VARIABLES_UP_TO = 40_000
DENOMINATORS_UP_TO = 5040
FINE = 2**20


def balanced_part(network: Network, *, gather: bool = True) -> Network:
    """Cut arcs down until every switch is in balance, so that the rate stays as large as it can.

    Parameters
    ----------
    network : Network
        Of 2 or more ranks.
    gather : bool
        Whether all ranks send, or rank 0 alone.

    Returns
    -------
    Network
        With a unit of its own. The same object where it is in balance already.

    Notes
    -----
    A linear program over the capacities to keep and one flow to every rank; its solution is read as
    fractions of small denominators where these balance, else rounded down to 2**-20 of the smallest capacity
    and mended by a largest flow. Above 40,000 variables a largest flow from all ranks to all ranks is taken,
    which is in balance but may cut what the rate needs.

    Examples
    --------
    What enters the switch is less than can leave it, and what leaves must not go back where it came from.

    >>> from topo_sim.collectives.optimum.cuts import gather_rate
    >>> from topo_sim.collectives.optimum.network import make_network
    >>> from topo_sim.topo import Fabric
    >>> import networkx as nx
    >>> graph = nx.DiGraph()
    >>> graph.add_node("s", kind="switch")
    >>> graph.add_weighted_edges_from(
    ...     [("a", "s", 2.0), ("b", "a", 3.0), ("s", "b", 1.0), ("s", "a", 3.0)], weight="bandwidth")
    >>> part = balanced_part(make_network(Fabric.from_graph(graph), 2))
    >>> part.balanced, gather_rate(part).rate * part.unit
    (True, Fraction(1, 1))
    """
    if network.balanced:
        return network
    count = len(network.source)
    if (network.ranks + 1) * count > VARIABLES_UP_TO:
        return network.trimmed()
    largest = int(max(network.amount.tolist()))
    kept = _program(network, gather, largest)
    if kept is None:
        return network.trimmed()
    exact = [Fraction(value * largest).limit_denominator(DENOMINATORS_UP_TO) for value in kept.tolist()]
    exact = [min(value, Fraction(most)) for value, most in zip(exact, network.amount.tolist(), strict=True)]
    found = _scaled(network, exact, lcm(*(value.denominator for value in exact)))
    if found.balanced:
        return found
    fine = FINE * -(-largest // int(min(network.amount.tolist())))
    rough = [Fraction(int(value * fine * (1 + 1e-9)) * largest, fine) for value in kept.tolist()]
    rough = [min(value, Fraction(most)) for value, most in zip(rough, network.amount.tolist(), strict=True)]
    return _scaled(network, rough, fine).trimmed()


def _scaled(network: Network, amount: list[Fraction], factor: int) -> Network:
    """Take the network with other capacities, `factor` of the new units to an old one."""
    whole = np.array([int(value * factor) for value in amount], dtype=object)
    keep = whole > 0
    return replace(
        network,
        source=network.source[keep],
        target=network.target[keep],
        amount=whole[keep],
        unit=network.unit / factor,
    )


def _program(network: Network, gather: bool, largest: int) -> NDArray[np.float64] | None:
    """Capacities to keep, over the largest, for the largest rate; None where the program fails."""
    from scipy.optimize import linprog
    from scipy.sparse import block_array, coo_array, csr_array, eye_array

    arcs, p, nodes = len(network.source), network.ranks, network.nodes
    each = np.arange(arcs)
    out = np.concatenate([np.ones(arcs), -np.ones(arcs)])
    net = csr_array(
        coo_array((out, (np.concatenate([network.source, network.target]), np.tile(each, 2))), (nodes, arcs))
    )
    sinks = list(range(p)) if gather else list(range(1, p))
    sends = np.zeros((nodes, 1))
    sends[: p if gather else 1] = -1.0  # times the rate
    empty = csr_array((arcs, 1))
    equal: list[list[Any]] = [[net[p:]] + [None] * len(sinks) + [csr_array((nodes - p, 1))]]
    least: list[list[Any]] = []
    for i, sink in enumerate(sinks):
        rest = np.arange(nodes) != sink
        flow: list[Any] = [None] * len(sinks)
        flow[i] = net[rest]
        equal.append([None, *flow, csr_array(sends[rest])])
        below: list[Any] = [None] * len(sinks)
        below[i] = eye_array(arcs, format="csr")
        least.append([-eye_array(arcs, format="csr"), *below, empty])
    a_eq: Any = block_array(equal, format="csr")
    a_ub: Any = block_array(least, format="csr")
    cost = np.zeros(a_eq.shape[1])
    cost[-1] = -1.0
    room = (network.amount / largest).astype(np.float64)
    bounds: Any = np.zeros((len(cost), 2))
    bounds[:, 1] = np.concatenate([room, np.tile(room, len(sinks)), [np.inf]])
    found: Any = linprog(
        cost, A_ub=a_ub, b_ub=np.zeros(a_ub.shape[0]), A_eq=a_eq, b_eq=np.zeros(a_eq.shape[0]),
        bounds=bounds, method="highs-ds",
    )  # fmt: skip
    return np.clip(found.x[:arcs], 0.0, room) if found.status == 0 else None
