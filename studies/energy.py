"""The energy of traffic on a fabric: of a demand, of a collective, of uniform traffic."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from topo_sim.base import TopoSimError, UsageError
from topo_sim.base.files import LEVELS, Range
from topo_sim.collectives import CostProfile, Router
from topo_sim.optics.power import Energy, FabricPower, fabric_power
from topo_sim.optics.site import read_site
from topo_sim.topo.demands import make_demand
from topo_sim.topo.files import Topology
from topo_sim.topo.loads import link_loads

__all__ = ["NetworkPower", "Traffic", "collective_energy", "demand_energy", "network_power"]


@dataclass(frozen=True, eq=False)
class Traffic:
    """Traffic on a fabric, and the energy it takes.

    Parameters
    ----------
    name, algorithm : str
        Of the demand or collective; the algorithm is empty for demands, whose routing is named instead.
    routing : str
    size : float or None, B
        Of the collective, as nccl-tests counts it.
    rate : float, B/s
        Delivered, all endpoints together.
    time, lower_bound : float or None, s
        Of the collective.
    energy : Energy
        Of the collective, or of a second of the demand.
    """

    name: str
    algorithm: str
    routing: str
    size: float | None
    rate: float
    time: float | None
    lower_bound: float | None
    energy: Energy

    def row(self) -> dict[str, Any]:
        """Flat dictionary with units in the keys.

        Returns
        -------
        dict
        """
        per_bit = self.energy.per_bit
        return {
            "traffic": self.name,
            "algorithm": self.algorithm or None,
            "routing": self.routing,
            "size_B": self.size,
            "time_s": self.time,
            "lower_bound_s": self.lower_bound,
            "delivered_B_per_s": self.rate,
            "energy_J": self.energy.total.typical if self.time is not None else None,
            "static_share": self.energy.idle_share,
            **{
                f"energy_per_bit_{level}_J_per_b": None if per_bit is None else per_bit.at(level)
                for level in LEVELS
            },
        }


def demand_energy(
    power: FabricPower,
    demand: str | Path,
    routing: str | None = None,
    *,
    share: float = 1.0,
    seed: int = 0,
) -> Traffic:
    """Find the energy of a bit of a demand, sent at a share of its throughput.

    Parameters
    ----------
    power : FabricPower
    demand : str or Path
        As `make_demand` takes it.
    routing : str, optional
        Default: the fabric's own.
    share : float
        Of the throughput that the routing gives, above 0, at most 1.
    seed : int

    Returns
    -------
    Traffic
        Of a second.

    Raises
    ------
    TopoSimError
        If there is no such demand or routing, or the share is out of bounds.

    Examples
    --------
    Through one switch at full rate: two links of 5.625 pJ/b, 9.28 of switch, two SerDes of 1.41.

    >>> from topo_sim.topo.files import load_topology
    >>> topology = load_topology("lite-flat-switch")
    >>> found = demand_energy(fabric_power(topology.fabric, read_site(topology)), "all_to_all")
    >>> round(found.energy.per_bit.typical * 1e12, 2)
    23.36
    """
    if isinstance(share, bool) or not 0 < share <= 1:
        raise UsageError(f"load: found {share!r}, expected more than 0 and at most 1 where traffic is sent")
    fabric = power.fabric
    used = routing or fabric.routing
    made = make_demand(fabric, demand, seed=seed)
    load = link_loads(fabric, made, used, seed=seed)
    if not load.any():
        raise UsageError(f"{fabric.name}: found no traffic between endpoints, expected some in {made.name}")
    with np.errstate(divide="ignore"):
        rate = share * float(np.min(fabric.capacity / load))
    delivered = rate * made.total
    return Traffic(
        made.name, "", used, None, delivered, None, None, power.energy(load * rate, 1.0, delivered)
    )


def collective_energy(power: FabricPower, profile: CostProfile, size: float) -> Traffic:
    """Find the energy of a collective: what its bytes move, and static power for as long as it takes.

    Parameters
    ----------
    power : FabricPower
        Of the profile's fabric.
    profile : CostProfile
    size : float, B

    Returns
    -------
    Traffic
        Delivered are the least bytes that all ranks together must send (for an all-reduce of n bytes by p
        ranks 2 (p - 1) n), whatever the algorithm sends: what an algorithm sends twice costs, and
        counts once.

    Raises
    ------
    UsageError
        If the profile is of another fabric.
    """
    if profile.fabric is not power.fabric:
        raise UsageError(f"found a profile of {profile.fabric.name}, expected one of {power.fabric.name}")
    collective, ranks = profile.schedule.collective, profile.schedule.ranks
    cost = profile.at(size)
    delivered = collective.sent(ranks) * size if ranks > 1 else 0.0
    energy = power.energy(profile.busy * profile.fabric.capacity * size, cost.time, delivered)
    rate = delivered / cost.time if cost.time > 0 else 0.0
    label = profile.schedule.algorithm
    return Traffic(
        collective.name, label, profile.routing, float(size), rate, cost.time, cost.lower_bound, energy
    )


@dataclass(frozen=True)
class NetworkPower:
    """Two numbers of a fabric, for comparisons: its power, and the energy of a bit.

    Parameters
    ----------
    total : Range or None, W
        At full load; None where it is not known.
    energy_per_bit : Range or None, J/b
        Of uniform traffic at the throughput of the routing; None where that is not known.
    unknown : str
        Why a number is not known; empty where both are.
    """

    total: Range | None
    energy_per_bit: Range | None
    unknown: str = ""

    def row(self, h100_equivalents: float | None) -> dict[str, Any]:
        """Flat dictionary with units in the keys; what is not known is None.

        Parameters
        ----------
        h100_equivalents : float or None
            To share the power among.

        Returns
        -------
        dict
        """
        total, bit = self.total, self.energy_per_bit
        each = total.typical / h100_equivalents if total is not None and h100_equivalents else None
        return {
            **{f"power_{level}_W": None if total is None else total.at(level) for level in LEVELS},
            "power_per_h100_W": each,
            **{f"energy_per_bit_{level}_J_per_b": None if bit is None else bit.at(level) for level in LEVELS},
        }


def network_power(topology: Topology, router: Router) -> NetworkPower:
    """Find power at full load, and the energy of a bit of uniform traffic, if the file's media are known.

    Parameters
    ----------
    topology : Topology
    router : Router
        Whose routing spreads the traffic.

    Returns
    -------
    NetworkPower

    Examples
    --------
    >>> from topo_sim.topo.files import load_topology
    >>> topology = load_topology("lite-torus")
    >>> round(network_power(topology, Router(topology.fabric)).total.typical)
    1948
    """
    try:
        power = fabric_power(topology.fabric, read_site(topology))
    except TopoSimError as error:
        return NetworkPower(None, None, str(error).splitlines()[0])
    try:
        traffic = demand_energy(power, "all_to_all", router.routing, seed=router.seed)
    except TopoSimError as error:  # no traffic, or none that the routing can carry
        return NetworkPower(power.total(), None, str(error).splitlines()[0])
    return NetworkPower(power.total(), traffic.energy.per_bit)
