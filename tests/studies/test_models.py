"""Several cost models of one collective, a row each, with the bound beside and the impossible flagged."""

import json

import pytest
from click.testing import CliRunner

from topo_sim.base import CollectiveError, UnknownNameError, UsageError
from topo_sim.cli import main
from topo_sim.collectives import build_schedule, lower_bound
from topo_sim.collectives.models import COST_MODELS
from topo_sim.report import collective_table, to_text
from topo_sim.studies import cost_table
from topo_sim.studies.models import read_models
from topo_sim.topo import load_fabric, single_switch, torus

SWITCH = single_switch(64, bandwidth="50 GiB/s")


def test_a_row_per_model_in_the_order_of_the_first():
    models = ["step", "alpha-beta", "loggp", "astra-unaware"]
    result = cost_table(SWITCH, "all_reduce", [2**20, 2**30], models=models)
    per_size = len(result.costs) // 2
    for part in (result.costs[:per_size], result.costs[per_size:]):
        assert [c.model for c in part[:-1]] == models[:3] * (len(part) // 3)
        assert part[-1].model == "astra-unaware"
        firsts = [c.time for c in part if c.model == "step"]
        assert firsts == sorted(firsts)
        for three in zip(part[:-1:3], part[1:-1:3], part[2:-1:3], strict=True):
            assert len({c.algorithm for c in three}) == 1
            assert three[1].time == pytest.approx(three[0].time, rel=1e-9)
            assert three[2].time == pytest.approx(three[0].time, rel=1e-9)
        assert len({c.lower_bound for c in part}) == 1


def test_every_row_says_what_the_model_says():
    sizes = [2.0**16, 2.0**26]
    for name, model in COST_MODELS.items():
        if name.startswith(("step", "alpha", "loggp", "astra")):
            result = cost_table(SWITCH, "all_gather", sizes, algorithms=["ring"], models=[name])
            schedule = build_schedule("all_gather", "ring", 64, 0)
            assert [c.time for c in result.costs] == model.times(schedule, SWITCH, sizes).tolist()
            assert [c.algbw for c in result.costs] == [c.size / c.time for c in result.costs]


def test_the_impossible_is_flagged():
    result = cost_table(SWITCH, "all_to_all", [2**30], models=["step", "astra-unaware", "astra-aware"])
    flags = {cost.model: cost.below_bound for cost in result.costs}
    assert flags == {"step": False, "astra-unaware": True, "astra-aware": False}
    text = to_text(collective_table(result), width=250)
    assert text.count("below the bound: not physical") == 1
    rows = {row["model"]: row for row in result.rows()}
    assert rows["astra-unaware"]["below_bound"] is True
    assert rows["astra-unaware"]["time_s"] == 313_520e-9
    assert rows["astra-unaware"]["lower_bound_s"] == lower_bound("all_to_all", SWITCH).time(2**30)


def test_a_table_of_steps_alone_is_as_before():
    text = to_text(collective_table(cost_table(SWITCH, "all_reduce", [2**20])), width=250)
    assert "model" not in text


def test_settings_shared_and_own():
    plain, own = read_models(["step", "loggp@o=1 us,g=0.5,G=50 GB/s"], overhead=2e-6, seed=3)
    assert (plain.settings, plain.own) == ({"overhead": 2e-6, "seed": 3}, False)
    assert own.settings == {"overhead": 2e-6, "seed": 3, "o": "1 us", "g": 0.5, "G": "50 GB/s"}
    times = [
        cost_table(SWITCH, "all_reduce", [1e6], algorithms=["ring"], models=[m], overhead=o).costs[0].time
        for m, o in [("step", 1e-6), ("step@overhead=1 us", 0), ("alpha-beta", 1e-6), ("loggp", 1e-6)]
    ]
    assert times == pytest.approx([times[0]] * 4, rel=1e-9)


@pytest.mark.parametrize(
    ("models", "given", "message"),
    [
        ([], {}, "at least one"),
        (["step", "step"], {}, "twice"),
        (["step@oberhead=1"], {}, 'did you mean "overhead"'),
        (["loggp@o"], {}, 'found "o", expected NAME@SETTING=VALUE'),
        (["loggp@o=1,o=2"], {}, "given twice"),
        (["loggp@"], {}, 'found ""'),
        (["step@overhead=5 GB"], {}, "overhead: "),
        (["astra-unaware"], {"overhead": 1e-6}, "takes no overhead"),
        (["astra-unaware"], {"routing": "ecmp"}, "takes no routing"),
        (["astra-unaware@endpoint_delay=0"], {}, "endpoint_delay: found 0"),
    ],
)
def test_what_is_refused(models, given, message):
    with pytest.raises(UsageError, match=message):
        cost_table(SWITCH, "all_reduce", [1e6], models=models, **given)


def test_unknown_models_and_what_a_model_does_not_cover():
    with pytest.raises(UnknownNameError, match='did you mean "loggp"'):
        cost_table(SWITCH, "all_reduce", [1e6], models=["logpg"])
    with pytest.raises(CollectiveError, match="times no broadcast"):
        cost_table(SWITCH, "broadcast", [1e6], models=["astra-unaware"])
    with pytest.raises(CollectiveError, match="64 B or more"):
        cost_table(SWITCH, "all_reduce", [0], models=["astra-unaware"])


def test_algorithms_that_a_model_does_not_cover_are_left_out_unless_named():
    fabric = load_fabric("dgx-h100")
    result = cost_table(fabric, "all_reduce", [1e6], models=["step", "nccl"])
    covered = {c.algorithm for c in result.costs if c.model == "nccl"}
    assert "ring" in covered
    assert covered < {c.algorithm for c in result.costs if c.model == "step"}
    assert len(cost_table(fabric, "all_reduce", [1e6], models=["nccl"]).costs) == sum(
        c.model == "nccl" for c in result.costs
    )
    with pytest.raises(CollectiveError, match="expected an algorithm that NCCL"):
        cost_table(fabric, "all_reduce", [1e6], algorithms=["halving_doubling"], models=["step", "nccl"])


class TestSchedule:
    """One schedule in the place of the algorithms."""

    RING = build_schedule("all_reduce", "ring", 8, 0)

    def test_costs_the_same(self):
        one = cost_table(torus((4, 4)), "all_reduce", [1e6], schedule=self.RING).costs[0]
        same = cost_table(torus((4, 4)), "all_reduce", [1e6], algorithms=["ring"], ranks=8).costs[0]
        assert (one.time, one.ranks) == (same.time, 8)

    @pytest.mark.parametrize(
        ("fabric", "collective", "given", "message"),
        [
            (torus(8), "all_gather", {}, "does all_reduce, expected all_gather"),
            (torus(8), "all_reduce", {"algorithms": ["ring"]}, "one of the two"),
            (torus(8), "all_reduce", {"ranks": 4}, "for 8 ranks, expected 4"),
            (torus(4), "all_reduce", {}, "at most the 4 of"),
        ],
    )
    def test_refusals(self, fabric, collective, given, message):
        with pytest.raises(UsageError, match=message):
            cost_table(fabric, collective, [1e6], schedule=self.RING, **given)


def test_the_command(tmp_path):
    path = tmp_path / "network.yml"
    path.write_text("topology: [Switch]\nnpus_count: [64]\nbandwidth: [50]\nlatency: [500]\n")
    line = ["collective", str(path), "-c", "all_to_all", "--size", "1GiB", "--format", "json"]
    found = CliRunner().invoke(main, [*line, "--model", "step", "--model", "astra-unaware"])
    assert found.exit_code == 0, found.output
    document = json.loads(found.stdout)
    assert document["inputs"]["models"] == ["step", "astra-unaware"]
    last = document["results"]["results"][-1]
    assert (last["model"], last["time_s"], last["below_bound"]) == ("astra-unaware", 313_520e-9, True)
    wrong = CliRunner().invoke(main, [*line, "--model", "loggp@x=1"])
    assert wrong.exit_code == 2
    assert "unknown setting" in wrong.stderr
