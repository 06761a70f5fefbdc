"""The studies of light and their command lines."""

import csv
import io
import json

import pytest
from click.testing import CliRunner

from topo_sim.base import UnknownNameError, UsageError
from topo_sim.cli import main
from topo_sim.report.light_plot import plot_media
from topo_sim.studies.light_paths import budget_of, budgets_of_file
from topo_sim.studies.media import list_media, numbers
from topo_sim.topo.files import load_topology


def run(*arguments):
    return CliRunner().invoke(main, ["optics", *map(str, arguments)])


def test_every_number_of_a_record_has_its_kind():
    catalogue = list_media()
    for _, record in catalogue.records:
        for number in numbers(record):
            assert isinstance(number.value, str) or number.kind, (record.name, number.field)


def test_names_levels_and_dies():
    with pytest.raises(UnknownNameError, match='did you mean "cpo"'):
        list_media(names=["cpoo"])
    with pytest.raises(UsageError, match="level"):
        list_media("hihg")
    found = list_media(die=814e-6)
    for whole, quarters in found.shorelines:
        assert quarters.bandwidth.typical / whole.bandwidth.typical == pytest.approx(2.0)


def test_a_budget_tells_of_reach():
    near, far = budget_of("cpo", length=500.0), budget_of("cpo", length=501e3)
    assert (near.beyond_reach, far.beyond_reach, far.to_dict()["reach_m"]) == (False, True, 500.0)
    said = "is beyond the reach of cpo, 500 m"
    assert said in run("budget", "--medium", "cpo", "--length", "501 m").output
    assert said not in run("budget", "--medium", "cpo", "--length", "500 m").output


def test_a_loss_is_passed_once_unless_told_otherwise():
    found = budget_of("cpo", loss="2 dB")
    assert (found.budget.passes, dict(found.budget.waterfall())["circuit switch"]) == (
        1,
        pytest.approx(dict(found.budget.waterfall())["fibre"] - 2),
    )
    assert budget_of("cpo", loss="2 dB", passes=3).budget.passes == 3
    done = run("budget", "--medium", "cpo", "--loss", "2 dB", "--passes", 0)
    assert done.exit_code == 2
    assert "loss: found 2 dB of a circuit switch that is passed 0 times" in done.output


@pytest.mark.parametrize("term", ["margin=", "margin=  "])
def test_a_term_without_a_value_is_refused(term):
    done = run("budget", "--medium", "cpo", "--term", term)
    assert done.exit_code == 2
    assert "--term: found margin= without a value, expected one" in done.output


def test_huge_laser_powers_are_readable():
    done = run("budget", "--medium", "cpo", "--switch", "mems_palomar", "--loss", "180 dB")
    assert done.exit_code == 0
    factors = [word[1:] for word in done.output.split() if word.startswith("x") and word[1:2].isdigit()]
    assert factors
    assert all(len(factor) <= 9 for factor in factors)
    assert any("e+" in factor for factor in factors)


def test_areas_of_dies_have_a_unit():
    done = run("media", "--die", "0")
    assert done.exit_code == 2
    assert "area: found 0.0 m2, expected more than 0 and at most 1 m2" in done.output


@pytest.mark.parametrize("level", ["low", "typical", "high"])
def test_the_picture_and_the_table_of_switches_show_the_same_ports(level):
    found = list_media(level)
    texts = {text.get_text() for axes in plot_media(found).axes for text in axes.texts}
    for name in ("liquid_crystal", "silicon_photonic_mems", "mems_palomar"):
        switch = found.optics.circuit_switch(name)
        assert any(text.startswith(f"{switch.ports.at(level):.0f} ports") for text in texts), (name, texts)


def test_a_file_and_its_budgets():
    (path,) = budgets_of_file(load_topology("lite-circuits"))
    same = budget_of("cpo", switch="piezo")
    assert path.budget == same.budget
    assert path.survives == same.survives
    with pytest.raises(UsageError, match="found links of copper"):
        budgets_of_file(load_topology("dgx-h100"))


def test_the_vector_on_the_command_line():
    terms = ["laser=13 dBm", "margin=2 dB", "penalty=0 dB"]
    options = [word for term in terms for word in ("--term", term)]
    result = run(
        *("budget", "--medium", "cpo", "--switch", "mems_palomar", "--loss", "2 dB"),
        *options,
        "--format",
        "json",
    )
    (found,) = json.loads(result.stdout)["results"]
    assert round(found["received_dBm_OMA"]["typical"], 3) == -2.007
    assert round(found["slack_dB"]["typical"], 3) == 0.193
    assert found["survives_passes"]["typical"] == 1


def test_csv_of_a_budget_adds_up():
    rows = list(csv.DictReader(io.StringIO(run("budget", "--medium", "cpo", "--format", "csv").stdout)))
    for level in ("low", "typical", "high"):
        mine = [row for row in rows if row["level"] == level]
        lost = sum(float(row["loss_dB"]) for row in mine if row["loss_dB"])
        powers = [float(row["power_dBm"]) for row in mine if row["power_dBm"]]
        assert powers[0] - lost == pytest.approx(powers[-1])


def test_tables_say_what_breaks():
    result = run("budget", "--medium", "cpo", "--switch", "mems_palomar")
    assert "1.31 dB short, broken by: circulators" in result.stdout
    assert "typical: 0 passes" in result.stdout
    assert "closes at typical with 2.49 dB to spare" in run("budget", "--medium", "cpo").stdout


@pytest.mark.parametrize("level", ["low", "typical", "high"])
def test_media_at_each_level(level):
    out = run("media", "--level", level).stdout
    line = next(line for line in out.splitlines() if line.split()[:1] == ["cpo"])
    assert line.split()[1] == {"low": "5", "typical": "5.625", "high": "7"}[level]


def test_pictures(tmp_path):
    for name, arguments in (
        ("media", ["media"]),
        ("budget", ["budget", "--medium", "cpo", "--switch", "piezo", "--passes", "5"]),
    ):
        for suffix in ("png", "svg"):
            assert run(*arguments, "--picture", tmp_path / f"{name}.{suffix}").exit_code == 0
        text = (tmp_path / f"{name}.svg").read_text()
        assert "cpo" in text
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["media", "--level", "most"], "choose from high, low, typical"),
        (["media", "--medium", "cpu"], 'did you mean "cpo"'),
        (["media", "--die", "0 mm2"], "more than 0"),
        (["media", "--die", "2 m2"], "at most 1"),
        (["budget", "--medium", "cpo", "--switch", ""], "unknown circuit switch"),
        (["budget", "--medium", "cpo", "--term", "name=x"], "expected the key above it"),
        (["budget", "--medium", "cpo", "--length", "1e300 m"], "expected 0 to"),
        (["media", "--die", "3 W"], "is a power"),
        (["media", "--catalogue", "none.yaml"], "cannot be read"),
        (["media", "--picture", "a.bmp"], ".png"),
        (["budget"], "expected FILE alone, or --medium"),
        (["budget", "lite-torus", "--medium", "cpo"], "found FILE and --medium"),
        (["budget", "lite-torus", "--length", "3 m"], "found FILE and --length"),
        (["budget", "--medium", "cpo", "--set", "a=1"], "--set"),
        (["budget", "--medium", "copper"], "carries no light"),
        (["budget", "--medium", "cpo", "--passes", "1", "--switch", "rotor"], "rotor: loss"),
        (["budget", "--medium", "cpo", "--switch", "pieso"], 'did you mean "piezo"'),
        (["budget", "--medium", "cpo", "--length", "-3 m"], "--length"),
        (["budget", "--medium", "cpo", "--length", "nan"], "--length"),
        (["budget", "--medium", "cpo", "--term", "laser"], "--term"),
        (["budget", "--medium", "cpo", "--term", "laser=5 W"], "is a power"),
        (["budget", "--medium", "cpo", "--term", "coupler_loss=-1 dB"], "at least 0"),
        (["budget", "--medium", "cpo", "--term", "couplers=1.5"], "an integer"),
        (["budget", "--medium", "cpo", "--term", "lazer=5 dBm"], 'did you mean "laser"'),
        (["budget", "--medium", "cpo", "--term", "laser=["], "--term"),
        (["budget", "--medium", "cpo", "--loss", "-1 dB"], "--loss"),
        (["budget", "dgx-h100"], "one with a loss budget"),
    ],
)
def test_bad_input_is_one_line(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert "Traceback" not in result.output


def test_validate_exits_with_2_for_light(tmp_path):
    path = tmp_path / "dark.yaml"
    path.write_text(
        "topo_sim: 1\noptics: {passes: 2}\nfabric: {generator: circuit_switched, endpoints: 8, ports: 2}\n"
    )
    result = CliRunner().invoke(main, ["validate", str(path), "lite-circuits"])
    assert result.exit_code == 2
    assert "lite-circuits: ok" in result.stdout
    assert "dB short over 2 passes of generic" in result.stderr
