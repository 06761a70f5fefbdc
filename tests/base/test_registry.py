"""The registry: entries by name, duplicates refused, typing errors answered."""

import pytest

from topo_sim.base import Registry, TopoSimError, UnknownNameError, nearest


@pytest.fixture
def colours():
    registry = Registry("colour")
    registry.add("red", 1)
    registry.add("blue", 2)
    return registry


def test_is_a_mapping_in_the_order_of_entry(colours):
    assert list(colours) == ["red", "blue"]
    assert dict(colours) == {"red": 1, "blue": 2}
    assert len(colours) == 2
    assert "red" in colours
    assert "green" not in colours
    assert 3 not in colours
    assert colours.get("green") is None


def test_register_returns_what_it_enters(colours):
    def green():
        return 3

    assert colours.register("green")(green) is green
    assert colours["green"] is green


def test_a_name_is_taken_once(colours):
    with pytest.raises(ValueError, match='colour "red" is registered twice'):
        colours.add("red", 3)
    with pytest.raises(ValueError, match="registered twice"):
        colours.register("blue")(3)
    assert colours["red"] == 1


def test_an_unknown_name_is_a_key_error_that_helps(colours):
    with pytest.raises(UnknownNameError) as caught:
        colours["rod"]
    assert str(caught.value) == 'unknown colour "rod": did you mean "red"?'
    assert isinstance(caught.value, KeyError)
    assert isinstance(caught.value, TopoSimError)
    assert caught.value.__cause__ is None
    with pytest.raises(UnknownNameError, match='unknown colour "None"'):
        colours[None]


@pytest.mark.parametrize(
    ("name", "choices", "answer"),
    [
        ("tours", ["torus", "mesh"], 'did you mean "torus"?'),
        ("tree", ["trees", "treed", "tread", "x"], 'did you mean "trees" or "treed"?'),
        ("zzz", ["torus", "mesh"], "choose from mesh, torus"),
        ("zzz", iter(["b", "a"]), "choose from a, b"),
        ("zzz", [], "there is none"),
        ("", ["a"], "choose from a"),
    ],
)
def test_nearest(name, choices, answer):
    assert nearest(name, choices) == answer
