"""What the power of GPUs rests on: records of `power.yaml` and of the user's files."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from os import PathLike
from typing import Annotated, TypeVar

from pydantic import Field, model_validator

from topo_sim.base.errors import UnknownNameError
from topo_sim.base.files import Range, Ranged, Record, read_catalogue
from topo_sim.base.registry import nearest

__all__ = ["Activity", "Basis", "Beside", "Cooling", "CurveRecord", "PowerBook", "PowerModel", "load_power"]

R = TypeVar("R", bound=Record)
_Share = Annotated[Range, Ranged("share", most=1.0)]
_Part = Annotated[Range, Ranged("share", most=1.0, above=True)]
_Power = Annotated[Range, Ranged("power")]
_SomePower = Annotated[Range, Ranged("power", above=True)]
_Degrees = Annotated[Range, Ranged("number", least=-50.0, most=200.0)]
_Resistance = Annotated[Range, Ranged("number", above=True)]
_MOST_CLOCK = 10.0


class PowerModel(Record):
    """How the power of a package splits, and how it follows the clock.

    Shares are of the thermal design power. `compute`, `memory` and `network` are weights of what is not
    static; where all three are missing, memory is worked out by the bit, the network by its SerDes, and
    compute is what is left.
    """

    static: Annotated[Range, Ranged("share", most=0.95)] = Field(description="share drawn while awake")
    compute: _Part | None = Field(None, description="weight of compute")
    memory: _Part | None = Field(None, description="weight of memory")
    network: _Part | None = Field(None, description="weight of the network")
    hbm_energy: Annotated[Range, Ranged("energy per bit")] = Field(description="energy of a bit of memory")
    refresh_per_gb: _Power = Field(description="power of a GB of memory that is kept")
    serdes_static: _Share = Field(description="share of SerDes power drawn without traffic")
    between_bursts: _Share = Field(
        description="share of the gap from idle to static power that a GPU at work draws between bursts"
    )
    least_voltage: _Part = Field(description="share of the voltage at the rated clock")
    knee: _Share = Field(description="share of the rated clock below which voltage falls no further")
    leakage: _Share = Field(description="share of static power that goes with the square of the voltage")
    least_clock: _Part = Field(description="share of the rated clock")
    most_clock: Annotated[Range, Ranged("number", least=1.0, most=_MOST_CLOCK)] = Field(
        description="multiple of the rated clock"
    )
    idle: _Part = Field(description="share drawn without work, for records without idle_power")
    gated: _Share = Field(description="share drawn while switched off")
    gated_light: _Share = Field(description="share of a link's static power that a GPU leaves on, once off")
    wake_time: Annotated[Range, Ranged("time")] = Field(description="from off to work")

    @model_validator(mode="after")
    def _consistent(self) -> "PowerModel":
        """Refuse half a split, and a knee at or above the rated clock."""
        given = [name for name in ("compute", "memory", "network") if getattr(self, name) is not None]
        if len(given) in (1, 2):
            found = " and ".join(given)
            raise ValueError(f"found {found} alone, expected compute, memory and network, or none of them")
        if self.knee.high >= 1:
            raise ValueError(f"knee: found {self.knee.high:g}, expected less than 1, the rated clock")
        return self

    @property
    def by_bits(self) -> bool:
        """Whether memory and network are worked out by the bit."""
        return self.compute is None


class Basis(Record):
    """GPUs whose TDP is a share of that of the GPU which the record is named after."""

    gpus: tuple[str, ...]


class Activity(Record):
    """How much of each part is in use at full load."""

    compute: _Share
    memory: _Share
    network: _Share


class Cooling(Record):
    """What takes heat away, and how much of it. Temperatures in degrees Celsius."""

    inlet_c: _Degrees
    most_c: _Degrees
    sink_k_per_w: _Resistance
    sink_for: Annotated[Range, Ranged("area", above=True)]
    spread_k_mm2_per_w: Annotated[Range, Ranged("number")]
    most_per_package: _SomePower
    rack: _SomePower

    @model_validator(mode="after")
    def _consistent(self) -> "Cooling":
        """Refuse a coolant that is hotter than the junction may be."""
        if self.inlet_c.high >= self.most_c.low:
            raise ValueError(
                f"inlet_c: found up to {self.inlet_c.high:g}, expected less than most_c, {self.most_c.low:g}"
            )
        return self


class Beside(Record):
    """What is drawn besides GPUs, as a share of their thermal design power."""

    share: Annotated[Range, Ranged("share")]


class CurveRecord(Record):
    """Load over a day, constant from each hour to the next."""

    hours: tuple[float, ...]
    loads: tuple[float, ...]

    @model_validator(mode="after")
    def _consistent(self) -> "CurveRecord":
        """Refuse what is no day."""
        from topo_sim.base.errors import UsageError
        from topo_sim.gpus.power.curves import check_day

        try:
            check_day(self.hours, self.loads, self.name)
        except UsageError as error:
            raise ValueError(str(error)) from None
        return self


def _look_up(records: Mapping[str, R], name: str, kind: str) -> R:
    if name not in records:
        raise UnknownNameError(f'unknown {kind} "{name}": {nearest(name, records)}')
    return records[name]


@dataclass(frozen=True)
class PowerBook:
    """All that power rests on, by name.

    Parameters
    ----------
    models : mapping from str to PowerModel
    bases : mapping from str to Basis
    activities : mapping from str to Activity
    cooling : mapping from str to Cooling
    beside : mapping from str to Beside
    curves : mapping from str to CurveRecord

    Examples
    --------
    >>> load_power().model().static.typical
    0.3
    >>> load_power().model("gens")
    Traceback (most recent call last):
    topo_sim.base.errors.UnknownNameError: unknown power model "gens": did you mean "genz"?
    """

    models: Mapping[str, PowerModel]
    bases: Mapping[str, Basis]
    activities: Mapping[str, Activity]
    cooling: Mapping[str, Cooling]
    beside: Mapping[str, Beside]
    curves: Mapping[str, CurveRecord]

    def model(self, name: str = "genz") -> PowerModel:
        """Look up a model; raises `UnknownNameError` with the nearest names."""
        return _look_up(self.models, name, "power model")

    def basis(self, gpu: str) -> str | None:
        """Name of the GPU of whose TDP a GPU's is a share, or None where its TDP is its own."""
        return next((base for base, each in self.bases.items() if gpu in each.gpus and gpu != base), None)

    def activity(self, name: str = "full") -> Activity:
        """Look up an activity; raises `UnknownNameError` with the nearest names."""
        return _look_up(self.activities, name, "activity")

    def cooler(self, name: str = "air") -> Cooling:
        """Look up a cooling; raises `UnknownNameError` with the nearest names."""
        return _look_up(self.cooling, name, "cooling")

    def overhead(self, name: str = "server") -> Beside:
        """Look up what is drawn besides GPUs; raises `UnknownNameError` with the nearest names."""
        return _look_up(self.beside, name, "overhead")

    def curve(self, name: str = "day") -> CurveRecord:
        """Look up a curve; raises `UnknownNameError` with the nearest names."""
        return _look_up(self.curves, name, "curve")


_SECTIONS: Mapping[str, type[Record]] = {
    "models": PowerModel,
    "bases": Basis,
    "activities": Activity,
    "cooling": Cooling,
    "beside": Beside,
    "curves": CurveRecord,
}


@lru_cache(maxsize=1)
def _load(files: tuple[str, ...]) -> PowerBook:
    found = read_catalogue(_SECTIONS, "topo_sim.gpus", "power.yaml", files)
    return PowerBook(**{each.name: found[each.name] for each in fields(PowerBook)})  # type: ignore[arg-type]


def load_power(files: Iterable[str | PathLike[str]] = ()) -> PowerBook:
    """Read what power rests on.

    Parameters
    ----------
    files : iterable of path
        Of the user: with any of `models:`, `bases:`, `activities:`, `cooling:`, `beside:` and `curves:`.

    Returns
    -------
    PowerBook

    Raises
    ------
    FaultsError
        With every fault of the first file that has any.

    Examples
    --------
    >>> sorted(load_power().curves)
    ['day', 'flat', 'office']
    """
    names = tuple(str(file) for file in files)
    return _load(names) if not names else _load.__wrapped__(names)
