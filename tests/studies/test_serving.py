"""Serving runs as a user asks for them: bounds, certificates, seeds, errors of the command."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from topo_sim.base import UsageError
from topo_sim.cli import main
from topo_sim.inference.deployment import Slo
from topo_sim.inference.serving import Requests, Rules, find_workload, make_requests
from topo_sim.report.serving import load_curve_table, serving_tables
from topo_sim.studies.serving import LoadCurve, Question, load_curve, serve_model
from topo_sim.studies.serving_cluster import Failures

CASES = {
    "one pool": {"how": {"instances": 2}},
    "chunks": {"how": {"instances": 2}, "rules": Rules(chunk=512)},
    "two pools": {"how": {"instances": (2, 1)}},
    "unlike pools": {"how": {"instances": (2, 1), "tp": 1, "decode_tp": 2}},
    "round robin, reserving": {
        "how": {"instances": 2},
        "rules": Rules(dispatch="round_robin", memory="reserve"),
    },
    "rooflines": {"how": {"instances": (1, 1), "operators": "roofline", "overlap": 1.0}},
    "failures": {
        "how": {"instances": (2, 2)},
        "failures": Failures(rate=1 / 60, repair=5.0, restart=2.0, policy="none"),
    },
}


def ask(rate, count=1500, seed=1, **more):
    return Question(find_workload("conversation"), rate=rate, count=count, seed=seed, **more)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("rate", [2.0, 60.0])
def test_certificates_hold_at_light_and_at_heavy_load(name, rate):
    case = {**CASES[name]}
    how = case.pop("how")
    run = serve_model("llama3-8b", ask(rate, **case), gpu="h100", **how)
    served = run.served
    assert run.beaten == 0
    integrated, summed = served.little
    assert integrated == pytest.approx(summed, rel=1e-9)
    busy, least = run.work
    assert busy >= least > 0
    assert served.finished.sum() + served.refused.sum() + served.unfinished == 1500
    done = served.finished
    assert served.made[done].tolist() == served.requests.output[done].tolist()
    assert served.sent.sum() == served.made.sum()
    assert 0 <= run.attained <= 1
    assert all(0 < pool.busy <= 1 for pool in run.pools)
    assert (len(run.outages) > 0) == (name == "failures")


def test_light_load_gives_the_time_of_a_prefill_pass():
    requests = Requests(np.arange(20) * 100.0, np.full(20, 1500), np.full(20, 8))
    run = serve_model("llama3-70b", Question(trace=requests), "lite-flat-switch", instances=(2, 2), tp=8)
    alone = run.served.ttft
    np.testing.assert_allclose(alone, alone[0], rtol=1e-9)
    assert run.alone.ttft[0] < alone[0] < 0.5
    assert run.attained == 1.0


def test_goodput_falls_when_the_load_passes_the_capacity():
    curve = load_curve("llama3-8b", ask(None, 3000), gpu="h100", instances=(1, 1), points=6)
    shares = [run.attained for run in curve.runs]
    assert shares[0] > 0.95
    assert shares[-1] < 0.5 * shares[0]
    assert curve.best is not curve.runs[-1]
    for run in curve.runs:
        served = run.served.finished.sum() / run.served.end
        assert served <= run.capacity.rate


def test_same_seed_same_answer_for_any_number_of_workers():
    how = {"gpu": "h100", "instances": 2, "points": 4}
    question = ask(None, 400, failures=Failures(rate=1 / 600, repair=30.0, restart=5.0))
    one = load_curve("llama3-8b", question, workers=1, **how)
    three = load_curve("llama3-8b", question, workers=3, **how)
    assert json.dumps(one.to_dict()) == json.dumps(three.to_dict())
    other = load_curve("llama3-8b", ask(None, 400, seed=2), **how)
    assert json.dumps(one.to_dict()) != json.dumps(other.to_dict())


def test_a_strict_limit_is_harder_and_a_wide_one_met_by_all():
    mean, strict = (
        serve_model(
            "llama3-8b", ask(20.0, slo=Slo(0.3, 0.02), strict=strict), gpu="h100", instances=1
        ).attained
        for strict in (False, True)
    )
    assert strict < mean
    wide = serve_model("llama3-8b", ask(20.0, slo=Slo(1e6, 1e6)), gpu="h100", instances=1)
    assert wide.attained == 1.0
    assert wide.goodput == pytest.approx(wide.rate, rel=0.1)


def test_spares_keep_goodput():
    """Failures often enough to matter: a spare serves again after a swap, not after a repair."""
    shares = []
    for policy, spares in (("none", 0), ("rewire", 3)):
        failures = Failures(1 / 100, repair=3600.0, restart=5.0, policy=policy, spares=spares)
        found = serve_model("llama3-8b", ask(40.0, 6000, failures=failures), gpu="h100", instances=3)
        shares.append(found.attained)
    assert shares[1] > shares[0] + 0.1


def run(*arguments):
    return CliRunner().invoke(main, ["inference", "serve", *map(str, arguments)])


def test_the_command_writes_rows_for_requests_and_runs(tmp_path):
    each = tmp_path / "each.csv"
    found = run("llama3-8b", "--rate", "4/s", "--requests", 50, "--format", "json", "--each", each)
    assert found.exit_code == 0, found.output
    result = json.loads(found.stdout)["results"]
    assert result["finished"] == 50
    assert len(result["over_time"]) == 60
    assert result["faster_than_alone"] == 0
    rows = list(csv.DictReader(io.StringIO(each.read_text())))
    assert len(rows) == 50
    assert all(float(r["latency_s"]) >= float(r["least_latency_s"]) for r in rows)


def test_a_trace_comes_back_as_it_was(tmp_path):
    trace = tmp_path / "trace.csv"
    trace.write_text("arrival_s,prompt_tokens,output_tokens\n" + "".join(f"{i},100,3\n" for i in range(20)))
    found = run("llama3-8b", "--trace", trace, "--format", "csv", "--warmup", 0)
    row = next(csv.DictReader(io.StringIO(found.stdout)))
    assert found.exit_code == 0
    assert row["requests"] == "20"
    assert float(row["rate_per_s"]) == 1.0
    assert float(row["attained"]) == 1.0


def test_requests_that_all_come_at_once_have_no_rate(tmp_path):
    trace = tmp_path / "trace.csv"
    trace.write_text("arrival_s,prompt_tokens,output_tokens\n" + "0,100,3\n" * 5)
    found = run("llama3-8b", "--trace", trace, "--picture", tmp_path / "a.png")
    assert found.exit_code == 0
    assert "all at once" in found.stdout
    assert "inf" not in found.stdout.replace("Pools", "")
    result = json.loads(run("llama3-8b", "--trace", trace, "--format", "json").stdout)["results"]
    assert result["finished"] == 5
    assert result["rate_per_s"] is None
    assert result["goodput_per_s"] == pytest.approx(5 / result["end_s"])
    assert result["tokens_per_s"] == pytest.approx(15 / result["end_s"])


def test_pictures_are_drawn(tmp_path):
    for name, more in (("a.png", ("--failures", "20/h", "--mttr", "1 min")), ("b.svg", ("--sweep", 2))):
        found = run("llama3-8b", "--requests", 60, "--instances", 2, *more, "--picture", tmp_path / name)
        assert found.exit_code == 0, found.output
        assert (tmp_path / name).stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--rate", "0/s"], "expected a finite number above 0"),
        (["--rate", "nan"], "no quantity"),
        (["--rate", "-3/s"], "0 or more"),
        (["--rate", "5 GB/s"], "request rate"),
        (["--requests", "0"], "requests: found 0"),
        (["--workload", "codding"], "coding"),
        (["--prompt", "0"], "--prompt: found 0"),
        (["--trace", "nowhere.csv"], "cannot be read"),
        (["--fabric", "lite-flat-switch", "--tp", "8", "--instances", "33"], "264 GPUs"),
        (["--fabric", "lite-flat-switch", "--tp", "8", "--instances", "32", "--failures", "1 /year",
          "--spares", "1"], "257 GPUs"),
        (["--tp", "7"], "divisor of 32 heads"),
        (["--tp", "0"], "TP"),
        (["--instances", "0"], "instances: found 0"),
        (["--instances", "2", "--prefill-instances", "1"], "expected one or the other"),
        (["--prefill-instances", "1"], "--decode-instances"),
        (["--spares", "2"], "--spares: found without --failures"),
        (["--mttr", "1 h"], "--mttr: found without --failures"),
        (["--swap", "1 h"], "--swap: found without --failures"),
        (["--restart", "1 h"], "--restart: found without --failures"),
        (["--policy", "none"], "--policy: found without --failures"),
        (["--routing", "nosuch"], "--routing: found without --fabric"),
        (["--failures", "1e9/s", "--requests", "10"], "--failures: found 1e+09/s"),
        (["--until", "1 ns"], "no request to judge"),
        (["--rate", "1e-6/s"], "expected all before 8,388,608 s"),
        (["--block", "10000000"], "--block: found blocks of 10,000,000 tokens"),
        (["--failures", "1 /year", "--policy", "none", "--spares", "2"], "uses none"),
        (["--ttft", "0 s"], "TTFT of 0"),
        (["--warmup", "1"], "warmup"),
        (["--batch", "0"], "batch: found 0"),
        (["--chunk", "100"], "more than the 256 sequences"),
        (["--until", "0 s"], "horizon"),
        (["--memory-share", "0"], "memory share"),
        (["--picture", "x.jpg"], ".png, .svg or .pdf"),
        (["--set", "rate=1GB/s"], "--fabric"),
        (["--sweep", "2", "--each", "x.csv"], "expected one of them"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_exit_code_2(arguments, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = run("llama3-8b", *arguments)
    assert found.exit_code == 2, found.output
    assert text in found.stderr
    assert "Traceback" not in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("more", [(), ("--failures", "1 /year")])
@pytest.mark.parametrize("policy", ["foo", "shrink", "hotspares"])
def test_a_policy_is_one_of_those_that_an_instance_can_follow(policy, more):
    found = run("llama3-8b", "--policy", policy, *more)
    assert found.exit_code == 2
    assert "'none', 'hot_spares', 'rewire'" in found.stderr
    with pytest.raises(UsageError, match="heads would not divide"):
        Failures(policy="shrink")


def test_a_model_that_does_not_fit_says_by_how_much_and_what_would():
    found = run("llama3-405b", "--fabric", "lite-flat-switch", "--tp", 16)
    assert found.exit_code == 2
    assert "GB too few" in found.stderr
    assert "TP 32 fits" in found.stderr
    with pytest.raises(UsageError, match="no TP up to 8 GPUs fits"):
        serve_model("llama3-405b", ask(1.0), "dgx-h100", tp=2, memory_share=0.3, instances=(1, 1))


def asked(tmp_path, *arguments, rows=(), head="arrival_s,prompt_tokens,output_tokens"):
    """Serve rows of a trace."""
    trace = tmp_path / "trace.csv"
    trace.write_text("\n".join([head, *rows]) + "\n")
    return run("llama3-8b", "--gpu", "h100", "--trace", trace, *arguments)


def test_rates_of_a_burst_are_measured_to_its_last_token():
    more = ("--requests", 500, "--instances", 1, "--ttft", "1 h", "--tbt", "1 min", "--format", "json")
    found = run("llama3-8b", "--rate", "1e9/s", *more)
    result = json.loads(found.stdout)["results"]
    assert not result["steady"]
    begin, end = result["rates_begin_s"], result["rates_end_s"]
    assert end == result["end_s"]
    asked = find_workload("coding")
    sent = make_requests(asked, 1e9, 500, seed=result["seed"]).output.sum()
    assert result["tokens_per_s"] == pytest.approx(sent / (end - begin), rel=1e-9)
    assert result["goodput_per_s"] == pytest.approx(500 / (end - begin), rel=1e-9)
    assert result["goodput_per_s"] <= result["capacity_per_s"]


def test_goodput_of_two_requests_is_below_the_capacity_at_any_rate(tmp_path):
    more = ("--instances", 1, "--warmup", 0, "--sweep", 2, "--format", "json")
    found = asked(tmp_path, *more, rows=("0,100,10", "1,200,20"))
    for each in json.loads(found.stdout)["results"]["runs"]:
        assert each["attained"] == 1.0
        assert 0 < each["goodput_per_s"] <= each["capacity_per_s"]
        assert each["tokens_per_s"] == pytest.approx(15 * each["goodput_per_s"])


def test_arrivals_too_late_to_be_told_apart_are_refused(tmp_path):
    found = asked(tmp_path, rows=("0,100,10", "1e17,100,10"))
    assert found.exit_code == 2
    assert "expected all before 8,388,608 s" in found.stderr
    assert asked(tmp_path, rows=("0,100,10", "8e6,100,10")).exit_code == 0


def test_an_early_end_is_judged_by_the_requests_that_arrived():
    options = ("--rate", "10/s", "--requests", "1000", "--format", "json")
    found = run("llama3-8b", "--until", "5 s", *options)
    result = json.loads(found.stdout)["results"]
    assert 30 < result["finished"] < 70
    assert result["warmup_requests"] in (3, 4, 5, 6, 7)
    assert result["attained"] > 0.8
    assert result["goodput_per_s"] > 5
    assert result["ttft_mean_s"] > 0


def test_gaps_between_tokens_leave_the_warm_up_out():
    requests = Requests(np.array([0.0, 0.0, 50.0]), np.array([4000, 4000, 100]), np.array([50, 50, 9]))
    one = serve_model("llama3-8b", Question(trace=requests, warmup=0.7), gpu="h100", instances=1)
    assert one.warmup == 2
    assert one.served.gaps.sum() == 8
    assert one.gaps["mean"] == pytest.approx(one.percentiles("tbt")["mean"])


def test_a_trace_names_each_column_once_and_bounds_tokens(tmp_path):
    head = "arrival_s,prompt_tokens,output_tokens,prompt_tokens"
    found = asked(tmp_path, rows=("0,100,10,9",), head=head)
    assert found.exit_code == 2
    assert "2 columns of that name" in found.stderr
    found = asked(tmp_path, rows=("0,1000000000,10",))
    assert "from 1 to 10,000,000" in found.stderr


def test_a_run_that_beats_its_bounds_says_so_aloud():
    found = serve_model("llama3-8b", ask(2.0, 20), gpu="h100", instances=1)
    wrong = replace(found, alone=replace(found.alone, ttft=found.alone.ttft + 1e6))
    for result, loud in ((found, False), (wrong, True)):
        console = Console(record=True, width=200, file=io.StringIO())
        console.print(serving_tables(result))
        console.print(load_curve_table(LoadCurve((result,))))
        assert console.export_text().count("do not trust") == 2 * loud
