"""Demands: sums, names, files, and every refusal."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive_flow
from topo_sim.base import DemandError, UnknownNameError, UsageError
from topo_sim.topo import Fabric, fat_tree, leaf_spine, mesh, single_switch, torus
from topo_sim.topo.demands import DEMANDS, Demand, make_demand, read_demand
from topo_sim.topo.distances import hop_matrix
from topo_sim.topo.loads import link_loads
from topo_sim.topo.throughput import max_concurrent_flow

FABRICS = [torus((3, 4)), fat_tree(4), leaf_spine(3, 4, 2), single_switch(7), mesh(6)]


def test_registry():
    assert sorted(DEMANDS) == [
        *("all_to_all", "experts", "hot_spots", "longest_matching", "permutation", "stencil", "zipf")
    ]
    assert all(function.__doc__ for function in DEMANDS.values())


@pytest.mark.parametrize("fabric", FABRICS, ids=repr)
@pytest.mark.parametrize("name", [*DEMANDS])
def test_every_rank_sends_one(fabric, name):
    demand = make_demand(fabric, name, seed=3)
    assert demand.name == name
    if name != "longest_matching":  # where a rank may be left over
        assert demand.sent == pytest.approx(1.0)
    assert demand.sent.sum() == pytest.approx(demand.total) == demand.received.sum()
    source, target, amount = demand.pairs()
    assert np.all(source != target)
    assert np.bincount(source, amount, fabric.ranks) == pytest.approx(demand.sent)
    again = make_demand(fabric, name, seed=3)
    assert all(np.array_equal(a, b) for a, b in zip(demand.pairs(), again.pairs(), strict=True))


@pytest.mark.parametrize(
    "fabric", [torus(5), torus((2, 3)), mesh(6), leaf_spine(3, 2, 1), single_switch(4)], ids=repr
)
def test_longest_matching_is_longest(fabric):
    source, target, _ = make_demand(fabric, "longest_matching").entries
    found = hop_matrix(fabric, np.arange(fabric.ranks))[source, target].sum()
    assert found == naive_flow.longest_matching(fabric)


@st.composite
def demands(draw):
    ranks, entries = draw(st.integers(1, 7)), draw(st.integers(0, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ends = rng.integers(0, ranks, (2, entries))
    amount = rng.choice([0.0, 0.5, 1.0, 3.0], entries)
    uniform = draw(st.sampled_from([0.0, 0.25]))
    matrix = np.full((ranks, ranks), uniform)
    np.add.at(matrix, tuple(ends), amount)
    np.fill_diagonal(matrix, 0.0)
    return Demand(ranks, *ends, amount, uniform=uniform), matrix, rng.integers(0, 3, ranks)


@given(demands())
def test_sums_are_those_of_the_matrix(case):
    demand, matrix, group = case
    assert demand.sent == pytest.approx(matrix.sum(axis=1))
    assert demand.received == pytest.approx(matrix.sum(axis=0))
    assert demand.total == pytest.approx(matrix.sum())
    source, target, amount = demand.pairs()
    listed = np.zeros_like(matrix)
    listed[source, target] = amount
    assert listed == pytest.approx(matrix)
    member = group == np.arange(3)[:, None]
    between = np.einsum("ai,ij,bj->ab", member, matrix, member)
    assert demand.between(group, 3) == pytest.approx(between)
    out, into = demand.leaving(group, 3)
    assert out == pytest.approx(between.sum(axis=1) - np.diag(between))
    assert into == pytest.approx(between.sum(axis=0) - np.diag(between))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((0, [], [], []), "ranks: found 0, expected an integer of at least 1"),
        ((3, [0, 3], [1, 1], 1.0), "source[1]: found rank 3, expected 0 to 2"),
        ((3, [0], [-1], 1.0), "target[0]: found rank -1, expected 0 to 2"),
        ((3, [0.5], [1], 1.0), "source: found float64 values, expected integers"),
        ((3, [[0], [1, 2]], [1], 1.0), "source: found rows of different lengths, expected one number"),
        ((3, [[0]], [1], 1.0), "source: found shape (1, 1), expected one dimension"),
        ((3, np.ma.array([0]), [1], 1.0), "source: found a masked array"),
        ((3, np.array([2**64 - 1], np.uint64), [1], 1.0), "source[0]: found rank 18446744073709551615"),
        ((2**40, [0], [1], 1.0), "ranks: found 1099511627776, expected an integer of at least 1 and at most"),
        ((3, [0], [1], True), "amount: found values that are no numbers (true or false)"),
        ((3, [0, 0], [1, 1], 1e308), "amount: found a sum beyond 1.8e308, expected a finite one"),
        ((3, [0], [1], 1.0, [1.0, 2.0]), "uniform: found shape (2,), expected one number"),
        ((3, [0], [1], 1.0, "a"), "uniform: found values that are no numbers (text)"),
        ((3, [0], [1], [-2.0]), "amount[0]: found -2.0, expected a finite number of 0 or more"),
        ((3, [0], [1], [np.nan]), "amount[0]: found nan, expected a finite number"),
        ((3, [0], [1], ["x"]), "amount: found values that are no numbers (text), expected real"),
        ((3, [0], [1, 2], 1.0), "found 1 sources, 2 targets and amounts of shape (1,), expected one of each"),
        ((3, [0], [1], 1.0, -1.0), "uniform: found -1.0, expected a finite number"),
    ],
)  # fmt: skip
def test_refusals(arguments, text):
    with pytest.raises(DemandError) as error:
        Demand(*(np.array(a, dtype=int) if isinstance(a, list) and not a else a for a in arguments))
    assert text in str(error.value)


def test_files(tmp_path):
    listed, matrix = tmp_path / "list.csv", tmp_path / "matrix.npy"
    listed.write_text("source,target,amount\n0,1,2\n1,1,7\n0,1,0.5\n2,0,1e-3\n")
    np.save(matrix, np.array([[9, 2.5, 0], [0, 0, 0], [1e-3, 0, 0]]))
    for path in (listed, matrix, str(listed)):
        demand = make_demand(torus(3), path)
        assert [x.tolist() for x in demand.entries] == [[0, 2], [1, 0], [2.5, 1e-3]]
    assert make_demand(torus(3), listed).name == "list"


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("a,b\n", ["line 1: found 'a,b', expected 'source,target,amount'"]),
        ("", ["line 1: found '', expected"]),
        ("source,target,amount\n0,9,1\n0,1\n0,1,x\n-1,0,1\n0,1,inf\n", [
            "line 2: target: found '9', expected a rank, 0 to 2",
            "line 3: found 2 values, expected source,target,amount",
            "line 4: amount: found 'x', expected a finite number of 0 or more",
            "line 5: source: found '-1', expected a rank, 0 to 2",
            "line 6: amount: found 'inf', expected",
        ]),
        ("source,target,amount\n" + "0,7,1\n" * 50, ["line 21: target", "... and more"]),
    ],
)  # fmt: skip
def test_wrong_lists(tmp_path, text, faults):
    path = tmp_path / "d.csv"
    path.write_text(text)
    with pytest.raises(DemandError) as error:
        read_demand(path, 3)
    assert all(fault in str(error.value) for fault in faults)


@pytest.mark.parametrize(
    ("matrix", "text"),
    [
        (np.zeros((2, 3)), "found shape (2, 3), expected (3, 3)"),
        (np.ones((3, 3), bool), "matrix: found values that are no numbers (true or false)"),
        (np.full((3, 3), "x"), "d.npy: matrix: found values that are no numbers (text), expected real"),
        (np.array([[0, 1, 1], [0, 0, -2.0], [0, 0, 0]]), "[1, 2]: found -2.0, expected a finite number"),
    ],
)
def test_wrong_matrices(tmp_path, matrix, text):
    np.save(tmp_path / "d.npy", matrix)
    with pytest.raises(DemandError, match="d") as error:
        read_demand(tmp_path / "d.npy", 3)
    assert text in str(error.value)


def test_other_refusals(tmp_path):
    (tmp_path / "broken.npy").write_bytes(b"no array")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("broken.npy", "bytes.csv", "missing.csv", "d.txt"):
        with pytest.raises(DemandError, match=name):
            read_demand(tmp_path / name, 3)
    with pytest.raises(UnknownNameError, match="did you mean"):
        make_demand(torus(3), "all_to_al")
    with pytest.raises(DemandError, match="found a demand of 4 ranks, expected 3"):
        make_demand(torus(3), Demand(4, [0], [1]))
    apart = Fabric.from_graph(nx.Graph([(0, 1), (2, 3)]))
    with pytest.raises(UsageError, match="without a path"):
        make_demand(apart, "longest_matching")
    with pytest.raises(UsageError, match="expected at most 4,096"):
        make_demand(torus((70, 70)), "longest_matching")
    with pytest.raises(DemandError, match="splitting routings need no list"):
        make_demand(torus((70, 70)), "all_to_all").pairs()


@pytest.mark.parametrize(
    "demand",
    [
        Demand(4, [], [], []),
        Demand(4, [0], [0], 1),
        Demand(4, [0], [1], 0),
        Demand(4, [0], [1], 2),
        Demand(1, [], []),
    ],
)
def test_amounts_are_floats_even_of_nothing(demand):
    assert [x.dtype for x in demand.entries] == [np.int64, np.int64, np.float64]


@given(demands())
def test_matrices_are_demands(case):
    demand, matrix, _ = case
    np.fill_diagonal(matrix, 5.0)  # counts for nothing
    made = Demand.from_matrix(matrix)
    assert made.ranks == demand.ranks
    assert made.between(np.arange(made.ranks), made.ranks) == pytest.approx(
        demand.between(np.arange(made.ranks), made.ranks)
    )


def test_matrices_at_the_front_door():
    fabric = torus((3, 3))
    for ones in (np.ones((9, 9)), np.ones((9, 9), np.int8), [[1] * 9] * 9, np.ones((9, 18))[:, ::2]):
        made = make_demand(fabric, ones)
        assert (made.uniform, made.entries[2].size, made.name) == (1.0, 0, "matrix")
    assert make_demand(torus(1), [[3.0]]).total == 0


@pytest.mark.parametrize(
    ("demand", "seed", "error", "text"),
    [
        (np.ones((9, 10)), 0, DemandError, "matrix: found shape (9, 10), expected one row and one column"),
        (np.ones(81), 0, DemandError, "matrix: found shape (81,)"),
        (np.ones((0, 0)), 0, DemandError, "matrix: found shape (0, 0)"),
        (np.ones((4, 4)), 0, DemandError, "matrix: found a demand of 4 ranks, expected 9"),
        (np.diag([0.0] * 8 + [-1.0]), 0, DemandError, "matrix[8, 8]: found -1.0, expected a finite number"),
        (np.full((9, 9), np.nan), 0, DemandError, "matrix[0, 0]: found nan"),
        (np.ones((9, 9), complex), 0, DemandError, "matrix: found values that are no numbers (complex)"),
        (np.ma.ones((9, 9)), 0, DemandError, "matrix: found a masked array"),
        ([[1, 2], [1]], 0, DemandError, "matrix: found rows of different lengths"),
        (3, 0, UsageError, "demand: found 3, expected a name, a .csv or .npy file, a Demand or a"),
        (None, 0, UsageError, "demand: found None"),
        (b"stencil", 0, UsageError, "demand: found b'stencil'"),
        ("permutation", "a", UsageError, "seed: found 'a', expected an integer of at least 0"),
        ("all_to_all", -1, UsageError, "seed: found -1"),
        ("permutation", None, UsageError, "seed: found None"),
        ("permutation", True, UsageError, "seed: found True"),
        ("permutation", 1.0, UsageError, "seed: found 1.0"),
    ],
)  # fmt: skip
def test_refusals_at_the_front_door(demand, seed, error, text):
    for call in (make_demand, link_loads, max_concurrent_flow):
        with pytest.raises(error) as caught:
            call(torus((3, 3)), demand, seed=seed)
        assert text in str(caught.value)


def test_a_fabric_is_a_fabric():
    for call in (make_demand, link_loads, max_concurrent_flow):
        with pytest.raises(UsageError, match="fabric: found NoneType, expected a Fabric"):
            call(None, "all_to_all")
