"""The one door for numbers: what it refuses, and that what it lets through fits the kernels."""

from fractions import Fraction

import numpy as np
import pytest

from topo_sim.base import DemandError, FlowError
from topo_sim.topo.flow import Paths, check_max_min, completion_times, max_min_rates, simulate
from topo_sim.topo.flow.arrays import as_integers, as_number, as_numbers
from topo_sim.topo.flow.kernels import add_rows, water_fill

PATHS = Paths.from_lists([[0, 1], [0], [1]])
CAPACITY = [10.0, 4.0]
NO_NUMBERS = [
    ("3", "text"),
    (["1", "2", "3"], "text"),
    (b"3", "bytes"),
    (None, "NoneType"),
    ({}, "dict"),
    ([1.0, None, 2.0], "NoneType"),
    ([1.0, True, 2.0], "bool"),
    (np.ones(3, bool), "true or false"),
    (np.ones(3, complex), "complex"),
    (1 + 1j, "complex"),
    (np.array(["2020", "2021", "2022"], "M8[Y]"), "dates"),
    (np.array([1, 2, 3], "m8[s]"), "durations"),
    (np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0]), "found a masked array"),
    ([[1.0], [1.0, 2.0]], "found rows of different lengths"),
    ([10**400, 1, 1], "found a number beyond 1.8e308"),
]


@pytest.mark.parametrize(("values", "text"), NO_NUMBERS, ids=str)
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("capacity", lambda x: max_min_rates(PATHS, x)),
        ("weights", lambda x: max_min_rates(PATHS, CAPACITY, x)),
        ("caps", lambda x: max_min_rates(PATHS, CAPACITY, caps=x)),
        ("rates", lambda x: check_max_min(PATHS, CAPACITY, x)),
        ("caps", lambda x: check_max_min(PATHS, CAPACITY, [2, 8, 2], caps=x)),
        ("size", lambda x: completion_times(PATHS, CAPACITY, x)),
        ("start", lambda x: simulate(PATHS, CAPACITY, 1.0, x)),
    ],
)
def test_every_argument_refuses_what_is_no_number(name, call, values, text):
    if name == "weights" and values is None:
        return
    if name == "caps" and values is None:
        return
    with pytest.raises(FlowError) as error:
        call(values)
    message = str(error.value)
    assert message.startswith(f"{name}: found ")
    assert text in message
    assert "\n" not in message


def test_numbers_of_every_kind_will_do():
    for values in ([1, 2, 3], [1.0, 2, 3], [Fraction(1), 2, 3.0], np.array([1, 2, 3], np.uint8), (1, 2, 3)):
        made = as_numbers(values, "size")
        assert made.tolist() == [1.0, 2.0, 3.0]
        assert made.dtype == np.float64
    assert as_numbers([10**30], "size").tolist() == [1e30]
    assert as_numbers(np.array([1.0], ">f8"), "size").dtype.isnative


def awkward():
    """Arrays of numbers 1, 2, 3 that numba would compile for anew."""
    frozen = np.array([1.0, 2.0, 3.0])
    frozen.setflags(write=False)
    return [frozen, np.array([1.0, 9.0, 2.0, 9.0, 3.0])[::2], np.array([3.0, 2.0, 1.0])[::-1]]


def test_copies_only_where_needed():
    plain = np.array([1.0, 2.0, 3.0])
    assert as_numbers(plain, "size") is plain
    for values in awkward():
        made = as_numbers(values, "size")
        assert made.tolist() == [1.0, 2.0, 3.0]
        assert made.flags.writeable
        assert made.flags.c_contiguous


def test_no_kernel_is_compiled_for_awkward_arrays():
    weights, share = [1.0, 2.0, 3.0], [1.0, 1.0, 1.0, 1.0]
    max_min_rates(Paths(PATHS.indptr, PATHS.links, share), CAPACITY, weights)
    completion_times(PATHS, CAPACITY, weights)
    PATHS.load(np.ones(3), 2)
    before = [len(f.signatures) for f in (water_fill, add_rows)]
    for values in awkward():
        rows = [np.array(x) for x in (PATHS.indptr, PATHS.links, share)]
        for row in rows:
            row.setflags(write=False)
        paths = Paths(*rows)
        max_min_rates(paths, values, values)
        completion_times(paths, values, values)
        paths.load(values, 2)
    assert [len(f.signatures) for f in (water_fill, add_rows)] == before


def test_arguments_are_not_written_to():
    capacity, weights, caps, size = (np.array([10.0, 4.0, 7.0]) for _ in range(4))
    max_min_rates(PATHS, capacity, weights, caps)
    completion_times(PATHS, capacity, size)
    simulate(PATHS, capacity, size)
    for array in (capacity, weights, caps, size):
        assert array.tolist() == [10.0, 4.0, 7.0]


def test_integers_keep_their_range():
    assert as_integers(np.array([0, 2**40], np.uint64), "x", 2**63).tolist() == [0, 2**40]
    with pytest.raises(DemandError, match=r"x\[1\]: found rank 3, expected 0 to 2"):
        as_integers([0, 3], "x", 3, DemandError, what="rank")
    with pytest.raises(FlowError, match="x: found bool values, expected integers"):
        as_integers(np.array([True]), "x", 3)


@pytest.mark.parametrize(
    "value", [True, 1 + 1j, -1, 2, np.nan, np.inf, "0.5", None, [0.5], np.array([0.5, 0.6])]
)
def test_one_number(value):
    with pytest.raises(FlowError, match=r"gap: found .*, expected a number from 0 to 1"):
        as_number(value, "gap", 0.0, 1.0)


@pytest.mark.parametrize("paths", [[[0]], None, 3, np.zeros((2, 2))])
def test_paths_are_paths(paths):
    for call in (
        max_min_rates,
        lambda p, c: completion_times(p, c, 1.0),
        lambda p, c: check_max_min(p, c, 1.0),
    ):
        with pytest.raises(FlowError, match=r"paths: found .*, expected Paths; Paths.from_lists"):
            call(paths, [1.0])
