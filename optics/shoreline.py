"""Bandwidth over the edge of a die: the shoreline, and what quartering a die does to it."""

import math
from dataclasses import dataclass
from typing import Any

from topo_sim.base import UsageError
from topo_sim.base.files import LEVELS, Range
from topo_sim.optics.medium import Medium

__all__ = ["Shoreline", "shoreline"]


@dataclass(frozen=True)
class Shoreline:
    """What the edge of a die, or of the equal parts that it is cut into, carries.

    Parameters
    ----------
    medium : str
    area : float, m2
        Of all parts together.
    parts : int
    width, height : float, m
        Of one part.
    share : float
        Of the edge that is used.
    bandwidth : Range, B/s
        One way, of all parts together.

    Examples
    --------
    >>> from topo_sim.optics import load_optics
    >>> cpo = load_optics().medium("cpo")
    >>> whole, quarters = (shoreline(cpo, 814e-6, parts=n) for n in (1, 4))
    >>> quarters.perimeter / whole.perimeter, quarters.bandwidth.typical / whole.bandwidth.typical
    (2.0, 2.0)
    """

    medium: str
    area: float
    parts: int
    width: float
    height: float
    share: float
    bandwidth: Range

    @property
    def perimeter(self) -> float:
        """Edges of all parts together, m."""
        return self.parts * 2 * (self.width + self.height)

    def to_dict(self) -> dict[str, Any]:
        """Everything, with units in the keys.

        Returns
        -------
        dict
        """
        return {
            "medium": self.medium,
            "area_m2": self.area,
            "parts": self.parts,
            "width_m": self.width,
            "height_m": self.height,
            "perimeter_m": self.perimeter,
            "share": self.share,
            "bandwidth_B_per_s": {level: self.bandwidth.at(level) for level in LEVELS},
        }


def shoreline(
    medium: Medium, area: float, *, aspect: float = 1.0, parts: int = 1, share: float = 1.0
) -> Shoreline:
    """Find the bandwidth that a die brings off its package.

    Parameters
    ----------
    medium : Medium
        With a bandwidth density.
    area : float, m2
        Of silicon, of all parts together; at most 1.
    aspect : float
        Long edge over short edge; every part has the same.
    parts : int
        Dies that the area is cut into.
    share : float
        Of the edge that links use, above 0 and up to 1; memory takes the rest.

    Returns
    -------
    Shoreline

    Raises
    ------
    UsageError
        If the medium has no density, or an argument is out of bounds.

    Notes
    -----
    Bandwidth is perimeter times density. At constant aspect ratio, n parts of 1/n of the area have sqrt(n)
    times the perimeter in all: four quarters have twice the edge of the whole, hence twice the bandwidth per
    compute.

    References
    ----------
    Canakci et al., "Good things come in small packages", HotOS 2025.

    Examples
    --------
    A die of 20 mm by 10 mm has 60 mm of edge; at 1 Tb/s/mm that is 60 Tb/s.

    >>> from topo_sim.optics import load_optics
    >>> found = shoreline(load_optics().medium("cpo"), 200e-6, aspect=2.0)
    >>> round(found.perimeter * 1e3, 9), round(found.bandwidth.high * 8e-12, 9)
    (60.0, 60.0)
    """
    if medium.bandwidth_density is None:
        raise UsageError(
            f"{medium.name}: found no bandwidth density, expected a medium with one (a file can add it)"
        )
    bounds = (("area", area, 1.0, " m2"), ("aspect", aspect, 1e3, ""), ("share", share, 1.0, ""))
    for name, value, most, unit in bounds:
        if isinstance(value, bool) or not 0 < value <= most:
            found = f"found {value!r}{unit}"
            raise UsageError(f"{name}: {found}, expected more than 0 and at most {most:g}{unit}")
    if isinstance(parts, bool) or not isinstance(parts, int) or parts < 1:
        raise UsageError(f"parts: found {parts!r}, expected an integer of at least 1")
    height = math.sqrt(area / parts / aspect)
    edge = parts * 2 * (height + aspect * height) * share
    density = medium.bandwidth_density
    return Shoreline(
        medium=medium.name,
        area=float(area),
        parts=parts,
        width=aspect * height,
        height=height,
        share=float(share),
        bandwidth=Range(
            edge * density.low, edge * density.typical, edge * density.high, density.source, density.mark
        ),
    )
