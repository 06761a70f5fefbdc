"""What a collective promises: what every rank holds before it and must hold after it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import Registry

__all__ = ["COLLECTIVES", "Collective", "Member", "all_to_all_of"]

Holdings = Callable[[int, int], NDArray[np.bool_]]
Leaves = Callable[[NDArray[np.float64], int, NDArray[np.bool_]], NDArray[np.float64]]


@dataclass(frozen=True)
class Member:
    """One of several collectives that run at once.

    Parameters
    ----------
    collective : Collective
        What it does.
    ranks : ndarray of int64, shape (p,)
        Its ranks among those of all.
    scale : float
        Its size, per byte of the size of all.
    """

    collective: "Collective"
    ranks: NDArray[np.int64]
    scale: float = 1.0


@dataclass(frozen=True)
class Collective:
    """A collective operation: its pre- and postcondition and how nccl-tests measures it.

    Sizes are those that nccl-tests prints: the whole vector, which for all-to-all is what one rank
    sends (for all-to-all-v, what the rank sends that has most). Data is cut into chunks, numbered from 0.
    Reduce-scatter, all-gather, barrier and send/recv number them block by block (rank 0's block first),
    all-to-all as ``(source * p + destination) * c + j``. The root of a broadcast or reduce is rank 0; in
    send/recv every rank sends to the next one, the last to rank 0. A barrier has tokens without bytes.

    Parameters
    ----------
    name : str
        Its name in `COLLECTIVES`.
    title : str
        Its name in text.
    reduces : bool
        Whether chunks of different ranks are combined.
    busbw_factor : callable
        ``busbw_factor(p)``: bus bandwidth over algorithm bandwidth for `p` ranks.
    volume : callable
        ``volume(p)``: bytes over all distinct chunks, per byte of size.
    granularity : callable
        ``granularity(p)``: the number of chunks is a multiple of it.
    leaves : callable
        ``leaves(s, p, root)``: least bytes, per byte of size, that must leave a set of `s` of the `p`
        ranks (0 < s < p) if ranks do the combining; `root` says whether rank 0 is in the set. Arrays do.
    sent : callable
        ``sent(p)``: least bytes, per byte of size, that all ranks together must send.
    starts, ends : callable
        ``starts(p, chunks)`` and ``ends(p, chunks)``, bool[p, chunks]: which chunks a rank holds (its
        own contribution of) before, and which it must hold complete after.
    sent_reduced : callable, optional
        As `sent`, where switches do the combining. Default: the same.
    traffic : ndarray of float64, shape (p, p), optional
        Bytes from each rank to each other, per byte of size, where that differs between pairs; `leaves`
        then counts nothing.
    members : tuple of Member
        The collectives that this one consists of, where several groups of ranks each do their own.

    References
    ----------
    NVIDIA nccl-tests, ``doc/PERFORMANCE.md``: sizes and bus bandwidth factors.

    Examples
    --------
    >>> all_reduce = COLLECTIVES["all_reduce"]
    >>> all_reduce.busbw_factor(4), all_reduce.granularity(4)
    (1.5, 1)
    >>> COLLECTIVES["all_gather"].final(2, 2).tolist()
    [[True, True], [True, True]]
    """

    name: str
    title: str
    reduces: bool
    busbw_factor: Callable[[int], float] = field(repr=False)
    volume: Callable[[int], float] = field(repr=False)
    granularity: Callable[[int], int] = field(repr=False)
    leaves: Leaves = field(repr=False)
    sent: Callable[[int], float] = field(repr=False)
    starts: Holdings = field(repr=False)
    ends: Holdings = field(repr=False)
    sent_reduced: Callable[[int], float] | None = field(default=None, repr=False)
    traffic: NDArray[np.float64] | None = field(default=None, repr=False, compare=False)
    members: tuple[Member, ...] = field(default=(), repr=False, compare=False)

    def total_bytes(self, size: float, p: int) -> float:
        """Bytes over all distinct chunks.

        Parameters
        ----------
        size : float, B
            Size as nccl-tests counts it.
        p : int
            Number of ranks.

        Returns
        -------
        float, B
            `size`, but `p` times that for all-to-all, where every rank sends `size` bytes of its own.

        Examples
        --------
        >>> COLLECTIVES["all_reduce"].total_bytes(8, 4), COLLECTIVES["all_to_all"].total_bytes(8, 4)
        (8.0, 32.0)
        """
        return float(size) * self.volume(p)

    def initial(self, p: int, chunks: int) -> NDArray[np.bool_]:
        """State before the first step.

        Parameters
        ----------
        p : int
            Number of ranks.
        chunks : int
            Number of chunks, a multiple of ``granularity(p)``.

        Returns
        -------
        numpy.ndarray, bool[p, chunks, contributors]
            Whose contributions to a chunk are combined in a rank's copy of it. There are `p` contributors
            if the collective reduces, else one; a copy without any is not held.

        Examples
        --------
        >>> COLLECTIVES["all_reduce"].initial(2, 1)[:, 0].tolist()
        [[True, False], [False, True]]
        >>> COLLECTIVES["broadcast"].initial(2, 1)[:, 0].tolist()
        [[True], [False]]
        """
        held = self.starts(p, chunks)
        if not self.reduces:
            return held[:, :, np.newaxis]
        own: NDArray[np.bool_] = held[:, :, np.newaxis] & np.eye(p, dtype=np.bool_)[:, np.newaxis, :]
        return own

    def final(self, p: int, chunks: int) -> NDArray[np.bool_]:
        """State that the last step must leave.

        Parameters
        ----------
        p : int
            Number of ranks.
        chunks : int
            Number of chunks, a multiple of ``granularity(p)``.

        Returns
        -------
        numpy.ndarray, bool[p, chunks]
            Which chunks a rank must hold complete, that is with the contribution of every contributor;
            it may hold others as well.

        Examples
        --------
        >>> COLLECTIVES["reduce_scatter"].final(2, 4).tolist()
        [[True, True, False, False], [False, False, True, True]]
        """
        return self.ends(p, chunks)


def _everything(p: int, chunks: int) -> NDArray[np.bool_]:
    return np.ones((p, chunks), dtype=np.bool_)


def _own_block(p: int, chunks: int) -> NDArray[np.bool_]:
    return np.eye(p, dtype=np.bool_).repeat(chunks // p, axis=1)


def _at_root(p: int, chunks: int) -> NDArray[np.bool_]:
    held = np.zeros((p, chunks), dtype=np.bool_)
    held[0] = True
    return held


def _addressed_to(p: int, chunks: int) -> NDArray[np.bool_]:
    return np.tile(_own_block(p, chunks // p), p)


def _from_before(p: int, chunks: int) -> NDArray[np.bool_]:
    return np.roll(_own_block(p, chunks), 1, axis=0)


def _nothing(s: NDArray[np.float64], p: int, root: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.zeros_like(s)


def _scattered(p: int) -> float:
    return (p - 1) / p


COLLECTIVES: Registry[Collective] = Registry("collective")
"""The collectives by name."""

for _collective in (
    Collective(
        name="all_reduce",
        title="all-reduce",
        reduces=True,
        busbw_factor=lambda p: 2 * (p - 1) / p,
        volume=lambda p: 1,
        granularity=lambda p: 1,
        leaves=lambda s, p, root: np.ones_like(s),
        sent=lambda p: 2.0 * (p - 1),
        starts=_everything,
        ends=_everything,
        sent_reduced=float,
    ),
    Collective(
        name="reduce_scatter",
        title="reduce-scatter",
        reduces=True,
        busbw_factor=_scattered,
        volume=lambda p: 1,
        granularity=lambda p: p,
        leaves=lambda s, p, root: (p - s) / p,
        sent=lambda p: p - 1.0,
        starts=_everything,
        ends=_own_block,
    ),
    Collective(
        name="all_gather",
        title="all-gather",
        reduces=False,
        busbw_factor=_scattered,
        volume=lambda p: 1,
        granularity=lambda p: p,
        leaves=lambda s, p, root: s / p,
        sent=lambda p: p - 1.0,
        starts=_own_block,
        ends=_everything,
    ),
    Collective(
        name="broadcast",
        title="broadcast",
        reduces=False,
        busbw_factor=lambda p: 1.0,
        volume=lambda p: 1,
        granularity=lambda p: 1,
        leaves=lambda s, p, root: np.where(root, 1.0, 0.0),
        sent=lambda p: p - 1.0,
        starts=_at_root,
        ends=_everything,
    ),
    Collective(
        name="all_to_all",
        title="all-to-all",
        reduces=False,
        busbw_factor=_scattered,
        volume=lambda p: p,
        granularity=lambda p: p * p,
        leaves=lambda s, p, root: s * (p - s) / p,
        sent=lambda p: p - 1.0,
        starts=_own_block,
        ends=_addressed_to,
    ),
    Collective(
        name="reduce",
        title="reduce",
        reduces=True,
        busbw_factor=lambda p: 1.0,
        volume=lambda p: 1,
        granularity=lambda p: 1,
        leaves=lambda s, p, root: np.where(root, 0.0, 1.0),
        sent=lambda p: p - 1.0,
        starts=_everything,
        ends=_at_root,
    ),
    Collective(
        name="all_to_all_v",
        title="all-to-all-v",
        reduces=False,
        busbw_factor=_scattered,
        volume=lambda p: p,
        granularity=lambda p: p * p,
        leaves=lambda s, p, root: s * (p - s) / p,
        sent=lambda p: p - 1.0,
        starts=_own_block,
        ends=_addressed_to,
    ),
    Collective(
        name="send_recv",
        title="send/recv",
        reduces=False,
        busbw_factor=lambda p: 1.0,
        volume=lambda p: p,
        granularity=lambda p: p,
        leaves=lambda s, p, root: np.ones_like(s),
        sent=float,
        starts=_own_block,
        ends=_from_before,
    ),
    Collective(
        name="barrier",
        title="barrier",
        reduces=False,
        busbw_factor=lambda p: 0.0,
        volume=lambda p: 0,
        granularity=lambda p: p,
        leaves=_nothing,
        sent=lambda p: 0.0,
        starts=_own_block,
        ends=_everything,
    ),
):
    COLLECTIVES.add(_collective.name, _collective)


def all_to_all_of(traffic: NDArray[np.float64]) -> Collective:
    """All-to-all-v with given bytes from each rank to each other.

    Parameters
    ----------
    traffic : ndarray of float64, shape (p, p)
        Bytes per byte of size; the diagonal stays where it is.

    Returns
    -------
    Collective
        Bus bandwidth counts the bytes at the busiest port.

    Examples
    --------
    >>> skewed = all_to_all_of(np.array([[0.0, 1.0], [0.25, 0.75]]))
    >>> skewed.sent(2), skewed.final(2, 4).tolist()
    (1.25, [[True, False, True, False], [False, True, False, True]])
    """
    moving = traffic * ~np.eye(len(traffic), dtype=np.bool_)
    busiest = float(max(moving.sum(axis=0).max(), moving.sum(axis=1).max()))

    def ends(p: int, chunks: int) -> NDArray[np.bool_]:
        wanted = traffic.ravel() > 0
        held: NDArray[np.bool_] = _addressed_to(p, chunks) & (wanted | (np.arange(p * p) % (p + 1) == 0))
        return held

    return replace(
        COLLECTIVES["all_to_all_v"],
        busbw_factor=lambda p: busiest,
        leaves=_nothing,
        sent=lambda p: float(moving.sum()),
        ends=ends,
        traffic=moving,
    )
