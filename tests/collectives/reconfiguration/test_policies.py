"""When to reconfigure: every policy against all choices tried one by one."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topo_sim.base import CollectiveError, UnknownNameError
from topo_sim.collectives.reconfiguration import POLICIES, Choices

HOLDING = ("never", "always", "greedy", "optimal")


def time_of(choices, choice):
    """Add up a choice, step by step."""
    total, now = 0.0, choices.initial
    for i, c in enumerate(choice):
        total += choices.cost[i, c] + (choices.switch[i] if c != now else 0.0)
        now = c
    return total


def all_choices(choices):
    steps, count = choices.cost.shape
    return min(time_of(choices, choice) for choice in itertools.product(range(count), repeat=steps))


@st.composite
def problems(draw):
    steps, count = draw(st.sampled_from([(1, 1), (1, 4), (3, 6), (5, 5), (7, 3), (8, 3), (12, 2)]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    cost = rng.uniform(0, 5, (steps, count)).round(draw(st.sampled_from([0, 1, 15])))
    if draw(st.booleans()):
        cost[rng.random(cost.shape) < 0.3] = np.inf
        cost[np.arange(steps), rng.integers(0, count, steps)] = 1.0
    switch = np.full(steps, draw(st.sampled_from([0.0, 0.3, 1.0, 4.0, 100.0])))
    if draw(st.booleans()):
        switch = rng.uniform(0, 3, steps)
    return Choices(cost, switch, draw(st.integers(-1, count - 1)))


@given(problems())
@settings(max_examples=120, deadline=None)
def test_optimal_is_the_least_of_all_choices(choices):
    best = POLICIES["optimal"].decide(choices)
    assert best.time == pytest.approx(all_choices(choices), rel=1e-12, abs=1e-15)
    assert best.time == pytest.approx(time_of(choices, best.choice), rel=1e-12, abs=1e-15)
    assert best.switched.tolist() == (np.diff(best.choice, prepend=choices.initial) != 0).tolist()
    for name in HOLDING:
        try:
            other = POLICIES[name].decide(choices)
        except CollectiveError:
            assert name == "never"
            assert np.isinf(choices.cost).any(axis=0).any()
            continue
        assert other.time == pytest.approx(time_of(choices, other.choice), rel=1e-12, abs=1e-15)
        assert best.time <= other.time * (1 + 1e-12) + 1e-15


def test_greedy_is_short_sighted_and_optimal_is_not():
    choices = Choices(np.array([[3.0, 1.0]] * 6), np.full(6, 5.0), 0)
    assert POLICIES["greedy"].decide(choices).time == 18.0
    assert POLICIES["optimal"].decide(choices).time == 11.0


def test_optimal_holds_where_changing_gains_nothing():
    choices = Choices(np.full((5, 3), 1.0), np.zeros(5), 2)  # changing is free, but for nothing
    best = POLICIES["optimal"].decide(choices)
    assert best.choice.tolist() == [2] * 5
    assert not best.switched.any()


def test_repeating_a_step_is_planned_like_the_step_written_out():
    rng = np.random.default_rng(3)
    for _ in range(30):
        cost, repeat = rng.uniform(0, 3, (4, 3)), rng.integers(1, 4, 4)
        short = Choices(cost * repeat[:, np.newaxis], np.full(4, 1.5), 0)
        long = Choices(np.repeat(cost, repeat, axis=0), np.full(int(repeat.sum()), 1.5), 0)
        times = [POLICIES["optimal"].decide(one).time for one in (short, long)]
        assert times[0] == pytest.approx(times[1], rel=1e-12)


def test_thousands_of_steps_and_candidates_match_a_plain_program():
    rng = np.random.default_rng(9)
    cost, change = rng.random((4096, 300)), 0.4
    cost[rng.random(cost.shape) < 0.5] = np.inf
    time = np.where(np.arange(300) == 7, 0.0, np.inf)
    for row in cost:
        time = np.minimum(time, time.min() + change) + row
    best = POLICIES["optimal"].decide(Choices(cost, np.full(4096, change), 7))
    assert best.time == pytest.approx(time.min(), rel=1e-12)


def turns(fixed, work, change, planes, ready):
    """All ways to cut phases into segments, each with its own number of groups: the least time."""

    def segment(begin, end, groups):
        sizes = [planes // groups + (j < planes % groups) for j in range(groups)]
        free = [0.0] * groups
        now = 0.0
        for i in range(begin, end):
            j = (i - begin) % groups
            wait = 0.0 if ready and i == 0 else change[i]
            now = max(now, free[j] + wait) + fixed[i] + work[i] * planes / sizes[j]
            free[j] = now
        return now

    count = len(fixed)
    best = math.inf
    for cuts in itertools.product([False, True], repeat=count - 1):
        ends = [i + 1 for i, cut in enumerate(cuts) if cut] + [count]
        begins = [0, *ends[:-1]]
        each = [
            min(segment(a, b, g) for g in range(1, planes + 1)) for a, b in zip(begins, ends, strict=True)
        ]
        best = min(best, sum(each))
    return best


def overlapping(fixed, work, change, planes, initial=-1, degree=1):
    """Choices where every step has a matched candidate of its own and nothing else."""
    count = len(fixed)
    cost = np.where(np.eye(count, dtype=bool), fixed + work, np.inf)
    own = np.arange(count)
    return Choices(cost, change, initial, own, np.full(count, degree), planes, fixed, work)


@given(st.integers(0, 2**32), st.integers(1, 7), st.integers(1, 5), st.booleans(), st.floats(0, 8))
@settings(max_examples=60, deadline=None)
def test_overlap_is_the_least_of_all_cuts_and_groups(seed, count, planes, ready, change):
    rng = np.random.default_rng(seed)
    fixed, work, switch = rng.uniform(0, 0.5, count), rng.uniform(0, 2, count), np.full(count, change)
    choices = overlapping(fixed, work, switch, planes, 0 if ready else -1)
    found = POLICIES["overlap"].decide(choices)
    assert found.time == pytest.approx(turns(fixed, work, switch, planes, ready), rel=1e-12)
    assert found.time <= POLICIES["always"].decide(choices).time * (1 + 1e-12)
    floor = (fixed + work).sum() + (0.0 if ready else change)
    assert floor * (1 - 1e-12) <= found.time <= floor + (count - 1) * change + 1e-9
    assert found.groups.min() >= 1
    assert found.groups.max() <= planes


def test_overlap_hides_changes_behind_other_planes():
    slow = np.full(10, 6.0)
    choices = overlapping(np.full(10, 1.0), np.full(10, 1.0), slow, planes=4)
    found = POLICIES["overlap"].decide(choices)
    assert POLICIES["always"].decide(choices).time == 10 * (2 + 6)
    assert found.time < 60
    assert found.groups.max() > 1


def test_overlap_keeps_all_planes_on_steps_that_need_several():
    choices = overlapping(np.zeros(6), np.full(6, 1.0), np.full(6, 9.0), planes=4, degree=2)
    found = POLICIES["overlap"].decide(choices)
    assert found.groups.tolist() == [1] * 6
    assert found.time == 60.0


def test_overlap_refuses_steps_without_circuits_for_all():
    choices = Choices(np.ones((2, 2)), np.ones(2), 0, np.array([1, -1]), np.ones(2, int), 2, *np.ones((2, 2)))
    with pytest.raises(CollectiveError, match="step 1 a rank has more partners than its 2 ports"):
        POLICIES["overlap"].decide(choices)


def test_an_unknown_policy_names_the_nearest():
    with pytest.raises(UnknownNameError, match='did you mean "greedy"'):
        POLICIES["greed"]


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_no_steps_take_no_time(name):
    none = np.zeros(0, dtype=np.int64)
    choices = Choices(np.zeros((0, 0)), np.zeros(0), -1, none, none)
    assert POLICIES[name].decide(choices).time == 0.0
