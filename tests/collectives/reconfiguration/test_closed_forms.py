"""Tables and closed forms of the references, by formula and by planning the house's own schedules."""

import numpy as np
import pytest

from topo_sim.base import CollectiveError
from topo_sim.collectives import build_schedule
from topo_sim.collectives.reconfiguration import Circuits, bruck, circuit_profile, rotation
from topo_sim.collectives.reconfiguration import closed_forms as forms

DELTAS = (0.0, 1e-6, 3.7e-6, 20e-6, 1e-3)
ALL_REDUCE = {  # ring, then halving and doubling at each of DELTAS, us
    1e6: (145.69, 31.69, 42.69, 72.39, 251.69, 11031.69),
    1e8: (2094.75, 1980.75, 1991.75, 2021.45, 2200.75, 12980.75),
}
ROTATION = (1047.38, 1110.38, 1280.47, 2307.38, 64047.38)
ROTATION_4 = (1016.00, 1032.00, 1075.20, 1336.00, 17016.00)
BRUCK = (3006.00, 3012.00, 3028.20, 3126.00, 9006.00)


def us(seconds):
    """A time as the tables print it, in us; 1280.475 and its like may be rounded either way."""
    return pytest.approx(seconds * 1e6, rel=0, abs=0.005 + 1e-9)


@pytest.mark.parametrize("size", ALL_REDUCE)
def test_all_reduce_table(size):
    still, *changing = ALL_REDUCE[size]
    circuits = Circuits(ports=1, rate=100e9, alpha=1e-6)
    on_ring = circuit_profile(build_schedule("all_reduce", "ring", 64, size), circuits)
    halving = circuit_profile(build_schedule("all_reduce", "halving_doubling", 64, size), circuits)
    assert us(forms.ring_all_reduce(64, size, circuits)) == still
    assert us(on_ring.plan(policy="never").time) == still
    for delta, printed in zip(DELTAS, changing, strict=True):
        now = circuits.switching_in(delta)
        assert us(forms.halving_doubling_on_circuits(64, size, now)) == printed
        plan = halving.plan(policy="always", reconfiguration=delta)
        assert us(plan.time) == printed
        assert plan.reconfigurations == 11
        assert halving.plan(reconfiguration=delta).time <= plan.time


def test_halving_and_doubling_beats_the_static_ring_below_10_36_us_for_any_size():
    circuits = Circuits(alpha=1e-6)
    edge = forms.break_even_halving_doubling(64, circuits)
    assert us(edge) == 10.36
    on_ring = circuit_profile(build_schedule("all_reduce", "ring", 64, 0), circuits)
    halving = circuit_profile(build_schedule("all_reduce", "halving_doubling", 64, 0), circuits)
    for size in (0.0, 1.0, 1e3, 1e6, 1e8, 1e12):
        still = on_ring.plan(size, "never").time
        assert halving.plan(size, "always", edge * 0.999).time < still
        assert halving.plan(size, "always", edge * 1.001).time > still
        assert halving.plan(size, "always", edge).time == pytest.approx(still, rel=1e-12)


@pytest.mark.parametrize(
    ("schedule", "ports", "form", "printed"),
    [
        (rotation(64, 1e8), 1, forms.rotation_on_circuits, ROTATION),
        (rotation(64, 1e8, 4), 4, forms.rotation_on_circuits, ROTATION_4),
        (build_schedule("all_to_all", "pairwise", 64, 1e8), 1, forms.rotation_on_circuits, ROTATION),
        (build_schedule("all_to_all", "bruck", 64, 1e8), 1, forms.bruck_on_circuits, BRUCK),
        (bruck(64, 1e8), 1, forms.bruck_on_circuits, BRUCK),
    ],
    ids=["rotation", "rotation, 4 ports", "pairwise", "bruck of the house", "bruck"],
)
def test_all_to_all_table(schedule, ports, form, printed):
    circuits = Circuits(ports=ports, rate=100e9, alpha=1e-6)
    profile = circuit_profile(schedule, circuits, base=None)
    for delta, value in zip(DELTAS, printed, strict=True):
        assert us(form(64, 1e8, circuits.switching_in(delta))) == value
        plan = profile.plan(policy="always", reconfiguration=delta)
        assert us(plan.time) == value
        assert plan.reconfigurations == len(schedule.steps)
        assert profile.plan(reconfiguration=delta).time <= plan.time * (1 + 1e-12)


@pytest.mark.parametrize("ranks", [2, 3, 4, 5, 6, 7, 8, 63, 64, 100])
def test_all_to_all_on_a_static_bidirectional_ring(ranks):
    """Bytes alone, M N / (4 B) for even N: direct, by rotation, and by the formula."""
    circuits = Circuits(ports=2, rate=100e9, alpha=0.0)
    expected = 1e8 * ranks / (4 * 100e9) if ranks % 2 == 0 else 1e8 * (ranks**2 - 1) / (4 * ranks * 100e9)
    assert forms.static_ring_all_to_all(ranks, 1e8, circuits) == pytest.approx(expected, rel=1e-12)
    for schedule in (rotation(ranks, 1e8, 2), build_schedule("all_to_all", "direct", ranks, 1e8)):
        plan = circuit_profile(schedule, circuits, base="bidirectional_ring").plan(policy="never")
        assert plan.time == pytest.approx(expected, rel=1e-12)
    if ranks == 64:
        assert us(expected) == 16000.0


@pytest.mark.parametrize("ranks", [2, 4, 16, 128])
@pytest.mark.parametrize("seed", range(4))
def test_forms_agree_with_plans_at_any_constants(ranks, seed):
    rng = np.random.default_rng(seed)
    alpha, delta, hop, hidden = rng.uniform(0, 1e-5, 4) * (1, 1, 1, 1e5)
    ports = int(rng.integers(1, 7))
    circuits = Circuits(ports, float(rng.uniform(1e9, 1e12)), alpha, delta, hop, min(hidden, 0.9))
    size = float(10 ** rng.uniform(0, 9))
    pairs = (
        (build_schedule("all_reduce", "halving_doubling", ranks, size), forms.halving_doubling_on_circuits),
        (rotation(ranks, size, ports), forms.rotation_on_circuits),
        (bruck(ranks, size), forms.bruck_on_circuits),
    )
    for schedule, form in pairs:
        plan = circuit_profile(schedule, circuits, base=None).plan(policy="always")
        assert plan.time == pytest.approx(form(ranks, size, circuits), rel=1e-12)
    still = circuit_profile(build_schedule("all_reduce", "ring", ranks, size), circuits).plan(policy="never")
    assert still.time == pytest.approx(forms.ring_all_reduce(ranks, size, circuits), rel=1e-12)


def test_one_rank_has_nothing_to_do():
    circuits = Circuits()
    assert forms.ring_all_reduce(1, 1e6, circuits) == 0.0
    assert forms.halving_doubling_on_circuits(1, 1e6, circuits) == 0.0
    assert forms.rotation_on_circuits(1, 1e6, circuits) == 0.0
    assert forms.bruck_on_circuits(1, 1e6, circuits) == 0.0
    assert forms.static_ring_all_to_all(1, 1e6, circuits) == 0.0


@pytest.mark.parametrize("ranks", [0, -4, 6, 63])
def test_forms_for_powers_of_two_refuse_others(ranks):
    for form in (forms.halving_doubling_on_circuits, forms.bruck_on_circuits):
        with pytest.raises(CollectiveError, match=f"found {ranks} ranks, expected a power of two"):
            form(ranks, 1e6, Circuits())
    with pytest.raises(CollectiveError, match="expected a power of two"):
        forms.break_even_halving_doubling(ranks, Circuits())
    with pytest.raises(CollectiveError, match="expected two ranks or more"):
        forms.break_even_halving_doubling(1, Circuits())
