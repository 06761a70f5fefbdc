"""Units: what is read, what is refused and why, and what is written."""

import contextlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topo_sim.base import Quantity, UnitError, format_quantity, parse_quantity
from topo_sim.base.units import KINDS


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("400 Gb/s", "rate", 50e9),
        ("400Gb/s", "rate", 50e9),
        ("  400   Gb/s  ", "rate", 50e9),
        ("400 Gbps", "rate", 50e9),
        ("400 GBps", "rate", 400e9),
        ("50 GB/s", "rate", 50e9),
        ("1.6 Tb/s", "rate", 200e9),
        ("8 b/s", "rate", 1.0),
        ("1 GiB/s", "rate", 2**30),
        ("1 kB/s", "rate", 1e3),
        ("1 KB/s", "rate", 1e3),
        ("16 MiB", "size", 2**24),
        ("1 GB", "size", 1e9),
        ("1 Gb", "size", 0.125e9),
        ("3 B", "size", 3.0),
        ("1 KiB", "size", 1024.0),
        ("1 EiB", "size", 2.0**60),
        ("300 ns", "time", 3e-7),
        ("1.2 us", "time", 1.2e-6),
        ("1.2 µs", "time", 1.2e-6),
        ("1.2 \u03bcs", "time", 1.2e-6),
        ("5 ms", "time", 5e-3),
        ("2 min", "time", 120.0),
        ("7 d", "time", 7 * 86400.0),
        ("1 day", "time", 86400.0),
        ("3 days", "time", 3 * 86400.0),
        ("1 year", "time", 8760 * 3600.0),
        ("20 years", "time", 20 * 8760 * 3600.0),
        ("1 h", "time", 3600.0),
        ("7 ps", "time", 7e-12),
        ("20 m", "length", 20.0),
        ("5 mm", "length", 5e-3),
        ("2 km", "length", 2e3),
        ("9 W", "power", 9.0),
        ("9 mW", "power", 9e-3),
        ("1 MW", "power", 1e6),
        ("5 pJ", "energy", 5e-12),
        ("3 kJ", "energy", 3e3),
        ("1e9", "rate", 1e9),
        ("1_000_000", "size", 1e6),
        (".5 s", "time", 0.5),
        ("5. s", "time", 5.0),
        ("+1e-6 s", "time", 1e-6),
        ("-3 s", "time", -3.0),
        (0, "time", 0.0),
        (7, "size", 7.0),
        (2.5, "rate", 2.5),
        (np.float64(2.5), "rate", 2.5),
    ],
)
def test_reads(text, kind, value):
    found = parse_quantity(text, kind)
    assert type(found) is float
    assert found == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ("400 Gb", "rate", '"400 Gb" is a size, expected a rate (for example "400 Gb/s" or "50 GB/s")'),
        ("1 s", "rate", '"1 s" is a time, expected a rate'),
        ("1 GB/s", "size", '"1 GB/s" is a rate, expected a size (for example "16 MiB" or "1 GB")'),
        ("1 m", "time", '"1 m" is a length, expected a time (for example "300 ns" or "1.2 us")'),
        ("1 J", "power", '"1 J" is an energy, expected a power (for example "9 W")'),
        ("1 W", "energy", '"1 W" is a power, expected an energy (for example "5 pJ")'),
        ("1 gb/s", "rate", '"1 gb/s" has the unknown unit "gb/s"'),
        ("1 GB/S", "rate", "unknown unit"),
        ("1 kiB", "size", "unknown unit"),
        ("1 sec", "time", "unknown unit"),
        ("1 pJ/b", "energy", "is an energy per bit"),
        ("1 G B", "size", "is no quantity"),
        ("", "size", '"" is no quantity'),
        ("   ", "size", "is no quantity"),
        ("GB", "size", "is no quantity"),
        ("one GB", "size", "is no quantity"),
        ("1,5 GB", "size", "is no quantity"),
        ("0x10 B", "size", "is no quantity"),
        ("1 GB\n2 GB", "size", "is no quantity"),
        ("--1", "size", "is no quantity"),
        ("nan", "size", "is no quantity"),
        ("inf GB", "size", "is no quantity"),
        ("_1", "size", "is no quantity"),
        ("1e400", "size", "1e400 is not finite"),
        ("1e308 GB", "size", "is not finite"),
        (float("nan"), "size", "nan is not finite"),
        (float("inf"), "time", "inf is not finite"),
        (-math.inf, "time", "-inf is not finite"),
        (10**400, "size", "is not finite"),
        (None, "size", "None is no quantity"),
        (True, "size", "True is no quantity"),
        ([1], "size", "[1] is no quantity"),
        (b"1 GB", "size", "is no quantity"),
        (1j, "size", "is no quantity"),
    ],
)
def test_refuses(value, kind, message):
    with pytest.raises(UnitError) as caught:
        parse_quantity(value, kind)
    assert message in str(caught.value)
    assert KINDS[kind][1] in str(caught.value)


def test_no_unit_belongs_to_two_kinds():
    """But for events per time: failures and requests are counted alike."""
    events = KINDS["failure rate"][0].keys() & KINDS["request rate"][0].keys()
    assert events == {"/s", "/h"}
    assert all(KINDS["failure rate"][0][unit] == KINDS["request rate"][0][unit] for unit in events)
    names = [name for units, _ in KINDS.values() for name in units if name not in events]
    assert len(names) == len(set(names))


def test_every_example_is_of_its_kind():
    for kind, (_, examples) in KINDS.items():
        for example in examples.split(" or "):
            assert parse_quantity(example.strip('"'), kind) > 0


@given(st.text(max_size=100), st.sampled_from(sorted(KINDS)))
def test_any_text_is_read_or_refused(text, kind):
    with contextlib.suppress(UnitError):
        assert math.isfinite(parse_quantity(text, kind))


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(sorted(KINDS)))
def test_numbers_pass_through_as_text_and_as_they_are(value, kind):
    assert parse_quantity(value, kind) == parse_quantity(repr(value), kind) == value


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (0, "rate", "0 B/s"),
        (0.0, "time", "0 s"),
        (0, "size", "0 B"),
        (1, "size", "1 B"),
        (65536, "size", "64 KiB"),
        (1000, "size", "1000 B"),
        (1.5 * 2**30, "size", "1.5 GiB"),
        (112.5e9, "rate", "112.5 GB/s"),
        (1.25e15, "rate", "1.25 PB/s"),
        (1e25, "rate", "1e+10 PB/s"),
        (3e-7, "time", "300 ns"),
        (1e-6, "time", "1 us"),
        (0.001 * (1 - 1e-16), "time", "1 ms"),
        (90.0, "time", "90 s"),
        (1e-12, "time", "0.001 ns"),
        (-5e9, "rate", "-5 GB/s"),
        (math.inf, "rate", "unlimited"),
        (-math.inf, "rate", "-unlimited"),
        (math.nan, "time", "-"),
    ],
)
def test_writes(value, kind, text):
    assert format_quantity(value, kind) == text


def test_writes_as_many_digits_as_asked_for():
    assert format_quantity(1.23456e9, "rate", digits=2) == "1.2 GB/s"
    assert format_quantity(1.23456e9, "rate", digits=6) == "1.23456 GB/s"


@given(st.floats(1e-2, 1e18), st.sampled_from(["rate", "size", "time"]))
def test_what_is_written_can_be_read_again(value, kind):
    assert parse_quantity(format_quantity(value, kind, digits=6), kind) == pytest.approx(value, rel=1e-5)


class TestQuantity:
    @pytest.mark.parametrize("value", [0, -1, "-1 GB/s", "0 b/s"])
    def test_more_than_zero(self, value):
        with pytest.raises(UnitError, match="expected a rate of more than 0"):
            Quantity("rate").read(value)

    def test_zero_or_more(self):
        may_be_zero = Quantity("energy", positive=False)
        assert may_be_zero.read("0 J") == 0.0
        with pytest.raises(UnitError, match=r"found '-1 J', expected an energy of 0 or more"):
            may_be_zero.read("-1 J")

    def test_in_a_schema(self):
        from pydantic import TypeAdapter, ValidationError

        from topo_sim.base import Rate, Time

        rate = TypeAdapter(Rate)
        assert rate.validate_python("400 Gb/s") == "400 Gb/s"
        for bad in ("1 s", 0, -1.0, True, None, "fast"):
            with pytest.raises(ValidationError, match="expected a rate"):
                rate.validate_python(bad)
        assert TypeAdapter(Time).validate_python(0) == 0
        schema = rate.json_schema()
        assert schema["anyOf"] == [{"type": "number"}, {"type": "string"}]
        assert schema["description"].startswith('a rate: text with a unit, for example "400 Gb/s"')


@pytest.mark.parametrize("text", ["1" + 100 * " " + "GB", "0." + 78 * "0" + "1 GB", "1" + 90 * "0" + " s"])
def test_long_text_is_read_to_its_end_or_refused(text):
    with contextlib.suppress(UnitError):
        number, unit = text.split()
        assert parse_quantity(text, "size") == float(number) * {"GB": 1e9}[unit]


@pytest.mark.parametrize(("value", "kind"), [(1e-20, "time"), (1e-5, "rate"), (4e-6, "size")])
def test_only_nothing_is_written_as_nothing(value, kind):
    assert parse_quantity(format_quantity(value, kind), kind) == pytest.approx(value, rel=1e-3, abs=0)


def test_reads_to_the_nearest_float():
    assert parse_quantity("500 ns", "time") == 500e-9
