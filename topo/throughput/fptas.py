"""Concurrent flow to a proven gap, by shifting flow under exponential lengths."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import DemandError
from topo_sim.topo.throughput.kernels import spread_first, sweep
from topo_sim.topo.throughput.problem import Problem, Solution, check_reach, dual_bound

__all__ = ["solve_fptas"]

MOST_FLOW_BYTES = 8 * 2**30
PRICE_EVERY = 4
FIRST_SHARPNESS = 16.0
GROWTH = 0.5, 3.0

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
    graph = (problem.forwards, problem.out_ptr, *problem.in_arcs, problem.arc_source, problem.arc_target)
    unit = float(problem.capacity.mean())
    capacity = problem.capacity / unit
    flow, load = np.zeros((sites, arcs)), np.zeros(arcs)
    spread_first(problem.site, problem.wanted, *graph, np.ones(arcs), capacity, flow, load)
    length = np.ones(arcs)
    best, lower, upper = load.copy(), 0.0, np.inf
    top, eta, done = float((load / capacity).max()), FIRST_SHARPNESS, 0
    draw = np.random.default_rng(0)
    while True:
        if 1 / top > lower:
            lower, best = 1 / top, load.copy()
        if done % PRICE_EVERY == 0 and upper > lower * (1 + gap):
            bound = dual_bound(problem, length) / unit
            upper = min(upper, bound)
            if done:
                eta *= _growth(length, load, capacity, bound)
        if progress is not None:
            progress(done, sweeps, f"gap {max(upper / lower - 1, 0.0):.2%}")
        if upper <= lower * (1 + gap) or done == sweeps:
            break
        turn = draw.permutation(problem.senders)
        top = sweep(turn, problem.site, *graph, capacity, eta / top, flow, load)
        if done % 16 == 15:
            load = flow.sum(axis=0)  # what rounding has added up
        length = np.exp(eta * (load / capacity / top - 1)) / capacity
        done += 1
    return Solution(lower * unit, max(upper, lower) * unit, best, done)


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
