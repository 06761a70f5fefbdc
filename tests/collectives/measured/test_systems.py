"""The shipped logs are whole, and every system has its fabric."""

import numpy as np
import pytest

from topo_sim.base import UnknownNameError
from topo_sim.collectives.measured import SYSTEMS, shipped_log
from topo_sim.collectives.measured.systems import _everything
from topo_sim.topo.files import list_shipped, load_fabric


def test_every_shipped_row_is_sound_and_belongs_to_a_system():
    log = _everything()
    assert log.faults == ()
    assert len(log.rows) == 390
    assert sum(len(shipped_log(name).rows) for name in SYSTEMS) == 390


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_has_its_fabric(name):
    assert name in list_shipped()
    assert load_fabric(name).ranks == SYSTEMS[name].ranks


@pytest.mark.parametrize("name", SYSTEMS)
def test_outliers_are_rows_off_by_a_quarter_from_both_neighbours(name):
    for collective, sizes in SYSTEMS[name].outliers.items():
        rows = sorted((r.size, r.time) for r in shipped_log(name).rows if r.collective == collective)
        known = np.array([n for n, _ in rows])
        for size in sizes:
            (i,) = np.flatnonzero(known == size)
            before, here, after = (rows[j][1] for j in (i - 1, i, i + 1))
            assert here > 1.25 * max(before, after)


def test_an_unknown_system():
    with pytest.raises(UnknownNameError, match='did you mean "p5-16"'):
        shipped_log("p5-17")
