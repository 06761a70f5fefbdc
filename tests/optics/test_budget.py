"""Loss budgets: the published vector, kinds of power, what breaks, how many passes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topo_sim.base import UsageError
from topo_sim.base.files import LEVELS, Faults, Range, extend
from topo_sim.optics import CircuitSwitch, Medium, average_to_oma, link_budget, load_optics, most_passes

OPTICS = load_optics()
PLAIN = {"margin": "2 dB", "penalty": "0 dB", "sensitivity": "-4.2 dBm"}


def change(record, **terms):
    faults = Faults("test")
    changed = extend({record.name: record}, {record.name: terms}, type(record), (), faults)[record.name]
    faults.stop()
    return changed


def direct(laser="10 dBm"):
    return change(OPTICS.medium("cpo"), laser=laser, **PLAIN)


def switch(circulators=0):
    return change(
        OPTICS.circuit_switch("generic"), loss="2 dB", circulators=circulators, circulator_loss="0.8 dB"
    )


@pytest.mark.parametrize(
    ("laser", "passes", "circulators", "received", "slack"),
    [
        ("10 dBm", 0, 0, -0.707, 1.493),
        ("10 dBm", 1, 0, -3.407, -1.207),
        ("12 dBm", 1, 0, -1.407, 0.793),
        ("13 dBm", 1, 2, -2.007, 0.193),
    ],
)
def test_the_four_rows_of_the_vector(laser, passes, circulators, received, slack):
    """Laser +10 dBm; 3 x 1.5 + 4.5 + 1.0 + 2 x 0.35 + 20 m of 0.35 dB/km = 10.707 dB; -4.2 dBm OMA; 2 dB."""
    budget = link_budget(direct(laser), length=20.0, switch=switch(circulators), passes=passes)
    assert round(budget.received().typical, 3) == received
    assert round(budget.slack().typical, 3) == slack
    assert budget.closes() == (slack > 0)


def test_what_breaks_and_what_mends():
    budget = link_budget(direct(), length=20.0, switch=switch())
    assert budget.broken_by() == "circuit switch"
    assert budget.short_by() == pytest.approx(1.207)
    assert budget.laser_needed() == pytest.approx(11.207)
    assert budget.laser_factor() == pytest.approx(10**0.1207)
    mended = link_budget(direct(f"{budget.laser_needed()} dBm"), length=20.0, switch=switch())
    assert mended.closes()
    assert mended.slack().typical == pytest.approx(0.0, abs=1e-9)
    assert mended.broken_by() is None
    assert mended.short_by() == 0.0


def test_two_decibels_of_laser():
    closed = link_budget(direct("11.207 dBm"), length=20.0, switch=switch())
    more = link_budget(direct("11.207 dBm"), length=20.0, switch=change(switch(), loss="4 dB"))
    assert more.laser_factor() / closed.laser_factor() == pytest.approx(1.58, abs=0.005)


def test_a_laser_too_weak_for_itself():
    assert link_budget(direct("-3 dBm")).broken_by() == "laser"


@pytest.mark.parametrize("ratio", [0.5, 3.0, 8.9, 20.0])
def test_oma_is_ones_less_zeros(ratio):
    linear = 10 ** (ratio / 10)
    zero = 1.0
    one = linear * zero
    average = (one + zero) / 2
    assert average_to_oma(ratio) == pytest.approx(10 * math.log10((one - zero) / average))


def test_sensitivity_as_average_power_is_turned_into_oma():
    oma = direct()
    average = change(oma, sensitivity_kind="average", extinction_ratio="5 dB")
    moved = link_budget(oma).slack().typical - link_budget(average).slack().typical
    assert moved == pytest.approx(average_to_oma(5.0))
    with pytest.raises(UsageError, match="extinction_ratio"):
        link_budget(change(average, extinction_ratio=None))


def test_levels_are_those_of_the_light():
    for medium in OPTICS.media.values():
        if not medium.has_budget:
            continue
        budget = link_budget(medium, length=30.0, switch=OPTICS.circuit_switch("piezo"))
        slack = budget.slack()
        assert slack.low <= slack.typical <= slack.high
        worst = medium.laser.low - sum(term.loss.high for term in budget.terms)
        assert slack.low == pytest.approx(worst - medium.sensitivity.high - medium.margin.high)


losses = st.floats(0.01, 6.0)


@given(laser=st.floats(-5, 25), loss=losses, connector=st.floats(0.0, 1.0), circulators=st.integers(0, 4))
def test_passes_against_counting_one_by_one(laser, loss, connector, circulators):
    medium = change(direct(f"{laser} dBm"), connector_loss=connector)
    through = change(switch(circulators), loss=loss)
    expected = None
    for n in range(0, 1001):
        if not link_budget(medium, switch=through, passes=n).closes():
            break
        expected = n
    assert most_passes(medium, through) == expected


def test_passes_that_cost_nothing():
    free = change(switch(), loss=0, connectors=0)
    assert most_passes(direct(), free) == 1000
    assert most_passes(direct("-20 dBm"), free) is None


def test_every_loss_counts_against_the_light():
    budget = link_budget(direct(), length=20.0, switch=switch(2))
    for level in LEVELS:
        powers = [power for _, power in budget.waterfall(level)]
        assert powers == sorted(powers, reverse=True)
    assert math.fsum(term.loss.typical for term in budget.terms) == pytest.approx(10.707 + 4.3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: link_budget(OPTICS.medium("copper")), "carries no light"),
        (lambda: link_budget(OPTICS.medium("microled")), "laser and sensitivity"),
        (lambda: link_budget(direct(), length=-1.0), "expected 0 to"),
        (lambda: link_budget(direct(), length=math.nan), "expected 0 to"),
        (lambda: link_budget(direct(), length=math.inf), "expected 0 to"),
        (lambda: link_budget(direct(), passes=1), "no circuit switch"),
        (lambda: link_budget(direct(), switch=switch(), passes=-1), "from 0 to 1000"),
        (lambda: link_budget(direct(), switch=switch(), passes=1.5), "from 0 to 1000"),
        (lambda: link_budget(direct(), switch=switch(), passes=True), "from 0 to 1000"),
        (lambda: link_budget(direct(), switch=OPTICS.circuit_switch("rotor")), "rotor: loss"),
        (lambda: link_budget(change(direct(), coupler_loss=None)), "coupler_loss"),
        (lambda: average_to_oma(0.0), "more than 0"),
        (lambda: average_to_oma(math.nan), "more than 0"),
    ],
)
def test_what_is_no_budget(call, message):
    with pytest.raises(UsageError, match=message):
        call()


def test_without_waveguide_or_couplers_the_terms_are_nought():
    bare = Medium(
        name="bare",
        signal="optical",
        energy_per_bit=0,
        static_share=0,
        serdes_energy=0,
        reach=10,
        serdes_latency=0,
        fec_latency=0,
        delay=5e-9,
        laser=0,
        modulator_loss=3,
        fibre_loss=0,
        sensitivity=-5,
    )
    assert link_budget(bare, length=0).slack() == Range(2.0, 2.0, 2.0)
    assert CircuitSwitch(name="x", loss=1).reconfiguration() is None


def test_losses_beyond_all_measure_stay_numbers():
    budget = link_budget(direct(), length=1e9, switch=change(switch(), loss=1000), passes=1000)
    assert budget.short_by() > 1e6
    assert budget.laser_factor() == math.inf
    assert most_passes(direct(), change(switch(), loss=1000)) == 0
