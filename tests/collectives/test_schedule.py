"""The schedule as data: steps, front door, messages, size in memory."""

import time
import tracemalloc

import numpy as np
import pytest

from topo_sim.base import CollectiveError, UnknownNameError
from topo_sim.collectives import ALGORITHMS, COLLECTIVES, Algorithm, Schedule, Step, build_schedule, runs
from topo_sim.collectives.algorithms.registry import register


def measured(*args, **options):
    """Build a schedule without and then with memory tracing: (schedule, seconds, peak bytes)."""
    started = time.perf_counter()
    build_schedule(*args, **options)
    seconds = time.perf_counter() - started
    tracemalloc.start()
    try:
        schedule = build_schedule(*args, **options)
        return schedule, seconds, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class TestCollectives:
    def test_names(self):
        assert list(COLLECTIVES) == [
            *("all_reduce", "reduce_scatter", "all_gather", "broadcast", "all_to_all"),
            *("reduce", "all_to_all_v", "send_recv", "barrier"),
        ]
        assert set(ALGORITHMS) == set(COLLECTIVES)

    @pytest.mark.parametrize(
        ("name", "factor", "total", "granularity"),
        [
            ("all_reduce", 1.75, 100, 1),
            ("reduce_scatter", 0.875, 100, 8),
            ("all_gather", 0.875, 100, 8),
            ("broadcast", 1, 100, 1),
            ("all_to_all", 0.875, 800, 64),
            ("reduce", 1, 100, 1),
            ("all_to_all_v", 0.875, 800, 64),
            ("send_recv", 1, 800, 8),
            ("barrier", 0, 0, 8),
        ],
    )
    def test_conventions_of_nccl_tests(self, name, factor, total, granularity):
        collective = COLLECTIVES[name]
        assert collective.busbw_factor(8) == factor
        assert collective.total_bytes(100, 8) == total
        assert collective.granularity(8) == granularity

    def test_conditions_of_all_to_all(self):
        collective, p, c = COLLECTIVES["all_to_all"], 3, 2
        initial, final = collective.initial(p, p * p * c), collective.final(p, p * p * c)
        for source in range(p):
            for target in range(p):
                for j in range(c):
                    chunk = (source * p + target) * c + j
                    assert np.flatnonzero(initial[:, chunk, 0]).tolist() == [source]
                    assert np.flatnonzero(final[:, chunk]).tolist() == [target]

    def test_every_contribution_is_there_before_a_reduction(self):
        initial = COLLECTIVES["reduce_scatter"].initial(4, 8)
        assert initial.shape == (4, 8, 4)
        for chunk in range(8):
            assert (initial[:, chunk] == np.eye(4, dtype=bool)).all()


class TestStep:
    def test_scalars_take_no_memory(self):
        step = Step([0, 1], [1, 0], 0.5, True, runs(lambda: [0, 1]))
        assert step.fraction.strides == step.reduce.strides == step.shift.strides == (0,)
        assert step.fraction.tolist() == [0.5, 0.5]
        assert step.reduce.tolist() == [True, True]

    def test_types(self):
        step = Step([0, 1], [1, 0], [1, 2], [1, 0], runs(lambda: [0, 1]))
        assert step.source.dtype == step.target.dtype == np.int32
        assert step.fraction.dtype == np.float64
        assert step.reduce.dtype == np.bool_

    def test_arrays_are_read_only_and_the_callers_are_left_alone(self):
        mine = np.array([0, 1], dtype=np.int32)
        step = Step(mine, [1, 0], 0.5, False, runs(lambda: [0, 1]))
        with pytest.raises(ValueError, match=r"read-only"):
            step.source[0] = 7
        mine[0] = 0

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (([], [], 1, False), "one or more transfers"),
            (([[0]], [[1]], 1, False), "one or more transfers"),
            (([0, 1], [1], 1, False), "cannot have target of shape"),
            (([0, 1], [1, 0], [1], False), "cannot have fraction of shape"),
            (([0, 1], 1, 1, False), "cannot have target of shape"),
        ],
    )
    def test_arrays_must_fit(self, arguments, message):
        with pytest.raises(CollectiveError, match=message):
            Step(*arguments, runs(lambda: [0]))

    @pytest.mark.parametrize("wrong", [{"repeat": 0}, {"cycle": 0}])
    def test_repeat_and_cycle_are_positive(self, wrong):
        with pytest.raises(CollectiveError, match=r"at least once"):
            Step([0], [1], 1, False, runs(lambda: [0]), **wrong)

    def test_shifts_stay_inside_their_block(self):
        step = Step(
            [0, 1], [1, 0], 0.25, False, runs(lambda: [2, 6], 2), repeat=9, shift=np.array([-1, 3]), cycle=4
        )
        for j in range(step.repeat):
            _, ids = step.carried(j, 8)
            assert ids.tolist() == [(2 - j) % 4, (3 - j) % 4, 4 + (2 + 3 * j) % 4, 4 + (3 + 3 * j) % 4]

    def test_repr(self):
        assert repr(Step([0], [1], 1, False, runs(lambda: [0]))) == "<Step: 1 transfer>"
        assert repr(Step([0, 1], [1, 0], 1, False, runs(lambda: [0, 0]), repeat=3)) == (
            "<Step: 2 transfers, run 3 times>"
        )

    def test_chunks_are_lazy(self):
        def never():
            raise AssertionError("chunks were built")

        step = Step([0], [1], 1, False, never)
        schedule = Schedule(COLLECTIVES["broadcast"], "by hand", 2, 8.0, 1, (step,))
        assert schedule.bytes_sent == 8
        assert (schedule.step_count, schedule.transfer_count, schedule.message_count) == (1, 1, 1)


class TestSchedule:
    def test_counts(self):
        schedule = build_schedule("all_reduce", "ring", 5, 1000)
        assert schedule.step_count == 8
        assert schedule.transfer_count == 10
        assert schedule.message_count == 40
        assert schedule.bytes_sent == pytest.approx(8000)

    def test_repr(self):
        text = repr(build_schedule("all_reduce", "double_binary_tree", 8, 2**20, segments=4))
        assert text == (
            "<Schedule: all_reduce/double_binary_tree, segments=4, 8 ranks, 1 MiB, 9 steps, 112 messages>"
        )
        assert "1 rank, 0 B, 0 steps" in repr(build_schedule("broadcast", "binomial_tree", 1, 0))

    @pytest.mark.parametrize("chunks", [0, 3, 6])
    def test_chunks_must_divide(self, chunks):
        with pytest.raises(CollectiveError, match=r"needs a multiple of 4 chunks"):
            Schedule(COLLECTIVES["all_gather"], "by hand", 4, 8.0, chunks, ())


class TestFrontDoor:
    def test_unknown_collective(self):
        with pytest.raises(
            UnknownNameError, match=r'unknown collective "all_redux".*did you mean "all_reduce"'
        ):
            build_schedule("all_redux", "ring", 4, 8)

    def test_unknown_algorithm(self):
        with pytest.raises(
            UnknownNameError, match=r'unknown all_to_all algorithm "brook": did you mean "bruck"'
        ):
            build_schedule("all_to_all", "brook", 4, 8)
        with pytest.raises(UnknownNameError, match=r"choose from bruck, direct, hierarchical, mesh"):
            build_schedule("all_to_all", "ring?", 4, 8)

    @pytest.mark.parametrize("ranks", [0, -1, 2.0, True, "4", None, 2**31])
    def test_bad_ranks(self, ranks):
        with pytest.raises(CollectiveError, match=r"ranks must be a whole number"):
            build_schedule("all_reduce", "ring", ranks, 8)

    @pytest.mark.parametrize("size", [-1, float("nan"), float("inf"), 10**400, True, "8", None, 1j])
    def test_bad_size(self, size):
        with pytest.raises(CollectiveError, match=r"size must be a finite number of bytes"):
            build_schedule("all_reduce", "ring", 4, size)

    def test_numpy_numbers_are_numbers(self):
        schedule = build_schedule("all_reduce", "ring", np.int64(4), np.float32(8))
        assert (type(schedule.ranks), type(schedule.size)) == (int, float)

    def test_unknown_option(self):
        with pytest.raises(CollectiveError, match=r'unknown option "segment".*did you mean "segments"'):
            build_schedule("all_reduce", "double_binary_tree", 4, 8, segment=1)
        with pytest.raises(
            CollectiveError, match=r'unknown option "segments" for all_reduce/ring: there is none'
        ):
            build_schedule("all_reduce", "ring", 4, 8, segments=1)

    @pytest.mark.parametrize("value", [0, -1, 1.0, True, "8", None])
    def test_bad_option(self, value):
        with pytest.raises(CollectiveError, match=r'"segments".*must be a whole number from 1'):
            build_schedule("all_reduce", "double_binary_tree", 4, 8, segments=value)

    def test_options_are_kept_with_defaults(self):
        assert build_schedule("all_reduce", "double_binary_tree", 4, 8).options == {"segments": 8}
        assert build_schedule("all_reduce", "ring", 4, 8).options == {}

    @pytest.mark.parametrize("ranks", [3, 6, 33])
    def test_powers_of_two(self, ranks):
        for collective, name in (
            ("all_gather", "recursive_doubling"),
            ("reduce_scatter", "recursive_halving"),
        ):
            with pytest.raises(CollectiveError, match=rf'{name} cannot run on {ranks} ranks.*use "ring"'):
                build_schedule(collective, name, ranks, 8)
            with pytest.raises(CollectiveError, match=r"power of two"):
                ALGORITHMS[collective][name].closed_form(ranks, 8, 0, 1)

    def test_a_name_is_registered_once(self):
        entry = ALGORITHMS["broadcast"]["binomial_tree"]
        with pytest.raises(ValueError, match=r"registered twice"):
            register(entry)
        assert isinstance(entry, Algorithm)


class TestScale:
    """Limits are several times what it takes, so that a slow machine passes."""

    def test_million_rank_ring(self):
        p = 1_000_000
        schedule, seconds, peak = measured("all_reduce", "ring", p, 2**30)
        assert schedule.step_count == 2 * (p - 1)
        assert schedule.transfer_count == 2 * p
        assert schedule.message_count == 2 * p * (p - 1)
        assert schedule.bytes_sent == pytest.approx(2 * (p - 1) * 2**30)
        assert seconds < 1
        assert peak < 64 * p

    @pytest.mark.parametrize("name", ["pairwise", "direct", "bruck"])
    def test_all_to_all_of_4096_ranks(self, name):
        schedule, seconds, peak = measured("all_to_all", name, 4096, 2**20)
        assert schedule.bytes_sent >= 4095 * 2**20
        assert seconds < 3
        assert peak < 2**30

    def test_steps_of_a_full_pipeline_are_kept_once(self):
        schedule = build_schedule("all_reduce", "double_binary_tree", 64, 2**30, segments=10_000)
        assert schedule.step_count == 2 * 6 + 10_000 - 1
        assert len(schedule.steps) <= 4 * 6


def test_options_without_a_value_are_not_named():
    schedule = build_schedule("all_to_all_v", "direct", 4, 8)
    assert "None" not in schedule.label
    assert "None" not in repr(schedule)
