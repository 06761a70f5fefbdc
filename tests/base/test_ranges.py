"""Ranges of quantities and catalogues of records: what is read, what is refused."""

from typing import Annotated

import pytest

from topo_sim.base import FaultsError, UnitError, UsageError
from topo_sim.base.files import Faults, Range, Ranged, Record, check, extend, read_catalogue
from topo_sim.base.files import catalogue as module


def test_a_number_is_a_range_of_one():
    found = Ranged("power").read("9 W")
    assert (found.low, found.typical, found.high) == (9.0, 9.0, 9.0)
    assert found.exact


def test_the_middle_of_two_ends_is_geometric():
    assert Ranged("power").read(["4 W", "9 W"]).typical == pytest.approx(6.0)
    assert Ranged("number").read([0, 3]).typical == 1.5


def test_a_mapping_says_how_sure_it_is():
    found = Ranged("loss").read(
        {"low": 1, "typical": "2 dB", "high": 3, "source": "here", "mark": "recalled"}
    )
    assert found == Range(1.0, 2.0, 3.0, "here", "recalled")
    assert [found.at(level) for level in ("low", "typical", "high")] == [1.0, 2.0, 3.0]
    with pytest.raises(UsageError, match='unknown level "hihg"'):
        found.at("hihg")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-1, "at least 0"),
        (float("nan"), "not finite"),
        (["3 W", "2 W"], "low <= typical <= high"),
        ([1, 2, 3, 4], "found 4 values"),
        ([], "found 0 values"),
        ("3 GB/s", "is a rate"),
        (True, "expected a value"),
        (None, "expected a value"),
        ({"low": 1}, "without both ends"),
        ({"typical": 1, "mark": "sure"}, 'unknown mark "sure"'),
        ({"typical": 1, "tpyical": 1}, "unknown key"),
    ],
)
def test_what_is_no_range_is_refused(value, text):
    with pytest.raises(UnitError, match=text):
        Ranged("power").read(value)


def test_bounds_are_kept():
    share = Ranged("share", most=1.0, above=True)
    assert share.read("60 %").typical == 0.6
    for value in (0, 1.2):
        with pytest.raises(UnitError, match="more than 0 and at most 1"):
            share.read(value)


class Lamp(Record):
    power: Annotated[Range, Ranged("power")]
    life: Annotated[Range, Ranged("time")]


@pytest.fixture
def lamps(tmp_path, monkeypatch):
    shipped = tmp_path / "lamps.yaml"
    shipped.write_text("lamps:\n  small: {power: 2 W, life: 5 s}\n")
    monkeypatch.setattr(module.resources, "files", lambda package: tmp_path)

    def read(text=None):
        if text is None:
            return read_catalogue({"lamps": Lamp}, "x", "lamps.yaml")["lamps"]
        mine = tmp_path / "mine.yaml"
        mine.write_text(text)
        return read_catalogue({"lamps": Lamp}, "x", "lamps.yaml", [mine])["lamps"]

    return read


def test_users_change_and_add_records(lamps):
    found = lamps("lamps:\n  small: {life: 7 s}\n  big: {like: small, power: [3 W, 5 W, 9 W]}\n")
    assert found["small"].life.typical == 7
    assert found["small"].power.typical == 2
    assert found["big"].life.typical == 7
    assert found["big"].power.high == 9
    assert found["big"].name == "big"
    assert lamps()["small"].life.typical == 5


def test_every_fault_of_a_catalogue_is_told_with_its_place(lamps):
    with pytest.raises(FaultsError) as caught:
        lamps(
            "lamps:\n  small: {power: -1 W}\n  other: {power: 1 W}\n  third: {like: smal}\n"
            "  fourth: 3\n  fifth: {like: small, pwoer: 1}\nlapms: {}\n"
        )
    lines = str(caught.value).splitlines()
    assert [line.split(": ", 2)[1] for line in lines] == [
        *("lamps.small.power", "lamps.other.life", "lamps.third.like"),
        *("lamps.fourth", "lamps.fifth.pwoer", "lapms"),
    ]
    assert "mine.yaml:2" in lines[0]
    assert 'did you mean "small"' in lines[2]


def test_records_over_known_ones():
    known = {"small": Lamp(name="small", power=Range(1.0, 2.0, 3.0), life=1, about="first")}
    faults = Faults("a.yaml")
    found = extend(known, {"small": {"about": "again"}, "new": {"like": "small"}}, Lamp, ("x",), faults)
    assert found["small"] == Lamp(name="small", power=Range(1.0, 2.0, 3.0), life=1, about="again")
    assert found["new"].power == Range(1.0, 2.0, 3.0)
    assert known["small"].about == "first"
    assert faults.found == []
    assert extend(known, {"small": {"power": -1}}, Lamp, ("x",), faults) == known
    assert extend(known, 3, Lamp, ("x",), faults) == known
    assert [fault.split(": ")[1] for fault in faults.found] == ["x.small.power", "x"]


def test_check_says_what_was_expected():
    faults = Faults("a.yaml")
    assert check(Lamp, [1], ("x",), faults) is None
    assert check(Lamp, {"name": 3, "powr": 1}, ("x",), faults) is None
    texts = "\n".join(faults.found)
    assert "x: found a list, expected a mapping" in texts
    assert "x.name: found 3, expected text" in texts
    assert 'x.powr: unknown key "powr": did you mean "power"?' in texts
