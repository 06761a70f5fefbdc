"""One endpoint's transfers in place of all, on fabrics that are alike from every endpoint."""

import dataclasses

import numpy as np
import pytest

from topo_sim.collectives import build_schedule
from topo_sim.collectives.router import Router
from topo_sim.collectives.shifted import Shifted
from topo_sim.collectives.solving import network_of, solve_steps
from topo_sim.collectives.step import Step
from topo_sim.topo import circuit_banks, circuit_switched, cube_torus, fat_tree, mesh, torus, twisted_torus

ALIKE = [
    circuit_banks(24, (1, 5), radix=20),
    circuit_switched(20, 4),
    twisted_torus((3, 3, 6)),
    torus((4, 5)),
]


@pytest.mark.parametrize("fabric", ALIKE, ids=lambda fabric: fabric.family)
@pytest.mark.parametrize(
    ("collective", "algorithm"),
    [("all_to_all", "direct"), ("all_to_all", "pairwise"), ("all_reduce", "ring")],
)
def test_times_and_loads_are_the_same(fabric, collective, algorithm, monkeypatch):
    schedule = build_schedule(collective, algorithm, fabric.ranks, 1.0)
    found = []
    for least in (0, 10**9):
        monkeypatch.setattr(Shifted, "least", least)
        network = network_of(Router(fabric, "ecmp_split"), schedule)
        assert isinstance(network.whole, Shifted)
        found.append(solve_steps(schedule, network, 1e-7))
    (one, load), (all_of_them, expected) = found
    assert load == pytest.approx(expected, rel=1e-12)
    for mine, theirs in zip(one, all_of_them, strict=True):
        assert mine[0] == pytest.approx(theirs[0], rel=1e-12)
        assert mine[1] == pytest.approx(theirs[1], rel=1e-9)


def test_which_fabrics_fit():
    assert all(Shifted.fits(fabric, "ecmp_split") for fabric in ALIKE)
    for fabric in (mesh((4, 4)), fat_tree(4), cube_torus((4, 4), between_latency="5 us")):
        assert not Shifted.fits(fabric, "ecmp_split")
    one = ALIKE[0]
    assert not Shifted.fits(one, "ecmp")
    latency = one.latency.copy()
    latency[7] *= 2
    assert not Shifted.fits(dataclasses.replace(one, latency=latency), "ecmp_split")
    # Two planes of one stride: parallel links, which one class cannot stand for.
    assert not Shifted.fits(circuit_switched(8, 4, strides=[1, 1]), "ecmp_split")


@pytest.mark.parametrize("change", ["target", "fraction", "drop", "twice"])
def test_one_odd_transfer_is_noticed(change):
    fabric = ALIKE[0]
    (step,) = build_schedule("all_to_all", "direct", 24, 1.0).steps
    whole = Shifted(fabric)
    assert step.source[whole.representatives(step)].tolist() == [0] * 23
    if change == "target":
        target = step.target.copy()
        target[7] = (target[7] + 1) % 24 if (target[7] + 1) % 24 != step.source[7] else (target[7] + 2) % 24
        odd = dataclasses.replace(step, target=target)
    elif change == "fraction":
        odd = dataclasses.replace(step, fraction=np.linspace(0.1, 0.2, len(step)))
    elif change == "drop":
        odd = Step(step.source[1:], step.target[1:], 0.1, False, step.chunks)
    else:
        source, target = step.source.copy(), step.target.copy()
        same = np.flatnonzero(source == 3)[:2]
        target[same[0]] = target[same[1]]
        odd = dataclasses.replace(step, target=target)
    assert whole.representatives(odd) is None
