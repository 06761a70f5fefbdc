"""The tuner: brute force over all it considers, crossovers to a byte, NCCL's file, and what is refused."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from topo_sim.base import CollectiveError, UnknownNameError, UsageError
from topo_sim.collectives import build_schedule, cost_profile
from topo_sim.collectives.models import COST_MODELS
from topo_sim.collectives.models.nccl_tuner import tuner_csv
from topo_sim.studies import best, nccl_choices, tune
from topo_sim.studies.contenders import options_to_try
from topo_sim.studies.envelope import Envelope, Line, ranges_of, search_ranges, trace_profile
from topo_sim.topo import fat_tree, load_fabric, mesh, single_switch, torus

FABRICS = {
    "switch": single_switch(8, bandwidth="50 GB/s", latency="500 ns"),
    "tree": fat_tree(4, bandwidth=["1 GB/s", "2 GB/s", "3 GB/s"], latency="1 us"),
    "torus": torus((4, 3), bandwidth="3 GB/s", latency="0.7 us"),
    "mesh": mesh((3, 3), bandwidth="1 GB/s", latency="2 us"),
    "dgx": load_fabric("dgx-h100"),
}
COLLECTIVES = ("all_reduce", "broadcast", "all_gather", "reduce", "all_to_all", "barrier")


def everything(fabric, collective, ranks=None, overhead=0.0):
    p = ranks or fabric.ranks
    schedules = [
        build_schedule(collective, n, p, 0, **o) for n, o in options_to_try(fabric, collective, None, p)
    ]
    return {s.label: cost_profile(s, fabric, overhead=overhead) for s in schedules}


@pytest.mark.parametrize("overhead", [0.0, 1e-6])
@pytest.mark.parametrize("fabric", FABRICS.values(), ids=FABRICS)
def test_ranges_equal_brute_force(fabric, overhead):
    rng = np.random.default_rng(5)
    for collective in COLLECTIVES:
        result = tune(fabric, collective, low=8, high=2**31, overhead=overhead)
        profiles = everything(fabric, collective, overhead=overhead)
        assert result.tried == len(profiles)
        assert result.ranges[0].first.size == 8
        assert result.ranges[-1].last.size == 2**31
        for size in np.floor(2 ** rng.uniform(3, 31, 60)):
            (mine,) = [r for r in result.ranges if r.first.size <= size <= r.last.size]
            least = min(profile.time(size) for profile in profiles.values())
            assert profiles[mine.label].time(size) == pytest.approx(least, rel=1e-11)
        for one in result.ranges:
            assert one.first.time == profiles[one.label].time(one.first.size)
            assert one.first.time >= one.first.lower_bound * (1 - 1e-9)
        for before, after in pairwise(result.ranges):
            change = after.first.size
            assert before.last.size == change - 1
            assert before.label != after.label
            old, new = profiles[before.label], profiles[after.label]
            # The first byte at which the new one is faster.
            assert new.time(change) < old.time(change)
            assert old.time(change - 1) <= new.time(change - 1) * (1 + 1e-12)


def test_crossovers_by_hand():
    fabric = single_switch(4, bandwidth=1e9, latency=0.5e-6)
    two = ["recursive_doubling", "halving_doubling"]
    # 2 us + 2 ns/B against 4 us + 1.5 ns/B: equal at 4000 B.
    ranges = tune(fabric, "all_reduce", low=0, high=2**20, algorithms=two).ranges
    assert [(r.first.size, r.last.size) for r in ranges] == [(0, 4000), (4001, 2**20)]
    for low, high, expected in (
        (3999, 4001, 2),
        (4000, 4000, 1),
        (4001, 9999, 1),
        (0, 0, 1),
        (3999.5, 4000.5, 1),
    ):
        assert len(tune(fabric, "all_reduce", low=low, high=high, algorithms=two).ranges) == expected


convex = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=5)


@given(st.lists(convex, min_size=1, max_size=6))
@example([[(1, 0, 3)], [(1, 1, 2)]])
@settings(max_examples=60)
def test_envelope_of_any_lines(functions):
    """Sums of ``max(a, b + c n)``, as steps are; looked at at every whole size."""
    whole = np.arange(65.0)
    values = [sum(np.maximum(a, b + c * whole) for a, b, c in f) for f in functions]
    lines = []
    for f in functions:
        knots = {0.0, 64.0} | {(a - b) / c for a, b, c in f if c and 0 < (a - b) / c < 64}
        size = np.array(sorted(knots))
        lines.append(Line(size, sum(np.maximum(a, b + c * size) for a, b, c in f) + 0.0))
    envelope = Envelope.of(lines[0], 0)
    for number, line in enumerate(lines[1:], 1):
        envelope = envelope.add(line, number)
    least = np.min(values, axis=0)
    assert envelope.line.at(whole) == pytest.approx(least, rel=1e-9)
    ranges = ranges_of(envelope)
    assert [r[0] for r in ranges] == [0, *(r[1] + 1 for r in ranges[:-1])]
    assert ranges[-1][1] == 64
    for first, last, who in ranges:
        assert values[who][first : last + 1] == pytest.approx(least[first : last + 1], rel=1e-9)
    for (_, last, old), (first, _, new) in pairwise(ranges):
        assert values[old][last] <= values[new][last] * (1 + 1e-9)
        # Strictly, but for what rounding makes of an exact tie.
        assert values[new][first] < values[old][first] * (1 + 1e-12)


def test_a_profile_is_traced_through_all_its_knots():
    fabric = FABRICS["mesh"]
    for name in ("halving_doubling", "double_binary_tree", "ring"):
        profile = cost_profile(build_schedule("all_reduce", name, 9, 0), fabric)
        line = trace_profile(profile, 1, 2**24)
        sizes = np.unique(np.geomspace(1, 2**24, 500))
        assert line.at(sizes) == pytest.approx([profile.time(n) for n in sizes], rel=1e-12)


def test_search_finds_a_third_between_two_sizes():
    lines = [lambda n: 1.0 + n, lambda n: 9.0 + n / 8, lambda n: 4.0 + n / 2]
    table = np.array([[line(n) for n in (0, 100)] for line in lines])
    asked = []

    def times(i, n):
        asked.append(n)
        return lines[i](n)

    assert search_ranges(times, [0, 100], table) == [(0, 6, 0), (7, 13, 2), (14, 100, 1)]
    assert all(0 <= n <= 100 for n in asked)


@pytest.mark.parametrize("model", ["fluid", "loggp", "alpha-beta", "step@seed=1"])
def test_other_models_are_searched_to_a_byte(model):
    fabric = FABRICS["switch"]
    result = tune(fabric, "all_reduce", low=64, high=2**24, model=model)
    name, _, setting = model.partition("@")
    given_ = {"seed": 1} if setting else {}

    def time(one, size):
        schedule = build_schedule("all_reduce", one.first.algorithm, 8, 0, **one.options)
        return COST_MODELS[name].times(schedule, fabric, size, **given_)[0]

    assert result.model == model
    assert len(result.ranges) > 1
    assert (result.ranges[0].first.size, result.ranges[-1].last.size) == (64, 2**24)
    for before, after in pairwise(result.ranges):
        change = after.first.size
        assert before.last.size == change - 1
        assert time(after, change) < time(before, change)
        assert time(before, change - 1) <= time(after, change - 1) * (1 + 1e-12)
    if model == "step@seed=1":
        exact = tune(fabric, "all_reduce", low=64, high=2**24)
        assert [r.label for r in exact.ranges] == [r.label for r in result.ranges]
        assert [r.first.size for r in exact.ranges] == [r.first.size for r in result.ranges]


def test_fluid_pruning_loses_nothing():
    fabric = FABRICS["tree"]
    for size in (1e3, 1e6, 1e8):
        found = best("broadcast", size, fabric, model="fluid", ranks=7)
        every = [
            COST_MODELS["fluid"].times(build_schedule("broadcast", n, 7, 0, **o), fabric, size)[0]
            for n, o in options_to_try(fabric, "broadcast", None, 7)
        ]
        assert found.time <= min(every) * 1.02  # segments are doubled only as long as that helps
        assert found.time >= min(every) * (1 - 1e-12)


def test_best_equals_brute_force():
    for fabric in FABRICS.values():
        for collective in COLLECTIVES:
            for size in (0, 1, 1e5, 1e9):
                found = best(collective, size, fabric)
                profiles = everything(fabric, collective)
                assert found.time == pytest.approx(min(p.time(size) for p in profiles.values()), rel=1e-11)
                assert found.time == profiles[found.algorithm].time(size)


def test_one_rank_and_names():
    fabric = FABRICS["switch"]
    result = tune(fabric, "all_reduce", ranks=1)
    assert len(result.ranges) == 1
    assert result.ranges[0].last.time == 0
    assert best("all_reduce", 1e6, fabric, ranks=1).time == 0
    only = tune(fabric, "all_reduce", [8, 2**30], algorithms=["ring", "double_binary_tree"])
    assert [p.first.algorithm for p in only.points] == ["double_binary_tree", "ring"]
    assert only.ranges == ()
    assert [row["size_B"] for row in only.rows()] == [8, 2**30]


@pytest.mark.parametrize(
    ("given_", "error", "match"),
    [
        ({"low": 8, "high": 4}, UsageError, "low, high: found 8 and 4 B"),
        ({"low": 1.2, "high": 1.8}, UsageError, "whole sizes"),
        ({"low": -1}, UsageError, "low: found -1"),
        ({"high": float("nan")}, UsageError, "high: found nan"),
        ({"high": float("inf")}, UsageError, "high: found inf"),
        ({"sizes": []}, UsageError, "sizes: found"),
        ({"sizes": [-1.0]}, UsageError, "sizes: found"),
        ({"algorithms": ["rign"]}, UsageError, 'did you mean "ring"'),
        ({"ranks": 9}, UsageError, "ranks: found 9"),
        ({"ranks": 0}, UsageError, "ranks: found 0"),
        ({"overhead": -1.0}, UsageError, "overhead: found"),
        ({"model": "stpe"}, UnknownNameError, 'did you mean "step"'),
        ({"model": "astra-unaware"}, UsageError, "an algorithm of its own"),
        ({"model": "nccl", "algorithms": ["circulant"]}, CollectiveError, "an algorithm that NCCL has"),
        ({"model": "fluid@most=3"}, CollectiveError, "expected at most 3"),
        ({"collective": "all_redcue"}, UnknownNameError, "all_reduce"),
    ],
)
def test_refusals(given_, error, match):
    with pytest.raises(error, match=match):
        tune(FABRICS["switch"], **given_)


def test_what_a_model_does_not_cover_is_said():
    result = tune(FABRICS["dgx"], algorithms=["ring", "chain"], model="fluid@most=60", high=2**20)
    assert any(text.startswith("ring: ") and "expected at most 60" in text for text in result.left_out)
    assert result.to_dict()["left_out"] == list(result.left_out)


class TestTunerFile:
    FABRIC = load_fabric("superpod-h100-64")

    def written(self, collective, **settings_):
        result = tune(self.FABRIC, collective, **settings_)
        choices, notes = nccl_choices(result, self.FABRIC, **settings_)
        return tuner_csv(choices).splitlines(), notes

    def test_golden(self):
        lines, notes = self.written("all_reduce", overhead=1e-6)
        assert lines == [
            "collective_type,min_bytes,max_bytes,algorithm,protocol,channels,nNodes,nRanks",
            "allreduce,0,222680,tree,ll,16,8,64",
            "allreduce,222681,22883168,tree,ll128,16,8,64",
            "allreduce,22883169,2147483647,ring,ll128,16,8,64",
            "allreduce,2147483648,9223372036854775807,ring,simple,16,8,64",
        ]
        assert notes == [
            "all_reduce, 1 KiB to 328.9 KiB: NCCL has no recursive_doubling here, wrote tree",
            "all_reduce, 328.9 KiB to 1004 KiB: NCCL has no halving_doubling here, wrote tree",
            "all_reduce, 1004 KiB to 4 GiB: NCCL has no hierarchical here, wrote tree, ring",
        ]

    def test_what_nccl_has_is_written_as_it_is(self):
        lines, notes = self.written("all_reduce", algorithms=["ring"])
        assert notes == []
        assert {line.split(",")[3] for line in lines[1:]} == {"ring"}
        inside = load_fabric("dgx-h100")
        choices, notes = nccl_choices(tune(inside), inside)
        assert {choice.algorithm for choice in choices} == {"nvls"}
        assert notes == []

    def test_a_broadcast_chain_is_what_nccl_calls_a_ring(self):
        lines, notes = self.written("broadcast")
        assert {line.split(",")[3] for line in lines[1:]} == {"ring"}
        assert any("binomial_tree" in note for note in notes)

    def test_refusals(self):
        with pytest.raises(CollectiveError, match="that NCCL has there"):
            self.written("all_to_all")
        with pytest.raises(CollectiveError, match="that NCCL has there"):
            self.written("all_reduce", algorithms=["halving_doubling"])
        with pytest.raises(UsageError, match="two ranks or more"):
            self.written("all_reduce", ranks=1)
