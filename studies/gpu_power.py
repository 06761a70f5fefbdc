"""Power of GPUs side by side: one package, a block of them over a day by policy, cooling."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.base.files import LEVELS
from topo_sim.gpus.catalogue import Gpu
from topo_sim.gpus.power import (
    POWER_POLICIES,
    Cooled,
    Day,
    Parts,
    PowerBook,
    Setting,
    at_level,
    check_clock,
    check_load,
    clock_for_cap,
    cluster_power,
    cooled,
    find_curve,
    live_a_day,
    load_power,
    part_powers,
    power_inputs,
    power_parts,
)
from topo_sim.gpus.uncertainty import draw
from topo_sim.optics import Optics
from topo_sim.studies.gpu_cost import Spread
from topo_sim.studies.power_blocks import PowerQuestion, blocks_of
from topo_sim.studies.power_results import (
    KWH,
    POINTS,
    GpuDay,
    PackagePower,
    PowerComparison,
    PowerSwing,
)

__all__ = ["SIZES", "compare_power"]

Array = NDArray[np.float64]
Progress = Callable[[int, int, str], None]
SIZES = (1, 2, 4, 8, 16, 64)


class _Case:
    """What every GPU of one comparison is worked out with."""

    def __init__(
        self,
        gpus: Sequence[Gpu],
        asked: PowerQuestion,
        book: PowerBook,
        optics: Optics | None,
        known: Mapping[str, Gpu] | None,
    ) -> None:
        self.gpus, self.asked, self.book = gpus, asked, book
        self.setting = Setting.of(gpus, book, asked.model, asked.activity, optics, known)
        self.inputs = power_inputs(gpus, self.setting)
        self.curve = find_curve(asked.curve, book)
        self.levels = {level: at_level(self.inputs, level) for level in LEVELS}

    def parts(self, gpu: Gpu, values: Mapping[str, Any]) -> Parts:
        return power_parts(gpu, self.setting, values)

    def day(self, gpu: Gpu, policy: str, values: Mapping[str, Any], count: int | None = None) -> Day:
        block = blocks_of(self.gpus, self.asked, count)[self.gpus.index(gpu)]
        return live_a_day(block, self.parts(gpu, values), self.curve, policy, values)

    def saving(self, gpu: Gpu, policy: str, values: Mapping[str, Any], count: int | None = None) -> Any:
        first = self.day(self.gpus[0], policy, values, count).energy
        return 1 - self.day(gpu, policy, values, count).energy / first

    def power_by_load(self, gpu: Gpu, policy: str, loads: Array) -> Array:
        values = self.levels["typical"]
        block, parts = blocks_of(self.gpus, self.asked)[self.gpus.index(gpu)], self.parts(gpu, values)
        choice = POWER_POLICIES[policy](block, parts, loads, values)
        return np.asarray(cluster_power(block, parts, loads, choice, values))


def _package(case: _Case, gpu: Gpu) -> PackagePower:
    asked, typical = case.asked, case.levels["typical"]
    load, clock = check_load(asked.load), check_clock(asked.clock, typical)
    if load * typical["compute in use"] > clock * (1 + 1e-9):
        raise UsageError(
            f"clock: found {clock:g} for a load of {load:g}, expected at least "
            f"{load * typical['compute in use']:.4g}, or a smaller load"
        )
    split = {level: case.parts(gpu, values) for level, values in case.levels.items()}
    cap = None
    if asked.cap is not None:
        cap = clock_for_cap(split["typical"], asked.cap * _share(case.gpus[0], gpu), typical)
    return PackagePower(
        gpu,
        {level: part_powers(split[level], load, clock, case.levels[level]) for level in LEVELS},
        {level: float(split[level].idle + split[level].light_static) for level in LEVELS},
        {level: float(split[level].gated) for level in LEVELS},
        {level: float(split[level].full) for level in LEVELS},
        cap,
    )


def _share(reference: Gpu, gpu: Gpu) -> float:
    """TDP of a GPU over that of the reference: its share of a cap."""
    return gpu.need("tdp", "its power").typical / reference.need("tdp", "its power").typical


def _days(
    case: _Case, drawn: Mapping[str, Array], loads: Array, progress: Progress | None
) -> tuple[GpuDay, ...]:
    found: list[GpuDay] = []
    first, total = case.gpus[0], len(case.gpus) * len(case.asked.policies)
    with_all = {level: case.day(first, "all_on", values).energy for level, values in case.levels.items()}
    for policy in case.asked.policies:
        base = {level: case.day(first, policy, values).energy for level, values in case.levels.items()}
        base_drawn = case.day(first, policy, drawn).energy
        for gpu in case.gpus:
            if progress is not None:
                progress(len(found), total, f"{gpu.name}, {policy}")
            days = {level: case.day(gpu, policy, values) for level, values in case.levels.items()}
            energy = {level: day.energy for level, day in days.items()}
            more = case.day(gpu, policy, drawn).energy if gpu is not first else base_drawn
            found.append(
                GpuDay(
                    gpu.name,
                    blocks_of(case.gpus, case.asked)[case.gpus.index(gpu)].count,
                    policy,
                    {level: value / KWH for level, value in energy.items()},
                    Spread.of(more / KWH),
                    {level: 1 - value / base[level] for level, value in energy.items()},
                    Spread.of(1 - more / base_drawn),
                    {level: 1 - value / with_all[level] for level, value in energy.items()},
                    days["typical"],
                    case.power_by_load(gpu, policy, loads),
                )
            )
    return tuple(found)


def _swings(case: _Case, policy: str) -> tuple[PowerSwing, ...]:
    if len(case.gpus) < 2:
        return ()
    found = []
    for name, value in case.inputs.items():
        if value.exact:
            continue
        ends = [case.levels["typical"] | {name: end} for end in (value.low, value.high)]
        low, high = (float(case.saving(case.gpus[1], policy, each)) for each in ends)
        found.append(PowerSwing(name, value, (low, high)))
    return tuple(sorted(found, key=lambda s: -abs(s.saving[1] - s.saving[0])))


def _holds(case: _Case, count: int) -> bool:
    """Say whether blocks of another size hold their part of what is resident: they are whole GPUs."""
    try:
        blocks_of(case.gpus, case.asked, count)
    except UsageError:
        return False
    return True


def _by_size(case: _Case) -> dict[tuple[str, str], tuple[tuple[int, float], ...]]:
    asked, typical = case.asked, case.levels["typical"]
    sizes = sorted({*(n for n in SIZES if n >= asked.least_count and _holds(case, n)), asked.count})
    return {
        (gpu.name, policy): tuple((n, float(case.saving(gpu, policy, typical, n))) for n in sizes)
        for gpu in case.gpus[1:]
        for policy in asked.policies
    }


def _cooling(case: _Case) -> tuple[Cooled, ...]:
    asked, typical = case.asked, case.levels["typical"]
    found: list[Cooled] = []
    beside = case.book.overhead()
    in_racks = PowerQuestion(count=asked.racked, precision=asked.precision)
    for gpu, block in zip(case.gpus, blocks_of(case.gpus, in_racks), strict=True):
        area = gpu.need("die_area", "its cooling").typical * gpu.dies.typical
        for how in (case.book.cooler(name) for name in asked.cooling):
            share = area / how.sink_for.typical
            sinks = (share, 1.0) if share < 1 else (share,)
            parts = case.parts(gpu, typical)
            found += [cooled(gpu, parts, typical, how, beside, block.count, sink) for sink in sinks]
    return tuple(found)


def compare_power(
    gpus: Sequence[Gpu],
    asked: PowerQuestion | None = None,
    *,
    book: PowerBook | None = None,
    optics: Optics | None = None,
    known: Mapping[str, Gpu] | None = None,
    samples: int = 2000,
    seed: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> PowerComparison:
    """Work out the power of GPUs, over a day by policy, and how they are cooled.

    Parameters
    ----------
    gpus : sequence of Gpu
        The first is the reference.
    asked : PowerQuestion, optional
    book : PowerBook, optional
        Default: what ships.
    optics : Optics, optional
        Default: what ships.
    known : mapping from str to Gpu, optional
        Where GPUs are found of whose TDP others are a share. Default: what ships.
    samples : int
        Draws: every input from its triangle by itself, the same draw for all GPUs.
    seed, workers : int
        The same seed gives the same answer for any number of workers.
    progress : callable, optional
        Called as ``progress(done, total, what)``.

    Returns
    -------
    PowerComparison

    Raises
    ------
    UsageError, UnknownNameError, FaultsError
        If there is no GPU, or two alike, or a record lacks something, or a number is out of bounds.

    Examples
    --------
    >>> from topo_sim.gpus import load_gpus
    >>> found = compare_power([load_gpus()[name] for name in ("h100", "lite")], samples=100)
    >>> found.day("lite", "all_on").count, round(found.packages[0].full["typical"])
    (4, 700)
    """
    question = asked or PowerQuestion()
    names = [gpu.name for gpu in gpus]
    if not gpus or len(set(names)) < len(names):
        raise UsageError(f"GPUs: found {', '.join(names) or 'none'}, expected at least one, and none twice")
    for policy in question.policies:
        POWER_POLICIES[policy]
    chosen = load_power() if book is None else book
    case = _Case(list(gpus), question, chosen, optics, known)
    loads = np.linspace(0, 1, POINTS)
    packages = tuple(_package(case, gpu) for gpu in gpus)
    days = _days(case, draw(case.inputs, samples, seed, workers), loads, progress)
    policy = "gate" if "gate" in question.policies else question.policies[-1]
    return PowerComparison(
        question,
        case.curve,
        packages,
        days,
        _swings(case, policy),
        policy,
        _by_size(case),
        _cooling(case),
        loads,
    )
