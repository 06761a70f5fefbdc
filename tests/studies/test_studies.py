"""Studies: what they choose, what they refuse."""

import numpy as np
import pytest

from topo_sim.base import FaultsError, UnknownNameError, UsageError
from topo_sim.collectives import ALGORITHMS, build_schedule, cost
from topo_sim.studies import PATTERNS, compare, cost_table, share_bandwidth
from topo_sim.studies.best import best_costs, candidates, check_sizes, profiles
from topo_sim.studies.catalogue import catalogue
from topo_sim.studies.compare import curve_sizes
from topo_sim.studies.loading import load_all
from topo_sim.topo import (
    fat_tree,
    full_mesh,
    grouped,
    load_fabric,
    mesh,
    single_switch,
    torus,
    twisted_torus,
)


def test_best_is_the_least_over_all_algorithms_and_options():
    fabric = torus((4, 4))
    for size in (0.0, 2.0**10, 2.0**26):
        best = best_costs(profiles(fabric, "all_reduce"), [size])[0]
        each = [
            cost(build_schedule("all_reduce", name, 16, size, **options), fabric).time
            for name, options in candidates("all_reduce", None, 16)
        ]
        assert best.time == pytest.approx(min(each), rel=1e-12)


@pytest.mark.parametrize("collective", ["all_reduce", "all_gather", "all_to_all"])
def test_leaving_out_what_cannot_win_changes_nothing(collective):
    sizes = 2.0 ** np.arange(0, 34, 3)
    for fabric in (torus((4, 4)), single_switch(16), full_mesh(9), load_fabric("dgx-h100")):
        every = profiles(fabric, collective)
        some = profiles(fabric, collective, sizes=sizes)
        assert len(some) <= len(every)
        times = [[cost.time for cost in best_costs(found, sizes)] for found in (every, some)]
        assert times[0] == pytest.approx(times[1], rel=1e-12)
    assert len(some) < len(every)


def test_candidates_suit_the_fabric():
    def tried(fabric, ranks=None, algorithms=None, collective="all_reduce"):
        return dict(candidates(collective, algorithms, ranks or fabric.ranks, fabric))

    on_torus = tried(torus((4, 2)))
    assert on_torus["torus"] == on_torus["swing"] == on_torus["blueconnect"] == {"dims": (4, 2)}
    assert "hierarchical" not in on_torus
    # The ranks' order is not the torus' one: on half of it, on a mesh, where it is twisted.
    for fabric, ranks in ((torus((4, 2)), 4), (mesh((4, 2)), None), (twisted_torus((4, 8)), None)):
        assert not {"torus", "swing"} & set(tried(fabric, ranks))
    assert "swing" not in tried(torus((6, 6)))
    clos = tried(fat_tree(4))
    assert clos["hierarchical"] == {"group": (2, 2)}
    assert not {"torus", "swing", "blueconnect"} & set(clos)
    assert tried(grouped(4, 8))["hierarchical"] == {"group": (8,)}
    assert tried(load_fabric("polaris-8"), collective="all_to_all")["hierarchical"] == {"group": (4,)}
    assert tried(full_mesh(8), algorithms=["torus"]) == {"torus": {}}
    assert tried(torus((4, 4)), collective="all_to_all")["torus"] == {"dims": (4, 4)}


def test_candidates_skip_what_is_not_defined():
    names = {name for name, _ in candidates("all_gather", None, 6)}
    assert names == {"ring", "bruck", "pat", "torus", "hierarchical"}
    assert {name for name, _ in candidates("all_gather", None, 8)} == set(ALGORITHMS["all_gather"])
    segments = [options["segments"] for name, options in candidates("all_reduce", ["double_binary_tree"], 8)]
    assert segments == list(ALGORITHMS["all_reduce"]["double_binary_tree"].tunable["segments"])


def test_compare_does_not_depend_on_order_or_company():
    both = compare(["dgx-h100", "tpu-v4-4x4x4"], sizes=[2**20])
    turned = compare(["tpu-v4-4x4x4", "dgx-h100"], sizes=[2**20])
    alone = compare(["dgx-h100"], sizes=[2**20])
    assert both.fabrics[0].name == turned.fabrics[1].name == alone.fabrics[0].name
    for collective in both.collectives:
        times = {
            c.cost(c.fabrics[i], collective, 2**20).time for c, i in ((both, 0), (turned, 1), (alone, 0))
        }
        assert len(times) == 1


def test_compare_seed_matters_only_for_hashed_routing():
    def time(routing, seed):
        result = compare(
            ["lite-fat-tree"], collectives=["all_to_all"], sizes=[2**28], routing=routing, seed=seed
        )
        return result.cost(result.fabrics[0], "all_to_all", 2**28).time

    assert time("ecmp_split", 1) == time("ecmp_split", 2)
    assert time("ecmp", 1) == time("ecmp", 1)
    assert time("ecmp", 1) != time("ecmp", 2)


def test_compare_progress_ends_at_its_total():
    calls = []
    compare(["dgx-h100"], collectives=["broadcast"], sizes=[1], progress=lambda *call: calls.append(call))
    assert calls[-1][0] == calls[-1][1] == 1


def test_compare_chosen_algorithm_only_where_it_exists():
    result = compare(["dgx-h100"], collectives=["all_reduce", "all_to_all"], algorithms=["ring"], sizes=[8])
    fabric = result.fabrics[0]
    assert result.cost(fabric, "all_reduce", 8).algorithm == "ring"
    assert result.cost(fabric, "all_to_all", 8).algorithm in ALGORITHMS["all_to_all"]


def test_curve_holds_the_sizes_and_spans_them():
    curve = curve_sizes([3.0, 2.0**20])
    assert {3.0, 2.0**20} <= set(curve)
    assert curve[0] == 1.0
    assert curve[-1] == 2.0**22
    assert curve_sizes([0.0])[0] == 0.0


@pytest.mark.parametrize("sizes", [[], [-1.0], [float("nan")], [float("inf")]])
def test_bad_sizes(sizes):
    with pytest.raises(UsageError, match="sizes"):
        check_sizes(sizes)


def test_load_all_shares_settings_and_collects_faults():
    names = [t.name for t in load_all(["lite-torus", "dgx-h100"], {"rate": "225 GB/s"})]
    assert names == ["lite-torus@rate=225 GB/s", "dgx-h100"]
    with pytest.raises(FaultsError) as caught:
        load_all(["nope-1", "lite-torus", "nope-2"])
    assert len(caught.value.faults) == 2
    with pytest.raises(UsageError, match="rate"):
        load_all(["lite-torus"], {"rat": "1 GB/s"})


def test_cost_table_is_sorted_and_labelled():
    fabric = single_switch(8)
    result = cost_table(fabric, "all_reduce", [1e3, 1e9])
    tried = list(candidates("all_reduce", None, 8, fabric))
    assert len(result.costs) == len(result.labels) == 2 * len(tried)
    half = len(result.costs) // 2
    for part in (result.costs[:half], result.costs[half:]):
        assert [c.time for c in part] == sorted(c.time for c in part)
    assert "double_binary_tree(segments=16)" in result.labels
    with pytest.raises(UnknownNameError):
        cost_table(single_switch(8), "all_reduc", [1])


@pytest.mark.parametrize("pattern", list(PATTERNS))
@pytest.mark.parametrize("ranks", [2, 3, 8, 33])
def test_patterns_are_pairs_of_different_ranks(pattern, ranks):
    source, target = PATTERNS[pattern](ranks, 3)
    assert len(source) == len(target) > 0
    assert np.all(source != target)
    assert min(source.min(), target.min()) >= 0
    assert max(source.max(), target.max()) < ranks
    if pattern in ("permutation", "neighbour", "opposite"):
        assert sorted(target.tolist()) == list(range(ranks))


def test_shared_bandwidth_known_answers():
    mesh = share_bandwidth(full_mesh(5, bandwidth=2.0, latency=0.0), "all_to_all", size=8.0)
    assert mesh.rate.tolist() == [2.0] * 20
    assert mesh.finish == 4.0
    assert mesh.full_links[0][1] == 1
    incast = share_bandwidth(single_switch(5, bandwidth=4.0), "incast")
    assert incast.rate.tolist() == [1.0] * 4
    assert incast.full_links == [("switch0->gpu0", 4)]


def test_shared_bandwidth_refuses():
    with pytest.raises(UsageError, match="one endpoint"):
        share_bandwidth(single_switch(1), "permutation")
    with pytest.raises(UsageError, match="size"):
        share_bandwidth(single_switch(4), "permutation", size=-1.0)
    with pytest.raises(UsageError, match="flows"):
        share_bandwidth(single_switch(5000), "all_to_all")


def test_catalogue_covers_every_registry():
    whole = catalogue()
    kinds = (
        "topologies generators routings collectives algorithms synthesizers models formats patterns demands "
        "methods media circuit_switches packet_switches schedulers circuit_policies gpus yields policies "
        "power_policies"
    )
    assert set(whole) == set(kinds.split())
    for rows in whole.values():
        assert rows
        assert all(row["name"] and list(row.values())[-1] for row in rows)
    with pytest.raises(UsageError, match="routings"):
        catalogue("routing")
