"""Numbers that are known only as a range: low, typical, high, each with its source."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from topo_sim.base.errors import UnitError, UsageError
from topo_sim.base.registry import nearest
from topo_sim.base.units import KINDS, parse_quantity

__all__ = ["LEVELS", "MARKS", "Range", "Ranged"]

LEVELS = ("low", "typical", "high")
MARKS = ("stated", "computed", "measured", "recalled", "assumed")
_KEYS = (*LEVELS, "source", "mark")


@dataclass(frozen=True)
class Range:
    """A number between two ends, with the value to take where one is wanted.

    Parameters
    ----------
    low, typical, high : float, SI
        In this order of size. The ends say how far the number is known, not what is good.
    source : str
        Where it comes from.
    mark : {"stated", "computed", "measured", "recalled", "assumed", ""}
        How sure it is: read in the source, computed by us, measured by us, recalled, or assumed.

    Examples
    --------
    >>> Range(2.0, 3.0, 4.0).at("high")
    4.0
    """

    low: float
    typical: float
    high: float
    source: str = ""
    mark: str = ""

    @property
    def exact(self) -> bool:
        """Whether both ends are the same."""
        return self.low == self.high

    def at(self, level: str) -> float:
        """Return one of the three values.

        Parameters
        ----------
        level : {"low", "typical", "high"}

        Returns
        -------
        float, SI

        Raises
        ------
        UsageError
            If there is no such level.
        """
        if level not in LEVELS:
            raise UsageError(f'unknown level "{level}": {nearest(level, LEVELS)}')
        return float(getattr(self, level))


def _middle(low: float, high: float) -> float:
    """Geometric middle, where both ends are above zero: the value that is as far from both by factor."""
    if low == high:
        return low
    return math.sqrt(low) * math.sqrt(high) if low > 0 else (low + high) / 2


@dataclass(frozen=True)
class Ranged:
    """Mark an annotation as a range of quantities: file schemas read it and document it.

    A value is one quantity, a list of two (the middle is geometric) or three, or a mapping with
    `low`, `typical`, `high` and, where wanted, `source` and `mark`.

    Parameters
    ----------
    kind : str
        As in `parse_quantity`; "number" for plain numbers.
    least, most : float, SI
        No value may lie outside.
    above : bool
        Whether `least` itself is refused.

    Examples
    --------
    >>> Ranged("energy per bit").read(["5 pJ/b", "7 pJ/b"]).high
    7e-12
    >>> Ranged("number", most=1.0).read({"typical": 0.5, "mark": "assumed"}).low
    0.5
    """

    kind: str
    least: float = 0.0
    most: float = math.inf
    above: bool = False

    def _number(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise UnitError(f"found {value!r}, expected {self._wanted}")
        number = parse_quantity(value, self.kind)
        if number < self.least or number > self.most or (self.above and number == self.least):
            raise UnitError(f"found {value!r}, expected {self._wanted}")
        return number

    @property
    def _wanted(self) -> str:
        low = f"{'more than' if self.above else 'at least'} {self.least:g}" if self.least > -math.inf else ""
        high = f"at most {self.most:g}" if self.most < math.inf else ""
        bounds = " and ".join(text for text in (low, high) if text)
        what = f"a value of kind {self.kind}{f' of {bounds}' if bounds else ''}"
        return f"{what} (for example {KINDS[self.kind][1]})"

    def read(self, value: object) -> Range:
        """Read a range and check its order.

        Parameters
        ----------
        value : object
            What was given.

        Returns
        -------
        Range

        Raises
        ------
        UnitError
            If it is no range of quantities of this kind, or out of bounds, or out of order.
        """
        if isinstance(value, Range):
            return value
        about: dict[str, str] = {}
        if isinstance(value, Mapping):
            unknown = [str(key) for key in value if key not in _KEYS]
            if unknown:
                raise UnitError(f'unknown key "{unknown[0]}" of a range: {nearest(unknown[0], _KEYS)}')
            about = {key: str(value[key]) for key in ("source", "mark") if key in value}
            if about.get("mark", "assumed") not in MARKS:
                raise UnitError(f'unknown mark "{about["mark"]}": {nearest(about["mark"], MARKS)}')
            given = [value[level] for level in LEVELS if level in value]
            if not given or ("low" in value) != ("high" in value):
                raise UnitError("found a range without both ends, expected low and high, or typical alone")
        else:
            given = list(value) if isinstance(value, (list, tuple)) else [value]
        if not 1 <= len(given) <= 3:
            raise UnitError(f"found {len(given)} values, expected one, [low, high] or [low, typical, high]")
        numbers = [self._number(each) for each in given]
        if numbers != sorted(numbers):
            raise UnitError(f"found {given}, expected low <= typical <= high")
        low, high = numbers[0], numbers[-1]
        return Range(low, numbers[1] if len(numbers) == 3 else _middle(low, high), high, **about)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Let pydantic read a range."""
        from pydantic_core import PydanticCustomError, core_schema

        def check(value: Any) -> Range:
            try:
                return self.read(value)
            except UnitError as error:
                raise PydanticCustomError("range", "{text}", {"text": str(error)}) from None

        return core_schema.no_info_plain_validator_function(check)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        """Describe the range for editors."""
        return {"description": f"{self._wanted}, [low, high], [low, typical, high], or a mapping of these"}
