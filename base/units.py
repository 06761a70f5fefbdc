"""Quantities with units, parsed once at the border into SI floats (B, s, B/s, J, W, m).

Why not a units library: the field writes ``400 Gb/s`` and ``pJ/b``, which general libraries read
as gilbert per second and picojoule per barn.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Annotated, Any

from topo_sim.base.errors import UnitError

__all__ = ["KINDS", "Quantity", "Rate", "Time", "format_quantity", "parse_quantity"]

_SI = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_SMALL = {"m": 1e-3, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15}
_BINARY = {f"{p}i": 1024.0 ** (i + 1) for i, p in enumerate(["K", "M", "G", "T", "P", "E"])}

_SIZES = {p + unit: f * s for p, f in (_SI | _BINARY).items() for unit, s in (("B", 1), ("b", 1 / 8))}
_RATES = {f"{name}{per}": factor for name, factor in _SIZES.items() for per in ("/s", "ps")}
_YEAR = 8760 * 3600.0
_LONG = {
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
    "days": 86400.0,
    "year": _YEAR,
    "years": _YEAR,
}
_TIMES = {p + "s": f for p, f in ({"": 1.0} | _SMALL).items()} | _LONG
_LENGTHS = {"m": 1.0, "km": 1e3, "cm": 1e-2, "mm": 1e-3, "um": 1e-6, "nm": 1e-9}
_WATTS = {p + "W": f for p, f in (_SI | _SMALL).items()}
_JOULES = {p + "J": f for p, f in (_SI | _SMALL).items()}
_PER_BIT = {f"{name}/{bit}": f for name, f in _JOULES.items() for bit in ("b", "bit")}
_AREAS = {f"{name}2": f * f for name, f in _LENGTHS.items()}
_DENSITIES = {f"{name}/{per}": f / m for name, f in _RATES.items() for per, m in (("mm", 1e-3), ("m", 1.0))}
_COMPUTE = {p + unit: f for p, f in _SI.items() for unit in ("FLOPS", "FLOP/s")}
_HERTZ = {p + "Hz": f for p, f in _SI.items()}
_MONEY = {p + unit: f for p, f in {"": 1.0, "k": 1e3, "M": 1e6}.items() for unit in ("$", "USD")}
_FAILURES = {"FIT": 1e-9 / 3600, "/h": 1 / 3600, "/year": 1 / _YEAR, "/s": 1.0}

KINDS: Mapping[str, tuple[Mapping[str, float], str]] = {
    "rate": (_RATES, '"400 Gb/s" or "50 GB/s"'),
    "size": (_SIZES, '"16 MiB" or "1 GB"'),
    "time": (_TIMES, '"300 ns" or "1.2 us"'),
    "length": (_LENGTHS, '"20 m"'),
    "power": (_WATTS, '"9 W"'),
    "energy": (_JOULES, '"5 pJ"'),
    "energy per bit": (_PER_BIT, '"5.6 pJ/b"'),
    "area": (_AREAS, '"814 mm2"'),
    "defect density": ({"/cm2": 1e4, "/mm2": 1e6, "/m2": 1.0}, '"0.1 /cm2"'),
    "bandwidth density": (_DENSITIES, '"500 Gb/s/mm"'),
    "compute": (_COMPUTE, '"2000 TFLOPS"'),
    "frequency": (_HERTZ, '"1.7 GHz"'),
    "money": (_MONEY, '"300 $"'),
    "failure rate": (_FAILURES, '"0.09 /year" or "500 FIT"'),
    "request rate": ({"/s": 1.0, "/min": 1 / 60, "/h": 1 / 3600}, '"5 /s"'),
    "loss": ({"dB": 1.0}, '"1.5 dB"'),
    "loss per length": ({"dB/km": 1e-3, "dB/m": 1.0, "dB/cm": 1e2}, '"0.35 dB/km"'),
    "delay per length": ({"ns/m": 1e-9, "us/km": 1e-9, "s/m": 1.0}, '"5 ns/m"'),
    "optical power": ({"dBm": 1.0}, '"10 dBm"'),
    "share": ({"%": 0.01}, '"60 %" or 0.6'),
    "number": ({}, "2.5"),
}
_NUMBER = re.compile(r"\s*([-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(\S*)\s*\Z")


def _short(text: str) -> str:
    """Put text on one line, cut to what a message can hold."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:57] + "..."


def _text(value: object) -> str:
    try:
        return str(value)
    except ValueError:  # an integer of thousands of digits
        return "a huge number"


def _scale(number: float, factor: float) -> float:
    """Multiply by a factor; by dividing where it is a small power of ten, which rounds only once."""
    return number / round(1 / factor) if factor < 1 else number * factor


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def parse_quantity(value: object, kind: str) -> float:
    """Read a quantity: text with a unit, or a number that is already SI.

    Parameters
    ----------
    value : str, int or float
        For example ``"400 Gb/s"``, ``"300 ns"``, ``5e10``. ``B`` is byte and ``b`` is bit; ``k M G``
        are powers of 1000 and ``Ki Mi Gi`` powers of 1024. Text without a unit counts as SI.
    kind : str
        What is expected: a key of `KINDS`, such as "rate" (B/s), "size" (B), "time" (s), "length" (m),
        "area" (m2), "power" (W), "energy" (J), "energy per bit" (J/b), "loss" (dB), "optical power" (dBm),
        "delay per length" (s/m),
        "bandwidth density" (B/s/m), "defect density" (1/m2), "compute" (FLOP/s), "failure rate" (1/s),
        "money" ($).

    Returns
    -------
    float, SI
        A finite number; its sign is the caller's to judge.

    Raises
    ------
    UnitError
        If it is no number, not finite, has an unknown unit, or a unit of another kind.

    Examples
    --------
    >>> parse_quantity("400 Gb/s", "rate")
    50000000000.0
    >>> parse_quantity("64 KiB", "size")
    65536.0
    >>> parse_quantity("400 Gb", "rate")
    Traceback (most recent call last):
    topo_sim.base.errors.UnitError: "400 Gb" is a size, expected a rate (for example "400 Gb/s" or "50 GB/s")
    """
    units, example = KINDS[kind]
    expected = f"expected {_article(kind)} (for example {example})"
    if isinstance(value, bool) or not isinstance(value, (str, Real)):
        raise UnitError(f"{_short(repr(value))} is no quantity, {expected}")
    if isinstance(value, str):
        match = _NUMBER.match(value) if len(value) <= 80 else None
        if match is None:
            raise UnitError(f'"{_short(value)}" is no quantity, {expected}')
        number, unit = float(match[1].replace("_", "")), match[2]
        if unit and unit not in units:
            other = next((k for k, (names, _) in KINDS.items() if unit in names), None)
            what = f"is {_article(other)}" if other else f'has the unknown unit "{unit}"'
            raise UnitError(f'"{_short(value)}" {what}, {expected}')
        number = _scale(number, units[unit]) if unit else number
    else:
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
    if not math.isfinite(number):
        raise UnitError(f"{_short(_text(value))} is not finite, {expected}")
    return number


_SCALES = {
    "rate": [(f"{p}B/s", _SI[p]) for p in ("P", "T", "G", "M", "k", "")],
    "size": [(f"{p}B", f) for p, f in reversed(_BINARY.items())] + [("B", 1.0)],
    "time": [("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9)],
    "power": [("MW", 1e6), ("kW", 1e3), ("W", 1.0)],
    "energy": [("MJ", 1e6), ("kJ", 1e3), ("J", 1.0), ("mJ", 1e-3), ("uJ", 1e-6), ("nJ", 1e-9), ("pJ", 1e-12)],
}
_OF_NOTHING = {"time": "s", "energy": "J"}


def format_quantity(value: float, kind: str, digits: int = 4) -> str:
    """Write a quantity for people, with the unit that gives the shortest number.

    Parameters
    ----------
    value : float, SI
        What to write.
    kind : {"rate", "size", "time", "power", "energy"}
        What it is.
    digits : int
        Significant digits.

    Returns
    -------
    str
        Number and unit.

    Examples
    --------
    >>> format_quantity(1.125e11, "rate"), format_quantity(65536, "size"), format_quantity(3e-7, "time")
    ('112.5 GB/s', '64 KiB', '300 ns')
    """
    if not math.isfinite(value):
        return "-" if math.isnan(value) else "unlimited" if value > 0 else "-unlimited"
    scales = _SCALES[kind]
    if value == 0:
        return f"0 {_OF_NOTHING.get(kind, scales[-1][0])}"
    # A value that rounds up to the next unit is written in that unit.
    least = 1 - 0.5 * 10.0**-digits
    unit, factor = next(((u, f) for u, f in scales if abs(value) >= f * least), scales[-1])
    number = f"{value / factor:.{digits}g}"
    if "e+" in number and abs(value) < 1e7 * factor:
        number = f"{value / factor:.0f}"
    return f"{number} {unit}"


@dataclass(frozen=True)
class Quantity:
    """Mark an annotation as a quantity, so that file schemas check it and document it.

    Parameters
    ----------
    kind : str
        As in `parse_quantity`.
    positive : bool
        Whether zero is refused; a negative value always is.

    Examples
    --------
    >>> Quantity("time", positive=False).read("2 us")
    2e-06
    """

    kind: str
    positive: bool = True

    def read(self, value: object) -> float:
        """Parse `value` and check its sign.

        Parameters
        ----------
        value : object
            What was given.

        Returns
        -------
        float, SI

        Raises
        ------
        UnitError
            As `parse_quantity` does, and for a value that is too small.
        """
        number = parse_quantity(value, self.kind)
        if number < 0 or (self.positive and number == 0):
            bound = "more than 0" if self.positive else "0 or more"
            raise UnitError(f"found {value!r}, expected {_article(self.kind)} of {bound}")
        return number

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Let pydantic check a value without changing it."""
        from pydantic_core import PydanticCustomError, core_schema

        def check(value: Any) -> Any:
            try:
                self.read(value)
            except UnitError as error:
                raise PydanticCustomError("quantity", "{text}", {"text": str(error)}) from None
            return value

        return core_schema.no_info_plain_validator_function(check)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        """Describe the quantity for editors."""
        example = KINDS[self.kind][1]
        text = f"{_article(self.kind)}: text with a unit, for example {example}, or a number in SI units"
        return {"anyOf": [{"type": "number"}, {"type": "string"}], "description": text}


Rate = Annotated[float | str, Quantity("rate")]
Time = Annotated[float | str, Quantity("time", positive=False)]
