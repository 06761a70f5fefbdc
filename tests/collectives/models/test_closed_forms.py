"""alpha-beta and LogGP: equal to step on one ideal switch, a slow twin elsewhere, and what is refused."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topo_sim.base import CollectiveError, RoutingError, UsageError
from topo_sim.collectives import ALGORITHMS, Schedule, Step, build_schedule
from topo_sim.collectives.models import COST_MODELS
from topo_sim.collectives.models.alpha_beta import alpha_of, beta_of
from topo_sim.collectives.step import runs
from topo_sim.topo import Fabric, fat_tree, load_fabric, route, single_switch, torus

# Sums in switches are for the models that know them; loggp refuses them.
ALL = [
    (collective, name)
    for collective, names in ALGORITHMS.items()
    for name, entry in names.items()
    if not entry.switches
]
every = pytest.mark.parametrize(("collective", "name"), ALL)
ALPHA, BETA = 3e-6, 2e-9
SIZES = [0.0, 1.0, 4096.0, 1e6, 1e12]
AB, LOGGP, STEP = (COST_MODELS[name] for name in ("alpha-beta", "loggp", "step"))
close = {"rel": 1e-9, "abs": 0}


def made(collective, name, p):
    try:
        return build_schedule(collective, name, p, 1e6)
    except CollectiveError:
        return None


@every
class TestIdealSwitch:
    def test_the_three_models_agree(self, collective, name):
        tried = 0
        for p in range(1, 18):
            schedule = made(collective, name, p)
            if schedule is None:
                continue
            tried += 1
            fabric = single_switch(max(p, 2), bandwidth=1 / BETA, latency=ALPHA / 2)
            form = ALGORITHMS[collective][name].closed_form
            expected = [form(p, n, ALPHA, BETA, **schedule.options) for n in SIZES] if p > 1 else [0.0] * 5
            for model, given_ in (
                (AB, {}),
                (AB, {"alpha": "3 us", "beta": "0.5 GB/s"}),
                (LOGGP, {}),
                (LOGGP, {"L": "3 us", "G": BETA}),
                (STEP, {}),
            ):
                times = model.times(schedule, fabric, SIZES, **given_)
                assert times.tolist() == pytest.approx(expected, **close), (p, model.name, given_)
        assert tried >= 5

    def test_overhead_counts_twice_per_step(self, collective, name):
        schedule = made(collective, name, 8)
        fabric = single_switch(8, latency=ALPHA / 2)
        # o hurts at both ends; where a rank has one message per step it is part of alpha.
        most = max(max(np.bincount(s.source).max(), np.bincount(s.target).max()) for s in schedule.steps)
        with_o = LOGGP.times(schedule, fabric, SIZES, o=1e-6)
        expected = AB.times(schedule, fabric, SIZES, overhead="2 us")
        assert np.all(with_o >= expected * (1 - 1e-12))
        if most == 1:
            assert with_o.tolist() == pytest.approx(expected.tolist(), **close)


def twin(schedule, fabric, size, L=None, o=0.0, g=0.0, G=None):  # noqa: N803
    """LogGP by the book: every port's messages one by one, every message looked at alone."""
    out = [sum(fabric.capacity[fabric.link_source == e]) for e in fabric.endpoints]
    into = [sum(fabric.capacity[fabric.link_target == e]) for e in fabric.endpoints]
    total = 0.0
    for step in schedule.steps:
        messages = list(zip(step.source.tolist(), step.target.tolist(), step.fraction.tolist(), strict=True))
        work = {}
        for end, rates in ((0, out), (1, into)):
            for message in messages:
                rank = message[end]
                nth = (end, rank) in work
                pace = G if G is not None else 1 / rates[rank]
                work[end, rank] = work.get((end, rank), 0.0) + size * message[2] * pace + nth * max(g, o)
        last = 0.0
        for source, target, _ in messages:
            flow = route(fabric, [source], [target])
            latency = L if L is not None else float(flow.sum(fabric.latency)[0])
            last = max(last, latency + 2 * o + max(work[0, source], work[1, target]))
        total += last * step.repeat
    return total


FABRICS = {
    "tree": fat_tree(4, bandwidth=["1 GB/s", "2 GB/s", "4 GB/s"], latency="1 us"),
    "torus": torus((4, 2), bandwidth="3 GB/s", latency="0.7 us"),
    "dgx": load_fabric("dgx-h100"),
}


@pytest.mark.parametrize("fabric", FABRICS.values(), ids=FABRICS)
@pytest.mark.parametrize(
    "given_", [{}, {"o": 1e-6}, {"g": 3e-6, "o": 1e-6}, {"L": 0.0, "G": 1e-9, "g": 1e-7}], ids=str
)
def test_equals_its_slow_twin(fabric, given_):
    for (collective, name), p in itertools.product(ALL[::3], (2, 5, 8)):
        schedule = made(collective, name, p)
        if schedule is not None:
            for size in (0.0, 1e5):
                found = LOGGP.times(schedule, fabric, size, **given_)[0]
                assert found == pytest.approx(twin(schedule, fabric, size, **given_), **close)


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.floats(0, 1)).filter(lambda t: t[0] != t[1]),
        min_size=1,
        max_size=12,
    ),
    st.floats(0, 1e9),
    st.floats(0, 1e-3),
    st.floats(0, 1e-3),
)
@settings(max_examples=60)
def test_equals_its_slow_twin_on_any_messages(messages, size, o, g):
    source, target, fraction = zip(*messages, strict=True)
    step = Step(source, target, fraction, False, runs(lambda: [0] * len(source)), repeat=3)
    base = build_schedule("broadcast", "binomial_tree", 6, 1.0)
    schedule = Schedule(base.collective, "by_hand", 6, 1.0, 1, (step,))
    fabric = FABRICS["torus"]
    found = LOGGP.times(schedule, fabric, size, o=o, g=g)[0]
    assert found == pytest.approx(twin(schedule, fabric, size, o=o, g=g), rel=1e-9, abs=1e-15)


def test_defaults_come_from_the_fabric():
    fabric = torus((4, 4), bandwidth=1e9, latency=1e-6)
    assert beta_of(fabric, 16) == 1 / 4e9
    assert alpha_of(build_schedule("all_reduce", "ring", 16, 0), fabric) == pytest.approx(2e-6)
    assert alpha_of(build_schedule("all_to_all", "pairwise", 16, 0), fabric) == pytest.approx(4e-6)
    assert alpha_of(build_schedule("all_to_all", "pairwise", 1, 0), fabric) == 0


@pytest.mark.parametrize("model", [AB, LOGGP], ids=lambda model: model.name)
class TestRefusals:
    RING = build_schedule("all_reduce", "ring", 8, 0)

    def test_too_few_endpoints(self, model):
        with pytest.raises(CollectiveError, match="has 4 endpoints"):
            model.times(self.RING, single_switch(4), [1.0])

    @pytest.mark.parametrize("value", [-1, float("nan"), "x", "5 GB", True, [1]])
    def test_bad_settings(self, model, value):
        for name in set(model.settings) - {"routing", "seed"}:
            with pytest.raises(UsageError, match=f"^{name}: "):
                model.times(self.RING, single_switch(8), [1.0], **{name: value})

    def test_a_rank_that_cannot_be_reached(self, model):
        graph = single_switch(8).graph
        graph.remove_edge("gpu7", "switch0")
        with pytest.raises((RoutingError, CollectiveError), match=r"gpu7|rank 7"):
            model.times(self.RING, Fabric.from_graph(graph), [1.0])

    def test_one_rank_takes_no_time(self, model):
        one = build_schedule("all_reduce", "ring", 1, 0)
        assert model.times(one, single_switch(1), [0, 1e9]).tolist() == [0, 0]


def test_alpha_beta_needs_a_closed_form():
    named = dataclasses.replace(TestRefusals.RING, algorithm="by_hand")
    with pytest.raises(CollectiveError, match="no closed form"):
        AB.times(named, single_switch(8), [1.0])
    assert LOGGP.times(named, single_switch(8), [1.0])[0] > 0
