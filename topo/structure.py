"""What a generator knows about the graph that it made, for routings and metrics to use.

Both classes fix the numbering of nodes and links, so that a route is arithmetic, not a search.
"""

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

__all__ = ["Clos", "Grid", "Lattice", "Structure"]


@dataclass(frozen=True)
class Clos:
    """A multi-rooted tree (extended generalised fat-tree), endpoints at level 0.

    A node of level l has ``up[l]`` parents, each over ``trunk[l]`` parallel cables; a node of level
    l+1 has ``down[l]`` child positions. It is numbered ``A * W + B`` inside its level, where A is the
    index of its subtree, W = up[0]*...*up[l-1] and B says which of the W roots of that subtree it is.
    The b-th cable up from node x of level l is cable ``cable_base[l] + x * up[l] * trunk[l] + b``;
    cable i is links 2i (up) and 2i+1 (down).

    Parameters
    ----------
    down : tuple of int
        Children per node, levels 1 to h (m_1 .. m_h).
    up : tuple of int
        Parents per node, levels 0 to h-1 (w_1 .. w_h).
    trunk : tuple of int
        Parallel cables to each parent, levels 0 to h-1.

    References
    ----------
    Öhring, Ibel, Das, Kumar, "On generalized fat trees", IPPS 1995 (XGFT).

    Examples
    --------
    >>> k4 = Clos(down=(2, 2, 4), up=(1, 2, 2), trunk=(1, 1, 1))
    >>> k4.level_sizes, k4.endpoints, sum(k4.cables)
    ((16, 8, 8, 4), 16, 48)
    """

    down: tuple[int, ...]
    up: tuple[int, ...]
    trunk: tuple[int, ...]

    @property
    def endpoints(self) -> int:
        """Number of endpoints."""
        return prod(self.down)

    @cached_property
    def roots(self) -> tuple[int, ...]:
        """Roots of one subtree of each level 0 to h: the W of the numbering."""
        return tuple(prod(self.up[:level]) for level in range(len(self.up) + 1))

    @cached_property
    def level_sizes(self) -> tuple[int, ...]:
        """Nodes per level, 0 to h."""
        return tuple(prod(self.down[level:]) * w for level, w in enumerate(self.roots))

    @cached_property
    def level_base(self) -> tuple[int, ...]:
        """First node id of each level."""
        return tuple(sum(self.level_sizes[:level]) for level in range(len(self.level_sizes)))

    @cached_property
    def cables(self) -> tuple[int, ...]:
        """Cables between level l and l+1, for l = 0 to h-1."""
        return tuple(n * u * t for n, u, t in zip(self.level_sizes[:-1], self.up, self.trunk, strict=True))

    @cached_property
    def cable_base(self) -> tuple[int, ...]:
        """First cable of each level 0 to h-1."""
        return tuple(sum(self.cables[:level]) for level in range(len(self.cables)))

    def cable_ends(self, level: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Lower and upper node id of every cable between `level` and ``level + 1``.

        Parameters
        ----------
        level : int
            0 is the endpoints' level.

        Returns
        -------
        lower, upper : ndarray of int32, shape (cables[level],)
        """
        width = self.up[level] * self.trunk[level]
        node = np.repeat(np.arange(self.level_sizes[level], dtype=np.int64), width)
        parent_digit = np.tile(np.arange(width, dtype=np.int64) // self.trunk[level], self.level_sizes[level])
        subtree, root = node // self.roots[level], node % self.roots[level]
        parent = (subtree // self.down[level]) * self.roots[level + 1] + root * self.up[level] + parent_digit
        lower = node + self.level_base[level]
        upper = parent + self.level_base[level + 1]
        return lower.astype(np.int32), upper.astype(np.int32)


@dataclass(frozen=True)
class Grid:
    """A torus or mesh: node x + X*(y + Y*(z + ...)), one cable per pair of neighbours.

    An axis of length 2 has one cable, not two, also when it wraps. Cables along axis d are numbered
    from ``cable_base[d]``: with the node at their lower end where the axis wraps (length above 2), else
    with that node's index among those that have a next one. Link 2i goes up the axis, 2i+1 down.

    Parameters
    ----------
    dims : tuple of int
        Length of each axis, first axis fastest.
    wrap : tuple of bool
        Whether each axis closes to a ring.

    Examples
    --------
    >>> Grid((4, 4, 2), (True, True, True)).cables
    (32, 32, 16)
    """

    dims: tuple[int, ...]
    wrap: tuple[bool, ...]

    @property
    def endpoints(self) -> int:
        """Number of endpoints."""
        return prod(self.dims)

    @cached_property
    def strides(self) -> tuple[int, ...]:
        """Distance in node numbers between neighbours along each axis."""
        return tuple(prod(self.dims[:d]) for d in range(len(self.dims)))

    @cached_property
    def rings(self) -> tuple[bool, ...]:
        """Whether each axis has a cable from its last node to its first."""
        return tuple(w and k > 2 for w, k in zip(self.wrap, self.dims, strict=True))

    @cached_property
    def cables(self) -> tuple[int, ...]:
        """Cables along each axis."""
        n = self.endpoints
        return tuple(n if r else n // k * (k - 1) for r, k in zip(self.rings, self.dims, strict=True))

    @cached_property
    def cable_base(self) -> tuple[int, ...]:
        """First cable of each axis."""
        return tuple(sum(self.cables[:d]) for d in range(len(self.dims)))

    @cached_property
    def ports(self) -> int:
        """Cables at a node that has a neighbour on every side."""
        return sum(2 if k > 2 else k - 1 for k in self.dims)

    def cable_ends(self, axis: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Lower and upper node of every cable along `axis`, in cable order.

        Parameters
        ----------
        axis : int

        Returns
        -------
        lower, upper : ndarray of int32, shape (cables[axis],)
        """
        stride, k = self.strides[axis], self.dims[axis]
        node = np.arange(self.endpoints, dtype=np.int64)
        x = node // stride % k
        if not self.rings[axis]:
            node, x = node[x < k - 1], x[x < k - 1]
        upper = node + np.where(x == k - 1, -(k - 1) * stride, stride)
        return node.astype(np.int32), upper.astype(np.int32)


@dataclass(frozen=True)
class Lattice:
    """A grid whose axes close with a shift along other axes: node x + X*(y + Y*(z + ...)).

    Going once round axis d adds ``shift[d]`` to the other coordinates. With no shift it is a torus.

    Parameters
    ----------
    dims : tuple of int
        Length of each axis, first axis fastest.
    shift : tuple of tuple of int
        One row per axis, with 0 on the diagonal. An axis along which others shift shifts none itself.

    Examples
    --------
    >>> ring = Lattice((2, 4), ((0, 2), (0, 0)))
    >>> ring.neighbour(0).tolist()
    [1, 4, 3, 6, 5, 0, 7, 2]
    """

    dims: tuple[int, ...]
    shift: tuple[tuple[int, ...], ...]

    @property
    def endpoints(self) -> int:
        """Number of endpoints."""
        return prod(self.dims)

    def coordinates(self, node: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Coordinates of nodes, one array per axis.

        Parameters
        ----------
        node : ndarray of int64, shape (n,)

        Returns
        -------
        list of ndarray of int64, shape (n,)
        """
        return [node // prod(self.dims[:d]) % k for d, k in enumerate(self.dims)]

    def number(self, coordinates: list[NDArray[np.int64]]) -> NDArray[np.int64]:
        """Node at coordinates that may lie outside the axes: brought back by going round them.

        Parameters
        ----------
        coordinates : list of ndarray of int64, shape (n,)

        Returns
        -------
        ndarray of int64, shape (n,)
        """
        at = list(coordinates)
        for d, k in enumerate(self.dims):  # first the axes that shift others
            if any(self.shift[d]):
                turns = at[d] // k
                at = [x + turns * self.shift[d][e] for e, x in enumerate(at)]
        node = np.zeros_like(at[0])
        for d, k in enumerate(self.dims):
            node = node + at[d] % k * prod(self.dims[:d])
        return node

    def neighbour(self, axis: int) -> NDArray[np.int64]:
        """Next node of every node along an axis.

        Parameters
        ----------
        axis : int

        Returns
        -------
        ndarray of int64, shape (endpoints,)
        """
        at = self.coordinates(np.arange(self.endpoints, dtype=np.int64))
        at[axis] = at[axis] + 1
        return self.number(at)

    def difference(self, source: NDArray[np.int64], target: NDArray[np.int64]) -> NDArray[np.int64]:
        """Node that lies from node 0 as each target from its source.

        Parameters
        ----------
        source, target : ndarray of int64, shape (n,)

        Returns
        -------
        ndarray of int64, shape (n,)
        """
        ends = zip(self.coordinates(source), self.coordinates(target), strict=True)
        return self.number([there - here for here, there in ends])


Structure = Clos | Grid | Lattice
