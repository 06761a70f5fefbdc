"""Layers of circuit switches: what hangs where, and whether it fits the ports that switches have."""

from dataclasses import dataclass

import numpy as np

from topo_sim.base import TopologyError
from topo_sim.optics.circuit_schedule import CircuitSchedule
from topo_sim.optics.matchings import slot_blocks

__all__ = ["OcsLayer"]


@dataclass(frozen=True)
class OcsLayer:
    """Planes of circuit switches that endpoints hang on, one fibre to each plane.

    Parameters
    ----------
    endpoints : int
        What is joined to every plane: endpoints, racks, or faces of cubes.
    planes : int
        Fibres per endpoint, each to a plane of its own.
    radix : int
        Ports of one circuit switch.
    spare : int
        Ports of each switch that are kept free, for repairs.
    split : bool
        Whether a plane may consist of several switches, each of which joins its own endpoints only.
    duplex : bool
        Whether a port carries both directions over one fibre (circulators), so that circuits go both ways.

    Raises
    ------
    TopologyError
        If the wiring does not fit the switch.

    Examples
    --------
    The 64 cubes of a TPU v4 pod have two faces on each of 48 switches of 136 ports, 8 of them spare.

    >>> pod = OcsLayer(endpoints=2 * 64, planes=48, radix=136, spare=8)
    >>> pod.switches, pod.fibres, pod.free_ports
    (48, 6144, 0)
    """

    endpoints: int
    planes: int
    radix: int
    spare: int = 0
    split: bool = False
    duplex: bool = False

    def __post_init__(self) -> None:
        for name, least in (("endpoints", 2), ("planes", 1), ("radix", 2), ("spare", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
                raise TopologyError(f"{name}: found {value!r}, expected a whole number of at least {least}")
        if self.usable < 2:
            raise TopologyError(
                f"spare: found {self.spare}, expected at most {self.radix - 2} of {self.radix}"
            )
        if self.endpoints > self.usable and not self.split:
            raise TopologyError(
                f"endpoints: found {self.endpoints:,} fibres to a plane, expected at most {self.usable:,} "
                f"({self.radix} ports less {self.spare} spare): take a larger switch, or split planes over "
                f"{self.groups} switches each, {self.switches:,} in all, which join their own endpoints only"
            )

    @property
    def usable(self) -> int:
        """Ports of a switch that fibres may be plugged into."""
        return self.radix - self.spare

    @property
    def groups(self) -> int:
        """Switches per plane: groups of endpoints that no circuit of the plane joins to each other."""
        return -(-self.endpoints // self.usable)

    @property
    def switches(self) -> int:
        """Circuit switches in all."""
        return self.planes * self.groups

    @property
    def fibres(self) -> int:
        """Fibres from endpoints to switches in all (pairs of fibres, unless `duplex`)."""
        return self.planes * self.endpoints

    @property
    def free_ports(self) -> int:
        """Ports of all switches that nothing is plugged into, without the spare ones."""
        return self.switches * self.usable - self.fibres

    def group_of(self, endpoint: int) -> int:
        """Say which switch of each plane an endpoint hangs on: groups are filled one after the other.

        Examples
        --------
        >>> OcsLayer(100, 1, 64, split=True).group_of(64)
        1
        """
        return endpoint // self.usable

    def require_fit(self, schedule: CircuitSchedule) -> None:
        """Raise unless the circuits of a schedule can be set on this layer.

        Parameters
        ----------
        schedule : CircuitSchedule

        Raises
        ------
        TopologyError
            Naming the slot, plane and ports of the first circuit that cannot be set.

        Examples
        --------
        >>> swap = CircuitSchedule([[[2, 3, 0, 1]]], [1.0], 1.0)
        >>> OcsLayer(4, 1, radix=4).require_fit(swap)
        >>> OcsLayer(4, 1, radix=2, split=True).require_fit(swap)
        Traceback (most recent call last):
        topo_sim.base.errors.TopologyError: slot 0, plane 0: found a circuit from port 0 to port 2, expected \
one within a switch: they hang on switches 0 and 1 of the plane
        """
        if (schedule.ports, schedule.planes) != (self.endpoints, self.planes):
            raise TopologyError(
                f"schedule: found {schedule.planes} planes of {schedule.ports} ports, expected "
                f"{self.planes} of {self.endpoints}, as the layer has"
            )
        port = np.arange(self.endpoints)
        for block in slot_blocks(schedule.targets):
            now = schedule.targets[block]
            lit = now >= 0
            crosses = lit & (now // self.usable != port // self.usable)
            back = np.take_along_axis(now, np.where(lit, now, 0).astype(np.int64), axis=2)
            one_way = lit & (back != port) & self.duplex
            for wrong, text in (
                (crosses, "expected one within a switch: they hang on switches {} and {} of the plane"),
                (one_way, "expected one back as well: ports are duplex"),
            ):
                if wrong.any():
                    s, p, i = (int(x) for x in np.unravel_index(int(np.argmax(wrong)), wrong.shape))
                    j = int(now[s, p, i])
                    raise TopologyError(
                        f"slot {block.start + s}, plane {p}: found a circuit from port {i} to port {j}, "
                        + text.format(self.group_of(i), self.group_of(j))
                    )
