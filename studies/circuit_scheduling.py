"""Schedules of circuits for a demand: every scheduler beside its bound, also over the time of a change."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.optics.circuit_hardware import CircuitHardware
from topo_sim.optics.scheduling import (
    SCHEDULERS,
    Problem,
    Scheduled,
    direct_bound,
    relayed_bound,
    schedule_demand,
)
from topo_sim.topo import Fabric, single_switch
from topo_sim.topo.demands import make_demand

__all__ = ["CircuitSchedules", "DeltaSweep", "schedule_circuits", "sweep_delta"]

Progress = Callable[[int, int, str], None]

BYTES_OF_NAMES = 64 * 2**20
MOST_RANKS = 2048
DELTA = 20e-6
"""Time of a change where neither it nor a switch is named, s: a rotor switch."""

CYCLIC = ("rotor", "rotor_vlb", "opera")
"""Schedulers that turn through fixed matchings."""


@dataclass(frozen=True)
class CircuitSchedules:
    """One demand under several schedulers.

    Parameters
    ----------
    fabric, demand : str
        Names.
    problem : Problem
    schedules : list of Scheduled
    options : mapping from str to mapping
        Options given, by scheduler.
    hardware : CircuitHardware, optional
        What a file, or the name of a switch, says.
    assumed_any : bool
        Whether any matching is assumed where the wiring does not set it.
    """

    fabric: str
    demand: str
    problem: Problem
    schedules: list[Scheduled]
    options: Mapping[str, Mapping[str, float]]
    hardware: CircuitHardware | None = None
    assumed_any: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Summary with units in the keys.

        Returns
        -------
        dict
        """
        p = self.problem
        return {
            "fabric": self.fabric,
            "demand": self.demand,
            "ranks": p.ranks,
            "demand_B": float(p.bytes.sum()),
            "busiest_line_B": p.busiest,
            "most_peers": p.peers,
            "rate_B_per_s": p.rate,
            "delta_s": p.delta,
            "planes": p.planes,
            "packet_rate_B_per_s": p.packet_rate,
            "stop": p.stop,
            "first_free": p.first_free,
            "bound_direct_s": direct_bound(p),
            "bound_with_relays_s": relayed_bound(p),
            "hardware": None if self.hardware is None else self.hardware.to_dict(),
            "assumed_any_matching": self.assumed_any,
            "schedules": [one.to_dict() for one in self.schedules],
        }

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per scheduler.

        Returns
        -------
        list of dict
        """
        found = []
        for one in self.schedules:
            row = one.to_dict()
            certificate = row.pop("certificate")
            row.pop("options")
            found.append(row | certificate)
        return found


@dataclass(frozen=True)
class DeltaSweep:
    """Makespans against the time of a change.

    Parameters
    ----------
    schedules : CircuitSchedules
        At the time asked for.
    deltas : ndarray of float64, shape (points,), s
    makespans : dict from str to ndarray of float64, shape (points,), s
        By scheduler.
    direct, relayed : ndarray of float64, shape (points,), s
        Bounds for direct circuits, and with relays.
    """

    schedules: CircuitSchedules
    deltas: NDArray[np.float64]
    makespans: dict[str, NDArray[np.float64]]
    direct: NDArray[np.float64]
    relayed: NDArray[np.float64]


def _fabric(fabric: Fabric | None, ranks: int | None) -> Fabric:
    if (fabric is None) == (ranks is None):
        raise UsageError("found both or neither of a fabric and a number of ranks, expected one of them")
    found = fabric if fabric is not None else single_switch(ranks or 1)
    if found.ranks > MOST_RANKS:
        raise UsageError(f"{found.name}: found {found.ranks:,} ranks, expected at most {MOST_RANKS:,}")
    return found


def _circuits(
    fabric: Fabric | None,
    hardware: CircuitHardware | None,
    planes: int | None,
    rate: float | None,
    delta: float | None,
) -> tuple[int, float, float]:
    """Planes, rate and time of a change: what is asked for, else what the hardware has."""
    known = DELTA if hardware is None or hardware.reconfiguration is None else hardware.reconfiguration
    time = known if delta is None else delta
    if hardware is not None and hardware.rate:
        # A file without circuit switches gives its cables as one plane.
        count = planes or (1 if hardware.sets == "none" else hardware.ports)
        own = hardware.rate * (hardware.ports / count)
        return count, own if rate is None else rate, time
    count = planes or 1
    if rate is None and fabric is not None:
        if fabric.family == "rotor":
            raise UsageError(f"{fabric.name}: found links that are a mean over time, expected its hardware")
        out = np.bincount(fabric.link_source, fabric.capacity, minlength=len(fabric.kind))[fabric.endpoints]
        rate = float(out.min()) / count
    return count, 50e9 if rate is None else rate, time


def _schedulers(
    hardware: CircuitHardware | None,
    asked: Sequence[str] | None,
    any_matching: bool,
    options: Mapping[str, float],
) -> tuple[list[str], dict[str, float]]:
    """Schedulers that the switches can follow, and options, with the slot of the file."""
    names, given = list(dict.fromkeys(asked or SCHEDULERS)), dict(options)
    for name in names:
        SCHEDULERS[name]  # an unknown name is an error before any work
    if hardware is None or any_matching or not hardware.limit:
        return names, given
    if hardware.sets != "cycle":
        hardware.require_any("; --any-matching assumes such, with the ports of the file")
    if wrong := [name for name in asked or () if name not in CYCLIC]:
        raise UsageError(
            f"{hardware.name}: {hardware.limit}, found scheduler {wrong[0]}, expected {', '.join(CYCLIC)}; "
            "--any-matching assumes switches that set any matching"
        )
    names = [name for name in names if name in CYCLIC]
    if hardware.slot is not None and not any(key.rpartition(".")[2] == "slot" for key in given):
        given["slot"] = hardware.slot
    return names, given


def _by_scheduler(names: Sequence[str], options: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Hand each option, ``name`` or ``scheduler.name``, to the schedulers that have it."""
    found: dict[str, dict[str, float]] = {name: {} for name in names}
    for key, value in options.items():
        owner, _, option = key.rpartition(".")
        wanted = [owner] if owner else [name for name in names if option in SCHEDULERS[name].options]
        if not wanted or (owner and owner not in found):
            known = sorted({option for name in names for option in SCHEDULERS[name].options})
            raise UsageError(f'option "{key}": none of the schedulers has it, expected one of {known}')
        for name in wanted:
            found[name][option] = value
    return found


def schedule_circuits(
    fabric: Fabric | None = None,
    demand: str | Path = "experts",
    *,
    ranks: int | None = None,
    size: float | None = None,
    rate: float | None = None,
    delta: float | None = None,
    planes: int | None = None,
    packet_rate: float = 0.0,
    stop: str = "plane",
    first_free: bool = False,
    schedulers: Sequence[str] | None = None,
    options: Mapping[str, float] | None = None,
    seed: int = 0,
    hardware: CircuitHardware | None = None,
    any_matching: bool = False,
    progress: Progress | None = None,
) -> CircuitSchedules:
    """Serve a demand with circuits by several schedulers.

    Parameters
    ----------
    fabric : Fabric, optional
        Whose endpoints have the demand. Its own links do not matter.
    demand : str or Path
        A name in ``topo_sim.topo.demands.DEMANDS``, or a ``.csv`` or ``.npy`` file.
    ranks : int, optional
        In place of a fabric.
    size : float, B, optional
        Of one unit of the demand: what each rank sends in all under demands that have a name. Default:
        64 MiB for those, 1 B for files.
    rate : float, B/s, optional
        Of a circuit. Default: what the hardware's ports carry, or the weakest endpoint of the fabric
        sends, shared out over the planes; 50 GB/s without either.
    delta : float, s, optional
        Time of a change. Default: that of the hardware, else 20 us.
    planes : int, optional
        Default: the ports of the hardware, else 1.
    packet_rate, stop, first_free
        As in `Problem`.
    schedulers : sequence of str, optional
        Names; default: all.
    options : mapping, optional
        Of schedulers, by name or by ``scheduler.name``.
    seed : int
        Of demands that draw.
    hardware : CircuitHardware, optional
        What the circuits run on. Where it turns through fixed matchings, only schedulers that do so run, with
        its slots; where it cannot set any matching, nothing does.
    any_matching : bool
        Assume switches that set any matching, with the ports of the hardware.
    progress : callable, optional
        Called as ``progress(done, total, what)``.

    Returns
    -------
    CircuitSchedules

    Examples
    --------
    >>> found = schedule_circuits(ranks=4, demand="all_to_all", size=3e6, delta=1e-6, rate=1e9)
    >>> {one.scheduler: round(one.makespan * 1e3, 3) for one in found.schedules}["bvn"]
    3.003
    """
    home = _fabric(fabric, ranks)
    made = make_demand(home, demand, seed=seed)
    named = isinstance(demand, str) and made.name == demand
    unit = (BYTES_OF_NAMES if named else 1.0) if size is None else size
    source, target, amount = made.pairs()
    matrix = np.zeros((made.ranks, made.ranks))
    with np.errstate(over="ignore"):
        matrix[source, target] = amount * unit
    count, speed, change = _circuits(fabric, hardware, planes, rate, delta)
    names, wanted = _schedulers(hardware, schedulers, any_matching, options or {})
    problem = Problem(matrix, speed, change, count, packet_rate, stop, first_free)
    given = _by_scheduler(names, wanted)
    done = []
    for i, name in enumerate(names):
        if progress is not None:
            progress(i, len(names), name)
        done.append(schedule_demand(problem, name, **given[name]))
    label = home.name if fabric is not None else f"{home.ranks} rank{'' if home.ranks == 1 else 's'}"
    assumed = any_matching and hardware is not None and bool(hardware.limit)
    return CircuitSchedules(label, made.name, problem, done, given, hardware, assumed)


def sweep_delta(
    schedules: CircuitSchedules, deltas: Sequence[float] | None = None, *, progress: Progress | None = None
) -> DeltaSweep:
    """Run the same schedulers with other times of a change.

    Parameters
    ----------
    schedules : CircuitSchedules
    deltas : sequence of float, s, optional
        Default: three decades to both sides of what one peer of the busiest rank takes, two per decade.
    progress : callable, optional

    Returns
    -------
    DeltaSweep

    Examples
    --------
    >>> found = schedule_circuits(ranks=4, demand="stencil", schedulers=["bvn"])
    >>> sweep = sweep_delta(found, [0.0, 1.0])
    >>> bool(sweep.makespans["bvn"][1] >= sweep.direct[1] > 2.0)
    True
    """
    p = schedules.problem
    middle = p.busiest / p.rate / max(p.peers, 1) or 1e-6
    points = np.geomspace(middle * 1e-3, middle * 1e3, 13) if deltas is None else np.asarray(deltas)
    problems = [replace(p, delta=float(delta)) for delta in points]
    names = [one.scheduler for one in schedules.schedules]
    makespans = {name: np.zeros(len(points)) for name in names}
    for i, problem in enumerate(problems):
        for k, name in enumerate(names):
            if progress is not None:
                progress(i * len(names) + k, len(problems) * len(names), f"sweep: {name}")
            options = {key: v for key, v in schedules.options[name].items() if key != "slot"}
            makespans[name][i] = schedule_demand(problem, name, **options).makespan
    direct = np.array([direct_bound(problem) for problem in problems])
    relayed = np.array([relayed_bound(problem) for problem in problems])
    return DeltaSweep(schedules, points, makespans, direct, relayed)
