"""Topology co-design of a job on circuits: the split of the ports, and how it moves with the job."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.optics.codesign import CoDesign, Split, co_design
from topo_sim.optics.codesign.design import MOST_RANKS
from topo_sim.optics.codesign.strides import check_count
from topo_sim.topo import circuit_switched
from topo_sim.topo.demands import Demand, make_demand

__all__ = ["CoDesignStudy", "study_codesign"]

Progress = Callable[[int, int, str], None]
FROM_FABRIC = ("longest_matching",)


@dataclass(frozen=True)
class CoDesignStudy:
    """A co-design, with what it means for jobs of other proportions.

    Parameters
    ----------
    design : CoDesign
    demand_size : float, B
        Bytes per unit of the demand.
    """

    design: CoDesign
    demand_size: float

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """Shares of a job's least time that its all-reduce takes, from 0 to 1, shape (N,)."""
        return np.linspace(0.0, 1.0, 101)

    def mixes(self) -> NDArray[np.float64]:
        """Time over least time of every split, for jobs that are more or less all-reduce.

        Returns
        -------
        ndarray of float64, shape (splits, N)
            At `shares`: both phases are linear in their bytes, so no split is solved anew. NaN where a phase
            of this job is empty; infinite where a split does not join what must be joined.
        """
        one = self.design
        rows = []
        for split in one.splits:
            with np.errstate(divide="ignore", invalid="ignore"):
                slow = [
                    np.divide(time, bound) if bound > 0 else np.nan
                    for time, bound in (
                        (split.all_reduce_time, one.all_reduce_bound),
                        (split.demand_time, one.demand_bound),
                    )
                ]
                parts = [
                    np.where(share == 0, 0.0, share * each)
                    for share, each in zip((self.shares, 1 - self.shares), slow, strict=True)
                ]
            rows.append(parts[0] + parts[1])
        return np.array(rows)

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per split.

        Returns
        -------
        list of dict
        """
        one = self.design
        return [
            {"endpoints": one.ranks, "demand": one.demand.name}
            | split.to_dict()
            | {"least_s": one.bound, "best": split is one.best}
            for split in one.splits
        ]

    def to_dict(self) -> dict[str, Any]:
        """Nested dictionary with units in the keys; the circuits of the best split included.

        Returns
        -------
        dict
        """
        one = self.design

        def plain(split: Split) -> dict[str, Any]:
            return split.to_dict() | {"strides": list(split.strides)}

        return {
            "endpoints": one.ranks,
            "ports": one.ports,
            "port_B_per_s": one.rate,
            "all_reduce_B": one.all_reduce,
            "demand": one.demand.name,
            "demand_B": one.demand.total,
            "all_reduce_bound_s": one.all_reduce_bound,
            "demand_bound_s": one.demand_bound,
            "bound_s": one.bound,
            "best_ring_ports": one.best.rings,
            "best_over_bound": one.best.time / one.bound if one.bound else None,
            "splits": [plain(split) for split in one.splits],
            "circuits": one.best.planes.tolist(),
        }


def study_codesign(
    demand: str | Path = "stencil",
    *,
    endpoints: int = 32,
    ports: int = 8,
    endpoint_rate: float = 112.5e9,
    all_reduce: float = 2.0**26,
    demand_size: float = 2.0**28,
    gap: float = 0.01,
    discount: float = 0.5,
    seed: int = 0,
    progress: Progress | None = None,
) -> CoDesignStudy:
    """Choose circuits for a job that reduces and sends.

    Parameters
    ----------
    demand : str or Path
        A name in ``topo_sim.topo.demands.DEMANDS`` in which every endpoint sends 1, or a ``.csv`` or
        ``.npy`` file.
    endpoints, ports : int
    endpoint_rate : float, B/s
        Of all ports of an endpoint together, per direction.
    all_reduce : float, B
    demand_size : float, B
        Per unit of the demand.
    gap, discount, progress
        As in `co_design`.
    seed : int
        Of demands that draw.

    Returns
    -------
    CoDesignStudy

    Raises
    ------
    UsageError
        If a number is out of range, or the demand depends on a fabric.

    Examples
    --------
    >>> found = study_codesign("stencil")
    >>> found.design.best.rings, found.design.best.time <= min(s.time for s in found.design.splits)
    (4, True)
    """
    check_count("endpoints", endpoints, 2, MOST_RANKS)
    check_count("ports", ports)
    if str(demand) in FROM_FABRIC:
        raise UsageError(f"demand: {demand} follows from a fabric that is still to be chosen; take another")
    made = make_demand(circuit_switched(endpoints, 1), demand, seed=seed)
    number = isinstance(demand_size, (int, float, np.number)) and not isinstance(demand_size, bool)
    if not number or not 0 <= demand_size < np.inf:
        raise UsageError(
            f"demand_size: found {demand_size!r}, expected a finite number of bytes of 0 or more"
        )
    source, target, amount = made.entries
    sized = Demand(
        endpoints, source, target, amount * demand_size, made.uniform * demand_size, name=made.name
    )
    design = co_design(
        sized, all_reduce, ports, endpoint_rate / ports, gap=gap, discount=discount, progress=progress
    )
    return CoDesignStudy(design, float(demand_size))
