"""GPUs derived from others: what follows the size of the die, and what does not."""

import math
from fractions import Fraction
from numbers import Real
from typing import TYPE_CHECKING

from topo_sim.base.errors import UsageError
from topo_sim.base.files import Range
from topo_sim.gpus.reticle import check_reticle

if TYPE_CHECKING:
    from topo_sim.gpus.catalogue import Gpu

__all__ = ["read_share", "scale"]

_MOST = 1e3
_WITH_SHARE = ("memory", "tdp", "idle_power", "l2_cache", "other_silicon")
_LARGEST_DENOMINATOR = 1000


def read_share(text: str) -> float:
    """Read a share such as "1/4" or "0.25".

    Raises
    ------
    UsageError
        If it is neither.

    Examples
    --------
    >>> read_share("1/4")
    0.25
    """
    try:
        return float(Fraction(text.replace(" ", "")))
    except (ValueError, ZeroDivisionError, OverflowError):
        raise UsageError(f'share: found "{text}", expected a number or a fraction such as 1/4') from None


def _factor(value: object, name: str) -> float:
    number = math.nan if isinstance(value, bool) or not isinstance(value, Real) else float(value)
    if not 0 < number <= _MOST:
        raise UsageError(f"{name}: found {value!r}, expected a number above 0 and at most {_MOST:g}")
    return number


def _times(value: Range, factor: float, source: str) -> Range:
    return Range(value.low * factor, value.typical * factor, value.high * factor, source, "computed")


def _exactly(count: int, source: str) -> Range:
    return Range(float(count), float(count), float(count), source, "computed")


def _whole(value: Range, share: Fraction, gpu: str, source: str) -> Range:
    """Scale working SMs, or refuse: nobody can build 39.6 of them."""
    sms = Fraction(int(value.typical)) * share
    if sms.denominator != 1 or sms < 1:
        near = max(round(sms), 1)
        raise UsageError(
            f"share: found {float(share):g}, which leaves {float(sms):.4g} of {gpu}'s {value.typical:g} SMs, "
            f"expected a share that leaves whole SMs (for example {near}/{int(value.typical)})"
        )
    return _exactly(int(sms), source)


def _dies(gpu: "Gpu", share: Fraction) -> tuple[int, float]:
    """How many dies, and the area of each as a multiple of the old one."""
    dies = int(gpu.dies.typical)
    whole = dies * share
    if whole.denominator == 1 and whole >= 1:
        return int(whole), 1.0
    if whole < 1:
        return 1, float(whole)
    return dies, float(share)


def _name(gpu: "Gpu", share: Fraction, factors: dict[str, float]) -> str:
    part = f"/{share.denominator}" if share.numerator == 1 else f" x{float(share):g}"
    more = "".join(f" {key} x{value:g}" for key, value in factors.items() if value != 1)
    return gpu.name + (part if share != 1 else "") + more


def scale(
    gpu: "Gpu",
    share: float | Fraction | str,
    compute: float,
    memory_bandwidth: float,
    network: float,
    name: str | None,
) -> "Gpu":
    """Derive a GPU whose dies are a share of another's.

    Parameters
    ----------
    gpu : Gpu
    share : float, Fraction or str
        Of the dies.
    compute, memory_bandwidth, network : float
        Factors on top of the share; `compute` is a change of clock.
    name : str or None

    Returns
    -------
    Gpu
        Its ranges are marked as computed and say from what.

    Raises
    ------
    UsageError
        If a factor is no number above 0, or the share does not leave whole SMs, or dies grow larger than
        the reticle.

    Notes
    -----
    With the share go compute, memory and its bandwidth, network bandwidth, SMs, silicon, TDP, idle power
    and cache. Dies keep their size where the share leaves a whole number of them; else one die is smaller,
    of the same shape. Stacks are rounded to the nearest whole number and share the memory evenly, the
    largest group of GPUs keeps its compute, and SMs made are rounded down, to at least those that work.
    Process, medium, the share of a die that is SMs and the clock (unless `compute` changes it) stay. TDP
    does not follow the factors: what twice the bandwidth costs in power is for the power model to say.

    Examples
    --------
    >>> from topo_sim.gpus.catalogue import load_gpus
    >>> half = scale(load_gpus()["b200"], 1 / 2, 1, 1, 1, None)
    >>> half.dies.typical, half.die_area.typical == load_gpus()["b200"].die_area.typical
    (1.0, True)
    """
    wanted = read_share(share) if isinstance(share, str) else share
    exact = Fraction(_factor(wanted, "share")).limit_denominator(_LARGEST_DENOMINATOR)
    if exact <= 0:
        raise UsageError(f"share: found {float(wanted):g}, expected at least 1/{_LARGEST_DENOMINATOR}")
    factors = {
        "compute": _factor(compute, "compute"),
        "memory": _factor(memory_bandwidth, "memory_bandwidth"),
        "network": _factor(network, "network"),
    }
    size = float(exact)
    source = f"derived from {gpu.name}: x{size:g}"
    dies, area = _dies(gpu, exact)
    made: dict[str, object] = {
        key: _times(getattr(gpu, key), size, source) for key in _WITH_SHARE if getattr(gpu, key)
    }
    made["compute"] = {
        key: _times(value, size * factors["compute"], f"{source} x{factors['compute']:g}")
        for key, value in gpu.compute.items()
    }
    for key, factor in (("memory_bandwidth", "memory"), ("network_bandwidth", "network")):
        made[key] = _times(getattr(gpu, key), size * factors[factor], f"{source} x{factors[factor]:g}")
    made["sms"] = _whole(gpu.sms, exact, gpu.name, source)
    made["dies"] = _exactly(dies, source)
    if gpu.die_area:
        check_reticle(*(side * math.sqrt(area) for side in gpu.sides("its share")))
    made |= _shape(gpu, area, source) | _parts(gpu, exact, source)
    if gpu.clock and factors["compute"] != 1:
        made["clock"] = _times(gpu.clock, factors["compute"], f"derived from {gpu.name}")
    text = "; ".join(f"{key} x{value:g}" for key, value in factors.items() if value != 1)
    made["source"] = f"derived from {gpu.name}: {size:g} of its dies{'; ' + text if text else ''}"
    made["about"] = f"{size:g} of a {gpu.name}{', with ' + text if text else ''}"
    made["name"] = name or _name(gpu, exact, factors)
    return type(gpu).model_validate({key: getattr(gpu, key) for key in type(gpu).model_fields} | made)


def _shape(gpu: "Gpu", area: float, source: str) -> dict[str, Range]:
    """Scale a die and keep its shape."""
    factors = {"die_area": area, "die_width": math.sqrt(area), "die_height": math.sqrt(area)}
    return {key: _times(getattr(gpu, key), f, source) for key, f in factors.items() if getattr(gpu, key)}


def _parts(gpu: "Gpu", share: Fraction, source: str) -> dict[str, Range]:
    """Scale what comes in whole pieces and may be rounded."""
    found = {}
    if gpu.sms_made:
        made = max(math.floor(int(gpu.sms_made.typical) * share), int(gpu.sms.typical * share))
        found["sms_made"] = _exactly(made, source)
    if gpu.hbm_stacks:
        stacks = max(1, math.floor(int(gpu.hbm_stacks.typical) * share + Fraction(1, 2)))
        found["hbm_stacks"] = _exactly(stacks, source)
        found["memory_per_stack"] = _times(gpu.memory, float(share) / stacks, source)
    if gpu.max_gpus:
        group = max(1, math.floor(Fraction(int(gpu.max_gpus.typical)) / share))
        found["max_gpus"] = _exactly(group, source)
    return found
