"""Policies of reconfiguration side by side, at every size and reconfiguration time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from topo_sim.base import CollectiveError, UsageError
from topo_sim.collectives.reconfiguration import (
    POLICIES,
    Circuits,
    Configuration,
    ReconfigurationPlan,
    circuit_profiles,
    plan_collective,
)
from topo_sim.optics.circuit_hardware import CircuitHardware
from topo_sim.studies.best import Progress, check_sizes
from topo_sim.topo import Fabric

__all__ = ["BEST", "PolicyPlans", "compare_policies"]

BEST = "best"
"""The better of "optimal" and, where ranks have two ports or more, "overlap"."""


@dataclass(frozen=True)
class PolicyPlans:
    """The best plan of each policy at every size and reconfiguration time.

    Parameters
    ----------
    collective : str
    ranks : int
    circuits : Circuits
    base : str
        What is set when it begins; empty: nothing.
    policies : tuple of str
    sizes : tuple of float, B
    deltas : tuple of float, s
    plans : dict from (policy, size, delta) to ReconfigurationPlan
    refused : dict from str to str
        Policies that cannot run, and why.
    hardware : CircuitHardware, optional
    assumed_any : bool
        Whether any matching is assumed where the wiring does not set it.
    """

    collective: str
    ranks: int
    circuits: Circuits
    base: str
    policies: tuple[str, ...]
    sizes: tuple[float, ...]
    deltas: tuple[float, ...]
    plans: dict[tuple[str, float, float], ReconfigurationPlan]
    refused: dict[str, str]
    hardware: CircuitHardware | None = None
    assumed_any: bool = False

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per size, policy and reconfiguration time.

        Returns
        -------
        list of dict
            As of `ReconfigurationPlan.to_dict`, with what was asked for.
        """
        return [
            {"asked_policy": policy, "delta_s": delta} | plan.to_dict()
            for (policy, _, delta), plan in self.plans.items()
        ]

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
            "hardware": None if self.hardware is None else self.hardware.to_dict(),
            "assumed_any_matching": self.assumed_any,
            "refused": dict(self.refused),
            "plans": self.rows(),
        }


def compare_policies(
    collective: str,
    ranks: int,
    circuits: Circuits,
    sizes: Sequence[float],
    deltas: Sequence[float],
    policies: Sequence[str],
    *,
    algorithms: Sequence[str] | None = None,
    base: str | Configuration | Fabric | None = "ring",
    own: bool = True,
    hardware: CircuitHardware | None = None,
    assumed_any: bool = False,
    progress: Progress | None = None,
) -> PolicyPlans:
    """Plan a collective by several policies, each with the algorithm that suits it best.

    Parameters
    ----------
    collective : str
    ranks : int
    circuits : Circuits
        Its reconfiguration time is not looked at.
    sizes : sequence of float, B
    deltas : sequence of float, s
    policies : sequence of str
        Names in `POLICIES`, or "best".
    algorithms, base, own
        As in `topo_sim.collectives.reconfiguration.circuit_profiles`.
    hardware, assumed_any
        Kept for the result.
    progress : callable, optional
        Called with (done, total, what).

    Returns
    -------
    PolicyPlans

    Raises
    ------
    UsageError, UnknownNameError, CollectiveError
        If a number cannot be used, there is no such policy, or none of them can run.

    Examples
    --------
    Eight steps of 1.5 us, seven changes of 4 us and 30 / 16 of 1 MB at 100 GB/s: 58.75 us where all planes
    change at once; planes that change in turn hide some of that.

    >>> four, own = Circuits(ports=4, hop=5e-7), ["halving_doubling"]
    >>> found = compare_policies("all_reduce", 16, four, [1e6], [4e-6], ["always", "overlap"], algorithms=own)
    >>> always, overlap = (row["time_s"] * 1e6 for row in found.rows())
    >>> round(always, 2), overlap < always
    (58.75, True)
    """
    names = list(dict.fromkeys(policies))
    for name in names:
        if name != BEST:
            POLICIES[name]
    times = np.unique(np.asarray(deltas, dtype=np.float64))
    if not times.size or not np.isfinite(times).all() or times[0] < 0:
        raise UsageError(f"deltas: found {list(deltas)!r}, expected finite numbers of seconds of 0 or more")
    wanted = check_sizes(sizes).tolist()
    solved = circuit_profiles(collective, ranks, circuits, algorithms=algorithms, base=base, own=own)
    plans: dict[tuple[str, float, float], ReconfigurationPlan] = {}
    refused: dict[str, str] = {}
    for i, (size, name) in enumerate((size, name) for size in wanted for name in names):
        if progress:
            progress(i, len(wanted) * len(names), f"{collective}: {name}")
        for delta in times.tolist():
            try:
                (plans[name, size, delta],) = plan_collective(
                    collective,
                    ranks,
                    [size],
                    replace(circuits, reconfiguration=delta),
                    policy=None if name == BEST else name,
                    profiles=solved,
                )
            except CollectiveError as error:
                refused[name] = str(error)
    if not plans:
        raise CollectiveError(next(iter(refused.values())))
    label = base if isinstance(base, str) else getattr(base, "name", "")
    return PolicyPlans(
        collective,
        ranks,
        circuits,
        label.replace("_", " "),
        tuple(names),
        tuple(wanted),
        tuple(times.tolist()),
        plans,
        refused,
        hardware,
        assumed_any,
    )
