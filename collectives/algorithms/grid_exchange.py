"""All-to-all along the axes of a grid: which chunks travel when."""

from collections.abc import Iterable, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.algorithms.grid_rings import coordinates, neighbour
from topo_sim.collectives.step import ChunkLists, Step

__all__ = ["exchanged", "torus_exchange"]


def _spread(dims: Sequence[int], axes: Iterable[int]) -> NDArray[np.int64]:
    """Rank offsets of all coordinates along some axes."""
    free = np.zeros(1, dtype=np.int64)
    for axis in axes:
        free = (free[:, np.newaxis] + np.arange(dims[axis]) * prod(dims[:axis])).ravel()
    return free


def _place(dims: Sequence[int], axes: Iterable[int]) -> NDArray[np.int64]:
    """Part of every rank's number that comes from its coordinates along some axes."""
    at = coordinates(dims)
    return sum((at[a] * prod(dims[:a]) for a in axes), np.zeros(prod(dims), dtype=np.int64))


def exchanged(dims: Sequence[int], axis: int, shifts: Iterable[int]) -> ChunkLists:
    """Chunks that ranks hand over along an axis, when those before it are done.

    Parameters
    ----------
    dims : sequence of int
        Sides of the grid.
    axis : int
        All ranks send along it.
    shifts : iterable of int
        How far; the transfers of all ranks for the first shift, then those for the next.

    Returns
    -------
    callable
        For `Step`. Chunk ``source * p + destination`` goes to the destination's coordinate on the axis.

    Examples
    --------
    >>> exchanged((2, 2), 0, [1])()[1].tolist()
    [1, 3, 4, 6, 9, 11, 12, 14]
    """
    shifts = list(shifts)

    def lists() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        p, stride = prod(dims), prod(dims[:axis])
        later = range(axis + 1, len(dims))
        source = _place(dims, range(axis, len(dims)))[:, np.newaxis] + _spread(dims, range(axis))
        rows = []
        for shift in shifts:
            along = (coordinates(dims)[axis] + shift) % dims[axis] * stride
            target = (_place(dims, range(axis)) + along)[:, np.newaxis] + _spread(dims, later)
            rows.append((source[:, :, np.newaxis] * p + target[:, np.newaxis, :]).reshape(p, -1))
        ids = np.concatenate(rows)
        return np.arange(len(ids) + 1) * ids.shape[1], ids.ravel()

    return lists


def torus_exchange(dims: tuple[int, ...]) -> list[Step]:
    """All-to-all on a torus, from neighbour to neighbour.

    Parameters
    ----------
    dims : tuple of int
        Sides.

    Returns
    -------
    list of Step
        A chunk is ``((source * p + destination) * D + c) * 2 + h``: part c of D starts on the c-th axis, and
        half h says which way round it goes where both are equally far.

    Examples
    --------
    >>> [(s.fraction[0].item(), s.carried(0, 18)[1].tolist()) for s in torus_exchange((3,))]
    [(0.3333333333333333, [2, 3, 10, 11, 12, 13, 4, 5, 6, 7, 14, 15])]
    """
    axes = [axis for axis, k in enumerate(dims) if k > 1]
    orders = [axes[i:] + axes[:i] for i in range(len(axes))]
    steps = []
    for phase in range(len(axes)):
        longest = max(dims[order[phase]] for order in orders)
        for hop in range(1, longest // 2 + 1):
            moves = [
                _Move(c, order[: phase + 1], order[phase + 1 :], sign, hop)
                for c, order in enumerate(orders)
                if hop <= dims[order[phase]] // 2
                for sign in (1, -1)
                if sign > 0 or 2 * hop <= dims[order[phase]]
            ]
            steps.append(_hop(dims, moves))
    return steps


class _Move:
    """Part c goes on by one hop along the last of its `begun` axes."""

    def __init__(self, part: int, begun: list[int], pending: list[int], sign: int, hop: int) -> None:
        self.part, self.begun, self.pending, self.sign, self.hop = part, begun, pending, sign, hop

    def distances(self, k: int) -> list[tuple[int, int]]:
        """Distances that are still to go, with the half that goes (both where one way is shorter)."""
        tie = 0 if self.sign > 0 else 1
        return [(d, half) for d in range(self.hop, k // 2 + 1) for half in (0, 1) if 2 * d < k or half == tie]


def _hop(dims: tuple[int, ...], moves: Sequence[_Move]) -> Step:
    p = prod(dims)
    parts = sum(k > 1 for k in dims)
    going = [len(move.distances(dims[move.begun[-1]])) / dims[move.begun[-1]] for move in moves]
    fraction = np.repeat(going, p) / (2 * parts)
    return Step(
        np.tile(np.arange(p, dtype=np.int32), len(moves)),
        np.concatenate([neighbour(dims, move.begun[-1], move.sign) for move in moves]),
        fraction if len(set(going)) > 1 else fraction[0],
        False,
        _hopping(dims, moves, parts),
    )


def _hopping(dims: tuple[int, ...], moves: Sequence[_Move], parts: int) -> ChunkLists:
    def lists() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        p = prod(dims)
        counts, rows = [np.zeros(1, dtype=np.int64)], []
        for move in moves:
            axis, done = move.begun[-1], move.begun[:-1]
            stride, k = prod(dims[:axis]), dims[axis]
            origin = (coordinates(dims)[axis] - move.sign * (move.hop - 1)) % k
            source = (_place(dims, move.pending) + origin * stride)[:, np.newaxis] + _spread(dims, done)
            target = _place(dims, done)[:, np.newaxis] + _spread(dims, move.pending)
            for_rank = []
            for d, half in move.distances(k):
                along = (origin + move.sign * d) % k * stride
                pair = source[:, :, np.newaxis] * p + (target + along[:, np.newaxis])[:, np.newaxis, :]
                for_rank.append(((pair * parts + move.part) * 2 + half).reshape(p, -1))
            ids = np.concatenate(for_rank, axis=1)
            counts.append(np.full(p, ids.shape[1]))
            rows.append(ids.ravel())
        return np.cumsum(np.concatenate(counts)), np.concatenate(rows)

    return lists
