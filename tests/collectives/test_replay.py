"""The proof must fail where it should: every way to break a schedule is found and named."""

from dataclasses import replace

import numpy as np
import pytest

from topo_sim.base import CollectiveError
from topo_sim.collectives import ALGORITHMS, COLLECTIVES, Schedule, Step, build_schedule, replay, runs

ALL = [(collective, name) for collective, names in ALGORITHMS.items() for name in names]
every = pytest.mark.parametrize(("collective", "name"), ALL)


# The scatter leaves blocks on the way that the ring brings again, as in MPI libraries; a store by way of
# the switch comes back to the rank that made it.
REDUNDANT = {("broadcast", "van_de_geijn"), ("all_reduce", "nvls")}


def unrolled(schedule):
    """The same schedule with every repetition and every chunk list written out."""
    steps = []
    for step in schedule.steps:
        for j in range(step.repeat):
            lists = step.carried(j, schedule.chunks)
            steps.append(
                Step(step.source, step.target, step.fraction, step.reduce, lambda lists=lists: lists)
            )
    return replace(schedule, steps=tuple(steps))


def without(step, i):
    """The step without its i-th transfer."""
    keep = np.delete(np.arange(len(step)), i)
    indptr, ids = step.chunks()
    kept = [ids[indptr[k] : indptr[k + 1]] for k in keep]
    lists = np.cumsum([0, *map(len, kept)]), np.concatenate(kept)
    return Step(step.source[keep], step.target[keep], step.fraction[keep], step.reduce[keep], lambda: lists)


def changed(schedule, number, **fields):
    steps = list(schedule.steps)
    steps[number] = replace(steps[number], **fields)
    return replace(schedule, steps=tuple(steps))


def hand_made(collective, ranks, chunks, *steps):
    """Steps are (source, target, chunk, reduce) lists of single-chunk transfers."""
    collective = COLLECTIVES[collective]
    unit = collective.volume(ranks) / chunks
    made = []
    for transfers in steps:
        source, target, ids, reduce = (list(column) for column in zip(*transfers, strict=True))
        made.append(Step(source, target, unit, reduce, runs(lambda ids=ids: ids)))
    return Schedule(collective, "by hand", ranks, 1.0, chunks, tuple(made))


@every
class TestMutations:
    """Every transfer of every algorithm is needed, and every fraction is right."""

    def test_unrolling_changes_nothing(self, collective, name):
        schedule = build_schedule(collective, name, 8, 100)
        same = unrolled(schedule)
        replay(same)
        assert same.bytes_sent == pytest.approx(schedule.bytes_sent)
        assert same.step_count == schedule.step_count == len(same.steps)

    def test_drop_any_transfer(self, collective, name):
        if (collective, name) == ("broadcast", "van_de_geijn"):
            return
        schedule = unrolled(build_schedule(collective, name, 4, 100))
        for number, step in enumerate(schedule.steps):
            for i in range(len(step)):
                fewer = (without(step, i),) if len(step) > 1 else ()
                steps = (*schedule.steps[:number], *fewer, *schedule.steps[number + 1 :])
                with pytest.raises(CollectiveError):
                    replay(replace(schedule, steps=steps))

    def test_drop_a_repetition(self, collective, name):
        schedule = build_schedule(collective, name, 8, 100)
        for number, step in enumerate(schedule.steps):
            if step.repeat > 1:
                with pytest.raises(CollectiveError):
                    replay(changed(schedule, number, repeat=step.repeat - 1))

    def test_wrong_fraction(self, collective, name):
        if not COLLECTIVES[collective].volume(4):
            return
        schedule = unrolled(build_schedule(collective, name, 4, 100))
        for number, step in enumerate(schedule.steps):
            fraction = step.fraction.copy()
            fraction[-1] *= 1.001
            with pytest.raises(CollectiveError, match=rf"^step {number}: rank .* the fraction .* chunks are"):
                replay(changed(schedule, number, fraction=fraction))


@pytest.mark.parametrize(
    ("collective", "name"),
    [pair for pair in ALL if build_schedule(*pair, ranks=4, size=100).chunks > 1 and pair not in REDUNDANT],
)
def test_swap_any_chunk(collective, name):
    schedule = unrolled(build_schedule(collective, name, 4, 100))
    for number, step in enumerate(schedule.steps):
        indptr, ids = step.chunks()
        for i in range(len(ids)):
            other = ids.copy()
            other[i] = (other[i] + 1) % schedule.chunks
            with pytest.raises(CollectiveError):
                replay(changed(schedule, number, chunks=lambda ids=other, p=indptr: (p, ids)))


@pytest.mark.parametrize(("collective", "name"), [pair for pair in ALL if COLLECTIVES[pair[0]].reduces])
def test_repeat_the_first_reduction(collective, name):
    schedule = unrolled(build_schedule(collective, name, 4, 100))
    with pytest.raises(CollectiveError, match=r"^step 1: rank .* reduces rank .* twice"):
        replay(replace(schedule, steps=(schedule.steps[0], *schedule.steps)))


class TestMessages:
    def test_not_held(self):
        bad = hand_made("broadcast", 3, 1, [(0, 1, 0, False)], [(2, 1, 0, False)])
        with pytest.raises(
            CollectiveError, match=r"^step 1: rank 2 sends chunk 0 to rank 1 but does not hold"
        ):
            replay(bad)

    def test_step_numbers_count_repetitions(self):
        ring = build_schedule("all_gather", "ring", 4, 8)
        last = Step([0], [0], 1 / 4, False, runs(lambda: [0]))
        with pytest.raises(CollectiveError, match=r"^step 3: rank 0 sends to rank 0, that is to itself"):
            replay(replace(ring, steps=(*ring.steps, last)))

    def test_transfers_read_the_state_before_the_step(self):
        with pytest.raises(
            CollectiveError, match=r"^step 0: rank 1 sends chunk 0 to rank 2 but does not hold"
        ):
            replay(hand_made("broadcast", 3, 1, [(0, 1, 0, False), (1, 2, 0, False)]))

    @pytest.mark.parametrize("pair", [(0, 3), (-1, 1)])
    def test_ranks_out_of_range(self, pair):
        with pytest.raises(CollectiveError, match=r"^step 0: rank .*, ranks are 0 to 2"):
            replay(hand_made("broadcast", 3, 1, [(*pair, 0, False)]))

    @pytest.mark.parametrize("chunk", [-1, 2])
    def test_chunks_out_of_range(self, chunk):
        with pytest.raises(CollectiveError, match=r"^step 0: rank 0 sends to rank 1 a chunk outside 0 to 1"):
            replay(hand_made("broadcast", 2, 2, [(0, 1, chunk, False)]))

    def test_reduction_where_nothing_is_reduced(self):
        with pytest.raises(CollectiveError, match=r"broadcast does not reduce"):
            replay(hand_made("broadcast", 2, 1, [(0, 1, 0, True)]))

    def test_reduced_twice_within_a_step(self):
        first = [(0, 1, 0, True), (1, 0, 0, True)]
        both = [(0, 2, 0, True), (1, 2, 0, True)]
        with pytest.raises(
            CollectiveError, match=r"^step 1: rank 2 reduces rank 0's contribution to chunk 0 twice"
        ):
            replay(hand_made("all_reduce", 3, 1, first, both))

    def test_disjoint_reductions_within_a_step(self):
        replay(
            hand_made(
                "all_reduce",
                3,
                1,
                [(1, 0, 0, True), (2, 0, 0, True)],
                [(0, 1, 0, False), (0, 2, 0, False)],
            )
        )

    @pytest.mark.parametrize("reduce", [False, True])
    def test_conflicting_copies(self, reduce):
        with pytest.raises(CollectiveError, match=r"^step 0: rank 2 receives conflicting copies of chunk 0"):
            replay(hand_made("all_reduce", 3, 1, [(0, 2, 0, False), (1, 2, 0, reduce)]))

    def test_equal_copies_do_not_conflict(self):
        replay(hand_made("broadcast", 3, 1, [(0, 1, 0, False)], [(0, 2, 0, False), (1, 2, 0, False)]))

    def test_lost_contribution(self):
        bad = hand_made("all_reduce", 2, 1, [(0, 1, 0, False), (1, 0, 0, True)])
        with pytest.raises(
            CollectiveError, match=r"last step: rank 1's chunk 0 lacks the contribution of rank 1"
        ):
            replay(bad)

    def test_missing_chunk(self):
        with pytest.raises(CollectiveError, match=r"last step: rank 0 does not hold chunk 1"):
            replay(hand_made("all_gather", 2, 2, [(0, 1, 0, False)]))

    @pytest.mark.parametrize(
        ("indptr", "ids"), [([0, 1], [0, 0]), ([0, 1, 1], [0]), ([1, 1], [0]), ([0], [])]
    )
    def test_chunk_lists_that_do_not_fit(self, indptr, ids):
        good = hand_made("broadcast", 2, 1, [(0, 1, 0, False)])
        lists = np.array(indptr), np.array(ids, dtype=np.int64)
        with pytest.raises(CollectiveError, match=r"^step 0: the chunk lists do not fit the 1 transfers"):
            replay(changed(good, 0, chunks=lambda: lists))

    def test_transfer_without_chunks(self):
        good = hand_made("broadcast", 2, 1, [(0, 1, 0, False)])
        lists = np.array([0, 0]), np.array([], dtype=np.int64)
        with pytest.raises(CollectiveError, match=r"^step 0: rank 0 sends to rank 1 without any chunk"):
            replay(changed(good, 0, chunks=lambda: lists, fraction=0.0))

    def test_not_a_number(self):
        good = hand_made("broadcast", 2, 1, [(0, 1, 0, False)])
        with pytest.raises(CollectiveError, match=r"the fraction nan"):
            replay(changed(good, 0, fraction=np.nan))

    def test_cycle_that_does_not_divide(self):
        good = hand_made("broadcast", 2, 4, [(0, 1, 3, False)])
        with pytest.raises(CollectiveError, match=r"in a cycle that does not fit the 4 chunks"):
            replay(changed(good, 0, cycle=3))

    def test_too_large(self):
        with pytest.raises(CollectiveError, match=r"too large to replay"):
            replay(build_schedule("all_reduce", "ring", 10_000, 8))
