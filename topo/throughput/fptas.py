"""Concurrent flow to a proven gap, by shifting flow under exponential lengths."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import DemandError
from topo_sim.topo.throughput.kernels import spread_first, sweep
from topo_sim.topo.throughput.polish import polish
from topo_sim.topo.throughput.problem import Problem, Solution, check_reach, dual_bound

__all__ = ["solve_fptas"]

MOST_FLOW_BYTES = 8 * 2**30
PRICE_EVERY = 4
FIRST_SHARPNESS = 16.0
GROWTH = 0.5, 3.0
POLISH_AFTER = 64, 256

Progress = Callable[[int, int, str], None]


def solve_fptas(
    problem: Problem, gap: float, *, sweeps: int = 800, progress: Progress | None = None
) -> Solution:
    """Solve to a relative gap between a flow that fits and a bound from lengths.

    Parameters
    ----------
    problem : Problem
    gap : float
        Wanted ``upper / lower - 1``, more than 0.
    sweeps : int
        Most passes over all sources; the gap then reached is returned.
    progress : callable, optional
        Called as ``progress(done, total, what)`` after every sweep.

    Returns
    -------
    Solution

    Raises
    ------
    DemandError
        If the flows (sources x arcs) would take more than 8 GiB.

    Notes
    -----
    The potential is the sum over arcs of exp(eta load / capacity) at demand 1; its least value gives the
    throughput 1 / max(load / capacity) within ln(arcs) / eta. Sources are blocks of the problem: each in
    turn finds its shortest-path tree at the lengths that are the potential's gradient, and moves flow
    from its longest used path to each node onto the tree, by a Newton step between the two
    segments (origin-based flows without cycles). eta grows while it is what holds the gap. At any lengths l,
    theta <= sum(capacity l) / sum(demand distance_l): evaluated at hop lengths first and then every fourth
    sweep, so the gap is proven, not estimated. A sweep takes O(sources x arcs log nodes).

    Where few flows share many paths that are nearly as good, as in permutations on expanders, shifts alone
    stall at a gap of 1 to 3 %: they converge as one over the number of sweeps. After 64 sweeps, and after
    256, the flow is therefore polished (`topo_sim.topo.throughput.polish`), which such demands are small
    enough for.

    References
    ----------
    Garg and Koenemann, "Faster and simpler algorithms for multicommodity flow", SIAM J. Computing 2007
    (dual bound); Fleischer, SIAM J. Discrete Math. 2000 (one tree for all targets of a source);
    Grigoriadis and Khachiyan, "Fast approximation schemes for convex programs with many blocks and
    coupling constraints", SIAM J. Optimization 1994 (exponential potential, block by block);
    Dial, "A path-based user-equilibrium traffic assignment algorithm that obviates path storage and
    enumeration", Transportation Research B 2006 (shifts between longest and shortest path).
    """
    check_reach(problem)
    arcs, sites = len(problem.capacity), len(problem.site)
    if 8 * arcs * sites > MOST_FLOW_BYTES:
        raise DemandError(
            f"fptas: {sites:,} sites and {arcs:,} arcs take {8 * arcs * sites / 2**30:.0f} GiB, expected at "
            f"most {MOST_FLOW_BYTES // 2**30} GiB"
        )
    run = _Run(problem)
    for done in range(sweeps + 1):
        run.take_stock(gap)
        if progress is not None:
            progress(done, sweeps, f"gap {max(run.upper / run.lower - 1, 0.0):.2%}")
        if run.upper > run.lower * (1 + gap) and done in POLISH_AFTER:
            run.polish(gap)
        if run.upper <= run.lower * (1 + gap) or done == sweeps:
            break
        run.sweep()
    return run.solution


class _Run:
    """The state of the approximation: flows of all sources, arc lengths, and what is proven so far."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.done = problem, 0
        arcs, sites = len(problem.capacity), len(problem.site)
        ends = (problem.arc_source, problem.arc_target)
        self.graph = (problem.forwards, problem.out_ptr, *problem.in_arcs, *ends)
        self.unit = float(problem.capacity.mean())
        self.capacity = problem.capacity / self.unit
        self.flow, self.load, self.length = np.zeros((sites, arcs)), np.zeros(arcs), np.ones(arcs)
        start = (self.length, self.capacity, self.flow, self.load)
        spread_first(problem.site, problem.wanted, *self.graph, *start)
        self.best, self.lower, self.upper = self.load.copy(), 0.0, np.inf
        self.top, self.eta = float((self.load / self.capacity).max()), FIRST_SHARPNESS
        self.draw = np.random.default_rng(0)

    @property
    def solution(self) -> Solution:
        """What is proven so far."""
        return Solution(self.lower * self.unit, max(self.upper, self.lower) * self.unit, self.best, self.done)

    def take_stock(self, gap: float) -> None:
        """Note the flow if it is the best, and now and then the bound from the lengths."""
        if 1 / self.top > self.lower:
            self.lower, self.best = 1 / self.top, self.load.copy()
        if self.done % PRICE_EVERY == 0 and self.upper > self.lower * (1 + gap):
            bound = dual_bound(self.problem, self.length) / self.unit
            self.upper = min(self.upper, bound)
            if self.done:
                self.eta *= _growth(self.length, self.load, self.capacity, bound)

    def sweep(self) -> None:
        """Let every source shift flow once, in an order drawn afresh."""
        turn = self.draw.permutation(self.problem.senders)
        eta = self.eta / self.top
        self.top = sweep(turn, self.problem.site, *self.graph, self.capacity, eta, self.flow, self.load)
        if self.done % 16 == 15:
            self.load = self.flow.sum(axis=0)  # what rounding has added up
        self.length = np.exp(self.eta * (self.load / self.capacity / self.top - 1)) / self.capacity
        self.done += 1

    def polish(self, gap: float) -> None:
        """Solve exactly over the arcs in use and near them, where these are few."""
        found = polish(self.problem, self.flow, self.length, self.solution, gap)
        self.lower, self.upper = found.lower / self.unit, found.upper / self.unit
        self.best = found.load


def _growth(
    length: NDArray[np.float64], load: NDArray[np.float64], capacity: NDArray[np.float64], bound: float
) -> float:
    """Factor for the exponent: up while it is what holds the gap, down while the flow lags behind it.

    The gap at these lengths is the product of two: largest against mean load (weighted by length), which a
    larger exponent closes; and mean cost against shortest paths, which more sweeps close.
    """
    mean = (length @ load) / (length @ capacity)
    uneven = (load / capacity).max() / mean - 1
    astray = max(mean * bound - 1, 1e-12)
    return float(np.clip(uneven / astray, *GROWTH))
