"""Tables, machine-readable output and pictures."""

import json
import math
import os
import stat

import matplotlib.image
import numpy as np
import pytest

from topo_sim.base import UsageError
from topo_sim.report import (
    collective_table,
    comparison_tables,
    plot_comparison,
    save_figure,
    sharing_table,
    to_csv,
    to_json,
    to_text,
    write_text,
)
from topo_sim.studies import compare, cost_table, share_bandwidth
from topo_sim.topo import circuit_switched, single_switch


@pytest.fixture(scope="module")
def comparison():
    return compare(
        ["dgx-h100", "tpu-v4-4x4x4"], collectives=["all_reduce", "all_to_all"], sizes=[2**10, 2**30]
    )


def test_tables_show_every_fabric_and_collective(comparison):
    text = to_text(comparison_tables(comparison), width=200)
    assert text.count("dgx-h100") == text.count("tpu-v4-4x4x4") == 3
    assert "Best all-reduce" in text
    assert "64 endpoints move 8x the bytes of 8" in text
    assert max(map(len, text.splitlines())) <= 200


def test_collective_table_names_bound_and_link():
    text = to_text(collective_table(cost_table(single_switch(4), "all_reduce", [2**20, 0.0])), width=200)
    assert "ports of all endpoints together" in text
    assert "gpu0->switch0 (+" in text


def test_sharing_table_says_that_it_was_checked():
    assert "certificate checked" in to_text(
        sharing_table(share_bandwidth(single_switch(4), "incast")), width=200
    )


def test_json_has_no_infinite_numbers():
    document = json.loads(to_json("x", {"a": math.inf}, {"b": [math.nan, 1.5, (math.inf,)]}))
    assert document["inputs"] == {"a": None}
    assert document["results"] == {"b": [None, 1.5, [None]]}


def test_csv_of_nothing_is_empty():
    assert to_csv([]) == ""


def test_written_files_replace_and_keep_their_mode(tmp_path):
    path = tmp_path / "out.txt"
    write_text(path, "one")
    os.chmod(path, 0o640)
    write_text(path, "two")
    assert path.read_text() == "two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(UsageError, match="cannot be written"):
        write_text(tmp_path, "a folder")
    assert path.read_text() == "two"


def test_picture_size_lines_and_bounds(comparison, tmp_path):
    figure = plot_comparison(comparison)
    curves = [axes for axes in figure.axes if axes.get_xlabel()]
    assert len(curves) == 4
    for axes in curves:
        assert axes.get_title()
        assert axes.get_ylabel()
        solid = [line for line in axes.lines if line.get_linestyle() == "-"]
        dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
        assert len(solid) == len(dashed) == 2
        for line, bound in zip(solid, dashed, strict=True):
            ratio = np.asarray(line.get_ydata()) / np.asarray(bound.get_ydata())
            assert np.all(ratio >= 1 - 1e-9 if axes.get_ylabel() == "time" else ratio <= 1 + 1e-9)
    save_figure(figure, tmp_path / "a.png")
    assert matplotlib.image.imread(tmp_path / "a.png").shape[1] == 1200
    save_figure(figure, tmp_path / "a.svg")
    save_figure(plot_comparison(comparison), tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_picture_of_intervals_and_one_size():
    single = plot_comparison(compare(["lite-circuits"], collectives=["broadcast"], sizes=[0.0]))
    texts = [text.get_text() for axes in single.axes for text in axes.texts]
    assert any(".." in text for text in texts)


def test_intervals_in_tables():
    from topo_sim.report import info_table
    from topo_sim.topo import metrics

    fabric = circuit_switched(16, 4)
    text = to_text(info_table(fabric, metrics(fabric), [("source", "made up")]), width=160)
    assert " .. " in text
    assert "made up" in text


def test_a_barrier_has_no_bandwidth(recwarn):
    found = cost_table(single_switch(8), "barrier", [2**30])
    row = found.rows()[0]
    assert row["algbw_B_per_s"] is row["busbw_B_per_s"] is None
    assert found.to_dict()["results"][0]["algbw_B_per_s"] is None
    text = to_text(collective_table(found), width=200)
    assert "B/s" not in text
    result = compare(["dgx-h100"], collectives=["barrier"], sizes=[2**20])
    assert result.rows()[0]["busbw_B_per_s"] is None
    assert result.to_dict()["fabrics"][0]["collectives"]["barrier"][0]["algbw_B_per_s"] is None
    best = to_text(comparison_tables(result), width=200).partition("Best barrier")[2]
    assert "B/s" not in best
    figure = plot_comparison(result)
    said = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert "barrier: no bytes, no bandwidth" in said
    figure.canvas.draw()
    assert not [str(w.message) for w in recwarn]


@pytest.mark.parametrize("sizes", [[0.0], [1.0], [2.0**20], [0.0, 2.0**30], [3.0]])
@pytest.mark.parametrize("collective", ["all_reduce", "barrier", "all_to_all"])
def test_every_axis_of_a_picture_has_labels(collective, sizes):
    figure = plot_comparison(compare(["dgx-h100"], collectives=[collective], sizes=sizes))
    figure.canvas.draw()
    panels = [axes for axes in figure.axes if axes.get_xlabel()]
    assert len(panels) == (1 if collective == "barrier" else 2)
    for axes in panels:
        for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            shown = [t for t in axis.get_majorticklocs() if low <= t <= high]
            texts = [t.get_text() for t in axis.get_majorticklabels() if t.get_text()]
            assert len(shown) >= 2
            assert len(set(texts)) >= 2
        assert ("0 B has no place" in axes.get_xlabel()) == (0.0 in sizes)


def test_a_comparison_says_that_all_to_all_v_is_uniform():
    text = to_text(comparison_tables(compare(["dgx-h100"], collectives=["all_to_all_v"], sizes=[1e6])), 200)
    assert "all-to-all-v: uniform" in text
