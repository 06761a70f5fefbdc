"""Clusters of equal silicon compared: spares, interruptions, goodput."""

import math
from itertools import pairwise

import pytest

from topo_sim.base import UnknownNameError, UsageError
from topo_sim.gpus.reliability import YEAR, Job
from topo_sim.studies.failures import compare_failures
from topo_sim.studies.fleets import Question

HOUR = 3600.0
NOTES = {"rate": 0.09 / YEAR, "policies": ["none"], "years": 1.0, "replicas": 2}


def fleets(**question):
    study = compare_failures(["h100", "lite"], Question(**(NOTES | question)))
    return {fleet.end: fleet for fleet in study.fleets}


def test_spares_table_of_64_h100s_and_256_lites():
    for repair, expected in ((24, {"given": (1, 1), "package": (2, 0.5), "area": (1, 0.25)}),
                             (168, {"given": (2, 2), "package": (4, 1), "area": (2, 0.5)})):  # fmt: skip
        found = fleets(repair=repair * HOUR)
        assert {end: (found[end].needed, found[end].idle) for end in expected} == expected
        assert [found[end].cluster.count for end in expected] == [64, 256, 256]


def test_interruptions_four_times_as_often_at_equal_rates():
    found = fleets()
    assert [f.cluster.group for f in found.values()] == [8, 32, 32, 32]
    assert found["package"].interruptions == pytest.approx(4 * found["given"].interruptions)
    assert found["area"].interruptions == pytest.approx(found["given"].interruptions)
    between = found["given"].interruptions, found["package"].interruptions
    assert between[0] < found["parts"].interruptions < between[1]


def test_lives_say_the_same():
    asked = Question(rate=0.5 / YEAR, repair=168 * HOUR, policies=["none", "hot_spares", "rewire"],
                     years=20, replicas=8)  # fmt: skip
    study = compare_failures(["h100", "lite"], asked)
    lives = {(fleet.end, life.policy): life for fleet, life in study.lives}
    big, small = (lives[end, "none"].interruptions_per_group_year for end in ("given", "package"))
    assert small.mean == pytest.approx(4 * big.mean, rel=0.35)  # a group that stands is not interrupted
    for end in ("given", "area", "package", "parts"):
        assert lives[end, "none"].goodput.mean < lives[end, "hot_spares"].goodput.mean
        assert lives[end, "rewire"].goodput.mean >= lives[end, "hot_spares"].goodput.mean - 1e-4
    assert len(study.rows()) == 12
    assert all(value == value for row in study.rows() for value in row.values())


def test_spares_are_split_evenly_over_domains():
    study = compare_failures(["h100", "lite"], Question(**NOTES | {"policies": ["hot_spares"]}, domains=4))
    assert all(life.cluster.spares % 4 == 0 and life.cluster.domains == 4 for _, life in study.lives)


def test_best_checkpoints_follow_interruptions():
    job = Job(write=60.0, restart=300.0)
    found = fleets(job=job, checkpoint="best")
    intervals = {end: fleet.job.interval for end, fleet in found.items()}
    assert intervals["area"] == pytest.approx(intervals["given"])
    assert intervals["given"] == pytest.approx(2 * intervals["package"], rel=1e-2)
    assert found["package"].row()["efficiency"] < found["given"].row()["efficiency"] < 1
    with pytest.raises(UsageError, match="time to write above 0"):
        fleets(job=Job(), checkpoint="best")


def test_other_types_get_about_the_same_silicon():
    study = compare_failures(["h100", "a100", "b200"], Question(**NOTES))
    for fleet in study.fleets:
        assert fleet.silicon == fleet.cluster.count * fleet.share
        assert abs(fleet.silicon - 64) <= fleet.share * fleet.cluster.group / 2
        assert fleet.cluster.count % fleet.cluster.group == 0


def test_the_curve_falls():
    study = compare_failures(["h100"], Question(**NOTES | {"rate": 2 / YEAR, "replicas": 4}), curve=True)
    lost = [1 - point.life.goodput.mean for point in study.curve]
    assert lost[0] > 10 * lost[-1]
    assert all(after <= before + 1e-3 for before, after in pairwise(lost))
    assert study.curve[0].spares == 0
    assert study.to_dict()["curve"][0]["spares"] == 0


@pytest.mark.parametrize(
    ("names", "question", "message"),
    [
        ([], {}, "found no GPU"),
        (["h100", "h100"], {}, "twice"),
        (["h100"], {"count": 0}, "GPUs: found 0"),
        (["h100"], {"group": 7}, "group: found 7 for 64 GPUs"),
        (["h100"], {"rate": -1.0}, "failure rate: found -1.0"),
        (["h100"], {"rate": math.nan}, "failure rate: found nan"),
        (["h100"], {"rate": 1.0}, "unavailability"),
        (["h100"], {"repair": 0.0}, "repair time: found 0.0"),
        (["h100"], {"risk": 2.0}, "risk: found 2.0"),
        (["h100"], {"spares": 65, "policies": ["rewire"]}, "spares: found 65 for 64"),
        (["h100"], {"parts": {"hst": 8}}, 'did you mean "host"'),
    ],
)
def test_bad_questions(names, question, message):
    with pytest.raises(UsageError, match=message) as error:
        compare_failures(names, Question(**(NOTES | question)))
    assert "\n" not in str(error.value)


def test_unknown_names():
    with pytest.raises(UnknownNameError, match="h100"):
        compare_failures(["h1000"])
    with pytest.raises(UnknownNameError, match="shrink"):
        compare_failures(["h100"], Question(policies=["shrnk"]))
