"""Cost of dies and packages: reference values, sums by hand, bounds that hold for every draw."""

import math

import numpy as np
import pytest

from topo_sim.base import FaultsError, UnknownNameError, UsageError
from topo_sim.base.files import LEVELS, Range
from topo_sim.gpus import load_gpus
from topo_sim.gpus.cost import (
    LINES,
    Costing,
    cheap_end,
    cost_inputs,
    die_cost,
    dies_per_wafer,
    package_bill,
    salvage_of,
)
from topo_sim.gpus.harvest import Salvage, die_yield
from topo_sim.gpus.prices import load_prices
from topo_sim.gpus.uncertainty import draw, triangular
from topo_sim.gpus.wafer import place_dies
from topo_sim.gpus.wafer_map import LOST, SALVAGED, WHOLE, draw_wafer
from topo_sim.gpus.yields import yield_model

GPUS, PRICES = load_gpus(), load_prices()
INPUTS = cost_inputs([gpu for gpu in GPUS.values() if gpu.die_area], PRICES, PRICES.bill())
TYPICAL = {name: value.typical for name, value in INPUTS.items()}
COMPLETE = [name for name, gpu in GPUS.items() if gpu.die_area]


def four_to_one(model, salvage, count):
    how = Costing(yield_model(model), salvage, count)
    return 4 * die_cost(GPUS["lite"], PRICES, TYPICAL, how) / die_cost(GPUS["h100"], PRICES, TYPICAL, how)


@pytest.mark.parametrize(
    ("count", "model", "salvage", "ratio"),
    [
        ("classic", "poisson", False, 0.457),
        ("classic", "murphy", False, 0.481),
        ("classic", "negative_binomial@a=3", False, 0.498),
        ("placement", "poisson", False, 0.495),
        ("placement", "murphy", False, 0.521),
        ("placement", "negative_binomial@a=3", False, 0.540),
    ],
)
def test_four_small_dies_over_a_large_one(count, model, salvage, ratio):
    assert round(four_to_one(model, salvage, count), 3) == ratio
    assert 0.45 <= ratio <= 0.54


def test_with_salvage_they_are_a_third_cheaper():
    assert round(four_to_one("poisson", True, "classic"), 2) == 0.66
    assert round(four_to_one("poisson", True, "placement"), 2) == 0.71


def test_reference_costs_of_an_h100_die():
    assert round(die_cost(GPUS["h100"], PRICES, TYPICAL, Costing(salvage=False, count="classic"))) == 634
    sold = Costing(count="classic")
    assert round(die_cost(GPUS["h100"], PRICES, TYPICAL, sold)) == 389
    assert round(die_cost(GPUS["h100"], PRICES, TYPICAL | {"wafer n5": 13.4e3}, sold)) == 307


def test_a_bill_by_hand():
    bill = package_bill(GPUS["h100"], PRICES, TYPICAL, Costing(salvage=False))
    good = math.exp(-0.814)
    assert bill["dies"] == pytest.approx(16988 / (67 * good))
    assert bill["memory"] == pytest.approx(80 * 15)
    area = (814e-6 + 5 * 110e-6) * 1.08
    made = math.pi * 0.294 * (0.294 / (4 * area) - 1 / math.sqrt(2 * area))
    assert round(made) == 29  # H100s per wafer, as market pages say
    assert bill["interposer"] == pytest.approx(16000 / made)
    assert bill["substrate"] == pytest.approx(area * 1e4 * 2.2 * 2)
    assert bill["links"] == pytest.approx(3600 * 0.05)
    assert bill["test and assembly"] == pytest.approx(850)
    inside = sum(bill[k] for k in ("dies", "memory", "interposer", "substrate", "test and assembly"))
    assert bill["lost in assembly"] == pytest.approx(inside * (1 / (0.99**6 * 0.99) - 1))
    assert bill["cooling"] == pytest.approx(700 * 0.12)
    assert tuple(bill) == LINES


def test_the_h100_costs_what_its_bills_of_materials_say():
    bill = package_bill(GPUS["h100"], PRICES, TYPICAL)
    silicon = sum(bill.values()) - bill["links"] - bill["cooling"] - bill["lost in assembly"]
    assert 2900 <= silicon <= 3400  # about 3.0 and 3.3 k$ (market pages)


def test_engines_in_the_package_are_lost_with_it():
    lite = package_bill(GPUS["lite"], PRICES, TYPICAL)
    outside = GPUS["lite"].model_copy(update={"medium": "copper"})
    copper = package_bill(outside, PRICES, TYPICAL)
    inside = sum(lite[k] for k in ("dies", "memory", "interposer", "substrate", "test and assembly", "links"))
    assert lite["lost in assembly"] == pytest.approx(inside * (1 / (0.99**3 * 0.99) - 1))
    assert copper["lost in assembly"] < lite["lost in assembly"]


def test_no_interposer_and_liquid():
    flat = GPUS["lite"].model_copy(update={"packaging": "none"})
    assert package_bill(flat, PRICES, TYPICAL)["interposer"] == 0
    assert package_bill(GPUS["b200"], PRICES, TYPICAL)["cooling"] == pytest.approx(1000 * 0.4)


@pytest.mark.parametrize("name", COMPLETE)
def test_the_cheap_end_is_cheapest_and_the_dear_end_dearest(name):
    ends = {
        level: {key: value.at(cheap_end(key, level)) for key, value in INPUTS.items()} for level in LEVELS
    }
    totals = [sum(package_bill(GPUS[name], PRICES, ends[level]).values()) for level in LEVELS]
    assert totals == sorted(totals)
    drawn = draw(INPUTS, 4000, seed=2)
    costs = sum(np.asarray(v) for v in package_bill(GPUS[name], PRICES, drawn).values())
    assert totals[0] <= costs.min()
    assert costs.max() <= totals[2]


@pytest.mark.parametrize("name", COMPLETE)
def test_arrays_give_what_numbers_give(name):
    drawn = draw(INPUTS, 5, seed=1)
    for model in ("poisson", "murphy"):
        how = Costing(yield_model(model))
        together = package_bill(GPUS[name], PRICES, drawn, how)
        for k in range(5):
            alone = package_bill(GPUS[name], PRICES, {key: float(v[k]) for key, v in drawn.items()}, how)
            for line in LINES:
                one = np.broadcast_to(together[line], (5,))[k]
                assert one == pytest.approx(float(alone[line]), rel=1e-12), line


def test_draws_are_triangles_whoever_draws_them():
    ranges = {"a": Range(1.0, 2.0, 5.0), "b": Range(3.0, 3.0, 3.0), "c": Range(0.0, 1.0, 1.0)}
    drawn = draw(ranges, 100_000, seed=7)
    for workers in (2, 5):
        again = draw(ranges, 100_000, seed=7, workers=workers)
        assert all((drawn[name] == again[name]).all() for name in ranges)
    assert (draw(ranges, 50, seed=7)["a"] == drawn["a"][:50]).all()
    assert (draw(ranges, 50, seed=8)["a"] != drawn["a"][:50]).all()
    for name, value in ranges.items():
        low, mode, high = value.low, value.typical, value.high
        variance = (low**2 + mode**2 + high**2 - low * mode - low * high - mode * high) / 18
        error = 5 * math.sqrt(variance / 100_000)
        assert abs(drawn[name].mean() - (low + mode + high) / 3) <= error + 1e-12
        assert low <= drawn[name].min() <= drawn[name].max() <= high
    assert abs(np.corrcoef(drawn["a"], drawn["c"])[0, 1]) < 0.02


def test_triangles_at_their_ends():
    ends = np.array([0.0, 1.0])
    assert triangular(Range(1.0, 1.0, 3.0), ends).tolist() == [1.0, 3.0]
    assert triangular(Range(1.0, 3.0, 3.0), ends).tolist() == [1.0, 3.0]


@pytest.mark.parametrize(("samples", "workers"), [(0, 1), (-1, 1), (10**9, 1), (10, 0)])
def test_draws_that_cannot_be_are_refused(samples, workers):
    with pytest.raises(UsageError, match=r"found .* expected"):
        draw({}, samples, workers=workers)


@pytest.mark.parametrize("model", ["poisson", "murphy", "negative_binomial@a=1", "moore"])
@pytest.mark.parametrize("salvage", [None, Salvage(0.6, 36, 33), Salvage(1.0, 4, 1)])
def test_drawn_wafers_yield_what_the_formula_says(model, salvage):
    placed, chosen = place_dies(13e-3, 15.65e-3), yield_model(model)
    good = [(draw_wafer(placed, chosen, 3e3, salvage, seed).state != LOST).mean() for seed in range(150)]
    mean = die_yield(chosen, 13e-3 * 15.65e-3, 3e3, salvage)
    error = 4.5 * math.sqrt(mean * (1 - mean) / (150 * placed.dies))
    assert np.mean(good) == pytest.approx(mean, abs=error)


def test_a_drawn_wafer_adds_up():
    placed = place_dies(26e-3, 31.3e-3)
    drawn = draw_wafer(placed, yield_model("poisson"), 1e3, Salvage(0.6, 144, 132), seed=5)
    assert sum(drawn.count(state) for state in (WHOLE, SALVAGED, LOST)) == placed.dies
    assert drawn.count(SALVAGED) > 0
    away = np.abs(drawn.defects[:, None] - placed.centres[None])
    on = (away <= np.array([placed.width, placed.height]) / 2 + 1e-12).all(axis=2)
    assert (on.sum(axis=1) == 1).all()
    assert (drawn.state[on.any(axis=0)] != WHOLE).all()
    assert (drawn.state[~on.any(axis=0)] == WHOLE).all()
    again = draw_wafer(placed, yield_model("poisson"), 1e3, Salvage(0.6, 144, 132), seed=5)
    assert (again.state == drawn.state).all()
    alone = draw_wafer(placed, yield_model("poisson"), 1e3, None, seed=5)
    assert alone.count(SALVAGED) == 0


def test_salvage_by_die():
    assert salvage_of(GPUS["mi300x"]) == Salvage(0.7, 40, 38)
    assert salvage_of(GPUS["tpu_v4"]) is None
    odd = GPUS["h100"].model_copy(update={"dies": Range(5.0, 5.0, 5.0), "sm_share": GPUS["h100"].sm_share})
    with pytest.raises(UsageError, match="as many on each"):
        salvage_of(odd)


def test_a_die_larger_than_the_reticle_has_no_cost():
    h100 = GPUS["h100"]
    area, side = Range(1e-3, 1e-3, 1e-3), Range(31.623e-3, 31.623e-3, 31.623e-3)
    large = h100.model_copy(update={"die_area": area, "die_width": side, "die_height": side})
    for count in ("placement", "classic"):
        with pytest.raises(UsageError, match="reticle"):
            dies_per_wafer(large, Costing(count=count))


def test_what_prices_lack_is_asked_for(tmp_path):
    with pytest.raises(UnknownNameError, match='did you mean "classic"'):
        dies_per_wafer(GPUS["h100"], Costing(count="clasic"))
    with pytest.raises(UsageError, match="tpu_v5p: found no die_area"):
        package_bill(GPUS["tpu_v5p"], PRICES, TYPICAL | {"links copper": 0.05})
    with pytest.raises(UnknownNameError, match='no prices for the process "N2"'):
        PRICES.process(GPUS["h100"].model_copy(update={"process": "N2"}))
    with pytest.raises(UnknownNameError, match='no price for links of "coper": did you mean "copper"'):
        PRICES.link(GPUS["h100"].model_copy(update={"medium": "coper"}))
    with pytest.raises(UsageError, match="h100: found no process"):
        PRICES.process(GPUS["h100"].model_copy(update={"process": ""}))
    with pytest.raises(UsageError, match="h100: found no medium"):
        PRICES.link(GPUS["h100"].model_copy(update={"medium": ""}))
    with pytest.raises(UnknownNameError, match='unknown bill "2030"'):
        PRICES.bill("2030")


def test_users_change_prices(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "processes:\n  n2: {nodes: [N2], wafer: 30 k$, defect_density: [0.1 /cm2, 0.4 /cm2]}\n"
        "bills:\n  later: {like: today, hbm_per_gb: 5 $}\n"
    )
    prices = load_prices([mine])
    assert prices.process(GPUS["h100"].model_copy(update={"process": "n2"})).wafer.typical == 30e3
    assert prices.bill("later").hbm_per_gb.typical == 5
    assert prices.bill().hbm_per_gb.typical == 15
    for text, message in (
        ("bills:\n  today: {final_test: 1.2}\n", "at most 1"),
        ("bills:\n  today: {placement_yield: 0}\n", "more than 0"),
        ("processes:\n  n5: {defect_density: -0.1 /cm2}\n", "at least 0"),
        ("links:\n  cpo: {per_gbps: .nan}\n", "not finite"),
        ("links:\n  air: {}\n", "missing"),
    ):
        mine.write_text(text)
        with pytest.raises(FaultsError, match=message):
            load_prices([mine])


def test_every_price_says_how_sure_it_is():
    for name, value in INPUTS.items():
        assert value.mark, name
        assert value.source, name
