"""Numbers that models of failures accept, refused in one line where they are not."""

import math
from numbers import Real
from typing import Any

from topo_sim.base import UsageError

__all__ = ["YEAR", "check_count", "check_number", "check_probability"]

YEAR = 8760 * 3600.0  # s; the year that annual failure rates count with


def check_number(value: Any, what: str, *, positive: bool = False, infinite: bool = False) -> float:
    """Return a number of 0 or more, or raise `UsageError`.

    Parameters
    ----------
    value : object
    what : str
        What to call it in the message.
    positive : bool
        Whether zero is refused.
    infinite : bool
        Whether infinity is allowed.

    Returns
    -------
    float

    Examples
    --------
    >>> check_number(-1, "failure rate")
    Traceback (most recent call last):
    topo_sim.base.errors.UsageError: failure rate: found -1, expected a number of 0 or more
    """
    found: Any = value
    bound = "above 0" if positive else "of 0 or more"
    usable = isinstance(found, Real) and not isinstance(found, bool)
    number = float(found) if usable else math.nan
    if (
        number < 0
        or math.isnan(number)
        or (positive and number == 0)
        or (number == math.inf and not infinite)
    ):
        raise UsageError(f"{what}: found {found!r}, expected a number {bound}")
    return number


def check_count(value: Any, what: str, *, least: int = 1, most: int | None = None) -> int:
    """Return a whole number in a range, or raise `UsageError`.

    Examples
    --------
    >>> check_count(64.0, "GPUs")
    64
    """
    found: Any = value
    usable = not isinstance(found, bool) and isinstance(found, Real) and math.isfinite(float(found))
    if not usable or found != int(found) or found < least or (most is not None and found > most):
        bounds = f"of {least} or more" if most is None else f"from {least} to {most}"
        raise UsageError(f"{what}: found {found!r}, expected a whole number {bounds}")
    return int(found)


def check_probability(value: Any, what: str) -> float:
    """Return a number from 0 to 1, or raise `UsageError`.

    Examples
    --------
    >>> check_probability(1.2, "unavailability")
    Traceback (most recent call last):
    topo_sim.base.errors.UsageError: unavailability: found 1.2, expected a number from 0 to 1
    """
    number = check_number(value, what)
    if number > 1:
        raise UsageError(f"{what}: found {value!r}, expected a number from 0 to 1")
    return number
