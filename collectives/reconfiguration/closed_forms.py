"""Closed forms of collectives over circuits: what the plans have to agree with."""

from math import ceil

from topo_sim.base import CollectiveError
from topo_sim.collectives.reconfiguration.circuits import Circuits

__all__ = [
    "break_even_halving_doubling",
    "bruck_on_circuits",
    "halving_doubling_on_circuits",
    "ring_all_reduce",
    "rotation_on_circuits",
    "static_ring_all_to_all",
]


def _exact_log2(ranks: int, what: str) -> int:
    if ranks < 1 or ranks & (ranks - 1):
        raise CollectiveError(
            f"{what}: found {ranks} ranks, expected a power of two; plan a schedule for others"
        )
    return ranks.bit_length() - 1


def ring_all_reduce(ranks: int, size: float, circuits: Circuits) -> float:
    """Time of a ring all-reduce on a ring that stays: ``2 (N - 1) (alpha + M / (N B))``.

    Parameters
    ----------
    ranks : int
    size : float, B
    circuits : Circuits
        Alpha here and below includes one hop.

    Returns
    -------
    float, s

    Examples
    --------
    >>> round(ring_all_reduce(64, 1e6, Circuits()) * 1e6, 2)
    145.69
    """
    step = circuits.alpha + circuits.hop
    return 2 * (ranks - 1) * (step + size / (ranks * circuits.rate))


def halving_doubling_on_circuits(ranks: int, size: float, circuits: Circuits) -> float:
    """Time of recursive halving and doubling with a new pairing in every step but one.

    Parameters
    ----------
    ranks : int
        A power of two, N = 2^L.
    size : float, B
    circuits : Circuits

    Returns
    -------
    float, s
        ``2 L alpha + (2 L - 1) delta + 2 (N - 1) / N M / B``: the first all-gather step uses the pairing of
        the last reduce-scatter step.

    Raises
    ------
    CollectiveError
        If there is no power of two of ranks.

    Examples
    --------
    >>> round(halving_doubling_on_circuits(64, 1e6, Circuits(reconfiguration=3.7e-6)) * 1e6, 2)
    72.39
    """
    halvings = _exact_log2(ranks, "halving and doubling")
    step = circuits.alpha + circuits.hop
    changes = max(2 * halvings - 1, 0) * circuits.paid
    return 2 * halvings * step + changes + 2 * (ranks - 1) / ranks * size / circuits.rate


def break_even_halving_doubling(ranks: int, circuits: Circuits) -> float:
    """Reconfiguration time below which halving and doubling on circuits beats the static ring, for any size.

    Parameters
    ----------
    ranks : int
        A power of two.
    circuits : Circuits

    Returns
    -------
    float, s
        ``2 (N - 1 - L) alpha / (2 L - 1)``; both send the same bytes.

    Raises
    ------
    CollectiveError
        If there is no power of two of ranks, fewer than two, or all of a reconfiguration is hidden.

    Examples
    --------
    >>> round(break_even_halving_doubling(64, Circuits(alpha=1e-6)) * 1e6, 2)
    10.36
    """
    halvings = _exact_log2(ranks, "halving and doubling")
    if not halvings or circuits.hidden == 1:
        raise CollectiveError(
            f"break-even: found {ranks} ranks and {circuits.hidden:.0%} of a change hidden, expected two "
            "ranks or more and less than all of it"
        )
    step = circuits.alpha + circuits.hop
    return 2 * (ranks - 1 - halvings) * step / (2 * halvings - 1) / (1 - circuits.hidden)


def rotation_on_circuits(ranks: int, size: float, circuits: Circuits) -> float:
    """Time of an all-to-all by rotating permutations, d at once where ranks have d ports.

    Parameters
    ----------
    ranks : int
    size : float, B
    circuits : Circuits

    Returns
    -------
    float, s
        ``ceil((N - 1) / d)`` configurations of ``alpha + delta + d M / (N B)``. Where the last one has at
        most half as many permutations as ports, each of these gets several ports and takes less.

    Examples
    --------
    >>> four = Circuits(ports=4, reconfiguration=20e-6)
    >>> round(rotation_on_circuits(64, 1e8, four) * 1e6, 2)
    1336.0
    """
    ports = circuits.ports
    count = ceil((ranks - 1) / ports)
    if not count:
        return 0.0
    left = ranks - 1 - (count - 1) * ports
    shares = (count - 1) * ports + ports / (ports // left)
    each = circuits.alpha + circuits.hop + circuits.paid
    return count * each + shares * size / (ranks * circuits.rate)


def bruck_on_circuits(ranks: int, size: float, circuits: Circuits) -> float:
    """Time of an all-to-all by Bruck's algorithm with a new configuration in every step.

    Parameters
    ----------
    ranks : int
        A power of two, N = 2^L.
    size : float, B
    circuits : Circuits

    Returns
    -------
    float, s
        ``L (alpha + delta) + M / 2 * L / B``.

    Raises
    ------
    CollectiveError
        If there is no power of two of ranks.

    Examples
    --------
    >>> round(bruck_on_circuits(64, 1e8, Circuits(reconfiguration=3.7e-6)) * 1e6, 2)
    3028.2
    """
    steps = _exact_log2(ranks, "Bruck's all-to-all")
    each = circuits.alpha + circuits.hop + circuits.paid
    return steps * (each + size / 2 / circuits.rate)


def static_ring_all_to_all(ranks: int, size: float, circuits: Circuits) -> float:
    """Time in which a static ring that goes both ways carries the bytes of an all-to-all.

    Parameters
    ----------
    ranks : int
    size : float, B
    circuits : Circuits
        Half of its rate goes each way.

    Returns
    -------
    float, s
        ``M N / (4 B)`` for even N, with what goes to the opposite rank split between both ways;
        ``M (N^2 - 1) / (4 N B)`` for odd N. Bytes alone, without what starting takes.

    Examples
    --------
    >>> round(static_ring_all_to_all(64, 1e8, Circuits()) * 1e6, 2)
    16000.0
    """
    return size * (ranks * ranks - ranks % 2) / (4 * ranks * circuits.rate)
