"""The numbering that generators promise, against the arrays that they make."""

import numpy as np
import pytest

from topo_sim.topo import fat_tree, leaf_spine, mesh, single_switch, torus
from topo_sim.topo.structure import Clos, Grid

CLOS = [
    fat_tree(2),
    fat_tree(4),
    fat_tree(6, oversubscription=3),
    fat_tree(8, levels=4, oversubscription=[1, 2, 4]),
    fat_tree(4, levels=1),
    fat_tree(down=(3, 2, 2), up=(2, 1, 3)),
    leaf_spine(3, 4, 2, trunk=3),
    single_switch(5, planes=2),
    single_switch(1),
]
GRIDS = [
    *(torus(dims) for dims in (1, 2, 3, 7, (2, 2), (4, 3), (1, 4), (3, 1, 5), (2, 3, 4), (2, 2, 2, 3))),
    *(mesh(dims) for dims in (1, 2, 5, (3, 4), (1, 4), (2, 3, 4))),
]


@pytest.mark.parametrize("fabric", CLOS, ids=repr)
class TestClos:
    def test_cables_are_the_links(self, fabric):
        clos = fabric.structure
        for level, (base, count) in enumerate(zip(clos.cable_base, clos.cables, strict=True)):
            lower, upper = clos.cable_ends(level)
            assert len(lower) == len(upper) == count
            cable = base + np.arange(count)
            assert np.array_equal(fabric.link_source[2 * cable], lower)
            assert np.array_equal(fabric.link_target[2 * cable], upper)
            assert np.array_equal(fabric.link_source[2 * cable + 1], upper)
            assert np.array_equal(fabric.link_target[2 * cable + 1], lower)
        assert sum(clos.cables) == fabric.cables == fabric.links // 2

    def test_every_node_has_its_parents_and_children(self, fabric):
        clos = fabric.structure
        for level, (up, trunk, down) in enumerate(zip(clos.up, clos.trunk, clos.down, strict=True)):
            lower, upper = clos.cable_ends(level)
            pairs, times = np.unique(np.stack([lower, upper]), axis=1, return_counts=True)
            assert set(times.tolist()) == {trunk}
            _, parents = np.unique(pairs[0], return_counts=True)
            children_of, children = np.unique(pairs[1], return_counts=True)
            assert set(parents.tolist()) == {up}
            assert set(children.tolist()) == {down}
            first = clos.level_base[level + 1]
            assert children_of.tolist() == list(range(first, first + clos.level_sizes[level + 1]))

    def test_sizes(self, fabric):
        clos = fabric.structure
        assert clos.endpoints == fabric.ranks == clos.level_sizes[0]
        assert sum(clos.level_sizes) == len(fabric.kind)
        assert clos.level_base[-1] + clos.level_sizes[-1] == len(fabric.kind)


@pytest.mark.parametrize("fabric", GRIDS, ids=repr)
class TestGrid:
    def test_cables_are_the_links(self, fabric):
        grid = fabric.structure
        assert sum(grid.cables) == fabric.cables
        for axis, (base, count) in enumerate(zip(grid.cable_base, grid.cables, strict=True)):
            lower, upper = grid.cable_ends(axis)
            assert len(lower) == count
            cable = base + np.arange(count)
            assert np.array_equal(fabric.link_source[2 * cable], lower)
            assert np.array_equal(fabric.link_target[2 * cable + 1], lower)
            assert np.array_equal(fabric.link_target[2 * cable], upper)
            assert np.array_equal(fabric.link_source[2 * cable + 1], upper)

    def test_neighbours_differ_by_one_step_along_one_axis(self, fabric):
        grid = fabric.structure
        found = set()
        for axis in range(len(grid.dims)):
            for pair in zip(*(ends.tolist() for ends in grid.cable_ends(axis)), strict=True):
                assert frozenset(pair) not in found
                found.add(frozenset(pair))
                low, high = (np.unravel_index(n, grid.dims[::-1])[::-1] for n in pair)
                wrapped = (low[axis] + 1) % grid.dims[axis] if grid.rings[axis] else low[axis] + 1
                assert high[axis] == wrapped
                assert [d for d in range(len(low)) if low[d] != high[d]] == [axis]

    def test_ports_of_the_best_joined_node(self, fabric):
        degree = np.bincount(fabric.link_source, minlength=fabric.ranks)
        assert degree.max() == fabric.structure.ports


def test_an_axis_of_two_has_one_cable_wrapped_or_not():
    assert Grid((2,), (True,)).cables == Grid((2,), (False,)).cables == (1,)
    assert Grid((3,), (True,)).cables == (3,)
    assert Grid((1,), (True,)).cables == (0,)


def test_an_extended_generalised_fat_tree_by_hand():
    clos = Clos(down=(4, 3, 2), up=(1, 2, 5), trunk=(1, 1, 1))
    # Level i has prod(m_j, j > i) * prod(w_j, j <= i) nodes.
    assert clos.level_sizes == (24, 6, 4, 10)
    assert clos.cables == (24, 12, 20)
