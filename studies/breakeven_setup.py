"""What a break-even study runs on: options, and the hardware of a file where an option is not given."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from topo_sim.base import UsageError
from topo_sim.collectives.reconfiguration import Circuits
from topo_sim.optics.circuit_hardware import CircuitHardware
from topo_sim.studies.breakeven import DELTAS
from topo_sim.topo import Fabric

__all__ = ["BreakEvenSetup", "set_up_breakeven"]

HINT = "; --any-matching assumes such, with the ports of the file"


@dataclass(frozen=True)
class BreakEvenSetup:
    """What a break-even study runs on; made by `set_up_breakeven`.

    Parameters
    ----------
    circuits : Circuits
    ranks : int
    base : str, Fabric or None
        What is set when the collective begins.
    against : tuple of Fabric
        The fabric as the file sets it, where it is the base: any algorithm may run on it.
    deltas : tuple of float, s
    own : bool
        Whether circuits may change.
    assumed_any : bool
        Whether any matching is assumed where the wiring does not set it.
    """

    circuits: Circuits
    ranks: int
    base: str | Fabric | None
    against: tuple[Fabric, ...]
    deltas: tuple[float, ...]
    own: bool
    assumed_any: bool


def set_up_breakeven(
    hardware: CircuitHardware | None = None,
    *,
    ranks: int | None = None,
    ports: int | None = None,
    rate: float | None = None,
    alpha: float = 1e-6,
    hop: float | None = None,
    hidden: float = 0.0,
    base: str | None = None,
    deltas: Sequence[float] = (),
    named: bool = False,
    any_matching: bool = False,
) -> BreakEvenSetup:
    """Put together what a break-even study runs on.

    Parameters
    ----------
    hardware : CircuitHardware, optional
        Of a file or a switch.
    ranks, ports, rate, alpha, hop, hidden
        As in `Circuits`. Default: the hardware's, else 64 ranks of 1 port, 100 GB/s in all, 500 ns.
    base : str, optional
        "file", "none", or a name in `topo_sim.collectives.reconfiguration.BASES`. Default: "file" where a
        file sets circuits for these ranks and ports, else "ring".
    deltas : sequence of float, s
        Default: the hardware's reconfiguration time, with `DELTAS` beside it unless `named`.
    named : bool
        Whether a switch or a level was asked for.
    any_matching : bool
        Assume switches that set any matching.

    Returns
    -------
    BreakEvenSetup

    Raises
    ------
    UsageError
        If the hardware turns through fixed matchings, has no circuits to begin with and cannot be set to any
        matching, or the base is not there.

    Notes
    -----
    Circuits are changed only where the switches take any matching: the plans set each step's own one. Where
    they do not, the circuits of the file stay, and what other configurations would bring is not said.

    Examples
    --------
    >>> from topo_sim.topo.files import load_topology
    >>> from topo_sim.optics.circuit_hardware import circuit_hardware
    >>> found = set_up_breakeven(circuit_hardware(load_topology("lite-circuits-1024")))
    >>> found.circuits.ports, found.base.ranks, found.own
    (8, 1024, False)
    """
    given = CircuitHardware("", 0, 1, 100e9, 5e-7) if hardware is None or not hardware.rate else hardware
    total = given.rate * given.ports if rate is None else rate
    circuits = Circuits(
        given.ports if ports is None else ports,
        total,
        alpha,
        0.0,
        given.hop if hop is None else hop,
        hidden,
    )
    count = (given.ranks or 64) if ranks is None else ranks
    plain = (ports, rate, hop) == (None, None, None) and ranks in (None, given.ranks)
    fabric = _as_set(given, plain, base)
    limited = hardware is not None and bool(hardware.limit) and not any_matching
    if limited and hardware is not None and (fabric is None or hardware.sets == "cycle"):
        hardware.require_any(HINT)
    start: str | Fabric | None = fabric if fabric is not None else None if base == "none" else base or "ring"
    own = () if hardware is None or hardware.reconfiguration is None else (hardware.reconfiguration,)
    times = tuple(deltas) or (own if named else (*DELTAS, *own))
    return BreakEvenSetup(
        circuits,
        count,
        start,
        () if fabric is None else (fabric,),
        times,
        not limited,
        any_matching and hardware is not None and bool(hardware.limit),
    )


def _as_set(hardware: CircuitHardware, plain: bool, base: str | None) -> Fabric | None:
    """Take the circuits of the file for the base, where it has some and they fit what is asked for."""
    if base not in (None, "file"):
        return None
    fabric = hardware.fabric
    there = fabric is not None and fabric.family != "rotor" and fabric.links > 0
    if fabric is not None and there:  # cables beside the circuits belong to no port
        out = np.bincount(fabric.link_source, fabric.capacity, len(fabric.kind))[fabric.endpoints]
        there = float(out.max()) <= hardware.rate * hardware.ports * (1 + 1e-9)
    if fabric is not None and there and plain:
        return replace(fabric, name=f"{fabric.name} as set")
    if base == "file":
        what = (
            "other ranks, ports, rates or delays than the file's"
            if there
            else "no circuits that fill its ports"
        )
        raise UsageError(f"--base file: found {what}, expected a file with circuits, as it is")
    return None
