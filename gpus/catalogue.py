"""What GPUs are: one record per type, every number a range with its source and how sure it is."""

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from os import PathLike
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from topo_sim.base.errors import UnknownNameError, UsageError
from topo_sim.base.files import Range, Ranged, Record, read_catalogue, suggest
from topo_sim.gpus.reticle import check_reticle, fit_sides

__all__ = ["Gpu", "find_gpu", "load_gpus"]

_PRECISION = re.compile(r"(?:fp|bf|tf|int)[1-9][0-9]?\Z")
_COUNTS = ("sms", "sms_made", "dies", "hbm_stacks", "max_gpus")
_SIDES = 0.02  # how far width x height may lie from the area: data sheets round

_Compute = Annotated[Range, Ranged("compute", above=True)]
_Size = Annotated[Range, Ranged("size", above=True)]
_Rate = Annotated[Range, Ranged("rate", above=True)]
_Area = Annotated[Range, Ranged("area", above=True)]
_Length = Annotated[Range, Ranged("length", above=True)]
_Clock = Annotated[Range, Ranged("frequency", above=True)]
_Power = Annotated[Range, Ranged("power", above=True)]
_Share = Annotated[Range, Ranged("share", most=1.0)]
_Count = Annotated[Range, Ranged("number", least=1.0)]
_Pieces = Annotated[Range, Ranged("number", least=1.0, most=256.0)]


class Gpu(Record):
    """One type of GPU, or of another accelerator, as it sits in its package.

    Every number is a `Range`; what nobody has told is None. Network bandwidth is per direction.

    Examples
    --------
    >>> lite = load_gpus()["lite"]
    >>> lite.memory.typical, lite.sms.typical, lite.peak("fp8").mark
    (20000000000.0, 33.0, 'recalled')
    """

    compute: Mapping[str, _Compute] = Field(description="dense peak FLOP/s by precision: {fp8: 500 TFLOPS}")
    memory: _Size = Field(description="memory of the package")
    memory_bandwidth: _Rate = Field(description="of all its memory")
    network_bandwidth: _Rate = Field(description="out of the package to other GPUs, per direction")
    sms: _Count = Field(
        description="streaming multiprocessors (compute units, tensor cores) that work, per package"
    )
    sms_made: _Count | None = Field(
        None, description="those on its dies, of which some may be broken, per package"
    )
    sm_share: _Share | None = Field(None, description="share of a die's area that is SMs")
    clock: _Clock | None = Field(None, description="at which the peak is reached")
    dies: _Pieces = Field(
        Range(1.0, 1.0, 1.0, "one unless said otherwise", "assumed"), description="compute dies per package"
    )
    die_area: _Area | None = Field(None, description="of one compute die")
    die_width: _Length | None = Field(None, description="of one compute die")
    die_height: _Length | None = Field(None, description="of one compute die")
    other_silicon: _Area | None = Field(
        None, description="of dies in the package that are no compute dies, all together"
    )
    hbm_stacks: _Pieces | None = Field(None, description="memory stacks in the package")
    memory_per_stack: _Size | None = Field(None, description="memory of one stack")
    tdp: _Power | None = Field(None, description="thermal design power")
    idle_power: _Power | None = Field(None, description="power without work")
    l2_cache: _Size | None = Field(None, description="last cache on the dies")
    max_gpus: _Count | None = Field(None, description="GPUs of the largest tensor-parallel group")
    process: str = Field("", description="node the compute dies are made in")
    medium: str = Field("", description="what the links to other GPUs are made of")
    packaging: Literal["interposer", "none"] = Field(
        "interposer", description="what dies and memory sit on besides the substrate: interposer or none"
    )

    @field_validator("compute")
    @classmethod
    def _precisions(cls, value: Mapping[str, Range]) -> Mapping[str, Range]:
        """Refuse what is no precision."""
        if not value:
            raise ValueError("found nothing, expected FLOP/s of at least one precision, {fp8: 500 TFLOPS}")
        for name in value:
            if not _PRECISION.match(name):
                raise ValueError(f'found the precision "{name}", expected one such as fp8, bf16 or int8')
        return dict(value)

    @model_validator(mode="after")
    def _consistent(self) -> "Gpu":
        """Refuse numbers that contradict each other."""
        for name in _COUNTS:
            count = getattr(self, name)
            if count is not None and any(v != int(v) for v in (count.low, count.typical, count.high)):
                raise ValueError(f"{name}: found {count.typical:g}, expected a whole number")
        if self.sms_made is not None and self.sms_made.typical < self.sms.typical:
            made, good = self.sms_made.typical, self.sms.typical
            raise ValueError(f"sms_made: found {made:g} SMs for {good:g} that work, expected at least those")
        if self.die_width and self.die_height and self.die_area:
            sides = self.die_width.typical * self.die_height.typical
            if abs(sides / self.die_area.typical - 1) > _SIDES:
                area = f"{sides * 1e6:.4g} mm2 from its sides and {self.die_area.typical * 1e6:.4g} mm2"
                raise ValueError(f"die_area: found {area}, expected the same within {_SIDES:.0%}")
        try:
            if self.die_width and self.die_height:
                check_reticle(self.die_width.typical, self.die_height.typical)
            elif self.die_area:
                fit_sides(self.die_area.typical)
        except UsageError as error:
            raise ValueError(str(error)) from None
        if self.idle_power and self.tdp and self.idle_power.typical > self.tdp.typical:
            raise ValueError("idle_power: found more than tdp, expected at most that")
        return self

    def peak(self, precision: str) -> Range:
        """Return the dense peak at a precision, FLOP/s.

        Raises
        ------
        UnknownNameError
            If the record does not have that precision.

        Examples
        --------
        >>> load_gpus()["a100"].peak("fp8")
        Traceback (most recent call last):
        topo_sim.base.errors.UnknownNameError: a100 has no precision "fp8": choose from bf16, fp16, int8, tf32
        """
        if precision not in self.compute:
            near = suggest(precision, list(self.compute))
            raise UnknownNameError(f'{self.name} has no precision "{precision}": {near}')
        return self.compute[precision]

    def need(self, field: str, what: str) -> Range:
        """Return a field that a model cannot do without.

        Parameters
        ----------
        field : str
            Name of an optional field.
        what : str
            What needs it, for the message.

        Raises
        ------
        UsageError
            If the record does not say.

        Examples
        --------
        >>> load_gpus()["h100"].need("die_area", "yield").typical
        0.000814
        """
        value = getattr(self, field)
        if value is None:
            raise UsageError(
                f"{self.name}: found no {field}, expected one for {what} (give it in a file of your own)"
            )
        return value

    @property
    def silicon(self) -> float | None:
        """Area of all compute dies, m2."""
        return self.die_area.typical * self.dies.typical if self.die_area else None

    @property
    def perimeter(self) -> float | None:
        """Edge of all compute dies, m: where memory and links leave a die.

        Examples
        --------
        >>> gpus = load_gpus()
        >>> round(4 * gpus["lite"].perimeter / gpus["h100"].perimeter, 12)
        2.0
        """
        if not (self.die_width and self.die_height):
            return None
        return self.dies.typical * 2 * (self.die_width.typical + self.die_height.typical)

    @property
    def power_density(self) -> float | None:
        """Thermal design power over the area of all compute dies, W/m2."""
        return self.tdp.typical / self.silicon if self.tdp and self.silicon else None

    def sides(self, what: str) -> tuple[float, float]:
        """Return width and height of a die, m; of its area and about square where they are not known."""
        if self.die_width and self.die_height:
            return self.die_width.typical, self.die_height.typical
        return fit_sides(self.need("die_area", what).typical)

    def scaled(
        self,
        share: float | Fraction | str,
        *,
        compute: float = 1.0,
        memory_bandwidth: float = 1.0,
        network: float = 1.0,
        name: str | None = None,
    ) -> "Gpu":
        """Derive a smaller or larger GPU of the same design; see `topo_sim.gpus.scaling`.

        Parameters
        ----------
        share : float, Fraction or str
            Of the dies: 1/4 for a Lite-GPU; text is a number or a fraction, "1/4".
        compute, memory_bandwidth, network : float
            Factors on top of the share.
        name : str, optional
            Default: made from the factors.

        Returns
        -------
        Gpu

        Examples
        --------
        >>> lite = load_gpus()["h100"].scaled(1/4, network=2)
        >>> lite.name, lite.network_bandwidth.typical, lite.sms.typical, lite.max_gpus.typical
        ('h100/4 network x2', 225000000000.0, 33.0, 32.0)
        """
        from topo_sim.gpus.scaling import scale

        return scale(self, share, compute, memory_bandwidth, network, name)


@lru_cache(maxsize=8)
def _load(files: tuple[str, ...]) -> Mapping[str, Gpu]:
    return MappingProxyType(read_catalogue({"gpus": Gpu}, "topo_sim.gpus", "catalogue.yaml", files)["gpus"])


def load_gpus(files: Iterable[str | PathLike[str]] = ()) -> Mapping[str, Gpu]:
    """Read the catalogue of GPUs.

    Parameters
    ----------
    files : iterable of path
        Of the user: a file with `gpus:`, whose records change those of the same name, start `like`
        another, or are whole.

    Returns
    -------
    mapping from str to Gpu
        By name, in the order of the files.

    Raises
    ------
    FaultsError
        With every fault of the first file that has any.

    Examples
    --------
    >>> gpus = load_gpus()
    >>> gpus["h100"].need("die_area", "a check").typical / gpus["lite"].die_area.typical
    4.0
    """
    names = tuple(str(file) for file in files)
    return _load(names) if not names else _load.__wrapped__(names)


def find_gpu(name: str, gpus: Mapping[str, Gpu] | None = None) -> Gpu:
    """Look a GPU up, in capitals or not.

    Parameters
    ----------
    name : str
    gpus : mapping from str to Gpu, optional
        Default: those that ship.

    Returns
    -------
    Gpu

    Raises
    ------
    UnknownNameError
        With the nearest names.

    Examples
    --------
    >>> find_gpu("Lite+MemBW").name
    'lite+membw'
    >>> find_gpu("h10")
    Traceback (most recent call last):
    topo_sim.base.errors.UnknownNameError: unknown GPU "h10": did you mean "h100"?
    """
    known = load_gpus() if gpus is None else gpus
    if name in known:
        return known[name]
    folded = {each.casefold(): each for each in known}
    key = str(name).strip().casefold()
    if key in folded:
        return known[folded[key]]
    raise UnknownNameError(f'unknown GPU "{name}": {_near(key, folded)}')


def _near(key: str, folded: Mapping[str, str]) -> str:
    from topo_sim.base.registry import nearest

    return nearest(key, folded.values())
