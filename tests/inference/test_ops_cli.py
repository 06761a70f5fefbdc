"""`topo-sim inference models` and `ops`: what they print, draw and refuse."""

import csv
import io
import json

import pytest
from click.testing import CliRunner

from topo_sim.cli import main


def run(*arguments):
    return CliRunner().invoke(main, ["inference", *map(str, arguments)])


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_models_as_data():
    records = json.loads(run("models", "--format", "json").stdout)["results"]
    assert {each["name"]: each["kv_bytes_per_token"] for each in records}["deepseek-v3"] == 70272.0
    rows = list(csv.DictReader(io.StringIO(run("models", "--format", "csv").stdout)))
    assert len(rows) == 6
    assert "70.55 G" in run("models").stdout
    assert "70,553,706,496" in run("models", "llama3-70b").stdout


def test_operators_as_data():
    arguments = ("ops", "llama3-70b", "--tp", 8, "--batch", 64)
    result = json.loads(run(*arguments, "--format", "json").stdout)["results"]
    rows = list(csv.DictReader(io.StringIO(run(*arguments, "--format", "csv").stdout)))
    assert [row["name"] for row in rows] == [row["name"] for row in result["operators"]]
    total = sum(int(row["runs"]) * float(row["time_s"]) for row in rows)
    assert total == pytest.approx(result["total"]["time_s"])
    assert result["total"]["roofline_s"] < total
    assert "tokens/s" in run(*arguments).stdout


def test_notes_say_what_is_assumed():
    shown = run("ops", "llama3-405b", "--gpu", "lite", "--tp", 32).stdout
    assert "no operators of it are measured" in shown
    assert "each key-value head is held 4 times" in shown


def test_a_batch_beyond_the_memory_is_noted():
    assert "does not fit" not in run("ops", "llama3-70b", "--tp", 8).stdout
    shown = run("ops", "llama3-8b", "--batch", 1000, "--precision", "bf16").stdout
    need = 2 * 8.03e9 + 1000 * 1500 * 2 * 2 * 32 * 8 * 128  # weights; keys and values of 32 layers
    assert f"take {need / 1e9:.1f} GB of a" in " ".join(shown.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ops"], "expected one of them"),
        (["ops", "llama3-70b", "--fit", "a100_gemm"], "found MODEL and --fit of"),
        (["ops", "llama3-70b", "--check", "nosuch"], "found MODEL and --check of"),
        (["ops", "llama3-70b", "--spread", "nan"], "--spread: found without --fit"),
        (["ops", "--check", "h100_llm_ops", "--start", "h100"], "--start: found without --fit"),
        (["ops", "llama3-70b", "--save", "x.yaml"], "expected constants to save"),
        (["ops", "llama3-7b"], "did you mean"),
        (["ops", "llama3-70b", "--tp", 3], "divisor of 64 heads"),
        (["ops", "llama3-70b", "--tp", 0], "whole numbers from 1 on"),
        (["ops", "llama3-70b", "--batch", -1], "from 1 on"),
        (
            ["ops", "llama3-70b", "--batch", 99999999999999999999],
            "batch: found 1e+20, expected a whole number",
        ),
        (["ops", "llama3-70b", "--context", 10**20], "context: found 1e+20, expected a whole number"),
        (["ops", "llama3-70b", "--gpu", "h1000"], "h100"),
        (["ops", "llama3-70b", "--gpu", "a100"], 'number format "fp8"'),
        (["ops", "llama3-70b", "--precision", "fp9"], "did you mean"),
        (["ops", "llama3-70b", "--kv", "fp7"], "number format"),
        (["ops", "llama3-70b", "--efficiency", "h101"], "did you mean"),
        (["ops", "llama3-70b", "--picture", "x.gif"], ".png, .svg or .pdf"),
        (["ops", "llama3-70b", "--picture", "none/x.png"], "cannot be written"),
        (["ops", "--check", "h100_ops"], "did you mean"),
        (["ops", "--fit", "a100_gemm", "--gpu", "a100", "--spread", "nan"], "spread"),
        (["ops", "--fit", "a100_gemm", "--gpu", "a100", "--spread", "-1"], "spread"),
        (["models", "none.json"], "cannot be read"),
        (["models", "lama3-8b"], "did you mean"),
    ],
)
def test_what_is_refused(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_what_options_change():
    plain = ("ops", "llama3-70b", "--tp", 8, "--phase", "prefill", "--format", "json")

    def total(*more):
        return json.loads(run(*plain, *more).stdout)["results"]["total"]["time_s"]

    usual = total()
    assert total("--unfused") > total("--alone") > 0
    assert total("--sequence-parallel") < usual < total("--unfused")
    assert total("--precision", "bf16") > usual > total("--precision", "fp8-all")


def test_pictures():
    for arguments, name in (
        (("llama3-70b", "--tp", 8), "decode.png"),
        (("deepseek-v3", "--tp", 8, "--ep", 8, "--phase", "prefill"), "prefill.svg"),
        (("--check", "h100_llm_ops"), "check.png"),
        (("--check", "a100_gpt3_layer"), "layer.pdf"),
    ):
        result = run("ops", *arguments, "--picture", name)
        assert result.exit_code == 0, result.stderr
        with open(name, "rb") as file:
            assert len(file.read()) > 5000


def test_a_fit_is_saved_and_used():
    result = run(
        "ops", "--fit", "a100_gemm", "--gpu", "a100", "--start", "h100", "--spread", 0.2, "--save", "a.yaml"
    )
    assert result.exit_code == 0, result.stderr
    shown = run(
        "ops", "gpt3-175b", "--gpu", "a100", "--precision", "fp16", "--tp", 4, "--constants", "a.yaml"
    )
    assert "fitted to 6 rows of a100_gemm" in shown.stdout
