"""Link media: energy, reach, latency and the light budget of what joins two chips."""

import math
from typing import Annotated, Literal

from topo_sim.base import UsageError
from topo_sim.base.files import Range, Ranged, Record
from topo_sim.optics.fields import (
    BITS,
    NONE,
    Count,
    Energy,
    Length,
    Light,
    Loss,
    LossPerLength,
    Money,
    RateRange,
    Share,
    TimeRange,
    about,
)

__all__ = ["Medium"]


class Medium(Record):
    """What a cable is made of, with the modules at both of its ends.

    Notes
    -----
    `energy_per_bit` is that of one link: half is spent at each end. A port sends and receives, so at
    line rate both ways its W are ``energy_per_bit * 8 * rate`` (rate in B/s, one way): 9 W for 1.6 Tb/s is
    5.625 pJ/b. Of that, `static_share` is drawn whether or not bits flow. `serdes_energy` is what the chip
    at one end spends besides; the W of a packet switch hold it already.

    Examples
    --------
    >>> from topo_sim.optics.catalogue import load_optics
    >>> cpo = load_optics().medium("cpo")
    >>> round(cpo.port_power(200e9), 6)
    9.0
    >>> round(cpo.static_energy() + cpo.moving_energy(), 18)
    5.625e-12
    """

    signal: Literal["electrical", "optical"] = about("electrical or optical")
    port_rate: RateRange | None = about("one way, of the port whose power was published", None)
    energy_per_bit: Energy = about("of one link at line rate, the modules at both ends")
    static_share: Share = about("the share of the energy at line rate that is drawn without traffic too")
    serdes_energy: Energy = about("per bit, in the chip at one end")
    reach: Length = about("the longest cable")
    serdes_latency: TimeRange = about("per end")
    fec_latency: TimeRange = about("per link")
    dsp_latency: TimeRange = about("per end", NONE)
    delay: Annotated[Range, Ranged("delay per length")] = about("of the signal along the cable")
    bandwidth_density: Annotated[Range, Ranged("bandwidth density", above=True)] | None = about(
        "one way, along the edge of a die", None
    )
    lane_rate: RateRange | None = about("of one wavelength", None)
    laser: Light | None = about("of one wavelength, into the first coupler", None)
    laser_efficiency: Annotated[Range, Ranged("share", most=1.0, above=True)] | None = about(
        "light out over power in", None
    )
    couplers: Count = about("between fibre and chip, along the path", 0)
    coupler_loss: Loss | None = about("of each", None)
    modulator_loss: Loss | None = about("from laser power to OMA", None)
    extinction_ratio: Annotated[Range, Ranged("loss", above=True)] | None = about("one level over zero", None)
    waveguide_length: Length | None = about("on the chips, in all", None)
    waveguide_loss: LossPerLength | None = about("on the chips", None)
    connectors: Count = about("along the path, without those of circuit switches", 0)
    connector_loss: Loss | None = about("of each", None)
    fibre_loss: LossPerLength | None = about("of the fibre", None)
    penalty: Loss | None = about("interference, dispersion and the like", None)
    sensitivity: Light | None = about("least received power", None)
    sensitivity_kind: Literal["oma", "average"] = about("the kind of power that sensitivity means", "oma")
    margin: Loss | None = about("kept above sensitivity", None)
    cost: Money | None = about("per port", None)

    @property
    def has_budget(self) -> bool:
        """Whether laser and sensitivity are known, so that a loss budget can be made."""
        return self.laser is not None and self.sensitivity is not None

    def static_energy(self, level: str = "typical") -> float:
        """Energy that a link draws at all times, per bit of line rate.

        Parameters
        ----------
        level : {"low", "typical", "high"}

        Returns
        -------
        float, J/b
            Times ``8 * capacity`` (B/s) it is the W of one link, both ends together.
        """
        return self.energy_per_bit.at(level) * self.static_share.at(level)

    def moving_energy(self, level: str = "typical") -> float:
        """Energy that every bit that is sent adds.

        Parameters
        ----------
        level : {"low", "typical", "high"}

        Returns
        -------
        float, J/b
            Both ends together; with `static_energy` it adds up to `energy_per_bit` at every level.
        """
        return self.energy_per_bit.at(level) - self.static_energy(level)

    def port_power(self, rate: float, load: float = 1.0, level: str = "typical") -> float:
        """Power of the module of one port, sending and receiving.

        Parameters
        ----------
        rate : float, B/s
            Line rate, one way.
        load : float
            Share of the line rate that is sent, 0 to 1, as much received.
        level : {"low", "typical", "high"}

        Returns
        -------
        float, W

        Raises
        ------
        UsageError
            If rate or load is out of bounds.
        """
        if not (0 <= rate < math.inf and 0 <= load <= 1):
            raise UsageError(
                f"found rate {rate!r} and load {load!r}, expected rate >= 0 and load from 0 to 1"
            )
        return BITS * rate * (self.static_energy(level) + load * self.moving_energy(level))

    def latency(self, length: float, level: str = "typical") -> float:
        """Time from chip to chip.

        Parameters
        ----------
        length : float, m
            Of the cable.
        level : {"low", "typical", "high"}

        Returns
        -------
        float, s
            Serdes and DSP at both ends, FEC, and the signal along the cable.

        Raises
        ------
        UsageError
            If the length is negative or not finite.

        Examples
        --------
        >>> from topo_sim.optics.catalogue import load_optics
        >>> research = load_optics().medium("cpo_research")
        >>> round(research.latency(10.0) * 1e9, 6)
        60.0
        """
        if not 0 <= length < math.inf:
            raise UsageError(f"length: found {length!r} m, expected at least 0")
        ends = 2 * (self.serdes_latency.at(level) + self.dsp_latency.at(level))
        return ends + self.fec_latency.at(level) + length * self.delay.at(level)

    def laser_energy(self, level: str = "typical") -> float | None:
        """Electric energy of the laser per bit of line rate, where laser, efficiency and lane are known.

        Parameters
        ----------
        level : {"low", "typical", "high"}
            Of the light; the efficiency is taken the other way round, so that high is the most.

        Returns
        -------
        float, J/b, or None
            Part of `static_energy`; a laser of x dB more takes ``10 ** (x / 10)`` times as much.

        Examples
        --------
        >>> from topo_sim.optics.catalogue import load_optics
        >>> round(load_optics().medium("cpo").laser_energy() * 1e12, 4)
        0.6295
        """
        if self.laser is None or self.laser_efficiency is None or self.lane_rate is None:
            return None
        other = {"low": "high", "high": "low"}.get(level, level)
        light = 1e-3 * 10 ** (self.laser.at(level) / 10)
        return light / self.laser_efficiency.at(other) / (BITS * self.lane_rate.at(level))
