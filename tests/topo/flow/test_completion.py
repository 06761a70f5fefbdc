"""Completion times: against an exact event loop, known answers, and the short cuts against the events."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive
from topo_sim.base import FlowError
from topo_sim.topo import fat_tree, route, torus
from topo_sim.topo.flow import Paths, completion_times, max_min_rates
from topo_sim.topo.flow.completion import _balanced_end
from topo_sim.topo.flow.simulation import run_events


@pytest.fixture(autouse=True, scope="module")
def always_reduce():
    """Small problems are not worth reducing; here they are reduced all the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("topo_sim.topo.flow.completion.WORTH_REDUCING", 0)
        yield


@st.composite
def problems(draw):
    """Random paths, sizes (0 too), starts and latencies, with many ties."""
    links = draw(st.integers(1, 5))
    lists = draw(st.lists(st.lists(st.integers(0, links - 1), max_size=4), max_size=7))
    n = len(lists)
    number = st.one_of(st.integers(1, 4).map(float), st.floats(0.1, 10.0))
    capacity = draw(st.lists(st.one_of(number, st.just(np.inf)), min_size=links, max_size=links))
    size = draw(st.lists(st.one_of(st.just(0.0), number), min_size=n, max_size=n))
    start = draw(st.lists(st.one_of(st.just(0.0), number), min_size=n, max_size=n))
    paths = Paths.from_lists(lists)
    if draw(st.booleans()):
        entries = len(paths.links)
        share = draw(st.lists(st.sampled_from([0.25, 0.5, 1.0]), min_size=entries, max_size=entries))
        paths = Paths(paths.indptr, paths.links, share)
    return paths, capacity, size, start


@given(problems())
def test_matches_the_exact_event_loop(problem):
    paths, capacity, size, start = problem
    expected = [float(t) for t in naive.completion(naive.rows(paths), capacity, size, start)]
    found = completion_times(paths, capacity, size, start)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@given(problems(), st.integers(2, 30))
def test_copies_that_share_nothing_end_alike(problem, copies):
    """Many disjoint copies of one problem: solved by classes, so the quotient is at work."""
    paths, capacity, size, start = problem
    if len(paths) == 0:
        return
    copies = max(copies, 65 // len(paths) + 1)
    shift = np.repeat(np.arange(copies) * len(capacity), len(paths.links))
    indptr = np.concatenate([[0], np.cumsum(np.tile(np.diff(paths.indptr), copies))])
    share = None if paths.share is None else np.tile(paths.share, copies)
    many = Paths(indptr, np.tile(paths.links, copies) + shift, share)
    one = completion_times(paths, capacity, size, start)
    found = completion_times(many, np.tile(capacity, copies), np.tile(size, copies), np.tile(start, copies))
    np.testing.assert_allclose(found, np.tile(one, copies), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("lists", "capacity", "size", "start", "latency", "ends"),
    [
        ([[0]], [2.0], [6.0], 0.0, 0.0, [3.0]),
        ([[0], [0]], [1.0], [1.0, 3.0], 0.0, 0.0, [2.0, 4.0]),
        ([[0], [0]], [1.0], [1.0, 3.0], 0.0, 0.5, [2.5, 4.5]),
        ([[0], [0]], [1.0], [2.0, 2.0], [0.0, 1.0], 0.0, [3.0, 4.0]),
        ([[0], [0]], [1.0], [2.0, 2.0], [0.0, 1.0], [1.0, 7.0], [4.0, 11.0]),
        # The network is idle between the two.
        ([[0], [0]], [1.0], [2.0, 2.0], [0.0, 10.0], 0.0, [2.0, 12.0]),
        ([[0], [0]], [1.0], [0.0, 3.0], [5.0, 0.0], 0.0, [5.0, 3.0]),
        ([[], [0]], [1.0], [9.0, 3.0], [5.0, 0.0], 1.0, [6.0, 4.0]),
        ([[], []], [1.0], [9.0, 3.0], 0.0, 0.0, [0.0, 0.0]),
        ([[0], [0]], [np.inf], [9.0, 9.0], 2.0, 0.0, [2.0, 2.0]),
        ([[0, 0]], [1.0], [3.0], 0.0, 0.0, [6.0]),
        # Parking lot: the long flow is freed on one link after the other.
        ([[0, 1], [0], [1]], [1.0, 1.0], [2.0, 1.0, 1.5], 0.0, 0.0, [3.5, 2.0, 3.0]),
    ],
)
def test_known_answers(lists, capacity, size, start, latency, ends):
    assert completion_times(
        Paths.from_lists(lists), capacity, size, start, latency
    ).tolist() == pytest.approx(ends)


def test_ends_within_the_tolerance_are_one_event():
    paths = Paths.from_lists([[0], [0]])
    apart = completion_times(paths, [1.0], [1.0, 1.0 + 1e-6], tolerance=0.0)
    assert apart.tolist() == pytest.approx([2.0, 2.000001], abs=1e-12)
    together = completion_times(paths, [1.0], [1.0, 1.0 + 1e-6], tolerance=1e-5)
    # Each still ends when its bytes are sent at the common rate.
    assert together.tolist() == pytest.approx([2.0, 2.000002], abs=1e-12)


def test_nothing_to_send():
    assert completion_times(Paths.from_lists([]), [], []).shape == (0,)
    assert completion_times(Paths.from_lists([]), [1.0], []).shape == (0,)


def all_to_all(p):
    source, target = np.divmod(np.arange(p * p), p)
    return source[source != target], target[source != target]


@pytest.mark.parametrize(
    ("fabric", "routing"),
    [
        (torus((4, 3), bandwidth=1.0), "dimension_order"),
        (torus((4, 3), bandwidth=1.0), "ecmp_split"),
        (fat_tree(4, bandwidth=1.0), "ecmp_split"),
        (fat_tree(4, bandwidth=1.0), "ecmp"),
        (fat_tree(4, oversubscription=2, bandwidth=[1.0, 1.5, 0.7]), "ecmp_split"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("kinds", [1, 2])
def test_short_cuts_equal_the_events(fabric, routing, kinds):
    source, target = all_to_all(fabric.ranks)
    paths = route(fabric, source, target, routing)
    size = 1.0 + (source % kinds == 1)
    events = run_events(paths, fabric.capacity, size, np.zeros(len(paths)), 1e-12)
    np.testing.assert_allclose(completion_times(paths, fabric.capacity, size), events, rtol=1e-9)


class TestBalancedEnd:
    """All flows end at once exactly where the short cut says so."""

    @given(problems(), st.floats(0.5, 2.0))
    def test_only_where_all_end_together(self, problem, size):
        paths, capacity, _, _ = problem
        if len(paths) == 0:
            return
        sizes, starts = np.full(len(paths), size), np.zeros(len(paths))
        limits = np.array(capacity)
        found = _balanced_end(paths, limits, sizes, starts)
        events = run_events(paths, limits, sizes, starts, 1e-12)
        if found is not None:
            np.testing.assert_allclose(events, found, rtol=1e-9)
        elif np.isfinite(limits).all() and np.diff(paths.indptr).all():
            assert np.ptp(events) > 1e-13 * events.max()

    def test_takes_the_busiest_link(self):
        ring = Paths.from_lists([[i, (i + 1) % 4] for i in range(4)])
        assert _balanced_end(ring, np.full(4, 0.5), np.full(4, 3.0), np.zeros(4)) == 12.0
        assert max_min_rates(ring, np.full(4, 0.5)).tolist() == [0.25] * 4

    def test_gives_up(self):
        paths = Paths.from_lists([[0], [0, 1], [1], [1]])
        ones, zeros = np.ones(4), np.zeros(4)
        assert _balanced_end(paths, np.ones(2), ones, zeros) is None
        assert _balanced_end(paths, np.ones(2), np.arange(4.0), zeros) is None
        nearly = Paths.from_lists([[0], [1]])
        assert _balanced_end(nearly, np.array([1.0, 1.0 + 1e-9]), np.ones(2), np.zeros(2)) is None
        assert _balanced_end(paths, np.ones(2), ones, np.arange(4.0)) is None
        assert _balanced_end(Paths.from_lists([[], []]), np.ones(2), np.ones(2), np.zeros(2)) is None
        assert _balanced_end(Paths.from_lists([]), np.ones(2), np.ones(0), np.zeros(0)) is None

    def test_nothing_to_send_takes_no_time(self):
        assert _balanced_end(Paths.from_lists([[0], []]), np.ones(1), np.zeros(2), np.zeros(2)) == 0.0


@pytest.mark.parametrize(("size", "start", "ends"), [([2, 2], [0, 1], [3, 4]), ([1, 3], [0, 0], [2, 4])])
def test_classes_mind_size_and_start(size, start, ends):
    """Fifty links with two flows each: alike but for their size or start."""
    paths = Paths.from_lists([[link] for link in range(50) for _ in range(2)])
    found = completion_times(paths, np.ones(50), np.tile(size, 50), np.tile(start, 50))
    assert found.tolist() == pytest.approx(ends * 50)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": [1.0]}, r"size: found shape \(1,\), expected \(2,\)"),
        ({"size": [1.0, -1.0]}, r"size\[1\]: found -1.0, expected a finite number of 0 or more"),
        ({"size": [np.inf, 1.0]}, r"size\[0\]: found inf"),
        ({"size": [1.0, np.nan]}, r"size\[1\]: found nan"),
        ({"size": "much"}, "size: found values that are no numbers"),
        ({"start": [-1.0, 0.0]}, r"start\[0\]: found -1.0"),
        ({"start": np.nan}, r"start\[0\]: found nan"),
        ({"latency": [0.0, np.inf]}, r"latency\[1\]: found inf"),
        ({"latency": [0.0] * 3}, r"latency: found shape \(3,\)"),
        ({"capacity": [0.0, 1.0]}, r"capacity\[0\]: found 0.0"),
        ({"capacity": [1.0]}, "links: found link 1, expected less than 1"),
    ],
)
def test_bad_input(arguments, message):
    given_ones = {"capacity": [1.0, 1.0], "size": [1.0, 1.0]} | arguments
    with pytest.raises(FlowError, match=message):
        completion_times(Paths.from_lists([[0], [1]]), **given_ones)


def test_no_links_at_all():
    assert completion_times(Paths.from_lists([[], []]), [], [1.0, 1.0], 2.0).tolist() == [2.0, 2.0]


@pytest.mark.parametrize("tolerance", [-0.5, np.nan])
def test_bad_tolerance(tolerance):
    with pytest.raises(FlowError, match="tolerance"):
        completion_times(Paths.from_lists([[0], [0, 1]]), [1.0, 1.0], [1.0, 2.0], tolerance=tolerance)


def test_a_share_that_vanishes_beside_another():
    paths = Paths([0, 2, 3], [0, 1, 1], [1.0, 1.0, 1e-20])
    assert completion_times(paths, [1.0, 1.0], [1.0, 2.0]).tolist() == pytest.approx([1.0, 1.0])
