"""Schedules that suit circuits, and those that are tried for a collective."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError, UsageError
from topo_sim.base.registry import nearest
from topo_sim.collectives.algorithms.registry import ALGORITHMS
from topo_sim.collectives.collective import COLLECTIVES
from topo_sim.collectives.schedule import Schedule, build_schedule
from topo_sim.collectives.step import Step, runs

__all__ = ["SUITED", "bruck", "rotation", "schedules_on_circuits"]

MOST_PAIRS = 2**25
"""Transfers of a rotation, at most: each is kept."""

SUITED = {
    "all_reduce": ("ring", "bidirectional_ring", "halving_doubling", "recursive_doubling"),
    "all_to_all": ("rotation", "bruck"),
    "all_gather": ("ring", "recursive_doubling", "bruck"),
    "reduce_scatter": ("ring", "recursive_halving", "bruck"),
}
"""What is tried where nothing is named; for other collectives, all algorithms that ranks do alone."""


def rotation(ranks: int, size: float, ports: int = 1) -> Schedule:
    """All-to-all by rotating permutations, as many at once as a rank has ports.

    Parameters
    ----------
    ranks : int
    size : float, B
        What one rank holds to send, a p-th of it for every rank.
    ports : int

    Returns
    -------
    Schedule
        ``ceil((p - 1) / ports)`` steps. The shifts come in pairs there and back (1, -1, 2, -2, ...), which
        loads both ways round of a static ring alike.

    Raises
    ------
    CollectiveError
        If the ranks, the size or the ports cannot be used.

    Examples
    --------
    >>> schedule = rotation(6, 6e6, ports=2)
    >>> schedule
    <Schedule: all_to_all/rotation, ports=2, 6 ranks, 5.722 MiB, 3 steps, 30 messages>
    >>> schedule.steps[0].target.tolist()
    [1, 2, 3, 4, 5, 0, 5, 0, 1, 2, 3, 4]
    """
    whole = build_schedule("all_to_all", "bruck", ranks, size)  # checks ranks and size
    _check_ports(ports)
    if whole.ranks**2 > MOST_PAIRS:
        raise CollectiveError(
            f"rotation: found {whole.ranks:,} ranks, expected at most {MOST_PAIRS:,} pairs of them; "
            'use "bruck" instead'
        )
    half = np.arange(1, ranks // 2 + 1)
    order = np.stack([half, -half], axis=1).ravel()[: ranks - 1]
    steps = [_together(ranks, order[i : i + ports]) for i in range(0, ranks - 1, ports)]
    return Schedule(
        whole.collective, "rotation", ranks, whole.size, whole.chunks, tuple(steps), {"ports": ports}
    )


def bruck(ranks: int, size: float, radix: int = 2, ports: int = 1) -> Schedule:
    """All-to-all by Bruck's algorithm, as many values of a digit at once as a rank has ports.

    Parameters
    ----------
    ranks : int
    size : float, B
        What one rank holds to send, a p-th of it for every rank.
    radix : int
        Base of the digits of a distance.
    ports : int

    Returns
    -------
    Schedule
        ``ceil((radix - 1) / ports)`` steps a digit. With radix ports + 1 that is one step a digit.

    Raises
    ------
    CollectiveError
        If the ranks, the size, the radix or the ports cannot be used.

    Examples
    --------
    >>> bruck(81, 81.0, radix=3, ports=2)
    <Schedule: all_to_all/bruck, radix=3, ports=2, 81 ranks, 81 B, 4 steps, 648 messages>
    """
    whole = build_schedule("all_to_all", "bruck", ranks, size, radix=radix)
    _check_ports(ports)
    steps: list[Step] = []
    left = list(whole.steps)
    unit = 1
    while left:
        digit = sum(value * unit < ranks for value in range(1, radix))
        steps += [_merged(left[i : min(i + ports, digit)]) for i in range(0, digit, ports)]
        left, unit = left[digit:], unit * radix
    options = {"radix": radix} | ({"ports": ports} if ports > 1 else {})
    return Schedule(whole.collective, "bruck", ranks, whole.size, whole.chunks, tuple(steps), options)


def _merged(steps: Sequence[Step]) -> Step:
    """Run steps at once."""
    if len(steps) == 1:
        return steps[0]

    def lists() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        each = [step.chunks() for step in steps]
        lengths = np.concatenate([np.diff(indptr) for indptr, _ in each])
        return np.append(0, np.cumsum(lengths)), np.concatenate([ids for _, ids in each])

    source, target, fraction = (
        np.concatenate([getattr(step, name) for step in steps]) for name in ("source", "target", "fraction")
    )
    alike = np.ptp(fraction) == 0
    return Step(source, target, fraction[0] if alike else fraction, False, lists)


def _radices(ranks: int, ports: int) -> list[int]:
    """Bases worth trying: powers of two up to 32, and those that give every port a value of a digit."""
    return sorted(r for r in {2, 4, 8, 16, 32, ports + 1, 2 * ports + 1} if r == 2 or r < ranks)


def _check_ports(ports: object) -> None:
    if isinstance(ports, bool) or not isinstance(ports, int) or ports < 1:
        raise CollectiveError(f"ports: found {ports!r}, expected a whole number of at least 1")


def _together(ranks: int, shifts: NDArray[np.int64]) -> Step:
    rank = np.arange(ranks)
    target = ((rank + shifts[:, np.newaxis]) % ranks).ravel()
    source = np.tile(rank, len(shifts))
    return Step(source, target, 1 / ranks, False, runs(lambda: source * ranks + target))


def schedules_on_circuits(
    collective: str, ranks: int, ports: int, algorithms: Sequence[str] | None = None
) -> list[Schedule]:
    """Build the schedules that are tried for a collective, of size 0.

    Parameters
    ----------
    collective : str
    ranks : int
    ports : int
        Of a rank.
    algorithms : sequence of str, optional
        Names in ``ALGORITHMS[collective]``, and "rotation" for all-to-all. Default: those in `SUITED`
        that are defined for so many ranks.

    Returns
    -------
    list of Schedule

    Raises
    ------
    UnknownNameError, UsageError
        If there is no such collective or algorithm.
    CollectiveError
        If an algorithm that is named cannot run on so many ranks, or combines in switches.

    Examples
    --------
    >>> [schedule.algorithm for schedule in schedules_on_circuits("all_gather", 6, 1)]
    ['ring', 'bruck']
    """
    COLLECTIVES[collective]
    entries = ALGORITHMS[collective]
    alone = tuple(name for name, one in entries.items() if not one.switches)

    def plain(name: str) -> Callable[[], list[Schedule]]:
        return lambda: [build_schedule(collective, name, ranks, 0.0)]

    builders = {name: plain(name) for name in entries}
    if collective == "all_to_all":
        builders["rotation"] = lambda: [rotation(ranks, 0.0, ports)]
        builders["bruck"] = lambda: [bruck(ranks, 0.0, radix, ports) for radix in _radices(ranks, ports)]
    if algorithms is not None:
        for name in algorithms:
            if name not in builders:
                raise UsageError(f'algorithm: found "{name}": {nearest(name, builders)}')
        return [schedule for name in dict.fromkeys(algorithms) for schedule in builders[name]()]
    made: list[Schedule] = []
    refused = CollectiveError(f"{collective}: found no algorithm for circuits")
    for name in SUITED.get(collective, alone):
        try:
            made += builders[name]()
        except CollectiveError as error:  # not for so many ranks
            refused = error
    if not made:
        raise refused
    return made
