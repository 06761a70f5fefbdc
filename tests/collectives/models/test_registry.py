"""Every cost model keeps the one contract."""

import re
from dataclasses import replace

import numpy as np
import pytest

from topo_sim.base import CollectiveError, UsageError
from topo_sim.collectives import build_schedule, concurrent, cost, on_groups
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


FOUR = build_schedule("all_reduce", "ring", 4, 0)
GROUPED = {
    "two groups": on_groups(FOUR, [range(4), range(4, 8)]),
    "rails": on_groups(FOUR, [range(0, 8, 2), range(1, 8, 2)]),
    "one of two": on_groups(FOUR, [range(4)], ranks=8),
    "two kinds": concurrent([FOUR, build_schedule("all_gather", "ring", 4, 0)], [range(4), range(4, 8)]),
}


@pytest.mark.parametrize("model", COST_MODELS)
@pytest.mark.parametrize("what", GROUPED)
def test_groups_are_timed_right_or_refused(model, what):
    sizes = [8.0, 1e6, 1e9]
    if model not in ("step", "fluid", "loggp"):
        with pytest.raises(
            CollectiveError, match=f"^cost model {model}: found . groups? at once, expected one"
        ):
            COST_MODELS[model].times(GROUPED[what], FABRIC, sizes)
        return
    together = COST_MODELS[model].times(GROUPED[what], FABRIC, sizes)
    # Groups on one ideal switch share nothing, and the all-reduce lasts longer than the all-gather.
    alone = COST_MODELS[model].times(FOUR, single_switch(4, bandwidth=1e9, latency=1e-6), sizes)
    assert together.tolist() == pytest.approx(alone.tolist(), rel=1e-9)


@pytest.mark.parametrize(
    ("model", "setting", "value", "said"),
    [
        ("alpha-beta", "beta", 0, "beta: found 0, expected seconds per byte of more than 0"),
        ("loggp", "G", 0, "G: found 0, expected seconds per byte of more than 0"),
        ("loggp", "G", "0", "G: found '0', expected seconds per byte of more than 0"),
        ("nccl", "per_node", 3, "ranks per node: found 3, expected a divisor of the 8 ranks"),
        ("calibrated", "per_node", 5, "ranks per node: found 5, expected a divisor of the 8 ranks"),
        ("calibrated", "per_node", "x", "ranks per node: found x, switch has 8 endpoints"),
    ],
)
def test_settings_that_mean_nothing_are_refused(model, setting, value, said):
    fabric = single_switch(8, bandwidth=1e9, latency=1e-6)
    with pytest.raises((UsageError, CollectiveError), match=re.escape(said)):
        COST_MODELS[model].times(RING, replace(fabric, name="switch"), [1e6], **{setting: value})
