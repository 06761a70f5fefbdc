"""A schedule as messages of whole bytes, each in its step: what traces are made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError
from topo_sim.collectives.schedule import Schedule

__all__ = ["Event", "Messages", "events", "list_messages"]

MOST_MESSAGES = 4_000_000


@dataclass(frozen=True, eq=False)
class Messages:
    """The messages of a schedule, in the order of its steps.

    Parameters
    ----------
    step, source, target : ndarray of int64, shape (messages,)
    size : ndarray of int64, shape (messages,), B
    tag : ndarray of int64, shape (messages,)
        How many messages went from the same source to the same target before.
    """

    step: NDArray[np.int64]
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    size: NDArray[np.int64]
    tag: NDArray[np.int64]


@dataclass(frozen=True)
class Event:
    """What one rank does with one message.

    Parameters
    ----------
    sends : bool
        Or receives.
    peer : int
    size : int, B
    tag : int
    step : int
    after : range
        Events of the same rank, by number, that must have ended: those of the last step that it took part
        in.
    """

    sends: bool
    peer: int
    size: int
    tag: int
    step: int
    after: range


def list_messages(schedule: Schedule) -> Messages:
    """List the messages of a schedule.

    Parameters
    ----------
    schedule : Schedule

    Returns
    -------
    Messages

    Raises
    ------
    CollectiveError
        If its chunks are no whole bytes or not all equal, if switches combine, or if there are more than
        four million messages.

    Examples
    --------
    >>> from topo_sim.collectives import build_schedule
    >>> found = list_messages(build_schedule("all_reduce", "ring", 3, 12))
    >>> found.size.tolist()[:3], found.tag.tolist()
    ([4, 4, 4], [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])
    >>> list_messages(build_schedule("all_reduce", "ring", 3, 10))
    Traceback (most recent call last):
    topo_sim.base.errors.CollectiveError: <Schedule: all_reduce/ring, 3 ranks, 10 B, 4 steps, 12 messages>: \
found 10 B, expected a multiple of 3 B above 0, so that chunks are whole bytes
    """
    p = schedule.ranks
    if schedule.in_network:
        raise CollectiveError(
            f"{schedule!r}: sums are made in switches, expected messages between ranks only"
        )
    volume = schedule.collective.volume(p)
    if schedule.weights is not None or not volume:
        raise CollectiveError(f"{schedule!r}: chunks differ or are empty, expected equal chunks with bytes")
    unit = int(schedule.chunks // volume)
    if schedule.size <= 0 or schedule.size % unit:
        raise CollectiveError(
            f"{schedule!r}: found {schedule.size:.15g} B, expected a multiple of {unit} B above 0, so that "
            "chunks are whole bytes"
        )
    if schedule.message_count > MOST_MESSAGES:
        raise CollectiveError(
            f"{schedule!r}: found {schedule.message_count} messages, expected {MOST_MESSAGES} at most"
        )
    repeats = [step.repeat for step in schedule.steps]
    widths = [len(step) for step in schedule.steps for _ in range(step.repeat)]

    def column(name: str) -> NDArray[np.int64]:
        parts = [np.tile(getattr(s, name), n) for s, n in zip(schedule.steps, repeats, strict=True)]
        return np.concatenate([np.zeros(0), *parts])

    source, target = (column(name).astype(np.int64) for name in ("source", "target"))
    size = np.rint(column("fraction") * schedule.size).astype(np.int64)
    step = np.repeat(np.arange(len(widths), dtype=np.int64), widths)
    pair = source * p + target
    order = np.argsort(pair, kind="stable")
    first = np.flatnonzero(np.diff(pair[order], prepend=-1))
    tag = np.empty(len(pair), dtype=np.int64)
    tag[order] = np.arange(len(pair)) - np.repeat(first, np.diff(first, append=len(pair)))
    return Messages(step, source, target, size, tag)


def events(messages: Messages, ranks: int) -> Iterator[list[Event]]:
    """Yield what each rank does, in order; of one step first what it sends.

    Parameters
    ----------
    messages : Messages
    ranks : int

    Yields
    ------
    list of Event

    Examples
    --------
    >>> from topo_sim.collectives import build_schedule
    >>> made = list_messages(build_schedule("broadcast", "binomial_tree", 4, 8))
    >>> [[(e.sends, e.peer, list(e.after)) for e in one] for one in events(made, 4)][2]
    [(False, 0, []), (True, 3, [0])]
    """
    rank = np.concatenate([messages.source, messages.target])
    ways = np.repeat([0, 1], len(messages.step))
    order = np.lexsort((np.arange(len(rank)), ways, np.tile(messages.step, 2), rank))
    bounds = np.searchsorted(rank[order], np.arange(ranks + 1))
    columns = [
        np.concatenate([messages.target, messages.source]),
        *(np.tile(a, 2) for a in (messages.size, messages.tag, messages.step)),
    ]
    for low, high in pairwise(bounds.tolist()):
        mine = order[low:high]
        rows = zip((ways[mine] == 0).tolist(), *(column[mine].tolist() for column in columns), strict=True)
        found: list[Event] = []
        before = current = range(0)
        for number, (sends, peer, size, tag, step) in enumerate(rows):
            if found and found[-1].step != step:
                before, current = current, range(number, number)
            found.append(Event(sends, peer, size, tag, step, before))
            current = range(current.start, number + 1)
        yield found
