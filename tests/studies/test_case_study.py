"""The case study: our tables on the ideal network, and what fabrics must show."""

import io
import itertools
from dataclasses import replace

import pytest
from click.testing import CliRunner
from rich.console import Console

from topo_sim.base import TopoSimError, UsageError
from topo_sim.cli import main
from topo_sim.inference.roofline import TBT, TTFT
from topo_sim.report.deployments import case_tables
from topo_sim.studies.case_study import TYPES, _normalise, case_study

# Our own reproduction of the method: prefill and decode of 70B, 175B, 405B; serial, then overlapped.
ROWS = {
    "lite": ((0.80, 0.68, 0.55, 0.64, 0.86, 0.54), (1.00, 1.00, 0.71, 0.87, 1.00, 0.72)),
    "lite+netbw": ((0.89, 0.84, 0.77, 0.47, 0.50, 0.37), (1.00, 1.00, 1.00, 0.50, 0.50, 0.58)),
    "lite+netbw+flops": ((0.97, 0.90, 0.82, 0.47, 0.50, 0.37), (1.10, 1.10, 1.10, 0.50, 0.50, 0.58)),
    "lite+membw": ((0.80, 0.68, 0.55, 1.02, 1.45, 0.55), (1.00, 1.00, 0.71, 1.17, 2.00, 0.72)),
    "lite+membw+netbw": ((0.89, 0.84, 0.77, 1.24, 1.72, 0.78), (1.00, 1.00, 1.00, 1.17, 2.00, 1.00)),
}


@pytest.fixture(scope="module")
def study():
    return case_study(fabrics=["lite-flat-switch"])


def test_the_ideal_network_gives_the_tables(study):
    cases = list(itertools.product(("prefill", "decode"), study.models))
    for gpu, ends in ROWS.items():
        for overlap, row in enumerate(ends):
            found = [
                study.point(m, phase, gpu, "ideal", "roofline", float(overlap)).normalised
                for phase, m in cases
            ]
            assert found == pytest.approx(row, abs=0.0051), (gpu, overlap)


def test_every_case_keeps_its_limits(study):
    assert len(study.points) == 3 * 2 * 2 * 2 * 2 * len(TYPES)
    for point in study.points.values():
        if point.gpus:
            assert point.time <= (TTFT if point.phase == "prefill" else TBT)
            assert point.gpus <= (8 if point.gpu == "h100" else 32)
            assert 0 <= point.network_share < 1
        if point.gpu == "h100":
            assert point.normalised == 1


def test_a_fabric_takes_away_and_never_gives(study):
    for point in study.points.values():
        if point.network != "ideal" and point.gpu != "h100":
            ideal = study.point(point.model, point.phase, point.gpu, "ideal", point.operators, point.overlap)
            assert point.per_sm <= ideal.per_sm * (1 + 1e-9)
    keys = [key for key in study.points if key[-1] == 0.0]
    for key in keys:
        assert study.points[key].per_sm <= study.points[(*key[:-1], 1.0)].per_sm * (1 + 1e-9)


def test_the_shapes_that_hold_on_a_fabric(study):
    def value(model, phase, gpu, operators="roofline", overlap=1.0):
        return study.point(model, phase, gpu, "lite-flat-switch", operators, overlap).normalised

    big = "llama3-405b"
    assert value(big, "prefill", "lite") < 0.75 < 0.95 < value(big, "prefill", "lite+netbw")
    for model in study.models:
        for operators in ("roofline", "calibrated"):
            best = max(TYPES[1:], key=lambda gpu: value(model, "decode", gpu, operators, 0.0))
            assert best == "lite+membw+netbw"


def test_latency_of_32_way_tensor_parallelism_shows_and_is_mended(study):
    rows = [row for row in study.collectives if row.rate == 112.5e9]
    assert {row.group for row in rows} == {32}
    small = min(rows, key=lambda row: row.size)
    assert small.ring > 62 * 0.8e-6
    assert small.best < small.ring / 5
    assert all(row.best <= row.ring for row in rows)
    (note,) = [note for note in study.notes if "at 112.5 GB/s" in note]
    assert "252 all-reduces; by ring of 62 steps 12.57 ms, by recursive_doubling 1.19 ms" in note


def test_the_same_seed_gives_the_same_answer():
    what = {"models": ["llama3-8b"], "gpus": ["h100", "lite"], "fabrics": ["lite-flat-switch"], "seed": 7}
    assert case_study(**what).to_dict() == case_study(**what).to_dict()


def test_what_does_not_fit_is_none():
    found = case_study(["llama3-405b"], ["h100", "lite"], ["dgx-h100"], reference_fabric="dgx-h100")
    none = found.point("llama3-405b", "decode", "lite", "dgx-h100", "roofline", 0.0)
    assert (none.gpus, none.per_sm, none.normalised) == (0, 0.0, 0.0)
    assert none.to_dict()["time_s"] is None


def test_bad_questions_are_refused():
    with pytest.raises(UsageError, match="found no models or no GPUs"):
        case_study([], ["h100"])
    with pytest.raises(UsageError, match="found a context of 0"):
        case_study(["llama3-8b"], ["h100"], context=0)
    with pytest.raises(UsageError, match=r"found no dense model.*--operators calibrated"):
        case_study(["mixtral-8x22b"], ["h100", "lite"], [], operators=["roofline"])
    with pytest.raises(UsageError, match="found operators"):
        case_study(["llama3-8b"], ["h100"], [], operators=["measured"])
    for wrong in (
        {"models": ["llama9"]},
        {"gpus": ["h1000"]},
        {"fabrics": ["lite-tours"]},
        {"precision": "fp9"},
    ):
        with pytest.raises(TopoSimError):
            case_study(**{"models": ["llama3-8b"], "gpus": ["h100"], "fabrics": [], **wrong})


def shown(*arguments):
    result = CliRunner().invoke(main, ["inference", "case-study", *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.stdout


def test_what_has_no_answer_says_so_and_why():
    ideal = ("--model", "llama3-405b", "--gpu", "h100", "--gpu", "lite", "--fabric", "lite-flat-switch")
    text = shown(*ideal, "--context", "100000", "--operators", "roofline")
    assert "0.00" not in text
    assert "h100, tokens/s per SM, ideal: none" in text
    assert "none: h100, llama3-405b prefill, ideal, superpod-h100-64: closest is TP 8, TTFT " in text
    assert ", limit 1 s, overlapped" in text
    assert "in brackets" not in text


def test_where_the_reference_alone_has_no_answer_the_others_show_their_own(study):
    key = ("llama3-70b", "prefill", "h100", "ideal", "roofline")
    points = dict(study.points)
    for overlap in (0.0, 1.0):
        lost = points[(*key, overlap)]
        points[(*key, overlap)] = replace(lost, gpus=0, per_sm=0.0, per_dollar=None, per_watt=None, miss="x")
    changed = replace(study, points=_normalise(points, "h100", "superpod-h100-64"))
    point = changed.point("llama3-70b", "prefill", "lite", "ideal", "roofline", 0.0)
    assert point.normalised is None
    console = Console(width=220, record=True, file=io.StringIO())
    console.print(case_tables(changed))
    text = console.export_text()
    assert f"({point.per_sm:.2f}) .. (" in text
    assert "in brackets: tokens/s per SM itself, where h100 has no answer" in text


def test_a_model_with_experts_has_the_calibrated_half():
    text = shown("--model", "mixtral-8x22b", "--gpu", "h100", "--gpu", "lite", "--fabric", "lite-flat-switch")
    assert "roofline: the whole-pass roofline covers dense models alone: --operators calibrated" in text
    assert "calibrated operators: serial .. overlapped" in text


def test_one_gpu_shows_its_own_numbers():
    text = shown("--model", "llama3-8b", "--gpu", "h100", "--fabric", "lite-flat-switch")
    assert "h100 alone: nothing to compare it with" in text
    assert "tokens/s per SM, roofline operators" in text
