"""Paths: the compressed rows, what they refuse, and what they add up."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topo_sim.base import FlowError
from topo_sim.topo.flow import Paths
from topo_sim.topo.flow.paths import transpose


@pytest.mark.parametrize(
    ("indptr", "links", "share", "message"),
    [
        ([], [], None, "indptr: found nothing, expected to rise from 0 to 0"),
        ([1, 2], [0, 0], None, "indptr: found 1 to 2, expected to rise"),
        ([0, 1], [0, 0], None, "indptr: found 0 to 1, expected to rise from 0 to 2"),
        ([0, 2, 1, 2], [0, 0], None, r"indptr\[2\]: found 1 after 2, expected to rise"),
        ([0.0, 1.0], [0], None, "indptr: found float64 values, expected integers"),
        ([[0, 1]], [0], None, r"indptr: found shape \(1, 2\), expected one dimension"),
        ([0, 1], [0.0], None, "links: found float64 values"),
        ([0, 1], [True], None, "links: found bool values"),
        ([0, 1], [-1], None, r"links\[0\]: found -1, expected 0 to 2147483647"),
        ([0, 2], [0, 2**31], None, r"links\[1\]: found 2147483648"),
        ([0, 1], [2**70], None, r"links\[0\]: found 1180591620717411303424"),
        ([0, 1], [[0], [1, 2]], None, "links: found rows of different lengths"),
        ([0, 1], np.ma.array([0]), None, "links: found a masked array, expected plain numbers"),
        ([0, 1], ["0"], None, "links: found <U1 values, expected integers"),
        (None, [0], None, r"indptr: found shape \(\), expected one dimension"),
        ([0, 1], [[0]], None, "links: found shape"),
        ([0, 1], [0], [0.0], r"share\[0\]: found 0.0, expected a finite number of more than 0"),
        ([0, 1], [0], [-0.5], r"share\[0\]: found -0.5"),
        ([0, 1], [0], [np.nan], r"share\[0\]: found nan"),
        ([0, 1], [0], [0.5, 0.5], r"share: found shape \(2,\), expected \(1,\)"),
        ([0, 1], [0], ["half"], "share: found values that are no numbers"),
    ],
)
def test_refuses(indptr, links, share, message):
    with pytest.raises(FlowError, match=message):
        Paths(indptr, links, share)


def test_rows():
    paths = Paths.from_lists([[3, 1], [], [1]])
    assert [paths[f].tolist() for f in (0, 1, 2, -1, -3)] == [[3, 1], [], [1], [1], [3, 1]]
    for beyond in (3, -4):
        with pytest.raises(IndexError, match=f"flow {beyond} of 3"):
            paths[beyond]


def test_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Paths.from_lists([[0]]).links = np.zeros(1)


lists = st.lists(st.lists(st.integers(0, 5), max_size=4), min_size=1, max_size=6)


@given(lists, st.data())
def test_take_repeats_and_reorders(rows, data):
    paths = Paths.from_lists(rows)
    share = np.arange(1, len(paths.links) + 1) / 8
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=8))
    for each in (paths, Paths(paths.indptr, paths.links, share)):
        taken = each.take(np.array(chosen, dtype=np.int64))
        assert [taken[i].tolist() for i in range(len(taken))] == [rows[f] for f in chosen]
        if each.share is not None:
            expected = [share[each.indptr[f] : each.indptr[f + 1]].tolist() for f in chosen]
            assert taken.share.tolist() == [s for row in expected for s in row]


@given(lists)
def test_sum_and_load_are_transposes_of_each_other(rows):
    plain = Paths.from_lists(rows)
    values, amount = np.arange(1.0, 7.0), np.arange(1.0, len(rows) + 1)
    share = np.arange(1, len(plain.links) + 1) / 8
    for paths, part in ((plain, np.ones_like(share)), (Paths(plain.indptr, plain.links, share), share)):
        matrix = np.zeros((len(rows), 6))
        entry = 0
        for f, row in enumerate(rows):
            for link in row:
                matrix[f, link] += part[entry]
                entry += 1
        np.testing.assert_allclose(paths.sum(values), matrix @ values)
        np.testing.assert_allclose(paths.load(amount, 6), amount @ matrix)


@given(lists)
def test_transpose_lists_the_flows_of_each_link(rows):
    paths = Paths.from_lists(rows)
    indptr, flows, share = transpose(paths, 7)
    assert share is None
    for link in range(7):
        expected = [f for f, row in enumerate(rows) for other in row if other == link]
        assert flows[indptr[link] : indptr[link + 1]].tolist() == expected


@pytest.mark.parametrize(
    ("indptr", "kind", "links"),
    [
        ([0, 2**40, 2, 3], np.uint64, 3),
        ([0, 5, 2, 3], np.uint32, 3),
        ([0, 200, 100, 3], np.uint8, 3),
        ([0, 100, -100, 0], np.int8, 0),
        ([0, 2**63 + 1, 3], np.uint64, 3),
        ([0, 2**63 - 1, 3], np.int64, 3),
    ],
)
def test_rows_that_fall_are_refused_in_every_type(indptr, kind, links):
    with pytest.raises(FlowError, match="indptr"):  # in the caller's type the differences wrap round
        Paths(np.array(indptr, kind), np.zeros(links, int))


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint32, np.uint64, ">i8"])
def test_every_type_of_integer_will_do(kind):
    paths = Paths(np.array([0, 1, 3], kind), np.array([2, 0, 1], kind))
    assert (paths.indptr.dtype, paths.links.dtype) == (np.int64, np.int32)
    assert [paths[f].tolist() for f in range(2)] == [[2], [0, 1]]


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        (None, "links: found None, expected one list of links per flow"),
        ([0, 1], r"links\[0\]: found 0, expected a list of links"),
        ([[0], None], r"links\[1\]: found None, expected a list"),
        ([["a"]], r"links\[0\]\[0\]: found 'a', expected an integer from 0 to 2147483647"),
        ([[], [0, 1.9]], r"links\[1\]\[1\]: found 1.9"),
        ([[0], [], [True]], r"links\[2\]\[0\]: found True"),
        ([[2**70]], r"links\[0\]\[0\]: found 1180591620717411303424"),
        ([[0, -1]], r"links\[0\]\[1\]: found -1"),
        ([[[0]]], r"links\[0\]\[0\]: found \[0\]"),
        ([np.ma.array([1, 2], mask=[0, 1])], r"links\[0\]\[1\]: found masked"),
    ],
)
def test_lists_name_what_is_no_link(lists, message):
    with pytest.raises(FlowError, match=message):
        Paths.from_lists(lists)


def test_lists_of_numpy_integers():
    assert Paths.from_lists([np.array([3, 1], np.uint8), (), {2: 0}]).links.tolist() == [3, 1, 2]
    assert len(Paths.from_lists([])) == 0


def test_what_kernels_would_read_beyond_is_refused():
    paths = Paths.from_lists([[0, 1], [0]])
    for call, message in (
        (lambda: paths.load(np.ones(2), 1), "found link 1, expected less than 1"),
        (lambda: paths.load(np.ones(1), 2), r"amount: found shape \(1,\), expected \(2,\)"),
        (lambda: paths.sum(np.ones(1)), "found link 1, expected less than 1"),
        (lambda: paths.take(np.array([2])), r"flows\[0\]: found 2, expected 0 to 1"),
        (lambda: paths.take(np.array([-1])), r"flows\[0\]: found -1"),
        (lambda: paths.join(Paths.from_lists([[0]])), "found paths of 1 flows, expected 2"),
    ):
        with pytest.raises(FlowError, match=message):
            call()
