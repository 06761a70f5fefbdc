"""Dies per wafer: by formulas of the field, and by placing them on the wafer."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from topo_sim.base.errors import UsageError
from topo_sim.base.registry import Registry
from topo_sim.gpus.reticle import RETICLE, check_reticle
from topo_sim.gpus.reticle import TOUCH as _TOUCH

__all__ = ["FORMULAS", "RETICLE", "Placement", "Wafer", "dies_by_formula", "place_dies"]

Array = NDArray[np.float64]
MOST_DIES = 200_000
MOST_CORNERS = 400  # up to here every crossing of their rims is tried
FORMULAS: Registry[Callable[["Wafer", float, float], float]] = Registry("formula for dies per wafer")


@dataclass(frozen=True)
class Wafer:
    """A wafer and what of it cannot be used.

    Parameters
    ----------
    diameter : float, m
    edge : float, m
        Ring at the rim that holds no dies.
    street : float, m
        Scribe street between dies.

    Raises
    ------
    UsageError
        If a length is negative or not finite, or the edge leaves nothing.

    Examples
    --------
    >>> Wafer().radius
    0.147
    """

    diameter: float = 0.3
    edge: float = 3e-3
    street: float = 0.1e-3

    def __post_init__(self) -> None:
        for name in ("diameter", "edge", "street"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise UsageError(f"{name}: found {value * 1e3:g} mm, expected a finite length of 0 or more")
        if not 2 * self.edge < self.diameter <= 1:
            found = f"a wafer of {self.diameter * 1e3:g} mm with an edge of {self.edge * 1e3:g} mm"
            raise UsageError(f"wafer: found {found}, expected one of at most 1 m with room inside the edge")

    @property
    def radius(self) -> float:
        """Of the circle that dies must lie in, m."""
        return self.diameter / 2 - self.edge


def _check(width: float, height: float) -> None:
    for name, value in (("width", width), ("height", height)):
        if not (math.isfinite(value) and value > 0):
            raise UsageError(f"die {name}: found {value * 1e3:g} mm, expected a finite length above 0")


def _formula(diameter: float, area: float) -> float:
    """Area of the disc over that of a die, less half a die for each on the rim."""
    return math.pi * diameter * (diameter / (4 * area) - 1 / math.sqrt(2 * area))


@FORMULAS.register("classic")
def classic(wafer: Wafer, width: float, height: float) -> float:
    """Pi (W/2)^2 / A - pi W / sqrt(2A), with the edge off W; streets not counted."""
    return _formula(2 * wafer.radius, width * height)


@FORMULAS.register("eco_chip")
def eco_chip(wafer: Wafer, width: float, height: float) -> float:
    """Pi W (W / (4A) - 1 / sqrt(2A)) of the whole wafer; neither edge nor streets."""
    return _formula(wafer.diameter, width * height)


@FORMULAS.register("google")
def google(wafer: Wafer, width: float, height: float) -> float:
    """(W - 2 edge) pi (W / (4A') - 1 / sqrt(2A')) with the street in A', rounded."""
    area = (width + wafer.street) * (height + wafer.street)
    return round(2 * wafer.radius / wafer.diameter * _formula(wafer.diameter, area))


def dies_by_formula(name: str, width: float, height: float, wafer: Wafer | None = None) -> float:
    """Count dies by a formula.

    Parameters
    ----------
    name : str
        A key of `FORMULAS`.
    width, height : float, m
        Of a die.
    wafer : Wafer, optional

    Returns
    -------
    float
        Whole only where the formula rounds; 0 where it goes below.

    References
    ----------
    google/chiplets-cost-model; ASU-VDA-Lab/ECO-CHIP, whose own default is a wafer of 450 mm.

    Examples
    --------
    >>> dies_by_formula("google", 25.8e-3, 25.8e-3), dies_by_formula("google", 6.7e-3, 5.0e-3)
    (78.0, 1887.0)
    """
    _check(width, height)
    return max(float(FORMULAS[name](wafer or Wafer(), width, height)), 0.0)


@dataclass(frozen=True, eq=False)
class Placement:
    """Dies on a wafer.

    Parameters
    ----------
    wafer : Wafer
    width, height : float, m
        Of a die.
    centres : array of float, shape (dies, 2), m
        From the middle of the wafer.
    per_shot : tuple of int
        Columns and rows of dies in one shot of the reticle.
    shots : array of float, shape (shots, 2), m
        Lower left corners of the shots that expose a whole die.
    exact : bool
        Whether every critical offset of the grid was tried; else the count is a lower bound.
    """

    wafer: Wafer
    width: float
    height: float
    centres: Array
    per_shot: tuple[int, int]
    shots: Array
    exact: bool

    @property
    def dies(self) -> int:
        """How many dies."""
        return len(self.centres)

    @property
    def used(self) -> float:
        """Share of the wafer's area that is dies."""
        return self.dies * self.width * self.height / (math.pi * self.wafer.diameter**2 / 4)


def _rows(radius: float, height: float, pitch: float, offset: Array) -> Array:
    """Half chords that rows of dies have, shape (offsets, rows); negative where there is no room."""
    first = math.floor((-radius - height) / pitch) - 1
    last = math.ceil(radius / pitch) + 1
    low = offset[:, None] + pitch * np.arange(first, last + 1)
    far = np.maximum(np.abs(low), np.abs(low + height))
    inside = far <= radius + _TOUCH
    return np.where(inside, np.sqrt(np.maximum((radius + _TOUCH) ** 2 - far**2, 0.0)), -1.0)


def _count(radius: float, die: tuple[float, float], pitch: tuple[float, float], x: Array, y: Array) -> Array:
    """Dies inside the circle for grids whose corners are at the offsets x and y."""
    half = _rows(radius, die[1], pitch[1], y)
    first = np.ceil((-half - x[:, None]) / pitch[0])
    last = np.floor((half - die[0] - x[:, None]) / pitch[0])
    return np.where(half >= 0, np.maximum(last - first + 1, 0), 0).sum(axis=1)


def _corners(radius: float, die: tuple[float, float], pitch: tuple[float, float]) -> Array:
    """Corners of grid dies that can touch the circle for some offset inside one cell, shape (n, 2).

    Only the corner of a die that lies farthest out can touch, so each kind has its own quadrant.
    """
    found = []
    columns, rows = (math.ceil((radius + p) / p) + 1 for p in pitch)
    i, j = np.meshgrid(np.arange(-columns, columns + 1), np.arange(-rows, rows + 1), indexing="ij")
    for right in (0, 1):
        for top in (0, 1):
            x: Array = np.ravel(i * pitch[0] + right * die[0])
            y: Array = np.ravel(j * pitch[1] + top * die[1])
            near = np.hypot(*(_closest(v, p) for v, p in ((x, pitch[0]), (y, pitch[1]))))
            far = np.hypot(*(np.maximum(np.abs(v), np.abs(v + p)) for v, p in ((x, pitch[0]), (y, pitch[1]))))
            outward = (x + pitch[0] >= die[0] / 2 if right else x <= -die[0] / 2) & (
                y + pitch[1] >= die[1] / 2 if top else y <= -die[1] / 2
            )
            touch = (near <= radius) & (far >= radius) & outward
            found.append(np.stack([x[touch], y[touch]], axis=1))
    return np.concatenate(found)


def _closest(value: Array, pitch: float) -> Array:
    """Least distance from 0 of value + [0, pitch]."""
    return np.where(value > 0, value, np.where(value + pitch < 0, -value - pitch, 0.0))


def _critical(radius: float, corners: Array, pitch: tuple[float, float]) -> Array:
    """Offsets inside one cell at which two corners touch the circle, shape (n, 2)."""
    found = []
    for k in range(len(corners) - 1):
        middle = -(corners[k] + corners[k + 1 :]) / 2
        half = (corners[k] - corners[k + 1 :]) / 2
        length = np.hypot(half[:, 0], half[:, 1])
        reach = np.sqrt(np.maximum(radius**2 - length**2, 0.0)) / np.where(length > 0, length, 1.0)
        side = np.stack([-half[:, 1], half[:, 0]], axis=1) * reach[:, None]
        both = np.concatenate([middle + side, middle - side])
        inside = (both >= -_TOUCH).all(axis=1) & (both <= np.asarray(pitch) + _TOUCH).all(axis=1)
        found.append(both[inside & np.tile((length > 0) & (length <= radius), 2)])
    return np.concatenate(found) if found else np.zeros((0, 2))


def _offsets(radius: float, die: tuple[float, float], pitch: tuple[float, float]) -> tuple[Array, bool]:
    """Offsets to try: middles, and all critical ones where there are not too many."""
    middles = [(x, y) for x in (0.0, -die[0] / 2) for y in (0.0, -die[1] / 2)]
    corners = _corners(radius, die, pitch)
    exact = len(corners) <= MOST_CORNERS
    few = corners if exact else corners[:: math.ceil(len(corners) / 100)]
    return np.concatenate([np.asarray(middles), _critical(radius, few, pitch)]), exact


def _shots(
    centres: Array, per_shot: tuple[int, int], corner: Array, pitch: tuple[float, float], die: Array
) -> Array:
    """Lower left corners of the fewest shots that hold all dies, over how shots may be shifted."""
    at = np.rint((centres - die / 2 - corner) / pitch).astype(np.int64)
    at -= at.min(axis=0)
    least = np.rint(((centres - die / 2).min(axis=0) - corner) / pitch)
    wide = int(at[:, 0].max()) + 2 * per_shot[0]
    best, shift = None, (0, 0)
    for i in range(per_shot[0]):
        for j in range(per_shot[1]):
            shot = np.unique((at[:, 0] + i) // per_shot[0] + (at[:, 1] + j) // per_shot[1] * wide)
            if best is None or shot.size < best.size:
                best, shift = shot, (i, j)
    assert best is not None
    low = np.stack([best % wide, best // wide], axis=1) * per_shot - np.asarray(shift) + least
    return np.asarray(low * np.asarray(pitch) + corner)


@lru_cache(maxsize=64)
def place_dies(width: float, height: float, wafer: Wafer | None = None) -> Placement:
    """Place as many dies as the wafer holds on one straight grid.

    Parameters
    ----------
    width, height : float, m
        Of a die.
    wafer : Wafer, optional

    Returns
    -------
    Placement

    Raises
    ------
    UsageError
        If the die is larger than the reticle or the wafer, or so small that there would be over 200,000.

    Notes
    -----
    Only the offset of the grid is free. The offsets that keep a set of dies inside the circle are where as
    many discs overlap as the set has corners, so a best offset is at a crossing of two rims: two corners of
    dies touch the edge. All crossings are tried, O(n^2) for n corners that can touch, with O(rows) to count
    each. With over 400 such corners (dies of few mm2) a sample is tried and the count is a lower bound.
    Turned by 90 degrees a die may fit more often; that is another call.

    Examples
    --------
    >>> place_dies(26e-3, 31.3e-3).dies, place_dies(13e-3, 15.65e-3).dies
    (67, 294)
    """
    wafer = wafer or Wafer()
    _check(width, height)
    check_reticle(width, height)
    radius, die, pitch = wafer.radius, (width, height), (width + wafer.street, height + wafer.street)
    if math.pi * radius**2 / (pitch[0] * pitch[1]) > MOST_DIES:
        raise UsageError(f"die: found {width * 1e3:g} x {height * 1e3:g} mm, expected a larger one")
    offsets, exact = _offsets(radius, die, pitch)
    counts = np.concatenate(
        [_count(radius, die, pitch, *part.T) for part in np.array_split(offsets, len(offsets) // 4096 + 1)]
    )
    if counts.max() < 1:
        raise UsageError(
            f"die: found {width * 1e3:g} x {height * 1e3:g} mm, expected one that the wafer holds"
        )
    corner = _one_of(offsets[counts == counts.max()], pitch)
    centres = _centres(radius, die, pitch, corner)
    reticle = RETICLE if width <= RETICLE[0] + _TOUCH and height <= RETICLE[1] + _TOUCH else RETICLE[::-1]
    columns, rows = (
        max(1, math.floor((r + wafer.street + _TOUCH) / p)) for r, p in zip(reticle, pitch, strict=True)
    )
    shots = _shots(centres, (columns, rows), corner, pitch, np.asarray(die))
    return Placement(wafer, width, height, centres, (columns, rows), shots, exact)


def _one_of(offsets: Array, pitch: tuple[float, float]) -> Array:
    """Of equal offsets, the same one whatever order they were found in."""
    order = np.lexsort(((offsets[:, 1] / pitch[1]).round(9), (offsets[:, 0] / pitch[0]).round(9)))
    return np.asarray(offsets[order[0]])


def _centres(radius: float, die: tuple[float, float], pitch: tuple[float, float], corner: Array) -> Array:
    """Middles of the dies of one grid that lie inside the circle."""
    columns, rows = (math.ceil(2 * radius / p) + 2 for p in pitch)
    i, j = np.meshgrid(np.arange(-columns, columns + 1), np.arange(-rows, rows + 1), indexing="ij")
    low = np.stack([i.ravel(), j.ravel()], axis=1) * np.asarray(pitch) + corner
    far = np.maximum(np.abs(low), np.abs(low + np.asarray(die)))
    return low[np.hypot(far[:, 0], far[:, 1]) <= radius + 2 * _TOUCH] + np.asarray(die) / 2
