"""All-to-all-v over the bytes of a file, and what is said where there is none."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from topo_sim.base import UsageError
from topo_sim.cli import main
from topo_sim.collectives import all_to_all_v, cost
from topo_sim.studies import cost_table
from topo_sim.studies.collective_matrix import read_matrix
from topo_sim.topo import single_switch
from topo_sim.topo.files import load_fabric

MATRIX = np.array([[5, 8e6, 1e6], [0, 0, 3e6], [2e6, 0, 0]])


def written(folder, suffix):
    path = folder / f"m{suffix}"
    if suffix == ".npy":
        np.save(path, MATRIX)
    elif suffix == ".json":
        path.write_text(json.dumps(MATRIX.tolist()))
    else:
        path.write_text("\n".join(";".join(map(str, row)) for row in MATRIX.tolist()) + "\n\n")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".json", ".npy"])
def test_the_command_costs_the_bytes_of_a_file(tmp_path, suffix):
    path = written(tmp_path, suffix)
    assert read_matrix(path).tolist() == MATRIX.tolist()
    options = ["--matrix", str(path), "-a", "direct", "--format", "json"]
    found = CliRunner().invoke(main, ["collective", "dgx-h100", *options])
    assert found.exit_code == 0, found.output
    (row,) = json.loads(found.stdout)["results"]["results"]
    direct = cost(all_to_all_v(MATRIX), load_fabric("dgx-h100"))
    assert (row["collective"], row["ranks"], row["size_B"]) == ("all_to_all_v", 3, 9000005.0)
    assert row["time_s"] == pytest.approx(direct.time, rel=1e-12)
    assert row["lower_bound_s"] == pytest.approx(direct.lower_bound, rel=1e-12)
    assert row["algorithm"] == "direct(matrix=3x3 matrix)"


def test_without_a_file_it_says_uniform():
    labels = cost_table(single_switch(4), "all_to_all_v", [1e6]).labels
    assert set(labels) == {"direct(uniform)", "pairwise(uniform)"}
    assert not any("None" in label for label in labels)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "0,1\n2\n", "found no numbers"),
        ("a.csv", "0,x\n2,0\n", "found no numbers"),
        ("a.csv", "0,1,2\n3,4,5\n", "found shape"),
        ("a.csv", "", "found shape"),
        ("a.csv", "0,-1\n2,0\n", "row 0, column 1: found -1.0, expected bytes of 0 or more"),
        ("a.csv", "0,nan\n2,0\n", "row 0, column 1: found nan"),
        ("a.csv", "\xff\n", "found no numbers"),
        ("a.json", "{", "found no numbers"),
        ("a.json", '{"a": 1}', "found no numbers"),
        ("a.json", "[" * 100_000, "found no numbers"),
        ("a.json", "[[" + "9" * 5000 + "]]", "found no numbers"),
        ("a.npy", "no", "found no numbers"),
        ("a.txt", "0", "expected .csv, .json or .npy"),
    ],
)
def test_files_that_are_no_matrix(tmp_path, name, text, said):
    path = tmp_path / name
    path.write_text(text, encoding="latin-1")
    with pytest.raises(UsageError) as caught:
        read_matrix(path)
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert CliRunner().invoke(main, ["collective", "dgx-h100", "--matrix", str(path)]).exit_code == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-c", "all_to_all"], "found the collective all_to_all, expected all_to_all_v"),
        (["--ranks", "4"], "matrix: found 3 rows, expected the 4 ranks"),
        (["-a", "rng"], 'unknown algorithm "rng"'),
    ],
)
def test_a_matrix_that_does_not_fit(tmp_path, options, said):
    path = written(tmp_path, ".npy")
    found = CliRunner().invoke(main, ["collective", "dgx-h100", "--matrix", str(path), *options])
    assert found.exit_code == 2
    assert said in found.output
    with pytest.raises(UsageError, match="found 3 rows, expected at most the 2 of"):
        cost_table(single_switch(2), "all_to_all_v", [1.0], matrix=MATRIX)
    missing = CliRunner().invoke(main, ["collective", "dgx-h100", "--matrix", str(tmp_path / "no.npy")])
    assert missing.exit_code == 2
    assert "cannot be read" in missing.output
