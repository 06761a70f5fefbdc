"""Serving runs beside closed forms, bounds and what must always hold."""

import math

import networkx as nx
import numpy as np
import pytest

from topo_sim.base import FaultsError, UsageError
from topo_sim.gpus import load_gpus
from topo_sim.gpus.reliability import Cluster, Job, outages, simulate_life
from topo_sim.inference.models import find_model
from topo_sim.inference.network import IdealNetwork
from topo_sim.inference.operators import Device, find_efficiency
from topo_sim.inference.parallelism import Layout
from topo_sim.inference.passes import PassTimer
from topo_sim.inference.serving import (
    Links,
    PassTable,
    Pool,
    Requests,
    Rules,
    find_workload,
    kv_links,
    make_requests,
    read_trace,
    simulate_serving,
    tabulate,
)
from topo_sim.inference.serving.handover import shards
from topo_sim.topo import Fabric


def constant(prefill, decode, capacity=10**6):
    return PassTable([1, 2], [1, 2], [[prefill] * 2] * 2, [1, 2], [1, 2], [[decode] * 2] * 2, capacity)


@pytest.fixture(scope="module")
def timer():
    device = Device.of(load_gpus()["h100"])
    network = IdealNetwork(450e9)
    model, efficiency = find_model("llama3-8b"), find_efficiency("h100")
    return PassTimer(model, device, Layout(tp=2), network, efficiency=efficiency)


@pytest.fixture(scope="module")
def table(timer):
    return tabulate(timer, tokens=8192, longest=4096, batch=128, capacity=400_000, lengths=[1500])


@pytest.mark.parametrize("load", [0.3, 0.8])
def test_one_server_with_fixed_service_waits_as_md1_says(load):
    """Pollaczek and Khinchine: W = load x D / (2 (1 - load)); batch means give the interval."""
    n, service = 400_000, 0.25
    rng = np.random.default_rng(5)
    requests = Requests(np.cumsum(rng.exponential(service / load, n)), np.full(n, 100), np.ones(n, int))
    done = simulate_serving(requests, Pool(constant(service, 1.0), 1), rules=Rules(most_tokens=100))
    waits = (done.ttft - service)[n // 10 :]
    batches = waits[: waits.size // 40 * 40].reshape(40, -1).mean(axis=1)
    half = 2.02 * batches.std(ddof=1) / math.sqrt(40)
    expected = load * service / (2 * (1 - load))
    assert abs(batches.mean() - expected) <= half
    assert half < 0.1 * expected  # the interval can fail


def test_a_server_that_batches_all_that_waits_is_never_full():
    """With passes of constant length for any number of prompts, a request waits for less than one pass."""
    requests = make_requests(find_workload("paper"), 1000.0, 20_000)
    requests = Requests(requests.arrival, requests.prompt, np.ones_like(requests.output))
    rules = Rules(most_tokens=10**9, most_batch=65536)
    done = simulate_serving(requests, Pool(constant(0.5, 1.0, 10**9), 1), rules=rules)
    assert done.ttft.max() < 1.0
    assert done.ttft.min() >= 0.5 * (1 - 1e-12)


def test_without_a_queue_times_are_sums_of_pass_times(table):
    """Requests minutes apart: to the last bit, in one pool and in two."""
    rng = np.random.default_rng(1)
    prompt, output = rng.integers(1, 4000, 50), rng.integers(1, 60, 50)
    requests = Requests(np.arange(50) * 1024.0, prompt, output)
    one = simulate_serving(requests, Pool(table, 2))
    links = Links(1e5, np.full((1, 1), 1e10), np.full((1, 1), 3e-6))
    two = simulate_serving(requests, Pool(table, 1), Pool(table, 1), links=links)
    for r in range(50):
        now = r * 1024.0 + table.prefill_time(prompt[r], float(prompt[r]) ** 2)
        assert one.first[r] == two.first[r] == now
        moved = now + 1e5 * prompt[r] / 1e10 + 3e-6
        for step in range(1, output[r]):
            now += table.decode_time(1, prompt[r] + step)
            moved += table.decode_time(1, prompt[r] + step)
        assert one.finish[r] == now
        assert two.finish[r] == (moved if output[r] > 1 else now)


def test_tables_are_the_timer_at_points_and_near_it_between(timer, table):
    exact = float(timer.prefill(1500, 1).total)
    assert table.prefill_time(1500, 1500.0**2) == pytest.approx(exact, rel=1e-12)
    assert table.decode_time(7, 7 * table.contexts[20]) == pytest.approx(
        float(timer.decode(7, table.contexts[20]).total), rel=1e-12
    )
    for tokens in (37, 700, 1400, 3000):
        for prompts in (1, 2):
            found = table.prefill_time(tokens * prompts, prompts * float(tokens) ** 2)
            assert found == pytest.approx(float(timer.prefill(tokens, prompts).total), rel=0.06)
    for batch, context in ((1, 77), (33, 1500), (100, 3210)):
        found = table.decode_time(batch, batch * context)
        assert found == pytest.approx(float(timer.decode(batch, context).total), rel=0.03)
    assert np.all(np.diff(table.prefill, axis=0) >= 0)
    assert np.all(np.diff(table.decode, axis=1) >= 0)


def test_chunks_bound_the_gap_between_tokens(table):
    """A long prompt stops decoding for its whole pass, unless it comes in chunks."""
    arrival = np.array([0.0, 0.2])
    requests = Requests(arrival, np.array([100, 4000]), np.array([300, 2]))
    whole = simulate_serving(requests, Pool(table, 1))
    chunked = simulate_serving(requests, Pool(table, 1), rules=Rules(chunk=256, most_batch=64))
    assert whole.longest_gap[0] > table.prefill_time(4000, 4000.0**2)
    assert chunked.longest_gap[0] < 0.5 * whole.longest_gap[0]
    assert chunked.ttft[1] > whole.ttft[1]  # what the others gain it pays


def test_reserving_never_preempts_and_recomputing_does():
    requests = Requests(np.zeros(40), np.full(40, 10), np.full(40, 50))
    small = Pool(constant(0.1, 0.01, 200), 1)
    for memory, some in (("recompute", True), ("reserve", False)):
        done = simulate_serving(requests, small, rules=Rules(memory=memory, block=1))
        assert done.finished.all()
        assert (done.preempted.sum() > 0) == some
        assert done.made.tolist() == [50] * 40  # no token is sent twice


def test_a_failure_costs_the_prefill_again_and_no_token_is_sent_twice():
    requests = Requests([0.0], [10], [5])
    pools = Pool(constant(1.0, 0.5), 2)
    done = simulate_serving(requests, pools, outages=[(0, 1.75, 9.0)])
    # prefill 0-1, a token at 1.5, failure at 1.75; on the other one prefill to 2.75 makes the third
    assert done.finish.tolist() == [3.75]
    assert done.restarts.tolist() == [1]
    assert done.longest_gap[0] == 1.25


def test_all_down_waits_until_one_is_up():
    requests = Requests([1.0], [10], [1])
    done = simulate_serving(requests, Pool(constant(1.0, 0.5), 1), outages=[(0, 0.5, 7.0)])
    assert done.finish.tolist() == [8.0]
    never = simulate_serving(requests, Pool(constant(1.0, 0.5), 1), outages=[(0, 0.5, np.inf)], horizon=99)
    assert never.unfinished == 1
    assert never.end == 99
    assert never.little[0] == never.little[1] == 98.0


def test_kv_moves_at_the_max_min_share_of_a_full_house():
    graph = nx.Graph()
    graph.add_nodes_from(range(4), kind="gpu")
    graph.add_nodes_from("ab", kind="switch")
    for rank, switch in enumerate("aabb"):
        graph.add_edge(rank, switch, bandwidth=100e9, latency=1e-6)
    graph.add_edge("a", "b", bandwidth=120e9, latency=2e-6)
    fabric = Fabric.from_graph(graph)
    two = kv_links(fabric, [[0], [1]], [[2], [3]], 1.0)
    np.testing.assert_allclose(two.rate, 60e9)  # both at once share the cable
    np.testing.assert_allclose(two.latency, 4e-6)
    one = kv_links(fabric, [[0]], [[2]], 1.0)
    np.testing.assert_allclose(one.rate, 100e9)
    both = kv_links(fabric, [[0, 1]], [[2, 3]], 1.0, overhead=1e-6)
    np.testing.assert_allclose(both.rate, 120e9)
    np.testing.assert_allclose(both.latency, 5e-6)
    with pytest.raises(UsageError, match="twice"):
        kv_links(fabric, [[0]], [[0]], 1.0)


@pytest.mark.parametrize(("senders", "receivers"), [(1, 1), (4, 4), (2, 8), (3, 2), (6, 4)])
def test_shards_move_every_share_once(senders, receivers):
    sender, receiver, share = shards(senders, receivers)
    np.testing.assert_allclose(np.bincount(sender, share), np.full(senders, 1 / senders))
    np.testing.assert_allclose(np.bincount(receiver, share), np.full(receivers, 1 / receivers))


@pytest.mark.parametrize("policy", ["none", "hot_spares", "rewire"])
def test_outages_are_those_of_the_life(policy):
    spares = 0 if policy == "none" else 3
    cluster = Cluster(count=64, group=8, rate=1e-5, repair=7e4, spares=spares)
    job = Job(restart=100.0)
    years = 0.2
    life = simulate_life(cluster, policy, job, years=years, replicas=1, seed=4)
    found = outages(cluster, policy, job, horizon=years * 8760 * 3600.0, seed=4)
    end = years * 8760 * 3600.0
    down = (np.minimum(found[:, 2], end) - found[:, 1]).sum()
    assert len(found) > 20
    assert 8 * end - down == pytest.approx(life.counted("running")[0] / 8, rel=1e-9)
    for group in range(8):
        mine = found[found[:, 0] == group]
        assert np.all(mine[1:, 1] > mine[:-1, 2])


def test_other_rates_stretch_the_same_requests():
    slow, fast = (make_requests(find_workload("coding"), rate, 500, seed=3) for rate in (1.0, 4.0))
    np.testing.assert_allclose(slow.arrival, 4 * fast.arrival)
    assert slow.prompt.tolist() == fast.prompt.tolist()
    assert 1300 < np.median(make_requests(find_workload("coding"), 1.0, 20_000).prompt) < 1700


def test_a_trace_shows_all_its_faults_at_once(tmp_path):
    file = tmp_path / "trace.csv"
    file.write_text("arrival_s,prompt_tokens,output_tokens\n0,5,5\n-1,5,5\n3,x,0\n2,5,1.5\nnan,5,inf\n")
    with pytest.raises(FaultsError) as error:
        read_trace(file)
    text = str(error.value)
    assert len(error.value.faults) == 6, text
    for part in (":3: arrival_s", ":4: prompt_tokens", ":4: output_tokens", ":5:", ":6: arrival_s"):
        assert part in text
    file.write_text("arrival_s,prompt_tokens,output_tokens\n5,1,1\n4,1,1\n")
    with pytest.raises(FaultsError, match="found 4 after 5"):
        read_trace(file)
    for wrong in ("", "arrival_s\n1\n", "arrival_s,prompt_tokens,output_tokens\n", "\0", '"'):
        file.write_text(wrong)
        with pytest.raises(FaultsError):
            read_trace(file)
    file.write_text("id,output_tokens,arrival_s,prompt_tokens\na,3,10.5,7\n\nb,4,11,8\n")
    found = read_trace(file)
    assert found.arrival.tolist() == [0.0, 0.5]
    assert found.prompt.tolist() == [7, 8]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Requests([1.0, 0.5], [1, 1], [1, 1]),
        lambda: Requests([np.nan], [1], [1]),
        lambda: Requests([0.0], [0], [1]),
        lambda: Requests([0.0], [1.5], [1]),
        lambda: Requests([], [], []),
        lambda: make_requests(find_workload("paper"), 0.0, 5),
        lambda: make_requests(find_workload("paper"), math.nan, 5),
        lambda: make_requests(find_workload("paper"), 1.0, 0),
        lambda: find_workload("papper"),
        lambda: Rules(block=0),
        lambda: Rules(memory="swap"),
        lambda: Rules(chunk=10, most_batch=10),
        lambda: Pool(constant(1, 1), 0),
        lambda: Pool(constant(1, 1, 15), 1).blocks(16),
        lambda: constant(0.0, 1.0),
        lambda: constant(math.nan, 1.0),
        lambda: PassTable([2, 1], [1, 2], np.ones((2, 2)), [1], [1], [[1]], 5),
        lambda: simulate_serving(Requests([0.0], [1], [1]), Pool(constant(1, 1), 1), Pool(constant(1, 1), 1)),
        lambda: simulate_serving(Requests([0.0], [1], [1]), Pool(constant(1, 1), 1), outages=[(0, 2, 1)]),
        lambda: simulate_serving(Requests([0.0], [1], [1]), Pool(constant(1, 1), 1), outages=[(1, 0, 1)]),
        lambda: simulate_serving(Requests([0.0], [1], [1]), Pool(constant(1, 1), 1), horizon=0.0),
        lambda: Links(1.0, np.zeros((1, 1)), np.zeros((1, 1))),
    ],
)
def test_bad_input_is_told(wrong):
    with pytest.raises(UsageError, match=r"found|unknown"):
        wrong()
