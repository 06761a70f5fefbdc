"""The kernels for whole flows of equal weight, against the general ones and their certificate."""

import numpy as np
import pytest

from topo_sim.base import FlowError
from topo_sim.topo.flow import Paths, check_max_min, max_min_rates


def random_paths(rng, flows, links, longest):
    return Paths.from_lists([rng.integers(0, links, rng.integers(1, longest + 1)) for _ in range(flows)])


# Few flows per link are settled in rounds, many link by link; both shapes of row are met.
@pytest.mark.parametrize(("flows", "links"), [(40, 200), (300, 300), (3000, 60), (5000, 400)])
@pytest.mark.parametrize("longest", [1, 3, 12])
def test_rates_equal_those_of_the_general_kernel(flows, links, longest):
    rng = np.random.default_rng(flows + links + longest)
    paths, capacity = random_paths(rng, flows, links, longest), rng.uniform(1, 9, links)
    capacity[rng.integers(0, links, 3)] = np.inf
    rates = max_min_rates(paths, capacity)
    check_max_min(paths, capacity, rates)
    np.testing.assert_allclose(rates, max_min_rates(paths, capacity, np.ones(flows)), rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_rates_scale_with_capacity(scale):
    rng = np.random.default_rng(5)
    paths, capacity = random_paths(rng, 2000, 80, 6), rng.uniform(1, 2, 80)
    expected = max_min_rates(paths, capacity) * scale
    np.testing.assert_allclose(max_min_rates(paths, capacity * scale), expected, rtol=1e-11)


def test_levels_of_very_different_size():
    """One link that all flows cross beside links that hardly any does: buckets must not mix them up."""
    rng = np.random.default_rng(8)
    lists = [[0, 1 + int(link)] for link in rng.integers(0, 50, 4000)] + [[1 + i] for i in range(50)]
    capacity = np.concatenate([[1e-3], rng.uniform(1e3, 1e6, 50)])
    paths = Paths.from_lists(lists)
    check_max_min(paths, capacity, max_min_rates(paths, capacity))


class TestCaps:
    def test_against_the_twin(self):
        rng = np.random.default_rng(4)
        paths, capacity = random_paths(rng, 30, 12, 4), rng.uniform(1, 9, 12)
        caps = np.where(rng.random(30) < 0.5, rng.uniform(0.05, 2, 30), np.inf)
        lists = [[*paths[f].tolist(), 12 + f] for f in range(30)]
        wide = np.concatenate([capacity, np.where(np.isfinite(caps), caps, 1e9)])
        np.testing.assert_allclose(
            max_min_rates(paths, capacity, caps=caps),
            max_min_rates(Paths.from_lists(lists), wide),
            rtol=1e-12,
        )

    def test_with_shares_and_weights(self):
        paths = Paths([0, 2, 3], [0, 1, 1], [0.5, 0.5, 1.0])
        assert max_min_rates(paths, [1.0, 1.0], [3.0, 1.0], [0.5, np.inf]).tolist() == [0.5, 0.75]

    def test_one_cap_for_all(self):
        assert max_min_rates(Paths.from_lists([[], [0]]), [8.0], caps=2.0).tolist() == [2.0, 2.0]

    @pytest.mark.parametrize("caps", [0.0, -1.0, np.nan, [1.0], ["x", "y"], [1.0, 0.0]])
    def test_refuses(self, caps):
        with pytest.raises(FlowError, match="caps"):
            max_min_rates(Paths.from_lists([[0], [0]]), [1.0], caps=caps)
