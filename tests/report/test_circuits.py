"""Pictures of circuits: dark is dark, light is light, and everything fits."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from topo_sim.optics import CircuitSchedule
from topo_sim.report.circuits import DARK, draw_circuits, plot_circuits


def rotor(planes, **how):
    return CircuitSchedule.rotor(8, planes, slot=10e-6, delta=2e-6, capacity=1e9, **how)


def boxes(axes):
    return [path.get_extents() for collection in axes.collections for path in collection.get_paths()]


@pytest.mark.parametrize("stagger", [False, True])
def test_bars_cover_the_light_and_nothing_else(stagger):
    schedule = rotor(3, stagger=stagger)
    axes = Figure().subplots()
    draw_circuits(axes, schedule)
    lit = dict.fromkeys(range(3), 0.0)
    for box in boxes(axes):
        lit[round(box.y0 + box.height / 2)] += box.width
        assert box.x0 >= -1e-9
    want = (schedule.period - schedule.dark_time) * 1e6
    assert list(lit.values()) == pytest.approx(want.tolist())
    assert to_hex(axes.get_facecolor()) == DARK
    assert "time (us)" in axes.get_xlabel()


def test_a_configuration_keeps_its_colour():
    schedule = CircuitSchedule.all_stop([[1, 0], [-1, 0], [1, 0]], [1, 1, 1], 0.5, capacity=1.0)
    axes = Figure().subplots()
    draw_circuits(axes, schedule)
    colours = [to_hex(colour) for colour in axes.collections[0].get_facecolor()]
    assert colours[0] == colours[2] != colours[1]
    first, second, _ = boxes(axes)
    assert second.height == pytest.approx(first.height / 2)


def test_until_cuts_the_time(tmp_path):
    schedule = rotor(1)
    figure = plot_circuits([schedule, rotor(2)], ["one", "two"], until=25e-6)
    for axes in figure.axes:
        assert axes.get_xlim() == pytest.approx((0, 25))
    title = figure.axes[0].get_title(loc="left")
    assert title.startswith("one: 1 plane of 8 ports, a plane lit 80.0% and a port 80.0% of the time")
    assert not any("as high as" in text.get_text() for text in figure.axes[0].texts)  # rows of ports
    assert any("as high as the share of ports" in text.get_text() for text in figure.axes[1].texts)
    for suffix in ("png", "svg", "pdf"):
        figure.savefig(tmp_path / f"a.{suffix}")


def test_large_schedules_are_drawn(tmp_path):
    rng = np.random.default_rng(0)
    targets = rng.permuted(np.tile(np.arange(64), (200, 80, 1)), axis=2)
    figure = plot_circuits(CircuitSchedule(targets, np.ones(200), 1.0))
    assert "80 planes of 64 ports" in figure.axes[0].get_title(loc="left")
    figure.savefig(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
