"""Partial load: packing by hand, a slow twin that tries everything, order of policies, waking, curves."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import naive_power

from topo_sim.base import FaultsError, UnknownNameError, UsageError
from topo_sim.gpus import load_gpus
from topo_sim.gpus.power import (
    POWER_POLICIES,
    Block,
    LoadCurve,
    Parts,
    Setting,
    at_level,
    cluster_power,
    fewest,
    find_curve,
    live_a_day,
    load_power,
    power_inputs,
    power_parts,
    read_curve,
)

GPUS, BOOK = load_gpus(), load_power()
FLAT = {"least_voltage": 1.0, "knee": 0.0, "leakage": 0.0, "least_clock": 0.1, "wake_time": 0.0,
        "between_bursts": 1.0,
        "compute in use": 1.0, "memory in use": 1.0, "network in use": 1.0}  # fmt: skip
BIG, SMALL = Parts(200, 0, 480, 0, 0, 0, 0, 80, 0), Parts(50, 0, 120, 0, 0, 0, 0, 20, 0)  # an ideal quarter


def power_of(block, parts, load, policy, v):
    choice = POWER_POLICIES[policy](block, parts, np.asarray(load, dtype=float), v)
    return cluster_power(block, parts, load, choice, v), choice


def real(name, level="typical", activity="full"):
    setting = Setting.of([GPUS[name]], BOOK, activity=activity)
    values = at_level(power_inputs([GPUS[name]], setting), level)
    return power_parts(GPUS[name], setting, values), values


@pytest.mark.parametrize(
    ("load", "on"),
    [(0.0, 1), (1e-12, 1), (0.25, 1), (0.2500001, 2), (0.5, 2), (0.75, 3), (0.7500001, 4), (1, 4)],
)
def test_four_quarters_carry_a_load_with(load, on):
    assert int(fewest(Block(4, 0.25), load)) == on


def test_thirds_of_a_load_are_not_rounded_up():
    """0.1 x 3 is more than 0.3 in floats: no GPU may be on for that."""
    assert int(fewest(Block(10, 0.1), 0.1 + 0.2)) == 3
    assert [int(fewest(Block(n, 1 / n), k / n)) for n in (3, 7, 49) for k in range(1, n)] == [
        k for n in (3, 7, 49) for k in range(1, n)
    ]


def test_units_headroom_and_what_must_stay():
    assert int(fewest(Block(8, 0.125, unit=4), 0.51)) == 2
    assert int(fewest(Block(8, 0.125, least=5), 0.1)) == 5
    assert int(fewest(Block(8, 0.125, unit=2, least=5), 0.1)) == 3
    assert int(fewest(Block(10, 0.1, headroom=0.2), 0.5)) == 6
    assert int(fewest(Block(10, 0.1, headroom=0.2), 1.0)) == 10  # no more than there are


def test_small_gpus_gain_only_where_the_load_fits_in_three_of_four():
    """Ideal quarters, 200 W static in all: each one that is off saves 50 W, and none does above 3/4."""
    for load, saved in ((0.1, 150), (0.25, 150), (0.4, 100), (0.75, 50), (0.76, 0), (1.0, 0)):
        big, _ = power_of(Block(1, 1.0), BIG, load, "gate", FLAT)
        small, _ = power_of(Block(4, 0.25), SMALL, load, "gate", FLAT)
        assert big == pytest.approx(200 + 480 * load)
        assert big - small == pytest.approx(saved)


def test_idling_saves_what_is_between_static_and_idle():
    small, _ = power_of(Block(4, 0.25), SMALL, 0.5, "idle", FLAT)
    assert small == pytest.approx(2 * 50 + 2 * 20 + 480 * 0.5)


def test_four_small_gpus_as_one_unit_are_one_big_one():
    """Drained together, they can no longer be told from an H100."""
    for load in (0.0, 0.3, 0.8):
        for policy in POWER_POLICIES:
            big, _ = power_of(Block(2, 0.5), BIG, load, policy, FLAT)
            small, _ = power_of(Block(8, 0.125, unit=4), SMALL, load, policy, FLAT)
            assert big == pytest.approx(small), (load, policy)


@pytest.mark.parametrize("policy", list(POWER_POLICIES))
@pytest.mark.parametrize("level", ["low", "typical", "high"])
@pytest.mark.parametrize(
    ("count", "unit", "least"), [(1, 1, 1), (4, 1, 1), (10, 3, 1), (16, 4, 7), (37, 1, 2)]
)
def test_power_as_the_slow_twin_that_tries_everything(policy, level, count, unit, least):
    parts, v = real("lite", level, "decode" if count == 16 else "full")
    block = Block(count, 1 / count, unit, least)
    for load in (0.0, 0.01, 0.26, 0.5, 0.83, 1.0):
        power, choice = power_of(block, parts, load, policy, v)
        slow, on = naive_power.cluster(count, unit, 1 / count, least, parts, load, policy, v)
        assert power == pytest.approx(slow, rel=1e-12), load
        if policy in ("idle", "gate"):
            assert min(int(choice.on) * unit, count) == on


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_switched_off_and_slowed_down_draws_the_least_of_all_choices(data):
    """Resting GPUs make power no longer convex in the number that are on."""
    watts = [data.draw(st.integers(0, most)) for most in (300, 50, 300, 100, 100, 20, 20)]
    parts = Parts(*watts, idle=data.draw(st.integers(0, 250)), gated=data.draw(st.integers(0, 30)))
    v = {name: data.draw(st.floats(0.01, 0.99)) for name in FLAT}
    count, load = data.draw(st.integers(1, 40)), data.draw(st.floats(0, 1))
    unit, least = data.draw(st.integers(1, count)), data.draw(st.integers(1, count))
    found, _ = power_of(Block(count, 1 / count, unit, least), parts, load, "gate_dvfs", v)
    slow, _ = naive_power.cluster(count, unit, 1 / count, least, parts, load, "gate_dvfs", v)
    assert found == pytest.approx(slow, rel=1e-9)


@pytest.mark.parametrize("policy", list(POWER_POLICIES))
def test_a_day_without_load_is_spent_idle(policy):
    parts, v = real("h100")
    day = live_a_day(Block(1, 1.0), parts, LoadCurve.of("none", [0], [0.0]), policy, v)
    assert day.energy == pytest.approx(parts.idle * 86400)


def test_better_policies_never_draw_more():
    parts, v = real("h100")
    loads = np.linspace(0, 1, 41)
    block = Block(12, 1 / 12)
    found = {policy: power_of(block, parts, loads, policy, v)[0] for policy in POWER_POLICIES}
    for better, worse in (("idle", "all_on"), ("gate", "idle"), ("dvfs", "all_on"),
                          ("gate_dvfs", "gate"), ("gate_dvfs", "dvfs")):  # fmt: skip
        assert np.all(found[better] <= found[worse] * (1 + 1e-12)), (better, worse)


@pytest.mark.parametrize("policy", list(POWER_POLICIES))
def test_a_day_as_the_slow_twin(policy):
    parts, v = real("lite", "high")
    curve = BOOK.curve("day")
    day = live_a_day(Block(8, 0.125), parts, find_curve("day", BOOK), policy, v)
    how = {"count": 8, "unit": 1, "work": 0.125, "least": 1, "parts": parts, "policy": policy, "v": v}
    assert day.energy == pytest.approx(naive_power.day(curve.hours, curve.loads, **how), rel=1e-12)


def test_a_day_by_hand():
    """Six hours at 1 and eighteen at 0.2 of four ideal quarters: (680 x 6 + (50 + 96) x 18) Wh."""
    curve = LoadCurve.of("two", [0, 6], [1.0, 0.2])
    day = live_a_day(Block(4, 0.25), SMALL, curve, "gate", FLAT)
    assert day.energy / 3600 == pytest.approx(680 * 6 + 146 * 18)
    assert (day.on.tolist(), day.woken) == ([4, 1], 3)
    slow = live_a_day(Block(4, 0.25), SMALL, curve, "gate", FLAT | {"wake_time": 600.0})
    assert slow.energy - day.energy == pytest.approx(3 * 50 * 600)
    assert live_a_day(Block(4, 0.25), SMALL, curve, "idle", FLAT | {"wake_time": 600.0}).waking == 0


def test_a_day_over_draws_is_that_of_each_draw():
    values = {name: np.array([value, value]) for name, value in FLAT.items()}
    values["leakage"] = np.array([0.0, 0.5])
    values["least_voltage"] = np.array([0.6, 0.8])
    curve = find_curve("day", BOOK)
    for policy in POWER_POLICIES:
        both = live_a_day(Block(4, 0.25), SMALL, curve, policy, values)
        for i in range(2):
            one = {name: float(value[i]) for name, value in values.items()}
            assert both.energy[i] == pytest.approx(
                live_a_day(Block(4, 0.25), SMALL, curve, policy, one).energy
            )


def test_waking_longer_than_a_step_is_refused():
    curve = LoadCurve.of("quick", [0, 0.01], [0.2, 1.0])
    with pytest.raises(UsageError, match="need up to 300 s to wake up, expected longer steps, or a shorter"):
        live_a_day(Block(4, 0.25), SMALL, curve, "gate", FLAT | {"wake_time": 300.0})
    live_a_day(Block(4, 0.25), SMALL, curve, "dvfs", FLAT | {"wake_time": 300.0})
    even = LoadCurve.of(
        "even", [k / 12 for k in range(288)], [0.2, 1.0] * 144
    )  # steps of 300 s but for rounding
    live_a_day(Block(4, 0.25), SMALL, even, "gate", FLAT | {"wake_time": 300.0})


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"count": 0, "work": 1.0}, "GPUs: found 0"),
        ({"count": -3, "work": 1.0}, "GPUs: found -3"),
        ({"count": 2.5, "work": 1.0}, "GPUs: found 2.5"),
        ({"count": True, "work": 1.0}, "GPUs: found True"),
        ({"count": 4, "work": 0.0}, "work: found"),
        ({"count": 4, "work": math.nan}, "work: found"),
        ({"count": 4, "work": 1.0, "unit": 5}, "unit: found 5"),
        ({"count": 4, "work": 1.0, "unit": 0}, "unit: found 0"),
        ({"count": 4, "work": 1.0, "least": 5}, "stay on: found 5"),
        ({"count": 4, "work": 1.0, "headroom": -0.1}, "headroom"),
        ({"count": 4, "work": 1.0, "headroom": math.inf}, "headroom"),
    ],
)
def test_what_is_no_block(how, message):
    with pytest.raises(UsageError, match=message):
        Block(**how)


@pytest.mark.parametrize("policy", list(POWER_POLICIES))
@pytest.mark.parametrize("load", [-0.01, 1.01, math.nan])
def test_a_load_beyond_all_of_them_is_refused_by_every_policy(policy, load):
    with pytest.raises(UsageError, match="load: found"):
        POWER_POLICIES[policy](Block(4, 0.25), SMALL, np.asarray(load), FLAT)


def test_unknown_policies_and_curves_name_the_nearest():
    with pytest.raises(UnknownNameError, match='unknown power policy "gates": did you mean "gate"'):
        live_a_day(Block(4, 0.25), SMALL, find_curve("flat", BOOK), "gates", FLAT)
    with pytest.raises(UnknownNameError, match='unknown curve "days": did you mean "day"'):
        find_curve("days", BOOK)


def test_the_shipped_day_is_what_its_source_says():
    curve = BOOK.curve("day")
    for hour, load in zip(curve.hours, curve.loads, strict=True):
        near = min(abs(hour - 20), 24 - abs(hour - 20))
        wave = 0.45 - 0.22 * math.cos(2 * math.pi * (hour - 4) / 24)
        assert load == pytest.approx(wave + 0.25 * math.exp(-((near / 1.5) ** 2) / 2), abs=0.0051)


def test_a_curve_of_the_user(tmp_path):
    file = tmp_path / "mine.csv"
    file.write_text("\ufeffHour, Load\n0,0.25\n\n12.5,1\n")
    curve = read_curve(file)
    assert (curve.hours.tolist(), curve.loads.tolist(), curve.lengths.tolist()) == (
        [0, 12.5],
        [0.25, 1],
        [12.5, 11.5],
    )
    assert find_curve(str(file), BOOK).mean == pytest.approx((0.25 * 12.5 + 11.5) / 24)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'expected "hour,load"'),
        ("hour,load\n", "expected as many, at least one"),
        ("0,0.5\n", 'expected "hour,load"'),
        ("hour,load\n0,0.5\n2,nan\n", "load at hour 2: found nan"),
        ("hour,load\n0,1.01\n", "expected 0 to 1"),
        ("hour,load\n0,-0.1\n", "expected 0 to 1"),
        ("hour,load\n0,0.5\n5,0.5\n3,0.5\n", "hour 3 after 5"),
        ("hour,load\n0,0.5\n0,0.6\n", "hour 0 after 0"),
        ("hour,load\n0,0.5\n24,0.6\n", "stay below 24"),
        ("hour,load\nnan,0.5\n", "first hour"),
        ("hour,load\n3,0.5\n", "found 3 as its first hour"),
        ("hour,load\n0,half\n", 'line 2: found "0,half"'),
        ("hour,load\n0\n", 'line 2: found "0"'),
        ("hour,load\n0,0.5,7\n", "expected two numbers"),
        ("hour,load\n" + "\n".join(f"{h / 100},0.5" for h in range(1500)), "1500 steps"),
    ],
)
def test_what_is_no_curve(tmp_path, text, message):
    file = tmp_path / "bad.csv"
    file.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_curve(file)


def test_a_curve_that_cannot_be_read(tmp_path):
    with pytest.raises(FaultsError, match="cannot be read"):
        read_curve(tmp_path / "none.csv")
    (tmp_path / "raw.csv").write_bytes(b"hour,load\n\xff\xfe")
    with pytest.raises(FaultsError, match="expected UTF-8"):
        read_curve(tmp_path / "raw.csv")
