"""Switches: of light paths, and of packets."""

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from topo_sim.base import UsageError
from topo_sim.base.files import Range, Ranged, Record
from topo_sim.optics.fields import BITS, Count, Energy, Loss, Money, RateRange, Share, TimeRange, about

__all__ = ["CircuitSwitch", "PacketSwitch"]


class CircuitSwitch(Record):
    """A device that joins ports by light paths.

    Notes
    -----
    A part of the reconfiguration time that is unknown is left out and counts as none: the total is then
    that of the parts that are known.

    Examples
    --------
    >>> from topo_sim.optics.catalogue import load_optics
    >>> round(load_optics().circuit_switch("mordia").reconfiguration() * 1e6, 6)
    80.0
    """

    control: Literal["any", "cycle", "serial"] = about(
        "any matching at a time, fixed matchings in turn, or one circuit after the other", "any"
    )
    ports: Annotated[Range, Ranged("number", least=1.0)] | None = about("a range where there are sizes", None)
    spare_ports: Count = about("of these, kept for repair", 0)
    circulators: Count = about("per light path, where one fibre carries both ways", 0)
    circulator_loss: Loss | None = about("of each", None)
    switch_time: TimeRange | None = about("of the device itself", None)
    program_time: TimeRange | None = about("to load a configuration", None)
    lock_time: TimeRange | None = about("until receivers follow: clock, gain, FEC", None)
    loss: Loss | None = about("per pass", None)
    connectors: Count = about("per pass", 2)
    power: Annotated[Range, Ranged("power")] | None = about("of the device", None)
    path_energy: Energy | None = about("of a whole path through it, ends included", None)
    cost: Money | None = about("of the device", None)

    @model_validator(mode="after")
    def _spares_are_ports(self) -> "CircuitSwitch":
        if self.ports is not None and self.spare_ports >= self.ports.high:
            raise ValueError(
                f"spare_ports: found {self.spare_ports}, expected fewer than the {self.ports.high:g} ports"
            )
        return self

    def reconfiguration(self, level: str = "typical") -> float | None:
        """Time without light: switch, program and receiver lock.

        Parameters
        ----------
        level : {"low", "typical", "high"}

        Returns
        -------
        float, s, or None
            None where nothing is known of it.
        """
        known = [t for t in (self.switch_time, self.program_time, self.lock_time) if t is not None]
        return sum(each.at(level) for each in known) if known else None

    @property
    def most_ports(self) -> int | None:
        """Ports of the largest device that are no spares, or None where unknown."""
        return None if self.ports is None else int(self.ports.high) - self.spare_ports

    def energy_per_bit(self, port_rate: float, level: str = "typical") -> float | None:
        """Power of the device per bit, with every port at line rate.

        Parameters
        ----------
        port_rate : float, B/s
        level : {"low", "typical", "high"}

        Returns
        -------
        float, J/b, or None
            None where power or ports are unknown.

        Raises
        ------
        UsageError
            If the rate is not above 0.

        Examples
        --------
        >>> from topo_sim.optics.catalogue import load_optics
        >>> round(load_optics().circuit_switch("mems_palomar").energy_per_bit(100e9) * 1e12, 2)
        0.99
        """
        if not 0 < port_rate < math.inf:
            raise UsageError(f"port rate: found {port_rate!r} B/s, expected more than 0")
        if self.power is None or self.ports is None:
            return None
        return self.power.at(level) / (self.ports.at(level) * BITS * port_rate)


class PacketSwitch(Record):
    """An electrical switch: an ASIC, or a box with its optics.

    Examples
    --------
    >>> from topo_sim.optics.catalogue import load_optics
    >>> switch = load_optics().packet_switch("tomahawk5")
    >>> [round(switch.energy_per_bit(level) * 1e12, 2) for level in ("low", "high")]
    [8.79, 9.77]
    """

    ports: Annotated[int, Field(strict=True, ge=1, le=100_000)] = about("number of ports")
    port_rate: RateRange = about("of one port, one way")
    power: Annotated[Range, Ranged("power")] | None = about("at full load", None)
    optics_included: bool = about("whether power holds the modules of its ports", False)
    static_share: Share = about("the share of power that is drawn without traffic too")
    latency: TimeRange | None = about("port to port", None)
    cost: Money | None = about("of the switch", None)

    @property
    def capacity(self) -> float:
        """All ports, one way, B/s."""
        return self.ports * self.port_rate.typical

    def energy_per_bit(self, level: str = "typical") -> float | None:
        """Power per bit at full load.

        Parameters
        ----------
        level : {"low", "typical", "high"}

        Returns
        -------
        float, J/b, or None
            None where the power is unknown.
        """
        return None if self.power is None else self.power.at(level) / (BITS * self.capacity)

    def power_at(self, load: float, level: str = "typical") -> float | None:
        """Power under a share of full load.

        Parameters
        ----------
        load : float
            0 to 1.
        level : {"low", "typical", "high"}

        Returns
        -------
        float, W, or None
            None where the power is unknown.

        Raises
        ------
        UsageError
            If the load is out of bounds.
        """
        if not 0 <= load <= 1:
            raise UsageError(f"load: found {load!r}, expected 0 to 1")
        share = self.static_share.at(level)
        return None if self.power is None else self.power.at(level) * (share + (1 - share) * load)
