"""``topo-sim gpu failures``: what it prints, draws and refuses."""

import csv
import io
import json
import math
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from topo_sim.cli import main

QUICK = ["--years", "2", "--replicas", "3"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*arguments):
    return CliRunner().invoke(main, ["gpu", "failures", *map(str, arguments)])


def test_spares_table_on_the_command_line():
    for mttr, expected in (("24 h", [1, 1, 2]), ("168 h", [2, 2, 4])):
        result = run("--rate", "0.09 /year", "--mttr", mttr, "--policy", "none", *QUICK, "--format", "json")
        assert result.exit_code == 0, result.stderr
        fleets = json.loads(result.stdout)["results"]["fleets"]
        assert [(f["gpu"], f["rate_from"]) for f in fleets[:3]] == [
            ("h100", "given"),
            ("lite", "area"),
            ("lite", "package"),
        ]
        assert [f["spares_needed"] for f in fleets[:3]] == expected


def test_both_ends_are_in_every_form():
    table = run("--policy", "hot_spares", *QUICK).stdout
    rows = list(csv.DictReader(io.StringIO(run("--policy", "hot_spares", *QUICK, "--format", "csv").stdout)))
    assert {"area", "package"} <= {row["rate_from"] for row in rows}
    assert "lite, area" in table
    assert "lite, package" in table
    assert "independent lives" in table


def test_workers_do_not_change_the_answer():
    answers = [json.loads(run(*QUICK, "--workers", w, "--format", "json").stdout)["results"] for w in (1, 3)]
    assert answers[0] == answers[1]


def test_the_record():
    result = run("--record", "llama3-405b", "--replicas", 30, "--picture", "r.png")
    assert result.exit_code == 0, result.stderr
    assert "35.3%" in result.stdout
    assert Path("r.png").read_bytes().startswith(b"\x89PNG")
    rows = json.loads(run("--record", "llama3-405b", "--replicas", 30, "--format", "json").stdout)["results"]
    assert abs(rows[-1]["mean"] - 419) < 4 * 20.5 / math.sqrt(30)


def test_a_fabric_and_its_picture():
    result = run("lite-fat-tree", "--picture", "f.svg", "--format", "json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)["results"]
    assert found["group"] == 32
    assert {"gpu", "switch", "link-cpo"} == {part["part"] for part in found["parts"]}
    assert "lite-fat-tree" in Path("f.svg").read_text()
    quick = run("lite-torus", "--no-throughput", "--format", "csv")
    assert quick.exit_code == 0
    assert len(list(csv.DictReader(io.StringIO(quick.stdout)))) == 4


def test_a_picture_is_the_same_again():
    for name in ("a.png", "b.png"):
        assert run(*QUICK, "--picture", name).exit_code == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_checkpoints_crashes_hosts_and_domains():
    job = ["--checkpoint", "best", "--write", "1 min", "--crash-rate", "1 /year"]
    laws = ["--part", "host=8", "--domains", "2", "--shape", "0.8", "--repair-law", "exponential"]
    result = run("h100", *job, *laws, *QUICK)
    assert result.exit_code == 0, result.stderr
    assert "Young" in result.stdout
    assert "Daly" in result.stdout


def test_other_numbers_of_spares_and_levels():
    line = ["h100", "lite", "--policy", "rewire", *QUICK, "--format", "json"]
    low, high = (json.loads(run(*line, "--level", level).stdout)["results"] for level in ("low", "high"))
    assert low["fleets"][0]["rate_per_year"] < 0.11 < high["fleets"][0]["rate_per_year"]
    assert low["curve"] == []
    curve = json.loads(run(*line, "--by-spares").stdout)["results"]["curve"]
    assert {point["fleet"] for point in curve} == {"h100", "lite, area", "lite, package", "lite, parts"}
    assert "by number of spares" in run(*line[:-2], "--by-spares").stdout


def test_files_of_ones_own():
    Path("rates.yaml").write_text("parts: {package: {rate: 1 /year}}\n")
    Path("gpus.yaml").write_text("gpus: {mine: {like: lite}}\n")
    result = run(
        "h100", "mine", "--rates", "rates.yaml", "--catalogue", "gpus.yaml", *QUICK, "--format", "json"
    )
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["results"]["fleets"][0]["rate_per_year"] > 1


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["h1000"], 'did you mean "h100"'),
        (["lite-torsu"], "lite-torus"),
        (["h100", "lite-torus"], "expected names of GPUs, or one topology"),
        (["lite-torus", "dgx-h100"], "expected names of GPUs, or one topology"),
        (["h100", "h100"], "twice"),
        (["--count", "0"], "GPUs: found 0"),
        (["--count", "-8"], "GPUs: found -8"),
        (["--group", "7"], "group: found 7 for 64 GPUs"),
        (["--group", "0"], "group: found 0"),
        (["--rate", "-1 /year"], "--rate"),
        (["--rate", "nan"], "--rate"),
        (["--rate", "1 GB"], "is a size, expected a failure rate"),
        (["--rate", "200 /year"], "unavailability"),
        (["--mttr", "0 s"], "repair time: found 0.0"),
        (["--mttr", "1 W"], "--mttr"),
        (["--risk", "1.5"], "risk: found 1.5"),
        (["--risk", "nan"], "risk: found nan"),
        (["--spares", "65", "--policy", "rewire"], "spares: found 65 for 64 GPUs"),
        (["--spares", "-1", "--policy", "rewire"], "spares: found -1"),
        (["--policy", "hot_spare"], 'did you mean "hot_spares"'),
        (["--years", "0"], "years: found 0.0"),
        (["--years", "nan"], "years: found nan"),
        (["--years", "1e15"], "fewer years"),
        (["--replicas", "0"], "replicas: found 0"),
        (["--workers", "0"], "workers: found 0"),
        (["--checkpoint", "0 s"], "checkpoint interval: found 0.0"),
        (["--checkpoint", "best"], "time to write above 0"),
        (["--write", "-1 s"], "--write"),
        (["--domains", "0"], "domains: found 0"),
        (["--domains", "3", "--policy", "hot_spares"], "domains: found 3"),
        (["--shape", "0"], "Weibull shape"),
        (["--repair-law", "fixd"], 'did you mean "fixed"'),
        (["--part", "host"], "expected NAME=GPUS"),
        (["--part", "hots=8"], 'did you mean "host"'),
        (["--record", "llama"], "unknown record"),
        (["--level", "middle"], 'unknown level "middle"'),
        (["lite-torus", "--level", "hgh"], 'did you mean "high"'),
        (["h100", "--record", "llama3-405b"], "expected it alone"),
        (["--spares", "2", "--domains", "8"], "found 2 for 8 domains, expected a multiple"),
        (["--record", "llama3-405b", "--count", "5"], "--count: found with a record"),
        (["--record", "llama3-405b", "--policy", "none"], "--policy: found with a record"),
        (["lite-torus", "--count", "5"], "--count: found with a fabric"),
        (["lite-torus", "--policy", "none"], "--policy: found with a fabric"),
        (["lite-torus", "--years", "2"], "--years: found with a fabric"),
        (["h100", "--gpu", "lite"], "--gpu: found with GPU types"),
        (["h100", "--set", "x=3"], "--set: found with GPU types"),
        (["h100", "--throughput"], "--throughput: found with GPU types"),
        (["--no-throughput"], "--throughput: found with GPU types"),
        (["--part", "host=1000"], "GPUs that need it: found 1000, expected a whole number from 1 to 64"),
        (["--rates", "nowhere.yaml"], "nowhere.yaml"),
        (["--catalogue", "nowhere.yaml"], "nowhere.yaml"),
        (["--picture", "a.bmp"], ".png"),
        (["--picture", "no/such/a.png"], "cannot be written"),
        (["lite-torus", "--group", "7"], "group: found 7 for 256 endpoints"),
        (["lite-torus", "--gpu", "h1000"], "h100"),
        (["lite-torus", "--samples", "0"], "samples: found 0"),
    ],
)
def test_bad_input_is_one_line(arguments, fragment):
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert fragment in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""


def test_silicon_is_equal_as_nearly_as_whole_groups_can_be():
    """36 B200 once stood for 64 H100s: a tenth more silicon, compared as equal."""
    result = run("h100", "b200", "mi300x", "lite", "--policy", "none", *QUICK, "--format", "json")
    assert result.exit_code == 0, result.stderr
    fleets = json.loads(result.stdout)["results"]["fleets"]
    assert {f["gpu"]: f["gpus"] for f in fleets} == {"h100": 64, "b200": 32, "mi300x": 56, "lite": 256}
    for fleet in fleets:
        assert fleet["silicon_equivalents"] == pytest.approx(fleet["gpus"] * fleet["silicon_share"])
        assert abs(fleet["silicon_equivalents"] - 64) <= fleet["silicon_share"] * fleet["group"] / 2
    table = run("h100", "b200", "--policy", "none", *QUICK).stdout
    assert "in h100s" in table
    assert "as nearly as whole groups have it" in table
    assert "equal silicon" not in table


def test_small_counts_have_small_groups():
    for count, group in ((1, 1), (4, 4), (12, 4), (64, 8)):
        result = run("h100", "--count", count, "--policy", "none", *QUICK, "--format", "json")
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["results"]["fleets"][0]["group"] == group


def test_times_as_they_are_printed_are_read():
    for mttr in ("72 h", "3 days", "3 d", "3 day"):
        found = run("h100", "--mttr", mttr, "--policy", "none", *QUICK)
        assert found.exit_code == 0, found.stderr
        assert "3 days to repair" in found.stdout


def test_one_life_of_a_record_has_no_spread():
    result = run("--record", "llama3-405b", "--replicas", 1)
    assert result.exit_code == 0, result.stderr
    assert not re.search(r"\bnan\b", result.stdout)
    assert "100.0% of the lives" not in result.stdout
    assert "one life only" in result.stdout


def test_documents_do_not_depend_on_the_number_of_workers():
    one, three = (run("h100", *QUICK, "--workers", w, "--format", "json").stdout for w in (1, 3))
    assert one == three
    power = ["gpu", "power", "h100", "--samples", "20", "--format", "json", "--workers"]
    one, three = (CliRunner().invoke(main, [*power, w]).stdout for w in ("1", "3"))
    assert one == three != ""


def test_large_fabrics_say_how_to_be_quick(monkeypatch):
    monkeypatch.setattr(sys.modules["topo_sim.commands.gpu.failures"], "_MANY", 64)
    assert "--no-throughput leaves it out" in run("lite-torus").stderr
    assert run("lite-torus", "--no-throughput").stderr == ""
