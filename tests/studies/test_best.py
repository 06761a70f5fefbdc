"""What the search for the fastest algorithm may leave out."""

import numpy as np
import pytest

from topo_sim.collectives import ALGORITHMS, COLLECTIVES
from topo_sim.studies.best import _fastest_port, profiles
from topo_sim.topo import load_fabric


@pytest.mark.parametrize("reference", ["dgx-h100", "tpu-v4-4x4x4", "p5-16", "lite-grouped"])
def test_terms_are_those_of_the_schedule(reference):
    """What is left out unbuilt is left out by these: they must hold on every fabric."""
    fabric = load_fabric(reference)
    port = _fastest_port(fabric)
    for collective in COLLECTIVES:
        for profile in profiles(fabric, collective):
            schedule = profile.schedule
            entry = ALGORITHMS[collective][schedule.algorithm]
            steps, load = entry.terms(schedule.ranks, schedule.options)
            assert steps == schedule.step_count
            assert entry.switches or profile.time(1e12) >= load * 1e12 / port * (1 - 1e-12)


def test_what_is_left_out_was_not_the_fastest():
    fabric, sizes = load_fabric("tpu-v4-4x4x4"), 2.0 ** np.arange(0, 33, 4)
    for collective in COLLECTIVES:
        every, few = profiles(fabric, collective), profiles(fabric, collective, sizes=sizes)
        assert len(few) <= len(every)
        for size in sizes:
            assert min(p.time(size) for p in few) == min(p.time(size) for p in every)
