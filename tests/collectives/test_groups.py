"""Several groups at once: the proof of each, the sharing of links, and what is refused."""

import dataclasses

import numpy as np
import pytest

from topo_sim.base import CollectiveError, UsageError
from topo_sim.collectives import (
    ALGORITHMS,
    COLLECTIVES,
    build_schedule,
    concurrent,
    cost,
    lower_bound,
    on_groups,
    placed,
    replay,
)
from topo_sim.topo import fat_tree, grouped, leaf_spine, single_switch, torus

ALL = [(collective, name) for collective, names in ALGORITHMS.items() for name in names]
PROVEN = [pair for pair in ALL if not ALGORITHMS[pair[0]][pair[1]].switches]


@pytest.mark.parametrize(("collective", "name"), PROVEN)
def test_groups_are_proven_and_take_the_time_of_one_where_nothing_is_shared(collective, name):
    schedule = build_schedule(collective, name, 4, 1e6)
    groups = [[0, 1, 2, 3], [7, 5, 6, 9], [8, 4, 10, 11]]
    together = on_groups(schedule, groups, ranks=13)
    replay(together)
    fabric = single_switch(13, bandwidth=1e9, latency=1e-6)
    alone, all_three = cost(schedule, fabric), cost(together, fabric)
    assert all_three.time == pytest.approx(alone.time, rel=1e-12)
    assert all_three.lower_bound == pytest.approx(alone.lower_bound, rel=1e-12)
    assert all_three.busbw == pytest.approx(alone.busbw)


@pytest.mark.parametrize(("collective", "name"), PROVEN)
def test_a_broken_group_is_found(collective, name):
    together = on_groups(build_schedule(collective, name, 4, 1e6), [range(4), range(4, 8)])
    last = together.steps[-1]
    keep = (last.source < 4) & (last.target < 4)
    assert 0 < np.count_nonzero(keep) < len(keep)
    kept = np.flatnonzero(keep)
    indptr, ids = last.chunks()
    rows = [ids[indptr[i] : indptr[i + 1]] for i in kept]
    lists = np.cumsum([0, *map(len, rows)]), np.concatenate(rows)
    columns = {
        name: getattr(last, name)[kept] for name in ("source", "target", "fraction", "reduce", "shift")
    }
    cycle = last.cycle[kept] if isinstance(last.cycle, np.ndarray) else last.cycle
    cut = dataclasses.replace(last, **columns, cycle=cycle, chunks=lambda: lists)
    with pytest.raises(CollectiveError, match="after the last step"):
        replay(dataclasses.replace(together, steps=(*together.steps[:-1], cut)))


def test_rails_share_the_uplinks():
    """Eight groups of one rail each over a leaf-spine that is oversubscribed 2 to 1: half the speed."""
    fabric = leaf_spine(2, 4, 2, bandwidth=1.0, latency=0)
    pair = build_schedule("all_reduce", "ring", 2, 8.0)
    rails = [[i, 4 + i] for i in range(4)]
    alone, together = cost(pair, fabric, ranks=rails[0]), cost(on_groups(pair, rails), fabric)
    assert alone.time == pytest.approx(8.0)
    assert together.time == pytest.approx(16.0)
    # Four vectors leave the leaf over two uplinks.
    assert together.lower_bound == pytest.approx(16.0)
    assert together.bound == "uplinks of a subtree of tier 1"


def test_one_group_per_server_and_one_per_rail():
    fabric = grouped(
        4,
        4,
        inside={"generator": "single_switch", "bandwidth": 4.0, "latency": 0},
        between={
            "generator": "leaf_spine",
            "leaves": 4,
            "endpoints_per_leaf": 4,
            "bandwidth": 1.0,
            "latency": 0,
        },
    )
    four = build_schedule("all_reduce", "ring", 4, 4.0)
    servers = np.arange(16).reshape(4, 4)
    assert cost(on_groups(four, list(servers)), fabric).time == pytest.approx(6 / 4)
    assert cost(on_groups(four, list(servers.T)), fabric).time == pytest.approx(6.0)


def test_sizes_and_lengths_may_differ():
    ring, tree = (
        build_schedule("all_reduce", "ring", 5, 100.0),
        build_schedule("broadcast", "chain", 3, 400.0),
    )
    both = concurrent([ring, tree], [[0, 2, 4, 6, 8], [7, 5, 3]], ranks=9)
    replay(both)
    assert both.size == 400.0
    assert both.bytes_sent == pytest.approx(ring.bytes_sent + tree.bytes_sent)
    assert both.message_count == ring.message_count + tree.message_count
    assert both.step_count == max(ring.step_count, tree.step_count)
    fabric = single_switch(9, bandwidth=1.0, latency=0)
    assert cost(both, fabric).time >= max(cost(s, fabric).time for s in (ring, tree)) - 1e-9
    assert cost(both, fabric).time <= sum(cost(s, fabric).time for s in (ring, tree)) + 1e-9
    assert cost(both, fabric).fraction <= 1


def test_groups_of_one_have_nothing_to_do():
    nothing = on_groups(build_schedule("all_reduce", "ring", 1, 8.0), [[0], [2], [1]])
    replay(nothing)
    result = cost(nothing, single_switch(3))
    assert (nothing.step_count, result.time, result.lower_bound) == (0, 0.0, 0.0)
    mixed = concurrent([build_schedule("all_reduce", "ring", p, 8.0) for p in (1, 2)], [[0], [1, 2]])
    replay(mixed)


@pytest.mark.parametrize(
    ("groups", "match"),
    [
        ([[0, 1], [1, 2]], "groups 0 and 1 both have rank 1, expected groups that do not overlap"),
        ([[0, 0], [1, 2]], "group 0: found rank 0 twice"),
        ([[0, 1], [2]], "group 1: found 1 ranks from 2 on, expected 2"),
        ([[0, 1], [2, -3]], "group 1: found 2 ranks from -3 on"),
        ([[0, 1], []], "group 1: found"),
        ([[0, 1], [0.5, 2]], "group 1: found"),
        ([], "found 0 schedules"),
    ],
)
def test_groups_that_do_not_fit(groups, match):
    with pytest.raises(CollectiveError, match=match):
        on_groups(build_schedule("all_reduce", "ring", 2, 8), groups)


def test_too_few_ranks():
    with pytest.raises(CollectiveError, match="ranks: found 3, expected more than the largest, 3"):
        on_groups(build_schedule("all_reduce", "ring", 2, 8), [[0, 3]], ranks=3)


def test_ranks_may_be_a_numpy_integer():
    pair = build_schedule("all_reduce", "ring", 2, 8)
    both = concurrent([pair], [[0, 1]], ranks=np.int64(4))
    assert (both.ranks, type(both.ranks)) == (4, int)
    for wrong in (True, 4.0, "4"):
        with pytest.raises(CollectiveError, match="ranks: found"):
            concurrent([pair], [[0, 1]], ranks=wrong)


class TestPlaced:
    def test_names_and_links_stay(self):
        fabric = torus((3, 2))
        view = placed(fabric, [5, 3])
        assert view.endpoints.tolist() == [5, 3, 0, 1, 2, 4]
        assert view.link_name(0) == fabric.link_name(0)

    @pytest.mark.parametrize(
        "fabric", [torus((4, 2)), fat_tree(4, oversubscription=2), leaf_spine(3, 3, 1)], ids=repr
    )
    @pytest.mark.parametrize("collective", sorted(COLLECTIVES))
    def test_any_order_keeps_the_bound(self, fabric, collective):
        order = np.random.default_rng(7).permutation(fabric.ranks)[:6]
        bound = lower_bound(collective, placed(fabric, order), 6)
        for name in ALGORITHMS[collective]:
            entry = ALGORITHMS[collective][name]
            if entry.power_of_two or entry.switches:
                continue
            result = cost(build_schedule(collective, name, 6, 1e6), fabric, ranks=order)
            assert result.lower_bound == bound.time(1e6)
            assert result.time >= result.lower_bound * (1 - 1e-9)

    def test_order_matters(self):
        fabric = torus(8, bandwidth=1.0, latency=0)
        ring = build_schedule("all_gather", "ring", 4, 4.0)
        assert cost(ring, fabric, ranks=[0, 2, 4, 6]).time == pytest.approx(3.0)
        assert cost(ring, fabric, ranks=[0, 1, 2, 3]).time == pytest.approx(3.0)
        assert cost(ring, fabric, ranks=[0, 4, 1, 5]).time > 3.0

    @pytest.mark.parametrize(
        ("ranks", "error"),
        [
            ([0, 0], CollectiveError),
            ([], CollectiveError),
            ([0, 9], UsageError),
            ([0, 1, 2], CollectiveError),
        ],
    )
    def test_bad_places(self, ranks, error):
        with pytest.raises(error):
            cost(build_schedule("all_reduce", "ring", 2, 8), torus(4), ranks=ranks)
