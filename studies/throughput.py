"""The throughput of a demand on a fabric: the optimum beside what routings reach."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from topo_sim.base import RoutingError, UsageError
from topo_sim.topo import Fabric
from topo_sim.topo.demands import make_demand
from topo_sim.topo.loads import link_loads
from topo_sim.topo.throughput import ConcurrentFlow, max_concurrent_flow

__all__ = ["Throughput", "measure_throughput"]

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Throughput:
    """The optimum of a demand on a fabric, its bounds, and what plain routings make of it.

    Parameters
    ----------
    flow : ConcurrentFlow
    endpoints : int
    seed : int
    full_links : list of (str, float)
        Names of the fullest links under the optimum, and their load over capacity.
    routed : dict from str to float
        Throughput under a routing, B/s per unit of demand.
    """

    flow: ConcurrentFlow
    endpoints: int
    seed: int
    full_links: list[tuple[str, float]]
    routed: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Summary with units in the keys.

        Returns
        -------
        dict
        """
        return self.flow.to_dict() | {
            "endpoints": self.endpoints,
            "seed": self.seed,
            "routed_B_per_s": dict(self.routed),
            "full_links": [{"name": name, "utilisation": value} for name, value in self.full_links],
        }

    def rows(self) -> list[dict[str, Any]]:
        """One flat row.

        Returns
        -------
        list of dict
        """
        row = self.flow.to_dict() | {"endpoints": self.endpoints, "seed": self.seed}
        return [row | {f"{name}_B_per_s": value for name, value in self.routed.items()}]


def measure_throughput(
    fabric: Fabric,
    demand: str | Path = "all_to_all",
    *,
    method: str | None = None,
    gap: float = 0.01,
    seed: int = 0,
    progress: Progress | None = None,
) -> Throughput:
    """Find the throughput of a demand, its bounds, and the throughput under even splitting and Valiant.

    Parameters
    ----------
    fabric : Fabric
    demand : str or Path
        A name in ``topo_sim.topo.demands.DEMANDS``, or a ``.csv`` or ``.npy`` file.
    method, gap
        As in `max_concurrent_flow`.
    seed : int
        Of demands that draw.
    progress : callable, optional
        Called as ``progress(done, total, what)``.

    Returns
    -------
    Throughput

    Examples
    --------
    >>> from topo_sim.topo import torus
    >>> found = measure_throughput(torus((4, 4, 8), bandwidth=1.0))
    >>> round(found.flow.theta, 4), round(found.routed["ecmp_split"], 4)
    (0.9922, 0.9922)
    """
    made = make_demand(fabric, demand, seed=seed)
    flow = max_concurrent_flow(fabric, made, method, gap, progress=progress)
    routed = {}
    for routing in ("ecmp_split", "valiant"):
        try:
            load = link_loads(fabric, made, routing, progress=progress)
        except (RoutingError, UsageError):  # too many pairs, or no path of this kind
            continue
        used = load > 0
        routed[routing] = float((fabric.capacity[used] / load[used]).min())
    top = np.argsort(-flow.utilisation, kind="stable")[:5]
    full = [(fabric.link_name(int(i)), float(flow.utilisation[i])) for i in top]
    return Throughput(flow, fabric.ranks, seed, full, routed)
