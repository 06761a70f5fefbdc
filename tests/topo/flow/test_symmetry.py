"""The quotient: an equitable partition, the coarsest one, and the same rates as without it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive
from topo_sim.topo import fat_tree, route, torus
from topo_sim.topo.flow import Paths, max_min_rates, quotient


def all_to_all(p):
    source, target = np.divmod(np.arange(p * p), p)
    return source[source != target], target[source != target]


@st.composite
def copied(draw):
    """A small random problem, some times over on links of their own, in a shuffled order."""
    links = draw(st.integers(1, 4))
    lists = draw(st.lists(st.lists(st.integers(0, links - 1), max_size=3), min_size=1, max_size=4))
    capacity = draw(st.lists(st.sampled_from([1.0, 2.0, np.inf]), min_size=links, max_size=links))
    label = draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=len(lists), max_size=len(lists)))
    copies = draw(st.integers(2, 5))
    many = [[link + i * links for link in row] for i in range(copies) for row in lists]
    order = draw(st.permutations(range(len(many))))
    paths = Paths.from_lists([many[f] for f in order])
    if draw(st.booleans()):
        # Shares told by the link within its copy, so that copies stay alike.
        paths = Paths(paths.indptr, paths.links, 0.25 * (1 + paths.links % links % 2))
    labels = np.array([label[f % len(lists)] for f in order])
    return paths, np.tile(capacity, copies), labels


def same_partition(a, b):
    return len(set(zip(a, b, strict=True))) == len(set(a)) == len(set(b))


@given(copied())
def test_is_the_coarsest_equitable_partition(problem):
    paths, capacity, label = problem
    flow_colour, link_colour = naive.refine(naive.rows(paths), capacity.tolist(), label.tolist())
    reduced = quotient(paths, capacity, label[:, None])
    if reduced is None:
        assert 2 * len(set(flow_colour)) > len(paths)
        return
    assert same_partition(reduced.flow_class.tolist(), flow_colour)
    assert len(reduced.capacity) == len(set(link_colour))
    assert np.array_equal(reduced.flow_class[reduced.representative], np.arange(len(reduced.paths)))
    rates = max_min_rates(paths, capacity)
    np.testing.assert_allclose(
        max_min_rates(reduced.paths, reduced.capacity)[reduced.flow_class], rates, rtol=1e-12
    )


@given(st.integers(0, 2**32 - 1))
def test_never_changes_rates_of_random_problems(seed):
    rng = np.random.default_rng(seed)
    flows, links = 24, 8
    paths = Paths.from_lists([rng.integers(0, links, rng.integers(1, 3)).tolist() for _ in range(flows)])
    capacity = rng.integers(1, 3, links).astype(float)
    reduced = quotient(paths, capacity)
    if reduced is not None:
        merged = max_min_rates(reduced.paths, reduced.capacity)[reduced.flow_class]
        np.testing.assert_allclose(merged, max_min_rates(paths, capacity), rtol=1e-12)


@pytest.mark.parametrize(
    ("fabric", "routing", "classes"),
    [
        # One per offset, dimension order being the same from every node.
        (torus((4, 4), bandwidth=1.0), "dimension_order", 15),
        (fat_tree(4, bandwidth=1.0), "ecmp_split", 3),
        (fat_tree(8, oversubscription=2, bandwidth=1.0), "ecmp_split", 3),
    ],
    ids=repr,
)
def test_symmetric_all_to_all(fabric, routing, classes):
    source, target = all_to_all(fabric.ranks)
    paths = route(fabric, source, target, routing)
    reduced = quotient(paths, fabric.capacity)
    assert len(reduced.paths) <= classes
    merged = max_min_rates(reduced.paths, reduced.capacity)[reduced.flow_class]
    np.testing.assert_allclose(merged, max_min_rates(paths, fabric.capacity), rtol=1e-12)


def test_keeps_apart_what_labels_tell_apart():
    ring = Paths.from_lists([[i] for i in range(8)])
    alike = quotient(ring, np.ones(8))
    assert len(alike.paths) == 1
    told = quotient(ring, np.ones(8), np.arange(8.0)[:, None] % 2)
    assert told.flow_class[::2].tolist() == [told.flow_class[0]] * 4
    assert told.flow_class[0] != told.flow_class[1]


def test_keeps_apart_what_capacity_or_share_tells_apart():
    lists = [[i] for i in range(8)]
    assert len(quotient(Paths.from_lists(lists), np.repeat([1.0, 2.0], 4)).paths) == 2
    shared = Paths(np.arange(9), np.arange(8), np.repeat([0.5, 1.0], 4))
    assert len(quotient(shared, np.ones(8)).paths) == 2


def test_adds_up_what_a_class_puts_on_a_link():
    paths = Paths([0, 1, 2, 3, 4], [0, 0, 1, 1], [0.5, 0.5, 0.5, 0.5])
    reduced = quotient(paths, np.ones(2))
    assert reduced.paths.share.tolist() == [1.0]


def test_gives_up_where_little_is_alike():
    assert quotient(Paths.from_lists([[0], [0, 1], [1, 2]]), np.array([1.0, 2.0, 3.0])) is None
