"""Power and energy: the published saving in closed form and in whole fabrics, twins, refusals."""

import math
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest

from topo_sim.base import UnknownNameError, UsageError
from topo_sim.base.files import LEVELS, Faults, Range, extend
from topo_sim.optics import (
    CircuitSwitch,
    Medium,
    Optics,
    PacketSwitch,
    circuit_path,
    fabric_power,
    link_budget,
    load_optics,
    packet_path,
)
from topo_sim.optics.cabling import lay_cables
from topo_sim.optics.ends import PARTS, SERDES_STATIC, laser_raise
from topo_sim.optics.site import Site, read_site
from topo_sim.topo import Fabric, circuit_switched, fat_tree, leaf_spine, single_switch, torus
from topo_sim.topo.files import load_topology

CPO, PLUGGABLE = 5.6e-12, 18.75e-12
ASIC = (8.8e-12, 9.8e-12)
OCS = {800e9: 108 / (136 * 800e9), 6.4e12: 108 / (136 * 6.4e12)}
GB = 1e9


def site_with(circuit="mems_palomar", **changes):
    """A site whose records are changed: medium=..., circuit_switch=..., packet_switch=..."""
    optics = load_optics()
    kinds = {"media": Medium, "circuit_switches": CircuitSwitch, "packet_switches": PacketSwitch}
    made = {}
    for section, model in kinds.items():
        faults = Faults("test")
        given = changes.get(section, {})
        made[section] = (
            extend(getattr(optics, section), given, model, (), faults) if given else getattr(optics, section)
        )
        faults.stop()
    found = Optics(**made)
    return Site(found, found.circuit_switch(circuit), None, 1, 20.0, None)


def stated(energy):
    """Only the numbers of the published check: e per link, 475 W per 51.2T, 108 W per 136 ports."""
    media = {"cpo": {"energy_per_bit": f"{energy * 1e12} pJ/b", "serdes_energy": "0 pJ/b"}}
    return site_with(
        media=media,
        circuit_switches={
            "mems_palomar": {"spare_ports": 0, "loss": "0 dB", "circulators": 0, "connectors": 0}
        },
    )


@pytest.mark.parametrize(
    ("link", "rate", "switches", "low", "high"),
    [
        (CPO, (800e9, 6.4e12), 1, 0.67, 0.73),
        (PLUGGABLE, (800e9,), 1, 0.57, 0.585),
        (CPO, (800e9, 6.4e12), 3, 0.86, 0.89),
        (CPO, (800e9, 6.4e12), 5, 0.91, 0.932),
    ],
)
def test_the_published_saving_in_closed_form(link, rate, switches, low, high):
    found = [
        circuit_path(link, OCS[each]).saving(packet_path(link, asic, switches))
        for asic in ASIC
        for each in rate
    ]
    assert low <= min(found) <= max(found) <= high
    assert min(found) > 0.5


def test_closed_forms_by_hand():
    assert packet_path(CPO, ASIC[0]).energy == pytest.approx(20.0e-12)
    assert packet_path(CPO, ASIC[1], 3).energy == pytest.approx(51.8e-12)
    assert packet_path(CPO, ASIC[1], 5).energy == pytest.approx(82.6e-12)
    assert circuit_path(CPO, OCS[800e9]).energy == pytest.approx(6.593e-12, rel=1e-3)
    assert packet_path(1.0, 5.0, 0).energy == 1.0
    half = packet_path(1.0, 1.0, link_static_share=0.5, switch_static_share=0.8, load=0.5)
    assert (half.static, half.moving) == pytest.approx(((1.0 + 0.8) / 0.5, 1.0 + 0.2))


def test_what_the_published_check_leaves_out():
    plain = circuit_path(1.0, 0.2, link_static_share=0.5)
    assert circuit_path(1.0, 0.2, link_static_share=0.5, laser=0.1, laser_loss=2.0).energy == pytest.approx(
        plain.energy + 0.1 * (10**0.2 - 1)
    )
    assert circuit_path(1.0, 0.2, link_static_share=0.5, hops=2).energy == pytest.approx(2 * plain.energy)
    dark = circuit_path(1.0, 0.2, link_static_share=0.5, duty=0.9)
    assert dark.energy == pytest.approx((0.5 + 0.2) / 0.9 + 0.5)
    idle = circuit_path(1.0, 0.2, link_static_share=0.5, load=0.25)
    assert idle.energy == pytest.approx((0.5 + 0.2) / 0.25 + 0.5)
    # All at once, circuits of today's optics save less than half against one packet switch.
    all_of_it = circuit_path(
        5.625e-12,
        OCS[800e9],
        laser=0.63e-12,
        laser_loss=2.0,
        link_static_share=0.469,
        load=0.5,
        duty=0.9,
        hops=2,
    )
    packet = packet_path(5.625e-12, 9.28e-12, link_static_share=0.469, switch_static_share=0.8, load=0.5)
    assert 0 < all_of_it.saving(packet) < 0.5


@pytest.mark.parametrize(
    "call",
    [
        lambda: packet_path(-1.0, 1.0),
        lambda: packet_path(math.nan, 1.0),
        lambda: packet_path(1.0, math.inf),
        lambda: packet_path(1.0, 1.0, -1),
        lambda: packet_path(1.0, 1.0, 1.5),
        lambda: packet_path(1.0, 1.0, load=0.0),
        lambda: packet_path(1.0, 1.0, load=math.nan),
        lambda: packet_path(1.0, 1.0, link_static_share=1.1),
        lambda: circuit_path(1.0, 1.0, duty=0.0),
        lambda: circuit_path(1.0, 1.0, duty=1.1),
        lambda: circuit_path(1.0, 1.0, hops=0.5),
        lambda: circuit_path(1.0, 1.0, laser=2.0),
        lambda: circuit_path(1.0, 1.0, laser=1.0, laser_loss=1e4),
        lambda: circuit_path(1.0, -1.0),
        lambda: circuit_path(1.0, 1.0).saving(packet_path(0.0, 0.0)),
    ],
)
def test_closed_forms_refuse(call):
    with pytest.raises(UsageError, match="expected"):
        call()


@pytest.mark.parametrize("energy", [CPO, PLUGGABLE])
@pytest.mark.parametrize(
    ("switches", "fabric"),
    [
        (1, lambda rate: single_switch(136, bandwidth=rate, latency=0, medium="cpo")),
        (3, lambda rate: leaf_spine(8, 17, 17, bandwidth=rate, latency=0, medium="cpo")),
        (5, lambda rate: fat_tree(down=[4, 4, 4], up=[1, 4, 4], bandwidth=rate, latency=0, medium="cpo")),
    ],
)
def test_whole_fabrics_cost_what_the_closed_form_says(energy, switches, fabric):
    """At full load every bit of a non-blocking Clos crosses its top: s + 1 links and s switches per bit."""
    site, rate = stated(energy), 100 * GB
    packets = fabric(rate)
    power = fabric_power(packets, site, packet_switch="tomahawk5")
    delivered = 8 * packets.ranks * rate
    found = power.total().typical / delivered
    assert found == pytest.approx(packet_path(energy, 475 / 51.2e12, switches).energy, rel=1e-12)
    circuits = circuit_switched(136, 1, light_paths="random_regular", bandwidth=rate, medium="cpo")
    light = fabric_power(circuits, site)
    assert light.circuit_switches.devices == 1
    bit = light.total().typical / (8 * 136 * rate)
    assert bit == pytest.approx(circuit_path(energy, OCS[800e9]).energy, rel=1e-12)
    assert 1 - bit / found > 0.5


def test_serdes_of_endpoints_narrow_the_saving():
    """Both pay the same SerDes at the endpoints, so the share saved is smaller: 57 % in place of 68 %."""
    site, rate = site_with(circuit="piezo"), 100 * GB
    packet = fabric_power(single_switch(136, bandwidth=rate, medium="cpo"), site)
    ring = circuit_switched(136, 2, endpoint_bandwidth=rate, medium="cpo")
    light = fabric_power(ring, site, medium="cpo")
    saving = 1 - light.total().typical / packet.total().typical
    assert 0.5 < saving < 0.62
    assert light.watts()["endpoint SerDes"] == pytest.approx(packet.watts()["endpoint SerDes"])


def naive_power(fabric, site, packet, load, level):
    """Port by port: half of each link at each of its ends."""
    found = dict.fromkeys(PARTS, 0.0)
    for link in range(fabric.links):
        medium = site.optics.medium(fabric.media[fabric.medium[link]])
        rate = 8 * float(fabric.capacity[link])
        static, moving = medium.static_energy(level), medium.moving_energy(level)
        laser = min(medium.laser_energy(level) or 0.0, static)
        for node in (fabric.link_source[link], fabric.link_target[link]):
            at_switch = fabric.kind[node] == 1
            part = "switch optics" if at_switch else "endpoint optics"
            found[part] += rate / 2 * (static - laser + load * moving)
            found["lasers"] += rate / 2 * laser
            if not at_switch:
                idle = SERDES_STATIC.at(level)
                found["endpoint SerDes"] += rate * medium.serdes_energy.at(level) * (idle + load * (1 - idle))
        if fabric.kind[fabric.link_source[link]] == 1:
            share = packet.static_share.at(level)
            found["switch silicon"] += rate * packet.energy_per_bit(level) * (share + load * (1 - share))
    return found


@pytest.mark.parametrize("name", ["lite-grouped", "dgx-h100", "lite-torus", "superpod-h100-64", "polaris-8"])
@pytest.mark.parametrize("load", [0.0, 0.37, 1.0])
def test_power_against_a_slow_twin(name, load):
    topology = load_topology(name)
    site = read_site(topology)
    power = fabric_power(topology.fabric, site)
    packet = site.optics.packet_switch("tomahawk5")
    for level in LEVELS:
        twin = naive_power(topology.fabric, site, packet, load, level)
        assert power.watts(load, level) == pytest.approx(twin, rel=1e-12, abs=1e-12)
    total = power.total(load)
    assert total.low <= total.typical <= total.high
    assert sum(power.watts(load).values()) == pytest.approx(total.typical)


def test_groups_add_up_to_the_whole():
    topology = load_topology("superpod-h100-64")
    power = fabric_power(topology.fabric, read_site(topology))
    silicon = sum(group.count * group.power.typical for group in power.switches)
    assert silicon == pytest.approx(power.watts()["switch silicon"])
    links = sum(group.full.typical for group in power.links)
    assert links + silicon == pytest.approx(power.total().typical)
    assert sum(group.count for group in power.links) == topology.fabric.links
    assert sum(group.count for group in power.switches) == topology.fabric.switches


def test_energy_moves_what_power_says():
    fabric = torus((4, 4), bandwidth=GB, medium="cpo")
    power = fabric_power(fabric, site_with())
    full = power.energy(fabric.capacity * 2.0, 2.0, 1.0)
    assert full.total.typical == pytest.approx(2 * power.total().typical)
    idle = power.energy(np.zeros(fabric.links), 3.0, 0.0)
    assert idle.per_bit is None
    assert idle.total.typical == pytest.approx(3 * power.total(0.0).typical)
    assert idle.idle_share == 1.0
    assert sum(full.parts("high").values()) == pytest.approx(full.total.high)
    nothing = power.energy(np.zeros(fabric.links), 0.0, 0.0)
    assert nothing.total.typical == 0
    assert nothing.idle_share == 0


@pytest.mark.parametrize(
    ("load", "time", "delivered"),
    [
        ([1.0], 1.0, 1.0),
        (np.full(64, -1.0), 1.0, 1.0),
        (np.full(64, np.nan), 1.0, 1.0),
        (np.full(64, 2.0 * GB), 1.0, 1.0),  # more than the links carry
        (np.zeros(64), -1.0, 1.0),
        (np.zeros(64), math.inf, 1.0),
        (np.zeros(64), 1.0, math.nan),
        (np.zeros(64), True, 1.0),
    ],
)
def test_energy_refuses(load, time, delivered):
    power = fabric_power(torus((4, 4), bandwidth=GB, medium="cpo"), site_with())
    with pytest.raises(UsageError, match="expected"):
        power.energy(load, time, delivered)


@pytest.mark.parametrize("load", [-0.1, 1.1, math.nan, math.inf, True])
def test_power_refuses_loads(load):
    with pytest.raises(UsageError, match="load"):
        fabric_power(torus(4, medium="cpo"), site_with()).at(load)


def test_unknown_names_are_errors():
    fabric, site = single_switch(4, medium="cpo"), site_with()
    with pytest.raises(UnknownNameError, match="tomahawk5"):
        fabric_power(fabric, site, packet_switch="tomahawk")
    with pytest.raises(UnknownNameError, match="cpo"):
        fabric_power(fabric, site, medium="cp")
    with pytest.raises(UsageError, match=r"no power, expected one of .*tomahawk5"):
        fabric_power(fabric, site, packet_switch="tomahawk_ultra")
    with pytest.raises(UsageError, match=r"medium is unspecified.*--medium"):
        fabric_power(Fabric.from_graph(nx.cycle_graph(4)), site)
    with pytest.raises(UsageError, match=r"medium is cpoo.*cpo"):
        fabric_power(torus(4, medium="cpoo"), site)
    assert fabric_power(Fabric.from_graph(nx.cycle_graph(4)), site, medium="cpo").total().typical > 0
    with pytest.raises(UsageError, match="unknown level"):
        fabric_power(fabric, site).watts(1.0, "middle")


def test_dark_fibres_draw_static_power():
    """Half of the ports have no circuit: their modules are lit all the same."""
    site = site_with(circuit="piezo")
    lit = circuit_switched(8, 2, bandwidth=GB, medium="cpo")
    pairs = [[0, 1], [2, 3]]  # four of eight endpoints on plane 0; none on plane 1
    dark = circuit_switched(8, light_paths=[pairs, []], bandwidth=GB, medium="cpo")
    full, part = fabric_power(lit, site), fabric_power(dark, site)
    np.testing.assert_allclose(part.static, full.static)
    ratio = part.moving.sum() / full.moving.sum()
    assert ratio == pytest.approx(dark.links / lit.links)


@pytest.mark.parametrize("options", [{}, {"light_paths": "random_regular"}, {"endpoints": 2, "ports": 3}])
def test_full_planes_are_laid_without_their_graph(options):
    fabric = circuit_switched(**({"endpoints": 16, "ports": 4, "medium": "cpo"} | options))
    quick, slow = lay_cables(fabric), lay_cables(replace(fabric, family="graph"))
    assert np.array_equal(quick.circuit, slow.circuit)
    assert quick.fibres == slow.fibres
    assert quick.fibre_media == slow.fibre_media
    assert quick.fibre_ends.keys() == slow.fibre_ends.keys()
    assert list(quick.fibre_ends.values()) == pytest.approx(list(slow.fibre_ends.values()))


def test_lasers_make_up_for_the_loss_of_a_switch():
    optics = load_optics()
    cpo, palomar = optics.medium("cpo"), optics.circuit_switch("mems_palomar")
    budget = link_budget(cpo, length=20.0, switch=palomar)
    assert laser_raise(cpo, palomar) == pytest.approx(budget.short_by())
    assert laser_raise(cpo, optics.circuit_switch("piezo")) == 0.0
    assert laser_raise(optics.medium("copper"), palomar) == 0.0
    assert laser_raise(cpo, optics.circuit_switch("rotor")) == 0.0
    for level in LEVELS:
        assert laser_raise(cpo, palomar, level=level) >= 0
    fabric = circuit_switched(8, 2, bandwidth=GB, medium="cpo")
    easy, hard = (fabric_power(fabric, site_with(circuit=name)) for name in ("piezo", "mems_palomar"))
    factor = 10 ** (laser_raise(cpo, palomar) / 10)
    assert hard.watts()["lasers"] == pytest.approx(factor * easy.watts()["lasers"])
    assert hard.watts()["endpoint optics"] == pytest.approx(easy.watts()["endpoint optics"])


def test_a_loss_that_no_laser_makes_up_for_is_an_error():
    changes = {"circuit_switches": {"piezo": {"loss": "900 dB"}}}
    with pytest.raises(UsageError, match="of light short"):
        fabric_power(circuit_switched(8, 2, medium="cpo"), site_with(circuit="piezo", **changes))


def test_circuit_switches_of_unknown_power_are_said_to_be():
    power = fabric_power(circuit_switched(8, 2, medium="cpo"), site_with(circuit="rotor"))
    assert power.watts()["circuit switches"] == 0
    assert any("power of the circuit switches not known" in note for note in power.notes)
    assert any("rotor: loss not known" in note for note in power.notes)


def test_a_crowded_circuit_switch_counts_as_several():
    fabric = circuit_switched(300, 2, medium="cpo")
    power = fabric_power(fabric, site_with())
    assert (power.circuit_switches.nodes, power.circuit_switches.devices) == (2, 6)
    assert power.watts()["circuit switches"] == pytest.approx(6 * 108)
    assert any("need 6 of mems_palomar" in note for note in power.notes)


def test_path_energy_stands_for_a_whole_light_path():
    """PULSE: 82 pJ/b for the path with its ends: circuits are not always cheaper than packets."""
    fabric = circuit_switched(8, 1, light_paths="random_regular", bandwidth=GB, medium="cpo")
    power = fabric_power(fabric, site_with(circuit="pulse"))
    light = power.total().typical - power.watts()["endpoint SerDes"]
    assert light / (8 * 8 * GB) == pytest.approx(82e-12)
    packet = fabric_power(single_switch(8, bandwidth=GB, medium="cpo"), site_with())
    assert power.total().typical > packet.total().typical


def test_a_box_with_its_optics_counts_them_once():
    fabric = single_switch(8, bandwidth=GB, medium="cpo")
    bare, box = (
        fabric_power(fabric, site_with(), packet_switch=n) for n in ("tomahawk5", "quantum_x800_q3450")
    )
    assert box.watts()["switch optics"] == 0
    assert box.watts()["lasers"] == pytest.approx(bare.watts()["lasers"] / 2)
    assert any("holds the optics" in note for note in box.notes)


def test_directed_and_mixed_graphs():
    """One fibre each way, a rate in words, and a cable beside: as many ends as there are."""
    graph = nx.MultiDiGraph()
    graph.add_nodes_from("abc", kind="gpu")
    graph.add_node("o", kind="ocs", circuits=[("a", "b")])
    for end in "ab":
        graph.add_edge(end, "o", bandwidth="1 GB/s", medium="cpo")
        graph.add_edge("o", end, bandwidth="1 GB/s", medium="cpo")
    graph.add_edge("b", "c", bandwidth="2 GB/s", medium="copper")
    graph.add_edge("c", "b", bandwidth="2 GB/s", medium="copper")
    fabric = Fabric.from_graph(graph)
    site = site_with(circuit="piezo")
    power = fabric_power(fabric, site)
    cpo = site.optics.medium("cpo")
    optics = power.static[0, 1] + power.static[2, 1]
    assert optics == pytest.approx(4 * 8 * GB * cpo.static_energy() / 2)  # two ports, both ways, half a link
    assert power.moving[0, 1] == pytest.approx(8 * GB * cpo.moving_energy())  # one circuit one way


def test_huge_capacities_are_refused_not_infinite():
    dear = site_with(media={"cpo": {"energy_per_bit": "1 J/b"}})
    assert np.isfinite(fabric_power(torus(4, bandwidth=1e190, medium="cpo"), dear).at()).all()
    with pytest.raises(UsageError, match="capacities"):
        fabric_power(torus(4, bandwidth=1e307, medium="cpo"), dear)


def test_ranges_stay_ranges():
    for name in ("lite-circuits", "lite-flat-switch"):
        topology = load_topology(name)
        power = fabric_power(topology.fabric, read_site(topology))
        for load in (0.0, 0.5, 1.0):
            total: Range = power.total(load)
            assert 0 < total.low < total.typical < total.high
