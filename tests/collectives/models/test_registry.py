"""Every cost model keeps the one contract."""

import numpy as np
import pytest

from topo_sim.base import UsageError
from topo_sim.collectives import build_schedule, cost
from topo_sim.collectives.models import COST_MODELS
from topo_sim.topo import single_switch

FABRIC = single_switch(8, bandwidth=1e9, latency=1e-6)
RING = build_schedule("all_reduce", "ring", 8, 0)


def test_step_is_the_cost():
    sizes = [0, 1, 1e6, 1e9]
    times = COST_MODELS["step"].times(RING, FABRIC, sizes)
    assert times.tolist() == [cost(build_schedule("all_reduce", "ring", 8, n), FABRIC).time for n in sizes]


@pytest.mark.parametrize("size", [-1.0, np.nan, np.inf])
def test_bad_sizes_are_refused(size):
    with pytest.raises(UsageError, match="sizes: found"):
        COST_MODELS["step"].times(RING, FABRIC, [1.0, size])


def test_unknown_settings_are_refused():
    with pytest.raises(UsageError, match='did you mean "overhead"'):
        COST_MODELS["step"].times(RING, FABRIC, 1.0, overheads=1.0)
