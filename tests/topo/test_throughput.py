"""Throughput: published values, certificates, methods against each other and a naive program."""

import dataclasses

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive_flow
from topo_sim.base import DemandError, RoutingError, UnknownNameError, UsageError
from topo_sim.topo import (
    Fabric,
    circuit_switched,
    fat_tree,
    full_mesh,
    leaf_spine,
    mesh,
    single_switch,
    torus,
)
from topo_sim.topo.demands import Demand, make_demand
from topo_sim.topo.throughput import (
    METHODS,
    fptas,
    max_concurrent_flow,
    polish,
    throughput_bounds,
    worst_case_bound,
)
from topo_sim.topo.throughput.lp import solve_lp, solve_program
from topo_sim.topo.throughput.problem import dual_bound, make_problem


def random_regular(switches, degree, hosts=0, seed=1):
    """A random regular graph of endpoints, or of switches with endpoints on wide links."""
    graph = nx.random_regular_graph(degree, switches, seed=seed)
    graph.add_nodes_from((n, {"kind": "switch" if hosts else "gpu"}) for n in range(switches))
    for n in range(switches * hosts):
        graph.add_edge(f"gpu{n}", n // hosts, bandwidth=1e6)
    return Fabric.from_graph(graph, bandwidth=1.0)


def check(fabric, demand, flow, tolerance=1e-9):
    """Certificate of what can be seen from outside: what fits, what is conserved, what bounds."""
    made = make_demand(fabric, demand)
    assert flow.utilisation.max() <= 1 + tolerance
    assert flow.utilisation.max() >= 1 - tolerance
    into = np.bincount(fabric.link_target, flow.load, len(fabric.kind))
    out = np.bincount(fabric.link_source, flow.load, len(fabric.kind))
    balance = np.zeros(len(fabric.kind))
    balance[fabric.endpoints] = (made.received - made.sent) * flow.theta
    scale = fabric.capacity.max() * 10
    assert (into - out) / scale == pytest.approx(balance / scale, abs=1e-7)
    assert flow.lower <= flow.upper
    assert flow.theta <= flow.bounds.least * (1 + tolerance)


# Regular tori: min over axes of 2 / mean distance, times (N - 1) / N.
TORI = [
    ((4, 4, 8), 0.9922),
    ((4, 8, 8), 0.9961),
    ((4, 8), 0.9688),
    ((5, 5), 1.6),
    ((4, 5), 1.5833),
    ((3, 5, 7), 1.1556),
    ((3, 3, 3), 2.8889),
    ((16, 16, 16), 0.5 * 4095 / 4096),
]


@pytest.mark.parametrize(("dims", "theta"), TORI)
def test_torus(dims, theta):
    fabric = torus(dims, bandwidth=1.0)
    n, mean = fabric.ranks, [k / 4 if k % 2 == 0 else (k * k - 1) / (4 * k) for k in dims]
    flow = max_concurrent_flow(fabric)
    assert flow.theta == pytest.approx(min(2 / m for m in mean) * (n - 1) / n, rel=1e-9)
    assert flow.theta == pytest.approx(theta, abs=5e-5)
    assert flow.method == "symmetry"
    assert flow.gap < 1e-9
    check(fabric, "all_to_all", flow)


@pytest.mark.parametrize(
    "fabric", [torus((3, 4)), torus((2, 4)), full_mesh(6), circuit_switched(11, 3)], ids=repr
)
def test_symmetry_agrees_with_the_program(fabric):
    exact, by_symmetry = (max_concurrent_flow(fabric, method=name) for name in ("lp", "symmetry"))
    assert by_symmetry.theta == pytest.approx(exact.theta, rel=1e-8)
    for flow in (exact, by_symmetry):
        assert flow.gap < 1e-7
        check(fabric, "all_to_all", flow, 1e-8)


@pytest.mark.parametrize("demand", ["all_to_all", "permutation", "longest_matching", "hot_spots", "stencil"])
@pytest.mark.parametrize(
    "fabric",
    [
        fat_tree(4, bandwidth=1.0),
        fat_tree(4, oversubscription=2, bandwidth=[2.0, 1.0, 1.0]),
        leaf_spine(3, 4, 2),
    ],
    ids=repr,
)
def test_clos_agrees_with_the_program(fabric, demand):
    exact, by_cuts = (max_concurrent_flow(fabric, demand, name) for name in ("lp", "symmetry"))
    assert by_cuts.theta == pytest.approx(exact.theta, rel=1e-8)
    assert by_cuts.gap < 1e-12
    for flow in (exact, by_cuts):
        check(fabric, demand, flow, 1e-8)


@pytest.mark.parametrize("method", [None, "lp", "fptas"])
def test_fat_tree_carries_every_permutation(method):
    fabric = fat_tree(4, bandwidth=1.0)
    for seed in range(3):
        flow = max_concurrent_flow(fabric, "permutation", method, seed=seed)
        assert flow.theta == pytest.approx(1.0, rel=1e-9 if method != "fptas" else 0.01)
        assert flow.upper == pytest.approx(1.0)
        assert flow.bounds.worst_case == 1.0


@pytest.mark.parametrize(("switches", "theta", "mean"), [(40, 4.1935, 1.9077), (80, 3.4811, 2.2981)])
def test_random_regular_graphs(switches, theta, mean):
    """Table values, degree 8, seed 1: theta = degree / mean distance."""
    fabric = random_regular(switches, 8)
    flow = max_concurrent_flow(fabric, method="fptas", gap=0.002)
    assert flow.upper == pytest.approx(theta, abs=5e-4)
    assert flow.bounds.volume == pytest.approx(8 / mean, rel=1e-4)
    assert flow.bounds.tight == "volume"
    assert theta * (1 - 0.0025) <= flow.theta <= theta * 1.0001
    check(fabric, "all_to_all", flow)
    behind = max_concurrent_flow(random_regular(switches, 8, hosts=1), method="fptas", gap=0.002)
    assert behind.theta == pytest.approx(flow.theta, rel=1e-9)


def test_worst_case_bound_of_large_fabrics():
    """Rows of the published table; the random graphs are draws of ours, so to 3 digits at most."""
    assert worst_case_bound(fat_tree(32, bandwidth=1.0)) == 1.0
    for switches, degree, hosts, value in (
        (1000, 24, 8, 0.9999),
        (1142, 25, 7, 1.1903),
        (1333, 26, 6, 1.4429),
    ):
        fabric = random_regular(switches, degree, hosts)
        assert worst_case_bound(fabric) == pytest.approx(value, abs=2e-3)


@pytest.mark.parametrize("fabric", [torus((4, 4)), torus(5), fat_tree(4), full_mesh(5)], ids=repr)
def test_closed_worst_case_bounds_are_those_of_the_search(fabric):
    shuffled = nx.MultiGraph()  # ranks in another order: no group to find
    nodes = list(fabric.graph.nodes(data=True))
    shuffled.add_nodes_from(nodes[1::2] + nodes[::2])
    shuffled.add_edges_from(fabric.graph.edges(data=True))
    searched = Fabric.from_graph(shuffled, endpoints_forward=fabric.endpoints_forward)
    assert worst_case_bound(fabric) == pytest.approx(worst_case_bound(searched))


@st.composite
def cases(draw):
    """A random connected fabric, with switches that endpoints hang on, and a few demands."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(3, 7))
    graph = nx.DiGraph() if draw(st.booleans()) else nx.MultiGraph()
    graph.add_nodes_from((i, {"kind": "switch" if rng.random() < 0.4 and i > 1 else "gpu"}) for i in range(n))
    for i in range(n):  # a ring keeps all connected; unless endpoints may not forward
        graph.add_edge(i, (i + 1) % n, bandwidth=float(rng.integers(1, 5)))
        graph.add_edge((i + 1) % n, i, bandwidth=float(rng.integers(1, 5)))
    for _ in range(draw(st.integers(0, 6))):
        u, v = rng.integers(0, n, 2)
        if u != v:
            graph.add_edge(int(u), int(v), bandwidth=float(rng.integers(1, 5)))
    fabric = Fabric.from_graph(graph, endpoints_forward=True)
    ends = rng.integers(0, fabric.ranks, (2, draw(st.integers(1, 4))))
    uniform = draw(st.sampled_from([0.0, 0.5]))
    return fabric, Demand(
        fabric.ranks, *ends, rng.integers(1, 4, ends.shape[1]).astype(float), uniform=uniform
    )


@settings(max_examples=40)
@given(cases())
def test_methods_agree_on_random_fabrics(case):
    fabric, demand = case
    if demand.total == 0:
        return
    expected = naive_flow.throughput(fabric, *demand.pairs())
    exact = max_concurrent_flow(fabric, demand, "lp")
    assert exact.theta == pytest.approx(expected, rel=1e-7)
    assert exact.gap < 1e-7
    check(fabric, demand, exact, 1e-8)
    near = max_concurrent_flow(fabric, demand, "fptas", gap=0.02)
    assert near.theta <= expected * (1 + 1e-9)
    assert near.upper >= expected * (1 - 1e-9)
    assert near.gap <= 0.02 + 1e-12
    check(fabric, demand, near)


def test_endpoints_with_two_switches_do_not_forward():
    fabric = single_switch(5, planes=2, bandwidth=1.0)
    for method in ("lp", "fptas", "symmetry"):
        assert max_concurrent_flow(fabric, "permutation", method).theta == pytest.approx(2.0, rel=0.01)
    graph = nx.Graph([("a", "s"), ("a", "t"), ("b", "s"), ("b", "t"), ("c", "s"), ("d", "t")])
    nx.set_node_attributes(graph, {"s": "switch", "t": "switch"}, "kind")
    split = Fabric.from_graph(graph, bandwidth=1.0)
    with pytest.raises(RoutingError, match="no path"):  # from c only through a or b
        max_concurrent_flow(split, "all_to_all", "fptas")
    demand = Demand(4, [0, 0], [1, 2], [1.0, 1.0])
    for method in ("lp", "fptas"):
        assert max_concurrent_flow(split, demand, method).theta == pytest.approx(1.0, rel=0.01)


def test_any_lengths_bound():
    fabric = mesh((3, 3), bandwidth=1.0)
    problem = make_problem(fabric, make_demand(fabric, "all_to_all"))
    theta = max_concurrent_flow(fabric, method="lp").theta
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert dual_bound(problem, rng.random(len(problem.capacity))) >= theta * (1 - 1e-9)


def test_bounds_name_the_tight_one():
    ports = throughput_bounds(fat_tree(4), make_demand(fat_tree(4), "all_to_all"))
    assert ports.tight == "cut: ports of one endpoint"
    thin = leaf_spine(4, 4, 1, bandwidth=1.0)
    assert (
        throughput_bounds(thin, make_demand(thin, "all_to_all")).tight
        == "cut: uplinks of a subtree of tier 1"
    )
    line = mesh(6, bandwidth=1.0)
    found = throughput_bounds(line, make_demand(line, "all_to_all"))
    assert found.tight == "cut: half cut across axis 0"
    assert found.cut == pytest.approx(5 / 9)


def test_choice_dictionary_and_progress():
    assert sorted(METHODS) == ["fptas", "lp", "symmetry"]
    calls = []
    flow = max_concurrent_flow(
        random_regular(20, 3), "permutation", "fptas", progress=lambda *c: calls.append(c)
    )
    assert calls
    assert max_concurrent_flow(mesh((3, 3))).method == "lp"
    assert max_concurrent_flow(mesh((6, 6))).method == "fptas"
    assert {"theta_B_per_s", "gap", "tight_bound", "cut_bound_B_per_s"} <= set(flow.to_dict())


@pytest.mark.parametrize(
    ("fabric", "arguments", "error", "text"),
    [
        (torus(4), {"gap": 0}, UsageError, "gap: found 0, expected a number above 0 and up to 1"),
        (torus(4), {"gap": 1 + 1j}, UsageError, "gap: found"),
        (torus(4), {"gap": "a"}, UsageError, "gap: found"),
        (torus(4), {"method": "lpp"}, UnknownNameError, "did you mean"),
        (torus(1), {}, UsageError, "sends nothing"),
        (mesh(4), {"method": "symmetry"}, UsageError, "alike from every endpoint"),
        (torus(4), {"method": "symmetry", "demand": "permutation"}, UsageError, 'expected "all_to_all"'),
        (torus((12, 12, 12)), {"method": "lp"}, DemandError, "expected at most 250,000"),
        (torus((24, 24, 24)), {"method": "fptas"}, DemandError, "expected at most 8,192"),
        (Fabric.from_graph(nx.Graph([(0, 1), (2, 3)])), {"method": "lp"}, RoutingError, "no path"),
    ],
)
def test_refusals(fabric, arguments, error, text):
    with pytest.raises(error, match=text.replace("(", r"\(")):
        max_concurrent_flow(fabric, **arguments)


# Permutations on expanders, where shifting flow alone stalls


@pytest.mark.parametrize(("switches", "degree", "gap"), [(10, 3, 1e-3), (40, 6, 1e-3), (64, 8, 5e-3)])
@pytest.mark.parametrize("seed", [0, 1])
def test_permutations_on_expanders_reach_the_gap(switches, degree, gap, seed):
    fabric = random_regular(switches, degree, seed=seed)
    demand = make_demand(fabric, "permutation", seed=seed)
    flow = max_concurrent_flow(fabric, demand, "fptas", gap)
    assert flow.gap <= gap * (1 + 1e-9)
    check(fabric, demand, flow, 1e-8)
    if switches <= 40:
        exact = max_concurrent_flow(fabric, demand, "lp").theta
        assert flow.lower <= exact * (1 + 1e-7)
        assert flow.upper >= exact * (1 - 1e-7)


def test_it_is_the_polish_that_does_it(monkeypatch):
    fabric = random_regular(40, 6)
    problem = make_problem(fabric, make_demand(fabric, "permutation"))
    assert fptas.solve_fptas(problem, 1e-3).steps < 100
    monkeypatch.setattr(polish, "MOST_VARIABLES", 0)
    stalled = fptas.solve_fptas(problem, 1e-3, sweeps=300)
    assert stalled.steps == 300
    assert stalled.upper > stalled.lower * 1.005  # and says so


class TestPolish:
    def start(self, demand="permutation"):
        fabric = random_regular(12, 3)
        problem = make_problem(fabric, make_demand(fabric, demand))
        found = fptas.solve_fptas(problem, 1e-9, sweeps=5)
        run = fptas._Run(problem)
        run.sweep()
        return problem, run, found

    @pytest.mark.parametrize("demand", ["permutation", "all_to_all", "hot_spots"])
    def test_ends_at_the_optimum(self, demand):
        problem, run, found = self.start(demand)
        made = polish.polish(problem, run.flow, run.length, found, 1e-7)
        exact = solve_lp(problem)
        assert made.lower == pytest.approx(exact.lower, rel=1e-6)
        assert made.upper == pytest.approx(exact.lower, rel=1e-6)
        assert np.all(made.load * made.lower <= problem.capacity * (1 + 1e-9))

    def test_never_worse_than_what_it_is_given(self, monkeypatch):
        problem, run, found = self.start()
        for limit in (0, 50):
            monkeypatch.setattr(polish, "MOST_VARIABLES", limit)
            made = polish.polish(problem, run.flow, run.length, found, 1e-7)
            assert made.lower >= found.lower
            assert made.upper <= found.upper

        def fail(*_):
            raise DemandError("lp: the solver stopped")

        monkeypatch.setattr(polish, "MOST_VARIABLES", 20_000)
        monkeypatch.setattr(polish, "solve_program", fail)
        assert polish.polish(problem, run.flow, run.length, found, 1e-7) == dataclasses.replace(found)

    def test_a_restricted_program_is_a_lower_bound_with_an_upper_one_for_all(self):
        problem, run, _ = self.start()
        exact = solve_lp(problem).lower
        part, length = solve_program(problem, run.flow[problem.senders] > 0)
        assert part.lower <= exact * (1 + 1e-9)
        assert part.upper >= exact * (1 - 1e-9)
        assert dual_bound(problem, length) == pytest.approx(part.upper)


def test_a_problem_without_switches_of_its_own_numbering():
    # Endpoints in the order of the graph: the arrays of the problem are sorted by node.
    fabric = torus((3, 3))
    problem = make_problem(fabric, make_demand(fabric, "all_to_all"))
    assert np.array_equal(np.diff(problem.out_ptr), np.bincount(problem.arc_source, minlength=9))
    assert np.all(np.diff(problem.arc_source) >= 0)
    assert np.allclose(problem.to_links(np.ones(len(problem.capacity))), 1.0)


def test_a_matrix_is_solved_like_the_demand_that_it_is():
    fabric = torus((3, 3))
    flow = max_concurrent_flow(fabric, np.ones((9, 9)))
    assert flow.method == "symmetry"
    assert flow.theta == pytest.approx(max_concurrent_flow(fabric).theta / 8)
    uneven = np.eye(9)[::-1] + np.eye(9)
    ends = np.arange(9), np.arange(9)[::-1]
    pairs = max_concurrent_flow(fabric, Demand(9, *ends))
    assert max_concurrent_flow(fabric, uneven).theta == pytest.approx(pairs.theta)


def test_programs_of_more_than_a_minute_are_not_begun(monkeypatch):
    def never(*_):
        raise AssertionError("began to solve")

    monkeypatch.setattr("topo_sim.topo.throughput.lp.solve_program", never)
    fabric = torus((4, 8, 8))
    with pytest.raises(DemandError) as error:
        max_concurrent_flow(fabric, "all_to_all", "lp")
    for word in ("393,216 variables", '"fptas"', '"symmetry"', "a few minutes"):
        assert word in str(error.value)
    assert max_concurrent_flow(fabric).method == "symmetry"
    plain = Fabric.from_graph(nx.random_regular_graph(6, 256, seed=1))
    assert max_concurrent_flow(plain, gap=0.5).method == "fptas"
