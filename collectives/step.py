"""One step of a schedule: transfers that run together, and the chunks that they carry."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import CollectiveError

__all__ = ["ChunkLists", "Step", "runs"]

ChunkLists: TypeAlias = Callable[[], tuple[NDArray[np.int64], NDArray[np.int64]]]
"""Builds the CSR pair ``(indptr, ids)``: transfer i carries the chunks ``ids[indptr[i]:indptr[i + 1]]``."""


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Step:
    """Transfers that start together, possibly repeated with other chunks.

    Every transfer reads the state before the step. A step that is repeated runs the same transfers
    again, each with its chunk ids advanced, so that a cost has to look at it only once.

    Parameters
    ----------
    source, target : array_like, int32[T]
        Ranks.
    fraction : array_like, float64[T] or float
        Bytes of a transfer divided by the size of the schedule. A single number is kept as a zero-stride
        array, without memory of its own.
    reduce : array_like, bool[T] or bool
        Whether the target combines what it receives with what it holds, or replaces it.
    chunks : callable
        Builds ``(indptr, ids)``, the CSR of the chunk ids that each transfer carries the first time. It
        is called only by those who follow chunks, never to compute a cost.
    repeat : int
        How often the step runs in a row.
    shift : array_like, int64[T] or int
        How far every chunk id of a transfer advances per repetition.
    cycle : array_like, int64[T] or int, optional
        Ids advance inside consecutive blocks of this many, and wrap around there; by default all the
        chunks of the schedule are one block. Differs between transfers where they go round different rings.

    Raises
    ------
    CollectiveError
        If the arrays do not fit together.

    Examples
    --------
    The reduce-scatter half of a ring all-reduce over 4 ranks, that is 3 steps:

    >>> rank = np.arange(4)
    >>> step = Step(rank, (rank + 1) % 4, 1 / 4, True, runs(lambda: rank), repeat=3, shift=-1)
    >>> step
    <Step: 4 transfers, run 3 times>
    >>> [step.carried(j, 4)[1].tolist() for j in range(3)]
    [[0, 1, 2, 3], [3, 0, 1, 2], [2, 3, 0, 1]]
    """

    source: NDArray[np.int32]
    target: NDArray[np.int32]
    fraction: NDArray[np.float64]
    reduce: NDArray[np.bool_]
    chunks: ChunkLists
    repeat: int
    shift: NDArray[np.int64]
    cycle: NDArray[np.int64] | int | None

    def __init__(
        self,
        source: ArrayLike,
        target: ArrayLike,
        fraction: ArrayLike,
        reduce: ArrayLike,
        chunks: ChunkLists,
        repeat: int = 1,
        shift: ArrayLike = 0,
        cycle: ArrayLike | None = None,
    ) -> None:
        source = np.asarray(source, dtype=np.int32)
        if source.ndim != 1 or not source.size:
            raise CollectiveError(f"a step needs one or more transfers in a row, not shape {source.shape}")
        if repeat < 1 or (cycle is not None and np.any(np.asarray(cycle) < 1)):
            raise CollectiveError(
                f"a step repeats at least once in a cycle of at least 1, not {repeat}, {cycle!r}"
            )
        arrays = (
            ("source", source, np.int32),
            ("target", target, np.int32),
            ("fraction", fraction, np.float64),
            ("reduce", reduce, np.bool_),
            ("shift", shift, np.int64),
        )
        for name, value, dtype in arrays:
            object.__setattr__(self, name, _per_transfer(name, np.asarray(value, dtype=dtype), source.size))
        object.__setattr__(self, "chunks", chunks)
        object.__setattr__(self, "repeat", int(repeat))
        if cycle is not None:
            rows = np.asarray(cycle, dtype=np.int64)
            cycle = int(rows) if rows.ndim == 0 else _per_transfer("cycle", rows, source.size)
        object.__setattr__(self, "cycle", cycle)

    def __len__(self) -> int:
        """Return the number of transfers, T."""
        return len(self.source)

    def __repr__(self) -> str:
        times = f", run {self.repeat} times" if self.repeat > 1 else ""
        return f"<Step: {len(self)} transfer{'s' if len(self) > 1 else ''}{times}>"

    def carried(self, repetition: int, total: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Chunks that each transfer carries in one repetition.

        Parameters
        ----------
        repetition : int
            Which one, from 0 to ``repeat - 1``.
        total : int
            Number of chunks of the schedule.

        Returns
        -------
        indptr : numpy.ndarray, int64[T + 1]
            Where the ids of each transfer begin.
        ids : numpy.ndarray, int64
            Chunk ids.

        Notes
        -----
        With ``base = id // cycle * cycle``, repetition j carries
        ``base + (id - base + j * shift) % cycle``.

        Examples
        --------
        Two blocks of three chunks, going round in opposite directions:

        >>> step = Step([0, 1], [1, 0], 1 / 6, False, runs(lambda: [0, 3]), repeat=2, shift=[-1, 1], cycle=3)
        >>> step.carried(1, 6)[1].tolist()
        [2, 4]
        """
        indptr, ids = self.chunks()
        if repetition == 0:
            return indptr, ids
        cycle = total if self.cycle is None else self.cycle
        if isinstance(cycle, np.ndarray):
            cycle = np.repeat(cycle, np.diff(indptr))
        place = ids % cycle
        moved = place + repetition * np.repeat(self.shift, np.diff(indptr))
        return indptr, ids - place + moved % cycle


def _per_transfer(name: str, value: NDArray[np.generic], count: int) -> NDArray[np.generic]:
    if value.ndim == 0 and name not in ("source", "target"):
        return np.broadcast_to(value, (count,))
    if value.shape != (count,):
        raise CollectiveError(f"a step of {count} transfers cannot have {name} of shape {value.shape}")
    view = value.view()
    view.flags.writeable = False
    return view


def runs(first: Callable[[], ArrayLike], count: int = 1) -> ChunkLists:
    """Let every transfer carry a run of consecutive chunks.

    Parameters
    ----------
    first : callable
        Returns int64[T], the first chunk of each transfer; called when the chunks are wanted.
    count : int
        Chunks per transfer.

    Returns
    -------
    callable
        For `Step`: builds the CSR pair ``(indptr, ids)``.

    Examples
    --------
    >>> indptr, ids = runs(lambda: [0, 6], count=2)()
    >>> indptr.tolist(), ids.tolist()
    ([0, 2, 4], [0, 1, 6, 7])
    """

    def lists() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        starts = np.asarray(first(), dtype=np.int64)
        ids = starts[:, np.newaxis] + np.arange(count, dtype=np.int64)
        return np.arange(len(starts) + 1, dtype=np.int64) * count, ids.ravel()

    return lists
