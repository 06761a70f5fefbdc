"""What all generators share: the registry, the checks, and the step from cables to a `Fabric`."""

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import FaultsError, Quantity, Registry, UnitError
from topo_sim.topo.fabric import GPU, KINDS, REDUCTIONS, SWITCH, Fabric
from topo_sim.topo.structure import Structure

__all__ = [
    "GENERATORS",
    "Cables",
    "Parts",
    "as_tuple",
    "assemble",
    "check_size",
    "generator",
    "port_rate",
    "read",
    "reductions",
    "require",
]

GENERATORS: Registry[Callable[..., Fabric]] = Registry("generator")

MAX_CABLES = 50_000_000
P = ParamSpec("P")
_RATE = Quantity("rate")
_TIME = Quantity("time", positive=False)


@dataclass(frozen=True)
class Cables:
    """A bundle of cables of one kind.

    Parameters
    ----------
    lower, upper : ndarray of int32, shape (n,)
        Ends of each cable.
    bandwidth : float, B/s per direction
    latency : float, s
    medium : str
    """

    lower: NDArray[np.int32]
    upper: NDArray[np.int32]
    bandwidth: float
    latency: float
    medium: str


@dataclass(frozen=True)
class Parts:
    """What a generator hands back: nodes, links and what it knows about them.

    Parameters
    ----------
    kind : ndarray of int8, shape (nodes,)
    links : list of Cables
        In order; cable i of the whole list is links 2i and 2i+1, unless `directed`.
    names : callable
        Returns the name of every node.
    directed : bool
        Whether each entry of `links` is one link from lower to upper only.
    cables : int, optional
        Physical cables, where that is not the number of entries in `links`.
    make_graph : callable, optional
        Builds the graph, where that is not nodes and cables as they are.
    structure, endpoints_forward, routing, exact_bisection, reduces
        As in `Fabric`.
    """

    kind: NDArray[np.int8]
    links: list[Cables]
    names: Callable[[], Sequence[str]]
    directed: bool = False
    cables: int | None = None
    make_graph: Callable[[Fabric], Any] | None = None
    structure: Structure | None = None
    endpoints_forward: bool = False
    routing: str = "ecmp_split"
    exact_bisection: float | None = None
    reduces: NDArray[np.int8] | None = None


def require(*checks: tuple[bool, str]) -> None:
    """Raise `FaultsError` with the message of every check that is false.

    Examples
    --------
    >>> require((True, "k: fine"), (3 % 2 == 0, "k: found 3, expected an even number"))
    Traceback (most recent call last):
    topo_sim.base.errors.FaultsError: k: found 3, expected an even number
    """
    faults = list(dict.fromkeys(message for passed, message in checks if not passed))
    if faults:
        raise FaultsError(faults)


def check_size(cables: int, endpoints: int) -> None:
    """Refuse a fabric that would not fit in memory, or that has no endpoint."""
    require(
        (endpoints >= 1, f"makes {endpoints} endpoints, expected at least 1"),
        (
            max(cables, endpoints) <= MAX_CABLES,
            f"makes {_many(endpoints)} endpoints and {_many(cables)} cables, expected at most {MAX_CABLES:,}",
        ),
    )


def _many(count: int) -> str:
    return f"{count:.6g}" if count < 10**15 else "more than 1e15"


def as_tuple(name: str, value: object, *, alone: int | None = None) -> tuple[Any, ...]:
    """Take a sequence as a tuple; a value that stands `alone` counts so many times, or is a fault."""
    if alone is not None and isinstance(value, (int, float, str, np.number)):
        return (value,) * alone
    require(
        (
            isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str),
            f"{name}: found {value!r}, expected a list",
        )
    )
    return tuple(value)  # type: ignore[arg-type]


def is_count(value: object, least: int = 1) -> bool:
    """Whether `value` is an integer (and no bool) of at least `least`."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and int(value) >= least


def read(name: str, value: object) -> float:
    """Read a ``bandwidth`` or ``latency`` argument, naming it in the error.

    Parameters
    ----------
    name : str
        The argument's name; a name that ends in "latency" is a time, any other a rate.
    value : float or str

    Returns
    -------
    float, B/s or s
    """
    try:
        return (_TIME if name.endswith("latency") else _RATE).read(value)
    except UnitError as error:
        raise FaultsError([f"{name}: {error}"]) from None


def reductions(kind: NDArray[np.int8], reduces: object) -> NDArray[np.int8] | None:
    """Let every switch combine in a given way.

    Parameters
    ----------
    kind : ndarray of int8, shape (nodes,)
    reduces : {"nvls", "sharp"} or None

    Returns
    -------
    ndarray of int8, shape (nodes,), or None
        As in `Fabric`.
    """
    require(
        (
            reduces is None or reduces in REDUCTIONS[1:],
            f'reduces: found {reduces!r}, expected "nvls" or "sharp"',
        )
    )
    return None if reduces is None else (kind == SWITCH).astype(np.int8) * REDUCTIONS.index(str(reduces))


def port_rate(bandwidth: object, endpoint_bandwidth: object, ports: int) -> float:
    """Bandwidth of one port, from itself or as a share of what the endpoint has in all.

    Parameters
    ----------
    bandwidth : float or str, B/s
        Of one port.
    endpoint_bandwidth : float or str or None, B/s
        Of all ports together; where given it wins.
    ports : int

    Returns
    -------
    float, B/s
    """
    if endpoint_bandwidth is None:
        return read("bandwidth", bandwidth)
    return read("endpoint_bandwidth", endpoint_bandwidth) / max(ports, 1)


def graph_of(fabric: Fabric) -> Any:
    """Build the NetworkX multigraph of a fabric whose links 2i and 2i+1 are cable i."""
    import networkx as nx

    graph = nx.MultiGraph(name=fabric.name)
    names = fabric.names
    graph.add_nodes_from((n, {"kind": KINDS[k]}) for n, k in zip(names, fabric.kind.tolist(), strict=True))
    if fabric.reduces is not None:
        for node in np.flatnonzero(fabric.reduces):
            graph.nodes[names[node]]["reduces"] = REDUCTIONS[fabric.reduces[node]]
    columns = (fabric.link_source, fabric.link_target, fabric.capacity, fabric.latency, fabric.medium)
    graph.add_edges_from(
        (names[u], names[v], {"bandwidth": c, "latency": t, "medium": fabric.media[m]})
        for u, v, c, t, m in zip(*(column[::2].tolist() for column in columns), strict=True)
    )
    return graph


def _interleave(forward: NDArray[Any], backward: NDArray[Any]) -> NDArray[Any]:
    out = np.empty(2 * len(forward), dtype=forward.dtype)
    out[::2], out[1::2] = forward, backward
    return out


def assemble(parts: Parts, family: str, parameters: dict[str, Any]) -> Fabric:
    """Compile `Parts` into a `Fabric`."""
    each = 1 if parts.directed else 2
    media = sorted({bundle.medium for bundle in parts.links})
    counts = [each * len(bundle.lower) for bundle in parts.links]
    empty = np.zeros(0, dtype=np.int32)
    lower = np.concatenate([empty, *(bundle.lower for bundle in parts.links)])
    upper = np.concatenate([empty, *(bundle.upper for bundle in parts.links)])
    given = ", ".join(f"{key}={value!r}" for key, value in parameters.items())
    return Fabric(
        name=f"{family}({given})",
        kind=parts.kind,
        endpoints=np.flatnonzero(parts.kind == GPU).astype(np.int32),
        link_source=lower if parts.directed else _interleave(lower, upper),
        link_target=upper if parts.directed else _interleave(upper, lower),
        capacity=np.repeat([bundle.bandwidth for bundle in parts.links], counts),
        latency=np.repeat([bundle.latency for bundle in parts.links], counts),
        medium=np.repeat([media.index(bundle.medium) for bundle in parts.links], counts).astype(np.int16),
        media=tuple(media),
        cables=len(lower) if parts.cables is None else parts.cables,
        node_names=parts.names,
        make_graph=parts.make_graph or graph_of,
        family=family,
        parameters=parameters,
        structure=parts.structure,
        endpoints_forward=parts.endpoints_forward,
        routing=parts.routing,
        exact_bisection=parts.exact_bisection,
        reduces=parts.reduces,
    )


def generator(family: str) -> Callable[[Callable[P, Parts]], Callable[P, Fabric]]:
    """Register a function that returns `Parts` as the generator of a family of fabrics.

    Parameters
    ----------
    family : str
        Its name in topology files and in ``topo-sim list generators``.

    Returns
    -------
    callable
        A decorator; the decorated function returns a `Fabric`.
    """

    def wrap(function: Callable[P, Parts]) -> Callable[P, Fabric]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def make(*args: P.args, **kwargs: P.kwargs) -> Fabric:
            given = dict(signature.bind(*args, **kwargs).arguments)
            return assemble(function(*args, **kwargs), family, given)

        make.__annotations__ = function.__annotations__ | {"return": Fabric}
        GENERATORS.add(family, make)
        return make

    return wrap
