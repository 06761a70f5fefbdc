"""Studies of power and of GPUs side by side, what shows them, and what they refuse."""

import csv
import io
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from topo_sim.base import UnknownNameError, UsageError
from topo_sim.cli import main
from topo_sim.gpus import load_gpus
from topo_sim.gpus.power import POWER_POLICIES
from topo_sim.gpus.prices import load_prices
from topo_sim.report.gpu_compare import compare_table, plot_comparison_of_gpus
from topo_sim.report.gpu_power import power_tables
from topo_sim.report.gpu_power_plots import plot_power
from topo_sim.report.tables import to_text
from topo_sim.studies.gpu_compare import compare_gpus
from topo_sim.studies.gpu_power import compare_power
from topo_sim.studies.power_blocks import PowerQuestion, blocks_of

GPUS = load_gpus()
DOCS = Path(__file__).parents[2] / "docs"


def of(*names):
    return [GPUS[name] for name in names]


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def power():
    return compare_power(of("h100", "lite", "lite+membw"), samples=300, seed=1)


@pytest.fixture(scope="module")
def compared():
    return compare_gpus(of("h100", "lite", "lite+membw"), load_prices(), samples=200)


def test_the_reference_saves_nothing_over_itself(power):
    for policy in POWER_POLICIES:
        day = power.day("h100", policy)
        assert set(day.saving.values()) == {0.0}
        assert (day.saving_drawn.p5, day.saving_drawn.p95) == (0.0, 0.0)


def test_one_big_gpu_has_nothing_to_switch_off(power):
    energy = {policy: power.day("h100", policy).energy["typical"] for policy in POWER_POLICIES}
    assert energy["gate"] == energy["idle"] == energy["all_on"]
    assert energy["gate_dvfs"] == energy["dvfs"] < energy["all_on"]


def test_the_number_of_the_claim(power):
    """What docs/claims/power.md says; a change of model must change the page."""
    day = power.day("lite", "gate")
    assert day.saving["typical"] == pytest.approx(0.131, abs=0.0005)
    assert dict(power.by_size[("lite", "gate")])[64] == pytest.approx(0.001, abs=0.0005)
    assert power.day("lite", "gate_dvfs").saving["typical"] == pytest.approx(0.093, abs=0.0005)
    page = (DOCS / "claims" / "power.md").read_text()
    assert "**13.1 %" in page
    assert "| 0.1 % |" in page
    assert {swing.name.split()[0] for swing in power.swings[:2]} == {"idle", "between_bursts"}
    assert "*Power between bursts" in page


def test_savings_of_gating_shrink_with_the_block(power):
    for gpu in ("lite", "lite+membw"):
        saved = [saving for _, saving in power.by_size[(gpu, "gate")]]
        assert saved == sorted(saved, reverse=True)
        flat = [saving for _, saving in power.by_size[(gpu, "all_on")]]
        assert max(flat) - min(flat) < 1e-12


def test_drained_as_an_h100_lite_gpus_lose_what_gating_gave():
    asked = PowerQuestion(count=8, drain=1, policies=("all_on", "gate"))
    found = compare_power(of("h100", "lite"), asked, samples=50)
    gate, flat = (found.day("lite", policy).saving["typical"] for policy in ("gate", "all_on"))
    assert abs(gate) < flat  # but the lasers of those that are off stay on


def test_levels_and_draws_hold_the_typical_value(power):
    for day in power.days:
        assert min(day.energy.values()) <= day.energy["typical"] <= max(day.energy.values())
        assert day.drawn.p5 < day.drawn.mean < day.drawn.p95


def test_the_same_seed_gives_the_same_for_any_number_of_workers():
    asked = PowerQuestion(policies=("gate",))
    one, two, other = (
        compare_power(of("h100", "lite"), asked, samples=5000, seed=seed, workers=workers).days[1].drawn
        for seed, workers in ((3, 1), (3, 4), (4, 1))
    )
    assert one == two
    assert one != other


def test_swings_bracket_the_typical_saving(power):
    middle = power.day("lite", "gate").saving["typical"]
    for swing in power.swings:
        low, high = sorted(swing.saving)
        assert low - 1e-12 <= middle <= high + 1e-12, swing.name


def test_blocks_have_the_compute_of_the_first():
    gpus = of("h100", "lite", "lite+netbw+flops", "b200", "a100")
    for block, gpu in zip(blocks_of(gpus, PowerQuestion(count=8)), gpus, strict=True):
        whole = block.count * gpu.peak("bf16").typical
        assert whole >= 8 * GPUS["h100"].peak("bf16").typical * (1 - 1e-9)
        assert (block.count - 1) * gpu.peak("bf16").typical < 8 * GPUS["h100"].peak("bf16").typical
        assert block.work * block.count >= 1 - 1e-9


def test_what_is_resident_keeps_gpus_on():
    asked = PowerQuestion(policies=("gate",), resident=50e9)
    found = compare_power(of("h100", "lite"), asked, samples=20)
    assert found.day("lite", "gate").day.on.min() == 3  # of 20 GB each
    odd = PowerQuestion(count=8, policies=("gate",), resident=600e9)  # 30 of these hold it, 59 not twice that
    sizes = compare_power(of("h100", "lite+netbw+flops"), odd, samples=20).by_size
    assert 16 not in dict(sizes[("lite+netbw+flops", "gate")])
    with pytest.raises(UsageError, match="found 100 GB for 1 h100 of 80 GB"):
        compare_power(of("h100", "lite"), PowerQuestion(resident=100e9), samples=20)


def test_a_cap_is_shared_by_tdp():
    found = compare_power(of("h100", "lite"), PowerQuestion(cap=500.0), samples=20)
    big, small = (package.cap_clock for package in found.packages)
    assert 0.7 < big < small < 0.9  # Lite-GPUs draw a little less for their TDP


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"load": 1.5}, "load: found 1.5"),
        ({"load": -0.5}, "load: found -0.5"),
        ({"load": math.nan}, "load: found nan"),
        ({"clock": -1.0}, "clock: found -1.0"),
        ({"clock": math.nan}, "clock: found nan"),
        ({"load": 1.0, "clock": 0.5}, "clock: found 0.5 for a load of 1, expected at least 1"),
        ({"count": 0}, "GPUs: found 0"),
        ({"racked": 0}, "GPUs in racks: found 0"),
        ({"drain": 0}, "drain: found 0"),
        ({"drain": -1}, "drain: found -1"),
        ({"cap": 1.0}, "power cap: found 1 W"),
        ({"headroom": -1.0}, "headroom: found"),
        ({"resident": math.nan}, "resident: found nan"),
        ({"policies": ()}, "policies: found none"),
        ({"policies": ("gate", "gate")}, "none twice"),
    ],
)
def test_bad_questions_are_refused_in_one_line(how, message):
    with pytest.raises(UsageError, match=re.escape(message)) as error:
        compare_power(of("h100", "lite"), PowerQuestion(**how), samples=10)
    assert "\n" not in str(error.value)


def test_bad_names_are_refused():
    for how in (
        {"policies": ("gates",)},
        {"activity": "x"},
        {"model": "x"},
        {"curve": "x"},
        {"cooling": ("ice",)},
    ):
        with pytest.raises(UnknownNameError):
            compare_power(of("h100"), PowerQuestion(**how), samples=10)
    with pytest.raises(UsageError, match="expected at least one, and none twice"):
        compare_power([])
    with pytest.raises(UsageError, match="none twice"):
        compare_power(of("h100", "h100"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("--load", "2"), ("--load", "nan"), ("--clock", "-1"), ("--policy", "sleep"), ("--count", "0"),
        ("--curve", "none.csv"), ("--curve", "dya"), ("--cap", "10 GB"), ("--cap", "5 W"), ("--drain", "0"),
        ("--resident", "-1 GB"), ("--resident", "1 TB"), ("--headroom", "nan"), ("--samples", "0"),
        ("--model", "x"), ("--activity", "x"), ("--models", "none.yaml"), ("--media", "none.yaml"),
        ("--precision", "fp3"), ("--picture", "x.gif"), ("--racked", "0"), ("h10",), ("h100", "h100"),
        ("tpu_v5p",), ("--workers", "0"),
    ],
)  # fmt: skip
def test_bad_options_end_with_two_and_one_line(arguments):
    found = run("gpu", "power", *arguments)
    assert found.exit_code == 2
    assert len(found.output.strip().splitlines()) == 1, found.output


def test_an_empty_curve_is_refused(tmp_path):
    (tmp_path / "e.csv").write_text("")
    found = run("gpu", "power", "--curve", tmp_path / "e.csv")
    assert found.exit_code == 2
    assert 'expected "hour,load"' in found.output


def test_a_single_gpu_has_its_own_tables_and_picture():
    alone = compare_power(of("b200"), samples=20)
    text = to_text(power_tables(alone), 160)
    assert "saved over b200" in text
    assert "What moves" not in text
    assert len(plot_power(alone).axes) == 4  # three panels and the load's axis


def test_csv_and_json_are_whole_and_finite():
    found = run("gpu", "power", "--policy", "gate", "--samples", "20", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(found.output)))
    assert [row["gpu"] for row in rows] == ["h100", "lite"]
    assert float(rows[1]["energy_typical_kwh"]) < float(rows[0]["energy_typical_kwh"])
    data = json.loads(run("gpu", "power", "--samples", "20", "--format", "json").output)
    assert "NaN" not in json.dumps(data)
    assert len(data["results"]["days"]) == 10


def test_pictures_hold_every_block(power):
    figure = plot_power(power)
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert {"4 lite, gate", "1 h100, all_on"} <= set(labels)
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].get_lines()}
    assert np.all(lines["4 lite, gate_dvfs"] <= lines["4 lite, gate"] * (1 + 1e-9))


def facts_of(result):
    return {(fact.section, fact.name): fact.values for fact in result.facts}


def test_side_by_side_per_compute(compared):
    facts = {name: values for (_, name), values in facts_of(compared).items()}
    assert [value.typical for value in facts["GPUs"]] == [1, 4, 4]
    assert facts["memory"][1].typical == facts["memory"][0].typical == 80e9
    assert facts["edge of dies"][1].typical == pytest.approx(2 * facts["edge of dies"][0].typical)
    assert facts["yield of a die"][1].typical / facts["yield of a die"][0].typical == pytest.approx(
        1.84, abs=0.005
    )
    assert facts["TDP over die area"][1].typical == facts["TDP over die area"][0].typical
    assert facts["cost over h100"][0] is None
    assert facts["cost over h100"][1].typical == pytest.approx(1.35, abs=0.01)
    rate = facts["failures per GPU and year"][1]
    assert rate.high == pytest.approx(4 * rate.low)  # by package and by area
    for values in facts.values():
        for value in values:
            assert value is None or value.low <= value.typical <= value.high


def test_side_by_side_agrees_with_the_studies_it_is_made_of(compared):
    for row in compared.rows():
        assert math.isfinite(row["typical"])
    energy = next(
        row for row in compared.rows() if row["name"] == "energy a day, gate" and row["gpu"] == "lite"
    )
    assert energy["typical"] / 3.6e6 == pytest.approx(compared.power.day("lite", "gate").energy["typical"])
    text = to_text(compare_table(compared), 200)
    assert "h100 and lite and lite+membw side by side" in text
    assert "racks on air" in text


def test_side_by_side_picture_has_its_four_panels(compared):
    figure = plot_comparison_of_gpus(compared)
    titles = " ".join(axes.get_title(loc) for axes in figure.axes for loc in ("left", "center"))
    for part in ("dies good", "The bill", "Power against load", "Availability against spares"):
        assert part in titles


@pytest.mark.parametrize(
    "arguments",
    [("--fleet", "0"), ("--group", "7"), ("--mttr", "-1 h"), ("--risk", "2"), ("--count", "0"),
     ("h100", "tpu_v5p"), ("--samples", "0"), ("--curve", "x"), ("h100", "litte")],
)  # fmt: skip
def test_side_by_side_refuses_in_one_line(arguments):
    found = run("gpu", "compare", *arguments)
    assert found.exit_code == 2
    assert len(found.output.strip().splitlines()) == 1, found.output


def test_claims_are_tied_together_with_commands_that_run():
    page = (DOCS / "claims" / "README.md").read_text()
    for name in ("yield", "cost", "power", "blast-radius"):
        assert f"({name}.md)" in page
        assert (DOCS / "claims" / f"{name}.md").exists()
    commands = re.findall(r"`topo-sim (gpu [^`]*)`", page)
    assert len(commands) >= 4
    for command in commands:
        assert run(*command.split()[:2], "--help").exit_code == 0
