"""Slices: the tori and twisted tori that the wiring of a pod allows."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.optics.pods.pod import AXES, Pod, is_whole
from topo_sim.topo import Fabric, cube_torus
from topo_sim.topo.structure import Lattice

__all__ = ["Slice", "read_slice", "shapes"]

_NAME = re.compile(r"(\d{1,6})x(\d{1,6})x(\d{1,6})(_twisted)?\Z")


def can_twist(dims: tuple[int, ...]) -> bool:
    """Whether lengths are n, n, 2n or n, 2n, 2n in any order.

    Examples
    --------
    >>> can_twist((4, 8, 4)), can_twist((4, 8, 8)), can_twist((4, 8, 16))
    (True, True, False)
    """
    low, middle, high = sorted(dims)
    return high == 2 * low and middle in (low, high)


@dataclass(frozen=True)
class Slice:
    """A torus of whole cubes.

    Parameters
    ----------
    dims : tuple of three int
        Chips along each axis, multiples of the side of a cube.
    side : int
        Chips along each edge of a cube.
    twisted : bool
        Whether the wrap of every short axis shifts every long axis by its own length: for n x n x 2n and
        n x 2n x 2n.

    Raises
    ------
    UsageError
        If the lengths fit no cubes, or not a twist.

    Notes
    -----
    The shift is a whole number of cubes, so a link that leaves a face at one place arrives at the same
    place on another cube, and its two ends are at one switch: twisting changes circuits, no fibre.

    Examples
    --------
    >>> one = Slice((4, 4, 8), twisted=True)
    >>> one.name, one.chips, one.shape
    ('4x4x8_twisted', 128, (1, 1, 2))
    """

    dims: tuple[int, int, int]
    side: int = 4
    twisted: bool = False

    def __post_init__(self) -> None:
        whole = len(self.dims) == len(AXES) and all(is_whole(n, 1) for n in self.dims)
        if not whole or any(n % self.side for n in self.dims):
            raise UsageError(
                f"slice: found {'x'.join(map(str, self.dims))}, expected three multiples of {self.side}, "
                "the side of a cube"
            )
        if self.twisted and not can_twist(self.dims):
            raise UsageError(
                f"slice: found {self.name}, expected n x n x 2n or n x 2n x 2n for a twisted torus"
            )

    @property
    def name(self) -> str:
        """As users of TPUs write it, for example 4x4x8_twisted."""
        return "x".join(map(str, self.dims)) + ("_twisted" if self.twisted else "")

    @property
    def chips(self) -> int:
        """Number of chips."""
        return prod(self.dims)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Cubes along each axis."""
        x, y, z = (n // self.side for n in self.dims)
        return x, y, z

    @property
    def cubes(self) -> int:
        """Number of cubes."""
        return prod(self.shape)

    @cached_property
    def lattice(self) -> Lattice:
        """Which cube is next to which, by position in the slice, first axis fastest."""
        short = min(self.shape)
        rows = [
            tuple(short if self.twisted and m > n == short else 0 for m in self.shape) for n in self.shape
        ]
        return Lattice(self.shape, tuple(rows))

    def chip_places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where each rank of the fabric sits.

        Returns
        -------
        position : ndarray of int64, shape (chips,)
            Of its cube in the slice.
        inside : ndarray of int64, shape (chips,)
            x + side * (y + side * z) in its cube.
        """
        rank = np.arange(self.chips)
        at = [rank // prod(self.dims[:d]) % n for d, n in enumerate(self.dims)]
        position = sum(x // self.side * prod(self.shape[:d]) for d, x in enumerate(at))
        inside = sum(x % self.side * self.side**d for d, x in enumerate(at))
        return np.asarray(position), np.asarray(inside)

    def fabric(self, rate: float = 50e9, latency: float = 1e-6) -> Fabric:
        """Make the fabric that the slice's chips see.

        Parameters
        ----------
        rate : float, B/s
            Of one link, per direction.
        latency : float, s
            Of one link.

        Returns
        -------
        Fabric
            A torus or twisted torus, copper inside cubes and light between them; ranks go along x first.

        Examples
        --------
        >>> Slice((4, 4, 8)).fabric().ranks
        128
        """
        return cube_torus(self.dims, side=self.side, twisted=self.twisted, bandwidth=rate, latency=latency)

    def bisection(self, rate: float = 50e9) -> float | None:
        """Capacity over the halves of the longest axis, one way; None where no closed form is known.

        Parameters
        ----------
        rate : float, B/s
            Of one link, per direction.

        Returns
        -------
        float or None, B/s

        Examples
        --------
        >>> Slice((16, 16, 16)).bisection() / 1e12
        25.6
        """
        longest = max(self.dims)
        return None if self.twisted or longest % 2 else 2 * self.chips / longest * rate


def read_slice(text: object, pod: Pod) -> Slice:
    """Read a slice as users write it, and check that it fits the pod.

    Parameters
    ----------
    text : str
        "8x8x16" or "4x4x8_twisted".
    pod : Pod

    Returns
    -------
    Slice

    Raises
    ------
    UsageError
        If it is none, or larger than the pod.

    Examples
    --------
    >>> read_slice("8x8x16", Pod()).cubes
    16
    """
    found = _NAME.match(str(text))
    if found is None:
        raise UsageError(f'slice: found {text!r}, expected lengths such as "8x8x16" or "4x4x8_twisted"')
    x, y, z = (int(n) for n in found.groups()[:3])
    one = Slice((x, y, z), pod.side, found[4] is not None)
    if one.cubes > pod.cubes:
        raise UsageError(f"slice: {one.name} takes {one.cubes:,} cubes, expected at most {pod.cubes}")
    return one


def _factors(cubes: int) -> Iterator[tuple[int, int, int]]:
    for x in range(1, round(cubes ** (1 / 3)) + 2):
        for y in range(x, cubes // x + 1):
            if cubes % (x * y) == 0 and x <= y <= cubes // (x * y):
                yield x, y, cubes // (x * y)


def shapes(pod: Pod, chips: int | None = None) -> list[Slice]:
    """List the slices that a pod can make, axes in order of length.

    Parameters
    ----------
    pod : Pod
    chips : int, optional
        Only those of so many chips. Default: all.

    Returns
    -------
    list of Slice
        By number of chips, then from the longest to the most cubic; twisted ones after the regular ones.

    Raises
    ------
    UsageError
        If no number of whole cubes has so many chips.

    Examples
    --------
    >>> [one.name for one in shapes(Pod(), 256)]
    ['4x4x16', '4x8x8', '4x8x8_twisted']
    """
    each = pod.side**3
    if chips is not None and (not is_whole(chips, 1) or chips % each or chips > pod.chips):
        raise UsageError(f"chips: found {chips!r}, expected a multiple of {each} from {each} to {pod.chips}")
    counts = range(1, pod.cubes + 1) if chips is None else [chips // each]
    found = []
    for cubes in counts:
        for x, y, z in _factors(cubes):
            dims = x * pod.side, y * pod.side, z * pod.side
            found.append(Slice(dims, pod.side))
            if can_twist(dims):
                found.append(Slice(dims, pod.side, True))
    return found
