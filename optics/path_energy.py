"""Energy of a bit on its way, in closed form: through packet switches, or over a circuit."""

import math
from dataclasses import dataclass

from topo_sim.base import UsageError

__all__ = ["BitPath", "circuit_path", "packet_path"]


@dataclass(frozen=True)
class BitPath:
    """What a bit costs from endpoint to endpoint.

    Parameters
    ----------
    static : float, J/b
        Of what is drawn whether or not bits flow, at the load given.
    moving : float, J/b
        Of what every bit adds.

    Examples
    --------
    >>> one, two = BitPath(1e-12, 1e-12), BitPath(3e-12, 5e-12)
    >>> one.saving(two)
    0.75
    """

    static: float
    moving: float

    @property
    def energy(self) -> float:
        """Both together, J/b."""
        return self.static + self.moving

    def saving(self, other: "BitPath") -> float:
        """Share of another path's energy that this one does without; below 0 if it needs more."""
        if other.energy == 0:
            raise UsageError("found a path without any energy, expected one to compare with")
        return 1 - self.energy / other.energy


def _checked(**values: float) -> None:
    for name, value in values.items():
        if isinstance(value, bool) or not 0 <= value < math.inf:
            raise UsageError(f"{name.replace('_', ' ')}: found {value!r}, expected a finite number from 0 on")


def _share(name: str, value: float) -> float:
    if isinstance(value, bool) or not 0 < value <= 1:
        raise UsageError(f"{name.replace('_', ' ')}: found {value!r}, expected more than 0 and at most 1")
    return value


def packet_path(
    link: float,
    switch: float,
    switches: int = 1,
    *,
    link_static_share: float = 1.0,
    switch_static_share: float = 1.0,
    load: float = 1.0,
) -> BitPath:
    """Energy of a bit that passes packet switches.

    Parameters
    ----------
    link : float, J/b
        Of one link at line rate, both ends.
    switch : float, J/b
        Of a switch at full load, by its capacity.
    switches : int
        On the path: 1, 3 or 5 in one, two or three tiers.
    link_static_share, switch_static_share : float
        Shares that are drawn without traffic too.
    load : float
        Share of all line rates that carries bits.

    Returns
    -------
    BitPath

    Raises
    ------
    UsageError
        If a number is out of bounds.

    Notes
    -----
    ``(s + 1) e + s a`` at full load, as with s switches there are s + 1 links; what is static is shared by
    fewer bits at lower load.

    Examples
    --------
    Co-packaged optics and a switch of 8.8 pJ/b, one tier: 2 x 5.6 + 8.8.

    >>> round(packet_path(5.6e-12, 8.8e-12).energy * 1e12, 6)
    20.0
    """
    _checked(link=link, switch=switch, link_static_share=link_static_share)
    _checked(switch_static_share=switch_static_share)
    if isinstance(switches, bool) or not isinstance(switches, int) or switches < 0:
        raise UsageError(f"switches: found {switches!r}, expected a whole number from 0 on")
    if max(link_static_share, switch_static_share) > 1:
        raise UsageError("static share: found more than 1, expected 0 to 1")
    links, silicon = (switches + 1) * link, switches * switch
    static = links * link_static_share + silicon * switch_static_share
    return BitPath(static / _share("load", load), links + silicon - static)


def circuit_path(
    link: float,
    circuit_switch: float,
    *,
    laser: float = 0.0,
    laser_loss: float = 0.0,
    link_static_share: float = 1.0,
    load: float = 1.0,
    duty: float = 1.0,
    hops: float = 1.0,
) -> BitPath:
    """Energy of a bit over circuits, with what simple counts leave out.

    Parameters
    ----------
    link : float, J/b
        Of one light path at line rate, both ends, laser included.
    circuit_switch : float, J/b
        W of the switch over its ports at line rate; static.
    laser : float, J/b
        The laser's part of `link`.
    laser_loss : float, dB
        Light that the laser has to give on top, for the loss of the switch.
    link_static_share : float
        Share of the link that is drawn without traffic too.
    load : float
        Share of the circuits' rate that carries bits while there is light: the rest are idle, lasers on.
    duty : float
        Share of the time with light: slot less reconfiguration, over slot.
    hops : float
        Circuits that a bit takes in turn, mean: 2 under Valiant load balancing.

    Returns
    -------
    BitPath

    Raises
    ------
    UsageError
        If a number is out of bounds.

    Examples
    --------
    5.6 pJ/b of light path and 1 of switch; with 2 dB more laser (x 1.585) of 0.63 pJ/b, 0.37 more.

    >>> round(circuit_path(5.6e-12, 1e-12).energy * 1e12, 3)
    6.6
    >>> round(circuit_path(5.6e-12, 1e-12, laser=0.63e-12, laser_loss=2.0).energy * 1e12, 3)
    6.968
    """
    _checked(link=link, circuit_switch=circuit_switch, laser=laser, link_static_share=link_static_share)
    _checked(laser_loss=laser_loss)
    if link_static_share > 1 or laser > link * (1 + 1e-12):
        raise UsageError("static share above 1, or laser above the link's energy: expected parts of the link")
    if laser_loss > 200.0:  # beyond any power of light that the catalogue takes
        raise UsageError(f"laser loss: found {laser_loss!r} dB, expected at most 200 dB")
    if isinstance(hops, bool) or not 1 <= hops < math.inf:
        raise UsageError(f"hops: found {hops!r}, expected at least 1")
    static = link * link_static_share + circuit_switch + laser * (10 ** (laser_loss / 10) - 1)
    used = _share("load", load) * _share("duty", duty)
    return BitPath(hops * static / used, hops * link * (1 - link_static_share))
