"""Faults of light in topology files: where, what was found, what was expected."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from topo_sim.optics.cabling import lay_cables
from topo_sim.optics.checking import light_faults
from topo_sim.optics.power import fabric_power
from topo_sim.optics.site import read_site
from topo_sim.studies.light_paths import budgets_of_file
from topo_sim.studies.validating import validate_topology
from topo_sim.topo.fabric import OCS
from topo_sim.topo.files import list_shipped, load_topology, save_topology

CIRCUITS = {"generator": "circuit_switched", "endpoints": 16, "ports": 2, "medium": "cpo", "latency": "1 us"}
TORUS = {"generator": "torus", "dims": [4, 4], "medium": "cpo", "latency": "1 us"}
CLOSE = {"endpoints_per_rack": 16, "racks_per_row": 4}
SPREAD = {"endpoints_per_rack": 1, "racks_per_row": 4}


@pytest.fixture
def write(tmp_path):
    def write(fabric, optics=None, **more):
        path = tmp_path / "mine.yaml"
        data = {"topo_sim": 1, **more, **({} if optics is None else {"optics": optics}), "fabric": fabric}
        path.write_text(yaml.safe_dump(data, sort_keys=False))
        return str(path)

    return write


@pytest.mark.parametrize("name", list_shipped())
def test_shipped_files_have_no_fault(name):
    assert validate_topology(name) == []


@pytest.mark.parametrize(
    ("fabric", "optics", "place", "text"),
    [
        (
            TORUS | {"medium": "coper"},
            None,
            "fabric.medium",
            'found "coper", expected the name of a medium: did',
        ),
        (CIRCUITS | {"medium": "cpoo"}, None, "fabric.medium", 'did you mean "cpo"'),
        (CIRCUITS | {"medium": "copper"}, None, "fabric.medium", "copper carries no light"),
        (CIRCUITS | {"medium": "microled"}, None, "fabric.medium", "no laser and no sensitivity"),
        (CIRCUITS, {"circuit_switch": "mems_palomar"}, "fabric.medium", "broken by: circulators"),
        (CIRCUITS, {"circuit_switch": "mems_palomar"}, "fabric.medium", "1.31 dB short over 1 pass of mems"),
        (CIRCUITS, {"passes": 3}, "fabric.medium", "over 3 passes of generic"),
        (CIRCUITS, {"circuit_switch": "rotor"}, "optics.circuit_switch", "whose loss is unknown"),
        (
            CIRCUITS,
            {"circuit_switch": "electro_optic"},
            "optics.circuit_switch",
            "found 16 fibres at ocs0 (2 sw",
        ),
        (CIRCUITS, {"circuit_switch": "piezzo"}, "optics.circuit_switch", 'did you mean "piezo"'),
        (
            CIRCUITS,
            {"packet_switch": "tomahawk"},
            "optics.packet_switch",
            "expected the name of a packet switch",
        ),
        (TORUS, {"circuit_switch": "piezo"}, "optics.circuit_switch", "without circuit switches"),
        (TORUS, {"media": {"cpo": {"laser": "5 dBm"}}}, "fabric.medium", "3.51 dB short and 20 m"),
        (TORUS, {"media": {"cpo": {"coupler_loss": "-1 dB"}}}, "optics.media.cpo.coupler_loss", "at least 0"),
        (TORUS, {"media": {"cpo": {"lazer": 1}}}, "optics.media.cpo.lazer", 'did you mean "laser"'),
        (TORUS, {"media": {"cpo": {"penalty": None, "modulator_loss": None}}}, "optics", "modulator_loss"),
        (TORUS, {"media": 3}, "optics.media", "expected a mapping from names"),
        (TORUS, {"floor": {}}, "optics.floor", 'did you mean "floor_plan"'),
        (TORUS, {"floor_plan": 3}, "optics.floor_plan", "found 3, expected a mapping"),
        (TORUS, {"floor_plan": {}}, "optics.floor_plan.racks_per_row", "missing, expected how many racks"),
        (TORUS, {"floor_plan": CLOSE | {"riser": "-1 m"}}, "optics.floor_plan.riser", "0 or more"),
        (TORUS, {"floor_plan": CLOSE | {"riser": "1 s"}}, "optics.floor_plan.riser", "is a time"),
        (
            TORUS,
            {"floor_plan": CLOSE | {"endpoints_per_rack": 0}},
            "optics.floor_plan.endpoints",
            "at least 1",
        ),
        (
            TORUS,
            {"floor_plan": CLOSE | {"endpoints_per_rack": 1.5}},
            "optics.floor_plan.endpoints",
            "an integer",
        ),
        (TORUS, {"floor_plan": CLOSE | {"row_pitch": 1e300}}, "optics.floor_plan.row_pitch", "at most 1e+06"),
        (TORUS, {"floor_plan": CLOSE | {"slack": 1e300}}, "optics.floor_plan.slack", "at most 1e+06"),
        (
            TORUS | {"latency": "5 us"},
            {"fibre": "600 m", "media": {"cpo": {"laser": "16 dBm"}}},
            "optics.fibre",
            "64 of 64 links of cpo beyond its reach, gpu0->gpu1 of 600 m the longest, expected at most 500",
        ),
        (
            TORUS | {"latency": "1 us"},
            {"fibre": "300 m"},
            "fabric",
            "a latency of 1 us on gpu0->gpu1, expected at least 1.5 us: the signal takes that over 300 m",
        ),
        (
            CIRCUITS,
            {"circuit_switches": {"generic": {"ports": 8, "spare_ports": 9}}},
            "optics.circuit_switches.generic",
            "spare_ports: found 9, expected fewer than the 8 ports",
        ),
        (
            CIRCUITS,
            {"circuit_switches": {"mine": {"ports": 8, "spare_ports": 8}}},
            "optics.circuit_switches.mine",
            "spare_ports: found 8",
        ),
        (TORUS, {"fibre": "-3 m"}, "optics.fibre", "0 or more"),
        (TORUS, {"passes": 0}, "optics.passes", "at least 1"),
        (TORUS, {"passes": True}, "optics.passes", "found true"),
        (TORUS, {"catalogue": "no.yaml"}, "optics.catalogue", "cannot be read"),
        (
            TORUS | {"medium": "copper"},
            {"floor_plan": SPREAD},
            "fabric.medium",
            "64 of 64 links of copper beyond",
        ),
        (TORUS | {"latency": "10 ns"}, {"floor_plan": SPREAD}, "fabric", "the signal takes that over"),
    ],
)
def test_each_fault_has_a_place(write, fabric, optics, place, text):
    path = write(fabric, optics)
    faults = validate_topology(path)
    matching = [fault for fault in faults if text in fault]
    assert matching, faults
    for fault in faults:
        assert "\n" not in fault
    where = matching[0].split(": ")[1]
    assert where.startswith(place), matching[0]


def test_lengths_that_no_one_stated_are_not_checked(write):
    fast = TORUS | {"latency": "10 ns"}  # the 20 m of the default take 100 ns
    assert validate_topology(write(fast)) == []
    assert len(validate_topology(write(fast, {"fibre": "20 m"}))) == 1
    assert validate_topology(write(fast | {"medium": "copper"}, {"fibre": "20 m"})) == []  # no fibre in it
    assert validate_topology(write(TORUS, {"fibre": "200 m"})) == []  # 1 us, to the digit


@pytest.mark.parametrize(
    ("name", "device", "needed"),
    [(name, "mems_palomar", 12.307) for name in list_shipped() if name.startswith("tpu-v4")]
    + [(f"lite-circuits-{n}", "mems_lumentum", 11.328) for n in (1024, 4096)],
)
def test_light_of_shipped_files_passes_the_switches_of_the_real_machine(name, device, needed):
    topology = load_topology(name)
    path = next(each for each in budgets_of_file(topology) if each.budget.passes)
    assert (path.budget.switch, path.budget.passes) == (device, 1)
    assert path.budget.laser_needed() == pytest.approx(needed, abs=0.002)
    assert path.budget.closes()
    assert path.budget.laser.mark == "assumed"
    assert path.links == (topology.fabric.medium == topology.fabric.media.index(path.budget.medium)).sum()
    cabling = lay_cables(topology.fabric)
    assert set(cabling.fibres) == set(np.flatnonzero(topology.fabric.kind == OCS).tolist())
    assert max(cabling.fibres.values()) <= read_site(topology).circuit_switch.most_ports
    assert sum(cabling.fibres.values()) == path.links  # two fibres for the two links of a light path
    watts = fabric_power(topology.fabric, read_site(topology)).watts()["circuit switches"]
    assert watts == pytest.approx(topology.fabric.circuit_switches * (108 if "palomar" in device else 150))


def test_a_pod_larger_than_its_switches_is_refused(write):
    large = {"generator": "cube_torus", "dims": [16, 16, 20], "latency": "1 us"}
    optics = {"circuit_switch": "mems_palomar"}
    (fault,) = validate_topology(write(large, optics))
    assert "found 160 fibres at ocs0.0 (48 switches have too many), expected at most 128" in fault
    weak = {"circuit_switch": "mems_palomar", "media": {"pluggable": {"laser": "12 dBm"}}}
    (fault,) = validate_topology(write(large | {"dims": [4, 4, 4]}, weak))
    assert "0.31 dB short over 1 pass of mems_palomar" in fault


def test_lines_of_places_and_names_of_parameters(write):
    path = write(TORUS | {"medium": "$what"}, parameters={"what": "coper"})
    (fault,) = validate_topology(path)
    assert ": fabric.medium: " in fault
    line = int(fault.removeprefix(f"{path}:").split(":")[0])
    assert Path(path).read_text().splitlines()[line - 1].strip() == "medium: $what"


def test_every_place_of_an_unknown_medium(write):
    nodes = [{"name": name} for name in "abc"]
    links = [
        {"source": a, "target": b, "medium": m}
        for a, b, m in (("a", "b", "x1"), ("b", "c", "cpo"), ("c", "a", "x1"))
    ]
    faults = validate_topology(write({"nodes": nodes, "links": links}))
    assert [fault.split(": ")[1] for fault in faults] == ["fabric.links[0].medium", "fabric.links[2].medium"]


def test_what_says_nothing_of_its_medium_is_sound(write):
    nodes, links = [{"name": "a"}, {"name": "b"}], [{"source": "a", "target": "b"}]
    assert validate_topology(write({"nodes": nodes, "links": links}, {"floor_plan": SPREAD})) == []


def test_what_mends_a_fault_mends_it(write):
    palomar = {"circuit_switch": "mems_palomar"}
    assert validate_topology(write(CIRCUITS, palomar | {"media": {"cpo": {"laser": "12.4 dBm"}}})) == []
    assert validate_topology(write(CIRCUITS, palomar | {"media": {"cpo": {"laser": "12.3 dBm"}}})) != []
    assert validate_topology(write(TORUS | {"medium": "copper"}, {"floor_plan": CLOSE})) == []
    stretched = {"floor_plan": SPREAD, "media": {"copper": {"reach": "20 m"}}}
    assert validate_topology(write(TORUS | {"medium": "copper"}, stretched)) == []


def test_the_documented_example_is_sound(tmp_path):
    text = (Path(__file__).resolve().parents[2] / "docs" / "topology-files.md").read_text()
    blocks = [block.partition("```")[0] for block in text.split("```yaml\n")[1:]]
    (block,) = [block for block in blocks if "optics:" in block]
    (tmp_path / "example.yaml").write_text(block)
    assert validate_topology(str(tmp_path / "example.yaml")) == []


def test_circulators_and_palomars_ports(write):
    optics = {"circuit_switch": "mems_palomar", "media": {"cpo": {"laser": "14 dBm"}}}
    assert validate_topology(write(CIRCUITS | {"endpoints": 128}, optics)) == []
    (fault,) = validate_topology(write(CIRCUITS | {"endpoints": 129}, optics))
    assert "found 129 fibres" in fault
    assert "at most 128" in fault


def test_faults_of_the_fabric_come_first(write):
    (fault,) = validate_topology(write(TORUS | {"dims": [4, "4"]}, {"media": 3}))
    assert "fabric.dims[1]" in fault


def test_parameters_reach_into_optics(write, tmp_path):
    path = write(TORUS, {"media": {"cpo": {"laser": "$laser"}}}, parameters={"laser": "20 dBm"})
    assert read_site(load_topology(path)).optics.medium("cpo").laser.typical == 20.0
    topology = load_topology(path, laser="5 dBm")
    assert "3.51 dB short" in light_faults(topology)[0]
    save_topology(topology, tmp_path / "again.yaml")
    assert load_topology(tmp_path / "again.yaml").optics == {"media": {"cpo": {"laser": "5 dBm"}}}


def test_a_catalogue_beside_the_file(write, tmp_path):
    (tmp_path / "light.yaml").write_text("media: {ours: {like: cpo, laser: 5 dBm}}")
    path = write(TORUS | {"medium": "ours"}, {"catalogue": "light.yaml"})
    assert "light of ours" in validate_topology(path)[0]
    (tmp_path / "deep").mkdir()
    save_topology(load_topology(path), tmp_path / "deep" / "moved.yaml")
    moved = load_topology(tmp_path / "deep" / "moved.yaml")
    assert moved.optics["catalogue"] == "../light.yaml"
    assert "light of ours" in light_faults(moved)[0]


def test_optics_must_be_a_mapping(write):
    (fault,) = validate_topology(write(TORUS, [1]))
    assert ": optics: found a list, expected a mapping" in fault


def test_light_of_a_fabric_without_circuits_set(write):
    nodes = [{"name": "a"}, {"name": "b"}, {"name": "o", "kind": "ocs"}]
    links = [
        {"source": "a", "target": "b", "medium": "copper"},
        {"source": "a", "target": "o", "medium": "copper"},
    ]
    faults = validate_topology(write({"nodes": nodes, "links": links}))
    assert faults
    assert all("carries no light" in fault for fault in faults)
