"""Types of the fields that records of light have."""

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

# Upper bounds keep every sum and power of ten finite; none of them is near a real device.
BITS = 8.0
NONE = Range(0.0, 0.0, 0.0)

RateRange = Annotated[Range, Ranged("rate", most=1e18, above=True)]
Energy = Annotated[Range, Ranged("energy per bit", most=1.0)]
Share = Annotated[Range, Ranged("share", most=1.0)]
TimeRange = Annotated[Range, Ranged("time")]
Length = Annotated[Range, Ranged("length", most=1e9)]
Loss = Annotated[Range, Ranged("loss", most=1000.0)]
LossPerLength = Annotated[Range, Ranged("loss per length", most=1e9)]
Light = Annotated[Range, Ranged("optical power", least=-200.0, most=200.0)]
Money = Annotated[Range, Ranged("money")]
Count = Annotated[int, Field(strict=True, ge=0, le=1000)]


def about(text: str, default: Any = ...) -> Any:
    """Describe a field of a record; without a default it must be given."""
    return Field(default, description=text)
