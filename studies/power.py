"""The power of fabrics by part, and the energy of a bit of traffic on them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from topo_sim.base.files import LEVELS, Range
from topo_sim.collectives import COLLECTIVES, Router
from topo_sim.optics.ends import PARTS
from topo_sim.optics.power import FabricPower, fabric_power
from topo_sim.optics.site import read_site
from topo_sim.studies.best import check_sizes, profiles
from topo_sim.studies.energy import Traffic, collective_energy, demand_energy
from topo_sim.studies.loading import load_all
from topo_sim.topo.files import Topology

__all__ = ["PowerReport", "measure_power"]

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class PowerReport:
    """Power of one fabric.

    Parameters
    ----------
    name, description : str
    h100_equivalents : float or None
        Compute of all its endpoints, in H100s, where its file states it.
    load : float
    level : {"low", "typical", "high"}
    power : FabricPower
    traffic : tuple of Traffic
    """

    name: str
    description: str
    h100_equivalents: float | None
    load: float
    level: str
    power: FabricPower
    traffic: tuple[Traffic, ...]

    @property
    def endpoints(self) -> int:
        """Number of endpoints."""
        return self.power.fabric.ranks

    @property
    def total(self) -> Range:
        """Power at the load, W."""
        return self.power.total(self.load)

    @property
    def watts(self) -> dict[str, float]:
        """By part, at load and level, W."""
        return self.power.watts(self.load, self.level)

    def rows(self) -> list[dict[str, Any]]:
        """One flat row, or one for each piece of traffic.

        Returns
        -------
        list of dict
        """
        total = self.total
        row: dict[str, Any] = {
            "fabric": self.name,
            "endpoints": self.endpoints,
            "h100_equivalents": self.h100_equivalents,
            "load": self.load,
            "level": self.level,
            **{f"{part.replace(' ', '_')}_W": value for part, value in self.watts.items()},
            "total_W": total.at(self.level),
            **{f"total_{level}_W": total.at(level) for level in LEVELS},
            "per_endpoint_W": total.at(self.level) / self.endpoints,
            "per_h100_W": total.at(self.level) / self.h100_equivalents if self.h100_equivalents else None,
            "idle_W": self.power.total(0.0).at(self.level),
        }
        return [row | each.row() for each in self.traffic] or [row]

    def to_dict(self) -> dict[str, Any]:
        """Nested dictionary with units in the keys.

        Returns
        -------
        dict
        """
        power, found = self.power, self.rows()[0]
        circuit = power.circuit_switches
        keys = ("fabric", "endpoints", "h100_equivalents", "load", "level", "per_endpoint_W", "per_h100_W")
        return {
            **{key: found[key] for key in keys},
            "description": self.description,
            "parts_W": {
                level: dict(zip(PARTS, power.at(self.load)[:, i].tolist(), strict=True))
                for i, level in enumerate(LEVELS)
            },
            "total_W": _levels(self.total),
            "idle_W": _levels(power.total(0.0)),
            "packet_switch": power.packet_switch or None,
            "switches": [
                {
                    "count": each.count,
                    "ports": each.ports,
                    "capacity_B_per_s": each.capacity,
                    "devices_each": each.devices,
                    "full_load_each_W": _levels(each.power),
                }
                for each in power.switches
            ],
            "circuit_switches": None
            if circuit is None
            else {
                "device": circuit.device,
                "in_the_fabric": circuit.nodes,
                "devices": circuit.devices,
                "ports_used": circuit.ports_used,
                "ports_of_a_device": circuit.ports,
                "each_W": None if circuit.power is None else _levels(circuit.power),
            },
            "links": [
                {
                    "medium": each.medium,
                    "from": each.source,
                    "to": each.target,
                    "through_circuit_switch": each.circuit,
                    "count": each.count,
                    "capacity_B_per_s": each.capacity,
                    "static_W": _levels(each.static),
                    "full_load_W": _levels(each.full),
                }
                for each in power.links
            ],
            "notes": list(power.notes),
            "traffic": [
                each.row() | {"parts_J": {level: each.energy.parts(level) for level in LEVELS}}
                for each in self.traffic
            ],
        }


def _levels(value: Range) -> dict[str, float]:
    return {level: value.at(level) for level in LEVELS}


def _collectives(
    power: FabricPower, name: str, sizes: Sequence[float], routing: str | None, seed: int
) -> list[Traffic]:
    router = Router(power.fabric, routing, seed)
    found = profiles(power.fabric, name, router=router, sizes=np.asarray(sizes))
    return [collective_energy(power, min(found, key=lambda p, n=n: p.time(n)), n) for n in sizes]  # type: ignore[misc]


def _report(topology: Topology, options: Mapping[str, Any]) -> PowerReport:
    site, device = read_site(topology), options["circuit_switch"]
    if device is not None:
        site = replace(site, circuit_switch=site.optics.circuit_switch(device))
    fabric, each = topology.fabric, topology.h100_equivalents
    power = fabric_power(fabric, site, packet_switch=options["packet_switch"], medium=options["medium"])
    routing, seed = options["routing"], options["seed"]
    traffic: list[Traffic] = []
    if options["demand"] is not None:
        share = options["load"]
        traffic.append(demand_energy(power, options["demand"], routing, share=share, seed=seed))
    if options["collective"] is not None:
        traffic += _collectives(power, options["collective"], options["sizes"], routing, seed)
    return PowerReport(
        name=fabric.name,
        description=topology.description or "",
        h100_equivalents=each * fabric.ranks if each is not None else None,
        load=options["load"],
        level=options["level"],
        power=power,
        traffic=tuple(traffic),
    )


def measure_power(
    references: Sequence[str],
    *,
    load: float = 1.0,
    level: str = "typical",
    demand: str | Path | None = None,
    collective: str | None = None,
    sizes: Sequence[float] = (2.0**30,),
    routing: str | None = None,
    packet_switch: str | None = None,
    circuit_switch: str | None = None,
    medium: str | None = None,
    seed: int = 0,
    parameters: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> list[PowerReport]:
    """Find the power of fabrics, and the energy of traffic on them.

    Parameters
    ----------
    references : sequence of str
        Topology files or shipped names, each with ``@key=value`` if wanted.
    load : float
        Share of line rate on all links, 0 to 1; of its throughput for a demand.
    level : {"low", "typical", "high"}
    demand : str or Path, optional
    collective : str, optional
        By its fastest algorithm at each size.
    sizes : sequence of float, B
    routing : str, optional
        Of traffic. Default: each fabric's own.
    packet_switch, circuit_switch, medium : str, optional
        Records to take for all switches or links. Default: as the files say.
    seed : int
        Of demands that draw and of hashed routings.
    parameters : mapping, optional
        Values for parameters of the files.
    progress : callable, optional
        Called with (done, total, what).

    Returns
    -------
    list of PowerReport

    Raises
    ------
    TopoSimError
        If a file, name or number cannot be used.

    Examples
    --------
    >>> [round(report.total.typical) for report in measure_power(["lite-torus", "lite-flat-switch"])]
    [1948, 5381]
    """
    Range(0.0, 0.0, 0.0).at(level)
    if collective is not None:
        COLLECTIVES[collective]
    options = {
        "load": load, "level": level, "demand": demand, "collective": collective,
        "sizes": check_sizes(sizes).tolist(), "routing": routing, "packet_switch": packet_switch,
        "circuit_switch": circuit_switch, "medium": medium, "seed": seed,
    }  # fmt: skip
    found = []
    topologies = load_all(references, parameters)
    for i, topology in enumerate(topologies):
        if progress:
            progress(i, len(topologies), topology.name)
        found.append(_report(topology, options))
    return found
