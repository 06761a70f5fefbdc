"""What all cuts together say about the least time per byte, where that is quick to find."""

from topo_sim.collectives.optimum.cuts import Cut, broadcast_rate, gather_rate
from topo_sim.collectives.optimum.network import Network, make_network
from topo_sim.topo import Fabric

__all__ = ["least_cut_pace"]

RANKS_UP_TO = 64
ARCS_UP_TO = 8192
REASON = "tightest of all cuts"


def least_cut_pace(name: str, fabric: Fabric, ranks: int) -> float:
    """Time per byte of a collective that the tightest of all cuts asks for.

    Parameters
    ----------
    name : str
        Of the collective.
    fabric : Fabric
    ranks : int
        The first so many endpoints, 2 or more.

    Returns
    -------
    float, s/B
        0 where there is no formula, or more than 64 ranks or 8,192 arcs.

    Notes
    -----
    An all-reduce contains a reduce-scatter, can serve as an all-gather, and moves the whole vector across
    every cut that has ranks on both sides, both ways: it takes at least the longest of these.

    Examples
    --------
    >>> from topo_sim.topo import single_switch
    >>> least_cut_pace("broadcast", single_switch(4, bandwidth=2.0), 4)
    0.5
    """
    kinds = {
        "all_gather": ("gather",),
        "reduce_scatter": ("gather back",),
        "broadcast": ("root",),
        "reduce": ("root back",),
        "all_reduce": ("gather", "gather back", "root", "root back"),
    }.get(name, ())
    if not kinds or ranks > RANKS_UP_TO or fabric.links > ARCS_UP_TO:
        return 0.0
    network = make_network(fabric, ranks)
    paces = [_pace(network.reversed if "back" in kind else network, "gather" in kind) for kind in kinds]
    return max(paces)


def _pace(network: Network, gather: bool) -> float:
    cut: Cut = gather_rate(network) if gather else broadcast_rate(network)
    whole = cut.rate * network.unit * (network.ranks if gather else 1)
    return float(1 / whole) if whole else 0.0
