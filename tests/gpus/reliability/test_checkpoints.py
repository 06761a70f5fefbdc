"""Checkpoints: formulas against each other, and against a search."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topo_sim.base import UsageError
from topo_sim.gpus.reliability import best_interval, checkpoint_efficiency, daly_interval, young_interval

times = st.floats(1e-2, 1e6)


@given(times, times, st.floats(0, 1e3))
def test_no_interval_is_better_than_the_best(write, between, restart):
    best = best_interval(write, between)
    top = checkpoint_efficiency(best, write, restart, between)
    for factor in np.geomspace(0.05, 20, 41):
        assert checkpoint_efficiency(best * factor, write, restart, between) <= top * (1 + 1e-9)


@given(st.floats(1, 1e4), st.floats(1e-9, 1e-3))
def test_young_and_daly_agree_where_writing_is_short(between, ratio):
    write = between * ratio
    best = best_interval(write, between)
    assert daly_interval(write, between) == pytest.approx(best, rel=2e-4)
    assert young_interval(write, between) == pytest.approx(best, rel=2 * math.sqrt(ratio) + 1e-6)
    reached = checkpoint_efficiency(daly_interval(write, between), write, 0.0, between)
    assert reached == pytest.approx(checkpoint_efficiency(best, write, 0.0, between), rel=1e-7)


def test_daly_by_hand():
    # write 2 min, 100 min between: sqrt(400) (1 + 0.1/3 + 0.01/9) - 2 minutes.
    assert daly_interval(120.0, 6000.0) == pytest.approx(60 * (20 * (1 + 0.1 / 3 + 0.01 / 9) - 2))
    assert daly_interval(50.0, 10.0) == 10.0


def test_efficiency_by_sampling():
    random = np.random.default_rng(0)
    interval, write, restart, mean = 30.0, 3.0, 5.0, 100.0
    life = random.exponential(mean, 400_000)
    kept = np.floor(life / (interval + write)) * interval
    # A restart is begun anew by an interruption that falls into it.
    restarts = (math.exp(restart / mean) - 1) * mean
    expected = kept.mean() / (mean + restarts)
    assert checkpoint_efficiency(interval, write, restart, mean) == pytest.approx(expected, rel=5e-3)


def test_ends():
    assert checkpoint_efficiency(9.0, 1.0, 5.0, math.inf) == 0.9
    assert checkpoint_efficiency(1e9, 1.0, 5.0, 1.0) == 0.0
    assert best_interval(0.0, 100.0) == 0.0


@pytest.mark.parametrize(
    "call",
    [
        lambda: young_interval(-1.0, 1.0),
        lambda: young_interval(1.0, 0.0),
        lambda: daly_interval(1.0, math.nan),
        lambda: best_interval(math.inf, 1.0),
        lambda: checkpoint_efficiency(0.0, 1.0, 1.0, 1.0),
        lambda: checkpoint_efficiency(1.0, 1.0, -1.0, 1.0),
    ],
)
def test_bad_numbers(call):
    with pytest.raises(UsageError, match="expected a number"):
        call()
