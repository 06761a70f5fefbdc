"""Candidate configurations: which circuits are set at one time."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import UsageError
from topo_sim.collectives.reconfiguration.circuits import Circuits
from topo_sim.topo import Fabric

__all__ = ["Configuration", "bidirectional_ring", "configuration", "ring"]


@dataclass(frozen=True, eq=False, repr=False)
class Configuration:
    """Circuits that are set at one time; made by `configuration`, `ring` or `bidirectional_ring`.

    Parameters
    ----------
    name : str
    ranks : int
    source, target : ndarray of int64, shape (E,)
        Ends of each circuit, no two alike, sorted by source, then target.

    Examples
    --------
    >>> ring(6, stride=2)
    <Configuration ring of stride 2: 6 circuits, 1 a rank>
    """

    name: str
    ranks: int
    source: NDArray[np.int64]
    target: NDArray[np.int64]

    @cached_property
    def degree(self) -> int:
        """Most circuits that leave or enter a rank."""
        ends = [np.bincount(end, minlength=1).max(initial=0) for end in (self.source, self.target)]
        return int(max(ends))

    @cached_property
    def key(self) -> NDArray[np.int64]:
        """A number for each circuit, rising."""
        return self.source * self.ranks + self.target

    @cached_property
    def shift(self) -> int:
        """Distance s if every rank r has just the circuit to ``(r + s) % ranks``, else 0."""
        if len(self.source) != self.ranks or self.degree != 1:
            return 0
        far = (self.target - self.source) % self.ranks
        return int(far[0]) if np.all(far == far[0]) else 0

    @property
    def both_ways(self) -> bool:
        """Whether these are closed rings of three ranks or more with a circuit each way round."""
        if self.degree != 2 or np.any(np.bincount(self.source)[self.source] != 2):
            return False
        return bool(np.array_equal(np.sort(self.target * self.ranks + self.source), self.key))

    def planes(self, ports: int) -> int:
        """Ports that each circuit gets, if all get as many.

        Parameters
        ----------
        ports : int
            Of a rank.

        Returns
        -------
        int

        Raises
        ------
        UsageError
            If a rank has fewer ports than circuits.

        Examples
        --------
        >>> bidirectional_ring(8).planes(5)
        2
        """
        if self.degree > ports:
            raise UsageError(
                f"{self.name}: a rank has {self.degree} circuits, expected at most {ports}, one a port"
            )
        return ports // max(self.degree, 1)

    def fabric(self, circuits: Circuits) -> Fabric:
        """Build the fabric that these circuits make: an ordinary one.

        Parameters
        ----------
        circuits : Circuits
            Rate and delay of their ports.

        Returns
        -------
        Fabric
            A link per circuit, as fast as the ports that it gets.

        Examples
        --------
        >>> ring(4).fabric(Circuits(rate=8.0)).capacity.tolist()
        [8.0, 8.0, 8.0, 8.0]
        """
        count = len(self.source)
        names = tuple(f"gpu{i}" for i in range(self.ranks))
        return Fabric(
            name=self.name,
            kind=np.zeros(self.ranks, dtype=np.int8),
            endpoints=np.arange(self.ranks, dtype=np.int32),
            link_source=self.source.astype(np.int32),
            link_target=self.target.astype(np.int32),
            capacity=np.full(count, circuits.port_rate * self.planes(circuits.ports)),
            latency=np.full(count, circuits.hop),
            medium=np.zeros(count, dtype=np.int16),
            media=("cpo",),
            cables=self.ranks * circuits.ports,
            node_names=lambda: names,
            make_graph=_graph,
        )

    def __repr__(self) -> str:
        return f"<Configuration {self.name}: {len(self.source)} circuits, {self.degree} a rank>"


def _graph(fabric: Fabric) -> object:
    import networkx as nx

    graph = nx.DiGraph(name=fabric.name)
    graph.add_nodes_from(fabric.names, kind="gpu")
    for i, (a, b) in enumerate(zip(fabric.link_source, fabric.link_target, strict=True)):
        rate, delay = float(fabric.capacity[i]), float(fabric.latency[i])
        graph.add_edge(fabric.names[a], fabric.names[b], bandwidth=rate, latency=delay, medium="cpo")
    return graph


def configuration(name: str, ranks: int, source: ArrayLike, target: ArrayLike) -> Configuration:
    """Set circuits from ranks to ranks.

    Parameters
    ----------
    name : str
    ranks : int
    source, target : array_like of int, shape (E,)
        Ends of each circuit; one that is named twice counts once.

    Returns
    -------
    Configuration

    Raises
    ------
    UsageError
        If an end is no rank, or a circuit leads back to where it starts.

    Examples
    --------
    >>> configuration("pairs", 4, [0, 1], [1, 0])
    <Configuration pairs: 2 circuits, 1 a rank>
    """
    if isinstance(ranks, bool) or not isinstance(ranks, (int, np.integer)) or not 1 <= ranks <= 2**26:
        raise UsageError(f"{name}: found {ranks!r} ranks, expected a whole number from 1 to 2**26")
    given = [np.asarray(end) for end in (source, target)]
    shapes = [end.shape for end in given]
    if shapes[0] != shapes[1] or len(shapes[0]) != 1:
        raise UsageError(
            f"{name}: found ends of shapes {shapes[0]} and {shapes[1]}, expected two lists alike"
        )
    if any(end.size and not np.issubdtype(end.dtype, np.integer) for end in given):
        raise UsageError(f"{name}: found circuits between {given[0].dtype} values, expected whole ranks")
    here, there = (end.astype(np.int64) for end in given)
    wrong = (here < 0) | (there < 0) | (here >= ranks) | (there >= ranks) | (here == there)
    if wrong.any():
        i = int(np.flatnonzero(wrong)[0])
        raise UsageError(
            f"{name}: found a circuit {here[i]} -> {there[i]}, expected two ranks from 0 to {ranks - 1}"
        )
    here, there = np.divmod(np.unique(here * ranks + there), ranks)
    return Configuration(name, int(ranks), here, there)


def ring(ranks: int, stride: int = 1) -> Configuration:
    """Join every rank to the one that lies `stride` ahead, one way round.

    Parameters
    ----------
    ranks : int
    stride : int
        Where it shares a divisor with `ranks`, there are as many rings beside each other.

    Returns
    -------
    Configuration

    Raises
    ------
    UsageError
        If the stride is 0 modulo the ranks.

    Examples
    --------
    >>> ring(4, 2).target.tolist()
    [2, 3, 0, 1]
    """
    rank = np.arange(ranks if ranks > 1 else 0)
    name = "ring" if stride == 1 else f"ring of stride {stride}"
    return configuration(name, ranks, rank, (rank + stride) % ranks)


def bidirectional_ring(ranks: int, stride: int = 1) -> Configuration:
    """Join every rank to those `stride` ahead and behind.

    Parameters
    ----------
    ranks : int
    stride : int

    Returns
    -------
    Configuration
        Of two circuits a rank, so two ports or more.

    Raises
    ------
    UsageError
        If the stride is 0 modulo the ranks.

    Examples
    --------
    >>> bidirectional_ring(5).degree, bidirectional_ring(2).degree
    (2, 1)
    """
    rank = np.arange(ranks if ranks > 1 else 0)
    ends = np.concatenate([(rank + stride) % ranks, (rank - stride) % ranks])
    name = "bidirectional ring" if stride == 1 else f"bidirectional ring of stride {stride}"
    return configuration(name, ranks, np.tile(rank, 2), ends)
