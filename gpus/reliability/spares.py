"""Availability and spares in closed form: exact binomials."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, bdtrc

from topo_sim.base import UsageError
from topo_sim.gpus.reliability.checks import check_count, check_number, check_probability

__all__ = [
    "availability",
    "expected_groups_lost",
    "fleet_availability",
    "series_availability",
    "shortage",
    "spares_needed",
    "unavailability",
]


def unavailability(rate: float, repair: float) -> float:
    """Share of its time that a device is down, where its rate counts failures per calendar time.

    Parameters
    ----------
    rate : float, 1/s
        Failures per device and calendar time: an annual failure rate over a year.
    repair : float, s
        Mean time to repair.

    Returns
    -------
    float

    Raises
    ------
    UsageError
        If a number is negative or NaN, or more than one failure falls into a repair.

    See Also
    --------
    availability : where the rate counts failures per time in service.

    Examples
    --------
    >>> round(unavailability(0.09 / (8760 * 3600), 24 * 3600), 6)
    0.000247
    """
    share = check_number(rate, "failure rate") * check_number(repair, "repair time")
    if share > 1:
        raise UsageError(
            f"unavailability: found {share:.4g} (failure rate x repair time), expected at most 1: "
            "give a rate per time in service to availability(), or a shorter repair"
        )
    return share


def availability(rate: float, repair: float) -> float:
    """Share of its time that a device is up, where its rate counts failures per time in service.

    Parameters
    ----------
    rate : float, 1/s
    repair : float, s

    Returns
    -------
    float
        1 / (1 + rate repair), whatever the laws of lifetimes and repairs: only their means count.

    Examples
    --------
    >>> availability(1.0, 1.0)
    0.5
    """
    return 1.0 / (1.0 + check_number(rate, "failure rate") * check_number(repair, "repair time"))


def shortage(count: int, spares: ArrayLike, share_down: float) -> NDArray[np.float64]:
    """Probability that more of `count` devices are down than there are spares.

    Parameters
    ----------
    count : int
    spares : array_like of int
    share_down : float
        Probability that one device is down.

    Returns
    -------
    ndarray of float64, shape of `spares`

    Examples
    --------
    >>> float(shortage(2, 1, 0.1).round(4))
    0.01
    """
    n, u = check_count(count, "devices"), check_probability(share_down, "unavailability")
    k = np.asarray(spares)
    if not np.issubdtype(k.dtype, np.integer) or np.any(k < 0):
        raise UsageError(f"spares: found {spares!r}, expected whole numbers of 0 or more")
    return np.where(k >= n, 0.0, bdtrc(np.minimum(k, n - 1), n, u))


def spares_needed(count: int, share_down: float, risk: float = 1e-3) -> int:
    """Fewest spares so that more devices than that are down with at most a given probability.

    Parameters
    ----------
    count : int
        Devices in service.
    share_down : float
        Probability that one is down, independently of the others.
    risk : float
        Largest probability that spares run out.

    Returns
    -------
    int
        The smallest k with P[Binomial(count, share_down) > k] <= risk.

    Examples
    --------
    64 devices at 9 % a year, a week to repair:

    >>> spares_needed(64, 0.09 * 168 / 8760), spares_needed(256, 0.09 * 168 / 8760)
    (2, 4)
    """
    n = check_count(count, "devices")
    u, q = check_probability(share_down, "unavailability"), check_probability(risk, "risk")
    if u == 0 or q == 1:
        return 0
    if q == 0:
        return n  # sums underflow to 0 before
    low, high = -1, n  # n spares never run out
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if bdtrc(middle, n, u) <= q else (middle, high)
    return high


def fleet_availability(count: int, spares: int, share_down: float) -> float:
    """Probability that `count` of `count + spares` devices are up: spares are powered, and fail as well.

    Examples
    --------
    >>> fleet_availability(1, 1, 0.1)
    0.99
    """
    n, k = check_count(count, "devices"), check_count(spares, "spares", least=0)
    return float(bdtr(k, n + k, check_probability(share_down, "unavailability")))


def series_availability(group: int, share_down: float) -> float:
    """Probability that all devices of a group are up, where each one waits for its own repair.

    Examples
    --------
    >>> series_availability(2, 0.1)
    0.81
    """
    u = check_probability(share_down, "unavailability")
    return float((1.0 - u) ** check_count(group, "group"))


def expected_groups_lost(count: int, group: int, spares: int, share_down: float) -> float:
    """Mean number of groups that stand, where any device can take any place at once.

    Parameters
    ----------
    count : int
        Devices in service, a multiple of `group`.
    group, spares : int
    share_down : float

    Returns
    -------
    float
        The mean of ceil((D - spares) / group), or 0, over D down among `count + spares`.

    Examples
    --------
    >>> round(expected_groups_lost(2, 2, 0, 0.1), 12)
    0.19
    """
    n, g = check_count(count, "devices"), check_count(group, "group")
    if n % g:
        raise UsageError(f"group: found {g} for {n} devices, expected a divisor of their number")
    k, u = check_count(spares, "spares", least=0), check_probability(share_down, "unavailability")
    more = k + g * np.arange(n // g)  # above each of these one group more stands
    return float(bdtrc(more, n + k, u).sum())
