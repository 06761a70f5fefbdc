"""The loss budget of a light path: from the laser, over every loss, to the receiver."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from topo_sim.base import UsageError
from topo_sim.base.files import LEVELS, Range
from topo_sim.optics.devices import CircuitSwitch
from topo_sim.optics.medium import Medium

__all__ = ["Budget", "Term", "average_to_oma", "link_budget", "most_passes"]

MOST_PASSES = 1000
LONGEST = 1e9  # m
_ROUNDING = 1e-9  # dB
_MOST_TENS = 300
_OPPOSITE = {"low": "high", "typical": "typical", "high": "low"}
_NOTHING = Range(0.0, 0.0, 0.0)


def average_to_oma(extinction_ratio: float) -> float:
    """Difference between optical modulation amplitude and average power of one signal.

    Parameters
    ----------
    extinction_ratio : float, dB
        Power of a one over that of a zero.

    Returns
    -------
    float, dB
        To add to the average power (dBm) for the OMA (dBm).

    Raises
    ------
    UsageError
        If the ratio is not above 0 dB: a signal without ones and zeros.

    Notes
    -----
    ``OMA = 2 P (r - 1) / (r + 1)`` for average power P and linear ratio r, from ``OMA = P1 - P0``.

    Examples
    --------
    At a ratio of 3 both are equal; a perfect zero makes the OMA twice the average.

    >>> abs(round(average_to_oma(4.771212547), 6)), round(average_to_oma(100), 2)
    (0.0, 3.01)
    """
    if not 0 < extinction_ratio < math.inf:
        raise UsageError(f"extinction ratio: found {extinction_ratio!r} dB, expected more than 0 dB")
    ratio = 10 ** (-extinction_ratio / 10)
    return 10 * math.log10(2 * (1 - ratio) / (1 + ratio))


@dataclass(frozen=True)
class Term:
    """One loss on the way, all pieces of a kind together.

    Parameters
    ----------
    name : str
    loss : Range, dB
    """

    name: str
    loss: Range


@dataclass(frozen=True)
class Budget:
    """Where the light of one wavelength goes.

    Parameters
    ----------
    medium, switch : str
        Names; `switch` is empty where none is passed.
    passes : int
        Of circuit switches.
    length : float, m
        Of fibre.
    laser : Range, dBm
    terms : tuple of Term
        In the order of the path, from the laser on; penalties last.
    sensitivity : Range, dBm
        Least received power, as OMA.
    margin : Range, dB

    Notes
    -----
    Levels are those of the light: at "low" the laser is at its low end and every loss, the sensitivity and
    the margin at its high end, so low slack is the worst that the ranges allow and high slack the best.
    Received power is OMA: the modulator's term leads from laser power to it.

    Examples
    --------
    >>> from topo_sim.optics import load_optics
    >>> optics = load_optics()
    >>> budget = link_budget(optics.medium("cpo"), length=20.0)
    >>> round(budget.received().typical, 3), round(budget.slack().typical, 3)
    (0.293, 2.493)
    >>> piezo = optics.circuit_switch("piezo")
    >>> through = link_budget(optics.medium("cpo"), length=20.0, switch=piezo, passes=2)
    >>> through.closes(), through.broken_by(), round(through.laser_factor(), 2)
    (False, 'its connectors', 1.33)
    """

    medium: str
    switch: str
    passes: int
    length: float
    laser: Range
    terms: tuple[Term, ...]
    sensitivity: Range
    margin: Range

    def _at(self, what: Range, level: str) -> float:
        return what.at(_OPPOSITE.get(level, level))

    def waterfall(self, level: str = "typical") -> list[tuple[str, float]]:
        """Power after each term.

        Parameters
        ----------
        level : {"low", "typical", "high"}
            Of the light.

        Returns
        -------
        list of (str, float)
            Name and power in dBm, the laser first.
        """
        power = self.laser.at(level)
        found = [("laser", power)]
        for term in self.terms:
            power -= self._at(term.loss, level)
            found.append((term.name, power))
        return found

    def required(self, level: str = "typical") -> float:
        """Sensitivity and margin together, dBm OMA."""
        return self._at(self.sensitivity, level) + self._at(self.margin, level)

    def received(self) -> Range:
        """Power at the receiver, dBm OMA, at each level of the light."""
        return _range(lambda level: self.waterfall(level)[-1][1])

    def slack(self) -> Range:
        """Received power above what is required, dB, at each level of the light."""
        return _range(lambda level: self.waterfall(level)[-1][1] - self.required(level))

    def closes(self, level: str = "typical") -> bool:
        """Whether enough light arrives."""
        return self.slack().at(level) >= -_ROUNDING

    def short_by(self, level: str = "typical") -> float:
        """How much light lacks, dB; 0 where the budget closes."""
        return 0.0 if self.closes(level) else -self.slack().at(level)

    def broken_by(self, level: str = "typical") -> str | None:
        """Name the term that first takes the light below what is required; None where it closes."""
        need = self.required(level) - _ROUNDING
        return next((name for name, power in self.waterfall(level) if power < need), None)

    def laser_needed(self, level: str = "typical") -> float:
        """Laser power at which the budget just closes, dBm."""
        return self.laser.at(level) - self.slack().at(level)

    def laser_factor(self, level: str = "typical") -> float:
        """Return that power over the laser's own; below 1 where there is slack."""
        lacking = -self.slack().at(level) / 10
        return float(10**lacking) if lacking < _MOST_TENS else math.inf

    def to_dict(self) -> dict[str, Any]:
        """Everything, with units in the keys.

        Returns
        -------
        dict
        """
        return {
            "medium": self.medium,
            "circuit_switch": self.switch or None,
            "passes": self.passes,
            "length_m": self.length,
            "laser_dBm": _levels(self.laser),
            "terms": [{"name": term.name, "loss_dB": _levels(term.loss)} for term in self.terms],
            "received_dBm_OMA": _levels(self.received()),
            "sensitivity_dBm_OMA": _levels(self.sensitivity),
            "margin_dB": _levels(self.margin),
            "slack_dB": _levels(self.slack()),
            "closes": {level: self.closes(level) for level in LEVELS},
            "broken_by": {level: self.broken_by(level) for level in LEVELS},
            "short_by_dB": {level: self.short_by(level) for level in LEVELS},
            "laser_needed_dBm": {level: self.laser_needed(level) for level in LEVELS},
            "laser_factor": {level: self.laser_factor(level) for level in LEVELS},
        }


def _range(value: Callable[[str], float]) -> Range:
    return Range(value("low"), value("typical"), value("high"))


def _levels(what: Range) -> dict[str, float]:
    return {level: what.at(level) for level in LEVELS}


def _times(what: Range, factor: float) -> Range:
    return Range(what.low * factor, what.typical * factor, what.high * factor, what.source, what.mark)


def _known(owner: Medium | CircuitSwitch, field: str, needed: bool = True) -> Range:
    value: Range | None = getattr(owner, field)
    if value is None and needed:
        raise UsageError(f"{owner.name}: {field}: found no value, expected one for a loss budget")
    return value or _NOTHING


def _own_terms(medium: Medium, length: float) -> list[Term]:
    terms = [
        Term("couplers", _times(_known(medium, "coupler_loss", medium.couplers > 0), medium.couplers)),
        Term("modulator", _known(medium, "modulator_loss")),
    ]
    if medium.waveguide_length is not None:
        loss, way = _known(medium, "waveguide_loss"), medium.waveguide_length
        terms.append(Term("waveguide", _range(lambda level: loss.at(level) * way.at(level))))
    connectors = _known(medium, "connector_loss", medium.connectors > 0)
    return [
        *terms,
        Term("connectors", _times(connectors, medium.connectors)),
        Term("fibre", _times(_known(medium, "fibre_loss", length > 0), length)),
    ]


def _switch_terms(medium: Medium, switch: CircuitSwitch, passes: int) -> list[Term]:
    if passes == 0:
        return []
    terms = [Term("circuit switch", _times(_known(switch, "loss"), passes))]
    if switch.connectors:
        loss = _times(_known(medium, "connector_loss"), switch.connectors * passes)
        terms.append(Term("its connectors", loss))
    if switch.circulators:
        terms.append(Term("circulators", _times(_known(switch, "circulator_loss"), switch.circulators)))
    return terms


def _sensitivity(medium: Medium) -> Range:
    """Least received power as OMA."""
    stated = _known(medium, "sensitivity")
    if medium.sensitivity_kind == "oma":
        return stated
    ratio = _known(medium, "extinction_ratio")
    return _range(lambda level: stated.at(level) + average_to_oma(ratio.at(level)))


def link_budget(
    medium: Medium, *, length: float = 20.0, switch: CircuitSwitch | None = None, passes: int | None = None
) -> Budget:
    """Add up the losses between laser and receiver.

    Parameters
    ----------
    medium : Medium
        Its laser, losses and receiver.
    length : float, m
        Of fibre, in all.
    switch : CircuitSwitch, optional
        What the light passes.
    passes : int, optional
        How often. Default: once where there is a switch.

    Returns
    -------
    Budget

    Raises
    ------
    UsageError
        If the medium carries no light or lacks a number that is needed, or an argument is out of bounds.

    Notes
    -----
    Light closes where ``laser - losses - penalties >= sensitivity + margin``. All is per wavelength. A pass
    adds the switch's own loss and its connectors; circulators count once per path, at its ends.

    Examples
    --------
    >>> from topo_sim.optics import load_optics
    >>> link_budget(load_optics().medium("copper"))
    Traceback (most recent call last):
    topo_sim.base.errors.UsageError: copper carries no light, expected an optical medium
    """
    if medium.signal != "optical":
        raise UsageError(f"{medium.name} carries no light, expected an optical medium")
    if not medium.has_budget:
        raise UsageError(f"{medium.name}: found no laser and sensitivity, expected both for a loss budget")
    if isinstance(length, bool) or not 0 <= length <= LONGEST:
        raise UsageError(f"length: found {length!r} m, expected 0 to {LONGEST:g} m")
    count = int(switch is not None) if passes is None else passes
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= MOST_PASSES:
        raise UsageError(f"passes: found {passes!r}, expected an integer from 0 to {MOST_PASSES}")
    if count and switch is None:
        raise UsageError(f"passes: found {count} of no circuit switch, expected the name of one too")
    return Budget(
        medium=medium.name,
        switch=switch.name if switch is not None and count else "",
        passes=count,
        length=float(length),
        laser=_known(medium, "laser"),
        terms=(
            *_own_terms(medium, float(length)),
            *(_switch_terms(medium, switch, count) if switch is not None else []),
            Term("penalties", _known(medium, "penalty", needed=False)),
        ),
        sensitivity=_sensitivity(medium),
        margin=_known(medium, "margin", needed=False),
    )


def most_passes(
    medium: Medium, switch: CircuitSwitch, *, length: float = 20.0, level: str = "typical"
) -> int | None:
    """Count the passes of a circuit switch that the light of a medium survives.

    Parameters
    ----------
    medium : Medium
    switch : CircuitSwitch
    length : float, m
    level : {"low", "typical", "high"}
        Of the light.

    Returns
    -------
    int, or None
        None where the light does not even close without a switch; at most 1000.

    Raises
    ------
    UsageError
        As `link_budget` does.

    Examples
    --------
    >>> from topo_sim.optics import load_optics
    >>> optics = load_optics()
    >>> [most_passes(optics.medium(m), optics.circuit_switch("piezo")) for m in ("cpo", "pluggable")]
    [1, 2]
    """
    if not link_budget(medium, length=length).closes(level):
        return None
    first, last = (
        link_budget(medium, length=length, switch=switch, passes=n).slack().at(level)
        for n in (1, MOST_PASSES)
    )
    if first < -_ROUNDING:
        return 0
    each = (first - last) / (MOST_PASSES - 1)
    return MOST_PASSES if last >= -_ROUNDING else 1 + int((first + _ROUNDING) / each)
