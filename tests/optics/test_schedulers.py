"""Each scheduler against a slow twin of it."""

import math

import numpy as np
import pytest

import naive_optics
from topo_sim.optics.scheduling import Problem, schedule_demand
from topo_sim.optics.scheduling.bvn import bvn
from topo_sim.optics.scheduling.eclipse import Choices
from topo_sim.optics.scheduling.slicing import slices, stuff
from topo_sim.optics.scheduling.tms import scale_to_one


def draw(n, seed, density=1.0, high=20):
    rng = np.random.default_rng(seed)
    matrix = rng.integers(0, high, (n, n)) * (rng.random((n, n)) < density)
    np.fill_diagonal(matrix, 0)
    return matrix.astype(np.int64)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("density", [0.0, 0.3, 1.0])
def test_stuffing_evens_all_lines_and_takes_nothing_away(n, density):
    for seed in range(5):
        matrix = draw(n, seed, density)
        padded = stuff(matrix)
        level = max(matrix.sum(axis=0).max(), matrix.sum(axis=1).max())
        assert np.all(padded >= matrix)
        assert set(padded.sum(axis=0)) | set(padded.sum(axis=1)) == {level}
        new = (padded > 0) & (matrix == 0)
        assert new.sum() <= 2 * n - 1  # each fills up a line


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_decomposition_sums_up_and_is_short(n):
    for seed in range(8):
        padded = stuff(draw(n, seed, 0.7))
        total, length, count, before = np.zeros_like(padded), 0, 0, None
        for targets, amounts in slices(padded, whole=True):
            for target, amount in zip(targets, amounts, strict=True):
                assert sorted(target) == list(range(n))
                total[np.arange(n), target] += amount
                length += amount
                count += 1
                empty = int((total == padded).sum())
                assert before is None or empty > before  # each term empties an entry
                before = empty
        assert np.array_equal(total, padded)
        plain = naive_optics.decompose(padded)
        assert length == sum(amount for _, amount in plain) == padded[0].sum()
        assert max(count, len(plain)) <= n * n - 2 * n + 2


@pytest.mark.parametrize("n", [3, 8, 17])
def test_term_count_of_numbers_without_pattern(n):
    rng = np.random.default_rng(n)
    for density in (0.2, 0.6, 1.0):
        demand = rng.random((n, n)) * (rng.random((n, n)) < density)
        assert len(bvn(Problem(demand, 1.0)).units) <= n * n - 2 * n + 2


@pytest.mark.parametrize("n", [2, 3, 5])
def test_solstice_slices_are_the_thickest_powers_of_two(n):
    for seed in range(6):
        left = stuff(draw(n, seed, 0.8, high=60))
        for targets, amounts in slices(left.copy(), whole=False):
            for target, amount in zip(targets, amounts, strict=True):
                assert amount == naive_optics.thickest(left.tolist())
                left[np.arange(n), target] -= amount
                assert left.min() >= 0
        assert not left.any()


def test_solstice_without_packets_is_short_for_any_precision():
    """Rounding to a quantum keeps the number of slices from growing with the digits of the demand."""
    demand = np.random.default_rng(0).random((24, 24)) * 1e6
    fine = schedule_demand(Problem(demand, 1e9, 0.0), "solstice")
    coarse = schedule_demand(Problem(demand, 1e9, 1e-4), "solstice")
    assert 3 * coarse.configurations < fine.configurations
    one = schedule_demand(Problem(demand, 1e9, 1e-4), "solstice", quantum=1e9)
    assert one.configurations == 23
    assert one.makespan >= one.bound


@pytest.mark.parametrize("pause", [0.5, 7.0, 300.0])
@pytest.mark.parametrize("gap", [0.02, 0.2])
def test_eclipse_chooses_the_best_pair_every_time(pause, gap):
    for seed in range(4):
        left = draw(4, seed, 0.8, high=1000)
        choices = Choices(left, pause, gap)
        while left.any():
            best = naive_optics.best_choice(left.tolist(), pause)
            target, length = choices.best()
            sent = np.minimum(left[np.arange(4), target], length)
            assert sorted(target) == [0, 1, 2, 3]
            assert best * (1 + 1e-12) >= sent.sum() / (length + pause) >= best / (1 + gap / 2) ** 2
            left[np.arange(4), target] -= sent


def test_eclipse_stops_circuits_at_the_horizon():
    demand = np.random.default_rng(1).random((8, 8)) * 1e6
    hybrid = Problem(demand, 1e9, 1e-4, packet_rate=1e8)
    free, short = (schedule_demand(hybrid, "eclipse", horizon=h) for h in (None, 1e-3))
    assert short.run.end <= 1e-3 * (1 + 1e-9) < free.run.end
    assert short.packet_share > free.packet_share
    alone = schedule_demand(Problem(demand, 1e9, 1e-4), "eclipse", horizon=1e-3)
    assert alone.run.end > 1e-3
    assert alone.verify().unserved <= 1e-9


def test_sinkhorn_shares():
    shares = scale_to_one(np.random.default_rng(2).random((7, 7)) + 0.01)
    assert shares.sum(axis=0) == pytest.approx(1.0, abs=0.02)
    assert shares.sum(axis=1).max() <= 1 + 1e-12


def test_tms_keeps_the_largest_terms():
    demand = draw(6, 0) + 1.0
    problem = Problem(demand, 1.0, 0.1, packet_rate=0.4)
    few = schedule_demand(problem, "tms", keep=2, rounds=1)
    many = schedule_demand(problem, "tms")
    assert few.verify().unserved <= 1e-9
    assert few.makespan >= many.bound


def test_max_weight_starves_small_pairs_under_skew():
    demand = np.array([[0, 100, 1], [1, 0, 100], [100, 1, 0]], dtype=float)
    done = schedule_demand(Problem(demand, 1.0, 0.5), "max_weight", epoch=10.0)
    targets = done.run.times.targets.tolist()
    assert targets[0] == [1, 2, 0]
    assert targets[-1] == [2, 0, 1]
    assert done.makespan == pytest.approx(102)  # repeated epochs are one configuration: 100 + 1 + 2 changes


@pytest.mark.parametrize("n", [3, 4, 7])
@pytest.mark.parametrize("delta", [0.0, 0.25])
def test_relays_against_the_twin(n, delta):
    for seed in range(4):
        demand = draw(n, seed, 0.5) * 1.0
        live = demand.sum(axis=1).max() / (2 * n) + 0.1
        done = schedule_demand(Problem(demand, 1.0, delta), "rotor_vlb", slot=live + delta)
        slots = math.ceil(done.run.end / (live + delta))
        left, crossed, last = naive_optics.relayed(demand.tolist(), 1.0, delta, live, slots)
        assert left == pytest.approx(0.0, abs=1e-9)
        assert crossed == pytest.approx(done.run.relays.crossing.sum())
        assert last == pytest.approx(done.run.end)
        before = naive_optics.relayed(demand.tolist(), 1.0, delta, live, slots - 1)[0]
        assert before > 0


def test_rotor_duty_and_rate_of_a_pair():
    """Direct rate of a pair: C (1 - delta / slot) / (N - 1)."""
    n, slot, delta, rounds = 9, 10e-6, 1e-6, 40
    each = 1e9 * (slot - delta) * rounds
    done = schedule_demand(Problem(np.full((n, n), each), 1e9, delta), "rotor", slot=slot)
    assert done.makespan == pytest.approx(rounds * (n - 1) * slot)
    assert each / done.makespan == pytest.approx(1e9 * 0.9 / 8)
    assert done.dark_share == pytest.approx(0.1)
    assert done.duty == pytest.approx(0.9)


def test_relays_take_two_hops_and_half_the_rate_at_worst():
    """One permutation: direct needs a circuit in N - 1, relays about two times the bytes."""
    n = 32
    demand = np.roll(np.eye(n), 5, axis=1) * 1e9
    direct, relayed = (schedule_demand(Problem(demand, 1e9, 0.0), name) for name in ("rotor", "rotor_vlb"))
    assert direct.makespan > 20
    assert 1.8 < relayed.hops < 2
    assert 1.8 < relayed.makespan < 2.3


def test_opera_always_has_light():
    demand = np.random.default_rng(3).random((12, 12)) * 1e6
    staggered, together = (
        schedule_demand(Problem(demand, 1e9, 20e-6, planes=4), name) for name in ("opera", "rotor_vlb")
    )
    dark = [(done.circuit_schedule().targets < 0).all(axis=(1, 2)) for done in (staggered, together)]
    assert dark[0].sum() <= 1  # the first configuration
    assert dark[1].sum() > 4
    same = schedule_demand(Problem(demand, 1e9, 20e-6, planes=4, stop="all"), "opera")
    assert same.makespan == together.makespan


def test_rotors_with_a_matching_each_never_turn():
    demand = draw(5, 0) * 1.0
    done = schedule_demand(Problem(demand, 1.0, 0.5, planes=4), "rotor")
    assert done.makespan == pytest.approx(demand.max() + 0.5)
    assert done.configurations == 1
