"""Studies of GPUs and what shows them: ratios, spreads, swings, pictures, checks of topology files."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from topo_sim.base import UnknownNameError, UsageError
from topo_sim.cli import main
from topo_sim.gpus import load_gpus
from topo_sim.gpus.cost import Costing
from topo_sim.gpus.prices import load_prices
from topo_sim.report.gpu_plots import plot_costs, plot_wafers
from topo_sim.report.gpus import cost_tables, gpu_table, yield_tables
from topo_sim.report.tables import to_text
from topo_sim.studies.gpu_cost import compare_costs, with_changes
from topo_sim.studies.gpu_yield import compare_yields, die_of, die_of_area, draw_wafers
from topo_sim.studies.validating import validate_topology

GPUS, PRICES = load_gpus(), load_prices()


def of(*names):
    return [GPUS[name] for name in names]


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def costs():
    return compare_costs(of("h100", "lite", "lite+netbw+flops"), PRICES, samples=6000, seed=1)


def test_the_reference_is_one(costs):
    first = costs.reference
    assert first.per_reference == first.ratio.mean == first.die_ratio.mean == 1
    assert first.ratio.p5 == first.ratio.p95 == 1


def test_four_lites_or_fewer_where_they_are_faster(costs):
    assert [bill.per_reference for bill in costs.bills] == [1, 4, pytest.approx(4 / 1.1)]


def test_ratios_of_dies(costs):
    with_salvage, without = costs.bills[1].die_ratio_typical
    assert (round(with_salvage, 2), round(without, 2)) == (0.71, 0.50)
    plain = compare_costs(
        of("h100", "lite"), PRICES, costing=Costing(salvage=False, count="classic"), samples=10
    )
    assert 0.45 <= plain.bills[1].die_ratio_typical[0] <= 0.54


def test_draws_agree_with_a_closed_form():
    linear = compare_costs(of("h100"), PRICES, samples=20_000, seed=3).reference
    bill = PRICES.bill()
    for level in ("low", "typical", "high"):
        assert linear.lines[level]["memory"] == pytest.approx(80 * bill.hbm_per_gb.at(level))
    assert linear.spread.p5 < linear.spread.p50 < linear.spread.p95
    assert linear.total("low") < linear.spread.p5
    assert linear.spread.p95 < linear.total("high")
    other = compare_costs(of("h100"), PRICES, samples=20_000, seed=4).reference
    assert abs(linear.spread.mean - other.spread.mean) < 2 * (linear.spread.error + other.spread.error)


def test_same_seed_same_answer_for_any_number_of_workers(costs):
    again = compare_costs(of("h100", "lite", "lite+netbw+flops"), PRICES, samples=6000, seed=1, workers=3)
    assert again.to_dict() == costs.to_dict()


def test_swings_are_sorted_and_leave_the_middle_inside(costs):
    lite = costs.bills[1]
    middle = lite.total() * 4 / costs.reference.total()
    width = [abs(high - low) for low, high in (s.ratio for s in lite.swings)]
    assert width == sorted(width, reverse=True)
    for swing in lite.swings:
        assert min(swing.ratio) - 1e-12 <= middle <= max(swing.ratio) + 1e-12, swing.name
    assert lite.swings[0].name == "links cpo"


def test_halving_the_die_moves_the_package_little():
    cheap = compare_costs(of("h100"), PRICES, samples=2).reference
    assert 0.05 < cheap.lines["typical"]["dies"] / cheap.total() < 0.15


def test_what_is_left_out_is_said():
    notes = compare_costs(of("h100", "mi300x", "tpu_v4"), PRICES, samples=2).bills
    assert "1480 mm2" in notes[1].notes[0]
    assert "SMs" in notes[2].notes[0]
    assert notes[0].notes == ()


@pytest.mark.parametrize("names", [(), ("h100", "h100")])
def test_no_gpu_or_twice_the_same_is_refused(names):
    with pytest.raises(UsageError, match="expected at least one"):
        compare_costs(of(*names), PRICES, samples=2)
    with pytest.raises(UsageError, match="expected at least one"):
        compare_yields([die_of(gpu) for gpu in of(*names)])


def test_changes():
    changed = with_changes(of("h100", "lite"), ["LITE"], {"H100": "cpo"})
    assert (changed[0].medium, changed[0].packaging) == ("cpo", "interposer")
    assert (changed[1].medium, changed[1].packaging) == ("cpo", "none")
    with pytest.raises(UnknownNameError, match="unknown GPU"):
        with_changes(of("h100"), ["lite"])


def test_yields_of_areas():
    found = compare_yields([die_of_area(814e-6), die_of_area(203.5e-6)], models=["poisson", "seeds"])
    assert [row.salvaged for row in found.rows] == [None] * 4
    assert [round(row.gain, 2) for row in found.rows if row.gain] == [1.84, 1.51]
    never = compare_yields([die_of_area(814e-6), die_of_area(203.5e-6)], models=["seeds"], wanted=4.5)
    assert never.rows[1].density_for_gain is None
    assert "never" in to_text(yield_tables(never), 200)


def test_certain_ruin_is_no_division_by_zero():
    found = compare_yields([die_of(gpu) for gpu in of("h100", "lite")], density=1e9)
    assert all(row.gain is None or np.isfinite(row.gain) for row in found.rows)


def test_tables_say_what_the_claim_covers(costs):
    text = to_text(cost_tables(costs), 250)
    for fragment in ("dies alone, none", "0.50", "whole bill", "per Gb/s of links, cpo", "assumed"):
        assert fragment in text
    shown = to_text(gpu_table(GPUS["lite"]), 200)
    for fragment in ("recalled", "112.5 GB/s", "0.86 W/mm2", "Table 1"):
        assert fragment in shown


def test_pictures(costs):
    dies = [die_of(gpu) for gpu in of("h100", "lite")]
    found = compare_yields(dies, models=["poisson"])
    wafers = draw_wafers(dies)
    figure = plot_wafers(found, wafers)
    assert len(figure.axes) == 2
    boxes = [sum(len(c.get_paths()) for c in axes.collections[:3]) for axes in figure.axes]
    assert boxes == [67, 294]
    bars, tornado = plot_costs(costs).axes
    tops = sum(patch.get_height() for patch in bars.patches if patch.get_x() < 0)
    assert tops == pytest.approx(costs.reference.total())
    assert len(tornado.texts) == 10
    assert len(plot_costs(compare_costs(of("b200"), PRICES, samples=10)).axes) == 2


def test_a_topology_names_a_gpu_that_is(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("topo_sim: 1\ngpu: h10\nfabric: {generator: torus, dims: [4], medium: copper}\n")
    faults = validate_topology(str(file))
    assert len(faults) == 1
    assert 'gpu: found "h10", expected the name of a GPU: did you mean "h100"?' in faults[0]
    file.write_text("topo_sim: 1\ngpu: H100\nfabric: {generator: torus, dims: [4], medium: copper}\n")
    assert validate_topology(str(file)) == []
    file.write_text("topo_sim: 1\ngpu: 3\nfabric: {generator: torus, dims: [4], medium: copper}\n")
    assert "gpu: found 3, expected text" in validate_topology(str(file))[0]


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["show", "h10"], 'did you mean "h100"'),
        (["show", "h100", "--scale", "0"], "share: found 0"),
        (["show", "h100", "--scale", "1/0"], "share: found"),
        (["show", "h100", "--scale", "0.3"], "whole SMs"),
        (["show", "h100", "--scale", "1/4", "--network", "nan"], "network: found nan"),
        (["list", "--catalogue", "none.yaml"], "none.yaml"),
        (["yield", "tpu_v5p"], "found no die_area"),
        (["yield", "--area", "-1 mm2"], "--area"),
        (["yield", "--area", "0 mm2"], "--area"),
        (["yield", "--area", "1 GB"], "--area"),
        (["yield", "--d0", "nan"], "--d0"),
        (["yield", "--d0", "-1 /cm2"], "--d0"),
        (["yield", "--model", "poison"], 'did you mean "poisson"'),
        (["yield", "--gain", "1"], "above 1"),
        (["yield", "--picture", "a.bmp"], ".png"),
        (["yield", "--area", "900 mm2", "--picture", "a.png"], "reticle"),
        (["cost", "h100", "h100"], "none twice"),
        (["cost", "--samples", "0"], "samples"),
        (["cost", "--workers", "0"], "workers"),
        (["cost", "--count", "clasic"], 'did you mean "classic"'),
        (["cost", "--precision", "fp7"], "no precision"),
        (["cost", "a100", "h100", "--precision", "fp8"], "a100 has no precision"),
        (["cost", "--no-interposer", "b200"], 'unknown GPU "b200"'),
        (["cost", "--medium", "lite"], "GPU=MEDIUM"),
        (["cost", "--medium", "lite=glass"], "no price for links"),
        (["cost", "--bill", "x"], 'unknown bill "x"'),
        (["cost", "--prices", "none.yaml"], "none.yaml"),
        (["cost", "tpu_v5p"], "found no"),
    ],
)
def test_bad_input_is_one_line(tmp_path, monkeypatch, arguments, fragment):
    monkeypatch.chdir(tmp_path)
    result = run("gpu", *arguments)
    assert result.exit_code == 2, result.output
    assert fragment in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert "Traceback" not in result.output


def test_documents(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = json.loads(run("gpu", "cost", "--samples", "100", "--format", "json").stdout)["results"]
    assert found["reference"] == "h100"
    assert found["gpus"][1]["gpus_per_reference"] == 4
    shown = json.loads(run("gpu", "show", "Lite", "--format", "json").stdout)["results"]
    assert {"gpu", "about", "source", "fields"} <= set(shown)
    assert run("gpu", "show", "lite", "--format", "csv").stdout.startswith("gpu,field,low,typical,high,mark")
    assert (
        run("gpu", "yield", "--no-salvage", "--model", "poisson", "--format", "csv").stdout.count("\n") == 3
    )


ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [
    "docs/models/gpus.md",
    "docs/models/gpu-power.md",
    "docs/claims/README.md",
    "docs/claims/yield.md",
    "docs/claims/cost.md",
]


@pytest.mark.parametrize("page", PAGES)
def test_pages_quote_what_their_commands_print(page, tmp_path, monkeypatch):
    """Lines of a page's text blocks are printed by one of its commands, and the links lead somewhere."""
    monkeypatch.chdir(tmp_path)  # where pictures are drawn
    text = (ROOT / page).read_text(encoding="utf-8")
    commands = dict.fromkeys(re.findall(r"^topo-sim (gpu [^\n]*)", text, re.MULTILINE))
    commands |= {"gpu cost": None} if "What moves lite" in text else {}
    printed = {line.rstrip() for each in commands for line in run(*shlex.split(each)).stdout.splitlines()}
    blocks = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    assert blocks
    assert [line for block in blocks for line in block.splitlines() if line.rstrip() not in printed] == []
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        assert (ROOT / page).parent.joinpath(target).exists(), target


def test_the_table_of_the_claim_is_what_its_options_give():
    text = (ROOT / "docs/claims/cost.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [^|]* \| ([\d.]+) \(([\d.]+) \.\. ([\d.]+)\) \| `([^`]*)` \|", text, re.MULTILINE)
    assert len(rows) == 5
    for typical, low, high, options in rows:
        flags = [] if options == "-" else shlex.split(options)
        found = json.loads(run("gpu", "cost", *flags, "--format", "json").stdout)["results"]["gpus"]
        ratio = found[1]["total_usd"]["typical"] * 4 / found[0]["total_usd"]["typical"]
        numbers = (ratio, found[1]["ratio"]["p5"], found[1]["ratio"]["p95"])
        assert tuple(f"{number:.2f}" for number in numbers) == (typical, low, high)
