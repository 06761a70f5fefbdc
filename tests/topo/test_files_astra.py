"""ASTRA-sim's network files: read by every command that takes a file, written, and every fault."""

import json

import pytest
from click.testing import CliRunner

from topo_sim.base import FaultsError, TopologyError
from topo_sim.cli import main
from topo_sim.topo import fat_tree, load_fabric, save_fabric, torus
from topo_sim.topo.files import astra_network, load_astra, load_topology, save_astra, validate_file

NETWORK = """\
# Comments are allowed.
topology: [ Ring, FullyConnected, Switch ]
npus_count: [ 2, 4, 8 ]
bandwidth: [ 200.0, 100, 741.34 ]  # GiB/s, whatever the unit is called
latency: [ 50.0, 500.0, 936.25 ]
"""


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def network(tmp_path):
    path = tmp_path / "network.yml"
    path.write_text(NETWORK)
    return path


def test_what_it_says(network):
    found = load_astra(network)
    assert found.topology == ("Ring", "FullyConnected", "Switch")
    assert (found.npus_count, found.npus) == ((2, 4, 8), 64)
    assert found.bandwidth == (200.0, 100.0, 741.34)
    assert found.latency == (50.0, 500.0, 936.25)


def test_as_a_fabric(network):
    topology = load_topology(network)
    fabric = topology.fabric
    assert (fabric.name, fabric.family, fabric.ranks) == ("network", "product", 64)
    # 32 rings of two, 16 meshes of four, 8 switches of eight
    assert (fabric.switches, fabric.cables) == (8, 32 * 1 + 16 * 6 + 8 * 8)
    assert fabric.capacity[0] == 200 * 2**30
    assert fabric.latency[-1] == pytest.approx(936.25e-9)
    # Rank = x0 + 2 (x1 + 4 x2): neighbours along the first axis are 0 and 1, along the second 0 and 2.
    edges = set(fabric.graph.edges())
    assert {("gpu0", "gpu1"), ("gpu0", "gpu2"), ("gpu0", "gpu6"), ("gpu0", "sw0"), ("gpu56", "sw0")} <= edges
    assert ("gpu0", "gpu8") not in edges
    assert astra_network(fabric) == load_astra(network)
    assert validate_file(network) == []


def test_round_trips(tmp_path, network):
    fabric = load_fabric(network)
    save_astra(fabric, tmp_path / "again.yml")
    assert load_astra(tmp_path / "again.yml") == load_astra(network)
    save_fabric(fabric, tmp_path / "ours.yaml")
    assert astra_network(load_fabric(tmp_path / "ours.yaml")) == load_astra(network)
    save_astra(torus((4, 8), bandwidth="400 Gb/s"), tmp_path / "torus.yml")
    back = load_fabric(tmp_path / "torus.yml")
    for name in ("kind", "link_source", "link_target", "capacity"):
        assert (getattr(back, name) == getattr(torus((4, 8), bandwidth="400 Gb/s"), name)).all()


def test_json_too(tmp_path):
    path = tmp_path / "network.json"
    path.write_text(json.dumps({"topology": ["Ring"], "npus_count": [8], "bandwidth": [50], "latency": [0]}))
    assert load_fabric(path).ranks == 8


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("latency: [ 50.0, 500.0, 936.25 ]\n", "", "latency: missing, expected a list"),
        ("Ring,", "Rong,", r":2: topology\[0\]: found \"Rong\", expected Ring, FullyConnected, Switch"),
        ("Ring,", "3,", r"topology\[0\]: found 3"),
        ("2, 4, 8", "1, 4, 8", r":3: npus_count\[0\]: found 1, expected an integer of at least 2"),
        ("2, 4, 8", "2.0, 4, 8", r"npus_count\[0\]: found 2.0"),
        ("2, 4, 8", "true, 4, 8", r"npus_count\[0\]: found true"),
        ("2, 4, 8", "2, 4", ":3: npus_count: found 2 values, expected the 3 of topology"),
        ("[ 2, 4, 8 ]", "8", "npus_count: found 8, expected a list with one value per dimension"),
        ("[ 2, 4, 8 ]", "[]", "npus_count: found an empty list"),
        ("200.0", "0", r":4: bandwidth\[0\]: found 0, expected a finite number of more than 0"),
        ("200.0", "-5", r"bandwidth\[0\]: found -5"),
        ("200.0", ".nan", r"bandwidth\[0\]: found a number that is not finite"),
        ("200.0", ".inf", r"bandwidth\[0\]: found a number that is not finite"),
        ("200.0", "50 GB/s", r"bandwidth\[0\]: found \"50 GB/s\", expected a finite number"),
        ("936.25", "-1", r":5: latency\[2\]: found -1, expected a finite number of at least 0"),
        ("latency:", "latencies:", 'unknown key "latencies": did you mean "latency"'),
        ("2, 4, 8", "2, 4, 800000000", "expected at most"),
    ],
)
def test_malformed(network, old, new, message):
    assert old in NETWORK
    network.write_text(NETWORK.replace(old, new, 1))
    with pytest.raises(FaultsError, match=message) as caught:
        load_fabric(network)
    assert all(line.startswith(str(network)) for line in caught.value.faults)
    assert run("info", network).exit_code == 2


def test_a_topology_file_is_still_one(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("topo_sim: 1\nnpus_count: [8]\nfabric: {generator: torus}\n")
    with pytest.raises(FaultsError, match='unknown key "npus_count"'):
        load_fabric(path)


class TestCommands:
    def test_convert(self, tmp_path):
        path = tmp_path / "n.yml"
        done = run("convert", "tpu-v4-4x4x4", "--to", "astra", "--output", path, "--format", "json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["results"]["files"] == [str(path)]
        assert load_astra(path).topology == ("Ring",) * 3
        back = tmp_path / "back.yaml"
        assert run("convert", path, "--to", "topology", "-o", back).exit_code == 0
        assert load_fabric(back).ranks == 64

    def test_convert_refuses(self, tmp_path):
        done = run("convert", "lite-fat-tree", "--to", "astra", "--output", tmp_path / "n.yml")
        assert done.exit_code == 2
        assert "rings, full meshes and ideal switches" in done.stderr
        assert list(tmp_path.iterdir()) == []
        assert run("convert", "tpu-v4-4x4x4", "--to", "astra", "-o", tmp_path / "n.txt").exit_code == 2

    def test_export_and_cost(self, tmp_path):
        path = tmp_path / "ring.xml"
        done = run("export", "dgx-h100", "all_reduce", "ring", "--to", "msccl", "--output", path)
        assert done.exit_code == 0, done.output
        line = ["collective", "dgx-h100", "--size", "1GiB", "--format", "json"]
        ours = json.loads(run(*line, "-a", "ring").stdout)["results"]["results"][0]
        found = run(*line, "--schedule", path)
        theirs = json.loads(found.stdout)["results"]["results"][0]
        assert theirs["time_s"] == pytest.approx(ours["time_s"], rel=1e-9)
        assert (theirs["collective"], theirs["ranks"]) == ("all_reduce", 8)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["all_reduce", "ring", "--to", "mscl"], 'did you mean "msccl"'),
            (["all_reduce", "rng", "--to", "msccl"], 'did you mean "ring"'),
            (["all_reduce", "ring", "--to", "msccl", "--ranks", "9"], "8 endpoints"),
            (["all_reduce", "ring", "--to", "goal", "--size", "9"], "multiple of 8 B"),
            (["all_reduce", "ring", "--to", "goal", "--size", "x"], "--size"),
        ],
    )
    def test_export_refuses(self, tmp_path, arguments, message):
        done = run("export", "dgx-h100", *arguments, "--output", tmp_path / "a")
        assert done.exit_code == 2
        assert message in done.stderr
        assert list(tmp_path.iterdir()) == []

    def test_a_bad_schedule(self, tmp_path):
        path = tmp_path / "bad.xml"
        path.write_text("<algo>\n<gpu>\n")
        done = run("collective", "dgx-h100", "--schedule", path)
        assert done.exit_code == 2
        assert done.stderr.startswith(f"topo-sim: {path}:3: the file: found XML that cannot be read")
        done = run("collective", "dgx-h100", "--schedule", tmp_path / "none.xml")
        assert "cannot be read" in done.stderr


def test_one_fault_is_a_topology_error():
    with pytest.raises(TopologyError, match="found 20 switches"):
        save_astra(fat_tree(4), "nowhere.yml")
