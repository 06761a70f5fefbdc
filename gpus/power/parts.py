"""What each part of a GPU package draws, from ranges that GPUs share where they can."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from topo_sim.base.errors import UsageError
from topo_sim.base.files import LEVELS, Range
from topo_sim.gpus.catalogue import Gpu
from topo_sim.gpus.power.models import Activity, PowerBook, PowerModel
from topo_sim.optics import Medium, Optics, load_optics

__all__ = ["PARTS", "Parts", "Setting", "at_level", "power_inputs", "power_parts"]

Values = Mapping[str, Any]
PARTS = ("static", "refresh", "compute", "memory", "network", "light")
_BITS = 8.0
_DYNAMIC = ("compute", "memory", "network")


@dataclass(frozen=True)
class Setting:
    """What the power of every GPU is worked out with.

    Parameters
    ----------
    model : PowerModel
    activity : Activity
    optics : Optics
        For the media of links.
    bases : mapping from str to Gpu
        By name of a GPU, the one of whose TDP its own is a share.
    """

    model: PowerModel
    activity: Activity
    optics: Optics
    bases: Mapping[str, Gpu] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        gpus: Iterable[Gpu],
        book: PowerBook,
        model: str = "genz",
        activity: str = "full",
        optics: Optics | None = None,
        known: Mapping[str, Gpu] | None = None,
    ) -> "Setting":
        """Look everything up by name.

        Parameters
        ----------
        gpus : iterable of Gpu
        book : PowerBook
        model, activity : str
        optics : Optics, optional
            Default: what ships.
        known : mapping from str to Gpu, optional
            Where bases are found. Default: what ships.

        Raises
        ------
        UnknownNameError
            With the nearest names.
        """
        from topo_sim.gpus.catalogue import find_gpu

        names = {gpu.name: book.basis(gpu.name) for gpu in gpus}
        bases = {name: find_gpu(base, known) for name, base in names.items() if base}
        light = load_optics() if optics is None else optics
        return cls(book.model(model), book.activity(activity), light, bases)

    def medium(self, gpu: Gpu) -> Medium:
        """Return the medium of a GPU's links.

        Raises
        ------
        UsageError, UnknownNameError
            If the record names none, or one that the catalogue of light does not have.
        """
        if not gpu.medium:
            raise UsageError(f"{gpu.name}: found no medium, expected one for the power of its links")
        return self.optics.medium(gpu.medium)


def _idle_name(gpu: Gpu, model: PowerModel) -> tuple[str, Range]:
    """Name and range of the share of TDP that a GPU without work draws."""
    if gpu.idle_power is None:
        return "idle", model.idle
    tdp = gpu.need("tdp", "its power").typical
    idle = gpu.idle_power
    low, typical, high = (min(value / tdp, 1.0) for value in (idle.low, idle.typical, idle.high))
    ends = f"{low * 100:.3g} %" if idle.exact else f"{low * 100:.3g}..{high * 100:.3g} %"
    return f"idle {ends}", Range(low, typical, high, idle.source, idle.mark)


def power_inputs(gpus: Iterable[Gpu], setting: Setting) -> dict[str, Range]:
    """Collect the ranges that the power of some GPUs rests on, by name; GPUs share them where they can.

    Parameters
    ----------
    gpus : iterable of Gpu
    setting : Setting

    Returns
    -------
    dict from str to Range

    Examples
    --------
    >>> from topo_sim.gpus import load_gpus
    >>> from topo_sim.gpus.power.models import load_power
    >>> both = [load_gpus()[name] for name in ("h100", "lite")]
    >>> inputs = power_inputs(both, Setting.of(both, load_power()))
    >>> [name for name in inputs if "idle" in name or "light" in name]
    ['gated_light', 'idle 10..30.7 %', 'light copper', 'light cpo']
    """
    model, found = setting.model, {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, Range) and name != "idle":
            found[name] = value
    for name in _DYNAMIC:
        found[f"{name} in use"] = getattr(setting.activity, name)
    for gpu in gpus:
        name, value = _idle_name(gpu, model)
        found[name] = value
        medium = setting.medium(gpu)
        found[f"light {medium.name}"] = medium.energy_per_bit
        found[f"static share {medium.name}"] = medium.static_share
        for each in (gpu, setting.bases.get(gpu.name, gpu)):
            medium = setting.medium(each)
            found[f"SerDes {medium.name}"] = medium.serdes_energy
    return found


@dataclass(frozen=True)
class Parts:
    """Power of the parts of one package, W, each a float or an array of draws.

    Parameters
    ----------
    static : of silicon and SerDes, while awake, at the rated clock
    refresh : of memory
    compute, memory, network : at full use, on top
    light_static, light_moving : of the link modules, drawn always and at full traffic
    idle : awake without work, modules not counted
    gated : switched off, with what its lasers still draw
    """

    static: Any
    refresh: Any
    compute: Any
    memory: Any
    network: Any
    light_static: Any
    light_moving: Any
    idle: Any
    gated: Any

    @property
    def full(self) -> Any:
        """Power with everything in full use at the rated clock, link modules included, W."""
        dynamic = self.compute + self.memory + self.network + self.light_moving
        return self.static + self.refresh + self.light_static + dynamic


def _serdes(gpu: Gpu, setting: Setting, values: Values, size: float = 1.0) -> Any:
    """SerDes power at line rate, sending and receiving."""
    each = values[f"SerDes {setting.medium(gpu).name}"]
    return 2 * _BITS * gpu.network_bandwidth.typical * size * each


def _split(gpu: Gpu, size: float, setting: Setting, values: Values) -> dict[str, Any]:
    """Split a share of a GPU's own TDP: static, and compute, memory, network at full use."""
    tdp = gpu.need("tdp", "its power").typical * size
    moving = tdp * (1 - values["static"])
    if setting.model.by_bits:
        memory = _BITS * gpu.memory_bandwidth.typical * size * values["hbm_energy"]
        network = _serdes(gpu, setting, values, size) * (1 - values["serdes_static"])
        dynamic = {"compute": moving - memory - network, "memory": memory, "network": network}
    else:
        whole = values["compute"] + values["memory"] + values["network"]
        dynamic = {name: moving * values[name] / whole for name in _DYNAMIC}
    return {"static": tdp * values["static"], **dynamic}


def _changed(
    gpu: Gpu, basis: Gpu, size: float, split: dict[str, Any], setting: Setting, values: Values
) -> None:
    """Add to the share of another GPU's power what this one changed: bandwidths, SerDes, clock."""
    more = gpu.memory_bandwidth.typical - size * basis.memory_bandwidth.typical
    split["memory"] = split["memory"] + _BITS * more * values["hbm_energy"]
    serdes = _serdes(gpu, setting, values) - _serdes(basis, setting, values, size)
    split["network"] = split["network"] + serdes * (1 - values["serdes_static"])
    split["static"] = split["static"] + serdes * values["serdes_static"]
    if gpu.clock and basis.clock:
        from topo_sim.gpus.power.clocks import voltage

        clock = gpu.clock.typical / basis.clock.typical
        square = voltage(clock, values) ** 2
        split["compute"] = split["compute"] * clock * square
        leakage = values["leakage"]
        split["static"] = split["static"] * (1 - leakage + leakage * square)


def power_parts(gpu: Gpu, setting: Setting, values: Values) -> Parts:
    """Split the power of one package.

    Parameters
    ----------
    gpu : Gpu
    setting : Setting
    values : mapping from str to float or array of float
        For every name of `power_inputs`.

    Returns
    -------
    Parts

    Raises
    ------
    UsageError, UnknownNameError
        If the record lacks something, or its TDP does not hold its parts.

    Notes
    -----
    With T the TDP and s the static share, sT is static, memory refresh included, and (1 - s) T is divided
    among compute, memory and network by their weights; by the bit, memory is 8 B e (B bandwidth, e energy of
    a bit), the network what SerDes send and receive beyond their static share, and compute the rest. So a
    package at full use draws its TDP.

    Where the TDP is a share of another GPU's (a *basis*), that share is split so, and then changed by what
    the GPU does otherwise: memory bandwidth by the bit, SerDes of its own medium in place of the basis's, a
    higher clock by f V^2. Modules of links (light) come on top: no basis has them in its TDP. Without work,
    at most the static power is drawn.

    Examples
    --------
    >>> from topo_sim.gpus import load_gpus
    >>> from topo_sim.gpus.power.models import load_power
    >>> gpus = [load_gpus()[name] for name in ("h100", "lite")]
    >>> setting = Setting.of(gpus, load_power())
    >>> values = at_level(power_inputs(gpus, setting), "typical")
    >>> h100, lite = (power_parts(gpu, setting, values) for gpu in gpus)
    >>> round(h100.compute), round(h100.static + h100.refresh), round(h100.full)
    (280, 210, 700)
    >>> round(lite.full - 175, 2), round(lite.light_static + lite.light_moving, 2)  # other SerDes, and light
    (-2.25, 5.06)
    """
    tdp = gpu.need("tdp", "its power").typical
    basis = setting.bases.get(gpu.name)
    size = tdp / basis.need("tdp", f"the power of {gpu.name}").typical if basis else 1.0
    split = _split(basis or gpu, size, setting, values)
    if basis:
        _changed(gpu, basis, size, split, setting, values)
    refresh = gpu.memory.typical / 1e9 * values["refresh_per_gb"]
    for name, value in {**split, "static": split["static"] - refresh}.items():
        found = np.asarray(value)
        if not np.all(found >= 0 if name in ("memory", "network") else found > 0):
            raise UsageError(
                f"{gpu.name}: found a TDP of {tdp:g} W, which leaves nothing for {name} under the model "
                f"{setting.model.name}, expected more, or another model"
            )
    name = setting.medium(gpu).name
    light = _BITS * gpu.network_bandwidth.typical * values[f"light {name}"]
    still = light * values[f"static share {name}"]
    idle = tdp * values[_idle_name(gpu, setting.model)[0]]
    lower = idle + (split["static"] - idle) * (split["static"] < idle)  # min() of floats and arrays alike
    return Parts(
        static=split["static"] - refresh,
        refresh=refresh,
        compute=split["compute"],
        memory=split["memory"],
        network=split["network"],
        light_static=still,
        light_moving=light - still,
        idle=lower,
        gated=tdp * values["gated"] + still * values["gated_light"],
    )


def at_level(inputs: Mapping[str, Range], level: str) -> dict[str, float]:
    """Every input at one level.

    Parameters
    ----------
    inputs : mapping from str to Range
    level : {"low", "typical", "high"}

    Returns
    -------
    dict from str to float
    """
    if level not in LEVELS:
        raise UsageError(f'unknown level "{level}", expected one of {", ".join(LEVELS)}')
    return {name: value.at(level) for name, value in inputs.items()}
