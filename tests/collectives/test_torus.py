"""What algorithms reach on tori: published congestion of Swing, closed forms of rings and all-to-all."""

import math

import numpy as np
import pytest

from topo_sim.base import CollectiveError
from topo_sim.collectives import (
    ALGORITHMS,
    all_to_all_v,
    best_segments,
    build_schedule,
    cost,
    lower_bound,
    replay,
)
from topo_sim.topo import single_switch, torus


def on_torus(collective, name, dims, size=1.0, **options):
    n = math.prod(dims)
    fabric = torus(dims, bandwidth=1.0, latency=0)
    options = {"dims": dims} | options
    return cost(build_schedule(collective, name, n, size, **options), fabric)


@pytest.mark.parametrize(
    ("dims", "congestion"),
    [
        ((8,), 1.286),
        ((64,), 2.143),
        ((256,), 2.788),
        ((4, 4), 1.0000),
        ((8, 8), 1.0952),
        ((16, 16), 1.1412),
        ((32, 32), 1.1701),
        ((8, 8, 8), 1.0274),
        ((16, 16, 16), 1.0342),
    ],
)
def test_congestion_of_swing(dims, congestion):
    n, axes = math.prod(dims), len(dims)
    ideal = 2 * (n - 1) / n / (2 * axes)
    digits = 3 if axes == 1 else 4
    assert round(on_torus("all_reduce", "swing", dims).time / ideal, digits) == congestion


@pytest.mark.parametrize("dims", [(4,), (5,), (8,), (4, 4), (3, 3), (8, 8), (5, 5), (4, 4, 4), (3, 3, 3, 3)])
def test_rings_on_equal_sides_are_optimal(dims):
    n, axes = math.prod(dims), len(dims)
    best = (n - 1) / n / (2 * axes)
    assert on_torus("reduce_scatter", "torus", dims).time == pytest.approx(best, rel=1e-12)
    assert on_torus("all_gather", "torus", dims).time == pytest.approx(best, rel=1e-12)
    both = on_torus("all_reduce", "torus", dims)
    assert both.time == pytest.approx(2 * best, rel=1e-12)
    assert both.fraction == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("dims", "least"), [((4, 8), 0.92), ((8, 4), 0.92), ((4, 8, 8), 0.89), ((3, 5), 0.9), ((4, 2), 0.8)]
)
def test_rings_on_unequal_sides_come_near(dims, least):
    n, ports = math.prod(dims), sum(2 if k > 2 else 1 for k in dims)
    ideal = 2 * (n - 1) / n / ports
    time = on_torus("all_reduce", "torus", dims).time
    assert least <= ideal / time <= 1 + 1e-12
    even = [k for k in dims if k > 2]
    if len(even) == len(dims):
        # No better split of the data exists for stages that wait for each other: try many.
        assert time <= min(_staged(dims, w) for w in np.linspace(0.01, 0.99, 99)) * 1.01


def _staged(dims, weight):
    """Time if the first order of axes has a share of the data, the others an equal share of the rest."""
    axes = len(dims)
    orders = [[(c + i) % axes for i in range(axes)] for c in range(axes)]
    shares = [weight] + [(1 - weight) / (axes - 1)] * (axes - 1)
    total = 0.0
    for i in range(axes):
        total += max(
            share / 2 * (dims[order[i]] - 1) / math.prod(dims[a] for a in order[: i + 1])
            for order, share in zip(orders, shares, strict=True)
        )
    return 2 * total


@pytest.mark.parametrize("dims", [(4,), (8,), (4, 4), (6, 6), (4, 4, 4), (3,), (5,), (5, 5), (3, 3, 3)])
def test_all_to_all_on_equal_sides_is_optimal(dims):
    k, n = dims[0], math.prod(dims)
    effective = k if k % 2 == 0 else (k * k - 1) / k
    result = on_torus("all_to_all", "torus", dims, size=float(n))  # one byte per pair
    assert result.time == pytest.approx(n * effective / 8, rel=1e-12)
    assert result.fraction == pytest.approx(1.0)


@pytest.mark.parametrize("dims", [(4, 8), (8, 4), (4, 4, 8), (6, 3)])
def test_all_to_all_is_held_by_the_longest_even_axis(dims):
    n = math.prod(dims)
    assert on_torus("all_to_all", "torus", dims, size=float(n)).time == pytest.approx(n * max(dims) / 8)


def test_latency_counts_hops():
    fabric = torus((4, 4), bandwidth=1.0, latency=1.0)
    times = {
        ("all_reduce", "torus"): 2 * (3 + 3),
        ("reduce_scatter", "torus"): 3 + 3,
        ("all_to_all", "torus"): 2 + 2,
    }
    for (collective, name), hops in times.items():
        assert cost(build_schedule(collective, name, 16, 0, dims=(4, 4)), fabric).time == hops


def test_two_levels():
    """Groups of 4 at 4 B/s inside and 1 B/s between: each level is charged for what it carries."""
    size, g, q = 32.0, 4, 2
    schedule = build_schedule("all_reduce", "hierarchical", 8, size, group=4)
    inside, across = (s for s in schedule.steps[:2])
    assert [(s.repeat, s.fraction[0]) for s in (inside, across)] == [(g - 1, 1 / g), (q - 1, 1 / (g * q))]
    assert (inside.source // g == inside.target // g).all()
    assert (across.source % g == across.target % g).all()
    three = build_schedule("all_reduce", "hierarchical", 24, size, group="4x2")
    assert [s.repeat for s in three.steps] == [3, 1, 2, 2, 1, 3]
    assert three.options["group"] == (4, 2)


@pytest.mark.parametrize(
    ("collective", "name", "p", "options", "match"),
    [
        ("all_reduce", "torus", 16, {"dims": (4, 5)}, "4x5 makes 20, expected sides that multiply to the 16"),
        ("all_reduce", "torus", 16, {"dims": "4xy"}, "found '4xy', expected whole numbers"),
        ("all_reduce", "torus", 16, {"dims": ()}, "expected whole numbers"),
        ("all_reduce", "torus", 16, {"dims": (4, -4)}, "expected whole numbers"),
        ("all_reduce", "torus", 16, {"dims": (4.0, 4.0)}, "expected whole numbers"),
        ("all_reduce", "swing", 36, {"dims": (6, 6)}, "cannot run on 36 ranks"),
        ("all_reduce", "hierarchical", 12, {"group": 8}, "groups of 8 do not divide the 12 ranks"),
        ("all_to_all", "hierarchical", 12, {"group": 0}, "expected whole numbers"),
        ("all_to_all", "bruck", 12, {"radix": 1}, "radix must be at least 2"),
        ("all_to_all_v", "direct", 2, {"matrix": [[1, 2, 3]]}, "found shape"),
        ("all_to_all_v", "direct", 2, {"matrix": [[1, -2], [0, 0]]}, "found a negative"),
        ("all_to_all_v", "pairwise", 2, {"matrix": [[1, math.nan], [0, 0]]}, "found a negative"),
        ("all_to_all_v", "pairwise", 2, {"matrix": "no"}, "found 'no'"),
        ("all_to_all_v", "pairwise", 2, {"matrix": [[1e308, 1e308], [0, 0]]}, "too large"),
    ],
)
def test_bad_shapes(collective, name, p, options, match):
    with pytest.raises(CollectiveError, match=match):
        build_schedule(collective, name, p, 8, **options)


def test_all_to_all_v_of_nothing():
    for name in ("direct", "pairwise"):
        schedule = build_schedule("all_to_all_v", name, 4, 100, matrix=np.zeros((4, 4)))
        assert schedule.step_count == 0
        result = cost(schedule, torus(4))
        assert (result.time, lower_bound(schedule.collective, torus(4)).pace) == (0.0, 0.0)


@pytest.mark.parametrize("name", ["direct", "pairwise"])
def test_all_to_all_v_of_routed_tokens(name):
    """Skewed experts: the busiest receiver sets the time, and the bound knows it."""
    rng = np.random.default_rng(5)
    matrix = rng.exponential(1e6, (8, 1)) * rng.exponential(1.0, (1, 8)) * (rng.random((8, 8)) < 0.7)
    schedule = all_to_all_v(matrix, name)
    replay(schedule)
    moving = matrix * ~np.eye(8, dtype=bool)
    assert schedule.bytes_sent == pytest.approx(moving.sum())
    busiest = max(moving.sum(axis=0).max(), moving.sum(axis=1).max())
    result = cost(schedule, single_switch(8, bandwidth=1e9, latency=0))
    assert result.lower_bound == pytest.approx(busiest / 1e9)
    assert result.time >= result.lower_bound * (1 - 1e-12)
    if name == "direct":
        assert result.time == pytest.approx(busiest / 1e9)
        assert result.busbw == pytest.approx(1e9)


@pytest.mark.parametrize(
    "matrix", [[], [[1, 2]], [1, 2], "x", [[-1.0]], [[math.nan]], [[1, math.inf], [0, 0]], [[-5, 2], [1, 1]]]
)
def test_bad_matrices(matrix):
    with pytest.raises(CollectiveError, match=r"^matrix: found"):
        all_to_all_v(matrix)


def test_best_segments_of_a_chain():
    p, size, alpha, beta = 64, 1e8, 1e-6, 2e-11
    form = ALGORITHMS["broadcast"]["chain"].closed_form
    best = best_segments(p - 1, size, alpha, beta)
    assert best == round(math.sqrt((p - 2) * size * beta / alpha))
    times = [form(p, size, alpha, beta, segments=k) for k in range(1, 2000)]
    assert best == int(np.argmin(times)) + 1
    assert best_segments(p - 1, 0.0, alpha, beta) == best_segments(1, size, alpha, beta) == 1
    assert best_segments(p - 1, size, 0.0, beta, most=50) == 50


def test_bound_of_a_matrix_is_its_busiest_port():
    matrix = np.array([[5.0, 1, 0], [0, 0, 4], [2, 2, 0]])
    schedule = build_schedule("all_to_all_v", "direct", 3, 6.0, matrix=matrix)
    result = cost(schedule, torus(3, bandwidth=1.0, latency=0))
    # Rank 1 sends 4 bytes over its two ports at once at best; directly, they take one link.
    assert result.lower_bound == pytest.approx(2.0)
    assert result.time == pytest.approx(4.0)
