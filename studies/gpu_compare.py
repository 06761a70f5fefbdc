"""GPUs side by side in all that they are bought for: yield, cost, power, cooling, failures."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from topo_sim.base.files import LEVELS, Range
from topo_sim.gpus.catalogue import Gpu
from topo_sim.gpus.cost import Costing
from topo_sim.gpus.power import PowerBook
from topo_sim.gpus.prices import Prices
from topo_sim.gpus.reliability import YEAR, FailureRates, load_failure_rates
from topo_sim.gpus.wafer_map import WaferMap
from topo_sim.gpus.yields import yield_model
from topo_sim.studies.fleets import Fleet, Question, make_fleets
from topo_sim.studies.gpu_cost import CostComparison, compare_costs
from topo_sim.studies.gpu_power import compare_power
from topo_sim.studies.gpu_yield import YieldComparison, compare_yields, die_of, draw_wafers
from topo_sim.studies.power_blocks import PowerQuestion
from topo_sim.studies.power_results import PowerComparison

__all__ = ["Fact", "GpuComparison", "compare_gpus"]

_POLICIES = ("all_on", "gate", "gate_dvfs")


@dataclass(frozen=True)
class Fact:
    """One line of the comparison.

    Parameters
    ----------
    section, name, unit : str
        `unit` is SI or empty.
    values : tuple of Range or None
        One per GPU; None where it has no meaning.
    """

    section: str
    name: str
    unit: str
    values: tuple[Range | None, ...]


@dataclass(frozen=True)
class GpuComparison:
    """GPUs side by side; the first is the reference.

    Parameters
    ----------
    gpus : tuple of Gpu
    facts : tuple of Fact
    yields : YieldComparison
    costs : CostComparison
    power : PowerComparison
    question : Question
        Of the failures.
    fleets : tuple of Fleet
    wafers : tuple of WaferMap
        One draw for each GPU.
    """

    gpus: tuple[Gpu, ...]
    facts: tuple[Fact, ...]
    yields: YieldComparison
    costs: CostComparison
    power: PowerComparison
    question: Question
    fleets: tuple[Fleet, ...]
    wafers: tuple[WaferMap, ...]

    @property
    def reference(self) -> Gpu:
        """The first GPU."""
        return self.gpus[0]

    def rows(self) -> list[dict[str, Any]]:
        """Return a flat row per line and GPU, in SI units."""
        return [
            {
                "section": fact.section,
                "name": fact.name,
                "gpu": gpu.name,
                "unit": fact.unit,
                **{level: value.at(level) for level in LEVELS},
            }
            for fact in self.facts
            for gpu, value in zip(self.gpus, fact.values, strict=True)
            if value is not None
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"reference": self.reference.name, "facts": self.rows()}


def _times(value: Range, factor: float) -> Range:
    return Range(value.low * factor, value.typical * factor, value.high * factor)


def _around(middle: float, ends: Iterable[float]) -> Range:
    """Return a range with its typical value, and ends that hold it."""
    found = [middle, *ends]
    return Range(min(found), middle, max(found))


class _Table:
    """Lines of the comparison as they are worked out."""

    def __init__(self, gpus: Sequence[Gpu], per: Sequence[float]) -> None:
        self.gpus, self.per, self.facts = gpus, per, list[Fact]()

    def add(
        self,
        section: str,
        name: str,
        unit: str,
        values: Iterable[Range | float | None],
        each: Sequence[float] | None = None,
    ) -> None:
        """Add a line, its values multiplied by `each`."""
        found = []
        for i, value in enumerate(values):
            known = Range(value, value, value) if isinstance(value, (int, float)) else value
            found.append(known if known is None or each is None else _times(known, each[i]))
        self.facts.append(Fact(section, name, unit, tuple(found)))


def _package(table: _Table, yields: YieldComparison, power: PowerComparison) -> None:
    """Lines of one package."""
    one, gpus = "one package", table.gpus
    table.add(one, "die area", "m2", [gpu.need("die_area", "the comparison") for gpu in gpus])
    table.add(one, "dies", "", [gpu.dies for gpu in gpus])
    table.add(one, "yield of a die", "", [row.plain for row in yields.rows])
    table.add(one, "yield with salvage", "", [row.salvaged for row in yields.rows])
    table.add(one, "TDP", "W", [gpu.need("tdp", "the comparison") for gpu in gpus])
    full = [_around(package.full["typical"], package.full.values()) for package in power.packages]
    table.add(one, "power in full use", "W", full)
    table.add(one, "TDP over die area", "W/m2", [gpu.power_density for gpu in gpus])
    on_air = [[c for c in power.cooling if (c.gpu, c.cooling) == (gpu.name, "air")] for gpu in gpus]
    for place, label in ((0, "sink by die area"), (-1, "sink of an H100 at least")):
        cooled = [found[place] for found in on_air]
        table.add(one, f"junction on air, {label}", "C", [each.junction for each in cooled])
        table.add(one, f"clock on air, {label}", "", [each.clock for each in cooled])


def _equal(table: _Table, costs: CostComparison, power: PowerComparison) -> None:
    """Lines for the compute of one GPU of the first type."""
    reference, gpus, per = table.gpus[0].name, table.gpus, table.per
    equal, precision = f"the compute of one {reference}", costs.precision
    table.add(equal, "GPUs", "", per)
    table.add(equal, f"compute, {precision}", "FLOP/s", [gpu.peak(precision) for gpu in gpus], per)
    table.add(equal, "memory", "B", [gpu.memory for gpu in gpus], per)
    table.add(equal, "memory bandwidth", "B/s", [gpu.memory_bandwidth for gpu in gpus], per)
    table.add(equal, "network bandwidth", "B/s", [gpu.network_bandwidth for gpu in gpus], per)
    table.add(equal, "edge of dies", "m", [gpu.perimeter for gpu in gpus], per)
    cost = [_around(bill.total(), (bill.spread.p5, bill.spread.p95)) for bill in costs.bills]
    table.add(equal, "cost", "$", cost, per)
    middle = [bill.total() * bill.per_reference / costs.reference.total() for bill in costs.bills]
    ratios = [_around(m, (b.ratio.p5, b.ratio.p95)) for m, b in zip(middle, costs.bills, strict=True)]
    table.add(equal, f"cost over {reference}", "", [None, *ratios[1:]])
    for what, levels in (
        ("power in full use", [package.full for package in power.packages]),
        ("power without work", [package.idle for package in power.packages]),
    ):
        table.add(equal, what, "W", [_around(each["typical"], each.values()) for each in levels], per)


def _many(table: _Table, power: PowerComparison, fleets: Sequence[Fleet], asked: Question) -> None:
    """Lines of days, racks and failures."""
    reference, gpus = table.gpus[0].name, table.gpus
    block = f"{power.question.count:,} {reference} or their compute, load {power.curve.name}"
    for policy in power.question.policies:
        days = [power.day(gpu.name, policy) for gpu in gpus]
        energy = [_around(day.energy["typical"], (day.drawn.p5, day.drawn.p95)) for day in days]
        table.add(block, f"energy a day, {policy}", "J", energy, [3.6e6] * len(gpus))
    racks = [next(each for each in power.cooling if each.gpu == gpu.name).racks for gpu in gpus]
    racked = f"{power.question.racked:,} {reference} or their compute"
    table.add(racked, "racks on air", "", [_around(float(n[1]), map(float, n)) for n in racks])
    silicon = f"the silicon of {asked.count:,} {reference}, groups of {asked.group}"

    def ends(value: Callable[[Fleet], float]) -> list[Range]:
        """Over what is known of each GPU's failure rate: least, by parts (or as given), most."""
        found = []
        for gpu in gpus:
            mine = [fleet for fleet in fleets if fleet.gpu == gpu.name]
            middle = next((f for f in mine if f.end in ("parts", "given")), mine[0])
            found.append(_around(value(middle), map(value, mine)))
        return found

    table.add(silicon, "failures per GPU and year", "", ends(lambda fleet: fleet.cluster.rate * YEAR))
    table.add(silicon, "spares", "", ends(lambda fleet: float(fleet.needed)))
    table.add(silicon, f"spares, in {reference}s", "", ends(lambda fleet: fleet.idle))
    table.add(silicon, "interruptions of a group a year", "", ends(lambda fleet: fleet.interruptions))


def compare_gpus(
    gpus: Sequence[Gpu],
    prices: Prices,
    *,
    power: PowerQuestion | None = None,
    failures: Question | None = None,
    book: PowerBook | None = None,
    rates: FailureRates | None = None,
    known: Mapping[str, Gpu] | None = None,
    precision: str = "bf16",
    model: str = "poisson",
    density: float = 1e3,
    samples: int = 2000,
    seed: int = 0,
    workers: int = 1,
) -> GpuComparison:
    """Compare GPUs in yield, cost, power, cooling and failures.

    Parameters
    ----------
    gpus : sequence of Gpu
        The first is the reference: others are taken in numbers of its compute.
    prices : Prices
    power : PowerQuestion, optional
        Default: one GPU of the first type, the shipped day.
    failures : Question, optional
        Default: 64 GPUs of the first type in groups of 8.
    book : PowerBook, optional
    rates : FailureRates, optional
    known : mapping from str to Gpu, optional
        Default for all three: what ships.
    precision : str
        Whose dense peak makes GPUs equal.
    model : str
        Of yields, in the lines, wafers and bills; as `yield_model` reads it.
    density : float, 1/m2
        Of defects, in the lines of yields and on the wafers; bills take that of the prices.
    samples, seed : int
        Of the draws over ranges, and of the wafers.
    workers : int
        Threads that draw; the answer is the same for any.

    Returns
    -------
    GpuComparison

    Raises
    ------
    UsageError, UnknownNameError
        If there is no GPU, or two alike, or a record lacks something.

    Examples
    --------
    >>> from topo_sim.gpus import load_gpus
    >>> from topo_sim.gpus.prices import load_prices
    >>> found = compare_gpus([load_gpus()[n] for n in ("h100", "lite")], load_prices(), samples=50)
    >>> edge = next(fact for fact in found.facts if fact.name == "edge of dies").values
    >>> round(edge[1].typical / edge[0].typical, 9)
    2.0
    """
    asked = power or PowerQuestion(precision=precision, policies=_POLICIES)
    more: dict[str, Any] = {"samples": samples, "seed": seed, "workers": workers}
    costs = compare_costs(gpus, prices, costing=Costing(yield_model(model)), precision=precision, **more)
    drawn = compare_power(gpus, asked, book=book, known=known, **more)
    dies = [die_of(gpu) for gpu in gpus]
    yields = compare_yields(dies, density, models=[model])
    question = failures or Question()
    fleets = make_fleets(gpus, question, load_failure_rates() if rates is None else rates)
    table = _Table(gpus, [bill.per_reference for bill in costs.bills])
    _package(table, yields, drawn)
    _equal(table, costs, drawn)
    _many(table, drawn, fleets, question)
    return GpuComparison(
        tuple(gpus),
        tuple(table.facts),
        yields,
        costs,
        drawn,
        question,
        tuple(fleets),
        tuple(draw_wafers(dies, density, model, True, seed)),
    )
