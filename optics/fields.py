"""Types of the fields that records of light have."""

import math
from typing import Annotated, Any

from pydantic import Field

from topo_sim.base.files import Range, Ranged

__all__ = [
    "BITS",
    "NONE",
    "Count",
    "Energy",
    "Length",
    "Light",
    "Loss",
    "LossPerLength",
    "Money",
    "RateRange",
    "Share",
    "TimeRange",
    "about",
]

BITS = 8.0
NONE = Range(0.0, 0.0, 0.0)

RateRange = Annotated[Range, Ranged("rate", above=True)]
Energy = Annotated[Range, Ranged("energy per bit")]
Share = Annotated[Range, Ranged("share", most=1.0)]
TimeRange = Annotated[Range, Ranged("time")]
Length = Annotated[Range, Ranged("length")]
Loss = Annotated[Range, Ranged("loss")]
LossPerLength = Annotated[Range, Ranged("loss per length")]
Light = Annotated[Range, Ranged("optical power", least=-math.inf)]
Money = Annotated[Range, Ranged("money")]
Count = Annotated[int, Field(strict=True, ge=0, le=1000)]


def about(text: str, default: Any = ...) -> Any:
    """Describe a field of a record; without a default it must be given."""
    return Field(default, description=text)
