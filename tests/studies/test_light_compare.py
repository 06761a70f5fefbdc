"""Power studies: reports and comparisons, the traffic of experts, and circuits against packets."""

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from click.testing import CliRunner

from topo_sim.base import TopoSimError, UsageError
from topo_sim.cli import main
from topo_sim.collectives import COLLECTIVES, Router, build_schedule, cost_profile
from topo_sim.optics import fabric_power, load_optics
from topo_sim.optics.scheduling import Problem, relayed_bound
from topo_sim.optics.site import read_site
from topo_sim.report import comparison_tables, plot_comparison, to_text
from topo_sim.report.light_compare import light_tables
from topo_sim.report.light_compare_plot import plot_light
from topo_sim.report.power import power_tables
from topo_sim.report.power_plot import plot_power
from topo_sim.studies import compare
from topo_sim.studies.energy import collective_energy, demand_energy
from topo_sim.studies.light_compare import compare_light
from topo_sim.studies.light_contenders import MOE, PORTS, assumed_switch
from topo_sim.studies.moe import moe_dispatch
from topo_sim.studies.power import measure_power
from topo_sim.topo import full_mesh
from topo_sim.topo.files import load_topology


@pytest.fixture(scope="module")
def small():
    return compare_light(
        endpoints=32, sizes=[2**16, 2**22, 2**30], changes=[4e-9, 20e-6, 1.2e-3], tokens=2, top_k=3, seed=3
    )


def run(*arguments):
    return CliRunner().invoke(main, ["optics", *map(str, arguments)])


def test_experts_by_hand():
    demand = moe_dispatch(50, tokens=3, top_k=4, skew=0.5, seed=1)
    np.testing.assert_allclose(demand.sum(axis=1), 1.0)
    assert np.trace(demand) == 0
    counts = demand * 12
    np.testing.assert_allclose(counts, counts.round(), atol=1e-12)
    assert counts.max() <= 3  # experts of a token differ
    assert (moe_dispatch(50, seed=1) == moe_dispatch(50, seed=1)).all()
    assert (moe_dispatch(50, seed=1) != moe_dispatch(50, seed=2)).any()
    assert (moe_dispatch(4, top_k=3, seed=0) == (1 - np.eye(4)) / 3).all()


def test_popularity_makes_some_experts_hot():
    even, skewed = (moe_dispatch(256, tokens=16, skew=skew).sum(axis=0).max() for skew in (0.0, 0.5))
    assert even < 1.6
    assert skewed > 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"ranks": 1}, {"ranks": 8.0}, {"tokens": 0}, {"top_k": 0}, {"top_k": 64}, {"tokens": True},
        {"skew": -1}, {"skew": math.nan}, {"ranks": 100_000},
    ],
)  # fmt: skip
def test_experts_refuse(wrong):
    with pytest.raises(UsageError, match="expected"):
        moe_dispatch(**({"ranks": 64} | wrong))


def test_a_demand_counts_what_crosses_links():
    """Full mesh: every bit crosses one link; at line rate the closed form of one link and two SerDes."""
    fabric = full_mesh(4, bandwidth=1e9, medium="cpo")
    site = read_site(load_topology("lite-torus"))
    power, cpo = fabric_power(fabric, site), load_optics().medium("cpo")
    found = demand_energy(power, "all_to_all")
    link = cpo.energy_per_bit.typical + 2 * cpo.serdes_energy.typical
    assert found.energy.per_bit.typical == pytest.approx(link)
    half = demand_energy(power, "all_to_all", share=0.5)
    assert half.energy.per_bit.typical > found.energy.per_bit.typical
    assert half.rate == pytest.approx(found.rate / 2)
    for share in (0.0, 1.5, math.nan, True):
        with pytest.raises(UsageError, match="load"):
            demand_energy(power, "all_to_all", share=share)


def test_a_collective_pays_for_its_bytes_and_its_time():
    topology = load_topology("lite-torus")
    fabric = topology.fabric
    power = fabric_power(fabric, read_site(topology))
    profile = cost_profile(build_schedule("all_reduce", "ring", 256, 0), fabric)
    found = collective_energy(power, profile, 1e6)
    time = profile.time(1e6)
    assert found.energy.static.sum(axis=0)[1] == pytest.approx(power.total(0).typical * time)
    # A torus of rings: every byte of the ring's 2 (p - 1) n crosses as many links as its steps say.
    crossed = float((profile.busy * fabric.capacity).sum()) * 1e6
    per_byte = power.moving.sum(axis=0)[1] / fabric.capacity.sum()
    assert found.energy.moving.sum(axis=0)[1] == pytest.approx(crossed * per_byte)
    assert found.energy.delivered == COLLECTIVES["all_reduce"].sent(256) * 1e6
    other = fabric_power(load_topology("lite-flat-switch").fabric, read_site(topology))
    with pytest.raises(UsageError, match="profile"):
        collective_energy(other, profile, 1e6)


def test_an_idle_network_costs_the_slower_algorithm_more():
    reports = measure_power(["lite-circuits"], collective="all_reduce", sizes=[2**16, 2**30])
    few, many = reports[0].traffic
    assert few.energy.per_bit.typical > many.energy.per_bit.typical
    assert few.energy.idle_share > many.energy.idle_share
    assert few.time >= few.lower_bound


def test_comparison_has_power_and_says_why_not(tmp_path):
    bare = tmp_path / "bare.yaml"
    bare.write_text("topo_sim: 1\nname: bare\nfabric:\n  generator: torus\n  dims: [4]\n  medium: tin\n")
    result = compare([str(bare), "lite-torus"], collectives=["all_reduce"], sizes=[2**20])
    first, second = result.fabrics
    assert first.power.total is None
    assert "tin" in first.power.unknown
    row = result.rows()[0]
    assert row["power_typical_W"] is None
    assert row["energy_per_bit_typical_J_per_b"] is None
    known = result.rows()[1]
    assert known["power_per_h100_W"] == pytest.approx(second.power.total.typical / 64)
    text = to_text(comparison_tables(result), width=250)
    assert "medium is tin" in text
    assert "1.95 kW" in text
    assert plot_comparison(result).axes
    document = result.to_dict()["fabrics"][1]
    assert document["power_typical_W"] == pytest.approx(1947.67, rel=1e-4)
    assert document["power_unknown"] is None


def test_one_endpoint_has_power_but_no_traffic(tmp_path):
    alone = tmp_path / "alone.yaml"
    alone.write_text(
        "topo_sim: 1\nname: alone\nfabric:\n  generator: single_switch\n  endpoints: 1\n  medium: cpo\n"
    )
    result = compare([str(alone)], collectives=["all_reduce"], sizes=[2**20])
    assert result.fabrics[0].power.total is not None
    assert result.fabrics[0].power.energy_per_bit is None


def test_reports_are_drawn_and_written():
    reports = measure_power(
        ["lite-circuits", "dgx-h100"], demand="all_to_all", collective="all_gather", load=0.5, level="high"
    )
    text = to_text(power_tables(reports), width=250)
    assert "piezo" in text
    assert "50%" in text
    assert "all_gather" in text
    assert len(plot_power(reports).axes) == 3
    document = json.loads(json.dumps(reports[0].to_dict()))
    assert document["circuit_switches"]["devices"] == 8
    assert sum(document["parts_W"]["high"].values()) == pytest.approx(document["total_W"]["high"])
    assert len(reports[0].rows()) == 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["power", "nowhere"], "nowhere"),
        (["power", "lite-torus", "--size", "1MiB"], "--collective"),
        (["power", "lite-torus", "--load", "2"], "load"),
        (["power", "lite-torus", "--demand", "nothing"], "nothing"),
        (["power", "lite-torus", "--demand", "all_to_all", "--load", "0"], "load"),
        (["power", "lite-torus", "-c", "all_red"], "all_reduce"),
        (["power", "lite-torus", "--medium", "coper"], "copper"),
        (["power", "lite-flat-switch", "--packet-switch", "tomahawk7"], "tomahawk"),
        (["power", "lite-circuits", "--circuit-switch", "piezzo"], "piezo"),
        (["power", "lite-torus", "--picture", "a.gif"], "a.gif"),
        (["compare", "--endpoints", "24"], "power of two"),
        (["compare", "--endpoints", "1"], "ranks"),
        (["compare", "--endpoints", "16", "--top-k", "16"], "top_k"),
        (["compare", "--endpoints", "16", "--size", "0"], "0 B"),
        (["compare", "--endpoints", "16", "--change", "-1us"], "change"),
        (["compare", "--endpoints", "16", "--rate", "0 GB/s"], "rate"),
        (["compare", "--endpoints", "16", "--medium", "light"], "medium"),
        (["compare", "--endpoints", "16", "--scheduler", "sol"], "sol"),
        (["compare", "--endpoints", "16", "--packet-switch", "tomahawk_ultra"], "power"),
        (["compare", "--endpoints", "16", "--skew", "nan"], "skew"),
    ],
)
def test_bad_input_is_one_line(arguments, text):
    result = run(*arguments)
    assert result.exit_code == 2
    assert text in result.output
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_no_time_is_below_its_bound(small):
    for one in small.outcomes.values():
        assert one.time >= one.lower_bound * (1 - 1e-9)
        assert one.direct_bound is None or one.time >= one.direct_bound * (1 - 1e-9)
        total = one.energy.total
        assert 0 < total.low <= total.typical <= total.high


def test_faster_changes_are_never_slower(small):
    for collective in ("all_reduce", MOE):
        for size in small.sizes:
            times = [small.outcome(("circuits", delta), collective, size).time for delta in small.changes]
            assert all(a <= b * (1 + 1e-6) for a, b in pairwise(times))


def test_energy_is_that_of_the_bytes_and_the_time(small):
    """Static power for the time, and the moving energy of a light path for every byte that crosses one."""
    power = small.powers["circuits"]
    per_byte = power.moving.sum(axis=0)[1] / power.fabric.capacity.sum()
    size, change = small.sizes[-1], small.changes[0]
    moe = small.outcome(("circuits", change), MOE, size)
    assert moe.algorithm == "solstice"
    assert moe.energy.static.sum(axis=0)[1] == pytest.approx(power.total(0).typical * moe.time)
    assert moe.energy.moving.sum(axis=0)[1] == pytest.approx(small.demand.sum() * size * per_byte, rel=1e-6)
    packet = small.outcome(("fat-tree", None), MOE, size)
    assert packet.time >= small.demand.sum(axis=0).max() * size / small.rate


def test_all_reduce_on_fast_circuits_is_the_closed_form(small):
    """Halving and doubling at 1 GiB with changes of 4 ns: 2 L steps of a hop, 2 L - 1 changes, the bytes."""
    size, one = small.sizes[-1], small.outcome(("circuits", small.changes[0]), "all_reduce", small.sizes[-1])
    steps = 5
    expected = 2 * steps * 200e-9 + (2 * steps - 1) * 4e-9 + 2 * 31 / 32 * size / small.rate
    assert one.time == pytest.approx(expected, rel=1e-6)


def test_moe_on_circuits_against_its_bounds(small):
    size = small.sizes[1]
    problem = Problem(small.demand * size, small.rate / PORTS, small.changes[0], PORTS)
    one = small.outcome(("circuits", small.changes[0]), MOE, size)
    assert one.time >= relayed_bound(problem)


def test_winners_are_the_least(small):
    for by in ("time", "energy"):
        for size in small.sizes:
            name = small.winner("all_reduce", size, small.changes[1], by)
            assert name in ("fat-tree", "torus", "circuits")
            assert small.margin("all_reduce", size, small.changes[1], by) >= 0
    with pytest.raises(UsageError, match="time or energy"):
        small.winner(MOE, small.sizes[0], small.changes[0], "cost")


def test_everything_is_shown(small):
    text = to_text(light_tables(small), width=250)
    assert "MoE all-to-all" in text
    assert "circuits, 1.2 ms" in text
    assert "seed 3" in text
    assert len(plot_light(small).axes) == 10
    rows = small.rows()
    assert len(rows) == 2 * 3 * 5
    document = json.loads(json.dumps(small.to_dict()))
    assert len(document["winners"]) == 2 * 3 * 3
    assert document["all_to_all"]["peers_most"] <= 6


def test_same_seed_same_answer():
    found = [compare_light(endpoints=16, sizes=[2**20], changes=[1e-6], top_k=2, seed=s) for s in (5, 5, 6)]
    assert found[0].rows() == found[1].rows()
    assert found[0].rows() != found[2].rows()


def test_an_imagined_switch_keeps_the_power_per_port():
    for name in ("mems_palomar", "piezo"):
        real = load_optics().circuit_switch(name)
        wide = assumed_switch(real, 1024)
        for level in ("low", "typical", "high"):
            assert wide.power.at(level) / 1024 == pytest.approx(real.power.at(level) / real.ports.high)
        assert wide.loss == real.loss
    assert assumed_switch(load_optics().circuit_switch("rotor"), 64).power is None


def test_nothing_to_compare_is_an_error():
    nothing = [{name: []} for name in ("sizes", "changes", "schedulers")]
    for wrong in (*nothing, {"changes": [math.nan]}, {"rate": math.inf}, {"overhead": -1.0}):
        with pytest.raises(TopoSimError):
            compare_light(**({"endpoints": 16, "top_k": 2} | wrong))


def test_power_uses_the_routing_asked_for():
    topology = load_topology("lite-torus")
    power = fabric_power(topology.fabric, read_site(topology))
    short, far = (demand_energy(power, "all_to_all", name) for name in ("dimension_order", "valiant"))
    assert far.energy.per_bit.typical > short.energy.per_bit.typical
    assert Router(topology.fabric).routing == short.routing
