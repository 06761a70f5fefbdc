"""What the closed-form models take from a fabric: the latency of its paths and the bandwidth of its ports."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError, Quantity, UnitError, UsageError
from topo_sim.collectives.router import Router
from topo_sim.collectives.schedule import Schedule
from topo_sim.topo import Fabric

__all__ = ["check_ranks", "per_byte", "port_rates", "router_for", "seconds"]

_TIME = Quantity("time", positive=False)
_RATE = Quantity("rate")


def check_ranks(schedule: Schedule, fabric: Fabric) -> None:
    """Raise `CollectiveError` unless the fabric has endpoints enough for the schedule."""
    if schedule.ranks > fabric.ranks:
        raise CollectiveError(
            f"{fabric.name} has {fabric.ranks} endpoints, expected at least {schedule.ranks} for the schedule"
        )


def seconds(value: Any, name: str) -> float:
    """Read a setting that is a time.

    Parameters
    ----------
    value : float or str, s
    name : str
        The setting's, for the error.

    Returns
    -------
    float, s

    Raises
    ------
    UsageError
        If it is no finite time of 0 or more.

    Examples
    --------
    >>> seconds("1.5 us", "alpha")
    1.5e-06
    """
    try:
        return _TIME.read(value)
    except UnitError as error:
        raise UsageError(f"{name}: {error}") from None


def per_byte(value: Any, name: str) -> float:
    """Read a setting that is a time per byte: a number, or the rate that it is the inverse of.

    Parameters
    ----------
    value : float or str, s/B
        Text with a unit is a rate.
    name : str
        The setting's, for the error.

    Returns
    -------
    float, s/B

    Raises
    ------
    UsageError
        If it is no finite number above 0, and no rate.

    Examples
    --------
    >>> per_byte("50 GB/s", "beta"), per_byte(2e-11, "beta"), per_byte("2e-11", "beta")
    (2e-11, 2e-11, 2e-11)
    """
    try:
        number = float(value) if not isinstance(value, bool) else np.nan
    except (TypeError, ValueError, OverflowError):
        try:
            return 1.0 / _RATE.read(value)
        except UnitError as error:
            raise UsageError(f"{name}: {error}, or seconds per byte as a number") from None
    if 0 < number < np.inf:
        return number
    raise UsageError(
        f"{name}: found {value!r}, expected seconds per byte of more than 0, or a rate such as '50 GB/s'"
    )


def port_rates(fabric: Fabric, ranks: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bandwidth of each rank, all its links together.

    Parameters
    ----------
    fabric : Fabric
    ranks : int
        The first so many.

    Returns
    -------
    out, into : ndarray of float64, shape (ranks,), B/s

    Raises
    ------
    CollectiveError
        If a rank has no link one way.

    Examples
    --------
    >>> from topo_sim.topo import torus
    >>> port_rates(torus((4, 4), bandwidth=1.0), 2)
    (array([4., 4.]), array([4., 4.]))
    """
    nodes = fabric.endpoints[:ranks]
    size = len(fabric.kind)
    out, into = (
        np.asarray(np.bincount(end, fabric.capacity, size)[nodes], dtype=np.float64)
        for end in (fabric.link_source, fabric.link_target)
    )
    if out.size and min(out.min(), into.min()) <= 0:
        lone = int(np.argmin(np.minimum(out, into)))
        raise CollectiveError(f"{fabric.name}: rank {lone} lacks a link in or out, expected both ways")
    return out, into


def router_for(schedule: Schedule, fabric: Fabric, routing: str | None, seed: int) -> Router:
    """Route all that a schedule sends, by a routing or the fabric's own."""
    check_ranks(schedule, fabric)
    router = Router(fabric, routing, seed)
    router.prepare(schedule)
    return router
