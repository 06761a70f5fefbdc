"""topo-sim tune: formats, files, pictures, and what is refused."""

import csv
import io
import itertools
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from topo_sim.cli import main


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tune", "dgx-h100", "--low", "8", "--high", "4"], "low, high: found 8 and 4 B"),
        (["tune", "dgx-h100", "--low", "-1"], "--low"),
        (["tune", "dgx-h100", "--high", "nan"], "--high"),
        (["tune", "dgx-h100", "--size", "1 s"], "--size"),
        (["tune", "dgx-h100", "--size", "8", "--low", "4"], "expected sizes or a span"),
        (["tune", "dgx-h100", "-a", "rign"], 'did you mean "ring"'),
        (["tune", "dgx-h100", "all_redcue"], 'did you mean "all_reduce"'),
        (["tune", "dgx-h100", "--model", "fliud"], 'did you mean "fluid"'),
        (["tune", "dgx-h100", "--ranks", "9"], "8 endpoints"),
        (["tune", "dgx-h100", "--picture", "a.bmp"], ".png"),
        (["tune", "dgx-h100", "--nccl", "no/such/folder.csv"], "cannot be written"),
        (["tune", "dgx-h100", "all_to_all", "--nccl", "a.csv"], "that NCCL has there"),
    ],
)
def test_tune_refuses_in_one_line(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not Path("a.csv").exists()


def test_tune_formats():
    line = ["tune", "dgx-h100", "all_reduce", "broadcast", "--high", "64MiB"]
    result = run(*line, "--format", "json", "--nccl", "n.csv", "--picture", "n.svg")
    assert result.exit_code == 0, result.stderr
    reduced, broadcast = json.loads(result.stdout)["results"]
    assert (reduced["collective"], broadcast["collective"]) == ("all_reduce", "broadcast")
    for found in (reduced, broadcast):
        spans = [(one["low_B"], one["high_B"]) for one in found["ranges"]]
        assert spans[0][0] == 1024
        assert spans[-1][1] == 2**26
        assert all(a[1] + 1 == b[0] for a, b in itertools.pairwise(spans))
        assert all(0 < one["fraction_of_bound_at_high"] <= 1 for one in found["ranges"])
    rows = list(csv.DictReader(io.StringIO(run(*line, "--format", "csv").stdout)))
    assert [row["algorithm"] for row in rows] == [
        one["algorithm"] for found in (reduced, broadcast) for one in found["ranges"]
    ]
    written = list(csv.DictReader(io.StringIO(Path("n.csv").read_text())))
    assert {(row["collective_type"], row["algorithm"]) for row in written} == {
        ("allreduce", "nvls"),
        ("broadcast", "ring"),
    }
    assert "NCCL has no" in result.stderr
    text = Path("n.svg").read_text()
    assert "all-reduce on dgx-h100" in text
    assert "nvls" in text


@pytest.mark.parametrize(
    "arguments",
    [["--ranks", "1"], ["--size", "0"], ["barrier"], ["--low", "7", "--high", "7"], ["--model", "loggp"]],
    ids=" ".join,
)
def test_tune_draws_whatever_it_finds(arguments):
    result = run("tune", "dgx-h100", *arguments, "--picture", "t.png", "--picture", "t.svg")
    assert result.exit_code == 0, result.output
    assert Path("t.png").read_bytes().startswith(b"\x89PNG")
