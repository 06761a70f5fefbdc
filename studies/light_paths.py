"""Loss budgets of light paths: of one medium, or of those in a fabric."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from topo_sim.base import UsageError
from topo_sim.base.files import LEVELS, Faults, extend
from topo_sim.base.files.reading import parse
from topo_sim.optics import Budget, CircuitSwitch, Medium, Optics, link_budget, load_optics, most_passes
from topo_sim.optics.cabling import lay_cables
from topo_sim.optics.site import read_site
from topo_sim.topo.files import Topology

__all__ = ["LightPath", "budget_of", "budgets_of_file"]

HOPS = 4


@dataclass(frozen=True)
class LightPath:
    """A budget, and what more passes of the circuit switch would make of it.

    Parameters
    ----------
    budget : Budget
    switch : str
        That of `hops`.
    hops : list of Budget
        With 0, 1, 2, ... passes.
    survives : dict from level to int or None
        Most passes at which the budget closes; None where it does not close without one.
    links : int
        Links of a fabric that are such paths; 0 where there is no fabric.
    reach : float, m
        Of the medium, typical.
    """

    budget: Budget
    switch: str
    hops: list[Budget]
    survives: dict[str, int | None]
    links: int = 0
    reach: float = math.inf

    @property
    def beyond_reach(self) -> bool:
        """Whether the path is longer than its medium is made for, whatever light arrives."""
        return self.budget.length > self.reach * (1 + 1e-9)

    def to_dict(self) -> dict[str, Any]:
        """Everything, with units in the keys.

        Returns
        -------
        dict
        """
        hops = [
            {
                "passes": each.passes,
                "slack_dB": {level: each.slack().at(level) for level in LEVELS},
                "laser_needed_dBm": each.laser_needed(),
                "laser_factor": each.laser_factor(),
            }
            for each in self.hops
        ]
        about: dict[str, Any] = {"reach_m": self.reach, "beyond_reach": self.beyond_reach}
        about |= {"links": self.links, "hops_switch": self.switch, "survives_passes": dict(self.survives)}
        return self.budget.to_dict() | about | {"hops": hops}

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per term and level.

        Returns
        -------
        list of dict
        """
        budget, rows = self.budget, []
        for level in LEVELS:
            before: float | None = None
            steps = [*budget.waterfall(level), ("slack", budget.slack().at(level))]
            for name, power in steps:
                loss = before - power if before is not None and name != "slack" else None
                before = power
                rows.append(
                    {
                        "medium": budget.medium,
                        "circuit_switch": budget.switch,
                        "passes": budget.passes,
                        "length_m": budget.length,
                        "level": level,
                        "term": name,
                        "loss_dB": loss,
                        "power_dBm": None if name == "slack" else power,
                        "slack_dB": power if name == "slack" else None,
                    }
                )
        return rows


def _path(medium: Medium, switch: CircuitSwitch, length: float, passes: int, links: int = 0) -> LightPath:
    budget = link_budget(medium, length=length, switch=switch, passes=passes)
    if switch.loss is None:
        if passes:
            raise UsageError(f"{switch.name}: loss: found no value, expected one for a loss budget")
        return LightPath(budget, switch.name, [budget], {}, links, medium.reach.typical)
    hops = [link_budget(medium, length=length, switch=switch, passes=n) for n in range(max(HOPS, passes) + 1)]
    survives = {level: most_passes(medium, switch, length=length, level=level) for level in LEVELS}
    return LightPath(budget, switch.name, hops, survives, links, medium.reach.typical)


def _changed(optics: Optics, name: str, terms: Mapping[str, str], switch: str, loss: str | None) -> Optics:
    """Change fields of a medium and the loss of a switch, as the options give them."""
    empty = next((key for key, value in terms.items() if not value.strip()), None)
    if empty is not None:
        raise UsageError(f"--term: found {empty}= without a value, expected one, for example '{empty}=2 dB'")
    faults = Faults("--term")
    given = {name: {key: parse(value, faults) for key, value in terms.items()}}
    media = extend(optics.media, given, Medium, (), faults) if terms else optics.media
    faults.stop()
    faults = Faults("--loss")
    lossy = {switch: {"loss": loss}}
    circuit = optics.circuit_switches
    switches = circuit if loss is None else extend(circuit, lossy, CircuitSwitch, (), faults)
    faults.stop()
    return Optics(media, switches, optics.packet_switches)


def budget_of(
    medium: str,
    *,
    switch: str | None = None,
    passes: int | None = None,
    length: float = 20.0,
    terms: Mapping[str, str] | None = None,
    loss: str | None = None,
    files: Sequence[str] = (),
) -> LightPath:
    """Make the loss budget of a medium.

    Parameters
    ----------
    medium : str
    switch : str, optional
        A circuit switch. Default: none is passed; the generic one shows what more passes would do.
    passes : int, optional
        Default: 1 where there is a switch or its loss.
    length : float, m
        Of fibre.
    terms : mapping from str to str, optional
        Fields of the medium to change, as in a catalogue.
    loss : str, optional
        Of the switch, per pass. A path that is said to pass none refuses it.
    files : sequence of str
        Of the user, over what ships.

    Returns
    -------
    LightPath

    Raises
    ------
    UsageError, UnknownNameError, FaultsError
        If a name, a term or a file is not good.

    Examples
    --------
    >>> found = budget_of("cpo", switch="piezo", terms={"laser": "12 dBm"})
    >>> round(found.budget.slack().typical, 3), found.survives["typical"]
    (1.631, 1)
    """
    optics = load_optics(files)
    optics.medium(medium)
    through = optics.circuit_switch("generic" if switch is None else switch)
    optics = _changed(optics, medium, terms or {}, through.name, loss)
    if loss is not None and passes == 0:
        raise UsageError(f"loss: found {loss} of a circuit switch that is passed 0 times, expected no loss")
    count = int(switch is not None or loss is not None) if passes is None else passes
    return _path(optics.medium(medium), optics.circuit_switch(through.name), length, count)


def budgets_of_file(topology: Topology) -> list[LightPath]:
    """Make the loss budgets of the light paths of a fabric, the longest of each medium.

    Parameters
    ----------
    topology : Topology

    Returns
    -------
    list of LightPath
        Those without a circuit switch first.

    Raises
    ------
    UsageError
        If nothing in the fabric has a loss budget.
    FaultsError
        If what the file says of light is not good.

    Examples
    --------
    >>> from topo_sim.topo.files import load_topology
    >>> [(p.budget.medium, p.budget.switch, p.links) for p in budgets_of_file(load_topology("lite-circuits"))]
    [('cpo', 'piezo', 2048)]
    """
    site, fabric = read_site(topology), topology.fabric
    cabling = lay_cables(fabric, site.plan)
    paths = []
    for through in (False, True):
        links = (cabling.circuit >= 0) == through
        for i in np.unique(fabric.medium[links]).tolist():
            medium = site.optics.media.get(fabric.media[i])
            if medium is None or not medium.has_budget:
                continue
            mine = links & (fabric.medium == i)
            length = site.fibre if site.plan is None else float(cabling.length[mine].max())
            passes = site.passes if through else 0
            paths.append(_path(medium, site.circuit_switch, length, passes, int(mine.sum())))
    if not paths:
        media = ", ".join(fabric.media)
        raise UsageError(f"{topology.name}: found links of {media}, expected one with a loss budget")
    return paths
