"""How often parts fail: the catalogue, and the rate of a GPU made of its parts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from os import PathLike
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from topo_sim.base import UsageError
from topo_sim.base.files import Range, Ranged, Record, read_catalogue, suggest
from topo_sim.gpus.reliability.checks import check_count, check_number

__all__ = ["ENDS", "FailureRates", "Incidents", "Part", "gpu_rate", "load_failure_rates", "scaled_rate"]

ENDS = ("area", "package")
_GPU_PARTS = ("die", "faulty_gpu", "hbm_stack", "package")


class Part(Record):
    """How often a part fails, in failures per part and time in service."""

    rate: Annotated[Range, Ranged("failure rate")] = Field(
        description='a rate such as "0.09 /year" or "500 FIT"'
    )
    repair: Annotated[Range, Ranged("time", above=True)] | None = Field(None, description="time to repair it")
    area: Annotated[Range, Ranged("area", above=True)] | None = Field(
        None, description="die area that the rate is for"
    )
    follows_area: Annotated[Range, Ranged("share", most=1.0)] = Field(
        Range(0.0, 0.0, 0.0), description="share of the rate in proportion to die area"
    )

    @model_validator(mode="after")
    def _has_area(self) -> "Part":
        """Refuse a rate that scales with an area nobody gave."""
        if self.follows_area.high > 0 and self.area is None:
            raise ValueError(
                "area: missing, expected the die area that the rate is for, as follows_area is given"
            )
        return self


class Cause(BaseModel):
    """One row of a record: how often a cause interrupted the job."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cause: str
    count: int = Field(ge=0)
    part: str = Field(pattern="^(gpu|crash)$", description="gpu: needs a repair; crash: a restart is enough")
    mark: str = ""


class Incidents(Record):
    """Interruptions of one job in a real cluster, by cause."""

    devices: int = Field(gt=0, description="devices of the job")
    days: float = Field(gt=0, allow_inf_nan=False, description="length of the record")
    causes: tuple[Cause, ...] = Field(min_length=1, description="rows of cause and count")
    note: str = ""

    @property
    def total(self) -> int:
        """Interruptions of all causes."""
        return sum(cause.count for cause in self.causes)

    def rate(self, part: str | None = None) -> float:
        """Interruptions per device and time, 1/s: of all causes, or of those of one part."""
        count = sum(cause.count for cause in self.causes if part in (None, cause.part))
        return count / (self.devices * self.days * 86400.0)


@dataclass(frozen=True)
class FailureRates:
    """The catalogue of failure rates.

    Parameters
    ----------
    parts : mapping from str to Part
    incidents : mapping from str to Incidents

    Examples
    --------
    >>> load_failure_rates().part("link-tin")
    Traceback (most recent call last):
    topo_sim.base.errors.UsageError: found no failure rate for part "link-tin", expected a record parts: \
{link-tin: {rate: ...}} in a file of rates: did you mean "link-pcie" or "link-cpo"?
    """

    parts: Mapping[str, Part]
    incidents: Mapping[str, Incidents]

    def part(self, name: str) -> Part:
        """Return a part, or raise an error that names what is missing."""
        if name not in self.parts:
            wanted = f"a record parts: {{{name}: {{rate: ...}}}} in a file of rates"
            near = suggest(name, list(self.parts))
            raise UsageError(f'found no failure rate for part "{name}", expected {wanted}: {near}')
        return self.parts[name]

    def repair(self, name: str, level: str = "typical") -> float:
        """Return the time to repair a part, s."""
        repair = self.part(name).repair
        if repair is None:
            raise UsageError(
                f'part "{name}": found no time to repair it, expected repair: 24 h in a file of rates'
            )
        return repair.at(level)

    def record(self, name: str) -> Incidents:
        """Return a record of incidents."""
        if name not in self.incidents:
            raise UsageError(f'unknown record "{name}": {suggest(name, list(self.incidents))}')
        return self.incidents[name]


def load_failure_rates(files: Iterable[str | PathLike[str]] = ()) -> FailureRates:
    """Read the failure rates that ship with the package, and a user's files over them.

    Parameters
    ----------
    files : iterable of path
        YAML with sections ``parts`` and ``incidents``.

    Returns
    -------
    FailureRates

    Raises
    ------
    FaultsError
        With every fault of the first file that has any.

    Examples
    --------
    >>> load_failure_rates().record("llama3-405b").total
    419
    """
    names = tuple(str(file) for file in files)
    return _load(names) if not names else _load.__wrapped__(names)


@lru_cache(maxsize=1)
def _load(files: tuple[str, ...]) -> FailureRates:
    sections: dict[str, type[Record]] = {"parts": Part, "incidents": Incidents}
    found = read_catalogue(sections, "topo_sim.gpus", "failure_rates.yaml", files)
    parts = {name: part for name, part in found["parts"].items() if isinstance(part, Part)}
    records = {name: record for name, record in found["incidents"].items() if isinstance(record, Incidents)}
    return FailureRates(parts, records)


def gpu_rate(
    rates: FailureRates,
    die_area: float,
    hbm_stacks: int,
    links: Mapping[str, int] | None = None,
    level: str = "typical",
) -> float:
    """Failure rate of one GPU as the sum over its parts.

    Parameters
    ----------
    rates : FailureRates
    die_area : float, m2
        Of all compute dies.
    hbm_stacks : int
    links : mapping from str to int, optional
        Links by medium whose ends are counted with the GPU; half of each link's rate.
    level : {"low", "typical", "high"}
        Of the rates; see Notes.

    Returns
    -------
    float, 1/s

    Notes
    -----
    The sum over die, faulty_gpu and package of rate x (f A / A_ref + 1 - f), f the share that follows area,
    plus stacks x rate of one, plus half of the links' rates. The level picks the rates; of `follows_area` the
    typical value counts always, since `scaled_rate` gives both ends.

    Examples
    --------
    >>> from topo_sim.gpus.reliability.checks import YEAR
    >>> rates = load_failure_rates()
    >>> h100, lite = (gpu_rate(rates, area * 1e-6, n) * YEAR for area, n in ((814, 5), (203.5, 1)))
    >>> round(h100, 3), round(lite, 3)
    (0.111, 0.051)
    """
    area = check_number(die_area, "die area", positive=True)
    stacks = check_count(hbm_stacks, "HBM stacks", least=0)
    total = 0.0
    for name in _GPU_PARTS:
        part = rates.part(name)
        follows = part.follows_area.typical
        size = area / part.area.typical if part.area is not None else 1.0
        number = stacks if name == "hbm_stack" else 1
        total += number * part.rate.at(level) * (follows * size + 1.0 - follows)
    for medium, number in (links or {}).items():
        half = rates.part(f"link-{medium}").rate.at(level) / 2
        total += check_count(number, f"links of {medium}", least=0) * half
    return total


def scaled_rate(rate: float, share: float, end: str) -> float:
    """Failure rate of a GPU with a share of another's silicon, at one of the two ends of what is known.

    Parameters
    ----------
    rate : float, 1/s
        Of the other GPU.
    share : float
        Silicon of this one over that of the other.
    end : {"area", "package"}
        Failures follow the area of silicon, or come one rate per package whatever its size.

    Returns
    -------
    float, 1/s

    Examples
    --------
    >>> scaled_rate(8.0, 0.25, "area"), scaled_rate(8.0, 0.25, "package")
    (2.0, 8.0)
    """
    if end not in ENDS:
        raise UsageError(f'unknown end "{end}": choose from {", ".join(ENDS)}')
    number = check_number(rate, "failure rate")
    return number * check_number(share, "share of silicon", positive=True) if end == "area" else number
