"""Interruptions by shared parts: pairs of a part and a group that it stops counted, and lives simulated."""

import pytest

from topo_sim.gpus.reliability import YEAR, Cluster, SharedPart, simulate_life


def counted(count, group, reach):
    """Parts that a group needs, on average: the pairs of a host and a group with a device in common."""
    return len({(device // reach, device // group) for device in range(count)}) / (count // group)


@pytest.mark.parametrize("count", [1, 12, 36, 96])
def test_parts_of_a_group_are_those_that_overlap_it(count):
    for group in (g for g in range(1, count + 1) if count % g == 0):
        for reach in range(1, count + 20):
            host = SharedPart("host", reach, 1e-6, 360.0)
            cluster = Cluster(count, 0.0, 3600.0, group, parts=(host,))
            assert cluster.parts_of_group(host) == pytest.approx(counted(count, group, reach), rel=1e-14)


@pytest.mark.parametrize(
    ("group", "reach", "a_year"), [(12, 8, 40.0), (8, 12, 80 / 3), (12, 7, 50.0), (12, 6, 40.0)]
)
def test_lives_are_interrupted_as_often_as_the_closed_form_says(group, reach, a_year):
    host = SharedPart("host", reach, 20 / YEAR, 360.0)
    cluster = Cluster(96, 1e-13, 3600.0, group, parts=(host,))
    assert YEAR / cluster.between_interruptions == pytest.approx(a_year, rel=1e-5)
    found = simulate_life(cluster, "none", years=20, replicas=20).interruptions_per_group_year
    assert found.mean == pytest.approx(a_year, rel=0.02)
