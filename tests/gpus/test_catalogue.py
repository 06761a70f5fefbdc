"""The catalogue of GPUs: what ships, what users add, what is derived, what is refused."""

import copy
import pickle

import pytest

from topo_sim.base import FaultsError, UnknownNameError, UsageError
from topo_sim.base.files.ranges import MARKS, Range
from topo_sim.gpus import Gpu, find_gpu, load_gpus
from topo_sim.topo.files import list_shipped, load_topology

LITES = ["lite", "lite+netbw", "lite+netbw+flops", "lite+membw", "lite+membw+netbw"]


def ranges(gpu):
    for name in Gpu.model_fields:
        value = getattr(gpu, name)
        if isinstance(value, Range):
            yield name, value
        elif name == "compute":
            yield from ((f"compute.{key}", each) for key, each in value.items())


def test_what_ships():
    others = ("a100", "a100-40gb", "h200", "b200", "gb200", "mi300x", "tpu_v4", "tpu_v5p")
    assert list(load_gpus()) == ["h100", *LITES, *others]


@pytest.mark.parametrize("name", list(load_gpus()))
def test_every_number_has_a_source_and_a_mark(name):
    gpu = load_gpus()[name]
    assert gpu.about
    assert gpu.source
    for field, value in ranges(gpu):
        assert value.source, field
        assert value.mark in MARKS, field
        assert 0 < value.low <= value.typical <= value.high, field


@pytest.mark.parametrize("name", LITES)
def test_what_is_recalled_of_the_paper_says_so(name):
    gpu = load_gpus()[name]
    assert gpu.compute["fp8"].mark == gpu.memory_bandwidth.mark == gpu.network_bandwidth.mark == "recalled"
    assert "recalled" in gpu.source


def test_the_doubtful_two_are_ranges():
    gpus = load_gpus()
    for name in ("lite+netbw", "lite+netbw+flops"):
        assert not gpus[name].memory_bandwidth.exact
        assert "doubtful" in gpus[name].memory_bandwidth.source
    assert "doubtful" in gpus["lite+netbw+flops"].compute["fp8"].source
    assert not gpus["lite+netbw+flops"].compute["fp8"].exact


def test_a_quarter_of_an_h100_is_the_lite_row():
    quarter, lite = load_gpus()["h100"].scaled(1 / 4), load_gpus()["lite"]
    same = ("memory", "memory_bandwidth", "network_bandwidth", "sms", "sms_made", "dies", "die_area")
    same += ("die_width", "die_height", "hbm_stacks", "memory_per_stack", "tdp", "idle_power", "l2_cache")
    for field in (*same, "max_gpus", "clock"):
        assert getattr(quarter, field).typical == pytest.approx(getattr(lite, field).typical, rel=1e-9), field
    assert quarter.compute["fp8"].typical == lite.compute["fp8"].typical
    for precision in ("bf16", "int8"):
        assert quarter.compute[precision].typical == pytest.approx(lite.compute[precision].typical, rel=3e-4)
    assert "derived from h100" in quarter.source
    assert {value.mark for field, value in ranges(quarter) if field not in ("clock", "sm_share")} == {
        "computed"
    }


def test_four_quarter_dies_have_twice_the_edge():
    for gpu in (load_gpus()["h100"], load_gpus()["a100"]):
        assert 4 * gpu.scaled(1 / 4).perimeter == pytest.approx(2 * gpu.perimeter, rel=1e-12)
        assert gpu.scaled(1 / 4).power_density == pytest.approx(gpu.power_density, rel=1e-12)


def test_factors_come_on_top_of_the_share():
    h100 = load_gpus()["h100"]
    gpu = h100.scaled(1 / 4, network=2, memory_bandwidth=2, compute=1.1, name="mine")
    assert gpu.name == "mine"
    assert gpu.network_bandwidth.typical == 225e9
    assert gpu.memory_bandwidth.typical == 1676e9
    assert gpu.compute["fp8"].typical == pytest.approx(550e12)
    assert gpu.clock.typical == pytest.approx(1.1 * h100.clock.typical)
    assert gpu.tdp.typical == 175
    assert h100.scaled(1).memory == h100.memory or h100.scaled(1).memory.typical == h100.memory.typical


def test_whole_dies_stay_whole():
    b200, mi300x = load_gpus()["b200"], load_gpus()["mi300x"]
    assert (b200.scaled(1 / 2).dies.typical, b200.scaled(1 / 2).die_area.typical) == (
        1,
        b200.die_area.typical,
    )
    assert b200.scaled(1 / 4).dies.typical == 1
    assert b200.scaled(1 / 4).die_area.typical == pytest.approx(b200.die_area.typical / 2)
    assert mi300x.scaled(1 / 4).dies.typical == 2
    assert load_gpus()["h100"].scaled(2).dies.typical == 2
    for share in (1 / 2, 1 / 4):
        assert b200.scaled(share).silicon == pytest.approx(b200.silicon * share)


@pytest.mark.parametrize("share", [0, -1, float("nan"), float("inf"), 1e9, "a quarter", True, 1e-5])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(UsageError, match="share: found"):
        load_gpus()["h100"].scaled(share)


@pytest.mark.parametrize("factor", ["network", "memory_bandwidth", "compute"])
@pytest.mark.parametrize("value", [0, -2, float("nan")])
def test_factors_that_are_none_are_refused(factor, value):
    with pytest.raises(UsageError, match=f"{factor}: found"):
        load_gpus()["h100"].scaled(1 / 4, **{factor: value})


def test_sms_come_out_whole():
    with pytest.raises(UsageError, match=r"39\.6 of h100's 132 SMs.*40/132"):
        load_gpus()["h100"].scaled(0.3)
    assert load_gpus()["h100"].scaled(1 / 3).sms.typical == 44
    assert load_gpus()["h100"].scaled(40 / 132).sms_made.typical == 43


def test_names_in_capitals_and_near_ones():
    assert find_gpu("H100") is load_gpus()["h100"]
    assert find_gpu("Lite+NetBW+FLOPS").name == "lite+netbw+flops"
    with pytest.raises(UnknownNameError, match='unknown GPU "lite\\+net": did you mean "lite\\+netbw"'):
        find_gpu("lite+net")
    with pytest.raises(UnknownNameError, match="choose from a100"):
        find_gpu("")


def test_a_users_file_changes_and_adds(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "gpus:\n"
        "  h100: {tdp: 350 W}\n"
        "  lite+mine: {like: lite, network_bandwidth: [1 Tb/s, 2 Tb/s], source: our lab}\n"
    )
    gpus = load_gpus([mine])
    assert gpus["h100"].tdp.typical == 350
    assert load_gpus()["h100"].tdp.typical == 700
    assert gpus["lite+mine"].network_bandwidth.high == 250e9
    assert gpus["lite+mine"].memory == gpus["lite"].memory
    mine.write_text("gpus:\n  h100: {tdp: 300 W}\n")
    assert load_gpus([mine])["h100"].tdp.typical == 300


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ("{like: h100, die_area: -1 mm2}", "more than 0"),
        ("{like: h100, sms: 32.5}", "whole number"),
        ("{like: h100, sms: 145}", "expected at least those"),
        ("{like: h100, sms: .nan}", "not finite"),
        ("{like: h100, die_width: 20 mm}", "from its sides"),
        ("{like: h100, die_aera: 1 mm2}", 'did you mean "die_area"'),
        ("{like: h100, compute: {}}", "at least one precision"),
        ("{like: h100, compute: {fp_8: 1 TFLOPS}}", "expected one such as fp8"),
        ("{like: h100, compute: {fp8: 1 GB}}", "is a size"),
        ("{like: h100, idle_power: 800 W}", "more than tdp"),
        ("{like: h10}", 'did you mean "h100"'),
        ("{sms: 3}", "missing"),
        ("3", "expected a mapping"),
    ],
)
def test_what_is_no_gpu_is_refused(tmp_path, record, text):
    mine = tmp_path / "mine.yaml"
    mine.write_text(f"gpus:\n  x: {record}\n")
    with pytest.raises(FaultsError) as error:
        load_gpus([mine])
    assert text in str(error.value)
    assert str(error.value).startswith(str(mine))


def test_a_field_that_is_not_known_is_asked_for():
    with pytest.raises(UsageError, match="tpu_v5p: found no die_area, expected one for the yield"):
        load_gpus()["tpu_v5p"].need("die_area", "the yield")


def test_records_travel_to_workers():
    gpu = load_gpus()["h100"]
    assert pickle.loads(pickle.dumps(gpu)) == copy.deepcopy(gpu) == gpu


@pytest.mark.parametrize("name", list_shipped())
def test_every_shipped_topology_names_its_gpu(name):
    topology = load_topology(name)
    if topology.gpu is None:  # endpoints that are no GPUs
        assert topology.h100_equivalents is None
        return
    gpu = find_gpu(topology.gpu)
    if topology.h100_equivalents:
        share = gpu.compute["fp8"].typical / load_gpus()["h100"].compute["fp8"].typical
        assert share == pytest.approx(topology.h100_equivalents)
