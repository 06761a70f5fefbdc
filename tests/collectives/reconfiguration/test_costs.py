"""What steps cost on configurations: against paths followed hop by hop, and against fabrics."""

from dataclasses import replace

import numpy as np
import pytest

from topo_sim.base import CollectiveError, UsageError
from topo_sim.collectives import ALGORITHMS, Router, build_schedule, cost, runs
from topo_sim.collectives.reconfiguration import (
    Circuits,
    bidirectional_ring,
    bruck,
    circuit_profile,
    configuration,
    ring,
    rotation,
)
from topo_sim.collectives.schedule import Schedule
from topo_sim.collectives.solving import network_of, solve_steps
from topo_sim.collectives.step import Step
from topo_sim.topo import torus


def one_step(ranks, source, target, fraction):
    step = Step(source, target, fraction, False, runs(lambda: np.zeros(len(source), dtype=int)))
    base = build_schedule("all_to_all", "pairwise", ranks, 0)
    return Schedule(base.collective, "made", ranks, 0.0, ranks * ranks, (step,))


def followed(given, source, target, amount):
    """Longest way, most on a link and sum over links, by walking; None if some transfer cannot arrive."""
    ahead = {int(a): [] for a in given.source}
    for a, b in zip(given.source.tolist(), given.target.tolist(), strict=True):
        ahead[a].append(b)
    load, longest, total = {}, 0, 0.0
    for s, t, size in zip(source, target, amount, strict=True):
        ways = []
        for first in ahead.get(s, []):
            way, before, now = [(s, first)], s, first
            while now != t and len(way) <= given.ranks:
                onward = [v for v in ahead.get(now, []) if v != before or given.degree == 1]
                if not onward:
                    break
                before, now = now, onward[0]
                way.append((before, now))
            if now == t:
                ways.append(way)
        if not ways:
            return None
        least = min(map(len, ways))
        ways = [way for way in ways if len(way) == least]
        longest, total = max(longest, least), total + least * size
        for way in ways:
            for link in way:
                load[link] = load.get(link, 0.0) + size / len(ways)
    return longest, max(load.values()), total


def draw_configuration(rng, ranks, kind):
    order = rng.permutation(ranks)
    if kind == "one way":
        return configuration(
            "drawn", ranks, np.arange(ranks)[order != np.arange(ranks)], order[order != np.arange(ranks)]
        )
    if kind == "chains":
        keep = (rng.random(ranks) < 0.7) & (order != np.arange(ranks))
        return configuration("drawn", ranks, np.arange(ranks)[keep], order[keep])
    cut = ranks if ranks < 7 else 3
    parts = [order[:cut], order[cut:]]
    ends = [(part, np.roll(part, -1)) for part in parts if len(part) > 2]
    here, there = (np.concatenate(each) for each in zip(*ends, strict=True))
    return configuration("drawn", ranks, np.append(here, there), np.append(there, here))


@pytest.mark.parametrize("kind", ["one way", "chains", "both ways"])
def test_rings_and_chains_equal_walking_along_them(kind):
    rng = np.random.default_rng(4)
    seen = {True: 0, False: 0}
    for _ in range(300):
        ranks = int(rng.integers(4, 13))
        given = draw_configuration(rng, ranks, kind)
        count = int(rng.integers(1, 4))
        source = rng.integers(0, ranks, count)
        target = (source + rng.integers(1, ranks, count)) % ranks
        amount = rng.uniform(0.1, 1, count)
        schedule = one_step(ranks, source, target, amount)
        circuits = Circuits(ports=2, rate=8.0, hop=3.0, alpha=0.0)
        expected = followed(given, source, target, amount)
        if expected is None:
            with pytest.raises(CollectiveError, match="can be carried by no configuration"):
                circuit_profile(schedule, circuits, base=given, own=False)
            seen[False] += 1
            continue
        hops, load, total = expected
        profile = circuit_profile(schedule, circuits, base=given, own=False)
        rate = 4.0 * given.planes(2)
        assert profile.costs.delay[0, 0] == 3.0 * hops
        assert profile.costs.pace[0, 0] == pytest.approx(load / rate, rel=1e-12)
        assert profile.costs.moved[0, 0] == pytest.approx(total, rel=1e-12)
        seen[True] += 1
    assert seen[True] > 20
    if kind != "both ways":
        assert seen[False] > 20


@pytest.mark.parametrize("ranks", [4, 5, 6, 12, 16])
def test_shifts_along_strides_equal_walking_along_them(ranks):
    schedule = rotation(ranks, 0.0)
    profile = circuit_profile(schedule, Circuits(hop=1.0, alpha=0.0, rate=1.0), base=None)
    for i, step in enumerate(schedule.steps):
        for c, one in enumerate(profile.candidates):
            walked = followed(one, step.source.tolist(), step.target.tolist(), step.fraction)
            if walked is None:
                assert np.isinf(profile.costs.delay[i, c])
                continue
            assert profile.costs.delay[i, c] == walked[0]
            assert profile.costs.pace[i, c] == pytest.approx(walked[1], rel=1e-12)
            assert profile.costs.moved[i, c] == pytest.approx(walked[2], rel=1e-12)


@pytest.mark.parametrize("base", [ring, bidirectional_ring])
@pytest.mark.parametrize("name", ["all_reduce", "all_to_all", "all_gather", "broadcast", "reduce_scatter"])
def test_holding_still_takes_what_the_fabric_takes(name, base):
    """The same steps on the same light paths as an ordinary fabric, by the model behind `collective`."""
    circuits = Circuits(ports=2, rate=10e9, alpha=0.0, hop=2e-6)
    compared = 0
    for algorithm, entry in ALGORITHMS[name].items():
        if entry.switches or algorithm in ("torus", "mesh", "hierarchical", "blueconnect"):
            continue
        schedule = build_schedule(name, algorithm, 8, 1e6)
        still = base(8)
        plan = circuit_profile(schedule, circuits, base=still).plan(policy="never")
        fabric = still.fabric(circuits)
        full = cost(schedule, fabric).time
        assert plan.time >= full * (1 - 1e-12)  # the longest way and the busiest link need not be one
        as_fabric = circuit_profile(schedule, circuits, base=fabric).plan(policy="never")
        assert as_fabric.time == pytest.approx(full, rel=1e-12)
        assert as_fabric.moved == pytest.approx(plan.moved, rel=1e-9)
        alike = all(len(np.unique((s.target - s.source) % 8)) == 1 for s in schedule.steps)
        if alike:
            assert plan.time == pytest.approx(full, rel=1e-12)
            compared += 1
    assert compared or name == "broadcast"


def test_a_matched_step_takes_what_its_own_fabric_takes():
    circuits = Circuits(ports=2, rate=10e9, alpha=1e-6, hop=2e-6, reconfiguration=0.0)
    schedule = build_schedule("all_reduce", "halving_doubling", 16, 1e6)
    profile = circuit_profile(schedule, circuits)
    for i, step in enumerate(schedule.steps):
        own = profile.candidates[profile.matched[i]]
        alone = replace(schedule, steps=(step,))
        network = network_of(Router(own.fabric(circuits)), alone)
        ((delay, pace),), _ = solve_steps(alone, network, 1e-6)
        assert profile.step_times(1e6)[i, profile.matched[i]] == pytest.approx(
            (delay + 1e6 * pace).max(), rel=1e-12
        )


def test_subrings_serve_later_steps_of_bruck():
    """Shifts by 4 and 8 follow the subrings of stride 2 over two and four light paths."""
    profile = circuit_profile(bruck(16, 0.0), Circuits(alpha=0.0, hop=1.0, rate=1.0), base=None)
    names = [one.name for one in profile.candidates]
    assert names == ["shift by 1", "shift by 2", "shift by 4", "shift by 8"]
    assert profile.costs.delay[:, 1].tolist() == [np.inf, 1.0, 2.0, 4.0]
    assert profile.costs.pace[1:, 1].tolist() == [0.5, 1.0, 2.0]


def test_circuits_that_a_step_needs_get_equal_ports():
    schedule = one_step(6, [0, 0, 1], [1, 2, 3], 0.5)
    profile = circuit_profile(schedule, Circuits(ports=5, rate=10.0), base=None)
    assert profile.candidates[0].degree == 2
    assert profile.costs.pace[0, 0] == pytest.approx(0.5 / 4.0)  # two of five ports, of 2 B/s each


def test_a_torus_of_light_paths_can_be_the_base():
    fabric = torus((4, 4), bandwidth=25e9, latency=1e-6)
    circuits = Circuits(ports=4, rate=100e9, alpha=0.0, reconfiguration=1e-3)
    schedule = build_schedule("all_reduce", "torus", 16, 1e8, dims=(4, 4))
    plan = circuit_profile(schedule, circuits, base=fabric).plan()
    assert plan.reconfigurations == 0
    assert plan.time == pytest.approx(cost(schedule, fabric).time, rel=1e-12)
    assert plan.configurations[0] == fabric.name


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: configuration("x", 4, [0], [4]), UsageError, "circuit 0 -> 4, expected two ranks"),
        (lambda: configuration("x", 4, [1], [1]), UsageError, "circuit 1 -> 1"),
        (lambda: configuration("x", 4, [0.5], [1]), UsageError, "whole ranks"),
        (lambda: configuration("x", 4, [0, 1], [1]), UsageError, "two lists alike"),
        (lambda: configuration("x", 0, [], []), UsageError, "found 0 ranks"),
        (lambda: ring(4, stride=4), UsageError, "circuit 0 -> 0"),
        (lambda: Circuits(ports=0), UsageError, "ports: found 0"),
        (lambda: Circuits(rate=float("nan")), UsageError, "rate: found nan"),
        (lambda: Circuits(rate=0), UsageError, "rate: found 0"),
        (lambda: Circuits(alpha=-1e-9), UsageError, "alpha: found -1e-09"),
        (lambda: Circuits(reconfiguration=float("inf")), UsageError, "reconfiguration: found inf"),
        (lambda: Circuits(hop="1 us"), UsageError, "hop: found '1 us'"),
        (lambda: Circuits(hidden=1.5), UsageError, "hidden: found 1.5"),
    ],
)
def test_what_cannot_be_set_is_refused(make, error, match):
    with pytest.raises(error, match=match):
        make()


def test_candidates_must_fit():
    schedule = build_schedule("all_reduce", "ring", 8, 1e6)
    with pytest.raises(UsageError, match="a rank has 2 circuits, expected at most 1, one a port"):
        circuit_profile(schedule, Circuits(), base="bidirectional_ring")
    with pytest.raises(UsageError, match="found 6 ranks, expected the 8"):
        circuit_profile(schedule, Circuits(), base=ring(6))
    with pytest.raises(UsageError, match='base: found "rings": did you mean "ring"'):
        circuit_profile(schedule, Circuits(), base="rings")
    with pytest.raises(UsageError, match="found 16 endpoints, expected the 8"):
        circuit_profile(schedule, Circuits(), base=torus((4, 4)))
    with pytest.raises(UsageError, match="an endpoint has 4e\\+11 B/s, expected at most the 1e\\+11"):
        circuit_profile(schedule, Circuits(), base=torus((4, 2), bandwidth=400e9 / 3))
    with pytest.raises(CollectiveError, match="step 0 can be carried by no configuration: a rank sends 7"):
        circuit_profile(build_schedule("all_to_all", "direct", 8, 1e6), Circuits(ports=2), base=None)
    with pytest.raises(CollectiveError, match="combines in switches"):
        circuit_profile(build_schedule("all_reduce", "nvls", 8, 1e6), Circuits())
    with pytest.raises(CollectiveError, match="step 0 cannot be carried by the configuration that is set"):
        circuit_profile(bruck(8, 1e6), Circuits(), base=ring(8, stride=2)).plan(policy="never")


@pytest.mark.parametrize("value", ["x", 1, 0, None, "true"])
def test_first_free_is_true_or_false(value):
    with pytest.raises(UsageError, match=r"first_free: found .* expected true or false"):
        Circuits(first_free=value)
    assert Circuits(first_free=np.True_).first_free
