"""Dies per wafer: published figures, every placement legal, none better by search."""

import math

import numpy as np
import pytest

from topo_sim.base import UnknownNameError, UsageError
from topo_sim.gpus.wafer import FORMULAS, Wafer, dies_by_formula, place_dies

MM = 1e-3


def test_published_figures():
    assert dies_by_formula("google", 25.8 * MM, 25.8 * MM) == 78
    assert dies_by_formula("google", 6.7 * MM, 5.0 * MM) == 1887


def test_the_classic_formula():
    for area, without, within in ((814e-6, 63.5, 60.5), (203.5e-6, 300.6, 287.8)):
        side = math.sqrt(area)
        assert round(dies_by_formula("classic", side, side, Wafer(edge=0)), 1) == without
        assert round(dies_by_formula("classic", side, side), 1) == within


def test_eco_chip_is_the_classic_one_of_a_whole_wafer():
    for width in (5 * MM, 20 * MM):
        whole = dies_by_formula("classic", width, width, Wafer(edge=0))
        assert dies_by_formula("eco_chip", width, width) == pytest.approx(whole, rel=1e-12)


def test_reference_placements():
    assert place_dies(26 * MM, 31.3 * MM).dies == 67
    assert place_dies(13 * MM, 15.65 * MM).dies == 294


def naive(width, height, wafer, x, y):
    """Count dies of the grid through (x, y), each corner by itself."""
    px, py = width + wafer.street, height + wafer.street
    n = math.ceil(wafer.diameter / min(px, py)) + 2
    inside = 0
    for i in range(-n, n + 1):
        for j in range(-n, n + 1):
            corners = [(x + i * px + a * width, y + j * py + b * height) for a in (0, 1) for b in (0, 1)]
            inside += all(math.hypot(*corner) <= wafer.radius + 1e-9 for corner in corners)
    return inside


SHAPES = [(26, 31.3), (13, 15.65), (20, 20), (33, 26), (9, 30), (26, 5)]
WAFERS = [Wafer(), Wafer(0.2, 5 * MM, 0.0), Wafer(0.1, 0.0, 1 * MM)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("wafer", WAFERS)
def test_no_search_finds_more(shape, wafer):
    width, height = (side * MM for side in shape)
    placed = place_dies(width, height, wafer)
    assert placed.exact
    draws = np.random.default_rng(3).random((12, 2))
    for x, y in (*draws, (0, 0), (0.5, 0.5), (0, 0.5), (0.5, 0)):
        assert (
            naive(width, height, wafer, x * (width + wafer.street), y * (height + wafer.street))
            <= placed.dies
        )


def fine_search(width, height, wafer, steps):
    """Count over a fine grid of offsets, rows by their chords."""
    px, py = width + wafer.street, height + wafer.street
    best = 0
    k = np.arange(-40, 41)
    x = np.arange(steps)[:, None] / steps * px + k * px
    for y in np.arange(steps) / steps * py:
        total = np.zeros(steps, dtype=int)
        for low in y + k * py:
            far = max(abs(low), abs(low + height))
            if far <= wafer.radius:
                half = math.sqrt(wafer.radius**2 - far**2)
                total += ((x >= -half) & (x + width <= half)).sum(axis=1)
        best = max(best, int(total.max()))
    return best


@pytest.mark.parametrize("shape", [(26, 31.3), (13, 15.65), (21, 17), (30, 25.5)])
def test_a_fine_search_finds_no_more_and_nearly_as_many(shape):
    width, height = (side * MM for side in shape)
    searched = fine_search(width, height, Wafer(), 60)
    assert place_dies(width, height).dies - 2 <= searched <= place_dies(width, height).dies


@pytest.mark.parametrize("shape", [*SHAPES, (6.7, 5.0), (3, 3)])
@pytest.mark.parametrize("wafer", WAFERS)
def test_placed_dies_are_on_the_wafer_and_apart(shape, wafer):
    width, height = (side * MM for side in shape)
    placed = place_dies(width, height, wafer)
    half = np.array([width, height]) / 2
    far = np.abs(placed.centres) + half
    assert (np.hypot(far[:, 0], far[:, 1]) <= wafer.radius + 1e-8).all()
    pitch = 2 * half + wafer.street
    cell = (placed.centres - placed.centres[0]) / pitch
    np.testing.assert_allclose(cell, cell.round(), atol=1e-6)
    assert len(np.unique(cell.round().astype(int), axis=0)) == placed.dies
    assert 0 < placed.used < 1


@pytest.mark.parametrize("shape", [(26, 31.3), (13, 15.65), (6.7, 5.0)])
def test_shots_fit_the_reticle_and_hold_all_dies(shape):
    width, height = (side * MM for side in shape)
    placed = place_dies(width, height)
    columns, rows = placed.per_shot
    street = placed.wafer.street
    size = (columns * (width + street) - street, rows * (height + street) - street)
    assert max(size) <= 33 * MM + 1e-9
    assert min(size) <= 26 * MM + 1e-9
    low = placed.centres - np.array([width, height]) / 2
    inside = np.zeros(placed.dies, dtype=int)
    for shot in placed.shots:
        into = low - shot
        inside += ((into >= -1e-9) & (into + np.array([width, height]) <= np.array(size) + 1e-9)).all(axis=1)
    assert (inside == 1).all()


def test_half_an_h100_die_and_a_street_are_no_half_of_a_reticle():
    assert place_dies(13 * MM, 15.65 * MM).per_shot == (1, 2)
    assert place_dies(12.95 * MM, 15.65 * MM).per_shot == (2, 2)


def test_small_dies_are_a_lower_bound_that_says_so():
    placed = place_dies(1.5 * MM, 1.5 * MM)
    assert not placed.exact
    assert placed.dies > 0.97 * dies_by_formula("classic", 1.5 * MM, 1.5 * MM) * (1.5 / 1.6) ** 2


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ((27, 33), "reticle"),
        ((26, 33.1), "reticle"),
        ((33, 26.5), "reticle"),
        ((0, 5), "width"),
        ((5, -1), "height"),
        ((math.nan, 5), "width"),
        ((5, math.inf), "height"),
        ((0.3, 0.3), "larger one"),
    ],
)
def test_dies_that_cannot_be_are_refused(shape, text):
    with pytest.raises(UsageError, match=text):
        place_dies(*(side * MM for side in shape))


@pytest.mark.parametrize(
    "lengths", [(0.3, -1e-3, 0), (0.3, 0.15, 0), (0.3, 0, -1), (math.nan, 0, 0), (2, 0, 0), (0, 0, 0)]
)
def test_wafers_that_cannot_be_are_refused(lengths):
    with pytest.raises(UsageError):
        Wafer(*lengths)


def test_a_die_that_no_wafer_holds_is_refused():
    with pytest.raises(UsageError, match="that the wafer holds"):
        place_dies(26 * MM, 33 * MM, Wafer(0.03))


def test_formulas_never_go_below_nothing():
    with pytest.raises(UnknownNameError):
        dies_by_formula("clasic", 0.01, 0.01)
    assert all(dies_by_formula(name, 0.2, 0.2) >= 0 for name in FORMULAS)
