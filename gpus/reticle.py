"""What one exposure holds: no die is larger than the reticle."""

import math

from topo_sim.base.errors import UsageError

__all__ = ["RETICLE", "TOUCH", "check_reticle", "fit_sides"]

RETICLE = (26e-3, 33e-3)
TOUCH = 1e-9  # m: dies that touch an edge are within it


def check_reticle(width: float, height: float) -> None:
    """Refuse a die that no exposure holds, upright or on its side.

    Parameters
    ----------
    width, height : float, m

    Raises
    ------
    UsageError

    Examples
    --------
    >>> check_reticle(26e-3, 33e-3)
    >>> check_reticle(20e-3, 34e-3)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    topo_sim.base.errors.UsageError: reticle: found a die of 20 x 34 mm, expected at most 26 x 33 mm, ...
    """
    if max(width, height) > RETICLE[1] + TOUCH or min(width, height) > RETICLE[0] + TOUCH:
        found = f"a die of {width * 1e3:.4g} x {height * 1e3:.4g} mm"
        raise UsageError(
            f"reticle: found {found}, expected at most 26 x 33 mm, which is what one exposure can hold"
        )


def fit_sides(area: float) -> tuple[float, float]:
    """Width and height of a die of which only the area is known, m: a square, or as wide as the reticle.

    Parameters
    ----------
    area : float, m2

    Returns
    -------
    tuple of float

    Raises
    ------
    UsageError
        If it is larger than the reticle.

    Examples
    --------
    >>> fit_sides(400e-6), fit_sides(26e-3 * 32e-3)
    ((0.02, 0.02), (0.026, 0.032))
    """
    if area > RETICLE[0] * RETICLE[1] * (1 + TOUCH):
        raise UsageError(
            f"reticle: found a die of {area * 1e6:.6g} mm2, expected at most 858 mm2 (26 x 33 mm), which is "
            "what one exposure can hold"
        )
    side = math.sqrt(area)
    return (side, side) if side <= RETICLE[0] else (RETICLE[0], area / RETICLE[0])
