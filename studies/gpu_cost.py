"""The bill of GPU packages: at three levels, drawn over all ranges, and one input at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.base.files import LEVELS, Range
from topo_sim.gpus.catalogue import Gpu, find_gpu
from topo_sim.gpus.cost import LINES, Costing, cheap_end, cost_inputs, die_cost, package_bill, salvage_of
from topo_sim.gpus.prices import Prices
from topo_sim.gpus.uncertainty import draw

__all__ = ["CostComparison", "GpuBill", "Spread", "Swing", "compare_costs", "with_changes"]

Array = NDArray[np.float64]
_PERCENTILES = (5, 50, 95)


@dataclass(frozen=True)
class Spread:
    """What draws over all ranges gave.

    Parameters
    ----------
    mean, error : float
        Mean, and half of its 95 % confidence interval.
    p5, p50, p95 : float
        Percentiles of the draws.
    """

    mean: float
    error: float
    p5: float
    p50: float
    p95: float

    @classmethod
    def of(cls, draws: Array) -> "Spread":
        """Summarise draws."""
        error = 1.96 * float(draws.std(ddof=1)) / draws.size**0.5 if draws.size > 1 else float("nan")
        return cls(float(draws.mean()), error, *(float(v) for v in np.percentile(draws, _PERCENTILES)))

    def to_dict(self, unit: str = "") -> dict[str, float]:
        """Plain data, with a unit for the keys."""
        return {f"{key}{unit}": getattr(self, key) for key in ("mean", "error", "p5", "p50", "p95")}


@dataclass(frozen=True)
class Swing:
    """What one input does, all others typical.

    Parameters
    ----------
    name : str
    value : Range
    ratio : tuple of float
        Cost over the reference's, per compute, with the input low and high.
    cost : tuple of float, $
        Of one package, likewise.
    """

    name: str
    value: Range
    ratio: tuple[float, float]
    cost: tuple[float, float]


@dataclass(frozen=True)
class GpuBill:
    """The bill of one GPU.

    Parameters
    ----------
    gpu : Gpu
    per_reference : float
        GPUs of this type that have the compute of the reference.
    lines : mapping from level to mapping from line to float, $
        Of one package.
    spread : Spread, $
        Of one package.
    ratio : Spread
        Cost of the compute of one reference, over the reference's.
    die_ratio, die_ratio_plain : Spread
        The same for the dies alone, as sold and if every defect lost its die.
    die_ratio_typical : tuple of float
        Both with all inputs typical.
    swings : tuple of Swing
        Largest swing of the ratio first; of the cost, for the reference itself.
    notes : tuple of str
        What the bill leaves out.
    """

    gpu: Gpu
    per_reference: float
    lines: Mapping[str, Mapping[str, float]]
    spread: Spread
    ratio: Spread
    die_ratio: Spread
    die_ratio_plain: Spread
    die_ratio_typical: tuple[float, float]
    swings: tuple[Swing, ...]
    notes: tuple[str, ...] = ()

    def total(self, level: str = "typical") -> float:
        """Cost of one package at a level, $."""
        return sum(self.lines[level].values())

    def rows(self) -> list[dict[str, Any]]:
        """Flat rows: a line of the bill at a level each."""
        return [
            {
                "gpu": self.gpu.name,
                "level": level,
                "line": line,
                "cost_usd": self.lines[level][line],
                "cost_per_reference_usd": self.lines[level][line] * self.per_reference,
            }
            for level in LEVELS
            for line in LINES
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, units in the keys."""
        return {
            "gpu": self.gpu.name,
            "gpus_per_reference": self.per_reference,
            "lines_usd": {level: dict(lines) for level, lines in self.lines.items()},
            "total_usd": {level: self.total(level) for level in LEVELS},
            "drawn": self.spread.to_dict("_usd"),
            "ratio": self.ratio.to_dict(),
            "die_ratio": self.die_ratio.to_dict(),
            "die_ratio_without_salvage": self.die_ratio_plain.to_dict(),
            "inputs": [
                {
                    "input": swing.name,
                    "low": swing.value.low,
                    "typical": swing.value.typical,
                    "high": swing.value.high,
                    "mark": swing.value.mark,
                    "source": swing.value.source,
                    "ratio_low": swing.ratio[0],
                    "ratio_high": swing.ratio[1],
                    "cost_low_usd": swing.cost[0],
                    "cost_high_usd": swing.cost[1],
                }
                for swing in self.swings
            ],
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class CostComparison:
    """Bills of several GPUs; the first is the reference.

    Parameters
    ----------
    bills : tuple of GpuBill
    precision : str
        Whose dense peak says how many GPUs have the compute of the reference.
    samples : int
    costing : Costing
    """

    bills: tuple[GpuBill, ...]
    precision: str
    samples: int
    costing: Costing

    @property
    def reference(self) -> GpuBill:
        """The first bill."""
        return self.bills[0]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, units in the keys."""
        return {
            "reference": self.reference.gpu.name,
            "precision": self.precision,
            "samples": self.samples,
            "yield_model": self.costing.model.label,
            "salvage": self.costing.salvage,
            "dies_per_wafer_by": self.costing.count,
            "gpus": [bill.to_dict() for bill in self.bills],
        }


def _total(gpu: Gpu, prices: Prices, values: Mapping[str, Any], costing: Costing) -> Any:
    return sum(package_bill(gpu, prices, values, costing).values())


class _Case:
    """What every GPU of one comparison is costed with."""

    def __init__(self, gpus: Sequence[Gpu], prices: Prices, bill: str, costing: Costing) -> None:
        self.gpus, self.prices, self.costing = gpus, prices, costing
        self.plain = Costing(costing.model, False, costing.count, costing.wafer)
        self.inputs = cost_inputs(gpus, prices, prices.bill(bill))
        self.typical = {name: value.typical for name, value in self.inputs.items()}

    def at(self, level: str) -> dict[str, float]:
        """Every input at its end that makes the bill of a level."""
        return {name: value.at(cheap_end(name, level)) for name, value in self.inputs.items()}

    def swings(self, gpu: Gpu, per_reference: float) -> tuple[Swing, ...]:
        """Move one input at a time."""
        reference, found = self.gpus[0], []
        for name, value in self.inputs.items():
            if value.exact:
                continue
            ends = [self.typical | {name: end} for end in (value.low, value.high)]
            cost = [float(_total(gpu, self.prices, each, self.costing)) for each in ends]
            base = [float(_total(reference, self.prices, each, self.costing)) for each in ends]
            ratio = [per_reference * c / b for c, b in zip(cost, base, strict=True)]
            found.append(Swing(name, value, (ratio[0], ratio[1]), (cost[0], cost[1])))
        key = "cost" if gpu is reference else "ratio"
        return tuple(sorted(found, key=lambda s: -abs(getattr(s, key)[1] - getattr(s, key)[0])))


def _notes(gpu: Gpu, costing: Costing) -> tuple[str, ...]:
    notes = []
    if gpu.other_silicon:
        area = gpu.other_silicon.typical * 1e6
        notes.append(f"{gpu.name}: {area:g} mm2 of dies that are no compute dies are not in its bill")
    if costing.salvage and salvage_of(gpu) is None:
        notes.append(f"{gpu.name}: nothing known of SMs that may be broken, so every defect loses a die")
    return tuple(notes)


def _bill(case: _Case, gpu: Gpu, precision: str, drawn: Mapping[str, Array], base: Array) -> GpuBill:
    reference, prices, costing = case.gpus[0], case.prices, case.costing
    per = reference.peak(precision).typical / gpu.peak(precision).typical
    dies = per * gpu.dies.typical / reference.dies.typical

    def die_ratio(values: Mapping[str, Any], how: Costing) -> Any:
        return dies * die_cost(gpu, prices, values, how) / die_cost(reference, prices, values, how)

    def one(value: Any) -> Array:
        return np.broadcast_to(np.asarray(value, dtype=np.float64), base.shape)

    total = one(_total(gpu, prices, drawn, costing))
    lines = {
        level: {
            line: float(value) for line, value in package_bill(gpu, prices, case.at(level), costing).items()
        }
        for level in LEVELS
    }
    return GpuBill(
        gpu,
        per,
        lines,
        Spread.of(total),
        Spread.of(per * total / base),
        Spread.of(one(die_ratio(drawn, costing))),
        Spread.of(one(die_ratio(drawn, case.plain))),
        (float(die_ratio(case.typical, costing)), float(die_ratio(case.typical, case.plain))),
        case.swings(gpu, per),
        _notes(gpu, costing),
    )


def compare_costs(
    gpus: Sequence[Gpu],
    prices: Prices,
    *,
    costing: Costing | None = None,
    bill: str = "today",
    precision: str = "bf16",
    samples: int = 20_000,
    seed: int = 0,
    workers: int = 1,
) -> CostComparison:
    """Work out the bills of GPUs, and how sure they are.

    Parameters
    ----------
    gpus : sequence of Gpu
        The first is the reference.
    prices : Prices
    costing : Costing, optional
        Default: Poisson, with salvage, dies placed on the wafer.
    bill : str
        Which prices of the rest.
    precision : str
        Whose dense peak says how many GPUs have the compute of the reference.
    samples : int
        Draws: every input from its triangle by itself, the same draw for all GPUs.
    seed, workers : int
        The same seed gives the same answer for any number of workers.

    Returns
    -------
    CostComparison

    Raises
    ------
    UsageError, UnknownNameError
        If there is no GPU, or two alike, or a record or price lacks something.

    Examples
    --------
    >>> from topo_sim.gpus import load_gpus
    >>> from topo_sim.gpus.prices import load_prices
    >>> gpus = [load_gpus()[name] for name in ("h100", "lite")]
    >>> found = compare_costs(gpus, load_prices(), samples=1000)
    >>> [round(ratio, 3) for ratio in found.bills[1].die_ratio_typical]  # with salvage, without
    [0.714, 0.495]
    """
    names = [gpu.name for gpu in gpus]
    if not gpus or len(set(names)) < len(names):
        raise UsageError(f"GPUs: found {', '.join(names) or 'none'}, expected at least one, and none twice")
    case = _Case(gpus, prices, bill, costing or Costing())
    drawn = draw(case.inputs, samples, seed, workers)
    base = np.broadcast_to(np.asarray(_total(gpus[0], prices, drawn, case.costing)), (samples,))
    bills = tuple(_bill(case, gpu, precision, drawn, base) for gpu in gpus)
    return CostComparison(bills, precision, samples, case.costing)


def with_changes(
    gpus: Sequence[Gpu], no_interposer: Sequence[str] = (), media: Mapping[str, str] | None = None
) -> list[Gpu]:
    """Package some of the GPUs otherwise.

    Parameters
    ----------
    gpus : sequence of Gpu
    no_interposer : sequence of str
        Names, in capitals or not, of those that sit on their substrate alone.
    media : mapping from str to str, optional
        What the links of those are made of.

    Returns
    -------
    list of Gpu

    Raises
    ------
    UnknownNameError
        If one is not among them.

    Examples
    --------
    >>> from topo_sim.gpus import load_gpus
    >>> changed = with_changes([load_gpus()["lite"]], ["Lite"], {"lite": "copper"})[0]
    >>> changed.packaging, changed.medium
    ('none', 'copper')
    """
    known = {gpu.name: gpu for gpu in gpus}
    changes: dict[str, dict[str, str]] = {gpu.name: {} for gpu in gpus}
    for name in no_interposer:
        changes[find_gpu(name, known).name]["packaging"] = "none"
    for name, medium in (media or {}).items():
        changes[find_gpu(name, known).name]["medium"] = medium
    return [gpu.model_copy(update=changes[gpu.name]) for gpu in gpus]
