"""ASTRA-sim's analytical backends: every time that its programs gave us, to the nanosecond."""

import dataclasses

import numpy as np
import pytest

from topo_sim.base import CollectiveError, TopologyError, UsageError
from topo_sim.collectives import build_schedule, lower_bound
from topo_sim.collectives.models import COST_MODELS
from topo_sim.collectives.models.astra import astra_algorithm, astra_time
from topo_sim.topo import Fabric, circuit_switched, fat_tree, full_mesh, mesh, product, single_switch, torus
from topo_sim.topo.files import AstraNetwork, astra_network

NAMES = {"R": "Ring", "F": "FullyConnected", "S": "Switch"}
SIZES = (2**16, 2**20, 2**26, 2**30)
# 64 NPUs, 50 GiB/s and 500 ns per link in every dimension; runs of astra-sim 518bd51 with endpoint-delay 10,
# one chunk, localBWAware, local-mem-bw 1600. Times in ns at 64 KiB, 1 MiB, 64 MiB, 1 GiB; the size of an
# all-gather is the shard.
TABLE = {
    ("R64", "UA"): {
        "all_reduce": (66_664, 104_590, 2_648_971, 41_420_935),
        "reduce_scatter": (33_337, 53_245, 1_386_388, 21_701_305),
        "all_gather": (109_000, 1_262_593, 78_782_140, 1_260_032_140),
        "all_to_all": (1_066_474, 1_643_050, 40_402_666, 631_028_170),
    },
    ("F64", "UA"): {
        "all_reduce": (1_068, 1_670, 42_057, 657_485),
        "reduce_scatter": (539, 855, 22_016, 344_475),
        "all_gather": (1_740, 20_051, 1_250_520, 20_000_520),
        "all_to_all": (539, 825, 20_051, 313_020),
    },
    ("S64", "U"): {
        "all_reduce": (14_584, 51_518, 2_534_005, 40_362_301),
        "reduce_scatter": (7_324, 26_235, 1_297_477, 20_668_741),
        "all_gather": (82_971, 1_236_538, 78_756_070, 1_260_006_070),
        "all_to_all": (1_039, 1_325, 20_551, 313_520),
    },
    ("S64", "A"): {
        "all_reduce": (16_984, 89_964, 4_994_941, 79_737_301),
        "reduce_scatter": (8_524, 45_458, 2_527_945, 40_356_241),
        "all_gather": (159_872, 2_467_006, 157_506_070, 2_520_006_070),
        "all_to_all": (2_236, 20_540, 1_251_004, 20_001_020),
    },
    ("R8 R8", "U"): {
        "all_reduce": (16_809, 54_665, 2_599_081, 41_371_101),
        "reduce_scatter": (8_462, 28_293, 1_361_464, 21_676_451),
        "all_gather": (84_055, 1_237_627, 78_757_160, 1_260_007_160),
        "all_to_all": (37_092, 165_276, 8_778_580, 140_028_580),
    },
    ("R4 R4 R4", "U"): {
        "all_reduce": (11_738, 49_589, 2_594_015, 41_366_030),
        "reduce_scatter": (5_928, 25_758, 1_358_937, 21_673_920),
        "all_gather": (81_519, 1_235_088, 78_754_620, 1_260_004_620),
        "all_to_all": (14_700, 97_086, 5_634_210, 90_009_210),
    },
    ("S8 S8", "U"): {
        "all_reduce": (14_598, 51_418, 2_526_162, 40_236_492),
        "reduce_scatter": (7_328, 26_125, 1_289_624, 20_542_922),
        "all_gather": (82_981, 1_236_548, 78_756_080, 1_260_006_080),
        "all_to_all": (2_344, 6_922, 314_540, 5_002_040),
    },
    ("F4 S16", "U"): {
        "all_reduce": (10_349, 28_745, 1_265_279, 20_107_643),
        "reduce_scatter": (5_199, 14_727, 655_251, 10_415_583),
        "all_gather": (42_409, 610_038, 38_754_570, 620_004_570),
        "all_to_all": (1_921, 7_642, 392_165, 6_251_540),
    },
}
ROWS = [
    (dims, backend, collective, size, time)
    for (dims, backends), rows in TABLE.items()
    for backend in backends
    for collective, times in rows.items()
    for size, time in zip(SIZES, times, strict=True)
]


def network(text, bandwidth=50.0, latency=500.0):
    dims = text.split()
    counts = tuple(int(dim[1:]) for dim in dims)
    shapes = tuple(NAMES[dim[0]] for dim in dims)
    return AstraNetwork(shapes, counts, (bandwidth,) * len(dims), (latency,) * len(dims))


def in_ns(dims, collective, size, aware=False, **settings):
    """What ASTRA-sim would print; the size is its own, an all-gather's shard."""
    net = network(dims)
    whole = size * net.npus if collective == "all_gather" else size
    time = astra_time(net, collective, whole, aware=aware, **settings) * 1e9
    assert abs(time - round(time)) < 1e-6
    return round(time)


@pytest.mark.parametrize(("dims", "backend", "collective", "size", "time"), ROWS)
def test_the_table_to_the_nanosecond(dims, backend, collective, size, time):
    assert in_ns(dims, collective, size, backend == "A") == time


@pytest.mark.parametrize(("dims", "backend", "collective", "size", "time"), ROWS[::7])
def test_the_same_from_a_fabric(dims, backend, collective, size, time):
    fabric = network(dims).fabric()
    name = {"U": "astra-unaware", "A": "astra-aware"}[backend]
    algorithm = "pairwise" if collective == "all_to_all" else "ring"
    schedule = build_schedule(collective, algorithm, 64, 0)
    whole = size * 64 if collective == "all_gather" else size
    assert COST_MODELS[name].times(schedule, fabric, [whole])[0] * 1e9 == pytest.approx(time, abs=1e-3)


def test_ring_on_a_switch():
    # Published to three or four digits.
    assert in_ns("S64", "all_reduce", 2**30, switch="ring") == pytest.approx(41.48e6, rel=2e-4)
    assert in_ns("S64", "all_reduce", 2**30, True, switch="ring") == pytest.approx(80.86e6, rel=2e-4)


def test_where_the_unaware_backend_beats_physics():
    fabric = network("S64").fabric()
    bound = lower_bound("all_to_all", fabric).time(2**30)
    assert bound == pytest.approx(19.69e-3, rel=1e-3)
    assert in_ns("S64", "all_to_all", 2**30) < bound * 1e9 / 60
    assert in_ns("S64", "all_to_all", 2**30, True) > bound * 1e9


class TestFabrics:
    """Which fabrics are such networks, and which are not."""

    @pytest.mark.parametrize(
        "dims", ["R64", "F8", "S64", "R8 R8", "R2 R4", "F4 S16", "S2 F3 R5", "R2", "F3 R3"]
    )
    def test_there_and_back(self, dims):
        net = network(dims, 741.34, 936.25)
        assert astra_network(net.fabric()) == net

    def test_each_axis_has_its_own_links(self):
        net = AstraNetwork(("Ring", "Switch", "Ring"), (4, 2, 3), (400.0, 25.0, 0.5), (0.0, 936.25, 1e6))
        assert astra_network(net.fabric()) == net

    @pytest.mark.parametrize(
        ("fabric", "shapes", "dims"),
        [
            (torus((4, 1, 6)), ("Ring", "Ring"), (4, 6)),
            (torus(64), ("Ring",), (64,)),
            (mesh((2, 2)), ("Ring", "Ring"), (2, 2)),
            (full_mesh(5), ("FullyConnected",), (5,)),
            (single_switch(12), ("Switch",), (12,)),
            (circuit_switched(8, ports=2, strides=[1]), ("Ring",), (8,)),
            (Fabric.from_graph(torus(5).graph), ("Ring",), (5,)),
            (Fabric.from_graph(single_switch(5).graph), ("Switch",), (5,)),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_known_families(self, fabric, shapes, dims):
        found = astra_network(fabric)
        assert (found.topology, found.npus_count) == (shapes, dims)

    @pytest.mark.parametrize(
        ("fabric", "message"),
        [
            (fat_tree(4), "found 20 switches"),
            (mesh((4, 2)), "axis 0 open at its ends"),
            (single_switch(8, planes=2), "found 2 switches"),
            (circuit_switched(8, ports=4, strides=[1, 3]), "joined neither in a ring"),
            (circuit_switched(8, ports=2, strides=[3]), "joined neither in a ring"),
            (torus(1), "found 1 endpoint"),
        ],
        ids=lambda value: str(value)[:30],
    )
    def test_what_it_cannot_model(self, fabric, message):
        with pytest.raises(TopologyError, match=message):
            astra_network(fabric)

    @pytest.mark.parametrize("attribute", ["capacity", "latency"])
    def test_one_slow_link_is_seen(self, attribute):
        for fabric in (torus((4, 4)), single_switch(8), full_mesh(4), product()):
            values = getattr(fabric, attribute).copy()
            values[-1] *= 2
            with pytest.raises(TopologyError, match="expected one"):
                astra_network(dataclasses.replace(fabric, **{attribute: values}))

    def test_parallel_cables_are_no_ring(self):
        graph = torus(6).graph
        graph.add_edge("gpu0", "gpu1")
        with pytest.raises(TopologyError, match="neither in a ring"):
            astra_network(Fabric.from_graph(graph))


class TestRefusals:
    """What ASTRA-sim fails on in silence is said aloud."""

    def test_more_than_one_dimension(self):
        with pytest.raises(CollectiveError, match="expected one dimension"):
            in_ns("R8 R8", "all_reduce", 2**20, True)

    @pytest.mark.parametrize("dims", ["S12", "R4 S12"])
    def test_halving_doubling_that_would_never_end(self, dims):
        with pytest.raises(CollectiveError, match="power of two"):
            in_ns(dims, "all_reduce", 2**20)
        assert in_ns(dims, "all_to_all", 2**20) > 0
        assert in_ns(dims, "all_reduce", 2**20, switch="ring") > 0

    @pytest.mark.parametrize("size", [0, 63, -1, float("nan"), float("inf")])
    def test_less_than_a_byte_per_rank(self, size):
        with pytest.raises(CollectiveError, match="64 B or more"):
            astra_time(network("R64"), "all_reduce", size)
        assert astra_time(network("R64"), "all_reduce", 64) > 0

    def test_other_collectives(self):
        with pytest.raises(CollectiveError, match="times no broadcast"):
            astra_time(network("R8"), "broadcast", 2**20)

    @pytest.mark.parametrize(
        "settings",
        [
            {"endpoint_delay": 0},
            {"endpoint_delay": 1.5},
            {"local_mem_bw": 0},
            {"local_mem_bw": np.nan},
            {"local_mem_bw": "x"},
            {"switch": "tree"},
        ],
    )
    def test_settings(self, settings):
        with pytest.raises(UsageError, match=next(iter(settings))):
            astra_time(network("R8"), "all_reduce", 2**20, **settings)

    def test_some_of_the_ranks(self):
        with pytest.raises(CollectiveError, match="expected so many ranks"):
            COST_MODELS["astra-unaware"].times(build_schedule("all_reduce", "ring", 4, 0), torus(8), [64])

    def test_a_fabric_beyond_it(self):
        schedule = build_schedule("all_reduce", "ring", 16, 0)
        with pytest.raises(CollectiveError, match="rings, full meshes and ideal switches"):
            COST_MODELS["astra-unaware"].times(schedule, fat_tree(4), [2**20])


def test_it_names_its_own_algorithms():
    assert astra_algorithm(network("F4 S16"), "all_reduce") == "direct x halving_doubling"
    assert astra_algorithm(network("S16"), "all_reduce", "ring") == "ring"
    schedule = build_schedule("all_to_all", "pairwise", 8, 0)
    assert COST_MODELS["astra-aware"].chooses(schedule, single_switch(8)) == "direct"
