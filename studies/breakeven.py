"""Break-even: which plan wins at which size and reconfiguration time, and where another takes over."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.collectives import COLLECTIVES, Schedule
from topo_sim.collectives.reconfiguration import (
    CircuitProfile,
    Circuits,
    Configuration,
    PlanLine,
    circuit_bound,
    circuit_profiles,
    plan_lines,
)
from topo_sim.optics.circuit_hardware import CircuitHardware
from topo_sim.studies.best import Progress, check_sizes, profiles
from topo_sim.studies.breakeven_map import BreakEven, SizeLines
from topo_sim.topo import Fabric

__all__ = ["DELTAS", "SIZES", "breakeven", "circuits_of"]

SIZES = (2.0**16, 2.0**20, 2.0**24, 2.0**28, 2.0**30)
"""Sizes where none are asked for, B."""

DELTAS = (4e-9, 4e-6, 20e-6, 1.2e-3)
"""Reconfiguration times where none are asked for, s: nanosecond lasers, fast and rotor switches, MEMS."""


def circuits_of(fabric: Fabric, alpha: float = 1e-6, hidden: float = 0.0) -> Circuits:
    """Give every endpoint of a fabric circuit ports in place of its cables.

    Parameters
    ----------
    fabric : Fabric
        The endpoint with the fewest links and the one with the least capacity set ports and rate; the
        slowest link between endpoint and neighbour the delay of a light path.
    alpha : float, s
    hidden : float

    Returns
    -------
    Circuits

    Raises
    ------
    UsageError
        If an endpoint has no links.

    Examples
    --------
    >>> from topo_sim.topo import circuit_switched
    >>> found = circuits_of(circuit_switched(16, 4, bandwidth="50 GB/s"))
    >>> found.ports, found.rate, found.hop
    (4, 200000000000.0, 5e-07)
    """
    ends = fabric.endpoints
    count = np.bincount(fabric.link_source, minlength=len(fabric.kind))[ends]
    rate = np.bincount(fabric.link_source, fabric.capacity, len(fabric.kind))[ends]
    if not count.all():
        raise UsageError(f"{fabric.name}: found an endpoint without links, expected one or more at each")
    leaving = np.isin(fabric.link_source, ends)
    hop = float(fabric.latency[leaving].max())
    return Circuits(int(count.min()), float(rate.min()), alpha, 0.0, hop, hidden)


def breakeven(
    collective: str = "all_reduce",
    ranks: int = 64,
    circuits: Circuits | None = None,
    sizes: Sequence[float] = SIZES,
    deltas: Sequence[float] = DELTAS,
    *,
    algorithms: Sequence[str] | None = None,
    base: str | Configuration | Fabric | None = "ring",
    against: Sequence[Fabric] = (),
    own: bool = True,
    hardware: CircuitHardware | None = None,
    assumed_any: bool = False,
    per_octave: int = 0,
    progress: Progress | None = None,
) -> BreakEven:
    """Find out when reconfiguring pays: the best plan at every size and reconfiguration time.

    Parameters
    ----------
    collective : str
    ranks : int
    circuits : Circuits, optional
        Ports of every rank; its reconfiguration time is not looked at.
    sizes : sequence of float, B
    deltas : sequence of float, s
        Reconfiguration times.
    algorithms : sequence of str, optional
        Over the circuits. Default: those that suit them.
    base : str, Configuration, Fabric or None
        What is set when the collective begins, and stays at no cost ("ring" or "bidirectional_ring").
    against : sequence of Fabric
        Fabrics without circuits, of as many endpoints or more, where the fastest algorithm of all is taken.
        Alpha is the same as over circuits: for every round of as many messages as the circuits have ports.
    own : bool
        Whether circuits may change; otherwise the base stays.
    hardware, assumed_any
        What was read from a file, kept for the result.
    per_octave : int
        So many more sizes for every doubling, for a picture.
    progress : callable, optional
        Called with (done, total, what).

    Returns
    -------
    BreakEven

    Raises
    ------
    UsageError, UnknownNameError, CollectiveError
        If something is asked for that there is not, or a number cannot be used.

    Notes
    -----
    For each size the least time over all plans is concave and piecewise linear in the reconfiguration time;
    all of its lines are found (`topo_sim.collectives.reconfiguration.plan_lines`), so what is said between
    the times that were asked for, and where one plan takes over from another, is exact.

    Examples
    --------
    All-reduce of 1 MB over 64 ranks: the static ring takes 145.69 us; on circuits halving and doubling takes
    31.69 us and 11 changes, so it pays below 114 / 11 = 10.36 us.

    >>> two = ["ring", "halving_doubling"]
    >>> found = breakeven("all_reduce", 64, sizes=[1e6], deltas=[1e-6, 20e-6], algorithms=two)
    >>> found.winners(found.asked[0])
    ['halving_doubling on circuits', 'ring on the static ring']
    >>> round(found.asked[0].crossover * 1e6, 2)
    10.36
    """
    COLLECTIVES[collective]
    given = Circuits() if circuits is None else circuits
    wanted, times = check_sizes(sizes), _check_deltas(deltas)
    solved = circuit_profiles(collective, ranks, given, algorithms=algorithms, base=base, own=own)
    dense = _dense(wanted, per_octave)
    every = np.unique(np.concatenate([wanted, dense]))
    packet = {fabric.name: _packet(fabric, collective, ranks, given, every, progress) for fabric in against}
    bound = circuit_bound(collective, ranks, given)
    lines: dict[float, SizeLines] = {}
    for i, size in enumerate(every.tolist()):
        if progress:
            progress(i, len(every), f"{collective}: sizes")
        others = [PlanLine(cost[i][0], 0.0, 0, name) for name, cost in packet.items()]
        found = _lines(solved, size, others)
        bounds = {name: cost[i][1] for name, cost in packet.items()}
        lines[size] = SizeLines(size, tuple(found), bound.time(size), bounds)
    name = base if isinstance(base, str) else getattr(base, "name", "")
    return BreakEven(
        collective=collective,
        ranks=ranks,
        circuits=given,
        base=name.replace("_", " "),
        deltas=times,
        asked=tuple(lines[size] for size in wanted.tolist()),
        dense=tuple(lines[size] for size in dense.tolist()),
        against=tuple(fabric.name for fabric in against),
        tried=tuple(profile.schedule.label for profile in solved),
        own=own,
        hardware=hardware,
        assumed_any=assumed_any,
    )


def _lines(solved: Sequence[CircuitProfile], size: float, others: Sequence[PlanLine]) -> list[PlanLine]:
    found = plan_lines(solved, size, others)
    return [a for a, b in pairwise(found) if a.waits > b.waits] + found[-1:]


def _packet(
    fabric: Fabric,
    collective: str,
    ranks: int,
    circuits: Circuits,
    sizes: NDArray[np.float64],
    progress: Progress | None,
) -> list[tuple[float, float]]:
    """Time and lower bound of the fastest algorithm on a fabric without circuits, at every size.

    A round of messages takes alpha as it does over circuits.
    """
    found = profiles(fabric, collective, ranks=ranks, progress=progress)
    starts = [circuits.alpha * _rounds(profile.schedule, circuits.ports) for profile in found]
    least = []
    for size in sizes.tolist():
        times = [profile.time(size) + start for profile, start in zip(found, starts, strict=True)]
        best = int(np.argmin(times))
        floor = found[best].bound.time(size) + min(circuits.alpha, starts[best])
        least.append((times[best], floor))
    return least


def _rounds(schedule: Schedule, ports: int) -> int:
    """Count the rounds of messages in all steps: those of the busiest rank over its ports, rounded up."""
    rounds = 0
    for step in schedule.steps:
        own = step.source[step.source < schedule.ranks]
        rounds += step.repeat * -(-int(np.bincount(own, minlength=1).max()) // ports)
    return rounds


def _check_deltas(deltas: Sequence[float]) -> NDArray[np.float64]:
    array = np.unique(np.asarray(deltas, dtype=np.float64))
    if array.size == 0 or not np.isfinite(array).all() or array[0] < 0:
        raise UsageError(f"deltas: found {list(deltas)!r}, expected finite numbers of seconds of 0 or more")
    return array


def _dense(sizes: NDArray[np.float64], per_octave: int) -> NDArray[np.float64]:
    """Sizes between the least and the most, so many for each doubling."""
    some = sizes[sizes > 0]
    if not per_octave or not some.size:
        return np.zeros(0)
    low, high = (some[0] / 2, some[-1] * 2) if some[0] == some[-1] else (some[0], some[-1])
    count = max(2, round(float(np.log2(high / low)) * per_octave) + 1)
    grid: NDArray[np.float64] = np.geomspace(low, high, count)
    return grid
