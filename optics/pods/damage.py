"""What a failed circuit switch takes from the slices of a pod."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import RoutingError
from topo_sim.optics.pods.placement import Placed, Placement
from topo_sim.optics.pods.wiring import DARK, pod_graph
from topo_sim.topo import Fabric
from topo_sim.topo.distances import hop_matrix
from topo_sim.topo.throughput import max_concurrent_flow

__all__ = ["SliceDamage", "switch_damage"]

EXACT_UP_TO = 256
GAP = 0.02


@dataclass(frozen=True)
class SliceDamage:
    """A slice before and after circuit switches failed.

    Parameters
    ----------
    slice : str
    switches : tuple of str
        That failed.
    circuits, lost : int
        Circuits of the slice, and how many of them are dark now.
    lines : int
        Rows of chips along an axis that fell apart into pieces of one cube each.
    connected : bool
        Whether all chips still reach each other.
    diameter : tuple of int
        In hops, before and after; -1 where chips are cut off.
    theta : tuple of float, B/s, or None
        All-to-all throughput of each chip under the best routing, before and after; None for slices of
        more chips than are solved in seconds.
    """

    slice: str
    switches: tuple[str, ...]
    circuits: int
    lost: int
    lines: int
    connected: bool
    diameter: tuple[int, int]
    theta: tuple[float, float] | None

    def to_dict(self) -> dict[str, Any]:
        """Flat row with units in the keys.

        Returns
        -------
        dict
        """
        before, after = self.theta or (None, None)
        return {
            "slice": self.slice,
            "switches": " ".join(self.switches),
            "circuits": self.circuits,
            "lost": self.lost,
            "share_lost": self.lost / self.circuits,
            "lines_cut": self.lines,
            "connected": self.connected,
            "diameter_before": self.diameter[0],
            "diameter_after": self.diameter[1],
            "theta_before_B_per_s": before,
            "theta_after_B_per_s": after,
        }


def _hops(fabric: Fabric) -> NDArray[np.int32]:
    return hop_matrix(fabric, np.arange(fabric.ranks))


def _theta(fabric: Fabric) -> float:
    try:
        return max_concurrent_flow(fabric, "all_to_all", gap=GAP).theta
    except RoutingError:
        return 0.0


def _damage(whole: Placement, hurt: Placement, one: Placed) -> SliceDamage:
    pod, cubes = whole.pod, np.asarray(one.cubes)
    before = Fabric.from_graph(pod_graph(pod, whole.configuration, one))
    after = Fabric.from_graph(pod_graph(pod, hurt.configuration, one))
    circuits = whole.configuration[:, cubes] != DARK
    lit = hurt.configuration[:, cubes] != DARK
    rows = [one.slice.cubes // one.slice.shape[switch // pod.face] for switch in hurt.failed_switches]
    hops = _hops(after)
    connected = bool((hops >= 0).all())
    small = one.slice.chips <= EXACT_UP_TO
    return SliceDamage(
        slice=one.slice.name,
        switches=tuple(pod.switch_name(switch) for switch in hurt.failed_switches),
        circuits=int(circuits.sum()),
        lost=int(circuits.sum() - lit.sum()),
        lines=sum(rows),
        connected=connected,
        diameter=(int(_hops(before).max()), int(hops.max()) if connected else -1),
        theta=(_theta(one.slice.fabric(pod.rate)), _theta(after)) if small else None,
    )


def switch_damage(placement: Placement) -> list[SliceDamage]:
    """Compare every slice of a placement with and without its failed switches.

    Parameters
    ----------
    placement : Placement
        With failed switches.

    Returns
    -------
    list of SliceDamage
        One per slice, none where no switch failed.

    Notes
    -----
    A switch carries one place on the faces of one axis, of every cube: 1 in ``3 * side**2`` of every
    slice's circuits. The rows of chips at this place fall apart at every border of a cube, also where the
    ring would close. Traffic between the pieces goes round by the rows beside them, and is solved for the
    best splitting of flows; nothing can be swapped, since the fibres end at the failed switch.

    Examples
    --------
    >>> from topo_sim.optics.pods import Pod, place, read_slice
    >>> pod = Pod()
    >>> hurt = place(pod, [read_slice("4x4x4", pod)], failed_switches=["z5"])
    >>> found = switch_damage(hurt)[0]
    >>> found.circuits, found.lost, found.lines, found.connected
    (48, 1, 1, True)
    """
    if not placement.failed_switches:
        return []
    whole = replace(placement, failed_switches=())
    return [_damage(whole, placement, one) for one in placement.placed]
