"""The tutorial on inference: its commands and its Python run, and say what it says."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from topo_sim.cli import main

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "inference.md").read_text()
LINES = [
    line
    for block in re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
    if line != "topo-sim inference case-study --picture case-study.png"  # an example of help, run there
]
FABRIC = re.search(r"```yaml\n(.*?)```", TEXT, re.DOTALL).group(1)


@pytest.fixture(autouse=True)
def with_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-torus.yaml").write_text(FABRIC)


@pytest.mark.parametrize("line", LINES)
def test_commands_run(line):
    result = CliRunner().invoke(main, shlex.split(line)[1:])
    assert result.exit_code == 0, result.output
    if "--most 8" in line:
        assert re.search(r"`(none: closest.*?)`", TEXT).group(1) in result.stdout
    if "--picture" in line:
        assert "all-reduce of 2 MiB among 4, 16 groups at once: bidirectional_ring 84.8 us" in result.stdout
        assert re.search(r"TP 4, PP 2 +8 +8 +256 +38\.5", result.stdout)


def test_python_runs(capsys):
    code = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL).group(1)
    exec(compile(code, "docs/inference.md", "exec"), {})
    assert capsys.readouterr().out.startswith("TP 4, PP 2 25.")
