"""``topo-sim gpu compare``: its yield model and density, its workers, what it says of cooling and wafers."""

import json

import pytest
from click.testing import CliRunner

from topo_sim.cli import main
from topo_sim.gpus import load_gpus
from topo_sim.gpus.prices import load_prices
from topo_sim.report.gpu_compare import plot_comparison_of_gpus
from topo_sim.studies.gpu_compare import compare_gpus


def run(*arguments):
    found = CliRunner().invoke(main, ["gpu", "compare", *arguments, "--samples", "30"])
    assert found.exit_code == 0, (found.output, found.exception)
    return found.stdout


def test_model_and_density_reach_yields_and_bills():
    facts = json.loads(run("--model", "murphy", "--d0", "0.2 /cm2", "--format", "json"))["results"]["facts"]
    h100 = {fact["name"]: fact["typical"] for fact in facts if fact["gpu"] == "h100"}
    x = 0.2 * 8.14
    assert h100["yield of a die"] == pytest.approx(((1 - 2.718281828459045**-x) / x) ** 2)
    plain = json.loads(run("--format", "json"))["results"]["facts"]
    assert h100["cost"] < next(f["typical"] for f in plain if f["name"] == "cost")  # Murphy yields more
    assert "murphy at 0.2 per cm2" in run("--model", "murphy", "--d0", "0.2 /cm2")


def test_any_number_of_workers_gives_the_same():
    assert run("--format", "json") == run("--format", "json", "--workers", "3")


def test_a_clock_that_no_junction_holds_back_is_explained():
    assert "clock of b200 is held back by the largest package" in run("h100", "b200")
    assert "held back" not in run("h100", "lite")
    power = CliRunner().invoke(main, ["gpu", "power", "h100", "b200", "--samples", "20"]).stdout
    assert "(package)" in power


def test_the_wafer_is_one_draw_beside_its_mean():
    gpus = [load_gpus()[name] for name in ("h100", "lite")]
    figure = plot_comparison_of_gpus(compare_gpus(gpus, load_prices(), samples=20))
    titles = [axes.get_title(loc=where) for axes in figure.findobj(lambda a: hasattr(a, "get_title"))
              if hasattr(axes, "get_xlabel") for where in ("left", "center")]  # fmt: skip
    text = " ".join(titles)
    assert "h100, one draw: " in text
    assert "72% is the mean" in text
