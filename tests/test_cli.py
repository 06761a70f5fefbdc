"""The command line: examples, formats, errors, exit codes."""

import csv
import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from topo_malformed_cases import MALFORMED
from topo_sim.cli import main

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = [
    *("compare", "info", "validate", "collective", "explain", "synthesize", "tune"),
    *("flow", "throughput", "calibrate", "export", "convert", "list"),
]


GROUPS: list[str] = ["gpu", "inference", "optics"]  # every command of theirs is found by itself


def leaves():
    """Every command that is no group, by the words that call it."""
    for name, command in main.commands.items():
        inner = getattr(command, "commands", None)
        yield from ((f"{name} {each}", c) for each, c in inner.items()) if inner else [(name, command)]


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def examples(command):
    """Command lines at the end of a help text."""
    text = run(*command.split(), "--help").output
    lines = text.split("Examples:", 1)[1].splitlines()
    return [line.strip() for line in lines if line.strip().startswith("topo-sim")]


EXAMPLES = [(command, line) for command in ["", *dict(leaves())] for line in examples(command)]
README = (ROOT / "README.md").read_text()
README_BLOCKS = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
README_COMMANDS = [line for line in "\n".join(README_BLOCKS).splitlines() if line.startswith("topo-sim")]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_every_command_is_known_and_has_examples():
    assert sorted(main.commands) == sorted([*COMMANDS, *GROUPS])
    assert {command for command, _ in EXAMPLES} == {"", *dict(leaves())}


@pytest.mark.parametrize(("command", "line"), EXAMPLES, ids=[line for _, line in EXAMPLES])
def test_help_examples_run(command, line):
    result = run(*shlex.split(line)[1:])
    assert result.exit_code == 0, result.output + result.stderr
    assert result.stdout


@pytest.mark.parametrize("line", README_COMMANDS)
def test_readme_commands_run(line):
    result = run(*shlex.split(line)[1:])
    assert result.exit_code == 0, result.output + result.stderr


def test_readme_opens_with_the_two_set_up_commands():
    first, second = (block.strip() for block in README_BLOCKS[:2])
    assert first == "pip install '.[all]' && topo-sim compare"
    assert second == "pip install '.[dev]' && pytest"
    ci = (ROOT / ".ci" / "run").read_text()
    assert "[all,dev]" in ci
    assert re.search(r"^pytest ", ci, re.MULTILINE)


def test_readme_python_examples():
    import doctest

    outcome = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert outcome.attempted >= 8
    assert outcome.failed == 0


def test_readme_links_lead_somewhere():
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    png, svg = folder / "c.png", folder / "c.svg"
    result = run("compare", "--picture", png, "--picture", svg, "--format", "json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout), png, svg


def test_compare_default_fabrics(compared):
    document, png, svg = compared
    fabrics = document["results"]["fabrics"]
    assert [f["name"] for f in fabrics] == [
        *("superpod-h100-64", "lite-grouped", "lite-flat-switch"),
        *("lite-fat-tree", "lite-torus", "lite-circuits"),
    ]
    assert {f["h100_equivalents"] for f in fabrics} == {64.0}
    assert [f["endpoints"] for f in fabrics] == [64] + [256] * 5
    for fabric in fabrics:
        assert (
            0 < fabric["bisection_per_endpoint_low_B_per_s"] <= fabric["bisection_per_endpoint_high_B_per_s"]
        )
        for costs in fabric["collectives"].values():
            times = [cost["time_s"] for cost in costs]
            assert times == sorted(times)
            assert all(0 < cost["lower_bound_s"] <= cost["time_s"] * (1 + 1e-12) for cost in costs)
            assert all(cost["bottleneck"] for cost in costs)
    assert document["schema_version"] == 1
    assert png.read_bytes().startswith(b"\x89PNG")
    text = svg.read_text()
    assert all(f["name"] in text for f in fabrics)


def test_compare_is_the_same_again(compared, tmp_path):
    document, png, _ = compared
    again = run("compare", "--picture", "again.png", "--format", "json")
    assert json.loads(again.stdout)["results"] == document["results"]
    assert Path("again.png").read_bytes() == png.read_bytes()


def test_compare_agrees_with_collective(compared):
    document, *_ = compared
    torus = next(f for f in document["results"]["fabrics"] if f["name"] == "lite-torus")
    best = next(c for c in torus["collectives"]["all_reduce"] if c["size_B"] == 2**28)
    found = json.loads(run("collective", "lite-torus", "--size", "256MiB", "--format", "json").stdout)
    assert found["results"]["results"][0]["time_s"] == best["time_s"]


def test_parameters_change_the_answer():
    line = ["--algorithm", "ring", "--size", "1GiB", "--format", "json"]
    slow = json.loads(run("collective", "lite-torus", *line).stdout)
    fast = json.loads(run("collective", "lite-torus@rate=225 GB/s", *line).stdout)
    also = json.loads(run("collective", "lite-torus", "--set", "rate=225 GB/s", *line).stdout)
    times = [d["results"]["results"][0]["busbw_B_per_s"] for d in (slow, fast, also)]
    assert times[1] == pytest.approx(2 * times[0], rel=1e-2)
    assert times[1] == times[2]


@pytest.mark.parametrize(
    "arguments",
    [
        ["compare", "dgx-h100", "--no-picture"],
        ["info", "dgx-h100"],
        ["collective", "dgx-h100"],
        ["flow", "dgx-h100"],
        ["list"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_formats_and_output_file(arguments):
    table = run(*arguments)
    document = json.loads(run(*arguments, "--format", "json").stdout)
    text = run(*arguments, "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert table.exit_code == 0
    assert document["command"] == arguments[0]
    assert document["program"] == "topo-sim"
    assert rows
    assert all(None not in row for row in rows)
    written = run(*arguments, "--format", "csv", "--output", "out.csv")
    assert written.stdout == ""
    assert Path("out.csv").read_text() == text


@pytest.mark.parametrize(("name", "content"), [c[1:3] for c in MALFORMED], ids=[c[0] for c in MALFORMED])
def test_malformed_files_exit_with_2(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    for command in ("validate", "info"):
        result = run(command, path)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert "Traceback" not in result.stderr
        assert all(line.startswith("topo-sim: ") and name in line for line in result.stderr.splitlines())


def test_there_are_enough_malformed_files():
    assert len({case[2] for case in MALFORMED}) >= 60


def test_validate_as_json_and_to_a_file():
    Path("bad.yaml").write_text("topo_sim: 1\nfabric: {generator: torus, dims: [0], bandwith: 1}\n")
    result = run("validate", "lite-torus", "bad.yaml", "--format", "json")
    assert result.exit_code == 2
    good, bad = json.loads(result.stdout)["results"]
    assert (good["ok"], bad["ok"]) == (True, False)
    assert result.stderr.splitlines() == [f"topo-sim: {fault}" for fault in bad["faults"]]
    assert run("validate", "lite-torus", "--format", "csv").stdout == "file,ok,fault\nlite-torus,True,\n"
    assert run("validate", "lite-torus", "--output", "out.txt").exit_code == 0
    assert Path("out.txt").read_text() == "lite-torus: ok\n"


def test_every_command_takes_seed_format_and_output():
    for _, command in leaves():
        options = {name for option in command.params for name in option.opts}
        assert {"--seed", "--format", "--output"} <= options, command.name


def test_links_are_followed_and_pipes_written_to(tmp_path):
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("real.csv")
    assert run("info", "dgx-h100", "--format", "csv", "-o", tmp_path / "link.csv").exit_code == 0
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text().startswith("name,")
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE, text=True)
    assert run("info", "dgx-h100", "--format", "csv", "-o", tmp_path / "pipe").exit_code == 0
    assert reader.communicate()[0].startswith("name,")


@pytest.mark.parametrize("how", ["PYTHONIOENCODING=cp1252 {}", "{} > /dev/full", "{} >&-"])
def test_output_that_cannot_be_written_is_no_traceback(how):
    command = f"{shlex.quote(sys.executable)} -m topo_sim list routings"
    done = subprocess.run(how.format(command), shell=True, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert done.returncode == (2 if "full" in how else 0)


def test_validate_lists_the_faults_of_all_files():
    Path("a.yaml").write_text("topo_sim: 1\nfabric: {generator: torus, dims: [0]}\n")
    Path("b.yaml").write_text("topo_sim: 2\nfabric: {generator: tours}\n")
    result = run("validate", "a.yaml", "lite-torus", "b.yaml")
    assert result.exit_code == 2
    assert result.stdout == "lite-torus: ok\n"
    assert [line.split(":")[1].strip() for line in result.stderr.splitlines()].count("a.yaml") == 1
    assert result.stderr.count("b.yaml") == 2


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["compare", "no-such-fabric"], "no-such-fabric"),
        (["compare", "lite-torsu"], "lite-torus"),
        (["compare", "lite-torus", "lite-torus"], "twice"),
        (["compare", "dgx-h100", "-c", "all_redcue"], 'did you mean "all_reduce"'),
        (["compare", "dgx-h100", "--algorithm", "rign"], 'did you mean "ring"'),
        (["compare", "dgx-h100", "--size", "1 GB/s"], "--size"),
        (["compare", "dgx-h100", "--size", "-1"], "0 or more"),
        (["compare", "dgx-h100", "--size", "nan"], "--size"),
        (["compare", "dgx-h100", "--overhead", "1 GB"], "--overhead"),
        (["compare", "dgx-h100", "--set", "rate"], "NAME=VALUE"),
        (["compare", "dgx-h100", "--set", "rate=1 GB/s"], 'unknown parameter "rate"'),
        (["compare", "dgx-h100", "--routing", "dimension_order"], "needs a torus or mesh"),
        (["compare", "dgx-h100", "--routing", "ecpm"], 'did you mean "ecmp"'),
        (["compare", "dgx-h100", "--picture", "a.bmp"], ".png"),
        (["compare", "dgx-h100", "--picture", "no/such/folder.png"], "cannot be written"),
        (["collective", "dgx-h100", "--ranks", "9"], "8 endpoints"),
        (["collective", "dgx-h100", "--output", "no/such/folder.txt"], "cannot be written"),
        (
            ["collective", "dgx-h100", "-c", "all_gather", "-a", "recursive_doubling", "--ranks", "6"],
            "6 ranks",
        ),
        (["flow", "dgx-h100", "--pattern", "permutatoin"], 'did you mean "permutation"'),
        (["list", "routing"], 'did you mean "routings"'),
        (["info", ""], "found no such file"),
    ],
)
def test_bad_input_exits_with_2_and_one_line(arguments, fragment):
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert fragment in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "arguments", [["comprae"], ["flow"], ["compare", "--seed", "-1"], ["list", "--format", "x"]]
)
def test_usage_errors_exit_with_2(arguments):
    assert run(*arguments).exit_code == 2


def test_debug_shows_the_traceback():
    from topo_sim.base import TopoSimError

    result = run("--debug", "info", "no-such-fabric")
    assert isinstance(result.exception, TopoSimError)


def test_interrupt_exits_with_130(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("topo_sim.studies.loading.load_all", interrupted)
    result = run("info", "lite-torus")
    assert result.exit_code == 130
    assert "interrupted" in result.stderr


def test_a_failed_run_leaves_the_old_file_whole(monkeypatch):
    Path("out.json").write_text("old")
    assert run("collective", "dgx-h100", "--ranks", "99", "--output", "out.json").exit_code == 2
    assert Path("out.json").read_text() == "old"


def test_one_rank_and_no_bytes():
    one = json.loads(run("collective", "dgx-h100", "--ranks", "1", "--format", "json").stdout)
    assert {r["time_s"] for r in one["results"]["results"]} == {0.0}
    none = json.loads(run("collective", "dgx-h100", "--size", "0", "--format", "json").stdout)
    assert all(r["time_s"] > 0 and r["algbw_B_per_s"] == 0 for r in none["results"]["results"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["explain", "polaris-8", "all_gahter"], 'did you mean "all_gather"'),
        (["explain", "dgx-h100", "all_gather", "--ranks", "1"], "one rank sends nothing"),
        (["explain", "dgx-h100", "all_gather", "--ranks", "9"], "ranks"),
        (["explain", "dgx-h100", "all_gather", "--size", "-1"], "--size"),
        (["explain", "nowhere.yaml", "all_gather"], "nowhere.yaml"),
        (["synthesize", "dgx-h100", "broadcast"], 'cannot synthesize "broadcast"'),
        (["synthesize", "dgx-h100", "all_gather", "--method", "gredy"], 'did you mean "greedy"'),
        (["synthesize", "dgx-h100", "all_gather", "--ranks", "9"], "expected an integer from 1 to 8"),
        (["synthesize", "dgx-h100", "all_gather", "-o", "no/such/folder/s.json"], "cannot be written"),
    ],
)
def test_explain_and_synthesize_refuse_in_one_line(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert "Traceback" not in result.stderr


def test_synthesize_writes_the_schedule_and_prints_the_rest(tmp_path):
    target = tmp_path / "s.json"
    result = run("synthesize", "tpu-v4-4x4x4", "all_gather", "--chunks", 1, "--format", "json", "-o", target)
    assert result.exit_code == 0, result.stderr
    found, schedule = json.loads(result.stdout)["results"], json.loads(target.read_text())["results"]
    assert found["steps"] == len(schedule["steps"]) == 11
    assert found["optimum"]["exact"]
    assert sum(len(step["transfers"]) for step in schedule["steps"]) == found["messages"] == 64 * 63
    again = run("synthesize", "tpu-v4-4x4x4", "all_gather", "--chunks", 1, "--format", "json")
    assert again.stdout == result.stdout


def test_explain_formats():
    text = run("explain", "dgx-h100", "all_gather", "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["size_B"] for row in rows] == ["1048576.0", "1073741824.0"]
    assert {row["optimum_exact"] for row in rows} == {"True"}
    document = json.loads(run("explain", "dgx-h100", "all_gather", "--format", "json").stdout)
    fraction = document["results"]["optimum"]["algbw_fraction_B_per_s"]
    assert fraction == "3600000000000/7"


HELPS = [["--help"], ["--version"], *([*name.split(), "--help"] for name, _ in leaves())]


@pytest.mark.parametrize("arguments", HELPS)
def test_help_imports_click_alone(arguments):
    code = (
        "import sys; from topo_sim.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        "heavy = {'numba', 'numpy', 'networkx', 'scipy', 'matplotlib', 'pydantic', 'rich', 'yaml'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_python_dash_m():
    environment = os.environ | {"NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "topo_sim", "--version"],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert done.stdout.startswith("topo-sim ")


def test_every_option_has_help():
    for name, command in leaves():
        options = [p for p in command.params if isinstance(p, click.Option)]
        assert all(option.help for option in options), name
        assert command.help, name
