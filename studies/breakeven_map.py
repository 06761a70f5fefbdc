"""What a break-even study gives: the best plans at every size as lines over the reconfiguration time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.collectives.reconfiguration import Circuits, PlanLine
from topo_sim.optics.circuit_hardware import CircuitHardware

__all__ = ["BreakEven", "SizeLines", "families"]


@dataclass(frozen=True)
class SizeLines:
    """The least time at one size, as a function of the reconfiguration time.

    Parameters
    ----------
    size : float, B
    lines : tuple of PlanLine
        The best plans, from the one at a reconfiguration time of 0 on.
    lower_bound : float, s
        Over the ports of the circuits.
    bounds : dict from str to float, s
        Lower bound of each fabric without circuits.

    Examples
    --------
    >>> two = SizeLines(1.0, (PlanLine(1.0, 2.0, 2, "a"), PlanLine(5.0, 0.0, 0, "b")), 0.5, {})
    >>> two.crossover, two.best(np.array([1.0, 3.0])).tolist()
    (2.0, [0, 1])
    """

    size: float
    lines: tuple[PlanLine, ...]
    lower_bound: float
    bounds: dict[str, float]

    @property
    def changes(self) -> list[float]:
        """Reconfiguration times at which one line takes over from the one before, s."""
        return [(b.work - a.work) / (a.waits - b.waits) for a, b in pairwise(self.lines)]

    @property
    def static(self) -> PlanLine | None:
        """The best plan without reconfigurations; None where every plan needs one."""
        return self.lines[-1] if self.lines[-1].reconfigurations == 0 else None

    @property
    def crossover(self) -> float:
        """Reconfiguration time from which on holding still is as fast, s: 0 at once, infinite never."""
        if self.static is None:
            return np.inf
        return self.changes[-1] if len(self.lines) > 1 else 0.0

    def best(self, deltas: NDArray[np.float64]) -> NDArray[np.int64]:
        """Line of the best plan at each reconfiguration time.

        Parameters
        ----------
        deltas : ndarray of float64, shape (D,), s

        Returns
        -------
        ndarray of int64, shape (D,)
        """
        return np.searchsorted(self.changes, deltas, side="right").astype(np.int64)

    def times(self, deltas: NDArray[np.float64]) -> NDArray[np.float64]:
        """Least time at each reconfiguration time.

        Parameters
        ----------
        deltas : ndarray of float64, shape (D,), s

        Returns
        -------
        ndarray of float64, shape (D,), s
        """
        chosen = self.best(deltas)
        work = np.array([line.work for line in self.lines])
        waits = np.array([line.waits for line in self.lines])
        times: NDArray[np.float64] = work[chosen] + waits[chosen] * deltas
        return times

    def bound_of(self, line: PlanLine) -> float:
        """Lower bound of what a line stands for, s.

        Parameters
        ----------
        line : PlanLine

        Returns
        -------
        float
        """
        return self.bounds.get(line.label, self.lower_bound)


@dataclass(frozen=True)
class BreakEven:
    """When reconfiguring pays.

    Parameters
    ----------
    collective : str
    ranks : int
    circuits : Circuits
    base : str
        What stays set at no cost; empty: nothing.
    deltas : ndarray of float64, shape (D,), s
        Reconfiguration times that were asked for.
    asked : tuple of SizeLines
        At the sizes that were asked for.
    dense : tuple of SizeLines
        At sizes that lie closer, for a picture.
    against : tuple of str
        Fabrics without circuits that stood to choice.
    tried : tuple of str
        Algorithms over the circuits that did.
    own : bool
        Whether circuits may change.
    hardware : CircuitHardware, optional
        What was read from a file or a switch.
    assumed_any : bool
        Whether any matching is assumed where the wiring does not set it.
    """

    collective: str
    ranks: int
    circuits: Circuits
    base: str
    deltas: NDArray[np.float64]
    asked: tuple[SizeLines, ...]
    dense: tuple[SizeLines, ...]
    against: tuple[str, ...]
    tried: tuple[str, ...]
    own: bool = True
    hardware: CircuitHardware | None = None
    assumed_any: bool = False

    def family(self, line: PlanLine) -> str:
        """Name a plan for a map: its algorithm without options, and where it runs.

        Parameters
        ----------
        line : PlanLine

        Returns
        -------
        str
        """
        if line.label in self.against:
            return line.label
        name = line.label.split("(")[0]
        return f"{name} on circuits" if line.reconfigurations else f"{name} on the static {self.base}"

    def winners(self, at: SizeLines) -> list[str]:
        """Family of the best plan at each of the reconfiguration times.

        Parameters
        ----------
        at : SizeLines

        Returns
        -------
        list of str
        """
        return [self.family(at.lines[i]) for i in at.best(self.deltas).tolist()]

    def ranges(self, at: SizeLines) -> list[tuple[str, float, float]]:
        """Families in turn, each with the reconfiguration times from and up to which it wins.

        Parameters
        ----------
        at : SizeLines

        Returns
        -------
        list of (str, float, float), s
            The last one has no end: infinite.
        """
        found: list[tuple[str, float, float]] = []
        ends = [0.0, *at.changes, np.inf]
        for line, low, high in zip(at.lines, ends[:-1], ends[1:], strict=True):
            name = self.family(line)
            if found and found[-1][0] == name:
                found[-1] = (name, found[-1][1], high)
            else:
                found.append((name, low, high))
        return found

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per size and reconfiguration time.

        Returns
        -------
        list of dict
        """
        return [row for at in self.asked for row in self._cells(at)]

    def _cells(self, at: SizeLines) -> list[dict[str, Any]]:
        chosen, times = at.best(self.deltas).tolist(), at.times(self.deltas).tolist()
        still = at.static
        rows = []
        for delta, place, time in zip(self.deltas.tolist(), chosen, times, strict=True):
            line = at.lines[place]
            bound = at.bound_of(line)
            rows.append(
                {
                    "collective": self.collective,
                    "ranks": self.ranks,
                    "size_B": at.size,
                    "reconfiguration_s": delta,
                    "winner": self.family(line),
                    "algorithm": line.label,
                    "reconfigurations": line.reconfigurations,
                    "time_s": time,
                    "static": None if still is None else self.family(still),
                    "static_time_s": None if still is None else still.work,
                    "speedup": _ratio(still.work, time) if still is not None else None,
                    "crossover_s": _finite(at.crossover),
                    "lower_bound_s": bound,
                    "fraction_of_bound": _ratio(bound, time),
                    "below_bound": time < bound * (1 - 1e-9),
                }
            )
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Nested dictionary with units in the keys.

        Returns
        -------
        dict
        """
        circuits = self.circuits
        return {
            "collective": self.collective,
            "ranks": self.ranks,
            "ports": circuits.ports,
            "rate_B_per_s": circuits.rate,
            "alpha_s": circuits.alpha,
            "hop_s": circuits.hop,
            "hidden": circuits.hidden,
            "base": self.base,
            "against": list(self.against),
            "tried": list(self.tried),
            "circuits_change": self.own,
            "hardware": None if self.hardware is None else self.hardware.to_dict(),
            "assumed_any_matching": self.assumed_any,
            "sizes": [
                {
                    "size_B": at.size,
                    "crossover_s": _finite(at.crossover),
                    "ranges": [
                        {"winner": name, "from_s": low, "to_s": _finite(high)}
                        for name, low, high in self.ranges(at)
                    ],
                    "cells": self._cells(at),
                }
                for at in self.asked
            ],
        }


def _ratio(above: float, below: float) -> float:
    return above / below if below > 0 else 1.0


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def families(study: BreakEven, sizes: Sequence[SizeLines]) -> list[str]:
    """Families that win somewhere, in the order of reconfiguration times.

    Parameters
    ----------
    study : BreakEven
    sizes : sequence of SizeLines

    Returns
    -------
    list of str
    """
    return list(dict.fromkeys(name for at in sizes for name, _, _ in study.ranges(at)))
