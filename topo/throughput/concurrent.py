"""The front door of throughput: choose a method, solve, bound."""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import DemandError, Registry, RoutingError, UsageError
from topo_sim.topo.demands import Demand, make_demand
from topo_sim.topo.fabric import Fabric
from topo_sim.topo.structure import Clos
from topo_sim.topo.throughput.bounds import Bounds, throughput_bounds
from topo_sim.topo.throughput.fptas import solve_fptas
from topo_sim.topo.throughput.lp import lp_size, solve_lp
from topo_sim.topo.throughput.problem import Problem, Solution, make_problem
from topo_sim.topo.throughput.symmetry import cayley, solve_cayley, solve_clos

__all__ = ["METHODS", "ConcurrentFlow", "max_concurrent_flow"]

LP_UP_TO = 4_000

Progress = Callable[[int, int, str], None]
Found = tuple[float, float, NDArray[np.float64], int]


@dataclass(frozen=True, eq=False)
class ConcurrentFlow:
    """The largest multiple of a demand that fits, between two bounds that are both proven.

    Parameters
    ----------
    fabric, demand, method : str
    lower : float, B/s per unit of demand
        Throughput of the flow found.
    upper : float, B/s per unit of demand
        No routing reaches more: the least of a dual (length) bound, the volume and the cuts.
    load : ndarray of float64, shape (links,), B/s
        Of each link, at `theta`.
    utilisation : ndarray of float64, shape (links,)
        Load over capacity.
    bounds : Bounds
    steps : int
        Sweeps, rounds or iterations of the method.
    """

    fabric: str
    demand: str
    method: str
    lower: float
    upper: float
    load: NDArray[np.float64]
    utilisation: NDArray[np.float64]
    bounds: Bounds
    steps: int

    @property
    def theta(self) -> float:
        """Throughput, B/s per unit of demand: that of the flow found."""
        return self.lower

    @property
    def gap(self) -> float:
        """By how much the upper bound is above the flow found, relative."""
        return self.upper / self.lower - 1

    def to_dict(self) -> dict[str, Any]:
        """Summary with units in the keys; a bound that was not computed is None.

        Returns
        -------
        dict
        """

        def known(value: float) -> float | None:
            return value if np.isfinite(value) else None

        return {
            "fabric": self.fabric,
            "demand": self.demand,
            "method": self.method,
            "theta_B_per_s": self.theta,
            "upper_B_per_s": self.upper,
            "gap": self.gap,
            "steps": self.steps,
            "volume_bound_B_per_s": known(self.bounds.volume),
            "cut_bound_B_per_s": known(self.bounds.cut),
            "cut": self.bounds.cut_name,
            "tight_bound": self.bounds.tight,
            "share_of_tight_bound": self.theta / self.bounds.least,
            "worst_case_bound_B_per_s": known(self.bounds.worst_case),
            "links_full": int(np.count_nonzero(self.utilisation >= 1 - 1e-9)),
            "links_used": int(np.count_nonzero(self.load > 0)),
            "mean_utilisation": float(self.utilisation.mean()),
        }


METHODS: Registry[Callable[[Fabric, Demand, float, Progress | None], Found]] = Registry("method")


def _reduced(fabric: Fabric, demand: Demand, solve: Callable[[Problem], Solution]) -> Found:
    """Solve between sites and put the endpoints' own links back."""
    problem = make_problem(fabric, demand)
    lower = upper = np.inf
    load, steps = np.zeros(len(problem.capacity)), 0
    if problem.wanted.any():
        try:
            found = solve(problem)
        except (DemandError, RoutingError) as error:
            raise type(error)(f"{fabric.name}: {error}") from None
        lower, upper, load, steps = found.lower, found.upper, found.load, found.steps
    limit = problem.port_limit
    return min(lower, limit), min(upper, limit), problem.to_links(load), steps


@METHODS.register("lp")
def _lp(fabric: Fabric, demand: Demand, gap: float, progress: Progress | None) -> Found:
    """Linear program by HiGHS, flows aggregated by source: exact, for small fabrics."""
    return _reduced(fabric, demand, solve_lp)


@METHODS.register("fptas")
def _fptas(fabric: Fabric, demand: Demand, gap: float, progress: Progress | None) -> Found:
    """Exponential lengths and shortest-path shifts to a proven gap: any fabric."""
    return _reduced(fabric, demand, lambda problem: solve_fptas(problem, gap, progress=progress))


@METHODS.register("symmetry")
def _symmetry(fabric: Fabric, demand: Demand, gap: float, progress: Progress | None) -> Found:
    """Exact from one source where the fabric looks alike from everywhere; on a Clos by its subtrees."""
    if isinstance(fabric.structure, Clos):
        return solve_clos(fabric, fabric.structure, demand)
    group = cayley(fabric)
    if group is None:
        raise UsageError(
            f'{fabric.name}: method "symmetry" needs a Clos or a fabric alike from every endpoint; '
            'choose "fptas" or "lp"'
        )
    return solve_cayley(fabric, group, demand)


def _choose(fabric: Fabric, demand: Demand) -> str:
    if isinstance(fabric.structure, Clos):
        return "symmetry"
    if demand.uniform and not demand.entries[2].size and cayley(fabric) is not None:
        return "symmetry"
    return "lp" if lp_size(make_problem(fabric, demand)) <= LP_UP_TO else "fptas"


def max_concurrent_flow(
    fabric: Fabric,
    demand: Demand | Path | ArrayLike = "all_to_all",
    method: str | None = None,
    gap: float = 0.01,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> ConcurrentFlow:
    """Find the largest multiple of a demand that the links carry under the best splitting of flows.

    Parameters
    ----------
    fabric : Fabric
    demand : Demand, str, Path or array_like of shape (ranks, ranks)
        As `make_demand` takes it.
    method : {"lp", "fptas", "symmetry"}, optional
        Default: "symmetry" where it fits, else "lp" up to 4,000 variables (senders times links between
        sites), else "fptas". Asked for, "lp" takes up to 250,000, a few minutes.
    gap : float
        Relative gap to reach, in (0, 1]; for "fptas".
    seed : int
        Of demands that draw, 0 or more.
    progress : callable, optional
        Called as ``progress(done, total, what)``.

    Returns
    -------
    ConcurrentFlow
        If "fptas" runs out of sweeps, the gap reached is above the one asked for.

    Raises
    ------
    UsageError
        If the gap is out of range, nothing is sent, or the method does not fit.
    DemandError
        If the demand is for another number of ranks, or too large for the method.
    RoutingError
        If a demand has no path.

    Notes
    -----
    Flows may split without limit, so this bounds every routing. Switches carry what their links do;
    endpoints pass traffic on only where ``fabric.endpoints_forward``. All-to-all has 1 / (N - 1) between
    each two endpoints, so its theta is the rate that each endpoint sends.

    References
    ----------
    Shahrokhi and Matula, "The maximum concurrent flow problem", J. ACM 1990.

    Examples
    --------
    >>> from topo_sim.topo import torus, twisted_torus
    >>> round(max_concurrent_flow(torus((4, 4, 8), bandwidth=1.0)).theta, 4)
    0.9922
    >>> round(max_concurrent_flow(twisted_torus((4, 4, 8), bandwidth=1.0)).theta, 4)
    1.7318
    """
    given: Any = gap
    if isinstance(given, bool) or not isinstance(given, Real) or not 0 < float(given) <= 1:
        raise UsageError(f"gap: found {gap!r}, expected a number above 0 and up to 1")
    made = make_demand(fabric, demand, seed=seed)
    if made.total == 0:
        raise UsageError(f"{made.name}: sends nothing over {fabric.name}, expected a demand above 0")
    name = _choose(fabric, made) if method is None else method
    lower, upper, unit_load, steps = METHODS[name](fabric, made, float(gap), progress)
    bounds = throughput_bounds(fabric, made)
    load = unit_load * lower
    return ConcurrentFlow(
        fabric=fabric.name,
        demand=made.name,
        method=name,
        lower=lower,
        upper=max(min(upper, bounds.least), lower),
        load=load,
        utilisation=load / fabric.capacity,
        bounds=bounds,
        steps=steps,
    )
