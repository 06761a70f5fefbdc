"""Rings along the axes of a grid: one axis after the other, several parts of the data at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.step import ChunkLists, Step

__all__ = ["Part", "both_ways", "coordinates", "neighbour", "one_way", "ring_stages"]

PIECES = 12
"""Chunks per rank and axis among which a torus of unequal sides splits the data."""


@dataclass(frozen=True)
class Part:
    """A part of the data, and the way that it takes.

    Parameters
    ----------
    order : tuple of int
        Axes, in the order of the reduce-scatter.
    sign : int
        Which way round: 1 or -1.
    first, pieces : int
        Of the chunks of every rank, the part has so many, from this one on.
    """

    order: tuple[int, ...]
    sign: int
    first: int
    pieces: int


def coordinates(dims: Sequence[int]) -> list[NDArray[np.int64]]:
    """Coordinates of all ranks, one array per axis, the first axis fastest.

    Examples
    --------
    >>> [x.tolist() for x in coordinates((3, 2))]
    [[0, 1, 2, 0, 1, 2], [0, 0, 0, 1, 1, 1]]
    """
    rank = np.arange(prod(dims))
    return [rank // prod(dims[:axis]) % k for axis, k in enumerate(dims)]


def neighbour(dims: Sequence[int], axis: int, distance: int | NDArray[np.int64]) -> NDArray[np.int32]:
    """Rank at a distance along an axis that closes to a ring, of every rank.

    Examples
    --------
    >>> neighbour((3, 2), 0, 1).tolist(), neighbour((3, 2), 1, 1).tolist()
    ([1, 2, 0, 4, 5, 3], [3, 4, 5, 0, 1, 2])
    """
    x, stride = coordinates(dims)[axis], prod(dims[:axis])
    moved = np.arange(prod(dims)) + ((x + distance) % dims[axis] - x) * stride
    return moved.astype(np.int32)


def one_way(dims: Sequence[int]) -> list[Part]:
    """All of the data on the axes in order, one way round.

    Examples
    --------
    >>> one_way((4, 1, 2))
    [Part(order=(0, 2), sign=1, first=0, pieces=1)]
    """
    return [Part(tuple(axis for axis, k in enumerate(dims) if k > 1), 1, 0, 1)]


@lru_cache(maxsize=64)
def both_ways(dims: tuple[int, ...]) -> tuple[Part, ...]:
    """Parts that use all axes at once, both ways round: each starts on another axis.

    Parameters
    ----------
    dims : tuple of int
        Sides of the torus.

    Returns
    -------
    tuple of Part
        Twice as many as there are axes longer than 1 (once, if all of those have length 2).

    Notes
    -----
    In stage i, part c runs along the i-th axis of its order, so the parts never meet. With equal sides all
    parts are equal; with unequal ones, their sizes minimise the sum over stages of the slowest part's
    time, a linear program whose solution is rounded to whole chunks.

    Examples
    --------
    >>> [(part.order, part.sign, part.pieces) for part in both_ways((4, 4))]
    [((0, 1), 1, 1), ((0, 1), -1, 1), ((1, 0), 1, 1), ((1, 0), -1, 1)]
    >>> [(part.order, part.pieces) for part in both_ways((4, 8)) if part.sign > 0]
    [((0, 1), 13), ((1, 0), 11)]
    """
    axes = [axis for axis, k in enumerate(dims) if k > 1]
    orders = [tuple(axes[i:] + axes[:i]) for i in range(len(axes))]
    signs = (1, -1) if max(dims) > 2 else (1,)
    sizes = _split(dims, orders) if len({dims[axis] for axis in axes}) > 1 else [1] * len(orders)
    parts, first = [], 0
    for order, pieces in zip(orders, sizes, strict=True):
        for sign in signs:
            parts.append(Part(order, sign, first, pieces))
            first += pieces
    return tuple(parts)


def _split(dims: tuple[int, ...], orders: Sequence[tuple[int, ...]]) -> list[int]:
    """Pieces of each order that make the stages of unequal sides end together as well as may be."""
    from scipy.optimize import linprog

    stages = len(orders[0])
    rows = np.zeros((len(orders) * stages, len(orders) + stages))
    for c, order in enumerate(orders):
        for i, axis in enumerate(order):
            ports = 1 if dims[axis] == 2 else 2
            moved = (dims[axis] - 1) / prod(dims[a] for a in order[: i + 1])
            rows[c * stages + i, c] = moved / ports
            rows[c * stages + i, len(orders) + i] = -1.0
    goal = np.concatenate([np.zeros(len(orders)), np.ones(stages)])
    whole = np.concatenate([np.ones(len(orders)), np.zeros(stages)])[np.newaxis]
    solved = linprog(goal, A_ub=rows, b_ub=np.zeros(len(rows)), A_eq=whole, b_eq=[1.0], method="highs")
    found = np.asarray(solved.x, dtype=np.float64)
    pieces = np.maximum(np.rint(found[: len(orders)] * PIECES * len(orders)), 1).astype(np.int64)
    return [int(n) for n in pieces // np.gcd.reduce(pieces)]


def ring_stages(dims: Sequence[int], parts: Sequence[Part], reduce: bool) -> list[Step]:
    """Reduce-scatter or all-gather: a ring along one axis per stage.

    Parameters
    ----------
    dims : sequence of int
        Sides of the grid.
    parts : sequence of Part
        In every stage each part is on its own axis.
    reduce : bool
        Reduce-scatter, with the axes in order, or all-gather, with the axes backwards.

    Returns
    -------
    list of Step
        Rank r ends (or starts) with the chunks ``r * m`` to ``r * m + m - 1``, m the pieces of all parts
        together. A stage has as many steps as its longest ring; a part on a shorter ring sends less in each.

    Examples
    --------
    >>> steps = ring_stages((2, 3), one_way((2, 3)), reduce=True)
    >>> [(s.repeat, round(s.fraction[0].item(), 3), s.target.tolist()) for s in steps]
    [(1, 0.5, [1, 0, 3, 2, 5, 4]), (2, 0.167, [2, 3, 4, 5, 0, 1])]
    """
    stages = range(len(parts[0].order))
    steps: list[Step] = []
    for i in stages if reduce else reversed(stages):
        lengths = {dims[part.order[i]] for part in parts}
        slots = max(lengths) - 1
        if len(lengths) == 1:
            steps.append(_slot(dims, parts, i, reduce, 0, 1, slots))
        else:
            steps.extend(_slot(dims, parts, i, reduce, t, slots, 1) for t in range(slots))
    return steps


def _slot(
    dims: Sequence[int], parts: Sequence[Part], i: int, reduce: bool, slot: int, slots: int, repeat: int
) -> Step:
    """Build one of the equal slots of stage i, or (with one slot) a ring step that is repeated."""
    n, total = prod(dims), sum(part.pieces for part in parts)
    source, target, fraction, shift, cycle, carried = [], [], [], [], [], []
    for part in parts:
        axis = part.order[i]
        block = prod(dims[a] for a in part.order[i + 1 :]) * part.pieces
        work = block * (dims[axis] - 1 if slots > 1 else 1)
        low, high = slot * work // slots, (slot + 1) * work // slots
        if low == high:
            continue
        source.append(np.arange(n, dtype=np.int32))
        target.append(neighbour(dims, axis, part.sign))
        fraction.append(np.full(n, (high - low) / (n * total)))
        stride = total * prod(dims[:axis])
        shift.append(np.full(n, -part.sign * stride))
        cycle.append(np.full(n, stride * dims[axis]))
        carried.append((part, low, high))

    return Step(
        np.concatenate(source),
        np.concatenate(target),
        np.concatenate(fraction) if len({f[0] for f in fraction}) > 1 else fraction[0][0],
        reduce,
        _carried(dims, i, carried, total, reduce),
        repeat=repeat,
        shift=np.concatenate(shift),
        cycle=np.concatenate(cycle),
    )


def _carried(
    dims: Sequence[int], i: int, rows: Sequence[tuple[Part, int, int]], total: int, reduce: bool
) -> ChunkLists:
    """Chunks that every rank sends for each part: elements `low` to `high` of its ring steps in a row."""

    def lists() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        at, strides = coordinates(dims), [prod(dims[:axis]) for axis in range(len(dims))]
        counts, ids = [np.zeros(1, dtype=np.int64)], []
        for part, low, high in rows:
            axis, pending = part.order[i], part.order[i + 1 :]
            free = np.zeros(1, dtype=np.int64)
            for other in pending:
                free = (free[:, np.newaxis] + np.arange(dims[other]) * strides[other]).ravel()
            ring_step, element = np.divmod(np.arange(low, high), len(free) * part.pieces)
            back = part.sign * (ring_step + (1 if reduce else 0))
            along = (at[axis][:, np.newaxis] - back) % dims[axis] * strides[axis]
            done = sum((at[a] * strides[a] for a in part.order[:i]), np.zeros(len(at[0]), dtype=np.int64))
            place = done[:, np.newaxis] + along + free[element // part.pieces]
            ids.append((place * total + part.first + element % part.pieces).ravel())
            counts.append(np.full(len(place), high - low))
        return np.cumsum(np.concatenate(counts)), np.concatenate(ids)

    return lists
