"""Max-min rates: against progressive filling, known answers, and the certificate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive
from topo_sim.base import FlowError
from topo_sim.topo import fat_tree, route, torus
from topo_sim.topo.flow import Paths, check_max_min, max_min_rates


@st.composite
def problems(draw, weighted=True):
    """Random paths (duplicates and empty ones too) with shares, weights and capacities."""
    links = draw(st.integers(1, 6))
    lists = draw(st.lists(st.lists(st.integers(0, links - 1), max_size=5), max_size=8))
    capacity = draw(
        st.lists(
            st.one_of(st.integers(1, 9).map(float), st.floats(0.01, 100.0), st.just(np.inf)),
            min_size=links,
            max_size=links,
        )
    )
    paths = Paths.from_lists(lists)
    entries = len(paths.links)
    if draw(st.booleans()):
        share = draw(
            st.lists(st.sampled_from([0.125, 0.25, 0.5, 1.0, 1 / 3, 2.0]), min_size=entries, max_size=entries)
        )
        paths = Paths(paths.indptr, paths.links, share)
    weights = None
    if weighted and draw(st.booleans()):
        weights = draw(
            st.lists(st.sampled_from([0.01, 0.5, 1.0, 3.0, 100.0]), min_size=len(lists), max_size=len(lists))
        )
    return paths, capacity, weights


@given(problems())
def test_matches_progressive_filling(problem):
    paths, capacity, weights = problem
    rates = max_min_rates(paths, capacity, weights)
    expected = [float(r) for r in naive.max_min(naive.rows(paths), capacity, weights)]
    np.testing.assert_allclose(rates, expected, rtol=1e-11)


@given(problems())
def test_certificate_names_a_bottleneck_of_every_flow(problem):
    paths, capacity, weights = problem
    rates = max_min_rates(paths, capacity, weights)
    found = check_max_min(paths, capacity, rates, weights)
    load = paths.load(np.where(np.isfinite(rates), rates, 0.0), len(capacity))
    level = rates / (1.0 if weights is None else np.array(weights))
    for f, link in enumerate(found):
        if link < 0:
            assert rates[f] == np.inf
            assert all(np.isinf(capacity[other]) for other in paths[f])
            continue
        assert link in paths[f]
        assert load[link] == pytest.approx(capacity[link], rel=1e-9)
        on_link = [level[g] for g in range(len(paths)) if link in paths[g]]
        assert level[f] >= max(on_link) * (1 - 1e-9)


@given(problems(), st.integers(0, 7), st.sampled_from([0.0, 0.5, 0.999, 1.001, 2.0]))
def test_certificate_rejects_any_other_rates(problem, flow, factor):
    paths, capacity, weights = problem
    rates = max_min_rates(paths, capacity, weights)
    if flow >= len(rates) or np.isinf(rates[flow]):
        return
    wrong = rates.copy()
    wrong[flow] *= factor
    with pytest.raises(FlowError):
        check_max_min(paths, capacity, wrong, weights)


def test_certificate_rejects_a_feasible_full_but_unfair_split():
    paths = Paths.from_lists([[0], [0]])
    check_max_min(paths, [10.0], [5.0, 5.0])
    with pytest.raises(FlowError, match="flow 0 has no bottleneck: rate 4 could grow"):
        check_max_min(paths, [10.0], [4.0, 6.0])
    with pytest.raises(FlowError, match="link 0: carries 11, capacity is 10"):
        check_max_min(paths, [10.0], [5.0, 6.0])


def test_certificate_minds_weights():
    paths = Paths.from_lists([[0], [0]])
    check_max_min(paths, [9.0], [3.0, 6.0], [1.0, 2.0])
    with pytest.raises(FlowError, match="no bottleneck"):
        check_max_min(paths, [9.0], [3.0, 6.0])
    with pytest.raises(FlowError, match="no bottleneck"):
        check_max_min(paths, [9.0], [4.5, 4.5], [1.0, 2.0])


@pytest.mark.parametrize(
    ("lists", "capacity", "rates"),
    [
        ([[]], [1.0], [np.inf]),
        ([[0]], [np.inf], [np.inf]),
        ([[0, 1]], [np.inf, 3.0], [3.0]),
        ([[0, 0]], [3.0], [1.5]),
        ([[0, 0], [0]], [3.0], [1.0, 1.0]),
        ([[0, 1], [0], [1]], [10.0, 4.0], [2.0, 8.0, 2.0]),
        # Parking lot: one flow over all links, one more on each.
        ([[0, 1, 2], [0], [1], [2]], [1.0, 1.0, 1.0], [0.5, 0.5, 0.5, 0.5]),
        # Bertsekas and Gallager, figure 6.11: three flows on one link, two on another, one alone.
        ([[0], [0], [0, 1], [1], [2]], [1.0, 1.0, 1.0], [1 / 3, 1 / 3, 1 / 3, 2 / 3, 1.0]),
        ([[0]] * 3 + [[0, 1]], [1e-9, 1e12], [2.5e-10] * 4),
    ],
)
def test_known_answers(lists, capacity, rates):
    assert max_min_rates(Paths.from_lists(lists), capacity).tolist() == pytest.approx(rates, rel=1e-12)


def test_shares_load_a_link_in_part():
    split = Paths([0, 2, 3], [0, 1, 0], [0.5, 0.5, 1.0])
    assert max_min_rates(split, [3.0, 3.0]).tolist() == [2.0, 2.0]


def test_nothing_to_share():
    nothing = Paths.from_lists([])
    assert max_min_rates(nothing, [1.0]).shape == (0,)
    assert max_min_rates(nothing, []).shape == (0,)
    assert check_max_min(nothing, [], []).shape == (0,)


def test_one_weight_for_all_changes_nothing():
    paths = Paths.from_lists([[0, 1], [0], [1]])
    assert max_min_rates(paths, [10.0, 4.0], 7.0).tolist() == pytest.approx([2.0, 8.0, 2.0])


@pytest.mark.parametrize(
    ("capacity", "weights", "message"),
    [
        ([1.0], None, "links: found link 1, expected less than 1"),
        ([[1.0, 1.0]], None, "capacity: found shape"),
        ([1.0, 0.0], None, r"capacity\[1\]: found 0.0, expected more than 0"),
        ([1.0, -1.0], None, r"capacity\[1\]: found -1.0"),
        ([np.nan, 1.0], None, r"capacity\[0\]: found nan"),
        ([1.0, 1.0], [1.0], r"weights: found shape \(1,\), expected \(2,\)"),
        ([1.0, 1.0], [1.0, 0.0], r"weights\[1\]: found 0.0, expected a finite number of more than 0"),
        ([1.0, 1.0], [1.0, np.nan], r"weights\[1\]: found nan"),
        ([1.0, 1.0], [np.inf, 1.0], r"weights\[0\]: found inf"),
        ([1.0, 1.0], ["x", 1.0], "weights: found values that are no numbers"),
    ],
)
def test_bad_input(capacity, weights, message):
    with pytest.raises(FlowError, match=message):
        max_min_rates(Paths.from_lists([[0], [1]]), capacity, weights)


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ([1.0], r"rates: found shape \(1,\), expected \(2,\)"),
        ([1.0, np.nan], r"rates\[1\]: found nan, expected 0 or more"),
        ([1.0, -1.0], r"rates\[1\]: found -1.0, expected 0 or more"),
        ([1.0, 1.0], "flow 1: found rate 1, expected a finite rate where limited"),
        ([np.inf, np.inf], "flow 0: found rate inf"),
    ],
)
def test_bad_rates(rates, message):
    with pytest.raises(FlowError, match=message):
        check_max_min(Paths.from_lists([[0], []]), [1.0], rates)


# The instances of the reference table: numpy's default_rng(0), draws in the stated order.


def ends(count, flows):
    """Generator, sources and targets."""
    rng = np.random.default_rng(0)
    source = rng.integers(0, count, flows)
    return rng, source, (source + rng.integers(1, count, flows)) % count


def fat_tree_flows(k, flows):
    """Hosts, edges and pods in order; aggregation index and core of its group drawn per flow."""
    rng, source, target = ends(k**3 // 4, flows)
    return source, target, rng.integers(0, k // 2, flows), rng.integers(0, k // 2, flows)


def compressed(columns):
    """Paths from one column of links per hop, -1 where a flow has none."""
    table = np.stack(columns, axis=1)
    used = table >= 0
    indptr = np.zeros(len(table) + 1, dtype=np.int64)
    np.cumsum(used.sum(axis=1), out=indptr[1:])
    return Paths(indptr, table[used])


def fat_tree_paths(k, flows):
    """Paths of 2, 4 or 6 links on links numbered by hand."""
    source, target, group, core = fat_tree_flows(k, flows)
    half, hosts = k // 2, k**3 // 4
    edge, pod = (source // half, target // half), (source // half**2, target // half**2)
    leaves, climbs = edge[0] != edge[1], pod[0] != pod[1]
    return compressed(
        [
            source,
            np.where(leaves, hosts + edge[0] * half + group, -1),
            np.where(climbs, 2 * hosts + (pod[0] * half + group) * half + core, -1),
            np.where(climbs, 3 * hosts + (pod[1] * half + group) * half + core, -1),
            np.where(leaves, 4 * hosts + edge[1] * half + group, -1),
            5 * hosts + target,
        ]
    )


def torus_paths(k, flows):
    """Dimension order on a cube, link 2 * (axis * nodes + lower node) + direction."""
    _, source, target = ends(k**3, flows)
    columns, node = [], source.copy()
    for axis in range(3):
        stride = k**axis
        ahead = (target // stride - source // stride) % k
        for hop in range(k // 2):
            x = node // stride % k
            upward = 2 * ahead <= k
            moving = np.where(upward, hop < ahead, hop < k - ahead)
            after = node + (np.where(upward, (x + 1) % k, (x - 1) % k) - x) * stride
            lower = np.where(upward, node, after)
            link = 2 * (axis * k**3 + lower) + np.where(upward, 0, 1)
            columns.append(np.where(moving, link, -1))
            node = np.where(moving, after, node)
    assert np.array_equal(node, target)
    return compressed(columns)


class TestReferenceTable:
    def check(self, paths, links, total, least):
        capacity = np.ones(links)
        rates = max_min_rates(paths, capacity)
        assert rates.sum() == pytest.approx(total, abs=5.1e-7)
        assert rates.min() == pytest.approx(least, abs=5.1e-9)
        check_max_min(paths, capacity, rates)

    @pytest.mark.parametrize(
        ("flows", "total", "least"),
        [(100_000, 6811.948784, 0.03448276), (1_000_000, 8029.544589, 0.00595238)],
    )
    def test_fat_tree(self, flows, total, least):
        self.check(fat_tree_paths(32, flows), 49_152, total, least)

    def test_fat_tree_on_the_generators_own_links(self):
        fabric = fat_tree(32, bandwidth=1.0)
        clos = fabric.structure
        source, target, group, core = fat_tree_flows(32, 100_000)
        columns = []
        for end, way in ((source, 0), (target, 1)):
            edge, pod = end // 16, end // 256
            bases = zip(
                clos.cable_base, (end, edge * 16 + group, (pod * 16 + group) * 16 + core), strict=True
            )
            columns.append([2 * (base + cable) + way for base, cable in bases])
        leaves, climbs = source // 16 != target // 16, source // 256 != target // 256
        keep = (np.ones_like(leaves), leaves, climbs)
        up, down = ([np.where(k, c, -1) for k, c in zip(keep, side, strict=True)] for side in columns)
        paths = compressed([*up, *reversed(down)])
        inner = np.delete(np.arange(len(paths.links)), paths.indptr[1:] - 1)
        assert np.array_equal(
            fabric.link_target[paths.links[inner]], fabric.link_source[paths.links[inner + 1]]
        )
        assert np.array_equal(fabric.link_source[paths.links[paths.indptr[:-1]]], source)
        assert np.array_equal(fabric.link_target[paths.links[paths.indptr[1:] - 1]], target)
        self.check(paths, fabric.links, 6811.948784, 0.03448276)

    def test_torus(self):
        fabric = torus((16, 16, 16), bandwidth=1.0)
        _, source, target = ends(4096, 100_000)
        by_hand, routed = torus_paths(16, 100_000), route(fabric, source, target, "dimension_order")
        assert np.array_equal(by_hand.indptr, routed.indptr)
        assert np.array_equal(by_hand.links, routed.links)
        self.check(routed, fabric.links, 2021.197678, 0.01176471)


@pytest.mark.parametrize("light", [1e-9, 1e-12, 1e-20])
def test_weights_of_very_different_size(light):
    rng = np.random.default_rng(19)
    lists = [[0], *([0, int(link)] for link in rng.integers(1, 4, 200))]
    weights = [light, *(10.0 ** rng.uniform(-1, 3, 200))]
    paths, capacity = Paths.from_lists(lists), [3.0, 1.0, 1.0, 0.5]
    rates = max_min_rates(paths, capacity, weights)
    expected = [float(r) for r in naive.max_min(naive.rows(paths), capacity, weights)]
    np.testing.assert_allclose(rates, expected, rtol=1e-9)


def test_a_weight_that_vanishes_beside_another():
    rates = max_min_rates(Paths.from_lists([[0, 1], [1]]), [1.0, 2.0], [1.0, 1e-17])
    assert rates.tolist() == pytest.approx([1.0, 1.0])


def test_text_is_no_number():
    paths = Paths.from_lists([[0]])
    with pytest.raises(FlowError):
        max_min_rates(paths, ["much"])
    with pytest.raises(FlowError):
        check_max_min(paths, [1.0], ["much"])


@pytest.mark.parametrize("power", [-1060, -1000, -3, 5, 900])
def test_only_ratios_of_weights_count(power):
    paths = Paths([0, 2, 3, 5], [0, 1, 1, 0, 1], [0.5, 1.0, 1 / 3, 1.0, 2.0])
    weights = np.array([3.0, 2.0, 7.0])
    scaled = np.ldexp(weights, power)
    assert (
        max_min_rates(paths, [5.0, 7.0], scaled).tolist()
        == max_min_rates(paths, [5.0, 7.0], weights).tolist()
    )
    check_max_min(paths, [5.0, 7.0], max_min_rates(paths, [5.0, 7.0], scaled), scaled)


def test_weights_and_shares_at_the_ends_of_the_range():
    two = Paths.from_lists([[0], [0]])
    for weight in (1.5e308, 5e-324):
        assert max_min_rates(two, [1.0], [weight] * 2).tolist() == [0.5, 0.5]
    thin = Paths([0, 1, 2], [0, 0], [1e-200, 1e-200])
    assert max_min_rates(thin, [1.0], [1e-200, 1e-200]).tolist() == pytest.approx([5e199, 5e199])


@pytest.mark.parametrize(
    ("paths", "capacity", "weights", "message"),
    [
        (Paths([0, 1, 2], [0, 0], [1e-9, 1e-200]), 1.0, [1.0, 1e-200], r"share\[1\]: found 1e-200"),
        (Paths([0, 1], [0], [1e-310]), 1.0, None, r"share\[0\]: found 1e-310"),
        (Paths.from_lists([[0], [0]]), 1.0, [1.0, 5e-324], r"weights\[1\]: found less than 2e-308"),
        (Paths([0, 1, 2], [0, 0], [1.5e308, 1.5e308]), 1.0, None, "flow 0: its rate leaves the range"),
        (Paths([0, 1], [0], [1e-300]), 1e300, None, "flow 0: its rate leaves the range"),
        (Paths.from_lists([[0], [0], [0]]), 5e-324, None, "flow 0: its rate leaves the range"),
    ],
)  # fmt: skip
def test_what_leaves_the_range_is_refused(paths, capacity, weights, message):
    with pytest.raises(FlowError, match=message):
        max_min_rates(paths, [capacity], weights)


@given(problems(), st.data())
def test_certificate_of_capped_rates(problem, data):
    paths, capacity, weights = problem
    caps = data.draw(
        st.lists(st.sampled_from([0.5, 1.0, 3.0, np.inf]), min_size=len(paths), max_size=len(paths))
    )
    rates = max_min_rates(paths, capacity, weights, caps)
    found = check_max_min(paths, capacity, rates, weights, caps)
    for f, link in enumerate(found):
        assert link != -2 or rates[f] == pytest.approx(caps[f])
        assert link < 0 or link in paths[f]
        assert (link == -1) == (rates[f] == np.inf)
    for f in np.flatnonzero(np.isfinite(rates)):
        less = rates.copy()
        less[f] *= 0.99
        with pytest.raises(FlowError):
            check_max_min(paths, capacity, less, weights, caps)


@pytest.mark.parametrize(
    ("rates", "caps", "message"),
    [
        ([1.0, 5.0, 3.0], [0.5, 5.0, np.inf], "flow 0: found rate 1, its cap is 0.5"),
        ([0.5, 5.0, 3.5], [1.0, 5.0, np.inf], "flow 0 has no bottleneck: rate 0.5 could grow"),
        ([1.0, 5.0, 3.0], None, "flow 0 has no bottleneck"),
        ([1.0, 5.0, 3.0], [1.0, 2.0, np.nan], r"caps\[2\]: found nan, expected more than 0"),
        ([1.0, 5.0, 3.0], [1.0, 2.0], r"caps: found shape \(2,\), expected \(3,\)"),
    ],
)
def test_wrong_caps(rates, caps, message):
    paths = Paths.from_lists([[0, 1], [0], [1]])
    with pytest.raises(FlowError, match=message):
        check_max_min(paths, [10.0, 4.0], rates, caps=caps)


@pytest.mark.parametrize("tolerance", [1, True, 1 + 1j, -1, np.nan, 0.002, "0", None, [0.0]])
def test_wrong_tolerance(tolerance):
    with pytest.raises(FlowError, match=r"tolerance: found .*, expected a number from 0 to 0.001"):
        check_max_min(Paths.from_lists([[0]]), [1.0], [1.0], tolerance=tolerance)


def test_wrong_cap_says_which():
    with pytest.raises(FlowError, match=r"caps\[2\]: found nan, expected more than 0"):
        max_min_rates(Paths.from_lists([[0], [0], [0]]), [1.0], caps=[1, 2, np.nan])
