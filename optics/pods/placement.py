"""Slices placed in a pod: which cubes each takes, and what moves when a cube fails."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.optics.pods.pod import Pod
from topo_sim.optics.pods.slices import Slice
from topo_sim.optics.pods.wiring import configure

__all__ = ["Placed", "Placement", "Swap", "place", "swap_cube"]


@dataclass(frozen=True)
class Placed:
    """A slice and its cubes.

    Parameters
    ----------
    slice : Slice
    cubes : tuple of int
        One for each position in the slice, first axis fastest.
    """

    slice: Slice
    cubes: tuple[int, ...]


@dataclass(frozen=True)
class Placement:
    """Slices in a pod, with what has failed.

    Parameters
    ----------
    pod : Pod
    placed : tuple of Placed
    refused : tuple of Slice
        For which too few cubes were free.
    failed_cubes, failed_switches : tuple of int
    """

    pod: Pod
    placed: tuple[Placed, ...]
    refused: tuple[Slice, ...] = ()
    failed_cubes: tuple[int, ...] = ()
    failed_switches: tuple[int, ...] = ()

    @cached_property
    def free(self) -> tuple[int, ...]:
        """Cubes that work and are in no slice, in order."""
        taken = {cube for one in self.placed for cube in one.cubes} | set(self.failed_cubes)
        return tuple(cube for cube in range(self.pod.cubes) if cube not in taken)

    @cached_property
    def configuration(self) -> NDArray[np.int64]:
        """Circuits of all slices, shape (switches, cubes), as `configure` sets them."""
        return configure(self.pod, self.placed, self.failed_switches)


@dataclass(frozen=True)
class Swap:
    """What was done about a failed cube.

    Parameters
    ----------
    cube : int
        That failed.
    slice : Slice or None
        That it was in.
    by : int or None
        The cube that took its place, or None if none was needed or none is free.
    circuits : int
        Circuits that were newly set, over all switches.
    """

    cube: int
    slice: Slice | None
    by: int | None
    circuits: int


def place(
    pod: Pod,
    slices: Sequence[Slice],
    failed_cubes: Sequence[int] = (),
    failed_switches: Sequence[int | str] = (),
) -> Placement:
    """Give each slice the first cubes that are free, in the order asked for.

    Parameters
    ----------
    pod : Pod
    slices : sequence of Slice
    failed_cubes : sequence of int
        That no slice may use.
    failed_switches : sequence of int or str
        That hold no circuit; by number or name.

    Returns
    -------
    Placement

    Raises
    ------
    UsageError
        If a cube or switch does not exist, or a slice is of cubes of another side.

    Notes
    -----
    Any cubes will do, wherever they stand: a slice fits if enough of them are free.

    Examples
    --------
    >>> from topo_sim.optics.pods import Pod, read_slice
    >>> pod = Pod(cubes=6)
    >>> found = place(pod, [read_slice("4x4x8", pod), read_slice("4x8x8", pod)], failed_cubes=[1])
    >>> [one.cubes for one in found.placed], [one.name for one in found.refused], found.free
    ([(0, 2)], ['4x8x8'], (3, 4, 5))
    """
    broken = tuple(sorted({pod.check_cube(cube) for cube in failed_cubes}))
    switches = tuple(sorted({pod.read_switch(switch) for switch in failed_switches}))
    free = [cube for cube in range(pod.cubes) if cube not in broken]
    placed, refused = [], []
    for one in slices:
        if one.side != pod.side:
            raise UsageError(f"{one.name}: found cubes of side {one.side}, expected {pod.side} as in the pod")
        if one.cubes > len(free):
            refused.append(one)
            continue
        placed.append(Placed(one, tuple(free[: one.cubes])))
        free = free[one.cubes :]
    return Placement(pod, tuple(placed), tuple(refused), broken, switches)


def swap_cube(placement: Placement, cube: int) -> tuple[Placement, Swap]:
    """Let a cube fail, and put the first free one in its place.

    Parameters
    ----------
    placement : Placement
    cube : int

    Returns
    -------
    placement : Placement
        With the cube failed. Where none is free the slice is given up, its other cubes are free, and it is
        among the refused.
    swap : Swap

    Raises
    ------
    UsageError
        If there is no such cube.

    Examples
    --------
    >>> from topo_sim.optics.pods import Pod, read_slice
    >>> pod = Pod(cubes=3)
    >>> after, swap = swap_cube(place(pod, [read_slice("4x4x8", pod)]), 0)
    >>> after.placed[0].cubes, swap.by, swap.circuits
    ((2, 1), 2, 64)
    """
    broken = placement.pod.check_cube(cube)
    failed = tuple(sorted({*placement.failed_cubes, broken}))
    index = next((i for i, one in enumerate(placement.placed) if broken in one.cubes), None)
    if index is None:
        return replace(placement, failed_cubes=failed), Swap(broken, None, None, 0)
    hit, kept = placement.placed[index], list(placement.placed)
    if not placement.free:
        kept.pop(index)
        refused = (*placement.refused, hit.slice)
        after = replace(placement, placed=tuple(kept), refused=refused, failed_cubes=failed)
        return after, Swap(broken, hit.slice, None, 0)
    by = placement.free[0]
    kept[index] = Placed(hit.slice, tuple(by if c == broken else c for c in hit.cubes))
    after = replace(placement, placed=tuple(kept), failed_cubes=failed)
    new, old = after.configuration, placement.configuration
    return after, Swap(broken, hit.slice, by, int(np.count_nonzero((new != old) & (new >= 0))))
