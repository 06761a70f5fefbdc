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
        ([], [], None, "indptr: expected to rise from 0 to 0"),
        ([1, 2], [0, 0], None, "indptr: expected to rise"),
        ([0, 1], [0, 0], None, "indptr: expected to rise from 0 to 2"),
        ([0, 2, 1, 2], [0, 0], None, "indptr: expected to rise"),
        ([0.0, 1.0], [0], None, "indptr: found float64 values, expected integers"),
        ([[0, 1]], [0], None, r"indptr: found shape \(1, 2\), expected one dimension"),
        ([0, 1], [0.0], None, "links: found float64 values"),
        ([0, 1], [True], None, "links: found bool values"),
        ([0, 1], [-1], None, "links: found an index below 0"),
        ([0, 1], [2**31], None, "or above 2147483647"),
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
