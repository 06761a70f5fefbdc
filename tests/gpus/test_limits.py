"""What no wafer, price or package has is refused in one line, and numbers at the limits hold."""

import warnings
from fractions import Fraction

import pytest
from click.testing import CliRunner

from topo_sim.base import FaultsError, UnknownNameError, UsageError
from topo_sim.cli import main
from topo_sim.gpus import load_gpus
from topo_sim.gpus.harvest import die_yield
from topo_sim.gpus.reliability import checkpoint_efficiency, shortage, young_interval
from topo_sim.gpus.reticle import fit_sides
from topo_sim.gpus.yields import yield_model
from topo_sim.studies.gpu_yield import compare_yields, die_of_area, draw_wafers

POISSON = yield_model("poisson")


def run(*arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return CliRunner().invoke(main, list(arguments))


def refused(*arguments):
    """One line, exit code 2, no traceback and no warning; the text."""
    found = run(*arguments)
    assert found.exit_code == 2, (found.output, found.exception)
    assert len(found.output.strip().splitlines()) == 1, found.output
    return found.output


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("--prices", "processes: {n5: {wafer: {typical: 0 $}}}", "more than 0"),
        ("--prices", "processes: {n5: {defect_density: {typical: 10000000 /cm2}}}", "at most 1e"),
        ("--prices", "processes: {n5: {defect_density: {typical: 1000 /cm2}}}", "no die that works"),
        ("--prices", "bills: {today: {placement_yield: {typical: 1.0e-300}}}", "no package"),
        ("--catalogue", "gpus: {mine: {like: h100, hbm_stacks: {typical: 100000}}}", "at most 256"),
        ("--catalogue", "gpus: {mine: {like: h100, dies: {typical: 100000}}}", "at most 256"),
    ],
)
def test_no_bill_divides_by_nothing(tmp_path, option, text, message):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    names = ("mine",) if "mine" in text else ("h100", "lite")
    found = run("gpu", "cost", *names, option, str(file), "--samples", "50")
    assert found.exit_code == 2, (found.output, found.exception)
    assert message in found.output


def test_no_die_is_larger_than_the_reticle(tmp_path):
    assert "expected at most 858 mm2" in refused("gpu", "yield", "--area", "859 mm2")
    file = tmp_path / "mine.yaml"
    sides = "die_area: 2000 mm2, die_width: 40 mm, die_height: 50 mm"
    file.write_text(f"gpus: {{mine: {{like: h100, {sides}}}}}")
    for command in (("list",), ("yield", "mine"), ("cost", "mine")):
        found = run("gpu", *command, "--catalogue", str(file))
        assert (found.exit_code, "40 x 50 mm" in found.output) == (2, True), found.output
    h100 = load_gpus()["h100"]
    with pytest.raises(UsageError, match="reticle: found a die of"):
        h100.scaled(4 / 3)
    assert h100.scaled(2).dies.typical == 2


@pytest.mark.parametrize("area", [858, 857.9, 700, 676, 675, 100, 1])
def test_every_area_that_one_exposure_holds_can_be_drawn(area):
    die = die_of_area(area * 1e-6)
    assert die.sides[0] * die.sides[1] == pytest.approx(die.area)
    assert die.sides[0] <= 26e-3
    assert draw_wafers([die])[0].placement.dies >= 63


def test_the_largest_die_of_known_area_fits():
    assert fit_sides(858e-6) == pytest.approx((26e-3, 33e-3))
    with pytest.raises(UsageError, match="found a die of 859 mm2"):
        fit_sides(859e-6)


def test_gains_of_any_size_are_written_shortly():
    found = run("gpu", "yield", "--d0", "100 /cm2", "--model", "poisson")
    assert found.exit_code == 0
    assert max(map(len, found.stdout.splitlines())) < 130
    assert "e+238x" in found.stdout
    assert "expected 0 to 1e+06 /cm2" in refused("gpu", "yield", "--d0", "1e300 /cm2")
    assert run("gpu", "yield", "--d0", "1000000 /cm2").exit_code == 0  # all models, without a warning
    rows = compare_yields([die_of_area(814e-6), die_of_area(203.5e-6)], 1e10, models=["poisson"]).rows
    assert rows[1].gain is None


def test_a_share_is_a_number_a_fraction_or_text():
    h100 = load_gpus()["h100"]
    quarter = h100.scaled(0.25)
    assert h100.scaled(Fraction(1, 4)) == h100.scaled("1/4") == quarter
    for wrong in ("a quarter", "1/0", [0.25], None, True, float("nan")):
        with pytest.raises(UsageError, match="share: found"):
            h100.scaled(wrong)


@pytest.mark.parametrize("area", ["a", [814e-6], None, float("nan"), -1.0, True])
def test_areas_that_are_none(area):
    with pytest.raises(UsageError, match="area: found"):
        die_yield(POISSON, area, 1e3)


@pytest.mark.parametrize("density", ["a", [1e3, "b"], None, float("inf"), 1e300, -1.0])
def test_densities_that_are_none(density):
    with pytest.raises(UsageError, match="defect density: found"):
        die_yield(POISSON, 814e-6, density)


@pytest.mark.parametrize("spares", ["x", 1.5, -1, None, [1, "x"]])
def test_spares_that_are_none(spares):
    with pytest.raises(UsageError, match="spares: found"):
        shortage(10, spares, 0.1)


def test_checkpoints_at_the_ends_of_floats():
    assert checkpoint_efficiency(1e-300, 0, 0, 1e300) == 1.0
    assert checkpoint_efficiency(1e-300, 1e-300, 0, 1e300) == 0.5
    assert checkpoint_efficiency(1e308, 1e308, 0, 1.0) == 0.0
    assert young_interval(1e308, 1e308) == pytest.approx(2**0.5 * 1e308)
    assert young_interval(1e-300, 1e-300) == pytest.approx(2**0.5 * 1e-300)


def test_names_near_a_wrong_one_are_given_once(tmp_path):
    assert "placement" in refused("gpu", "cost", "--count", "nope")
    assert 'did you mean "placement"' in refused("gpu", "cost", "--count", "placment")
    file = tmp_path / "mine.yaml"
    file.write_text("gpus: {mine: {like: h100, process: TSMC 3X}}")
    assert refused("gpu", "cost", "mine", "--catalogue", str(file)).count('"TSMC N7"') == 1
    with pytest.raises((UnknownNameError, FaultsError)):
        load_gpus([file])["mine"].peak("fp3")
