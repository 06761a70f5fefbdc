"""The compiled run beside its slow twin, request by request and to the last bit."""

import numpy as np
import pytest

from naive_serving import NaiveServing
from topo_sim.inference.serving import Links, PassTable, Pool, Requests, Rules, simulate_serving
from topo_sim.inference.serving.state_kernels import PHASES


def table(rng, capacity):
    """Times that grow with either grid, at points that are no round numbers."""

    def grid(most):
        return np.unique(np.concatenate([[1.0], rng.integers(2, most, 3), [most]])).astype(float)

    def times(shape):
        return np.cumsum(np.cumsum(rng.exponential(0.02, shape), axis=0), axis=1) + 0.01

    tokens, lengths, batches, contexts = grid(200), grid(90), grid(9), grid(90)
    prefill, decode = times((tokens.size, lengths.size)), times((batches.size, contexts.size))
    return PassTable(tokens, lengths, prefill, batches, contexts, decode, capacity)


def case(seed):
    """A small run that is full: little memory, long answers, failures, one pool or two."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    arrival = np.sort(np.round(rng.uniform(0, rng.choice([0.5, 5, 60]), n), int(rng.choice([0, 1, 9]))))
    requests = Requests(arrival, rng.integers(1, 40, n), rng.integers(1, 30, n))
    split = bool(rng.integers(2))
    first = table(rng, int(rng.integers(35, 150)))
    pools = [Pool(first, int(rng.integers(1, 4)))]
    links = None
    if split:
        other = PassTable(
            first.tokens, first.lengths, first.prefill * 1.5, first.batches, first.contexts,
            first.decode * 0.7, int(rng.integers(35, 150)),
        )  # fmt: skip
        pools.append(Pool(other, int(rng.integers(1, 4))))
        shape = (pools[0].instances, pools[1].instances)
        links = Links(
            float(rng.choice([0, 1, 100])), rng.uniform(1e2, 1e4, shape), rng.uniform(0, 0.1, shape)
        )
    batch = int(rng.integers(1, 9))
    rules = Rules(
        chunk=int(rng.choice([0, batch + rng.integers(1, 30)])),
        most_tokens=int(rng.choice([1, 50, 200])),
        most_batch=batch,
        block=int(rng.choice([1, 3, 16])),
        memory=str(rng.choice(["recompute", "reserve"])),
        margin=float(rng.choice([0, 0.05])),
        dispatch=str(rng.choice(["least_loaded", "round_robin"])),
    )
    cuts, instances = [], sum(pool.instances for pool in pools)
    for i in range(instances if rng.integers(2) else 0):
        times = np.cumsum(rng.exponential(2.0, 6) + 0.01)
        ends = [*times[1::2]]
        if rng.integers(8) == 0:
            ends[-1] = np.inf
        cuts += [(i, begin, end) for begin, end in zip(times[::2], ends, strict=True)]
    horizon = float(rng.choice([3.0, 40.0, 1e5]))
    return requests, pools, rules, links, cuts, horizon


def both(seed):
    requests, pools, rules, links, cuts, horizon = case(seed)
    decode = pools[1] if len(pools) == 2 else None
    found = simulate_serving(
        requests, pools[0], decode, rules, links=links, outages=cuts, horizon=horizon, bins=7
    )
    twin = NaiveServing(requests, pools, rules, links, cuts, horizon).run()
    return found, twin


@pytest.mark.parametrize("block", range(10))
def test_every_time_of_every_request_is_the_twins(block):
    for seed in range(60 * block, 60 * block + 60):
        found, twin = both(seed)
        states = [PHASES[phase] for phase in found.phase]
        assert states == [r.state for r in twin.requests], seed
        first = [r.times[0] if r.times else np.nan for r in twin.requests]
        np.testing.assert_array_equal(found.first, first, err_msg=str(seed))
        np.testing.assert_array_equal(found.finish, [r.finish for r in twin.requests], err_msg=str(seed))
        np.testing.assert_array_equal(found.made, [len(r.times) for r in twin.requests])
        np.testing.assert_array_equal(found.restarts, [r.restarts for r in twin.requests])
        np.testing.assert_array_equal(found.preempted, [r.preempted for r in twin.requests])
        np.testing.assert_array_equal(found.busy, [i.busy for i in twin.instances])
        assert found.gap_sum == pytest.approx(sum(twin.gaps))
        assert found.gaps.sum() == len(twin.gaps)
        for k in range(2):
            counts = {b: int(c) for b, c in enumerate(found.batch_counts[k]) if c}
            assert counts == twin.batches[k], seed
        if twin.requests[-1].state != "to come":
            assert found.end == twin.now, seed
        integrated, summed = found.little
        assert integrated == pytest.approx(summed, rel=1e-9, abs=1e-9), seed
        assert found.sent.sum() == found.made.sum()


def test_the_cases_meet_all_that_can_happen():
    """Cases that never preempt, fail, refuse or split would prove little."""
    total = {"preempted": 0, "restarts": 0, "refused": 0, "unfinished": 0, "split": 0, "chunked": 0}
    for seed in range(200):
        requests, pools, rules, links, cuts, horizon = case(seed)
        decode = pools[1] if len(pools) == 2 else None
        found = simulate_serving(
            requests, pools[0], decode, rules, links=links, outages=cuts, horizon=horizon
        )
        total["preempted"] += found.preempted.sum() > 0
        total["restarts"] += found.restarts.sum() > 0
        total["refused"] += found.refused.any()
        total["unfinished"] += found.unfinished > 0
        total["split"] += decode is not None
        total["chunked"] += decode is None and rules.chunk > 0
    assert min(total.values()) > 20, total
