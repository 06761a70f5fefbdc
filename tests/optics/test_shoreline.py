"""Shorelines: perimeters, quartering, bounds."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topo_sim.base import UsageError
from topo_sim.base.files import LEVELS
from topo_sim.optics import load_optics
from topo_sim.optics.shoreline import shoreline

OPTICS = load_optics()
CPO = OPTICS.medium("cpo")


@given(area=st.floats(1e-6, 1e-2), aspect=st.floats(1.0, 10.0), parts=st.integers(1, 64))
def test_cutting_a_die_gains_the_root(area, aspect, parts):
    whole = shoreline(CPO, area, aspect=aspect)
    cut = shoreline(CPO, area, aspect=aspect, parts=parts)
    assert cut.width * cut.height * parts == pytest.approx(area)
    assert cut.perimeter / whole.perimeter == pytest.approx(math.sqrt(parts))
    for level in LEVELS:
        assert cut.bandwidth.at(level) / whole.bandwidth.at(level) == pytest.approx(math.sqrt(parts))


def test_an_h100_and_its_quarters():
    whole, quarters = (shoreline(CPO, 814e-6, aspect=31.3 / 26, parts=n) for n in (1, 4))
    assert whole.perimeter == pytest.approx(2 * (26e-3 + 31.3e-3), rel=1e-3)
    assert quarters.perimeter / whole.perimeter == pytest.approx(2.0, rel=1e-12)
    assert quarters.bandwidth.typical / whole.bandwidth.typical == pytest.approx(2.0, rel=1e-12)


def test_a_share_of_the_edge():
    half = shoreline(CPO, 100e-6, share=0.5)
    assert half.bandwidth.typical == pytest.approx(0.5 * 40e-3 * CPO.bandwidth_density.typical)


@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, True])
def test_out_of_bounds(value):
    for key in ("aspect", "share"):
        with pytest.raises(UsageError, match=key):
            shoreline(CPO, 1e-4, **{key: value})
    with pytest.raises(UsageError, match="area"):
        shoreline(CPO, value)


def test_parts_shares_and_media():
    for parts in (0, 2.0, True):
        with pytest.raises(UsageError, match="parts"):
            shoreline(CPO, 1e-4, parts=parts)
    with pytest.raises(UsageError, match="at most 1"):
        shoreline(CPO, 1e-4, share=1.5)
    with pytest.raises(UsageError, match="no bandwidth density"):
        shoreline(OPTICS.medium("microled"), 1e-4)
