"""Compare fabrics: scalars, and the best algorithm of each collective at each size."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from topo_sim.base import UsageError, nearest
from topo_sim.collectives import ALGORITHMS, COLLECTIVES, CollectiveCost, Router
from topo_sim.studies.best import Progress, best_costs, check_sizes, cost_row, profiles
from topo_sim.studies.energy import NetworkPower, network_power
from topo_sim.studies.loading import load_all
from topo_sim.topo import FabricMetrics, metrics
from topo_sim.topo.files import Topology

__all__ = ["DEFAULT_COLLECTIVES", "DEFAULT_FABRICS", "DEFAULT_SIZES", "Compared", "Comparison", "compare"]

DEFAULT_FABRICS = (
    "superpod-h100-64",
    "lite-grouped",
    "lite-flat-switch",
    "lite-fat-tree",
    "lite-torus",
    "lite-circuits",
)
DEFAULT_COLLECTIVES = ("all_reduce", "all_gather", "all_to_all")
DEFAULT_SIZES = (2.0**16, 2.0**20, 2.0**24, 2.0**28, 2.0**30)


@dataclass(frozen=True)
class Compared:
    """One fabric of a comparison.

    Parameters
    ----------
    name, description : str
    h100_equivalents : float or None
        Compute of all its endpoints, in H100s, if its file states it.
    routing : str
    metrics : FabricMetrics
    power : NetworkPower
    best : mapping from collective to tuple of CollectiveCost
        Of the fastest algorithm, one per size of the comparison's `curve`.
    """

    name: str
    description: str
    h100_equivalents: float | None
    routing: str
    metrics: FabricMetrics
    power: NetworkPower
    best: Mapping[str, tuple[CollectiveCost, ...]]


@dataclass(frozen=True)
class Comparison:
    """Fabrics side by side.

    Parameters
    ----------
    fabrics : tuple of Compared
    collectives : tuple of str
    sizes : tuple of float, B
        For the table.
    curve : tuple of float, B
        For the picture; contains `sizes`.
    overhead : float, s
    seed : int
    """

    fabrics: tuple[Compared, ...]
    collectives: tuple[str, ...]
    sizes: tuple[float, ...]
    curve: tuple[float, ...]
    overhead: float
    seed: int

    def cost(self, fabric: Compared, collective: str, size: float) -> CollectiveCost:
        """Cost of the best algorithm at one of the sizes.

        Parameters
        ----------
        fabric : Compared
        collective : str
        size : float, B

        Returns
        -------
        CollectiveCost
        """
        return fabric.best[collective][self.curve.index(size)]

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per fabric, collective and size of the table.

        Returns
        -------
        list of dict
        """
        rows = []
        for fabric in self.fabrics:
            scalars = {"fabric": fabric.name, "h100_equivalents": fabric.h100_equivalents}
            scalars |= fabric.metrics.to_dict() | fabric.power.row(fabric.h100_equivalents)
            for collective in self.collectives:
                for size in self.sizes:
                    result = cost_row(self.cost(fabric, collective, size))
                    del result["bottleneck"]
                    rows.append(scalars | result)
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Nested dictionary with units in the keys.

        Returns
        -------
        dict
        """
        return {
            "sizes_B": list(self.sizes),
            "overhead_s": self.overhead,
            "seed": self.seed,
            "fabrics": [
                {
                    "name": fabric.name,
                    "description": fabric.description,
                    "h100_equivalents": fabric.h100_equivalents,
                    "routing": fabric.routing,
                    **fabric.metrics.to_dict(),
                    **fabric.power.row(fabric.h100_equivalents),
                    "power_unknown": fabric.power.unknown or None,
                    "collectives": {
                        name: [cost_row(self.cost(fabric, name, size)) for size in self.sizes]
                        for name in self.collectives
                    },
                }
                for fabric in self.fabrics
            ],
        }


def curve_sizes(sizes: Sequence[float]) -> tuple[float, ...]:
    """Sizes for a picture: powers of two that span the given ones by a margin, and those themselves."""
    positive = [size for size in sizes if size > 0] or [1.0]
    low, high = np.floor(np.log2(min(positive))) - 4, np.ceil(np.log2(max(positive))) + 2
    steps = 2.0 ** np.arange(max(low, 0.0), high + 1)
    return tuple(np.unique(np.concatenate([steps, np.asarray(sizes, float)])).tolist())


def check_names(collectives: Sequence[str], algorithms: Sequence[str] | None) -> None:
    """Refuse unknown collectives, and algorithms that none of them has."""
    known = {name for collective in collectives for name in ALGORITHMS[COLLECTIVES[collective].name]}
    for name in algorithms or ():
        if name not in known:
            raise UsageError(
                f'unknown algorithm "{name}" for {", ".join(collectives)}: {nearest(name, known)}'
            )


def compare(
    references: Sequence[str] = DEFAULT_FABRICS,
    *,
    collectives: Sequence[str] = DEFAULT_COLLECTIVES,
    sizes: Sequence[float] = DEFAULT_SIZES,
    algorithms: Sequence[str] | None = None,
    routing: str | None = None,
    overhead: float = 0.0,
    seed: int = 0,
    parameters: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare fabrics by their scalars and by their best collectives.

    Parameters
    ----------
    references : sequence of str
        Topology files or shipped names, each with ``@key=value`` if wanted.
    collectives : sequence of str
    sizes : sequence of float, B
        As nccl-tests counts them: for all-to-all, what one endpoint sends.
    algorithms : sequence of str, optional
        Only these. A collective that has none of them keeps all of its own.
    routing : str, optional
        For all fabrics. Default: each fabric's own.
    overhead : float, s
        Per message.
    seed : int
        For hashed routings.
    parameters : mapping, optional
        Values for parameters of the files; each must be known to at least one of them.
    progress : callable, optional
        Called with (done, total, what).

    Returns
    -------
    Comparison

    Raises
    ------
    TopoSimError
        If a file, name or number cannot be used.

    Examples
    --------
    >>> result = compare(["dgx-h100"], collectives=["all_reduce"], sizes=[2**30])
    >>> result.cost(result.fabrics[0], "all_reduce", 2**30).ranks
    8
    """
    table = check_sizes(sizes)
    chosen = tuple(dict.fromkeys(collectives))
    check_names(chosen, algorithms)
    topologies = load_all(references, parameters)
    curve = curve_sizes(table.tolist())
    total = len(topologies) * len(chosen)
    finished: list[str] = []

    def work(topology: Topology) -> Compared:
        fabric, best = topology.fabric, {}
        router = Router(fabric, routing, seed)
        for collective in chosen:
            mine = algorithms if set(algorithms or ()) & set(ALGORITHMS[collective]) else None
            found = profiles(
                fabric, collective, algorithms=mine, overhead=overhead, router=router, sizes=np.array(curve)
            )
            best[collective] = tuple(best_costs(found, curve))
            finished.append(f"{fabric.name}: {collective}")
            if progress:
                progress(len(finished), total, finished[-1])
        return _compared(topology, router, best)

    with ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, len(topologies))) as pool:
        fabrics = tuple(pool.map(work, topologies))
    return Comparison(fabrics, chosen, tuple(table.tolist()), curve, overhead, seed)


def _compared(topology: Topology, router: Router, best: Mapping[str, tuple[CollectiveCost, ...]]) -> Compared:
    fabric, each = topology.fabric, topology.h100_equivalents
    return Compared(
        name=fabric.name,
        description=topology.description or "",
        h100_equivalents=each * fabric.ranks if each is not None else None,
        routing=router.routing,
        metrics=metrics(fabric, router.uniform),
        power=network_power(topology, router),
        best=best,
    )
