"""How many channels NCCL runs over a layout, and at what rate each."""

from dataclasses import dataclass

from topo_sim.collectives.models.layout import Layout
from topo_sim.collectives.models.nccl_tables import INTER_SPEEDS, INTRA_SPEEDS, LINK_SHARE

__all__ = ["Channels", "find_channels"]

MOST_BEFORE_DOUBLING = 16
MOST = 32
_DOUBLED_FROM = 25.0


@dataclass(frozen=True)
class Channels:
    """Parallel rings or trees.

    Parameters
    ----------
    count : int
    intra, inter : float, GB/s
        What one of them carries inside a machine (as part of a tree) and between machines.
    """

    count: int
    intra: float
    inter: float


def _doubled(count: int, intra: float, inter: float) -> Channels:
    """Run two channels of half the rate for one, while they are fast."""
    while intra >= _DOUBLED_FROM and 2 * count <= MOST:
        count, intra, inter = 2 * count, intra / 2, inter / 2
    return Channels(count, intra, inter)


def find_channels(layout: Layout, generation: str) -> Channels:
    """Fill a layout with channels.

    Parameters
    ----------
    layout : Layout
    generation : str
        An NVLink generation, or "pcie".

    Returns
    -------
    Channels

    Notes
    -----
    NCCL searches paths through its picture of the machine for the speeds of a grid. Here the speed and
    the count with the largest product that the rates of the layout allow are taken, the larger speed
    first; between machines there is one channel for each port, at the largest speed of the grid that it
    carries, and inside at the largest that still fits (for trees; a ring is as fast inside as between).
    Machines whose ports differ, or that NCCL cannot fill evenly, get fewer in truth.

    Examples
    --------
    Eight H100s: 18 links of 20.6 GB/s carry 24 channels of 15 GB/s.

    >>> one = Layout(8, 1, 8, 450e9, 0.0, 0, 5e-7, 0.0, True)
    >>> find_channels(one, "hopper")
    Channels(count=24, intra=15.0, inter=15.0)
    """
    room = layout.local_rate * LINK_SHARE[generation] / 1e9
    grid = INTRA_SPEEDS[generation]
    if layout.nodes == 1:
        fits = [(min(int(room / s + 1e-9), MOST_BEFORE_DOUBLING) * s, s) for s in grid]
        total, speed = max(fits)
        if total == 0:
            return Channels(1, max(room, 1e-3), max(room, 1e-3))
        return _doubled(round(total / speed), speed, speed)
    port = layout.node_rate / layout.ports / 1e9
    inter = max((s for s in INTER_SPEEDS[generation] if s <= port + 1e-9), default=port)
    count = layout.ports
    if count > MOST:
        count, inter = MOST, inter * count / MOST
    if layout.per_node == 1:
        return Channels(count, inter, inter)
    intra = max((s for s in grid if s * count <= room + 1e-9), default=room / count)
    return _doubled(count, intra, inter)
