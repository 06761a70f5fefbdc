"""Cooling: densities, sinks, the clock that air permits, racks."""

import math

import pytest

from topo_sim.base import UsageError
from topo_sim.gpus import load_gpus
from topo_sim.gpus.power import (
    Setting,
    at_level,
    cooled,
    draw_of,
    junction,
    load_power,
    most_power,
    power_inputs,
    power_parts,
    racks_for,
)

GPUS, BOOK = load_gpus(), load_power()
AIR, LIQUID = BOOK.cooler("air"), BOOK.cooler("liquid")
H100, LITE = 814e-6, 203.5e-6


def how(name, cooling=AIR, sink=1.0, count=1024):
    setting = Setting.of([GPUS[name]], BOOK)
    values = at_level(power_inputs([GPUS[name]], setting), "typical")
    parts = power_parts(GPUS[name], setting, values)
    return cooled(GPUS[name], parts, values, cooling, BOOK.overhead(), count, sink), parts, values


def test_density_is_the_same_for_big_and_small():
    for name in ("h100", "lite"):
        assert how(name)[0].density * 1e-6 == pytest.approx(0.86, abs=0.001)


def test_power_to_the_limit_by_hand():
    """(87 - 30) K over 0.05 K/W of sink and 20 / 814 K/W of die."""
    assert most_power(AIR, H100) == pytest.approx(57 / (0.05 + 20 / 814))
    assert most_power(AIR, LITE, 0.25) == pytest.approx(57 / (0.2 + 20 / 203.5))
    assert 4 * most_power(AIR, LITE, 0.25) == pytest.approx(
        most_power(AIR, H100)
    )  # the same sink per compute


def test_four_full_sinks_carry_twice_what_one_does():
    """Four times the sink per compute does not take four times the heat: the die is in the way."""
    assert 2.0 < 4 * most_power(AIR, LITE) / most_power(AIR, H100) < 2.05


def test_temperature_and_limit_are_each_others_inverse():
    for area, sink in ((H100, 1.0), (LITE, 0.3), (LITE, 2.0)):
        for cooling in (AIR, LIQUID):
            assert junction(cooling, most_power(cooling, area, sink), area, sink) == pytest.approx(
                cooling.most_c.typical
            )
    assert junction(AIR, 0.0, H100) == AIR.inlet_c.typical


def test_levels_are_in_order():
    for area in (H100, LITE):
        assert most_power(AIR, area, 1, "low") < most_power(AIR, area) < most_power(AIR, area, 1, "high")


def test_the_clock_that_cooling_permits_draws_what_it_takes():
    for name, sink in (("h100", 1.0), ("lite", 0.25), ("lite+membw+netbw", 0.25)):
        found, parts, values = how(name, sink=sink)
        assert found.clock_bound == "junction"
        assert draw_of(parts, found.clock, found.clock, values) == pytest.approx(found.allowed.typical)
    assert how("lite+membw+netbw", sink=0.25)[0].clock < 1  # its memory heats what was a quarter's sink


def test_a_full_sink_gives_a_lite_gpu_all_the_clock_there_is():
    found, _, values = how("lite")
    assert (found.clock, found.clock_bound) == (values["most_clock"], "clock")


def test_what_no_clock_can_cool_has_none():
    found, _, _ = how("b200", sink=0.05)
    assert found.clock is None
    assert found.junction > 200


def test_large_packages_are_bound_by_what_is_sold():
    found = how("b200", sink=50.0)[0]
    assert found.allowed.typical == AIR.most_per_package.typical
    assert found.clock_bound == "package"


@pytest.mark.parametrize(
    ("count", "watts", "limit", "racks", "per_rack"),
    [(64, 1274.0, 30e3, 3, 23), (1, 30e3, 30e3, 1, 1), (24, 1e4, 30e3, 8, 3), (25, 1e4, 30e3, 9, 3)],
)
def test_racks_by_hand(count, watts, limit, racks, per_rack):
    assert racks_for(count, watts, limit) == (racks, per_rack)


def test_a_dgx_fits_as_its_nameplate_says():
    """8 H100s and what is beside them draw 10.2 kW: two in an air-cooled rack of 30 kW are 16 of 23."""
    found = how("h100")[0]
    assert 8 * (found.package + 0.82 * 700) == pytest.approx(10.2e3, rel=0.002)
    assert found.per_rack[1] == 23


@pytest.mark.parametrize("bad", [0, -1, 2.5, math.nan, True])
def test_no_gpus_need_no_racks(bad):
    with pytest.raises(UsageError, match="GPUs: found"):
        racks_for(bad, 100.0, 1e3)


def test_what_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="rack: found 1000 W for GPUs of 1001 W"):
        racks_for(1, 1001.0, 1000.0)
    with pytest.raises(UsageError, match="rack"):
        racks_for(1, math.nan, 1000.0)
    for area, sink in ((0.0, 1.0), (-1.0, 1.0), (math.nan, 1.0), (H100, 0.0), (H100, math.inf)):
        with pytest.raises(UsageError, match="expected a number above 0"):
            most_power(AIR, area, sink)
    gpu = GPUS["h100"].model_copy(update={"die_area": None})
    _, parts, values = how("h100")
    with pytest.raises(UsageError, match="found no die_area"):
        cooled(gpu, parts, values, AIR, BOOK.overhead(), 1)
