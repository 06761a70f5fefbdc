"""What the circuits of a fabric can do, and what changing them takes."""

import math
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np

from topo_sim.base import CollectiveError, UsageError
from topo_sim.collectives.bounds import LowerBound
from topo_sim.collectives.collective import COLLECTIVES, Collective

__all__ = ["Circuits", "circuit_bound"]

ONE_TO_ONE = ("send_recv", "reduce", "all_to_all_v")
"""Collectives in which no rank has to be heard by all the others, so that one round of messages may do."""


@dataclass(frozen=True)
class Circuits:
    """Ports of every endpoint on circuit switches, and the times that steps and switching take.

    Parameters
    ----------
    ports : int
        Optical ports of each endpoint; any can be joined to any port of another endpoint.
    rate : float, B/s
        Of all ports of an endpoint together, each way.
    alpha : float, s
        To start a round of messages, one on every port.
    reconfiguration : float, s
        From one configuration to the next, all of it dark: switch, program and receiver lock.
    hop : float, s
        Delay of each light path that a message crosses, forwarding included.
    hidden : float
        Share of every reconfiguration that passes while ranks compute between two steps, 0 to 1.
    first_free : bool
        Whether the first reconfiguration is not waited for.

    Raises
    ------
    UsageError
        If a number is not finite, or below what it can be.

    Examples
    --------
    >>> Circuits(ports=4, rate=100e9).port_rate
    25000000000.0
    >>> Circuits(rate=-1)
    Traceback (most recent call last):
    topo_sim.base.errors.UsageError: rate: found -1, expected a finite number of B/s above 0
    """

    ports: int = 1
    rate: float = 100e9
    alpha: float = 1e-6
    reconfiguration: float = 20e-6
    hop: float = 0.0
    hidden: float = 0.0
    first_free: bool = False

    def __post_init__(self) -> None:
        ports = self.ports
        if isinstance(ports, bool) or not isinstance(ports, (int, np.integer)) or not 1 <= ports <= 4096:
            raise UsageError(f"ports: found {ports!r}, expected a whole number from 1 to 4096")
        if not _is_number(self.rate) or self.rate <= 0:
            raise UsageError(f"rate: found {self.rate!r}, expected a finite number of B/s above 0")
        for name in ("alpha", "reconfiguration", "hop"):
            value = getattr(self, name)
            if not _is_number(value) or value < 0:
                raise UsageError(f"{name}: found {value!r}, expected a finite number of seconds of 0 or more")
        if not _is_number(self.hidden) or not 0 <= self.hidden <= 1:
            raise UsageError(f"hidden: found {self.hidden!r}, expected a share from 0 to 1")
        if not isinstance(self.first_free, (bool, np.bool_)):
            raise UsageError(f"first_free: found {self.first_free!r}, expected true or false")

    @property
    def port_rate(self) -> float:
        """Rate of one port, B/s."""
        return self.rate / self.ports

    @property
    def paid(self) -> float:
        """What a reconfiguration adds to the time, s."""
        return self.reconfiguration * (1 - self.hidden)

    def switching_in(self, reconfiguration: float) -> "Circuits":
        """Return the same circuits with another reconfiguration time.

        Parameters
        ----------
        reconfiguration : float, s

        Returns
        -------
        Circuits
        """
        return replace(self, reconfiguration=reconfiguration)


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(float(value))


def circuit_bound(collective: Collective | str, ranks: int, circuits: Circuits) -> LowerBound:
    """Bound the time of a collective over circuits from below, whatever the schedule and the configurations.

    Parameters
    ----------
    collective : Collective or str
        Or its name.
    ranks : int
    circuits : Circuits

    Returns
    -------
    LowerBound

    Raises
    ------
    UsageError
        If there is no rank.
    CollectiveError
        If several groups do collectives of their own.

    Notes
    -----
    Bandwidth: every rank has `rate` to send over, all together must send ``collective.sent`` bytes, and a
    single rank what ``collective.leaves`` says; the first byte arrives after one alpha and one hop. Latency:
    in a round, of one alpha, a rank tells at most as many others as it has ports, so what one rank has is
    known to at most (1 + ports)^rounds. Reconfigurations may be hidden, or the first configuration be the
    right one, so they add nothing.

    References
    ----------
    Chan, Heimlich, Purkayastha, van de Geijn, "Collective communication: theory, practice, and experience",
    CCPE 19(13), 2007 (the bounds on a fully connected machine with one port).

    Examples
    --------
    Four ranks, a port of 1 GB/s: two rounds of 1 us; 1.5 us and 1 us for a vector of 1 kB.

    >>> bound = circuit_bound("all_reduce", 4, Circuits(rate=1e9))
    >>> [round(bound.time(size) * 1e6, 6) for size in (0, 1000)]
    [2.0, 2.5]
    """
    collective = COLLECTIVES[collective] if isinstance(collective, str) else collective
    if isinstance(ranks, bool) or not isinstance(ranks, (int, np.integer)) or ranks < 1:
        raise UsageError(f"ranks: found {ranks!r}, expected a whole number of at least 1")
    if collective.members:
        raise CollectiveError("found a collective of several groups, expected one: plan each group alone")
    if ranks == 1 or (collective.traffic is not None and not collective.traffic.any()):
        return LowerBound(0.0, 0.0, 0.0, "nothing to send")
    first = circuits.alpha + circuits.hop
    pace = max(collective.sent(ranks) / ranks, _one_rank(collective, ranks)) / circuits.rate
    rounds = 1
    if collective.name not in ONE_TO_ONE:
        while (1 + circuits.ports) ** rounds < ranks:
            rounds += 1
    return LowerBound(rounds * circuits.alpha + circuits.hop, first, pace, "ports of the ranks")


def _one_rank(collective: Collective, ranks: int) -> float:
    """Least bytes that the busiest single rank sends or receives, per byte of size."""
    if collective.traffic is not None:
        return float(max(collective.traffic.sum(axis=0).max(), collective.traffic.sum(axis=1).max()))
    root = np.array([True, False])
    one, rest = np.ones(2), np.full(2, ranks - 1.0)
    return float(max(collective.leaves(one, ranks, root).max(), collective.leaves(rest, ranks, root).max()))
