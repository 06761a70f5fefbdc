"""Crowded links, filled band by band: against the twin, the plain heap and the certificate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive
from plain_heap import plain_max_min
from topo_sim.topo.flow import Paths, check_max_min, max_min_rates
from topo_sim.topo.flow.plain_kernels import plain_rates


def solve(kind, paths, capacity):
    rate, tight = np.empty(len(paths)), np.empty(len(paths), np.int32)
    plain_rates(np.empty(1, kind), paths.indptr, paths.links, capacity, rate, tight)
    return rate, tight


def check(paths, capacity):
    """All widths of link numbers agree, to the bit, with a valid answer that equals the plain heap's."""
    rate, tight = solve(np.uint32, paths, capacity)
    if capacity.size < 65535:
        narrow = solve(np.uint16, paths, capacity)
        assert np.array_equal(rate, narrow[0])
        assert np.array_equal(tight, narrow[1])
    check_max_min(paths, capacity, rate)
    expected = plain_max_min(paths.indptr, paths.links, capacity)
    limited = np.isfinite(rate)
    np.testing.assert_allclose(rate[limited], expected[limited], rtol=1e-12)
    held = [np.isfinite(capacity[paths[f]]).any() for f in range(len(paths))]
    assert np.array_equal(limited, held)
    assert all(tight[f] in paths[f] for f in np.flatnonzero(limited))
    assert np.all(tight[~limited] == -1)


def drawn(rng, flows, links, lengths):
    return Paths.from_lists([rng.integers(0, links, n) for n in rng.choice(lengths, flows)])


CAPACITIES = {
    "ties": lambda rng, n: np.ones(n),
    "few values": lambda rng, n: rng.integers(1, 4, n).astype(float),
    "alike": lambda rng, n: rng.uniform(1, 2, n),
    "12 decades": lambda rng, n: 10.0 ** rng.uniform(-6, 6, n),
    "some infinite": lambda rng, n: np.where(rng.random(n) < 0.2, np.inf, rng.uniform(1, 2, n)),
}


@given(
    st.integers(0, 10**6), st.integers(1, 4), st.sampled_from([[1], [0, 1, 2], [3, 4], [0, 1, 12]]),
    st.sampled_from(sorted(CAPACITIES)),
)  # fmt: skip
def test_few_links_against_the_twin(seed, links, lengths, name):
    """Ties, empty paths, links crossed twice, paths longer than the rows that are copied."""
    rng = np.random.default_rng(seed)
    paths, capacity = drawn(rng, 20 * links, links, lengths), CAPACITIES[name](rng, links)
    expected = [float(r) for r in naive.max_min(naive.rows(paths), capacity)]
    for kind in (np.uint16, np.uint32):
        np.testing.assert_allclose(solve(kind, paths, capacity)[0], expected, rtol=1e-12)


# More links than are ever taken in one band.
@pytest.mark.parametrize("name", CAPACITIES)
@pytest.mark.parametrize("lengths", [[6], [2, 4, 6], [0, 1, 12], [1, 1, 1, 1, 1, 1, 1, 1, 1, 60]])
def test_many_bands(name, lengths):
    rng = np.random.default_rng(len(name) + len(lengths))
    paths = drawn(rng, 60_000 // int(np.mean(lengths)), 1500, lengths)
    check(paths, CAPACITIES[name](rng, 1500))


def test_one_path_far_longer_than_the_rest():
    rng = np.random.default_rng(1)
    lists = [rng.integers(0, 1500, 3) for _ in range(12_000)]
    lists[77] = np.arange(1500)
    check(Paths.from_lists(lists), rng.uniform(1, 2, 1500))


@pytest.mark.parametrize("links", [65_533, 65_534, 65_535, 65_536, 70_000])
def test_as_many_links_as_fit_into_16_bits(links):
    """The last links are crowded, the others idle: numbers of too few bits would run over."""
    rng = np.random.default_rng(links)
    at = links - 1 - rng.integers(0, 1500, (10_000, 4))
    paths, capacity = Paths(np.arange(10_001) * 4, at.ravel().astype(np.int32)), rng.uniform(1, 2, links)
    check(paths, capacity)
    assert np.array_equal(max_min_rates(paths, capacity), solve(np.uint32, paths, capacity)[0])


def test_every_link_of_more_than_65536_is_crowded():
    rng = np.random.default_rng(2)
    links = 66_000
    at = rng.integers(0, links, 18 * links).astype(np.int32)
    check(Paths(np.arange(3 * links + 1) * 6, at), 10.0 ** rng.uniform(-1, 1, links))


def test_the_short_form_is_the_wide_one():
    rng = np.random.default_rng(3)
    paths, capacity = drawn(rng, 900, 30, [1, 2]), rng.uniform(1, 2, 30)
    rate, tight = np.empty(900), np.empty(900, np.int32)
    plain_rates(np.empty(1, np.uint32), paths.indptr, paths.links, capacity, rate, tight)
    assert np.array_equal(rate, solve(np.uint16, paths, capacity)[0])
