"""Every registered algorithm: proven, counted and timed, without knowing which ones there are."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topo_sim.base import CollectiveError
from topo_sim.collectives import ALGORITHMS, COLLECTIVES, build_schedule, replay
from topo_sim.collectives.algorithms.all_reduce_double_binary_tree import double_tree

ALL = [(collective, name) for collective, names in ALGORITHMS.items() for name in names]
every = pytest.mark.parametrize(("collective", "name"), ALL)
RANKS = range(1, 65)


def defined(entry, p):
    return not (entry.power_of_two and p & (p - 1))


def shapes(p, levels=3):
    """Ways to write p as a product of up to so many sides, some of them 1."""
    if levels == 1:
        return [(p,)]
    return [(k, *rest) for k in range(1, p + 1) if p % k == 0 for rest in shapes(p // k, levels - 1)]


def variants(entry, p):
    """The defaults, then every value of every tunable option, then shapes and matrices that fit."""
    yield {}
    if "aggregation" in entry.options:
        yield from ({"aggregation": a} for a in (1, 2, 3))
    if "radix" in entry.options:
        yield from ({"radix": r} for r in (3, 5, 16))
    powers = entry.power_of_two
    sides = [dims for dims in shapes(p) if p <= 64 and not (powers and any(k & (k - 1) for k in dims))]
    for dims in sides[:: max(1, len(sides) // (6 if p <= 32 else 2))]:
        if "dims" in entry.options:
            yield {"dims": dims}
        if "group" in entry.options:
            yield {"group": dims[:-1]}
        if "tree" in entry.options:
            yield {"tree": dims}
    if "matrix" in entry.options and p <= 64:
        yield {"matrix": routed(p, p)}
    for option, values in entry.tunable.items():
        for value in values:
            yield {option: value}


def routed(p, seed):
    """Bytes that a router of experts might send: skewed, with zeros, some on the diagonal."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 3, (p, p)) * rng.exponential(1.0, (1, p)) * 1e6


def switch_time(schedule, alpha, beta):
    """Time on an ideal switch, port by port: the slow, obvious twin of the closed forms.

    Links between switches are as fast as all that crosses them, so only the ports of ranks count.
    """
    total = 0.0
    for step in schedule.steps:
        sent = schedule.size * step.fraction
        nodes = schedule.ranks + schedule.reducers
        out = np.bincount(step.source, sent, nodes)[: schedule.ranks]
        into = np.bincount(step.target, sent, nodes)[: schedule.ranks]
        hops = 1 if schedule.in_network else 2
        total += step.repeat * (hops * alpha / 2 + beta * max(out.max(), into.max()))
    return total


def sent_per_rank(schedule):
    """Bytes that each rank sends, float[p]."""
    out = np.zeros(schedule.ranks + schedule.reducers)
    for step in schedule.steps:
        out += step.repeat * np.bincount(step.source, schedule.size * step.fraction, len(out))
    return out


@every
class TestEveryAlgorithm:
    def test_replays(self, collective, name):
        entry = ALGORITHMS[collective][name]
        for p in (p for p in RANKS if defined(entry, p)):
            for options in variants(entry, p) if p <= 24 or p in (33, 48) else [{}]:
                replay(build_schedule(collective, name, p, 1000.0, **options))

    def test_closed_form(self, collective, name):
        entry = ALGORITHMS[collective][name]
        for p in (p for p in [*range(1, 34), 48, 64, 65, 100, 127, 128, 1000] if defined(entry, p)):
            for options in variants(entry, p):
                for size, alpha, beta in ((1e6, 1e-6, 1e-9), (7.0, 1e-6, 0.0), (3e9, 0.0, 2e-11)):
                    expected = switch_time(build_schedule(collective, name, p, size, **options), alpha, beta)
                    time = entry.closed_form(p, size, alpha, beta, **options)
                    assert time == pytest.approx(expected, rel=1e-9, abs=0), (p, options)

    def test_latency_bound(self, collective, name):
        """Ranks that send one message per step at most double the number of those who know something."""
        entry = ALGORITHMS[collective][name]
        for p in (p for p in RANKS if p > 1 and defined(entry, p)):
            schedule = build_schedule(collective, name, p, 1.0)
            if collective == "send_recv":
                assert schedule.step_count == 1
                continue
            most = max(int(np.bincount(step.source).max()) for step in schedule.steps)
            assert (most + 1) ** schedule.step_count >= p

    def test_bandwidth_bound(self, collective, name):
        entry, factor = ALGORITHMS[collective][name], COLLECTIVES[collective].busbw_factor
        for p in (p for p in RANKS if p > 1 and defined(entry, p)):
            for options in variants(entry, p):
                if "matrix" in options:
                    continue
                least = 1.0 if entry.switches else factor(p)
                assert entry.closed_form(p, 1e6, 0.0, 1e-6, **options) >= least * (1 - 1e-12)

    def test_described(self, collective, name):
        entry = ALGORITHMS[collective][name]
        assert (entry.collective, entry.name) == (collective, name)
        assert entry.formula
        assert entry.reference
        assert 0 < len(entry.summary) <= 100
        assert "\n" not in entry.summary
        assert set(entry.tunable) <= set(entry.options)
        assert bool(entry.instead) == entry.power_of_two
        if entry.power_of_two:
            assert not ALGORITHMS[collective][entry.instead].power_of_two

    def test_one_rank_has_nothing_to_do(self, collective, name):
        schedule = build_schedule(collective, name, 1, 1000)
        assert (schedule.step_count, schedule.message_count, schedule.bytes_sent) == (0, 0, 0)
        assert ALGORITHMS[collective][name].closed_form(1, 1000, 1.0, 1.0) == 0

    def test_size_zero_and_tiny(self, collective, name):
        nothing, tiny = (build_schedule(collective, name, 16, size) for size in (0, 3))
        assert nothing.bytes_sent == 0
        assert (tiny.bytes_sent > 0) == (COLLECTIVES[collective].volume(16) > 0)
        assert nothing.step_count == tiny.step_count > 0
        replay(nothing)

    @settings(max_examples=25, deadline=None)
    @given(p=st.integers(1, 48), size=st.floats(0, 1e12), segments=st.integers(1, 40))
    def test_any_ranks_and_size(self, collective, name, p, size, segments):
        entry = ALGORITHMS[collective][name]
        options = {"segments": segments} if "segments" in entry.options else {}
        if not defined(entry, p):
            with pytest.raises(CollectiveError, match=f"cannot run on {p} ranks"):
                build_schedule(collective, name, p, size, **options)
            return
        schedule = build_schedule(collective, name, p, size, **options)
        replay(schedule)
        assert schedule.bytes_sent == pytest.approx(sent_per_rank(schedule).sum())
        time = entry.closed_form(p, size, 1e-6, 1e-9, **options)
        assert time == pytest.approx(switch_time(schedule, 1e-6, 1e-9), rel=1e-9)


def log2(p):
    return (p - 1).bit_length()


STEPS = {
    ("all_reduce", "ring"): lambda p: 2 * (p - 1),
    ("all_reduce", "bidirectional_ring"): lambda p: 2 * (p - 1),
    ("all_reduce", "recursive_doubling"): lambda p: math.floor(math.log2(p)) + 2 * (p & (p - 1) > 0),
    ("all_reduce", "halving_doubling"): lambda p: 2 * math.floor(math.log2(p)) + 2 * (p & (p - 1) > 0),
    ("all_reduce", "binomial_tree"): lambda p: 2 * log2(p),
    ("reduce_scatter", "ring"): lambda p: p - 1,
    ("reduce_scatter", "recursive_halving"): log2,
    ("all_gather", "ring"): lambda p: p - 1,
    ("all_gather", "recursive_doubling"): log2,
    ("broadcast", "binomial_tree"): log2,
    ("all_to_all", "pairwise"): lambda p: p - 1,
    ("all_to_all", "direct"): lambda p: 1,
    ("all_to_all", "bruck"): log2,
    ("all_reduce", "circulant"): lambda p: 2 * log2(p),
    ("all_reduce", "swing"): lambda p: 2 * log2(p),
    ("reduce_scatter", "bruck"): log2,
    ("reduce_scatter", "pat"): log2,
    ("all_gather", "bruck"): log2,
    ("all_gather", "pat"): log2,
    ("broadcast", "van_de_geijn"): lambda p: log2(p) + p - 1,
    ("reduce", "van_de_geijn"): lambda p: log2(p) + p - 1,
    ("reduce", "binomial_tree"): log2,
    ("barrier", "dissemination"): log2,
    ("send_recv", "direct"): lambda p: 1,
}


@pytest.mark.parametrize(("collective", "name"), STEPS)
def test_step_counts(collective, name):
    for p in (p for p in RANKS if p > 1 and defined(ALGORITHMS[collective][name], p)):
        assert build_schedule(collective, name, p, 8).step_count == STEPS[collective, name](p)


# Bytes that every rank sends, per byte of size.
VOLUMES = {
    ("all_reduce", "ring"): lambda p: 2 * (p - 1) / p,
    ("all_reduce", "bidirectional_ring"): lambda p: 2 * (p - 1) / p,
    ("reduce_scatter", "ring"): lambda p: (p - 1) / p,
    ("reduce_scatter", "recursive_halving"): lambda p: (p - 1) / p,
    ("all_gather", "ring"): lambda p: (p - 1) / p,
    ("all_gather", "recursive_doubling"): lambda p: (p - 1) / p,
    ("all_to_all", "pairwise"): lambda p: (p - 1) / p,
    ("all_to_all", "direct"): lambda p: (p - 1) / p,
    ("all_to_all", "bruck"): lambda p: sum(i.bit_count() for i in range(p)) / p,
    ("all_reduce", "circulant"): lambda p: 2 * (p - 1) / p,
    ("all_reduce", "swing"): lambda p: 2 * (p - 1) / p,
    ("all_reduce", "torus"): lambda p: 2 * (p - 1) / p,
    ("all_reduce", "blueconnect"): lambda p: 2 * (p - 1) / p,
    ("all_reduce", "hierarchical"): lambda p: 2 * (p - 1) / p,
    ("reduce_scatter", "bruck"): lambda p: (p - 1) / p,
    ("reduce_scatter", "torus"): lambda p: (p - 1) / p,
    ("all_gather", "pat"): lambda p: (p - 1) / p,
    ("all_gather", "torus"): lambda p: (p - 1) / p,
}


@pytest.mark.parametrize(("collective", "name"), VOLUMES)
def test_volume_of_every_rank(collective, name):
    for p in (p for p in RANKS if p > 1 and defined(ALGORITHMS[collective][name], p)):
        sent = sent_per_rank(build_schedule(collective, name, p, 1e6))
        assert sent == pytest.approx(np.full(p, 1e6 * VOLUMES[collective, name](p)))


# Bytes that all ranks send together, per byte of size.
TOTALS = {
    ("all_reduce", "binomial_tree"): lambda p: 2 * (p - 1),
    ("all_reduce", "double_binary_tree"): lambda p: 2 * (p - 1),
    ("all_reduce", "chain"): lambda p: 2 * (p - 1),
    ("all_reduce", "binary_tree"): lambda p: 2 * (p - 1),
    ("broadcast", "binomial_tree"): lambda p: p - 1,
    ("broadcast", "chain"): lambda p: p - 1,
    ("broadcast", "double_tree"): lambda p: p - 1,
    ("reduce", "binomial_tree"): lambda p: p - 1,
    ("reduce", "chain"): lambda p: p - 1,
    ("reduce", "double_tree"): lambda p: p - 1,
    ("all_reduce", "recursive_doubling"): lambda p: core(p) * math.log2(core(p)) + 2 * (p - core(p)),
    ("all_reduce", "halving_doubling"): lambda p: 2 * (core(p) - 1) + 2 * (p - core(p)),
}


def core(p):
    return 1 << (p.bit_length() - 1)


@pytest.mark.parametrize(("collective", "name"), TOTALS)
def test_total_volume(collective, name):
    for p in (p for p in RANKS if p > 1):
        assert build_schedule(collective, name, p, 1e6).bytes_sent == pytest.approx(
            1e6 * TOTALS[collective, name](p)
        )


def test_ring_carries_what_the_literature_says():
    p = 5
    halves = build_schedule("all_reduce", "ring", p, 8).steps
    for first, step in enumerate(halves):
        assert step.source.tolist() == list(range(p))
        assert step.target.tolist() == [1, 2, 3, 4, 0]
        for s in range(p - 1):
            assert step.carried(s, p)[1].tolist() == [(r + first - s) % p for r in range(p)]


def test_bidirectional_ring_of_two_ports_halves_the_busiest_link():
    p = 6
    for step in build_schedule("all_reduce", "bidirectional_ring", p, 12).steps:
        links = list(zip(step.source.tolist(), step.target.tolist(), strict=True))
        assert len(set(links)) == 2 * p
        assert step.fraction.tolist() == pytest.approx([1 / (2 * p)] * (2 * p))


class TestDoubleTree:
    @staticmethod
    def children(rank, p):
        """NCCL's own rule for the children, which the parents must agree with."""
        lowest = rank & -rank if rank else core(p - 1) * 2 if p > 1 else 0
        if rank == 0:
            return {lowest // 2} if p > 1 else set()
        step = lowest // 2
        if not step:
            return set()
        found = {rank - step}
        while step and rank + step >= p:
            step //= 2
        return found | ({rank + step} if step else set())

    @pytest.mark.parametrize("p", range(2, 130))
    def test_first_tree_is_nccls(self, p):
        parents = double_tree(p)[0]
        for rank in range(p):
            assert set(np.flatnonzero(parents == rank).tolist()) == self.children(rank, p)

    @pytest.mark.parametrize("p", range(2, 130))
    def test_second_tree_mirrors_or_shifts(self, p):
        first, second = double_tree(p).tolist()
        for rank in range(p):
            played = p - 1 - rank if p % 2 == 0 else (rank - 1) % p
            parent = first[played]
            expected = -1 if parent < 0 else p - 1 - parent if p % 2 == 0 else (parent + 1) % p
            assert second[rank] == expected

    @pytest.mark.parametrize("p", range(2, 130, 2))
    def test_inner_in_one_tree_only(self, p):
        inner = [set(row[row >= 0].tolist()) for row in double_tree(p)]
        assert not inner[0] & inner[1]
        assert inner[0] | inner[1] == set(range(p))

    @pytest.mark.parametrize("segments", [1, 2, 7, 64])
    def test_step_count(self, segments):
        for p in (2, 3, 8, 33):
            depth = {2: 1, 3: 2, 8: 3, 33: 6}[p]
            schedule = build_schedule("all_reduce", "double_binary_tree", p, 8, segments=segments)
            assert schedule.step_count == 2 * depth + segments - 1
            assert schedule.message_count == 4 * (p - 1) * segments
