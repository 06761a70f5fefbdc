"""The catalogue of failure rates, the rate of a GPU made of its parts, and the record they come from."""

import math

import pytest

from topo_sim.base import FaultsError, UsageError
from topo_sim.gpus.reliability import YEAR, gpu_rate, load_failure_rates, replay, scaled_rate

RATES = load_failure_rates()
RECORD = RATES.record("llama3-405b")
GPU_YEARS = 16384 * 54 / 365


def count(*words):
    return sum(c.count for c in RECORD.causes if any(word in c.cause for word in words))


def test_every_number_says_where_it_comes_from():
    for part in RATES.parts.values():
        assert part.about
        assert part.rate.source, part.name
        assert part.rate.mark, part.name
        assert part.repair.mark == "assumed", part.name
        assert 0 < part.rate.low <= part.rate.typical <= part.rate.high


def test_the_record_adds_up():
    assert RECORD.total == 419
    stated = {c.cause: c.count for c in RECORD.causes if c.mark == "stated"}
    assert sorted(stated.values()) == [2, 17, 19, 35, 72, 148]
    assert RECORD.rate() * YEAR == pytest.approx(419 / GPU_YEARS)
    assert RECORD.rate() * 3600 == pytest.approx(1.97e-5, rel=3e-3)
    assert 1 / (RECORD.rate() * 16384 * 3600) == pytest.approx(3.1, abs=0.05)
    assert RECORD.rate("gpu") * YEAR == pytest.approx(0.111, abs=5e-4)
    assert RECORD.rate("gpu") + RECORD.rate("crash") == pytest.approx(RECORD.rate())


def test_the_share_that_the_source_prints_wrongly():
    assert count("faulty GPU") / RECORD.total == pytest.approx(0.353, abs=5e-4)
    assert "35.3" in RECORD.note


def test_parts_of_an_h100_add_up_to_the_record():
    per_year = gpu_rate(RATES, 814e-6, 5) * YEAR
    assert per_year == pytest.approx(RECORD.rate("gpu") * YEAR, rel=1e-4)
    assert RATES.part("die").rate.typical * YEAR == pytest.approx(
        count("SRAM", "system processor", "silent") / GPU_YEARS, rel=1e-4
    )
    assert RATES.part("hbm_stack").rate.typical * YEAR == pytest.approx(
        count("HBM3") / 5 / GPU_YEARS, rel=1e-3
    )


def test_a_lite_gpu_lies_between_both_ends():
    h100, lite = gpu_rate(RATES, 814e-6, 5), gpu_rate(RATES, 203.5e-6, 1)
    assert scaled_rate(h100, 0.25, "area") < lite < scaled_rate(h100, 0.25, "package")
    by_hand = 0.017327 / 4 + 0.061058 * (0.5 / 4 + 0.5) + 0.005941 + 0.002475
    assert lite * YEAR == pytest.approx(by_hand, rel=1e-9)
    linked = gpu_rate(RATES, 203.5e-6, 1, {"cpo": 6})
    assert (linked - lite) * 1e9 * 3600 == pytest.approx(6 * 300 / 2)
    assert gpu_rate(RATES, 814e-6, 5, level="low") < h100 < gpu_rate(RATES, 814e-6, 5, level="high")


def test_a_users_file_changes_and_adds(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("parts: {package: {rate: 0.5 /year}, link-tin: {rate: 100 FIT}}\n")
    rates = load_failure_rates([mine])
    assert rates.part("package").rate.typical * YEAR == pytest.approx(0.5)
    assert gpu_rate(rates, 814e-6, 5) > gpu_rate(RATES, 814e-6, 5)
    with pytest.raises(UsageError, match='part "link-tin": found no time to repair it'):
        rates.repair("link-tin")
    mine.write_text("parts: {package: {rate: 1 /year}}\n")
    assert load_failure_rates([mine]).part("package").rate.typical * YEAR == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("parts: {tin: {about: a tin}}", "parts.tin.rate: missing"),
        ("parts: {die: {rate: -1 /year}}", "parts.die.rate"),
        ("parts: {die: {rate: .nan}}", "parts.die.rate"),
        ("parts: {die: {rate: 1 W}}", "is a power, expected a failure rate"),
        ("parts: {die: {repair: 0 h}}", "more than 0"),
        ("parts: {die: {follows_area: 1.5}}", "at most 1"),
        ("parts: {tin: {rate: 1 FIT, follows_area: 1}}", "area: missing"),
        ("parts: {die: {rte: 1 FIT}}", 'unknown key "rte"'),
        ("incidents: {x: {devices: 0, days: 1, causes: [{cause: a, count: 1, part: gpu}]}}", "devices"),
        ("incidents: {x: {devices: 1, days: 1, causes: []}}", "causes"),
        ("incidents: {x: {devices: 1, days: 1, causes: [{cause: a, count: 1, part: cpu}]}}", "part"),
        ("incidents: {x: {devices: 1, days: .inf, causes: [{cause: a, count: 1, part: gpu}]}}", "days"),
        ("part: {}", 'unknown key "part"'),
    ],
)
def test_malformed_files(tmp_path, text, fragment):
    path = tmp_path / "rates.yaml"
    path.write_text(text)
    with pytest.raises(FaultsError) as error:
        load_failure_rates([path])
    assert fragment in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: RATES.part("link-coper"), 'part "link-coper".*did you mean "link-copper"'),
        (lambda: RATES.record("llama"), "unknown record"),
        (lambda: gpu_rate(RATES, -1.0, 5), "die area: found -1.0"),
        (lambda: gpu_rate(RATES, math.nan, 5), "die area: found nan"),
        (lambda: gpu_rate(RATES, 1e-4, 1.5), "HBM stacks: found 1.5"),
        (lambda: gpu_rate(RATES, 1e-4, 1, {"tin": 1}), 'part "link-tin"'),
        (lambda: scaled_rate(1.0, 0.0, "area"), "share of silicon: found 0.0"),
        (lambda: scaled_rate(1.0, 0.5, "volume"), 'unknown end "volume"'),
    ],
)
def test_bad_questions(call, message):
    with pytest.raises(UsageError, match=message):
        call()


def test_the_record_replayed():
    found = replay(RECORD, replicas=400, seed=1)
    total = found.causes.sum(axis=1)
    assert found.interruptions.mean == pytest.approx(419, rel=0.01)
    assert found.interruptions.deviation == pytest.approx(math.sqrt(419), rel=0.10)
    assert abs(total[0] - 419) <= 41
    assert 0.92 <= found.within_two_sigma <= 0.98
    for row in found.rows()[:-1]:
        assert abs(row["mean"] - row["record"]) < 4 * math.sqrt(row["record"] / 400)
    assert found.rows()[-1]["record"] == 419
    again = replay(RECORD, replicas=400, seed=1, workers=3)
    assert (again.causes == found.causes).all()
