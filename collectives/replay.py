"""Proof by execution: follow every chunk through a schedule and see whether it does what it claims."""

from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError
from topo_sim.collectives.schedule import Schedule
from topo_sim.collectives.step import Step

__all__ = ["replay"]

_MOST_STATES = 2**32


def replay(schedule: Schedule) -> None:
    """Follow every chunk through the schedule, and raise unless it implements its collective.

    Parameters
    ----------
    schedule : Schedule
        What to prove.

    Raises
    ------
    CollectiveError
        Naming step (repetitions count), ranks and chunk, if a rank sends a chunk that it does not hold,
        sends to itself or to no rank at all; if a contribution is reduced twice, or copies in one step
        contradict each other; if a transfer's fraction does not fit the chunks that it carries; if in
        the end a rank lacks a chunk or a contribution; or if the state is too large to follow.

    Notes
    -----
    The state says for every rank and chunk whose contributions are combined in it. A chunk that several
    transfers bring to a rank in one step must be brought to be reduced, with disjoint contributions, or
    as equal copies. Takes one byte per rank, chunk and contributor; contributors are the ranks where the
    collective reduces, else one. Reducers in switches are followed like ranks that hold nothing at first.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from topo_sim.collectives.schedule import build_schedule
    >>> schedule = build_schedule("broadcast", "binomial_tree", ranks=4, size=8)
    >>> replay(schedule)
    >>> replay(replace(schedule, steps=schedule.steps[::-1]))
    Traceback (most recent call last):
    topo_sim.base.errors.CollectiveError: step 0: rank 2 sends chunk 0 to rank 3 but does not hold it
    >>> replay(replace(schedule, steps=schedule.steps[:1]))
    Traceback (most recent call last):
    topo_sim.base.errors.CollectiveError: after the last step: rank 1 does not hold chunk 0
    """
    p, chunks = schedule.ranks, schedule.chunks
    needed = (p + schedule.reducers) * chunks * (p if schedule.collective.reduces else 1)
    if needed > _MOST_STATES:
        raise CollectiveError(f"{schedule!r} is too large to replay: {needed} states, at most {_MOST_STATES}")
    initial = schedule.collective.initial(p, chunks)
    state = np.zeros((p + schedule.reducers, *initial.shape[1:]), dtype=np.bool_)
    state[:p] = initial
    number = 0
    for step in schedule.steps:
        _check_step(schedule, step, number)
        for repetition in range(step.repeat):
            _run(state, step, *step.carried(repetition, chunks), number)
            number += 1
    _check_final(schedule, state[:p], initial)


def _check_step(schedule: Schedule, step: Step, number: int) -> None:
    """Check what does not depend on the state: ranks, chunk lists, fractions."""
    p, chunks = schedule.ranks, schedule.chunks

    def refuse(bad: NDArray[np.bool_], why: str) -> None:
        if bad.any():
            i = int(bad.argmax())
            _fail(number, f"rank {step.source[i]} sends to rank {step.target[i]}{why}")

    refuse(step.source == step.target, ", that is to itself")
    last = p + schedule.reducers - 1
    for end in (step.source, step.target):
        refuse((end < 0) | (end > last), f", ranks are 0 to {last}")
    if not schedule.collective.reduces:
        refuse(step.reduce, f" to be reduced, but {schedule.collective.title} does not reduce")
    indptr, ids = step.chunks()
    counts = np.diff(indptr)
    if len(counts) != len(step) or indptr[0] != 0 or indptr[-1] != len(ids) or (counts < 0).any():
        _fail(number, f"the chunk lists do not fit the {len(step)} transfers")
    refuse(counts == 0, " without any chunk")
    outside = (ids < 0) | (ids >= chunks)
    refuse(np.logical_or.reduceat(outside, indptr[:-1]), f" a chunk outside 0 to {chunks - 1}")
    if step.cycle is not None:
        cycle = np.repeat(np.broadcast_to(step.cycle, counts.shape), counts)
        cut = ids // cycle * cycle + cycle > chunks
        refuse(np.logical_or.reduceat(cut, indptr[:-1]), f" in a cycle that does not fit the {chunks} chunks")
    expected = counts * (schedule.collective.volume(p) / chunks)
    if schedule.weights is not None:
        expected = np.add.reduceat(schedule.weights[ids], indptr[:-1])
    wrong = ~(np.abs(step.fraction - expected) <= 1e-9 * expected)
    i = int(wrong.argmax())
    refuse(
        wrong,
        f" the fraction {step.fraction[i]:.9g} of the size, but {counts[i]} chunks are {expected[i]:.9g}",
    )


def _run(
    state: NDArray[np.bool_],
    step: Step,
    indptr: NDArray[np.int64],
    ids: NDArray[np.int64],
    number: int,
) -> None:
    """Run one repetition of a step on the state."""
    counts = np.diff(indptr)
    source, target, reduce = (np.repeat(a, counts) for a in (step.source, step.target, step.reduce))
    value = state[source, ids]
    missing = ~value.any(axis=1)
    if missing.any():
        i = int(missing.argmax())
        _fail(number, f"rank {source[i]} sends chunk {ids[i]} to rank {target[i]} but does not hold it")

    # Bring together all arrivals of a chunk at a rank.
    place = target.astype(np.int64) * state.shape[1] + ids
    order = np.argsort(place, kind="stable")
    first = np.flatnonzero(np.diff(place[order], prepend=-1))
    rank, chunk = target[order[first]], ids[order[first]]
    arrivals = np.diff(first, append=len(order))
    copies = np.add.reduceat(np.logical_not(reduce[order]), first, dtype=np.int64)
    times = np.add.reduceat(value[order], first, axis=0, dtype=np.int64)

    copied = copies > 0
    differ = ((times > 0) & (times < copies[:, np.newaxis])).any(axis=1)
    conflict = copied & ((copies < arrivals) | differ)
    if conflict.any():
        i = int(conflict.argmax())
        _fail(number, f"rank {rank[i]} receives conflicting copies of chunk {chunk[i]}")
    times[~copied] += state[rank[~copied], chunk[~copied]]
    twice = ~copied[:, np.newaxis] & (times > 1)
    if twice.any():
        i, contributor = np.argwhere(twice)[0]
        _fail(number, f"rank {rank[i]} reduces rank {contributor}'s contribution to chunk {chunk[i]} twice")
    state[rank, chunk] = times > 0


def _check_final(schedule: Schedule, state: NDArray[np.bool_], initial: NDArray[np.bool_]) -> None:
    """Check what every rank must hold: every contribution to a chunk that anybody had at first."""
    have: NDArray[np.bool_] = np.asarray(state.any(axis=2))
    whole = np.logical_or(state, ~np.any(initial, axis=0, keepdims=True))
    lacking = schedule.collective.final(schedule.ranks, schedule.chunks) & ~(have & whole.all(axis=2))
    if not lacking.any():
        return
    rank, chunk = (int(i) for i in np.argwhere(lacking)[0])
    what = (
        f"rank {rank}'s chunk {chunk} lacks the contribution of rank {int(whole[rank, chunk].argmin())}"
        if have[rank, chunk]
        else f"rank {rank} does not hold chunk {chunk}"
    )
    raise CollectiveError(f"after the last step: {what}")


def _fail(number: int, what: str) -> NoReturn:
    raise CollectiveError(f"step {number}: {what}")
