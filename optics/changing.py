"""Slots of circuit schedules: pauses between configurations, rotors, planes with times of their own."""

from collections.abc import Callable, Sequence
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import TopologyError
from topo_sim.optics.matchings import as_targets
from topo_sim.topo.flow.arrays import as_number, as_numbers

__all__ = [
    "Dark",
    "all_dark",
    "planes_dark",
    "ports_dark",
    "require_alike",
    "rotor_matchings",
    "rotor_slots",
    "side_by_side",
    "with_pauses",
]

Circuits = NDArray[np.int32]
Slots = tuple[Circuits, NDArray[np.float64]]
Dark = Callable[[Circuits, Circuits], Circuits]
MOST_ENTRIES = 1 << 28


def all_dark(old: Circuits, new: Circuits) -> Circuits:
    """All planes pause if any circuit changes.

    Examples
    --------
    >>> all_dark(np.array([[[1, 0]]]), np.array([[[-1, -1]]])).tolist()
    [[[-1, -1]]]
    """
    return np.where((old == new).all(axis=(1, 2))[:, None, None], new, np.int32(-1))


def planes_dark(old: Circuits, new: Circuits) -> Circuits:
    """Planes pause whose circuits change.

    Examples
    --------
    >>> planes_dark(np.array([[[1, 0], [1, 0]]]), np.array([[[-1, -1], [1, 0]]])).tolist()
    [[[-1, -1], [1, 0]]]
    """
    return np.where((old == new).all(axis=2)[:, :, None], new, np.int32(-1))


def ports_dark(old: Circuits, new: Circuits) -> Circuits:
    """Circuits pause that change.

    Examples
    --------
    >>> ports_dark(np.array([[[1, 0, -1]]]), np.array([[[1, 2, 0]]])).tolist()
    [[[1, -1, -1]]]
    """
    return np.where(old == new, new, np.int32(-1))


def _seconds(value: Any, name: str) -> float:
    return as_number(value, f"{name} (s)", 0.0, 1e300, TopologyError)


def with_pauses(
    configurations: ArrayLike,
    durations: ArrayLike,
    delta: float,
    dark: Dark,
    first_free: bool,
    cyclic: bool,
) -> Slots:
    """Put what is on during each change before the configuration that it leads to.

    Parameters
    ----------
    configurations : array_like of int, shape (configurations, [planes,] ports)
    durations : array_like of float, shape (configurations,), s
    delta : float, s
    dark : callable
        Of the old and the new circuits: what stays on meanwhile.
    first_free : bool
        Whether the first configuration is on when time begins.
    cyclic : bool
        Whether the last configuration comes before the first.

    Returns
    -------
    targets : ndarray of int32, shape (slots, planes, ports)
    durations : ndarray of float64, shape (slots,), s

    Raises
    ------
    TopologyError

    Examples
    --------
    >>> with_pauses([[1, 0]], [2.0], 1.0, all_dark, first_free=False, cyclic=False)[1].tolist()
    [1.0, 2.0]
    """
    new, pause = as_targets(configurations, "configurations", planes=False), _seconds(delta, "delta")
    times = as_numbers(durations, "durations", TopologyError)
    if times.shape != (len(new),):
        raise TopologyError(
            f"durations: found shape {times.shape}, expected ({len(new)},): one per configuration"
        )
    if cyclic and first_free:
        raise TopologyError(
            "first_free: found it with a cyclic schedule, where the first configuration comes back every "
            "period; leave out one of the two"
        )
    first = new[:1] if first_free else new[-1:] if cyclic else np.full_like(new[:1], -1)
    old = np.concatenate([first, new[:-1]])
    pauses = (old != new).any(axis=(1, 2)) & (pause > 0)
    targets = np.stack([dark(old, new), new], axis=1).reshape(-1, *new.shape[1:])
    kept = np.stack([pauses, np.ones_like(pauses)], axis=1).ravel()
    return targets[kept], np.stack([np.full(len(new), pause), times], axis=1).ravel()[kept]


def rotor_matchings(ports: int, *, symmetric: bool = False) -> Circuits:
    """List the ``ports - 1`` matchings that join every port to every other once.

    Parameters
    ----------
    ports : int
        At least 2.
    symmetric : bool
        Whether circuits go both ways: the rounds of a tournament, for an even number of ports. Otherwise
        matching k joins i to ``i + k + 1``.

    Returns
    -------
    ndarray of int32, shape (ports - 1, ports)

    Raises
    ------
    TopologyError

    Notes
    -----
    A tournament by the circle method: port ``n - 1`` stays, the others meet where their numbers sum up to
    the round modulo ``n - 1``.

    Examples
    --------
    >>> rotor_matchings(4).tolist()
    [[1, 2, 3, 0], [2, 3, 0, 1], [3, 0, 1, 2]]
    >>> rotor_matchings(4, symmetric=True).tolist()
    [[3, 2, 1, 0], [1, 0, 3, 2], [2, 3, 0, 1]]
    """
    _whole(ports, "ports", 2)
    if not symmetric:
        return ((np.arange(ports) + np.arange(1, ports)[:, None]) % ports).astype(np.int32)
    if ports % 2:
        raise TopologyError(f"ports: found {ports}, expected an even number for symmetric matchings")
    n = ports - 1
    if n == 1:
        return np.array([[1, 0]], dtype=np.int32)
    rounds = np.arange(n)[:, None]
    out = np.empty((n, ports), dtype=np.int32)
    out[:, :n] = (rounds - np.arange(n)) % n
    alone = (rounds[:, 0] * (n + 1) // 2) % n  # whose partner would be itself: 2 i = round, modulo n
    out[rounds[:, 0], alone] = n
    out[:, n] = alone
    return out


def _whole(value: object, name: str, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise TopologyError(f"{name}: found {value!r}, expected a whole number of at least {least}")


def rotor_slots(ports: int, planes: int, slot: float, delta: float, stagger: bool, symmetric: bool) -> Slots:
    """Work out the slots of `CircuitSchedule.rotor`, which see."""
    _whole(ports, "ports", 2)
    _whole(planes, "planes", 1)
    length, pause = _seconds(slot, "slot"), _seconds(delta, "delta")
    part = length / planes if stagger else length
    if not pause < part:
        what = "the slot shared by all planes, since they change in turn" if stagger else "the slot"
        raise TopologyError(f"delta: found {pause:g} s, expected less than {part:g} s: {what}")
    steps = (ports - 1) // gcd(ports - 1, planes)
    turns = planes if stagger else 1
    entries = 2 * steps * turns * planes * ports
    if entries > MOST_ENTRIES:
        raise TopologyError(
            f"rotor: found {entries:,} entries of ports x planes x slots, expected at most {MOST_ENTRIES:,}"
        )
    matchings = rotor_matchings(ports, symmetric=symmetric)
    step, plane = np.arange(steps)[:, None], np.arange(planes)
    shown = matchings[(step * planes + plane) % len(matchings)]
    if not stagger:
        pairs = np.stack([np.full_like(shown, -1), shown], axis=1)
    else:
        pairs = np.empty((steps, planes, 2, planes, ports), dtype=np.int32)
        before = np.roll(shown, 1, axis=0)
        for turn in range(planes):
            pairs[:, turn, :, : turn + 1] = shown[:, None, : turn + 1]
            pairs[:, turn, :, turn + 1 :] = before[:, None, turn + 1 :]
            pairs[:, turn, 0, turn] = -1
    kept = np.tile([pause > 0, True], steps * turns)
    times = np.tile([pause, part - pause], steps * turns)
    return pairs.reshape(-1, planes, ports)[kept], times[kept]


def require_alike(given: Sequence[tuple[int, bool, float]]) -> None:
    """Refuse schedules that cannot run side by side.

    Parameters
    ----------
    given : sequence of (ports, cyclic, period)

    Raises
    ------
    TopologyError

    Examples
    --------
    >>> require_alike([(4, False, 1.0), (4, False, 2.0)])
    """
    if len({(ports, cyclic) for ports, cyclic, _ in given}) > 1:
        raise TopologyError(
            "schedules: found different ports or kinds, expected the same ports, all of them cyclic or none"
        )
    periods = np.array([period for _, _, period in given])
    if given[0][1] and np.ptp(periods) > 1e-12 * periods.max():
        raise TopologyError(
            f"schedules: found periods of {periods.min():g} and {periods.max():g} s, expected one for all"
        )


def side_by_side(given: Sequence[tuple[Circuits, NDArray[np.float64]]]) -> Slots:
    """Cut the time of several schedules at all their edges.

    Parameters
    ----------
    given : sequence of (targets, durations)

    Returns
    -------
    targets : ndarray of int32, shape (slots, all planes, ports)
    durations : ndarray of float64, shape (slots,), s

    Examples
    --------
    >>> one = (np.array([[[1, 0]]]), np.array([2.0]))
    >>> side_by_side([one, one])[0].tolist()
    [[[1, 0], [1, 0]]]
    """
    ends = [np.cumsum(durations) for _, durations in given]
    edges = np.unique(np.concatenate([[0.0], *ends]))
    near = np.diff(edges) <= 1e-14 * edges[-1]  # sums of the same times in another order
    edges = edges[np.concatenate([[True], ~near])]
    middle = (edges[:-1] + edges[1:]) / 2
    planes = []
    for (targets, _), end in zip(given, ends, strict=True):
        slot = np.searchsorted(end, middle, side="right")
        dark = np.full_like(targets[:1], -1)
        planes.append(np.concatenate([targets, dark])[np.minimum(slot, len(targets))])
    return np.concatenate(planes, axis=1), np.diff(edges)
