"""Short cuts for large schedules change nothing, and large schedules stay cheap to keep."""

import dataclasses
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topo_sim.collectives import ALGORITHMS, Step, build_schedule, cost, cost_profile, solving
from topo_sim.collectives.folded import Folded
from topo_sim.collectives.shifted import Shifted
from topo_sim.collectives.translated import Translated
from topo_sim.topo import fat_tree, grouped, leaf_spine, mesh, route, single_switch, torus
from topo_sim.topo.flow.completion import sending_ends

PAIRS = [
    (collective, name)
    for collective, names in ALGORITHMS.items()
    for name, entry in names.items()
    if not entry.switches
]
SIZES = (0.0, 1e3, 1e6, 1e9)


def times(schedule, fabric, **options):
    profile = cost_profile(schedule, fabric, **options)
    return [profile.time(size) for size in SIZES], profile.busy


@pytest.fixture
def slowly(monkeypatch):
    """Switch the short cuts off, on, and say how often they were taken."""

    def run(on, schedule, fabric, **options):
        with monkeypatch.context() as patch:
            if on:
                patch.setattr("topo_sim.collectives.router.FOLD_ABOVE", 0)
                patch.setattr(Translated, "least", 0)
                patch.setattr(Shifted, "least", 0)
            else:
                patch.setattr("topo_sim.collectives.router.FOLD_ABOVE", 10**9)
                patch.setattr(solving, "_together", lambda *_: None)
            return times(schedule, fabric, **options)

    return run


@pytest.mark.parametrize(
    "fabric",
    [
        fat_tree(4, oversubscription=2, latency=1e-6),
        fat_tree(down=(2, 3, 3), up=(2, 2, 1), bandwidth=[1e9, 3e8, 2e9], latency=1e-6),
        leaf_spine(3, 5, 2, trunk=2, uplink_bandwidth="20 GB/s"),
        single_switch(16, planes=3),
        torus((4, 4)),
        torus((3, 5), latency=1e-5),
        torus((3, 1, 4)),
    ],
    ids=repr,
)
@pytest.mark.parametrize(("collective", "name"), PAIRS)
def test_short_cuts_change_nothing(slowly, fabric, collective, name):
    for p in {fabric.ranks, 8}:
        if ALGORITHMS[collective][name].power_of_two and p & (p - 1):
            continue
        schedule = build_schedule(collective, name, p, 1.0)
        for overhead in (0.0, 1e-6):
            slow, busy = slowly(False, schedule, fabric, overhead=overhead)
            fast, same = slowly(True, schedule, fabric, overhead=overhead)
            assert fast == pytest.approx(slow, rel=1e-9, abs=1e-15)
            assert same == pytest.approx(busy, rel=1e-9, abs=1e-18)


def test_which_fabrics_fold():
    assert Folded.fits(fat_tree(4), "ecmp_split")
    assert not Folded.fits(fat_tree(4), "ecmp")
    assert not Folded.fits(torus(4), "ecmp_split")
    assert not Folded.fits(grouped(2, 2), "ecmp_split")
    fabric = leaf_spine(2, 2, 2)
    capacity = fabric.capacity.copy()
    capacity[-1] *= 0.5
    assert not Folded.fits(dataclasses.replace(fabric, capacity=capacity), "ecmp_split")
    latency = fabric.latency.copy()
    latency[-1] = 0.0
    assert not Folded.fits(dataclasses.replace(fabric, latency=latency), "ecmp_split")


def test_which_fabrics_look_the_same_from_everywhere():
    assert Translated.fits(torus((4, 3)), "dimension_order")
    assert Translated.fits(torus((4, 1)), "dimension_order")
    assert not Translated.fits(torus((4, 2)), "dimension_order")
    assert not Translated.fits(mesh((4, 4)), "dimension_order")
    assert not Translated.fits(torus((4, 4)), "ecmp")
    assert not Translated.fits(fat_tree(4), "ecmp_split")
    fabric = torus((4, 4))
    capacity = fabric.capacity.copy()
    capacity[5] *= 0.5
    assert not Translated.fits(dataclasses.replace(fabric, capacity=capacity), "dimension_order")


class TestTranslations:
    def test_all_pairs_are_those_of_one_node(self):
        fabric = torus((4, 3))
        (step,) = build_schedule("all_to_all", "direct", 12, 1.0).steps
        found = Translated(fabric).representatives(step)
        assert step.source[found].tolist() == [0] * 11

    @pytest.mark.parametrize("change", ["target", "fraction", "drop"])
    def test_one_odd_transfer_is_noticed(self, change):
        fabric = torus((4, 3))
        (step,) = build_schedule("all_to_all", "direct", 12, 1.0).steps
        if change == "target":
            target = step.target.copy()
            target[7] = (target[7] + 1) % 12
            odd = dataclasses.replace(step, target=target)
        elif change == "fraction":
            odd = dataclasses.replace(step, fraction=np.linspace(0.1, 0.2, len(step)))
        else:
            odd = Step(step.source[1:], step.target[1:], 0.1, False, step.chunks)
        assert Translated(fabric).representatives(odd) is None

    def test_ranks_that_carry_are_no_translation(self):
        """Rank r to rank r + 1 goes on to the next row for the last of each row only."""
        ring = build_schedule("all_gather", "ring", 12, 1.0).steps[0]
        assert Translated(torus((4, 3))).representatives(ring) is None
        assert Translated(torus(12)).representatives(ring).tolist() == [0]


@given(st.integers(0, 2**32 - 1))
def test_equal_transfers_end_with_the_busiest_link(seed):
    """What the short cut for equal transfers rests on, whatever the paths."""
    rng = np.random.default_rng(seed)
    fabric = [torus((3, 4)), leaf_spine(3, 4, 2, uplink_bandwidth="20 GB/s"), fat_tree(4)][seed % 3]
    count = int(rng.integers(1, 30))
    ends = rng.integers(0, min(fabric.ranks, 12), (2, count))
    paths = route(fabric, *ends)
    amount = np.ones(count)
    last = sending_ends(paths, fabric.capacity.copy(), amount, np.zeros(count)).max()
    assert last == pytest.approx((paths.load(amount, fabric.links) / fabric.capacity).max(), rel=1e-9)


def test_loads_of_many_steps_are_not_kept():
    fabric = torus((16, 16))
    schedule = build_schedule("all_to_all", "pairwise", 256, 1e6)
    cost(schedule, fabric)
    tracemalloc.start()
    cost(schedule, fabric)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32e6


def test_ring_over_65536_endpoints():
    result = cost(build_schedule("all_reduce", "ring", 65536, 2**30), fat_tree(64))
    steps = 2 * 65535
    # Some pair is six hops of 500 ns apart in every step; each port sends a 65536th.
    assert result.time == pytest.approx(steps * (6 * 500e-9 + 2**30 / 65536 / 50e9))


@pytest.mark.parametrize("name", ["pairwise", "direct"])
def test_all_to_all_over_1024_endpoints(name):
    schedule = build_schedule("all_to_all", name, 1024, float(2**30))
    clos = cost(schedule, fat_tree(16))
    assert 0.7 < clos.fraction <= 1.0
    grid = cost(schedule, torus((32, 32)))
    assert grid.fraction <= 1.0
    if name == "direct":
        # One hop more one way round than the other: ties all go up.
        assert grid.time == pytest.approx(2**30 / 1024 * 1024 * (16 * 17 / 2) / 32 / 50e9, rel=0.01)
