"""The best plan of a collective over circuits, among algorithms, at every size."""

from collections.abc import Sequence
from dataclasses import replace

from topo_sim.base import CollectiveError, UsageError
from topo_sim.collectives.reconfiguration.circuits import Circuits
from topo_sim.collectives.reconfiguration.configurations import Configuration
from topo_sim.collectives.reconfiguration.plan import ReconfigurationPlan
from topo_sim.collectives.reconfiguration.policies import POLICIES
from topo_sim.collectives.reconfiguration.profile import CircuitProfile, circuit_profile
from topo_sim.collectives.reconfiguration.schedules import schedules_on_circuits
from topo_sim.topo import Fabric

__all__ = ["circuit_profiles", "plan_collective"]


def circuit_profiles(
    collective: str,
    ranks: int,
    circuits: Circuits,
    *,
    algorithms: Sequence[str] | None = None,
    base: str | Configuration | Fabric | None = "ring",
    candidates: Sequence[Configuration | Fabric] = (),
    own: bool = True,
) -> list[CircuitProfile]:
    """Solve all algorithms that suit a collective over circuits, for all sizes and reconfiguration times.

    Parameters
    ----------
    collective : str
    ranks : int
    circuits : Circuits
    algorithms, base, candidates
        As in `plan_collective`.
    own : bool
        Whether the matched configuration of every step can be set; see `circuit_profile`.

    Returns
    -------
    list of CircuitProfile
        An algorithm that no configuration can carry, or with too many steps and configurations to keep (a
        rotation of more than 4,000 ranks), is left out, unless it was named.

    Raises
    ------
    UnknownNameError, UsageError, CollectiveError
        As `plan_collective` does.

    Examples
    --------
    >>> [profile.schedule.label for profile in circuit_profiles("all_to_all", 4, Circuits())]
    ['rotation(ports=1)', 'bruck(radix=2)', 'bruck(radix=3)']
    """
    found: list[CircuitProfile] = []
    refused = ""
    for schedule in schedules_on_circuits(collective, ranks, circuits.ports, algorithms):
        try:
            found.append(circuit_profile(schedule, circuits, base=base, candidates=candidates, own=own))
        except CollectiveError as error:
            if algorithms is not None:
                raise
            refused = str(error)
    if not found:
        raise CollectiveError(refused)
    return found


def plan_collective(
    collective: str,
    ranks: int,
    sizes: Sequence[float],
    circuits: Circuits,
    *,
    algorithms: Sequence[str] | None = None,
    policy: str | None = None,
    base: str | Configuration | Fabric | None = "ring",
    candidates: Sequence[Configuration | Fabric] = (),
    profiles: Sequence[CircuitProfile] | None = None,
) -> tuple[ReconfigurationPlan, ...]:
    """Plan a collective over circuits: the algorithm and the reconfigurations that take the least time.

    Parameters
    ----------
    collective : str
    ranks : int
    sizes : sequence of float, B
    circuits : Circuits
    algorithms : sequence of str, optional
        Default: those in `topo_sim.collectives.reconfiguration.SUITED`.
    policy : str, optional
        A name in `POLICIES`. Default: the better of "optimal" and "overlap".
    base : str, Configuration, Fabric or None
        What is set when the collective begins; see `circuit_profile`.
    candidates : sequence of Configuration or Fabric
        To choose from as well.
    profiles : sequence of CircuitProfile, optional
        From `circuit_profiles` over the same circuits, whose reconfiguration time may differ: that of
        `circuits` holds.

    Returns
    -------
    tuple of ReconfigurationPlan
        One per size.

    Raises
    ------
    UnknownNameError, UsageError
        If there is no such collective, algorithm or policy, or a number cannot be used.
    CollectiveError
        If no algorithm runs on so many ranks, or no configuration carries it.

    Examples
    --------
    At 20 us per change, more bytes are worth more changes:

    >>> plans = plan_collective("all_to_all", 64, [1e5, 1e9], Circuits(reconfiguration=20e-6))
    >>> [(plan.algorithm, plan.reconfigurations) for plan in plans]
    [('bruck(radix=2)', 1), ('rotation(ports=1)', 62)]
    """
    if isinstance(sizes, (int, float)):
        raise UsageError(f"sizes: found {sizes!r}, expected a list of sizes")
    asked = [policy] if policy is not None else ["optimal", "overlap"]
    for name in asked:
        POLICIES[name]
    if profiles is None:
        profiles = circuit_profiles(
            collective, ranks, circuits, algorithms=algorithms, base=base, candidates=candidates
        )
    else:
        _check_same(profiles, circuits)
    return tuple(_best(profiles, size, asked, circuits.reconfiguration) for size in sizes)


def _check_same(profiles: Sequence[CircuitProfile], circuits: Circuits) -> None:
    for profile in profiles:
        if replace(profile.circuits, reconfiguration=circuits.reconfiguration) != circuits:
            raise UsageError(
                f"profiles: found {profile.schedule.label} solved for {profile.circuits}, expected "
                f"{circuits} but for its reconfiguration time"
            )


def _best(
    profiles: Sequence[CircuitProfile], size: float, policies: Sequence[str], reconfiguration: float
) -> ReconfigurationPlan:
    best: ReconfigurationPlan | None = None
    refused: CollectiveError | None = None
    for profile in profiles:
        for policy in policies:
            if policy == "overlap" and len(policies) > 1 and profile.circuits.ports == 1:
                continue  # one plane cannot carry and switch
            try:
                plan = profile.plan(size, policy, reconfiguration)
            except CollectiveError as error:
                refused = error
                continue
            if best is None or plan.time < best.time * (1 - 1e-12):
                best = plan
    if best is None:
        raise refused or CollectiveError("profiles: found none, expected at least one")
    return best
