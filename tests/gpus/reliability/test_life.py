"""A cluster's life: against a naive twin event by event, and against closed forms within its interval."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naive_life import NaiveLife
from topo_sim.base import UnknownNameError, UsageError
from topo_sim.gpus.reliability import (
    POLICIES,
    YEAR,
    Cluster,
    Estimate,
    Job,
    SharedPart,
    availability,
    checkpoint_efficiency,
    expected_groups_lost,
    fleet_availability,
    simulate_life,
)

HOUR = 3600.0


def seeds(root, count):
    return [int(c.generate_state(1, np.uint64)[0]) for c in np.random.SeedSequence(root).spawn(count)]


@st.composite
def cases(draw):
    policy = draw(st.sampled_from(sorted(POLICIES)))
    domains = draw(st.sampled_from([1, 2]))
    group, per = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    count = group * per * domains
    spares = domains * draw(st.integers(0, min(3, count // domains))) if POLICIES[policy].spares else 0
    parts = ()
    if draw(st.booleans()):
        parts = (SharedPart("host", draw(st.integers(1, count)), draw(st.floats(0.1, 3)) / YEAR, 900 * HOUR),)
    cluster = Cluster(
        count=count,
        rate=draw(st.sampled_from([0.0, 0.5, 4.0, 20.0])) / YEAR,
        repair=draw(st.sampled_from([50.0, 700.0, 4000.0])) * HOUR,
        group=group,
        spares=spares,
        domains=domains,
        shape=draw(st.sampled_from([0.7, 1.0, 2.0])),
        repair_law=draw(st.sampled_from(["fixed", "exponential"])),
        crash_rate=draw(st.sampled_from([0.0, 3.0])) / YEAR,
        parts=parts,
    )
    job = Job(
        interval=draw(st.sampled_from([None, 10 * HOUR, 1000 * HOUR])),
        write=draw(st.sampled_from([0.0, HOUR])),
        restart=draw(st.sampled_from([0.0, 30 * HOUR])),
        swap=draw(st.sampled_from([None, 0.0, 100 * HOUR])),
        least=draw(st.integers(1, group)),
    )
    return policy, cluster, job, draw(st.integers(0, 2**32))


@settings(max_examples=150)
@given(cases())
def test_every_event_as_in_the_naive_twin(case):
    policy, cluster, job, seed = case
    life = simulate_life(cluster, policy, job, years=3.0, replicas=1, seed=seed)
    naive = NaiveLife(cluster, POLICIES[policy], job, 3.0 * YEAR, seeds(seed, 1)[0]).run()
    for name, value in naive.items():
        assert life.counted(name)[0] == pytest.approx(value, rel=1e-9, abs=1e-3), name


@settings(max_examples=60)
@given(cases())
def test_time_and_work_are_conserved(case):
    policy, cluster, job, seed = case
    life = simulate_life(cluster, policy, job, years=5.0, replicas=3, seed=seed, bins=7)
    kept, lost, writing, running = (life.counted(n) for n in ("kept", "lost", "writing", "running"))
    assert np.allclose(kept + lost + writing, running, rtol=1e-9, atol=1e-3)
    assert np.all(running <= life.possible * (1 + 1e-12))
    assert np.allclose(life.bins.mean(axis=1), kept / life.possible, rtol=1e-9, atol=1e-12)
    assert np.allclose(life.down.sum(axis=1), 1.0)
    assert np.all(life.counted("interruptions") <= life.counted("hits") + life.counted("crashes")
                  + life.counted("part_failures") * cluster.groups)  # fmt: skip


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_same_seed_same_answer_for_any_number_of_workers(policy):
    spares = 4 if POLICIES[policy].spares else 0
    cluster = Cluster(count=64, rate=2 / YEAR, repair=200 * HOUR, group=8, spares=spares, crash_rate=1 / YEAR)
    runs = [simulate_life(cluster, policy, years=4, replicas=9, seed=3, workers=w) for w in (1, 2, 5)]
    for other in runs[1:]:
        assert np.array_equal(runs[0].counts, other.counts)
        assert np.array_equal(runs[0].bins, other.bins)
        assert np.array_equal(runs[0].down, other.down)
    assert not np.array_equal(
        runs[0].counts, simulate_life(cluster, policy, years=4, replicas=9, seed=4).counts
    )


def test_a_replica_does_not_depend_on_how_many_there_are():
    cluster = Cluster(count=16, rate=2 / YEAR, repair=200 * HOUR, group=4)
    few, many = (simulate_life(cluster, "none", years=4, replicas=r) for r in (3, 8))
    assert np.array_equal(few.counts, many.counts[:3])


@pytest.mark.parametrize("law", ["fixed", "exponential"])
@pytest.mark.parametrize("shape", [0.7, 1.0, 3.0])
def test_availability_whatever_the_laws(law, shape):
    cluster = Cluster(count=100, rate=4 / YEAR, repair=300 * HOUR, shape=shape, repair_law=law)
    life = simulate_life(cluster, "none", years=60, replicas=12, seed=1)
    expected = availability(cluster.rate, cluster.repair)
    # All are new at the start: the transient of a few lifetimes shifts the mean a little.
    assert abs(life.devices_up.mean - expected) < 2 * life.devices_up.half + 1e-3 * (shape != 1.0)
    assert life.devices_up.half < 2e-3
    assert life.goodput.mean == pytest.approx(life.devices_up.mean, rel=1e-12)


def closed_forms(seed, years=30, replicas=16):
    """Estimates of one seed, each beside its closed form."""
    rate, repair = 6 / YEAR, 250 * HOUR
    u = 1 - availability(rate, repair)
    base = {"count": 48, "rate": rate, "repair": repair, "group": 8}
    many = {"years": years, "replicas": replicas, "seed": seed}
    none = simulate_life(Cluster(**base), "none", **many)
    hot = simulate_life(Cluster(**base, spares=10), "hot_spares", Job(swap=0.0), **many)
    rewire = simulate_life(Cluster(**base, spares=4), "rewire", Job(swap=0.0), **many)
    shrink = simulate_life(Cluster(**base), "shrink", **many)
    yield "group in series", none.goodput, (1 - u) ** 8
    yield "interruptions", none.interruptions_per_group_year, (1 - u) ** 8 * 8 * rate * YEAR
    yield "failures", none.total("failures"), 48 * years * rate * YEAR * (1 - u)
    yield "spares suffice", hot.spares_suffice, fleet_availability(48, 10, u)
    yield "any place", rewire.goodput, 1 - expected_groups_lost(48, 8, 4, u) / 6
    yield "shrink", shrink.goodput, 1 - u
    job = Job(interval=20 * HOUR, write=HOUR, restart=2 * HOUR)
    crashing = Cluster(count=48, rate=0, repair=HOUR, group=8, crash_rate=6 / YEAR)
    daly = simulate_life(crashing, "none", job, **many)
    yield "Daly", daly.goodput, checkpoint_efficiency(20 * HOUR, HOUR, 2 * HOUR, YEAR / 48)


@pytest.mark.parametrize("seed", range(2))
def test_closed_forms_lie_within_twice_the_interval(seed):
    for name, estimate, expected in closed_forms(seed):
        assert abs(estimate.mean - expected) < 2 * estimate.half, (name, estimate, expected)
        assert estimate.half < 0.05 * expected, name


def test_the_interval_covers_as_often_as_it_says():
    covered = [e.holds(x) for seed in range(10, 20) for _, e, x in closed_forms(seed, 10, 10)]
    assert np.mean(covered) >= 0.88  # 70 intervals; seeds are fixed


def test_weibull_wear_out_comes_later_than_infant_mortality():
    early, late = (
        simulate_life(Cluster(count=200, rate=1 / YEAR, repair=HOUR, shape=s), "none", years=0.3, replicas=4)
        for s in (0.6, 3.0)
    )
    assert early.total("failures").mean > 5 * late.total("failures").mean


def test_spares_of_another_domain_do_not_help_but_rewiring_does():
    base = {"count": 64, "rate": 3 / YEAR, "repair": 300 * HOUR, "group": 8, "spares": 8}
    one, eight = (
        simulate_life(Cluster(**base, domains=d), "hot_spares", Job(swap=0.0), years=30, replicas=8).goodput
        for d in (1, 8)
    )
    rewired = simulate_life(Cluster(**base, domains=8), "rewire", Job(swap=0.0), years=30, replicas=8).goodput
    assert eight.mean + eight.half < one.mean - one.half
    assert rewired.mean > one.mean


def test_more_spares_than_numbers_down_are_counted():
    cluster = Cluster(count=6000, rate=300 / YEAR, repair=1000 * HOUR, group=6000, spares=5000)
    life = simulate_life(cluster, "hot_spares", years=0.5, replicas=1)
    assert life.spares_suffice.mean < 0.2  # nearly all are down most of the time


def test_nothing_fails():
    cluster = Cluster(count=8, rate=0.0, repair=HOUR, group=4)
    life = simulate_life(cluster, "none", Job(interval=3 * HOUR, write=HOUR), years=1, replicas=2)
    assert life.goodput.mean == pytest.approx(0.75)
    assert life.goodput.half == pytest.approx(0.0, abs=1e-12)
    assert life.total("failures").mean == 0


def test_one_replica_has_no_interval():
    cluster = Cluster(count=8, rate=1 / YEAR, repair=HOUR)
    estimate = simulate_life(cluster, "none", years=1, replicas=1).goodput
    assert math.isnan(estimate.half)
    assert Estimate.of(np.array([1.0, 3.0])).mean == 2


GOOD = {"count": 16, "rate": 1 / YEAR, "repair": HOUR}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 0}, "GPUs: found 0"),
        ({"count": 10**8}, "GPUs: found 100000000"),
        ({"count": 2.5}, "GPUs: found 2.5"),
        ({"rate": -1.0}, "failure rate: found -1.0"),
        ({"rate": math.nan}, "failure rate: found nan"),
        ({"rate": math.inf}, "failure rate: found inf"),
        ({"repair": 0.0}, "repair time: found 0.0"),
        ({"repair": "72 h"}, "repair time"),
        ({"group": 5}, "group: found 5 for 16 GPUs"),
        ({"group": 0}, "group: found 0"),
        ({"spares": 17}, "spares: found 17 for 16 GPUs"),
        ({"spares": -1}, "spares: found -1"),
        ({"spares": 3, "domains": 2}, "domains: found 2 for 3 spares"),
        ({"group": 8, "domains": 4}, "domains: found 4 for 2 groups"),
        ({"shape": 0.0}, "Weibull shape"),
        ({"shape": 50.0}, "from 0.1 to 20"),
        ({"repair_law": "fixt"}, 'did you mean "fixed"'),
        ({"crash_rate": -1.0}, "crash rate: found -1.0"),
    ],
)
def test_clusters_that_cannot_be(change, message):
    with pytest.raises(UsageError, match=message) as error:
        Cluster(**(GOOD | change))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"years": 0.0}, "years: found 0.0"),
        ({"years": math.nan}, "years: found nan"),
        ({"years": 1e12}, "fewer years"),
        ({"replicas": 0}, "replicas: found 0"),
        ({"workers": 0}, "workers: found 0"),
        ({"seed": -1}, "seed: found -1"),
        ({"bins": 0}, "bins: found 0"),
        ({"job": Job(least=2)}, "least group: found 2"),
    ],
)
def test_lives_that_cannot_be(given, message):
    with pytest.raises(UsageError, match=message):
        simulate_life(Cluster(**GOOD), "none", **given)


def test_policies_by_name():
    with pytest.raises(UnknownNameError, match="hot_spares"):
        simulate_life(Cluster(**GOOD), "hot_spare")
    with pytest.raises(UsageError, match="uses none"):
        simulate_life(Cluster(**GOOD, spares=1), "shrink")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"interval": 0.0}, "checkpoint interval: found 0.0"),
        ({"interval": math.nan}, "checkpoint interval"),
        ({"write": -1.0}, "write a checkpoint"),
        ({"restart": math.inf}, "restart"),
        ({"swap": -1.0}, "swap"),
        ({"least": 0}, "least group"),
    ],
)
def test_jobs_that_cannot_be(given, message):
    with pytest.raises(UsageError, match=message):
        Job(**given)
