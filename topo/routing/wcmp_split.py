"""Weighted-cost multipath: every flow split in proportion to capacity."""

from topo_sim.topo.fabric import Fabric
from topo_sim.topo.flow.paths import Paths
from topo_sim.topo.routing.common import Flows, routing, search_shares

__all__ = ["wcmp_split"]


@routing("wcmp_split", "as ecmp_split, but in proportion to capacity (weighted-cost multipath)")
def wcmp_split(fabric: Fabric, flows: Flows) -> Paths:
    """Split each flow over the next links of its shortest paths, at each hop, by what they can take.

    Notes
    -----
    A next link takes the less of its capacity and of what the next links behind it take together. Parallel
    cables of 5 and 1 GB/s carry 5/6 and 1/6 of a flow, and so are full at the same time.

    References
    ----------
    Zhou et al., "WCMP: weighted cost multipathing for improved fairness in data centers", EuroSys 2014.

    Examples
    --------
    >>> import networkx as nx
    >>> from topo_sim.topo import route
    >>> graph = nx.MultiGraph()
    >>> _ = graph.add_edge(0, 1, bandwidth=3.0), graph.add_edge(0, 1, bandwidth=1.0)
    >>> route(Fabric.from_graph(graph), [0], [1], "wcmp_split").share.tolist()
    [0.75, 0.25]
    """
    return search_shares(fabric, flows, weighted=True)
