"""The catalogue of light: what it says, what follows from it, what it refuses."""

import math

import pytest

from topo_sim.base import FaultsError, UnknownNameError, UsageError
from topo_sim.base.files import LEVELS, Range
from topo_sim.optics.catalogue import load_optics

PJ = 1e12


@pytest.fixture(scope="module")
def optics():
    return load_optics()


def ranges(record):
    return {
        name: value for name in type(record).model_fields if isinstance(value := getattr(record, name), Range)
    }


def test_every_number_says_how_sure_it_is(optics):
    for section in (optics.media, optics.circuit_switches, optics.packet_switches):
        for name, record in section.items():
            assert record.about, name
            for field, value in ranges(record).items():
                if field in type(record).model_fields and value != type(record).model_fields[field].default:
                    assert value.mark, f"{name}.{field}"
                if value.mark == "stated" and field != "port_rate":
                    assert value.source, f"{name}.{field}"


def test_watts_per_port_of_a_fast_port(optics):
    for name, watts, energy in (("pluggable", 30.0, 18.75), ("cpo", 9.0, 5.625)):
        medium = optics.medium(name)
        assert medium.energy_per_bit.typical * PJ == pytest.approx(energy, rel=1e-12)
        assert medium.port_power(medium.port_rate.typical) == pytest.approx(watts, rel=1e-12)


@pytest.mark.parametrize("level", LEVELS)
def test_static_and_moving_parts_add_up(optics, level):
    for medium in optics.media.values():
        whole = medium.energy_per_bit.at(level)
        assert medium.static_energy(level) + medium.moving_energy(level) == pytest.approx(whole)
        assert medium.static_energy(level) >= 0
        assert medium.moving_energy(level) >= 0
        assert medium.port_power(1e9, 0.0, level) == pytest.approx(8e9 * medium.static_energy(level))
        assert medium.port_power(1e9, 1.0, level) == pytest.approx(8e9 * whole)


def test_the_laser_is_part_of_what_is_static(optics):
    for medium in optics.media.values():
        if medium.laser_energy() is not None:
            assert medium.laser_energy() <= medium.static_energy()


def test_switch_energies_of_the_table(optics):
    tomahawk = optics.packet_switch("tomahawk5")
    assert tomahawk.capacity == pytest.approx(51.2e12 / 8)
    assert tomahawk.energy_per_bit("low") * PJ == pytest.approx(8.8, abs=0.05)
    assert tomahawk.energy_per_bit("high") * PJ == pytest.approx(9.8, abs=0.05)
    assert tomahawk.power_at(1.0) == tomahawk.power.typical
    assert tomahawk.power_at(0.0) == pytest.approx(0.8 * tomahawk.power.typical)
    palomar = optics.circuit_switch("mems_palomar")
    assert palomar.energy_per_bit(100e9) * PJ == pytest.approx(0.99, abs=0.005)
    assert palomar.energy_per_bit(800e9) * PJ == pytest.approx(0.12, abs=0.005)
    assert optics.circuit_switch("rotor").energy_per_bit(1e9) is None
    assert optics.packet_switch("tomahawk_ultra").energy_per_bit() is None


def test_reconfiguration_is_a_sum_of_what_is_known(optics):
    mordia = optics.circuit_switch("mordia")
    assert mordia.reconfiguration() == pytest.approx(80e-6)
    assert mordia.reconfiguration("low") == pytest.approx(11.5e-6)
    assert optics.circuit_switch("awgr_laser").reconfiguration() == pytest.approx(3.84e-9)
    assert optics.circuit_switch("generic").reconfiguration() is None
    assert optics.circuit_switch("mems_palomar").most_ports == 128
    assert optics.circuit_switch("soa").most_ports is None


def test_latency_is_ends_code_and_way(optics):
    pluggable = optics.medium("pluggable")
    ends = 2 * (pluggable.serdes_latency.typical + 100e-9) + pluggable.fec_latency.typical
    assert pluggable.latency(0.0) == pytest.approx(ends)
    assert pluggable.latency(20.0) - pluggable.latency(0.0) == pytest.approx(100e-9)


def test_unknown_names_give_the_nearest(optics):
    for look_up, name, near in (
        (optics.medium, "pluggible", "pluggable"),
        (optics.circuit_switch, "mems_palomer", "mems_palomar"),
        (optics.packet_switch, "tomahawk", "tomahawk5"),
    ):
        with pytest.raises(UnknownNameError, match=near):
            look_up(name)


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_bad_numbers_are_refused(optics, value):
    cpo = optics.medium("cpo")
    with pytest.raises(UsageError):
        cpo.port_power(value)
    with pytest.raises(UsageError):
        cpo.port_power(1.0, load=value)
    with pytest.raises(UsageError):
        cpo.latency(value)
    with pytest.raises(UsageError):
        optics.circuit_switch("piezo").energy_per_bit(value)
    with pytest.raises(UsageError):
        optics.packet_switch("tomahawk5").power_at(value)


def test_a_file_changes_and_adds_records(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "media:\n"
        "  cpo: {laser: 14 dBm}\n"
        "  ours: {like: cpo, energy_per_bit: [3 pJ/b, 5 pJ/b]}\n"
        "circuit_switches:\n"
        "  bench: {ports: 16, loss: 0.7 dB}\n"
    )
    optics = load_optics([mine])
    assert optics.medium("cpo").laser == Range(14.0, 14.0, 14.0)
    assert optics.medium("ours").laser.typical == 14.0
    assert optics.medium("ours").energy_per_bit.low == 3e-12
    assert optics.circuit_switch("bench").most_ports == 16


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("media: {cpo: {coupler_loss: -1 dB}}", "media.cpo.coupler_loss"),
        ("media: {cpo: {coupler_loss: 3 W}}", "is a power"),
        ("media: {cpo: {couplers: 1.5}}", "media.cpo.couplers"),
        ("media: {cpo: {static_share: 1.5}}", "at most 1"),
        ("media: {cpo: {energy: 5 pJ/b}}", 'or "energy_per_bit"'),
        ("media: {new: {signal: optical}}", "missing, expected"),
        ("circuit_switches: {piezo: {ports: 0}}", "at least 1"),
        ("packet_switches: {tomahawk5: {port_rate: 0}}", "more than 0"),
        ("switches: {}", "unknown key"),
    ],
)
def test_faults_of_a_file(tmp_path, text, fault):
    mine = tmp_path / "mine.yaml"
    mine.write_text(text)
    with pytest.raises(FaultsError, match=fault.replace("(", r"\(")):
        load_optics([mine])
