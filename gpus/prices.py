"""What parts of a GPU package cost: records of `costs.yaml` and of the user's files."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Annotated

from topo_sim.base.errors import UnknownNameError, UsageError
from topo_sim.base.files import Range, Ranged, Record, read_catalogue, suggest
from topo_sim.base.registry import nearest
from topo_sim.gpus.catalogue import Gpu
from topo_sim.gpus.yields import MOST_DEFECTS

__all__ = ["Bill", "LinkPrice", "Prices", "Process", "load_prices"]

_Money = Annotated[Range, Ranged("money")]
_Yield = Annotated[Range, Ranged("share", most=1.0, above=True)]
_Share = Annotated[Range, Ranged("share", most=1.0)]
_Factor = Annotated[Range, Ranged("number", least=1.0)]


class Process(Record):
    """A process: what a wafer costs, and how many defects it has."""

    nodes: tuple[str, ...]
    wafer: Annotated[Range, Ranged("money", above=True)]
    defect_density: Annotated[Range, Ranged("defect density", most=MOST_DEFECTS)]


class LinkPrice(Record):
    """What a link medium costs at one end, per Gb/s and direction."""

    per_gbps: _Money


class Bill(Record):
    """Prices and yields of everything around the dies."""

    hbm_per_gb: _Money
    hbm_footprint: Annotated[Range, Ranged("area", above=True)]
    interposer_wafer: _Money
    interposer_margin: _Factor
    substrate_per_cm2: _Money
    substrate_margin: _Factor
    test_and_assembly: _Money
    reference_area: Annotated[Range, Ranged("area", above=True)]
    fixed_share: _Share
    placement_yield: _Yield
    final_test: _Yield
    air_per_watt: _Money
    liquid_per_watt: _Money
    liquid_above: Annotated[Range, Ranged("power")]


@dataclass(frozen=True)
class Prices:
    """All prices: by process, by link medium, and of the rest.

    Examples
    --------
    >>> prices = load_prices()
    >>> from topo_sim.gpus.catalogue import load_gpus
    >>> prices.process(load_gpus()["a100"]).name
    'n7'
    """

    processes: Mapping[str, Process]
    links: Mapping[str, LinkPrice]
    bills: Mapping[str, Bill]

    def process(self, gpu: Gpu) -> Process:
        """Return the process that a GPU is made in.

        Raises
        ------
        UnknownNameError
            If no process lists the node.
        UsageError
            If the record names none.
        """
        if not gpu.process:
            raise UsageError(f"{gpu.name}: found no process, expected one for the cost of its dies")
        wanted = gpu.process.casefold()
        for process in self.processes.values():
            if wanted in (process.name.casefold(), *(node.casefold() for node in process.nodes)):
                return process
        nodes = list(dict.fromkeys(node for process in self.processes.values() for node in process.nodes))
        raise UnknownNameError(
            f'{gpu.name}: no prices for the process "{gpu.process}": {suggest(gpu.process, nodes)} '
            "(or add it to a file with processes:)"
        )

    def link(self, gpu: Gpu) -> LinkPrice:
        """Return the price of the medium that a GPU's links are made of.

        Raises
        ------
        UnknownNameError
            If there is none.
        UsageError
            If the record names none.
        """
        if not gpu.medium:
            raise UsageError(f"{gpu.name}: found no medium, expected one for the cost of its links")
        if gpu.medium not in self.links:
            near = nearest(gpu.medium, self.links)
            raise UnknownNameError(f'{gpu.name}: no price for links of "{gpu.medium}": {near}')
        return self.links[gpu.medium]

    def bill(self, name: str = "today") -> Bill:
        """Return the prices of the rest, by name.

        Raises
        ------
        UnknownNameError
            If there is none.
        """
        if name not in self.bills:
            raise UnknownNameError(f'unknown bill "{name}": {nearest(name, self.bills)}')
        return self.bills[name]


def load_prices(files: Iterable[str | PathLike[str]] = ()) -> Prices:
    """Read prices.

    Parameters
    ----------
    files : iterable of path
        Of the user: with any of `processes:`, `links:` and `bills:`.

    Returns
    -------
    Prices

    Raises
    ------
    FaultsError
        With every fault of the first file that has any.

    Examples
    --------
    >>> load_prices().bill().hbm_per_gb.typical
    15.0
    """
    sections: dict[str, type[Record]] = {"processes": Process, "links": LinkPrice, "bills": Bill}
    found = read_catalogue(sections, "topo_sim.gpus", "costs.yaml", files)
    return Prices(
        {name: each for name, each in found["processes"].items() if isinstance(each, Process)},
        {name: each for name, each in found["links"].items() if isinstance(each, LinkPrice)},
        {name: each for name, each in found["bills"].items() if isinstance(each, Bill)},
    )
