"""The fluid model: a slow twin, equal to step in lockstep, and what asynchrony changes."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naive import max_min, rows
from topo_sim.base import CollectiveError, RoutingError, UsageError
from topo_sim.collectives import ALGORITHMS, Schedule, Step, build_schedule, lower_bound
from topo_sim.collectives.models import COST_MODELS
from topo_sim.collectives.models.fluid import messages_of, timeline
from topo_sim.collectives.step import runs
from topo_sim.topo import Fabric, fat_tree, load_fabric, route, single_switch, torus

ALL = [(collective, name) for collective, names in ALGORITHMS.items() for name in names]
every = pytest.mark.parametrize(("collective", "name"), ALL)
FLUID, STEP = COST_MODELS["fluid"], COST_MODELS["step"]
SIZES = [0.0, 1.0, 4096.0, 1e6, 1e12]
close = {"rel": 1e-9, "abs": 0}


def made(collective, name, p):
    try:
        return build_schedule(collective, name, p, 1e6)
    except CollectiveError:
        return None


def by_hand(ranks, *steps):
    """A schedule of steps of (source, target, fraction); what they carry does not matter here."""
    made_steps = []
    for messages, repeat in steps:
        source, target, fraction = zip(*messages, strict=True)
        made_steps.append(Step(source, target, fraction, False, runs(lambda: [0]), repeat=repeat))
    base = build_schedule("broadcast", "binomial_tree", 2, 1.0)
    return Schedule(base.collective, "by_hand", ranks, 1.0, 1, tuple(made_steps))


def twin(schedule, fabric, size, overhead=0.0):
    """Arrival of every message: look at all of them at every event, exactly."""
    steps = [step for step in schedule.steps for _ in range(step.repeat)]
    sends = [
        (s, a, b, f, step.source.tolist().count(a))
        for s, step in enumerate(steps)
        for a, b, f in zip(step.source.tolist(), step.target.tolist(), step.fraction.tolist(), strict=True)
    ]
    paths = route(fabric, [m[1] for m in sends], [m[2] for m in sends])
    links = rows(paths)
    latency = [
        sum(Fraction(float(fabric.latency[link])) * Fraction(share) for link, share in row) for row in links
    ]
    left = [Fraction(m[3] * size) for m in sends]
    start, sent, now = [None] * len(sends), [None] * len(sends), Fraction(0)
    while None in sent:
        for i, (s, a, _, _, many) in enumerate(sends):
            own = [j for j, m in enumerate(sends) if m[0] < s and m[1] == a]
            heard = [j for j, m in enumerate(sends) if m[0] < s and m[2] == a]
            if start[i] is None and all(sent[j] is not None for j in own + heard):
                free = [sent[j] for j in own] + [sent[j] + latency[j] for j in heard]
                start[i] = max(free, default=Fraction(0)) + Fraction(overhead) * many
        active = [i for i, t in enumerate(start) if t is not None and t <= now and sent[i] is None]
        done = [i for i in active if left[i] == 0]
        if done:
            for i in done:
                sent[i] = now
            continue
        rate = max_min([links[i] for i in active], fabric.capacity)
        events = [now + left[i] / r for i, r in zip(active, rate, strict=True)]
        until = min(events + [t for t in start if t is not None and t > now])
        for i, r in zip(active, rate, strict=True):
            left[i] -= r * (until - now)
        now = until
    return [float(t + d) for t, d in zip(sent, latency, strict=True)]


FABRICS = {
    "tree": fat_tree(4, bandwidth=["1 GB/s", "2 GB/s", "4 GB/s"], latency="1 us"),
    "torus": torus((4, 2), bandwidth="3 GB/s", latency="0.7 us"),
    "dgx": load_fabric("dgx-h100"),
}


@pytest.mark.parametrize("fabric", FABRICS.values(), ids=FABRICS)
@pytest.mark.parametrize("p", [2, 5, 8])
def test_equals_its_slow_twin(fabric, p):
    for collective, name in ALL[::4]:
        schedule = made(collective, name, p)
        if schedule is not None and not schedule.in_network and schedule.message_count <= 60:
            for size, overhead in ((0.0, 0.0), (2.0**20, 0.0), (2.0**20, 2.0**-18)):
                found = timeline(schedule, fabric, size, overhead=overhead).finish.tolist()
                assert found == pytest.approx(twin(schedule, fabric, size, overhead), **close), name


message = st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from([0, 0.25, 0.5, 1, 3]))
some_steps = st.lists(
    st.tuples(st.lists(message.filter(lambda t: t[0] != t[1]), min_size=1, max_size=6), st.integers(1, 3)),
    min_size=1,
    max_size=3,
)


@given(some_steps, st.sampled_from([0.0, 1.0, 2.0**28]), st.sampled_from([0.0, 2.0**-10]))
@settings(max_examples=40, deadline=None)
def test_equals_its_slow_twin_on_any_messages(steps, size, overhead):
    schedule, fabric = by_hand(6, *steps), FABRICS["torus"]
    found = timeline(schedule, fabric, size, overhead=overhead)
    assert found.finish.tolist() == pytest.approx(twin(schedule, fabric, size, overhead), rel=1e-9, abs=1e-15)


def in_lockstep(schedule):
    """Whether all ranks send and receive as much as each other in every step."""

    def alike(step, rank):
        if schedule.in_network:
            return False
        count = np.bincount(rank, minlength=schedule.ranks)
        return count.min() == count.max() and np.ptp(step.fraction) == 0

    return all(alike(s, s.source) and alike(s, s.target) for s in schedule.steps)


@every
def test_on_an_ideal_switch(collective, name):
    lockstep = 0
    for p in range(1, 18):
        schedule = made(collective, name, p)
        if schedule is None:
            continue
        reduces = ALGORITHMS[collective][name].switches or None
        fabric = single_switch(max(p, 2), bandwidth=0.5e9, latency=1.5e-6, reduces=reduces)
        for overhead in (0.0, 1e-6):
            times = FLUID.times(schedule, fabric, SIZES, overhead=overhead)
            bound = lower_bound(
                schedule.collective, fabric, p, overhead=overhead, in_network=schedule.in_network
            )
            assert np.all(times >= [bound.time(n) * (1 - 1e-9) for n in SIZES])
            if in_lockstep(schedule):
                expected = STEP.times(schedule, fabric, SIZES, overhead=overhead)
                assert times.tolist() == pytest.approx(expected.tolist(), **close), p
                lockstep += p > 1
    if name in {"ring", "pairwise", "bidirectional_ring", "bruck", "direct"}:
        assert lockstep == 2 * sum(made(collective, name, p) is not None for p in range(2, 18))
    if name in {"recursive_doubling", "recursive_halving", "halving_doubling"}:
        assert lockstep >= 8


@pytest.mark.parametrize("p", [2, 3, 7, 16])
def test_trees_do_not_wait_for_steps_to_end(p):
    fabric = single_switch(p, bandwidth=0.5e9, latency=1.5e-6)
    for collective in ("broadcast", "all_reduce"):
        schedule = build_schedule(collective, "binomial_tree", p, 0)
        times, steps = FLUID.times(schedule, fabric, SIZES), STEP.times(schedule, fabric, SIZES)
        assert np.all(times <= steps * (1 + 1e-12))
        if p == 16 and collective == "broadcast":
            # The root's four sends leave one behind the other; only the last arrives after a latency.
            assert times[0] == pytest.approx(4 * 3e-6)  # the way of the last leaf: four hops
            assert times[-1] == pytest.approx(steps[-1], rel=1e-9)


def uneven():
    """Four ranks on a switch; the cable of rank 3 is ten times slower."""
    graph = single_switch(4, bandwidth=10.0, latency=0).graph
    graph.edges["gpu3", "switch0", 0]["bandwidth"] = 1.0
    return Fabric.from_graph(graph)


def test_a_slow_link_delays_only_what_depends_on_it():
    fabric = uneven()
    pairs = by_hand(4, ([(0, 1, 1.0), (2, 3, 1.0)], 3))
    run = timeline(pairs, fabric, 10.0)
    assert run.finish.tolist() == pytest.approx([1, 10, 2, 20, 3, 30])
    # In steps, rank 0 would wait for a link that it never uses.
    assert STEP.times(pairs, fabric, 10.0)[0] == pytest.approx(30)
    two = by_hand(4, ([(0, 1, 1.0), (2, 3, 1.0)], 1), ([(0, 3, 1.0), (2, 1, 1.0)], 1))
    assert STEP.times(two, fabric, 10.0)[0] == pytest.approx(20)
    late = timeline(two, fabric, 10.0)
    # 0 -> 3 starts at 1 and shares the slow link with 2 -> 3: both have half of it; then 2 -> 1 is alone.
    assert late.start.tolist() == pytest.approx([0, 0, 1, 19])
    assert late.finish.tolist() == pytest.approx([1, 19, 20, 20])
    chain = by_hand(4, ([(2, 3, 1.0), (0, 1, 1.0)], 1), ([(1, 2, 1.0)], 1), ([(2, 0, 1.0)], 1))
    assert STEP.times(chain, fabric, 10.0)[0] == pytest.approx(12)
    assert timeline(chain, fabric, 10.0).finish.tolist() == pytest.approx([10, 1, 2, 11])


def test_a_rank_waits_for_all_that_came_before_not_only_for_the_last_step():
    fabric = uneven()
    # Rank 1 hears from 3 (slow) in the first step and from 0 in the second, and needs both in the third.
    schedule = by_hand(4, ([(3, 1, 1.0)], 1), ([(0, 1, 1.0)], 1), ([(1, 2, 1.0)], 1))
    assert timeline(schedule, fabric, 10.0).start.tolist() == pytest.approx([0, 0, 10])


def test_switches_that_combine_pass_on_segments_as_they_come():
    fabric = single_switch(4, bandwidth=1.0, latency=0.25, reduces="nvls")
    one = build_schedule("all_reduce", "nvls", 4, 0, segments=1)
    assert FLUID.times(one, fabric, [8.0]) == pytest.approx([8 + 2 + 2 + 8 + 4 * 0.25])
    fabric = single_switch(4, bandwidth=1.0, latency=0.25, reduces="sharp")
    for segments in (1, 2):
        schedule = build_schedule("all_reduce", "sharp", 4, 0, segments=segments)
        # A segment goes up (8 / segments s and a latency) and down; the second follows at once.
        found = FLUID.times(schedule, fabric, [8.0, 0.0])
        assert found == pytest.approx([8.0 + 8.0 / segments + 0.5, 0.5])


def test_gates_keep_dependencies_few():
    p = 40
    step = [(a, b, 1 / p) for a in range(p) for b in range(p) if a != b]
    schedule, fabric = by_hand(p, (step, 2)), single_switch(p, bandwidth=1.0, latency=0.5)
    found = messages_of(schedule, fabric)
    assert found.transfers == 2 * p * (p - 1)
    assert len(found.paths) == found.transfers + p
    assert len(found.after) + len(found.behind) == 3 * p * (p - 1)
    assert FLUID.times(schedule, fabric, [1.0, 0.0]) == pytest.approx([2 * (p - 1) / p + 2, 2.0])


def test_overhead_passes_before_the_messages_of_a_step():
    fabric = single_switch(3, bandwidth=1.0, latency=0.5)
    schedule = by_hand(3, ([(0, 1, 1.0), (0, 2, 1.0)], 1), ([(0, 1, 1.0)], 1))
    run = timeline(schedule, fabric, 1.0, overhead=10.0)
    assert run.start.tolist() == [20.0, 20.0, 32.0]
    assert run.makespan == 34.0


class TestTimeline:
    def test_bins_count_every_byte(self):
        fabric = FABRICS["tree"]
        schedule = build_schedule("all_reduce", "ring", 16, 0)
        run = timeline(schedule, fabric, 1e6, bins=32)
        paths = route(fabric, schedule.steps[0].source, schedule.steps[0].target)
        expected = paths.load(np.full(16, 1e6 / 16), fabric.links) * 30
        assert run.carried.sum(axis=0) == pytest.approx(expected, rel=1e-9, abs=1e-3)
        assert np.all(run.utilisation(fabric.capacity) <= 1 + 1e-9)
        assert run.makespan == FLUID.times(schedule, fabric, 1e6)[0]

    @pytest.mark.parametrize("size", [-1, float("nan"), float("inf"), True, "1 MB"])
    def test_bad_sizes(self, size):
        with pytest.raises(UsageError, match=r"^size: "):
            timeline(TestRefusals.RING, single_switch(8), size)

    def test_nothing_to_send(self):
        with pytest.raises(CollectiveError, match="nothing to send"):
            timeline(build_schedule("all_reduce", "ring", 1, 0), single_switch(1), 1.0)


class TestRefusals:
    RING = build_schedule("all_reduce", "ring", 8, 0)

    def test_too_many_messages(self):
        large = build_schedule("all_to_all", "pairwise", 2000, 0)
        with pytest.raises(CollectiveError, match=r"3,998,000 messages.*use the model step"):
            FLUID.times(large, single_switch(2000), [1.0])
        with pytest.raises(CollectiveError, match="112 messages, expected at most 111"):
            FLUID.times(self.RING, single_switch(8), [1.0], most=111)
        assert FLUID.times(self.RING, single_switch(8), [1.0], most=112)[0] > 0

    def test_too_many_crossings(self):
        fabric = fat_tree(8)
        schedule = build_schedule("all_to_all", "direct", 128, 0)
        with pytest.raises(CollectiveError, match=r"cross .* links, expected at most 162,560.*ecmp"):
            FLUID.times(schedule, fabric, [1.0], most=schedule.message_count)

    @pytest.mark.parametrize("most", [0, -1, 1.5, True, "many"])
    def test_bad_most(self, most):
        with pytest.raises(UsageError, match=r"^most: "):
            FLUID.times(self.RING, single_switch(8), [1.0], most=most)

    @pytest.mark.parametrize("overhead", [-1, float("nan"), "x", "5 GB", True, [1]])
    def test_bad_overhead(self, overhead):
        for p in (1, 8):
            with pytest.raises(UsageError, match=r"^overhead: "):
                FLUID.times(
                    build_schedule("all_reduce", "ring", p, 0), single_switch(8), [1.0], overhead=overhead
                )

    def test_too_few_endpoints(self):
        with pytest.raises(CollectiveError, match="has 4 endpoints"):
            FLUID.times(self.RING, single_switch(4), [1.0])

    def test_a_rank_that_cannot_be_reached(self):
        graph = single_switch(8).graph
        graph.remove_edge("gpu7", "switch0")
        with pytest.raises(RoutingError, match="gpu7"):
            FLUID.times(self.RING, Fabric.from_graph(graph), [1.0])

    def test_one_rank_takes_no_time(self):
        one = build_schedule("all_reduce", "ring", 1, 0)
        assert FLUID.times(one, single_switch(1), [0, 1e9]).tolist() == [0, 0]


def test_sizes_do_not_disturb_each_other():
    schedule, fabric = build_schedule("all_reduce", "double_binary_tree", 8, 0), FABRICS["torus"]
    together = FLUID.times(schedule, fabric, SIZES)
    assert together.tolist() == [FLUID.times(schedule, fabric, n)[0] for n in SIZES]
    assert FLUID.times(replace(schedule, size=5.0), fabric, SIZES).tolist() == together.tolist()
