"""What schedulers hand over: configurations in order, or, from rotors, a run that is already timed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.optics.scheduling.timeline import PortTimes, SlotTimes

__all__ = ["Plan", "Relays", "Run", "gather"]


@dataclass(frozen=True)
class Plan:
    """Configurations in the order in which they serve.

    Parameters
    ----------
    targets : ndarray of int32, shape (configurations, ranks)
        Rank that each rank's circuit leads to; -1, or the rank itself: none.
    units : ndarray of int64, shape (configurations,)
        What each circuit may carry at most, in units of the problem.
    """

    targets: NDArray[np.int32]
    units: NDArray[np.int64]


@dataclass(frozen=True)
class Relays:
    """Bytes that reach their rank over another one, by last rank.

    Parameters
    ----------
    given : ndarray of float64, shape (ranks, ranks), B
        What rank i hands to relays for rank j.
    taken, passed : ndarray of float64, shape (ranks, ranks), B
        What relay k has got for rank j, and what it has sent there over a circuit.
    left : ndarray of float64, shape (ranks, ranks), B
        What relay k sends to rank j over the packet fabric.
    handed : ndarray of float64, shape (ranks, ranks), B
        What rank i hands to relay k, whatever its last rank.
    crossing : ndarray of float64, shape (ranks, ranks), B
        All that crosses circuits from rank i to rank k, on the first or the last hop.
    excess : float, B
        The most that a circuit carried beyond its rate in any interval, or a relay sent before it had it.
    """

    given: NDArray[np.float64]
    taken: NDArray[np.float64]
    passed: NDArray[np.float64]
    left: NDArray[np.float64]
    handed: NDArray[np.float64]
    crossing: NDArray[np.float64]
    excess: float


@dataclass(frozen=True)
class Run:
    """A demand as it is carried: when circuits stand, and what goes which way.

    Parameters
    ----------
    times : SlotTimes or PortTimes
    circuits : ndarray of float64, shape (ranks, ranks), B
        What leaves its rank over circuits, direct or to relays.
    packets : ndarray of float64, shape (ranks, ranks), B
        What leaves its rank over the packet fabric.
    end : float, s
        When the last byte leaves a circuit; 0 if none does.
    relays : Relays, optional
    """

    times: SlotTimes | PortTimes
    circuits: NDArray[np.float64]
    packets: NDArray[np.float64]
    end: float
    relays: Relays | None = None


def gather(parts: Iterable[tuple[NDArray[Any], Any]], ranks: int) -> Plan:
    """Put configurations, or blocks of them, together.

    Parameters
    ----------
    parts : iterable of (targets, units)
    ranks : int

    Returns
    -------
    Plan

    Examples
    --------
    >>> gather([(np.array([1, 0]), 5)], 2).units.tolist()
    [5]
    """
    pairs = list(parts)
    targets = [np.atleast_2d(one).astype(np.int32) for one, _ in pairs]
    units = [np.atleast_1d(np.asarray(amount, dtype=np.int64)) for _, amount in pairs]
    return Plan(
        np.concatenate([np.zeros((0, ranks), np.int32), *targets]),
        np.concatenate([np.zeros(0, np.int64), *units]),
    )
