"""Spares and availability in closed form: the table of the notes, and sums by hand."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topo_sim.base import UsageError
from topo_sim.gpus.reliability import (
    YEAR,
    availability,
    expected_groups_lost,
    fleet_availability,
    series_availability,
    shortage,
    spares_needed,
    unavailability,
)

HOUR = 3600.0


@pytest.mark.parametrize(
    ("count", "afr", "share", "spares", "idle"),
    [
        (64, 0.09, 1.0, (1, 2), (1, 2)),
        (256, 0.09, 0.25, (2, 4), (0.5, 1)),
        (256, 0.0225, 0.25, (1, 2), (0.25, 0.5)),
    ],
)
def test_spares_table(count, afr, share, spares, idle):
    for repair, expected, equivalents in zip((24, 168), spares, idle, strict=True):
        u = unavailability(afr / YEAR, repair * HOUR)
        assert u == pytest.approx(afr * repair / 8760, rel=1e-12)
        found = spares_needed(count, u, 1e-3)
        assert found == expected
        assert found * share == equivalents


def pmf(n, u, k):
    return math.comb(n, k) * u**k * (1 - u) ** (n - k)


@given(st.integers(1, 40), st.integers(0, 45), st.integers(0, 100))
def test_shortage_by_exact_sums(n, k, percent):
    u = Fraction(percent, 100)
    exact = sum(pmf(n, u, j) for j in range(k + 1, n + 1))
    assert float(shortage(n, k, percent / 100)) == pytest.approx(float(exact), rel=1e-9, abs=1e-15)
    assert fleet_availability(n, k, percent / 100) == pytest.approx(
        float(sum(pmf(n + k, u, j) for j in range(k + 1))), rel=1e-9, abs=1e-15
    )


@given(st.integers(1, 60), st.floats(0, 1), st.floats(0, 1))
def test_fewest_spares_by_trying_all(n, u, risk):
    tried = next(k for k in range(n + 1) if k == n or float(shortage(n, k, u)) <= risk)
    assert spares_needed(n, u, risk) == (n if u > 0 and risk == 0 else tried)


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 4), st.floats(0, 1))
def test_groups_lost_by_enumeration(group, groups, spares, u):
    n = group * groups
    by_hand = sum(
        pmf(n + spares, u, down) * math.ceil(max(down - spares, 0) / group) for down in range(n + spares + 1)
    )
    assert expected_groups_lost(n, group, spares, u) == pytest.approx(by_hand, rel=1e-9, abs=1e-12)


def test_ends():
    assert spares_needed(100, 0.0) == 0
    assert spares_needed(100, 1.0) == 100
    assert spares_needed(100, 0.5, 0.0) == 100
    assert spares_needed(100, 0.5, 1.0) == 0
    assert availability(0.0, 1.0) == 1.0
    assert series_availability(3, 1.0) == 0.0
    assert np.array_equal(shortage(4, [4, 9], 1.0), [0.0, 0.0])
    assert spares_needed(1_000_000, 2e-5) == 35  # as Poisson of mean 20


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: unavailability(-1.0, 1.0), "failure rate: found -1.0"),
        (lambda: unavailability(1.0, math.nan), "repair time: found nan"),
        (lambda: unavailability(2.0, 1.0), "expected at most 1"),
        (lambda: spares_needed(0, 0.1), "devices: found 0"),
        (lambda: spares_needed(4, 1.5), "unavailability: found 1.5"),
        (lambda: spares_needed(4, 0.1, -0.1), "risk: found -0.1"),
        (lambda: spares_needed(4, math.nan), "unavailability: found nan"),
        (lambda: shortage(4, -1, 0.1), "spares: found -1"),
        (lambda: shortage(4, 0.5, 0.1), "spares: found 0.5"),
        (lambda: expected_groups_lost(9, 4, 0, 0.1), "group: found 4 for 9"),
        (lambda: series_availability(True, 0.1), "group: found True"),
        (lambda: fleet_availability(4, 1.5, 0.1), "spares: found 1.5"),
    ],
)
def test_bad_numbers(call, message):
    with pytest.raises(UsageError, match=message) as error:
        call()
    assert "\n" not in str(error.value)
