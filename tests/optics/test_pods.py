"""Pods: counts, ports, slices and what their circuits make, failures, fragmentation."""

from itertools import product
from math import comb

import networkx as nx
import numpy as np
import pytest

from topo_sim.base import UsageError
from topo_sim.optics.pods import (
    Pod,
    Slice,
    blocks,
    cable_ends,
    check_configuration,
    configure,
    goodput,
    most_blocks,
    place,
    pod_graph,
    port_pairs,
    read_slice,
    shapes,
    swap_cube,
    switch_damage,
)
from topo_sim.optics.pods.fragments import cube_grid
from topo_sim.topo import Fabric, torus, twisted_torus


def ends(fabric):
    """Links as sorted pairs of nodes; endpoints come first in all these fabrics."""
    return sorted(zip(fabric.link_source.tolist(), fabric.link_target.tolist(), strict=True))


def lit(fabric):
    """Links that are no copper, as pairs of nodes."""
    optical = np.flatnonzero(fabric.medium != fabric.media.index("copper"))
    return {(int(fabric.link_source[i]), int(fabric.link_target[i])) for i in optical}


def test_tpu_v4():
    pod = Pod()
    assert (pod.chips, pod.switches, pod.ports) == (4096, 48, 128)
    assert pod.radix - pod.ports == pod.spare == 8
    assert pod.optical_links == 64 * 96
    # Stated input: 50 GB/s per link and direction. 2 x 16 x 16 links cross the middle of 16 x 16 x 16.
    assert read_slice("16x16x16", pod).bisection(50e9) == 25.6e12 == 2 * 16 * 16 * 50e9
    assert read_slice("16x16x16", pod).fabric().exact_bisection == 25.6e12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cubes": 65}, "radix: found 136 ports, expected at least 138"),
        ({"radix": 135}, "expected at least 136"),
        ({"cubes": 0}, "cubes: found 0"),
        ({"cubes": 2.0}, "cubes: found 2.0"),
        ({"cubes": True}, "cubes: found True"),
        ({"side": 2}, "side: found 2, expected an integer of at least 3"),
        ({"spare": -1}, "spare: found -1"),
        ({"rate": float("nan")}, "rate: found nan"),
        ({"rate": float("inf")}, "rate: found inf"),
        ({"rate": 0}, "rate: found 0"),
        ({"rate": "fast"}, "rate: found 'fast'"),
        ({"side": 10**6, "radix": 10**9}, "expected at most 1,000,000"),
    ],
)
def test_bad_pods(arguments, message):
    with pytest.raises(UsageError, match=message):
        Pod(**arguments)


@pytest.mark.parametrize(
    "text", ["", "4x4", "4x4x6", "0x4x4", "4x4x4_twisted", "4x8x16_twisted", "-4x4x4", "4x4x4_twist", "x", 4]
)
def test_bad_slices(text):
    with pytest.raises(UsageError, match="slice: found"):
        read_slice(text, Pod())


def test_a_slice_larger_than_the_pod():
    with pytest.raises(UsageError, match="takes 128 cubes, expected at most 64"):
        read_slice("16x16x32", Pod())
    assert read_slice("4x4x256", Pod()).cubes == 64


def test_shapes_are_all_there_are():
    pod = Pod(cubes=20)
    expected = {
        tuple(sorted(4 * n for n in cubes))
        for cubes in product(range(1, 21), repeat=3)
        if np.prod(cubes) <= 20
    }
    assert {one.dims for one in shapes(pod) if not one.twisted} == expected
    names = [one.name for one in shapes(pod)]
    assert len(set(names)) == len(names)
    twisted = {one.dims for one in shapes(pod) if one.twisted}
    assert twisted == {(4, 4, 8), (4, 8, 8), (8, 8, 16)}
    for chips in (0, 63, 65, 64 * 21, -64, 64.0):
        with pytest.raises(UsageError, match="chips: found"):
            shapes(pod, chips)


CASES = [
    ("4x4x4", 3, 64),
    ("4x4x8", 2, 64),
    ("8x4x4_twisted", 1, 64),
    ("4x8x8_twisted", 7, 64),
    ("8x8x16_twisted", 0, 64),
    ("8x12x4", 5, 30),
]


@pytest.mark.parametrize(("name", "first", "cubes"), CASES)
def test_circuits_make_the_torus(name, first, cubes):
    """Chips, switches, fibres and circuits, compiled, against the generator of the family."""
    pod = Pod(cubes=cubes)
    one = read_slice(name, pod)
    here = place(pod, [one], failed_cubes=range(first))  # cubes with a gap before them
    found = Fabric.from_graph(pod_graph(pod, here.configuration, here.placed[0]))
    made = twisted_torus(one.dims) if one.twisted else torus(one.dims)
    assert ends(found) == ends(made)
    assert (found.circuit_switches, found.ranks) == (48, one.chips)
    same = one.fabric(50e9)
    assert np.array_equal(same.link_source, made.link_source)
    assert np.array_equal(same.link_target, made.link_target)
    # Light exactly where a circuit is: the same media on the same links, in both.
    for fabric in (found, same):
        optical = fabric.medium == fabric.media.index("pluggable")
        assert optical.sum() == 2 * 48 * one.cubes
    assert lit(found) == lit(same)


def test_a_whole_pod_by_arrays():
    pod = Pod()
    one = read_slice("16x16x16", pod)
    here = place(pod, [one])
    lower, upper, switch = cable_ends(pod, here.configuration, here.placed[0].cubes)
    position, inside = one.chip_places()
    rank = np.argsort(np.asarray(here.placed[0].cubes)[position] * 64 + inside)
    found = sorted(
        tuple(sorted(pair)) for pair in zip(rank[lower].tolist(), rank[upper].tolist(), strict=True)
    )
    made = torus((16, 16, 16))
    expected = zip(made.link_source[::2].tolist(), made.link_target[::2].tolist(), strict=True)
    assert found == sorted(tuple(sorted(pair)) for pair in expected)
    assert np.array_equal(np.bincount(switch[switch >= 0]), np.full(48, 64))


def test_other_sides():
    pod = Pod(cubes=4, side=3, radix=8, spare=0)
    assert (pod.switches, pod.chips) == (27, 108)
    one = read_slice("3x6x6", pod)
    here = place(pod, [one])
    assert ends(Fabric.from_graph(pod_graph(pod, here.configuration, here.placed[0]))) == ends(
        torus((3, 6, 6))
    )
    with pytest.raises(UsageError, match="cubes of side 4, expected 3"):
        place(pod, [Slice((4, 4, 4))])


def test_slices_share_no_port():
    pod = Pod()
    names = ["8x8x8", "4x8x8_twisted", "4x4x8", "4x4x4", "16x16x16", "8x8x16"]
    here = place(pod, [read_slice(name, pod) for name in names], failed_cubes=[5, 9])
    assert [one.name for one in here.refused] == ["16x16x16"]
    taken = [cube for one in here.placed for cube in one.cubes]
    assert len(set(taken)) == len(taken) == 8 + 4 + 2 + 1 + 16
    assert set(taken) | set(here.free) | {5, 9} == set(range(64))
    for switch in range(48):
        ports = [port for pair in port_pairs(pod, here.configuration, switch) for port in pair]
        assert len(set(ports)) == len(ports) == 2 * len(taken)
        assert max(ports) < pod.ports
    # Each slice is its own component, whatever else is lit.
    lower, upper, _ = cable_ends(pod, here.configuration, taken)
    graph = nx.Graph(zip(lower.tolist(), upper.tolist(), strict=True))
    sizes = sorted(len(part) for part in nx.connected_components(graph))
    assert sizes == sorted(one.slice.chips for one in here.placed)


def test_bad_configurations():
    pod = Pod(cubes=3)
    good = place(pod, [read_slice("4x4x12", pod)])
    for change, message in (
        (lambda c: c.__setitem__((40, 0), c[40, 1]), "switch z8: the lower face of cube 2 is used twice"),
        (lambda c: c.__setitem__((0, 0), 3), "found cube 3"),
        (lambda c: c.__setitem__((0, 0), -2), "found cube -2"),
    ):
        configuration = good.configuration.copy()
        change(configuration)
        with pytest.raises(UsageError, match=message):
            check_configuration(pod, configuration)
    with pytest.raises(UsageError, match="found shape"):
        check_configuration(pod, good.configuration[:, :2])
    with pytest.raises(UsageError, match="cube 0 is in another slice"):
        configure(pod, [*good.placed, *good.placed])


def test_a_failed_cube_is_swapped():
    pod = Pod()
    before = place(pod, [read_slice("8x8x8", pod), read_slice("4x4x8_twisted", pod)])
    after, swap = swap_cube(before, 3)
    assert (swap.by, swap.slice.name) == (10, "8x8x8")
    assert after.placed[0].cubes == (0, 1, 2, 10, 4, 5, 6, 7)
    assert after.placed[1] == before.placed[1]
    found = Fabric.from_graph(pod_graph(pod, after.configuration, after.placed[0]))
    assert ends(found) == ends(torus((8, 8, 8)))
    # On each of 48 switches the new cube's own circuit and the one that leads to it.
    assert swap.circuits == 96
    idle, none = swap_cube(after, 3)
    assert (none.slice, none.by, none.circuits) == (None, None, 0)
    assert idle.placed == after.placed
    for cube in (-1, 64, 1.0, "0", True):
        with pytest.raises(UsageError, match="cube: found"):
            swap_cube(before, cube)


def test_no_cube_to_swap():
    pod = Pod(cubes=3)
    full = place(pod, [read_slice("4x4x8", pod), read_slice("4x4x4", pod)])
    after, swap = swap_cube(full, 0)
    assert swap.by is None
    assert [one.name for one in after.refused] == ["4x4x8"]
    assert after.free == (1,)
    assert [one.slice.name for one in after.placed] == ["4x4x4"]


@pytest.mark.parametrize(("name", "switches"), [("4x4x8", ["z5"]), ("4x8x8_twisted", ["x0", "y3"])])
def test_a_failed_switch(name, switches):
    pod = Pod()
    here = place(pod, [read_slice(name, pod)], failed_switches=switches)
    found = switch_damage(here)[0]
    cubes = here.placed[0].slice.cubes
    assert (found.circuits, found.lost) == (48 * cubes, len(switches) * cubes)
    assert found.lost / found.circuits == len(switches) / 48
    made = here.placed[0].slice.fabric()
    whole = nx.Graph(zip(made.link_source.tolist(), made.link_target.tolist(), strict=True))
    hurt = Fabric.from_graph(pod_graph(pod, here.configuration, here.placed[0]))
    graph = nx.Graph(zip(hurt.link_source.tolist(), hurt.link_target.tolist(), strict=True))
    assert whole.number_of_edges() - graph.number_of_edges() == found.lost
    assert found.connected == nx.is_connected(graph)
    assert found.diameter == (nx.diameter(whole), nx.diameter(graph))
    assert found.theta[1] < found.theta[0]
    if name == "4x4x8":  # the middle of the long axis loses 2 of its 32 cables: the cut that bounds
        assert found.theta[1] <= found.theta[0] * 30 / 32 * (1 + 1e-9)
        assert found.theta[1] >= found.theta[0] * 30 / 32 * 0.98


def test_an_axis_without_switches_falls_apart():
    pod = Pod()
    here = place(pod, [read_slice("4x4x8", pod)], failed_switches=range(32, 48))
    found = switch_damage(here)[0]
    assert (found.connected, found.diameter[1], found.theta[1]) == (False, -1, 0.0)
    assert found.lines == 16
    assert switch_damage(place(pod, [])) == []


@pytest.mark.parametrize("name", ["x16", "w0", "", "z", "z-1", 48, -1, "48", 1.5, "x" * 99, "x²"])
def test_bad_switches(name):
    with pytest.raises(UsageError, match="switch: found"):
        Pod().read_switch(name)


def test_goodput_is_the_binomial_mean():
    pod = Pod(cubes=6)
    works = 0.9**2
    mean = sum(comb(6, w) * works**w * (1 - works) ** (6 - w) * (w // 2 * 2) / 6 for w in range(7))
    assert goodput(pod, 2, 0.9, hosts=2) == pytest.approx(mean, rel=1e-12)
    assert goodput(pod, 4, 1.0) == 4 / 6
    assert goodput(pod, 1, 0.0) == 0.0
    drawn = np.random.default_rng(0).random((20_000, 64)) < 0.99**16
    assert goodput(Pod(), 16, 0.99) == pytest.approx((drawn.sum(axis=1) // 16 * 16 / 64).mean(), abs=0.01)
    for wrong in (-0.1, 1.1, float("nan"), "1", True):
        with pytest.raises(UsageError, match="availability"):
            goodput(pod, 1, wrong)
    for cubes, hosts in ((0, 1), (7, 1), (1, 0)):
        with pytest.raises(UsageError, match="found"):
            goodput(pod, cubes, 0.9, hosts)


def naive_packing(options, works):
    """Try every choice."""
    if not len(options):
        return 0
    first, rest = options[0], options[1:]
    without = naive_packing(rest, works)
    if not works[first].all():
        return without
    left = np.array([row for row in rest if not (row & first).any()]).reshape(-1, options.shape[1])
    return max(without, 1 + naive_packing(left, works))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("cubes", [2, 3])
def test_packing_against_every_choice(seed, cubes):
    pod = Pod(cubes=8) if cubes == 2 else Pod(cubes=12)
    options = blocks(pod, cubes)
    works = np.random.default_rng(seed).random(pod.cubes) < 0.75
    assert most_blocks(options, works) == naive_packing(options, works)


def test_blocks_are_boxes():
    assert cube_grid(Pod()) == (4, 4, 4)
    assert blocks(Pod(), 64).shape == (1, 64)
    assert blocks(Pod(), 5).shape == (0, 64)  # no box of five fits 4 x 4 x 4
    assert most_blocks(blocks(Pod(), 5), np.ones(64)) == 0
    assert most_blocks(blocks(Pod(), 8), np.ones(64)) == 8
    one = np.ones(64)
    one[0] = 0
    assert most_blocks(blocks(Pod(), 32), one) == 1
    assert most_blocks(blocks(Pod(), 8), one) == 7
    with pytest.raises(UsageError, match="works: found shape"):
        most_blocks(blocks(Pod(), 8), np.ones(63))
