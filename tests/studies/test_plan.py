"""Plans: from names to deployments, pictures and clear refusals."""

import json

import pytest
from click.testing import CliRunner

from topo_sim.base import TopoSimError
from topo_sim.cli import main
from topo_sim.report.case_plots import plot_case_study
from topo_sim.report.deployment_plots import plot_plan
from topo_sim.studies.case_study import case_study
from topo_sim.studies.plan import plan_deployment


def run(*arguments):
    return CliRunner().invoke(main, ["inference", *arguments])


def test_the_fabric_names_the_gpu_and_gets_its_rate():
    plan = plan_deployment("llama3-8b", "lite-torus", phases=["decode"], tp=[4], pp=[1])
    assert (plan.gpu, plan.ranks) == ("lite", 256)
    assert plan.network == "lite-torus@rate=112.5 GB/s"
    other = plan_deployment("llama3-8b", "lite-torus", "lite+netbw", phases=["decode"], tp=[4], pp=[1])
    assert other.network == "lite-torus@rate=225 GB/s"
    assert any("made for lite, not for lite+netbw" in note for note in other.notes)
    given = plan_deployment(
        "llama3-8b", "lite-torus", phases=["decode"], tp=[4], pp=[1], settings={"rate": "50 GB/s"}
    )
    assert given.network == "lite-torus@rate=50 GB/s"
    slower, faster = (each.phases[0].search.best.per_sm for each in (given, plan))
    assert slower < faster


def test_a_better_network_is_never_worse():
    best = {}
    for fabric in (None, "lite-flat-switch", "lite-torus"):
        plan = plan_deployment("llama3-70b", fabric, "lite", phases=["decode"], tp=[8], keep=1)
        best[fabric] = plan.phases[0].search.best.per_sm
    assert best[None] >= best["lite-flat-switch"] >= best["lite-torus"]


def test_the_frontier_rises_with_the_limit():
    plan = plan_deployment("llama3-8b", gpu="lite", most=8, frontier=True)
    for phase in plan.phases:
        times = [each.time for each in phase.frontier]
        rates = [each.per_sm for each in phase.frontier]
        assert times == sorted(times)
        assert rates == sorted(rates)
        assert len(rates) > 3
    assert plot_plan(plan).axes[0].get_title(loc="left").startswith("Prefill: throughput")


def test_the_same_question_has_the_same_answer():
    what = {"fabric": "lite-circuits", "phases": ["decode"], "most": 4, "seed": 3}
    assert plan_deployment("llama3-8b", **what).to_dict() == plan_deployment("llama3-8b", **what).to_dict()


def test_pictures_can_be_drawn(tmp_path):
    study = case_study(["llama3-8b"], ["h100", "lite"], ["lite-flat-switch"])
    for operators in ("calibrated", "roofline"):
        figure = plot_case_study(study, operators, "watt" if operators == "roofline" else "sm")
        assert len(figure.axes) == 2
    result = run(
        "plan", "llama3-405b", "--gpu", "lite", "--most", "4", "--phase", "decode",
        "--picture", str(tmp_path / "none.svg"),
    )  # fmt: skip
    assert result.exit_code == 0
    assert "none: closest is TP 4" in result.stdout
    assert (tmp_path / "none.svg").stat().st_size > 1000


def test_json_and_csv_are_whole():
    result = run("plan", "llama3-8b", "--gpu", "lite", "--phase", "decode", "--format", "json")
    data = json.loads(result.stdout)["results"]
    best = data["phases"][0]["found"][0]
    assert best["time_s"] <= 0.05
    assert sum(best[f"{part}_s"] for part in ("compute", "memory", "launch", "network")) == pytest.approx(
        best["time_s"]
    )
    rows = run("plan", "llama3-8b", "--gpu", "lite", "--format", "csv", "--top", "3").stdout.splitlines()
    assert len(rows) == 7


def test_pools_keep_up_with_each_other():
    plan = plan_deployment("llama3-8b", gpu="lite", most=4, answer=200)
    first, then = (phase.search.best for phase in plan.phases)
    pools = plan.pools
    prefilling = pools.prefill_share * pools.gpus
    assert prefilling * first.per_gpu / 1500 == pytest.approx(pools.requests)
    assert (pools.gpus - prefilling) * then.per_gpu / 200 == pytest.approx(pools.requests)
    assert pools.cache == 1500 * 65536
    assert 0 < pools.port_share < 0.1
    assert plan_deployment("llama3-8b", gpu="lite", most=4, phases=["decode"]).pools is None


@pytest.mark.parametrize(("arguments", "text"), [
    (["llama3-70b", "--answer", "0"], "found answers of 0 tokens"),
    (["llama3-70b", "--tp", "7"], "found TP 7, expected a divisor of 64 heads"),
    (["llama3-70b", "--tp", "0"], "whole number from 1 on"),
    (["llama3-70b", "--ep", "2"], "there are no experts"),
    (["llama3-70b", "--gpu", "h100", "--tp", "16"], "found 16 GPUs"),
    (["llama3-70b", "--tp", "8", "--pp", "2"], "found no layout with TP 8, PP 2 on at most 8 GPUs"),
    (["llama3-70b", "--cp", "2", "--phase", "decode"], "--cp: found 2 with decode alone"),
    (["llama3-70b", "--overlap", "2"], "from 0 to 1"),
    (["llama3-70b", "--overlap", "nan"], "from 0 to 1"),
    (["llama3-70b", "--memory-share", "0"], "memory share"),
    (["llama3-70b", "--tbt", "0 s"], "expected a time above 0"),
    (["llama3-70b", "--tbt", "5 GB"], "--tbt"),
    (["llama3-70b", "--context", "0"], "found a context of 0"),
    (["llama3-70b", "--most", "0"], "from 1 on"),
    (["llama3-70b", "--set", "rate=1GB/s"], "without --fabric"),
    (["llama3-70b", "--fabric", "lite-tours"], "lite-torus"),
    (["llama3-70b", "--fabric", "lite-torus", "--set", "rat=1GB/s"], "rate"),
    (["llama3-70b", "--gpu", "h1000"], "h100"),
    (["llama9-70b"], "llama3-70b"),
    (["nothing/config.json"], "cannot be read"),
    (["llama3-70b", "--precision", "fp9"], "fp8"),
    (["llama3-70b", "--efficiency", "h99"], "h100"),
    (["llama3-70b", "--picture", "plan.gif"], "--picture"),
    (["llama3-70b", "--gpu", "tpu_v4"], "fp8"),
])  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(arguments, text):
    result = run("plan", *arguments)
    assert result.exit_code == 2, result.output
    assert text in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_malformed_configs_are_refused(tmp_path):
    path = tmp_path / "config.json"
    for text in ("", "[1]", '{"model_type": "llama", "hidden_size": 8}', '{"model_type": "nope"}', "{"):
        path.write_text(text)
        result = run("plan", str(path))
        assert result.exit_code == 2
        assert str(path) in result.stderr
        assert "Traceback" not in result.stderr


@pytest.mark.parametrize("wrong", [{"phases": []}, {"phases": ["both"]}, {"operators": "guessed"}])
def test_wrong_names_are_refused(wrong):
    with pytest.raises(TopoSimError, match="expected"):
        plan_deployment("llama3-8b", **wrong)


def test_cp_is_of_prefill_alone():
    result = run("plan", "llama3-8b", "--gpu", "h100", "--cp", "2", "--tp", "1", "--pp", "1")
    assert result.exit_code == 0, result.output
    assert "CP is of prefill alone" in result.stdout
    plan = plan_deployment("llama3-8b", gpu="h100", cp=[2], tp=[1], pp=[1])
    assert {each.layout.cp for each in plan.phases[0].search.found} == {2}
    assert {each.layout.cp for each in plan.phases[1].search.found} == {1}
    with pytest.raises(TopoSimError, match="--cp: found 2 with decode alone"):
        plan_deployment("llama3-8b", phases=["decode"], cp=[2])
    with pytest.raises(TopoSimError, match="found CP 0"):
        plan_deployment("llama3-8b", gpu="h100", cp=[0], tp=[1])


def test_options_of_a_fabric_are_refused_without_one():
    for option, value in (("--routing", "nosuch"), ("--overhead", "1 s"), ("--set", "rate=1 GB/s")):
        result = run("plan", "llama3-8b", "--gpu", "h100", "--phase", "decode", option, value)
        assert result.exit_code == 2
        assert f"{option}: found without --fabric" in result.stderr
