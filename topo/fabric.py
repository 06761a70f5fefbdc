"""The fabric: a NetworkX graph of GPUs, switches and circuit switches, compiled to arrays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.topo.structure import Structure

__all__ = ["KINDS", "REDUCTIONS", "Fabric", "csr_by"]

KINDS = ("gpu", "switch", "ocs")
GPU, SWITCH, OCS = range(3)
REDUCTIONS = ("", "nvls", "sharp")


def csr_by(key: NDArray[np.integer], count: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Group the indices 0..len(key)-1 by their key, in index order inside a group.

    Parameters
    ----------
    key : ndarray of int, shape (n,)
        Group of each index, in [0, count).
    count : int
        Number of groups.

    Returns
    -------
    indptr : ndarray of int32, shape (count + 1,)
    indices : ndarray of int32, shape (n,)

    Examples
    --------
    >>> indptr, indices = csr_by(np.array([1, 0, 1]), 2)
    >>> indptr.tolist(), indices.tolist()
    ([0, 1, 3], [1, 0, 2])
    """
    indptr = np.zeros(count + 1, dtype=np.int32)
    np.cumsum(np.bincount(key, minlength=count), out=indptr[1:])
    indices = np.argsort(key, kind="stable").astype(np.int32)
    for array in (indptr, indices):
        array.setflags(write=False)
    return indptr, indices


def _frozen(array: Any, dtype: type) -> NDArray[Any]:
    out: NDArray[Any] = np.array(array, dtype=dtype)
    out.setflags(write=False)
    return out


@dataclass(frozen=True, eq=False, repr=False)
class Fabric:
    """An immutable network of endpoints and switches.

    Make one with a generator (`topo_sim.topo.torus`, ...), from a file (`load_fabric`) or from any
    NetworkX graph (`Fabric.from_graph`); the constructor itself trusts its arguments.

    Parameters
    ----------
    name : str
        For tables and plots.
    kind : ndarray of int8, shape (nodes,)
        Index into ``KINDS``: gpu, switch or ocs.
    endpoints : ndarray of int32, shape (ranks,)
        Node of each rank.
    link_source, link_target : ndarray of int32, shape (links,)
        Ends of each link. A link is one direction of a cable, or of a circuit's light path.
    capacity : ndarray of float64, shape (links,), B/s
    latency : ndarray of float64, shape (links,), s
    medium : ndarray of int16, shape (links,)
        Index into `media`.
    media : tuple of str
    cables : int
        Physical cables and fibres, each carrying both directions.
    node_names : callable
        Returns the name of every node; called at most once.
    make_graph : callable
        Builds the NetworkX graph from this fabric, a new one at every call.
    family : str
        The generator's name, or "graph".
    parameters : dict
        The generator's arguments.
    structure : Clos or Grid, optional
        Numbering that routings and metrics may rely on.
    endpoints_forward : bool
        Whether endpoints carry other endpoints' traffic.
    routing : str
        Routing used where none is asked for.
    exact_bisection : float, optional, B/s
        Bisection in closed form, where the family has one.
    reduces : ndarray of int8, shape (nodes,), optional
        What each node can combine: index into ``REDUCTIONS``. "nvls": endpoints may read the sum of what all
        of them hold, and store to all of them at once; "sharp": switches sum up along a tree, and send the
        result down again. Default: nothing.

    Examples
    --------
    >>> from topo_sim.topo import fat_tree
    >>> fat_tree(4)
    <Fabric fat_tree(k=4): 16 endpoints, 20 switches, 48 cables>
    """

    name: str
    kind: NDArray[np.int8]
    endpoints: NDArray[np.int32]
    link_source: NDArray[np.int32]
    link_target: NDArray[np.int32]
    capacity: NDArray[np.float64]
    latency: NDArray[np.float64]
    medium: NDArray[np.int16]
    media: tuple[str, ...]
    cables: int
    node_names: Callable[[], Sequence[str]]
    make_graph: Callable[["Fabric"], Any]
    family: str = "graph"
    parameters: dict[str, Any] = field(default_factory=dict)
    structure: Structure | None = None
    endpoints_forward: bool = True
    routing: str = "ecmp_split"
    exact_bisection: float | None = None
    reduces: NDArray[np.int8] | None = None

    def __post_init__(self) -> None:
        types: dict[str, type] = {
            "kind": np.int8,
            "endpoints": np.int32,
            "link_source": np.int32,
            "link_target": np.int32,
            "capacity": np.float64,
            "latency": np.float64,
            "medium": np.int16,
        }
        for attribute, dtype in types.items():
            object.__setattr__(self, attribute, _frozen(getattr(self, attribute), dtype))
        if self.reduces is not None:
            given = _frozen(self.reduces, np.int8)
            object.__setattr__(self, "reduces", given if given.any() else None)

    @classmethod
    def from_graph(
        cls,
        graph: Any,
        *,
        name: str | None = None,
        bandwidth: float | str = "50 GB/s",
        latency: float | str = "500 ns",
        endpoints_forward: bool | None = None,
        routing: str = "ecmp_split",
    ) -> "Fabric":
        """Compile any NetworkX graph.

        Parameters
        ----------
        graph : nx.Graph, nx.DiGraph, nx.MultiGraph or nx.MultiDiGraph
            Node attribute ``kind``: "gpu" (assumed where missing), "switch" or "ocs". An ocs node may
            carry ``circuits``, a list of ``(from, to)`` pairs of its neighbours, each a light path in
            that direction. A switch may carry ``reduces``: "nvls" or "sharp". Edge attributes
            ``bandwidth`` (per direction), ``latency`` and ``medium``; an undirected edge is one cable, two
            links; parallel edges are kept.
        name : str, optional
            Default: the graph's own name, or "graph".
        bandwidth : float or str, B/s
            For edges that state none.
        latency : float or str, s
            For edges that state none.
        endpoints_forward : bool, optional
            Whether endpoints carry other endpoints' traffic. Default: whether any two endpoints are
            joined directly.
        routing : str
            Routing used where none is asked for.

        Returns
        -------
        Fabric
            Ranks follow the order in which endpoints were added to the graph.

        Raises
        ------
        FaultsError
            Listing every fault: unknown kind, bad bandwidth or latency, self-loop, no endpoint, a
            circuit that uses a port twice.

        Examples
        --------
        >>> import networkx as nx
        >>> Fabric.from_graph(nx.cycle_graph(8), name="ring")
        <Fabric ring: 8 endpoints, 0 switches, 8 cables>
        """
        from topo_sim.topo.compile import compile_graph

        return compile_graph(
            graph,
            name=name,
            bandwidth=bandwidth,
            latency=latency,
            endpoints_forward=endpoints_forward,
            routing=routing,
        )

    @property
    def ranks(self) -> int:
        """Number of endpoints."""
        return len(self.endpoints)

    def reducing(self, reduction: str) -> NDArray[np.bool_]:
        """Whether each node can combine in a given way.

        Parameters
        ----------
        reduction : {"nvls", "sharp"}

        Returns
        -------
        ndarray of bool, shape (nodes,)
        """
        if self.reduces is None:
            return np.zeros(len(self.kind), dtype=np.bool_)
        found: NDArray[np.bool_] = self.reduces == REDUCTIONS.index(reduction)
        return found

    @property
    def links(self) -> int:
        """Number of links."""
        return len(self.capacity)

    @property
    def switches(self) -> int:
        """Number of packet switches."""
        return int(np.count_nonzero(self.kind == SWITCH))

    @property
    def circuit_switches(self) -> int:
        """Number of optical circuit switches."""
        return int(np.count_nonzero(self.kind == OCS))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name of every node."""
        return tuple(self.node_names())

    @property
    def graph(self) -> Any:
        """The fabric as a NetworkX graph, a new one each time: changing it does not change the fabric."""
        return self.make_graph(self)

    @cached_property
    def out_links(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """CSR (indptr, links) of the links that leave each node, in link order."""
        return csr_by(self.link_source, len(self.kind))

    @cached_property
    def in_links(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """CSR (indptr, links) of the links that enter each node, in link order."""
        return csr_by(self.link_target, len(self.kind))

    @cached_property
    def forwards(self) -> NDArray[np.bool_]:
        """Whether each node passes on traffic that is not its own, shape (nodes,)."""
        passes = self.kind == SWITCH
        if self.endpoints_forward:
            passes = passes | (self.kind == GPU)
        return passes

    def link_name(self, link: int) -> str:
        """Name of a link, ``source->target``.

        Parameters
        ----------
        link : int
            Index of the link.

        Returns
        -------
        str
        """
        return f"{self.names[self.link_source[link]]}->{self.names[self.link_target[link]]}"

    def rank_array(self, ranks: Any, what: str = "ranks") -> NDArray[np.int64]:
        """Check that values are ranks of this fabric.

        Parameters
        ----------
        ranks : array_like of int
            To check.
        what : str
            What to call them in an error.

        Returns
        -------
        ndarray of int64, shape (n,)

        Raises
        ------
        UsageError
            If any is not an integer in [0, ranks).
        """
        array = np.atleast_1d(np.asarray(ranks))
        if array.size and not np.issubdtype(array.dtype, np.integer):
            raise UsageError(f"{what}: found {array.dtype} values, expected integer ranks")
        if array.ndim != 1:
            raise UsageError(f"{what}: found an array of shape {array.shape}, expected one dimension")
        array = array.astype(np.int64)
        if array.size and (array.min() < 0 or array.max() >= self.ranks):
            bad = int(array[(array < 0) | (array >= self.ranks)][0])
            raise UsageError(f"{what}: found rank {bad}, {self.name} has ranks 0 to {self.ranks - 1}")
        return array

    def __repr__(self) -> str:
        ocs = f", {self.circuit_switches} circuit switches" if self.circuit_switches else ""
        sizes = f"{self.ranks} endpoints, {self.switches} switches{ocs}, {self.cables} cables"
        return f"<Fabric {self.name}: {sizes}>"
